"""Where things lie in a trial.

<trial>/collections/000000000/<worker>_collections.json
<trial>/events/<step:012d>/<step:012d>_<worker>.tfevents
<trial>/index/<step//1000:09d>/<step:012d>_<worker>.json
<trial>/training_job_end.ts
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from mlcheck.importers.found import FoundFile
from mlcheck.records import dataclass, field

EVENTS, INDEX, COLLECTIONS = "events", "index", "collections"
FILES = 2_000_000
"""Files of one trial that are listed at most."""

_EVENT = re.compile(r"(\d{12})_(.+)\.tfevents")
_INDEX = re.compile(r"(\d{12})_(.+)\.json")
_COLLECTIONS = re.compile(r"(.+)_collections\.json")
_NUMBERED = {EVENTS: re.compile(r"\d{12}"), INDEX: re.compile(r"\d{9}"), COLLECTIONS: re.compile(r"\d{9}")}


def is_trial(path: Path) -> bool:
    """Whether a directory is a trial: by events or an index below numbers of smdebug's form, or else by its collections.

    Links to directories are not followed.
    """
    there = [name for name in (EVENTS, INDEX) if _is_directory(path / name)]
    if not there:
        return False
    if any(_numbered(path, name, first=True) for name in there):
        return True
    kept = path / COLLECTIONS / "000000000"
    return _numbered(path, COLLECTIONS) == [kept.name] and any(_COLLECTIONS.fullmatch(name) for name in _names(kept))


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _numbered(path: Path, kind: str, *, first: bool = False) -> list[str]:
    """The directories of a kind, in order; with `first` one of them."""
    form, found = _NUMBERED[kind], []
    try:
        with os.scandir(path / kind) as entries:
            for entry in entries:
                if form.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.append(entry.name)
                    if first:
                        break
    except OSError:
        return []
    return sorted(found)


def _names(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries)
    except OSError:
        return []


def files_of(path: Path) -> list[Path]:
    """The files of a trial that are read, in order of kind, directory and name. Those still being written (`.tmp`) are left out."""
    found: list[Path] = []
    for kind, form in ((COLLECTIONS, _COLLECTIONS), (INDEX, _INDEX), (EVENTS, _EVENT)):
        for directory in _numbered(path, kind) if _is_directory(path / kind) else ():
            below = path / kind / directory
            found += [below / name for name in _names(below) if form.fullmatch(name)]
            if len(found) > FILES:
                return found[:FILES]
    return found


def trial_of(path: Path) -> Path:
    """The directory of the trial that a file of one lies in."""
    return path.absolute().parent.parent.parent


Place = tuple[str, int]
"""Worker and step."""


@dataclass
class Trial:
    """The files of one trial, by what they are."""

    events: dict[Place, FoundFile] = field(default_factory=dict)
    index: dict[Place, FoundFile] = field(default_factory=dict)
    collections: list[FoundFile] = field(default_factory=list)
    shown: str = ""
    """The trial's directory below the scan, with a `/` at its end; empty for the scanned path itself."""

    @classmethod
    def of(cls, files: Iterable[FoundFile]) -> "Trial":
        """The files sorted out, each by its name and the directory two above it."""
        trial = cls()
        for file in files:
            kind = file.path.absolute().parent.parent.name
            if kind == EVENTS and (match := _EVENT.fullmatch(file.path.name)):
                trial.events[match[2], int(match[1])] = file
            elif kind == INDEX and (match := _INDEX.fullmatch(file.path.name)):
                trial.index[match[2], int(match[1])] = file
            elif kind == COLLECTIONS:
                trial.collections.append(file)
            trial.shown = "".join(f"{one}/" for one in file.shown.split("/")[:-3])
        return trial

    @property
    def workers(self) -> list[str]:
        """Workers with events or an index, worker_2 before worker_10."""
        return sorted({worker for worker, _ in (*self.events, *self.index)}, key=_natural)

    def event_path(self, place: Place) -> str:
        """Where the events of a worker's step lie, as reports show it."""
        worker, step = place
        return f"{self.shown}{EVENTS}/{step:012d}/{step:012d}_{worker}.tfevents"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(one), "") if one.isdecimal() and len(one) < 18 else (-1, one) for one in re.split(r"(\d+)", name)]
