"""Check that a network can compute with numbers."""

from typing import Dict

import numpy as np

# float32 cannot hold the square of 1.8e19, which a distance needs.
LARGEST = 1e18


def usable(numbers: np.ndarray) -> bool:
    """Return whether all numbers are finite, in float32, and at most 1e18.

    A float64 of 1e300 is finite, and infinite in the network.

    Args:
        numbers (numpy.ndarray): Of any shape.

    Example:
        >>> usable(np.array([1.0, -2.0])), usable(np.array([1e300])), usable(np.array([np.nan]))
        (True, False, False)
    """
    with np.errstate(over='ignore'):
        numbers = np.asarray(numbers, np.float32)
    # NaN compares as False.
    return bool((np.abs(numbers) <= LARGEST).all())


def anyone_seen(clip: Dict) -> bool:
    """Return whether any joint of a clip is not zero and has a score above 0."""
    seen = np.any(np.asarray(clip['keypoint']) != 0, -1)
    score = clip.get('keypoint_score')
    return bool(np.any(seen if score is None else seen & (np.asarray(score) > 0)))
