"""Batch norm of features with channels last, and its neighbours."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from .batch_norm import batch_norm, relu_backward
from .graph_conv import needs_plain


class _ReLU(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.relu_())
        return x

    @staticmethod
    def backward(ctx, grad):
        return relu_backward(grad, *ctx.saved_tensors)


def relu_(x: Tensor) -> Tensor:
    """``F.relu_`` with a cheaper second derivative."""
    return F.relu_(x) if needs_plain() else _ReLU.apply(x)


def channels_last_norm(norm: nn.Module, x: Tensor, relu: bool = False) -> Tensor:
    """A batch norm, and perhaps ReLU, of (B, T, V, C), C the channels."""
    if (
        type(norm) is not nn.BatchNorm2d
        or not norm.training
        or (norm.momentum is None or needs_plain())
    ):
        out = norm(x.permute(0, 3, 1, 2))
        return (F.relu_(out) if relu else out).permute(0, 2, 3, 1)
    running = (None, None)
    if norm.track_running_stats:
        running = norm.running_mean, norm.running_var
        norm.num_batches_tracked += 1
    return batch_norm(x, norm.weight, norm.bias, *running, norm.momentum, norm.eps, relu)


def is_affine(norm: nn.Module) -> bool:
    """Whether a norm is but a factor and a shift, as in evaluation mode."""
    return isinstance(norm, _BatchNorm) and not norm.training and norm.running_mean is not None


def affine(norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """Factor and shift of a norm in evaluation mode, each (C,)."""
    factor = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        return norm.weight * factor, (norm.bias - norm.running_mean * norm.weight * factor)
    return factor, -norm.running_mean * factor


def fold(weight: Tensor, bias: Tensor, norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """A linear layer (D, C), (D,) with the norm behind it in one."""
    factor, shift = affine(norm)
    return weight * factor[:, None], bias * factor + shift


def linear_norm(
    weight: Tensor, bias: Tensor, norm: nn.Module, x: Tensor, relu: bool = False
) -> Tensor:
    """A linear layer and a batch norm, in evaluation mode as one product.

    Args:
        weight (torch.Tensor): Shape (D, C).
        bias (torch.Tensor): Shape (D,).
        norm (nn.Module): Batch norm of D channels.
        x (torch.Tensor): Shape (B, T, V, C).
        relu (bool): Whether ReLU follows. Defaults to False.

    Returns:
        torch.Tensor: Shape (B, T, V, D).
    """
    if is_affine(norm):
        out = F.linear(x, *fold(weight, bias, norm))
        return F.relu_(out) if relu else out
    return channels_last_norm(norm, F.linear(x, weight, bias), relu)


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, rows: int) -> None:
    """As a batch norm does in training, from the (biased) variance."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (rows / max(rows - 1, 1)), norm.momentum)
