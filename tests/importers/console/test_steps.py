"""At which step a line stands."""

from math import nan

import numpy as np
import pytest

from mlcheck.importers.console.steps import Axis, Counters, place

Row = tuple[float, float, float]
"""Step, total and epoch; NaN for what is not printed."""


def placed(*rows: Row) -> tuple[list[int], Axis]:
    step, total, epoch = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows), dtype=bool)
    known = [np.where(np.isnan(one), -1, one).astype(np.int64) for one in (step, total)]
    result = place(Counters(known[0], known[1], epoch, none, none))
    assert result.steps.dtype == np.int64
    return result.steps.tolist(), result.axis


@pytest.mark.parametrize(
    ("rows", "steps", "axis"),
    [
        ([(5, nan, nan), (6, nan, nan), (9, nan, nan)], [5, 6, 9], "step"),
        ([(nan, nan, 1), (nan, nan, 2), (nan, nan, 3)], [1, 2, 3], "epoch"),
        ([(nan, nan, 0.1), (nan, nan, 0.2), (nan, nan, 0.3)], [1, 2, 3], "line"),
        ([(nan, nan, nan)] * 3, [1, 2, 3], "line"),
        # Counted within the epoch, of known length, from 1 and from 0.
        ([(5, 10, 1), (10, 10, 1), (5, 10, 2), (10, 10, 2)], [5, 10, 15, 20], "step"),
        ([(0, 10, 0), (9, 10, 0), (0, 10, 1), (9, 10, 1)], [0, 9, 10, 19], "step"),
        # Of unknown length.
        ([(5, nan, 1), (10, nan, 1), (5, nan, 2)], [5, 10, 15], "step"),
        ([(0, nan, 0), (9, nan, 0), (0, nan, 1)], [0, 9, 10], "step"),
        # Resumed: the epochs before it count.
        ([(5, 10, 4), (10, 10, 4), (5, 10, 5)], [35, 40, 45], "step"),
        # Steps of the whole run beside epochs.
        ([(100, nan, 1), (200, nan, 1), (300, nan, 2)], [100, 200, 300], "step"),
        ([(100, 900, 1), (200, 900, 1), (300, 900, 2)], [100, 200, 300], "step"),
        # A restart is no new epoch.
        ([(100, nan, 1), (200, nan, 2), (100, nan, 1), (200, nan, 2)], [100, 200, 100, 200], "step"),
        # The validation stands at the last step before it.
        (
            [(nan, nan, 0), (5, 10, 1), (10, 10, 1), (nan, nan, 1), (5, 10, 2), (nan, nan, 2)],
            [0, 5, 10, 10, 15, 15],
            "step",
        ),
        # One epoch of several lines.
        ([(5, 10, 3), (10, 10, 3)], [25, 30], "step"),
    ],
)
def test_place(rows: list[Row], steps: list[int], axis: Axis) -> None:
    assert placed(*rows) == (steps, axis)


def test_nothing() -> None:
    none = np.zeros(0, dtype=bool)
    empty = np.zeros(0, dtype=np.int64)
    assert place(Counters(empty, empty, np.zeros(0), none, none)).steps.tolist() == []
