"""Histograms on whole arrays: where their buckets are, and all buckets of a block behind one another.

The old form is a `HistogramProto` (tensorflow/core/framework/summary.proto): five doubles, of which a writer leaves out
those that are zero, and the upper edges and counts as packed doubles. The new form is a tensor of doubles of shape
(k, 3): left edge, right edge, count (tensorboard/plugins/histogram/summary_v2.py).
"""

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import Bytes, Offsets, words
from mlcheck.importers.wire import varints
from mlcheck.records import dataclass
from mlcheck.store.statistics import Histograms

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STATED = (0x09, 0x11, 0x19, 0x21, 0x29)
"""First bytes of min, max, num, sum and sum_squares."""
EDGES, COUNTS = 0x32, 0x3A
"""First bytes of bucket_limit and bucket, packed."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the buckets of n histograms of a block are."""

    sizes: Offsets
    """int64, shape (n,): buckets."""
    edges: Offsets
    """int64, shape (n,): where the upper edges begin (old form), or the rows of three (new form)."""
    counts: Offsets
    """int64, shape (n,): where the counts begin (old form)."""
    stated: Floats
    """float64, shape (n, 5): min, max, num, sum, sum of squares; NaN in the new form."""
    is_old: Flags
    """bool, shape (n,)."""

    def only(self, keep: Flags | Offsets) -> "Places":
        """Some of them, by flags or indices."""
        return Places(self.sizes[keep], self.edges[keep], self.counts[keep], self.stated[keep], self.is_old[keep])


def old_places(data: Bytes, starts: Offsets, ends: Offsets) -> tuple[Places, Flags]:
    """The histograms in the messages between these places of a padded block, and which of them are sound.

    Where a writer left empty buckets at the end out of one list, the common part counts.
    """
    doubles = words(data, "<f8")
    at = starts
    stated = np.zeros((len(starts), len(STATED)))
    # The checksum behind a record may look like a field: then its end does not fit.
    for column, key in enumerate(STATED):
        has = data[at] == key
        stated[:, column] = np.where(has, doubles[at + 1], 0)
        at = at + 9 * has
    edges, edge_bytes, at = _packed(data, at, EDGES)
    counts, count_bytes, at = _packed(data, at, COUNTS)
    sound = (at == ends) & (edge_bytes >= 0) & (count_bytes >= 0)
    sound &= ((edge_bytes | count_bytes) & 7) == 0
    sizes = np.minimum(edge_bytes, count_bytes) >> 3
    return Places(sizes, edges, counts, stated, np.ones(len(starts), dtype=bool)), sound


def _packed(data: Bytes, at: Offsets, key: int) -> tuple[Offsets, Offsets, Offsets]:
    # Where a packed field begins, its bytes (0 where it is left out, -1 where it cannot be), and what follows it.
    at = np.minimum(at, len(data) - 16)
    has = data[at] == key
    length, size = varints(words(data)[at + 1], 4)
    body = at + 1 + size
    length = np.where(has, np.where((size > 0) & (length <= len(data) - body), length, -1), 0)
    return body, length, np.where(has, body + np.maximum(length, 0), at)


def new_places(bodies: Offsets, rows: Offsets) -> Places:
    """The histograms in tensors of these rows that begin there."""
    return Places(rows, bodies, bodies, np.full((len(rows), 5), np.nan), np.zeros(len(rows), dtype=bool))


def gathered(data: Bytes, places: Places) -> Histograms:
    """All buckets of the histograms at these places (one at least), in their order."""
    if places.is_old.all():
        left, right, counts = _old_buckets(data, places)
    elif not places.is_old.any():
        left, right, counts = _new_buckets(data, places)
    else:
        left, right, counts = _mixed_buckets(data, places)
    return Histograms(left, right, counts, places.sizes, places.stated, places.is_old)


Three = tuple[Floats, Floats, Floats]


def _old_buckets(data: Bytes, places: Places) -> Three:
    right = _doubles(data, places.edges, places.sizes)
    left = np.empty(len(right))
    left[1:] = right[:-1]
    # The lowest bucket of each has no lower edge.
    left[(np.cumsum(places.sizes) - places.sizes)[places.sizes > 0]] = -np.inf
    return left, right, _doubles(data, places.counts, places.sizes)


def _new_buckets(data: Bytes, places: Places) -> Three:
    table = _doubles(data, places.edges, 3 * places.sizes).reshape(-1, 3)
    left, right, counts = np.ascontiguousarray(table.T)
    return left, right, counts


def _mixed_buckets(data: Bytes, places: Places) -> Three:
    is_old = np.repeat(places.is_old, places.sizes)
    old, new = _old_buckets(data, places.only(places.is_old)), _new_buckets(data, places.only(~places.is_old))
    left, right, counts = np.empty((3, len(is_old)))
    for column, ours, theirs in zip((left, right, counts), old, new, strict=True):
        column[is_old], column[~is_old] = ours, theirs
    return left, right, counts


def _doubles(data: Bytes, starts: Offsets, counts: Offsets) -> Floats:
    # The doubles of all stretches behind one another.
    ends = starts + 8 * counts
    parts = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return np.concatenate(parts).view("<f8").astype(np.float64, copy=False)
