"""A gallery that is being re-embedded: what new queries find while a part of it is still old (updates.md §1.4, hot refresh)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts, share
from mlcheck.updates.compatibility import CROSS, NEW, NO_RELEVANT, Context, interval_of_change
from mlcheck.updates.metrics import Metric, PerQuery
from mlcheck.updates.neighbours import Found, nearest
from mlcheck.updates.spaces import Rows
from mlcheck.updates.trial import Mixer, Pairing, Trial, hashed

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the gallery that are embedded anew."""


def parts_of(trial: Trial) -> tuple[Rows, ...]:
    """Places of the gallery by when they are embedded anew: between one fraction and the next, by the hash of their ids."""
    share = hashed(trial.gallery_ids, "backfill")
    return tuple(np.flatnonzero((share >= low) & (share < high)) for low, high in pairwise(FRACTIONS))


def mixer(depth: int) -> Mixer:
    """The lists of a gallery at each fraction, from those of its parts embedded by the old and by the new model."""

    def mixed(found: dict[Pairing, list[Found]]) -> list[Found]:
        old, new = found[CROSS], found[NEW]
        return [nearest([*new[:anew], *old[anew:]], depth) for anew in range(len(FRACTIONS))]

    return mixed


def measure_backfill(metric: Metric, by_fraction: Sequence[PerQuery], context: Context) -> list[Measure]:
    """The metric at each fraction against the one before, with an interval that holds for all of the changes together.

    For recall@k also the queries that found a relevant item among the first k at one fraction and not at the next.
    """
    changes = len(by_fraction) - 1
    return [
        _measure_change(metric, place, by_fraction[place], by_fraction[place + 1], context, changes)
        for place in range(changes)
    ]


def _measure_change(
    metric: Metric, place: int, before: PerQuery, after: PerQuery, context: Context, changes: int
) -> Measure:
    words = f"{FRACTIONS[place]:.0%} to {FRACTIONS[place + 1]:.0%}"
    facts = Facts(
        {
            "fraction_before": FRACTIONS[place],
            "fraction": FRACTIONS[place + 1],
            "queries": float((before.out_of > 0).sum()),
            "confidence": context.bootstrap.confidence,
        }
    )
    for name, value in (
        ("value_before", before.value),
        ("value", after.value),
        ("change", after.value - before.value),
    ):
        facts.put(name, value, NO_RELEVANT)
    interval = interval_of_change(before, after, context, changes)
    low, high, why = (math.nan, math.nan, interval) if isinstance(interval, str) else (*interval, "")
    facts.put_interval("change", low, high, why)
    if metric.kind == "recall":
        _put_flips(facts, before, after)
    return Measure(
        role="retrieval_backfill",
        name=f"backfill/{metric.name}/{words}{context.suffix}",
        columns=facts.columns,
        undefined=facts.undefined,
        labels={**context.labels, "metric": metric.name, "group": "backfill", "category": words},
        headline=("value_before", "value", "change"),
    )


def _put_flips(facts: Facts, before: PerQuery, after: PerQuery) -> None:
    counted = before.out_of > 0
    old, new = before.amounts[counted] > 0, after.amounts[counted] > 0
    negative, positive, queries = float((old & ~new).sum()), float((~old & new).sum()), float(counted.sum())
    facts.put_all({"negative_flips": negative, "positive_flips": positive})
    facts.put("negative_flip_rate", share(negative, queries), NO_RELEVANT)
    facts.put("positive_flip_rate", share(positive, queries), NO_RELEVANT)
