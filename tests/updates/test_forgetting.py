"""Flips between the checkpoints of one run, against the definitions on histories written by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.base import Measure
from mlcheck.updates.forgetting import forgetting_applies, measure_forgetting
from mlcheck.updates.intervals import mcnemar, proportion_interval
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.table import PredictionTable
from tests.updates.dumps import named

STEPS = (100, 200, 300, 400)


def _dump(histories: list[str], steps: tuple[int | None, ...] = STEPS) -> PredictionTable:
    """Each history is one example: `1011` is right at the first, third and fourth step; `.` is no row."""
    rows = [
        {"example_id": f"e{place}", "step": step, "label": 1, "prediction": int(mark)}
        for place, history in enumerate(histories)
        for mark, step in zip(history, steps, strict=True)
        if mark != "."
    ]
    return PredictionTable("p", pa.Table.from_pylist(rows))


def _total(dump: PredictionTable) -> dict[str, float]:
    return dict(named(measure_forgetting(dump), "forgetting/total").columns)


def _steps(measures: list[Measure]) -> list[tuple[int, float, float]]:
    return [
        (one.step, one.columns["negative_flip_rate"], one.columns["positive_flip_rate"])
        for one in measures
        if one.name == "forgetting"
    ]


def test_definitions() -> None:
    found = _total(_dump(["1111", "0000", "0110", "1010", "0111"]))
    assert found["examples"] == 5
    assert found["best_step"] == 300
    assert found["forgetting_events"] == 3, "0110 once, 1010 twice"
    assert found["forgetting_events_per_example"] == 3 / 5
    assert found["never_learnt_rate"] == 1 / 5
    assert found["forgotten_rate"] == 2 / 5
    assert found["regret_rate"] == 2 / 5
    assert found["gained_rate"] == 0
    assert found["accuracy_change"] == -2 / 5
    assert (found["regret_rate_low"], found["regret_rate_high"]) == proportion_interval(2, 5, 0.95)
    assert found["mcnemar_p_worse"] == mcnemar(2, 0)[1]
    assert found["mcnemar_p_worse_adjusted"] == pytest.approx(3 * mcnemar(2, 0)[1])


def test_flips_from_step_to_step() -> None:
    measures = measure_forgetting(_dump(["1111", "0000", "0110", "1010", "0111"]))
    assert _steps(measures) == [(200, 1 / 5, 2 / 5), (300, 0, 1 / 5), (400, 2 / 5, 0)]


@given(st.lists(st.text("01", min_size=4, max_size=4), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_against_the_histories_themselves(histories: list[str]) -> None:
    right = np.array([[mark == "1" for mark in history] for history in histories])
    found = _total(_dump(histories))
    assert found["forgetting_events"] == sum(history.count("10") for history in histories)
    assert found["never_learnt_rate"] == pytest.approx(np.mean(~right.any(axis=1)))
    best = max(range(4), key=lambda step: (right[:, step].sum(), step))
    assert found["best_step"] == STEPS[best]
    assert found["regret_rate"] == pytest.approx(np.mean(right[:, best] & ~right[:, -1]))
    assert found["regret_rate"] - found["gained_rate"] == pytest.approx(-found["accuracy_change"])


def test_rows_without_a_step_are_the_last() -> None:
    found = _total(_dump(["11", "10"], (7, None)))
    assert found["best_step"] == 7
    assert found["regret_rate"] == 0.5


def test_examples_that_a_step_lacks_are_left_out_and_counted() -> None:
    found = _total(_dump(["1111", "1.11", "1110"]))
    assert found["examples"] == 2
    assert found["left_out"] == 1


def test_one_step_measures_nothing() -> None:
    dump = _dump(["1", "0"], (5,))
    assert not forgetting_applies(dump)
    assert measure_forgetting(dump) == []


def test_what_applies() -> None:
    assert forgetting_applies(_dump(["10"], (1, 2)))
    assert not forgetting_applies(PredictionTable("p", pa.table({"example_id": ["a"], "step": [1], "prediction": [1]})))


def test_churn_between_steps_counts_other_wrong_answers() -> None:
    table = pa.table({"example_id": ["a", "a", "a"], "step": [1, 2, 3], "label": [9, 9, 9], "prediction": [1, 2, 2]})
    found = [
        one.columns["churn_rate"] for one in measure_forgetting(PredictionTable("p", table)) if one.name == "forgetting"
    ]
    assert found == [1.0, 0.0]


def test_numbers_without_a_tolerance_have_a_reason() -> None:
    table = pa.table({"example_id": ["a", "a"], "step": [1, 2], "label": [0.5, 0.5], "prediction": [0.4, 0.5]})
    (found,) = measure_forgetting(PredictionTable("p", table))
    assert "tolerance" in found.undefined["regret_rate"]
    assert named(
        measure_forgetting(PredictionTable("p", table), PredictionSettings(tolerance=0.05)), "forgetting/total"
    )
