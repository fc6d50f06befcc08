"""Records of an event file: where each one begins and ends, found on whole arrays.

A record is `u64 length | u32 masked crc32c(length) | payload | u32 masked crc32c(payload)`, little endian (TensorFlow's
`tfrecord` framing). The result is always what following the lengths one by one gives: a place that merely looks like a
record counts only when the chain of lengths arrives at it.
"""

import functools
import os
from collections.abc import Iterator
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from mlcheck.arrays import distinct
from mlcheck.records import dataclass

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

HEADER = 12
"""Bytes before a payload: the length and its checksum."""
OVERHEAD = 16
"""Bytes of a record that are not payload."""
PADDING = 1024
"""Zero bytes kept behind a block, so that reads of whole words, tags and short fields never leave the array."""
BLOCK = 1 << 20
"""Bytes read at a time: arrays over the records of a block stay in the processor's cache."""
LONGEST = (1 << 31) - 1
"""A protobuf message holds less than 2 GiB; a longer length is damage (protobuf.dev, "Total Size of Message")."""
SHORT = 1 << 16
"""Records below this length are found by pattern, longer ones by following the lengths."""
UNKNOWN = -1
"""No checksum."""

WALL_TIME = 0x09
"""First byte of nearly every event: field 1 of `Event`, a double."""

Stop = Literal["end", "cut", "checksum", "length"]


@functools.cache
def _table() -> tuple[int, ...]:
    # Castagnoli polynomial, reflected (RFC 3720, appendix B.4).
    table = []
    for byte in range(256):
        state = byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
        table.append(state)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of the bytes, unmasked; about 10 MB/s, so for headers only."""
    table = _table()
    state = 0xFFFFFFFF
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form in which TFRecord stores a CRC: rotated right by 15 bits, plus a constant
    (tensorflow/core/lib/hash/crc32c.h).
    """
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


SAGEMAKER_CHECKSUM = 0x062DC0B3
"""What SageMaker Debugger writes behind every payload: the masked checksum of the text `0x12345678` (formats.md §4)."""


def is_sound(payload: bytes, checksum: int) -> bool:
    """Whether the masked checksum that stands behind a payload is its own, or the one that SageMaker Debugger writes behind all."""
    from google_crc32c import value

    return checksum == SAGEMAKER_CHECKSUM or checksum == masked(value(payload))


@functools.lru_cache(maxsize=4096)
def length_checksum(length: int) -> int:
    """The masked checksum that a record header with this length must carry."""
    return masked(crc32c(length.to_bytes(8, "little")))


def _have_checksums(lengths: Offsets, stated: NDArray[np.uint32]) -> NDArray[np.bool_]:
    # Which of these are the checksums of these lengths below SHORT. Few lengths occur in a file, so a length's checksum
    # is computed when it is first met.
    table = _short_length_checksums()
    same: NDArray[np.bool_] = table[lengths] == stated
    if not same.all():
        unknown = distinct(lengths[~same])
        unknown = unknown[table[unknown] == UNKNOWN]
        if len(unknown):
            table[unknown] = _checksums(unknown)
            same = table[lengths] == stated
    return same


@functools.cache
def _short_length_checksums() -> NDArray[np.int64]:
    # The checksums by length, as far as they are known.
    return np.full(SHORT, UNKNOWN)


