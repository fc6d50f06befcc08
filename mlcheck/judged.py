"""What an earlier scan made of the same files by the same rules, so that it is not made again (store/cache/verdicts.py).

Two things are kept: the report of a whole scan, for which neither rules nor importers nor numpy are loaded when nothing has changed; and
what each run gave to it, for a scan in which some runs are new. What the user suppresses, accepts or requires is applied to both
afterwards, and is not in them.

An entry holds while all of this is the same: what was asked (paths, selection, settings that judging looks at), the files and directories
below the paths, the rule files, the program and the packages beside it (store/cache/stamps.py).
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcheck.records import dataclass
from mlcheck.report import Report, SourceStatus
from mlcheck.store.cache import plain, stamps
from mlcheck.store.cache.verdicts import Verdicts, digest

if TYPE_CHECKING:
    from mlcheck.engine.run import RunPart
    from mlcheck.importers.found import Found

Part = tuple["RunPart | None", list[SourceStatus]]
"""What a run gives to the report; None and the files that gave nothing where it holds no series."""

_HIDDEN_BUT_READ = ".hydra"
_CERTAIN = frozenset({"tensorboard", "table", "console", "mlflow"})
"""Formats of which a file that is read in part would be read so again; of others memory or a lock may have been the cause."""
_READS_BESIDE = "mlflow"
"""Its runs have parameters and logs in files that discovery does not name."""
_METRICS = "metrics"
"""The directory in a run of MLflow whose files are told by what lies above it."""


@dataclass(frozen=True)
class Judged:
    """What is kept for one question."""

    verdicts: Verdicts
    question: str
    """All that judging is asked by, but for the files: text."""
    rule_directories: Sequence[str]
    """The directories (or files) that rules come from."""

    @cached_property
    def state(self) -> str:
        """What all answers hang on: program and rules. Raises stamps.Unstable."""
        rules = [_tree(one, 0, lambda _: True) for one in self.rule_directories]
        return digest("\n".join([stamps.of_program(), *rules]))

    def scan(self, paths: Sequence[str]) -> "KeptScan | None":
        """The place of the report of a scan of these paths; None where it cannot be kept."""
        try:
            name = "\0".join(["scan", self.question, os.getcwd(), *paths])  # noqa: PTH109 - text is what is wanted
            return KeptScan(self, name, paths, self.state + _inputs(paths))
        except (stamps.Unstable, OSError):
            return None

    def run(self, found: "Found") -> "KeptRun | None":
        """The place of what a run gives; None where it cannot be kept."""
        try:
            files = [(str(one.path.absolute()), one.shown, one.part, one.format, one.member) for one in found.files]
            name = "\0".join(["run", self.question, found.name, found.path, repr(files)])
            return KeptRun(self, name, found, self.state + _run_files(found))
        except (stamps.Unstable, OSError):
            return None


@dataclass(frozen=True)
class KeptScan:
    """The report of one scan, before what the user has suppressed, accepted and required."""

    judged: Judged
    name: str
    paths: Sequence[str]
    state: str

    def get(self) -> Report | None:
        """The report of an earlier scan that still holds."""
        kept = self.judged.verdicts.get(self.name, self.state)
        return None if kept is None else _made(Report, kept)

    def keep(self, report: Report) -> None:
        """Keep a report, if the files are still what they were when the scan began, and nothing in it was a matter of luck."""
        if not report.runs or report.missing_paths or not _is_certain(report.sources, report.outcomes):
            return
        if any(one.format == _READS_BESIDE for one in report.sources) and not all(
            _holds_whole_runs(p) for p in self.paths
        ):
            return
        try:
            if self.judged.state + _inputs(self.paths) != self.state:
                return
            self.judged.verdicts.put(self.name, self.state, plain.to_json(report))
        except (stamps.Unstable, OSError, TypeError, ValueError):
            return


@dataclass(frozen=True)
class KeptRun:
    """What one run gave to the report."""

    judged: Judged
    name: str
    found: "Found"
    state: str

    def get(self) -> Part | None:
        """What it gave in an earlier scan that still holds."""
        kept = self.judged.verdicts.get(self.name, self.state)
        if kept is None:
            return None
        from mlcheck.engine.run import RunPart

        part = _made(RunPart, kept)
        return None if part is None else (part, [])

    def keep(self, part: Part) -> None:
        """Keep what a run gave, under the same conditions as a report."""
        run, _ = part
        if run is None or not _is_certain(run.sources, run.outcomes):
            return
        try:
            if self.judged.state + _run_files(self.found) == self.state:
                self.judged.verdicts.put(self.name, self.state, plain.to_json(run))
        except (stamps.Unstable, OSError, TypeError, ValueError):
            return


def _made(cls: type[Any], kept: Any) -> Any:
    try:
        return plain.from_plain(cls, kept)
    except (TypeError, ValueError):
        return None


def _is_certain(sources: Iterable[SourceStatus], outcomes: Iterable[Any]) -> bool:
    """Whether another scan of the same files would give the same: a file that could not be read may be readable the next time, and a
    rule that raised may have had too little memory.
    """
    return not any(
        one.status == "unreadable" or (one.status == "partial" and one.format not in _CERTAIN) for one in sources
    ) and all(one.outcome != "errored" for one in outcomes)


def _holds_whole_runs(given: str) -> bool:
    """Whether what is read beside a file lies below the path as well: it is a directory, and none inside of an MLflow run."""
    from mlcheck.importers.paths import named

    path = named(given)[1].absolute()
    return path.is_dir() and _METRICS not in path.parts


def _inputs(paths: Sequence[str]) -> str:
    """The stamp of all that discovery and importers may look at. Raises stamps.Unstable and OSError."""
    from mlcheck.importers.paths import named

    now = time.time_ns()
    return digest("\n".join(_input(str(named(one)[1]), now) for one in paths))


def _input(path: str, now: int) -> str:
    if stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116
        return _tree(path, now, lambda name: not name.startswith(".") or name == _HIDDEN_BUT_READ)
    # What lies beside a file says whether it is one of a set.
    beside = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return "\n".join([os.path.abspath(path), stamps.of_file(path, now), *sorted(os.listdir(beside))])  # noqa: PTH100, PTH208


def _tree(path: str, now: int, enters: Callable[[str], bool]) -> str:
    top = os.path.abspath(path)  # noqa: PTH100 - links stay links
    return stamps.of_tree(top, now, enters=enters) if Path(top).is_dir() else f"{top}\0{stamps.of_file(top, now)}"


def _run_files(found: "Found") -> str:
    now = time.time_ns()
    from mlcheck.reading import read_beside

    files = dict.fromkeys(
        str(path.absolute()) for path in (*(one.path for one in found.files), *read_beside(found.files))
    )
    return digest("\n".join(f"{path}\0{stamps.of_file(path, now)}" for path in files))
