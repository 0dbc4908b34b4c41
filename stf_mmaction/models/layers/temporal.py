"""The multi-scale temporal unit of MS-G3D (MS-TCN).

Paper: Liu et al., CVPR 2020, section 3.4. Original code:
https://github.com/kenziyuliu/MS-G3D (MIT). Written anew with channels last
and with one product where the original has a convolution per branch.
"""
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.autograd import Function

from .graph_conv import _needs_plain
from .ms_gcn import channels_last_norm

DILATIONS = (1, 2, 3, 4)
TAPS = 3


def _tap(x: Tensor, offset: int, stride: int, count: int) -> Tensor:
    """x[stride t + offset] for t = 0 .. count - 1, zero outside the clip."""
    frames = x.shape[1]
    first = max(0, -(offset // stride))  # the first t inside
    first = min(first, count)
    stop = min(count, max(first, (frames - 1 - offset) // stride + 1))
    start = first * stride + offset
    part = x[:, start:start + (stop - first) * stride:stride] \
        if stop > first else x[:, :0]
    if first or stop < count:
        part = F.pad(part, (0, 0, 0, 0, first, count - stop))
    return part


def _columns(x: Tensor, width: int, stride: int) -> Tensor:
    """The three taps of the four branches: (4, B T' V, 3 width)."""
    count = (x.shape[1] - 1) // stride + 1
    branches = []
    for i, dilation in enumerate(DILATIONS):
        own = x[..., i * width:(i + 1) * width]
        branches.append(
            torch.cat([
                _tap(own, (j - 1) * dilation, stride, count)
                for j in range(TAPS)
            ], -1).reshape(-1, TAPS * width))
    return torch.stack(branches)


def dilated_convs_plain(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """:func:`dilated_convs` in differentiable operators of PyTorch."""
    width = weight.shape[2]
    count = (x.shape[1] - 1) // stride + 1
    out = torch.bmm(_columns(x, width, stride), weight)
    return out.view(4, x.shape[0], count, x.shape[2], width)


class _DilatedConvs(Function):
    """Keeps x and the weights; the columns are made again for backward."""

    @staticmethod
    def forward(ctx, x, weight, stride):
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return dilated_convs_plain(x, weight, stride)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride = ctx.stride
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            out = dilated_convs_plain(x, weight, stride)
            inputs = [
                t for t, need in zip((x, weight), ctx.needs_input_grad) if need
            ]
            grads = iter(
                torch.autograd.grad(out, inputs, grad, create_graph=True))
            return tuple(
                next(grads) if need else None
                for need in ctx.needs_input_grad[:2]) + (None, )
        width = weight.shape[2]
        count = grad.shape[2]
        flat = grad.reshape(len(DILATIONS), -1, width)
        grad_weight = torch.bmm(
            _columns(x, width, stride).transpose(1, 2), flat)
        columns = torch.bmm(flat, weight.transpose(1, 2))
        columns = columns.view(*grad.shape[:4], TAPS * width)
        grad_x = torch.zeros_like(x)
        for i, dilation in enumerate(DILATIONS):
            own = grad_x[..., i * width:(i + 1) * width]
            for j in range(TAPS):
                offset = (j - 1) * dilation
                first = min(count, max(0, -(offset // stride)))
                stop = min(
                    count, max(first, (x.shape[1] - 1 - offset) // stride + 1))
                if stop > first:
                    start = first * stride + offset
                    own[:, start:start + (stop - first) * stride:stride] += (
                        columns[i, :, first:stop, :,
                                j * width:(j + 1) * width])
        return grad_x, grad_weight, None


def dilated_convs(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """Four temporal convolutions, kernel 3, dilation 1 to 4, in one product.

    Args:
        x (torch.Tensor): Shape (B, T, V, >= 4 W); branch i reads channels
            i W to (i + 1) W.
        weight (torch.Tensor): Shape (4, 3 W, W); rows are (tap, channel).
        stride (int): Over frames. Defaults to 1.

    Returns:
        torch.Tensor: Shape (4, B, T', V, W), T' = ceil(T / stride).
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x, weight = x.to(dtype), weight.to(dtype)
    if _needs_plain():
        return dilated_convs_plain(x, weight, stride)
    return _DilatedConvs.apply(x, weight, stride)


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
        h = F.relu_(channels_last_norm(self.reduce_norm, self.reduce(x)))
        convs = dilated_convs(h, self.conv_weight, stride)
        convs = convs + self.conv_bias[:, None, None, None]
        pool = F.max_pool2d(
            h[..., 4 * width:].permute(0, 3, 1, 2), (TAPS, 1), (stride, 1),
            (1, 0)).permute(0, 2, 3, 1)
        point = self.point(strided)
        out = torch.cat([*convs, pool.to(point.dtype), point], -1)
        out = channels_last_norm(self.norm, out)
        if self.residual is None:
            out = out + x
        else:
            out = out + channels_last_norm(self.residual_norm,
                                           self.residual(strided))
        return F.relu_(out) if self.activate else out
