"""What the four STF losses share."""

import torch
from torch import Tensor, nn


def clip_norms(maps: Tensor) -> Tensor:
    """Frobenius norm per clip; its gradient at zero is zero.

    Args:
        maps (torch.Tensor): Shape (N, M, T', V).

    Returns:
        torch.Tensor: Shape (N,).
    """
    return torch.linalg.vector_norm(maps.flatten(1), dim=1)


class WeightedLoss(nn.Module):
    """A loss function times a weight.

    Args:
        loss_weight (float): The weight in Eq. (6).
    """

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def formula(self, *args) -> Tensor:
        """The loss without its weight, a scalar."""
        raise NotImplementedError

    def forward(self, *args) -> Tensor:
        """The weighted loss; arguments as those of the formula."""
        return self.loss_weight * self.formula(*args)

    def extra_repr(self) -> str:
        """Shown by ``print(model)``."""
        return f'loss_weight={self.loss_weight}'
