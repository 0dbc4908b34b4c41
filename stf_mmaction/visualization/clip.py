"""Describe clips with a map, for the pictures."""

from typing import NamedTuple, Optional, Tuple

import numpy as np


class FocusedClip(NamedTuple):
    """A clip and where a network looks in it.

    Attributes:
        keypoint (numpy.ndarray): Shape (M, T, V, 2 or 3), in the coordinates
            of the data; a joint that was not seen is zero.
        focus (numpy.ndarray): In [0, 1], shape (M, T, V).
        title (str): Shown above the clip.
        img_shape (tuple[int, int], optional): Height and width in pixels of
            the video of 2D keypoints. Defaults to None.
        what (str): Name of the map in ``focus``. Defaults to ``'focus'``.
    """

    keypoint: np.ndarray
    focus: np.ndarray
    title: str
    img_shape: Optional[Tuple[int, int]] = None
    what: str = 'focus'

    @property
    def seen(self) -> np.ndarray:
        """Return which joints were seen, boolean, shape (M, T, V)."""
        return (self.keypoint != 0).any(-1) & np.isfinite(self.keypoint).all(-1)

    def present(self) -> 'FocusedClip':
        """Return the clip with only the persons who are present, at least one."""
        there = self.seen.any((1, 2))
        if not there.any():
            there[:1] = True
        return self._replace(keypoint=self.keypoint[there], focus=self.focus[there])

    def check(self, joints: int) -> None:
        """Check that the clip fits a skeleton.

        Args:
            joints (int): V of the skeleton.

        Raises:
            ValueError: If it does not.
        """
        shape = self.keypoint.shape
        if (
            len(shape) != 4
            or shape[3] not in (2, 3)
            or shape[2] != joints
            or self.focus.shape != shape[:3]
            or 0 in shape
        ):
            raise ValueError(
                f'clip {self.title!r} has keypoints of shape {shape} and a focus of shape '
                f'{self.focus.shape}: they must be (persons, frames, {joints}, 2 or 3) and '
                f'(persons, frames, {joints})'
            )
