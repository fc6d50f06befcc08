"""Protobuf's wire format, as far as smdebug's events need it.

`SummaryMetadata.plugin_data` is repeated in what smdebug writes and single in TensorFlow's proto, whose reader keeps only the last; and a
reader of our own can point at the bytes of a tensor instead of copying them.
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; groups (3 and 4) are not in use any more."""

Field = tuple[int, int, int, int]
"""Number, wire type, and for varints the value and -1, else the bounds of the content."""

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")


class Malformed(ValueError):
    """Bytes that are no message of the kind that they stand for."""


def fields(data: bytes, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message in `data[start:stop]`, in order. Raises Malformed where they do not end where the message does."""
    position = start
    while position < stop:
        key = data[position]
        position += 1
        if key >= 0x80:
            key, position = _varint(data, position - 1, stop)
        sort = key & 7
        if sort == BYTES:
            if position >= stop:
                raise Malformed(_CUT)
            length = data[position]
            position += 1
            if length >= 0x80:
                length, position = _varint(data, position - 1, stop)
            begin, position = position, position + length
        elif sort == VARINT:
            value, position = _varint(data, position, stop)
            yield key >> 3, sort, value, -1
            continue
        elif sort in _SIZES:
            begin, position = position, position + _SIZES[sort]
        else:
            raise Malformed(f"a field of the unknown wire type {sort}")
        if position > stop:
            raise Malformed(_CUT)
        yield key >> 3, sort, begin, position


_SIZES = {FIXED64: 8, FIXED32: 4}
_CUT = "a field goes beyond the end of its message"


def _varint(data: bytes, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while position < stop and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
    raise Malformed("a number that does not end")


def signed(value: int) -> int:
    """A varint as the int64 that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def double(data: bytes, start: int) -> float:
    """The float64 at a place."""
    return float(_DOUBLE.unpack_from(data, start)[0])


def single(data: bytes, start: int) -> float:
    """The float32 at a place."""
    return float(_FLOAT.unpack_from(data, start)[0])


def text(data: bytes, start: int, stop: int) -> str:
    """UTF-8, with marks for what is none."""
    return data[start:stop].decode("utf-8", "replace")
