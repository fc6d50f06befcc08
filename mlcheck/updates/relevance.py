"""Which items of a gallery answer which query: those of the same label, or those that the dump names."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.spaces import Rows

if TYPE_CHECKING:
    import pyarrow as pa

Truths = NDArray[np.bool_]


class Relevance(Protocol):
    """What is relevant to each of n queries in a gallery of m items. A query is never relevant to itself."""

    @property
    def counts(self) -> Rows:
        """Relevant items of each query, int64, shape (n,)."""

    @property
    def unknown(self) -> int:
        """Relevant ids that the gallery does not hold, over all queries."""

    def of(self, queries: Rows, places: Rows) -> Truths:
        """Whether the items at `places` (len(queries), k) are relevant; -1 is none."""

    def mask(self, queries: Rows) -> Truths:
        """Whether each item is relevant, shape (len(queries), m)."""


@dataclass(frozen=True, eq=False)
class ByLabel:
    """Items of the same label, without the query itself."""

    queries: Rows
    """Code of each query's label, -1 where it has none."""
    gallery: Rows
    """Code of each item's label, -2 where it has none: then it distracts."""
    own: Rows
    """Place of each query in the gallery, -1 where it is not there."""
    unknown: int = 0

    @property
    def counts(self) -> Rows:
        """See `Relevance`."""
        there = self.gallery[self.gallery >= 0]
        of_label = np.bincount(there, minlength=int(self.queries.max(initial=-1)) + 1)
        found = np.where(self.queries >= 0, of_label[np.maximum(self.queries, 0)] if len(of_label) else 0, 0)
        return np.asarray(found - ((self.own >= 0) & (self.queries >= 0)), dtype=np.int64)

    def of(self, queries: Rows, places: Rows) -> Truths:
        """See `Relevance`."""
        same = self.gallery[places] == self.queries[queries][:, None]
        return np.asarray(same & (places >= 0) & (places != self.own[queries][:, None]))

    def mask(self, queries: Rows) -> Truths:
        """See `Relevance`."""
        found = self.gallery[None, :] == self.queries[queries][:, None]
        inside = np.flatnonzero(self.own[queries] >= 0)
        found[inside, self.own[queries][inside]] = False
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class ByIds:
    """Items that the dump names for each query."""

    counts: Rows
    keys: Rows
    """query * items + place of each relevant item, ascending, without the query itself."""
    items: int
    """Items of the gallery."""
    unknown: int = 0

    def of(self, queries: Rows, places: Rows) -> Truths:
        """See `Relevance`."""
        asked = queries[:, None] * self.items + np.maximum(places, 0)
        at = np.minimum(np.searchsorted(self.keys, asked), max(len(self.keys) - 1, 0))
        if not len(self.keys):
            return np.zeros(places.shape, dtype=bool)
        return np.asarray((self.keys[at] == asked) & (places >= 0))

    def mask(self, queries: Rows) -> Truths:
        """See `Relevance`."""
        found = np.zeros((len(queries), self.items), dtype=bool)
        first, last = (np.searchsorted(self.keys, one) for one in (queries * self.items, (queries + 1) * self.items))
        for row, (start, stop) in enumerate(zip(first, last, strict=True)):
            found[row, self.keys[start:stop] - queries[row] * self.items] = True
        return found


def by_label(queries: "pa.Array", gallery: "pa.Array", own: Rows) -> ByLabel:
    """Relevance by the labels of queries and items, as text."""
    import pyarrow as pa

    coded = pa.concat_arrays([queries, gallery]).dictionary_encode().indices
    codes = coded.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    of_gallery = codes[len(queries) :]
    return ByLabel(codes[: len(queries)], np.where(of_gallery < 0, -2, of_gallery), own)


def by_ids(relevant: "pa.ChunkedArray", gallery_ids: "pa.Array", own: Rows) -> ByIds:
    """Relevance by the ids that each query lists; a query that lists none has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mlcheck.updates.aliases import is_list

    if not is_list(relevant.type):
        raise ComparisonError(f"relevant_ids must hold lists of ids; it holds {relevant.type}")
    rows = pa.array(np.arange(len(relevant), dtype=np.int64))
    listed = pa.concat_arrays([chunk.cast(pa.large_list(pa.large_string())) for chunk in relevant.chunks])
    queries = rows.take(pc.list_parent_indices(listed)).to_numpy()
    places = pc.index_in(pc.list_flatten(listed), value_set=gallery_ids).fill_null(-1).to_numpy(zero_copy_only=False)
    inside = places >= 0
    unknown = int((~inside).sum())
    queries, places = queries[inside], places[inside].astype(np.int64)
    others = places != own[queries]
    keys = np.unique(queries[others] * len(gallery_ids) + places[others])
    counts = np.bincount(keys // max(len(gallery_ids), 1), minlength=len(relevant))
    return ByIds(counts.astype(np.int64), keys, len(gallery_ids), unknown)
