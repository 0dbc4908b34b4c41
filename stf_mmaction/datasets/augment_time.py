"""Random changes of a skeleton clip in time, for any layout, 2D and 3D.

Put them before ``UniformSampleFrames`` and ``PadTo``. Joints are interpolated
between two frames; if a joint was seen in only one of them, the nearer frame
is taken.
"""

from typing import Dict, Optional, Tuple

import numpy as np
from mmaction.registry import TRANSFORMS

from .augment_base import (
    WEIGHTS,
    SkeletonAugmentation,
    check_interval,
    check_length,
    check_range,
)

KNOTS = 4  # knots of the speed of a time warp


class TimeAugmentation(SkeletonAugmentation):
    """Base class of augmentations that show other moments of a clip.

    Modified keys: keypoint, total_frames, and if present, visibility and
    keypoint_score.

    Added key: moments, shape (T',); which moments of the clip are shown.
    """

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Show the clip at the chosen moments; ``seen`` is (M, T, V), bool."""
        if 'frame_inds' in results:
            raise ValueError(
                f'{type(self).__name__} changes the number of frames after they were chosen: put '
                'it before UniformSampleFrames, PadTo and PoseDecode'
            )
        results['moments'] = moments = self.moments(seen)
        resample(results, seen, moments)

    def moments(self, seen: np.ndarray) -> np.ndarray:
        """Return the moments (T',) to show, from 0 to T - 1."""
        raise NotImplementedError


def resample(results: Dict, seen: np.ndarray, moments: np.ndarray) -> None:
    """Resample a clip at some moments.

    Args:
        results (dict): The clip.
        seen (numpy.ndarray): Which joints were seen, (M, T, V).
        moments (numpy.ndarray): In frames, from 0 to T - 1, (T',).
    """
    before = np.floor(moments).astype(int)
    after = np.minimum(before + 1, seen.shape[1] - 1)
    later = (moments - before).astype(np.float32)
    nearest = np.where(later < 0.5, before, after)
    both = seen[:, before] & seen[:, after]
    for key in ('keypoint', *WEIGHTS):
        if key not in results:
            continue
        values = np.asarray(results[key], np.float32)
        extra = (1,) * (values.ndim - 2)
        share, use = later.reshape(-1, *extra), both.reshape(*both.shape, *extra[1:])
        between = values[:, before] * (1 - share) + values[:, after] * share
        results[key] = np.where(use, between, values[:, nearest])
    results['total_frames'] = len(moments)


@TRANSFORMS.register_module()
class RandomFrameCrop(TimeAugmentation):
    """Keep a part of a clip, of consecutive frames.

    If nobody is in that part, the whole clip is kept.

    Args:
        frames (tuple[float, float]): The least and the largest share of
            frames to keep. Defaults to (0.5, 1).
        p (float): Defaults to 1.
    """

    def __init__(self, frames: Tuple[float, float] = (0.5, 1.0), p: float = 1.0) -> None:
        super().__init__(p)
        self.frames = check_interval('frames', frames, 0, 1)

    def moments(self, seen: np.ndarray) -> np.ndarray:
        """Draw the length, then the start; return moments (T',)."""
        total = seen.shape[1]
        length = max(1, round(np.random.uniform(*self.frames) * total))
        start = np.random.randint(total - length + 1)
        if not seen[:, start : start + length].any():
            return np.arange(total)
        return np.arange(start, start + length)


@TRANSFORMS.register_module()
class RandomSpeed(TimeAugmentation):
    """Play a clip faster or slower, with fewer or more frames.

    ``UniformSampleFrames`` takes the same number of frames from clips of any
    length: there, :class:`RandomTimeWarp` makes a difference, and this does
    not.

    Args:
        factor (float): The largest factor by which a clip is faster or slower.
            Defaults to 1.5.
        max_frames (int, optional): The largest number of frames of a result,
            such as the ``length`` of ``PadTo``. Defaults to None.
        p (float): Defaults to 1.
    """

    def __init__(
        self, factor: float = 1.5, max_frames: Optional[int] = None, p: float = 1.0
    ) -> None:
        super().__init__(p)
        self.factor = check_range('factor', factor, 1, 100)
        if max_frames is not None:
            check_length('max_frames', max_frames)
        self.max_frames = max_frames

    def moments(self, seen: np.ndarray) -> np.ndarray:
        """Draw the speed, slower and faster equally likely; return moments (T',)."""
        total = seen.shape[1]
        slower = self.factor ** np.random.uniform(-1, 1)
        length = max(1, round(total * slower))
        if self.max_frames is not None:
            length = min(length, max(total, self.max_frames))
        return np.linspace(0, total - 1, length)


@TRANSFORMS.register_module()
class RandomTimeWarp(TimeAugmentation):
    """Vary the speed within a clip; its length stays the same.

    Args:
        factor (float): The largest factor by which any part is faster or
            slower, before the clip is resampled to its length. Defaults to
            1.5.
        p (float): Defaults to 1.
    """

    def __init__(self, factor: float = 1.5, p: float = 1.0) -> None:
        super().__init__(p)
        self.factor = check_range('factor', factor, 1, 100)

    def moments(self, seen: np.ndarray) -> np.ndarray:
        """Draw the speed at four knots and sum it up along the clip; return moments (T,)."""
        total = seen.shape[1]
        if total == 1:
            return np.zeros(1)
        knots = np.random.uniform(-1, 1, KNOTS)
        between = np.interp(np.linspace(0, KNOTS - 1, total - 1), np.arange(KNOTS), knots)
        passed = np.append(0, np.cumsum(self.factor**between))
        return passed * ((total - 1) / passed[-1])


@TRANSFORMS.register_module()
class ResampleFrames(TimeAugmentation):
    """Resample every clip to the same length by interpolation.

    Not random: for training and test pipelines, in place of
    ``UniformSampleFrames`` and ``PadTo``.

    Args:
        length (int): Number of frames of the result.
    """

    def __init__(self, length: int) -> None:
        super().__init__(p=1)
        self.length = check_length('length', length)

    def transform(self, results: Dict) -> Dict:
        """Resample one clip, without using NumPy's generator."""
        self.augment(results, self._seen(results))
        return results

    def moments(self, seen: np.ndarray) -> np.ndarray:
        """Spread moments (length,) evenly from the first frame to the last."""
        return np.linspace(0, seen.shape[1] - 1, self.length)

    def _options(self) -> Dict:
        return dict(length=self.length)
