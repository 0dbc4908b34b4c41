"""The six branches of a temporal unit: four dilated convolutions, a max pool,
and one that is given.

Written into one tensor, clip by clip, without a copy to put them together.
"""
from typing import Iterator, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from .clip_product import out_frames
from .graph_conv import differentiable_backward, needs_plain

DILATIONS = (1, 2, 3, 4)
TAPS = 3


def _taps(frames: int, stride: int, dilation: int) -> Iterator[Tuple]:
    """Of each tap, the t within the clip and the frames they read."""
    count = out_frames(frames, stride)
    for tap in range(TAPS):
        offset = (tap - 1) * dilation
        first = min(count, max(0, -(offset // stride)))
        stop = min(count, max(first, (frames - 1 - offset) // stride + 1))
        start = first * stride + offset
        if stop > first:
            yield tap, slice(first, stop), slice(
                start, start + (stop - first - 1) * stride + 1, stride)


def branches_plain(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor,
                   stride: int) -> Tensor:
    """:func:`branches` in differentiable operators of PyTorch."""
    width, count = weight.shape[2], point.shape[1]
    parts = []
    for i, dilation in enumerate(DILATIONS):
        own = h[..., i * width:(i + 1) * width]
        out = bias[i].expand_as(point)
        for tap, inside, frames in _taps(h.shape[1], stride, dilation):
            matrix = weight[i, tap * width:(tap + 1) * width]
            out = out + F.pad(own[:, frames] @ matrix,
                              (0, 0, 0, 0, inside.start, count - inside.stop))
        parts.append(out)
    pool, _ = _pool(h[..., 4 * width:], stride)
    return torch.cat([*parts, pool, point], -1)


class _Clip:
    """Views and scratch of one clip after the other."""

    def __init__(self, h: Tensor, point: Tensor, width: int,
                 stride: int) -> None:
        self.width = width
        self.taps = [
            list(_taps(h.shape[1], stride, dilation))
            for dilation in DILATIONS
        ]
        self.memory = h.new_zeros(4, *point.shape[1:3], TAPS, width)

    def columns(self, h: Tensor) -> Tensor:
        """Three taps of four branches: (T, V, 5 W) -> (4, T' V, 3 W)."""
        for i, taps in enumerate(self.taps):
            own = h[..., i * self.width:(i + 1) * self.width]
            for tap, inside, frames in taps:
                self.memory[i, inside, :, tap] = own[frames]
        return self.memory.flatten(3).flatten(1, 2)

    def convs(self, out: Tensor) -> Tensor:
        """Of the result, (T', V, 6 W) -> view (4, T' V, W)."""
        own = out[..., :4 * self.width].flatten(0, 1)
        return own.unflatten(1, (4, self.width)).transpose(0, 1)

    def add_columns(self, grad_h: Tensor, grad: Tensor) -> None:
        """Backwards through :meth:`columns`."""
        grad = grad.view_as(self.memory)
        for i, taps in enumerate(self.taps):
            own = grad_h[..., i * self.width:(i + 1) * self.width]
            for tap, inside, frames in taps:
                own[frames] += grad[i, inside, :, tap]


def _pool(h: Tensor, stride: int) -> Tuple[Tensor, Tensor]:
    """Max over three frames, (B, T, V, W) -> (B, T', V, W), and indices."""
    out, indices = F.max_pool2d(
        h.permute(0, 3, 1, 2), (TAPS, 1), (stride, 1), (1, 0),
        return_indices=True)
    return out.permute(0, 2, 3, 1), indices


def _pool_backward(h: Tensor, grad: Tensor, stride: int) -> Tensor:
    _, indices = _pool(h, stride)
    grad = torch.ops.aten.max_pool2d_with_indices_backward(
        grad.permute(0, 3, 1, 2), h.permute(0, 3, 1, 2), [TAPS, 1],
        [stride, 1], [1, 0], [1, 1], False, indices)
    return grad.permute(0, 2, 3, 1)


class _Branches(Function):
    """Keeps h and the weights alone."""

    @staticmethod
    def forward(ctx, h, point, weight, bias, stride):
        width = weight.shape[2]
        out = h.new_empty(*point.shape[:3], 6 * width)
        clip = _Clip(h, point, width, stride)
        for n in range(len(h)):
            torch.baddbmm(
                bias[:, None],
                clip.columns(h[n]),
                weight,
                out=clip.convs(out[n]))
        out[..., 4 * width:5 * width] = _pool(h[..., 4 * width:], stride)[0]
        out[..., 5 * width:] = point
        ctx.save_for_backward(h, point, weight, bias)
        ctx.stride = stride
        return out

    @staticmethod
    def backward(ctx, grad):
        h, point, weight, bias = inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            return differentiable_backward(branches_plain, inputs,
                                           (ctx.stride, ), grad,
                                           ctx.needs_input_grad)
        width = weight.shape[2]
        grad = grad.contiguous()
        grad_h = torch.zeros_like(h)
        grad_h[..., 4 * width:] = _pool_backward(
            h[..., 4 * width:], grad[..., 4 * width:5 * width], ctx.stride)
        grad_weight = torch.zeros_like(weight)
        clip = _Clip(h, point, width, ctx.stride)
        for n in range(len(h)):
            own = clip.convs(grad[n])
            columns = clip.columns(h[n])
            grad_weight.baddbmm_(columns.transpose(1, 2), own)
            clip.add_columns(grad_h[n], own @ weight.transpose(1, 2))
        grad_bias = grad[..., :4 * width].sum((0, 1, 2)).view_as(bias)
        return grad_h, grad[..., 5 * width:], grad_weight, grad_bias, None


def branches(h: Tensor,
             point: Tensor,
             weight: Tensor,
             bias: Tensor,
             stride: int = 1) -> Tensor:
    """Temporal convolutions with kernel 3 and dilation 1 to 4, a max pool of
    three frames, and a last branch that is given, side by side.

    Args:
        h (torch.Tensor): Shape (B, T, V, 5 W); branch i reads channels
            i W to (i + 1) W.
        point (torch.Tensor): The last branch, shape (B, T', V, W).
        weight (torch.Tensor): Shape (4, 3 W, W); rows are (tap, channel).
        bias (torch.Tensor): Shape (4, W).
        stride (int): Over frames. Defaults to 1.

    Returns:
        torch.Tensor: Shape (B, T', V, 6 W), T' = ceil(T / stride).
    """
    weight, bias, point = (t.to(h.dtype) for t in (weight, bias, point))
    if needs_plain():
        return branches_plain(h, point, weight, bias, stride)
    return _Branches.apply(h, point, weight, bias, stride)
