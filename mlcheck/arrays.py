"""What numpy has as well, without what its own functions bring along.

`np.unique`, `np.median` and `np.quantile` load `numpy.ma` at their first call, which takes as long as judging a small run.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct numbers, ascending, as `np.unique`: int64, shape (n,) to (k,). Quick where they are in order, as steps are."""
    if (values[1:] < values[:-1]).any():
        values = np.sort(values)
    first = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return values[first]


def median(values: NDArray[Any]) -> float:
    """The median, as `np.median`: NaN where any value is NaN, and for no values. int64 or float64, shape (n,)."""
    count = len(values)
    if not count:
        return float("nan")
    middle = count // 2
    at = (middle,) if count % 2 else (middle - 1, middle)
    # NaN sorts behind all numbers: where there is one, it is the last.
    ordered = np.partition(values, (*at, count - 1))
    if np.isnan(ordered[-1]):
        return float("nan")
    return float(ordered[middle]) if count % 2 else (float(ordered[at[0]]) + float(ordered[middle])) / 2


def quantile(values: NDArray[np.float64], share: float) -> float:
    """The quantile, linear between values, of at least one value without NaN, as `np.quantile` to the last digit: float64, shape (n,).

    `share` from 0 to 1. Raises ValueError for another.
    """
    if not 0 <= share <= 1:
        raise ValueError("Quantiles must be in the range [0, 1]")
    place = (len(values) - 1) * share
    below = int(place)
    above = min(below + 1, len(values) - 1)
    ordered = np.partition(values, (below, above))
    low, high, part = float(ordered[below]), float(ordered[above]), place - below
    # From the nearer end, as numpy: so that equal ends give their value, and no value lies beyond an end.
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part
