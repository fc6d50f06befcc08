"""Sums over the finite values of tensors, of many small ones at once or of the pieces of a large one.

Counts and sums add, extremes combine, and the spread comes from the mean and the squared deviations of each piece (Chan, Golub,
LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979): what is added to a large mean is not lost.
"""

from collections.abc import Callable

import numpy as np

from mlcheck.records import dataclass, names
from mlcheck.store.tensors.keys import Wanted
from mlcheck.store.tensors.scratch import Floats, Scratch, Values, counts, dots, sums

# The sum of squares less the square of the sum keeps nine digits of the spread where it is more than this share of the sum of squares.
_WELL_CONDITIONED = 1e-3
# Beyond these, squares leave the range in which float64 keeps its precision.
_HUGE, _TINY = 1e100, 1e-100


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over n parts: tensors, or pieces of one. Each float64 of shape (n,); what is not wanted holds zeros."""

    finite: Floats
    """Number of finite values."""
    nan: Floats
    zeros: Floats
    low: Floats
    """Least finite value; infinity where there is none."""
    high: Floats
    total: Floats
    absolute: Floats
    """Sum of magnitudes."""
    square: Floats
    """Sum of squares."""
    deviation: Floats
    """Sum of squared deviations from the mean of the part."""

    @classmethod
    def none(cls, rows: int) -> "Moments":
        """Of tensors without values."""
        zero = np.zeros(rows)
        return cls(zero, zero, zero, np.full(rows, np.inf), np.full(rows, -np.inf), zero, zero, zero, zero)

    def together(self) -> "Moments":
        """Of all parts as one: fields of shape (parts, n) become (n,), those of shape (parts,) become (1,)."""
        finite, nan, zeros, low, high, total, absolute, square, deviation = (
            column.reshape(len(column), -1) for column in self.columns()
        )
        number = np.maximum(finite, 1)
        overall = np.sum(total, axis=0) / np.maximum(np.sum(finite, axis=0), 1)
        between = finite * np.square(total / number - overall)
        return Moments(
            np.sum(finite, axis=0),
            np.sum(nan, axis=0),
            np.sum(zeros, axis=0),
            np.min(low, axis=0),
            np.max(high, axis=0),
            np.sum(total, axis=0),
            np.sum(absolute, axis=0),
            np.sum(square, axis=0),
            np.sum(deviation + between, axis=0),
        )

    def columns(self) -> tuple[Floats, ...]:
        """All fields, in their order."""
        return tuple(getattr(self, one) for one in names(Moments))


def raw_sums(source: Values, wide: Floats, wanted: Wanted, scratch: Scratch) -> Floats:
    """float64, shape (6, rows): least, largest, zeros, sum, sum of magnitudes and of squares of each row of a block.

    True only of rows whose extremes are finite; `completed` sees to the others. `wide` is the block as float64; where nothing is
    compared with the step before it may be written to.
    """
    found = np.zeros((6, len(source)))
    quick = source if source.dtype == np.float32 else wide
    # The least of values with a NaN among them is NaN: extremes tell at once whether all is finite.
    found[0] = low = np.minimum.reduce(quick, axis=1)
    found[1] = high = np.maximum.reduce(quick, axis=1)
    if "zeros" in wanted.plain and ((low <= 0) & (high >= 0)).any():
        found[2] = counts(np.equal(quick, 0, out=scratch.mask(wide.shape)))
    if wanted.total:
        found[3] = sums(wide)
    if wanted.squares:
        found[5] = dots(wide, wide)
    if "abs_mean" in wanted.plain:
        # In place where nobody needs the block afterwards: it is fewer bytes for the cache.
        spare = scratch.other(wide.shape) if wide is source or wanted.before else wide
        found[4] = sums(np.abs(wide, out=spare))
    return found


def completed(raw: Floats, lengths: Floats, wanted: Wanted, again: Callable[[int], Floats]) -> Moments:
    """Moments of n parts from their raw sums (shape (6, n)) and numbers of values (shape (n,)).

    Parts with values that are not finite, and parts whose spread is small beside their mean, are looked at once more: `again` gives
    the values of one, as float64 of shape (m,).
    """
    low, high, zeros, total, absolute, square = raw
    finite = np.isfinite(low) & np.isfinite(high)
    deviation = np.zeros(len(lengths))
    if wanted.spread:
        deviation = square - total * total / lengths
        deviation[low == high] = 0.0
        for part in np.flatnonzero(finite & (low != high) & ~(deviation > _WELL_CONDITIONED * square)):
            deviation[part] = _deviation(again(int(part)), total[part] / lengths[part])
    found = Moments(lengths, np.zeros(len(lengths)), zeros, low, high, total, absolute, square, deviation)
    bad = np.flatnonzero(~finite)
    if not len(bad):
        return found
    columns = np.array(found.columns())
    for part in bad:
        columns[:, part] = _of_some(again(int(part)))
    return Moments(*columns)


def _deviation(values: Floats, mean: float) -> float:
    """Sum of squared deviations, from the deviations themselves; what the mean was off by is taken out."""
    apart = values - mean
    off = float(np.add.reduce(apart))
    return max(float(np.add.reduce(np.square(apart, out=apart))) - off * off / len(values), 0.0)


def _of_some(values: Floats) -> tuple[float, ...]:
    """Moments of the finite ones among some values, in the order of the fields."""
    known = values[np.isfinite(values)]
    nan = float(np.count_nonzero(np.isnan(values)))
    if not len(known):
        return 0.0, nan, 0.0, np.inf, -np.inf, 0.0, 0.0, 0.0, 0.0
    total, low, high = float(np.add.reduce(known)), float(known.min()), float(known.max())
    zeros = float(len(known) - np.count_nonzero(known))
    absolute, square = float(np.add.reduce(np.abs(known))), float(np.add.reduce(np.square(known)))
    deviation = _deviation(known, total / len(known)) if low != high else 0.0
    return float(len(known)), nan, zeros, low, high, total, absolute, square, deviation


def moment_columns(
    found: Moments, count: int, wanted: Wanted, finite_values: Callable[[int], Floats]
) -> dict[str, Floats]:
    """Statistics from complete sums; those of a tensor with no finite value are NaN, but for counts.

    `finite_values` gives the finite values of a row as float64: the sums of very large and very small numbers are left to numpy, so
    that what overflows and what vanishes is what it is there.
    """
    some = found.finite > 0
    number = np.where(some, found.finite, np.nan)
    low, high = np.where(some, found.low, np.nan), np.where(some, found.high, np.nan)
    largest = np.maximum(np.abs(low), np.abs(high))
    result = {
        "nan": found.nan,
        "inf": count - found.finite - found.nan,
        "nonfinite": count - found.finite,
        "zeros": found.zeros,
        "min": low,
        "max": high,
        "mean": np.where(low == high, low, found.total / number),
        "std": np.where(low == high, 0.0, np.sqrt(found.deviation / number)),
        "abs_mean": found.absolute / number,
        "abs_max": largest,
        "l2": np.where(some, np.sqrt(found.square), np.nan),
    }
    if _SENSITIVE & wanted.plain:
        for row in np.flatnonzero((largest > _HUGE) | ((largest < _TINY) & (largest > 0))):
            values = finite_values(int(row))
            result["mean"][row], result["std"][row] = np.mean(values), np.std(values)
            result["abs_mean"][row], result["l2"][row] = np.mean(np.abs(values)), np.sqrt(np.sum(np.square(values)))
    return {name: column for name, column in result.items() if name in wanted.plain}


_SENSITIVE = frozenset({"mean", "std", "abs_mean", "l2"})
