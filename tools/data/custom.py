"""Convert skeletons of your own, one CSV or NPZ file a clip, to PoseDataset.

README.md in this folder describes the files.
"""

import argparse
import csv
import functools
import math
from collections import Counter
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
from conversion import Clip, add_conversion_arguments, convert, existing_folder, positive

from stf_mmaction.engine.cli import existing, run

ENDINGS = ('.csv', '.npz')
COLUMNS = ('frame', 'person', 'joint', 'x', 'y')
# Whole numbers beyond these are not meant: they would fill the memory.
MAX_INDEX, MAX_JOINTS = 2**31, 10**8


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'source', type=existing_folder, help='folder with a .csv or .npz file for each clip'
    )
    parser.add_argument(
        'labels',
        type=existing,
        help='CSV file with the columns clip, label and, if you want, split',
    )
    add_conversion_arguments(parser)
    parser.add_argument(
        '--joints', type=positive, required=True, help='number of joints of the skeleton'
    )
    return parser.parse_args()


def read(clip: Clip, joints: int) -> Dict[str, np.ndarray]:
    """Read a clip.

    Returns:
        dict: ``keypoint`` (M, T, V, 2 or 3) and, if it has scores,
        ``keypoint_score`` (M, T, V), float32.

    Raises:
        ValueError: If the file is not as README.md says.
    """
    kind = read_csv if clip.source.suffix.lower() == '.csv' else read_npz
    with np.errstate(over='ignore'):  # Infinity is found below.
        arrays = {
            name: array.astype(np.float32, casting='same_kind')
            for name, array in kind(clip.source, joints).items()
        }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f'{name} has numbers that are not finite: leave out joints that were not seen'
            )
    return arrays


def read_csv(path: Path, joints: int) -> Dict[str, np.ndarray]:
    """Read a table with a row for each joint that was seen."""
    with path.open(encoding='utf-8-sig', newline='') as file:
        heading = file.readline().split(',')
        names = [name.strip(' "\t\r\n') for name in heading]
        unknown = set(names) - {*COLUMNS, 'z', 'score'}
        if unknown or not set(COLUMNS) <= set(names) or len(names) != len(set(names)):
            raise ValueError(
                f'its columns are not frame,person,joint,x,y[,z][,score], but {",".join(names)}'
            )
        rows = [line for line in file if line.strip()]
    if not rows:
        raise ValueError('it has no row')
    table = np.loadtxt(rows, delimiter=',', quotechar='"', ndmin=2)
    if table.shape[1] != len(names):
        raise ValueError(f'its rows have {table.shape[1]} columns, its heading has {len(names)}')
    column = dict(zip(names, table.T))
    index = np.stack([column[name] for name in COLUMNS[:3]])
    if not ((index == index.round()) & (abs(index) < MAX_INDEX)).all():
        raise ValueError('frame, person and joint must be whole numbers')
    frame, person, joint = index.astype(int)
    if joint.min() < 0 or joint.max() >= joints:
        raise ValueError(
            f'it has joints {joint.min()} to {joint.max()}, '
            f'but --joints {joints} are 0 to {joints - 1}'
        )
    frame = frame - frame.min()
    ids, person = np.unique(person, return_inverse=True)
    shape = (len(ids), int(frame.max()) + 1, joints)
    if math.prod(shape) > MAX_JOINTS:
        raise ValueError(f'it has {shape[0]} persons and {shape[1]} frames')
    place = np.ravel_multi_index((person, frame, joint), shape)
    if len(np.unique(place)) < len(place):
        raise ValueError('a joint of a person is in a frame twice')
    axes = [name for name in ('x', 'y', 'z') if name in names]
    out = dict(keypoint=np.zeros((*shape, len(axes))))
    out['keypoint'][person, frame, joint] = np.stack([column[axis] for axis in axes], 1)
    if 'score' in names:
        out['keypoint_score'] = np.zeros(shape)
        out['keypoint_score'][person, frame, joint] = column['score']
    return out


def read_npz(path: Path, joints: int) -> Dict[str, np.ndarray]:
    """Read ``keypoint`` and, if there is one, ``keypoint_score``."""
    with np.load(path, allow_pickle=False) as file:
        unknown = set(file.files) - {'keypoint', 'keypoint_score'}
        if unknown or 'keypoint' not in file.files:
            raise ValueError(f'it holds {sorted(file.files)}: keypoint and keypoint_score are read')
        out = {name: file[name] for name in file.files}
    shape = out['keypoint'].shape
    if len(shape) != 4 or shape[2] != joints or shape[3] not in (2, 3):
        raise ValueError(f'keypoint of shape {shape} is not (persons, frames, {joints}, 2 or 3)')
    if out.get('keypoint_score', np.zeros(shape[:3])).shape != shape[:3]:
        raise ValueError(
            f"keypoint_score of shape {out['keypoint_score'].shape} for keypoint of shape {shape}"
        )
    return out


def find_clips(source: Path, labels: Path) -> Tuple[List[Clip], List[Tuple[str, str]]]:
    """The clips with a label and a file, and the others."""
    files: Dict[str, List[Path]] = {}
    for path in sorted(source.rglob('*')):
        if path.suffix.lower() in ENDINGS and not path.samefile(labels):
            name = path.relative_to(source).with_suffix('').as_posix()
            files.setdefault(name, []).append(path)
    if not files:
        raise SystemExit(
            f'error: {source} holds no .csv or .npz file: put one for each clip into it'
        )
    clips, skipped = [], []
    for name, label, split in read_labels(labels):
        if name not in files:
            skipped.append((name, f'its file is missing: neither .csv nor .npz in {source}'))
        clips += [Clip(name, label, (split,), path) for path in files.pop(name, ())]
    skipped += [(name, 'it has no label') for name in files]
    return clips, skipped


def read_labels(path: Path) -> List[Tuple[str, int, str]]:
    """Clip, label and split of each row."""
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.reader(file)
        heading = [name.strip() for name in next(reader, [])]
        if heading not in (['clip', 'label'], ['clip', 'label', 'split']):
            raise SystemExit(
                f'error: {path} must begin with the line '
                "clip,label or clip,label,split, not with "
                f"{','.join(heading)!r}"
            )
        rows = []
        for row in filter(None, reader):
            row = [cell.strip() for cell in row]
            if len(row) != len(heading) or not row[1].isdecimal():
                raise SystemExit(
                    f"error: line {reader.line_num} of {path} is not "
                    f"{','.join(heading)} with a label from 0 on: "
                    f"{','.join(row)!r}"
                )
            rows.append((row[0], int(row[1]), (row + ['all'])[2]))
    if not rows:
        raise SystemExit(f'error: {path} labels no clip')
    name, times = Counter(row[0] for row in rows).most_common(1)[0]
    if times > 1:
        raise SystemExit(f'error: {path} labels clip {name} {times} times')
    return rows


def main() -> None:
    args = parse_args()
    clips, skipped = find_clips(args.source, Path(args.labels))
    convert(clips, functools.partial(read, joints=args.joints), args.out, args.workers, skipped)


if __name__ == '__main__':
    run(main)
