"""Object headers of HDF5 files, in C."""

from typing_extensions import Buffer

def plain(descriptor: int, offsets: Buffer, /) -> list[tuple[bytes, int, int, int] | None]:
    """What the header at each offset (int64, bytes) of an open file says, as `importers.hdf5.headers.plain_data_set` does: messages for
    shape and type, address, bytes and number of attributes; None where it is not that of a plain data set.
    """

def members(descriptor: int, base: int, tree: int, heap: int, most: int, /) -> list[tuple[bytes, int]] | None:
    """Names and addresses of the members of a group of the old form, at most so many, in order of their names, from its B-tree and its
    local heap in an open file; all addresses count from `base`. None where it has a soft link, or is not as the format has it.
    """
