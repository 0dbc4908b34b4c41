"""Random changes of a skeleton clip in space, for any layout, 2D and 3D.

All of them accept clips from a data set, or after :class:`PrepareSkeleton`,
and must come before :class:`SkeletonStream`. They draw from NumPy's global
generator, which MMEngine seeds in each worker, once per clip: all persons and
frames change in the same way, except for noise and erased joints. Missing
joints stay missing, and absent persons stay absent.
"""

from typing import Dict, Optional, Sequence, Tuple, Union

import numpy as np
from mmaction.registry import TRANSFORMS

from .augment_base import (
    WEIGHTS,
    SkeletonAugmentation,
    SkeletonMotion,
    check_interval,
    check_range,
    write_points,
)
from .layouts import Layout, get_layout

# No clip of pixels has all its joints in the first two columns.
NORMALISED = 2


@TRANSFORMS.register_module()
class RandomSkeletonRotation(SkeletonMotion):
    """Rotate a clip, as if the camera had another position.

    3D clips turn about the vertical axis by up to ``angle``, then tilt about
    each horizontal axis by up to ``tilt``. 2D clips tilt in the image plane by
    up to ``tilt``, for which x and y must have the same unit.

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
        """Rotate all joints (M, T, V, C) together."""
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
    """Return the right-handed rotation about an axis, 0 for x to 2 for z, shape (3, 3)."""
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
        """Scale all joints (M, T, V, C) by the same factor."""
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
        """Move each joint of (M, T, V, C) by its own random vector."""
        return points + np.random.normal(0, self.std, points.shape)


@TRANSFORMS.register_module()
class RandomSkeletonMirror(SkeletonAugmentation):
    """Mirror a clip: change the sign of x and exchange left and right joints.

    So a raised left arm becomes a raised right arm, and the joints keep their
    names. Raw 2D pixels x with an ``img_shape`` (height, width) become width -
    x; others, and normalised 2D clips, are mirrored about the pivot of
    :class:`SkeletonMotion`. Leave it out if a class says left or right.

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
        """Mirror joints and their scores; ``seen`` is (M, T, V), bool."""
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
        """Return the x at which to mirror."""
        if 'visibility' in results:
            return 0.0
        shape: Optional[Sequence[int]] = results.get('img_shape')
        x = points[..., 0][seen]
        # Coordinates from -1 or 0 to 1 may keep the img_shape of their pixels.
        if points.shape[-1] == 2 and shape is not None and abs(x).max() > NORMALISED:
            return shape[1] / 2
        return x.mean()


@TRANSFORMS.register_module()
class RandomJointErasing(SkeletonAugmentation):
    """Hide some joints of each person during some consecutive frames.

    Joints and frames are drawn for each person separately. A person of whom
    nothing would be left keeps all joints.

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
        """Set joints and their visibility to zero; ``seen`` is (M, T, V), bool."""
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
