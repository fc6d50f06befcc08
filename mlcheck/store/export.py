"""Writes runs as Parquet tables that pandas, Polars and DuckDB open: docs/export.md says what their columns are.

Runs are written one after another, so that memory holds one run and a row group of each table. Whole tables appear at the end, or none.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlcheck.errors import UsageError
from mlcheck.records import dataclass, field
from mlcheck.store.export_columns import COLUMNS, MARK, STATISTIC, TABLES, VERSION, schema
from mlcheck.store.roles import assign
from mlcheck.store.series import Hints, Run, Series
from mlcheck.store.tensors.request import BASE

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

TEMPORARY = ".mlcheck."
"""What the names of unfinished tables begin with."""
ROW_GROUP = 1 << 17
"""Rows of a row group (language.md fix 16)."""


@dataclass(slots=True)
class Written:
    """How much was written."""

    runs: int = 0
    series: int = 0
    rows: int = 0


def check(directory: Path, *, force: bool) -> None:
    """Raises UsageError where the tables may not be written into a directory.

    It may be missing, empty, or hold an earlier export, which is replaced; other files beside it need `force`. A file that is called
    like a table and is none of ours is never replaced.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory}: no directory")
    if not directory.is_dir():
        return
    try:
        names = sorted(one.name for one in directory.iterdir())
    except OSError as error:
        raise UsageError(f"{directory}: {error.strerror or error}") from None
    for table in TABLES:
        path = directory / f"{table}.parquet"
        if path.name in names and not is_ours(path):
            raise UsageError(f"{path}: not written by mlcheck export, so it is not replaced; name another directory")
    own = {f"{table}.parquet" for table in TABLES}
    # What an export that was killed left behind is no file of anybody's.
    others = [name for name in names if name not in own and not name.startswith(TEMPORARY)]
    if others and not force:
        raise UsageError(f"{directory}: holds other files, such as {others[0]}; --force writes beside them")


def is_ours(path: Path) -> bool:
    """Whether a file is a table of an export."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, ValueError, pa.ArrowException):
        return False
    return MARK in metadata


@dataclass
class Exporter:
    """Writes the tables of an export; a context that leaves nothing behind where it ends in an error."""

    directory: Path
    written: Written = field(default_factory=Written)
    _tables: "dict[str, _Table]" = field(default_factory=dict)
    _made: bool = False

    def __enter__(self) -> "Exporter":
        self._made = not self.directory.exists()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._tables = {name: _Table(name, self.directory) for name in TABLES}
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                for table in self._tables.values():
                    table.finish()
                for table in self._tables.values():
                    table.publish()
        finally:
            for table in self._tables.values():
                table.discard()
            if self._made and not any(self.directory.iterdir()):
                self.directory.rmdir()

    def add(self, run: Run) -> None:
        """Write a run: its scalars, its tensors' statistics, the facts that were derived from them."""
        listed = []
        tags = _tags(run.series)
        for one in run.series:
            table = {"scalar": "scalars", "tensor": "tensors"}.get(one.kind)
            if table is None and one.hints.collection:
                table = "facts"
            if table is None:
                continue
            listed.append(one)
            self._tables[table].add(_Item(run.name, tags[one.name], one))
            self.written.rows += len(one)
        self._tables["series"].add_rows([_described(run.name, one) for one in listed])
        self._tables["runs"].add_rows([_run(run, listed)])
        self.written.runs += 1
        self.written.series += len(listed)


def _described(run: str, one: Series) -> dict[str, Any]:
    labels = dict(one.labels)
    return {
        "run": run,
        "series": one.name,
        "tag": one.tag,
        "part": one.part,
        "kind": one.kind,
        "role": one.role,
        **{name: labels.get(name) for name in ("split", "layer", "param", "metric", "worker")},
        "labels": json.dumps(labels, sort_keys=True, ensure_ascii=False),
        "reason": one.reason,
        "points": len(one),
        "first_step": int(one.steps.min()) if len(one) else None,
        "last_step": int(one.steps.max()) if len(one) else None,
        "segments": len(one.segments),
        "shape": list(one.hints.shape) if one.hints.shape is not None else None,
        "dtype": one.hints.dtype,
        "approximate": one.approximate,
    }


