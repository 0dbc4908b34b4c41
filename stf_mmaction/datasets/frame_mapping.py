"""Which frame and person of a clip each of a network's inputs shows."""

from typing import Dict, NamedTuple

import numpy as np
from mmengine.dataset import Compose
from torch import Tensor


class TracedInputs(NamedTuple):
    """What a pipeline makes of a clip, and where it comes from.

    Attributes:
        inputs (torch.Tensor): Shape (num_clips, M', T', V, C).
        data_samples (ActionDataSample): Of the clip.
        persons (numpy.ndarray): The person (track) of the clip that each of
            the M' persons shows in each frame of the clip, -1 where it shows
            none, shape (M', T).
        frames (numpy.ndarray): The same for frames, (num_clips, T').
    """

    inputs: Tensor
    data_samples: object
    persons: np.ndarray
    frames: np.ndarray


def trace(pipeline: Compose, clip: Dict) -> TracedInputs:
    """Run the pipeline of a skeleton network and keep track of its frames.

    MMAction2's ``UniformSampleFrames`` seeds NumPy in test mode; here its
    random state is put back.

    Args:
        pipeline (Compose): Transforms up to ``PackActionInputs``.
        clip (dict): ``keypoint`` (M, T, V, C) and whatever else they need.

    Returns:
        TracedInputs: The inputs and their origin.

    Raises:
        ValueError: If the clip is too long for ``PadTo``, or a transform
            that is not MMAction2's or ours drops or repeats frames without
            leaving ``frame_inds``.
    """
    persons, frames, *_ = clip['keypoint'].shape
    total = frames
    persons, frames = np.arange(persons)[:, None].repeat(total, 1), np.arange(total)
    state = np.random.get_state()
    for step in pipeline.transforms:
        kind = type(step).__name__
        if kind == 'PreNormalize3D':
            # Keeps the frames of the person who is in most, and puts that
            # one first.
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
    np.random.set_state(state)
    inputs = clip['inputs']
    clips, slots, length = inputs.shape[:3]
    if frames.size != clips * length:
        raise ValueError(
            f'the pipeline makes {clips * length} frames, of which it is '
            f'known where {frames.size} come from: a transform that chooses '
            "frames must leave 'frame_inds' to PoseDecode"
        )
    persons = np.concatenate([persons, np.full((slots, total), -1)])[:slots]
    return TracedInputs(inputs, clip['data_samples'], persons, frames.reshape(clips, length))


def lay_persons(focus: Tensor, persons: np.ndarray, num_persons: int) -> Tensor:
    """Give each person of a clip the focus of the one that showed it.

    Args:
        focus (torch.Tensor): Of the persons of the inputs, in the frames of
            the clip, shape (..., M', T, V).
        persons (numpy.ndarray): See :class:`TracedInputs`, shape (M', T).
        num_persons (int): M of the clip.

    Returns:
        torch.Tensor: Zero for persons whom the pipeline leaves out,
        shape (..., M, T, V).
    """
    out = focus.new_zeros(*focus.shape[:-3], num_persons, *focus.shape[-2:])
    slots, frames = np.nonzero(persons >= 0)
    out[..., persons[slots, frames], frames, :] = focus[..., slots, frames, :]
    return out
