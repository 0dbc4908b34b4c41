"""Read text, JSON and NumPy files of others, with limits on their size."""

import codecs
import json
import math
import stat
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Sequence, Union

import numpy as np

from .tree import RefusedError, check_tree

# Lists in memory take up to 20 times the size of their JSON.
MAX_TEXT_BYTES = 1 << 27
# A compressed file may unpack to this size, or to this many times its own size; zeros could
# unpack to a thousand times.
_FREE_BYTES, _MAX_RATIO = 1 << 26, 100


def check_regular(path: Union[str, Path]) -> int:
    """Return the size of a file; refuse anything else, such as a pipe.

    Raises:
        OSError: If it does not exist, or is a broken link.
        ValueError: If it is not a file.
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f'{path} is not a file')
    return status.st_size


def read_text(path: Union[str, Path]) -> str:
    """Read a text file in one of the usual encodings.

    These are UTF-8 with or without a byte order mark, UTF-16 with one, and
    otherwise Latin-1, which older Windows programs write.

    Raises:
        ValueError: If it is not a file, or too long.
    """
    size = check_regular(path)
    if size > MAX_TEXT_BYTES:
        raise ValueError(
            f'{path} is {size / 2**20:.0f} MiB long: the limit for text is {MAX_TEXT_BYTES >> 20} '
            'MiB; is it the right file?'
        )
    data = Path(path).read_bytes()
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode('utf-16' if is_utf16 else 'utf-8-sig')
    except UnicodeDecodeError:
        return data.decode('latin-1')


def read_json(path: Union[str, Path]) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: If it is not one; the error names the file.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f'{path} is not JSON of skeletons: it is nested too deeply') from None
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None


def read_yaml(path: Union[str, Path]) -> Any:
    """Read a YAML file of plain values.

    Raises:
        ValueError: If it is not one; the error names the file.
    """
    import yaml

    text = read_text(path)
    try:
        value = yaml.safe_load(text)
        # Aliases of lists of aliases of lists ... grow exponentially.
        check_tree(value, 1000 + len(text))
    except RefusedError as error:
        raise ValueError(f'{path} cannot be read: {error}') from None
    except RecursionError:
        raise ValueError(f'{path} cannot be read: it is nested too deeply') from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, 'problem_mark', None)
        line = f'line {where.line + 1}: ' if where else ''
        problem = getattr(error, 'problem', None) or str(error).partition('\n')[0]
        raise ValueError(f'{path} is not YAML: {line}{problem}') from None
    return value


def read_arrays(path: Union[str, Path], keys: Sequence[str], maker: str) -> Dict[str, np.ndarray]:
    """Read an NPZ file that a tool of this project has written.

    Args:
        path (str or Path): The file.
        keys (Sequence[str]): Arrays that it must have.
        maker (str): The command that writes such files, for the error.

    Returns:
        dict[str, numpy.ndarray]: All arrays by name.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is damaged, of another kind, or lacks an array.
    """
    try:
        check_arrays(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError('it holds a single array')
        with loaded as file:
            arrays = {key: file[key] for key in file.files}
        missing = [key for key in keys if key not in arrays]
        if missing:
            raise ValueError(f'it lacks {missing}')
    except (MemoryError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # A damaged archive can raise any error.
        why = str(error).partition('\n')[0][:300]
        raise ValueError(f'{path} is not a file of {maker}: {why}') from None
    return arrays


def check_arrays(path: Union[str, Path]) -> None:
    """Check the headers of an NPZ or NPY file before memory is allocated.

    Raises:
        ValueError: If it is damaged, contains anything but numbers, or unpacks
            to far more than its size.
    """
    size = check_regular(path)
    with Path(path).open('rb') as file:
        start = file.read(6)
        file.seek(0)
        if start == np.lib.format.MAGIC_PREFIX:
            total = _array_bytes(file, Path(path).name)
        elif start[:4] == b'PK\x03\x04':
            total = _npz_bytes(file)
        else:
            raise ValueError(f'{path} is not an NPZ or NPY file')
    if total > _FREE_BYTES + _MAX_RATIO * size:
        raise ValueError(
            f'{path} of {size / 2**20:.1f} MiB unpacks to {total / 2**20:.0f} MiB: only equal '
            'numbers compress that well'
        )


def _npz_bytes(file: BinaryIO) -> int:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = 0
            for member in members:
                with archive.open(member) as stream:
                    total += _array_bytes(stream, member.filename)
            return total
    except ValueError:
        raise
    except Exception as error:  # A damaged archive can raise any error.
        raise ValueError(f'it is not a complete NPZ file: {str(error)[:200]}') from None


def _array_bytes(stream: BinaryIO, name: str) -> int:
    """Return the size of an array according to its header."""
    try:
        version = np.lib.format.read_magic(stream)
    except ValueError:
        raise ValueError(f'{name[:80]} is not a NumPy array') from None
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f'{name[:80]} has the unknown version {version} of an array')
    try:
        shape, _, dtype = readers[version](stream)
    except Exception:  # It is Python, of which NumPy accepts only literals.
        raise ValueError(f'{name[:80]} has a header that is not that of an array') from None
    if dtype.hasobject:
        raise ValueError(f'{name[:80]} holds Python objects, which could run code')
    if dtype.kind not in 'biufcSU' or any(length < 0 for length in shape):
        raise ValueError(
            f'{name[:80]} of type {dtype} and shape {shape} is not an array of numbers'
        )
    return math.prod(shape) * dtype.itemsize
