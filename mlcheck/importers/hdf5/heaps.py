"""Global heaps, where HDF5 keeps what has no fixed length: text attributes, the references of dimension scales.

libhdf5 reads a damaged one for ever (seen in 2.0.0: H5HG__cache_heap_deserialize does not move on from an object of size 0), which no
Python code can interrupt. So they are looked over before the first such attribute is read.
"""

import os
import struct
from collections.abc import Callable, Sequence

WINDOW = 1 << 22
LARGEST_HEAP = 1 << 26
"""Bytes of one heap; real ones have 4 kB, or a little more than their largest object."""
_MARK = b"GCOL"
_HEADER = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HHIQ")


class Heaps:
    """Whether the global heaps of a file can be read; found out when it is first asked."""

    def __init__(self, descriptor: int, size: int, limit: int | None = None) -> None:
        """`limit`: files of more bytes are not looked over, and count as unsound."""
        self.descriptor = descriptor
        self._size = size
        self._limit = limit
        self._are_sound: bool | None = None
        self.passed: Callable[[], Sequence[tuple[int, int]]] = tuple
        """(offset, bytes) of data sets that lie in one piece: no heap is inside them."""

    @property
    def were_skipped(self) -> bool:
        """Whether the file is too large to look over."""
        return self._limit is not None and self._size > self._limit

    @property
    def were_asked(self) -> bool:
        """Whether anything needed them."""
        return self._are_sound is not None

    def are_sound(self) -> bool:
        """Whether each heap in the file is well formed."""
        if self._are_sound is None:
            self._are_sound = not self.were_skipped and all(
                self._is_sound(start, stop) for start, stop in self._between()
            )
        return self._are_sound

    def _between(self) -> list[tuple[int, int]]:
        """The stretches of the file outside the data sets."""
        stretches = []
        start = 0
        for offset, length in sorted(self.passed()):
            if offset > start:
                stretches.append((start, offset))
            start = max(start, offset + length)
        return [*stretches, (start, self._size)]

    def _is_sound(self, start: int, stop: int) -> bool:
        while start < stop:
            window = os.pread(self.descriptor, min(WINDOW, stop - start), start)
            found = window.find(_MARK)
            while found >= 0:
                if not self._holds_together(start + found):
                    return False
                found = window.find(_MARK, found + 1)
            if start + len(window) >= stop or len(window) < len(_MARK):
                return True
            start += len(window) - len(_MARK) + 1
        return True

    def _holds_together(self, position: int) -> bool:
        """Whether the objects of a heap fill it, one after the other (HDF5 File Format Specification, III.E)."""
        head = os.pread(self.descriptor, _HEADER.size, position)
        if len(head) < _HEADER.size:
            return True
        _, version, size = _HEADER.unpack(head)
        if version != 1:
            return True
        if not _HEADER.size <= size <= min(self._size - position, LARGEST_HEAP):
            return False
        content = os.pread(self.descriptor, size, position)
        at = _HEADER.size
        while at + _OBJECT.size <= len(content):
            index, _, _, length = _OBJECT.unpack_from(content, at)
            need = _OBJECT.size + (length + 7) // 8 * 8 if index else length
            if need < _OBJECT.size or at + need > len(content):
                return False
            at += need
        return True
