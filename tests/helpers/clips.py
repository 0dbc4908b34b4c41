"""Clips for augmentations: every state that a data set or a pipeline gives them in."""

import numpy as np

from helpers.networks import STAR
from stf_mmaction.datasets import PrepareSkeleton

LAYOUT = dict(STAR, height=(2, 4), pairs=[(3, 4), (1, 2)])
# Raw or prepared, 2D or 3D, with or without scores.
STATES = [(raw, c, scored) for raw in (True, False) for c in (2, 3) for scored in (True, False)]


def make_clip(raw=True, channels=3, scored=False, persons=3, frames=8):
    """Three persons: one whole, one with holes, one absent."""
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(persons, frames, 5, channels)) + 5
    score = rng.uniform(0.2, 1, keypoint.shape[:3])
    keypoint[1, 2, 3] = keypoint[1, :, 4] = 0
    keypoint[2:] = 0
    score[keypoint[..., 0] == 0] = 0
    score[0, 4, 1] = 0 if scored else score[0, 4, 1]  # a guess that does not count
    clip = dict(keypoint=keypoint, total_frames=frames, frame_dir='clip')
    if scored:
        clip['keypoint_score'] = score
    if raw:
        return clip
    return PrepareSkeleton(LAYOUT).transform(clip)


def weights(clip):
    """What says whether a joint counts, (M, T, V)."""
    for key in ('visibility', 'keypoint_score'):
        if key in clip:
            return clip[key]
    return clip['keypoint'].any(-1).astype(float)
