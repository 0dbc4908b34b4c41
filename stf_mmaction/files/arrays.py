"""Create NumPy arrays and plain containers from their description in pickles.

NumPy's ``__setstate__`` takes the flags of a dtype from the file unchecked,
and one wrong byte ends the process. Here, a file determines only the kind, the
shape and the bytes of an array.
"""

import math
import re
import sys
from collections import Counter, OrderedDict, deque
from typing import Any, Dict, Sequence, Tuple

import numpy as np

from .byte_reader import Bytes
from .constructors import Blank, Constructor, check_key
from .tree import RefusedError

# Numbers, and text of up to 9,999 characters.
_KINDS = re.compile(r'[<>|=]?(b1|[iu][1248]|f[248]|f16|c8|c16|[SU]\d{1,4})')
_MAX_DIMS = 32
# The longest axis of an empty array.
_MAX_EMPTY = 10**6


def make_dtype(kind: str, align: bool = False, copy: bool = True) -> Blank:
    """Return a dtype; its byte order comes later in the file."""
    if type(kind) is not str or not _KINDS.fullmatch(kind):
        raise RefusedError(f'it holds an array of {str(kind)[:40]!r}, not of numbers or text')
    dtype = np.dtype(kind)

    def build(state: Sequence) -> np.dtype:
        # (version, byte order, ...): numbers do not require the rest.
        if type(state) is not tuple or len(state) < 5 or any(part for part in state[2:5]):
            raise RefusedError('it holds an array of records, not of numbers or text')
        if state[1] not in ('<', '>', '|', '='):
            raise RefusedError(f'it has an array with the byte order {state[1]!r}')
        return dtype.newbyteorder(state[1])

    return Blank(build)


def make_array(shape: Sequence[int], dtype: np.dtype, data: Any, order: str) -> np.ndarray:
    """Return an array of the bytes in the file.

    Args:
        shape (tuple[int]): Its shape.
        dtype (np.dtype): Made by :func:`make_dtype`.
        data (bytes or Bytes): Exactly as many as the shape requires.
        order (str): ``'C'`` or ``'F'``.
    """
    if not isinstance(dtype, np.dtype):
        raise RefusedError('it has an array without a kind')
    if isinstance(data, str):  # Written by Python 2.
        data = data.encode('latin-1')
    if type(data) not in (bytes, bytearray, Bytes):
        raise RefusedError(f'it has an array whose data is a {type(data).__name__}')
    size = data.size if type(data) is Bytes else len(data)
    if (
        type(shape) is not tuple
        or len(shape) > _MAX_DIMS
        or not all(type(n) is int and 0 <= n <= max(_MAX_EMPTY, size) for n in shape)
        or order not in ('C', 'F')
    ):
        raise RefusedError(f'it has an array of shape {str(shape)[:80]}')
    needed = math.prod(shape) * dtype.itemsize
    if needed != size:
        raise RefusedError(f'it has an array of shape {shape} with {size} bytes, not {needed}')
    if not needed:
        return np.ndarray(shape, dtype, order=order)
    flat = data.take() if type(data) is Bytes else np.frombuffer(data, 'u1').copy()
    array = np.ndarray(shape, dtype, flat, order=order)
    if dtype.kind == 'U' and (flat.view(f'{dtype.byteorder}u4') > sys.maxunicode).any():
        raise RefusedError('it has an array of text that is not valid')
    # Bytes other than 0 and 1 would be true in some operations and false in others.
    return array if dtype.kind != 'b' else array.view('u1') != 0


def _reconstruct(kind: Any, shape: Any, code: Any) -> Blank:
    def build(state: Sequence) -> np.ndarray:
        _, shape, dtype, is_fortran, data = state
        return make_array(shape, dtype, data, 'F' if is_fortran else 'C')

    return Blank(build)


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes as protocols 0 to 2 encode them."""
    if encoding not in ('latin1', 'latin-1'):
        raise RefusedError(f'it has bytes in the encoding {str(encoding)[:40]!r}')
    return text.encode('latin-1')


def _ordered(pairs: Sequence = ()) -> OrderedDict:
    return OrderedDict((check_key(key), value) for key, value in pairs)


def _deque(items: Sequence = (), most: Any = None) -> deque:
    return deque(items, most)


def _counter(counts: Dict) -> Counter:
    if type(counts) is not dict:
        raise RefusedError(f'it counts a {type(counts).__name__}')
    return Counter(counts)


def _bytearray(data: Any = b'', encoding: str = 'latin-1') -> bytearray:
    if type(data) not in (bytes, str):  # A number would be taken as a length.
        raise RefusedError(f'it has bytes made of a {type(data).__name__}')
    return bytearray(data if type(data) is bytes else _encode(data, encoding))


def _constructors() -> Dict[Tuple[str, str], Any]:
    calls = {
        ('collections', 'OrderedDict'): (_ordered, 500),
        ('collections', 'Counter'): (_counter, 500),
        ('collections', 'deque'): (_deque, 700),
        ('_codecs', 'encode'): (_encode, 40),
        ('numpy', 'ndarray'): (None, 0),  # may be named, but not called
        ('numpy', 'dtype'): (make_dtype, 600),
    }
    for builtins in ('builtins', '__builtin__'):
        calls[builtins, 'bytes'] = (lambda: b'', 40)  # protocol 2
        calls[builtins, 'bytearray'] = (_bytearray, 80)
        calls[builtins, 'set'] = (lambda items=(): set(map(check_key, items)), 400)
        calls[builtins, 'frozenset'] = (lambda items=(): set(map(check_key, items)), 400)
        calls[builtins, 'complex'] = (lambda real, imag: complex(real, imag), 40)
    for core in ('numpy.core', 'numpy._core'):  # NumPy 1 and 2
        calls[f'{core}.multiarray', '_reconstruct'] = (_reconstruct, 700)
        calls[f'{core}.multiarray', 'scalar'] = (
            lambda dtype, data: make_array((), dtype, data, 'C')[()],
            200,
        )
        calls[f'{core}.numeric', '_frombuffer'] = (
            lambda data, dtype, shape, order: make_array(shape, dtype, data, order),
            300,
        )
    return {
        (module, name): Constructor(f'{module}.{name}', call, cost)
        for (module, name), (call, cost) in calls.items()
    }


CONSTRUCTORS = _constructors()
