"""Walk through the contents of a file without recursion."""

from collections import deque
from typing import Any, Dict, Tuple

import numpy as np

MAX_DEPTH = 32


class RefusedError(ValueError):
    """Raised for a file that is damaged, or contains more than data."""


class Unfinished:
    """A placeholder of the reader, which must not be a value in a file."""

    __slots__ = ()


def check_tree(value: Any, most: int) -> None:
    """Raise a RefusedError unless a value is data that can be traversed.

    A list that contains another one twice, which contains another one twice,
    ... is small in memory, but printing, copying or comparing it takes
    forever. So parts are counted as often as they occur, but each container is
    visited only once.

    Args:
        value (Any): Containers, arrays, text and numbers.
        most (int): Largest number of parts.
    """
    sizes: Dict[int, Tuple[int, int]] = {}  # number of parts of containers, with their depth
    stack, open_ids = [(value, False)], set()
    while stack:
        item, is_done = stack.pop()
        parts = _parts(item)
        inner = [part for part in parts if type(part) not in _LEAVES and _parts(part)]
        if is_done:
            size, depth = 1 + len(parts) - len(inner), 0
            for part in inner:
                # One without a size contains no containers.
                more, below = sizes.get(id(part)) or (1 + len(_parts(part)), 1)
                size, depth = size + more, max(depth, below)
            if size > most or depth >= MAX_DEPTH:
                raise RefusedError('its values are nested too deeply')
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
    """Return the values in a container; none if an item is not a container."""
    if isinstance(item, dict):
        return item.values()
    if type(item) in (list, tuple, deque):
        return item
    if isinstance(item, Unfinished):
        raise RefusedError('it has a name in place of a value')
    return ()
