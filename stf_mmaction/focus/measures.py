"""Numbers that describe a focus, one per clip.

All of them consider only the persons present, and none depends on the number
of places in a clip, so clips and modules can be compared.
"""

from typing import Optional

import torch
from torch import Tensor

from .masking import resize_focus


def entropy(focus: Tensor, present: Optional[Tensor] = None) -> Tensor:
    """Compute how widely the focus is spread, between 0 and 1.

    The focus divided by its sum is a distribution q over the P places (person,
    frame, joint): H = -sum q log q / log P. It is 0 if one place has all the
    focus, or none has any, and 1 if all places have the same.

    Args:
        focus (torch.Tensor): Q in [0, 1], shape (N, M, T', V).
        present (torch.Tensor, optional): Persons that take part, boolean,
            shape (N, M). Defaults to None, all.

    Returns:
        torch.Tensor: Shape (N,).

    Example:
        >>> entropy(torch.ones(1, 1, 2, 2))
        tensor([1.])
    """
    focus = _of_present(focus, present)
    share = focus / focus.sum((1, 2, 3), keepdim=True).clamp(min=_tiny(focus))
    places = _places(focus, present).clamp(min=2)
    return torch.special.entr(share).sum((1, 2, 3)) / places.log()


def coverage(focus: Tensor, present: Optional[Tensor] = None, threshold: float = 0.5) -> Tensor:
    """Compute the share of places whose focus is at least a threshold.

    Args:
        focus (torch.Tensor): Q in [0, 1], shape (N, M, T', V).
        present (torch.Tensor, optional): Boolean, shape (N, M).
            Defaults to None, all persons.
        threshold (float): Above 0. Defaults to 0.5.

    Returns:
        torch.Tensor: In [0, 1], shape (N,).

    Example:
        >>> coverage(torch.tensor([[[[1.0, 0.5, 0.25, 0.0]]]]))
        tensor([0.5000])
    """
    focus = _of_present(focus, present)
    covered = (focus >= threshold).sum((1, 2, 3))
    return covered / _places(focus, present).clamp(min=1)


def overlap(first: Tensor, second: Tensor, present: Optional[Tensor] = None) -> Tensor:
    """Compute how much two focus maps have in common: sum min(a, b) / sum max(a, b).

    It is 1 if they are equal, and 0 if no place has both, or both are zero.

    Args:
        first (torch.Tensor): Q in [0, 1], shape (N, M, T', V).
        second (torch.Tensor): Likewise; another length T' is interpolated.
        present (torch.Tensor, optional): Boolean, shape (N, M).
            Defaults to None, all persons.

    Returns:
        torch.Tensor: In [0, 1], shape (N,).

    Example:
        >>> overlap(torch.tensor([[[[1.0, 0.5]]]]), torch.tensor([[[[0.5, 0.5]]]]))
        tensor([0.6667])
    """
    first = _of_present(first, present)
    second = _of_present(resize_focus(second, first.shape[2]), present)
    union = torch.maximum(first, second).sum((1, 2, 3))
    return torch.minimum(first, second).sum((1, 2, 3)) / union.clamp(min=_tiny(union))


def distance(first: Tensor, second: Tensor, present: Optional[Tensor] = None) -> Tensor:
    """Compute the root mean square of the difference between two maps.

    It is the norm in the coherence and adjacency losses, divided by the square
    root of the number of places.

    Args:
        first (torch.Tensor): Q or an embedding in [0, 1], shape (N, M, T', V).
        second (torch.Tensor): Likewise; another length T' is interpolated.
        present (torch.Tensor, optional): Boolean, shape (N, M).
            Defaults to None, all persons.

    Returns:
        torch.Tensor: In [0, 1], shape (N,).

    Example:
        >>> distance(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
        tensor([1.])
    """
    second = resize_focus(second, first.shape[2])
    squared = _of_present((first - second) ** 2, present).sum((1, 2, 3))
    return (squared / _places(first, present).clamp(min=1)).sqrt()


def _of_present(focus: Tensor, present: Optional[Tensor]) -> Tensor:
    """Return the map at float32 or better, zero for absent persons."""
    focus = focus.to(torch.promote_types(focus.dtype, torch.float32))
    return focus if present is None else focus * present[:, :, None, None]


def _places(focus: Tensor, present: Optional[Tensor]) -> Tensor:
    """Count persons present x frames x joints of each clip, shape (N,)."""
    clips, persons, frames, joints = focus.shape
    count = focus.new_full((clips,), persons) if present is None else present.sum(1)
    return count.to(torch.promote_types(focus.dtype, torch.float32)) * frames * joints


def _tiny(value: Tensor) -> float:
    return torch.finfo(value.dtype).tiny
