"""Statistics over the last n points, and over all points so far.

NaN and infinities are skipped, and a window answers NaN unless at least half of its n points are there and finite.
bottleneck's
move_mean and move_std are not used: they keep running sums, so that one huge value spoils all that follows
(language.md, fix 18).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CHUNK_VALUES = 1 << 21
"""Values that rolling_quantile sorts at a time: 16 MB."""


def rolling_mean(values: Floats, window: float) -> Floats:
    """Mean of the finite values of the last `window` points; float64, shape (n,)."""
    length = _window_length(window, len(values))
    if length is None:
        return np.full(len(values), np.nan)
    finite = np.isfinite(values)
    counts = np.cumsum(finite)
    counts[length:] = counts[length:] - counts[:-length]
    sums = _window_sums(np.where(finite, values, 0.0), length)
    return np.where(counts >= _least_count(length), sums / np.maximum(counts, 1), np.nan)


def rolling_median(values: Floats, window: float) -> Floats:
    """Median of the finite values of the last `window` points; float64, shape (n,)."""
    length = _window_length(window, len(values))
    if length is None:
        return np.full(len(values), np.nan)
    import bottleneck

    result: Floats = bottleneck.move_median(_finite_or_nan(values), length, min_count=_least_count(length))
    return result


def rolling_max(values: Floats, window: float) -> Floats:
    """Greatest finite value of the last `window` points; float64, shape (n,)."""
    length = _window_length(window, len(values))
    if length is None:
        return np.full(len(values), np.nan)
    import bottleneck

    result: Floats = bottleneck.move_max(_finite_or_nan(values), length, min_count=_least_count(length))
    return result


def rolling_quantile(values: Floats, window: float, share: float) -> Floats:
    """Quantile (0..1, linear between values) of the finite values of the last `window` points; float64, shape (n,).

    Computed at the first and then at every max(1, window/20)-th point and held in between.
    """
    length = _window_length(window, len(values))
    if length is None or np.isnan(share):
        return np.full(len(values), np.nan)
    stride = max(1, length // 20)
    padded = np.concatenate([np.full(length - 1, np.nan), _finite_or_nan(values)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::stride]
    rows = max(1, _CHUNK_VALUES // length)
    chunks = [_quantiles(windows[start : start + rows], share) for start in range(0, len(windows), rows)]
    return np.repeat(np.concatenate(chunks), stride)[: len(values)]


def lowest_so_far(values: Floats) -> Floats:
    """Least finite value up to each point; NaN before the first; float64, shape (n,)."""
    result: Floats = np.fmin.accumulate(_finite_or_nan(values)) if len(values) else values
    return result


def cumulative_sum(values: Floats) -> Floats:
    """Sum of the finite values up to each point; 0 before the first; float64, shape (n,)."""
    return np.cumsum(np.where(np.isfinite(values), values, 0.0))


def _window_length(window: float, points: int) -> int | None:
    """The window rounded and clipped to 1..points; None when there are no points or the window is unknown."""
    if points == 0 or np.isnan(window):
        return None
    return int(np.rint(min(max(window, 1.0), float(points))))


def _least_count(length: int) -> int:
    """At least half of the window, rounded up."""
    return (length + 1) // 2


def _finite_or_nan(values: Floats) -> Floats:
    """The very array where all are finite."""
    good = np.isfinite(values)
    return values if good.all() else np.where(good, values, np.nan)


def _window_sums(values: Floats, length: int) -> Floats:
    """Sums over the last `length` values, values before the first counting 0.

    The row is cut into blocks of the window's length; a window is the end of one block and the beginning of the next,
    so that each sum adds only values of its own window.
    """
    points = len(values)
    blocks = -(-points // length)
    padded = np.zeros(blocks * length)
    padded[:points] = values
    table = padded.reshape(blocks, length)
    beginnings = np.cumsum(table, axis=1)
    ends = np.zeros((blocks, length))
    ends[1:, : length - 1] = np.cumsum(table[:-1, :0:-1], axis=1)[:, ::-1]
    return (beginnings + ends).ravel()[:points]


def _quantiles(windows: NDArray[np.float64], share: float) -> Floats:
    ordered = np.sort(windows, axis=1)
    counts = np.count_nonzero(~np.isnan(ordered), axis=1)
    place = np.maximum(counts - 1, 0) * share
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below], ordered[rows, above]
    result = low + (high - low) * (place - below)
    return np.where(counts >= _least_count(windows.shape[1]), result, np.nan)
