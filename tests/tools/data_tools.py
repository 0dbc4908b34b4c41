"""Raw files as they are published, made of real skeletons; the converters."""

import contextlib
import io
import json
import runpy
from pathlib import Path
from unittest import mock

import numpy as np

from stf_mmaction.datasets import safe_load

ROOT = Path(__file__).parents[2]
# As NTU's: one bit more than a float keeps.
IDS = ['72057594037932358', '72057594037932359', '72057594037932360', '72057594037932361']


def run_tool(name, *arguments):
    """Run a tool of tools/data in this process; return what it prints."""
    path = ROOT / 'tools/data' / name
    out = io.StringIO()
    argv = [name, *map(str, arguments)]
    with (
        mock.patch('sys.argv', argv),
        contextlib.redirect_stdout(out),
    ):
        runpy.run_path(str(path), run_name='__main__')
    return out.getvalue()


def skipped(out):
    """The list of what was left out: (name, reason) pairs."""
    text = Path(f'{out}.skipped.txt').read_text()
    return [tuple(line.split('\t')) for line in text.splitlines()]


def kinect_v2(index=0, frames=32):
    """A person of the bundled data with the 25 joints of NTU, (T, 25, 3).

    The 20 joints of Kinect v1 are the first 20 of v2; of the others one is
    between the shoulders, four on the hands.
    """
    data = safe_load(ROOT / 'tools/demo_data/ui_prmd_tiny.pkl')
    joints = data['annotations'][index]['keypoint'][0].astype(float)
    more = joints[:, [2, 7, 7, 11, 11]] + [
        [0, 0.01, 0],
        [0, 0.02, 0],
        [0.02, 0, 0],
        [0, 0.02, 0],
        [0.02, 0, 0],
    ]
    joints = np.concatenate([joints, more], 1) + [0, 0, 3]
    return written(np.resize(joints, (frames, 25, 3)))


def written(joints):
    """The numbers that a file with seven digits holds."""
    return np.vectorize(lambda value: float(f'{value:.7g}'))(joints)


def write_skeleton(path, frames, extra='0'):
    """Write an NTU ``.skeleton`` file.

    Args:
        path (Path): The file.
        frames (list): For each frame a list of (id, (25, 3) joints).
        extra (str): What the columns that are not read hold.
    """
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for name, joints in bodies:
            lines += [f'{name} 0 1 1 0 1 0 0.02764709 0.05745083 2', '25']
            lines += [
                ' '.join([f'{value:.7g}' for value in joint] + [extra] * 8 + ['2'])
                for joint in joints
            ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\r\n'.join(lines) + '\r\n')


def one_body(joints, name=IDS[0]):
    """Frames of a clip of one person, (T, 25, 3)."""
    return [[(name, frame)] for frame in joints]


def write_ntu(folder, names, frames=14):
    """A clip of one person each; returns their joints by name."""
    clips = {}
    for index, name in enumerate(names):
        clips[name] = kinect_v2(index * 7, frames + index)
        write_skeleton(folder / f'{name}.skeleton', one_body(clips[name]))
    return clips


def openpose(index=0, frames=6):
    """A person of the bundled data as OpenPose sees it.

    Returns:
        tuple: (T, 18, 2) places from 0 to 1 and (T, 18) scores, with three
        decimals; the ears are not seen.
    """
    joints = kinect_v2(index, frames)
    order = [3, 2, 8, 9, 10, 4, 5, 6, 16, 17, 18, 12, 13, 14, 3, 3, 3, 3]
    pose = joints[:, order, :2] * [0.3, -0.4] + [0.5, 0.9]
    rng = np.random.default_rng(index)
    score = rng.uniform(0.2, 0.9, pose.shape[:2])
    pose[:, 16:] = score[:, 16:] = 0
    return pose.round(3), score.round(3)


def write_openpose(path, frames, label, first=1):
    """Write a Kinetics-Skeleton clip.

    Args:
        path (Path): The file.
        frames (list): For each frame a list of ((18, 2) pose, (18,) score).
        label (int): The class.
        first (int): The index of the first frame.
    """
    data = [
        dict(
            frame_index=first + index,
            skeleton=[
                dict(pose=pose.ravel().tolist(), score=score.tolist()) for pose, score in persons
            ],
        )
        for index, persons in enumerate(frames)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(data=data, label=f'class {label}', label_index=label)))


def write_kinetics(folder, **splits):
    """Clips of one person, and the labels.

    Args:
        folder (Path): The folder of the data set.
        splits (dict): For each split a dict of id to label.
    """
    for split, clips in splits.items():
        for index, (name, label) in enumerate(clips.items()):
            write_openpose(
                folder / f'kinetics_{split}/{name}.json',
                [[person] for person in zip(*openpose(index * 5))],
                label,
            )
        (folder / f'kinetics_{split}_label.json').write_text(
            json.dumps(
                {
                    name: dict(has_skeleton=True, label=f'class {label}', label_index=label)
                    for name, label in clips.items()
                }
            )
        )


def write_csv(path, keypoint, score=None):
    """Write a clip (M, T, V, C) as a table; joints that are 0 are absent."""
    rows = [
        'frame,person,joint,x,y,z,score'.split(',')[: 3 + keypoint.shape[3]]
        + ['score'] * (score is not None)
    ]
    for place in np.argwhere(keypoint.any(-1)):
        person, frame, joint = place
        row = [frame, person, joint, *keypoint[tuple(place)]]
        rows.append(row + ([] if score is None else [score[tuple(place)]]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(','.join(map(str, row)) for row in rows) + '\n')
