"""A pickle reader that creates only data.

``pickle.Unpickler`` with its own ``find_class`` is still vulnerable: ``BUILD``
writes into any function that it may name, a memo index or a length can
allocate gigabytes, and nesting can overflow the C stack. This reader supports
only the instructions that data requires. The size of its results is bounded by
the length of the file, no value is nested deeper than ``MAX_DEPTH``, and the
few names that a file may call are :class:`Constructor` objects, which have no
attributes to write to.
"""

import gc
from collections import Counter, OrderedDict, deque
from typing import Any, BinaryIO, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from .byte_reader import ByteReader, Bytes
from .constructors import Blank, Constructor, check_key, guarded, weight
from .instructions import INSTRUCTIONS
from .tree import MAX_DEPTH, RefusedError, check_tree

_MEMO_BYTES = 100
_MISSING = object()
_STOP = ord('.')
# Memory for containers, in bytes: that of a small file, and for each byte of
# a larger one. The densest data that pickle writes, pairs of small integers,
# takes 30 bytes for each byte.
_FREE_BYTES, _BYTES_PER_BYTE = 1 << 24, 40


class Unpickler(ByteReader):
    """Reads one pickle from a file; afterwards the file is at its end.

    The public methods except :meth:`load` and :meth:`load_part` implement the
    instructions.

    Args:
        file (BinaryIO): Open, at the start of the pickle.
        size (int): Number of bytes that are left in the file.
        constructors (dict): What may be called, by module and name. Values
            that are not a :class:`Constructor` are returned as they are.
        persistent (Callable, optional): Finds data that is kept beside the
            pickle, such as the storages of tensors. Defaults to None.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        constructors: Dict[Tuple[str, str], Any],
        persistent: Optional[Callable[[Tuple], Any]] = None,
    ):
        super().__init__(file, size)
        self._constructors, self._persistent = constructors, persistent
        self._num_bytes = 0  # of arrays, on the stack
        self._tuple: Tuple = ()  # the newest, and the depth of its nesting
        self._tuple_depth = 0
        self._stack: List[Any] = []
        self._marks: List[List[Any]] = []
        self._memo: Dict[int, Any] = {}
        self._budget = _FREE_BYTES + _BYTES_PER_BYTE * size
        self._num_paid = 0  # for the entries of the memo
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
        """Load as ``load`` does, but only a part of a value."""
        collects = gc.isenabled()
        gc.disable()  # Nothing here is garbage, and collecting it would take half the time.
        try:
            self._run()
        except IndexError:
            raise RefusedError('its instructions are inconsistent') from None
        except UnicodeDecodeError:
            raise RefusedError('it has text that is not valid') from None
        finally:
            if collects:
                gc.enable()
        if self._marks or len(self._stack) != 1:
            raise RefusedError('its instructions are inconsistent')
        self.put_back()
        (value,) = self.pop_some(1)
        return value

    def _run(self) -> None:
        """Execute the instructions up to the last one."""
        while True:
            self._run_frequent()
            if self.at >= len(self.buffer):
                self.fill(1)
            code = self.buffer[self.at]
            self.at += 1
            step = INSTRUCTIONS[code]
            if step is None:
                if code == _STOP:
                    return
                raise RefusedError(f'it has the instruction {bytes([code])!r}, which is not data')
            step(self)

    def _run_frequent(self) -> None:
        """Execute instructions while they are among the five most frequent.

        They are written inline, since calls would take most of the time.
        """
        buffer, at, stack, memo = self.buffer, self.at, self._stack, self._memo
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
                self.get(buffer[at + 1])
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
        self.at = at

    def fill(self, count: int) -> None:
        """Read until at least ``count`` bytes are available; count the memory of the memo."""
        self._spend(_MEMO_BYTES * (len(self._memo) - self._num_paid))
        self._num_paid = len(self._memo)
        super().fill(count)

    def _spend(self, cost: int) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise RefusedError('it would fill far more memory than the file has bytes')

    # The stack.

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def push_array(self, count: int) -> None:
        """Put the next bytes of an array on the stack."""
        value = self.take_array(count)
        self._num_bytes += type(value) is Bytes
        self._stack.append(value)

    def push_empty(self, kind: Callable, cost: int) -> None:
        """Put an empty container on the stack, of so many bytes in memory."""
        self._spend(cost)
        self._stack.append(kind())

    def mark(self) -> None:
        """Start the items of a container."""
        if len(self._marks) > MAX_DEPTH:
            raise RefusedError('its values are nested too deeply')
        self._marks.append(self._stack)
        self._stack = []

    def pop_mark(self) -> List[Any]:
        """Take the items since the last mark from the stack."""
        items, self._stack = self._stack, self._marks.pop()
        return self._without_bytes(items)

    def pop_some(self, count: int) -> List[Any]:
        """Take the last items from the stack."""
        if len(self._stack) < count:
            raise IndexError
        items = self._stack[-count:]
        del self._stack[-count:]
        return self._without_bytes(items)

    def _without_bytes(self, items: List[Any]) -> List[Any]:
        """Read the bytes among the items of a container.

        An array is described by a tuple with its dtype; its bytes are kept for the
        array.
        """
        if not self._num_bytes:
            return items
        self._num_bytes -= sum(type(item) is Bytes for item in items)
        if any(isinstance(item, np.dtype) for item in items):
            return items
        return [item.whole() if type(item) is Bytes else item for item in items]

    # Containers.

    def make_tuple(self, count: int) -> None:
        """Make a tuple of the last items."""
        self._spend(48 + 8 * count)
        items = self.pop_some(count)
        is_nested = any(item is self._tuple for item in items)
        self._tuple = tuple(items)
        self._tuple_depth = self._tuple_depth + 1 if is_nested else 0
        if self._tuple_depth > MAX_DEPTH:
            raise RefusedError('its values are nested too deeply')
        self._stack.append(self._tuple)

    def collect(self, kind: Callable) -> None:
        """Make a tuple or list of the items since the last mark."""
        items = self.pop_mark()
        self._spend(64 + 8 * len(items))
        self._stack.append(kind(items))

    def collect_dict(self) -> None:
        """Make a dict of the items since the last mark."""
        items = self.pop_mark()
        self.push_empty(dict, 64)
        self.set_items(items)

    def append(self, items: List[Any]) -> None:
        """Append items to the list on top of the stack."""
        target = self._stack[-1]
        if type(target) not in (list, deque):
            raise RefusedError(f'it appends to a {type(target).__name__}')
        target.extend(items)

    def add(self, items: List[Any]) -> None:
        """Add items to the set on top of the stack."""
        target = self._stack[-1]
        if type(target) is not set:
            raise RefusedError(f'it adds to a {type(target).__name__}')
        self._spend(64 * len(items))
        target.update(map(check_key, items))

    def set_items(self, items: List[Any]) -> None:
        """Set entries, key and value in turn, of the dict on top of the stack."""
        target = self._stack[-1]
        if type(target) not in (dict, OrderedDict, Counter) or len(items) % 2:
            raise RefusedError(f'it sets entries of a {type(target).__name__}')
        self._spend(50 * len(items))
        for i in range(0, len(items), 2):
            target[check_key(items[i])] = items[i + 1]

    # The memo: values that a file contains once and refers to again.

    def put(self, index: int) -> None:
        """Keep the value on top of the stack."""
        top = self._stack[-1]
        if type(top) is Blank:
            top.memo_keys.append(index)
        self._memo[index] = top

    def memoize(self) -> None:
        """Keep the value on top of the stack under the next number."""
        self.put(len(self._memo))

    def get(self, index: int) -> None:
        """Put a kept value on the stack."""
        value = self._memo.get(index, _MISSING)
        if value is _MISSING:
            raise RefusedError(f'it refers to value {index}, which it does not have')
        self._num_bytes += type(value) is Bytes
        self._stack.append(value)

    # Calls.

    def find(self, module: Any, name: Any) -> None:
        """Put the object of this name on the stack."""
        if type(module) is not str or type(name) is not str:
            raise RefusedError('its instructions are inconsistent')
        try:
            self._stack.append(self._constructors[module, name])
        except KeyError:
            name = f'{module[:80]}.{name[:80]}'
            raise RefusedError(
                f'it calls {name}, which arrays, numbers and text do not require'
            ) from None

    def call(self, as_class: bool) -> None:
        """Call a constructor with the arguments on top of the stack."""
        args, what = self._stack.pop(), self._stack.pop()
        if type(what) is not Constructor or type(args) is not tuple or what.is_class != as_class:
            raise RefusedError(f'it calls a {type(what).__name__}')
        self._spend(what.cost + sum(map(weight, args)))
        self._stack.append(guarded(what.name, what.call, *args))

    def build(self) -> None:
        """Complete a :class:`Blank` from the state on top of the stack."""
        state, target = self._stack.pop(), self._stack.pop()
        if type(target) is Blank:
            parts = state.values() if type(state) is dict else state
            self._spend(sum(map(weight, parts if isinstance(parts, Iterable) else ())))
            value = guarded('an array', target.build, state)
            for index in target.memo_keys:
                self._memo[index] = value
        elif type(target) is OrderedDict and type(state) is dict and set(state) == {'_metadata'}:
            value = target  # The versions of the modules of a state dict.
            value._metadata = state['_metadata']
            check_tree(value._metadata, self._nodes)
        else:
            raise RefusedError(f'it writes into a {type(target).__name__}')
        self._stack.append(value)

    def persist(self) -> None:
        """Put data that is kept beside the pickle on the stack."""
        key = self._stack.pop()
        if self._persistent is None or type(key) is not tuple:
            raise RefusedError('it refers to something outside the pickle')
        self._stack.append(guarded('a storage', self._persistent, key))
