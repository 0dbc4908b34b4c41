"""A look at the data of a config, in this process."""

import contextlib
import io
import pickle
import re
import runpy
from unittest import mock

import numpy as np
import pytest
from helpers import tiny
from helpers.clips import LAYOUT
from helpers.data_tools import ROOT
from PIL import Image

from stf_mmaction.datasets import get_layout
from stf_mmaction.visualization import DrawnClip, draw_clips
from stf_mmaction.visualization.limbs import limbs

CONFIG = """
_base_ = '{base}'
pipeline = [
    dict(type='PrepareSkeleton', layout='kinect20'),
    dict(type='RandomJointErasing', p=1),
    dict(type='SkeletonStream', layout='kinect20'),
    dict(type='PadTo', length=32),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
few = dict(indices=12, ann_file='{data}')
train_dataloader = dict(dataset=dict(pipeline=pipeline, {stream}**few))
val_dataloader = dict(dataset=few)
test_dataloader = val_dataloader
"""


@pytest.fixture
def browse(tmp_path):
    """Runs the tool; returns what it prints and the picture."""

    def browses(*arguments, stream=''):
        config = tmp_path / 'config.py'
        base = ROOT / 'configs/msg3d_demo_j.py'
        data = ROOT / 'tools/demo_data/ui_prmd_tiny.pkl'
        config.write_text(CONFIG.format(base=base, data=data, stream=stream))
        argv = ['browse_dataset.py', str(config), '--out', str(tmp_path / 'o/b.png'), *arguments]
        out = io.StringIO()
        with mock.patch('sys.argv', argv), contextlib.redirect_stdout(out):
            tool = runpy.run_path(str(ROOT / 'tools/browse_dataset.py'), run_name='browse')
            tool['main']()
        return out.getvalue(), np.asarray(Image.open(tmp_path / 'o/b.png').convert('RGB'))

    return browses


def test_counts_warnings_and_a_picture(browse):
    text, picture = browse('--num-clips', '1')
    assert 'train: 12 clips of' in text and 'val: 12 clips of' in text
    assert 'frames 32 to 32, median 32; persons: 1 in 12 clips; 0.0% of the joints missing' in text
    assert 'warning: train has no clip of' in text  # of ten classes, in twelve clips
    assert 'test:' not in text  # the same as val
    assert np.ptp(picture) > 100
    _, once = browse('--num-clips', '1', '--draws', '1', '--no-counts')
    assert once.shape[0] < picture.shape[0]


def test_the_picture_is_of_the_seed(browse):
    few = ('--num-clips', '1', '--draws', '1', '--no-counts')
    first, again, other = (browse(*few, '--seed', seed)[1] for seed in '001')
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    bones = browse(*few, stream="stream='b', ")[1]  # drawn as joints
    assert np.array_equal(first, bones)


def test_an_unknown_clip(browse):
    with pytest.raises(ValueError, match='clip nobody is not in the split; its first clips are'):
        browse('--no-counts', '--clips', 'nobody')


def test_clips_of_two_persons_some_joints_missing():
    layout = get_layout(LAYOUT)
    keypoint = np.random.default_rng(0).normal(size=(2, 9, 5, 2))
    seen = np.ones((2, 9, 5))
    seen[0, :, 3] = seen[1] = 0  # a left joint; a person
    (axes, heat) = draw_clips([DrawnClip(keypoint, seen, 'a')], layout, poses=3).axes
    lines, dots = axes.collections[::2], axes.collections[1::2]
    # Three bones are left of one person; nothing of the other.
    assert [len(line.get_paths()) for line in lines] == [3, 3, 3, 0, 0, 0]
    assert [len(dot.get_offsets()) for dot in dots] == [4, 4, 4, 0, 0, 0]
    pose = dots[0].get_offsets()  # 2D: y points down
    np.testing.assert_allclose(pose, keypoint[0, 0, [0, 1, 2, 4]] * (1, -1))
    rows = [joint for limb in limbs(layout) for joint in limb.joints]
    np.testing.assert_array_equal(
        heat.images[0].get_array(), np.concatenate([1 - s.T[rows] for s in seen])
    )
    assert heat.get_title() == 'missing: 60.0% (dark)'
    whole = draw_clips([DrawnClip(keypoint, seen * 0 + 1, 'a')], layout).axes[1]
    assert whole.get_title() == 'no joint missing'
    with pytest.raises(ValueError, match='no clip to draw'):
        draw_clips([], layout)


