"""What depends on all that came before it, point by point, and so is no expression: statistics of scalar series.

SageMaker Debugger's rules ask for these: checks every so many steps, optima that count only when they are better by a margin.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def due(steps: NDArray[np.int64], every: float, start: float) -> Floats:
    """1 at the points where a check every so many steps is due, else 0; float64, shape (n,).

    steps: int64, shape (n,), ascending. The first check is at the first point from `start` on that has `every` steps behind it; each
    next one at the first point that is `every` steps after the last check. `every` below 1 counts as 1.
    """
    found = np.zeros(len(steps))
    if not len(steps) or not math.isfinite(every) or math.isnan(start) or start == math.inf:
        return found
    # Python's integers, which do not overflow.
    apart = max(1, math.ceil(every))
    earliest = int(steps[0]) + apart
    if math.isfinite(start):
        earliest = max(earliest, math.ceil(start))
    while earliest <= int(steps[-1]):
        row = int(np.searchsorted(steps, earliest, side="left"))
        found[row] = 1.0
        earliest = int(steps[row]) + apart
    return found


def new_optimum(values: Floats, delta: float) -> Floats:
    """1 where a value is lower than the last optimum by more than `delta`, and so is the next one; float64, shape (n,).

    The first finite value is an optimum. Values that are not finite are none.
    """
    found = np.zeros(len(values))
    best = np.inf
    for row, value in enumerate(values.tolist()):
        if value < best - delta and value > -np.inf:
            found[row], best = 1.0, value
    return found


def changed(values: Floats, rtol: float, atol: float, equal_nan: bool = False) -> Floats:
    """1 where a value is not close to the one before it (numpy.isclose), 0 where it is, NaN at the first; float64, shape (n,)."""
    found = np.full(len(values), np.nan)
    found[1:] = ~np.isclose(values[1:], values[:-1], rtol=rtol, atol=atol, equal_nan=equal_nan)
    return found


OF_HISTOGRAMS = frozenset({"count", "min", "max", "mean", "std", "l2"})
"""What a histogram says of values: while all of it is the same to the last bit, so are they."""


def changed_histograms(columns: Mapping[str, Floats]) -> Floats:
    """1 where anything that a histogram says differs from the one before, else 0; NaN at the first, and where any is not finite.

    `columns`: those of `OF_HISTOGRAMS` and perhaps others, each float64, shape (n,), as the result. Which share of the values changed
    they do not say; that none did is seen in all of them together, least and greatest first.
    """
    rows = np.stack([columns[key] for key in sorted(OF_HISTOGRAMS)], axis=1)
    found = np.full(len(rows), np.nan)
    known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(rows), axis=1)
    found[1:] = np.where(known[1:] & known[:-1], np.any(rows[1:] != rows[:-1], axis=1), np.nan)
    return found
