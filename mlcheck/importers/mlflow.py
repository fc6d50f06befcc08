"""MLflow's own stores: the directories of its file store, and `mlflow.db` (see mlflow_database.py).

The file store's layout (mlflow/store/tracking/file_store.py):

    mlruns/<experiment>/<run>/meta.yaml             flat YAML: run_id, run_name, status, lifecycle_stage, start_time, …
                              metrics/<key>         a line `timestamp value step` for each point; keys may have `/`
                              params/<key>          the value
                              tags/<key>            the value; mlflow.runName and other names that begin with `mlflow.` are MLflow's
                              artifacts/            files of any format

A directory of which only `metrics/` was copied is a run as well, where every file in it begins with such a point.
"""

import json
import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mlcheck.importers.base import Members, RunDirectory, unreadable
from mlcheck.importers.stated import FACTS_KEPT, LONGEST_KEY, LONGEST_VALUE, printed_value
from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Hints, Imported, RawSeries

LONGEST_LINE = 4096
"""Bytes of a line of a metric."""
LONGEST_META = 1 << 16
"""Bytes of meta.yaml that are read."""
FILES = 100_000
"""Metrics and settings of one run that are read at most."""

STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
"""mlflow.proto, RunStatus; the file store writes its number."""
MILLISECONDS = 1000.0


class MLflowImporter:
    """Reads MLflow's file store and its SQLite database."""

    format = "mlflow"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether it is a database with MLflow's tables, or a metric of the file store."""
        from mlcheck.importers.mlflow_database import is_database

        return is_database(path, head) or _metrics_of(path) is not None

    def directory(self, path: Path, files: Sequence[str]) -> RunDirectory | None:
        """The run of the file store that a directory is."""
        if "meta.yaml" not in files:
            return _copied(path.parent if path.name == "metrics" else path)
        meta = _meta(path / "meta.yaml")
        identity = meta.get("run_id") or meta.get("run_uuid")
        # That of an experiment names no run.
        if not identity or not ("experiment_id" in meta or (path / "metrics").is_dir()):
            return None
        name = _text(path / "tags" / "mlflow.runName") or meta.get("run_name") or path.name
        if meta.get("lifecycle_stage") == "deleted":
            return RunDirectory(name, left_out="deleted in MLflow")
        return RunDirectory(name, (path / "meta.yaml", *_files(path / "metrics")), ("artifacts",))

    def beside(self, path: Path) -> Sequence[Path]:
        """Of a run its parameters and tags; of a database the log of what is not in it yet."""
        if path.name == "meta.yaml":
            return [*_files(path.parent / "params"), *_files(path.parent / "tags")]
        return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")] if _metrics_of(path) is None else []

    def members(self, path: Path) -> Members:
        """The runs of a database that are not deleted."""
        from mlcheck.importers.mlflow_database import members

        return members(path)

    def read_member(self, path: Path, shown: str, member: str) -> Imported:
        """Read one run of a database."""
        from mlcheck.importers.mlflow_database import read_member

        return read_member(path, shown, member)

    def read(self, path: Path, shown: str) -> Imported:
        """Read one file of the file store; of a database, say why it has no runs. Raises OSError when it cannot be opened."""
        from mlcheck.importers.mlflow_database import is_database, why_empty

        metrics = _metrics_of(path)
        if metrics is not None:
            return _read_metric(path, shown, path.relative_to(metrics).as_posix())
        if path.name == "meta.yaml":
            return _read_meta(path, shown)
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
        reason = why_empty(path) if is_database(path, head) else "no file of MLflow"
        return unreadable(shown, self.format, reason, size)


def _metrics_of(path: Path) -> Path | None:
    """The directory `metrics` of the run that a file is a metric of."""
    candidates = [above for above in path.parents if above.name == "metrics"]
    found = next((one for one in candidates if (one.parent / "meta.yaml").is_file()), None)
    return candidates[0] if found is None and candidates and _holds_points(path) else found


def _copied(path: Path) -> RunDirectory | None:
    """The run of which a directory `metrics` was copied without its meta.yaml; None where there is none, or one of something else."""
    metrics = path / "metrics"
    found = list(_files(metrics)) if metrics.is_dir() else []
    if not found or not all(map(_holds_points, found)):
        return None
    return RunDirectory(path.name, tuple(found), ("artifacts", "params", "tags"))


def _holds_points(path: Path) -> bool:
    """Whether a file begins with a point as today's MLflow writes it, with a step and a time of 1973 or later in milliseconds."""
    try:
        with path.open("rb") as file:
            line = file.readline(LONGEST_LINE)
    except OSError:
        return False
    words = line.split()
    return len(words) in (3, 5) and words[0].isdigit() and 12 <= len(words[0]) <= 14 and _point(line) is not None


