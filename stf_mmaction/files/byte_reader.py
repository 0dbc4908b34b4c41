"""Read the bytes of a file ahead in parts, never beyond a given number."""

from typing import BinaryIO, Union

import numpy as np

from .tree import RefusedError, Unfinished

# Longer parts are read separately; at most this part of an array is copied.
_CHUNK = 1 << 14
# This number of bytes or more is read directly into an array.
_LAZY_BYTES = 1 << 12


class Bytes(Unfinished):
    """Many bytes that an array can take over without a copy.

    Args:
        data (numpy.ndarray): uint8, shape (size,).
    """

    __slots__ = ('size', '_data', '_is_taken', '_whole')

    def __init__(self, data: np.ndarray):
        self.size, self._data = len(data), data
        self._is_taken, self._whole = False, None

    def take(self) -> np.ndarray:
        """Return the writable bytes to the first caller, and copies to others."""
        data = self._data.copy() if self._is_taken else self._data
        self._is_taken = True
        return data

    def whole(self) -> bytes:
        """Return the bytes as ``bytes``, always the same object."""
        if self._whole is None:
            self._whole = self._data.tobytes()
        return self._whole


class ByteReader:
    """Reads a file from its current position.

    Args:
        file (BinaryIO): Open, at the first of the bytes.
        size (int): Number of bytes that are left in the file.

    Attributes:
        buffer (bytes): The bytes that are read ahead.
        at (int): The position in the buffer.
    """

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._left = file, size
        self.buffer, self.at = b'', 0

    def fill(self, count: int) -> None:
        """Read until at least ``count`` bytes are available from the position on."""
        kept = self.buffer[self.at :]
        wanted = count - len(kept)
        if wanted > self._left:
            raise RefusedError('it is cut off')
        read = self._file.read(min(max(wanted, _CHUNK), self._left))
        if len(read) < wanted:
            raise RefusedError('it is cut off')
        self._left -= len(read)
        self.buffer, self.at = kept + read, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self.at + count > len(self.buffer):
            self.fill(count)
        end = self.at + count
        taken = self.buffer[self.at : end]
        self.at = end
        return taken

    def take_array(self, count: int) -> Union[bytes, Bytes]:
        """Return the next bytes; many are read directly into the memory of their array."""
        if count < _LAZY_BYTES:
            return self.take(count)
        kept = memoryview(self.buffer)[self.at : self.at + count]
        missing = count - len(kept)
        if missing > self._left:
            raise RefusedError('it is cut off')
        data = np.empty(count, np.uint8)
        data[: len(kept)] = np.frombuffer(kept, np.uint8)
        self.at += len(kept)
        if missing:
            self._left -= missing
            self.buffer, self.at = b'', 0
            if self._file.readinto(memoryview(data)[len(kept) :]) != missing:
                raise RefusedError('it is cut off')
        return Bytes(data)

    def unsigned(self, size: int) -> int:
        """Return the next ``size`` bytes as an unsigned integer, little-endian."""
        return int.from_bytes(self.take(size), 'little')

    def line(self) -> bytes:
        """Return the bytes up to the next line end, without it."""
        size = 64
        while True:
            end = self.buffer.find(b'\n', self.at)
            if end >= 0:
                line = self.buffer[self.at : end]
                self.at = end + 1
                return line
            size = max(2 * size, 2 * (len(self.buffer) - self.at))
            self.fill(min(size, len(self.buffer) - self.at + max(self._left, 1)))

    def put_back(self) -> None:
        """Move the file back to the position, before the bytes that were read ahead."""
        self._file.seek(self.at - len(self.buffer), 1)
