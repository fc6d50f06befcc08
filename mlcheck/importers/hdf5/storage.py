"""How a data set lies in its file: whether all of it is there, is inside this file, and can be unpacked."""

from typing import Any

import numpy as np

from mlcheck.importers.hdf5.tree import Leaf

EXTERNAL_MESSAGE = 1 << 7
"""Object header message 0x0007: data lie in other files (HDF5 File Format Specification, IV.A.2.h)."""
MOST_CHUNKS = 1_000_000
"""Chunks of one data set that are asked for where they lie."""
MOST_ENTRIES = 100_000_000
"""Entries of axis 0 for which it is remembered whether they were written."""
LARGEST_UNPACKED = 1 << 28
"""Bytes that a chunk, or a tensor at one step, may always unpack to."""
LARGEST_CLAIM = 1 << 30
"""Bytes that a data set may always unpack to."""
_STEP_RATIO = 100
_RATIO = 1100
"""More than gzip can pack (1,032 to 1)."""
_FILTERS = {
    1: "gzip",
    4: "szip",
    305: "lzo",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32026: "blosc2",
}
"""Registered filter plug-ins that are met with; the number stands in the file, the name only sometimes."""


def describe_storage(leaf: Leaf, dataset: Any, messages: int, file_bytes: int) -> None:
    """Fill in where a data set lies, or refuse it.

    `messages` are the bits of the header messages that it has. Raises what h5py raises on a damaged one.
    """
    # Behind a user block libhdf5 gives an offset for what was never written, too.
    leaf.offset = dataset.get_offset() if dataset.get_storage_size() else None
    if messages & EXTERNAL_MESSAGE:
        leaf.refuse("its values lie in another file (external storage): not followed")
        return
    if leaf.offset is None:
        _in_pieces(leaf, dataset, file_bytes)
        return
    if leaf.raw is not None:
        leaf.stored = leaf.count * leaf.raw.itemsize
    elif leaf.dtype is not None:
        leaf.stored = dataset.get_storage_size()
    if leaf.count > leaf.stored:
        leaf.refuse("damaged: it claims more values than it has bytes")
    elif leaf.offset + leaf.stored > file_bytes:
        there = max(0, file_bytes - leaf.offset)
        leaf.refuse(f"cut: {there:,} of its {leaf.stored:,} bytes are in the file")


def _in_pieces(leaf: Leaf, dataset: Any, file_bytes: int) -> None:
    from h5py import h5d

    made = dataset.get_create_plist()
    layout = made.get_layout()
    leaf.stored = dataset.get_storage_size()
    if not leaf.count:
        return
    if not leaf.stored:
        leaf.refuse("never written: it holds no values", is_lost=False)
    elif layout == h5d.CHUNKED:
        leaf.chunk = tuple(made.get_chunk())
        _check_filters(leaf, made)
        if leaf.refused is None:
            _check_chunks(leaf, dataset)
        if leaf.refused is None and leaf.is_packed:
            _check_claims(leaf)
    if leaf.refused is None and not leaf.is_packed and (leaf.stored > file_bytes or leaf.stored < _least_bytes(leaf)):
        leaf.refuse("damaged: its size and the bytes that it has do not fit")


def _least_bytes(leaf: Leaf) -> int:
    share = 1.0 if leaf.written is None else float(leaf.written.mean())
    return int(leaf.count * share) * (leaf.raw.itemsize if leaf.raw is not None else 1)


def _check_claims(leaf: Leaf) -> None:
    """Refuse what would unpack to far more than it takes."""
    assert leaf.chunk is not None
    width = leaf.dtype.itemsize if leaf.dtype is not None else 1
    chunk = int(np.prod(leaf.chunk, dtype=object)) * width
    if chunk > max(LARGEST_UNPACKED, _STEP_RATIO * leaf.stored):
        leaf.refuse(bomb(chunk, leaf.stored))
    elif _least_bytes(leaf) > max(LARGEST_CLAIM, _RATIO * leaf.stored):
        leaf.refuse(bomb(leaf.bytes, leaf.stored))


def is_bomb_at_once(leaf: Leaf, step_bytes: int) -> bool:
    """Whether one step of a packed data set unpacks to more than is held in memory for so few bytes."""
    return leaf.is_packed and step_bytes > max(LARGEST_UNPACKED, _STEP_RATIO * leaf.stored)


def bomb(claimed: int, stored: int) -> str:
    """The reason for leaving out what claims too much."""
    return f"it unpacks from {stored:,} to {claimed:,} bytes (a compression bomb?): left out"


def _check_filters(leaf: Leaf, made: Any) -> None:
    from h5py import h5z

    count = made.get_nfilters()
    leaf.is_packed = count > 0
    for index in range(count):
        code, _, _, name = made.get_filter(index)
        if not h5z.filter_avail(code):
            called = name.decode("utf-8", "replace").strip("\0 ").split(";")[0] if name else ""
            called = _FILTERS.get(code) or called or "unknown"
            leaf.refuse(f"compression filter {code} ({called}) is not installed")
            return


def _check_chunks(leaf: Leaf, dataset: Any) -> None:
    """Refuse what was only partly written; entries of axis 0 that were not written at all are marked."""
    assert leaf.chunk is not None
    if len(leaf.chunk) != len(leaf.shape) or not all(leaf.chunk):
        leaf.refuse("damaged: its chunks do not fit its shape")
        return
    grid = [-(-length // size) for length, size in zip(leaf.shape, leaf.chunk, strict=True)]
    expected = int(np.prod(grid, dtype=object))
    there = dataset.get_num_chunks()
    if there >= expected:
        return
    in_layer = expected // grid[0]
    if there > MOST_CHUNKS or grid[0] > MOST_CHUNKS or leaf.shape[0] > MOST_ENTRIES:
        leaf.refuse(f"{there:,} of its {expected:,} chunks were written")
        return
    layers = np.zeros(grid[0], dtype=np.int64)

    def note(chunk: Any) -> None:
        layer = chunk.chunk_offset[0] // leaf.chunk[0]  # type: ignore[index]
        if 0 <= layer < len(layers):
            layers[layer] += 1

    dataset.chunk_iter(note)
    entries = np.arange(leaf.shape[0]) // leaf.chunk[0]
    leaf.written = (layers == in_layer)[entries]
