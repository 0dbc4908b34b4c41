"""STF losses: ``functional`` in plain PyTorch, ``modules`` for configs."""

from typing import Any

from .functional import adjacency_loss, coherence_loss, divergence_loss, exploration_loss

__all__ = [
    'STFAdjacencyLoss',
    'STFCoherenceLoss',
    'STFDivergenceLoss',
    'STFExplorationLoss',
    'adjacency_loss',
    'coherence_loss',
    'divergence_loss',
    'exploration_loss',
]


def __getattr__(name: str) -> Any:
    """Import the registered modules, and MMAction2 with them, on first use."""
    if name in __all__:
        from . import modules

        return getattr(modules, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
