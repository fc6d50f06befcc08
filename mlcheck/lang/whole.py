"""Aggregates of a whole stretch, of series over a label, and the noise of a series."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mlcheck import arrays
from mlcheck.arrays import median

Floats = NDArray[np.float64]

ROBUST_SIGMA = 1.4826
"""1 / Φ⁻¹(3/4): from median absolute deviation to standard deviation of normal values (Rousseeuw and Croux 1993)."""
MIN_NOISE_VALUES = 5
"""Fewer finite values say nothing about noise (language.md)."""


def std(values: Floats) -> float:
    """Sample standard deviation (divisor n − 1); NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) >= 2 else float("nan")


WHOLE: Mapping[str, Callable[[Floats], float]] = MappingProxyType(
    {
        "first": lambda values: float(values[0]),
        "last": lambda values: float(values[-1]),
        "min": lambda values: float(np.min(values)),
        "max": lambda values: float(np.max(values)),
        "mean": lambda values: float(np.mean(values)),
        "median": median,
        "std": std,
        "sum": lambda values: float(np.sum(values)),
        "count": lambda values: float(len(values)),
    }
)
"""Aggregates of finite values, of which there is at least one."""


def finite(values: Floats) -> Floats:
    """The finite values, of shape (n,) to (k,); the very array where all are, which saves most columns a copy."""
    good = np.isfinite(values)
    return values if good.all() else values[good]


def whole(name: str, values: Floats) -> float:
    """An aggregate over finite values; without any NaN, and 0 for count and sum."""
    if len(values) == 0:
        return 0.0 if name in ("count", "sum") else float("nan")
    return WHOLE[name](values)


def quantile(values: Floats, share: float) -> float:
    """Quantile (0..1, linear between values) of finite values; NaN without any, or when share is NaN."""
    if len(values) == 0 or np.isnan(share):
        return float("nan")
    return arrays.quantile(values, share)


def noise(values: Floats) -> float:
    """Point-to-point noise: 1.4826·median|d − median d|/√2 over the differences d of consecutive values, all of them finite.

    Blind to trend and to jumps; 0 for quantised or constant series. NaN for fewer than five finite values.
    """
    if len(values) < MIN_NOISE_VALUES:
        return float("nan")
    differences = np.diff(values)
    deviations = np.abs(differences - median(differences))
    return float(ROBUST_SIGMA * median(deviations) / np.sqrt(2.0))


def over_members(table: Floats, aggregate: str, largest: int = 0) -> Floats:
    """Reduce members (rows, in their order) at each step (columns), NaN skipped; float64 (members, steps) to (steps,).

    A step at which no member has a value is NaN; its count is 0. largest: how many of the greatest values `largest`
    sums up.
    """
    known = ~np.isnan(table)
    counts = np.count_nonzero(known, axis=0)
    if aggregate == "count":
        return np.asarray(counts, dtype=np.float64)
    if table.size == 0:
        return np.full(table.shape[1], np.nan)
    if aggregate in ("first", "last"):
        rows = np.argmax(known, axis=0) if aggregate == "first" else len(table) - 1 - np.argmax(known[::-1], axis=0)
        result = table[rows, np.arange(table.shape[1])]
    else:
        import bottleneck

        if aggregate == "largest":
            descending = -np.sort(-table, axis=0)
            result = bottleneck.nansum(descending[:largest], axis=0) if largest else np.zeros(table.shape[1])
        else:
            result = getattr(bottleneck, f"nan{aggregate}")(table, axis=0)
    return np.where(counts > 0, result, np.nan)
