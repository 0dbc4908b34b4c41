"""Raw files of every kind that tools/data/README.md names."""

import json
import pickle
import re

import numpy as np

from helpers import ROOT
from helpers.data_tools import (
    filled,
    instances,
    ntu_clips,
    people,
    walkers,
    write_csv,
    write_frames,
    write_kinetics,
    write_ntu,
)

README = (ROOT / 'tools/data/README.md').read_text()
(LABELS,) = re.findall(r'```\n(clip,label.*?)```', README, re.S)


def write_raw(folder):
    """The folders that the README names, with a few clips each."""
    data = folder / 'data'
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
