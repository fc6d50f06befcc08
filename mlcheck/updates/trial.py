"""One cross test set-up: the queries and the gallery of several models side by side, and the metrics of every pairing of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from mlcheck.records import dataclass
from mlcheck.updates.metrics import Metric, PerQuery, score_list, score_ranking
from mlcheck.updates.neighbours import QUERIES_AT_ONCE, Found, Gallery, nearest, search
from mlcheck.updates.relevance import Relevance
from mlcheck.updates.spaces import Floats, Rows, Singles, Space

if TYPE_CHECKING:
    import pyarrow as pa

Pairing = tuple[str, str]
"""Whose queries are searched in whose gallery: `("new", "old")`."""
NUMBERS_AT_ONCE = 1 << 25
"""Similarities of queries with the whole gallery that are held at once (128 MB)."""


@dataclass(frozen=True, eq=False)
class Side:
    """One model's vectors of the shared queries and the shared gallery."""

    space: Space
    queries: Rows | None
    """Rows of its space, shape (n,); None where it embeds the gallery only."""
    gallery: Rows | None
    """Rows of its space, shape (m,); None where it embeds queries only."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Queries and a gallery that several models embedded, in the same order for all."""

    sides: Mapping[str, Side]
    """By name: old, new, paragon; mapped: the old gallery by a learned map into the new space (FCT), which new queries are searched in."""
    relevance: Relevance
    own: Rows
    """Place of each query in the gallery, shape (n,), -1 where it is not there: it is never its own answer."""
    query_ids: "pa.Array"
    gallery_ids: "pa.Array"

    @property
    def queries(self) -> int:
        """How many."""
        return len(self.query_ids)

    @property
    def items(self) -> int:
        """How many items the gallery has."""
        return len(self.gallery_ids)

    @property
    def rivals(self) -> Rows:
        """Items that each query is searched in: the gallery without itself, int64, shape (n,)."""
        return np.asarray(self.items - (self.own >= 0), dtype=np.int64)

    @property
    def counted(self) -> Floats:
        """1 for each query that has a relevant item, else 0; shape (n,)."""
        return (self.relevance.counts > 0).astype(np.float64)

    def rows(self, pairing: Pairing) -> tuple[Side, Rows, Side, Rows] | None:
        """Both sides of a pairing with their rows; None where a side is not there or the spaces have different dimensions."""
        by, of = self.sides.get(pairing[0]), self.sides.get(pairing[1])
        if pairing == ("new", "old"):
            of = self.sides.get("mapped", of)
        if by is None or of is None or by.queries is None or of.gallery is None:
            return None
        return (by, by.queries, of, of.gallery) if by.space.dimension == of.space.dimension else None


def hashed(ids: "pa.Array", purpose: str) -> Floats:
    """A number from 0 to 1 for each id, the same in every dump and on every machine: float64, shape (n,)."""
    key = purpose.encode()
    digests = b"".join(blake2b(str(one).encode(), digest_size=8, key=key).digest() for one in ids.to_pylist())
    return np.frombuffer(digests, dtype="<u8") / 2.0**64


def lists(
    trial: Trial, pairings: Sequence[Pairing], parts: tuple[Rows, ...], depth: int
) -> Iterator[tuple[Rows, dict[Pairing, list[Found]]]]:
    """The nearest items of blocks of queries: indices of the queries, and for each pairing a list for each part of the gallery."""
    for start in range(0, trial.queries, QUERIES_AT_ONCE):
        block = np.arange(start, min(start + QUERIES_AT_ONCE, trial.queries))
        found = {}
        for pairing in pairings:
            rows = trial.rows(pairing)
            if rows is not None:
                by, queries, of, items = rows
                gallery = Gallery(of.space, items, parts)
                found[pairing] = search(by.space, queries[block], gallery, trial.own[block], depth)
        yield block, found


Mixer = Callable[[dict[Pairing, list[Found]]], list[Found]]
"""From the lists of a block of queries, one for each part of the gallery, to lists of mixed galleries."""


def score_lists(
    trial: Trial,
    pairings: Sequence[Pairing],
    metrics: Sequence[Metric],
    parts: tuple[Rows, ...] | None = None,
    mixer: Mixer | None = None,
) -> tuple[dict[tuple[Pairing, Metric], PerQuery], list[dict[Metric, PerQuery]]]:
    """Metrics of lists (recall@k, mAP@K) of each pairing, and of each mixed gallery that `mixer` makes of its parts."""
    depth = max((one.depth for one in metrics), default=1)
    whole = parts or (np.arange(trial.items),)
    counts = trial.relevance.counts
    amounts: dict[tuple[object, Metric], Floats] = {}

    def add(key: object, block: Rows, found: Found) -> None:
        hits = trial.relevance.of(block, found.places)
        for metric in metrics:
            into = amounts.setdefault((key, metric), np.zeros(trial.queries))
            into[block] = score_list(metric, hits, counts[block])

    for block, found in lists(trial, pairings, whole, depth):
        for pairing, of_parts in found.items():
            add(pairing, block, nearest(of_parts, depth))
        for number, mixed in enumerate(mixer(found) if mixer else []):
            add(number, block, mixed)
    out_of = trial.counted
    scored = {(key, metric): PerQuery(values * out_of, out_of) for (key, metric), values in amounts.items()}
    mixes = sorted({key for key, _ in scored if isinstance(key, int)})
    return (
        {(key, metric): one for (key, metric), one in scored.items() if isinstance(key, tuple)},
        [{metric: scored[number, metric] for metric in metrics} for number in mixes],
    )


def similarity_blocks(trial: Trial, pairing: Pairing, queries: Rows) -> Iterator[tuple[Rows, Singles]]:
    """Similarities of some queries with the whole gallery, block by block: indices of the queries, and float32 (block, items).

    Blocks are the same for all pairings. A pairing that is not there gives none.
    """
    rows = trial.rows(pairing)
    if rows is None:
        return
    by, query_rows, of, item_rows = rows
    centre = of.space.centre(item_rows)
    size = max(1, NUMBERS_AT_ONCE // max(trial.items, 1))
    step = max(1, NUMBERS_AT_ONCE // (of.space.dimension + 2) // 4)
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        factors = by.space.as_queries(query_rows[block], centre)
        found = np.empty((len(block), trial.items), dtype=np.float32)
        for first in range(0, trial.items, step):
            part = of.space.as_gallery(item_rows[first : first + step], centre)
            np.matmul(factors, part.T, out=found[:, first : first + step])
        yield block, found


def score_rankings(trial: Trial, pairings: Sequence[Pairing]) -> dict[Pairing, PerQuery]:
    """mAP over the full ranking of the gallery, for each pairing."""
    found = {}
    for pairing in pairings:
        amounts = np.zeros(trial.queries)
        for block, similarity in similarity_blocks(trial, pairing, np.arange(trial.queries)):
            amounts[block] = score_ranking(similarity, trial.relevance.mask(block), trial.own[block])
        if trial.rows(pairing) is not None:
            found[pairing] = PerQuery(amounts, trial.counted)
    return found
