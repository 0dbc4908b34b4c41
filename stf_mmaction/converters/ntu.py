"""Read the raw skeletons of NTU RGB+D 60 or 120.

``ntu_persons.py`` describes how the persons are chosen.
"""

import re
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

import numpy as np

from stf_mmaction.files import read_text

from .clips import Clip, find_files
from .ntu_persons import choose_persons

NAME = r'S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})'
NUM_JOINTS = 25
# Words of a body: 10 for itself, the number of joints, 12 for each of them.
BODY, JOINT = 10, 12
# For both benchmarks: those of NTU-60 are the first 20.
_SUBJECTS = (
    '1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38 '
    '45 46 47 49 50 52 53 54 55 56 57 58 59 70 74 78 80 81 82 83 84 85 86 89 91 92 93 94 95 97 98 '
    '100 103'
)
TRAINING_SUBJECTS = frozenset(map(int, _SUBJECTS.split()))
# For all bodies together; a clip has at most 300 frames.
MAX_BODY_FRAMES = 10**6
# A Kinect detects up to 8.
MAX_METRES = 10**4


def read_bodies(path: Path) -> np.ndarray:
    """Read a ``.skeleton`` file.

    Args:
        path (Path): The file.

    Returns:
        numpy.ndarray: Shape (bodies, T, 25, 3), in metres, zero where a body was
        not seen.

    Raises:
        ValueError: If this is not such a file, or is incomplete.
    """
    words = read_text(path).split()
    if not words:
        raise ValueError('it is empty')
    if not words[0].isdecimal() or len(words[0]) > 12:
        raise ValueError(f'it begins with {words[0]!r:.40}, not with the number of frames')
    num_frames, at = int(words[0]), 1
    # Each frame has at least one word, the number of its bodies.
    if not 0 <= num_frames < len(words):
        raise ValueError(f'it ends before its {num_frames} frames')
    # Ids are too long for a float, so they remain text.
    bodies: Dict[str, np.ndarray] = {}
    for frame in range(num_frames):
        cut = f'it ends in frame {frame + 1} of {num_frames}'
        if at >= len(words):
            raise ValueError(cut)
        num_bodies, at = int(words[at]), at + 1
        for _ in range(num_bodies):
            first = at + BODY + 1
            end = first + NUM_JOINTS * JOINT
            if at + BODY >= len(words):
                raise ValueError(cut)
            if int(words[at + BODY]) != NUM_JOINTS:
                raise ValueError(
                    f'frame {frame + 1} has a body of {words[at + BODY]} joints, not 25'
                )
            if end > len(words):
                raise ValueError(cut)
            if words[at] not in bodies:
                if (len(bodies) + 1) * num_frames > MAX_BODY_FRAMES:
                    raise ValueError(
                        f'it has more than {len(bodies)} bodies in {num_frames} frames'
                    )
                bodies[words[at]] = np.zeros((num_frames, NUM_JOINTS, 3))
            joints = np.array([words[i : i + 3] for i in range(first, end, JOINT)], float)
            # If any value of a joint is not a number, the joint was not seen.
            joints[~np.isfinite(joints).all(1)] = 0
            if (abs(joints) > MAX_METRES).any():
                raise ValueError(f'frame {frame + 1} has a joint {abs(joints).max():g} m away')
            bodies[words[at]][frame] = joints
            at = end
    if at < len(words):
        raise ValueError(f'it continues after its {num_frames} frames')
    return np.stack(list(bodies.values())) if bodies else np.zeros((0, num_frames, NUM_JOINTS, 3))


def read(clip: Clip) -> Dict[str, np.ndarray]:
    """Return ``keypoint`` of a clip, shape (M, T, 25, 3), float32, in metres."""
    keypoint = choose_persons(read_bodies(clip.source))
    return dict(keypoint=keypoint.astype(np.float32))


def splits(setup: int, camera: int, subject: int, classes: int) -> Tuple[str, str]:
    """Return the official splits of a clip: x-sub, and x-view (NTU-60) or x-set (NTU-120)."""
    if classes == 60:
        second, is_training = 'xview', camera != 1
    else:
        second, is_training = 'xset', setup % 2 == 0
    subjects = 'train' if subject in TRAINING_SUBJECTS else 'val'
    return f'xsub_{subjects}', f"{second}_{'train' if is_training else 'val'}"


def read_missing(path: str) -> Set[str]:
    """Return the names in a list, without other lines such as its heading.

    Raises:
        SystemExit: If there is no name.
    """
    text = read_text(path)
    names = {match[0] for match in re.finditer(NAME, text)}
    if not names:
        raise SystemExit(
            f'error: {path} names no clip: it must hold names such as S001C002P005R002A008, one '
            'per line'
        )
    return names


def find_clips(source: Path, classes: int, missing: Set[str]) -> Tuple[List[Clip], List]:
    """Return the clips of a benchmark, and those left out, with the reason.

    Raises:
        SystemExit: If the folder has no ``.skeleton`` file.
    """
    clips: List[Clip] = []
    found, skipped = find_files(source, lambda name: name.endswith('.skeleton'))
    for path in found:
        match = re.fullmatch(NAME, path.stem)
        if match is None:
            skipped.append((path.name, 'its name is not that of an NTU clip'))
            continue
        setup, camera, subject, _, action = map(int, match.groups())
        if not 1 <= action <= classes:
            skipped.append((path.stem, f'not of NTU-{classes}'))
        elif path.stem in missing:
            skipped.append((path.stem, 'in the list of missing skeletons'))
        else:
            clips.append(Clip(path.stem, action - 1, splits(setup, camera, subject, classes), path))
    if not clips and not skipped:
        raise SystemExit(
            f'error: {source} holds no .skeleton file: unpack the raw skeletons into it'
        )
    return clips, skipped


def tell_missing(source: Path, path: Optional[str], missing: Set[str]) -> None:
    """Print how many clips of a list are in the folder, or that there is no list.

    Args:
        source (Path): The folder.
        path (str, optional): The list.
        missing (set[str]): The names in it.
    """
    if path is None:
        print(
            'warning: without --missing, the clips that the authors of the data '
            'set list as incomplete are kept'
        )
        return
    files, _ = find_files(source, lambda name: name.endswith('.skeleton'))
    found = len(missing & {file.stem for file in files})
    print(f'{found} of the {len(missing)} clips listed in {path} are in {source}')
    if not found:
        print(f'warning: is {path} the list of this data set? None of its clips is left out')
