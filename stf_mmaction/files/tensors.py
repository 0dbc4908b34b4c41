"""Tensors, as ``torch.save`` writes them: a zip archive, or the older form.

``torch.load(weights_only=True)`` runs no code, but it checks no CRC, hands
dtypes to NumPy as they are, and gives a tensor as much memory as the file
says. Here every byte of a tensor comes from the file and is checked.
"""

import errno
import io
import math
import zipfile
from contextlib import contextmanager
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor, nn

from .arrays import CONSTRUCTORS
from .tree import RefusedError, Unfinished, check_tree
from .unpickler import Blank, Constructor, Unpickler

# The first pickle of torch.save's older form, and its version.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {
    'FloatStorage': torch.float32,
    'DoubleStorage': torch.float64,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
    'ComplexFloatStorage': torch.complex64,
    'ComplexDoubleStorage': torch.complex128,
}
_DTYPES = [*_STORAGES.values(), torch.uint16, torch.uint32, torch.uint64]


class _StorageType(NamedTuple):
    dtype: torch.dtype


class _Storage(Unfinished):
    """The bytes of tensors.

    Attributes:
        data (torch.UntypedStorage): The bytes.
        dtype (torch.dtype): What they are.
    """

    __slots__ = ('data', 'dtype')

    def __init__(self, data: torch.UntypedStorage, dtype: torch.dtype):
        self.data, self.dtype = data, dtype


def _tensor(
    storage: _Storage, offset: int, size: Sequence[int], stride: Sequence[int], dtype: Any = None
) -> Tensor:
    """Return a view of a storage, all inside it and none of it twice."""
    if not isinstance(storage, _Storage):
        raise RefusedError('it has a tensor without data')
    dtype = storage.dtype if dtype is None else dtype
    if dtype not in _DTYPES:
        raise RefusedError(f'it has a tensor of {str(dtype)[:40]}')
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 2**48 for n in numbers):
        raise RefusedError(f'it has a tensor of size {str(size)[:80]}')
    held = storage.data.nbytes() // dtype.itemsize
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if count else 0
    if count > held or last >= max(held, 1) or (not count and max(size) > 10**6):
        raise RefusedError(f'it has a tensor of size {tuple(size)} with {held} numbers')
    tensor = torch.empty(0, dtype=dtype)
    return tensor.set_(storage.data, offset if count else 0, tuple(size), tuple(stride))


def _tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None) -> Tensor:
    return _tensor(storage, offset, size, stride)


def _tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None) -> Tensor:
    return _tensor(storage, offset, size, stride, dtype)


def _parameter(data: Tensor, requires_grad: bool, hooks: Any) -> nn.Parameter:
    return nn.Parameter(data, requires_grad is True)


def _device(kind: str, *index: int) -> torch.device:
    if kind not in ('cpu', 'cuda', 'mps', 'xpu', 'meta'):
        raise RefusedError(f'it names the device {str(kind)[:40]!r}')
    return torch.device(kind, *index)


def _statistic(owner: Any, name: str) -> str:
    """Return a statistic by the name that HistoryBuffer gives it."""
    if owner is not _HISTORY or name not in ('min', 'max', 'current', 'mean'):
        raise RefusedError(
            f'it asks for {str(name)[:40]!r} of a value, which nothing of MMEngine does: '
            'it is not to be trusted'
        )
    return name


def _history() -> Blank:
    def build(state: Dict) -> Any:
        from mmengine.logging import HistoryBuffer

        logs, counts = state['_log_history'], state['_count_history']
        for name, array in (('log', logs), ('count', counts)):
            if getattr(array, 'ndim', None) != 1 or array.dtype.kind not in 'biuf':
                raise RefusedError(f'it has a {name} history that is not a list of numbers')
        most = state['max_length']
        if type(most) is not int or not len(logs) == len(counts) <= most:
            raise RefusedError('it has a log history of another length than its counts')
        return HistoryBuffer(logs, counts, most)

    return Blank(build)


_HISTORY = Constructor('HistoryBuffer', _history, 900, is_class=True)


