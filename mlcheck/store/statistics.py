"""Statistics of tensors, from TensorBoard histograms: what buckets tell of the values that they count.

Within a bucket the values are taken to be spread evenly between its edges (uniform density). So, for the buckets with
edges l, r and count c, N = sum of c:

- mean: sum c (l + r)/2 / N, off by at most half the widest occupied bucket;
- abs_mean: the mean of |x| over [l, r] is |l + r|/2 on one side of zero and (l² + r²)/(2 (r - l)) across it; off by at
  most the widest occupied bucket;
- l2, std: the mean of x² over [l, r] is (l² + l r + r²)/3.

TensorFlow's and torch's old histograms have edges that grow by the factor 1.1
(tensorflow/core/lib/histogram/histogram.cc), so each of these is within about 10 % of the truth; where the file states
min, max, num, sum and sum of squares (old form), min, max, count, mean, l2 and std follow from them and are exact. The
new form has 30 buckets of equal width between min and max (tensorboard/plugins/histogram/summary_v2.py): min and max
are exact, but where a few outliers stretch the range, the bucket around zero makes abs_mean and l2 too large by up to
the bucket's width.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.store.quantiles import QUANTILES, quantiles

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = (
    "count", "nan", "inf", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2", "nonfinite", *QUANTILES,
)  # fmt: skip
"""The statistics of design.md §3 that a histogram can answer, and the quantiles that are drawn."""
PIECE = 1 << 15
"""Buckets that are measured at a time: about a dozen arrays of them stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """One histogram as the file states it."""

    left: Floats
    """float64, shape (k,): lower edge of each bucket; NaN and infinities are kept."""
    right: Floats
    """float64, shape (k,): upper edge."""
    counts: Floats
    """float64, shape (k,): values in each bucket."""
    stated: tuple[float, float, float, float, float] | None = None
    """min, max, num, sum and sum of squares, where the file states them (old form)."""


@dataclass(frozen=True, eq=False)
class Histograms:
    """Many histograms, their buckets behind one another: m buckets of n histograms."""

    left: Floats
    """float64, shape (m,): lower edge of each bucket; NaN and infinities are kept."""
    right: Floats
    """float64, shape (m,): upper edge."""
    counts: Floats
    """float64, shape (m,): values in each bucket."""
    sizes: Ints
    """int64, shape (n,): buckets of each histogram, zero or more."""
    stated: Floats
    """float64, shape (n, 5): min, max, num, sum and sum of squares; NaN rows where nothing is stated."""
    has_stated: NDArray[np.bool_]
    """bool, shape (n,): the old form."""

    @classmethod
    def of(cls, histograms: Sequence[Histogram]) -> "Histograms":
        """The same histograms behind one another; at least one."""
        unknown = (np.nan,) * 5
        return cls(
            left=np.concatenate([one.left for one in histograms]),
            right=np.concatenate([one.right for one in histograms]),
            counts=np.concatenate([one.counts for one in histograms]),
            sizes=np.array([len(one.counts) for one in histograms], dtype=np.int64),
            stated=np.array([one.stated or unknown for one in histograms], dtype=np.float64),
            has_stated=np.array([one.stated is not None for one in histograms]),
        )


def histogram_statistics(histograms: Histograms | Sequence[Histogram]) -> dict[str, Floats]:
    """One float64 column of shape (n,) for each of `COLUMNS`, over the finite values; NaN where it cannot be told.

    `count` is the number of values, finite or not. `nonfinite` is the number of values that are NaN or infinite, at
    least 1 where there are any but their number is unknown (the new form with NaN edges counts nothing). `zeros` is
    known only where no occupied bucket holds zero, or all values are zero. An empty histogram has count 0 and no other
    statistics. What is found of a histogram does not depend on those beside it.
    """
    if not isinstance(histograms, Histograms):
        if not histograms:
            return {name: np.zeros(0) for name in COLUMNS}
        histograms = Histograms.of(histograms)
    columns = {name: np.full(len(histograms.sizes), np.nan) for name in COLUMNS}
    ends = np.cumsum(histograms.sizes)
    row, bucket = 0, 0
    with np.errstate(all="ignore"):
        while row < len(ends):
            stop = max(row + 1, int(np.searchsorted(ends, bucket + PIECE, side="right")))
            rows, part = slice(row, stop), slice(bucket, int(ends[stop - 1]))
            buckets = _Buckets.of(histograms, rows, part)
            into = {name: column[rows] for name, column in columns.items()}
            _finite_part(into, buckets)
            buckets.put_quantiles(into)
            _not_finite_part(into, buckets)
            row, bucket = stop, part.stop
    return columns


