"""What importers made of files, as two Arrow tables and an index; and back, mapped without decoding (language.md fix 16).

Scalars: step int64, wall_time float64, value float64. Everything else: step, wall_time, and one float64 column for each statistic that any
series has, NaN where a series has none. Rows are sorted by series; the index holds for each its first row and their number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Floats, Hints, Imported, Ints, RawSeries

Parts = Sequence[tuple[str, Imported]]


def to_tables(parts: Parts) -> tuple[list[dict[str, Any]], Any, Any]:
    """The index, and the tables of the scalars and of the rest (pyarrow.Table)."""
    scalars = [one for _, imported in parts for one in imported.series if _is_plain(one)]
    others = [one for _, imported in parts for one in imported.series if not _is_plain(one)]
    offsets = {**_offsets(scalars), **_offsets(others)}
    index = [_entry(part, imported, offsets) for part, imported in parts]
    names = list(dict.fromkeys(name for one in others for name in one.columns))
    return index, _table(scalars, ["value"]), _table(others, names)


def from_columns(
    index: Sequence[Mapping[str, Any]], scalars: Mapping[str, Any], others: Mapping[str, Any]
) -> list[tuple[str, Imported]]:
    """The reverse of `to_tables`, from the columns of the tables by name; arrays are views of them. Raises KeyError, TypeError or
    ValueError for other data.
    """
    return [(entry["part"], _imported(entry, scalars, others)) for entry in index]


def _is_plain(one: RawSeries) -> bool:
    return one.kind == "scalar" and set(one.columns) == {"value"}


def _offsets(series: Sequence[RawSeries]) -> dict[int, int]:
    found, at = {}, 0
    for one in series:
        found[id(one)] = at
        at += len(one.steps)
    return found


def _table(series: Sequence[RawSeries], names: Sequence[str]) -> Any:
    import pyarrow as pa

    columns = {
        "step": np.concatenate([np.empty(0, np.int64), *(one.steps for one in series)]),
        "wall_time": np.concatenate([np.empty(0), *(one.wall_times for one in series)]),
    }
    for name in names:
        pieces = [one.columns[name] if name in one.columns else np.full(len(one.steps), np.nan) for one in series]
        columns[f"v:{name}"] = np.concatenate([np.empty(0), *pieces])
    return pa.table([_array(column) for column in columns.values()], names=list(columns))


def _array(column: Ints | Floats) -> Any:
    """The column as an Arrow array of the same memory: `pyarrow.array` loads pandas first, where it is installed."""
    import pyarrow as pa

    kind = pa.int64() if column.dtype == np.int64 else pa.float64()
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])


def _entry(part: str, imported: Imported, offsets: Mapping[int, int]) -> dict[str, Any]:
    return {
        "part": part,
        "status": asdict(imported.status),
        "facts": [[one.key, one.value, one.source] for one in imported.facts],
        "first_wall_time": imported.first_wall_time,
        "session_starts": list(imported.session_starts),
        "plugins": [list(one) for one in imported.plugins],
        "series": [
            {
                "tag": one.tag,
                "kind": one.kind,
                "plain": _is_plain(one),
                "row": offsets[id(one)],
                "rows": len(one.steps),
                "columns": list(one.columns),
                "hints": {key: value for key, value in asdict(one.hints).items() if value not in (None, ())},
                "approximate": one.approximate,
            }
            for one in imported.series
        ],
    }


def _imported(entry: Mapping[str, Any], plain: Mapping[str, Any], rest: Mapping[str, Any]) -> Imported:
    known = {one.name for one in fields(SourceStatus)}
    status = SourceStatus(**{key: value for key, value in entry["status"].items() if key in known})
    return Imported(
        status,
        tuple(_series(one, plain if one["plain"] else rest) for one in entry["series"]),
        tuple(Fact(*one) for one in entry["facts"]),
        float(entry["first_wall_time"]),
        tuple(entry["session_starts"]),
        tuple((tag, plugin) for tag, plugin in entry["plugins"]),
    )


def _series(one: Mapping[str, Any], columns: Mapping[str, Any]) -> RawSeries:
    rows = slice(one["row"], one["row"] + one["rows"])
    hints = dict(one["hints"])
    if "shape" in hints:
        hints["shape"] = tuple(hints["shape"])
    if "labels" in hints:
        hints["labels"] = tuple((key, value) for key, value in hints["labels"])
    steps = columns["step"][rows]
    if len(steps) != one["rows"]:
        raise ValueError("fewer rows than the index says")
    values: dict[str, Floats] = {name: columns[f"v:{name}"][rows] for name in one["columns"]}
    return RawSeries(
        one["tag"], one["kind"], steps, columns["wall_time"][rows], values, Hints(**hints), one["approximate"]
    )
