"""The graph convolution of MS-GCN and G3D."""

import torch
from torch import Tensor
from torch.autograd import Function

from . import reference
from .dispatch import compute_dtype, kernels_for, needs_reference


class _GraphConv(Function):
    """A graph convolution that keeps only x, W and A for the backward pass."""

    @staticmethod
    def forward(ctx, x, weight, adjacency, stride, window):
        ctx.save_for_backward(x, weight, adjacency)
        ctx.settings = stride, window
        ctx.kernels = kernels_for(x)
        return ctx.kernels.graph_conv(x, weight.to(x.dtype), adjacency.to(x.dtype), stride, window)

    @staticmethod
    def backward(ctx, grad):
        x, weight, adjacency = inputs = ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # the caller differentiates the gradients again
            grads = reference.differentiable_backward(_reference, inputs, ctx.settings, grad, needs)
        else:
            dtype = x.dtype
            grads = ctx.kernels.graph_conv_backward(
                x, weight.to(dtype), adjacency.to(dtype), grad, *ctx.settings, needs
            )
            grads = tuple(None if g is None else g.to(t.dtype) for g, t in zip(grads, inputs))
        return (*grads, None, None)


def _reference(x: Tensor, weight: Tensor, adjacency: Tensor, stride: int, window: int) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return reference.graph_conv(x, weight.to(x.dtype), adjacency.to(x.dtype), stride, window)


def graph_conv(
    x: Tensor, weight: Tensor, adjacency: Tensor, stride: int = 1, window: int = 1
) -> Tensor:
    """Convolve over joints, scales and the frames of a window, Eq. (1).

    Under autocast the products run in its dtype and sums over clips in float32.

    Args:
        x (torch.Tensor): Features X, shape (B, T, V, C).
        weight (torch.Tensor): W_k, shape (K, D, C).
        adjacency (torch.Tensor): One matrix for all clips or one per clip, shape
            (1 or B, V w, w V K). Rows are (joint u, frame i) of the window, columns (frame j,
            joint v, scale k).
        stride (int): Frames s between windows. Defaults to 1.
        window (int): Frames w of a window, odd. Defaults to 1.

    Returns:
        torch.Tensor: Shape (B, T', V w, D), T' = ceil(T / s), with Z[t, (u, i)] = sum over
        j, v, k of A[(u, i), (j, v, k)] W_k X[s t + j - (w - 1) / 2, v].
    """
    x = x.to(compute_dtype(x))
    if needs_reference():
        return _reference(x, weight, adjacency, stride, window)
    return _GraphConv.apply(x, weight, adjacency, stride, window)
