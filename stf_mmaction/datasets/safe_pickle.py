"""Reading the pickles of skeletons and scores without running their code.

Refusing foreign functions is not enough: NumPy's own ``__setstate__`` takes
the flags of a dtype from the file as they are, and one wrong byte ends the
process. Here a file says only the kind, the shape and the bytes of an array,
and the array is made from them with NumPy's checks.
"""

import codecs
import collections
import io
import pickle
from pathlib import Path
from typing import Any, Sequence, Union

import numpy as np
import torch


class _Dtype:
    """Stands in for a dtype while the file is read."""

    def __init__(self, kind: str, align: bool = False, copy: bool = True):
        self.value = np.dtype(kind)
        if self.value.kind not in 'biufcSU':
            raise pickle.UnpicklingError(f'it holds an array of {kind!r}, not of numbers or text')

    def __setstate__(self, state: Sequence) -> None:
        # (version, byte order, ...): no number needs the rest.
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands in for an array, which a file describes after naming it."""

    def __setstate__(self, state: Sequence) -> None:
        _, shape, dtype, is_fortran, data = state
        self.value = _array(shape, dtype, data, 'F' if is_fortran else 'C')


def _array(shape: Sequence[int], dtype: _Dtype, data: Any, order: str) -> np.ndarray:
    return np.ndarray(shape, dtype.value, data, order=order).copy(order)


def _plain(value: Any) -> Any:
    """The same with each stand-in replaced by what it stands for."""
    if isinstance(value, (_Array, _Dtype)):
        return value.value
    if isinstance(value, dict):
        return type(value)((key, _plain(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value


_SAFE = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('_codecs', 'encode'): codecs.encode,
    # How protocol 2 writes no bytes.
    ('__builtin__', 'bytes'): lambda: b'',
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    # A tensor in a pickle holds its storage as a file of torch.save.
    ('torch.storage', '_load_from_bytes'): lambda data: torch.load(
        io.BytesIO(data), weights_only=True
    ),
}
for _module in ('numpy.core', 'numpy._core'):  # NumPy 1 and 2
    _SAFE.update(
        {
            (f'{_module}.multiarray', '_reconstruct'): lambda kind, shape, code: _Array(),
            (f'{_module}.multiarray', 'scalar'): lambda dtype, data: _array((), dtype, data, 'C')[
                ()
            ],
            (f'{_module}.numeric', '_frombuffer'): lambda data, dtype, shape, order: _array(
                shape, dtype, data, order
            ),
        }
    )


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _SAFE[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it wants to run {module}.{name}, which arrays, numbers and text do not need'
            ) from None


def safe_load(path: Union[str, Path]) -> Any:
    """Read a pickle of dicts, lists, text, numbers, arrays and tensors.

    Args:
        path (str or Path): The file.

    Returns:
        Any: What it holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty, damaged, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'file {path} does not exist: see "Data" in the README for where each data set goes'
        )
    if path.stat().st_size == 0:
        raise ValueError(f'file {path} is empty: copy or make it again')
    with path.open('rb') as file:
        try:
            return _plain(_Unpickler(file).load())
        except OSError:  # The disk, not the file.
            raise
        except Exception as error:  # Damaged bytes raise anything at all.
            raise ValueError(
                f'file {path} was not read as a pickle of arrays: {error}; '
                'it is damaged or not to be trusted'
            ) from None
