"""Find the runs below a path, by content: which files hold run data, and which directories belong to one run.

A run is a directory that holds run files, joined with its children of known part names (language.md fix 30): sibling `train/` and
`validation/` directories are one run with two splits, `tb/` and `dumps/` are parts of the run above them, and the directories that
TensorBoard's `add_hparams` and `add_scalars` open beside a file are no runs of their own.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlcheck.importers.base import Importer
from mlcheck.importers.registry import importers
from mlcheck.report import Note, SourceStatus

SPLIT_PART = re.compile(
    r"(train|train_inner|training|learn|fit|val|valid|validation|dev|eval|evaluation|test|testing)|eval_.+",
    re.IGNORECASE,
)
"""Directories that hold one split of a run (formats.md §1.14)."""

CONTAINER_PART = re.compile(
    r"tb|tf|tensorboard(_logs?)?|events?|summar(y|ies)|logs?|tensors|dumps|checkpoints|weights|gradients", re.IGNORECASE
)
"""Directories that hold one kind of data of a run; they join where there is something beside them to join with."""

HPARAMS_PART = re.compile(r"\d{9,11}\.\d+(\.\d+)?")
"""torch's `add_hparams` opens `<float timestamp>/` (formats.md §1.10)."""

NOT_READ = {
    ".h5": "HDF5: not read by this version",
    ".hdf5": "HDF5: not read by this version",
    ".keras": "Keras model archive: not read by this version",
    ".parquet": "Parquet: not read by this version",
    ".csv": "table: not read by this version",
    ".tsv": "table: not read by this version",
    ".jsonl": "table: not read by this version",
}
"""Files that may hold run data which no importer reads yet: named singly, so that nobody takes them for checked."""

