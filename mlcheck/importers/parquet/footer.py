"""Opens a Parquet file, or says in one line why it cannot be read. Nothing but the footer is read for that."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
SUFFIXES = (".parquet", ".parq", ".pqt")
SMALLEST = 12
"""Bytes: the magic twice and the length of the footer (Parquet's format specification, File Format)."""
BUFFER = 1 << 20
"""Bytes of a column that are read ahead: without it pyarrow reads a whole column of a row group at once."""
LONGEST_REASON = 160


class NotReadable(Exception):
    """A file that is no Parquet, or none that can be read; the message says why."""


def faults() -> tuple[type[BaseException], ...]:
    """What pyarrow raises for files that contradict themselves. A claim of too much memory is one of these."""
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError, MemoryError)


def reason_of(error: BaseException) -> str:
    """What pyarrow says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.removeprefix("Couldn't deserialize thrift: ")
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def open_file(path: Path, encoded: list[str] | None = None) -> "ParquetFile":
    """Open a file; columns of texts in `encoded` are read as dictionaries.

    Raises NotReadable, or OSError where there is no such file or no permission.
    """
    _check(path)
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"buffer_size": BUFFER, "pre_buffer": False, "page_checksum_verification": True}
    try:
        return pq.ParquetFile(path, read_dictionary=encoded, **options)
    except faults() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotReadable(_footer_reason(error)) from None


def _footer_reason(error: BaseException) -> str:
    text = str(error).lower()
    if "encrypt" in text or "decrypt" in text:
        return "encrypted: mlcheck has no key"
    return f"its footer is damaged: {reason_of(error)}"


def _check(path: Path) -> None:
    """Raises NotReadable for what can be told by the first and the last bytes."""
    with path.open("rb") as file:
        head = file.read(64)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
    if not size:
        raise NotReadable("an empty file")
    if head.startswith(b"version https://git-lfs"):
        raise NotReadable("a Git LFS pointer: the file itself is not here")
    if head[:4] == ENCRYPTED:
        raise NotReadable("encrypted: mlcheck has no key")
    if head[:4] != MAGIC:
        raise NotReadable(f"called Parquet, but begins with {head[:8]!r}")
    if size < SMALLEST or tail[4:] not in (MAGIC, ENCRYPTED):
        raise NotReadable("Parquet without its footer: cut, or still being written")
    length = int.from_bytes(tail[:4], "little")
    if length > size - SMALLEST:
        raise NotReadable(f"its footer claims {length:,} bytes, and the file holds {size:,}")