def _checksums(lengths: Offsets) -> NDArray[np.uint32]:
    # All at once: the same table, one byte column after the other.
    table = np.array(_table(), dtype=np.uint32)
    state = np.full(len(lengths), 0xFFFFFFFF, dtype=np.uint32)
    for column in range(8):
        byte = (lengths >> (8 * column)).astype(np.uint32) & np.uint32(0xFF)
        state = table[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    crc = state ^ np.uint32(0xFFFFFFFF)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


def is_record_header(head: bytes) -> bool:
    """Whether the first 12 bytes are a length and the masked checksum of it."""
    if len(head) < HEADER:
        return False
    return int.from_bytes(head[8:12], "little") == masked(crc32c(head[:8]))


def words(data: Bytes, dtype: str = "<u8") -> NDArray[np.uint64]:
    """An overlapping view of the bytes: element i is the little-endian value that begins at byte i, aligned or not."""
    size = np.dtype(dtype).itemsize
    return np.ndarray((len(data) - size + 1,), dtype, buffer=data.data, strides=(1,))


@dataclass(frozen=True, slots=True)
class Ending:
    """Where the records of a stretch of bytes end, and why."""

    stop: int
    """Where the first record begins that is not whole and sound."""
    why: Stop
    """end: no bytes are left; cut: the record goes beyond them; checksum, length: its header cannot be right."""
    needed: int = HEADER
    """For `cut`: bytes that this record takes from `stop` on, as far as known."""


@dataclass(frozen=True, eq=False)
class Framed:
    """The records in a stretch of bytes that begins at a record."""

    starts: Offsets
    """int64, shape (n,): where each payload begins."""
    lengths: Offsets
    """int64, shape (n,): bytes of each payload."""
    ending: Ending


def find_records(data: Bytes, size: int) -> Framed:
    """Frame the first `size` bytes of `data`, which has at least `PADDING` more behind them.

    Places that look like the header of a short event, with the right checksum of the length, are found in a few passes
    over all bytes. Where one record ends at the next such place, the whole chain is taken in one step; elsewhere the
    lengths are followed one by one until they meet such a place again.
    """
    places, sizes = _candidates(data, size)
    following = places + sizes
    following += OVERHEAD
    breaks = np.flatnonzero(following[:-1] != places[1:])
    chains: list[tuple[Offsets, Offsets]] = []
    single: list[int] = []
    position = 0
    while True:
        at = int(np.searchsorted(places, position))
        upcoming = int(places[at]) if at < len(places) else size
        if position == upcoming and at < len(places):
            turn = int(np.searchsorted(breaks, at))
            last = int(breaks[turn]) if turn < len(breaks) else len(places) - 1
            if single:
                chains.append(_alone(data, single))
                single = []
            chains.append((places[at : last + 1], sizes[at : last + 1]))
            position = int(following[last])
            continue
        position, why, needed = _follow(data, size, position, upcoming, single)
        if why is not None:
            break
    if single or not chains:
        chains.append(_alone(data, single))
    begins, lengths = chains[0] if len(chains) == 1 else (np.concatenate(part) for part in zip(*chains, strict=True))
    return Framed(begins + HEADER, lengths, Ending(position, why, needed))


def _alone(data: Bytes, positions: list[int]) -> tuple[Offsets, Offsets]:
    # Where the records at these positions begin, and the lengths of their payloads.
    begins = np.array(positions, dtype=np.int64)
    return begins, words(data)[begins].astype(np.int64)


def _candidates(data: Bytes, size: int) -> tuple[Offsets, Offsets]:
    # Places at which a short event may begin, and the lengths that stand there. Its payload begins with its wall time,
    # and its length has six zero bytes behind the first two; only the first is asked of every byte.
    span = max(0, size - OVERHEAD)
    places = np.flatnonzero(data[HEADER : span + HEADER] == WALL_TIME)
    head = words(data)[places]
    looks = head < np.uint64(SHORT)
    places, lengths = places[looks], head[looks].view(np.int64)
    sound = _have_checksums(lengths, words(data, "<u4")[places + 8].astype(np.uint32, copy=False))
    sound &= lengths <= size - OVERHEAD - places
    return (places, lengths) if sound.all() else (places[sound], lengths[sound])


def _follow(data: Bytes, size: int, position: int, upcoming: int, into: list[int]) -> tuple[int, Stop | None, int]:
    # Follows lengths one by one up to the place `upcoming`, or to the first record that is not whole and sound.
    view = data.data
    while position < upcoming or position >= size:
        if position >= size:
            return position, "end", HEADER
        if size - position < HEADER:
            return position, "cut", HEADER
        length = int.from_bytes(view[position : position + 8], "little")
        if int.from_bytes(view[position + 8 : position + HEADER], "little") != length_checksum(length):
            return position, "checksum", HEADER
        if length > LONGEST:
            return position, "length", HEADER
        if position + OVERHEAD + length > size:
            return position, "cut", OVERHEAD + length
        into.append(position)
        position += OVERHEAD + length
    return position, None, HEADER


@dataclass(frozen=True, slots=True)
class Record:
    """One record, for those that are read one by one."""

    number: int
    """Its place among the records of the file."""
    offset: int
    """Where in the file it begins."""
    payload: bytes
    checksum: int
    """The masked checksum of the payload as the file states it."""


@dataclass(eq=False)
class Stretch:
    """Bytes of a file that begin at a record; `data` is reused, so nothing may keep it.

    Who reads the records says in `ending` where they end.
    """

    base: int
    """Offset in the file of `data[0]`."""
    data: Bytes
    """uint8, padded with at least `PADDING` bytes."""
    size: int
    """Bytes without the padding."""
    done: float
    """Share of the file, from where its reader began, that has been read with these bytes."""
    ending: Ending | None = None

    def record(self, number: int, start: int, length: int) -> Record:
        """The record whose payload of so many bytes begins there in `data`."""
        payload = self.data[start : start + length].tobytes()
        checksum = int.from_bytes(self.data[start + length : start + length + 4].tobytes(), "little")
        return Record(number, self.base + start - HEADER, payload, checksum)


class RecordReader:
    """Reads a file stretch by stretch, from where it stands. Iterate it once; afterwards `offset`, `why` and `size` say where and why it
    ended.

    Holds one block, or one record where that is larger, and never more than the file has: a length is believed only as
    far as there are bytes behind it.
    """

    def __init__(self, file: BinaryIO, block: int = BLOCK, offset: int = 0, end: int | None = None) -> None:
        """`offset`: where the file stands; `end`: the offset at which it ends for this reader."""
        self._file = file
        self._block = block
        self._begin = offset
        self._end = end
        self.offset = offset
        self.why: Stop = "end"
        self.size = 0

    def __iter__(self) -> Iterator[Stretch]:
        data = np.zeros(self._block + PADDING, dtype=np.uint8)
        expected = max(1, os.fstat(self._file.fileno()).st_size - self._begin)
        have = 0
        while True:
            read = self._fill(data, have)
            have += read
            stretch = Stretch(self.offset, data, have, (self.offset + have - self._begin) / expected)
            yield stretch
            ending = stretch.ending
            if ending is None:
                raise RuntimeError("the records of a stretch were not read")
            self.offset += ending.stop
            have -= ending.stop
            self.why = ending.why
            self.size = self.offset + have
            room = self._room(ending, have, at_end=read == 0)
            if not room:
                return
            rest = data[ending.stop : ending.stop + have].copy()
            if room + PADDING != len(data):
                data = np.zeros(room + PADDING, dtype=np.uint8)
            data[: len(rest)] = rest

    def _fill(self, data: Bytes, have: int) -> int:
        # A short read is no end of file, and a block that is full needs no read to know that there may be more.
        read = 0
        view = data.data
        capacity = len(data) - PADDING
        if self._end is not None:
            capacity = min(capacity, self._end - self.offset)
        while have + read < capacity:
            got = self._file.readinto(view[have + read : capacity])  # type: ignore[attr-defined]
            if not got:
                break
            read += got
        return read

    def _room(self, ending: Ending, have: int, *, at_end: bool) -> int:
        # Bytes to hold next, 0 to stop.
        if ending.why in ("checksum", "length"):
            self.size = max(self.size, self._present())
            return 0
        if at_end:
            return 0
        held = self._block
        if ending.needed > held:
            present = self._present()
            if self.offset + ending.needed > present:
                self.size = max(self.size, present)
                return 0
            held = ending.needed
        return held

    def _present(self) -> int:
        # Bytes of the file that are there now, as far as they are this reader's.
        size = os.fstat(self._file.fileno()).st_size
        return size if self._end is None else min(size, self._end)
