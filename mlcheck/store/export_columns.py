"""The tables of an export and what their columns are: one description for the files, the documentation and its test."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"mlcheck.table"
"""Key of the file metadata that says which table a file is."""
STATISTIC = b"mlcheck.statistic"
"""Key of the field metadata of columns of numbers."""
VERSION = "1"

TABLES = ("scalars", "tensors", "facts", "series", "runs")


class Column(NamedTuple):
    """A column of a table."""

    type: str
    doc: str


_ROW: Mapping[str, Column] = {
    "run": Column("dictionary", "name of the run, as reports call it"),
    "series": Column("dictionary", "name of the series, unique in its run"),
    "tag": Column("dictionary", "name from which its role can be told: that of the series, or its tag"),
    "step": Column("int64", "step, epoch, sample or second: see axis"),
    "wall_time": Column(
        "double", "seconds since 1970-01-01 UTC, or since the run began where the files know no dates; null: unknown"
    ),
    "segment": Column(
        "int32",
        "stretch of record order, from 0: a restart begins a new one, and a later stretch replaces the steps it repeats",
    ),
    "split": Column("dictionary", "train, val or test; null: none is stated"),
    "worker": Column("dictionary", "worker or rank; null: there is one"),
    "axis": Column("dictionary", "what step counts: epoch, sample or time; null: steps"),
}

COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "scalars": {**_ROW, "value": Column("statistic", "the logged value; NaN and infinities are kept")},
    "tensors": {
        **_ROW,
        "order": Column(
            "int32", "place of the tensor in its file, where that is the order of the layers; null: unknown"
        ),
        "approximate": Column("bool", "the statistics come from the buckets of a histogram"),
    },
    "facts": _ROW,
    "series": {
        "run": Column("dictionary", "name of the run"),
        "series": Column("string", "name of the series, unique in its run"),
        "tag": Column("string", "tag as the writer logged it"),
        "part": Column("string", "directory of its files below the run's; empty for the run's own"),
        "kind": Column("dictionary", "scalar, tensor or fact: the table that holds its rows"),
        "role": Column("dictionary", "what mlcheck takes it for"),
        "split": Column("dictionary", "train, val or test"),
        "layer": Column("string", "layer of a tensor"),
        "param": Column("string", "parameter in its layer: weight, bias"),
        "metric": Column("string", "quantity without split and frequency"),
        "worker": Column("string", "worker or rank"),
        "labels": Column("string", "all labels as a JSON object"),
        "reason": Column("string", "why it has this role"),
        "points": Column("int64", "rows"),
        "first_step": Column("int64", "smallest step"),
        "last_step": Column("int64", "largest step"),
        "segments": Column("int64", "stretches of record order"),
        "shape": Column("sizes", "shape of a tensor at its first step; null where it is not known"),
        "dtype": Column("string", "data type of a tensor, as numpy calls it, or bfloat16"),
        "approximate": Column("bool", "its statistics come from the buckets of a histogram"),
    },
    "runs": {
        "run": Column("string", "name of the run"),
        "path": Column("string", "its directory relative to the exported path"),
        "lane": Column("string", "the path without what changes when the same job runs again"),
        "regime": Column("string", "kind of training"),
        "regime_reason": Column("string", "why it is taken for that"),
        "facts": Column("string", "what is known of the run, as a JSON object: planned_steps, learning_rate, …"),
        "stated": Column(
            "string", "all settings that its files state, as a JSON list of objects with key, value, source"
        ),
        "series": Column("int64", "series in the tables"),
    },
}
"""By table and name, in order. Tables `tensors` and `facts` have a column for each statistic behind these."""


def schema(table: str, statistics: Sequence[str] = ()) -> "pa.Schema":
    """The Arrow schema of a table; `statistics` are the columns of numbers behind those that it always has."""
    import pyarrow as pa

    types = {
        "dictionary": pa.dictionary(pa.int32(), pa.string()),
        "string": pa.string(),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "double": pa.float64(),
        "statistic": pa.float64(),
        "bool": pa.bool_(),
        "sizes": pa.list_(pa.int64()),
    }
    fields = []
    for name, column in COLUMNS[table].items():
        metadata = {b"doc": column.doc.encode()}
        if column.type == "statistic":
            metadata[STATISTIC] = b"1"
        fields.append(pa.field(name, types[column.type], metadata=metadata))
    for name in statistics:
        doc = f"statistic {name} of the tensor at that step; null: not computed; NaN: it has none"
        fields.append(pa.field(name, pa.float64(), metadata={b"doc": doc.encode(), STATISTIC: b"1"}))
    return pa.schema(fields, metadata={MARK: table.encode(), b"mlcheck.export": VERSION.encode()})
