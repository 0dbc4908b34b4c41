"""One G3D branch: graph convolution, batch norm, ReLU, collapse of the window.

The tensors between these steps have w times as many joints as the input. Computed together, only
the input of the norm is kept for the backward pass.
"""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from . import reference
from .dispatch import compute_dtype, kernels_for, needs_reference
from .graph_conv import graph_conv


class _WindowConv(Function):
    """The branch in training, where the norm uses batch statistics."""

    @staticmethod
    def forward(
        ctx, x, weight, adjacency, bias, gamma, beta, collapse, collapse_bias, stride, window, eps
    ):
        ctx.kernels = kernels_for(x)
        ctx.settings = stride, window, eps
        conv = weight.to(x.dtype), adjacency.to(x.dtype), stride, window
        linear = collapse.to(x.dtype), collapse_bias.to(x.dtype)
        out, kept, mean, variance = ctx.kernels.window_conv(x, conv, (gamma, beta, eps), linear)
        ctx.save_for_backward(
            x, weight, adjacency, bias, gamma, beta, collapse, collapse_bias, mean, variance, *kept
        )
        # The norm removes the bias of the convolution, so only the running mean depends on it.
        mean = mean + bias
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx, grad, *_):
        saved = ctx.saved_tensors  # only once, for checkpointing
        inputs, (mean, variance), kept = saved[:8], saved[8:10], saved[10:]
        needs = ctx.needs_input_grad[:8]
        if torch.is_grad_enabled():  # the caller differentiates the gradients again
            grads = reference.differentiable_backward(_reference, inputs, ctx.settings, grad, needs)
            return (*grads, None, None, None)
        x, weight, adjacency, bias, gamma, beta, collapse, _ = inputs
        stride, window, eps = ctx.settings
        conv = weight.to(x.dtype), adjacency.to(x.dtype), stride, window
        of_conv, of_norm, of_linear = ctx.kernels.window_conv_backward(
            x, conv, (gamma, beta, eps), collapse.to(x.dtype), kept, mean, variance, grad, needs
        )
        grads = (*of_conv, torch.zeros_like(bias), *of_norm, *of_linear)
        grads = (None if g is None else g.to(t.dtype) for g, t in zip(grads, inputs))
        return (*grads, None, None, None)


def _reference(x: Tensor, weight: Tensor, adjacency: Tensor, *rest) -> Tensor:
    bias, gamma, beta, collapse, collapse_bias, *settings = rest
    dtype = x.dtype
    with torch.autocast(x.device.type, enabled=False):
        return reference.window_conv(
            x,
            weight.to(dtype),
            adjacency.to(dtype),
            bias,
            gamma,
            beta,
            collapse.to(dtype),
            collapse_bias.to(dtype),
            *settings,
        )


def window_conv(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    stride: int,
    window: int,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    """Convolve over windows, normalise by batch statistics, apply ReLU, collapse the windows.

    Args:
        x, weight, adjacency, stride, window: As in :func:`.graph_conv`.
        bias (torch.Tensor): Bias of the convolution, shape (D,).
        gamma, beta (torch.Tensor): Factor and shift of the batch norm, each (D,).
        collapse (torch.Tensor): Weight that maps the w frames of a window to one,
            shape (E, w D).
        collapse_bias (torch.Tensor): Shape (E,).
        eps (float): Added to the variance.

    Returns:
        tuple[torch.Tensor]: Features (B, T', V, E); mean and (biased) variance of the
        convolution over the batch, each (D,), without gradient.
    """
    x = x.to(compute_dtype(x))
    return _WindowConv.apply(
        x, weight, adjacency, bias, gamma, beta, collapse, collapse_bias, stride, window, eps
    )


def window_conv_folded(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    stride: int,
    window: int,
) -> Tensor:
    """Compute :func:`window_conv` with a norm folded into weight and bias (evaluation).

    Args:
        x, weight, adjacency, bias, collapse, collapse_bias, stride, window: As in
            :func:`window_conv`.

    Returns:
        torch.Tensor: Shape (B, T', V, E).
    """
    if not torch.is_grad_enabled() and not needs_reference():
        x = x.to(compute_dtype(x))
        tensors = (t.to(x.dtype) for t in (weight, adjacency, bias, collapse, collapse_bias))
        return kernels_for(x).window_conv_folded(x, *tensors, stride, window)
    z = graph_conv(x, weight, adjacency, stride, window)
    z = F.relu(z + bias.to(z.dtype))
    return F.linear(z.reshape(*z.shape[:2], x.shape[2], -1), collapse, collapse_bias)
