"""Read data sets that are stored as one array.

* A folder as ST-GCN, 2s-AGCN and MS-G3D write it: ``train_data.npy`` or
  ``train_data_joint.npy`` of shape (clips, channels, frames, joints, persons)
  and ``train_label.pkl``, likewise ``val``. One split alone is enough.
* An ``.npz`` file as CTR-GCN writes it: ``x_train`` of shape (clips, frames,
  persons x joints x 3), ``y_train`` with one column per class, likewise
  ``test``, which becomes the split ``val``.

Padding in these files is undone as far as possible: empty frames at the end are
cut off, and a clip that is padded by repetition is cut to one repetition. A
joint that is exactly zero in all frames of a person is the origin of the
others, and not missing: it is moved by a millionth. The third channel of 18
joints is OpenPose's score.
"""

import functools
import math
import struct
import zipfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np

from stf_mmaction.files import check_arrays, check_regular, safe_load

from .clips import Clip

NTU_JOINTS, NTU_PERSONS = 25, 2
SCORED_JOINTS = 18
NUDGE = 1e-6


def read(clip: Clip) -> Dict[str, np.ndarray]:
    """Read one clip of an array.

    Returns:
        dict: ``keypoint`` (M, T, V, 2 or 3) and, for 18 joints,
        ``keypoint_score`` (M, T, V), float32.

    Raises:
        ValueError: If a number is not finite.
    """
    if clip.source.suffix == '.npz':
        split = 'train' if 'train' in clip.splits else 'test'
        values = _member(clip.source, f'x_{split}')[clip.place]
        values = values.reshape(len(values), NTU_PERSONS, NTU_JOINTS, 3).transpose(1, 0, 2, 3)
    else:
        values = _mapped(clip.source)[clip.place].transpose(3, 1, 2, 0)
    values = np.array(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError('it has numbers that are not finite')
    values = values[values.any((1, 2, 3))]  # no absent persons
    if not len(values):
        return dict(keypoint=np.zeros((1, 1, *values.shape[2:]), np.float32))
    values = values[:, : one_round(values)]
    if values.shape[2] == SCORED_JOINTS:
        score = values[..., 2].clip(0)
        values[score == 0] = 0
        return dict(keypoint=values[..., :2], keypoint_score=score)
    return dict(keypoint=move_origin(values))


def one_round(values: np.ndarray) -> int:
    """Return the number of frames before the empty ones at the end, or before a repetition.

    Args:
        values (numpy.ndarray): Shape (M, T, V, C), not all zero.
    """
    values = values[:, : np.flatnonzero(values.any((0, 2, 3)))[-1] + 1]
    frames = values.shape[1]
    same = (values == values[:, :1]).all((0, 2, 3))
    for period in np.flatnonzero(same)[1:]:
        if np.array_equal(values[:, period:], values[:, : frames - period]):
            return int(period)
    return frames


def move_origin(values: np.ndarray) -> np.ndarray:
    """Move joints that are zero whenever their person is present, by a millionth.

    Args:
        values (numpy.ndarray): Shape (M, T, V, C); changed in place.

    Returns:
        numpy.ndarray: The same array.
    """
    there = values.any((2, 3))
    for person, frames in zip(values, there):
        always = ~person[frames].any((0, 2))
        person[np.ix_(frames, always, [0])] = NUDGE
    return values


@functools.lru_cache(maxsize=4)
def _member(path: Path, name: str) -> np.ndarray:
    """Return an array of an NPZ file, mapped from the disk; read if it is compressed."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f'{name}.npy')
    if info.compress_type != zipfile.ZIP_STORED:
        check_arrays(path)
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    with path.open('rb') as file:
        file.seek(info.header_offset + 26)
        file.seek(info.header_offset + 30 + sum(struct.unpack('<HH', file.read(4))))
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(file)]
        shape, is_fortran, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError(f'{name} holds Python objects, which could run code')
        if math.prod(shape) * dtype.itemsize > path.stat().st_size - file.tell():
            raise ValueError(f'{name} of shape {shape} is cut off')
        order = 'F' if is_fortran else 'C'
        return np.memmap(path, dtype, 'r', file.tell(), shape, order)


def _mapped(path: Path) -> np.ndarray:
    """Return the array of an NPY file, mapped from the disk."""
    check_regular(path)
    try:
        return np.load(path, mmap_mode='r', allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # Its header is Python, so a damaged one can raise any error.
        why = ' '.join(str(error).split())[:200]
        raise SystemExit(f'error: {path} is not a complete NumPy array: {why}') from None


def _numbered(labels: np.ndarray, path: Path) -> List[int]:
    """Return labels as integers."""
    try:
        numbers = [int(label) for label in labels]
    except (TypeError, ValueError, OverflowError):
        numbers = [-1]
    if min(numbers, default=0) < 0 or max(numbers, default=0) >= 2**31:
        raise SystemExit(f'error: {path} has labels that are not whole numbers of at least 0')
    return numbers


def find_npz(path: Path) -> List[Clip]:
    """Return the clips of an ``.npz`` file, named by split and index.

    Raises:
        SystemExit: If the arrays are missing or do not fit together.
    """
    clips = []
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix('.npy') for name in archive.namelist()}
    for split, ours in (('train', 'train'), ('test', 'val')):
        if not {f'x_{split}', f'y_{split}'} <= names:
            continue
        x, y = _member(path, f'x_{split}'), _member(path, f'y_{split}')
        if x.ndim != 3 or x.shape[2] != NTU_PERSONS * NTU_JOINTS * 3 or len(x) != len(y):
            raise SystemExit(
                f'error: {path} has x_{split} of shape {x.shape} and y_{split} of shape '
                f'{y.shape}: they must be (clips, frames, 150) and (clips, classes)'
            )
        if y.ndim > 2 or y.dtype.kind not in 'biuf' or x.dtype.kind not in 'iuf' or not y.size:
            raise SystemExit(
                f'error: {path} has x_{split} of type {x.dtype} and y_{split} of shape {y.shape} '
                f'and type {y.dtype}: they must be numbers'
            )
        labels = _numbered(np.argmax(y, 1) if y.ndim == 2 else y, path)
        clips += [
            Clip(f'{ours}_{place:06d}', label, (ours,), path, place)
            for place, label in enumerate(labels)
        ]
    if not clips:
        raise SystemExit(
            f'error: {path} holds {sorted(names)}: it must have x_train and y_train, or x_test '
            'and y_test'
        )
    return clips


def find_npy(folder: Path) -> List[Clip]:
    """Return the clips of a folder with ``.npy`` and ``.pkl`` files.

    Raises:
        SystemExit: If files are missing or do not fit together.
    """
    clips = []
    for split in ('train', 'val'):
        data = _first(folder, f'{split}_data_joint.npy', f'{split}_data.npy')
        label = _first(folder, f'{split}_label.pkl')
        if data is None and label is None:
            continue
        if data is None or label is None:
            gone = f'{split}_data.npy' if data is None else f'{split}_label.pkl'
            raise SystemExit(
                f'error: {folder / gone} does not exist, but the file that belongs to it does'
            )
        array = _mapped(data)
        shape = array.shape
        if len(shape) != 5 or shape[1] not in (2, 3) or array.dtype.kind not in 'iuf':
            raise SystemExit(
                f'error: {data} has the shape {shape} and type {array.dtype}: it must be numbers '
                'of shape (clips, channels, frames, joints, persons) with 2 or 3 channels'
            )
        names, labels = _read_labels(label)
        if not len(names) == len(labels) == shape[0]:
            raise SystemExit(
                f'error: {label} names {len(names)} clips and {len(labels)} labels, {data} holds '
                f'{shape[0]}'
            )
        clips += [
            Clip(_stem(name), number, (split,), data, place)
            for place, (name, number) in enumerate(zip(names, _numbered(labels, label)))
        ]
    if not clips:
        raise SystemExit(
            f'error: {folder} holds neither train_data.npy nor val_data.npy: name the folder of '
            'one benchmark'
        )
    return clips


def _read_labels(path: Path) -> Tuple[List, List]:
    loaded = safe_load(path)
    fits = isinstance(loaded, (tuple, list)) and len(loaded) >= 2
    if fits and all(isinstance(part, (list, tuple)) or np.ndim(part) for part in loaded[:2]):
        names, labels = map(list, loaded[:2])
        if all(isinstance(name, str) for name in names):
            return names, labels
    raise SystemExit(f'error: {path} is not a pickle of (names, labels), of text and numbers')


def _stem(name: object) -> str:
    """Return a name without its ending, as of ``S001C001P001R001A001.skeleton``."""
    return str(name).removesuffix('.skeleton').removesuffix('.json')


def _first(folder: Path, *names: str) -> Optional[Path]:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def find_clips(source: Path) -> List[Clip]:
    """Return the clips of a folder or an ``.npz`` file.

    Raises:
        SystemExit: If it is not such a data set.
    """
    if source.is_dir():
        return find_npy(source)
    try:
        check_regular(source)
        return find_npz(source)
    except OSError:
        raise
    except Exception as error:  # A damaged archive can raise any error.
        why = str(error).partition('\n')[0][:200]
        raise SystemExit(f'error: {source} is not a complete .npz file: {why}') from None
