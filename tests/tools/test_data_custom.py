"""Skeletons of one's own, as tables and as arrays."""

import re

import numpy as np
import pytest
from helpers.data_tools import run_tool, skipped, write_csv
from helpers.networks import STAR
from mmaction.registry import DATASETS

from stf_mmaction.datasets import safe_load


def skeletons(persons=2, frames=4, channels=3, seed=0):
    """Random keypoints (M, T, 5, C) and scores (M, T, 5)."""
    rng = np.random.default_rng(seed)
    keypoint = rng.normal(size=(persons, frames, 5, channels))
    return (keypoint.astype(np.float32), rng.uniform(0.1, 1, keypoint.shape[:3]).astype(np.float32))


@pytest.fixture
def convert(tmp_path):
    """Converts ``clips`` with these labels; returns the pickle."""
    (tmp_path / 'clips').mkdir()

    def converts(labels):
        (tmp_path / 'labels.csv').write_text(labels)
        run_tool(
            'custom.py',
            tmp_path / 'clips',
            tmp_path / 'labels.csv',
            tmp_path / 'o.pkl',
            '--joints',
            5,
            '--workers',
            1,
        )
        return safe_load(tmp_path / 'o.pkl')

    return converts


@pytest.mark.parametrize('channels', [2, 3])
@pytest.mark.parametrize('scored', [False, True])
@pytest.mark.parametrize('kind', ['csv', 'npz'])
def test_clips_come_back(convert, tmp_path, channels, scored, kind):
    clips = {}
    for index, name in enumerate(['walk', 'far/run', 'jump']):
        keypoint, score = skeletons(1 + index % 2, 4 + index, channels, index)
        if kind == 'csv':
            # Absent: a joint, the second person at first, one frame.
            keypoint[0, 1, 3] = keypoint[1:, :2] = keypoint[:, 2] = 0
            score[~keypoint.any(-1)] = 0
            write_csv(tmp_path / f'clips/{name}.csv', keypoint, score if scored else None)
        else:
            path = tmp_path / f'clips/{name}.npz'
            path.parent.mkdir(exist_ok=True)
            arrays = dict(keypoint_score=score) if scored else {}
            np.savez(path, keypoint=keypoint, **arrays)
            if index:
                path.rename(path.with_suffix('.NPZ'))
        clips[name] = (keypoint, score)
    data = convert('clip,label,split\nwalk,0,train\nfar/run,1,train\njump,2,val\n')
    assert data['split'] == dict(train=['walk', 'far/run'], val=['jump'])
    assert [clip['label'] for clip in data['annotations']] == [0, 1, 2]
    for clip in data['annotations']:
        keypoint, score = clips[clip['frame_dir']]
        np.testing.assert_array_equal(clip['keypoint'], keypoint)
        assert clip['total_frames'] == keypoint.shape[1]
        assert ('keypoint_score' in clip) == scored
        if scored:
            np.testing.assert_array_equal(clip['keypoint_score'], score)
    layout = dict(STAR)
    dataset = DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=str(tmp_path / 'o.pkl'),
            split='train',
            pipeline=[
                dict(type='PrepareSkeleton', layout=layout),
                dict(type='SkeletonStream', layout=layout),
                dict(type='PadTo', length=8),
                dict(type='PoseDecode'),
                dict(type='FormatGCNInput', num_person=2),
                dict(type='PackActionInputs', meta_keys=('frame_dir',)),
            ],
        )
    )
    assert dataset[1]['inputs'].shape == (1, 2, 8, 5, channels + 1)


def test_columns_in_any_order_and_frames_from_any_number(convert, tmp_path):
    """As a spreadsheet writes it: a mark in front, spaces, quotes."""
    text = '\ufeffjoint, y, x, person, frame\r\n4, 1.5, 2.5, 17, 100\r\n0, 3, 4, 2, 101\r\n'
    quoted = re.sub(r'[\w.]+', r'"\g<0>"', text.replace(' ', ''))
    headed = '"joint", "y", "x", "person", "frame"' + text[text.index('\r') :]
    (tmp_path / 'clips/a.csv').write_text(text)
    (tmp_path / 'clips/b.CSV').write_text(quoted)
    (tmp_path / 'clips/c.Csv').write_text(headed)
    clip, *others = convert('\ufeff"clip","label"\r\na, 3\r\n"b","3"\r\nc,3\r\n')['annotations']
    expected = np.zeros((2, 2, 5, 2))
    expected[1, 0, 4] = 2.5, 1.5
    expected[0, 1, 0] = 4, 3
    assert len(others) == 2
    for own in (clip, *others):
        np.testing.assert_array_equal(own['keypoint'], expected)
        assert own['label'] == 3


