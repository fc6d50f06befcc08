"""Small inputs for the tests of the store."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Hints, Imported, RawSeries, Series

START = 1.7e9


def raw(
    tag: str,
    steps: Sequence[int],
    values: Sequence[float] | None = None,
    *,
    wall: float = 1.0,
    begin: float = 0.0,
    kind: Any = "scalar",
    **hints: Any,
) -> RawSeries:
    """One tag of one file; `wall` seconds a row from `begin` seconds after `START`."""
    count = len(steps)
    column = np.arange(count, 0, -1.0) if values is None else np.array(values, dtype=np.float64)
    return RawSeries(
        tag=tag,
        kind=kind,
        steps=np.array(steps, dtype=np.int64),
        wall_times=START + begin + wall * np.arange(count),
        columns={"value" if kind == "scalar" else "abs_mean": column},
        hints=Hints(**hints),
    )


def imported(
    *series: RawSeries, first: float = 0.0, path: str = "events", facts: Sequence[Fact] = (), **status: Any
) -> Imported:
    """One file, `first` seconds after `START`."""
    state = {"status": "read", "records": 1, **status}
    return Imported(SourceStatus(path, "tensorboard", **state), tuple(series), tuple(facts), START + first)


def by_tag(series: Sequence[Series], name: str) -> Series:
    return next(one for one in series if one.name == name)
