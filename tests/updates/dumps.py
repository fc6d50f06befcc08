"""Dumps of predictions for tests."""

from typing import Any

import pyarrow as pa

from mlcheck.updates.base import Measure
from mlcheck.updates.table import PredictionTable


def table(path: str = "old.parquet", metadata: dict[str, str] | None = None, **columns: Any) -> PredictionTable:
    """A table as read from a file; ids are made where none are given."""
    first = next(iter(columns.values()))
    columns = (
        columns if "example_id" in columns else {"example_id": [f"q{i:05d}" for i in range(len(first))], **columns}
    )
    return PredictionTable(path, pa.table(columns), metadata or {})


def cells(n11: int, n10: int, n01: int, n00: int) -> tuple[PredictionTable, PredictionTable]:
    """Two dumps with these counts; both are wrong alike."""
    n = n11 + n10 + n01 + n00
    old = [1] * (n11 + n10) + [0] * (n01 + n00)
    new = [1] * n11 + [0] * n10 + [1] * n01 + [0] * n00
    return table(label=[1] * n, prediction=old), table("new.parquet", label=[1] * n, prediction=new)


def named(measures: list[Measure], name: str) -> Measure:
    """The one measure of a name."""
    return next(one for one in measures if one.name == name)
