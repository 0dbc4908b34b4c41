"""Read the files of ``tools/test.py --dump``: probabilities and label of each test clip."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from stf_mmaction.datasets.class_names import (
    as_class_names,
    check_class_names,
    plain_name,
    read_class_names,
)
from stf_mmaction.files import safe_load


class Scores(Dict[str, Tuple[np.ndarray, int]]):
    """Probabilities (K,) and label of each clip, by its id.

    Attributes:
        names (tuple[str], optional): Names of the K classes, if the dump has
            them.
    """

    names: Optional[Tuple[str, ...]] = None


def read(path: str) -> Scores:
    """Return the probabilities (K,) and label of each clip of a dump.

    Args:
        path (str): The file.

    Raises:
        ValueError: If it is not a dump, or if a clip occurs twice, its scores
            are not probabilities or its label is not a class.
    """
    samples = safe_load(path)
    if (
        not isinstance(samples, list)
        or not samples
        or not all(isinstance(s, dict) and {'pred_score', 'gt_label'} <= set(s) for s in samples)
    ):
        raise ValueError(
            f'{path} is not a file of tools/test.py --dump: it '
            'lacks clips with pred_score and gt_label'
        )
    if any('frame_dir' not in s for s in samples):
        raise ValueError(
            f'{path} does not name its clips: write meta_keys='
            "('frame_dir', ) in PackActionInputs of the test pipeline, and "
            'test again'
        )
    scores = Scores()
    for sample in samples:
        clip = sample['frame_dir']
        if not isinstance(clip, str):
            raise ValueError(f'{path} names a clip {clip!r:.80}, not by text: test again')
        if clip in scores:
            raise ValueError(
                f'{path} holds clip {clip} twice: test on data that holds each clip once, '
                'without RepeatDataset'
            )
        values, labels = _numbers(sample['pred_score']), _numbers(sample['gt_label'])
        if not labels.size:
            raise ValueError(f'{path}: the label of clip {clip} is not a number: test again')
        if labels.size != 1:
            raise ValueError(
                f'{path}: the label of clip {clip} is a list of {labels.size} numbers, as for '
                'several classes per clip: use dumps of networks for one class per clip'
            )
        if (
            values.ndim != 1
            or not values.size
            or not np.isfinite(values).all()
            or (values.min() < 0 or abs(values.sum() - 1) > 1e-3)
        ):
            raise ValueError(
                f'{path}: the scores of clip {clip} are not probabilities: '
                "test with average_clips='prob'"
            )
        count = len(next(iter(scores.values()), (values,))[0])
        if len(values) != count:
            raise ValueError(
                f'{path}: clip {clip} has scores of {len(values)} classes, others of {count}: '
                'test again'
            )
        label = labels.item()
        if label not in range(count):
            raise ValueError(
                f'{path}: the label {label:g} of clip {clip} is not one of the {count} classes'
            )
        scores[clip] = values, int(label)
    if samples[0].get('classes') is not None:
        scores.names = as_class_names(samples[0]['classes'], str(path))
    return scores


def _numbers(value: Any) -> np.ndarray:
    """Return an array of float64; an empty one if these are not numbers."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return np.empty(0)


def names_of(dumps: Sequence[Scores]) -> Optional[Tuple[str, ...]]:
    """Return the names of the classes from the first dump that has them."""
    return next((dump.names for dump in dumps if dump.names is not None), None)


def check(first: Scores, other: Scores, path: str) -> None:
    """Raise a ValueError if a dump is not of the same test as the first."""
    for here, there, verb in ((first, other, 'lacks'), (other, first, 'adds')):
        missing = sorted(set(here) - set(there))
        if missing:
            raise ValueError(
                f'{path} {verb} {len(missing)} clips, the first is '
                f'{missing[0]}: fuse tests of the same clips'
            )
    for clip, (values, label) in first.items():
        own, own_label = other[clip]
        if len(own) != len(values):
            raise ValueError(
                f'{path} has {len(own)} classes, the first dump '
                f'{len(values)}: fuse networks for the same classes'
            )
        if own_label != label:
            raise ValueError(
                f'{path} labels clip {clip} as {own_label}, the first dump as '
                f'{label}: fuse tests with the same labels'
            )
    for label, (own_name, name) in enumerate(zip(other.names or (), first.names or ())):
        if plain_name(own_name) != plain_name(name):
            raise ValueError(
                f'{path} names class {label} {own_name[:60]!r}, the first dump {name[:60]!r}: '
                'fuse tests with the same classes'
            )


def class_names(scores: Scores, path: str, names: Optional[str] = None) -> List[str]:
    """Return the names of the classes of a dump.

    Args:
        scores (Scores): Its contents, from :func:`read`.
        path (str): The dump, named in the error.
        names (str, optional): Text file with one per line. Defaults to None,
            the names in the dump, or ``class 0`` and so on.

    Raises:
        ValueError: If the number of names differs.
    """
    count = len(next(iter(scores.values()))[0])
    found = read_class_names(names) if names else scores.names
    if found is None:
        return [f'class {index}' for index in range(count)]
    check_class_names(found, count, names or path)
    return list(found)
