"""The six branches of a temporal unit: four dilated convolutions, a max pool and a given branch."""

from typing import Iterator, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from . import reference
from .dispatch import compute_dtype, needs_reference
from .reference import DILATIONS, TAPS, kernel_of, temporal_conv
from .shapes import channels_second


def _convolutions(weight: Tensor) -> Iterator[Tuple[int, slice, int]]:
    """Yield the index, the channels and the dilation of each convolution."""
    width = weight.shape[2]
    for i, dilation in enumerate(DILATIONS):
        yield i, slice(i * width, (i + 1) * width), dilation


def _pool_channels(weight: Tensor) -> slice:
    width = weight.shape[2]
    return slice(4 * width, 5 * width)


def _conv_backward(
    grad: Tensor, h: Tensor, rows: Tensor, dilation: int, stride: int, wanted: Sequence[bool]
) -> Tuple:
    """Compute the gradients of a convolution's input, rows and bias, where wanted."""
    kernel = kernel_of(rows)
    grad_h, grad_kernel, grad_bias = torch.ops.aten.convolution_backward(
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
    if grad_h is not None:
        grad_h = grad_h.permute(0, 2, 3, 1)
    if grad_kernel is not None:
        grad_kernel = grad_kernel[..., 0].permute(2, 1, 0).flatten(0, 1)
    return grad_h, grad_kernel, grad_bias


def _pool_settings(stride: int) -> Tuple:
    return [TAPS, 1], [stride, 1], [1, 0]


def _largest(h: Tensor, stride: int) -> Tensor:
    """Recompute the indices of the max pool, (B, W, T', V).

    Kept indices would take twice the memory of the features.
    """
    return F.max_pool2d(channels_second(h), *_pool_settings(stride), return_indices=True)[1]


def _pool_backward(grad: Tensor, h: Tensor, stride: int) -> Tensor:
    """Compute the gradient of the max pool: (B, T', V, W) -> (B, T, V, W)."""
    where = _largest(h, stride)
    grad_h = torch.ops.aten.max_pool2d_with_indices_backward(
        channels_second(grad), channels_second(h), *_pool_settings(stride), [1, 1], False, where
    )
    return grad_h.permute(0, 2, 3, 1)


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
        for i, own, dilation in _convolutions(weight):
            grad_h[..., own], grad_weight[i], grad_bias[i] = _conv_backward(
                grad[..., own], h[..., own], weight[i], dilation, stride, [True] * 3
            )
        pool = _pool_channels(weight)
        grad_h[..., pool] = _pool_backward(grad[..., pool], h[..., pool], stride)
        return grad_h, grad[..., 5 * width :].clone(), grad_weight, grad_bias

    @staticmethod
    @once_differentiable
    def backward(ctx, u_h, u_point, u_weight, u_bias):
        grad, h, weight = ctx.saved_tensors
        stride, width = ctx.stride, weight.shape[2]
        of_grad, of_weight = torch.zeros_like(grad), torch.zeros_like(weight)
        of_h = None if u_weight is None else torch.zeros_like(h)
        if u_h is not None:  # the convolutions are linear in h: those of u_h
            for i, own, dilation in _convolutions(weight):
                of_grad[..., own] = temporal_conv(u_h[..., own], weight[i], None, dilation, stride)
                _, of_weight[i], _ = _conv_backward(
                    grad[..., own],
                    u_h[..., own],
                    weight[i],
                    dilation,
                    stride,
                    [False, True, False],
                )
            pool = _pool_channels(weight)
            where = _largest(h[..., pool], stride)
            u_pool = channels_second(u_h[..., pool]).flatten(2)
            u_pool = u_pool.gather(2, where.flatten(2)).view_as(where)
            of_grad[..., pool] = u_pool.permute(0, 2, 3, 1)
        if u_point is not None:
            of_grad[..., 5 * width :] = u_point
        if u_weight is not None:  # and linear in the weight
            for i, own, dilation in _convolutions(u_weight):
                of_grad[..., own] += temporal_conv(h[..., own], u_weight[i], None, dilation, stride)
                of_h[..., own], _, _ = _conv_backward(
                    grad[..., own], h[..., own], u_weight[i], dilation, stride, [True, False, False]
                )
        if u_bias is not None:
            of_grad[..., : 4 * width] += u_bias.flatten()
        return of_grad, of_h, of_weight, None


class _Branches(Function):
    """The branches; keeps only h and the weights, and writes the gradient of h once."""

    @staticmethod
    def forward(ctx, h, point, weight, bias, stride):
        ctx.save_for_backward(h, weight)
        ctx.stride = stride
        return reference.branches(h, point, weight, bias, stride)

    @staticmethod
    def backward(ctx, grad):
        h, weight = ctx.saved_tensors
        return _BranchesBackward.apply(grad, h, weight, ctx.stride) + (None,)


def branches(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """Compute the branches of a temporal unit side by side.

    They are convolutions with kernel 3 and dilation 1 to 4, a max pool of three frames, and a
    given last branch.

    Args:
        h (torch.Tensor): Shape (B, T, V, 5 W); branch i reads channels i W to (i + 1) W.
        point (torch.Tensor): The last branch, shape (B, T', V, W).
        weight (torch.Tensor): Shape (4, 3 W, W); rows are (tap, channel).
        bias (torch.Tensor): Shape (4, W).
        stride (int): Over frames. Defaults to 1.

    Returns:
        torch.Tensor: Shape (B, T', V, 6 W), T' = ceil(T / stride).
    """
    dtype = compute_dtype(h)
    h, weight, bias, point = (t.to(dtype) for t in (h, weight, bias, point))
    if needs_reference():
        return reference.branches(h, point, weight, bias, stride)
    return _Branches.apply(h, point, weight, bias, stride)
