"""Damaged text and arrays: each reader of a tool gives what is whole, or a sentence."""

import io
import json
import pickle

import numpy as np
import pytest
from helpers.data_tools import kinect_v2, one_body, write_skeleton
from helpers.fuzzing import EXAMPLES, damaged, hammer
from helpers.tool_files import READERS, TABLE, dump, features, focus, lines, sample

# What stands where a number or a list should.
WORDS = b'-1 1e999 NaN Infinity null true [] {} "x" 99999999999999999999 1e-320 [[1]]'.split()


def spaced(value):
    """JSON with spaces around each number, which WORDS take the place of."""
    text = json.dumps(value)
    for sign in '[]{},':
        text = text.replace(sign, f' {sign} ')
    return text.encode()


def array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 3, 4, 5, 1), np.float32))
    return buffer.getvalue()


def person():
    return dict(pose=[0.5] * 36, score=[0.5] * 18)


def skeleton(tmp_path):
    path = tmp_path / 'x.skeleton'
    write_skeleton(path, one_body(kinect_v2(0, 1)))
    return path.read_bytes()


FILES = dict(
    log=[lines(dict(step=1, iter=1, epoch=1, loss=0.5), {'step': 1, 'acc/top1': 0.5}).encode()],
    features=[features(classes=np.array(['a', 'b', 'c']))],
    parts=[b'{"0": [1, 2], "3": []}'],
    focus=[focus()],
    dump=[dump(sample(), sample(frame_dir='b', pred_score=[0.1, 0.9]))],
    names=[b'wave\nkick\n'],
    table=[TABLE.encode()],
    npy=[array()],
    csv=[b'frame,person,joint,x,y,score\n0,0,0,1,2,1\n0,0,1,1.5,2,1\n3,1,2,0,0,0\n'],
    npz=[features(features=np.zeros((1, 2, 3, 3)))],
    kinetics=[
        spaced(dict(data=[dict(frame_index=1, skeleton=[person()])], label='x', label_index=0))
    ],
    mmpose=[
        spaced(
            [dict(frame_id=0, instances=[dict(keypoints=[[1, 2]] * 3, keypoint_scores=[1] * 3)])]
        )
    ],
    openpose=[spaced(dict(people=[dict(pose_keypoints_2d=[0.5] * 54)]))],
    labels=[b'clip,label,split\na,0,train\nb,1,val\n', b'clip;label\na;wave\nb;kick\n'],
    layout=[spaced(dict(num_node=3, inward=[[1, 0], [2, 1]], center=0, names=['a', 'b', 'c']))],
)


@pytest.mark.parametrize('name', [*FILES, 'ntu'])
def test_no_damage_leaves_the_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'x.yml'
    files = [skeleton(tmp_path)] if name == 'ntu' else FILES[name]

    def check(data):
        path.write_bytes(data)
        try:
            value = READERS[name](path)
        except (ValueError, SystemExit, FileNotFoundError) as error:
            assert 0 < len(str(error)) < 1000
            return
        assert pickle.dumps(value) if name not in ('focus', 'table') else True

    hammer(name, damaged(files, WORDS), check, EXAMPLES // 3)
