"""Raw files as they are published, made of real skeletons; the converters."""

import contextlib
import io
import json
import runpy
from pathlib import Path
from unittest import mock

import numpy as np

from helpers import ROOT
from stf_mmaction.datasets import safe_load

# As NTU's: one bit more than a float keeps.
IDS = ['72057594037932358', '72057594037932359', '72057594037932360', '72057594037932361']
# Frames of the clips of ntu_clips.
LENGTHS = (7, 10, 5)


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


def ntu_clips():
    """Clips (M, T, 25, 3); the second has two persons."""
    clips = [kinect_v2(7 * i, frames)[None] for i, frames in enumerate(LENGTHS)]
    clips[1] = np.concatenate([clips[1], clips[1] + [0.5, 0, 0]])
    return [clip.astype(np.float32) for clip in clips]


def filled(clips, length=24, repeat=False):
    """As ST-GCN pads them: (N, C, T, V, 2)."""
    out = np.zeros((len(clips), 3, length, clips[0].shape[2], 2), np.float32)
    for place, clip in enumerate(clips):
        frames = np.resize(np.arange(clip.shape[1]), length) if repeat else range(clip.shape[1])
        out[place, :, : len(frames), :, : len(clip)] = clip[:, frames].transpose(3, 1, 2, 0)
    return out


def people(*persons):
    """A frame as OpenPose writes it, of (V, 3) persons."""
    return dict(version=1.3, people=[dict(pose_keypoints_2d=p.ravel().tolist()) for p in persons])


def write_frames(folder, prefix, frames, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames):
        if frame is not None:
            path = folder / f'{prefix}{first + index:012d}_keypoints.json'
            path.write_text(frame if isinstance(frame, str) else json.dumps(frame))


def walkers(joints=18, frames=6):
    """Two persons who walk past each other, (2, T, V, 3), without a hole."""
    pose, score = openpose(frames=frames)
    one = np.concatenate([pose, score[..., None]], 2)
    one[:, 16:] = one[:, 14:16] + 0.01
    one = np.concatenate([one, one], 1)[:, :joints]
    other = one + [0.4, 0.05, 0]
    one[..., 0] += np.arange(frames)[:, None] * 0.01
    one[..., 2] *= 0.5  # the second is seen better
    return np.stack([one, other]).round(4)


def instances(*persons, ids=None):
    """The persons of a frame as MMPose writes them."""
    return [
        dict(keypoints=p[:, :-1].tolist(), keypoint_scores=p[:, -1].tolist(), bbox=[[0, 0, 1, 1]])
        | (dict(track_id=ids[i]) if ids else {})
        for i, p in enumerate(persons)
    ]
