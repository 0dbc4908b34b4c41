from .adjacency import STFAdjacencyLoss, adjacency_loss
from .coherence import STFCoherenceLoss, coherence_loss
from .divergence import STFDivergenceLoss, divergence_loss
from .exploration import STFExplorationLoss, exploration_loss

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
