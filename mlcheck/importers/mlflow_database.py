"""MLflow's SQLite database, opened so that nothing of it changes and no writer has to wait.

Tables (mlflow/store/tracking/dbmodels/models.py): experiments(experiment_id, name, lifecycle_stage), runs(run_uuid, name, status,
start_time, lifecycle_stage, experiment_id), metrics(key, value, timestamp, run_uuid, step, is_nan), params(key, value, run_uuid),
tags(key, value, run_uuid). Older schemas lack step and is_nan. NaN is stored as is_nan, an infinity as the largest float64.
"""

import contextlib
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from mlcheck.importers.base import Member, Members, unreadable
from mlcheck.importers.mlflow import MILLISECONDS, seconds, stated
from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Floats, Hints, Imported, Ints, RawSeries

SIGNATURE = b"SQLite format 3\0"
NEEDED = ("runs", "metrics")
WAIT_SECONDS = 1.0
"""How long a lock is waited for."""
CHUNK_ROWS = 5_000
SHORT_ID = 8
"""Characters of a run's id that tell runs of one name apart, as MLflow shows them."""
LOOKED_AT = 1 << 20
"""Bytes in which the names of MLflow's columns are looked for when the database is locked."""
BROKEN = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""What a database raises; the last where a message names something in it that is no text."""
LARGEST = 1.7976931348623157e308


def is_database(path: Path, head: bytes) -> bool:
    """Whether it is a database of MLflow by its tables, or pretends to be one by its name (`mlflow.db`)."""
    named = path.suffix.lower() in (".db", ".sqlite", ".sqlite3") and "mlflow" in path.name.lower()
    if named or not head.startswith(SIGNATURE):
        return named
    try:
        with _opened(path) as database:
            return all(_columns(database, name) for name in (*NEEDED, "experiments"))
    except BROKEN:
        return _looks_like_one(path)


def _looks_like_one(path: Path) -> bool:
    # The schema stands in the first pages of a database that was made at once.
    try:
        with path.open("rb") as file:
            beginning = file.read(LOOKED_AT)
    except OSError:
        return False
    return b"run_uuid" in beginning and b"experiment_id" in beginning and b"lifecycle_stage" in beginning


def members(path: Path) -> Members:
    """The runs that are not deleted, in order of their start; none where the database cannot be read."""
    try:
        with _opened(path) as database:
            return _members(database)
    except (*BROKEN, OSError):
        return Members(())


def why_empty(path: Path) -> str:
    """Why a database has no runs."""
    try:
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return "no SQLite database, or an encrypted one" if path.stat().st_size else "empty file"
        with _opened(path) as database:
            missing = [name for name in NEEDED if not _columns(database, name)]
            if missing:
                return f"not MLflow's: no table {' and no table '.join(missing)}"
            for name, column in (
                ("runs", "run_uuid"),
                ("metrics", "run_uuid"),
                ("metrics", "key"),
                ("metrics", "value"),
            ):
                if column not in _columns(database, name):
                    return f"a schema that is not MLflow's: {name} has no column {column}"
            return "no runs" if not _members(database).runs else "no values"
    except (*BROKEN, OSError) as error:
        return _reason(error)


def _reason(error: BaseException) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"locked: another process is writing (waited {WAIT_SECONDS:g} s)"
    if "unable to open" in text:
        return "cannot be opened: its journal must be rolled back by a process that may write, or it is locked"
    return f"SQLite: {text}"[:200]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads only, makes no files beside the database, and trusts no code in its schema."""
    database = sqlite3.connect(_address(path), uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        yield database
    finally:
        database.close()


def _address(path: Path) -> str:
    # A database in write-ahead mode would get a -shm file beside it even from readers: without a log there is nothing to share.
    with path.open("rb") as file:
        head = file.read(20)
    log = path.with_name(path.name + "-wal")
    ahead = head[18:20] == b"\2\2"
    shared = path.with_name(path.name + "-shm").exists() and log.exists()
    mode = "immutable=1" if ahead and not shared else "mode=ro"
    return f"file:{quote(str(path.resolve()))}?{mode}"


def _unread_log(path: Path) -> str:
    """What to say of rows that only the write-ahead log of a job that died holds."""
    log = path.with_name(path.name + "-wal")
    if "immutable" in _address(path) and log.exists() and log.stat().st_size:
        return f"{log.name} is not read: its last rows may be missing"
    return ""


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Names of the columns of a real table (a view may compute for ever); empty where there is none."""
    if database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone() is None:
        return set()
    return {str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")}


def _members(database: sqlite3.Connection) -> Members:
    has = _columns(database, "runs")
    if "run_uuid" not in has:
        return Members(())
    wanted = [
        name if name in has else f"NULL AS {name}" for name in ("run_uuid", "name", "lifecycle_stage", "experiment_id")
    ]
    order = "start_time, run_uuid" if "start_time" in has else "rowid"
    rows = database.execute(f"SELECT {', '.join(wanted)} FROM runs ORDER BY {order}").fetchall()
    experiments, gone = _experiments(database)
    titles = dict(_pairs(database, "tags", "WHERE key = 'mlflow.runName'", "run_uuid"))
    kept = [row for row in rows if row[2] != "deleted" and row[3] not in gone]
    names = [str(titles.get(row[0]) or row[1] or row[0])[:200] for row in kept]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    short = SHORT_ID if len({str(row[0])[:SHORT_ID] for row in kept}) == len(kept) else None
    runs = tuple(
        Member(
            str(row[0]),
            f"{name} {str(row[0])[:short]}" if name in repeated else name,
            f"{experiments.get(row[3], row[3])}/{row[0]}",
        )
        for row, name in zip(kept, names, strict=True)
    )
    deleted = len(rows) - len(kept)
    note = f"{deleted:,} of {len(rows):,} runs are left out: deleted in MLflow" if deleted else ""
    return Members(runs, note)


def _experiments(database: sqlite3.Connection) -> tuple[dict[Any, str], set[Any]]:
    # Names of the experiments, and those that are deleted.
    has = _columns(database, "experiments")
    if not {"experiment_id", "name"} <= has:
        return {}, set()
    stage = "lifecycle_stage" if "lifecycle_stage" in has else "NULL"
    rows = database.execute(f"SELECT experiment_id, name, {stage} FROM experiments").fetchall()
    return {row[0]: str(row[1]).replace("/", "_") for row in rows}, {row[0] for row in rows if row[2] == "deleted"}


def _pairs(
    database: sqlite3.Connection, table: str, where: str, key: str, values: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    if {key, "key", "value", "run_uuid"} <= _columns(database, table):
        for name, value in database.execute(f"SELECT {key}, value FROM {table} {where}", values):
            yield str(name), str(value)


def read_member(path: Path, shown: str, member: str) -> Imported:
    """Read one run. Never raises for what is in the database."""
    try:
        with _opened(path) as database:
            return _run(database, path, shown, member)
    except BROKEN as error:
        return unreadable(shown, "mlflow", _reason(error))


def _run(database: sqlite3.Connection, path: Path, shown: str, member: str) -> Imported:
    rows = _Rows()
    where, values = _of_run(database, path, member)
    has = _columns(database, "metrics")
    wanted = ", ".join(
        name if name in has else f"{other} AS {name}"
        for name, other in (("key", "''"), ("value", "NULL"), ("timestamp", "0"), ("step", "0"), ("is_nan", "0"))
    )
    reasons = [_unread_log(path)]
    try:
        cursor = database.execute(f"SELECT rowid, {wanted} FROM metrics WHERE {where}", values)
        while chunk := cursor.fetchmany(CHUNK_ROWS):
            rows.add(chunk)
        facts, start = _facts(database, member, path.name)
    except BROKEN as error:
        # What was read before the damage counts.
        facts, start = (), math.nan
        reasons.append(_reason(error))
        if not rows.count:
            raise
    series = rows.series()
    if rows.bad:
        count = "1 row is" if rows.bad == 1 else f"{rows.bad:,} rows are"
        reasons.insert(0, f"{count} no point, first row {rows.first_bad:,} of table metrics")
    lost = "; ".join(filter(None, reasons))
    reason = lost or (None if series else "no metrics")
    state = SourceStatus(shown, "mlflow", "partial" if lost else "read", records=rows.count, reason=reason)
    return Imported(state, series, facts, first_wall_time=start)


def _facts(database: sqlite3.Connection, member: str, source: str) -> tuple[tuple[Fact, ...], float]:
    # What a run states, and when it began.
    of_run = "WHERE run_uuid = ?"
    params = dict(_pairs(database, "params", of_run, "key", (member,)))
    tags = dict(_pairs(database, "tags", of_run, "key", (member,)))
    has = _columns(database, "runs")
    wanted = [name if name in has else "NULL" for name in ("status", "start_time")]
    row = database.execute(f"SELECT {', '.join(wanted)} FROM runs {of_run}", (member,)).fetchone() or (None, None)
    start = row[1] if isinstance(row[1], int | float) else None
    return stated(params, tags, str(row[0] or ""), source), seconds(start)


def _of_run(database: sqlite3.Connection, path: Path, member: str) -> tuple[str, tuple[Any, ...]]:
    """The condition that finds the rows of a run without a look at all the others.

    MLflow has an index since 2.0; before it, a run's rows lie between its first and its last one.
    """
    for _, name, *_rest in database.execute("PRAGMA index_list(metrics)").fetchall():
        columns = database.execute(f'PRAGMA index_info("{str(name).replace(chr(34), chr(34) * 2)}")').fetchall()
        if columns and columns[0][2] == "run_uuid":
            return "run_uuid = ?", (member,)
    state = path.stat()
    try:
        first, last = _ranges(str(path), state.st_size, state.st_mtime_ns).get(member, (0, -1))
    except BROKEN:
        return "run_uuid = ?", (member,)
    return "rowid BETWEEN ? AND ? AND run_uuid = ?", (first, last, member)


@lru_cache(maxsize=2)
def _ranges(path: str, size: int, changed: int) -> dict[str, tuple[int, int]]:
    # First and last row of each run; the size and the time of change make it new for a file that grew.
    with _opened(Path(path)) as database:
        rows = database.execute("SELECT run_uuid, min(rowid), max(rowid) FROM metrics GROUP BY run_uuid").fetchall()
    return {str(row[0]): (int(row[1]), int(row[2])) for row in rows}


class _Rows:
    """The points of a run, put together by key."""

    def __init__(self) -> None:
        self.count = 0
        self.bad = 0
        self.first_bad = 0
        self._keys: dict[str, int] = {}
        self._pieces: list[tuple[Ints, Ints, Floats, Floats, Ints]] = []

    def add(self, chunk: Sequence[tuple[Any, ...]]) -> None:
        """Take rows (rowid, key, value, timestamp, step, is_nan)."""
        good = [row for row in chunk if _is_point(row)]
        if len(good) < len(chunk):
            wrong = [int(row[0]) for row in chunk if not _is_point(row)]
            self.first_bad = min([self.first_bad, *wrong]) if self.bad else min(wrong)
            self.bad += len(wrong)
        if not good:
            return
        numbers, keys, values, times, steps, nans = zip(*good, strict=True)
        self.count += len(good)
        value = np.array(values, dtype=np.float64)
        value = np.where(np.abs(value) >= LARGEST, np.copysign(np.inf, value), value)
        value[np.array([bool(one) for one in nans])] = np.nan
        self._pieces.append(
            (
                np.array(numbers, dtype=np.int64),
                np.array([self._keys.setdefault(key, len(self._keys)) for key in keys], dtype=np.int64),
                value,
                np.array([one or 0 for one in times], dtype=np.float64),
                np.array([one or 0 for one in steps], dtype=np.int64),
            )
        )

    def series(self) -> tuple[RawSeries, ...]:
        """One series for each key in the order in which they were first written, rows in the order of writing."""
        if not self._pieces:
            return ()
        numbers, keys, values, times, steps = (np.concatenate(column) for column in zip(*self._pieces, strict=True))
        order = np.lexsort((numbers, keys))
        bounds = np.searchsorted(keys[order], np.arange(len(self._keys) + 1))
        with np.errstate(invalid="ignore"):
            walls = np.where(times > 0, times / MILLISECONDS, math.nan)
        found = []
        for name, key in self._keys.items():
            rows = order[bounds[key] : bounds[key + 1]]
            found.append((int(numbers[rows[0]]), name, rows))
        found.sort()
        return tuple(
            RawSeries(name, "scalar", steps[rows], walls[rows], {"value": values[rows]}, Hints(order=place))
            for place, (_, name, rows) in enumerate(found)
        )


def _is_point(row: tuple[Any, ...]) -> bool:
    _, key, value, time, step, nan = row
    return (
        isinstance(key, str)
        and (isinstance(value, int | float) or bool(nan))
        and isinstance(time, int | float | None)
        and isinstance(step, int | None)
    )
