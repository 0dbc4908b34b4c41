"""JSON of OpenPose and MMPose: persons followed over frames, real files."""

import json

import numpy as np
import pytest
from helpers.data_tools import (
    ROOT,
    instances,
    people,
    run_tool,
    skipped,
    walkers,
    write_frames,
)

from stf_mmaction.datasets import safe_load

REAL = ROOT.parent / 'shared/raw'


@pytest.fixture
def convert(tmp_path):
    """Converts ``clips`` with these labels; returns the pickle."""
    (tmp_path / 'clips').mkdir()

    def converts(tool, labels, *more, source=tmp_path / 'clips'):
        (tmp_path / 'labels.csv').write_text(labels)
        paths = source, tmp_path / 'labels.csv', tmp_path / 'o.pkl'
        run_tool(tool, *paths, '--workers', 1, *more)
        return safe_load(tmp_path / 'o.pkl')

    return converts


@pytest.mark.parametrize('joints', [18, 25])
def test_persons_of_openpose_are_followed(convert, tmp_path, joints):
    """They change places in the file; one is lost for two frames, a passer-by is dropped."""
    both = walkers(joints)
    passer = both[0, 0] + [0, 2, 0]
    frames = [people(*(both[:, t] if t % 2 else both[::-1, t])) for t in range(6)]
    frames[2] = people(both[1, 2])
    frames[3] = people(passer, both[1, 3])
    write_frames(tmp_path / 'clips/walk', 'cam1_', frames, first=7)
    write_frames(tmp_path / 'clips', 'a_b_', [people(both[0, 0]), None, people(both[0, 2])])
    data = convert('openpose_json.py', 'clip,label\nwalk,Walk\na_b.mp4,Stand\n')
    assert data['classes'] == ['Stand', 'Walk']
    walk, stand = data['annotations']
    assert (walk['frame_dir'], walk['label'], walk['total_frames']) == ('walk', 1, 6)
    expected = both[::-1].copy()
    expected[1, 2:4] = 0
    np.testing.assert_allclose(walk['keypoint'], expected[..., :2], atol=1e-6)
    np.testing.assert_allclose(walk['keypoint_score'], expected[..., 2], atol=1e-6)
    assert (stand['frame_dir'], stand['total_frames']) == ('a_b', 3)
    assert not stand['keypoint'][:, 1].any()  # a frame without a file
    one = convert('openpose_json.py', 'clip,label\nwalk,0\n', '--persons', 1)['annotations'][0]
    np.testing.assert_allclose(one['keypoint'], expected[:1, ..., :2], atol=1e-6)


def test_several_clips_in_folders(convert, tmp_path):
    frame = people(walkers()[0, 0])
    for folder, prefix in (('x', 'a_'), ('x', 'b_'), ('y', 'a_'), ('z', '')):
        write_frames(tmp_path / 'clips' / folder, prefix, [frame])
    data = convert('openpose_json.py', 'clip,label\nx/a,0\nx/b,0\ny,1\nz,1\n')
    assert [clip['frame_dir'] for clip in data['annotations']] == ['x/a', 'x/b', 'y', 'z']


def test_files_that_are_not_openposes_are_listed(convert, tmp_path):
    good = walkers()[0, 0]
    bad = dict(
        cut=('{"people": [', 'is not JSON'),
        other=('{"persons": []}', "no list 'people'"),
        hands=(people(good[:16]), 'of shape (48,): it must have 75 numbers (BODY_25) or 54'),
        empty=(dict(people=[{}]), "without 'pose_keypoints_2d', with nothing: hands"),
        hand=(
            dict(people=[dict(hand_left_keypoints_2d=[1.0] * 63)]),
            'with hand_left_keypoints',
        ),
        flat=(dict(people=[dict(pose_keypoints_2d=[], pose_keypoints_3d=[1] * 100)]), '3D points'),
        none=(dict(people=None), "no list 'people'"),
        bare=('[]', "no list 'people'"),
        text=(dict(people=[dict(pose_keypoints_2d='abc')]), 'pose_keypoints_2d'),
        number=(dict(people=[3]), 'not an object'),
        nan=(json.dumps(people(good)).replace('[0.', '[NaN, 0.', 1), 'of shape (55,)'),
    )
    for name, (frame, _) in bad.items():
        write_frames(tmp_path / 'clips', f'{name}_', [people(good), frame])
    write_frames(tmp_path / 'clips', 'nobody_', [people()] * 2)
    write_frames(tmp_path / 'clips', 'unseen_', [people(good * [1, 1, 0]), people()])
    write_frames(tmp_path / 'clips', 'twice_', [people(good)])
    (tmp_path / 'clips/twice_0_keypoints.json').write_text(json.dumps(people(good)))
    write_frames(tmp_path / 'clips', 'mixed_', [people(good), people(walkers(25)[0, 0])])
    write_frames(tmp_path / 'clips', 'good_', [people(good)])
    names = [*bad, 'nobody', 'unseen', 'twice', 'mixed', 'good']
    data = convert('openpose_json.py', 'clip,label\n' + ''.join(f'{n},0\n' for n in names))
    assert [clip['frame_dir'] for clip in data['annotations']] == ['good']
    why = dict(skipped(tmp_path / 'o.pkl'))
    for name, (_, reason) in bad.items():
        assert reason in why[name], (name, why[name])
    assert why['nobody'] == 'nobody is in it'
    assert why['unseen'] == 'all its scores are 0, so no joint counts as seen'
    assert 'two files for a frame' in why['twice']
    assert '18 and 25 joints' in why['mixed']


