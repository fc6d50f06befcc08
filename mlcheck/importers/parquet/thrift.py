"""What a footer states of the row groups, read by ourselves.

Arrow ends the process when it is asked for the metadata of a stored column that are damaged or encrypted (an exception of C++ that
nobody catches, pyarrow 15 to 26), so it is never asked. The footer is Thrift's compact protocol; its structures are those of
parquet-format's parquet.thrift.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlcheck.records import dataclass

REMEMBERED = 16
"""Footers: a file is looked at, searched for runs and read in one go."""
DEEPEST = 24
"""Structures within structures."""

_TRUE, _FALSE, _BYTE, _I16, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12


class Malformed(ValueError):
    """A footer that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored column of a row group."""

    path: tuple[str, ...]
    """The column's name, then those of what it is nested in."""
    kind: int
    """Physical type: boolean, int32, int64, int96, float, double, bytes, bytes of fixed length."""
    values: int
    uncompressed: int
    compressed: int
    offset: int | None
    """Where its first page of data begins."""
    nulls: int | None
    low: bytes | None
    """Smallest value or less, where it is stated."""
    high: bytes | None
    lies_elsewhere: bool
    """In another file."""
    is_encrypted: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A row group."""

    rows: int
    chunks: tuple[Chunk, ...]

    def chunk(self, name: str) -> Chunk | None:
        """The stored column of a column that is not nested."""
        return next((one for one in self.chunks if one.path == (name,)), None)


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer states."""

    rows: int
    groups: tuple[Group, ...]


def footer_of(path: Path) -> Footer:
    """The footer of a file whose last bytes are right; remembered while the file is the same. Raises Malformed, or OSError."""
    found = path.stat()
    return _footer_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=REMEMBERED)
def _footer_of(path: Path, size: int, modified: int) -> Footer:
    with path.open("rb") as file:
        size = file.seek(-8, 2) + 8
        length = int.from_bytes(file.read(4), "little")
        if length > size - 12:
            raise Malformed("it is longer than the file")
        file.seek(size - 8 - length)
        content = file.read(length)
    try:
        found = _Compact(content).struct(0)
        return Footer(_whole(found, 3), tuple(_group(one) for one in _structs(found, 4)))
    except (IndexError, UnicodeDecodeError):
        raise Malformed("it ends too early") from None


def _whole(found: Mapping[int, Any], field: int) -> int:
    value = found.get(field, 0)
    if not isinstance(value, int):
        raise Malformed(f"field {field} is no number")
    return value


def _structs(found: Mapping[int, Any], field: int) -> list[Any]:
    listed = found.get(field, [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Malformed(f"field {field} is no list of structures")
    return listed


def _group(found: Mapping[int, Any]) -> Group:
    return Group(_whole(found, 3), tuple(_chunk(one) for one in _structs(found, 1)))


def _chunk(found: Mapping[int, Any]) -> Chunk:
    inner = found.get(3)
    own: Mapping[int, Any] = inner if isinstance(inner, dict) else {}
    stated = own.get(12)
    statistics: Mapping[int, Any] = stated if isinstance(stated, dict) else {}
    path = own.get(3)
    names = path if isinstance(path, list) and all(isinstance(one, bytes) for one in path) else []
    return Chunk(
        path=tuple(one.decode("utf-8", "replace") for one in names),
        kind=_whole(own, 1),
        values=_whole(own, 5),
        uncompressed=_whole(own, 6),
        compressed=_whole(own, 7),
        offset=_whole(own, 9) if 9 in own else None,
        nulls=_whole(statistics, 3) if 3 in statistics else None,
        low=_bytes(statistics, 6),
        high=_bytes(statistics, 5),
        lies_elsewhere=bool(found.get(1)),
        is_encrypted=8 in found or not own,
    )


def _bytes(found: Mapping[int, Any], field: int) -> bytes | None:
    value = found.get(field)
    return value if isinstance(value, bytes) else None


class _Compact:
    """Thrift's compact protocol. IndexError where it ends too early."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def _varint(self) -> int:
        content, at = self._content, self._at
        byte = content[at]
        at += 1
        if byte < 0x80:
            self._at = at
            return byte
        result, shift = byte & 0x7F, 7
        while True:
            byte = content[at]
            at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._at = at
                return result
            shift += 7
            if shift > 63:
                raise Malformed("a number is too long")

    def _number(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._content):
            raise Malformed("a text is longer than the footer")
        taken = self._content[self._at : end]
        self._at = end
        return taken

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields of a structure by number."""
        if depth > DEEPEST:
            raise Malformed("structures are nested too deep")
        found: dict[int, Any] = {}
        field = 0
        while True:
            header = self._content[self._at]
            self._at += 1
            if header == 0:
                return found
            kind = header & 0x0F
            field = field + (header >> 4) if header >> 4 else self._number()
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if _I16 <= kind <= _I64:
            return self._number()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._take(1)[0]
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _MAP:
            return self._map(depth)
        raise Malformed(f"a type {kind} that there is not")

    def _list(self, depth: int) -> list[Any]:
        if depth > DEEPEST:
            raise Malformed("lists are nested too deep")
        header = self._content[self._at]
        self._at += 1
        size, kind = header >> 4, header & 0x0F
        size = self._varint() if size == 15 else size
        self._check(size)
        return [self._value(kind, depth + 1) for _ in range(size)]

    def _map(self, depth: int) -> None:
        size = self._varint()
        self._check(size)
        if size:
            kinds = self._take(1)[0]
            for _ in range(size):
                self._value(kinds >> 4, depth + 1)
                self._value(kinds & 0x0F, depth + 1)

    def _check(self, size: int) -> None:
        # No element takes less than a byte.
        if size > len(self._content) - self._at:
            raise Malformed("a list is longer than the footer")
