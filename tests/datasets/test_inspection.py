"""What is said of a set of clips, counted by hand."""

import zlib

import numpy as np
import pytest
from helpers.networks import STAR

from stf_mmaction.datasets import get_layout
from stf_mmaction.datasets.inspection import class_table, summarize, warnings_of

LAYOUT = get_layout(dict(STAR, names=['l_hip', 'r_hip', 'head', 'a', 'b']))


def clip(name, label=0, frames=6, persons=1, channels=3, seed=None):
    rng = np.random.default_rng(zlib.crc32(name.encode()) if seed is None else seed)
    keypoint = rng.normal(0, 0.05, (persons, frames, 5, channels)) + 3
    keypoint[..., 2, 1] += 2 if channels == 3 else -2  # the head
    return dict(frame_dir=name, label=label, keypoint=keypoint.astype(np.float32))


def with_classes(clips):
    return [(clip, [clip['label']]) for clip in clips]


def test_counts():
    clips = [clip('a', 0, 4), clip('b', 1, 9, persons=2), clip('c', 1, 5)]
    clips[1]['keypoint'][1, 3:] = 0  # leaves
    clips[1]['keypoint'][0, :, 4] = 0  # never seen
    clips[2]['keypoint_score'] = np.ones((1, 5, 5))
    clips[2]['keypoint_score'][0, :2, 3] = 0
    out = summarize(with_classes(clips), LAYOUT)
    assert out.labels == {0: 1, 1: 2} and out.persons == {1: 2, 2: 1}
    assert out.lengths == [4, 9, 5] and out.ids == {'a', 'b', 'c'}
    # 4 + 9 + 3 + 5 frames of persons
    np.testing.assert_allclose(out.unseen, [0, 0, 0, 2 / 21, 9 / 21])
    assert out.upside_down == 0 and not out.suspects
    rows = class_table(dict(train=out), ['walk', 'run'])
    assert rows == [('class', 'train'), ('walk', '1'), ('run', '2')]


def spoil(**changes):
    """Splits of ten good clips each, and what each change does to them."""
    splits = {
        name: [clip(f'{name}{i}', i % 2, seed=100 * s + i) for i in range(10)]
        for s, name in enumerate(('train', 'val'))
    }
    for change in changes.values():
        change(splits)
    out = {name: summarize(with_classes(clips), LAYOUT) for name, clips in splits.items()}
    return warnings_of(out, LAYOUT, 2)


def test_good_data_has_no_warning():
    assert spoil() == []


@pytest.mark.parametrize(
    'change,sentence',
    [
        (
            lambda s: s['val'][3].update(frame_dir='train4'),
            '1 clips are both in train and in val: train4',
        ),
        (
            lambda s: s['val'][3].update(keypoint=s['train'][4]['keypoint']),
            '1 clips of val have the keypoints of a clip of train: val3',
        ),
        (
            lambda s: s['val'][3].update(keypoint=s['val'][5]['keypoint']),
            'val: 1 clips have the same keypoints as val3: val5',
        ),
        (lambda s: s['val'][3].update(label=7), 'val has classes that are not in train: 7'),
        (
            lambda s: [c.update(label=0) for c in s['val']],
            'val has no clip of 1 of 2 classes: 1',
        ),
        (
            lambda s: [c.update(label=0) for c in s['train'][:8]],
            'train has fewer than 5 clips of the classes 1',
        ),
        (
            lambda s: s['train'].extend(clip(f'm{i}', 0, seed=999 + i) for i in range(110)),
            'train has from 5 to 115 clips per class',
        ),
        (
            lambda s: s['val'][3].update(keypoint=s['val'][3]['keypoint'][:, :1]),
            'val: 1 clips have one frame only: val3',
        ),
        (
            lambda s: s['val'][3].update(
                keypoint=np.tile(s['val'][3]['keypoint'][:, :1], (1, 6, 1, 1))
            ),
            'val: 1 clips have no movement: val3',
        ),
        (
            lambda s: s['val'][3]['keypoint'].__setitem__((0, 3, 3), 60),
            'val: 1 clips have a joint that jumps by more than the size of the body',
        ),
        (
            lambda s: s['val'][3]['keypoint'].__setitem__((0, slice(4), slice(3)), 0),
            'val: 1 clips have more than 30% of the joints missing: val3',
        ),
        (
            lambda s: [c['keypoint'].__setitem__((0, slice(4), 4), 0) for c in s['val']],
            'val: joints that are mostly missing: b (67%)',
        ),
        (
            lambda s: [c['keypoint'].__imul__(np.float32([1, -1, 1])) for c in s['val']],
            'val: heads are below hips',
        ),
        (
            lambda s: (
                [c.update(clip(c['frame_dir'], c['label'], channels=2)) for c in s['val']]
                and [c['keypoint'].__imul__(np.float32([1, -1])) for c in s['val']]
            ),
            'val: heads are below hips',
        ),
        (
            lambda s: s['val'][3].update(keypoint=np.zeros((1, 6, 5, 3), np.float32)),
            'val: 1 clips have nobody in them: val3',
        ),
    ],
)
def test_what_looks_wrong_is_said(change, sentence):
    found = spoil(change=change)
    assert len(found) == 1 and found[0].startswith(sentence), found
