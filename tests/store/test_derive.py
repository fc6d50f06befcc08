"""Facts as series: what restarts, clocks, sources and hyperparameters say follows from their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.store import derive
from mlcheck.store.build import build_run
from mlcheck.store.series import Fact, Imported, Run, Series
from tests.store.builders import START, by_tag, imported, raw


def build(*files: Imported) -> Run:
    return build_run("run", "run", [("", file) for file in files])


def rows(series: Series) -> list[dict[str, float]]:
    return [
        {"step": int(series.steps[i]), **{name: float(column[i]) for name, column in series.columns.items()}}
        for i in range(len(series))
    ]


def restarts(run: Run) -> list[dict[str, float]]:
    found = [one for one in run.series if one.role == "restart"]
    return rows(found[0]) if found else []


def quiet(row: dict[str, float]) -> bool:
    return (row["value"], row["overlap"], row["duplicates"], row["stuck"]) == (0, 0, 0, 0)


def test_a_plain_run_has_one_row_that_says_so() -> None:
    (row,) = restarts(build(imported(raw("train/loss", range(5, 15)))))
    assert quiet(row)
    assert row["step"] == 5


def test_restart_with_overlap() -> None:
    first = raw("train/loss", range(100), np.linspace(3, 1, 100).tolist())
    second = raw("train/loss", range(91, 120), [1.5] * 29, begin=1000)
    (row,) = restarts(build(imported(first), imported(second, first=1000, path="events-2")))
    assert (row["step"], row["value"], row["overlap"]) == (91, 1, 9)
    # Level before: median of the values at steps 89, 90 and 91 of the first file.
    assert row["jump"] == pytest.approx(1.5 / (3 - 2 * 90 / 99))
    assert row["gap_s"] == 1000 - 99


def test_one_repeated_step_is_an_overlap_of_one() -> None:
    files = (imported(raw("loss", [1000, 2000])), imported(raw("loss", [2000, 3000], begin=60), first=60, path="b"))
    assert [row["overlap"] for row in restarts(build(*files))] == [1]


def test_a_file_that_goes_on_is_no_restart() -> None:
    files = (imported(raw("loss", range(10))), imported(raw("loss", range(10, 20), begin=60), first=60, path="b"))
    (row,) = restarts(build(*files))
    assert (row["value"], row["overlap"]) == (0, 0)


def test_restart_from_the_beginning_is_no_jump() -> None:
    values = [4.0, 3.0, 2.0, 1.0]
    files = (
        imported(raw("loss", range(4), values)),
        imported(raw("loss", range(4), values, begin=60), first=60, path="b"),
    )
    (row,) = restarts(build(*files))
    assert row["overlap"] == 4
    # After: median of 4, 3, 2; before, at step 0: 4.
    assert row["jump"] == pytest.approx(3 / 4)


def test_a_nan_level_is_an_unknown_jump() -> None:
    files = (
        imported(raw("loss", [1, 2], [1.0, 1.0])),
        imported(raw("loss", [2], [math.nan], begin=60), first=60, path="b"),
    )
    assert math.isnan(restarts(build(*files))[0]["jump"])


def test_several_values_at_one_step() -> None:
    run = build(imported(raw("loss", [0, 0, 1, 1, 2, 2], [0.7, 0.0, 0.6, 0.0, 0.5, 0.5])))
    (row,) = restarts(run)
    assert (row["step"], row["value"], row["duplicates"], row["overlap"]) == (0, 1, 2, 0)


def test_a_step_that_never_advances() -> None:
    run = build(imported(raw("loss", [1] * 10)))
    (row,) = restarts(run)
    assert (row["step"], row["stuck"], row["duplicates"]) == (1, 10, 0)


def test_repeated_epoch_counters_are_nothing() -> None:
    run = build(imported(raw("epoch", [12, 12, 25, 25], [0, 0.5, 1, 1.5]), raw("train_loss", [12, 25])))
    assert [quiet(row) for row in restarts(run)] == [True]


def test_clock_has_one_row_a_step_and_a_break_between_sessions() -> None:
    first = imported(raw("loss", [0, 10, 20]), raw("lr", [0, 10, 20]))
    second = imported(raw("loss", [20, 30], begin=5000), first=5000, path="b")
    clock = by_tag(build(first, second).series, "mlcheck/clock")
    expected = [0, 1, 2, math.nan, 5000, 5001]
    assert clock.steps.tolist() == [0, 10, 20, 20, 20, 30]
    np.testing.assert_array_equal(clock.columns["value"] - START, expected)
    assert clock.segments.tolist() == [0, 3]
    gaps = np.diff(clock.live.columns["value"])
    assert np.nanmax(gaps) == 1


def test_evaluation_fills_the_clock() -> None:
    run = build(imported(raw("train/loss", [0, 10], wall=100), raw("val/loss", [5], begin=50)))
    assert np.diff(by_tag(run.series, "mlcheck/clock").columns["value"]).tolist() == [50, 50]


def test_clock_tells_of_evaluations_between_rows() -> None:
    # The evaluation logs under the step at which training stood, 50 s later.
    run = build(imported(raw("train/loss", [0, 10, 20], wall=100), raw("val/loss", [10], begin=150)))
    clock = by_tag(run.series, "mlcheck/clock")
    assert clock.steps.tolist() == [0, 10, 20]
    assert clock.columns["evaluation"].tolist() == [0, 0, 1]


def test_no_clock_without_wall_times() -> None:
    run = build(imported(raw("train/loss", [0, 10], wall=math.nan)))
    assert not [one for one in run.series if one.role == "clock"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, (0, 0, 0, 0)),
        ({"status": "ignored"}, (0, 0, 0, 0)),
        ({"status": "partial", "lost_bytes": 12, "tail_only": True}, (1, 12, 1, 0)),
        ({"status": "unreadable", "lost_bytes": 500}, (1, 500, 0, 1)),
    ],
)
def test_source(status: dict[str, object], expected: tuple[float, ...]) -> None:
    run = build(imported(raw("loss", range(3)), path="a/b", **status))
    source = by_tag(run.series, "mlcheck/source/a/b")
    names = ("value", "bytes_lost", "tail_only", "unreadable")
    assert tuple(source.columns[name][0] for name in names) == expected
    assert source.labels["source"] == "a/b"


def test_hyperparameters_that_are_numbers() -> None:
    facts = [
        Fact("max_steps", 100.0, "args"),
        Fact("dropout", 0.5, "args"),
        Fact("name", "x", "args"),
        Fact("amp", True, "args"),
    ]
    run = build(imported(raw("loss", range(3)), facts=facts))
    found = {one.labels["metric"]: float(one.columns["value"][0]) for one in run.series if one.role == "hparam"}
    assert found == {"planned_steps": 100, "max_steps": 100, "dropout": 0.5}


def test_hyperparameters_that_contradict_each_other_are_left_out() -> None:
    facts = [Fact("dropout", 0.5, "args"), Fact("dropout", 0.1, "hparams")]
    run = build(imported(raw("loss", range(3)), facts=facts))
    assert not [one for one in run.series if one.role == "hparam"]


def test_a_tag_may_be_called_like_a_fact() -> None:
    run = build(imported(raw("mlcheck/clock", range(3)), raw("loss", range(3))))
    names = [one.name for one in run.series]
    assert len(names) == len(set(names))
    assert by_tag(run.series, "mlcheck/clock").kind == "scalar"


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 6), min_size=1, max_size=5).map(sorted),
            st.sampled_from([0.0, 0.5, 3.0]),
            st.sampled_from([0, 1]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_clock_has_the_first_wall_time_of_each_step(logged: list[tuple[list[int], float, int]]) -> None:
    """Series that share their steps are put together first; the definition knows nothing of that."""
    pieces = []
    for steps, late, unknown in logged:
        walls = np.array(steps, dtype=np.float64) * 10 + late
        walls[:unknown] = np.nan
        pieces.append((np.array(steps, dtype=np.int64), walls))
    known = [(steps[np.isfinite(walls)], walls[np.isfinite(walls)]) for steps, walls in pieces]
    merged = derive._earliest(known)
    expected: dict[int, float] = {}
    for steps, walls in known:
        for step, wall in zip(steps.tolist(), walls.tolist(), strict=True):
            expected[step] = min(wall, expected.get(step, math.inf))
    steps, walls = (np.concatenate([piece[at] for piece in merged]) for at in (0, 1))
    found = derive._first_walls(steps, walls, np.ones(len(steps), dtype=bool))
    assert dict(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected
