"""Objective measures of whether an importance map explains a network.

Deletion and insertion: V. Petsiuk, A. Das, K. Saenko, "RISE", BMVC 2018. Pointing
game: J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018.
Randomised weights: J. Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.

A map has one number per person, frame and joint, (N, M, T, V), larger if more
important. Only the order of its numbers counts.
"""

from typing import Callable

import torch
from torch import Tensor


def ranks(maps: Tensor, present: Tensor) -> Tensor:
    """Compute the share of cells that are at least as important, per clip.

    Args:
        maps (torch.Tensor): Shape (N, M, T, V).
        present (torch.Tensor): Persons that take part, boolean, (N, M).

    Returns:
        torch.Tensor: From above 0 for the most important cell to 1 for the
        least, infinity for absent persons, shape (N, M, T, V).
    """
    absent = ~present[:, :, None, None].expand_as(maps)
    flat = maps.masked_fill(absent, float('-inf')).flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(1, order.shape[1] + 1, device=maps.device, dtype=torch.float32)
    cells = (~absent).flatten(1).sum(1, keepdim=True).clamp(min=1)
    shares = torch.empty(order.shape, device=maps.device)
    shares.scatter_(1, order, places / cells)
    return shares.view_as(maps).masked_fill(absent, float('inf'))


@torch.no_grad()
def perturbation_curve(
    scores: Callable[[Tensor], Tensor],
    inputs: Tensor,
    maps: Tensor,
    classes: Tensor,
    present: Tensor,
    reference: Tensor,
    steps: int = 10,
    insertion: bool = False,
) -> Tensor:
    """Compute the probability of a class while cells are removed or restored.

    A removed cell has the values of a reference without information about the clip,
    such as the mean over clips. (Zeros are a poor one: a network that never saw a visibility of 0
    normalises it by a variance of nearly 0, so any deletion changes its scores arbitrarily.)

    Args:
        scores (Callable): From inputs to probabilities (N, K).
        inputs (torch.Tensor): Shape (N, M, T, V, C).
        maps (torch.Tensor): Shape (N, M, T, V).
        classes (torch.Tensor): Class indices, shape (N,).
        present (torch.Tensor): Persons that take part, boolean, (N, M); the others are
            unchanged.
        reference (torch.Tensor): Expands to the shape of the inputs.
        steps (int): Number of equal shares into which the cells are split. Defaults to 10.
        insertion (bool): Whether to start from the reference and restore cells, instead of
            removing them; the most important cells come first either way. Defaults to False.

    Returns:
        torch.Tensor: After 0, 1, ..., ``steps`` shares: (N, steps + 1).
    """
    shares = ranks(maps, present)
    absent = shares.isinf()
    curve = []
    for step in range(steps + 1):
        chosen = shares <= step / steps + 1e-6  # shares are quotients
        kept = (chosen if insertion else ~chosen) | absent
        mixed = torch.where(kept.unsqueeze(-1), inputs, reference)
        curve.append(scores(mixed).gather(1, classes[:, None])[:, 0])
    return torch.stack(curve, 1)


def area(curve: Tensor) -> Tensor:
    """Compute the area under curves over the unit interval, (N, S) -> (N,).

    Example:
        >>> area(torch.tensor([[1.0, 0.5, 0.0]]))
        tensor([0.5000])
    """
    return (curve[:, 1:] + curve[:, :-1]).mean(1) / 2


def pointing_hits(maps: Tensor, target: Tensor) -> Tensor:
    """Compute whether the most important cell lies on given joints.

    Args:
        maps (torch.Tensor): Shape (N, M, T, V).
        target (torch.Tensor): The joints that matter, boolean, (N, V).

    Returns:
        torch.Tensor: 1 or 0, or if several cells share the maximum, the share
        of them that is on target. Shape (N,).
    """
    top = (maps == maps.amax((1, 2, 3), keepdim=True)).float()
    inside = top * target[:, None, None]
    return inside.sum((1, 2, 3)) / top.sum((1, 2, 3))


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Compute Spearman's correlation of two maps of each clip.

    Equal cells are ranked in the order of their places; the correlation with a
    constant map is 0.

    Args:
        first (torch.Tensor): Shape (N, M, T, V).
        second (torch.Tensor): The same.

    Returns:
        torch.Tensor: In [-1, 1], shape (N,).
    """
    found = []
    for maps in (first, second):
        flat = maps.flatten(1)
        rank = flat.argsort(dim=1, stable=True).argsort(dim=1).double()
        rank = rank - rank.mean(1, keepdim=True)
        found.append(rank * (flat.amax(1, True) > flat.amin(1, True)))
    one, other = found
    norm = one.norm(dim=1) * other.norm(dim=1)
    return ((one * other).sum(1) / norm.clamp(min=1e-12)).float()
