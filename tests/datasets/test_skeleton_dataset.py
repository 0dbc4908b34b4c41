"""Files that are read, and files that are refused."""
import copy
import os
import pickle

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from networks import STAR
from stf_mmaction.datasets import safe_load


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    clips = [
        dict(
            frame_dir=f'clip{i}',
            label=i % 3,
            total_frames=4 + i,
            keypoint=rng.normal(size=(1, 4 + i, 5, 3)).astype(np.float16))
        for i in range(6)
    ]
    names = [clip['frame_dir'] for clip in clips]
    return dict(
        split=dict(train=names[:4], val=names[4:], none=['other']),
        annotations=clips)


PIPELINE = [
    dict(type='PrepareSkeleton', layout=STAR),
    dict(type='SkeletonStream', layout=STAR),
    dict(type='PadTo', length=12)
]


def build(data, tmp_path, split='train', **kwargs):
    path = tmp_path / 'clips.pkl'
    path.write_bytes(pickle.dumps(data))
    return DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=str(path),
            split=split,
            pipeline=PIPELINE,
            **kwargs))


def test_clips_of_a_split(data, tmp_path):
    before = copy.deepcopy(data)
    train = build(data, tmp_path, stream='b')
    assert len(train) == 4 and train.max_label == 2
    assert train[1]['keypoint'].shape == (1, 12, 5, 4)
    assert (train[1]['keypoint'][:, :, 0, :3] == 0).all()  # the root bone
    again = train[1]['keypoint']
    assert (train[1]['keypoint'] == again).all()
    assert len(build(data, tmp_path, split=None)) == 6
    assert len(build(data, tmp_path, 'val', test_mode=True)) == 2
    for old, new in zip(before['annotations'], data['annotations']):
        assert (old['keypoint'] == new['keypoint']).all()


def spoil(key, value):

    def change(data):
        clip = data['annotations'][2]
        clip[key] = value(clip[key])

    return change


@pytest.mark.parametrize('change,match', [
    (spoil('keypoint', lambda k: k * np.nan), '1 of 4 clips .*NaN.*clip2'),
    (spoil('keypoint', lambda k: k * np.inf), 'NaN or infinite'),
    (spoil('keypoint', lambda k: k[:, :0]), 'no frame'),
    (spoil('keypoint', lambda k: k * 0), 'only zeros'),
    (spoil('keypoint', lambda k: k[:, :, :4]), 'than the 5 of the layout'),
    (spoil('keypoint', lambda k: k[0]), 'not .persons, frames'),
    (spoil('keypoint', lambda k: k[..., :1]), 'not .persons, frames'),
    (lambda data: data['annotations'][2].update(
        keypoint=np.ones((1, 18, 5, 3)), total_frames=18), '12 of PadTo'),
    (spoil('total_frames', lambda t: t + 1), 'total_frames'),
    (spoil('label', lambda y: -1), 'whole number'),
    (spoil('label', lambda y: 0.5), 'whole number'),
    (lambda data: data['annotations'][2].pop('label'), "no 'label'"),
    (lambda data: data.update(annotations=[]), 'no clip of split'),
    (lambda data: data.pop('annotations'), 'holds no annotations'),
])
def test_bad_clips_are_named_before_training(data, tmp_path, change, match):
    change(data)
    with pytest.raises(ValueError, match=match):
        build(data, tmp_path)


def test_splits_and_streams(data, tmp_path):
    with pytest.raises(ValueError, match="no split 'test'.*'train', 'val'"):
        build(data, tmp_path, 'test')
    with pytest.raises(ValueError, match="no clip of split 'none'"):
        build(data, tmp_path, 'none')
    with pytest.raises(ValueError, match="stream 'x' is unknown"):
        build(data, tmp_path, stream='x')


class Attack:

    def __reduce__(self):
        return os.system, ('touch /tmp/stf_mmaction_was_attacked', )


@pytest.mark.parametrize('content,match', [
    (b'', 'is empty'),
    (pickle.dumps([1, 2, 3])[:-3], 'damaged'),
    (b'no pickle at all', 'damaged'),
    (pickle.dumps(dict(a=Attack())), 'system, which arrays'),
])
def test_bad_files(tmp_path, content, match):
    path = tmp_path / 'bad.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as error:
        safe_load(path)
    assert str(path) in str(error.value)
    assert not os.path.exists('/tmp/stf_mmaction_was_attacked')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        safe_load(tmp_path / 'missing.pkl')


def test_dumped_scores_can_be_read(tmp_path):
    scores = [dict(pred_score=torch.rand(3), frame_dir='a', n=np.int64(3))]
    path = tmp_path / 'scores.pkl'
    path.write_bytes(pickle.dumps(scores))
    read = safe_load(path)
    assert read[0]['pred_score'].equal(scores[0]['pred_score'])
    assert read[0]['n'] == 3