def test_a_folder_without_openpose_files(convert):
    with pytest.raises(SystemExit, match='give the folder to which openpose --write_json wrote'):
        convert('openpose_json.py', 'clip,label\na,0\n')


def test_real_openpose_files(convert):
    if not REAL.exists():
        pytest.skip(f'{REAL} is not available')
    data = convert('openpose_json.py', 'clip,label\n17,walk\n', source=REAL / 'openpose')
    (clip,) = data['annotations']
    assert clip['keypoint'].shape == (1, 60, 18, 2)  # one person, never lost
    raw = json.loads((REAL / 'openpose/17_000000000010_keypoints.json').read_text())
    joints = np.array(raw['people'][0]['pose_keypoints_2d']).reshape(18, 3)
    np.testing.assert_allclose(clip['keypoint'][0, 10], joints[:, :2], rtol=1e-6)
    np.testing.assert_allclose(clip['keypoint_score'][0, 10], joints[:, 2], rtol=1e-6)


@pytest.mark.parametrize(
    'tool,folder,count', [('kinetics', 'kinetics-skeleton', 5), ('ntu', 'ntu', 3)]
)
def test_every_real_raw_file_converts(tmp_path, tool, folder, count):
    if not REAL.exists():
        pytest.skip(f'{REAL} is not available')
    words = ['60'] if tool == 'ntu' else []
    run_tool(f'{tool}.py', *words, REAL / folder, tmp_path / 'o.pkl', '--workers', 1)
    assert len(safe_load(tmp_path / 'o.pkl')['annotations']) == count
    assert skipped(tmp_path / 'o.pkl') == []


@pytest.mark.parametrize('kind', ['inferencer', 'demo', 'tracked'])
@pytest.mark.parametrize('channels', [2, 3])
def test_mmpose_files(convert, tmp_path, kind, channels):
    both = walkers(17)
    if channels == 3:
        both = np.insert(both, 2, both[..., 0], -1)
    frames = []
    for t in range(6):
        order = [1, 0] if t % 2 else [0, 1]
        ids = [5 + 2 * i for i in order] if kind == 'tracked' else None
        frames.append(dict(frame_id=t + 3, instances=instances(*both[order, t], ids=ids)))
    if kind == 'tracked':  # the numbers count, not the places
        both[:, 3:] = both[::-1, 3:]
        for frame in frames[3:]:
            for one in frame['instances']:
                one['track_id'] = 12 - one['track_id']
    data = dict(meta_info=dict(num_keypoints=17), instance_info=frames)
    (tmp_path / 'clips/far').mkdir()
    path = tmp_path / 'clips/far/wave.json'
    path.write_text(json.dumps(data if kind == 'demo' else frames))
    (clip,) = convert('mmpose_json.py', 'clip,label\nfar/wave.mp4,3\n')['annotations']
    expected = (
        both
        if kind == 'tracked' and both[0, ..., -1].sum() > both[1, ..., -1].sum()
        else both[::-1]
    )
    np.testing.assert_allclose(clip['keypoint'], expected[..., :-1], atol=1e-6)
    np.testing.assert_allclose(clip['keypoint_score'], expected[..., -1], atol=1e-6)
    assert clip['label'] == 3


