"""Batch norm of features with channels last, and its neighbours."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def channels_last_norm(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a batch norm to (B, T, V, C), C being the channels."""
    return norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def norm_relu(norm: nn.Module, x: Tensor) -> Tensor:
    """:func:`channels_last_norm` and ReLU.

    Not ReLU in place of the result: that is a view, which costs a copy.
    """
    return F.relu_(norm(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)


def is_affine(norm: nn.Module) -> bool:
    """Whether a norm is but a factor and a shift, as in evaluation mode."""
    return (isinstance(norm, _BatchNorm) and not norm.training
            and norm.running_mean is not None)


def affine(norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """Factor and shift of a norm in evaluation mode, each (C,)."""
    factor = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        return norm.weight * factor, (
            norm.bias - norm.running_mean * norm.weight * factor)
    return factor, -norm.running_mean * factor


def fold(weight: Tensor, bias: Tensor,
         norm: nn.Module) -> Tuple[Tensor, Tensor]:
    """A linear layer (D, C), (D,) with the norm behind it in one."""
    factor, shift = affine(norm)
    return weight * factor[:, None], bias * factor + shift


def linear_norm(weight: Tensor,
                bias: Tensor,
                norm: nn.Module,
                x: Tensor,
                relu: bool = False) -> Tensor:
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
    out = F.linear(x, weight, bias)
    return (norm_relu if relu else channels_last_norm)(norm, out)


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor,
                   rows: int) -> None:
    """As a batch norm does in training, from the (biased) variance."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (rows / max(rows - 1, 1)),
                           norm.momentum)
