"""Batch norm of features with channels last, alone or after a linear layer."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import batch_norm, needs_reference


def is_plain(norm: nn.Module) -> bool:
    """Return whether a norm is a plain batch norm of PyTorch, which built-in operators compute.

    Not ``SyncBatchNorm``, and not one with a cumulative average (``momentum=None``).
    """
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.momentum is not None
        and not needs_reference()
    )


def channels_last_norm(norm: nn.Module, x: Tensor, relu: bool = False) -> Tensor:
    """Normalise (B, T, V, C) over all but the channels C, and apply ReLU if ``relu``."""
    if not is_plain(norm):
        out = norm(x.permute(0, 3, 1, 2))
        return (F.relu_(out) if relu else out).permute(0, 2, 3, 1)
    running = (None, None)
    if norm.track_running_stats:
        running = norm.running_mean, norm.running_var
        norm.num_batches_tracked += 1
    return batch_norm(x, norm.weight, norm.bias, *running, norm.momentum, norm.eps, relu)


def uses_running_stats(norm: nn.Module) -> bool:
    """Return whether a norm is only a factor and a shift, as in evaluation mode."""
    return not norm.training and getattr(norm, 'running_mean', None) is not None


def factor_and_shift(norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """Return a norm in evaluation mode as x factor + shift, each (C,)."""
    factor = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        return norm.weight * factor, norm.bias - norm.running_mean * norm.weight * factor
    return factor, -norm.running_mean * factor


def fold(weight: Tensor, bias: Tensor, norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """Fold a norm in evaluation mode into the linear layer before it, (D, C) and (D,)."""
    factor, shift = factor_and_shift(norm)
    return weight * factor[:, None], bias * factor + shift


def linear_norm(
    weight: Tensor, bias: Tensor, norm: nn.Module, x: Tensor, relu: bool = False
) -> Tensor:
    """Apply a linear layer and a batch norm, in evaluation mode as one product.

    Args:
        weight (torch.Tensor): Shape (D, C).
        bias (torch.Tensor): Shape (D,).
        norm (nn.Module): Batch norm of D channels.
        x (torch.Tensor): Shape (B, T, V, C).
        relu (bool): Whether ReLU follows. Defaults to False.

    Returns:
        torch.Tensor: Shape (B, T, V, D).
    """
    if uses_running_stats(norm):
        out = F.linear(x, *fold(weight, bias, norm))
        return F.relu_(out) if relu else out
    return channels_last_norm(norm, F.linear(x, weight, bias), relu)


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, rows: int) -> None:
    """Update running statistics as a batch norm does in training.

    Args:
        norm (nn.BatchNorm2d): Its buffers are changed in place.
        mean, variance (torch.Tensor): Mean and biased variance of the batch, each (C,).
        rows (int): Number of values per channel in the batch.
    """
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (rows / max(rows - 1, 1)), norm.momentum)
