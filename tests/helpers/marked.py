"""Clips whose joints say which they are."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose


def pipeline(*steps):
    kinds = [
        *steps,
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs'),
    ]
    return Compose([TRANSFORMS.build(kind) for kind in kinds])


def marked(persons=2, frames=40):
    """A clip whose joints say what the focus must be, (M, T, 3, 3)."""
    marks = np.arange(1, persons * frames * 3 + 1).reshape(persons, frames, 3)
    keypoint = np.repeat(marks[..., None] / marks.max(), 3, -1)
    return dict(
        keypoint=keypoint.astype(np.float32),
        label=1,
        start_index=0,
        total_frames=frames,
        frame_dir='clip',
    )


class Clips:
    """One clip of two persons, five joints, four channels."""

    pipeline = pipeline(dict(type='PadTo', length=12))

    @staticmethod
    def get_data_info(index):
        rng = np.random.default_rng(index)
        keypoint = rng.normal(size=(2, 12, 5, 3)).astype(np.float32)
        return dict(marked(frames=12), keypoint=keypoint, frame_dir=f'clip {index}')
