"""Sums and combinations over (B, T, V, C) for the second derivatives of batch norm."""

from typing import Tuple

import torch
from torch import Tensor


def sum_of_products(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Compute the sum of a b over clips, frames and joints: (B, T, V, C) -> (C,).

    Args:
        a, b (torch.Tensor): Shape (B, T, V, C).
        dtype (torch.dtype): Dtype of the sum.
    """
    return (a.to(dtype) * b).sum((0, 1, 2))


def combine(constant: Tensor, *terms: Tuple[Tensor, Tensor]) -> Tensor:
    """Compute constant + sum of tensor times coefficient.

    Args:
        constant (torch.Tensor): Shape (C,).
        terms (tuple[torch.Tensor]): Each a tensor (B, T, V, C) and its coefficient (C,).

    Returns:
        torch.Tensor: Shape (B, T, V, C), of the constant's dtype.
    """
    (first, factor), *others = terms
    out = torch.addcmul(constant, first, factor)
    for tensor, factor in others:
        out.addcmul_(tensor, factor)
    return out
