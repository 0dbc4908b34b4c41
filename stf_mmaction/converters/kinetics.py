"""Read Kinetics-Skeleton, as published with ST-GCN.

The folder holds ``kinetics_train/<id>.json``, ``kinetics_val/<id>.json`` and a
``kinetics_<split>_label.json`` for each; one split alone is enough. In every frame the two
persons with the highest sum of scores are kept, as in ST-GCN (of all persons found by OpenPose;
ST-GCN considers the first five). Their order may change from frame to frame: the data set has no
identities.

Coordinates are unchanged: x and y from 0 to 1, in widths and heights of
the picture, y down, zero for a joint with score 0. ``PrepareSkeleton``
centres and scales them; the score becomes the visibility.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from stf_mmaction.files import read_json

from .clips import NOBODY, UNSEEN, Clip, Skipped, Unusable, find_files, place_frames

NUM_JOINTS, NUM_PERSONS = 18, 2
MAX_VALUE = 2


def read(clip: Clip) -> Dict[str, np.ndarray]:
    """Read a clip.

    Returns:
        dict: ``keypoint`` (2, T, 18, 2) and ``keypoint_score`` (2, T, 18),
        float16, which is finer than the three decimals of the files. T extends
        from the first to the last frame that is listed; frames are numbered
        from 1 or from 0.

    Raises:
        ValueError: If the file is malformed.
        Unusable: If nobody is seen.
    """
    data = read_json(clip.source)
    if not isinstance(data, dict) or not {'data', 'label_index'} <= set(data):
        raise ValueError("it lacks 'data' and 'label_index', which Kinetics-Skeleton has")
    if _number(data['label_index']) != clip.label:
        raise ValueError(
            f"its label_index is {data['label_index']!r:.40}, but {clip.label} in the list of "
            'labels'
        )
    index, skeletons = _frames(data['data'])
    if not len(index):
        raise Unusable(NOBODY)
    index, num_frames = place_frames(index)
    persons = [(at, person) for at, skeleton in zip(index, skeletons) for person in skeleton]
    values = np.zeros((NUM_PERSONS, num_frames, NUM_JOINTS, 3), np.float16)
    if persons:
        at = np.array([at for at, _ in persons])
        joints = _joints([person for _, person in persons])
        order = np.lexsort((-joints[..., 2].sum(1), at))
        at, joints = at[order], joints[order]
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        best = rank < NUM_PERSONS
        values[rank[best], at[best]] = joints[best]
    return dict(keypoint=values[..., :2], keypoint_score=values[..., 2])


def _frames(data: Any) -> Tuple[np.ndarray, List[List]]:
    """Return the number and the persons of each frame that is listed."""
    frames = _objects(data, 'data', ('frame_index', 'skeleton'))
    if not all(isinstance(frame['skeleton'], list) for frame in frames):
        raise ValueError("it has a frame whose 'skeleton' is not a list of persons")
    try:
        index = np.array([frame['frame_index'] for frame in frames], int)
    except (TypeError, ValueError, OverflowError):
        index = None
    if index is None or index.ndim != 1:
        raise ValueError('it has a frame_index that is not a whole number')
    return index, [frame['skeleton'] for frame in frames]


def _objects(values: Any, name: str, keys: Tuple[str, ...]) -> List[Dict]:
    """Check that a value is a list of objects which have these keys."""
    if not isinstance(values, list):
        raise ValueError(f'{name!r} is not a list')
    for value in values:
        if not isinstance(value, dict) or not all(key in value for key in keys):
            raise ValueError(f'{name!r} has {value!r:.40}, which lacks {keys[0]!r} or {keys[1]!r}')
    return values


def _joints(persons: List) -> np.ndarray:
    """Return x, y and score, (persons, 18, 3); zero without a score."""
    shape = len(persons), NUM_JOINTS
    for person in _objects(persons, 'skeleton', ('pose', 'score')):
        if not all(isinstance(person[key], list) for key in ('pose', 'score')):
            raise ValueError("a person has a 'pose' or 'score' that is not a list of numbers")
        numbers = len(person['pose']), len(person['score'])
        if numbers != (2 * NUM_JOINTS, NUM_JOINTS):
            raise ValueError(
                f'a person has {numbers[0]} numbers in pose and {numbers[1]} in score: the '
                f'{NUM_JOINTS} joints of OpenPose require {2 * NUM_JOINTS} and {NUM_JOINTS}'
            )
    try:
        pose = np.array([person['pose'] for person in persons], float)
        score = np.array([person['score'] for person in persons], float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a person has a 'pose' or 'score' that is not of numbers") from None
    joints = np.concatenate([pose.reshape(*shape, 2), score.reshape(*shape, 1)], 2)
    # This catches NaN, too; the margin is for joints just outside the picture.
    if not (abs(joints) < MAX_VALUE).all():
        raise ValueError('it has an x, y or score that is not from 0 to 1')
    if pose.any() and not (score > 0).any():
        raise Unusable(UNSEEN)
    joints[score <= 0] = 0
    return joints


def read_labels(path: Path) -> Dict[str, Dict]:
    """Return the labels of a split, a dict for each clip by its id.

    Raises:
        SystemExit: If the file is malformed.
    """
    labels = read_json(path)
    if not isinstance(labels, dict) or not labels:
        raise SystemExit(
            f'error: {path} must be a dict of '
            '{id: {"has_skeleton": true, "label_index": 0, ...}}'
        )
    for name, value in labels.items():
        number = _number(value.get('label_index')) if isinstance(value, dict) else None
        if number is None:
            raise SystemExit(
                f'error: {path} has {value!r:.80} for {name}: it must be a dict with a '
                'label_index of at least 0'
            )
        value['label_index'] = number
    return labels


def _number(label: Any) -> Optional[int]:
    """Return a label as a number, also from text; None if it is not one."""
    if isinstance(label, str) and label.strip().isdecimal() and len(label) < 10:
        label = int(label)
    return label if type(label) is int and 0 <= label < 2**31 else None


def _half(source: Path, split: str) -> Tuple[Path, Path]:
    return source / f'kinetics_{split}', source / f'kinetics_{split}_label.json'


def find_clips(source: Path, split: str) -> Tuple[List[Clip], List, Set]:
    """Return the clips of a split, those left out with the reason, and the names of classes.

    Raises:
        SystemExit: If only the folder or only the labels exist, or labels are malformed.
    """
    folder, labels_path = _half(source, split)
    if not folder.exists() and not labels_path.exists():
        return [], [], set()
    for path in (folder, labels_path):
        if not path.exists():
            raise SystemExit(
                f'error: {path} does not exist: {source} must '
                'be the folder kinetics-skeleton of ST-GCN'
            )
    labels = read_labels(labels_path)
    found, skipped = find_files(folder, lambda name: name.endswith('.json'))
    files = {path.stem: path for path in found if path.parent == folder}
    clips: List[Clip] = []
    for name in sorted(files.keys() | labels.keys()):
        if name not in labels:
            skipped.append((name, 'it has no label'))
        elif not labels[name].get('has_skeleton', True):
            skipped.append((name, NOBODY))
        elif name not in files:
            skipped.append((name, f'its file is missing: {folder}'))
        else:
            label = labels[name]['label_index']
            clips.append(Clip(name, label, (split,), files[name]))
    titles = {
        (value['label_index'], title if isinstance(title := value.get('label'), str) else None)
        for value in labels.values()
    }
    return clips, skipped, titles


def class_names(titles: Set[Tuple[int, Any]]) -> Optional[List[str]]:
    """Return the names in the order of their numbers; None unless each number has one."""
    names = [name for _, name in sorted(titles, key=lambda title: title[0])]
    whole = sorted(number for number, _ in titles) == list(range(len(titles)))
    return names if whole and all(isinstance(name, str) and name for name in names) else None


def find_halves(source: Path) -> Tuple[List[Clip], Skipped, Optional[List[str]]]:
    """Find the clips of both splits; print which split is missing.

    Args:
        source (Path): The folder ``kinetics-skeleton`` of ST-GCN.

    Returns:
        tuple: Clips, those that are left out with the reason, names of the classes if known.

    Raises:
        SystemExit: If neither split exists.
    """
    clips: List[Clip] = []
    skipped: Skipped = []
    titles: Set[Tuple[int, Any]] = set()
    absent = []
    for split in ('train', 'val'):
        own, left_out, named = find_clips(source, split)
        clips, skipped, titles = clips + own, skipped + left_out, titles | named
        if not own and not left_out:
            absent.append(split)
    if len(absent) == 2:
        raise SystemExit(
            f'error: {source} holds neither kinetics_train nor kinetics_val: it must be the '
            'folder kinetics-skeleton of ST-GCN'
        )
    for split in absent:
        print(f'{_half(source, split)[0]} does not exist: no split {split!r}')
    return clips, skipped, class_names(titles)
