"""Paths as the user gives them and as they lie on disk; nothing here raises for what is odd about one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

HEAD_BYTES = 64
"""Bytes of a file that importers look at to claim it."""


def named(given: str) -> tuple[str | None, Path]:
    """`NAME=PATH` when the whole is no path that exists and PATH is one."""
    name, separator, rest = given.partition("=")
    if separator and name and rest and "/" not in name and not exists(Path(given)) and exists(Path(rest)):
        return name, Path(rest)
    return None, Path(given)


def expanded(given: str) -> list[str]:
    """The paths that a pattern (`runs/base-seed*`) stands for, by name; what is no pattern, or matches nothing, is itself."""
    from glob import glob, has_magic

    if not has_magic(given) or exists(Path(given)):
        return [given]
    return sorted(glob(given, recursive=True)) or [given]  # noqa: PTH207 - a pattern may begin anywhere


def exists(path: Path) -> bool:
    """Whether there is anything at a path."""
    try:
        return path.exists()
    except OSError:
        return False


def why_missing(path: Path, given: str) -> str | None:
    """Why nothing can be looked for there; None where something can."""
    if not given.strip():
        return "an empty path"
    try:
        if not path.exists():
            return "no such file or directory"
        return None if path.is_dir() or path.is_file() else "no regular file or directory"
    except OSError as error:
        return error.strerror or str(error)


def directories(
    top: Path, cannot_list: Callable[[OSError], None]
) -> Iterator[tuple[Path, list[str], list[str], list[str]]]:
    """Like os.walk from the top, with the links to directories apart; without recursion, so that no depth of tree ends it.

    The caller may shorten the list of directories.
    """
    waiting = [top]
    while waiting:
        here = waiting.pop()
        directories: list[str] = []
        files: list[str] = []
        links: list[str] = []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    is_directory = _is_directory(entry)
                    (links if is_directory and entry.is_symlink() else directories if is_directory else files).append(
                        entry.name
                    )
        except OSError as error:
            cannot_list(error)
            continue
        yield here, directories, sorted(files), sorted(links)
        waiting += [here / name for name in reversed(directories)]


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def size(path: Path) -> int:
    """Bytes of a file; 0 for one that cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def head(path: Path) -> bytes:
    """The first bytes of a file; none for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
