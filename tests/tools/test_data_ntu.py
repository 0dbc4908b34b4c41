"""Raw NTU RGB+D skeletons to a pickle, and from there into the pipeline."""

import numpy as np
import pytest
from helpers.data_tools import (
    IDS,
    ROOT,
    kinect_v2,
    one_body,
    run_tool,
    skipped,
    write_ntu,
    write_skeleton,
    written,
)
from mmaction.registry import DATASETS
from mmengine.config import Config

from stf_mmaction.converters.ntu import splits
from stf_mmaction.datasets import safe_load

NAME = 'S001C002P003R002A013'


@pytest.fixture
def convert(tmp_path):
    """Writes the frames as a clip, converts it, returns its keypoints."""

    def converts(frames, **kwargs):
        write_skeleton(tmp_path / f'raw/{NAME}.skeleton', frames, **kwargs)
        out = tmp_path / 'out.pkl'
        run_tool('ntu.py', 60, tmp_path / 'raw', out, '--workers', 1)
        (clip,) = safe_load(out)['annotations']
        assert clip['total_frames'] == clip['keypoint'].shape[1]
        assert clip['keypoint'].dtype == np.float32
        return clip['keypoint']

    return converts


def same(found, *persons):
    np.testing.assert_array_equal(found, np.float32(persons))


def still(frames, at=(2, 0, 4)):
    """A small person who hardly moves."""
    return written(
        kinect_v2(5, 1)[[0] * frames] / 2 + at + np.linspace(0, 0.01, frames)[:, None, None]
    )


def test_a_clip_comes_back_with_its_label_and_splits(tmp_path):
    joints = write_ntu(tmp_path / 'raw', [NAME])[NAME]
    printed = run_tool('ntu.py', 60, tmp_path / 'raw', tmp_path / 'a/b.pkl')
    data = safe_load(tmp_path / 'a/b.pkl')
    (clip,) = data['annotations']
    same(clip['keypoint'], joints)
    assert set(clip) == {'frame_dir', 'label', 'total_frames', 'keypoint'}
    assert (clip['frame_dir'], clip['label'], clip['total_frames']) == (NAME, 12, 14)
    assert data['split'] == dict(xsub_val=[NAME], xview_train=[NAME])
    assert '1 clips (xsub_val 1, xview_train 1)' in printed
    assert skipped(tmp_path / 'a/b.pkl') == []
    assert sorted(p.name for p in (tmp_path / 'a').iterdir()) == ['b.pkl', 'b.pkl.skipped.txt']


def test_persons_are_those_with_an_id_in_any_order(convert):
    first, second = kinect_v2(0, 20), kinect_v2(50, 20) + [1, 0, 0]
    frames = [
        [(IDS[0], a), (IDS[1], b)][:: (-1) ** t] for t, (a, b) in enumerate(zip(first, second))
    ]
    found = convert(frames)
    by_motion = sorted([first, second], key=lambda p: -p.var((0, 1)).sum())
    same(found, *map(written, by_motion))


def test_a_person_may_come_late_and_be_away(convert):
    first, second = kinect_v2(0, 20), still(20)
    away = [0, 1, 8]
    frames = [
        [(IDS[0], a)] + [(IDS[1], b)] * (t not in away)
        for t, (a, b) in enumerate(zip(first, second))
    ]
    second[away] = 0
    same(convert(frames), first, second)


def test_the_first_person_is_there_in_the_first_frame(convert):
    """For transforms that centre a clip on it."""
    moving, other = kinect_v2(0, 20), still(20)
    frames = [
        [(IDS[0], a)] * (t > 2) + [(IDS[1], b)] for t, (a, b) in enumerate(zip(moving, other))
    ]
    moving[:3] = 0
    same(convert(frames), other, moving)


def test_frames_without_a_person_are_cut_out(convert):
    joints = kinect_v2(0, 20)
    frames = one_body(joints)
    for t in (0, 7, 19):
        frames[t] = []
    same(convert(frames), np.delete(joints, [0, 7, 19], 0))


def test_noise_is_dropped_though_it_moves_most(convert):
    person = kinect_v2(0, 40)
    short = kinect_v2(9, 11) * np.linspace(1, 3, 11)[:, None, None]
    table = kinect_v2(9, 40) * [9, 0.1, 1] * np.linspace(1, 3, 40)[:, None, None]
    frames = [
        [(IDS[3], table[t]), (IDS[0], person[t])]
        + [(IDS[1], joints) for joints in short[t : t + 1]]
        for t in range(40)
    ]
    same(convert(frames), person)
    # One frame more, and less than 69.754 % of the frames wide.
    longer = kinect_v2(9, 12) * np.linspace(1, 3, 12)[:, None, None]
    frames = [
        [(IDS[0], person[t])] + [(IDS[1], joints) for joints in longer[t : t + 1]]
        for t in range(40)
    ]
    assert len(convert(frames)) == 2
    table[:13] = kinect_v2(9, 13) * 2
    frames = [[(IDS[0], person[t]), (IDS[3], table[t])] for t in range(40)]
    assert len(convert(frames)) == 2


