"""Protobuf's wire format: varints on whole arrays, and the fields of one short message.

Sources: protobuf.dev, "Encoding".
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import Offsets

Words = NDArray[np.uint64]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types. Groups (3 and 4) are left to protobuf."""

_ONE = np.uint64(1)
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_HIGH_BITS_OF_HALF = np.uint32(0x80808080)


class NotPlain(ValueError):
    """A message that only protobuf can judge."""


def varints(source: Words, limit: int) -> tuple[Offsets, Offsets]:
    """Varints in the lowest bytes of 64-bit words: (value, size), size 0 where one is longer than `limit` bytes (at
    most 8).
    """
    if not (source & np.uint64(0x80)).any():
        return (source & np.uint64(0x7F)).view(np.int64), np.ones(len(source), dtype=np.int64)
    # Half a word is enough for nearly all, in half the time.
    half = source.astype(np.uint32)
    last_half = ~half & _HIGH_BITS_OF_HALF
    if last_half.all():
        value, size = _short_varints(half, last_half)
    else:
        value, size = _long_varints(source)
    if limit < 8:
        size[size > limit] = 0
    return value, size


def _short_varints(source: NDArray[np.uint32], last: NDArray[np.uint32]) -> tuple[Offsets, Offsets]:
    # As below, of at most four bytes.
    last &= ~last + np.uint32(1)
    inside = last ^ (last - np.uint32(1))
    size = (inside & np.uint32(0x01010101)) * np.uint32(0x01010101) >> np.uint32(24)
    value = source & inside & np.uint32(0x7F7F7F7F)
    value = (value & np.uint32(0x007F007F)) | ((value & np.uint32(0x7F007F00)) >> np.uint32(1))
    value = (value & np.uint32(0x00003FFF)) | ((value & np.uint32(0x3FFF0000)) >> np.uint32(2))
    return value.astype(np.int64), size.astype(np.int64)


def _long_varints(source: Words) -> tuple[Offsets, Offsets]:
    # The high bit of the varint's last byte: the lowest high bit that is not set.
    last = ~source & _HIGH_BITS
    last &= ~last + _ONE
    # All bits up to and with that one; all of them where the varint ends beyond the word.
    inside = last ^ (last - _ONE)
    size = ((inside & _LOW_BITS) * _LOW_BITS >> np.uint64(56)).view(np.int64)
    size[last == 0] = 0
    # Groups of seven bits are moved together in pairs, pairs of pairs and halves.
    value = source & inside & np.uint64(0x7F7F7F7F7F7F7F7F)
    value = (value & np.uint64(0x007F007F007F007F)) | ((value & np.uint64(0x7F007F007F007F00)) >> _ONE)
    value = (value & np.uint64(0x00003FFF00003FFF)) | ((value & np.uint64(0x3FFF00003FFF0000)) >> np.uint64(2))
    value = (value & np.uint64(0x0FFFFFFF)) | ((value & np.uint64(0x0FFFFFFF00000000)) >> np.uint64(4))
    return value.view(np.int64), size


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of each field of a message, in order; fixed fields as their bytes.

    Raises NotPlain for whatever is not written as every writer does: varints of more than nine bytes, groups, cut fields.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise NotPlain("a group")
        if not 0 < number < 1 << 29 or size > len(message) - at:
            raise NotPlain("a field that does not fit")
        yield number, kind, message[at : at + size]
        at += size


def is_version(rest: bytes) -> bool:
    """Whether the last fields of an `Event` are a version and who wrote it (`SourceMetadata`), as text."""
    try:
        for number, _, value in fields(rest):
            if not isinstance(value, bytes) or number not in (3, 10):
                return False
            texts = [value] if number == 3 else [text for field, _, text in fields(value) if field == 1]
            for text in texts:
                if not isinstance(text, bytes):
                    return False
                text.decode("utf-8")
    except (NotPlain, UnicodeDecodeError):
        return False
    return True


def _varint(message: bytes, at: int) -> tuple[int, int]:
    # Value of the varint that begins there, and where the next field does.
    value = 0
    for place in range(9):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise NotPlain("a varint that does not end")