def _files(directory: Path) -> Iterator[Path]:
    # In order of names; at most FILES.
    count = 0
    for here, below, names in os.walk(directory):
        below.sort()
        for name in sorted(names):
            count += 1
            if count > FILES:
                return
            yield Path(here) / name


def _text(path: Path) -> str:
    """The content of a small text file without blanks around it; empty for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_LINE).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _meta(path: Path) -> dict[str, str]:
    """The plain settings of a meta.yaml, which is a flat mapping: a YAML reader would take longer than all metrics together."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_META).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if line.startswith("  ") and last:
            # PyYAML folds long values.
            found[last] += " " + line.strip()
            continue
        last, separator, value = line.partition(":")
        last = last.strip() if separator else ""
        if last:
            found[last] = value.strip()
    return {key: _unquoted(value) for key, value in found.items()}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value[1:-1]
    return "" if value in ("null", "~") else value


def _read_meta(path: Path, shown: str) -> Imported:
    meta = _meta(path)
    params = dict(_settings(path.parent / "params"))
    tags = dict(_settings(path.parent / "tags"))
    status = STATUS.get(meta.get("status", ""), meta.get("status", ""))
    facts = stated(params, tags, status, shown)
    size = path.stat().st_size
    start = seconds(meta.get("start_time"))
    return Imported(
        SourceStatus(shown, "mlflow", "read", records=len(params) + len(tags), bytes=size),
        (),
        facts,
        first_wall_time=start,
    )


def _settings(directory: Path) -> Iterator[tuple[str, str]]:
    for path in _files(directory):
        yield path.relative_to(directory).as_posix(), _text(path)


def stated(params: Mapping[str, str], tags: Mapping[str, str], status: str, source: str) -> tuple[Fact, ...]:
    """The parameters, the user's own tags, and the status of a run as facts."""
    facts = [Fact("mlflow/status", status, source)] if status else []
    own = {key: value for key, value in tags.items() if not key.startswith("mlflow.")}
    for where, settings in (("params", params), ("tags", own)):
        for key, value in settings.items():
            plain = printed_value(value) if len(value) <= LONGEST_VALUE else None
            if plain is not None and 0 < len(key) <= LONGEST_KEY and len(facts) < FACTS_KEPT:
                facts.append(Fact(key, plain, where))
    return tuple(facts)


def seconds(timestamp: str | float | None) -> float:
    """Milliseconds since 1970 in seconds; NaN for what is no time."""
    try:
        value = float(timestamp or 0) / MILLISECONDS
    except ValueError:
        return math.nan
    return value if 0 < value < math.inf else math.nan


def _read_metric(path: Path, shown: str, key: str) -> Imported:
    steps, walls, values = array("q"), array("d"), array("d")
    size = path.stat().st_size
    bad, first_bad, first_offset, lost, ends = 0, 0, None, 0, True
    offset, number = 0, 0
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            number += 1
            length = len(line)
            while not line.endswith(b"\n") and length >= LONGEST_LINE and (more := file.readline(LONGEST_LINE)):
                # A line of any length is passed over in pieces.
                length += len(more)
                if more.endswith(b"\n"):
                    break
            point = _point(line) if length <= LONGEST_LINE else None
            if point is not None:
                walls.append(point[0])
                values.append(point[1])
                steps.append(point[2])
            elif line.strip():
                bad, lost = bad + 1, lost + length
                if first_offset is None:
                    first_bad, first_offset = number, offset
                ends = line.endswith(b"\n")
            offset += length
    status = SourceStatus(
        path=shown,
        format="mlflow",
        status="read" if not bad else "partial" if len(steps) else "unreadable",
        records=len(steps),
        reason=_lost(bad, first_bad) if bad else None if steps else "no points",
        offset=first_offset,
        bytes=size,
        lost_bytes=lost,
        tail_only=bad == 1 and not ends,
    )
    if not steps:
        return Imported(status)
    wall = np.array(walls, dtype=np.float64)
    series = RawSeries(key, "scalar", np.array(steps, dtype=np.int64), wall, {"value": np.array(values)}, Hints())
    known = wall[np.isfinite(wall)]
    return Imported(status, (series,), (), first_wall_time=float(known[0]) if len(known) else math.nan)


def _lost(bad: int, first: int) -> str:
    count = "1 line is" if bad == 1 else f"{bad:,} lines are"
    return f"{count} no point, first line {first:,}: not `timestamp value step`"


def _point(line: bytes) -> tuple[float, float, int] | None:
    """Seconds, value and step of a line: `timestamp value [step [dataset digest]]`; the oldest versions have no step."""
    words = line.split()
    if len(words) not in (2, 3, 5):
        return None
    try:
        time, value = int(words[0]), float(words[1])
        step = int(words[2]) if len(words) > 2 else 0
    except ValueError:
        return None
    if not -(2**63) <= step < 2**63 or abs(time) > 2**63:
        return None
    return (time / MILLISECONDS if time > 0 else math.nan), value, step
