"""Scores of each example by a graded metric (ROUGE, a judge's grade, an error): which got worse, and by how much.

Source: Echterhoff et al., MUSCLE: A Model Update Strategy for Compatible LLM Evolution, EMNLP Findings 2024. Any tiny drop counts as a
flip there; the dead band is ours.
"""

import re
from typing import TYPE_CHECKING

from mlcheck.updates.aliases import is_number
from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.columns import clusters_of, weights_of
from mlcheck.updates.intervals import mcnemar
from mlcheck.updates.join import Joined
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADLINE = ("examples", "old_mean", "new_mean", "change", "worse_rate", "regress", "better_rate", "gain")
STATISTICS = (
    *("examples", "range", "change", "change_low", "change_high", "change_of_range", "change_of_range_low"),
    *("change_of_range_high", "worse", "better", "worse_rate", "better_rate", "regress", "gain", "sign_test_p_worse"),
    *("old_mean", "new_mean"),
)
MLFLOW = re.compile(r"(.+?)(/v\d+)?/score")
"""Columns of MLflow's evaluation tables: `toxicity/v1/score`."""


def graded_columns(table: PredictionTable, settings: PredictionSettings) -> list[str]:
    """Names of the columns with graded scores, sorted."""
    if settings.graded is not None:
        return sorted(settings.graded)
    schema = table.table.schema
    return sorted(field.name for field in schema if MLFLOW.fullmatch(field.name) and is_number(field.type))


def graded_measures(joined: Joined, settings: PredictionSettings) -> list[Measure]:
    """`graded_change` for each metric and split. With D = new - old of each example, turned so that higher is better:

    - change: mean of D, with a normal interval over clusters; range: of the metric; change_of_range: change / range, likewise
    - worse_rate: share of D < -dead_band * range; better_rate: of D > dead_band * range
    - regress: mean |D| of those that are worse; gain: mean D of those that are better
    - sign_test_p_worse: exact one-sided sign test (McNemar's for scores of 0 and 1)

    A column that one dump lacks has no statistics but the reason. Raises ComparisonError for one that the settings name and that is not
    there, and for values that are missing or not finite.
    """
    import numpy as np

    names = sorted({*graded_columns(joined.old, settings), *graded_columns(joined.new, settings)})
    found = []
    splits = sorted(set(joined.splits.tolist()))
    clusters, weights = clusters_of(joined, settings), weights_of(joined)
    for name in names:
        lacking = next((one for one in (joined.old, joined.new) if not one.has(name)), None)
        if settings.graded is None and lacking is not None:
            undefined = dict.fromkeys(STATISTICS, f"{lacking.path} has no {name!r}")
            labels = {"metric": name.removesuffix("/score")}
            found.append(Measure("graded_change", f"graded/{name}", {}, undefined, labels))
            continue
        old, new = (_scores(one, name) for one in (joined.old, joined.new))
        width = _range(name, np.concatenate([old, new]), settings)
        change = (old - new) if name in settings.lower_is_better else (new - old)
        for split in splits:
            rows = joined.splits == split
            labels = {"metric": name.removesuffix("/score"), "split": split}
            shown = f"graded/{name}" if len(splits) == 1 else f"graded/{split}/{name}"
            columns, undefined = graded_change(
                change[rows],
                width,
                settings,
                None if clusters is None else clusters[rows],
                None if weights is None else weights[rows],
            )
            if columns:
                columns["old_mean"] = float(np.average(old[rows], weights=None if weights is None else weights[rows]))
                columns["new_mean"] = float(np.average(new[rows], weights=None if weights is None else weights[rows]))
            found.append(Measure("graded_change", shown, columns, undefined, labels, headline=HEADLINE))
    return found


def _scores(table: PredictionTable, name: str) -> "NDArray[np.float64]":
    import numpy as np
    import pyarrow as pa

    if not table.has(name):
        raise ComparisonError(f"{table.path}: no column {name!r}, which the other dump has (or the settings name)")
    column = table.table.column(name)
    try:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    except (pa.ArrowException, ValueError):
        raise ComparisonError(f"{table.path}: column {name!r} must hold numbers; it holds {column.type}") from None
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        ids = table.table.column("example_id").take(bad[:FIRST_OFFENDERS]).to_pylist()
        raise ComparisonError(
            f"{table.path}: {name!r} is missing or not finite in {len(bad):,} of {len(values):,} joined rows: "
            f"{', '.join(str(one) for one in ids)}"
        )
    return values


def _range(name: str, values: "NDArray[np.float64]", settings: PredictionSettings) -> float:
    if name in settings.ranges:
        if not settings.ranges[name] > 0:
            raise ComparisonError(f"the range of {name!r} must be positive; it is {settings.ranges[name]:g}")
        return settings.ranges[name]
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 100:
        return 1.0 if high <= 1 else 100.0
    return high - low


def graded_change(
    change: "NDArray[np.float64]",
    width: float,
    settings: PredictionSettings,
    clusters: "NDArray[np.int64] | None" = None,
    weights: "NDArray[np.float64] | None" = None,
) -> tuple[dict[str, float], dict[str, str]]:
    """Statistics of changes, shape (n,), positive where better, of a metric of this range. See `graded_measures`."""
    import numpy as np

    weight = np.ones(len(change)) if weights is None else weights
    total = float(weight.sum())
    if not total > 0:
        return {}, {"change": "there are no examples with a weight"}
    worse, better = change < -settings.dead_band * width, change > settings.dead_band * width
    mean = float((change * weight).sum() / total)
    columns = {
        "examples": float(len(change)),
        "range": width,
        "change": mean,
        "change_of_range": mean / width if width else 0.0,
        "worse": float(worse.sum()),
        "better": float(better.sum()),
        "worse_rate": float(weight[worse].sum() / total),
        "better_rate": float(weight[better].sum() / total),
        "sign_test_p_worse": mcnemar(int(worse.sum()), int(better.sum()), mid_p=settings.mid_p)[1],
    }
    undefined: dict[str, str] = {}
    for name, flags, what in (("regress", worse, "worse"), ("gain", better, "better")):
        if weight[flags].sum() > 0:
            columns[name] = float((np.abs(change[flags]) * weight[flags]).sum() / weight[flags].sum())
        else:
            undefined[name] = f"no example is {what}"
    half = _half_width(change, weight, mean, clusters, settings.confidence)
    for suffix, sign in (("low", -1.0), ("high", 1.0)):
        if half is None:
            why = "an interval needs 2 clusters of examples or more"
            undefined |= {f"change_{suffix}": why, f"change_of_range_{suffix}": why}
        else:
            bound = mean + sign * half
            columns |= {f"change_{suffix}": bound, f"change_of_range_{suffix}": bound / width if width else 0.0}
    return columns, undefined


def _half_width(
    change: "NDArray[np.float64]",
    weight: "NDArray[np.float64]",
    mean: float,
    clusters: "NDArray[np.int64] | None",
    confidence: float,
) -> float | None:
    """Half of Student's interval of a weighted mean over clusters, by linearisation of the ratio (Cochran, Sampling Techniques, 1977)."""
    import numpy as np
    from scipy import stats

    residuals: NDArray[np.float64] = (change - mean) * weight
    if clusters is not None:
        _, numbers = np.unique(clusters, return_inverse=True)
        residuals = np.bincount(numbers, residuals).astype(np.float64)
    count = len(residuals)
    if count < 2:
        return None
    error = float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / weight.sum())
    return error * float(stats.t.ppf(0.5 + confidence / 2, count - 1))
