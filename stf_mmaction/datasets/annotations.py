"""Normalise the ids, labels and splits of an annotation file, or refuse it."""

import logging
from collections import Counter
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmengine.logging import print_log
from torch import Tensor

from stf_mmaction.files import safe_load


def read_annotations(path: Path) -> Dict:
    """Read a pickle of clips and give each clip a text id.

    Returns:
        dict: With ``annotations``, a list of dicts, each with ``frame_dir``,
        and everything else in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no list of clips, or an id twice.
    """
    data = safe_load(path)
    if not isinstance(data, dict) or 'annotations' not in data:
        raise ValueError(
            f'{path} holds no annotations: it must be a pickle of '
            'dict(split={name: [frame_dir, ...]}, annotations=[...])'
        )
    clips = data['annotations']
    if not isinstance(clips, (list, tuple)) or not all(isinstance(clip, dict) for clip in clips):
        raise ValueError(
            f"{path} holds 'annotations' that are not a list of dicts: convert the clips anew, as "
            'tools/data/README.md describes'
        )
    if not clips:
        raise ValueError(f'{path} holds no clip: copy or convert it again')
    _name_clips(clips, path)
    return data


def clip_id(clip: Dict) -> str:
    """Return the id of a clip, from the keys in which PoseDataset looks, in its order."""
    return clip.get('filename', clip.get('frame_dir', '(no frame_dir)'))


def _name_clips(clips: List[Dict], path: Path) -> None:
    """Convert every id to text; number the clips if none has one."""
    unnamed = [place for place, clip in enumerate(clips) if 'filename' not in clip and _blank(clip)]
    if unnamed and len(unnamed) < len(clips):
        raise ValueError(
            f'{path}: {len(unnamed)} of {len(clips)} clips have no frame_dir, the first is number '
            f'{unnamed[0]} of the annotations: give each clip its own id'
        )
    if unnamed:
        _warn(f'{path}: no clip has a frame_dir: they are numbered from 0 in the order of the file')
    for place, clip in enumerate(clips):
        for key in ('filename', 'frame_dir'):
            if key in clip:
                clip[key] = as_id(clip[key])
        if unnamed:
            clip['frame_dir'] = str(place)
        clip.setdefault('frame_dir', clip.get('filename'))
    name, count = Counter(map(clip_id, clips)).most_common(1)[0]
    if count > 1:
        places = [place for place, clip in enumerate(clips) if clip_id(clip) == name]
        raise ValueError(
            f'{path}: {count} clips have the id {name!r}, numbers '
            f'{", ".join(map(str, places[:5]))} of the annotations: give each clip its own '
            'frame_dir; to show clips more often, use RepeatDataset'
        )


def _blank(clip: Dict) -> bool:
    value = clip.get('frame_dir')
    return value is None or (isinstance(value, str) and not value.strip())


def as_id(value: Any) -> str:
    """Return an id as text: ``7``, ``numpy.int64(7)`` and ``b'7'`` are ``'7'``."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)


def choose_split(data: Dict, split: Optional[str], path: Path) -> List[Dict]:
    """Return the clips of a split.

    Args:
        data (dict): From :func:`read_annotations`.
        split (str, optional): None means all clips.
        path (Path): Named in errors.

    Raises:
        ValueError: If there is no such split, or it has no clip.
    """
    clips = list(data['annotations'])
    if split is None:
        return clips
    splits = data.get('split')
    if not isinstance(splits, dict) or not splits:
        raise ValueError(
            f'{path} has no split {split!r}: it has no splits at all; leave split={split!r} '
            "out, or add 'split', a dict of name: [frame_dir, ...], to the file"
        )
    if split not in splits:
        raise ValueError(f'{path} has no split {split!r}: use one of {sorted(map(str, splits))}')
    names = splits[split]
    if isinstance(names, (str, bytes)) or not hasattr(names, '__iter__'):
        raise ValueError(
            f'{path}: split {split!r} is {names!r}, not a list of clips: give their frame_dir'
        )
    wanted = {as_id(name) for name in names}
    if not wanted:
        raise ValueError(f'{path}: split {split!r} is an empty list: name its clips by frame_dir')
    chosen = [clip for clip in clips if clip_id(clip) in wanted]
    missing = sorted(wanted - {clip_id(clip) for clip in chosen})
    if not chosen:
        raise ValueError(
            f'{path} has no clip of split {split!r}, which names {len(wanted)}, such as '
            f'{missing[0]!r}: they must be the frame_dir of annotations, such as '
            f'{clip_id(clips[0])!r}'
        )
    if missing:
        _warn(
            f'{path}: split {split!r} names {len(missing)} clips that the file does not hold, '
            f'the first is {missing[0]!r}: {len(chosen)} clips are used'
        )
    return chosen


def as_label(value: Any, classes: Optional[Sequence[str]] = None) -> Optional[int]:
    """Return a label as an int of at least 0, or None if it is not a label.

    A label is an integer of any type (any of NumPy's, ``3.0``, or one in an array
    or a list), or the name of a class if the names are known.
    """
    if isinstance(value, (np.ndarray, Tensor)):
        value = value.tolist()
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return classes.index(value) if classes and value in classes else None
    if isinstance(value, (Integral, np.bool_)) or (
        isinstance(value, Real) and float(value).is_integer()
    ):
        return int(value) if value >= 0 else None
    return None


def as_labels(value: Any, classes: Optional[Sequence[str]] = None) -> Optional[List[int]]:
    """Return the labels of a clip with several, or None if one is not a label."""
    if isinstance(value, (np.ndarray, Tensor)):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        value = [value]
    labels = [as_label(label, classes) for label in value]
    return None if None in labels or not labels else labels


def _warn(sentence: str) -> None:
    print_log(sentence, logger='current', level=logging.WARNING)
