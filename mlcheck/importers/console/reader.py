"""Plain standard output as a source of a run: which text files are logs of training, and what they hold."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mlcheck.importers.base import unreadable
from mlcheck.importers.console.ansi import Loss, encoding_of, texts
from mlcheck.importers.console.collect import Collector
from mlcheck.importers.console.events import Events
from mlcheck.report import SourceStatus
from mlcheck.store.series import Imported

LOOKED_AT = 256 << 10
"""Bytes at the beginning of a file by which it is taken for a log of training."""
LINES = 3
"""Lines with values that make a log."""

_NAMES = re.compile(
    r".*\.(?:log|logfmt|out|err|txt|stdout|stderr)(?:\.\d{1,3})?|stdout|stderr|nohup|console|output|logs?|slurm-.*",
    re.IGNORECASE,
)
_OF_NO_JOB = re.compile(r"(?:requirements|readme|license|licence|changelog|notice|cmakelists).*", re.IGNORECASE)
_RANK = re.compile(r"(?:rank|worker|local_rank|gpu)[-_.]?(\d{1,5})(?!\d)", re.IGNORECASE)
_STREAM = re.compile(
    r"(?<![A-Za-z0-9])(?:stdout|stderr|out|err|output|error|console|log|logs|train|training|val|valid|validation|eval|test)"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_NO_CURVE = frozenset({"other", "count", "progress", "meta", "hparams", "step_time", "throughput", "placeholder"})


class ConsoleImporter:
    """Reads what training scripts print; the forms of lines are in console.toml."""

    format = "console"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the name is that of a log and at least `LINES` of its first lines hold values of a training."""
        if not _is_named_like_a_log(path.name) or encoding_of(head) is None:
            return False
        return is_log(_beginning(path))

    def accompanies(self, path: Path, head: bytes) -> bool:
        """Whether a file that is no log of values says how a job ended, beside the files of its run."""
        if not _is_named_like_a_log(path.name) or (encoding := encoding_of(head)) is None:
            return False
        events = Events(path.name)
        for data in _both_ends(path):
            for text in texts(io.BytesIO(data), encoding, Loss()):
                events.read(text)
        return bool(events.facts())

    def groups(self, paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
        """Logs of one directory that holds nothing else, by the job that they are of.

        Names that differ in the stream, the split or the rank (`job.out` and `job.err`, `train.log` and `val.log`, `rank0.log` and
        `rank1.log`) are one job, all others one each.
        """
        jobs: dict[str, list[Path]] = {}
        for path in paths:
            jobs.setdefault(_STREAM.sub("", _RANK.sub("", path.name)).strip("-_. "), []).append(path)
        return {Path(members[0].name).stem: members for members in jobs.values()}

    def read(self, path: Path, shown: str) -> Imported:
        """Read the log; memory is bounded by what it says, not by its lines. Raises OSError when it cannot be opened."""
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
            encoding = encoding_of(head)
            if encoding is None:
                return unreadable(shown, self.format, "binary, no text", size, 0)
            file.seek(0)
            loss, collector, events = Loss(), Collector(), Events(path.name)
            for text in texts(file, encoding, loss):
                collector.read(text)
                events.read(text)
        collector.end()
        rank = _RANK.search(path.name)
        series, axis = collector.series(worker=f"rank{int(rank[1])}" if rank else None)
        reasons = []
        if loss.lines:
            count = "1 line is" if loss.lines == 1 else f"{loss.lines:,} lines are"
            reasons.append(f"{count} too long, first line {loss.first_line:,}: their ends are left out")
        if collector.tags_left_out:
            reasons.append(f"too many different keys: {collector.tags_left_out:,} values are left out")
        if series and axis == "line":
            note = "it prints no steps: its lines with values are numbered"
        else:
            note = "" if series else "no values, only messages" if events.facts() else "no values"
        status = SourceStatus(
            path=shown,
            format=self.format,
            status="partial" if reasons else "read",
            records=collector.lines,
            reason="; ".join(filter(None, [*reasons, note])) or None,
            bytes=size,
            lost_bytes=loss.characters,
        )
        times = [one.wall_times[np.isfinite(one.wall_times)] for one in series]
        first = min((float(one[0]) for one in times if len(one)), default=float("nan"))
        return Imported(status, series, (*collector.facts(path.name), *events.facts()), first)


def is_log(data: bytes) -> bool:
    """Whether the beginning of a file is that of a training's log.

    Lines of known writers speak for themselves. Lines of others must go on in steps and hold something that is a curve by its name, or
    that stands for training and for validation data: neither a README with an example nor a table of sizes does.
    """
    from mlcheck.store.labels import any_validated
    from mlcheck.store.roles import assign

    encoding = encoding_of(data)
    if encoding is None:
        return False
    collector = Collector()
    for text in texts(io.BytesIO(data), encoding, Loss()):
        collector.read(text)
    collector.end()
    if collector.lines < LINES:
        return False
    series, _ = collector.series()
    if collector.writers - {"generic"} or not collector.writers:
        return True
    curves = [one for one in series if len(np.unique(one.steps)) >= LINES]
    return any(assign(one.tag, "", one.kind, one.hints).role not in _NO_CURVE for one in curves) or any_validated(
        (one.tag, one.hints.mode) for one in curves
    )


def _is_named_like_a_log(name: str) -> bool:
    return _NAMES.fullmatch(name) is not None and _OF_NO_JOB.fullmatch(name) is None


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LOOKED_AT)
    except OSError:
        return b""


def _both_ends(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            pieces = [file.read(LOOKED_AT)]
            size = path.stat().st_size
            if size > LOOKED_AT:
                file.seek(max(LOOKED_AT, size - LOOKED_AT))
                pieces.append(file.read(LOOKED_AT))
            return pieces
    except OSError:
        return []
