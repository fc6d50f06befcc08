"""Whether a new model can search what an old one embedded: criterion, update gain, tax, heterogeneous search, flips of queries.

M(q, g) is a retrieval metric with queries embedded by q and the gallery by g; the paragon is the new model trained without a thought of
compatibility. Sources: Shen et al., Towards Backward-Compatible Representation Learning, CVPR 2020 (criterion, update gain); Duggal et al.,
Compatibility-Aware Heterogeneous Visual Search, CVPR 2021; flips as in `flips`.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass, field, replace
from mlcheck.updates.base import Measure
from mlcheck.updates.bootstrap import BootstrapSettings, cluster_sums, distinct, intervals
from mlcheck.updates.clustered import Facts, ratio
from mlcheck.updates.flips import CELLS, FlipCounts, rates, rates_of_sums
from mlcheck.updates.intervals import Interval, mcnemar, paired_difference_interval, proportion_interval
from mlcheck.updates.metrics import Metric, PerQuery
from mlcheck.updates.spaces import Rows
from mlcheck.updates.trial import Pairing

OLD: Pairing = ("old", "old")
CROSS: Pairing = ("new", "old")
NEW: Pairing = ("new", "new")
PARAGON: Pairing = ("paragon", "paragon")
TESTS: Mapping[str, Pairing] = {
    "old_self_test": OLD,
    "cross_test": CROSS,
    "new_self_test": NEW,
    "paragon_self_test": PARAGON,
}
"""Statistic to the pairing whose metric it is."""

Values = NDArray[np.float64]


def update_gain(cross_test: Values | float, old_self_test: Values | float, paragon_self_test: Values | float) -> Values:
    """(M(new, old) - M(old, old)) / (M(paragon, paragon) - M(old, old)): the share of a full re-embedding's gain that is there at once.

    NaN where the paragon does not beat the old model.
    """
    possible = np.asarray(paragon_self_test, dtype=np.float64) - old_self_test
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(possible > 0, (np.asarray(cross_test, dtype=np.float64) - old_self_test) / possible, np.nan)


def derived(tests: Mapping[str, Values], *, heterogeneous: bool) -> dict[str, Values]:
    """What follows from the values of TESTS that are there, each of any shape; NaN where undefined.

    - difference = cross_test - old_self_test, which the criterion asks to be above 0
    - update_gain, see there, against the paragon, or the new model's self-test where there is none
    - compatibility_tax = paragon_self_test - new_self_test
    - heterogeneous_difference = cross_test - new_self_test, and heterogeneous_gap = old_self_test - cross_test: there the new model is the
      small one, which embeds queries only, and the old one the large one; the former are left out then, and these otherwise
    """
    found: dict[str, Values] = {}
    old, cross, new, paragon = (tests.get(name) for name in TESTS)
    if heterogeneous:
        if cross is not None and new is not None:
            found["heterogeneous_difference"] = cross - new
        if cross is not None and old is not None:
            found["heterogeneous_gap"] = old - cross
        return found
    best = new if paragon is None else paragon
    if cross is not None and old is not None:
        found["difference"] = cross - old
        if best is not None:
            found["update_gain"] = update_gain(cross, old, best)
    if paragon is not None and new is not None:
        found["compatibility_tax"] = paragon - new
    return found


NO_RELEVANT = "no query has a relevant item in the gallery"
BOUNDS = ("", "_low", "_high")
DERIVED = ("difference", "update_gain", "compatibility_tax", "heterogeneous_difference", "heterogeneous_gap")


@dataclass(frozen=True)
class Context:
    """What all measures of one trial have in common."""

    labels: Mapping[str, str]
    """`split`, where the dumps state it."""
    suffix: str
    """Of the names of measures: empty, or ` (split)` where there are several."""
    counts: Mapping[str, float]
    """queries, gallery, skipped_queries …"""
    clusters: Rows | None
    """Number of each query's cluster, shape (n,); None: each is its own."""
    bootstrap: BootstrapSettings
    heterogeneous: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)
    """Test of TESTS to the reason why it was not made."""


