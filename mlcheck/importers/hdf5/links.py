"""Members of a group of the old form, read from its symbol table by compiled code: libhdf5 takes ten times as long over them.

h5py writes such groups unless it is told to keep the order of what is made (`track_order`) or to write for later versions only.
"""

import struct

from mlcheck import native
from mlcheck.importers.hdf5.headers import header_at, messages

_SYMBOL_TABLE = 17
_ADDRESSES = struct.Struct("<QQ")


def members(descriptor: int, address: int, base: int, most: int) -> list[tuple[bytes, int]] | None:
    """Names and addresses of the members of the group whose header lies at an address that counts from `base`, in order of their names,
    `most` of them at most.

    None where nothing compiled does it, and where the group is of another form, has a soft link, or is damaged: libhdf5 tells what is in
    it, or what is wrong. That addresses and lengths take 8 bytes each is taken for granted. HDF5 File Format Specification, IV.A.2.r.
    """
    headers = native.module("headers")
    if headers is None:
        return None
    try:
        block = header_at(descriptor, address, base)
        found = messages(descriptor, block, base + address, base)
        table = next((content for sort, content in found if sort == _SYMBOL_TABLE), None)
        if table is None:
            return None
        tree, heap = _ADDRESSES.unpack_from(table)
    except (struct.error, IndexError, OSError, OverflowError):
        return None
    result: list[tuple[bytes, int]] | None = headers.members(descriptor, base, tree, heap, most)
    return result
