"""Kinetics-Skeleton as published to a pickle."""

import json
import re

import numpy as np
import pytest
from helpers.data_tools import ROOT, openpose, run_tool, skipped, write_kinetics, write_openpose
from mmaction.registry import DATASETS
from mmengine.config import Config

from stf_mmaction.datasets import safe_load


def convert(folder, *arguments):
    """Convert; returns the pickle and the clips by name."""
    out = folder / 'k400_openpose.pkl'
    run_tool('kinetics.py', folder, out, '--workers', 1, *arguments)
    data = safe_load(out)
    return data, {clip['frame_dir']: clip for clip in data['annotations']}


@pytest.fixture
def folder(tmp_path):
    """Four clips to train on, two to test on."""
    write_kinetics(tmp_path, train=dict(a0=0, b1=1, c2=2, d0=0), val=dict(e1=1, f2=2))
    return tmp_path


def test_the_data_set_comes_back(folder):
    data, clips = convert(folder)
    assert data['split'] == dict(train=['a0', 'b1', 'c2', 'd0'], val=['e1', 'f2'])
    for index, name in enumerate(['a0', 'b1', 'c2', 'd0']):
        clip = clips[name]
        pose, score = openpose(index * 5)
        assert clip['keypoint'].shape == (2, 6, 18, 2)
        assert clip['keypoint_score'].shape == (2, 6, 18)
        assert (clip['label'], clip['total_frames']) == (int(name[1]), 6)
        # Three decimals, which is what the files have.
        np.testing.assert_array_equal(
            clip['keypoint'][0].round(3), pose.astype(np.float16).round(3)
        )
        np.testing.assert_allclose(clip['keypoint'][0], pose, atol=5e-4)
        np.testing.assert_allclose(clip['keypoint_score'][0], score, atol=5e-4)
        assert not clip['keypoint'][1].any()
        assert not clip['keypoint_score'][1].any()
    assert skipped(folder / 'k400_openpose.pkl') == []


def test_the_two_surest_persons_of_each_frame(folder):
    people = [openpose(index) for index in (0, 30, 60)]
    sums = [
        # The order in which they are listed, and how sure each is.
        ([0, 1, 2], [0.5, 0.9, 0.7]),
        ([2, 1, 0], [0.5, 0.9, 0.7]),
        ([], []),
        ([1], [0.3]),
        ([0, 1, 2], [0.5, 0.5, 0.5]),
    ]
    frames = []
    for t, (order, sure) in enumerate(sums):
        frames.append([(people[i][0][t], np.full(18, s)) for i, s in zip(order, sure)])
    write_openpose(folder / 'kinetics_train/a0.json', frames, 0)
    _, clips = convert(folder)
    found = clips['a0']
    for t, expected in enumerate([(1, 2), (1, 0), (), (1,), (0, 1)]):
        for m in range(2):
            pose, score = found['keypoint'][m, t], found['keypoint_score'][m, t]
            if m < len(expected):
                np.testing.assert_allclose(pose, people[expected[m]][0][t], atol=5e-4)
                assert (score > 0).all()
            else:
                assert not pose.any() and not score.any()


def test_frames_are_placed_by_their_index(folder):
    """In any order, from 0 or 1 on; what is not listed is empty."""
    path = folder / 'kinetics_train/a0.json'
    data = json.loads(path.read_text())
    _, before = convert(folder)
    for shift in (-1, 4):
        moved = json.loads(json.dumps(data))
        for frame in moved['data']:
            frame['frame_index'] += shift
        moved['data'] = moved['data'][::-1]
        path.write_text(json.dumps(moved))
        _, after = convert(folder)
        np.testing.assert_array_equal(after['a0']['keypoint'], before['a0']['keypoint'])
    del data['data'][2]
    path.write_text(json.dumps(data))
    _, after = convert(folder)
    assert not after['a0']['keypoint'][:, 2].any()
    np.testing.assert_array_equal(after['a0']['keypoint'][:, 3:], before['a0']['keypoint'][:, 3:])