def measure_metric(metric: Metric, scores: Mapping[Pairing, PerQuery], chance: float, context: Context) -> Measure:
    """One metric of all pairings, with what follows from it and percentile intervals over queries (or their clusters)."""
    tests = {name: scores[pairing] for name, pairing in TESTS.items() if pairing in scores}
    facts = Facts({**context.counts, "confidence": context.bootstrap.confidence})
    facts.put("queries", float((next(iter(tests.values())).out_of > 0).sum()))
    facts.put("with_paragon", float("paragon_self_test" in tests))
    for name in TESTS:
        facts.put(name, tests[name].value if name in tests else math.nan, context.absent.get(name, NO_RELEVANT))
    facts.put("chance", chance, "a random order is not told of this metric")
    known = {name: np.array(facts.columns[name]) for name in tests if name in facts.columns}
    values = derived(known, heterogeneous=context.heterogeneous)
    bounds, unbounded = _bounds(tests, context) if known else ({}, {})
    if metric.kind == "recall":
        bounds = _widened(bounds, tests, context)
    for name in DERIVED:
        value = float(values.get(name, math.nan))
        why = _why_undefined(name, facts.undefined, context)
        facts.put(name, value, why)
        low, high = bounds.get(name, (math.nan, math.nan)) if name in facts.columns else (math.nan, math.nan)
        facts.put_interval(name, low, high, unbounded.get(name, why) if name in facts.columns else why)
    return Measure(
        role="retrieval_compatibility",
        name=f"retrieval/{metric.name}{context.suffix}",
        columns=facts.columns,
        undefined=facts.undefined,
        labels={**context.labels, "metric": metric.name},
        headline=(*TESTS, "difference", "update_gain"),
    )


def _bounds(tests: Mapping[str, PerQuery], context: Context) -> tuple[dict[str, Interval], dict[str, str]]:
    """Intervals of what is derived from tests, whose queries count alike.

    Each is drawn from the tests that it is made of, so that whether a paragon is given changes nothing of the criterion.
    """
    found: dict[str, Interval] = {}
    why: dict[str, str] = {}
    for name in derived({test: np.zeros(1) for test in tests}, heterogeneous=context.heterogeneous):
        made_of = {test: tests[test] for test in _made_of(name, tests)}
        out_of = next(iter(made_of.values())).out_of

        def statistics(sums: Values, name: str = name, names: Sequence[str] = tuple(made_of)) -> dict[str, Values]:
            drawn = {test: ratio(sums[:, place], sums[:, -1]) for place, test in enumerate(names)}
            return {name: derived(drawn, heterogeneous=context.heterogeneous)[name]}

        cells = cells_of_queries([*(one.amounts for one in made_of.values()), out_of], out_of, context)
        bounds, reasons = intervals(*cells, statistics, context.bootstrap)
        found |= bounds
        why |= reasons
    return found, why


def _widened(bounds: Mapping[str, Interval], tests: Mapping[str, PerQuery], context: Context) -> dict[str, Interval]:
    """Of differences of recall the wider of the bootstrap's interval and Newcombe's of paired proportions.

    Of a handful of queries that flip, all the same way, the bootstrap never draws one that flips the other way: it calls four lost queries
    of 50,000 certain, which McNemar's test does not (p = 0.125).
    """
    found = dict(bounds)
    for name in ("difference", "heterogeneous_difference"):
        if name not in found:
            continue
        after, before = (tests[test] for test in _made_of(name, tests))
        counted = after.out_of > 0
        old, new = before.amounts[counted] > 0, after.amounts[counted] > 0
        worse, better = int((old & ~new).sum()), int((~old & new).sum())
        if worse + better:
            both, neither = int((old & new).sum()), int((~old & ~new).sum())
            low, high = paired_difference_interval(both, worse, better, neither, context.bootstrap.confidence)
            found[name] = min(low, found[name][0]), max(high, found[name][1])
    return found


def _made_of(name: str, tests: Collection[str]) -> tuple[str, ...]:
    """The tests that a derived statistic is made of."""
    best = "paragon_self_test" if "paragon_self_test" in tests else "new_self_test"
    return {
        "difference": ("cross_test", "old_self_test"),
        "update_gain": ("cross_test", "old_self_test", best),
        "compatibility_tax": ("paragon_self_test", "new_self_test"),
        "heterogeneous_difference": ("cross_test", "new_self_test"),
        "heterogeneous_gap": ("old_self_test", "cross_test"),
    }[name]


def cells_of_queries(sums: Sequence[Values], out_of: Values, context: Context) -> tuple[Values, NDArray[np.int64]]:
    """What the clusters of the queries that count hold, for `intervals`; sums, out_of: shape (n,) each."""
    counted = np.flatnonzero(out_of > 0)
    clusters = None if context.clusters is None else context.clusters[counted]
    return distinct(cluster_sums([one[counted] for one in sums], clusters))