@dataclass(frozen=True, eq=False)
class _Buckets:
    # The buckets of some histograms behind one another; those that are not occupied have edges and counts of zero.
    left: Floats
    right: Floats
    counts: Floats
    occupied: NDArray[np.bool_]
    starts: Ints
    """int64, shape (n,): where the buckets of each histogram begin."""
    filled: NDArray[np.bool_]
    """bool, shape (n,): the histograms that have any buckets."""
    stated: Floats
    has_stated: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    """bool, shape (n,): NaN or infinite edges in a new-form histogram, which a tensor with such values gives."""

    @classmethod
    def of(cls, all_of: Histograms, rows: slice, part: slice) -> "_Buckets":
        left, right, counts = all_of.left[part], all_of.right[part], all_of.counts[part]
        sizes, stated, has_stated = all_of.sizes[rows], all_of.stated[rows], all_of.has_stated[rows]
        starts = np.cumsum(sizes) - sizes
        filled = sizes > 0
        broken = np.zeros(len(sizes), dtype=bool)
        if not has_stated.all():
            bad = ~(np.isfinite(left) & np.isfinite(right))
            broken[_owners(starts, np.flatnonzero(bad))] = True
            broken &= ~has_stated
        if has_stated.any():
            # Outer buckets of the old form reach to the largest double: the stated range bounds them.
            low = np.repeat(np.where(np.isnan(stated[:, 0]), -np.inf, stated[:, 0]), sizes)
            high = np.repeat(np.where(np.isnan(stated[:, 1]), np.inf, stated[:, 1]), sizes)
            left = np.maximum(left, np.minimum(low, right, out=low), out=low)
            right = np.minimum(right, np.maximum(high, left, out=high), out=high)
        left, right = _centred(left, right, starts[(sizes == 1) & ~has_stated])
        occupied = (counts > 0) & np.isfinite(counts) & np.isfinite(left) & np.isfinite(right)
        return cls(
            np.where(occupied, left, 0),
            np.where(occupied, right, 0),
            np.where(occupied, counts, 0),
            occupied,
            starts,
            filled,
            stated,
            has_stated,
            broken,
        )

    def total(self, weights: Floats) -> Floats:
        """Sum of weights over the buckets of each histogram, shape (n,)."""
        return self._reduced(np.add, weights, 0.0)

    def put_quantiles(self, columns: dict[str, Floats]) -> None:
        """Fill the columns of `QUANTILES`."""
        found = quantiles(self.left, self.right, self.counts, self.starts, self.total(self.counts))
        for key, column in found.items():
            columns[key][:] = column

    def lowest(self) -> Floats:
        """Lowest edge of the occupied buckets of each histogram, infinity where there are none, shape (n,)."""
        return self._reduced(np.minimum, np.where(self.occupied, self.left, np.inf), np.inf)

    def highest(self) -> Floats:
        """Highest edge of the occupied buckets of each histogram, minus infinity where there are none, shape (n,)."""
        return self._reduced(np.maximum, np.where(self.occupied, self.right, -np.inf), -np.inf)

    def _reduced(self, operation: np.ufunc, weights: Floats, empty: float) -> Floats:
        # Each histogram's buckets by themselves: a running total over all would round by what stands before.
        result = np.full(len(self.starts), empty)
        if len(weights):
            result[self.filled] = operation.reduceat(weights, self.starts[self.filled])
        return result


def _owners(starts: Ints, buckets: Ints) -> Ints:
    # Whose each of these buckets is.
    return np.searchsorted(starts, buckets, side="right") - 1


