"""Raw files that are damaged or mean harm: a converter lists each with a reason."""

import json
import os
import zipfile

import numpy as np
import pytest
from helpers.data_tools import kinect_v2, one_body, run_tool, skipped, write_ntu, write_skeleton

from stf_mmaction.converters import arrays, custom, kinetics, mmpose_json, ntu, openpose_json
from stf_mmaction.converters.clips import Clip
from stf_mmaction.converters.labels import read_labels
from stf_mmaction.datasets import get_layout
from stf_mmaction.files import check_arrays, read_json, read_text

HEADER = 'frame,person,joint,x,y\n'


@pytest.fixture(scope='module')
def tools():
    """The readers of the converters, by name."""
    return dict(
        csv=lambda path: custom.read_csv(path, 3),
        npz=lambda path: custom.read_arrays(path, 3),
        ntu=ntu.read_bodies,
        kinetics=lambda path: kinetics.read(Clip('x', 0, (), path)),
        mmpose=lambda path: mmpose_json.read(Clip('x', 0, (), path), 2),
        openpose=openpose_json.read_frame,
        labels=read_labels,
        arrays=arrays.find_clips,
    )


def npz(members, compression=zipfile.ZIP_STORED):
    """An NPZ file of raw members."""

    def write(path):
        with zipfile.ZipFile(path, 'w', compression) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    return write