def interval_of_change(before: PerQuery, after: PerQuery, context: Context, tests: int = 1) -> Interval | str:
    """Percentile interval of after - before over queries that count alike, or why there is none.

    Of several tests each has its share of the error (Bonferroni).
    """
    if not before.out_of.any():
        return NO_RELEVANT
    wider = replace(context.bootstrap, confidence=1 - (1 - context.bootstrap.confidence) / tests)
    cells = cells_of_queries([before.amounts, after.amounts, after.out_of], after.out_of, context)
    found, why = intervals(*cells, lambda drawn: {"change": ratio(drawn[:, 1] - drawn[:, 0], drawn[:, 2])}, wider)
    return found["change"] if found else why["change"]


def _why_undefined(name: str, undefined: Mapping[str, str], context: Context) -> str:
    if context.heterogeneous != name.startswith("heterogeneous"):
        return (
            "in heterogeneous search the large model stays better than the small one; see heterogeneous_difference"
            if context.heterogeneous
            else "the new model is not said to embed queries only (heterogeneous search)"
        )
    missing = next((undefined[one] for one in _made_of(name, ()) if one in undefined), None)
    return missing or "the paragon, or the new model where there is none, does not beat the old model"


def measure_flips(depth: int, before: PerQuery, after: PerQuery, context: Context) -> Measure:
    """Queries that find a relevant item among the first k by (old, old) and no more by (new, old), and the other way."""
    counted = before.out_of > 0
    old, new = before.amounts[counted] > 0, after.amounts[counted] > 0
    cells = [old & new, old & ~new, ~old & new, ~old & ~new]
    counts = FlipCounts(*(int(one.sum()) for one in cells))
    facts = Facts(*rates(counts))
    facts.put_all(
        {
            "queries": counts.examples,
            "confidence": context.bootstrap.confidence,
            **{name: getattr(counts, name) for name in CELLS},
        }
    )
    if counts.examples:
        negative, positive = int(counts.negative_flips), int(counts.positive_flips)
        two_sided, worse = mcnemar(negative, positive)
        facts.put_all({"p_two_sided": two_sided, "p_worse": worse})
        _put_bounds(facts, cells, counts, context, None if context.clusters is None else context.clusters[counted])
    return Measure(
        role="retrieval_compatibility",
        name=f"query flips/recall@{depth}{context.suffix}",
        columns=facts.columns,
        undefined=facts.undefined,
        labels={**context.labels, "metric": f"recall@{depth}"},
        headline=("negative_flip_rate", "positive_flip_rate", "relative_negative_flip_rate", "p_worse"),
    )


def _put_bounds(
    facts: Facts, cells: Sequence[NDArray[np.bool_]], counts: FlipCounts, context: Context, clusters: Rows | None
) -> None:
    bounds, why = intervals(*distinct(cluster_sums(cells, clusters)), rates_of_sums, context.bootstrap)
    name = "negative_flip_rate"
    low, high = proportion_interval(int(counts.negative_flips), int(counts.examples), context.bootstrap.confidence)
    if clusters is not None and name in bounds:
        # The exact interval takes queries to be independent, and the bootstrap knows little of rare flips: the wider one holds.
        low, high = min(low, bounds[name][0]), max(high, bounds[name][1])
    facts.put_interval(name, low, high)
    name = f"relative_{name}"
    known = bounds.get(name, (math.nan, math.nan)) if name in facts.columns else (math.nan, math.nan)
    facts.put_interval(name, *known, facts.undefined.get(name) or why.get(name, "no interval"))


def no_flips(depth: int, why: str, context: Context) -> Measure:
    """The same where one of both pairings was not measured."""
    names = ("negative_flip_rate", "positive_flip_rate", "relative_negative_flip_rate")
    return Measure(
        role="retrieval_compatibility",
        name=f"query flips/recall@{depth}{context.suffix}",
        columns={},
        undefined=dict.fromkeys(["p_worse", *(f"{name}{bound}" for name in names for bound in BOUNDS)], why),
        labels={**context.labels, "metric": f"recall@{depth}"},
    )


def unmeasured(metric: Metric, why: str, context: Context) -> Measure:
    """A metric that is not to be had of any pairing."""
    return Measure(
        role="retrieval_compatibility",
        name=f"retrieval/{metric.name}{context.suffix}",
        columns=dict(context.counts),
        undefined=dict.fromkeys([*TESTS, *(f"{name}{bound}" for name in DERIVED for bound in BOUNDS)], why),
        labels={**context.labels, "metric": metric.name},
    )
