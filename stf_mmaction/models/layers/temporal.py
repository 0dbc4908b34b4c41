"""The multi-scale temporal unit of MS-G3D (MS-TCN).

Paper: Liu et al., CVPR 2020, section 3.4. Original code:
https://github.com/kenziyuliu/MS-G3D (MIT). Written anew with channels last
and with one product where the original has a convolution per branch.
"""
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from .branches import TAPS, branches
from .norm import affine, channels_last_norm, is_affine, linear_norm


class TemporalUnit(BaseModule):
    """Four dilated convolutions, a max pool and a 1x1 convolution, summed
    with the input.

    Args:
        in_channels (int): C.
        out_channels (int): D, a multiple of 6.
        stride (int): Over frames. Defaults to 1.
        activate (bool): ReLU at the end. Defaults to True.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 stride: int = 1,
                 activate: bool = True) -> None:
        super().__init__()
        width = out_channels // 6
        self.stride = stride
        self.activate = activate
        self.width = width
        # The first five branches read their input through a 1x1 convolution,
        # batch norm and ReLU, the sixth is a 1x1 convolution alone.
        self.reduce = nn.Linear(in_channels, 5 * width)
        self.reduce_norm = nn.BatchNorm2d(5 * width)
        self.conv_weight = nn.Parameter(torch.empty(4, TAPS * width, width))
        self.conv_bias = nn.Parameter(torch.empty(4, width))
        self.point = nn.Linear(in_channels, width)
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = None
        if in_channels != out_channels or stride != 1:
            self.residual = nn.Linear(in_channels, out_channels)
            self.residual_norm = nn.BatchNorm2d(out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As the original: Kaiming (fan out) convolutions, norms N(1, .02)."""
        width = self.width
        nn.init.normal_(self.reduce.weight, 0, (2 / width)**0.5)
        nn.init.normal_(self.point.weight, 0, (2 / width)**0.5)
        nn.init.normal_(self.conv_weight, 0, (2 / (TAPS * width))**0.5)
        biases = [self.reduce.bias, self.point.bias, self.conv_bias]
        norms = [self.reduce_norm, self.norm]
        if self.residual is not None:
            nn.init.kaiming_normal_(self.residual.weight, mode='fan_out')
            biases.append(self.residual.bias)
            norms.append(self.residual_norm)
        for bias in biases:
            nn.init.zeros_(bias)
        for norm in norms:
            nn.init.normal_(norm.weight, 1, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, V, C) -> (B, T', V, D), T' = ceil(T / stride)."""
        stride, width = self.stride, self.width
        strided = x[:, ::stride]
        h = linear_norm(self.reduce.weight, self.reduce.bias,
                        self.reduce_norm, x, relu=True)
        point = self.point.weight, self.point.bias
        weight, bias = self.conv_weight, self.conv_bias
        factor = shift = None
        if is_affine(self.norm):  # fold it into the branches
            factor, shift = (t.view(6, width) for t in affine(self.norm))
            weight = weight * factor[:4, None]
            bias = bias * factor[:4] + shift[:4]
            point = point[0] * factor[5, :, None], (
                point[1] * factor[5] + shift[5])
        out = branches(h, F.linear(strided, *point), weight, bias, stride)
        if factor is None:
            out = channels_last_norm(self.norm, out)
        else:
            # The norm of the pool, which is not linear, comes behind it.
            pool = torch.arange(6, device=out.device).unsqueeze(1) == 4
            factor = factor.where(pool, torch.ones_like(factor))
            shift = shift.where(pool, torch.zeros_like(shift))
            out = torch.addcmul(shift.flatten(), out, factor.flatten())
        if self.residual is None:
            out = out + x
        else:
            out = out + linear_norm(self.residual.weight, self.residual.bias,
                                    self.residual_norm, strided)
        return F.relu_(out) if self.activate else out
