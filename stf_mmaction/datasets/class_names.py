"""Read the names of classes, and check that they fit the network."""

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from stf_mmaction.files import read_text

Names = Tuple[str, ...]


def read_class_names(path: Union[str, Path]) -> Names:
    """Read a text file with one class name per line.

    Args:
        path (str or Path): The file. Blank lines at its end do not count.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no name, or a blank line between two names.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'file {path} of class names does not exist')
    text = read_text(path)
    return as_class_names([line.strip() for line in text.rstrip().splitlines()], str(path))


def as_class_names(value: Any, source: str) -> Names:
    """Return class names as a tuple of text.

    Args:
        value: A sequence of text, an array of text, or a dict from each
            label to its name.
        source (str): Its source, for the error.

    Raises:
        ValueError: If it is none of these, or a name is blank.
    """
    if isinstance(value, dict):
        if sorted(map(str, value)) != sorted(map(str, range(len(value)))):
            raise ValueError(
                f'{source}: class names are a dict with the keys {list(value)[:5]}, '
                f'not the labels 0 to {len(value) - 1}: give a list of names in their order'
            )
        value = [name for _, name in sorted(value.items(), key=lambda item: int(item[0]))]
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(
            f'{source}: class names are {value!r:.80}, not a list of text: give one name per class'
        )
    for label, name in enumerate(value):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f'{source}: the name of class {label} is {name!r:.80}, not text: '
                'give one name per class'
            )
    return tuple(str(name) for name in value)


def plain_name(name: str) -> str:
    """Return a class name in lower case without blanks, hyphens and underscores, for comparison."""
    return ''.join(name.lower().replace('_', ' ').replace('-', ' ').split())


def check_class_names(names: Sequence[str], num_classes: int, source: str) -> None:
    """Raise a ValueError unless there is one name per class.

    Args:
        names (Sequence[str]): The names.
        num_classes (int): K of the network.
        source (str): Source of the names, for the error.
    """
    if len(names) != num_classes:
        raise ValueError(
            f'{source}: {len(names)} class names for a network of {num_classes} classes: '
            'give one name per class'
        )


def find_class_names(num_classes: int, *metas: Optional[Dict]) -> Optional[Names]:
    """Return the first class names that fit a network, or None.

    Args:
        num_classes (int): K of the network. Names for another number of
            classes belong to other data and are ignored.
        metas (dict, optional): ``metainfo`` of data sets and ``dataset_meta``
            of models, the most trusted first.
    """
    for meta in metas:
        names = (meta or {}).get('classes')
        if isinstance(names, (list, tuple)) and len(names) == num_classes:
            return tuple(map(str, names))
    return None