def _centred(left: Floats, right: Floats, lone: Ints) -> tuple[Floats, Floats]:
    # tf.summary.histogram shows a constant tensor as one bucket of width 1 around the value.
    around = lone[np.abs(right[lone] - left[lone] - 1.0) <= 1e-9 * (1 + np.abs(left[lone]))]
    if len(around):
        left, right = left.copy(), right.copy()
        left[around] = right[around] = (left[around] + right[around]) / 2
    return left, right


def _finite_part(columns: dict[str, Floats], buckets: _Buckets) -> None:
    left, right, counts = buckets.left, buckets.right, buckets.counts
    counted = number = buckets.total(counts)
    at_zero = np.flatnonzero((left <= 0) & (right >= 0) & buckets.occupied)
    straddling = at_zero[(left[at_zero] < 0) & (right[at_zero] > 0)]
    magnitude = np.abs(left + right)
    below, above = left[straddling], right[straddling]
    magnitude[straddling] = (below**2 + above**2) / (above - below)
    abs_mean = buckets.total(counts * magnitude) / 2 / number

    minimum, maximum, stated_number, stated_sum, stated_square = buckets.stated.T
    exact = buckets.has_stated & (stated_number > 0) & np.isfinite(buckets.stated).all(axis=1) & (minimum <= maximum)
    low, high, mean, square = minimum, maximum, stated_sum / stated_number, stated_square
    number = np.where(exact, stated_number, counted)
    if not exact.all():
        spread = buckets.total(counts * (left**2 + left * right + right**2) / 3)
        low = np.where(exact, low, np.where(counted > 0, buckets.lowest(), np.nan))
        high = np.where(exact, high, np.where(counted > 0, buckets.highest(), np.nan))
        mean = np.where(exact, mean, buckets.total(counts * (left + right) / 2) / counted)
        square = np.where(exact, square, spread)
    largest = np.maximum(np.abs(low), np.abs(high))
    # A standard deviation is at most half the range (Popoviciu): what float32 sums make of a constant tensor is cut off
    # by it.
    spread = np.minimum(np.sqrt(np.maximum(square / number - mean**2, 0)), (high - low) / 2)
    zeros = np.zeros(len(number))
    zeros[_owners(buckets.starts, at_zero)] = np.nan
    zeros = np.where((low == 0) & (high == 0), number, zeros)
    known = number > 0
    columns["zeros"][:] = np.where(known, zeros, np.nan)
    columns["min"][:], columns["max"][:], columns["abs_max"][:] = low, high, largest
    columns["mean"][:] = np.where(known, mean, np.nan)
    columns["std"][:] = np.where(known, spread, np.nan)
    columns["abs_mean"][:] = np.where(known, np.minimum(abs_mean, largest), np.nan)
    columns["l2"][:] = np.where(known, np.sqrt(square), np.nan)
    columns["count"][:] = np.where(known | ~buckets.broken, number, np.nan)


def _not_finite_part(columns: dict[str, Floats], buckets: _Buckets) -> None:
    minimum, maximum, number, total, square = buckets.stated.T
    counted = buckets.total(buckets.counts)
    # Comparisons in TensorFlow's C++ writer lose a NaN in min and max, but the sums keep it. A sum may overflow by
    # itself.
    some = ~np.isfinite(minimum) | ~np.isfinite(maximum) | np.isnan(total) | np.isnan(square)
    # float64's largest value stands for "none yet" in TensorFlow's empty histograms.
    some &= buckets.has_stated & (number != 0)
    uncounted = np.where(np.isfinite(number), number - counted, 1)
    nonfinite = np.where(some, np.maximum(1, uncounted), 0.0)
    nonfinite = np.where(buckets.broken, 1.0, nonfinite)
    columns["nonfinite"][:] = nonfinite
    columns["nan"][:] = np.where(nonfinite > 0, np.nan, 0.0)
    columns["inf"][:] = np.where(nonfinite > 0, np.nan, 0.0)
    columns["count"][:] = np.where(some & np.isfinite(number), number, columns["count"])
