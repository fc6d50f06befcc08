"""Find the runs below a path, by content: which files hold run data, and which directories belong to one run.

A run is a directory that holds run files, joined with its children of known part names (language.md fix 30): sibling `train/` and
`validation/` directories are one run with two splits, `tb/` and `dumps/` are parts of the run above them, and the directories that
TensorBoard's `add_hparams` and `add_scalars` open beside a file are no runs of their own.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlcheck.importers import paths as disk
from mlcheck.importers.base import (
    HYDRA,
    SETTINGS,
    Accompanies,
    HasHome,
    HoldsRuns,
    Members,
    OwnsDirectories,
    RunDirectory,
    Separates,
)
from mlcheck.importers.claims import claim, claim_named, examples_of, looked_for, refusal, why_not
from mlcheck.importers.found import Discovery, Found, FoundFile
from mlcheck.importers.parts import SPLIT_PART, Parts
from mlcheck.importers.registry import ACCOMPANY, OWN_DIRECTORIES, by_format
from mlcheck.report import Note, SourceState, SourceStatus
from mlcheck.store.examples import note_of, why_no_run

__all__ = ["Discovery", "Found", "FoundFile", "discover"]

MAX_NAMED = 200
"""Files of one kind that are named singly when they are not read."""
MAX_REFUSED = 20
"""Tables of one kind for which the reason is looked up why they are none of a run."""


def discover(paths: Sequence[str]) -> Discovery:
    """Find all runs below the paths, in order; `NAME=PATH` names a run. Nothing but the head of each file is read."""
    found = Discovery()
    seen: set[Path] = set()
    for given in paths:
        name, path = disk.named(given)
        reason = disk.why_missing(path, given)
        if reason is not None:
            found.missing.append(f"{given or repr(given)}: {reason}")
            continue
        before, ignored = len(found.runs), len(found.ignored)
        if path.is_dir():
            _Walk(path, name, seen, found).run()
        else:
            _single_file(path, name, seen, found)
        if len(found.runs) == before and path.is_dir():
            found.notes.append(Note("path", f"{given}: no run below it (looked for {looked_for()})"))
        examples = note_of({one.path: one.reason or "" for one in found.ignored[ignored:]}) if path.is_dir() else ""
        if examples:
            found.notes.append(Note("path", f"{given}: {examples}"))
    found.runs = _distinct_names(found.runs, found.notes)
    return found


def _single_file(path: Path, name: str | None, seen: set[Path], found: Discovery) -> None:
    claimed = claim_named(path)
    examples = None if claimed is None else examples_of(path, claimed)
    if claimed is None or examples:
        reason = why_no_run(examples) if examples else why_not(path) or refusal(path) or "no run data"
        found.missing.append(f"{path}: {reason} (looked for {looked_for()})")
        found.ignored.append(SourceStatus(path.name, "unknown", "unreadable", reason=reason, bytes=disk.size(path)))
        return
    resolved = path.resolve()
    if resolved in seen:
        return
    seen.add(resolved)
    importer = by_format(claimed)
    held = importer.members(path) if isinstance(importer, HoldsRuns) else None
    if held is not None and not (held.shared and len(held.runs) < 2):
        _held(path, path.name, held, claimed, name, found)
        return
    parent = (importer.home(resolved) if isinstance(importer, HasHome) else resolved.parent).name
    part = parent if SPLIT_PART.fullmatch(parent) else ""
    file = FoundFile(path, path.name, part, claimed, disk.size(path))
    found.runs.append(Found(name or path.name, ".", (file,)))


def _held(path: Path, shown: str, held: Members, format_name: str, name: str | None, found: Discovery) -> None:
    """Add each run of a file that holds several; a file that gives none is a run without series, so that `read` says why."""
    size = disk.size(path)
    if held.note:
        found.ignored.append(SourceStatus(shown, format_name, "ignored", reason=held.note, bytes=size))
    elif not held.runs:
        found.runs.append(Found(name or shown, shown, (FoundFile(path, shown, "", format_name, size),)))
    for one in held.runs:
        file = FoundFile(path, f"{shown}#{one.id}", "", format_name, size // len(held.runs), one.id)
        found.runs.append(Found(f"{name}/{one.name}" if name else one.name, f"{shown}/{one.path}", (file,)))


class _Walk:
    """The walk of one directory given by the user."""

    parts: Parts
    """Which run each directory belongs to, once all files are claimed."""

    def __init__(self, top: Path, name: str | None, seen: set[Path], found: Discovery) -> None:
        self.top = top
        self.top_name = name or (top.name if top.name not in ("", ".", "..") else top.resolve().name) or "run"
        self.name = name
        self.seen = seen
        self.found = found
        self.claimed: dict[Path, list[tuple[Path, str]]] = {}
        """Directory to its claimed files, with their formats."""
        self.unclaimed: dict[str, list[Path]] = {}
        self.owned: dict[Path, RunDirectory] = {}
        """Directories that are one run in themselves."""
        self.holders: list[tuple[Path, str, Members]] = []
        """Files that hold several runs, with their formats."""
        self.left_out: dict[str, list[Path]] = {}

    def run(self) -> None:
        """Walk, group, and add to what was found."""
        self._walk()
        shared = list(self._shared())
        self._leave_superseded()
        self.parts = Parts(self.top, self.claimed, self.owned)
        groups: dict[Path, list[Path]] = {}
        for directory in self.claimed:
            groups.setdefault(self.parts.root(directory), []).append(directory)
        self._join_companions(groups)
        for root in sorted(groups):
            run = self._found(root, sorted(groups[root]))
            if not self._is_of_examples(run):
                self.found.runs.extend(self._separated(run))
        self.found.runs.extend(shared)
        for path, claimed, held in self.holders:
            if not held.shared:
                _held(path, self._shown(path), held, claimed, self.name, self.found)
        self._name_the_rest()

    def _walk(self) -> None:
        for here, directories, files, links in disk.directories(self.top, self._cannot_list):
            for name in links:
                self._ignore(here / name, "link", "symbolic link to a directory: not followed")
            for name in sorted(directories):
                if name == "__MACOSX":
                    self._ignore(here / name, "directory", "copy of macOS file attributes: holds no run data")
            directories[:] = sorted(d for d in directories if (not d.startswith(".") and d != "__MACOSX") or d == HYDRA)
            if (own := self._own(here, files)) is not None:
                directories[:] = [d for d in directories if d in own.below]
                continue
            for name in sorted(files):
                self._file(here / name)

    def _shared(self) -> Iterator[Found]:
        """The runs that are named by the rows of the files of one directory (see `Members.shared`)."""
        directories: dict[tuple[Path, str], list[tuple[Path, Members]]] = {}
        for path, claimed, held in self.holders:
            if held.shared:
                directories.setdefault((self._home(path, claimed), claimed), []).append((path, held))
        for (directory, claimed), files in directories.items():
            runs: dict[str, list[FoundFile]] = {one.name: [] for _, held in files for one in held.runs}
            for path, held in files:
                size = disk.size(path)
                if held.note:
                    self._ignore(path, claimed, held.note)
                if len(runs) < 2 or not held.runs:
                    self.claimed.setdefault(directory, []).append((path, claimed))
                    continue
                for one in held.runs:
                    shown = f"{self._shown(path)}#{one.id}"
                    file = FoundFile(path, shown, "", claimed, size // len(held.runs), one.id)
                    runs[one.name].append(file)
            below = "" if directory == self.top else f"{self._shown(directory)}/"
            for name, own in runs.items() if len(runs) > 1 else ():
                shown = f"{below}{name}"
                yield Found(f"{self.name}/{shown}" if self.name else shown, shown, tuple(own))

    def _cannot_list(self, error: OSError) -> None:
        path = Path(error.filename or self.top)
        status = SourceStatus(self._shown(path), "directory", "unreadable", reason=error.strerror or str(error))
        self.found.ignored.append(status)

    def _own(self, here: Path, files: Sequence[str]) -> RunDirectory | None:
        """The run that the directory is in itself, noted; None for any other directory."""
        for importer in map(by_format, OWN_DIRECTORIES):
            own = importer.directory(here, files) if isinstance(importer, OwnsDirectories) else None
            if own is None:
                continue
            if own.left_out:
                self.left_out.setdefault(own.left_out, []).append(here)
                return own
            self.owned[here] = own
            for path in own.files:
                if self._may_be_read(path) and (real := path.resolve()) not in self.seen:
                    self.seen.add(real)
                    self.claimed.setdefault(here, []).append((path, importer.format))
            return own
        return None

    def _file(self, path: Path) -> None:
        if not self._may_be_read(path):
            return
        claimed = claim(path)
        if claimed is None:
            self.unclaimed.setdefault(path.suffix.lower(), []).append(path)
        elif (real := path.resolve()) not in self.seen:
            self.seen.add(real)
            importer = by_format(claimed)
            if isinstance(importer, HoldsRuns):
                self.holders.append((path, claimed, importer.members(path)))
            else:
                self.claimed.setdefault(self._home(path, claimed), []).append((path, claimed))

    def _home(self, path: Path, claimed: str) -> Path:
        """The directory to which a claimed file belongs, its own for most; never above the scanned path."""
        importer = by_format(claimed)
        home = importer.home(path) if isinstance(importer, HasHome) else path.parent
        return home if home.is_relative_to(self.top) else path.parent

    def _leave_superseded(self) -> None:
        """Name the files that others of their run replace, and forget them."""
        for files in self.claimed.values():
            for format_name in {sort for _, sort in files}:
                importer = by_format(format_name)
                if isinstance(importer, HasHome):
                    for path, reason in importer.superseded(
                        [one for one, sort in files if sort == format_name]
                    ).items():
                        files.remove((path, format_name))
                        self._ignore(path, format_name, reason)

    def _may_be_read(self, path: Path) -> bool:
        """Whether it is a file below the scanned path that can be read; what is not is named."""
        try:
            reason = self._why_not(path)
        except OSError as error:
            reason = error.strerror or str(error)
        except RuntimeError:
            reason = "symbolic link that leads to itself"
        if reason is None:
            return True
        # What is called an event file was meant to be read: that it was not must not go unnoticed.
        state: SourceState = "unreadable" if "tfevents" in path.name or "denied" in reason else "ignored"
        self.found.ignored.append(SourceStatus(self._shown(path), "file", state, reason=reason))
        return False

    def _why_not(self, path: Path) -> str | None:
        if path.is_symlink() and not path.resolve().is_relative_to(self.top.resolve()):
            return "symbolic link out of the scanned path: not followed; scan where it leads to"
        if not path.exists():
            return "symbolic link that leads nowhere"
        if not path.is_file():
            return "no regular file (a pipe, socket or device)"
        return None if os.access(path, os.R_OK) else "permission denied"

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.top).as_posix()

    def _ignore(self, path: Path, sort: str, reason: str) -> None:
        self.found.ignored.append(
            SourceStatus(
                self._shown(path), sort, "ignored", reason=reason, bytes=disk.size(path) if path.is_file() else 0
            )
        )

    def _join_companions(self, groups: dict[Path, list[Path]]) -> None:
        """Files that tell something of a run join the run of their directory; without one they stay unclaimed."""
        there = {one: root for root, directories in groups.items() for one in (root, *directories)}
        for importer in map(by_format, ACCOMPANY if there and any(self.unclaimed.values()) else ()):
            if not isinstance(importer, Accompanies):
                continue
            for suffix, paths in list(self.unclaimed.items()):
                homes = {one: _companions_home(one, there) for one in paths}
                joined = [one for one in paths if homes[one] and importer.accompanies(one, disk.head(one))]
                for path in joined:
                    for home in homes[path]:
                        self.claimed.setdefault(home, []).append((path, importer.format))
                        if home not in groups[there[home]]:
                            groups[there[home]].append(home)
                self.unclaimed[suffix] = [one for one in paths if one not in joined]

    def _is_of_examples(self, run: Found) -> bool:
        """Whether all that a run would have is what a model said of examples: named, and left to `mlcheck compare`."""
        own = [one for one in run.files if one.format != SETTINGS]
        kinds = [examples_of(one.path, one.format) for one in own]
        if not all(kinds):
            return False
        for one, kind in zip(own, kinds, strict=True):
            self._ignore(one.path, one.format, why_no_run(kind) if kind else "")
        return True

    def _separated(self, run: Found) -> Iterator[Found]:
        """The run, or several where its files are of one format and that says that they are."""
        beside = tuple(one for one in run.files if one.format == SETTINGS)
        files = {one.path: one for one in run.files if one.format != SETTINGS}
        formats = {one.format for one in files.values()}
        importer = by_format(next(iter(formats)))
        if len(formats) > 1 or len(files) == 1 or not isinstance(importer, Separates):
            yield run
            return
        groups = importer.groups(list(files))
        if len(groups) == 1:
            yield run
            return
        for name, paths in groups.items():
            shown = name if run.path == "." else f"{run.path}/{name}"
            own = shown if self.name is None else f"{run.name}/{name}"
            yield Found(own, shown, (*(files[one] for one in paths), *beside))

    def _found(self, root: Path, directories: Sequence[Path]) -> Found:
        own_split = self.top.resolve().name if root == self.top else ""
        prefix = (
            own_split if SPLIT_PART.fullmatch(own_split) or self.parts.begins_with_its_tags(root, own_split) else ""
        )
        files = []
        for directory in directories:
            below = next((one for one in (directory, directory.parent) if one in self.parts.joined), root)
            relative = directory.relative_to(below).as_posix()
            part = "/".join(one for one in (prefix, "" if relative == "." else relative) if one)
            for path, claimed in self.claimed[directory]:
                files.append(FoundFile(path, self._shown(path), part, claimed, disk.size(path)))
        shown = self._shown(root)
        name = self.top_name if shown == "." else shown
        if root in self.owned and (shown != "." or self.name is None):
            name = self.owned[root].name
        return Found(name, shown, tuple(files))

    def _name_the_rest(self) -> None:
        """Files that nobody reads: singly where they may hold run data, else counted by kind. Runs that were left out."""
        for why, runs in self.left_out.items():
            count = "1 run is" if len(runs) == 1 else f"{len(runs):,} runs are"
            self._ignore(runs[0], "directory", f"{count} left out: {why}")
        for suffix, paths in sorted(self.unclaimed.items()):
            refused = {path: reason for path in paths[:MAX_NAMED] if (reason := why_not(path))}
            for path, reason in refused.items():
                self._ignore(path, suffix.lstrip("."), reason)
            paths = [path for path in paths if path not in refused]
            named = paths[: MAX_REFUSED if suffix in (".csv", ".tsv", ".jsonl") else 0]
            for path in named:
                self._ignore(path, suffix.lstrip("."), refusal(path) or "no run data")
            paths = paths[len(named) :]
            if paths:
                kind = f"*{suffix}" if suffix else "files without a suffix"
                example = self._shown(paths[0])
                shown = example if len(paths) == 1 else f"{example} and {len(paths) - 1:,} more {kind}"
                size = sum(disk.size(path) for path in paths)
                status = SourceStatus(shown, "other", "ignored", reason="no run data", bytes=size)
                self.found.ignored.append(status)


def _companions_home(path: Path, there: Mapping[Path, Path]) -> list[Path]:
    """The directories whose runs a file beside them speaks of: its own; for Hydra's settings all below the job's directory."""
    directory = path.parent
    if directory.name != HYDRA:
        return [directory] if directory in there else []
    job = directory.parent
    return [job] if job in there else sorted({root for root in there.values() if root.is_relative_to(job)})


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
