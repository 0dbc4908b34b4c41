"""The multi-scale temporal unit of MS-G3D (MS-TCN).

Paper: Liu et al., CVPR 2020, section 3.4. Original code:
https://github.com/kenziyuliu/MS-G3D (MIT). This is a new implementation, with
channels last and one product in place of the original's convolution per
branch.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..ops import branches, needs_reference, relu_
from ..ops.reference import TAPS
from .norm import channels_last_norm, factor_and_shift, fold, linear_norm, uses_running_stats


class TemporalUnit(BaseModule):
    """Four dilated convolutions, a max pool and a 1x1 convolution, summed
    with the input.

    Args:
        in_channels (int): C.
        out_channels (int): D, a multiple of 6.
        stride (int): Stride over frames. Defaults to 1.
        activate (bool): Whether to apply ReLU at the end. Defaults to True.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, activate: bool = True
    ) -> None:
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
        """Initialise as the original does: Kaiming (fan out) convolutions, norms N(1, .02)."""
        width = self.width
        nn.init.normal_(self.reduce.weight, 0, (2 / width) ** 0.5)
        nn.init.normal_(self.point.weight, 0, (2 / width) ** 0.5)
        nn.init.normal_(self.conv_weight, 0, (2 / (TAPS * width)) ** 0.5)
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
        """Map (B, T, V, C) -> (B, T', V, D), T' = ceil(T / stride)."""
        if uses_running_stats(self.norm) and uses_running_stats(self.reduce_norm):
            out = self._folded_branches(x)
        else:
            h = linear_norm(self.reduce.weight, self.reduce.bias, self.reduce_norm, x, relu=True)
            point = self.point(self._strided(x))
            out = channels_last_norm(
                self.norm, branches(h, point, self.conv_weight, self.conv_bias, self.stride)
            )
        residual = x
        if self.residual is not None:
            residual = linear_norm(
                self.residual.weight, self.residual.bias, self.residual_norm, self._strided(x)
            )
        out = out.add_(residual)
        return relu_(out) if self.activate else out

    def _strided(self, x: Tensor) -> Tensor:
        """Return every s-th frame. A slice with stride 1 would cost a copy in the backward pass."""
        return x if self.stride == 1 else x[:, :: self.stride]

    def _folded_branches(self, x: Tensor) -> Tensor:
        """Return the branches with their norms folded in, in evaluation mode."""
        width = self.width
        factor, shift = (t.view(6, width) for t in factor_and_shift(self.norm))
        weight, bias = fold(self.reduce.weight, self.reduce.bias, self.reduce_norm)
        point = (self.point.weight * factor[5, :, None], self.point.bias * factor[5] + shift[5])
        if self.stride == 1:  # a single product reads the input
            both = F.linear(x, torch.cat([weight, point[0]]), torch.cat([bias, point[1]]))
            h, point = F.relu(both[..., : 5 * width]), both[..., 5 * width :]
        else:
            h = F.relu_(F.linear(x, weight, bias))
            point = F.linear(self._strided(x), *point)
        out = branches(
            h,
            point,
            self.conv_weight * factor[:4, None],
            self.conv_bias * factor[:4] + shift[:4],
            self.stride,
        )
        # The pool is not linear, so its norm is applied after it.
        if not torch.is_grad_enabled() and not needs_reference():
            out[..., 4 * width : 5 * width].mul_(factor[4]).add_(shift[4])
            return out
        pool = torch.arange(6, device=out.device).unsqueeze(1) == 4
        factor = factor.where(pool, torch.ones_like(factor))
        shift = shift.where(pool, torch.zeros_like(shift))
        return torch.addcmul(shift.flatten(), out, factor.flatten())
