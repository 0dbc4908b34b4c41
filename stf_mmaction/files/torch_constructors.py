"""Create tensors, and other contents of checkpoints, from their description in pickles.

A tensor is a view inside a storage; everything that a file claims is checked.
"""

import math
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor, nn

from .arrays import CONSTRUCTORS
from .constructors import Blank, Constructor
from .tree import RefusedError, Unfinished

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


class StorageType(NamedTuple):
    """A class of storages, by which a file refers to a dtype."""

    dtype: torch.dtype


class Storage(Unfinished):
    """The bytes of tensors.

    Attributes:
        data (torch.UntypedStorage): The bytes.
        dtype (torch.dtype): Their type.
    """

    __slots__ = ('data', 'dtype')

    def __init__(self, data: torch.UntypedStorage, dtype: torch.dtype):
        self.data, self.dtype = data, dtype


def _tensor(
    storage: Storage, offset: int, size: Sequence[int], stride: Sequence[int], dtype: Any = None
) -> Tensor:
    """Return a view that lies inside a storage and does not overlap itself."""
    if not isinstance(storage, Storage):
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
    """Return a statistic by its name in HistoryBuffer."""
    if owner is not _HISTORY or name not in ('min', 'max', 'current', 'mean'):
        raise RefusedError(
            f'it reads {str(name)[:40]!r} of a value, which MMEngine never does: do not trust it'
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


def torch_constructors() -> Dict[Tuple[str, str], Any]:
    """Return the functions that pickles of tensors may call, by module and name."""
    calls = {
        ('torch._utils', '_rebuild_tensor'): (_tensor, 600),
        ('torch._utils', '_rebuild_tensor_v2'): (_tensor_v2, 600),
        ('torch._utils', '_rebuild_tensor_v3'): (_tensor_v3, 600),
        ('torch._utils', '_rebuild_parameter'): (_parameter, 600),
        ('torch', 'Size'): (lambda size: torch.Size(size), 200),
        ('torch', 'device'): (_device, 60),
        ('builtins', 'getattr'): (_statistic, 0),
        ('__builtin__', 'getattr'): (_statistic, 0),
    }
    table: Dict[Tuple[str, str], Any] = dict(CONSTRUCTORS)
    for (module, name), (call, cost) in calls.items():
        table[module, name] = Constructor(f'{module}.{name}', call, cost)
    for name, dtype in _STORAGES.items():
        table['torch', name] = StorageType(dtype)
    table['torch.storage', 'UntypedStorage'] = StorageType(torch.uint8)
    for dtype in _DTYPES:
        module, _, name = str(dtype).partition('.')
        table[module, name] = dtype
    table['mmengine.logging.history_buffer', 'HistoryBuffer'] = _HISTORY
    return table
