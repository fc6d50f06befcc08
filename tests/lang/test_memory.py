"""What depends on all that came before it, against definitions written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.lang.memory import changed, due, new_optimum

STEPS = st.lists(st.integers(0, 300), min_size=1, max_size=60).map(sorted)
VALUES = st.lists(st.one_of(st.floats(-5, 5), st.sampled_from([np.nan, np.inf, -np.inf])), max_size=60)


def ints(steps: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(steps, dtype=np.int64)


def test_the_example_of_the_documentation() -> None:
    """Saved every three steps and checked every ten: after a check at 21 the next one is at 33, since 31 and 32 are not saved."""
    steps = ints(list(range(0, 60, 3)))
    found = steps[due(steps, 10, 21) > 0].tolist()
    assert found == [21, 33, 45, 57]


def test_the_first_check_has_enough_behind_it() -> None:
    assert ints([0, 4, 8, 12, 16])[due(ints([0, 4, 8, 12, 16]), 10, 0) > 0].tolist() == [12]
    assert ints([0, 4, 8, 12, 16])[due(ints([0, 4, 8, 12, 16]), 10, 13) > 0].tolist() == [16]
    assert due(ints([5]), 10, 0).tolist() == [0.0]


@given(STEPS, st.integers(1, 50), st.integers(0, 200))
@settings(deadline=None, max_examples=200)
def test_checks_are_due_as_a_plain_loop_has_them(steps: list[int], every: int, start: int) -> None:
    expected, last = [0.0] * len(steps), steps[0]
    for row, step in enumerate(steps):
        if step >= last + every and step >= start:
            expected[row], last = 1.0, step
    assert due(ints(steps), every, start).tolist() == expected


@pytest.mark.parametrize("every", [np.inf, 1e300, np.nan])
def test_steps_that_never_come(every: float) -> None:
    assert not due(ints([0, 10, 2**62]), every, -np.inf).any()


def test_extreme_steps() -> None:
    top = 2**63 - 1
    assert due(ints([-(2**63), 0, top]), 10, -np.inf).tolist() == [0.0, 1.0, 1.0]
    assert due(ints([]), 10, 0).tolist() == []


@given(VALUES, st.floats(0, 2))
@settings(deadline=None, max_examples=200)
def test_an_optimum_is_better_than_the_last_one_by_the_margin(values: list[float], delta: float) -> None:
    found = new_optimum(np.array(values, dtype=np.float64), delta)
    optima = [value for value, is_new in zip(values, found, strict=True) if is_new]
    assert all(np.isfinite(optima))
    assert all(after < before - delta for before, after in itertools.pairwise(optima))
    best = np.inf
    for value, is_new in zip(values, found, strict=True):
        if is_new:
            best = value
        elif np.isfinite(value):
            assert not value < best - delta


def test_small_steps_add_up() -> None:
    """0.004 a step: with a margin of 0.01 each third step is an optimum, though none is better than the one before by as much."""
    assert new_optimum(1 - 0.004 * np.arange(7, dtype=np.float64), 0.01).tolist() == [1, 0, 0, 1, 0, 0, 1]


def test_changed_is_numpy_isclose() -> None:
    values = np.array([1.0, 1.0, 1.000009, 1.1, np.nan, np.nan, np.inf, np.inf])
    assert np.isnan(changed(values, 1e-5, 1e-8)[0])
    assert changed(values, 1e-5, 1e-8)[1:].tolist() == [0, 0, 1, 1, 1, 1, 0]
    assert changed(values, 1e-5, 1e-8, equal_nan=True)[1:].tolist() == [0, 0, 1, 1, 0, 1, 0]
    assert changed(values[:0], 1e-5, 1e-8).tolist() == []
