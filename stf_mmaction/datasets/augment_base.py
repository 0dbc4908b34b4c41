"""Base classes of augmentations, and checks of their settings."""

from numbers import Integral, Real
from typing import Dict, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform

WEIGHTS = ('visibility', 'keypoint_score')  # of joints, (M, T, V)
# A joint that was seen must not lie closer to zero than this: at exactly zero it would be missing.
NUDGE = 1e-6


class SkeletonAugmentation(BaseTransform):
    """Base class: changes a clip with probability ``p``.

    Required keys: keypoint, shape (M, T, V, 2 or 3); visibility or
    keypoint_score, shape (M, T, V), optional.

    Args:
        p (float): Probability that a clip is changed, from 0 to 1.

    Raises:
        ValueError: If ``p`` is not a probability.
    """

    def __init__(self, p: float) -> None:
        self.p = check_range('p', p, 0, 1)

    def transform(self, results: Dict) -> Dict:
        """Change one clip, or leave it unchanged.

        Raises:
            ValueError: If the keypoints do not have the shape of a clip.
        """
        seen = self._seen(results)
        if np.random.random() < self.p and seen.any():
            self.augment(results, seen)
        return results

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Replace entries of ``results``; ``seen`` is (M, T, V), bool."""
        raise NotImplementedError

    def _seen(self, results: Dict) -> np.ndarray:
        """Return which joints were seen, (M, T, V)."""
        kind, shape = type(self).__name__, np.shape(results['keypoint'])
        name = results.get('frame_dir', '(no id)')
        if len(shape) != 4 or shape[3] not in (2, 3) or 'streams' in results:
            raise ValueError(
                f'{kind} does not take clip {name} with keypoints of shape {shape}: it needs '
                '(persons, frames, joints, 2 or 3); put it before SkeletonStream, GenSkeFeat '
                'and FormatGCNInput'
            )
        for key in WEIGHTS:
            if key in results and np.shape(results[key]) != shape[:3]:
                raise ValueError(
                    f'clip {name} has {key} of shape {np.shape(results[key])} for keypoints of '
                    f'shape {shape}: give one number for each joint'
                )
        if 'visibility' in results:
            return results['visibility'] > 0
        seen = results['keypoint'].any(-1)
        return seen & (results['keypoint_score'] > 0) if 'keypoint_score' in results else seen

    def __repr__(self) -> str:
        options = ', '.join(f'{key}={value!r}' for key, value in self._options().items())
        return f'{type(self).__name__}({options})'

    def _options(self) -> Dict:
        return {key: value for key, value in vars(self).items() if not key.startswith('_')}


class SkeletonMotion(SkeletonAugmentation):
    """Base class of augmentations that move joints about a pivot.

    After :class:`PrepareSkeleton`, the pivot is the origin, where the centre
    joint is. Before it, the pivot is the mean of all joints that were seen in
    the clip.
    """

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Move the joints that were seen; ``seen`` is (M, T, V), bool."""
        points = np.array(results['keypoint'], np.float32)
        pivot = 0 if 'visibility' in results else points[seen].mean(0)
        moved = (self.move(points - pivot) + pivot).astype(np.float32)
        write_points(results, moved, seen)

    def move(self, points: np.ndarray) -> np.ndarray:
        """Move joints (M, T, V, C), relative to the pivot."""
        raise NotImplementedError


def write_points(results: Dict, points: np.ndarray, seen: np.ndarray) -> None:
    """Store moved joints: those that were missing stay missing, those that were seen stay seen.

    Args:
        results (dict): The clip.
        points (numpy.ndarray): Changed in place, shape (M, T, V, C).
        seen (numpy.ndarray): Which joints were seen, (M, T, V), bool.
    """
    points[~seen] = 0
    if 'visibility' not in results:
        points[seen & ~points.any(-1)] = NUDGE
    results['keypoint'] = points


def check_range(name: str, value: float, low: float, high: float, open_end: bool = False) -> float:
    """Return a number from ``low`` to ``high``, excluding the end if it is open.

    Raises:
        ValueError: If it is anything else.
    """
    fits = isinstance(value, Real) and np.isfinite(value) and low <= value <= high
    fits = fits and not (open_end and value == high)
    if not fits:
        end = f'below {high:.4g}' if open_end else f'up to {high:.4g}'
        end = '' if high == np.inf else f', {end}'
        raise ValueError(f'{name}={value!r} is not possible: use a number from {low:.4g}{end}')
    return value


def check_interval(
    name: str, value: Sequence[float], low: float, high: float
) -> Tuple[float, float]:
    """Return two numbers from ``low`` to ``high``, in order.

    Raises:
        ValueError: If they are anything else.
    """
    fits = (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(end, Real) for end in value)
        and low <= value[0] <= value[1] <= high
    )
    if not fits:
        raise ValueError(
            f'{name}={value!r} is not possible: use two numbers from {low} to {high}, the smaller '
            'first'
        )
    return tuple(value)


def check_length(name: str, value: int) -> int:
    """Return a number of frames.

    Raises:
        ValueError: If it is not a positive integer.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f'{name}={value!r} is not possible: use a whole number of at least 1')
    return value