HEAD_BYTES = 64
MAX_NAMED = 200
"""Files of one kind that are named singly when they are not read."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that an importer claims."""

    path: Path
    shown: str
    """Relative to the scanned path, `/`-separated."""
    part: str
    """Its directory relative to the run's, `/`-separated; empty for the run's own."""
    format: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A run before it is read."""

    name: str
    path: str
    """Relative to the scanned path; `.` for the path itself."""
    files: tuple[FoundFile, ...]

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(one.bytes for one in self.files)


@dataclass
class Discovery:
    """All that was found below the given paths."""

    runs: list[Found] = field(default_factory=list)
    ignored: list[SourceStatus] = field(default_factory=list)
    """Files that hold no run data, or that no importer reads yet."""
    missing: list[str] = field(default_factory=list)
    """Given paths that do not exist or are no run, with what was looked for."""
    notes: list[Note] = field(default_factory=list)


def discover(paths: Sequence[str]) -> Discovery:
    """Find all runs below the paths, in order; `NAME=PATH` names a run. Nothing but the head of each file is read."""
    found = Discovery()
    known = importers()
    seen: set[Path] = set()
    for given in paths:
        name, path = _named(given)
        if not path.exists():
            found.missing.append(f"{given}: no such file or directory")
            continue
        before = len(found.runs)
        if path.is_dir():
            _Walk(path, name, known, seen, found).run()
        else:
            _single_file(path, name, known, seen, found)
        if len(found.runs) == before and path.is_dir():
            found.notes.append(Note("path", f"{given}: no run below it (looked for {_looked_for(known)})"))
    found.runs = _distinct_names(found.runs, found.notes)
    return found


def _named(given: str) -> tuple[str | None, Path]:
    """`NAME=PATH` when the whole is no path that exists and PATH is one."""
    name, separator, rest = given.partition("=")
    if separator and name and "/" not in name and not Path(given).exists() and Path(rest).exists():
        return name, Path(rest)
    return None, Path(given)


def _looked_for(known: Iterable[Importer]) -> str:
    return " or ".join({"tensorboard": "TensorBoard event files"}.get(one.format, one.format) for one in known)


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _claim(path: Path, known: Sequence[Importer]) -> str | None:
    head = _head(path)
    return next((one.format for one in known if one.claims(path, head)), None)


def _single_file(path: Path, name: str | None, known: Sequence[Importer], seen: set[Path], found: Discovery) -> None:
    claimed = _claim(path, known)
    if claimed is None:
        reason = NOT_READ.get(path.suffix.lower(), "no run data")
        found.missing.append(f"{path}: {reason} (looked for {_looked_for(known)})")
        found.ignored.append(SourceStatus(path.name, "unknown", "unreadable", reason=reason, bytes=_size(path)))
        return
    resolved = path.resolve()
    if resolved in seen:
        return
    seen.add(resolved)
    parent = resolved.parent.name
    part = parent if SPLIT_PART.fullmatch(parent) else ""
    file = FoundFile(path, path.name, part, claimed, _size(path))
    found.runs.append(Found(name or path.name, ".", (file,)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class _Walk:
    """The walk of one directory given by the user."""

    def __init__(
        self, top: Path, name: str | None, known: Sequence[Importer], seen: set[Path], found: Discovery
    ) -> None:
        self.top = top
        self.top_name = name or (top.name if top.name not in ("", ".", "..") else top.resolve().name) or "run"
        self.known = known
        self.seen = seen
        self.found = found
        self.claimed: dict[Path, list[tuple[Path, str]]] = {}
        """Directory to its claimed files, with their formats."""
        self.unclaimed: dict[str, list[Path]] = {}

    def run(self) -> None:
        """Walk, group, and add to what was found."""
        self._walk()
        groups: dict[Path, list[Path]] = {}
        for directory in self.claimed:
            groups.setdefault(self._root(directory), []).append(directory)
        for root in sorted(groups):
            self.found.runs.append(self._found(root, sorted(groups[root])))
        self._name_the_rest()

    def _walk(self) -> None:
        for current, directories, files in os.walk(self.top, onerror=self._cannot_list):
            here = Path(current)
            for name in sorted(directories):
                if name == "__MACOSX":
                    self._ignore(here / name, "directory", "copy of macOS file attributes: holds no run data")
            directories[:] = sorted(d for d in directories if not d.startswith(".") and d != "__MACOSX")
            for name in sorted(files):
                self._file(here / name)

    def _cannot_list(self, error: OSError) -> None:
        path = Path(error.filename or self.top)
        status = SourceStatus(self._shown(path), "directory", "unreadable", reason=error.strerror or str(error))
        self.found.ignored.append(status)

    def _file(self, path: Path) -> None:
        resolved = path.resolve() if path.is_symlink() else path.absolute()
        if path.is_symlink() and not resolved.is_relative_to(self.top.resolve()):
            self._ignore(path, "link", "symbolic link out of the scanned path: not followed")
            return
        if not path.is_file():
            return
        if not os.access(path, os.R_OK):
            status = SourceStatus(self._shown(path), "unknown", "unreadable", reason="permission denied")
            self.found.ignored.append(status)
            return
        claimed = _claim(path, self.known)
        if claimed is None:
            self.unclaimed.setdefault(path.suffix.lower(), []).append(path)
        elif (real := path.resolve()) not in self.seen:
            self.seen.add(real)
            self.claimed.setdefault(path.parent, []).append((path, claimed))

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.top).as_posix()

    def _ignore(self, path: Path, sort: str, reason: str) -> None:
        self.found.ignored.append(
            SourceStatus(self._shown(path), sort, "ignored", reason=reason, bytes=_size(path) if path.is_file() else 0)
        )

    # Which directories are one run

    def _root(self, directory: Path) -> Path:
        """The directory of the run that a directory with run files belongs to; never above the scanned path."""
        while directory != self.top and self._is_part(directory):
            directory = directory.parent
        return directory

    def _is_part(self, directory: Path) -> bool:
        name, parent = directory.name, directory.parent
        if SPLIT_PART.fullmatch(name):
            return not self._is_counted(directory)
        if CONTAINER_PART.fullmatch(name):
            return self._has_company(directory)
        if parent not in self.claimed:
            return False
        return bool(HPARAMS_PART.fullmatch(name)) or self._is_opened_by_torch(directory)

    def _is_counted(self, directory: Path) -> bool:
        """Ultralytics names its runs train, train2, train3: there `train` is a run, no split."""
        counted = re.compile(re.escape(directory.name) + r"[-_]?\d+")
        below = {
            one.relative_to(directory.parent).parts[0]
            for one in self.claimed
            if one != directory.parent and one.is_relative_to(directory.parent)
        }
        return any(counted.fullmatch(name) for name in below)

    def _has_company(self, directory: Path) -> bool:
        """Whether the parent holds run files itself, or another part beside this one."""
        parent = directory.parent
        if parent in self.claimed:
            return True
        below = {
            one.relative_to(parent).parts[0] for one in self.claimed if one.is_relative_to(parent) and one != parent
        }
        below.discard(directory.name)
        return bool(below) and all(CONTAINER_PART.fullmatch(name) or SPLIT_PART.fullmatch(name) for name in below)

    def _is_opened_by_torch(self, directory: Path) -> bool:
        """Whether torch's SummaryWriter opened it beside the parent's file.

        `add_scalars('Loss', {'train': …})` writes the tag `Loss` into the sub-directory `Loss_train`; `add_hparams` with a name
        of its own writes the hyperparameters and each metric once.
        """
        files = self.claimed.get(directory)
        if not files:
            return False
        from mlcheck.importers.tensorboard import peek

        inside = [peek(path) for path, _ in files]
        tags = [tag for one in inside for tag in one.tags]
        if tags and all(directory.name.startswith(tag.replace("/", "_") + "_") for tag in tags):
            return True
        return any(one.has_hparams for one in inside) and all(one.points <= 1 for one in inside)

    def _found(self, root: Path, directories: Sequence[Path]) -> Found:
        own_split = self.top.resolve().name if root == self.top else ""
        prefix = own_split if SPLIT_PART.fullmatch(own_split) else ""
        files = []
        for directory in directories:
            relative = directory.relative_to(root).as_posix()
            part = "/".join(one for one in (prefix, "" if relative == "." else relative) if one)
            for path, claimed in self.claimed[directory]:
                files.append(FoundFile(path, self._shown(path), part, claimed, _size(path)))
        shown = self._shown(root)
        return Found(self.top_name if shown == "." else shown, shown, tuple(files))

    def _name_the_rest(self) -> None:
        """Files that nobody reads: singly where they may hold run data, else counted by kind."""
        for suffix, paths in sorted(self.unclaimed.items()):
            reason = NOT_READ.get(suffix)
            if reason is not None:
                for path in paths[:MAX_NAMED]:
                    self._ignore(path, suffix.lstrip("."), reason)
                paths = paths[MAX_NAMED:]
            if paths:
                kind = f"*{suffix}" if suffix else "files without a suffix"
                example = self._shown(paths[0])
                shown = example if len(paths) == 1 else f"{example} and {len(paths) - 1:,} more {kind}"
                size = sum(_size(path) for path in paths)
                status = SourceStatus(shown, "other", "ignored", reason=reason or "no run data", bytes=size)
                self.found.ignored.append(status)


def _distinct_names(runs: Sequence[Found], notes: list[Note]) -> list[Found]:
    """Equal names get `#2` in order (language.md fix 29)."""
    counts: dict[str, int] = {}
    result = []
    for run in runs:
        counts[run.name] = counts.get(run.name, 0) + 1
        if counts[run.name] == 1:
            result.append(run)
            continue
        name = f"{run.name}#{counts[run.name]}"
        notes.append(
            Note(
                "name",
                f"two runs are called {run.name}: the one at {run.files[0].shown} is {name} here; NAME=PATH sets it",
            )
        )
        result.append(Found(name, run.path, run.files))
    return result
