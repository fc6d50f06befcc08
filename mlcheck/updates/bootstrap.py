"""Percentile bootstrap over clusters of examples, by counts per cluster.

A draw takes as many clusters as there are, with replacement, and sums what they hold: ratios are of sums, never means of ratios. Clusters
that hold the same are one cell with a number of members, and a draw over them is multinomial: for a million examples of four kinds a draw
costs four numbers. The order of rows changes nothing, since clusters are ordered by what they hold.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from mlcheck.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Columns: TypeAlias = "Sequence[NDArray[np.float64] | NDArray[np.bool_]]"
"""Values of examples that are summed."""
Cells: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.int64]]"
"""What distinct clusters hold, shape (u, k), and how many hold it, shape (u,)."""

SEED = 20_210_620
"""Of all draws: the same dumps give the same intervals."""
LEAST_DEFINED = 0.95
"""Share of the draws in which a statistic must be defined."""
MOST_NUMBERS = 1 << 22
"""Random numbers that are held at once (32 MB)."""


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals are drawn."""

    draws: int = 1000
    confidence: float = 0.95


def cells_of(
    flags: "Sequence[NDArray[np.bool_]]",
    columns_of: "Callable[[Sequence[NDArray[np.bool_]]], Columns]",
    clusters: "NDArray[np.int64] | None" = None,
    weights: "NDArray[np.float64] | None" = None,
) -> "Cells":
    """Distinct clusters and how many there are of each.

    flags: what is known of each example, each of shape (n,), at most 62. columns_of: from flags to the summed columns, each example
    on its own. clusters: shape (n,), the number of each example's cluster; None: each is its own. weights: shape (n,).

    Returns what the clusters hold, shape (u, k), in a fixed order, and how many hold it, shape (u,).
    """
    import numpy as np

    if clusters is None and weights is None:
        code = np.zeros(len(flags[0]), dtype=np.int64)
        for place, flag in enumerate(flags):
            code |= flag.astype(np.int64) << place
        codes, members = np.unique(code, return_counts=True)
        few = [(codes >> place & 1).astype(bool) for place in range(len(flags))]
        return np.stack([np.asarray(one, dtype=np.float64) for one in columns_of(few)], axis=1), members
    return distinct(cluster_sums(columns_of(flags), clusters, weights))


def cluster_sums(
    columns: "Columns", clusters: "NDArray[np.int64] | None", weights: "NDArray[np.float64] | None" = None
) -> "NDArray[np.float64]":
    """What each cluster holds. columns: each of shape (n,), a value for each example. Returns shape (c, k)."""
    import numpy as np

    weighted = (np.asarray(one, dtype=np.float64) if weights is None else one * weights for one in columns)
    if clusters is None:
        return np.stack(list(weighted), axis=1)
    _, numbers = np.unique(clusters, return_inverse=True)
    count = int(numbers.max(initial=-1)) + 1
    return np.stack([np.bincount(numbers, one, minlength=count) for one in weighted], axis=1)


def distinct(sums: "NDArray[np.float64]") -> "Cells":
    """Distinct rows in their order, shape (u, k), and how many there are of each, shape (u,)."""
    import numpy as np

    cells, members = np.unique(sums, axis=0, return_counts=True)
    return cells, members.astype(np.int64)


def draw_sums(
    cells: "NDArray[np.float64]", members: "NDArray[np.int64]", draws: int, seed: int = SEED
) -> "NDArray[np.float64]":
    """Sums over clusters drawn with replacement, shape (draws, k)."""
    import numpy as np

    random = np.random.default_rng(seed)
    clusters = int(members.sum())
    found = np.empty((draws, cells.shape[1]))
    # A number for each cell, or one for each cluster: what is fewer work. An index costs less than a binomial.
    by_cell = len(cells) * 4 <= clusters
    size = max(1, MOST_NUMBERS // max(1, len(cells) if by_cell else clusters))
    place = None if by_cell else np.repeat(np.arange(len(cells)), members)
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        if place is None:
            found[start : start + rows] = random.multinomial(clusters, members / clusters, rows) @ cells
            continue
        for row in range(start, start + rows):
            weights = np.bincount(place[random.integers(0, clusters, clusters)], minlength=len(cells))
            found[row] = weights @ cells
    return found


def intervals(
    cells: "NDArray[np.float64]",
    members: "NDArray[np.int64]",
    statistics: "Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]",
    settings: BootstrapSettings,
) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
    """Percentile intervals of statistics of sums, and for those that have none the reason.

    statistics: from sums of shape (draws, k) to values of shape (draws,), NaN where undefined.
    """
    import numpy as np

    clusters = int(members.sum())
    if clusters < 2:
        return {}, dict.fromkeys(
            statistics(cells[:1]), f"an interval needs 2 clusters of examples or more; there are {clusters}"
        )
    values = statistics(draw_sums(cells, members, settings.draws))
    tail = (1 - settings.confidence) / 2
    found: dict[str, tuple[float, float]] = {}
    undefined: dict[str, str] = {}
    for name, drawn in values.items():
        known = drawn[~np.isnan(drawn)]
        if len(known) < LEAST_DEFINED * len(drawn):
            undefined[name] = f"it is undefined in {len(drawn) - len(known):,} of {len(drawn):,} bootstrap draws"
            continue
        # Of infinite ratios (no loss in a draw) no weighted mean can be taken: quantiles are drawn values.
        low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
        found[name] = (float(low), float(high))
    return found, undefined
