"""Bytes of a file, read ahead in parts and never beyond a given number."""

from typing import BinaryIO, Union

import numpy as np

from .tree import RefusedError, Unfinished

# Longer parts are read by themselves; of an array, no more than this is copied.
_CHUNK = 1 << 14
# So many and more are read straight into an array.
_LAZY_BYTES = 1 << 12


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


class ByteReader:
    """Reads a file from where it is open.

    Args:
        file (BinaryIO): Open, where the bytes begin.
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
        """Return the next bytes; many are read into the place where their array will lie."""
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
        """Return the next ``size`` bytes as a whole number, the least one first."""
        return int.from_bytes(self.take(size), 'little')

    def line(self) -> bytes:
        """Return the bytes up to the next line end, which is left out."""
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
        """Move the file to the position, before what was read ahead."""
        self._file.seek(self.at - len(self.buffer), 1)
