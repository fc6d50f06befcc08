"""Predictions of two models on the same examples: what `mlcheck compare` measures of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlcheck.records import replace
from mlcheck.updates.base import Measure
from mlcheck.updates.columns import clusters_of, weights_of
from mlcheck.updates.confident import FRACTIONS, confident_flips
from mlcheck.updates.confident import STATISTICS as CONFIDENT
from mlcheck.updates.flip_measure import STATISTICS, Population, flip_measure, unlabelled_measure
from mlcheck.updates.graded import graded_columns, graded_measures
from mlcheck.updates.join import Joined, join
from mlcheck.updates.outcome import Outcomes
from mlcheck.updates.outcomes import outcomes_of
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.seeds import STATISTICS as SEED_STATISTICS
from mlcheck.updates.seeds import Seeds, read_seeds, seed_floor
from mlcheck.updates.slices import Grouping, groupings, slice_measures
from mlcheck.updates.table import PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREDICTED = ("prediction", "scores", "logits", "topk_index")
NO_SEEDS = "no dumps of other seeds are given"


def has_predictions(table: PredictionTable) -> bool:
    """Whether a dump says what its model predicted."""
    return any(table.has(name) for name in PREDICTED) or table.has("score", "label")


def applies(table: PredictionTable, settings: PredictionSettings | None = None) -> bool:
    """Whether a dump has predictions, or graded scores of examples."""
    return has_predictions(table) or bool(graded_columns(table, settings or PredictionSettings()))


def measure_predictions(
    old: PredictionTable,
    new: PredictionTable,
    settings: PredictionSettings | None = None,
    seeds: Sequence[PredictionTable] = (),
) -> list[Measure]:
    """Compare two dumps: `prediction_overlap`, and for each split `prediction_flips`, `slice_flips` and `graded_change`.

    seeds: dumps of models of the old recipe that differ in their seed only. Raises ComparisonError for dumps that cannot be compared.
    """
    told = settings or PredictionSettings()
    joined = join(old, new)
    found = graded_measures(joined, told)
    if not (has_predictions(joined.old) and has_predictions(joined.new)):
        return [joined.overlap, *found]
    outcomes = outcomes_of(joined.old, joined.new, told)
    if not len(outcomes):
        why = outcomes.missing["right"]
        return [_overlap(joined, outcomes), *found, Measure("prediction_flips", "flips", {}, _all_undefined(why))]
    grouped = groupings(joined, outcomes, told) if outcomes.old_right is not None else []
    others = read_seeds(joined, seeds, told) if seeds else None
    splits = sorted(set(joined.splits.tolist()))
    for split in splits:
        name = "flips" if len(splits) == 1 else f"flips/{split}"
        found += _split(joined, outcomes, joined.splits == split, grouped, others, told, name, {"split": split})
    return [_overlap(joined, outcomes), *found]


def _all_undefined(why: str) -> dict[str, str]:
    return dict.fromkeys((*STATISTICS, *CONFIDENT, *FRACTIONS, *SEED_STATISTICS), why)


def _overlap(joined: Joined, outcomes: Outcomes) -> Measure:
    """What joined, with rows whose highest score is not of the stated prediction, and examples that no rate counts."""
    import numpy as np

    columns = dict(joined.overlap.columns)
    undefined = dict(joined.overlap.undefined)
    for side in ("old", "new"):
        name = f"argmax_disagreements_{side}"
        if side in outcomes.disagreements:
            columns[name] = outcomes.disagreements[side]
        else:
            undefined[name] = outcomes.missing.get(f"{side}_disagreements", "there are no classes")
    if outcomes.disagreements:
        columns["argmax_disagreements"] = sum(outcomes.disagreements.values())
    else:
        undefined["argmax_disagreements"] = undefined["argmax_disagreements_new"]
    if outcomes.judged is not None:
        columns["new_class_examples"] = outcomes.new_class_examples
        columns["unlabelled"] = int(np.count_nonzero(~outcomes.judged)) - outcomes.new_class_examples
    return replace(joined.overlap, columns=columns, undefined=undefined)


def _split(
    joined: Joined,
    outcomes: Outcomes,
    rows: "NDArray[np.bool_]",
    grouped: list[Grouping],
    seeds: Seeds | None,
    settings: PredictionSettings,
    name: str,
    labels: dict[str, str],
) -> list[Measure]:
    clusters, weights = clusters_of(joined, settings), weights_of(joined)
    if outcomes.old_right is None or outcomes.new_right is None or outcomes.judged is None:
        assert outcomes.differs is not None
        whole = Population(outcomes.differs, outcomes.differs, outcomes.differs, clusters, weights).where(rows)
        assert whole.differs is not None
        why = outcomes.missing["right"]
        measure = unlabelled_measure(whole.differs, whole.clusters, whole.weights, why, settings, name, labels)
        more = dict.fromkeys((*CONFIDENT, *FRACTIONS, *SEED_STATISTICS), why)
        return [replace(measure, undefined={**measure.undefined, **more})]
    rows = rows & outcomes.judged
    nothing = "no example has a label" if not rows.any() else "the examples have no weight"
    if not rows.any() or (weights is not None and not weights[rows].sum() > 0):
        columns = {"examples": float(rows.sum())}
        return [Measure("prediction_flips", name, columns, _all_undefined(nothing), labels)]
    population = Population(outcomes.old_right, outcomes.new_right, outcomes.differs, clusters, weights).where(rows)
    measure = flip_measure(population, settings, "prediction_flips", name, labels)
    sliced = slice_measures(population, rows, outcomes, grouped, settings, name, labels)
    confident, unsure = confident_flips(outcomes, rows, population, settings)
    floor, no_floor = (
        ({}, dict.fromkeys(SEED_STATISTICS, NO_SEEDS))
        if seeds is None
        else seed_floor(population, seeds.where(rows), settings)
    )
    overall = measure.columns["accuracy_change"]
    counted = {"slices_too_small": float(sliced.too_small), "slices_left_out": float(sliced.left_out)}
    return [
        replace(
            measure,
            columns={**measure.columns, **confident, **floor, **counted},
            undefined={**measure.undefined, **unsure, **no_floor},
        ),
        *(replace(one, columns={**one.columns, "overall_accuracy_change": overall}) for one in sliced.measures),
    ]
