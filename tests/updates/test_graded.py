"""Graded scores of examples."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.predictions import measure_predictions
from tests.updates.dumps import named, table

ROUGE = "rouge/score"


def _measure(old: Any, new: Any, name: str = ROUGE, extra: dict[str, Any] | None = None, **told: Any) -> Measure:
    tables = [table(**{name: values}, **(extra or {})) for values in (old, new)]
    return named(measure_predictions(*tables, PredictionSettings(**told)), f"graded/{name}")


def test_the_definition() -> None:
    old, new = [0.5, 0.5, 0.5, 0.5, 0.5], [0.3, 0.4, 0.51, 0.9, 0.5]
    found = _measure(old, new).columns
    assert found["worse_rate"] == 2 / 5
    assert found["better_rate"] == 1 / 5, "0.01 lies within the dead band of 2 % of the range"
    assert found["regress"] == pytest.approx(0.15)
    assert found["gain"] == pytest.approx(0.4)
    assert found["change"] == pytest.approx((-0.2 - 0.1 + 0.01 + 0.4) / 5)
    assert found["range"] == 1.0
    assert (found["old_mean"], found["new_mean"]) == pytest.approx((0.5, 0.522))
    assert found["sign_test_p_worse"] == pytest.approx(stats.binomtest(2, 3, alternative="greater").pvalue)


def test_without_a_dead_band_any_drop_counts() -> None:
    assert _measure([0.5, 0.5], [0.499, 0.5], dead_band=0.0).columns["worse_rate"] == 0.5


def test_the_interval_is_students() -> None:
    random = np.random.default_rng(0)
    old, new = random.random(200), random.random(200)
    found = _measure(old, new).columns
    expected = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (found["change_low"], found["change_high"]) == pytest.approx((expected.low, expected.high))


def test_copies_in_a_cluster_are_no_evidence() -> None:
    random = np.random.default_rng(0)
    old, new = random.random(50), random.random(50)
    once = _measure(old, new).columns
    groups = {"group_id": [f"g{i // 10}" for i in range(500)]}
    many = _measure(np.repeat(old, 10), np.repeat(new, 10), extra=groups).columns
    assert (many["change_low"], many["change_high"]) == pytest.approx((once["change_low"], once["change_high"]))


def test_lower_may_be_better() -> None:
    assert _measure([0.1, 0.2], [0.3, 0.2], lower_is_better=(ROUGE,)).columns["worse"] == 1
    assert _measure([0.1, 0.2], [0.3, 0.2]).columns["better"] == 1


@pytest.mark.parametrize(
    ("values", "told", "expected"),
    [([0, 0.9], {}, 1.0), ([0, 60], {}, 100.0), ([-4, 2], {}, 6.0), ([1, 5], {ROUGE: 4.0}, 4.0)],
)
def test_the_range_of_a_metric(values: list[float], told: dict[str, float], expected: float) -> None:
    assert _measure([values[0]] * 2, [values[1]] * 2, ranges=told).columns["range"] == expected


def test_nothing_got_worse_is_undefined_and_not_zero() -> None:
    found = _measure([0.1, 0.2], [0.5, 0.9])
    assert found.undefined["regress"] == "no example is worse"
    assert "regress" not in found.columns


def test_columns_are_chosen_by_name_and_mean_accuracy_too() -> None:
    """lm-eval: doc_id and a metric of 0 and 1 are enough for McNemar's test."""
    found = _measure([1, 1, 1, 1, 0], [0, 0, 0, 0, 1], "acc", graded=("acc",)).columns
    assert found["sign_test_p_worse"] == pytest.approx(stats.binomtest(4, 5, alternative="greater").pvalue)


def test_a_metric_of_one_dump_only_has_a_reason() -> None:
    measures = measure_predictions(table("old.parquet", **{ROUGE: [0.5]}), table("new.parquet", label=[1]))
    found = named(measures, f"graded/{ROUGE}")
    assert not found.columns
    assert found.undefined["change_of_range"] == "new.parquet has no 'rouge/score'"


def test_scores_that_cannot_be_judged() -> None:
    with pytest.raises(ComparisonError, match="'rouge/score' is missing or not finite in 1 of 2 joined rows: q00001"):
        _measure([0.5, float("nan")], [0.5, 0.5])
    with pytest.raises(ComparisonError, match="no column 'acc'"):
        measure_predictions(table(acc=[1.0]), table(label=[1]), PredictionSettings(graded=("acc",)))
    with pytest.raises(ComparisonError, match="range of 'rouge/score' must be positive"):
        _measure([0.5], [0.5], ranges={ROUGE: 0.0})
