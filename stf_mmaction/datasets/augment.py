"""Random changes of a skeleton clip in space, for any layout, 2D and 3D.

All of them take clips as a data set gives them, or after
:class:`PrepareSkeleton`, and belong before :class:`SkeletonStream`. They draw
from NumPy's global generator, which MMEngine seeds in each worker, once per
clip: all persons and frames change alike, but for noise and erased joints.
A joint that was not seen stays so, and so does an absent person.
"""

from numbers import Real
from typing import Dict, Optional, Sequence, Tuple, Union

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from .layouts import Layout, get_layout

WEIGHTS = ('visibility', 'keypoint_score')  # of joints, (M, T, V)
# Where a joint that was seen may not lie: at exactly zero it would be missing.
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
        """Change one clip, or leave it as it is.

        Raises:
            ValueError: If the keypoints are not those of a clip.
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
                    f'shape {shape}: one number for each joint is needed'
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
    """Base class of those that move joints about a pivot.

    The pivot is the origin after :class:`PrepareSkeleton`, which has put the
    centre joint there, and the mean of all seen joints of the clip before it.
    """

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Move the joints that were seen."""
        points = np.array(results['keypoint'], np.float32)
        pivot = 0 if 'visibility' in results else points[seen].mean(0)
        moved = (self.move(points - pivot) + pivot).astype(np.float32)
        write_points(results, moved, seen)

    def move(self, points: np.ndarray) -> np.ndarray:
        """Move joints (M, T, V, C), relative to the pivot."""
        raise NotImplementedError


def write_points(results: Dict, points: np.ndarray, seen: np.ndarray) -> None:
    """Store moved joints; what was missing stays so, what was seen too."""
    points[~seen] = 0
    if 'visibility' not in results:
        points[seen & ~points.any(-1)] = NUDGE
    results['keypoint'] = points


@TRANSFORMS.register_module()
class RandomSkeletonRotation(SkeletonMotion):
    """Rotate a clip, as if the camera stood elsewhere.

    3D clips turn about the vertical axis by up to ``angle``, then tilt about
    each horizontal axis by up to ``tilt``. 2D clips tilt in the picture by up
    to ``tilt``; x and y must be in the same unit for that.

    Args:
        angle (float): Radians, 0 to pi. Defaults to 0.5.
        tilt (float): Radians, 0 to pi. Defaults to 0.1.
        vertical (str): The vertical axis of 3D clips, ``'x'``, ``'y'`` or
            ``'z'``. Defaults to ``'y'``.
        p (float): Defaults to 1.
    """

    def __init__(
        self, angle: float = 0.5, tilt: float = 0.1, vertical: str = 'y', p: float = 1.0
    ) -> None:
        super().__init__(p)
        self.angle = check_range('angle', angle, 0, np.pi)
        self.tilt = check_range('tilt', tilt, 0, np.pi)
        if vertical not in ('x', 'y', 'z'):
            raise ValueError(f"vertical={vertical!r} is not an axis: use 'x', 'y' or 'z'")
        self.vertical = vertical

    def move(self, points: np.ndarray) -> np.ndarray:
        """Rotate all joints alike."""
        if points.shape[-1] == 2:
            matrix = rotation(2, np.random.uniform(-self.tilt, self.tilt))[:2, :2]
        else:
            up = 'xyz'.index(self.vertical)
            angles = np.random.uniform(-1, 1, 3) * [self.angle, self.tilt, self.tilt]
            axes = (up, (up + 1) % 3, (up + 2) % 3)
            turn, first, second = (rotation(axis, a) for axis, a in zip(axes, angles))
            matrix = second @ first @ turn
        return points @ matrix.T.astype(points.dtype)


def rotation(axis: int, angle: float) -> np.ndarray:
    """Return the right-handed rotation about x, y or z (0, 1, 2), (3, 3)."""
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix


