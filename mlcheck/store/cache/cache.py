"""The cache of imported files: Arrow IPC in the user's cache directory, never in the run (design.md §2, language.md fixes 14 to 17).

An entry is two files, `<key>.scalars.arrow` and `<key>.tensors.arrow`; the first carries the index. Each is written beside its place and
moved there, and both carry one token, so that two scans at once, or one that is killed, leave at worst an entry that reads as none. Roles,
findings and whatever settings can change are never kept here (they are in verdicts.py, with the settings that they hang on).
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcheck.records import dataclass, field, replace
from mlcheck.store.cache import room
from mlcheck.store.cache.arrow import mapped
from mlcheck.store.cache.codec import Parts, from_columns, to_tables
from mlcheck.store.cache.identity import Identity, edges
from mlcheck.store.cache.place import LIMIT
from mlcheck.store.series import Imported
from mlcheck.store.tensors.request import Request

FORMAT = 3
"""Raised whenever an importer or the store would make something else of the same file."""
_INDEX = b"mlcheck"


@dataclass(frozen=True)
class Entry:
    """What is kept of one file, or of a set of files that are read together."""

    parts: Parts
    files: tuple[Identity, ...]
    edges: str = ""
    """Hash of the beginning and the end of a file that can be read on from; empty for others."""
    resume_at: int = 0
    """Offset to read on from."""
    request: Request = field(default_factory=Request)
    """The statistics that were computed."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A directory of entries. Nothing here raises for what is in the directory: what cannot be used is not there."""

    directory: Path
    limit: int = LIMIT
    version: str = ""
    """Version of the program: another one may make something else of a file."""

    def get(self, format_name: str, label: str, files: Sequence[Identity]) -> Entry | None:
        """The newest entry of these files by path; the caller compares `Entry.files` with what the files are now."""
        key = self._key(format_name, label, files)
        paths = self._paths(key)
        if not all(path.exists() for path in paths):
            return None
        try:
            entry = _load(paths)
        except Exception:  # noqa: BLE001 - whatever is wrong with a cache file, the source is read again
            return None
        with contextlib.suppress(OSError):
            for path in paths:
                os.utime(path)
        return entry

    def put(self, format_name: str, label: str, entry: Entry) -> None:
        """Keep an entry; a cache that cannot be written is none."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            _save(self._paths(self._key(format_name, label, entry.files)), entry)
            room.evict(self.directory, self.limit)
        except Exception:  # noqa: BLE001 - a full disk or a read-only home must not stop a scan
            return

    def size(self) -> tuple[int, int]:
        """Entries and bytes, those of kept findings among them."""
        return room.size(self.directory)

    def clear(self) -> tuple[int, int]:
        """Remove all entries and nothing else; how many there were, and their bytes. Raises OSError."""
        return room.clear(self.directory)

    def _key(self, format_name: str, label: str, files: Sequence[Identity]) -> str:
        named = [str(FORMAT), self.version, format_name, label, *(one.path for one in files)]
        return hashlib.sha256("\0".join(named).encode("utf-8", "surrogateescape")).hexdigest()[:40]

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.directory / (key + room.SCALARS), self.directory / (key + room.TENSORS)


def resumable(imported: Imported) -> int:
    """The offset from which a file that grew can be read on; 0 where it must be read again."""
    status = imported.status
    if status.status == "read":
        return status.bytes
    return status.offset or 0 if status.status == "partial" and status.tail_only else 0


def unchanged(entry: Entry, files: Sequence[Identity], request: Request) -> bool:
    """Whether an entry still says all that is asked of the files as they are now."""
    return entry.files == tuple(files) and entry.request.covers(request)


def grown(entry: Entry, files: Sequence[Identity]) -> bool:
    """Whether the one file of an entry only grew since, so that it can be read on."""
    if not entry.resume_at or len(files) != 1 or len(entry.files) != 1 or not entry.files[0].grew_into(files[0]):
        return False
    try:
        return edges(files[0].path, entry.resume_at) == entry.edges
    except OSError:
        return False


def with_edges(entry: Entry) -> Entry:
    """The entry of one file with what it takes to read on from its end."""
    at = resumable(entry.parts[0][1])
    try:
        return replace(entry, resume_at=at, edges=edges(entry.files[0].path, at)) if at else entry
    except OSError:
        return entry


def _save(paths: Sequence[Path], entry: Entry) -> None:
    import pyarrow as pa

    index, scalars, others = to_tables(entry.parts)
    token = secrets.token_hex(8)
    head = {
        "token": token,
        "files": [one.state() for one in entry.files],
        "edges": entry.edges,
        "resume_at": entry.resume_at,
        "request": entry.request.state(),
        "parts": index,
    }
    for path, table, text in ((paths[0], scalars, head), (paths[1], others, {"token": token})):
        temporary = path.with_name(f"{path.name}{room.TEMPORARY}{os.getpid()}-{token}")
        try:
            written = table.combine_chunks().replace_schema_metadata({_INDEX: json.dumps(text)})
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, written.schema) as writer:
                writer.write_table(written)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _load(paths: Sequence[Path]) -> Entry:
    tables = [mapped(path) for path in paths]
    heads: list[Mapping[str, Any]] = [json.loads(table.metadata[_INDEX]) for table in tables]
    if heads[0]["token"] != heads[1]["token"]:
        raise ValueError("the two files are of different writes")
    return Entry(
        from_columns(heads[0]["parts"], *(table.columns for table in tables)),
        tuple(Identity(**one) for one in heads[0]["files"]),
        heads[0]["edges"],
        heads[0]["resume_at"],
        Request.of_state(heads[0]["request"]),
    )