def _run(run: Run, series: Iterable[Series]) -> dict[str, Any]:
    stated = [{"key": one.key, "value": one.value, "source": one.source} for one in run.raw_facts]
    return {
        "run": run.name,
        "path": run.path,
        "lane": run.lane,
        "regime": run.regime.name,
        "regime_reason": run.regime.reason,
        "facts": json.dumps(dict(run.facts), sort_keys=True, ensure_ascii=False),
        "stated": json.dumps(stated, ensure_ascii=False),
        "series": sum(1 for _ in series),
    }


class _Item(NamedTuple):
    run: str
    tag: str
    series: Series


_TELLING = ("metric", "layer", "param", "group", "act")
"""Labels that come from a name."""


def _tags(series: Iterable[Series]) -> dict[str, str]:
    """By name, a tag from which each series gets its role again, when nothing but its split and its worker is known beside."""
    taken: set[tuple[str, str, str | None, str | None]] = set()
    tags = {}
    for one in series:
        split, worker = one.labels.get("split"), one.labels.get("worker")
        hints = Hints(mode=split, worker=worker, axis=one.labels.get("axis"))
        tag = one.name
        for candidate in (one.name, one.tag):
            found = assign(candidate, "", one.kind, hints)
            alike = found.role == one.role and all(found.labels.get(key) == one.labels.get(key) for key in _TELLING)
            if alike and (one.kind, candidate, split, worker) not in taken:
                tag = candidate
                break
        taken.add((one.kind, tag, split, worker))
        tags[one.name] = tag
    return tags