def test_without_splits_there_is_one(convert, tmp_path):
    for name in 'ab':
        write_csv(tmp_path / f'clips/{name}.csv', skeletons()[0])
    assert convert('clip,label\na,0\nb,1\n')['split'] == dict(all=['a', 'b'])


HEAD = 'frame,person,joint,x,y\n'
BAD_CSV = dict(
    empty=('', 'columns are not'),
    typo=('frame,person,jiont,x,y\n0,0,0,1,1\n', 'columns are not'),
    twice_named=('frame,person,joint,x,y,x\n0,0,0,1,1,1\n', 'columns are not'),
    rowless=(HEAD, 'no row'),
    text=(HEAD + '0,0,0,1,a\n', "'a'"),
    hole=(
        HEAD + ',0,0,1,1\n',
        "line 2: frame is '': frame, person and joint must be whole numbers",
    ),
    narrow=(HEAD + '0,0,0,1\n', 'line 2 has 4 cells, but the heading has 5'),
    ragged=(HEAD + '0,0,0,1,1\n\n0,0,1,1\n', 'line 4 has 4 cells'),
    infinite=(HEAD + '0,0,0,1,inf\n', 'infinite or too large'),
    half=(HEAD + '0.5,0,0,1,1\n', 'whole numbers'),
    nan_frame=(HEAD + 'nan,0,0,1,1\n', 'whole numbers'),
    huge=(HEAD + '1e30,0,0,1,1\n', 'whole numbers'),
    long=(HEAD + '0,0,0,1,1\n1000000000,0,0,1,1\n', 'its frames go from 0 to 1000000000'),
    sixth=(HEAD + '0,0,5,1,1\n', '--joints 5 allows 0 to 4'),
    negative=(HEAD + '0,0,-1,1,1\n', '--joints 5 allows 0 to 4'),
    repeated=(HEAD + '0,0,0,1,1\n0,0,0,2,2\n', 'two rows'),
    binary=('\x00\x01', 'columns are not'),
)


def test_tables_that_cannot_be_used_are_listed(convert, tmp_path):
    keypoint, score = skeletons()
    for name, (text, _) in BAD_CSV.items():
        (tmp_path / f'clips/{name}.csv').write_text(text)
    for name in ('good', 'fine', 'more', 'both', 'unlabelled'):
        write_csv(tmp_path / f'clips/{name}.csv', keypoint)
    write_csv(tmp_path / 'clips/flat.csv', keypoint[..., :2])
    write_csv(tmp_path / 'clips/scored.csv', keypoint, score)
    write_csv(tmp_path / 'clips/empty_body.csv', keypoint)
    np.savez(tmp_path / 'clips/both.npz', keypoint=keypoint)
    (tmp_path / 'clips/zero.csv').write_text(HEAD + '0,0,0,0,0\n')
    write_csv(tmp_path / 'clips/unseen.csv', keypoint, score * 0)
    named = [*BAD_CSV, 'good', 'fine', 'more', 'both', 'flat', 'scored', 'zero', 'unseen', 'gone']
    data = convert('clip,label,split\n' + ''.join(f'{name},0,train\n' for name in named))
    names = [clip['frame_dir'] for clip in data['annotations']]
    assert names == data['split']['train'] == ['good', 'fine', 'more', 'both']
    why = dict(skipped(tmp_path / 'o.pkl'))
    for name, (_, reason) in BAD_CSV.items():
        assert why[name].startswith('malformed: '), name
        # csv of Python 3.10 refuses a NUL itself.
        assert reason in why[name] or 'line contains NUL' in why[name], (name, why[name])
    assert 'both.csv' in why['both'] and 'both.npz' in why['both']
    assert why['flat'].startswith('it differs from most clips: 5 joints, 2 channels')
    assert 'with scores' in why['scored']
    assert why['zero'] == 'nobody is in it'
    assert why['unseen'] == 'all its scores are 0, so no joint counts as seen'
    assert why['gone'].startswith('its file is missing')
    assert why['unlabelled'] == why['empty_body'] == 'it has no label'
    assert len(why) == len(BAD_CSV) + 8


