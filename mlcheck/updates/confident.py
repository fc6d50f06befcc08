"""Flips by how much the probability of the label changed: those at the decision boundary, and those that users see."""

from typing import TYPE_CHECKING

from mlcheck.updates.flip_measure import Population, share
from mlcheck.updates.intervals import mcnemar, proportion_interval
from mlcheck.updates.outcome import Outcomes
from mlcheck.updates.prediction_settings import PredictionSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNTED = ("confident_negative_flips", "confident_positive_flips", "boundary_negative_flips")
STATISTICS = (
    *COUNTED,
    *("confident_negative_flip_rate", "confident_negative_flip_rate_low", "confident_negative_flip_rate_high"),
    *("boundary_negative_flip_rate", "confident_p_worse"),
)
FRACTIONS = ("negative_flip_fraction", "positive_flip_fraction")


def confident_flips(
    outcomes: Outcomes, rows: "NDArray[np.bool_]", population: Population, settings: PredictionSettings
) -> tuple[dict[str, float], dict[str, str]]:
    """Statistics of flips by the change of p(label), and why some are undefined. rows: those of the population among the outcomes.

    - confident_negative_flips: negative flips with |p_old(y) - p_new(y)| >= confident_gap (type II, AWS)
    - boundary_negative_flips: those with a change of <= boundary_gap (type I); the rates of both are of all examples
    - confident_p_worse: McNemar's exact one-sided p of confident negative flips against confident positive ones
    - negative_flip_fraction: mean of 1[negative flip] * (max p_new - p_new(y)); positive_flip_fraction: of 1[positive flip] *
      (max p_old - p_old(y)) (AWS)
    """
    import numpy as np

    if outcomes.old_label_score is None or outcomes.new_label_score is None:
        why = outcomes.missing.get("label_score", "the probability of the label is not known")
        return {}, dict.fromkeys((*STATISTICS, *FRACTIONS), why)
    old, new = outcomes.old_label_score[rows], outcomes.new_label_score[rows]
    negative, positive = population.old_right & ~population.new_right, ~population.old_right & population.new_right
    flipped = negative | positive
    unknown = int((flipped & (np.isnan(old) | np.isnan(new))).sum())
    if unknown:
        why = f"the probability of the label is not known in {unknown:,} of {int(flipped.sum()):,} flips"
        return {}, dict.fromkeys((*STATISTICS, *FRACTIONS), why)
    # Scores are written as float32, whose 0.9 - 0.4 is a little less than a half.
    gap = np.round(np.abs(old - new), 6)
    confident, boundary = gap >= settings.confident_gap, gap <= settings.boundary_gap
    counts = [int((negative & confident).sum()), int((positive & confident).sum()), int((negative & boundary).sum())]
    low, high = proportion_interval(counts[0], len(population), settings.confidence, settings.interval)
    columns = {
        **dict(zip(COUNTED, map(float, counts), strict=True)),
        "confident_negative_flip_rate": share(negative & confident, population.weights),
        "confident_negative_flip_rate_low": low,
        "confident_negative_flip_rate_high": high,
        "boundary_negative_flip_rate": share(negative & boundary, population.weights),
        "confident_p_worse": mcnemar(counts[0], counts[1], mid_p=settings.mid_p)[1],
    }
    undefined: dict[str, str] = {}
    tops = (outcomes.new_top_score, outcomes.old_top_score)
    for name, flips, own, top in zip(FRACTIONS, (negative, positive), (new, old), tops, strict=True):
        if top is None:
            undefined[name] = outcomes.missing.get("top_score", "the highest probability is not known")
        else:
            columns[name] = _mean(np.where(flips, top[rows] - own, 0.0), population.weights)
    return columns, undefined


def _mean(values: "NDArray[np.float64]", weights: "NDArray[np.float64] | None") -> float:
    import numpy as np

    return float(np.average(values, weights=weights))
