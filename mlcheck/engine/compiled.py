"""The built-in rules as they came out of their files, kept beside the cache of runs: loading them takes longer than judging a run.

Like Python's own `__pycache__`, it is a file of the user who runs the program. It is believed only while nobody else may write it, and only
for rule files of the same names, sizes and times, the same program and the same Python.
"""

import contextlib
import hashlib
import os
import pickle
import secrets
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlcheck import __version__
from mlcheck.engine.rule import Rule


def load(files: Sequence[Path], directory: Path) -> list[Rule] | None:
    """The rules of these files as they were kept; None where they are not, or where what is there cannot be believed."""
    try:
        with open(directory / _name(files), "rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            rules = pickle.load(file)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the files are read
        return None
    return rules if isinstance(rules, list) and all(isinstance(one, Rule) for one in rules) else None


def keep(rules: Sequence[Rule], files: Sequence[Path], directory: Path) -> None:
    """Keep them; a directory that cannot be written keeps nothing."""
    with contextlib.suppress(OSError, pickle.PicklingError):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / _name(files)
        temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(8)}")
        try:
            temporary.touch(mode=0o600)
            # The places of keys in the files are for messages of tests, which read the files.
            small = [
                replace(one, document=replace(one.document, data=None, lines=(), values={}, keys={})) for one in rules
            ]
            temporary.write_bytes(pickle.dumps(small, protocol=5))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        for old in directory.glob("rules-*.pickle"):
            if old != path:
                old.unlink(missing_ok=True)


def _name(files: Sequence[Path]) -> str:
    """Changes with every rule file. Raises OSError for one that is gone."""
    # Rules hold instances of our classes: a change of the code must not meet instances of the old one.
    code = sorted(Path(__file__).parent.parent.glob("[el]*/*.py"))
    stamps = [(path.as_posix(), (one := path.stat()).st_size, one.st_mtime_ns) for path in (*files, *code)]
    digest = hashlib.sha256(repr((__version__, sys.version, stamps)).encode()).hexdigest()
    return f"rules-{digest[:32]}.pickle"


def _is_ours(status: os.stat_result) -> bool:
    owner = getattr(os, "getuid", lambda: status.st_uid)()
    return status.st_uid == owner and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
