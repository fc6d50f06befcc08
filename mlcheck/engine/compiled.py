"""The built-in rules and the tables of the store as they came out of their files, kept beside the cache of runs.

Loading them takes longer than judging a run. Like Python's own `__pycache__`, it is a file of the user who runs the program. It is
believed only while nobody else may write it, and only for files of the same names, sizes and times, the same program and the same
Python.
"""

import contextlib
import os
import pickle
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlcheck import __version__
from mlcheck.engine.rule import Rule
from mlcheck.records import replace
from mlcheck.store import tables
from mlcheck.store.cache.room import is_ours


def load(files: Sequence[Path], directory: Path) -> list[Rule] | None:
    """The rules of these files as they were kept; None where they are not, or where what is there cannot be believed.

    The tables of the store that were kept with them are taken into use.
    """
    try:
        current = stamps(files)
        path = directory / _name(current)
        status = path.stat()
        if not is_ours(status):
            return None
        rules, read = _loaded(path, current, (status.st_ino, status.st_size, status.st_mtime_ns))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the files are read
        return None
    tables.use(*read)
    return list(rules)


@lru_cache(maxsize=1)
def _loaded(path: Path, current: str, _: tuple[int, int, int]) -> tuple[list[Rule], Any]:
    """The rules and the tables of a file, loaded once in a process: what is known of a rule is known by its expressions.

    Raises ValueError for a file that cannot be believed, and whatever unpickling raises. The last argument changes with the file.
    """
    with open(path, "rb") as file:
        if not is_ours(os.fstat(file.fileno())):
            raise ValueError(path)
        kept, rules, read = pickle.load(file)
    if kept != current or not isinstance(rules, list) or not all(isinstance(one, Rule) for one in rules):
        raise ValueError(path)
    return rules, read


def keep(rules: Sequence[Rule], files: Sequence[Path], directory: Path) -> None:
    """Keep them; a directory that cannot be written keeps nothing."""
    with contextlib.suppress(OSError, pickle.PicklingError):
        import secrets

        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        current = stamps(files)
        path = directory / _name(current)
        temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(8)}")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(
                pickle.dumps((current, [_small(one).packed() for one in rules], tables.tables()), protocol=5)
            )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        for old in directory.glob("rules-*.pickle"):
            if old != path:
                old.unlink(missing_ok=True)


def _small(rule: Rule) -> Rule:
    """Without the tests and the places of keys in the file, which are for `mlcheck test` and its messages: it reads the files."""
    document = replace(rule.document, data=None, lines=(), values={}, keys={}, exact=frozenset())
    return replace(rule, document=document, model=replace(rule.model, tests=()))


def stamps(files: Sequence[Path]) -> str:
    """Changes with every rule file, with the program and with Python. Raises OSError for a file that is gone."""
    found = [(str(path), (one := path.stat()).st_size, one.st_mtime_ns) for path in (*files, *tables.table_files())]
    # Rules hold instances of our classes: a change of the code must not meet instances of the old one.
    package = Path(__file__).parent.parent
    found += sorted(one for folder in ("engine", "lang", "store") for one in _code(package / folder))
    found += sorted(_code(package))
    return repr((__version__, sys.version, found))


def _code(directory: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns


def _name(stamps: str) -> str:
    """The file itself says what it was made of, so that a checksum of 32 bits does for its name."""
    return f"rules-{zlib.crc32(stamps.encode('utf-8', 'surrogateescape')):08x}.pickle"
