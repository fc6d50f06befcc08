"""Restarts, cyclic counters and rows out of order are told apart."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.stretches import stretches


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_ascending_steps_are_one_stretch() -> None:
    found = stretches(ints(0, 1, 1, 5))
    assert found.starts.tolist() == [0]
    assert found.steps.tolist() == [0, 1, 1, 5]


def test_a_step_that_goes_back_begins_a_stretch() -> None:
    assert stretches(ints(0, 1, 2, 3, 1, 2)).starts.tolist() == [0, 4]


def test_restarts_of_different_lengths_are_restarts() -> None:
    steps = np.concatenate([np.arange(n) for n in (3, 50, 7, 20)])
    assert stretches(steps).starts.tolist() == [0, 3, 53, 60]


def test_a_cyclic_counter_is_counted_on() -> None:
    steps = np.tile(np.arange(0, 100, 10), 5)
    found = stretches(steps)
    assert found.starts.tolist() == [0]
    assert found.steps.tolist() == list(range(0, 500, 10))
    assert "counted on by 100" in found.note


def test_a_cyclic_counter_may_end_within_a_cycle() -> None:
    steps = np.concatenate([np.tile(np.arange(8), 4), np.arange(3)])
    assert stretches(steps).steps.tolist() == list(range(35))


def test_two_falls_are_no_cycle() -> None:
    assert len(stretches(np.tile(np.arange(10), 3)).starts) == 3


def test_rows_out_of_order_are_sorted_and_keep_their_values() -> None:
    steps = np.arange(1000)
    steps[[100, 101, 300, 301, 500, 501]] = steps[[101, 100, 301, 300, 501, 500]]
    found = stretches(steps)
    assert found.order is not None
    assert np.array_equal(steps[found.order], np.arange(1000))
    assert found.starts.tolist() == [0]


def test_empty() -> None:
    assert stretches(ints()).starts.tolist() == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_stretches_ascend_and_keep_all_rows(values: list[int]) -> None:
    steps = np.array(values, dtype=np.int64)
    found = stretches(steps)
    assert len(found.steps) == len(steps)
    bounds = [*found.starts.tolist(), len(steps)]
    for start, stop in pairwise(bounds):
        piece = found.steps[start:stop].tolist()
        assert piece == sorted(piece)
