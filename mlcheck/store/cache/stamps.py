"""Stamps: texts that change when files, the program or what it stands on do, so that what was kept is known to hold no longer.

A stamp names sizes and times of modification and of change of status (ctime, which no program can set back), inodes and modes. It reads
no file.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mlcheck import __version__

ENTRIES = 50_000
"""Files and directories of a tree; what lies in a larger one is not stamped."""
_JUST_NOW = 2_000_000_000
"""Nanoseconds within which a file may change once more at the same time of modification, where times are whole seconds."""


class Unstable(Exception):
    """What is there cannot be stamped: too much, not to be listed, or changing."""


def of_file(path: str, now: int = 0) -> str:
    """The stamp of what lies at a path, links followed; of a link that leads nowhere, or of nothing, that it is so.

    `now`: nanoseconds since 1970; raises Unstable for a file that may be written to within its own time stamp.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each file takes longer
    except OSError as error:
        return f"no:{error.errno}"
    whole_seconds = status.st_mtime_ns % 1_000_000_000 == 0
    if now and whole_seconds and stat.S_ISREG(status.st_mode) and abs(now - status.st_mtime_ns) < _JUST_NOW:
        raise Unstable(path)
    return _text(status)


def of_tree(top: str, now: int = 0, *, enters: Callable[[str], bool] = lambda name: True) -> str:
    """The stamp of all that lies below a directory, links to directories not followed.

    `enters`: which directories are looked into, by their names. Of a directory counts what it is and what it holds, not when it changed:
    that follows from what it holds, or was but a temporary file. Raises Unstable.
    """
    lines = [f"{top}\0{_directory(os.stat(top))}"]  # noqa: PTH116
    for entry in _entries(top, enters):
        if entry.is_dir(follow_symlinks=False):
            own = _directory(entry.stat(follow_symlinks=False)) if enters(entry.name) else "directory"
        elif entry.is_symlink():
            own = f"{_text(entry.stat(follow_symlinks=False))}\0{of_file(entry.path, now)}"
        else:
            own = of_file(entry.path, now)
        lines.append(f"{entry.path}\0{own}")
    return "\n".join(sorted(lines))


def of_program() -> str:
    """The stamp of this program: its version and its files, Python, the user, and the packages that are installed beside it.

    Raises Unstable where a package may come from elsewhere than a directory.
    """
    package = str(Path(__file__).parent.parent.parent)
    own = of_tree(package, enters=lambda name: name != "__pycache__")
    user = getattr(os, "geteuid", lambda: 0)()
    switches = sorted(f"{key}={value}" for key, value in os.environ.items() if key == "MLCHECK_NATIVE")
    return "\n".join([__version__, sys.version, sys.platform, str(user), *switches, own, *_installed()])


def _installed() -> Iterator[str]:
    """What is installed, by the directories in which each distribution describes itself."""
    from importlib.machinery import PathFinder

    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        raise Unstable("packages of an importer of their own")
    for directory in dict.fromkeys(sys.path):
        try:
            with os.scandir(directory or ".") as entries:
                found = [one for one in entries if one.name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link"))]
                yield from sorted(f"{one.path}\0{of_file(one.path)}" for one in found)
        except OSError:
            yield f"{directory}\0{of_file(directory)}"


def _entries(top: str, enters: Callable[[str], bool]) -> "Iterator[os.DirEntry[str]]":
    waiting, count = [top], 0
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    count += 1
                    if count > ENTRIES:
                        raise Unstable(f"{top}: more than {ENTRIES:,} files")
                    if entry.is_dir(follow_symlinks=False) and enters(entry.name):
                        waiting.append(entry.path)
                    yield entry
        except OSError as error:
            raise Unstable(f"{here}: {error.strerror}") from None


def _directory(status: os.stat_result) -> str:
    return f"{status.st_mode:o} {status.st_uid} {status.st_gid} {status.st_ino} {status.st_dev}"


def _text(status: os.stat_result) -> str:
    return (
        f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {status.st_dev}"
    )
