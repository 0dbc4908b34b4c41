"""Clips with hard names for files of the focus, and a config that tests on them."""

import pickle

import numpy as np
from mmengine.config import Config

from helpers.networks import STAR

IDS = ['a/b', 'a_b', '拍手 $\\frac{$', 'x' * 300, 'clip 4', 'clip 5', 'focus/0']
FRAMES = [9, 1, 12, 5, 12, 7, 3]


def write_clips(folder):
    """Seven clips of one to three persons; in one the network sees nobody."""
    rng = np.random.default_rng(0)
    clips = []
    for number, (name, frames) in enumerate(zip(IDS, FRAMES)):
        keypoint = rng.normal(size=(1 + number % 3, frames, 5, 3)).astype(np.float32)
        if number == 4:
            keypoint[1] = 0  # absent
        if number == 5:
            keypoint[:2] = 0  # only someone whom the network does not see
        clips.append(dict(frame_dir=name, label=number % 4, total_frames=frames, keypoint=keypoint))
    path = folder / 'clips.pkl'
    classes = ['walk', 'run', '拍手', 'sit']
    path.write_bytes(pickle.dumps(dict(split=dict(), annotations=clips, classes=classes)))
    return str(path)


def config(ann_file, model, steps, **test):
    pipeline = [
        dict(type='PrepareSkeleton', layout=STAR),
        dict(type='SkeletonStream', layout=STAR),
        *steps,
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs'),
    ]
    return Config(
        dict(
            default_scope='mmaction',
            model=model,
            test_dataloader=dict(
                batch_size=3,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='SkeletonDataset', ann_file=ann_file, pipeline=pipeline, test_mode=True
                ),
            ),
            test_cfg=dict(type='TestLoop', **test),
            test_evaluator=dict(type='AccMetric'),
        )
    )
