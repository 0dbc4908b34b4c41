"""Functions that a pickle may call, and their checks."""

from collections import deque
from typing import Any, Callable

import numpy as np

from .byte_reader import Bytes
from .tree import RefusedError, Unfinished

_SIZED = (list, tuple, dict, set, deque)
_KEYS = (str, bytes, int, float, np.generic, type(None))


class Constructor(Unfinished):
    """A function that a file may call by its name."""

    __slots__ = ('name', 'call', 'cost', 'is_class')

    def __init__(self, name: str, call: Callable, cost: int = 0, is_class: bool = False):
        self.name, self.call, self.cost, self.is_class = name, call, cost, is_class


class Blank(Unfinished):
    """A value that a file names first and describes afterwards.

    Args:
        build (Callable): Creates the value from its description.
    """

    __slots__ = ('build', 'memo_keys')

    def __init__(self, build: Callable[[Any], Any]):
        self.build, self.memo_keys = build, []


def guarded(name: str, call: Callable, *args: Any) -> Any:
    """Call a function with arguments from a file, which may be anything.

    Raises:
        RefusedError: If the call fails; it contains ``name``.
    """
    try:
        return call(*args)
    except (RefusedError, OSError):
        raise
    except Exception as error:
        raise RefusedError(f'{name} cannot be made: {error}') from None


def weight(value: Any) -> int:
    """Return the bytes of a copy: a value to which a file refers repeatedly is copied each time."""
    if type(value) is Bytes:
        return value.size
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    return 64 * len(value) if isinstance(value, _SIZED) else 0


def check_key(value: Any) -> Any:
    """Return a key if its hash is fast and has few collisions."""
    if not isinstance(value, _KEYS):
        raise RefusedError(f'it has a {type(value).__name__} as a key')
    if type(value) is int and value.bit_length() > 64:
        raise RefusedError(f'it has a key of {value.bit_length()} bits')
    return value
