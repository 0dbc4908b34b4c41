"""Adjacency: STF modules build their graphs from what matters."""

from typing import Sequence

import torch
from mmaction.registry import MODELS
from torch import Tensor

from stf_mmaction.focus import resize_focus

from .base import WeightedLoss, clip_norms


def adjacency_loss(focus: Tensor, embeddings: Sequence[Tensor], present: Tensor) -> Tensor:
    """L_G = mean over modules of norm(Q - beta(X^l)), Q a constant.

    Args:
        focus (torch.Tensor): Q of the last module, zero for absent persons,
            shape (N, M, T', V). Not differentiated.
        embeddings (Sequence[torch.Tensor]): beta(X^l) of each STF module,
            shape (N, M, T_l, V).
        present (torch.Tensor): Persons that take part, boolean, (N, M).

    Returns:
        torch.Tensor: Mean over modules and the batch, at least 0.
    """
    target = focus.detach()
    mask = present[:, :, None, None]
    norms = [
        clip_norms(resize_focus(target, embedding.shape[2]) - embedding.to(target.dtype) * mask)
        for embedding in embeddings
    ]
    return torch.stack(norms).mean()


@MODELS.register_module()
class STFAdjacencyLoss(WeightedLoss):
    """:func:`adjacency_loss` times its weight.

    Args:
        loss_weight (float): Defaults to 0.01.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__(loss_weight)

    formula = staticmethod(adjacency_loss)
