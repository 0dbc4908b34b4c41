"""Divergence: the two likeliest classes look at different places."""

from mmaction.registry import MODELS
from torch import Tensor

from .base import WeightedLoss, clip_norms


def divergence_loss(first: Tensor, second: Tensor) -> Tensor:
    """L_d = -norm(Q^{y1} - Q^{y2}).

    Args:
        first (torch.Tensor): Q of the likeliest class, (N, M, T', V).
        second (torch.Tensor): Q of the second class, (N, M, T', V).

    Returns:
        torch.Tensor: Mean over the batch, at most 0.
    """
    return -clip_norms(first - second).mean()


@MODELS.register_module()
class STFDivergenceLoss(WeightedLoss):
    """:func:`divergence_loss` times its weight.

    Args:
        loss_weight (float): Defaults to 0.1.
    """

    def __init__(self, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)

    formula = staticmethod(divergence_loss)
