"""The files of one run read, or taken from the cache, and built into a run."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.importers.base import HoldsRuns, ReadsBeside, ReadsOn, ReadsTogether, Verifies, unreadable
from mlcheck.importers.found import Found, FoundFile
from mlcheck.importers.paths import exists
from mlcheck.importers.registry import by_format
from mlcheck.records import replace
from mlcheck.store.build import build_run
from mlcheck.store.series import Imported, Run
from mlcheck.store.tensors.request import Request

if TYPE_CHECKING:
    from mlcheck.store.cache.cache import Cache

WORTH_KEEPING = 0.15
"""Seconds of reading from which it is kept: the cache itself takes a tenth of a second to open."""

Parts = list[tuple[str, Imported]]


def import_run(
    found: Found, regime: str | None, request: Request, cache: "Cache | None" = None, *, verify: bool = False
) -> Run:
    """Read all files of a run and build it: series with roles, facts, regime. Files that cannot be read say why in their status.

    `verify` compares every checksum that a file carries, which what the cache keeps no longer has.
    """
    together: dict[str, list[FoundFile]] = {}
    by_file: dict[FoundFile, Parts] = {}
    for file in found.files:
        if isinstance(by_format(file.format), ReadsTogether):
            together.setdefault(file.format, []).append(file)
        elif verify:
            by_file[file] = [(file.part, _read(file, verify=True))]
        else:
            by_file[file] = _kept([file], request, cache, _alone)
    for files in together.values():
        by_file[files[0]] = _kept(files, request, cache, _together)
    imported = [one for file in found.files for one in by_file.get(file, ())]
    parts = [(part, replace(one, status=replace(one.status, run=found.name))) for part, one in imported]
    return build_run(found.name, found.path, parts, overrides=request.overrides, regime=regime)


def _alone(files: Sequence[FoundFile], request: Request) -> Parts:
    return [(file.part, _read(file)) for file in files]


def _read(file: FoundFile, *, verify: bool = False) -> Imported:
    importer = by_format(file.format)
    try:
        if verify and isinstance(importer, Verifies):
            return importer.read_verified(file.path, file.shown)
        if file.member is not None and isinstance(importer, HoldsRuns):
            return importer.read_member(file.path, file.shown, file.member)
        return importer.read(file.path, file.shown)
    except OSError as error:
        return unreadable(file.shown, file.format, error.strerror or str(error), file.bytes)
    except MemoryError:
        return unreadable(file.shown, file.format, "it needs more memory than there is", file.bytes)


def _together(files: Sequence[FoundFile], request: Request) -> Parts:
    importer = by_format(files[0].format)
    assert isinstance(importer, ReadsTogether)
    try:
        return list(importer.read_together(files, request))
    except MemoryError:
        reason = "it needs more memory than there is"
        return [(one.part, unreadable(one.shown, one.format, reason, one.bytes)) for one in files]


def _kept(
    files: Sequence[FoundFile],
    request: Request,
    cache: "Cache | None",
    read: Callable[[Sequence[FoundFile], Request], Parts],
) -> Parts:
    """What the cache has of the files; else read them, and keep it where that took long."""
    if cache is None:
        return read(files, request)
    from mlcheck.store.cache.cache import Entry, grown, unchanged, with_edges
    from mlcheck.store.cache.identity import identities

    first = files[0]
    importer = by_format(first.format)
    # Formats of single files compute the same whatever is asked.
    asked = request if isinstance(importer, ReadsTogether) else Request()
    now = identities([file.path for file in files] + [one for one in read_beside(files) if exists(one)])
    if now is None:
        return read(files, request)
    # Reports of a set name each of its files by its place below the scan; a single file's name is put in afterwards.
    label = first.member or ""
    if isinstance(importer, ReadsTogether):
        label = "\0".join(f"{file.shown}\0{file.part}\0{file.member or ''}" for file in files)
    entry = cache.get(first.format, label, now)
    if entry is not None and unchanged(entry, now, asked):
        return _shown_as(entry.parts, files) if not isinstance(importer, ReadsTogether) else list(entry.parts)
    started = time.perf_counter()
    if entry is not None and isinstance(importer, ReadsOn) and grown(entry, now):
        parts = _read_on(importer, first, entry.parts[0][1], entry.resume_at)
    else:
        # What an earlier scan asked for is computed again, or two scans with other rules would take turns in reading.
        parts = read(files, request.union(entry.request) if entry is not None and entry.files == now else request)
        asked = asked.union(entry.request) if entry is not None and entry.files == now else asked
        if time.perf_counter() - started < WORTH_KEEPING:
            return parts
    # A file that changed while it was read is kept as what it was before: then it has "grown", or is read again.
    fresh = Entry(parts, now, request=asked)
    if isinstance(importer, ReadsOn) and len(parts) == 1:
        fresh = with_edges(fresh)
    cache.put(first.format, label, fresh)
    return parts


def read_beside(files: Sequence[FoundFile]) -> list[Path]:
    """What reading these files looks into besides them."""
    return [
        path
        for file in files
        if isinstance(importer := by_format(file.format), ReadsBeside)
        for path in importer.beside(file.path)
    ]


def _read_on(importer: ReadsOn, file: FoundFile, before: Imported, offset: int) -> Parts:
    try:
        return [(file.part, importer.read_on(file.path, file.shown, before, offset))]
    except OSError as error:
        return [(file.part, unreadable(file.shown, file.format, error.strerror or str(error), file.bytes))]


def _shown_as(parts: Sequence[tuple[str, Imported]], files: Sequence[FoundFile]) -> Parts:
    """The same under the name of this scan: the cache knows a file by its absolute path, reports by that below the scan."""
    return [
        (file.part, replace(imported, status=replace(imported.status, path=file.shown)))
        for (_, imported), file in zip(parts, files, strict=True)
    ]
