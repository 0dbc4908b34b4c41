"""Coherence: the last two modules look at the same places."""

from mmaction.registry import MODELS
from torch import Tensor

from stf_mmaction.focus import resize_focus

from .base import WeightedLoss, clip_norms


def coherence_loss(lower: Tensor, last: Tensor) -> Tensor:
    """L_c = norm(Q_5 - Q_6).

    Args:
        lower (torch.Tensor): Q of the module before the last; another
            length is resized, shape (N, M, T'', V).
        last (torch.Tensor): Q of the last module, shape (N, M, T', V).

    Returns:
        torch.Tensor: Mean over the batch, at least 0.
    """
    return clip_norms(resize_focus(lower, last.shape[2]) - last).mean()


@MODELS.register_module()
class STFCoherenceLoss(WeightedLoss):
    """:func:`coherence_loss` times its weight.

    Args:
        loss_weight (float): Defaults to 0.1.
    """

    def __init__(self, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)

    formula = staticmethod(coherence_loss)