def test_files_that_are_not_mmposes_are_listed(convert, tmp_path):
    one, more = walkers(17)[0, 0], walkers(18)[0, 0]
    frame = dict(frame_id=0, instances=instances(one))
    bad = dict(
        picture=(instances(one), 'persons of one picture'),
        other=(dict(a=1), "nor a dict with 'instance_info'"),
        frames=([dict(frame_id=0)], "without 'instances'"),
        twice=([frame, frame], 'frame_id is not'),
        far=([frame, dict(frame, frame_id=10**9)], 'its frames go from 0'),
        mixed=([frame, dict(frame_id=1, instances=instances(more))], 'differ in joints'),
        scoreless=([dict(instances=[dict(keypoints=[[1, 2]])])], "frame 1 lacks 'keypoints' or"),
        named=([dict(instances=['wave'])], "frame 1 lacks 'keypoints' or"),
        shape=([dict(instances=[dict(keypoints=[[1, 2]], keypoint_scores=[1, 1])])], 'shape (2,)'),
    )
    for name, (data, _) in bad.items():
        (tmp_path / f'clips/{name}.json').write_text(json.dumps(data))
    (tmp_path / 'clips/cut.json').write_text('[{')
    (tmp_path / 'clips/good.json').write_text(json.dumps([frame]))
    (tmp_path / 'clips/nobody.json').write_text('[]')
    unseen = dict(frame_id=0, instances=instances(one * [1, 1, 0]))
    (tmp_path / 'clips/unseen.json').write_text(json.dumps([unseen]))
    names = [*bad, 'cut', 'nobody', 'unseen', 'good']
    data = convert('mmpose_json.py', 'clip,label\n' + ''.join(f'{n},0\n' for n in names))
    assert [clip['frame_dir'] for clip in data['annotations']] == ['good']
    why = dict(skipped(tmp_path / 'o.pkl'))
    for name, (_, reason) in bad.items():
        assert reason in why[name], (name, why[name])
    assert 'is not JSON' in why['cut'] and why['nobody'] == 'nobody is in it'
    assert why['unseen'] == 'all its scores are 0, so no joint counts as seen'


def test_a_tracker_that_gives_new_numbers_loses_nobody(convert, tmp_path, capsys):
    """Of 24 frames each number lives for six; someone passes by in three."""
    both = np.concatenate([walkers(17, 24)[::-1], walkers(17, 24)[:1] + [0, 3, 0]])
    frames = []
    for t in range(24):
        seen = [0, 1, 2] if 8 <= t < 11 else [0, 1]
        numbers = [10 * i + t // 6 for i in seen]
        frames.append(dict(frame_id=t, instances=instances(*both[seen, t], ids=numbers)))
    (tmp_path / 'clips/walk.json').write_text(json.dumps(frames))
    (clip,) = convert('mmpose_json.py', 'clip,label\nwalk,0\n')['annotations']
    np.testing.assert_allclose(clip['keypoint'], both[:2, ..., :2], atol=1e-6)
    assert 'left_out' not in clip
    run = [tmp_path / 'clips', tmp_path / 'labels.csv', tmp_path / 'o.pkl', '--workers', 1]
    assert '1 have more persons than --persons, the others are left out: walk' in run_tool(
        'mmpose_json.py', *run
    )
    assert 'left out' not in run_tool('mmpose_json.py', *run, '--persons', 3)


def test_frames_in_steps_and_with_gaps(convert, tmp_path):
    """Every fifth frame of a video counts as one; a frame without a file is empty."""
    both = walkers(18, 12)[:1]
    folder = tmp_path / 'clips'
    for name, numbers, kept in (
        ('fifth', range(0, 60, 5), 12),
        ('gap', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40], 41),
        ('steps', [7, 12, 17, 22, 27, 32, 42, 47, 52, 57, 62, 67], 13),
        ('few', [0, 2], 3),
        ('late', range(1000, 1012), 12),
    ):
        for t, number in enumerate(numbers):
            write_frames(folder, f'{name}_', [people(both[0, t])], number)
        data = convert('openpose_json.py', f'clip,label\n{name},0\n')
        assert data['annotations'][0]['total_frames'] == kept, name
    numbers = [33 * t + t % 2 for t in range(12)] + [20_000]
    write_frames(folder / 'time', '', [people(both[0, 0])], 0)
    for number in numbers:
        write_frames(folder / 'time', '', [people(both[0, 0])], number)
    convert('openpose_json.py', 'clip,label\ntime,0\nfew,0\n')
    assert 'number them one by one, not by time' in dict(skipped(tmp_path / 'o.pkl'))['time']


@pytest.mark.parametrize(
    'name,clip',
    [
        ('wave_000000000003', 'wave'),
        ('wave0003', 'wave'),
        ('wave-0003', 'wave'),
        ('wave.0003', 'wave'),
        ('wave 2_0003', 'wave 2'),
        ('wave2_0003', 'wave2'),
        ('\u6325\u624b_0003', '\u6325\u624b'),
        ('0003', 'clips'),
    ],
)
def test_names_of_frames(convert, tmp_path, name, clip):
    (tmp_path / f'clips/{name}_keypoints.json').write_text(json.dumps(people(walkers()[0, 0])))
    data = convert('openpose_json.py', f'clip,label\n{clip},0\n')
    assert data['annotations'][0]['frame_dir'] == clip


@pytest.mark.parametrize('name', ['wave', 'wave_last', 'wave_1.25', 'wave_0x1f', ''])
def test_names_without_a_number_are_listed(convert, tmp_path, name):
    frame = json.dumps(people(walkers()[0, 0]))
    for stem in ('good_0', name):
        (tmp_path / f'clips/{stem}_keypoints.json').write_text(frame)
    convert('openpose_json.py', 'clip,label\ngood,0\n')
    assert skipped(tmp_path / 'o.pkl') == [
        (f'{name}_keypoints.json', 'its name does not end in the number of a frame')
    ]
