"""The two functions that read files which others may have written.

This package, its tools and MMEngine under them read every pickle and every
checkpoint with them. No code in a file is run, the memory is bounded by the
length of the file, and an error is one sentence that names the file.
"""

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Union

from .tensors import read_pickle, read_torch
from .tree import RefusedError

_BEFORE_MEMORY = 'free memory or use a computer with more'


def safe_load(path: Union[str, Path]) -> Any:
    """Read a pickle of dicts, lists, text, numbers, arrays and tensors.

    Args:
        path (str or Path): The file.

    Returns:
        Any: Its contents.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty, damaged, or contains anything else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f'file {path} does not exist: tools/data/README.md describes how to get or convert '
            'each data set'
        )
    return _read(path, read_pickle, 'a pickle of arrays')


def read_checkpoint(path: Union[str, Path]) -> Dict[str, Any]:
    """Read a checkpoint, onto the CPU.

    ``meta['config']`` is Python that MMEngine would run when it resumes. It is
    returned as ``meta['config_text']``, which is never run.

    Args:
        path (str or Path): A file that ``torch.save`` wrote.

    Returns:
        dict: Its contents.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or holds more than weights, numbers and
            text.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    loaded = _read(path, read_torch, 'a checkpoint')
    if not isinstance(loaded, dict):
        raise ValueError(
            f'checkpoint {path} holds a {type(loaded).__name__}, not a dict of weights: '
            'give a checkpoint of tools/train.py'
        )
    meta = loaded.get('meta')
    if meta is not None and not isinstance(meta, dict):
        raise ValueError(
            f"checkpoint {path} has a 'meta' that is a {type(meta).__name__}, not a dict: "
            'give a checkpoint of tools/train.py'
        )
    if meta and 'config' in meta:
        meta['config_text'] = str(meta.pop('config'))
    return loaded


def _read(path: Path, read: Callable[[BinaryIO, int], Any], kind: str) -> Any:
    # Reading a pipe would block.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f'{path} is not a file: give the path of {kind}')
    with path.open('rb') as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise ValueError(f'file {path} is empty: copy or create it again')
        try:
            return read(file, size)
        except RefusedError as error:
            raise ValueError(
                f'file {path} was not read as {kind}: {error}; it is damaged or cannot be trusted'
            ) from None
        except MemoryError:
            raise ValueError(
                f'file {path} of {size / 2**20:.0f} MiB does not fit into memory: {_BEFORE_MEMORY}'
            ) from None