def _constructors() -> Dict[Tuple[str, str], Any]:
    calls = {
        ('torch._utils', '_rebuild_tensor'): (_tensor, 600),
        ('torch._utils', '_rebuild_tensor_v2'): (_tensor_v2, 600),
        ('torch._utils', '_rebuild_tensor_v3'): (_tensor_v3, 600),
        ('torch._utils', '_rebuild_parameter'): (_parameter, 600),
        # A tensor in a pickle holds its storage as a file of torch.save.
        ('torch.storage', '_load_from_bytes'): (_load_from_bytes, 1000),
        ('torch', 'Size'): (lambda size: torch.Size(size), 200),
        ('torch', 'device'): (_device, 60),
        ('builtins', 'getattr'): (_statistic, 0),
        ('__builtin__', 'getattr'): (_statistic, 0),
    }
    table: Dict[Tuple[str, str], Any] = dict(CONSTRUCTORS)
    for (module, name), (call, cost) in calls.items():
        table[module, name] = Constructor(f'{module}.{name}', call, cost)
    for name, dtype in _STORAGES.items():
        table['torch', name] = _StorageType(dtype)
    table['torch.storage', 'UntypedStorage'] = _StorageType(torch.uint8)
    for dtype in _DTYPES:
        module, _, name = str(dtype).partition('.')
        table[module, name] = dtype
    table['mmengine.logging.history_buffer', 'HistoryBuffer'] = _HISTORY
    return table


def read_pickle(file: BinaryIO, size: int) -> Any:
    """Read one pickle.

    Args:
        file (BinaryIO): Open, where it begins.
        size (int): The bytes that are left in it.

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
    with _damage('it is not a whole file of torch.save'):
        return _read_older(file, size)


def _storage_key(key: Tuple) -> Tuple[torch.dtype, str, int]:
    kind, of, name, _, count, *view = key
    if kind != 'storage' or type(of) is not _StorageType or type(name) is not str:
        raise RefusedError('it refers to something that is not a storage')
    if type(count) is not int or count < 0 or any(part is not None for part in view):
        raise RefusedError('it has a storage of no length')
    return of.dtype, name, count


def _read_zip(file: BinaryIO, size: int) -> Any:
    with _damage('its archive is damaged'), zipfile.ZipFile(file) as archive:
        return _read_archive(archive, size)


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Refuse a file where the readers of Python stumble over its bytes."""
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
    storages: Dict[str, _Storage] = {}

    def find(key: Tuple) -> _Storage:
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
        # As a whole, whose CRC is checked.
        pickled = io.BytesIO(stream.read())
    value = Unpickler(pickled, part.file_size, TORCH_CONSTRUCTORS, find).load()
    if isinstance(value, Unfinished):
        raise RefusedError('it holds no value')
    return value


def _filled(stream: BinaryIO, count: int, dtype: torch.dtype) -> _Storage:
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
    return _Storage(data.untyped_storage(), dtype)


def _read_older(file: BinaryIO, size: int, is_part: bool = False) -> Any:
    """Read what torch wrote before 1.6, and how it pickles storages to this day."""

    def pickled(persistent: Any = None) -> Any:
        reader = Unpickler(file, size - file.tell(), TORCH_CONSTRUCTORS, persistent)
        return reader.load_part()

    if (pickled(), pickled()) != (_MAGIC, _VERSION):
        raise RefusedError('it is not a file of torch.save')
    if pickled().get('little_endian') is not True:
        raise RefusedError('it was written on a computer with another byte order')
    storages: Dict[str, _Storage] = {}
    left = [size]

    def find(key: Tuple) -> _Storage:
        dtype, name, count = _storage_key(key)
        if name not in storages:
            left[0] -= count * dtype.itemsize
            if left[0] < 0:
                raise RefusedError('its storages are longer than the file')
            storages[name] = _Storage(torch.UntypedStorage(count * dtype.itemsize), dtype)
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


def _load_from_bytes(data: bytes) -> _Storage:
    if type(data) not in (bytes, bytearray):
        raise RefusedError('it has a tensor without data')
    storage = _read_older(io.BytesIO(data), len(data), is_part=True)
    if not isinstance(storage, _Storage):
        raise RefusedError('it has a tensor without data')
    return storage


TORCH_CONSTRUCTORS = _constructors()
