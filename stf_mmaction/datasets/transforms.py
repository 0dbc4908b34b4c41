"""The paper's preparation of skeletons, for any layout."""

from typing import Dict, Sequence, Tuple, Union

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from .layouts import Layout, get_layout
from .numbers import usable

STREAMS = ('j', 'b', 'jm', 'bm')


def _check_joints(results: Dict, layout: Layout) -> None:
    shape = results['keypoint'].shape
    if len(shape) != 4 or shape[2] != layout.num_node:
        raise ValueError(
            f"clip {results.get('frame_dir', '(no id)')} has keypoints of shape {shape}, but the "
            f'layout has {layout.num_node} joints: use keypoints (persons, frames, joints, '
            'channels) and the layout with which they were recorded'
        )


def _visibility(results: Dict, seen: np.ndarray) -> np.ndarray:
    """Return the score, or 1, of each joint that was seen, (M, T, V)."""
    score = results.pop('keypoint_score', None)
    if score is None:
        return seen.astype(np.float32)
    if np.shape(score) != seen.shape:
        raise ValueError(
            f"clip {results.get('frame_dir', '(no id)')} has scores of shape {np.shape(score)} "
            f"for keypoints of shape {results['keypoint'].shape}: give one for each joint"
        )
    return np.where(seen, score, 0).astype(np.float32)


