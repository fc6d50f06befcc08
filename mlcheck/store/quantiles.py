"""Quantiles of histograms, for charts of how a distribution moves over steps.

Within a bucket the values are taken to be spread evenly between its edges, so the quantile q is where the running count,
a straight line within a bucket, reaches q of all values: it lies in the bucket of the true quantile, and is off by at most
the bucket's width.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES: Mapping[str, float] = {f"quantile({q})": q for q in (0.0668, 0.3085, 0.5, 0.6915, 0.9332)}
"""Key and q of what is kept of each histogram: a normal distribution has them at -1.5, -0.5, 0, 0.5 and 1.5 standard
deviations. They are among those of TensorBoard's distributions (`NORMAL_HISTOGRAM_BPS` of
tensorboard/plugins/distribution/compressor.py). They are drawn, and no built-in rule asks for them."""

_EXACT = float(1 << 53)
"""Whole numbers below it are exact as float64, and so are their sums."""
_LEAST = 1e-300


def quantiles(left: Floats, right: Floats, counts: Floats, starts: Ints, number: Floats) -> dict[str, Floats]:
    """One float64 column of shape (n,) for each of `QUANTILES`; NaN for a histogram without values.

    `left`, `right`, `counts`: float64, shape (m,), the buckets of n histograms behind one another, counts finite, zero or more.
    `starts`: int64, shape (n,), where the buckets of each begin. `number`: float64, shape (n,), sum of the counts of each. What
    is found of a histogram does not depend on those beside it.
    """
    result = np.full((len(starts), len(QUANTILES)), np.nan)
    known = np.flatnonzero((number > 0) & np.isfinite(number))
    # A running sum of whole counts is exact, so that what stands before a histogram does not round it.
    whole = bool(counts.sum() < _EXACT and (counts == np.rint(counts)).all())
    if whole and len(known):
        result[known] = _together(left, right, counts, starts[known], number[known], whole=True)
    elif len(known):
        ends = np.append(starts, len(counts))[1:]
        for one in known.tolist():
            part = slice(starts[one], ends[one])
            begin, own = np.zeros(1, np.int64), number[one : one + 1]
            result[one] = _together(left[part], right[part], counts[part], begin, own, whole=False)[0]
    return dict(zip(QUANTILES, result.T, strict=True))


def _together(left: Floats, right: Floats, counts: Floats, starts: Ints, number: Floats, *, whole: bool) -> Floats:
    """float64, shape (n, quantiles), of histograms that all have values."""
    upper = np.cumsum(counts)
    before = (upper[starts] - counts[starts])[:, None]
    wanted = number[:, None] * np.array(list(QUANTILES.values()))
    # A whole number is at least q of all exactly where it is at least the next whole number.
    reach = np.ceil(wanted) if whole else wanted
    at = np.minimum(np.searchsorted(upper, before + reach), len(upper) - 1)
    own = counts[at]
    inside = np.clip((wanted - (upper[at] - own - before)) / np.maximum(own, _LEAST), 0.0, 1.0)
    low, high = left[at], right[at]
    # Rounding must not take a quantile out of its bucket: a constant tensor has them all equal.
    value: Floats = np.minimum(np.maximum(low * (1 - inside) + high * inside, low), high)
    return value
