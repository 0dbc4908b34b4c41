"""The skeletons of docs/custom_skeleton.md: Kinect in 3D, a hand, a body in pixels."""

import json
import re

import numpy as np

from helpers import ROOT
from helpers.documents import Document
from stf_mmaction.datasets import LAYOUTS, get_layout, safe_load

TUTORIAL = Document('docs/custom_skeleton.md')
BUNDLED = safe_load(ROOT / 'tools/demo_data/ui_prmd_tiny.pkl')


def kinect():
    """The bundled skeletons, and the layout of the tutorial."""
    (text,) = re.findall(r'```json\n(.*?)```', TUTORIAL.text, re.S)
    layout = json.loads(text)
    for key in layout:
        assert getattr(get_layout(layout), key) == getattr(LAYOUTS['kinect20'], key), key
    clips = [
        clip
        for label in range(4)
        for clip in [clip for clip in BUNDLED['annotations'] if clip['label'] == label][:3]
    ]
    return layout, [clip['keypoint'].astype(float) for clip in clips], None


def hand():
    """A hand of 21 joints; each class moves a finger of its own, 3D."""
    inward = [(j, 0 if j % 4 == 1 else j - 1) for j in range(1, 21)]
    rest = np.zeros((21, 3))
    for joint, parent in inward:
        finger, part = divmod(joint - 1, 4)
        step = [finger - 2, 4, 0] if part == 0 else [(finger - 2) / 4, 1, 0]
        rest[joint] = rest[parent] + step
    rng = np.random.default_rng(0)
    clips = []
    for index in range(12):
        clip = np.tile(rest, (1, 20, 1, 1))
        bent = slice(index // 3 * 4 + 1, index // 3 * 4 + 5)
        clip[0, :, bent, 2] += np.sin(np.arange(20) / 3)[:, None]
        clips.append(clip + rng.normal(0, 0.02, clip.shape) + 5)
    return dict(num_node=21, inward=inward, center=0, height=(0, 12)), clips, None


def plane():
    """13 joints of the bundled skeletons in pixels, with scores, 2D."""
    kept = [3, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18]
    inward = [
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 0),
        (5, 4),
        (6, 5),
        (7, 1),
        (8, 7),
        (9, 8),
        (10, 4),
        (11, 10),
        (12, 11),
    ]
    pairs = [(1, 4), (2, 5), (3, 6), (7, 10), (8, 11), (9, 12)]
    rng = np.random.default_rng(0)
    clips = [clip[:, :, kept, :2] * [200, -200] + [320, 400] for clip in kinect()[1]]
    scores = [rng.uniform(0.2, 1, clip.shape[:3]) for clip in clips]
    for clip, score in zip(clips, scores):
        clip[0, 3, 5] = score[0, 3, 5] = 0  # not seen
    return dict(num_node=13, inward=inward, center=0, pairs=pairs), clips, scores
