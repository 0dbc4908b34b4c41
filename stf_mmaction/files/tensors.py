"""Read tensors as ``torch.save`` writes them, in a zip archive or in the older format.

``torch.load(weights_only=True)`` runs no code, but it checks no CRC, passes dtypes to
NumPy unchecked, and allocates as much memory for a tensor as the file claims. Here,
every byte of a tensor comes from the file and is checked.
"""

import errno
import io
import zipfile
from contextlib import contextmanager
from typing import Any, BinaryIO, Dict, Iterator, List, Tuple

import torch

from .constructors import Constructor
from .torch_constructors import Storage, StorageType, torch_constructors
from .tree import RefusedError, Unfinished, check_tree
from .unpickler import Unpickler

# The first pickle of torch.save's older format, and its version.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001


def read_pickle(file: BinaryIO, size: int) -> Any:
    """Read one pickle.

    Args:
        file (BinaryIO): Open, at the start of the pickle.

    Raises:
        RefusedError: If it is damaged or holds more than data.
    """
    return Unpickler(file, size, TORCH_CONSTRUCTORS).load()


def read_torch(file: BinaryIO, size: int) -> Any:
    """Read what ``torch.save`` wrote.

    Args:
        file (BinaryIO): Open at its start.
        size (int): Its bytes.

    Raises:
        RefusedError: If it is damaged or holds more than data.
    """
    start = file.read(4)
    file.seek(0)
    if start == b'PK\x03\x04':
        return _read_zip(file, size)
    if start[:1] != b'\x80':
        raise RefusedError('it is not a file of torch.save')
    with _damage('it is not a complete file of torch.save'):
        return _read_older(file, size)


def _storage_key(key: Tuple) -> Tuple[torch.dtype, str, int]:
    kind, of, name, _, count, *view = key
    if kind != 'storage' or type(of) is not StorageType or type(name) is not str:
        raise RefusedError('it refers to something that is not a storage')
    if type(count) is not int or count < 0 or any(part is not None for part in view):
        raise RefusedError('it has a storage without a length')
    return of.dtype, name, count


def _read_zip(file: BinaryIO, size: int) -> Any:
    with _damage('its archive is damaged'), zipfile.ZipFile(file) as archive:
        return _read_archive(archive, size)


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Refuse a file if Python's readers fail on its bytes."""
    try:
        yield
    except (RefusedError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # The disk, not the file.
        raise RefusedError(f'{what}: {str(error)[:200]}') from None


def _read_archive(archive: zipfile.ZipFile, size: int) -> Any:
    entries = {entry.filename: entry for entry in archive.infolist()}
    for name, entry in entries.items():
        stored = entry.compress_type == zipfile.ZIP_STORED
        if not stored or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise RefusedError(f'{name[:80]!r} in it is compressed, which torch.save never does')
    if sum(entry.file_size for entry in entries.values()) > size:
        raise RefusedError('its parts are longer than the file')
    roots = [name[: -len('/data.pkl')] for name in entries if name.endswith('/data.pkl')]
    if len(roots) != 1:
        raise RefusedError('it is an archive, but not one of torch.save')
    (root,) = roots
    order = f'{root}/byteorder'
    if order in entries and archive.read(order) != b'little':
        raise RefusedError('it was written on a computer with another byte order')
    storages: Dict[str, Storage] = {}

    def find(key: Tuple) -> Storage:
        dtype, name, count = _storage_key(key)
        if name not in storages:
            entry = entries.get(f'{root}/data/{name}')
            if entry is None or entry.file_size != count * dtype.itemsize:
                raise RefusedError(f'it has no {count} numbers for storage {name[:40]!r}')
            with archive.open(entry) as stream:  # It checks the CRC at the end.
                storages[name] = _filled(stream, entry.file_size, dtype)
                stream.read(1)
        if storages[name].dtype != dtype:
            raise RefusedError(f'it has several kinds of storage {name[:40]!r}')
        return storages[name]

    part = entries[f'{root}/data.pkl']
    with archive.open(part) as stream:
        # Read completely, so that the CRC is checked.
        pickled = io.BytesIO(stream.read())
    value = Unpickler(pickled, part.file_size, TORCH_CONSTRUCTORS, find).load()
    if isinstance(value, Unfinished):
        raise RefusedError('it holds no value')
    return value


def _filled(stream: BinaryIO, count: int, dtype: torch.dtype) -> Storage:
    """Return a storage of the next bytes."""
    data = torch.empty(count, dtype=torch.uint8)
    view = memoryview(data.numpy())
    done = 0
    while done < count:
        read = stream.readinto(view[done : done + (1 << 20)])
        if not read:
            raise RefusedError('it is cut off')
        done += read
    if dtype == torch.bool:
        data.clamp_(max=1)
    return Storage(data.untyped_storage(), dtype)


def _read_older(file: BinaryIO, size: int, is_part: bool = False) -> Any:
    """Read the format of torch before 1.6, in which it still pickles storages."""

    def pickled(persistent: Any = None) -> Any:
        reader = Unpickler(file, size - file.tell(), TORCH_CONSTRUCTORS, persistent)
        return reader.load_part()

    if (pickled(), pickled()) != (_MAGIC, _VERSION):
        raise RefusedError('it is not a file of torch.save')
    if pickled().get('little_endian') is not True:
        raise RefusedError('it was written on a computer with another byte order')
    storages: Dict[str, Storage] = {}
    left = [size]

    def find(key: Tuple) -> Storage:
        dtype, name, count = _storage_key(key)
        if name not in storages:
            left[0] -= count * dtype.itemsize
            if left[0] < 0:
                raise RefusedError('its storages are longer than the file')
            storages[name] = Storage(torch.UntypedStorage(count * dtype.itemsize), dtype)
        if storages[name].dtype != dtype or storages[name].data.nbytes() != count * dtype.itemsize:
            raise RefusedError(f'it has several kinds of storage {name[:40]!r}')
        return storages[name]

    value = pickled(find)
    names: List[str] = pickled()
    if type(names) is not list or sorted(map(str, names)) != sorted(storages):
        raise RefusedError('its storages are not those of its tensors')
    for name in names:
        storage = storages[name]
        count = int.from_bytes(file.read(8), 'little')
        if count * storage.dtype.itemsize != storage.data.nbytes():
            raise RefusedError(f'it has a storage of {count} numbers, which should be others')
        filled = _filled(file, storage.data.nbytes(), storage.dtype)
        storage.data.copy_(filled.data)
    if not is_part:
        check_tree(value, 1000 + 16 * size)
    return value


def _load_from_bytes(data: bytes) -> Storage:
    if type(data) not in (bytes, bytearray):
        raise RefusedError('it has a tensor without data')
    storage = _read_older(io.BytesIO(data), len(data), is_part=True)
    if not isinstance(storage, Storage):
        raise RefusedError('it has a tensor without data')
    return storage


TORCH_CONSTRUCTORS = torch_constructors()
# A tensor in a pickle contains its storage as a file of torch.save.
TORCH_CONSTRUCTORS['torch.storage', '_load_from_bytes'] = Constructor(
    'torch.storage._load_from_bytes', _load_from_bytes, 1000
)
