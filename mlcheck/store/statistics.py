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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = (
    "count", "nan", "inf", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2", "nonfinite",
)  # fmt: skip
"""The statistics of design.md §3 that a histogram can answer."""


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


def histogram_statistics(histograms: Sequence[Histogram]) -> dict[str, Floats]:
    """One float64 column of shape (n,) for each of `COLUMNS`, over the finite values; NaN where it cannot be told.

    `count` is the number of values, finite or not. `nonfinite` is the number of values that are NaN or infinite, at
    least 1 where there are any but their number is unknown (the new form with NaN edges counts nothing). `zeros` is
    known only where no occupied bucket holds zero, or all values are zero. An empty histogram has count 0 and no other
    statistics.
    """
    columns = {name: np.full(len(histograms), np.nan) for name in COLUMNS}
    if not histograms:
        return columns
    with np.errstate(all="ignore"):
        buckets = _Buckets.of(histograms)
        _finite_part(columns, buckets)
        _not_finite_part(columns, buckets)
    return columns


@dataclass(frozen=True, eq=False)
class _Buckets:
    # The occupied buckets of all histograms behind one another; `owner` says whose each is.
    left: Floats
    right: Floats
    counts: Floats
    owner: Ints
    stated: Floats
    """float64, shape (n, 5); NaN rows where nothing is stated."""
    has_stated: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    """bool, shape (n,): NaN or infinite edges in a new-form histogram, which a tensor with such values gives."""

    @classmethod
    def of(cls, histograms: Sequence[Histogram]) -> "_Buckets":
        sizes = np.array([len(one.counts) for one in histograms], dtype=np.int64)
        owner = np.repeat(np.arange(len(histograms)), sizes)
        left = np.concatenate([one.left for one in histograms])
        right = np.concatenate([one.right for one in histograms])
        counts = np.concatenate([one.counts for one in histograms])
        unknown = (np.nan,) * 5
        stated = np.array([one.stated or unknown for one in histograms], dtype=np.float64)
        has_stated = np.array([one.stated is not None for one in histograms])
        bad = (~np.isfinite(left) | ~np.isfinite(right)) & ~has_stated[owner]
        broken = np.bincount(owner, weights=bad, minlength=len(histograms)) > 0
        # Outer buckets of the old form reach to the largest double: the stated range bounds them.
        low, high = stated[owner, 0], stated[owner, 1]
        left = np.where(low > left, np.minimum(low, np.where(np.isfinite(right), right, low)), left)
        right = np.where(high < right, np.maximum(high, left), right)
        occupied = (counts > 0) & np.isfinite(left) & np.isfinite(right) & np.isfinite(counts)
        # tf.summary.histogram shows a constant tensor as one bucket of width 1 around the value.
        lone = (sizes == 1)[owner] & ~has_stated[owner] & (np.abs(right - left - 1.0) <= 1e-9 * (1 + np.abs(left)))
        centre = (left + right) / 2
        left, right = np.where(lone, centre, left), np.where(lone, centre, right)
        return cls(left[occupied], right[occupied], counts[occupied], owner[occupied], stated, has_stated, broken)

    def total(self, weights: Floats) -> Floats:
        """Sum of weights over the buckets of each histogram, shape (n,)."""
        return np.bincount(self.owner, weights=weights, minlength=len(self.stated)).astype(np.float64)


def _finite_part(columns: dict[str, Floats], buckets: _Buckets) -> None:
    left, right, counts = buckets.left, buckets.right, buckets.counts
    number = buckets.total(counts)
    straddles = (left < 0) & (right > 0)
    width = right - left
    magnitude = np.where(
        straddles, (left**2 + right**2) / (2 * np.where(straddles, width, 1)), np.abs(left + right) / 2
    )
    mean = buckets.total(counts * (left + right) / 2) / number
    abs_mean = buckets.total(counts * magnitude) / number
    square = buckets.total(counts * (left**2 + left * right + right**2) / 3)
    low, high = np.full(len(number), np.inf), np.full(len(number), -np.inf)
    np.minimum.at(low, buckets.owner, left)
    np.maximum.at(high, buckets.owner, right)
    low, high = np.where(number > 0, low, np.nan), np.where(number > 0, high, np.nan)

    minimum, maximum, stated_number, stated_sum, stated_square = buckets.stated.T
    exact = buckets.has_stated & (stated_number > 0) & np.isfinite(buckets.stated).all(axis=1) & (minimum <= maximum)
    low, high = np.where(exact, minimum, low), np.where(exact, maximum, high)
    number = np.where(exact, stated_number, number)
    mean = np.where(exact, stated_sum / stated_number, mean)
    square = np.where(exact, stated_square, square)
    largest = np.maximum(np.abs(low), np.abs(high))
    # A standard deviation is at most half the range (Popoviciu): what float32 sums make of a constant tensor is cut off
    # by it.
    spread = np.minimum(np.sqrt(np.maximum(square / number - mean**2, 0)), (high - low) / 2)
    zero_inside = buckets.total(((left <= 0) & (right >= 0)).astype(np.float64)) > 0
    zeros = np.where(zero_inside, np.nan, 0.0)
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