def test_a_joint_without_score_has_no_place(folder):
    pose, score = openpose(3)
    score[:, 4] = 0
    write_openpose(folder / 'kinetics_train/a0.json', [[person] for person in zip(pose, score)], 0)
    _, clips = convert(folder)
    assert not clips['a0']['keypoint'][0, :, 4].any()
    assert clips['a0']['keypoint'][0, :, 3].all()


def test_what_cannot_be_used_is_listed_and_not_fatal(folder):
    train = folder / 'kinetics_train'
    labels_path = folder / 'kinetics_train_label.json'
    labels = json.loads(labels_path.read_text())
    text = (train / 'a0.json').read_text()
    whole = json.loads(text)
    bad = dict(
        cut=text[: len(text) // 2],
        empty='',
        list='[1, 2]',
        nothing='{"label_index": 0}',
        binary='\x00\x01',
        other=text.replace('"label_index": 0', '"label_index": 1'),
        short=text.replace('"score": [', '"score": [1, '),
        nan=re.sub(r'"pose": \[[^,]*', '"pose": [NaN', text, count=1),
        pixels=text.replace('"pose": [', '"pose": [320.0, ', 1).replace(
            ', 0.0, 0.0], "score"', ', 0.0], "score"', 1
        ),
        far=text.replace('"frame_index": 6', '"frame_index": 99999999'),
        deep='[' * 100000,
    )
    for name, content in bad.items():
        (train / f'{name}.json').write_text(content)
        labels[name] = labels['a0']
    nobody = dict(whole, data=[dict(frame_index=1, skeleton=[])] * 3)
    for name, content in dict(
        nobody=nobody, frameless=dict(whole, data=[]), none=whole, unlabelled=whole
    ).items():
        (train / f'{name}.json').write_text(json.dumps(content))
        labels[name] = labels['a0']
    labels['none'] = dict(labels['none'], has_skeleton=False)
    labels['gone'] = labels.pop('unlabelled')
    labels_path.write_text(json.dumps(labels))
    # The same clip in both splits.
    val = json.loads((folder / 'kinetics_val_label.json').read_text())
    val['a0'] = labels['a0']
    (folder / 'kinetics_val_label.json').write_text(json.dumps(val))
    (folder / 'kinetics_val/a0.json').write_text(text)
    data, clips = convert(folder)
    assert list(clips) == ['a0', 'b1', 'c2', 'd0', 'e1', 'f2']
    assert data['split'] == dict(train=['a0', 'b1', 'c2', 'd0'], val=['e1', 'f2'])
    why = dict(skipped(folder / 'k400_openpose.pkl'))
    assert 'not from 0 to 1' in why['pixels']
    assert 'not from 0 to 1' in why['nan']
    assert 'its frames go from 1 to 99999999' in why['far']
    for name in bad:
        assert why.pop(name).startswith('malformed: '), name
    for name in ('nobody', 'frameless', 'none'):
        assert why.pop(name) == 'nobody is in it'
    assert why.pop('unlabelled') == 'it has no label'
    assert why.pop('gone').startswith('its file is missing: ')
    assert why.pop('a0').startswith('its name is taken: ')
    assert why == {}


def dataset(path, split, **kwargs):
    cfg = Config.fromfile(ROOT / 'configs/_base_/data/k400.py')
    return DATASETS.build(dict(cfg[f'{split}_dataloader'].dataset, ann_file=str(path), **kwargs))


def test_the_dataset_reads_it_from_one_file_or_many(folder):
    convert(folder)
    one = dataset(folder / 'k400_openpose.pkl', 'val')
    data, clips = convert(folder, '--clip-dir', folder / 'clips')
    assert set(clips['e1']) == {'frame_dir', 'label', 'total_frames'}
    many = dataset(
        folder / 'k400_openpose.pkl', 'val', data_prefix=dict(skeleton=str(folder / 'clips'))
    )
    assert len(one) == len(many) == 2
    for a, b in zip(one, many):
        assert a['inputs'].shape == (1, 2, 300, 18, 3)
        assert a['inputs'].equal(b['inputs'])
        _, score = openpose(0 if a['data_samples'].frame_dir == 'e1' else 5)
        np.testing.assert_allclose(a['inputs'][0, 0, :6, :, 2], score, atol=5e-4)
    assert sorted(path.name for path in (folder / 'clips').iterdir()) == [
        f'{name}.pkl' for name in ('a0', 'b1', 'c2', 'd0', 'e1', 'f2')
    ]


@pytest.mark.parametrize(
    'change, sentence',
    [
        (
            lambda f: (f / 'kinetics_val_label.json').unlink(),
            'kinetics_val_label.json does not exist',
        ),
        (lambda f: (f / 'kinetics_val').rename(f / 'other'), 'kinetics_val does not exist'),
        (
            lambda f: (f / 'kinetics_train_label.json').write_text(''),
            'kinetics_train_label.json is not JSON',
        ),
        (
            lambda f: (f / 'kinetics_train_label.json').write_text('{}'),
            'kinetics_train_label.json must be a dict',
        ),
        (
            lambda f: (f / 'kinetics_train_label.json').write_text('{"a": 1}'),
            'has 1 for a: it must be a dict with a label_index',
        ),
    ],
)
def test_a_wrong_folder_ends_in_one_sentence(folder, change, sentence):
    change(folder)
    with pytest.raises(SystemExit) as end:
        convert(folder)
    assert end.value.code.startswith('error: ')
    assert sentence in end.value.code


def test_the_folder_for_clips_is_no_file(folder, capsys):
    with pytest.raises(SystemExit):
        convert(folder, '--clip-dir', folder / 'kinetics_val_label.json/a')
    assert 'kinetics_val_label.json is a file' in capsys.readouterr().err


def test_one_half_alone(tmp_path):
    write_kinetics(tmp_path, val=dict(a=1, b=0))
    out = run_tool('kinetics.py', tmp_path, tmp_path / 'o.pkl', '--workers', 1)
    data = safe_load(tmp_path / 'o.pkl')
    assert data['split'] == dict(val=['a', 'b'])
    assert data['classes'] == ['class 0', 'class 1']
    assert "kinetics_train does not exist: no split 'train'" in out
    with pytest.raises(SystemExit, match='neither kinetics_train nor kinetics_val'):
        run_tool('kinetics.py', tmp_path / 'kinetics_val', tmp_path / 'p.pkl')


def test_labels_as_text_and_names_that_disagree(tmp_path):
    write_kinetics(tmp_path, train=dict(a=0), val=dict(b=0))
    label = dict(has_skeleton=True, label='another', label_index='0')
    (tmp_path / 'kinetics_val_label.json').write_text(json.dumps(dict(b=label)))
    run_tool('kinetics.py', tmp_path, tmp_path / 'o.pkl', '--workers', 1)
    data = safe_load(tmp_path / 'o.pkl')
    assert [clip['label'] for clip in data['annotations']] == [0, 0]
    assert 'classes' not in data


def test_files_that_are_not_of_kinetics_say_so(tmp_path):
    write_kinetics(tmp_path, train=dict.fromkeys('abcdef', 0))
    pose, score = openpose()
    folder = tmp_path / 'kinetics_train'
    more = [(np.pad(pose, ((0, 0), (0, 7), (0, 0))), np.pad(score, ((0, 0), (0, 7))))]
    write_openpose(folder / 'e.json', [[person] for person in zip(*more[0])], 0)
    content = json.loads((folder / 'f.json').read_text())
    (folder / 'f.json').write_text(json.dumps(dict(content, label_index='waving')))
    write_openpose(folder / 'b.json', [[person] for person in zip(pose[:, :17], score[:, :17])], 0)
    write_openpose(folder / 'c.json', [[person] for person in zip(pose, score * 0)], 0)
    (folder / 'd.json').write_text('[]')
    run_tool('kinetics.py', tmp_path, tmp_path / 'o.pkl', '--workers', 1)
    why = dict(skipped(tmp_path / 'o.pkl'))
    assert '34 numbers in pose and 17 in score: the 18 joints' in why['b']
    assert '50 numbers in pose and 25 in score: the 18 joints' in why['e']
    assert "label_index is 'waving', but 0 in the list of labels" in why['f']
    assert 'all its scores are 0' in why['c'] and "lacks 'data'" in why['d']
