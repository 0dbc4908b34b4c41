"""Exploration: hide what the network looks at; it should be less sure."""

from mmaction.registry import MODELS
from torch import Tensor

from .base import WeightedLoss


def exploration_loss(masked_logits: Tensor, classes: Tensor) -> Tensor:
    """L_e = p_y(X - Q * X).

    Args:
        masked_logits (torch.Tensor): Of the masked input, shape (N, K).
        classes (torch.Tensor): y, predicted from the whole input, shape (N,).

    Returns:
        torch.Tensor: Mean over the batch, in [0, 1].
    """
    return masked_logits.softmax(1).gather(1, classes[:, None]).mean()


@MODELS.register_module()
class STFExplorationLoss(WeightedLoss):
    """:func:`exploration_loss` times its weight.

    Args:
        loss_weight (float): Defaults to 0.01.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__(loss_weight)

    formula = staticmethod(exploration_loss)
