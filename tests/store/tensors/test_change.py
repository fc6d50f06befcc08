"""Statistics against the step before, by their definitions (naive.py)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.tensors import measure as measuring
from mlcheck.store.tensors import queue, scratch
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

from . import naive
from .support import DTYPES, same, series_of, tensors

KEYS = ("update_l2", "update_ratio(1e-09)", "changed(1e-05,1e-08)", "changed(0.1,0,True)")

lists = st.sampled_from(DTYPES).flatmap(lambda dtype: st.lists(tensors((3, 4), (dtype,)), min_size=2, max_size=6))


def assert_compared(columns, arrays):
    for key in KEYS:
        assert math.isnan(columns[key][0])
    for step in range(1, len(arrays)):
        new, old = arrays[step], arrays[step - 1]
        expected = naive.compared(new, old, 1e-9, 1e-5, 1e-8, False)
        largest = max(np.abs(one[np.isfinite(one)].astype(np.float64)).max(initial=0) for one in (new, old))
        # What numbers differ by is known to 1e-16 of them.
        assert same(float(columns[KEYS[0]][step]), expected["update_l2"], 1e-9 * largest)
        assert same(float(columns[KEYS[1]][step]), expected["update_ratio"], 1e-9)
        assert same(float(columns[KEYS[2]][step]), expected["changed"])
        assert same(float(columns[KEYS[3]][step]), naive.compared(new, old, 0, 0.1, 0, True)["changed"])


@settings(deadline=None, max_examples=100)
@given(lists)
def test_against_the_step_before(arrays):
    assert_compared(series_of(KEYS, arrays).columns, arrays)


def test_pieces_of_a_large_tensor_are_compared_like_the_whole(monkeypatch):
    for module in (measuring, scratch):
        monkeypatch.setattr(module, "PIECE", 8)
    monkeypatch.setattr(queue, "SMALL", -1)
    monkeypatch.setattr("mlcheck.store.tensors.collect.SMALL", -1)

    @settings(deadline=None, max_examples=100)
    @given(lists)
    def check(arrays):
        assert_compared(series_of(KEYS, arrays).columns, arrays)

    check()


@pytest.mark.parametrize("shape", [(4,), (32, 32), (300, 300)])
def test_many_tensors_step_by_step_are_compared_each_with_itself(shape):
    generator = np.random.default_rng(0)
    steps = [[generator.normal(size=shape).astype(np.float32) for _ in range(5)] for _ in range(12)]
    collector = TensorCollector(Request(any_role=frozenset(KEYS)))
    buffer = np.empty(shape, np.float32)
    for step, arrays in enumerate(steps):
        for number, array in enumerate(arrays):
            # Importers read all tensors into one buffer.
            buffer[...] = array
            collector.track(f"weights/layer{number}.weight").add(step, 0.0, buffer)
    found = collector.series()
    assert [one.tag for one in found] == [f"weights/layer{number}.weight" for number in range(5)]
    for number, one in enumerate(found):
        assert one.steps.tolist() == list(range(12))
        assert_compared(one.columns, [arrays[number] for arrays in steps])


def test_name_by_name_and_rows_at_once_give_the_same():
    arrays = np.random.default_rng(1).normal(size=(100, 5, 7))
    collector = TensorCollector(Request(any_role=frozenset(KEYS)))
    for tag in ("weights/a.weight", "weights/b.weight"):
        track = collector.track(tag)
        track.add_rows(np.arange(100), np.full(100, np.nan), arrays)
        track.done()
    first, second = collector.series()
    assert_compared(first.columns, list(arrays))
    for key, column in first.columns.items():
        np.testing.assert_array_equal(column, second.columns[key])


def test_another_shape_has_nothing_to_be_compared_with():
    found = series_of(KEYS, [np.ones((3, 4)), np.zeros((4, 3)), np.ones((4, 3)), np.ones((4, 4))])
    assert np.isnan(found.columns["update_l2"]).tolist() == [True, True, False, True]
    assert found.columns["changed(1e-05,1e-08)"][2] == 1


def test_a_step_that_was_not_read_is_not_passed_over():
    collector = TensorCollector(Request(any_role=frozenset(KEYS)))
    track = collector.track("weights/a.weight")
    track.add(0, 0.0, np.ones(3))
    track.add_unread(1, 0.0, (3,), np.float64)
    track.add(2, 0.0, np.ones(3))
    (found,) = collector.series()
    assert found.columns["count"].tolist() == [3, 3, 3]
    assert np.isnan(found.columns["update_l2"]).all()


@pytest.mark.parametrize("size", [100, 30_000])
def test_the_same_in_another_precision_is_compared_by_value(size):
    wide = np.random.default_rng(3).normal(size=size)
    found = series_of(KEYS, [wide, wide.astype(np.float32), wide.astype(np.float32)])
    assert found.columns["changed(1e-05,1e-08)"].tolist()[1:] == [0, 0]
    assert found.columns["update_l2"][1] == pytest.approx(np.linalg.norm(wide.astype(np.float32) - wide))
    assert found.columns["update_l2"][2] == 0


def test_unchanged_tensors_of_debugger():
    """UnchangedTensor with num_steps 3: ones at steps 0, 1, 2 and another tensor of ones at 5 do not differ (rules.md)."""
    found = series_of(("changed(1e-05,1e-08)",), [np.ones((10, 3))] * 4)
    assert np.isnan(found.columns["changed(1e-05,1e-08)"][0])
    assert found.columns["changed(1e-05,1e-08)"][1:].tolist() == [0, 0, 0]