def test_arrays_that_cannot_be_used_are_listed(convert, tmp_path):
    keypoint, score = skeletons()
    infinite = keypoint.copy()
    infinite[0, 0, 0, 0] = np.inf
    bad = dict(
        flat=(dict(keypoint=keypoint[0, 0]), 'not (persons'),
        joints=(dict(keypoint=keypoint[:, :, :4]), 'not (persons'),
        channels=(dict(keypoint=keypoint[..., :1]), 'not (persons'),
        named=(dict(pose=keypoint, other=keypoint), "holds ['other', 'pose']"),
        twice=(dict(keypoint=keypoint, keypoints=keypoint), 'holds'),
        score=(
            dict(keypoint=keypoint, keypoint_score=score[:1]),
            'keypoint_score of shape (1, 4, 5)',
        ),
        infinite=(dict(keypoint=infinite), 'infinite or too large'),
        # Would run code if it were unpickled.
        pickled=(dict(keypoint=np.array([{}])), 'could run code'),
        text=(dict(keypoint=keypoint.astype(str)), 'malformed'),
        complex=(dict(keypoint=keypoint + 1j), 'malformed'),
        large=(dict(keypoint=keypoint.astype(float) * 1e300), 'infinite or too large'),
        none=(dict(keypoint=keypoint[:, :0]), 'nobody'),
    )
    for name, (arrays, _) in bad.items():
        np.savez(tmp_path / f'clips/{name}.npz', **arrays)
    np.savez(tmp_path / 'clips/good.npz', keypoint=keypoint)
    whole = (tmp_path / 'clips/good.npz').read_bytes()
    (tmp_path / 'clips/cut.npz').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'clips/empty.npz').write_bytes(b'')
    data = convert(
        'clip,label\n' + ''.join(f'{name},0\n' for name in (*bad, 'cut', 'empty', 'good'))
    )
    assert [c['frame_dir'] for c in data['annotations']] == ['good']
    why = dict(skipped(tmp_path / 'o.pkl'))
    for name, (_, reason) in bad.items():
        # csv of Python 3.10 refuses a NUL itself.
        assert reason in why[name] or 'line contains NUL' in why[name], (name, why[name])
    assert why['cut'].startswith('malformed: ')
    assert why['empty'].startswith('malformed: ')


@pytest.mark.parametrize(
    'labels, sentence',
    [
        ('', 'must begin with the line'),
        ('name,label\na,0\n', "not with 'name,label'"),
        ('clip,label\n', 'has no row with a label'),
        ('clip,label\na,0\nb,walk\n', "line 3 of"),
        ('clip,label\n\na,-1\n', "line 3 of"),
        ('clip,label\na,0.5\n', 'label 0.5: labels are whole numbers'),
        ('clip,label\na,\n', 'empty clip, label or split'),
        ('clip,label\na,nan\nb,1\n', "'nan', but others have numbers"),
        ('clip,label\na\n', "line 2 of"),
        ('clip,label\na,0\na.csv,1\n', 'labels clip a 2 times'),
        ('clip,label\na,0\na,1\n', 'labels clip a 2 times'),
        ('clip,label\nb,0\n', 'no clip could be used'),
    ],
)
def test_wrong_labels_end_in_one_sentence(convert, tmp_path, labels, sentence):
    write_csv(tmp_path / 'clips/a.csv', skeletons()[0])
    with pytest.raises(SystemExit) as end:
        convert(labels)
    assert end.value.code.startswith('error: ')
    assert sentence in end.value.code


def test_an_empty_folder_ends_in_one_sentence(convert):
    with pytest.raises(SystemExit, match='holds no .csv, .npz or .npy file'):
        convert('clip,label\na,0\n')


