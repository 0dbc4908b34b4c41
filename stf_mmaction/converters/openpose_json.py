"""Read OpenPose's JSON files, one per frame.

``openpose --write_json`` writes them as ``<clip>_000000000012_keypoints.json``,
all in one folder or in a folder for each clip. Persons have no identity in these
files, so they are tracked from frame to frame.

25 joints are BODY_25 (layout ``body_25``), 18 are COCO (layout ``openpose``).
Hands and faces are not read.
"""

import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from stf_mmaction.files import read_json

from .clips import Clip, Skipped, place_frames, printable
from .labelled import Files
from .tracking import persons_over_time

# A clip and a frame, such as wave_000000000012 (video) or wave0012 (pictures); not seconds, 1.25.
NAME = re.compile(r'(.*?)[_.\- ]?(?<!\d\.)(?<!\d)(\d+)_keypoints\.json')
LAYOUTS = {25: 'body_25', 18: 'openpose'}


def read(clip: Clip, persons: int) -> Dict[str, np.ndarray]:
    """Read a clip.

    Args:
        clip (Clip): The clip; its source is one of its files.
        persons (int): Largest number of persons to keep.

    Returns:
        dict: ``keypoint`` (M, T, V, 2) and ``keypoint_score`` (M, T, V). T
        extends from the first to the last frame that has a file.

    Raises:
        ValueError: If a file is malformed, or the joints differ.
    """
    folder, name = clip.source.parent, NAME.fullmatch(clip.source.name)[1]
    numbers, files = zip(*_clips_of(folder, folder.stat().st_mtime_ns)[name])
    if len(set(numbers)) < len(numbers):
        raise ValueError('it has two files for a frame')
    places, num_frames = place_frames(numbers)
    frames, counts = [np.zeros((0, 0, 3))] * num_frames, set()
    for place, path in zip(places, files):
        frames[place] = read_frame(path)
        counts |= {person.shape[0] for person in frames[place]}
    if len(counts) > 1:
        raise ValueError(f'it has persons of {" and ".join(map(str, sorted(counts)))} joints')
    return persons_over_time(frames, persons)


@functools.lru_cache(maxsize=4)
def _clips_of(folder: Path, changed: int) -> Dict[str, List[Tuple[int, Path]]]:
    """Return the frames and files of all clips in a folder, which may hold thousands.

    ``changed`` is the time of its last change, which makes a cached result valid for
    that state only.
    """
    clips: Dict[str, List[Tuple[int, Path]]] = {}
    for path in folder.iterdir():
        match = NAME.fullmatch(path.name)
        if match:
            clips.setdefault(match[1], []).append((int(match[2]), path))
    return clips


def read_frame(path: Path) -> np.ndarray:
    """Return the x, y and score of the persons in a frame, (P, V, 3).

    Raises:
        ValueError: If the file is malformed.
    """
    data = read_json(path)
    people = data.get('people') if isinstance(data, dict) else None
    if not isinstance(people, list):
        raise ValueError(f"{path.name} has no list 'people', which OpenPose writes")
    persons = [_joints(person, path.name) for person in people]
    if len({len(person) for person in persons}) > 1:
        raise ValueError(f'{path.name} has persons with different numbers of joints')
    return np.stack(persons) if persons else np.zeros((0, 0, 3))


def _joints(person: Any, name: str) -> np.ndarray:
    if not isinstance(person, dict):
        raise ValueError(f'{name} has a person that is not an object, but {person!r:.40}')
    # The second is the key of OpenPose before 1.2.
    values = person.get('pose_keypoints_2d', person.get('pose_keypoints'))
    if not values:
        raise ValueError(
            f"{name} has a person without 'pose_keypoints_2d', with "
            f"{', '.join(person) or 'nothing'}: hands, faces and 3D points alone are not read"
        )
    try:
        joints = np.array(values, float)
    except (TypeError, ValueError, OverflowError):
        joints = np.zeros(0)
    if joints.ndim != 1 or len(joints) % 3 or len(joints) // 3 not in LAYOUTS:
        raise ValueError(
            f"{name} has 'pose_keypoints_2d' of shape {joints.shape}: it must have 75 numbers "
            '(BODY_25) or 54 (COCO)'
        )
    joints = joints.reshape(-1, 3)
    if not np.isfinite(joints).all():
        raise ValueError(f'{name} has numbers that are not finite')
    return joints


def by_clip(source: Path, files: Sequence[Path]) -> Tuple[Files, Skipped]:
    """Return one file for each clip by its name, and files that are not named as frames.

    A clip that is alone in its folder has the name of the folder, others that of their
    files.

    Args:
        source (Path): The folder that was searched.
        files (Sequence[Path]): The files found in it and in its subfolders.

    Raises:
        SystemExit: If no file has a name as OpenPose writes it.
    """
    groups: Dict[Tuple[Path, str], Path] = {}
    unnamed: Skipped = []
    for file in files:
        match = NAME.fullmatch(file.name)
        if match:
            groups.setdefault((file.parent, match[1]), file)
        else:
            name = printable(file.relative_to(source).as_posix())
            unnamed.append((name, 'its name does not end in the number of a frame'))
    if not groups:
        raise SystemExit(
            f'error: {source} holds no <clip>_000000000000_keypoints.json: give the folder to '
            'which openpose --write_json wrote'
        )
    folders = Counter(folder for folder, _ in groups)
    named: Files = {}
    for (folder, prefix), file in groups.items():
        inside = folder.relative_to(source)
        alone = folders[folder] == 1 and folder != source
        name = (inside if alone else inside / prefix).as_posix()
        # Frames directly in the source without a name.
        named.setdefault(source.resolve().name if name == '.' else name, []).append(file)
    return named, unnamed
