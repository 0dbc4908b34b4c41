"""The commands and the claims of tools/data/README.md."""

import json
import pickle
import re
import shlex

import numpy as np
import pytest
from data_tools import ROOT, run_tool, skipped, write_csv, write_kinetics, write_ntu
from test_data_arrays import filled, ntu_clips
from test_data_trackers import instances, people, walkers, write_frames

from stf_mmaction.datasets import safe_load

README = (ROOT / 'tools/data/README.md').read_text()
COMMANDS = [
    line for block in re.findall(r'```bash\n(.*?)```', README, re.S) for line in block.splitlines()
]
(LABELS,) = re.findall(r'```\n(clip,label.*?)```', README, re.S)


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """The folders that the README names, with a few clips each."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / 'data'
    names = [
        'S001C001P001R001A001',
        'S001C002P005R002A008',
        'S002C002P003R001A060',
        'S019C001P046R001A075',
        'S020C003P106R001A120',
    ]
    write_ntu(data / 'nturgb+d_skeletons', names)
    for kind, number in (('', 302), ('120', 535)):
        (data / f'NTU_RGBD{kind}_samples_with_missing_skeletons.txt').write_text(
            f'{number} of the captured samples ...\n\n{names[1]}\n' + f'{names[3]}\n' * bool(kind)
        )
    write_kinetics(data / 'kinetics-skeleton', train=dict(a=0, b=1), val=dict(c=1))
    frame = [[person] for person in walkers(18)[0]]
    write_frames(data / 'openpose/wave_01', 'wave_01_', [people(*one) for one in frame])
    (data / 'mmpose').mkdir()
    frames = [dict(instances=instances(*one)) for one in frame]
    (data / 'mmpose/wave_02.json').write_text(json.dumps(frames))
    (data / 'ntu/xsub').mkdir(parents=True)
    for split in ('train', 'val'):
        np.save(data / f'ntu/xsub/{split}_data_joint.npy', filled(ntu_clips()))
        names = [f'{split}{i}.skeleton' for i in range(3)]
        (data / f'ntu/xsub/{split}_label.pkl').write_bytes(pickle.dumps((names, [0, 1, 2])))
    x = filled(ntu_clips()).transpose(0, 2, 4, 3, 1).reshape(3, -1, 150)
    np.savez(data / 'ntu/NTU60_CS.npz', x_train=x, y_train=np.eye(3), x_test=x, y_test=np.eye(3))
    keypoint = np.random.default_rng(0).normal(size=(1, 4, 20, 3))
    write_csv(data / 'my_clips/wave_01.csv', keypoint)
    np.savez(data / 'my_clips/wave_02.npz', keypoint=keypoint)
    (data / 'my_labels.csv').write_text(LABELS)
    return data


EXPECTED = [
    ('ntu.py 60', dict(xsub_train=1, xsub_val=1, xview_train=1, xview_val=1), 3),
    ('ntu.py 120', dict(xsub_train=1, xsub_val=2, xset_train=2, xset_val=1), 2),
    ('kinetics.py', dict(train=2, val=1), 0),
    ('kinetics.py', dict(train=2, val=1), 0),
    ('openpose_json.py', dict(train=1), 1),
    ('mmpose_json.py', dict(val=1), 1),
    ('arrays.py', dict(train=3, val=3), 0),
    ('arrays.py', dict(train=3, val=3), 0),
    ('custom.py', dict(train=1, val=1), 0),
]


@pytest.mark.parametrize('index', range(len(COMMANDS)))
def test_every_command_runs(raw, index):
    tool, sizes, left_out = EXPECTED[index]
    words = shlex.split(COMMANDS[index])
    assert ' '.join(words).startswith(f'python tools/data/{tool}')
    run_tool(words[1].rpartition('/')[2], *words[2:])
    out = next(word for word in words if word.endswith('.pkl'))
    split = safe_load(out)['split']
    assert {name: len(ids) for name, ids in split.items()} == sizes
    assert len(skipped(out)) == left_out
    if '--clip-dir' in words:
        assert len(list((raw / 'skeleton/k400_openpose').iterdir())) == 3


def test_every_command_is_expected():
    assert len(COMMANDS) == len(EXPECTED)


def test_links_lead_somewhere():
    links = re.findall(r'\]\(([^)#]+)\)', README)
    gone = [
        link for link in links if '://' not in link and not (ROOT / 'tools/data' / link).exists()
    ]
    assert links and gone == []
