"""Walk through the contents of a file without recursion."""

from collections import deque
from typing import Any, Dict, Tuple

import numpy as np

MAX_DEPTH = 32


class RefusedError(ValueError):
    """A file that is damaged, or holds more than data."""


class Unfinished:
    """A placeholder of the reader, which no file may hold as a value."""

    __slots__ = ()


def check_tree(value: Any, most: int) -> None:
    """Raise a RefusedError unless a value is data that can be walked through.

    A list that holds another twice, which holds another twice, ... is small
    in memory and without end for all that prints, copies or compares it. So
    the parts are counted as often as they are met, and each container is
    looked at only once.

    Args:
        value (Any): Containers, arrays, text and numbers.
        most (int): How many parts it may have.
    """
    sizes: Dict[int, Tuple[int, int]] = {}  # of containers of containers, with their depth
    stack, open_ids = [(value, False)], set()
    while stack:
        item, is_done = stack.pop()
        parts = _parts(item)
        inner = [part for part in parts if type(part) not in _LEAVES and _parts(part)]
        if is_done:
            size, depth = 1 + len(parts) - len(inner), 0
            for part in inner:
                # One without a size holds no containers.
                more, below = sizes.get(id(part)) or (1 + len(_parts(part)), 1)
                size, depth = size + more, max(depth, below)
            if size > most or depth >= MAX_DEPTH:
                raise RefusedError('its values are nested without end')
            sizes[id(item)] = size, depth + 1
            open_ids.discard(id(item))
        elif inner and id(item) not in sizes:
            if id(item) in open_ids:
                raise RefusedError('it has a value that contains itself')
            open_ids.add(id(item))
            stack.append((item, True))
            stack.extend((part, False) for part in inner)


_LEAVES = {str, int, float, bool, bytes, bytearray, complex, type(None), np.ndarray}


def _parts(item: Any) -> Any:
    """Return the values in a container; none where an item is no container."""
    if isinstance(item, dict):
        return item.values()
    if type(item) in (list, tuple, deque):
        return item
    if isinstance(item, Unfinished):
        raise RefusedError('it holds a name where a value belongs')
    return ()
