"""The pickle instructions that data requires, as functions of an :class:`Unpickler`."""

import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from .tree import RefusedError

if TYPE_CHECKING:
    from .unpickler import Unpickler

Instruction = Callable[['Unpickler'], None]
# 128 bits and a sign, as in the state of a random generator.
_MAX_INT_BYTES = 17


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


def _read_int(data: bytes) -> int:
    if len(data) > _MAX_INT_BYTES:
        raise RefusedError(f'it has an integer of {len(data)} bytes')
    return int.from_bytes(data, 'little', signed=True)


def _parse_int(line: bytes) -> int:
    line = line.rstrip(b'L')
    if line in (b'00', b'01'):
        return line == b'01'
    if len(line) > 40:
        raise RefusedError(f'it has an integer of {len(line)} digits')
    return _number(int, line)


def _parse_quoted(line: bytes) -> str:
    if len(line) < 2 or line[:1] not in (b'"', b"'") or line[:1] != line[-1:]:
        raise RefusedError('it has text without quotation marks')
    return _decode(line[1:-1], 'unicode-escape')


def _index(line: bytes) -> int:
    return _number(int, line[:20])


def _push(value: Any) -> Instruction:
    return lambda reader: reader.push(value)


def _unpacked(layout: str, size: int) -> Instruction:
    unpack = struct.Struct(layout).unpack
    return lambda reader: reader.push(unpack(reader.take(size))[0])


def _parsed(parse: Callable[[bytes], Any]) -> Instruction:
    return lambda reader: reader.push(parse(reader.line()))


def _sized(size: int, parse: Callable[[bytes], Any]) -> Instruction:
    """Push a value made of bytes, whose count comes first, in ``size`` bytes."""
    return lambda reader: reader.push(parse(reader.take(reader.unsigned(size))))


def _array(size: int) -> Instruction:
    return lambda reader: reader.push_array(reader.unsigned(size))


def _utf8(data: bytes) -> str:
    return _decode(data, 'utf-8')


def _latin(data: bytes) -> str:  # Text of Python 2.
    return str(data, 'latin-1')


_NAMES: Dict[bytes, Instruction] = {
    b'\x80': lambda reader: reader.take(1),  # PROTO
    b'\x95': lambda reader: reader.take(8),  # FRAME: a hint only
    # Numbers and text.
    b'N': _push(None),
    b'\x88': _push(True),
    b'\x89': _push(False),
    b'K': _unpacked('<B', 1),
    b'M': _unpacked('<H', 2),
    b'J': _unpacked('<i', 4),
    b'G': _unpacked('>d', 8),
    b'\x8a': _sized(1, _read_int),
    b'I': _parsed(_parse_int),
    b'L': _parsed(_parse_int),
    b'F': _parsed(lambda line: _number(float, line[:60])),
    b'\x8c': _sized(1, _utf8),
    b'X': _sized(4, _utf8),
    b'\x8d': _sized(8, _utf8),
    b'V': _parsed(lambda line: _decode(line, 'raw-unicode-escape')),
    b'U': _sized(1, _latin),
    b'T': _sized(4, _latin),
    b'S': _parsed(_parse_quoted),
    b'C': _sized(1, bytes),
    b'B': _array(4),
    b'\x8e': _array(8),
    b'\x96': _sized(8, bytearray),
    # Containers.
    b'(': lambda reader: reader.mark(),
    b')': _push(()),
    b'\x85': lambda reader: reader.make_tuple(1),
    b'\x86': lambda reader: reader.make_tuple(2),
    b'\x87': lambda reader: reader.make_tuple(3),
    b't': lambda reader: reader.collect(tuple),
    b']': lambda reader: reader.push_empty(list, 64),
    b'l': lambda reader: reader.collect(list),
    b'a': lambda reader: reader.append(reader.pop_some(1)),
    b'e': lambda reader: reader.append(reader.pop_mark()),
    b'}': lambda reader: reader.push_empty(dict, 64),
    b'd': lambda reader: reader.collect_dict(),
    b's': lambda reader: reader.set_items(reader.pop_some(2)),
    b'u': lambda reader: reader.set_items(reader.pop_mark()),
    b'\x8f': lambda reader: reader.push_empty(set, 216),
    b'\x90': lambda reader: reader.add(reader.pop_mark()),
    # The memo.
    b'\x94': lambda reader: reader.memoize(),
    b'p': lambda reader: reader.put(_index(reader.line())),
    b'q': lambda reader: reader.put(reader.unsigned(1)),
    b'r': lambda reader: reader.put(reader.unsigned(4)),
    b'g': lambda reader: reader.get(_index(reader.line())),
    b'h': lambda reader: reader.get(reader.unsigned(1)),
    b'j': lambda reader: reader.get(reader.unsigned(4)),
    # Calls.
    b'c': lambda reader: reader.find(_utf8(reader.line()), _utf8(reader.line())),
    b'\x93': lambda reader: reader.find(*reader.pop_some(2)),
    b'R': lambda reader: reader.call(as_class=False),
    b'\x81': lambda reader: reader.call(as_class=True),
    b'b': lambda reader: reader.build(),
    b'Q': lambda reader: reader.persist(),
}
# By the byte of the instruction; None for those that data does not require.
INSTRUCTIONS: List[Optional[Instruction]] = [_NAMES.get(bytes([code])) for code in range(256)]