def browse_config(cfg, folder, monkeypatch, capsys, *words):
    """Run the tool on a config of tests/tiny.py; return what it prints."""
    cfg.dump(folder / 'config.py')
    argv = ['browse_dataset.py', str(folder / 'config.py'), '--out', str(folder / 'b.png')]
    monkeypatch.setattr('sys.argv', [*argv, '--num-clips', '2', '--draws', '1', *words])
    runpy.run_path(str(ROOT / 'tools/browse_dataset.py'), run_name='__main__')
    assert Image.open(folder / 'b.png').size[1] > 100
    return capsys.readouterr().out


def test_wrapped_data_sets_with_any_class_names(tmp_path, monkeypatch, capsys):
    """Parts may prepare their clips in different ways; a copy in the other split is named."""
    names = ['\u6325\u624b', '$\\frac{$', 'stand up']
    clips = tiny.clips()
    clips[6]['keypoint'] = clips[1]['keypoint']
    one = tiny.write(tmp_path / 'one.pkl', clips, classes=names)
    numbered = [dict(clip, frame_dir=i) for i, clip in enumerate(tiny.clips(seed=1))]
    two = tiny.write(tmp_path / 'two.pkl', numbered)
    cfg = tiny.config(one, tmp_path, tiny.model_cfg())
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        own = loader.dataset.to_dict()
        other = dict(own, ann_file=str(two), pipeline=tiny.pipeline(frames=9))
        repeated = dict(type='RepeatDataset', times=2, dataset=other)
        loader['dataset'] = dict(type='ConcatDataset', datasets=[own, repeated])
    cfg.test_dataloader = cfg.val_dataloader
    out = browse_config(cfg, tmp_path, monkeypatch, capsys, '--clips', 'clip2', '3')
    assert 'train: 12 clips of 3 classes' in out and names[0] in out
    assert 'warning: 1 clips of val have the keypoints of a clip of train: clip6' in out


def test_clips_of_several_labels(tmp_path, monkeypatch, capsys):
    clips = tiny.clips()
    for i, clip in enumerate(clips):
        clip['label'] = [i % 3, (i + 1) % 3]
    data = tiny.write(tmp_path / 'clips.pkl', clips, classes=list(tiny.NAMES))
    cfg = tiny.config(data, tmp_path, tiny.model_cfg())
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.update(multi_class=True, num_classes=3)
    out = browse_config(cfg, tmp_path, monkeypatch, capsys)
    # Clips 0 to 3 have the labels 01, 12, 02, 01; clips 4 to 7 12, 02, 01, 12.
    assert re.findall(r'^(wave|kick|stand up) +(\d) +(\d)$', out, re.M) == [
        ('wave', '3', '2'),
        ('kick', '3', '3'),
        ('stand up', '2', '3'),
    ]


def test_detections_that_are_stored_frame_by_frame(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    annotations = []
    for i in range(4):
        joints = np.concatenate([rng.uniform(1, 90, (12, 5, 2)), np.ones((12, 5, 1))], -1)
        frames = np.repeat(np.arange(6), 2)
        packed = dict(keypoint=joints.astype(np.float16), frame_inds=frames)
        (tmp_path / f'clip{i}.pkl').write_bytes(pickle.dumps(packed))
        annotations.append(dict(frame_dir=f'clip{i}', label=i % 2, total_frames=6))
    data = tiny.write(tmp_path / 'clips.pkl', annotations)
    steps = [dict(type='DecompressPose', squeeze=True), *tiny.pipeline(persons=2)]
    cfg = tiny.config(data, tmp_path, tiny.model_cfg(channels=3, persons=2), steps=steps)
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.data_prefix = dict(skeleton=str(tmp_path))
    out = browse_config(cfg, tmp_path, monkeypatch, capsys)
    assert 'train: 2 clips of 2 classes; frames 6 to 6, median 6; persons: 2 in 2 clips' in out
