"""The room that the cache takes: its files, how many bytes they hold, and which of them go when it is full.

Entries of imported files are pairs of Arrow files, kept findings are single files (verdicts.py); both share one limit.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

SCALARS, TENSORS, VERDICT = ".scalars.arrow", ".tensors.arrow", ".verdict"
"""Suffixes of what is kept."""
TEMPORARY = ".tmp-"
"""Between the name of a file and what tells two writers of it apart."""


def size(directory: Path) -> tuple[int, int]:
    """Entries and bytes."""
    files = list(_files(directory))
    return sum(path.name.endswith((SCALARS, VERDICT)) for path, _ in files), sum(one.st_size for _, one in files)


def clear(directory: Path) -> tuple[int, int]:
    """Remove all entries and nothing else; how many there were, and their bytes. Raises OSError."""
    before = size(directory)
    for path, _ in _files(directory):
        path.unlink(missing_ok=True)
    return before


def evict(directory: Path, limit: int) -> None:
    """Remove what was not used for longest, until the rest fits into so many bytes. Raises OSError."""
    total = 0
    for path, status in sorted(_files(directory), key=lambda pair: -pair[1].st_mtime_ns):
        total += status.st_size
        if total > limit:
            path.unlink(missing_ok=True)


def is_ours(status: os.stat_result) -> bool:
    """Whether a file belongs to the user of this process, and nobody else may write it."""
    owner = getattr(os, "getuid", lambda: status.st_uid)()
    return status.st_uid == owner and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _files(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        listed = list(os.scandir(directory))
    except OSError:
        return
    for one in listed:
        name, temporary, _ = one.name.partition(TEMPORARY)
        if name.endswith((SCALARS, TENSORS, VERDICT)) and (temporary or name == one.name):
            with contextlib.suppress(OSError):
                yield Path(one.path), one.stat()
