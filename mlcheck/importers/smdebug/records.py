"""The records of one event file, framed one by one.

A file of a trial holds the tensors of one step and one worker, often large ones: each payload is read once, whole, after its length was
compared with what the file has left (formats.md §1, §4).
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

from mlcheck.importers.framing import HEADER, LONGEST, OVERHEAD, Stop, is_sound, length_checksum

Record = tuple[int, bytes, bool]
"""Offset at which it begins, payload, and whether the checksum behind it is right."""


class TrialRecords:
    """Iterate it once; afterwards `offset`, `why` and `size` say where and why it ended."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.offset = 0
        """Where the first record begins that was not read."""
        self.why: Stop = "end"
        self.size = os.fstat(file.fileno()).st_size
        """Bytes of the file."""

    def __iter__(self) -> Iterator[Record]:
        file = self._file
        while True:
            header = file.read(HEADER)
            if len(header) < HEADER:
                self.why = "cut" if header else "end"
                return
            length = int.from_bytes(header[:8], "little")
            if int.from_bytes(header[8:], "little") != length_checksum(length):
                self.why = "checksum"
                return
            if length > LONGEST:
                self.why = "length"
                return
            if self.offset + OVERHEAD + length > self.size:
                self.why = "cut"
                return
            payload, tail = file.read(length), file.read(4)
            if len(payload) < length or len(tail) < 4:
                # The file shrank while it was read.
                self.why = "cut"
                return
            sound = is_sound(payload, int.from_bytes(tail, "little"))
            offset = self.offset
            self.offset += OVERHEAD + length
            yield offset, payload, sound
