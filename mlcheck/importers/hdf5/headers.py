"""Object headers, so far as to tell a virtual data set before libhdf5 touches it.

A virtual data set points at data sets of other files, and libhdf5 (seen in 2.0.0) hangs or crashes where it only asks for the size of
a damaged one (H5D__virtual_load_layout, H5HG__cache_heap_deserialize). HDF5 File Format Specification, IV.A.1 and IV.A.2.i.
"""

import os
import re
import struct
from collections.abc import Iterator

_VIRTUAL = b"\x04\x03"
"""Version 4, class 3 of a layout message."""
_LAYOUT, _CONTINUATION = 8, 16
_WINDOW = 512
_LARGEST = 1 << 16
_MOST_BLOCKS = 64
_FIRST = struct.Struct("<BxHII")
_MESSAGE_1 = struct.Struct("<HHB3x")
_MESSAGE_2 = struct.Struct("<BHB")
_PLACE = struct.Struct("<QQ")


# A layout message of another class (0 compact, 1 contiguous, 2 chunked) in a header of either version: no need to look further.
_OTHER = re.compile(
    rb"\x08..[\x00-\xff](?:..)?[\x03\x04\x05][\x00-\x02]|\x08\0...\0\0\0[\x03\x04\x05][\x00-\x02]", re.DOTALL
)


def may_be_virtual(descriptor: int, address: int, base: int) -> bool:
    """Whether the object whose header stands at an address is a virtual data set, or may be one for all that can be told.

    Addresses count from `base`, the signature of the file behind a user block.
    """
    try:
        block = os.pread(descriptor, _WINDOW, base + address)
        if _VIRTUAL not in block and _OTHER.search(block):
            return False
        for sort, content in _messages(descriptor, block, base + address, base):
            if sort == _LAYOUT:
                return content[:2] == _VIRTUAL
    except (struct.error, IndexError, OSError, OverflowError):
        return True
    return False


def _messages(descriptor: int, block: bytes, address: int, base: int) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message, those in continuation blocks too. Raises struct.error where there is no end of them."""
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
