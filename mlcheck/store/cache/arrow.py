"""Arrow IPC files of 64-bit columns, mapped without pyarrow, which takes longer to load than reading a long run from them.

Reads what `pyarrow.ipc.new_file` wrote of a table of int64 and float64 columns without nulls, in one record batch or none. The metadata are
flatbuffers: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format, with format/File.fbs, Message.fbs and Schema.fbs there for
the numbers of fields; https://flatbuffers.dev/internals/ for tables and vectors. Whatever does not hold together raises ValueError,
struct.error or IndexError.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"ARROW1"
_INT, _FLOAT = 2, 3
"""Members of the union Type."""
_RECORD_BATCH = 3
"""Member of the union MessageHeader."""


class ArrowFile(NamedTuple):
    """A mapped file."""

    metadata: Mapping[bytes, bytes]
    """Of the schema."""
    columns: Mapping[str, NDArray[Any]]
    """int64 or float64, all of shape (n,), read-only views of the file."""


def mapped(path: Path) -> ArrowFile:
    """Map a file. Raises OSError, and what the module says for one that is none or is damaged."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if data[:6] != MAGIC or data[-6:] != MAGIC:
        raise ValueError("no Arrow file, or one that is cut")
    footer = _root(data, len(data) - 10 - _int(data, len(data) - 10, "<i"))
    schema = footer.table(1)
    if schema is None:
        raise ValueError("no schema")
    metadata = {one.text(0): one.text(1) for one in schema.tables(2)}
    names = [(one.text(0).decode(), _dtype(one)) for one in schema.tables(1)]
    blocks = list(footer.structs(3, "<qi4xq"))
    if len(blocks) > 1:
        raise ValueError("a table in several pieces")
    if not blocks:
        return ArrowFile(metadata, {name: np.empty(0, dtype) for name, dtype in names})
    return ArrowFile(metadata, dict(_columns(data, names, *blocks[0])))


def _columns(
    data: mmap.mmap, names: list[tuple[str, str]], offset: int, head: int, size: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    message = _root(data, offset + 8)
    batch = message.table(2)
    if batch is None or message.number(1, "<B") != _RECORD_BATCH or batch.table(3) is not None:
        raise ValueError("no plain record batch")
    nodes = list(batch.structs(1, "<qq"))
    # Two buffers for each column: which values are there, left out where all are, and the values.
    values = list(batch.structs(2, "<qq"))[1::2]
    body = offset + head
    for (name, dtype), (rows, nulls), (start, length) in zip(names, nodes, values, strict=True):
        if nulls or min(rows, start) < 0 or length < 8 * rows or start + length > size:
            raise ValueError(f"the column {name} does not hold together")
        yield name, np.frombuffer(data, dtype, rows, body + start)


def _dtype(field: "_Table") -> str:
    """Int is a table of bitWidth and is_signed, FloatingPoint one of precision (2: double)."""
    kind, sort = field.number(2, "<B"), field.table(3)
    if sort is not None and kind == _INT and sort.number(0, "<i") == 64 and sort.number(1, "<B"):
        return "<i8"
    if sort is not None and kind == _FLOAT and sort.number(0, "<h") == 2:
        return "<f8"
    raise ValueError("a column of another type")


def _int(data: mmap.mmap, at: int, form: str) -> int:
    if at < 0:
        raise ValueError("a place before the file")
    (found,) = struct.unpack_from(form, data, at)
    return int(found)


class _Table(NamedTuple):
    """A table of a flatbuffer: where it begins."""

    data: mmap.mmap
    at: int

    def _field(self, number: int) -> int | None:
        """Where a field stands; None where it has its default."""
        layout = self.at - _int(self.data, self.at, "<i")
        slot = 4 + 2 * number
        inside = _int(self.data, layout + slot, "<H") if slot < _int(self.data, layout, "<H") else 0
        return self.at + inside if inside else None

    def number(self, number: int, form: str) -> int:
        """A number, 0 by default."""
        at = self._field(number)
        return 0 if at is None else _int(self.data, at, form)

    def _followed(self, number: int) -> int | None:
        at = self._field(number)
        return None if at is None else at + _int(self.data, at, "<I")

    def table(self, number: int) -> "_Table | None":
        """A table inside it."""
        at = self._followed(number)
        return None if at is None else _Table(self.data, at)

    def text(self, number: int) -> bytes:
        """A text, empty by default."""
        at = self._followed(number)
        return b"" if at is None else self.data[at + 4 : at + 4 + _int(self.data, at, "<I")]

    def tables(self, number: int) -> "Iterator[_Table]":
        """The tables of a vector."""
        at = self._followed(number)
        for place in range(0 if at is None else _int(self.data, at, "<I")):
            assert at is not None
            here = at + 4 + 4 * place
            yield _Table(self.data, here + _int(self.data, here, "<I"))

    def structs(self, number: int, form: str) -> Iterator[tuple[int, ...]]:
        """The structs of a vector."""
        at = self._followed(number)
        for place in range(0 if at is None else _int(self.data, at, "<I")):
            assert at is not None
            yield struct.unpack_from(form, self.data, at + 4 + place * struct.calcsize(form))


def _root(data: mmap.mmap, at: int) -> _Table:
    return _Table(data, at + _int(data, at, "<I"))
