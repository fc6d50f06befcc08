"""Exact nearest neighbours, block by block: memory goes with the blocks, never with queries times gallery."""

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.updates.spaces import Rows, Singles, Space, similarities

QUERIES_AT_ONCE = 8_192
ITEMS_AT_ONCE = 2_048
SPARE = 16
"""Candidates beyond k that are kept until similarities are computed in float64: float32 may confuse the order of what lies closer together
than it can tell."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """The items that are searched, in parts that may be searched and joined in any combination."""

    space: Space
    rows: Rows
    """Rows of the space, shape (n,); places in the gallery are indices into this, and the lower place wins a tie."""
    parts: tuple[Rows, ...]
    """Places of each part, ascending; together all of the gallery."""


@dataclass(frozen=True, eq=False)
class Found:
    """Nearest items of some queries, nearest first, ties by place."""

    places: Rows
    """Places in the gallery, shape (queries, k); -1 where the gallery has no further item."""
    scores: NDArray[np.float64]
    """Their similarities, -inf where there is none."""


def search(queries: Space, query_rows: Rows, gallery: Gallery, excluded: Rows, k: int) -> list[Found]:
    """The k nearest items of each query in each part of a gallery; at most QUERIES_AT_ONCE queries.

    `excluded` (queries,) is the place of the query itself, -1 where it is not in the gallery. The search is exact: all similarities are
    computed in float32, and those of the best k and `SPARE` more in float64.
    """
    centre = gallery.space.centre(gallery.rows)
    factors = queries.as_queries(query_rows, centre)
    found = []
    for places in gallery.parts:
        within = np.searchsorted(places, excluded)
        is_there = (excluded >= 0) & (within < len(places))
        is_there[is_there] = places[within[is_there]] == excluded[is_there]
        part = _Part(factors, np.where(is_there, within, -1), min(k + SPARE, len(places)))
        for start in range(0, len(places), ITEMS_AT_ONCE):
            rows = gallery.rows[places[start : start + ITEMS_AT_ONCE]]
            part.add(gallery.space.as_gallery(rows, centre))
        found.append(_refined(queries, query_rows, gallery, _in_gallery(places, part), k))
    return found


def _in_gallery(places: Rows, part: "_Part") -> Rows:
    scores, within = part.best()
    if not within.size:
        return np.full((len(within), 1), -1, dtype=np.int64)
    return np.where(np.isfinite(scores), places[within], -1)


def _refined(queries: Space, query_rows: Rows, gallery: Gallery, places: Rows, k: int) -> Found:
    scores = similarities(queries, query_rows, gallery.space, gallery.rows[np.maximum(places, 0)])
    scores[places < 0] = -np.inf
    return nearest([Found(places, scores)], k)


def nearest(parts: list[Found], k: int) -> Found:
    """The k nearest of several lists of the same queries."""
    places = np.hstack([one.places for one in parts])
    scores = np.hstack([one.scores for one in parts])
    order = np.lexsort((places, -scores), axis=-1)[:, :k]
    kept = np.take_along_axis(places, order, axis=1)
    best = np.take_along_axis(scores, order, axis=1)
    if kept.shape[1] < k:
        missing = ((0, 0), (0, k - kept.shape[1]))
        kept, best = np.pad(kept, missing, constant_values=-1), np.pad(best, missing, constant_values=-np.inf)
    return Found(kept, best)


class _Part:
    """The best of what has been seen of one part, for a block of queries."""

    def __init__(self, factors: Singles, excluded: Rows, depth: int) -> None:
        self.factors = factors
        self.excluded = excluded
        self.depth = depth
        self.seen = 0
        queries = len(factors)
        self.scores = np.full((queries, 0), -np.inf, dtype=np.float32)
        self.items = np.zeros((queries, 0), dtype=np.int64)
        self.bound = np.full((queries, 1), -np.inf, dtype=np.float32)
        """The lowest similarity among the best: a later item must exceed it, since the lower place wins a tie."""
        self._pending: list[tuple[Rows, Rows, Singles]] = []
        self._waiting = 0
        self._product = np.empty((queries, ITEMS_AT_ONCE), dtype=np.float32)
        self._mask = np.empty((queries, ITEMS_AT_ONCE), dtype=bool)

    def add(self, gallery: Singles) -> None:
        """Look at the next items, in order of their places."""
        width = len(gallery)
        full = width == ITEMS_AT_ONCE
        product = self._product if full else np.empty((len(self.factors), width), dtype=np.float32)
        mask = self._mask if full else np.empty((len(self.factors), width), dtype=bool)
        np.matmul(self.factors, gallery.T, out=product)
        own = np.flatnonzero((self.excluded >= self.seen) & (self.excluded < self.seen + width))
        product[own, self.excluded[own] - self.seen] = -np.inf
        if self.seen:
            np.greater(product, self.bound, out=mask)
        else:
            _best_of_first(product, self.depth, mask)
        flat = np.flatnonzero(mask.reshape(-1))
        rows, columns = np.divmod(flat, width)
        self._pending.append((rows, columns + self.seen, product.reshape(-1)[flat]))
        self._waiting += len(flat)
        # Bounds that are not quite new let more through, but a merge costs more than that.
        if self.seen == 0 or self._waiting > len(self.factors) * self.depth:
            self._merge()
        self.seen += width

    def best(self) -> tuple[Singles, Rows]:
        """Similarities and items of the best, shape (queries, depth)."""
        self._merge()
        return self.scores, self.items

    def _merge(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([one[0] for one in self._pending])
        order = np.argsort(rows.astype(np.uint16), kind="stable")
        rows = rows[order]
        counts = np.bincount(rows, minlength=len(self.factors))
        slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        scores = np.full((len(self.factors), int(counts.max())), -np.inf, dtype=np.float32)
        items = np.zeros(scores.shape, dtype=np.int64)
        scores[rows, slots] = np.concatenate([one[2] for one in self._pending])[order]
        items[rows, slots] = np.concatenate([one[1] for one in self._pending])[order]
        scores, items = np.hstack([self.scores, scores]), np.hstack([self.items, items])
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.depth]
        self.scores = np.take_along_axis(scores, best, axis=1)
        self.items = np.take_along_axis(items, best, axis=1)
        if self.scores.shape[1] == self.depth:
            self.bound = self.scores[:, -1:].copy()
        self._pending, self._waiting = [], 0


def _best_of_first(product: Singles, depth: int, mask: NDArray[np.bool_]) -> None:
    """Mark the `depth` highest of each row; of equal ones the first."""
    width = product.shape[1]
    if width <= depth:
        mask[:] = True
        return
    bound = np.partition(product, width - depth, axis=1)[:, width - depth : width - depth + 1]
    np.greater(product, bound, out=mask)
    equal = product == bound
    left = depth - mask.sum(axis=1, keepdims=True)
    tied = np.flatnonzero(equal.sum(axis=1, keepdims=True) > left)
    equal[tied] &= np.cumsum(equal[tied], axis=1, dtype=np.int32) <= left[tied]
    mask |= equal
