"""Whole data sets in one array: ST-GCN's and CTR-GCN's come back as clips."""

import pickle

import numpy as np
import pytest
from helpers.data_tools import filled, ntu_clips, openpose, run_tool, skipped

from stf_mmaction.datasets import safe_load


def run(source, tmp_path):
    out = run_tool('arrays.py', source, tmp_path / 'o.pkl', '--workers', 1)
    return safe_load(tmp_path / 'o.pkl'), out


@pytest.mark.parametrize('repeat', [False, True])
@pytest.mark.parametrize('name', ['data', 'data_joint'])
def test_stgcns_arrays(tmp_path, repeat, name):
    clips = ntu_clips()
    names = [f'S001C001P00{i}R001A001.skeleton' for i in range(3)]
    for split, part in (('train', slice(2)), ('val', slice(2, 3))):
        np.save(tmp_path / f'{split}_{name}.npy', filled(clips[part], repeat=repeat))
        label = (names[part], [4, 0, 59][part])
        (tmp_path / f'{split}_label.pkl').write_bytes(pickle.dumps(label, protocol=2))
    data, _ = run(tmp_path, tmp_path)
    assert data['split'] == dict(train=[n[:-9] for n in names[:2]], val=[names[2][:-9]])
    for clip, expected, label in zip(data['annotations'], clips, (4, 0, 59)):
        np.testing.assert_array_equal(clip['keypoint'], expected)
        assert clip['label'] == label and clip['total_frames'] == expected.shape[1]
        assert 'keypoint_score' not in clip


def test_one_half_alone_and_openposes_scores(tmp_path):
    pose, score = openpose()
    clip = np.concatenate([pose - 0.5, score[..., None]], 2)[None].astype(np.float32)
    clip[clip[..., 2] == 0] = 0
    np.save(tmp_path / 'val_data.npy', filled([clip]))
    (tmp_path / 'val_label.pkl').write_bytes(pickle.dumps((['abc.json'], [399])))
    data, _ = run(tmp_path, tmp_path)
    assert data['split'] == dict(val=['abc'])
    np.testing.assert_array_equal(data['annotations'][0]['keypoint'], clip[..., :2])
    np.testing.assert_array_equal(data['annotations'][0]['keypoint_score'], clip[..., 2])


def test_the_joint_that_others_are_measured_from_is_not_missing(tmp_path):
    clip = ntu_clips()[0]
    clip -= clip[:, :, 1:2]
    clip[0, 3, 5] = 0  # this one is
    np.save(tmp_path / 'train_data.npy', filled([clip]))
    (tmp_path / 'train_label.pkl').write_bytes(pickle.dumps((['a'], [0])))
    keypoint = run(tmp_path, tmp_path)[0]['annotations'][0]['keypoint']
    assert keypoint[0, :, 1].any(-1).all() and not keypoint[0, 3, 5].any()
    np.testing.assert_allclose(keypoint, clip, atol=1e-6)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_ctrgcns_arrays(tmp_path, save):
    clips = ntu_clips()
    x = filled(clips).transpose(0, 2, 4, 3, 1).reshape(3, 24, 150)
    y = np.eye(60)[[4, 0, 59]]
    path = tmp_path / 'NTU60_CS.npz'
    save(path, x_train=x[:2], y_train=y[:2], x_test=x[2:], y_test=y[2:])
    data, _ = run(path, tmp_path)
    assert data['split'] == dict(train=['train_000000', 'train_000001'], val=['val_000000'])
    for clip, expected, label in zip(data['annotations'], clips, (4, 0, 59)):
        np.testing.assert_array_equal(clip['keypoint'], expected)
        assert clip['label'] == label


def save_npz(tmp_path, **arrays):
    np.savez(tmp_path / 'a.npz', **arrays)
    return tmp_path / 'a.npz'


def save_npy(tmp_path, data, label):
    if data is not None:
        np.save(tmp_path / 'train_data.npy', data)
    if label is not None:
        (tmp_path / 'train_label.pkl').write_bytes(pickle.dumps(label))
    return tmp_path


X, Y = np.ones((2, 4, 150)), np.eye(2)
CLIPS = np.ones((2, 3, 4, 25, 2))


@pytest.mark.parametrize(
    'make,match',
    [
        (lambda path: save_npz(path, a=X), "holds .'a'.: it must have x_train and y_train"),
        (lambda path: save_npz(path, x_train=X[..., :3], y_train=Y), r'x_train of shape \(2, 4, 3'),
        (lambda path: save_npz(path, x_train=X, y_train=Y[:1]), r'y_train of shape \(1, 2'),
        (lambda path: save_npy(path, None, None), 'neither train_data.npy nor val_data.npy'),
        (lambda path: save_npy(path, CLIPS, None), 'train_label.pkl does not exist, but the file'),
        (lambda path: save_npy(path, CLIPS[0], ([], [])), r'has the shape \(3, 4, 25, 2\)'),
        (lambda path: save_npy(path, CLIPS, (['a'], [0])), 'names 1 clips and 1 labels'),
        (lambda path: save_npy(path, CLIPS, dict(a=1)), 'not a pickle of .names, labels'),
    ],
)
def test_what_is_not_such_a_data_set(tmp_path, make, match):
    with pytest.raises(SystemExit, match=match):
        run(make(tmp_path), tmp_path)


def test_files_that_would_run_code_or_are_cut(tmp_path):
    path = save_npz(tmp_path, x_train=np.array([{}]), y_train=Y)
    with pytest.raises(SystemExit, match='Python objects, which could run code'):
        run(path, tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SystemExit, match='not a complete .npz file'):
        run(path, tmp_path)


def test_empty_and_broken_clips_are_listed(tmp_path):
    clips = CLIPS.copy()
    clips[0] = 0
    clips[1, 0, 0, 0, 0] = np.nan
    save_npy(tmp_path, np.concatenate([clips, CLIPS]), ([*'abcd'], [0, 0, 0, 1]))
    data, _ = run(tmp_path, tmp_path)
    assert [clip['frame_dir'] for clip in data['annotations']] == ['c', 'd']
    assert data['annotations'][0]['total_frames'] == 1  # it never moves
    why = dict(skipped(tmp_path / 'o.pkl'))
    assert why['a'] == 'nobody is in it' and 'not finite' in why['b']
