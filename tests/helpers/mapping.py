"""Inputs beside what the frame mapping says they are."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.datasets.frame_mapping import trace


def run(clip, *steps, num_person=2):
    """Inputs, and what they must be by the origin that is told."""
    kinds = [
        *steps,
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=num_person),
        dict(type='PackActionInputs'),
    ]
    raw = clip['keypoint'].copy()
    traced = trace(Compose([TRANSFORMS.build(kind) for kind in kinds]), clip)
    expected = np.zeros(traced.inputs.shape, np.float32)
    for n, frames in enumerate(traced.frames):
        for m, person in enumerate(traced.persons):
            for t, frame in enumerate(frames):
                if frame >= 0 and person[frame] >= 0:
                    expected[n, m, t] = raw[person[frame], frame]
    return traced.inputs.numpy(), expected
