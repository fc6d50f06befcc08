"""Small dumps of texts for tests."""

from typing import Any

import pyarrow as pa

from mlcheck.updates.base import Measure
from mlcheck.updates.table import PredictionTable


def dump(path: str = "new.parquet", metadata: dict[str, str] | None = None, **columns: Any) -> PredictionTable:
    """A dump with these columns; ids are numbers unless given."""
    rows = len(next(iter(columns.values())))
    columns.setdefault("example_id", list(range(rows)))
    return PredictionTable(path, pa.table(columns), metadata or {})


def by_name(measures: list[Measure]) -> dict[str, Measure]:
    names = [one.name for one in measures]
    assert len(names) == len(set(names))
    return {one.name: one for one in measures}
