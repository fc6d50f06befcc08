"""Values of data sets: taken from the file as they lie where they lie in one piece, else through libhdf5; never more than asked for."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mlcheck.importers.hdf5.attributes import MOST_STEPS
from mlcheck.importers.hdf5.failures import DAMAGE
from mlcheck.importers.hdf5.tree import Leaf
from mlcheck.importers.hdf5.walk import open_file

Array = np.ndarray[Any, Any]


class Reader:
    """An open file. Its methods raise what h5py and os raise on a damaged one."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be opened."""
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.size = os.fstat(self.descriptor).st_size
        self._file: Any = None
        self._buffer = np.empty(0, dtype=np.uint8)

    @property
    def file(self) -> Any:
        """The file as h5py's low-level interface sees it; opened when it is first asked for."""
        if self._file is None:
            self._file = open_file(self.path)
        return self._file

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)
        if self._file is not None:
            self._file.close()

    def values(self, leaf: Leaf) -> Array | None:
        """All values of a small data set; None where it cannot be read or is not small."""
        if leaf.count > MOST_STEPS or leaf.refused is not None:
            return None
        try:
            return self.whole(leaf).copy()
        except DAMAGE:
            return None

    def whole(self, leaf: Leaf, *, shared: bool = True) -> Array:
        """All values, shape `leaf.shape`, in native byte order; bfloat16 as float32.

        Good until the next call: a buffer is reused. Not `shared`: good for ever, and several threads may ask at once for what lies in one
        piece.
        """
        if leaf.offset is None or leaf.raw is None:
            return self._through_library(leaf, None)
        buffer = self._room(leaf.stored, shared)
        self._fill(buffer, 0, leaf.stored, leaf.offset)
        return _seen_as(leaf, leaf.shape, buffer)

    def entries(self, leaf: Leaf, start: int, stop: int, *, shared: bool = True) -> Array:
        """Entries `start` to `stop` of axis 0, shape (stop - start, *leaf.shape[1:]); for how long, `whole` tells."""
        if leaf.offset is None or leaf.raw is None:
            return self._through_library(leaf, (start, stop))
        row = leaf.stored // leaf.shape[0] if leaf.shape[0] else 0
        need = (stop - start) * row
        buffer = self._room(need, shared)
        self._fill(buffer, 0, need, leaf.offset + start * row)
        return _seen_as(leaf, (stop - start, *leaf.shape[1:]), buffer)

    def many(self, leaves: Sequence[Leaf]) -> Array:
        """All values of data sets that lie in one piece and have one shape and type, shape (n, *shape). Good until the next call."""
        first = leaves[0]
        row = first.stored
        buffer = self._room(len(leaves) * row, True)
        for index, leaf in enumerate(leaves):
            self._fill(buffer, index * row, row, leaf.offset or 0)
        return _seen_as(first, (len(leaves), *first.shape), buffer)

    def _room(self, need: int, shared: bool) -> Array:
        if not shared:
            return np.empty(need, dtype=np.uint8)
        if len(self._buffer) < need:
            self._buffer = np.empty(need, dtype=np.uint8)
        return self._buffer[:need]

    def _fill(self, buffer: Array, start: int, length: int, offset: int) -> None:
        """Bytes of the file into a buffer."""
        room = memoryview(buffer.data)[start : start + length]
        while len(room):
            got = os.preadv(self.descriptor, [room], offset)
            if got <= 0:
                raise OSError("the file was cut while it was read")
            room, offset = room[got:], offset + got

    def _through_library(self, leaf: Leaf, entries: tuple[int, int] | None) -> Array:
        from h5py import h5d, h5s, h5t

        dataset = h5d.open(self.file, leaf.name.encode("utf-8", "surrogateescape"))
        if tuple(dataset.shape) != leaf.shape:
            raise OSError("its shape changed while it was read")
        shape = leaf.shape if entries is None else (entries[1] - entries[0], *leaf.shape[1:])
        # Without conversion where the bytes are understood: libhdf5 would round what it takes for other numbers.
        raw = np.empty(shape, leaf.raw if leaf.raw is not None else leaf.dtype)
        kind = dataset.get_type() if leaf.raw is not None else h5t.py_create(raw.dtype)
        if raw.size:
            here = there = h5s.ALL
            if entries is not None:
                there = dataset.get_space()
                there.select_hyperslab((entries[0], *(0 for _ in shape[1:])), shape)
                here = h5s.create_simple(shape)
            dataset.read(here, there, raw, kind)
        return settled(raw, leaf)


def _seen_as(leaf: Leaf, shape: tuple[int, ...], buffer: Array) -> Array:
    raw: Array = buffer.view(leaf.raw)
    return settled(raw.reshape(shape), leaf)


def settled(raw: Array, leaf: Leaf) -> Array:
    """Bytes of a file as numbers in native byte order."""
    if leaf.is_bfloat16:
        # bfloat16 is the upper half of a float32.
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if raw.dtype.kind == "b":
        # A byte of a damaged file may be neither 0 nor 1.
        whole: Array = raw.view(np.uint8) != 0
        return whole
    return raw if raw.dtype.isnative else raw.astype(raw.dtype.newbyteorder("="))
