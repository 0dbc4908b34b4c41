"""Average the probabilities of several tests."""

from typing import List, Sequence, Tuple

import numpy as np
from mmaction.evaluation import top_k_accuracy

from .dumps import Scores


def fuse(dumps: Sequence[Scores], weights: Sequence[float]) -> Tuple[np.ndarray, np.ndarray]:
    """Average probabilities with weights.

    Args:
        dumps (Sequence[dict]): From :func:`read`, of the same clips.
        weights (Sequence[float]): One for each.

    Returns:
        tuple[np.ndarray]: Probabilities (N, K) and labels (N,), in the order
        of the first dump.
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    scores = np.stack(
        [sum(share * dump[clip][0] for share, dump in zip(shares, dumps)) for clip in dumps[0]]
    )
    return scores, np.array([label for _, label in dumps[0].values()])


def accuracies(scores: np.ndarray, labels: np.ndarray) -> List[float]:
    """Compute top-1, top-5 and mean class accuracy in %.

    The mean is over the classes that have clips. (MMAction2 counts classes
    that were only predicted as 0.)

    Args:
        scores (ndarray): Probabilities (N, K).
        labels (ndarray): Classes (N,).
    """
    top1, top5 = top_k_accuracy(scores, labels, (1, 5))
    hits = scores.argmax(1) == labels
    mean = np.mean([hits[labels == kind].mean() for kind in np.unique(labels)])
    return [100 * value for value in (top1, top5, mean)]
