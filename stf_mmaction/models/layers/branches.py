"""The six branches of a temporal unit: four dilated convolutions, a max pool,
and one that is given, side by side.
"""

from typing import Iterator, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .batch_norm import channels_second
from .graph_conv import needs_plain

DILATIONS = (1, 2, 3, 4)
TAPS = 3


def _kernels(weight: Tensor) -> Iterator[Tuple]:
    """Of each convolution, its channels, its kernel and its dilation."""
    width = weight.shape[2]
    for i, dilation in enumerate(DILATIONS):
        kernel = weight[i].view(TAPS, width, width).permute(2, 1, 0)
        yield slice(i * width, (i + 1) * width), kernel[..., None], dilation


def _convolution(
    h: Tensor, kernel: Tensor, bias: Optional[Tensor], dilation: int, stride: int
) -> Tensor:
    """(B, T, V, W) -> (B, T', V, W)."""
    h = channels_second(h)
    out = F.conv2d(h, kernel, bias, (stride, 1), (dilation, 0), (dilation, 1))
    return out.permute(0, 2, 3, 1)


def branches_plain(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """:func:`branches` in differentiable operators of PyTorch."""
    parts = [
        _convolution(h[..., own], kernel, bias[i], dilation, stride)
        for i, (own, kernel, dilation) in enumerate(_kernels(weight))
    ]
    pool = channels_second(h[..., 4 * weight.shape[2] :])
    pool = F.max_pool2d(pool, *_pool_arguments(stride)).permute(0, 2, 3, 1)
    return torch.cat([*parts, pool, point], -1)


def _convolution_backward(
    grad: Tensor, h: Tensor, kernel: Tensor, dilation: int, stride: int, wanted: Sequence[bool]
) -> Tuple:
    """Gradients of the input, the kernel and the bias of a convolution."""
    return torch.ops.aten.convolution_backward(
        channels_second(grad),
        channels_second(h),
        kernel,
        [kernel.shape[0]],
        [stride, 1],
        [dilation, 0],
        [dilation, 1],
        False,
        [0, 0],
        1,
        wanted,
    )


def _row_order(kernel_grad: Tensor) -> Tensor:
    """Gradient of a kernel (W, W, 3, 1) -> of its rows (3 W, W)."""
    return kernel_grad[..., 0].permute(2, 1, 0).flatten(0, 1)


def _pool_arguments(stride: int) -> Tuple:
    return [TAPS, 1], [stride, 1], [1, 0]


def _largest(h: Tensor, stride: int) -> Tensor:
    """Where the pool found its largest, (B, W, T', V).

    Found again rather than kept: it takes twice the memory of the features.
    """
    return F.max_pool2d(channels_second(h), *_pool_arguments(stride), return_indices=True)[1]


class _BranchesBackward(Function):
    """Gradients of the branches that can be differentiated once more."""

    @staticmethod
    def forward(ctx, grad, h, weight, stride):
        ctx.save_for_backward(grad, h, weight)
        ctx.stride = stride
        ctx.set_materialize_grads(False)
        width = weight.shape[2]
        grad_h, grad_weight = torch.empty_like(h), torch.empty_like(weight)
        grad_bias = weight.new_empty(4, width)
        for i, (own, kernel, dilation) in enumerate(_kernels(weight)):
            grads = _convolution_backward(
                grad[..., own], h[..., own], kernel, dilation, stride, [True] * 3
            )
            grad_h[..., own] = grads[0].permute(0, 2, 3, 1)
            grad_weight[i] = _row_order(grads[1])
            grad_bias[i] = grads[2]
        pool = slice(4 * width, 5 * width)
        grad_pool = torch.ops.aten.max_pool2d_with_indices_backward(
            channels_second(grad[..., pool]),
            channels_second(h[..., pool]),
            *_pool_arguments(stride),
            [1, 1],
            False,
            _largest(h[..., pool], stride),
        )
        grad_h[..., pool] = grad_pool.permute(0, 2, 3, 1)
        return (grad_h, grad[..., 5 * width :].clone(), grad_weight, grad_bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, u_h, u_point, u_weight, u_bias):
        grad, h, weight = ctx.saved_tensors
        stride, width = ctx.stride, weight.shape[2]
        out, grad_weight = torch.zeros_like(grad), torch.zeros_like(weight)
        grad_h = None if u_weight is None else torch.zeros_like(h)
        if u_h is not None:  # the convolutions of u, as they are linear
            for i, (own, kernel, dilation) in enumerate(_kernels(weight)):
                out[..., own] = _convolution(u_h[..., own], kernel, None, dilation, stride)
                _, grads, _ = _convolution_backward(
                    grad[..., own], u_h[..., own], kernel, dilation, stride, [False, True, False]
                )
                grad_weight[i] = _row_order(grads)
            pool = slice(4 * width, 5 * width)
            where = _largest(h[..., pool], stride)
            u_pool = channels_second(u_h[..., pool]).flatten(2)
            u_pool = u_pool.gather(2, where.flatten(2)).view_as(where)
            out[..., pool] = u_pool.permute(0, 2, 3, 1)
        if u_point is not None:
            out[..., 5 * width :] = u_point
        if u_weight is not None:
            for own, kernel, dilation in _kernels(u_weight):
                out[..., own] += _convolution(h[..., own], kernel, None, dilation, stride)
                grads, _, _ = _convolution_backward(
                    grad[..., own], h[..., own], kernel, dilation, stride, [True, False, False]
                )
                grad_h[..., own] = grads.permute(0, 2, 3, 1)
        if u_bias is not None:
            out[..., : 4 * width] += u_bias.flatten()
        return out, grad_h, grad_weight, None


class _Branches(Function):
    """Keeps h and the weights alone, and writes the gradient of h once."""

    @staticmethod
    def forward(ctx, h, point, weight, bias, stride):
        ctx.save_for_backward(h, weight)
        ctx.stride = stride
        return branches_plain(h, point, weight, bias, stride)

    @staticmethod
    def backward(ctx, grad):
        h, weight = ctx.saved_tensors
        return _BranchesBackward.apply(grad, h, weight, ctx.stride) + (None,)


def branches(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
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
