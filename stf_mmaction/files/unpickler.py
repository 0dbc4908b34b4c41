"""A pickle reader that makes data and nothing else.

``pickle.Unpickler`` with its own ``find_class`` still leaves a file much:
``BUILD`` writes into any function that it may name, a memo index or a length
asks for gigabytes, nesting overflows the C stack. This reader knows only the
instructions that data needs. Whatever it makes is bounded by the length of
the file, no value is nested deeper than ``MAX_DEPTH``, and the few names that
a file may call are :class:`Constructor` objects, which have no attributes to
write to.
"""

import gc
import struct
from collections import Counter, OrderedDict, deque
from typing import Any, BinaryIO, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from .tree import MAX_DEPTH, RefusedError, Unfinished, check_tree

# Longer parts are read by themselves; of an array, no more than this is copied.
_CHUNK = 1 << 14
_MEMO_BYTES = 100
# So many and more are read straight into an array.
_LAZY_BYTES = 1 << 12
_MISSING = object()
_STOP = ord('.')
# Memory for containers, in bytes: that of a small file, and for each byte of
# a larger one. The densest data that pickle writes, pairs of small integers,
# takes 30 bytes for each byte.
_FREE_BYTES, _BYTES_PER_BYTE = 1 << 24, 40
# 128 bits and a sign, as in the state of a random generator.
_MAX_INT_BYTES = 17
_SIZED = (list, tuple, dict, set, deque)
_KEYS = (str, bytes, int, float, np.generic, type(None))


class Constructor(Unfinished):
    """A function that a file may call by its name."""

    __slots__ = ('name', 'call', 'cost', 'is_class')

    def __init__(self, name: str, call: Callable, cost: int = 0, is_class: bool = False):
        self.name, self.call, self.cost, self.is_class = name, call, cost, is_class


class Blank(Unfinished):
    """What a file names first and describes afterwards.

    Args:
        build (Callable): Makes the value from its description.
    """

    __slots__ = ('build', 'memo_keys')

    def __init__(self, build: Callable[[Any], Any]):
        self.build, self.memo_keys = build, []


class Bytes(Unfinished):
    """Many bytes, which an array that is named after them takes as they are.

    Args:
        data (numpy.ndarray): uint8, shape (size,).
    """

    __slots__ = ('size', '_data', '_is_taken', '_whole')

    def __init__(self, data: np.ndarray):
        self.size, self._data = len(data), data
        self._is_taken, self._whole = False, None

    def take(self) -> np.ndarray:
        """Return them, writable, to one array; to others a copy each."""
        data = self._data.copy() if self._is_taken else self._data
        self._is_taken = True
        return data

    def whole(self) -> bytes:
        """Return the bytes by themselves; always the same object."""
        if self._whole is None:
            self._whole = self._data.tobytes()
        return self._whole


