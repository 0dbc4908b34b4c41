"""The six branches of a temporal unit: four dilated convolutions, a max pool,
and one that is given, side by side.
"""
from typing import Iterator, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from .graph_conv import differentiable_backward, needs_plain

DILATIONS = (1, 2, 3, 4)
TAPS = 3


def _channels_second(x: Tensor) -> Tensor:
    """(B, T, V, C) -> view (B, C, T, V), as convolutions and pools read."""
    return x.permute(0, 3, 1, 2)


def _kernels(weight: Tensor) -> Iterator[Tuple]:
    """Of each convolution, its channels, its kernel and its dilation."""
    width = weight.shape[2]
    for i, dilation in enumerate(DILATIONS):
        kernel = weight[i].view(TAPS, width, width).permute(2, 1, 0)
        yield slice(i * width, (i + 1) * width), kernel[..., None], dilation


def branches_plain(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor,
                   stride: int) -> Tensor:
    """:func:`branches` in differentiable operators of PyTorch."""
    h = _channels_second(h)
    parts = [
        F.conv2d(h[:, own], kernel, bias[i], (stride, 1), (dilation, 0),
                 (dilation, 1))
        for i, (own, kernel, dilation) in enumerate(_kernels(weight))
    ]
    parts.append(
        F.max_pool2d(h[:, 4 * weight.shape[2]:], (TAPS, 1), (stride, 1),
                     (1, 0)))
    return torch.cat([*parts, _channels_second(point)], 1).permute(0, 2, 3, 1)


def _pool_backward(h: Tensor, grad: Tensor, stride: int) -> Tensor:
    """Gradient of the max pool, (B, T', V, W) -> (B, T, V, W)."""
    h, grad = _channels_second(h), _channels_second(grad)
    args = [TAPS, 1], [stride, 1], [1, 0]
    # Indices of the largest take twice the memory of the features.
    _, indices = F.max_pool2d(h, *args, return_indices=True)
    grad = torch.ops.aten.max_pool2d_with_indices_backward(
        grad, h, *args, [1, 1], False, indices)
    return grad.permute(0, 2, 3, 1)


class _Branches(Function):
    """Keeps h and the weights alone, and writes the gradient of h once."""

    @staticmethod
    def forward(ctx, h, point, weight, bias, stride):
        ctx.save_for_backward(h, point, weight, bias)
        ctx.stride = stride
        return branches_plain(h, point, weight, bias, stride)

    @staticmethod
    def backward(ctx, grad):
        h, point, weight, bias = inputs = ctx.saved_tensors
        stride, width = ctx.stride, weight.shape[2]
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            return differentiable_backward(branches_plain, inputs, (stride, ),
                                           grad, ctx.needs_input_grad)
        grad_h, grad_weight = torch.empty_like(h), torch.empty_like(weight)
        grad_bias = torch.empty_like(bias)
        for i, (own, kernel, dilation) in enumerate(_kernels(weight)):
            grads = torch.ops.aten.convolution_backward(
                _channels_second(grad[..., own]),
                _channels_second(h[..., own]), kernel, [width], [stride, 1],
                [dilation, 0], [dilation, 1], False, [0, 0], 1, [True] * 3)
            grad_h[..., own] = grads[0].permute(0, 2, 3, 1)
            grad_weight[i] = grads[1][..., 0].permute(2, 1, 0).flatten(0, 1)
            grad_bias[i] = grads[2]
        pool = slice(4 * width, 5 * width)
        grad_h[..., pool] = _pool_backward(h[..., pool], grad[..., pool],
                                           stride)
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