def test_class_names_are_numbered_and_kept(convert, tmp_path):
    """Labels as text, columns in another order and case, endings, Windows paths."""
    for name in ('a', 'b', 'far/c', 'd'):
        write_csv(tmp_path / f'clips/{name}.csv', skeletons()[0])
    rows = 'train,Wave,a.csv,x\nval,sit down,b.CSV,y\ntrain,Wave,.\\far\\c,z\nval,"Ha, ha",d,\n'
    data = convert('Split,LABEL, Clip ,remark\n' + rows)
    assert data['classes'] == ['Ha, ha', 'Wave', 'sit down']
    labels = {clip['frame_dir']: clip['label'] for clip in data['annotations']}
    assert labels == {'a': 1, 'b': 2, 'far/c': 1, 'd': 0}
    assert data['split'] == dict(train=['a', 'far/c'], val=['b', 'd'])
    assert (tmp_path / 'o.pkl.classes.txt').read_text() == 'Ha, ha\nWave\nsit down\n'


def test_whole_numbers_with_a_point_are_labels(convert, tmp_path):
    for name in 'ab':
        write_csv(tmp_path / f'clips/{name}.csv', skeletons()[0])
    data = convert('clip;label\na;0.0\nb;3.\n')
    assert [clip['label'] for clip in data['annotations']] == [0, 3]
    assert 'classes' not in data


def test_what_was_not_seen_is_blank_or_nan(convert, tmp_path, capsys):
    rows = 'Frame,Joint,X,Y,time,SCORE\n0,0,1,2,t,0.5\n0,1,,2,t,0.5\n0,2,nan,NaN,t,1\n1,3,3,4,t,\n'
    (tmp_path / 'clips/a.csv').write_text(rows)
    (tmp_path / 'clips/b.csv').write_text(rows.replace('1,2,t', '1.5,2,t').replace(',', '\t'))
    german = rows.replace(',', ';').replace('0;0;1;2;t;0.5', '0;0;1,5;2;t;0,5')
    (tmp_path / 'clips/c.csv').write_bytes(german.encode('utf-16'))
    clips = convert('clip,label\na,0\nb,0\nc,0\n')['annotations']
    for clip, x in zip(clips, (1, 1.5, 1.5)):
        expected = np.zeros((1, 2, 5, 2))
        expected[0, 0, 0] = x, 2
        np.testing.assert_array_equal(clip['keypoint'], expected)
        score = np.zeros((1, 2, 5))
        score[0, 0, 0] = 0.5
        np.testing.assert_array_equal(clip['keypoint_score'], score)


def test_columns_that_are_not_read_are_named(tmp_path):
    (tmp_path / 'clips').mkdir()
    (tmp_path / 'clips/a.csv').write_text('frame,joint,x,y,scor\n0,0,1,1,1\n')
    (tmp_path / 'labels.csv').write_text('clip,label\na,0\n')
    words = [tmp_path / 'clips', tmp_path / 'labels.csv', tmp_path / 'o.pkl', '--joints', 5]
    printed = run_tool('custom.py', *words, '--workers', 1)
    assert f"ignored columns of {tmp_path / 'clips/a.csv'}: scor\n" in printed
    # A wrong --joints would be noticed by the network only.
    assert 'joints that are missing in all clips: 1, 2, 3, 4\n' in printed


def test_arrays_of_one_person_of_any_name(convert, tmp_path):
    keypoint, score = skeletons(persons=1)
    keypoint[0, 1, 2, 0] = np.nan
    np.savez(tmp_path / 'clips/a.npz', keypoints=keypoint[0], scores=score[0])
    np.savez(tmp_path / 'clips/b.npz', anything=keypoint[0])
    np.save(tmp_path / 'clips/c.npy', keypoint[0].astype(np.float64))
    expected = keypoint.copy()
    expected[0, 1, 2] = 0
    for name in 'bc':
        (clip,) = convert(f'clip,label\n{name},0\n')['annotations']
        np.testing.assert_array_equal(clip['keypoint'], expected)
    (clip,) = convert('clip,label\na,0\n')['annotations']
    np.testing.assert_array_equal(clip['keypoint'], expected)
    score[0, 1, 2] = 0
    np.testing.assert_array_equal(clip['keypoint_score'], score)