class _Table:
    """One table: rows are held until they fill a row group, then written to a temporary file.

    Which statistics there are is known only at the end. A new one begins another temporary file; `finish` puts them together.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.path = name, directory / f"{name}.parquet"
        self._temporary: list[Path] = []
        self._writer: ParquetWriter | None = None
        self._schema: pa.Schema = schema(name, _statistics(name, ()))
        self._extra: dict[str, None] = dict.fromkeys(_statistics(name, ()))
        self._held: list[_Item] = []
        self._rows: list[dict[str, Any]] = []
        self._count = 0

    def add(self, item: _Item) -> None:
        """Add the rows of a series."""
        new = [name for name in item.series.columns if name not in self._extra] if self.name != "scalars" else []
        if new:
            self._flush()
            self._close()
            self._extra.update(dict.fromkeys(new))
            self._schema = schema(self.name, tuple(self._extra))
        self._held.append(item)
        self._count += len(item.series)
        if self._count >= ROW_GROUP:
            self._flush()

    def add_rows(self, rows: list[dict[str, Any]]) -> None:
        """Add rows as they are."""
        self._rows += rows
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._write(pa.Table.from_pylist(self._rows, schema=self._schema))
        if self._held:
            self._write(_table_of(self._held, self._schema))
        self._rows, self._held, self._count = [], [], 0

    def _write(self, table: "pa.Table") -> None:
        if self._writer is None:
            self._writer = self._open(self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def _open(self, own: "pa.Schema") -> "ParquetWriter":
        import pyarrow.parquet as pq

        path = self.path.with_name(f"{TEMPORARY}{os.getpid()}.{self.name}.{len(self._temporary)}.tmp")
        self._temporary.append(path)
        encoded = [field.name for field in own if str(field.type).startswith(("dictionary", "string"))]
        return pq.ParquetWriter(path, own, compression="zstd", use_dictionary=encoded)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def finish(self) -> None:
        """Write what is held, and put the parts together under the final schema."""
        self._flush()
        if self._writer is None and not self._temporary:
            self._writer = self._open(self._schema)
        self._close()
        if len(self._temporary) > 1:
            self._together()

    def _together(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts = list(self._temporary)
        with self._open(self._schema) as writer:
            for path in parts:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(ROW_GROUP):
                        there = {name: batch.column(name) for name in batch.schema.names}
                        columns = [
                            there[field.name].cast(field.type)
                            if field.name in there
                            else pa.nulls(batch.num_rows, field.type)
                            for field in self._schema
                        ]
                        writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=ROW_GROUP)
        for path in parts:
            path.unlink()
        self._temporary = self._temporary[len(parts) :]

    def publish(self) -> None:
        """Let the table appear under its name."""
        self._temporary.pop().replace(self.path)

    def discard(self) -> None:
        """Remove what is left of an unfinished table."""
        self._close()
        for path in self._temporary:
            path.unlink(missing_ok=True)
        self._temporary = []


def _statistics(table: str, more: Iterable[str]) -> tuple[str, ...]:
    if table == "facts":
        return ("value", *more)
    return (*sorted(BASE), *more) if table == "tensors" else ()


def _table_of(held: Sequence[_Item], own: "pa.Schema") -> "pa.Table":
    """The rows of several series behind one another, as the schema wants them."""
    import pyarrow as pa

    series = [one.series for one in held]
    sizes = [len(one) for one in series]
    orders = [one.hints.order for one in series]
    columns: dict[str, Any] = {
        "run": _repeated([one.run for one in held], sizes),
        "series": _repeated([one.name for one in series], sizes),
        "tag": _repeated([one.tag for one in held], sizes),
        "step": np.concatenate([one.steps for one in series]),
        "wall_time": _known(np.concatenate([one.wall_times for one in series])),
        "segment": np.concatenate([_segments(one) for one in series]),
        "order": pa.array(
            np.repeat([one or 0 for one in orders], sizes),
            pa.int32(),
            mask=np.repeat([one is None for one in orders], sizes),
        ),
        "approximate": np.repeat([one.approximate for one in series], sizes),
    }
    for name in ("split", "worker", "axis"):
        columns[name] = _repeated([one.labels.get(name) for one in series], sizes)
    arrays = []
    for one in own:
        if (one.metadata or {}).get(STATISTIC) is not None:
            arrays.append(_statistic(one.name, series, sizes))
        else:
            found = columns[one.name]
            arrays.append(found if isinstance(found, pa.Array) else pa.array(found, one.type))
    return pa.Table.from_arrays(arrays, schema=own)


def _statistic(name: str, series: Sequence[Series], sizes: list[int]) -> "pa.Array":
    """A column of numbers: null where a series has no such statistic, NaN where it is NaN."""
    import pyarrow as pa

    pieces = [one.columns.get(name) for one in series]
    values = np.concatenate(
        [np.zeros(size) if one is None else one for one, size in zip(pieces, sizes, strict=True)] or [np.empty(0)]
    )
    absent = np.repeat([one is None for one in pieces], sizes)
    return pa.array(values, pa.float64(), mask=absent if absent.any() else None, from_pandas=False)


def _repeated(texts: list[str] | list[str | None], sizes: list[int]) -> "pa.Array":
    import pyarrow as pa

    distinct = list(dict.fromkeys(one for one in texts if one is not None))
    number: Mapping[str, int] = {text: at for at, text in enumerate(distinct)}
    codes = np.repeat(np.array([0 if one is None else number[one] for one in texts], dtype=np.int32), sizes)
    absent = np.repeat(np.array([one is None for one in texts], dtype=bool), sizes)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=absent), pa.array(distinct, pa.string()))


def _known(walls: Any) -> "pa.Array":
    import pyarrow as pa

    unknown = np.isnan(walls)
    return pa.array(walls, pa.float64(), mask=unknown if unknown.any() else None)


def _segments(one: Series) -> Any:
    marks = np.zeros(len(one), dtype=np.int32)
    marks[one.segments[(one.segments > 0) & (one.segments < len(one))]] = 1
    return np.cumsum(marks, dtype=np.int32)


__all__ = ["COLUMNS", "VERSION", "Exporter", "Written", "check", "is_ours"]
