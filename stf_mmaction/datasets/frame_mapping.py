"""Trace which frame and person of a clip each input of a network shows."""

from functools import lru_cache
from typing import Dict, NamedTuple, Tuple

import numpy as np
from mmengine.dataset import Compose
from torch import Tensor

from stf_mmaction.focus import frame_weights

from .clip_view import unpacking_steps


class TracedInputs(NamedTuple):
    """Output of a pipeline, with the frame and person from which each part comes.

    Attributes:
        inputs (torch.Tensor): Shape (num_clips, M', T', V, C).
        data_samples (ActionDataSample): The sample of the clip.
        persons (numpy.ndarray): The person (track) of the clip that each of
            the M' persons shows in each frame of the clip, -1 for none, shape
            (M', T).
        frames (numpy.ndarray): The same for frames, (num_clips, T').
    """

    inputs: Tensor
    data_samples: object
    persons: np.ndarray
    frames: np.ndarray


def trace(pipeline: Compose, clip: Dict) -> TracedInputs:
    """Run the pipeline of a skeleton network and keep track of its frames.

    MMAction2's ``UniformSampleFrames`` seeds NumPy in test mode; here, its
    random state is restored.

    Args:
        pipeline (Compose): Transforms up to ``PackActionInputs``.
        clip (dict): ``keypoint`` (M, T, V, C) and other keys that they need.

    Returns:
        TracedInputs: The inputs and their origin.

    Raises:
        ValueError: If the clip is too long for ``PadTo``, or a transform
            that is neither MMAction2's nor built-in drops or repeats frames without
            leaving ``frame_inds``.
    """
    state = np.random.get_state()
    traced = _trace(pipeline, clip)
    np.random.set_state(state)
    return traced


def _trace(pipeline: Compose, clip: Dict) -> TracedInputs:
    """Trace, and leave NumPy's random state as the pipeline does."""
    persons, frames, *_ = clip['keypoint'].shape
    total = frames
    persons, frames = np.arange(persons)[:, None].repeat(total, 1), np.arange(total)
    for step in pipeline.transforms:
        kind = type(step).__name__
        if kind == 'PreNormalize3D':
            # Keeps the frames of the person who is present longest, and puts that person first.
            there = ~np.isclose(clip['keypoint'], 0).all((2, 3))
            most = int(there.sum(1).argmax())
            if there.any():
                frames, persons = frames[there[most]], np.roll(persons, -most, axis=0)
        elif kind == 'PadTo':
            length = len(frames)
            if length > step.length:
                raise ValueError(
                    f'a clip of {length} frames does not fit into the '
                    f'{step.length} of PadTo: use a larger length, or '
                    'UniformSampleFrames in its place'
                )
            frames = np.resize(frames, step.length)  # again and again
            if step.mode == 'zero':
                frames[length:] = -1
        clip = step(clip)
        if 'moments' in clip:  # of a TimeAugmentation
            frames = frames[np.rint(clip.pop('moments')).astype(int)]
        if kind == 'SelectPersons' and 'person_inds' in clip:
            inds = clip.pop('person_inds')
            shown = np.full((len(inds), total), -1)
            shown[:, frames] = np.where(inds >= 0, persons[inds, frames], -1)
            persons = shown
        elif kind == 'PoseDecode':
            frames = frames[clip['frame_inds']]
    inputs = clip['inputs']
    clips, slots, length = inputs.shape[:3]
    if frames.size != clips * length:
        raise ValueError(
            f'the pipeline produces {clips * length} frames, but the origin of {frames.size} '
            "is known: a transform that chooses frames must leave 'frame_inds' to PoseDecode"
        )
    persons = np.concatenate([persons, np.full((slots, total), -1)])[:slots]
    return TracedInputs(inputs, clip['data_samples'], persons, frames.reshape(clips, length))


def lay_persons(focus: np.ndarray, persons: np.ndarray, num_persons: int) -> np.ndarray:
    """Assign the focus of the inputs to the persons of the clip that they show.

    Args:
        focus (numpy.ndarray): For the persons of the inputs, in the frames of
            the clip, shape (..., M', T, V).
        persons (numpy.ndarray): See :class:`TracedInputs`, shape (M', T).
        num_persons (int): M of the clip.

    Returns:
        numpy.ndarray: Zero for persons whom the pipeline leaves out,
        shape (..., M, T, V).
    """
    if len(persons) == num_persons and (persons == np.arange(num_persons)[:, None]).all():
        return focus
    out = np.zeros((*focus.shape[:-3], num_persons, *focus.shape[-2:]), focus.dtype)
    slots, frames = np.nonzero(persons >= 0)
    out[..., persons[slots, frames], frames, :] = focus[..., slots, frames, :]
    return out


class TracingPipeline:
    """A pipeline whose samples record the clip and frames from which they come.

    It adds a field ``source`` to the ``data_samples`` that its pipeline packs,
    so that the pipeline need not run twice; see :class:`Source`.

    Args:
        pipeline (Compose): Transforms up to ``PackActionInputs``.
        first (int): Position of the first clip of the data set among all
            clips of a test. Defaults to 0.
    """

    def __init__(self, pipeline: Compose, first: int = 0) -> None:
        self.transforms = pipeline.transforms
        self._unpack = unpacking_steps(pipeline)
        self._prepare = Compose(pipeline.transforms[len(self._unpack) :])
        self.first = first

    def __call__(self, clip: Dict) -> Dict:
        """Run the pipeline on one clip."""
        index = self.first + clip.get('sample_idx', 0)
        name = str(clip.get('frame_dir', index))
        for step in self._unpack:
            clip = step(clip)
        persons, frames = clip['keypoint'].shape[:2]
        # Restoring the random state would take as long as the rest of the export.
        traced = _trace(self._prepare, clip)
        source = Source(index, name, persons, frames, traced.persons, traced.frames)
        traced.data_samples.set_field(source, 'source')
        return dict(inputs=traced.inputs, data_samples=traced.data_samples)


class Source(NamedTuple):
    """The clip from which a sample was made.

    Attributes:
        index (int): Its position in the test data.
        name (str): Its id, ``frame_dir``.
        num_persons (int): M of the whole clip.
        num_frames (int): T of the whole clip.
        persons (numpy.ndarray): See :class:`TracedInputs`.
        frames (numpy.ndarray): Likewise.
    """

    index: int
    name: str
    num_persons: int
    num_frames: int
    persons: np.ndarray
    frames: np.ndarray

    def lay(self, focus: np.ndarray) -> np.ndarray:
        """Map the focus of the inputs to the frames and persons of the clip.

        Args:
            focus (numpy.ndarray): Float32, shape (num_clips, S, M', T', V).

        Returns:
            numpy.ndarray: Mean over the num_clips, zero for persons whom the
            pipeline leaves out, shape (S, M, T, V).
        """
        maps, persons, _, joints = focus.shape[1:]
        frames = np.ascontiguousarray(self.frames, np.int64)
        weights = _weights(frames.tobytes(), frames.shape, self.num_frames)
        samples = focus.transpose(0, 3, 1, 2, 4).reshape(weights.shape[1], -1)
        laid = (weights @ samples).reshape(-1, maps, persons, joints).transpose(1, 2, 0, 3)
        return lay_persons(laid, self.persons, self.num_persons)


@lru_cache(maxsize=64)
def _weights(frames: bytes, shape: Tuple[int, int], length: int) -> np.ndarray:
    """Return the weights in float32, which clips of the same length mostly share."""
    origin = np.frombuffer(frames, np.int64).reshape(shape)
    return frame_weights(origin, length).astype(np.float32)