@pytest.mark.parametrize('joints', [kinect_v2(0, 4), kinect_v2(0, 20) * [9, 1, 1]])
def test_noise_is_better_than_nobody(convert, joints):
    same(convert(one_body(joints)), written(joints))


def test_wide_frames_do_not_count_as_motion(convert):
    person, chair = kinect_v2(0, 40), still(40)
    chair[30:] = chair[30:] * [9, 1, 1]
    frames = [[(IDS[0], chair[t]), (IDS[1], person[t])] for t in range(40)]
    assert chair.var((0, 1)).sum() > person.var((0, 1)).sum()
    same(convert(frames), person, written(chair))


def test_someone_found_again_is_the_same_person(convert):
    """Three ids, two persons: the Kinect lost the one who moves most."""
    moving, other = kinect_v2(0, 40), still(40)
    moving[20:24] = 0
    frames = [[(IDS[2], other[t])] for t in range(40)]
    for t in range(40):
        if t < 20 or t >= 24:
            frames[t].append((IDS[t // 20], moving[t]))
    same(convert(frames), moving, other)


def test_the_third_person_is_dropped(convert):
    persons = [kinect_v2(0, 20), kinect_v2(50, 20) * 0.5 + [1, 0, 3], still(20)]
    persons = sorted(map(written, persons), key=lambda p: -p.var((0, 1)).sum())
    frames = [[(IDS[i], persons[i][t]) for i in (2, 0, 1)] for t in range(20)]
    same(convert(frames), *persons[:2])


def test_a_joint_that_is_partly_no_number_was_not_seen(convert):
    joints = kinect_v2(0, 20)
    broken = joints.copy()
    broken[3, 7], broken[4, 7], broken[5, 7] = ((np.nan, 1, 2), (1, np.inf, 2), (1, 2, -np.inf))
    joints[3:6, 7] = 0
    same(convert(one_body(broken), extra='-1.#INF'), joints)


@pytest.mark.parametrize(
    'classes, name, splits',
    [
        (60, 'S001C001P001R001A001', {'xsub_train', 'xview_val'}),
        (60, 'S017C002P040R002A060', {'xsub_val', 'xview_train'}),
        (60, 'S017C003P038R002A060', {'xsub_train', 'xview_train'}),
        (120, 'S001C001P001R001A001', {'xsub_train', 'xset_val'}),
        (120, 'S018C001P103R001A120', {'xsub_train', 'xset_train'}),
        (120, 'S032C003P106R002A061', {'xsub_val', 'xset_train'}),
    ],
)
def test_splits(tmp_path, classes, name, splits):
    write_ntu(tmp_path, [name])
    run_tool('ntu.py', classes, tmp_path, tmp_path / 'o.pkl', '--workers', 1)
    data = safe_load(tmp_path / 'o.pkl')
    assert set(data['split']) == splits
    assert data['annotations'][0]['label'] == int(name[-3:]) - 1


# As published in the papers of the data sets.
SUBJECTS_60 = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
SUBJECTS_120 = {
    1,
    2,
    4,
    5,
    8,
    9,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    25,
    27,
    28,
    31,
    34,
    35,
    38,
    45,
    46,
    47,
    49,
    50,
    52,
    53,
    54,
    55,
    56,
    57,
    58,
    59,
    70,
    74,
    78,
    80,
    81,
    82,
    83,
    84,
    85,
    86,
    89,
    91,
    92,
    93,
    94,
    95,
    97,
    98,
    100,
    103,
}


def test_who_and_what_trains():
    """20 of 40 subjects in NTU-60, 53 of 106 in NTU-120."""
    for classes, last, expected in ((60, 40, SUBJECTS_60), (120, 106, SUBJECTS_120)):
        assert {
            subject
            for subject in range(1, last + 1)
            if splits(1, 1, subject, classes)[0] == 'xsub_train'
        } == expected
    assert [splits(s, c, 1, 60)[1] for c in (1, 2, 3) for s in (1, 2)] == ['xview_val'] * 2 + [
        'xview_train'
    ] * 4
    assert [splits(s, c, 1, 120)[1] for s in range(1, 33) for c in (1, 2)] == (
        ['xset_val'] * 2 + ['xset_train'] * 2
    ) * 16


def test_what_cannot_be_used_is_listed_and_not_fatal(tmp_path):
    raw = tmp_path / 'raw'
    good = 'S001C001P001R001A001'
    clips = [f'S001C001P001R001A0{n}' for n in range(10, 24)]
    write_ntu(raw, [good, *clips, 'S018C001P001R001A061'])
    write_ntu(raw / 'again', [good])
    write_skeleton(raw / f'{clips[0]}.skeleton', [[], [], []])
    files = {name: raw / f'{name}.skeleton' for name in clips}
    text = files[clips[1]].read_text()
    lines = text.splitlines(True)
    files[clips[1]].write_text(''.join(lines[:60]))
    files[clips[2]].write_text(''.join(lines[:-1]))
    files[clips[3]].write_text(text + '1\n')
    files[clips[4]].write_text(text.replace('\n25\n', '\n20\n', 1))
    files[clips[5]].write_text('')
    files[clips[6]].write_bytes(b'\xff\xfe\x00\x01' * 50)
    files[clips[7]].write_text(text.replace('\n1\n', '\nmany\n', 1))
    files[clips[8]].write_text('100000000000' + text[text.index('\n') :])
    files[clips[9]].write_text(''.join(lines[:29]))
    (raw / 'notes.skeleton').write_text('')
    (raw / 'S001C001P001R001A050.skeleton').symlink_to('gone')
    (raw / 'readme.txt').write_text('')
    # As the authors of the data set publish it.
    (tmp_path / 'missing.txt').write_text(
        '2 of the captured samples in the "NTU RGB+D" dataset have missing '
        f'skeleton data.\n\n{clips[10]}\n{clips[11]}\nS017C003P020R001A059\n'
    )
    out = tmp_path / 'ntu60_3d.pkl'
    printed = run_tool(
        'ntu.py', 60, raw, out, '--missing', tmp_path / 'missing.txt', '--workers', 2
    )
    data = safe_load(out)
    names = [clip['frame_dir'] for clip in data['annotations']]
    assert names == [good, clips[12], clips[13]]
    assert data['split'] == dict(xsub_train=names, xview_val=names)
    why = dict(skipped(out))
    assert len(why) == len(skipped(out)) == 16
    assert why[clips[0]] == 'nobody is in it'
    for name, reason in zip(
        clips[1:10],
        (
            'ends in frame 3 of 16',
            'ends in frame 16 of 16',
            'continues after its 16 frames',
            'a body of 20 joints',
            'is empty',
            'it begins with',
            "'many'",
            'malformed',
            'ends in frame 2 of 16',
        ),
    ):
        assert why[name].startswith('malformed: ')
        assert reason in why[name], (name, why[name])
    assert why[clips[10]] == 'in the list of missing skeletons'
    assert why['S018C001P001R001A061'] == 'not of NTU-60'
    assert 'notes.skeleton' in why
    assert why['S001C001P001R001A050.skeleton'] == 'it is a link to a file that does not exist'
    assert f'after {raw}/{good}.skeleton' in why[good]
    for line in (
        '9 skipped: malformed',
        '1 skipped: nobody is in it',
        '2 skipped: in the list of missing skeletons',
        '1 skipped: its name is taken',
        f"2 of the 3 clips listed in {tmp_path / 'missing.txt'} are in {raw}",
    ):
        assert line in printed
    assert 'warning' not in printed


def test_a_list_of_missing_clips_that_is_of_no_use(tmp_path):
    write_ntu(tmp_path / 'raw', [NAME])
    call = ('ntu.py', 60, tmp_path / 'raw', tmp_path / 'o.pkl', '--workers', 1)
    assert 'warning: without --missing' in run_tool(*call)
    other = tmp_path / 'other.txt'
    other.write_text('S018C001P001R001A061\n')
    printed = run_tool(*call, '--missing', other)
    assert f'0 of the 1 clips listed in {other}' in printed
    assert f'warning: is {other} the list of this data set?' in printed
    for encoding in ('utf-16', 'cp1252'):
        other.write_text(f'é {NAME}\n', encoding=encoding)
        with pytest.raises(SystemExit, match='1 skipped: in the list of missing'):
            run_tool(*call, '--missing', other)


@pytest.fixture(scope='module')
def ntu60(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ntu60')
    names = [
        f'S001C00{camera}P00{subject}R001A00{action}'
        for camera in (1, 2)
        for subject in (1, 3)
        for action in (1, 2)
    ]
    raw = write_ntu(folder / 'raw', names)
    run_tool('ntu.py', 60, folder / 'raw', folder / 'ntu60_3d.pkl')
    return folder / 'ntu60_3d.pkl', raw


def test_the_dataset_reads_it_with_the_real_pipeline(ntu60):
    path, raw = ntu60
    cfg = Config.fromfile(ROOT / 'configs/_base_/data/ntu.py')
    for split, size in dict(xsub_train=4, xsub_val=4, xview_train=4, xview_val=4).items():
        dataset = DATASETS.build(
            dict(cfg.train_dataloader.dataset, ann_file=str(path), split=split)
        )
        assert len(dataset) == size
        inputs = dataset[0]['inputs'].numpy()
        assert inputs.shape == (1, 2, 300, 25, 4)
        joints = raw[dataset.get_data_info(0)['frame_dir']]
        seen = inputs[0, 0, : len(joints)]
        height = (joints - joints[:, 20:21])[5, 3] / seen[5, 3, :3]
        np.testing.assert_allclose(height, height[0], rtol=1e-4)
        assert (seen[..., 3] == 1).all() and not inputs[0, 1].any()
