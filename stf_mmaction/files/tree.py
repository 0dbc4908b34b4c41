"""What a file holds, walked through without recursion."""

from collections import deque
from typing import Any, Dict, Tuple

import numpy as np

MAX_DEPTH = 32


class RefusedError(ValueError):
    """A file that is damaged, or holds more than data."""


class Unfinished:
    """What a reader works with and no file may hold as a value."""

    __slots__ = ()


def check_tree(value: Any, most: int) -> None:
    """Raise a RefusedError unless a value is data that can be walked through.

    A list that holds another twice, which holds another twice, ... is small
    in memory and without end for all that prints, copies or compares it. So
    the parts are counted as often as they are met, and each container is
    looked at only once.

    Args:
        value (Any): Of containers, arrays, text and numbers.
        most (int): How many parts it may have.
    """
    sizes: Dict[int, Tuple[int, int]] = {}  # of each container, with its depth
    stack = [(value, False)]
    open_ids = set()
    while stack:
        item, is_done = stack.pop()
        if type(item) in _LEAVES:
            continue
        parts = _parts(item)
        if parts is None:
            continue
        if is_done:
            below = [sizes.get(id(part), (1, 0)) for part in parts]
            size = 1 + sum(size for size, _ in below)
            depth = 1 + max((depth for _, depth in below), default=0)
            if size > most or depth > MAX_DEPTH:
                raise RefusedError('its values are nested without end')
            sizes[id(item)] = size, depth
            open_ids.discard(id(item))
        elif id(item) not in sizes:
            if id(item) in open_ids:
                raise RefusedError('it has a value that contains itself')
            open_ids.add(id(item))
            stack.append((item, True))
            stack.extend((part, False) for part in parts if type(part) not in _LEAVES)


_LEAVES = {str, int, float, bool, bytes, bytearray, complex, type(None), np.ndarray}


def _parts(item: Any) -> Any:
    """The values in a container; None where an item is none."""
    if isinstance(item, dict):
        return item.values()
    if type(item) in (list, tuple, deque):
        return item
    if isinstance(item, Unfinished):
        raise RefusedError('it holds a name where a value belongs')
    return None