def npy(shape, data=b'', descr='<f4', version=b'\x01\x00'):
    """An NPY file that says any shape."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    return b'\x93NUMPY' + version + len(header).to_bytes(2, 'little') + header + data


def kinetics_of(frames):
    return json.dumps(dict(data=frames, label='x', label_index=0))


def person(value=0.5, joints=18):
    return dict(pose=[value] * (2 * joints), score=[value] * joints)


def openpose_of(*values):
    return json.dumps(dict(people=[dict(pose_keypoints_2d=value) for value in values]))


def skeleton(text):
    """A whole NTU clip, as text."""

    def write(path):
        write_skeleton(path, one_body(kinect_v2(0, 2)))
        path.write_text(text(path.read_text()))

    return write


# (reader, what the file holds or a function that writes it, a part of the error)
CASES = {
    'csv_empty': ('csv', '', 'its columns are not'),
    'csv_heading_alone': ('csv', HEADER, 'no row'),
    'csv_time_stamps': ('csv', HEADER + '0,0,0,1,1\n72000000,0,0,1,1\n', 'not by time'),
    'csv_large_frame': ('csv', HEADER + '0,0,0,1,1\n1e300,0,0,1,1\n', 'whole numbers'),
    'csv_infinite_frame': ('csv', HEADER + 'inf,0,0,1,1\n', 'whole numbers'),
    'csv_half_frame': ('csv', HEADER + '0.5,0,0,1,1\n', 'whole numbers'),
    'csv_joint': ('csv', HEADER + '0,0,99,1,1\n', 'joint'),
    'csv_negative_joint': ('csv', HEADER + '0,0,-1,1,1\n', 'joint'),
    'csv_words': ('csv', HEADER + '0,0,0,one,1\n', "'one'"),
    'csv_few_cells': ('csv', HEADER + '0,0\n', '2 cells'),
    'csv_twice': ('csv', HEADER + '0,0,0,1,1\n' * 2, 'two rows'),
    'csv_null': ('csv', HEADER + '0,0,0,\x00,1\n', 'line'),
    'csv_long_cell': ('csv', HEADER + '0,0,0,"' + '1' * 200_000 + '",1\n', 'field larger'),
    'csv_persons': (
        'csv',
        HEADER + ''.join(f'{i},{i},0,1,1\n' for i in range(3000)),
        'persons and',
    ),
    'npz_empty': ('npz', b'', 'not an NPZ or NPY'),
    'npz_pickle': ('npz', b'\x80\x04N.', 'not an NPZ or NPY'),
    'npz_cut': ('npz', b'PK\x03\x04' + bytes(40), 'not a complete NPZ'),
    'npz_of_zeros': (
        'npz',
        npz({'keypoint.npy': npy('(10, 700000, 3, 3)', bytes(252_000_000))}, zipfile.ZIP_DEFLATED),
        'unpacks to',
    ),
    'npz_says_large': ('npz', npz({'keypoint.npy': npy('(1, 10**12, 3, 3)')}), 'header'),
    'npz_says_endless': (
        'npz',
        npz({'keypoint.npy': npy('(1, 999999999999, 3, 3)')}),
        'unpacks to',
    ),
    'npz_objects': ('npz', npz({'keypoint.npy': npy('(1,)', bytes(8), '|O')}), 'could run code'),
    'npz_records': (
        'npz',
        npz({'keypoint.npy': npy('(1,)', bytes(8), [('a', '<f4')])}),
        'not an array of numbers',
    ),
    'npz_negative': ('npz', npz({'keypoint.npy': npy('(1, -5, 3, 3)')}), 'keypoint.npy'),
    'npz_version': ('npz', npz({'a.npy': npy('(1,)', version=b'\x09\x00')}), 'version'),
    'npz_text_member': ('npz', npz({'a.txt': b'hello world'}), 'not a NumPy array'),
    'npy_says_large': ('npz', npy('(99999999, 999, 3, 3)'), 'unpacks to'),
    'npy_short': ('npz', npy('(1, 9, 3, 3)', bytes(4)), 'array'),
    'npy_shape': ('npz', npy('(3,)', bytes(12)), 'keypoint of shape'),
    'npy_header_code': ('npz', npy("(__import__('os').system('touch attacked'),)"), 'header'),
    'ntu_empty': ('ntu', '', 'empty'),
    'ntu_words': ('ntu', 'many frames', "begins with 'many'"),
    'ntu_negative': ('ntu', '-5 0 0', "begins with '-5'"),
    'ntu_frames': ('ntu', '100000000000 1', 'ends before'),
    'ntu_digits': ('ntu', '9' * 5000, 'begins with'),
    'ntu_bodies': (
        'ntu',
        skeleton(lambda text: '2\n999999999' + text[text.index('\n', 2) :]),
        'frame 1 has a body of',
    ),
    'ntu_far': (
        'ntu',
        skeleton(
            lambda text: text.replace('\n25\n', '\n25\n1e39 ').replace('25\r\n', '25\r\n1e39 ')
        ),
        'm away',
    ),
    'kinetics_empty': ('kinetics', '', 'not JSON'),
    'kinetics_list': ('kinetics', '[]', "lacks 'data'"),
    'kinetics_deep': ('kinetics', '[' * 100_000 + ']' * 100_000, 'nested too deep'),
    'kinetics_digits': ('kinetics', '9' * 10_000, 'not JSON'),
    'kinetics_no_list': ('kinetics', kinetics_of(3), "'data' is not a list"),
    'kinetics_frame_text': ('kinetics', kinetics_of(['x']), "lacks 'frame_index' or 'skeleton'"),
    'kinetics_frame_key': (
        'kinetics',
        kinetics_of([dict(frame_index=0)]),
        "lacks 'frame_index' or 'skeleton'",
    ),
    'kinetics_index': (
        'kinetics',
        kinetics_of([dict(frame_index=[0, [1]], skeleton=[])]),
        'frame_index that is not a whole number',
    ),
    'kinetics_skeleton': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=7)]),
        "'skeleton' is not a list",
    ),
    'kinetics_person': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[dict(pose=[1])])]),
        "lacks 'pose' or 'score'",
    ),
    'kinetics_pose': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[dict(pose=1, score=[])])]),
        'not a list of numbers',
    ),
    'kinetics_texts': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[person('x')])]),
        'not of numbers',
    ),
    'kinetics_frames': (
        'kinetics',
        kinetics_of([dict(frame_index=i, skeleton=[person()]) for i in (0, 10**8)]),
        'not by time',
    ),
    'kinetics_far': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[person(1e30)])]),
        'not from 0 to 1',
    ),
    'kinetics_nan': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[person(float('nan'))])]),
        'not from 0 to 1',
    ),
    'kinetics_joints': (
        'kinetics',
        kinetics_of([dict(frame_index=0, skeleton=[person(joints=17)])]),
        '18 joints',
    ),
    'mmpose_deep': ('mmpose', '{"a":' * 100_000, ''),
    'mmpose_number': ('mmpose', '5', 'neither a list of frames'),
    'mmpose_frames': (
        'mmpose',
        json.dumps([dict(frame_id=i, instances=[]) for i in (0, 10**9)]),
        'not by time',
    ),
    'mmpose_crowd': (
        'mmpose',
        json.dumps(
            [dict(instances=[dict(keypoints=[[1, 2]], keypoint_scores=[1])] * 500) for _ in 'ab']
        ),
        '500 persons',
    ),
    'mmpose_infinite': (
        'mmpose',
        json.dumps([dict(instances=[dict(keypoints=[[1e999, 2]], keypoint_scores=[1])])]),
        'not finite',
    ),
    'mmpose_ragged': (
        'mmpose',
        json.dumps([dict(instances=[dict(keypoints=[[1, 2], [1]], keypoint_scores=[1, 1])])]),
        'lacks',
    ),
    'openpose_text': ('openpose', 'x', 'not JSON'),
    'openpose_people': ('openpose', '{"people": 5}', "no list 'people'"),
    'openpose_joints': ('openpose', openpose_of([1, 2]), 'numbers'),
    'openpose_words': ('openpose', openpose_of(['x'] * 75), 'numbers'),
    'openpose_mixed': ('openpose', openpose_of([0.5] * 75, [0.5] * 54), 'different numbers'),
    'labels_empty': ('labels', '', 'must begin'),
    'labels_heading': ('labels', 'a,b\nc,d\n', 'must begin'),
    'labels_alone': ('labels', 'clip,label\n', 'has no row with a label'),
    'labels_long_cell': ('labels', 'clip,label\nx,"' + 'y' * 200_000 + '"\n', 'field larger'),
    'labels_negative': ('labels', 'clip,label\nx,-3\n', 'at least 0'),
    'labels_blank': ('labels', 'clip,label\nx,\n', 'empty'),
    'arrays_cut': ('arrays', b'PK\x03\x04', 'not a complete .npz'),
    'arrays_text': ('arrays', 'x', 'not a complete .npz'),
    'arrays_of_zeros': (
        'arrays',
        npz(
            {
                'x_train.npy': npy('(20, 23333, 150)', bytes(279_996_000)),
                'y_train.npy': npy('(20, 2)', bytes(160)),
            },
            zipfile.ZIP_DEFLATED,
        ),
        'unpacks to',
    ),
}


@pytest.mark.parametrize('name', CASES)
def test_a_raw_file_is_refused(tools, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    reader, content, reason = CASES[name]
    endings = dict(npz='.npz', arrays='.npz')
    path = tmp_path / f'x_000000000000_keypoints{endings.get(reader, ".json")}'
    if callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    with pytest.raises((ValueError, SystemExit)) as error:
        tools[reader](path)
    sentence = str(error.value)
    assert reason in sentence and '\n' not in sentence.strip() and len(sentence) < 600
    assert not (tmp_path / 'attacked').exists()


LAYOUTS = {
    'star': (
        dict(num_node=10**6, inward=[[i, 0] for i in range(1, 4)], center=0),
        'num_node=1000000',
    ),
    'chain': (
        dict(num_node=100_000, inward=[[i, i - 1] for i in range(1, 100_000)], center=0),
        'num_node=100000',
    ),
    'none': (dict(num_node=0, inward=[], center=0), 'num_node=0'),
    'negative': (dict(num_node=-1, inward=[], center=0), 'num_node=-1'),
    'half': (dict(num_node=1.5, inward=[], center=0), 'whole number'),
    'text': (dict(num_node='x' * 10**6, inward=[], center=0), 'whole number'),
    'bones': (dict(num_node=2, inward=[[1, 0]] * 50_000, center=0), '50000 bones'),
    'triples': (dict(num_node=2, inward=[[1, 0, 1]], center=0), 'pairs of'),
    'number_as_bones': (dict(num_node=2, inward=5, center=0), 'pairs of'),
    'apart': (dict(num_node=3, inward=[[1, 0]], center=0), 'not connected'),
    'own_parent': (dict(num_node=2, inward=[[1, 0], [1, 1]], center=0), 'its own parent'),
    'unknown': (dict(num_node=1, inward=[], center=0, eval='x'), 'unknown keys'),
    'beyond': (dict(num_node=2, inward=[[1, 0]], center=7), 'does not exist'),
    'no_names': (dict(num_node=2, inward=[[1, 0]], center=0, names=['a']), '1 names'),
    'list': ([1, 2], 'neither a name nor a dict'),
}


@pytest.mark.parametrize('name', LAYOUTS)
def test_a_layout_is_refused(tmp_path, name):
    layout, reason = LAYOUTS[name]
    path = tmp_path / 'layout.json'
    path.write_text(json.dumps(layout))
    with pytest.raises(ValueError) as error:
        get_layout(str(path))
    assert reason in str(error.value) and len(str(error.value)) < 600


def test_the_largest_layouts_are_quick():
    """A chain and a star of 2,000 joints; minutes once."""
    chain = get_layout(dict(num_node=2000, inward=[[i, i - 1] for i in range(1, 2000)], center=0))
    assert chain.path(0, 1999) == tuple(range(2000)) and chain.root == 0
    star = get_layout(dict(num_node=2000, inward=[[i, 0] for i in range(1, 2000)], center=0))
    assert star.path(7, 9) == (7, 0, 9) and star.parents[5] == 0


def test_what_cannot_be_read_in_a_folder_is_listed(tmp_path):
    """Links that lead nowhere or in a circle, pipes, names that are not text."""
    raw = tmp_path / 'raw'
    write_ntu(raw, ['S001C001P001R001A001'])
    name = 'S001C001P001R001A{:03d}.skeleton'.format
    (raw / name(2)).symlink_to('gone')
    (raw / name(3)).symlink_to(raw / name(3))
    os.mkfifo(raw / name(4))
    (raw / name(5)).mkdir()
    with open(os.fsencode(raw) + b'/\xff\xfe.skeleton', 'w'):
        pass
    (raw / 'a\nb.skeleton').write_text('')
    (raw / 'below').symlink_to(raw)
    run_tool('ntu.py', 60, raw, tmp_path / 'o.pkl', '--workers', 1)
    why = dict(skipped(tmp_path / 'o.pkl'))
    assert why[name(2)] == 'it is a link to a file that does not exist'
    assert why[name(3)].startswith('it cannot be read: Too many levels of symbolic links')
    assert why[name(4)] == 'it is not a file, but a pipe or a device'
    assert why['\\udcff\\udcfe.skeleton'] == 'its name is not in UTF-8: rename it'
    assert why['a\\nb.skeleton'] == 'its name is not that of an NTU clip'
    assert len(why) == 5


def test_text_of_any_encoding_is_read_and_pipes_are_not(tmp_path):
    path = tmp_path / 'x'
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16', 'latin-1'):
        path.write_text('grüßen', encoding=encoding)
        assert read_text(path) == 'grüßen'
    path.unlink()
    os.mkfifo(path)
    for read in (read_text, read_json, check_arrays):
        with pytest.raises(ValueError, match='is not a file'):
            read(path)


def test_arrays_that_are_well_are_let_through(tmp_path):
    path = tmp_path / 'x.npz'
    np.savez_compressed(path, keypoint=np.zeros((2, 1000, 25, 3)), score=np.array(['a']))
    check_arrays(path)
    np.save(tmp_path / 'x.npy', np.eye(3))
    check_arrays(tmp_path / 'x.npy')
