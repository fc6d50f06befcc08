"""Object headers: where a plain data set lies, without libhdf5; and which one is virtual, before libhdf5 touches it.

libhdf5 takes some 50 µs to open a data set and to say what it is. A header that holds nothing but shape, type and place of values in
one piece says the same in 512 bytes. Shape and type are asked of libhdf5 once for each form that they take.

A virtual data set points at data sets of other files, and libhdf5 (seen in 2.0.0) hangs or crashes where it only asks for the size of
a damaged one (H5D__virtual_load_layout, H5HG__cache_heap_deserialize). HDF5 File Format Specification, IV.A.1 and IV.A.2.i.
"""

import os
import re
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlcheck import native

_VIRTUAL = b"\x04\x03"
"""Version 4, class 3 of a layout message."""
_SPACE, _TYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUATION, _ATTRIBUTES = 1, 3, 7, 8, 11, 12, 16, 21
"""Types of messages."""
_CONTIGUOUS = (b"\x03\x01", b"\x04\x01", b"\x05\x01")
_SHARED = 2
_NOWHERE = b"\xff" * 8
_WINDOW = 512
_PAST_ALL = 1 << 64
_LARGEST = 1 << 16
_MOST_BLOCKS = 64
_FIRST = struct.Struct("<BxHII")
_MESSAGE_1 = struct.Struct("<HHB3x")
_MESSAGE_2 = struct.Struct("<BHB")
_PLACE = struct.Struct("<QQ")


class Plain(NamedTuple):
    """A data set whose values lie in one piece, as its header says it."""

    form: bytes
    """The messages for shape and type: equal for data sets of equal shape and type."""
    address: int
    """Where its values begin, counted from the signature of the file."""
    bytes: int
    attributes: int
    """How many attributes it has."""


PlainTuple = tuple[bytes, int, int, int]
"""The fields of `Plain`."""


def header_at(descriptor: int, address: int, base: int) -> bytes:
    """The first bytes of the header at an address that counts from `base`; none where there is nothing."""
    try:
        return os.pread(descriptor, _WINDOW, base + address)
    except (OSError, OverflowError):
        return b""


def plain_data_set(block: bytes) -> Plain | None:
    """What a header says, where it is that of a plain data set and all of it is in the block; None for any other."""
    try:
        if block.startswith(b"OHDR\2"):
            at, length, flags = _first_block(block)
            extra = 6 if flags & 4 else 4
        elif block[:1] == b"\x01":
            at, length, extra = 16, _FIRST.unpack_from(block)[3], 8
        else:
            return None
        return _plain(block, at, at + length, extra)
    except (struct.error, IndexError):
        return None


def plain_data_sets(descriptor: int, addresses: Sequence[int], base: int) -> Sequence[PlainTuple | None]:
    """For each address, counted from `base`, what `plain_data_set` says of the header there: by compiled code where it is built."""
    headers = native.module("headers")
    if headers is None:
        return [plain_data_set(header_at(descriptor, one, base)) for one in addresses]
    offsets = array("Q", addresses if not base else [(one + base) % _PAST_ALL for one in addresses])
    found: Sequence[PlainTuple | None] = headers.plain(descriptor, offsets)
    return found


def _plain(block: bytes, at: int, end: int, extra: int) -> Plain | None:
    space = kind = None
    place: tuple[int, int] | None = None
    attributes = 0
    if end > len(block):
        return None
    while at + extra <= end:
        if extra == 8:
            sort, size, flags = block[at] | block[at + 1] << 8, block[at + 2] | block[at + 3] << 8, block[at + 4]
        else:
            sort, size, flags = block[at], block[at + 1] | block[at + 2] << 8, block[at + 3]
        at += extra
        if sort in (_SPACE, _TYPE):
            if flags & _SHARED:
                return None
            if sort == _SPACE:
                space = block[at : at + size]
            else:
                kind = block[at : at + size]
        elif sort == _LAYOUT:
            if block[at : at + 2] not in _CONTIGUOUS or block[at + 2 : at + 10] == _NOWHERE:
                return None
            place = _PLACE.unpack_from(block, at + 2)
        elif sort == _ATTRIBUTE:
            attributes += 1
        elif sort in (_EXTERNAL, _FILTERS, _CONTINUATION) or (sort == _ATTRIBUTES and _is_dense(block, at)):
            return None
        at += size
    if space is None or kind is None or place is None or at > end:
        return None
    return Plain(space + b"|" + kind, place[0], place[1], attributes)


def _is_dense(block: bytes, at: int) -> bool:
    """Whether attributes lie elsewhere, by the message that says where."""
    heap = at + (4 if block[at + 1] & 1 else 2)
    return block[heap : heap + 8] != _NOWHERE


# A layout message of another class (0 compact, 1 contiguous, 2 chunked) in a header of either version: no need to look further.
_OTHER = re.compile(
    rb"\x08..[\x00-\xff](?:..)?[\x03\x04\x05][\x00-\x02]|\x08\0...\0\0\0[\x03\x04\x05][\x00-\x02]", re.DOTALL
)


def may_be_virtual(descriptor: int, block: bytes, address: int, base: int) -> bool:
    """Whether the object whose header at an address begins with a block is a virtual data set, or may be one for all that can be
    told. Addresses count from `base`, the signature of the file behind a user block.
    """
    try:
        if _VIRTUAL not in block and _OTHER.search(block):
            return False
        for sort, content in messages(descriptor, block, base + address, base):
            if sort == _LAYOUT:
                return content[:2] == _VIRTUAL
    except (struct.error, IndexError, OSError, OverflowError):
        return True
    return False


def messages(descriptor: int, block: bytes, address: int, base: int) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message of the header at an offset of the file that begins with a block, those in continuation blocks
    too. Raises struct.error where there is no end of them.
    """
    is_new = block.startswith(b"OHDR")
    if is_new:
        start, length, flags = _first_block(block)
    elif block[:1] == b"\x01":
        start, length, flags = 16, _FIRST.unpack_from(block)[3], 0
    else:
        return
    if start + length > len(block):
        block = os.pread(descriptor, start + min(length, _LARGEST), address)
    block = block[start : start + length]
    waiting: list[tuple[int, int]] = []
    for _ in range(_MOST_BLOCKS):
        for sort, content in _in_block(block, is_new, flags):
            if sort == _CONTINUATION:
                waiting.append(_PLACE.unpack_from(content))
            yield sort, content
        if not waiting:
            return
        offset, length = waiting.pop()
        block = os.pread(descriptor, min(length, _LARGEST), base + offset)
        # Continuation blocks of new headers begin with a signature and end with a checksum.
        block = block[4:-4] if is_new else block
    raise struct.error("a header of too many blocks")


def _first_block(block: bytes) -> tuple[int, int, int]:
    """Where the messages of a version 2 header begin, how long they are, and the header's flags."""
    flags = block[5]
    at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    return at + width, int.from_bytes(block[at : at + width], "little"), flags


def _in_block(block: bytes, is_new: bool, flags: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    layout = _MESSAGE_2 if is_new else _MESSAGE_1
    extra = 2 if is_new and flags & 4 else 0
    while at + layout.size + extra <= len(block):
        sort, size, _ = layout.unpack_from(block, at)
        at += layout.size + extra
        yield sort, block[at : at + size]
        at += size


def user_block(descriptor: int) -> int:
    """Bytes of the user block: where the signature stands, from which addresses count."""
    offset = 0
    size = os.fstat(descriptor).st_size
    while offset < size:
        if os.pread(descriptor, 8, offset) == b"\x89HDF\r\n\x1a\n":
            return offset
        offset = offset * 2 or 512
    return 0
