"""Read your own skeletons, one CSV, NPZ or NPY file per clip.

``tools/data/README.md`` describes the files.
"""

import csv
import math
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from stf_mmaction.files import check_arrays, read_text

from .clips import Clip, place_frames
from .labels import columns_of, delimiter_of

ENDINGS = ('.csv', '.npz', '.npy')
INDEX, AXES = ('frame', 'person', 'joint'), ('x', 'y', 'z')
# Names of the arrays of an NPZ file.
KEYPOINTS = ('keypoint', 'keypoints')
SCORES = ('keypoint_score', 'keypoint_scores', 'score', 'scores')
MISSING = ('', 'nan', 'na', 'n/a', 'null', 'none')  # cells of joints that were not seen
# Numbers beyond these are mistakes, and would fill the memory.
MAX_INDEX, MAX_JOINTS = 2**31, 2 * 10**7


def read(clip: Clip, joints: int) -> Dict[str, np.ndarray]:
    """Read a clip.

    Args:
        clip (Clip): The clip.
        joints (int): V.

    Returns:
        dict: ``keypoint`` (M, T, V, 2 or 3) and, if it has scores,
        ``keypoint_score`` (M, T, V), float32. A joint with a coordinate that
        is missing (NaN) is zero.

    Raises:
        ValueError: If the file is not as README.md describes.
    """
    kind = read_csv if clip.source.suffix.lower() == '.csv' else read_arrays
    arrays = kind(clip.source, joints)
    with np.errstate(over='ignore'):  # Infinity is found below.
        arrays = {
            name: array.astype(np.float32, casting='same_kind') for name, array in arrays.items()
        }
    unseen = np.isnan(arrays['keypoint']).any(-1)
    if 'keypoint_score' in arrays:
        unseen |= np.isnan(arrays['keypoint_score'])
    for name, array in arrays.items():
        array[unseen] = 0
        if not np.isfinite(array).all():
            raise ValueError(f'{name} has numbers that are infinite or too large')
    return arrays


def read_csv(path: Path, joints: int) -> Dict[str, np.ndarray]:
    """Read a table with a row for each joint that was seen.

    Args:
        path (Path): CSV file.
        joints (int): V.

    Returns:
        dict: As :func:`read`, before missing values are replaced.

    Raises:
        ValueError: If the table is malformed.
    """
    column = _read_columns(path)
    index = np.stack([column[name] for name in INDEX])
    frame, person, joint = index.astype(int)
    if joint.min() < 0 or joint.max() >= joints:
        raise ValueError(
            f'it has joints {joint.min()} to {joint.max()}, but --joints {joints} allows 0 to '
            f'{joints - 1}'
        )
    frame, num_frames = place_frames(frame)
    ids, person = np.unique(person, return_inverse=True)
    shape = (len(ids), num_frames, joints)
    if math.prod(shape) > MAX_JOINTS:
        raise ValueError(
            f'it has {shape[0]} persons and {shape[1]} frames, which is too much for one clip'
        )
    place = np.ravel_multi_index((person, frame, joint), shape)
    if len(np.unique(place)) < len(place):
        raise ValueError('a frame has two rows for the same joint of a person')
    axes = [name for name in AXES if name in column]
    out = dict(keypoint=np.zeros((*shape, len(axes))))
    out['keypoint'][person, frame, joint] = np.stack([column[axis] for axis in axes], 1)
    if 'score' in column:
        out['keypoint_score'] = np.zeros(shape)
        out['keypoint_score'][person, frame, joint] = column['score']
    return out


def _read_columns(path: Path) -> Dict[str, np.ndarray]:
    """Return the numbers of each known column; NaN for blank cells."""
    lines = read_text(path).splitlines()
    delimiter = delimiter_of(lines[0]) if lines else ','
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        return _read_table(reader, delimiter)
    except csv.Error as error:  # in Python 3.10 also for a NUL
        raise ValueError(f'line {reader.line_num} is not a valid row: {error}') from None