@TRANSFORMS.register_module()
class RandomSkeletonScale(SkeletonMotion):
    """Make a clip larger or smaller.

    Args:
        ratio (float): The factor is from 1 - ratio to 1 + ratio.
            Defaults to 0.1.
        p (float): Defaults to 1.
    """

    def __init__(self, ratio: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        self.ratio = check_range('ratio', ratio, 0, 1, open_end=True)

    def move(self, points: np.ndarray) -> np.ndarray:
        """Scale all joints alike."""
        return points * np.float32(np.random.uniform(1 - self.ratio, 1 + self.ratio))


@TRANSFORMS.register_module()
class RandomSkeletonJitter(SkeletonMotion):
    """Add Gaussian noise to each joint in each frame.

    Args:
        std (float): In the unit of the keypoints: body heights after
            :class:`PrepareSkeleton`, else metres or pixels. Defaults to 0.01.
        p (float): Defaults to 1.
    """

    def __init__(self, std: float = 0.01, p: float = 1.0) -> None:
        super().__init__(p)
        self.std = check_range('std', std, 0, np.inf)

    def move(self, points: np.ndarray) -> np.ndarray:
        """Move each joint by a vector of its own."""
        return points + np.random.normal(0, self.std, points.shape)


@TRANSFORMS.register_module()
class RandomSkeletonMirror(SkeletonAugmentation):
    """Mirror a clip: x changes its sign, left and right joints change places.

    So a raised left arm becomes a raised right arm of a body whose left is
    still at its left, in 3D too. Raw 2D pixels with an ``img_shape`` (height,
    width) go to width - x, others are mirrored about the pivot of
    :class:`SkeletonMotion`. Leave it out where a class says left or right.

    Args:
        layout (str or dict): With ``pairs``, see :func:`get_layout`.
        p (float): Defaults to 0.5.

    Raises:
        ValueError: If the layout has no pairs.
    """

    def __init__(self, layout: Union[str, Dict, Layout], p: float = 0.5) -> None:
        super().__init__(p)
        self.layout = layout
        known = get_layout(layout)
        if not known.pairs:
            raise ValueError(
                f'layout {known.name or layout!r} has no pairs of (left, right) joints, which '
                "RandomSkeletonMirror exchanges: add 'pairs' to it, or leave the transform out"
            )
        self._order = np.arange(known.num_node)
        left, right = map(list, zip(*known.pairs))
        self._order[left + right] = right + left

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Mirror joints and what is known of each."""
        if seen.shape[2] != len(self._order):
            raise ValueError(
                f"clip {results.get('frame_dir', '(no id)')} has {seen.shape[2]} joints, the "
                f'layout of RandomSkeletonMirror has {len(self._order)}: name the layout the '
                'data was recorded with'
            )
        points = np.array(results['keypoint'][:, :, self._order], np.float32)
        seen = seen[:, :, self._order]
        points[..., 0] = 2 * self._middle(results, points, seen) - points[..., 0]
        for key in WEIGHTS:
            if key in results:
                results[key] = results[key][:, :, self._order]
        write_points(results, points, seen)

    @staticmethod
    def _middle(results: Dict, points: np.ndarray, seen: np.ndarray) -> float:
        """Return x of the mirror."""
        if 'visibility' in results:
            return 0.0
        shape: Optional[Sequence[int]] = results.get('img_shape')
        if points.shape[-1] == 2 and shape is not None:
            return shape[1] / 2
        return points[..., 0][seen].mean()


@TRANSFORMS.register_module()
class RandomJointErasing(SkeletonAugmentation):
    """Hide some joints of each person during a stretch of frames.

    Each person loses joints and frames of its own. A person of whom nothing
    would be left keeps all.

    Args:
        joints (float): Up to this share of the joints, at least one.
            Defaults to 0.5.
        frames (tuple[float, float]): The least and the largest share of
            frames. Defaults to (0.3, 1).
        p (float): Defaults to 0.5.
    """

    def __init__(
        self, joints: float = 0.5, frames: Tuple[float, float] = (0.3, 1.0), p: float = 0.5
    ) -> None:
        super().__init__(p)
        self.joints = check_range('joints', joints, 0, 1)
        self.frames = check_interval('frames', frames, 0, 1)

    def augment(self, results: Dict, seen: np.ndarray) -> None:
        """Set joints and their visibility to zero."""
        persons, frames, joints = seen.shape
        count = np.random.randint(1, max(1, int(self.joints * joints)) + 1, (persons, 1))
        erased = np.random.random((persons, joints)).argsort(1) < count
        length = np.rint(np.random.uniform(*self.frames, (persons, 1)) * frames).clip(1)
        start = np.floor(np.random.random((persons, 1)) * (frames - length + 1))
        time = np.arange(frames)
        during = (time >= start) & (time < start + length)
        gone = during[:, :, None] & erased[:, None]
        gone &= (seen & ~gone).any((1, 2))[:, None, None]
        for key in ('keypoint', *WEIGHTS):
            if key in results:
                results[key] = np.where(
                    gone[..., None] if key == 'keypoint' else gone, 0, results[key]
                )


def check_range(name: str, value: float, low: float, high: float, open_end: bool = False) -> float:
    """Return a number from ``low`` to ``high``, without the end if it is open.

    Raises:
        ValueError: If it is anything else.
    """
    fits = isinstance(value, Real) and low <= value <= high and not (open_end and value == high)
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
