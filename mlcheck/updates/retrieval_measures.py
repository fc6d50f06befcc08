"""The facts of one trial: what of all that was measured goes under which name."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mlcheck.updates.backfill import measure_backfill
from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts
from mlcheck.updates.compatibility import (
    CROSS,
    NEW,
    NO_RELEVANT,
    OLD,
    PARAGON,
    TESTS,
    Context,
    measure_flips,
    measure_metric,
    no_flips,
    unmeasured,
)
from mlcheck.updates.drift import drift
from mlcheck.updates.embeddings import Embedded
from mlcheck.updates.metrics import Metric, chance_of_recall
from mlcheck.updates.retrieval_settings import RetrievalSettings, Ties
from mlcheck.updates.scores import Scores, score
from mlcheck.updates.thresholds import measure_thresholds
from mlcheck.updates.trial import Trial, hashed
from mlcheck.updates.versions import average_accuracy, average_compatibility, incompatible, pairs_of

PAIRINGS = (OLD, CROSS, NEW, PARAGON)


def measure_spaces(models: Mapping[str, Embedded]) -> Measure:
    """The dimensions that new queries and the gallery they are searched in have."""
    gallery = models.get("mapped", models["old"])
    return Measure(
        role="retrieval_compatibility",
        name="retrieval/spaces",
        columns={
            "dimension_old": float(gallery.space.dimension),
            "dimension_new": float(models["new"].space.dimension),
            "with_map": float("mapped" in models),
        },
        headline=("dimension_old", "dimension_new"),
    )


def measure_trial(
    trial: Trial, context: Context, judged: Sequence[Metric], shown: Sequence[Metric], settings: RetrievalSettings
) -> list[Measure]:
    """All facts of one trial but the drift of the spaces."""
    flipped = [one for one in judged if one.kind == "recall"] or [Metric("recall", depth=1)]
    scores = score(trial, PAIRINGS, judged, [*flipped, *shown], settings, transfer=True)
    found = []
    for metric in judged:
        by_pairing = scores.of(metric)
        if metric in scores.undefined or not by_pairing:
            found.append(unmeasured(metric, scores.undefined.get(metric, "no pairing was measured"), context))
        else:
            found.append(measure_metric(metric, by_pairing, _chance(trial, metric), context))
    found += [_shown(metric, scores, trial, context) for metric in shown]
    for metric in flipped:
        by_pairing = scores.of(metric)
        if OLD in by_pairing and CROSS in by_pairing:
            found.append(measure_flips(metric.depth, by_pairing[OLD], by_pairing[CROSS], context))
        else:
            found.append(no_flips(metric.depth, context.absent.get("cross_test", NO_RELEVANT), context))
    for metric, by_fraction in scores.by_fraction.items():
        found += measure_backfill(metric, by_fraction, context)
    if scores.verified is not None:
        found += measure_thresholds(scores.verified, settings.false_accept_rate, context)
    return found


def _chance(trial: Trial, metric: Metric) -> float:
    if metric.kind != "recall":
        return math.nan
    return chance_of_recall(trial.relevance.counts, trial.rivals, metric.depth)


def _shown(metric: Metric, scores: Scores, trial: Trial, context: Context) -> Measure:
    by_pairing = scores.of(metric)
    facts = Facts(dict(context.counts))
    for name, pairing in TESTS.items():
        value = by_pairing[pairing].value if pairing in by_pairing else math.nan
        facts.put(name, value, scores.undefined.get(metric) or context.absent.get(name, NO_RELEVANT))
    facts.put("chance", _chance(trial, metric), "a random order is not told of this metric")
    return Measure(
        role="retrieval_metrics",
        name=f"retrieval/{metric.name}{context.suffix}",
        columns=facts.columns,
        undefined=facts.undefined,
        labels={**context.labels, "metric": metric.name},
        headline=tuple(TESTS),
    )


# Spaces and versions


def measure_drift(trial: Trial, context: Context, examples: int) -> list[Measure]:
    """How far the old and the new space are apart, in examples that both embedded: of the gallery, else of the queries."""
    old, new = trial.sides["old"], trial.sides["new"]
    if old.gallery is not None and new.gallery is not None:
        ids, before, after = trial.gallery_ids, old.gallery, new.gallery
    elif old.queries is not None and new.queries is not None:
        ids, before, after = trial.query_ids, old.queries, new.queries
    else:
        return []
    kept = np.sort(np.argsort(hashed(ids, "drift"), kind="stable")[:examples])
    facts = drift(old, before[kept], new, after[kept])
    return [
        Measure(
            role="embedding_drift",
            name=f"drift{context.suffix}",
            columns=facts.columns,
            undefined=facts.undefined,
            labels=context.labels,
            headline=("neighbour_overlap", "linear_cka", "mean_cosine", "procrustes_residual"),
        )
    ]


def measure_versions(
    context: Context, judged: Sequence[Metric], scores: Scores, versions: int, ties: Ties
) -> list[Measure]:
    """AC and AM of all versions, and the cross test of each pair of them, which are counted from 1."""
    found = []
    for metric in judged:
        matrix = np.full((versions, versions), np.nan)
        for pairing, one in scores.of(metric).items():
            matrix[int(pairing[0]), int(pairing[1])] = one.value
        facts = Facts(
            {**context.counts, "versions": float(versions), "ties_are_compatible": float(ties == "compatible")}
        )
        missing = np.isnan(matrix[np.tril_indices(versions)]).any()
        why = scores.undefined.get(metric) or context.absent.get("cross_test", NO_RELEVANT)
        facts.put("average_compatibility", average_compatibility(matrix, ties), why)
        facts.put("average_accuracy", average_accuracy(matrix), why)
        facts.put("pairs", versions * (versions - 1) / 2)
        facts.put("incompatible_pairs", math.nan if missing else float(len(incompatible(matrix, ties))), why)
        for later, earlier in pairs_of(versions):
            facts.put(f"queries_{later + 1}_gallery_{earlier + 1}", float(matrix[later, earlier]), why)
        labels = {**context.labels, "metric": metric.name}
        name = f"versions/{metric.name}{context.suffix}"
        shown = ("average_compatibility", "average_accuracy", "incompatible_pairs")
        found.append(Measure("retrieval_versions", name, facts.columns, facts.undefined, labels, headline=shown))
    return found