@TRANSFORMS.register_module()
class PrepareSkeleton(BaseTransform):
    """Subtract the centre joint from all joints, and divide by the body height.

    The centre is that of the first person present, frame by frame, so that
    persons keep their positions relative to each other. Body height is the
    median over frames of the length of the path along the skeleton between the
    two ``height`` joints of the layout, which does not change with the pose. A
    joint that was not seen, exactly zero or with score 0, gets zero coordinates
    and visibility 0.

    Required keys: keypoint, shape (M, T, V, 2 or 3); keypoint_score,
    shape (M, T, V), optional.

    Modified key: keypoint, float32, in body heights.

    Added key: visibility, shape (M, T, V); the score if there is one, else 1
    for a joint that is not exactly zero.

    Args:
        layout (str or dict): See :func:`get_layout`.
    """

    def __init__(self, layout: Union[str, Dict]) -> None:
        self.layout = get_layout(layout)
        self.named = layout

    def transform(self, results: Dict) -> Dict:
        """Prepare one clip.

        Raises:
            ValueError: If the joints do not fit the layout, the scores do not
                fit the joints, or a result is not finite.
        """
        _check_joints(results, self.layout)
        keypoint = np.array(results['keypoint'], dtype=np.float32)
        seen = (keypoint != 0).any(-1)
        visibility = _visibility(results, seen)
        seen = visibility > 0
        results['visibility'] = visibility
        present = seen.any((1, 2))
        if present.any():
            first = int(np.argmax(present))
            center = self._center(keypoint[first], seen[first])
            height = self._height(keypoint[first], seen[first], center)
            keypoint = (keypoint - center[None, :, None]) / height
        keypoint[~seen] = 0
        if not (usable(keypoint) and usable(visibility)):
            raise ValueError(
                f"clip {results.get('frame_dir', '(no id)')} has NaN or infinite (beyond 1e18) "
                'keypoints or scores: repair it or leave it out'
            )
        results['keypoint'] = keypoint
        return results

    def _center(self, person: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return the position of the centre in each frame, (T, C)."""
        frames = np.flatnonzero(seen[:, self.layout.center])
        if not len(frames):
            mean = person[seen].mean(0)
            return np.broadcast_to(mean, (len(person), len(mean)))
        # If it is missing, the nearest frame in which it is not.
        every = np.arange(len(person))
        after = np.searchsorted(frames, every).clip(max=len(frames) - 1)
        before = (np.searchsorted(frames, every, 'right') - 1).clip(min=0)
        earlier, later = frames[before], frames[after]
        nearest = np.where(abs(every - earlier) <= abs(later - every), earlier, later)
        return person[nearest, self.layout.center]

    def _height(self, person: np.ndarray, seen: np.ndarray, center: np.ndarray) -> float:
        """Return the height of a person (T, V, C), in the unit of the file."""
        lengths = np.zeros(0)
        if self.layout.height is not None:
            path = list(self.layout.path(*self.layout.height))
            whole = seen[:, path].all(1)
            bones = np.diff(person[whole][:, path], axis=1)
            lengths = np.linalg.norm(bones, axis=-1).sum(1)
        if not len(lengths):
            reach = np.linalg.norm(person - center[:, None], axis=-1)
            lengths = np.where(seen, reach, 0).max(1)[seen.any(1)]
        height = float(np.median(lengths))
        return height if height > 0 else 1.0

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(layout={self.named!r})'


@TRANSFORMS.register_module()
class SkeletonStream(BaseTransform):
    """Compute joints, bones or their motion, with a visibility channel.

    ``j`` joints; ``b`` bones, each joint minus its parent, zero at the root;
    ``jm``, ``bm`` their motion, the next frame minus this one, zero in the
    last. A bone or motion is as visible as its less visible end, and zero if
    that is not visible.

    Required keys: keypoint (M, T, V, C), visibility (M, T, V).

    Modified key: keypoint, shape (M, T, V, C + 1), or as many channels for
    each of several streams.

    Added key: streams, their names.

    Args:
        layout (str or dict): See :func:`get_layout`.
        stream (str or Sequence[str], optional): Defaults to None, which is
            the ``stream`` of the :class:`SkeletonDataset`, or joints.
    """

    def __init__(
        self, layout: Union[str, Dict], stream: Union[str, Sequence[str], None] = None
    ) -> None:
        self.layout = get_layout(layout)
        self.named = layout
        self.stream = stream
        if stream is not None:
            check_stream(stream)

    def transform(self, results: Dict) -> Dict:
        """Compute the stream of one clip.

        Raises:
            ValueError: If the joints do not fit the layout, the stream is
                unknown or the clip was not prepared.
        """
        _check_joints(results, self.layout)
        stream = self.stream or results.get('stream', 'j')
        check_stream(stream)
        if 'visibility' not in results:
            raise ValueError(
                f"clip {results.get('frame_dir', '(no id)')} has no "
                "'visibility': put PrepareSkeleton before SkeletonStream"
            )
        joints, seen = results['keypoint'], results.pop('visibility')
        streams = [stream] if isinstance(stream, str) else stream
        results['streams'] = tuple(streams)
        parts = [self._stream(name, joints, seen) for name in streams]
        results['keypoint'] = np.concatenate(parts, -1).astype(np.float32)
        return results

    def _stream(self, stream: str, values: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Compute the stream, (M, T, V, C) and (M, T, V) -> (M, T, V, C + 1)."""
        if stream.startswith('b'):
            values, visible = self._bones(values, visible)
        if stream.endswith('m'):
            values, visible = self._motion(values, visible)
        return np.concatenate([values, visible[..., None]], -1)

    def _bones(self, values: np.ndarray, visible: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        parents = list(self.layout.parents)
        visible = np.minimum(visible, visible[:, :, parents])
        bones = values - values[:, :, parents]
        return bones * (visible > 0)[..., None], visible

    @staticmethod
    def _motion(values: np.ndarray, visible: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        following = np.minimum(np.arange(values.shape[1]) + 1, values.shape[1] - 1)
        visible = np.minimum(visible, visible[:, following])
        motion = values[:, following] - values
        return motion * (visible > 0)[..., None], visible

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(layout={self.named!r}, stream={self.stream!r})'


def check_stream(stream: Union[str, Sequence[str]]) -> None:
    """Raise a ValueError if a stream is unknown."""
    streams = [stream] if isinstance(stream, str) else stream
    unknown = [name for name in streams if name not in STREAMS]
    if unknown or not streams:
        raise ValueError(f'stream {stream!r} is unknown: use one of {STREAMS}, or several of them')
