"""Reading the pickles of skeletons and scores without running their code."""
import codecs
import collections
import io
import pickle
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch


def _dtype(kind: str, align: bool = False, copy: bool = True) -> np.dtype:
    # The state that follows in the file is set on what is returned here. It
    # must be a copy, whatever the file asks for: a damaged one would
    # otherwise change the float32 of the whole process.
    return np.dtype(kind, align=align, copy=True)


_SAFE = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('_codecs', 'encode'): codecs.encode,
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): _dtype,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    # A tensor in a pickle holds its storage as a file of torch.save.
    ('torch.storage', '_load_from_bytes'):
    lambda data: torch.load(io.BytesIO(data), weights_only=True),
}
_core = np._core if hasattr(np, '_core') else np.core
for _module in ('numpy.core', 'numpy._core'):  # NumPy 1 and 2
    for _name in ('_reconstruct', 'scalar'):
        _SAFE[f'{_module}.multiarray', _name] = getattr(
            _core.multiarray, _name)
    _SAFE[f'{_module}.numeric', '_frombuffer'] = _core.numeric._frombuffer


class _Unpickler(pickle.Unpickler):

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _SAFE[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it wants to run {module}.{name}, which arrays, numbers and '
                'text do not need') from None


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
        raise FileNotFoundError(f'file {path} does not exist: see "Data" in '
                                'the README for where each data set goes')
    if path.stat().st_size == 0:
        raise ValueError(f'file {path} is empty: copy or make it again')
    with path.open('rb') as file:
        try:
            return _Unpickler(file).load()
        except OSError:  # The disk, not the file.
            raise
        except Exception as error:  # Damaged bytes raise anything at all.
            raise ValueError(
                f'file {path} was not read as a pickle of arrays: {error}; '
                'it is damaged or not to be trusted') from None