class Unpickler:
    """Reads one pickle from a file; afterwards the file is at its end.

    Args:
        file (BinaryIO): Open, where the pickle begins.
        size (int): Number of bytes that are left in the file.
        constructors (dict): What may be called, by module and name. Values
            that are no :class:`Constructor` stand for themselves.
        persistent (Callable, optional): Finds what is kept beside the pickle,
            as the storages of tensors are. Defaults to None.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        constructors: Dict[Tuple[str, str], Any],
        persistent: Optional[Callable[[Tuple], Any]] = None,
    ):
        self._file, self._left = file, size
        self._constructors, self._persistent = constructors, persistent
        self._buffer, self._at = b'', 0
        self._num_bytes = 0  # of arrays, on the stack
        self._tuple: Tuple = ()  # the newest, and how many it lies in
        self._tuple_depth = 0
        self._stack: List[Any] = []
        self._marks: List[List[Any]] = []
        self._memo: Dict[int, Any] = {}
        self._budget = _FREE_BYTES + _BYTES_PER_BYTE * size
        self._num_paid = 0  # of the entries of the memo
        self._nodes = 1000 + 16 * size

    def load(self) -> Any:
        """Read the pickle, whose values are data.

        Raises:
            RefusedError: If it is damaged or holds more than data.
        """
        value = self.load_part()
        check_tree(value, self._nodes)
        return value

    def load_part(self) -> Any:
        """Load like ``load``, for what is only a part of a value."""
        collects = gc.isenabled()
        gc.disable()  # Nothing here is garbage, and looking for it takes half the time.
        try:
            self._run()
        except IndexError:
            raise RefusedError('its instructions do not fit together') from None
        except UnicodeDecodeError:
            raise RefusedError('it has text that is not valid') from None
        finally:
            if collects:
                gc.enable()
        if self._marks or len(self._stack) != 1:
            raise RefusedError('its instructions do not fit together')
        self._file.seek(self._at - len(self._buffer), 1)
        (value,) = self._settled([self._stack.pop()])
        return value

    def _run(self) -> None:
        """Follow the instructions up to the last one."""
        while True:
            self._run_frequent()
            if self._at >= len(self._buffer):
                self._fill(1)
            code = self._buffer[self._at]
            self._at += 1
            step = _STEPS[code]
            if step is None:
                if code == _STOP:
                    return
                raise RefusedError(f'it has the instruction {bytes([code])!r}, which is not data')
            step(self)

    def _run_frequent(self) -> None:
        """Follow instructions as long as they are of the five most frequent.

        They are written out, as a call for each takes most of the time.
        """
        buffer, at, stack, memo = self._buffer, self._at, self._stack, self._memo
        last = len(buffer) - 257  # The longest of these, a text, ends in the buffer.
        while at < last:
            code = buffer[at]
            if code == 0x94:  # MEMOIZE
                top = stack[-1]
                if type(top) is Blank:
                    top.memo_keys.append(len(memo))
                memo[len(memo)] = top
                at += 1
            elif code == 0x68:  # BINGET
                self._get(buffer[at + 1])
                at += 2
            elif code == 0x8C:  # SHORT_BINUNICODE
                end = at + 2 + buffer[at + 1]
                stack.append(str(buffer[at + 2 : end], 'utf-8', 'surrogatepass'))
                at = end
            elif code == 0x4B:  # BININT1
                stack.append(buffer[at + 1])
                at += 2
            elif code == 0x4D:  # BININT2
                stack.append(buffer[at + 1] | buffer[at + 2] << 8)
                at += 3
            else:
                break
        self._at = at

    def _fill(self, count: int) -> None:
        """Read until at least ``count`` bytes are available from the position on."""
        self._spend(_MEMO_BYTES * (len(self._memo) - self._num_paid))
        self._num_paid = len(self._memo)
        kept = self._buffer[self._at :]
        wanted = count - len(kept)
        if wanted > self._left:
            raise RefusedError('it is cut off')
        read = self._file.read(min(max(wanted, _CHUNK), self._left))
        if len(read) < wanted:
            raise RefusedError('it is cut off')
        self._left -= len(read)
        self._buffer, self._at = kept + read, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self._at + count > len(self._buffer):
            self._fill(count)
        end = self._at + count
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def _push_bytes(self, count: int) -> None:
        """Push the next bytes; many are read into the place where their array will lie."""
        if count < _LAZY_BYTES:
            self._stack.append(self.take(count))
            return
        kept = memoryview(self._buffer)[self._at : self._at + count]
        missing = count - len(kept)
        if missing > self._left:
            raise RefusedError('it is cut off')
        data = np.empty(count, np.uint8)
        data[: len(kept)] = np.frombuffer(kept, np.uint8)
        self._at += len(kept)
        if missing:
            self._left -= missing
            self._buffer, self._at = b'', 0
            if self._file.readinto(memoryview(data)[len(kept) :]) != missing:
                raise RefusedError('it is cut off')
        self._num_bytes += 1
        self._stack.append(Bytes(data))

    def _settled(self, items: List[Any]) -> List[Any]:
        """Return the parts of a container, without those that are not yet read.

        What describes an array is a tuple with its dtype; that waits.
        """
        self._num_bytes -= sum(type(item) is Bytes for item in items)
        if any(isinstance(item, np.dtype) for item in items):
            return items
        return [item.whole() if type(item) is Bytes else item for item in items]

    def _line(self) -> bytes:
        size = 64
        while True:
            end = self._buffer.find(b'\n', self._at)
            if end >= 0:
                line = self._buffer[self._at : end]
                self._at = end + 1
                return line
            size = max(2 * size, 2 * (len(self._buffer) - self._at))
            self._fill(min(size, len(self._buffer) - self._at + max(self._left, 1)))

    def _spend(self, cost: int) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise RefusedError('it would fill far more memory than the file has bytes')

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), 'little')

    def _pop_mark(self) -> List[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return self._settled(items) if self._num_bytes else items

    # Numbers and text.

    def _push_int(self, data: bytes) -> None:
        if len(data) > _MAX_INT_BYTES:
            raise RefusedError(f'it has a whole number of {len(data)} bytes')
        self._stack.append(int.from_bytes(data, 'little', signed=True))

    def _text_int(self) -> None:
        line = self._line().rstrip(b'L')
        if line in (b'00', b'01'):
            self._stack.append(line == b'01')
            return
        if len(line) > 40:
            raise RefusedError(f'it has a whole number of {len(line)} digits')
        self._stack.append(_number(int, line))

    def _text_float(self) -> None:
        self._stack.append(_number(float, self._line()[:60]))

    def _quoted(self) -> None:
        line = self._line()
        if len(line) < 2 or line[:1] not in (b'"', b"'") or line[:1] != line[-1:]:
            raise RefusedError('it has text without quotation marks')
        self._stack.append(_decode(line[1:-1], 'unicode-escape'))

    # Containers.

    def _container(self, make: Callable, cost: int) -> None:
        self._spend(cost)
        self._stack.append(make())

    def _mark(self) -> None:
        if len(self._marks) > MAX_DEPTH:
            raise RefusedError('its values are nested without end')
        self._marks.append(self._stack)
        self._stack = []

    def _tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        self._spend(48 + 8 * count)
        items = self._stack[-count:]
        is_nested = any(item is self._tuple for item in items)
        self._tuple = tuple(self._settled(items) if self._num_bytes else items)
        self._tuple_depth = self._tuple_depth + 1 if is_nested else 0
        if self._tuple_depth > MAX_DEPTH:
            raise RefusedError('its values are nested without end')
        self._stack[-count:] = [self._tuple]

    def _marked(self, make: Callable) -> None:
        items = self._pop_mark()
        self._spend(64 + 8 * len(items))
        self._stack.append(make(items))

    def _append(self, items: List[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in (list, deque):
            raise RefusedError(f'it appends to a {type(target).__name__}')
        target.extend(items)

    def _append_one(self) -> None:
        item = self._stack.pop()
        self._append(self._settled([item]))

    def _set_one(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set(self._settled([key, value]))

    def _add(self) -> None:
        items, target = self._pop_mark(), self._stack[-1]
        if type(target) is not set:
            raise RefusedError(f'it adds to a {type(target).__name__}')
        self._spend(64 * len(items))
        target.update(map(check_key, items))

    def _set(self, items: List[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in (dict, OrderedDict, Counter) or len(items) % 2:
            raise RefusedError(f'it sets entries of a {type(target).__name__}')
        self._spend(50 * len(items))
        for i in range(0, len(items), 2):
            target[check_key(items[i])] = items[i + 1]

    def _marked_dict(self) -> None:
        items = self._pop_mark()
        self._container(dict, 64)
        self._set(items)

    # The memo: what a file holds once and names again.

    def _put(self, index: int) -> None:
        top = self._stack[-1]
        if type(top) is Blank:
            top.memo_keys.append(index)
        self._memo[index] = top

    def _get(self, index: int) -> None:
        value = self._memo.get(index, _MISSING)
        if value is _MISSING:
            raise RefusedError(f'it names value {index}, which it does not have')
        self._num_bytes += type(value) is Bytes
        self._stack.append(value)

    # Calls.

    def _global(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise RefusedError('its instructions do not fit together')
        try:
            self._stack.append(self._constructors[module, name])
        except KeyError:
            name = f'{module[:80]}.{name[:80]}'
            raise RefusedError(
                f'it wants to run {name}, which arrays, numbers and text do not need'
            ) from None

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._global(module, name)

    def _call(self, as_class: bool) -> None:
        args, what = self._stack.pop(), self._stack.pop()
        if type(what) is not Constructor or type(args) is not tuple or what.is_class != as_class:
            raise RefusedError(f'it calls a {type(what).__name__}')
        self._spend(what.cost + sum(map(_weight, args)))
        self._stack.append(_guarded(what.name, what.call, *args))

    def _build(self) -> None:
        state, target = self._stack.pop(), self._stack.pop()
        if type(target) is Blank:
            parts = state.values() if type(state) is dict else state
            self._spend(sum(map(_weight, parts if isinstance(parts, Iterable) else ())))
            value = _guarded('an array', target.build, state)
            for index in target.memo_keys:
                self._memo[index] = value
        elif type(target) is OrderedDict and type(state) is dict and set(state) == {'_metadata'}:
            value = target  # The versions of the modules of a state dict.
            value._metadata = state['_metadata']
            check_tree(value._metadata, self._nodes)
        else:
            raise RefusedError(f'it writes into a {type(target).__name__}')
        self._stack.append(value)

    def _persist(self) -> None:
        key = self._stack.pop()
        if self._persistent is None or type(key) is not tuple:
            raise RefusedError('it refers to something outside the pickle')
        self._stack.append(_guarded('a storage', self._persistent, key))


def _guarded(name: str, call: Callable, *args: Any) -> Any:
    """Call with arguments from a file, which may be anything."""
    try:
        return call(*args)
    except (RefusedError, OSError):
        raise
    except Exception as error:
        raise RefusedError(f'{name} cannot be made: {error}') from None


def _weight(value: Any) -> int:
    """Return the bytes of a copy: what a file names again and again is copied each time."""
    if type(value) is Bytes:
        return value.size
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    return 64 * len(value) if isinstance(value, _SIZED) else 0


def _number(kind: Callable, line: bytes) -> Any:
    try:
        return kind(line)
    except ValueError:
        raise RefusedError(f'{line!r} is not a number') from None


def _decode(data: bytes, encoding: str) -> str:
    try:
        return str(data, encoding, 'surrogatepass')
    except UnicodeDecodeError:
        raise RefusedError('it has text that is not valid') from None


def check_key(value: Any) -> Any:
    """Return a key whose hash is quick, and seldom that of another."""
    if not isinstance(value, _KEYS):
        raise RefusedError(f'it has a {type(value).__name__} as a key')
    if type(value) is int and value.bit_length() > 64:
        raise RefusedError(f'it has a key of {value.bit_length()} bits')
    return value


def _steps() -> List[Optional[Callable[[Unpickler], None]]]:
    """Return what each instruction does, by its byte."""

    def push(value):
        return lambda self: self._stack.append(value)

    def unpacked(layout, size):
        unpack = struct.Struct(layout).unpack
        return lambda self: self._stack.append(unpack(self.take(size))[0])

    def text(size):
        return lambda self: self._stack.append(_decode(self.take(self._unsigned(size)), 'utf-8'))

    def latin(size):  # Text of Python 2.
        return lambda self: self._stack.append(str(self.take(self._unsigned(size)), 'latin-1'))

    names = {
        b'\x80': lambda self: self.take(1),  # PROTO
        b'\x95': lambda self: self.take(8),  # FRAME: a hint only
        b'N': push(None),
        b'\x88': push(True),
        b'\x89': push(False),
        b'K': lambda self: self._stack.append(self.take(1)[0]),
        b'M': unpacked('<H', 2),
        b'J': unpacked('<i', 4),
        b'G': unpacked('>d', 8),
        b'\x8a': lambda self: self._push_int(self.take(self._unsigned(1))),
        b'I': Unpickler._text_int,
        b'L': Unpickler._text_int,
        b'F': Unpickler._text_float,
        b'\x8c': text(1),
        b'X': text(4),
        b'\x8d': text(8),
        b'V': lambda self: self._stack.append(_decode(self._line(), 'raw-unicode-escape')),
        b'U': latin(1),
        b'T': latin(4),
        b'S': Unpickler._quoted,
        b'C': lambda self: self._stack.append(self.take(self._unsigned(1))),
        b'B': lambda self: self._push_bytes(self._unsigned(4)),
        b'\x8e': lambda self: self._push_bytes(self._unsigned(8)),
        b'\x96': lambda self: self._stack.append(bytearray(self.take(self._unsigned(8)))),
        b'\x94': lambda self: self._put(len(self._memo)),
        b'(': Unpickler._mark,
        b')': push(()),
        b'\x85': lambda self: self._tuple_of(1),
        b'\x86': lambda self: self._tuple_of(2),
        b'\x87': lambda self: self._tuple_of(3),
        b't': lambda self: self._marked(tuple),
        b']': lambda self: self._container(list, 64),
        b'l': lambda self: self._marked(list),
        b'a': Unpickler._append_one,
        b'e': lambda self: self._append(self._pop_mark()),
        b'}': lambda self: self._container(dict, 64),
        b'd': Unpickler._marked_dict,
        b's': Unpickler._set_one,
        b'u': lambda self: self._set(self._pop_mark()),
        b'\x8f': lambda self: self._container(set, 216),
        b'\x90': Unpickler._add,
        b'p': lambda self: self._put(_number(int, self._line()[:20])),
        b'q': lambda self: self._put(self.take(1)[0]),
        b'r': lambda self: self._put(self._unsigned(4)),
        b'g': lambda self: self._get(_number(int, self._line()[:20])),
        b'h': lambda self: self._get(self.take(1)[0]),
        b'j': lambda self: self._get(self._unsigned(4)),
        b'c': lambda self: self._global(
            _decode(self._line(), 'utf-8'), _decode(self._line(), 'utf-8')
        ),
        b'\x93': Unpickler._stack_global,
        b'R': lambda self: self._call(False),
        b'\x81': lambda self: self._call(True),
        b'b': Unpickler._build,
        b'Q': Unpickler._persist,
    }
    return [names.get(bytes([code])) for code in range(256)]


_STEPS = _steps()
