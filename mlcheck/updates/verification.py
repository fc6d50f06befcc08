"""Similarities as a decision, same or not: true and false accept rates, and what becomes of an old threshold (updates.md §1.4)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mlcheck.records import dataclass
from mlcheck.updates.metrics import PerQuery
from mlcheck.updates.spaces import Floats, Rows, Singles
from mlcheck.updates.trial import Pairing, Trial, hashed, similarity_blocks

PAIRS_PER_ACCEPT = 10
"""Impostor pairs for each accepted one below which a threshold is not known: the rate needs 10 / FAR of them."""


@dataclass(frozen=True, eq=False)
class Accepted:
    """What a threshold accepts, query by query."""

    threshold: float
    """A pair is accepted where its similarity exceeds it."""
    genuine: PerQuery
    """Accepted pairs of a query and a relevant item, out of all: its value is the true accept rate."""
    impostor: PerQuery
    """Accepted pairs of a query and another item, out of all: its value is the false accept rate."""


@dataclass(frozen=True, eq=False)
class Verified:
    """True and false accepts of several pairings on the same pairs."""

    at_own: Mapping[tuple[Pairing, float], Accepted]
    """By pairing and false accept rate, at the pairing's own threshold."""
    at_old: Mapping[Pairing, Accepted]
    """At the threshold of the old queries in the old gallery."""
    insufficient: Mapping[float, str]
    """False accept rates that the pairs are too few for, with the reason."""
    queries: int
    """Queries of which pairs were taken."""
    impostors: int
    """Impostor pairs."""
    same_kept: float
    """Share of pairs of a query and a relevant item that are at least as similar in (new, old) as in (old, old); NaN where not measured."""
    other_kept: float
    """Share of the other pairs that are at most as similar."""


class _Tail:
    """The highest of many values, in memory of a few times their number."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.floor = -math.inf
        self._kept: list[Singles] = []
        self._waiting = 0

    def add(self, values: Singles) -> None:
        above = values[values > self.floor]
        self._kept.append(above)
        self._waiting += len(above)
        if self._waiting > 2 * self.count + 1_000_000:
            self._cut()

    def _cut(self) -> None:
        together = np.concatenate(self._kept)
        if len(together) > self.count:
            together = np.partition(together, len(together) - self.count)[len(together) - self.count :]
            self.floor = float(together.min())
        # Values equal to the floor that come later change nothing: the lowest of the highest stays the same number.
        self._kept, self._waiting = [together], len(together)

    def highest(self, place: int) -> float:
        """The value at a place, 0 for the highest; place < count."""
        together = np.sort(np.concatenate(self._kept))
        return float(together[len(together) - 1 - place])


def take_queries(trial: Trial, pairs: int) -> Rows:
    """As many queries as give at most so many pairs with the gallery (at least one), by the hash of their ids; indices, ascending."""
    count = max(1, min(trial.queries, pairs // max(trial.items, 1)))
    if count == trial.queries:
        return np.arange(trial.queries)
    return np.sort(np.argsort(hashed(trial.query_ids, "verification"), kind="stable")[:count])


def verify(
    trial: Trial, pairings: Sequence[Pairing], rates: Sequence[float], transferred: float | None, pairs: int
) -> Verified:
    """Thresholds for false accept rates, and what they accept.

    The threshold for a rate is the (1 - rate) quantile of the impostor similarities, the upper of the two values beside it; a pair is
    accepted above it, so that the rate is never exceeded where it was set. `transferred` is the rate whose threshold of (old, old) all
    pairings are held against; None: none is.
    """
    queries = take_queries(trial, pairs)
    impostors = int((trial.rivals[queries] - trial.relevance.counts[queries]).sum())
    asked = dict.fromkeys([*rates, *([] if transferred is None else [transferred])])
    insufficient = {
        rate: f"insufficient: a false accept rate of {rate:g} needs {math.ceil(PAIRS_PER_ACCEPT / rate - 1e-9):,} impostor pairs; "
        f"there are {impostors:,}"
        for rate in asked
        if impostors * rate < PAIRS_PER_ACCEPT * (1 - 1e-12)
    }
    known = [rate for rate in asked if rate not in insufficient]
    there = [one for one in pairings if trial.rows(one) is not None]
    thresholds = {one: _thresholds(trial, one, queries, known, impostors) for one in there}
    wanted: dict[Pairing, list[float]] = {one: list(thresholds[one].values()) for one in there}
    old = None if transferred is None else thresholds.get(("old", "old"), {}).get(transferred)
    if old is not None:
        for one in there:
            wanted[one] = [*wanted[one], old]
    counted = {one: _count(trial, one, queries, wanted[one]) for one in there} if known else {}
    same, other = (math.nan, math.nan) if transferred is None else _strict(trial, queries)
    return Verified(
        at_own={(one, rate): counted[one][at] for one in counted for at, rate in enumerate(thresholds[one])},
        at_old={} if old is None else {one: counted[one][-1] for one in counted},
        insufficient=insufficient,
        queries=len(queries),
        impostors=impostors,
        same_kept=same,
        other_kept=other,
    )


def _thresholds(
    trial: Trial, pairing: Pairing, queries: Rows, rates: Sequence[float], impostors: int
) -> dict[float, float]:
    # A rate such as 0.001 is a little more than that in binary, and floor would take one pair too many or too few.
    places = {rate: math.floor(rate * (impostors - 1) * (1 + 1e-12)) for rate in rates}
    if not places:
        return {}
    tail = _Tail(max(places.values()) + 1)
    for block, similarity in similarity_blocks(trial, pairing, queries):
        tail.add(similarity[_others(trial, block)])
    return {rate: tail.highest(place) for rate, place in places.items()}


def _others(trial: Trial, block: Rows) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Which items are neither relevant to a query nor the query itself, shape (len(block), items)."""
    found = ~trial.relevance.mask(block)
    inside = np.flatnonzero(trial.own[block] >= 0)
    found[inside, trial.own[block][inside]] = False
    return found


def _count(trial: Trial, pairing: Pairing, queries: Rows, thresholds: Sequence[float]) -> list[Accepted]:
    genuine, impostor = (np.zeros((len(thresholds), trial.queries)) for _ in range(2))
    for block, similarity in similarity_blocks(trial, pairing, queries):
        relevant, others = trial.relevance.mask(block), _others(trial, block)
        for at, threshold in enumerate(thresholds):
            above = similarity > np.float32(threshold)
            genuine[at, block] = (above & relevant).sum(axis=1)
            impostor[at, block] = (above & others).sum(axis=1)
    taken = np.zeros(trial.queries)
    taken[queries] = 1.0
    counts = trial.relevance.counts
    return [
        Accepted(
            threshold,
            PerQuery(genuine[at], counts * taken),
            PerQuery(impostor[at], (trial.rivals - counts) * taken),
        )
        for at, threshold in enumerate(thresholds)
    ]


def _strict(trial: Trial, queries: Rows) -> tuple[float, float]:
    """BCT's pairwise definition, as two shares: see `Verified.same_kept`."""
    same, others = np.zeros(2), np.zeros(2)
    blocks = zip(
        similarity_blocks(trial, ("old", "old"), queries),
        similarity_blocks(trial, ("new", "old"), queries),
        strict=False,
    )
    for (block, before), (_, after) in blocks:
        relevant, rest = trial.relevance.mask(block), _others(trial, block)
        same += [((after >= before) & relevant).sum(), relevant.sum()]
        others += [((after <= before) & rest).sum(), rest.sum()]
    return _share(same), _share(others)


def _share(counts: Floats) -> float:
    return float(counts[0] / counts[1]) if counts[1] else math.nan
