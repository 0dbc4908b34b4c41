"""Convert OpenPose's JSON files, one per frame, to PoseDataset.

As ``openpose --write_json`` writes them, ``<clip>_000000000012_keypoints.json``,
all in one folder or in a folder for each clip. A table names the label of each
clip, as for ``custom.py``. Persons have no identity in these files: they are
followed from frame to frame.

25 joints are BODY_25 (layout ``body_25``), 18 are COCO (layout ``openpose``).
"""

import argparse
import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from conversion import (
    Clip,
    add_conversion_arguments,
    check_frames,
    convert,
    existing_folder,
    find_files,
    positive,
)
from labels import Labels, add_labels_argument, match_labels, read_labels
from tracking import persons_over_time

from stf_mmaction.engine.cli import run
from stf_mmaction.files import read_json

NAME = re.compile(r'(?:(.+)_)?(\d+)_keypoints\.json')
LAYOUTS = {25: 'body_25', 18: 'openpose'}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'source', type=existing_folder, help='folder with the JSON files, in any folders below it'
    )
    add_labels_argument(parser)
    add_conversion_arguments(parser)
    parser.add_argument(
        '--persons', type=positive, default=2, help='persons to keep of each clip; defaults to 2'
    )
    return parser.parse_args()


def read(clip: Clip, persons: int) -> Dict[str, np.ndarray]:
    """Read a clip.

    Returns:
        dict: ``keypoint`` (M, T, V, 2) and ``keypoint_score`` (M, T, V). T
        goes from the first to the last frame that has a file.

    Raises:
        ValueError: If a file is not such a file, or the joints differ.
    """
    files = _clips_of(clip.source.parent)[NAME.fullmatch(clip.source.name)[1]]
    first, last = min(files), max(files)
    check_frames(first, last, len(files))
    frames, counts = [np.zeros((0, 0, 3))] * (last - first + 1), set()
    for index, path in files.items():
        frames[index - first] = read_frame(path)
        counts |= {person.shape[0] for person in frames[index - first]}
    if len(counts) > 1:
        raise ValueError(f'it has persons of {" and ".join(map(str, sorted(counts)))} joints')
    return persons_over_time(frames, persons)


@functools.lru_cache(maxsize=4)
def _clips_of(folder: Path) -> Dict[Optional[str], Dict[int, Path]]:
    """Return the files of all clips in a folder, by frame; it may hold thousands."""
    clips: Dict[Optional[str], Dict[int, Path]] = {}
    for path in folder.iterdir():
        match = NAME.fullmatch(path.name)
        if match:
            clips.setdefault(match[1], {})[int(match[2])] = path
    return clips


def read_frame(path: Path) -> np.ndarray:
    """Read the persons of a frame, (P, V, 3): x, y and score."""
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
        raise ValueError(f'{name} has a person that is no object, but {person!r:.40}')
    # The second is OpenPose's before 1.2.
    values = person.get('pose_keypoints_2d', person.get('pose_keypoints'))
    try:
        joints = np.array(values, float)
    except (TypeError, ValueError):
        joints = np.zeros(0)
    if joints.ndim != 1 or len(joints) % 3 or len(joints) // 3 not in LAYOUTS:
        raise ValueError(
            f"{name} has 'pose_keypoints_2d' of shape {joints.shape}: 75 numbers (BODY_25) or 54 "
            '(COCO) are read'
        )
    joints = joints.reshape(-1, 3)
    if not np.isfinite(joints).all():
        raise ValueError(f'{name} has numbers that are not finite')
    return joints


def find_clips(
    source: Path, labels: Labels, path: Path
) -> Tuple[List[Clip], List[Tuple[str, str]]]:
    """Return the clips with a label and files, and the others.

    A folder that holds one clip gives it its name; else the files do.
    """
    groups: Dict[Tuple[Path, str], Path] = {}
    found, unread = find_files(source, lambda name: name.endswith('_keypoints.json'))
    for file in found:
        match = NAME.fullmatch(file.name)
        if match:
            groups.setdefault((file.parent, match[1] or ''), file)
    if not groups:
        raise SystemExit(
            f'error: {source} holds no <clip>_000000000000_keypoints.json: name the folder that '
            'openpose --write_json wrote to'
        )
    folders = Counter(folder for folder, _ in groups)
    files: Dict[str, List[Path]] = {}
    for (folder, prefix), file in groups.items():
        inside = folder.relative_to(source)
        alone = folders[folder] == 1 and folder != source
        files.setdefault((inside if alone else inside / prefix).as_posix(), []).append(file)
    clips, skipped = match_labels(files, labels, path, ('.mp4', '.avi', '.json'), source)
    return clips, unread + skipped


def main() -> None:
    args = parse_args()
    labels = read_labels(Path(args.labels))
    clips, skipped = find_clips(args.source, labels, Path(args.labels))
    step = functools.partial(read, persons=args.persons)
    convert(clips, step, args.out, args.workers, skipped, classes=labels.classes)


if __name__ == '__main__':
    run(main)
