"""Results of recognizers other than scores and losses."""

from typing import Any, Callable, NamedTuple, Optional, Tuple

import torch
from mmaction.utils import SampleList
from torch import Tensor

# Receives the focus of a test step, see STFRecognizer.focus_sink.
FocusSink = Callable[[SampleList, Tensor, Tensor], None]


class ModuleFocus(NamedTuple):
    """The focus of the modules of a network, for the most probable class.

    Attributes:
        present (torch.Tensor): Persons that take part, boolean, (N, M).
        classes (torch.Tensor): The two most probable classes, (N, 2).
        first (torch.Tensor): Q of the input of the head, (N, M, T', V).
        second (torch.Tensor): The same for the second class.
        lower (torch.Tensor, optional): Q of the module before the last, None
            if it is not known.
        last (torch.Tensor, optional): Q of the last module.
        embeddings (tuple[torch.Tensor]): beta(X^l) of each STF module.
    """

    present: Tensor
    classes: Tensor
    first: Tensor
    second: Tensor
    lower: Optional[Tensor]
    last: Optional[Tensor]
    embeddings: Tuple[Tensor, ...]


def top_classes(samples: SampleList) -> Tensor:
    """Return the two most probable classes of N predicted samples, (N, 2)."""
    scores = [sample.pred_score for sample in samples]
    # With average_clips=None there are scores for each clip, (num_clips, K).
    return torch.stack([s.reshape(-1, s.shape[-1]).mean(0) for s in scores]).topk(2, 1).indices


def detached(value: Any) -> Any:
    """Detach a tensor, or each of a tuple."""
    if isinstance(value, tuple):
        return tuple(map(detached, value))
    return value if value is None else value.detach()
