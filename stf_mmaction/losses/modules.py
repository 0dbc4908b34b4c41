"""The losses as registered modules, each multiplied by its weight in Eq. (6)."""

from typing import Any, Callable

from mmaction.registry import MODELS
from torch import Tensor, nn

from . import functional


class WeightedLoss(nn.Module):
    """Multiply a loss function by a weight.

    A subclass names its ``formula``, a static function of tensors.

    Args:
        loss_weight (float): The weight in Eq. (6).
    """

    formula: Callable[..., Tensor]

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, *args: Any) -> Tensor:
        """Return the weighted loss, a scalar, of the formula's arguments."""
        return self.loss_weight * self.formula(*args)

    def extra_repr(self) -> str:
        """Return what ``print(model)`` shows."""
        return f'loss_weight={self.loss_weight}'


@MODELS.register_module()
class STFExplorationLoss(WeightedLoss):
    """Weigh :func:`~stf_mmaction.losses.exploration_loss`, Eq. (3).

    Args:
        loss_weight (float): Defaults to 0.01.
    """

    formula = staticmethod(functional.exploration_loss)

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__(loss_weight)


@MODELS.register_module()
class STFDivergenceLoss(WeightedLoss):
    """Weigh :func:`~stf_mmaction.losses.divergence_loss`, Eq. (4).

    Args:
        loss_weight (float): Defaults to 0.1.
    """

    formula = staticmethod(functional.divergence_loss)

    def __init__(self, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)


@MODELS.register_module()
class STFCoherenceLoss(WeightedLoss):
    """Weigh :func:`~stf_mmaction.losses.coherence_loss`, Eq. (5).

    Args:
        loss_weight (float): Defaults to 0.1.
    """

    formula = staticmethod(functional.coherence_loss)

    def __init__(self, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)


@MODELS.register_module()
class STFAdjacencyLoss(WeightedLoss):
    """Weigh :func:`~stf_mmaction.losses.adjacency_loss`, L_G of Eq. (6).

    Args:
        loss_weight (float): Defaults to 0.01.
    """

    formula = staticmethod(functional.adjacency_loss)

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__(loss_weight)