def _read_table(reader: Any, delimiter: str) -> Dict[str, np.ndarray]:
    heading = next(reader, [])
    columns = columns_of(heading)
    wanted = [name for name in (*INDEX, *AXES, 'score') if name in columns]
    names = [name.strip().lower() for name in heading]
    repeated = [name for name in wanted if names.count(name) > 1]
    if not {'frame', 'joint', 'x', 'y'} <= set(wanted) or repeated:
        raise ValueError(
            f'its columns are not frame[,person],joint,x,y[,z][,score], but {",".join(heading)}'
        )
    return _read_rows(reader, wanted, columns, len(heading), delimiter)


def _read_rows(
    reader: Any, wanted: List[str], columns: Dict[str, int], width: int, delimiter: str
) -> Dict[str, np.ndarray]:
    rows = []
    for cells in reader:
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != width:
            raise ValueError(
                f'line {reader.line_num} has {len(cells)} cells, but the heading has {width}'
            )
        try:
            rows.append([_number(name, cells[columns[name]], delimiter) for name in wanted])
        except ValueError as error:
            raise ValueError(f'line {reader.line_num}: {error}') from None
    if not rows:
        raise ValueError('it has no rows')
    table = dict(zip(wanted, np.array(rows).T))
    table.setdefault('person', np.zeros(len(rows)))
    return table


def _number(name: str, cell: str, delimiter: str) -> float:
    cell = cell.strip()
    number = math.nan
    if cell.lower() not in MISSING:
        # Spreadsheets write this if their decimal separator is a comma.
        number = float(cell if delimiter == ',' else cell.replace(',', '.'))
    # NaN is not an integer either.
    if name in INDEX and not (number.is_integer() and abs(number) < MAX_INDEX):
        raise ValueError(f'{name} is {cell!r:.40}: frame, person and joint must be whole numbers')
    return number


def read_arrays(path: Path, joints: int) -> Dict[str, np.ndarray]:
    """Read keypoints and, if there are any, scores from an NPZ or NPY file.

    With one person, the axis of persons may be omitted.

    Args:
        path (Path): NPZ or NPY file.
        joints (int): V.

    Returns:
        dict: As :func:`read`, before missing values are replaced.

    Raises:
        ValueError: If the shapes do not fit.
    """
    check_arrays(path)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        out = dict(keypoint=loaded)
    else:
        with loaded as file:
            points = [name for name in KEYPOINTS if name in file.files]
            scores = [name for name in SCORES if name in file.files]
            if len(file.files) == 1 and not scores:
                points = file.files
            if len(points) != 1 or len(scores) > 1:
                raise ValueError(
                    f'it holds {sorted(file.files)}: name its arrays keypoint and, if there are '
                    'scores, keypoint_score'
                )
            out = dict(keypoint=file[points[0]])
            if scores:
                out['keypoint_score'] = file[scores[0]]
    if out['keypoint'].ndim == 3:
        out = {name: array[None] for name, array in out.items()}
    shape = out['keypoint'].shape
    if len(shape) != 4 or shape[2] != joints or shape[3] not in (2, 3):
        raise ValueError(f'keypoint of shape {shape} is not (persons, frames, {joints}, 2 or 3)')
    if out.get('keypoint_score', np.zeros(shape[:3])).shape != shape[:3]:
        raise ValueError(
            f"keypoint_score of shape {out['keypoint_score'].shape} for keypoint of shape {shape}"
        )
    return out


def unread_columns(clips: List[Clip]) -> str:
    """Return the columns of the first table that are ignored, since one of them may be a typo.

    Args:
        clips (list[Clip]): Only their first CSV file is checked.

    Returns:
        str: A sentence; empty if all columns are read, or there is no table.
    """
    table = next((c.source for c in clips if c.source.suffix.lower() == '.csv'), None)
    if table is None:
        return ''
    heading = (read_text(table).splitlines() or [''])[0]
    names = columns_of(next(csv.reader([heading], delimiter=delimiter_of(heading))))
    unread = [name for name in names if name not in (*INDEX, *AXES, 'score')]
    if not unread or 'joint' not in names:
        return ''
    return f'ignored columns of {table}: {", ".join(unread)}'
