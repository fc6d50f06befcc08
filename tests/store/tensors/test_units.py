"""Units: where they lie, their statistics, and how often they are outside a range."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.series import Hints
from mlcheck.store.tensors import units
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

from . import naive
from .support import assert_same, row, same, series_of, tensors

CHANNELS = (
    "channel_zero", "channel_constant", "channel_mean_max", "channel_std_max", "channel_std_min", "channel_shift_max",
)  # fmt: skip
LAST = Hints(data_format="channels_last")


def axis_of(tag, ndim, hints):
    """Axis of the units: 0 of weights, last of kernels and matrices rows go through, 1 of activations (channels_last: last)."""
    if tag.startswith("activations"):
        return ndim - 1 if hints is LAST else min(1, ndim - 1)
    matrix = ndim == 2 and tag.endswith(("/W1", "/dW1", "/coefs_0"))
    return ndim - 1 if "kernel" in tag or matrix else 0


PLACES = [
    ("weights/fc1.weight", None),
    ("gradients/fc1.weight", None),
    ("weights/dense/kernel:0", None),
    ("gradients/conv/kernel", None),
    ("weights/W1", None),
    ("gradients/dW1", None),
    ("weights/coefs_0", None),
    ("activations/relu1", None),
    ("activations/relu1", LAST),
]


def assert_units(array, tag, hints):
    found = row((*CHANNELS, "channels"), array, tag, hints)
    # Every tensor is taken apart unit by unit.
    split = np.moveaxis(array, axis_of(tag, array.ndim, hints), 0) if array.ndim else array.reshape(1)
    expected = naive.units(list(split))
    flat = array.astype(np.float64).reshape(-1)
    largest = np.abs(flat[np.isfinite(flat)]).max(initial=0)
    # numpy's own spread of values much larger than it is not known better than this.
    assert_same(
        found,
        {key: value for key, value in expected.items() if key != "channel_shift_max"},
        channel_mean_max=1e-6 * largest,
        channel_std_max=1e-6 * largest,
        channel_std_min=1e-6 * largest,
    )
    assert found["channels"] == len(split)
    if expected["channel_std_min"] > 1e-6 * largest or not expected["channel_std_max"] > 0:
        assert same(found["channel_shift_max"], expected["channel_shift_max"], 1e-6)


def usable(array):
    """Squares that float64 holds with all its digits."""
    size = np.abs(array.astype(np.float64))
    return not (((size > 1e100) & (size < math.inf)) | ((size > 0) & (size < 1e-100))).any()


@settings(deadline=None, max_examples=200)
@given(tensors().filter(usable), st.sampled_from(PLACES))
def test_units_by_role_and_layout(array, place):
    assert_units(array, *place)


def test_units_of_large_tensors(monkeypatch):
    monkeypatch.setattr(units, "PIECE", 8)

    @settings(deadline=None, max_examples=100)
    @given(tensors().filter(usable), st.sampled_from(PLACES))
    def check(array, place):
        assert_units(array, *place)

    check()


@pytest.mark.parametrize(("tag", "hints"), PLACES)
@pytest.mark.parametrize("shape", [(7, 11, 20, 50), (3, 25_000), (25_000, 3), (2, 3, 12_000)])
def test_units_of_really_large_tensors(tag, hints, shape):
    array = np.random.default_rng(4).normal(size=shape).astype(np.float32) + 5
    array[0, 0] = 0
    assert_units(array, tag, hints)


def test_fan_in():
    assert row(("fan_in",), np.ones((8, 3, 5, 5)), "weights/conv.weight")["fan_in"] == 75
    assert row(("fan_in",), np.ones((5, 5, 3, 8)), "weights/conv/kernel:0")["fan_in"] == 75
    assert row(("fan_in",), np.ones((20, 10)), "weights/dense/kernel")["fan_in"] == 20
    assert row(("fan_in", "channels"), np.ones(7), "weights/fc.bias") == {"count": 7, "fan_in": 1, "channels": 7}


def test_units_outside_a_range_over_time():
    """3 units over 4 steps of 5 samples: one is always out, one half of the time, one never."""
    key = "units_outside(-0.98,0.98,0.75)"
    generator = np.random.default_rng(0)
    arrays, seen, outside, expected = [], 0, np.zeros(3), []
    for step in range(4):
        array = generator.uniform(-0.9, 0.9, size=(5, 3))
        array[:, 0] = 0.98
        array[:, 1] = -1.0 if step % 2 == 0 else 0.0
        arrays.append(array)
        seen += 5
        outside += [5, 5 if step % 2 == 0 else 0, 0]
        expected.append(np.mean(outside / seen >= 0.75))
    found = series_of((key, "samples"), arrays, "activations/tanh1")
    assert found.columns[key].tolist() == expected == [2 / 3, 1 / 3, 1 / 3, 1 / 3]
    assert found.columns["samples"].tolist() == [5, 10, 15, 20]


@pytest.mark.parametrize("positions", [1, 6, 20_000])
def test_every_position_counts_and_the_last_batch_may_be_smaller(positions):
    key = "units_outside(0,inf,0.99)"
    generator = np.random.default_rng(1)
    arrays = []
    for batch in (4, 4, 2):
        array = generator.uniform(0.1, 1, size=(batch, 3, positions))
        array[:, 1] = -1.0
        array[0, 2, 0] = -1.0
        arrays.append(array)
    collector = TensorCollector(Request(any_role=frozenset({key, "samples"})))
    track = collector.track("activations/relu1")
    for step, array in enumerate(arrays):
        track.add(step, 0.0, array)
    (found,) = collector.series()
    # 3 of 10 values of unit 2 are out where there is one position; never 99 %.
    assert found.columns[key].tolist() == [1 / 3] * 3
    assert found.columns["samples"].tolist() == [4, 8, 10]
    assert collector.problems() == ()


def test_values_that_are_no_numbers_are_not_outside():
    key = "units_outside(-1,1,0.5)"
    array = np.array([[np.nan, np.inf], [np.nan, 0.0]], dtype=np.float32)
    assert row((key,), array, "activations/a")[key] == 0.5
    assert math.isnan(row((key,), np.empty((0, 2)), "activations/a")[key])


def test_two_tensors_in_turn_keep_their_own_counts():
    key = "units_outside(0,inf,1)"
    collector = TensorCollector(Request(any_role=frozenset({key})))
    for step in range(3):
        collector.track("activations/dead").add(step, 0.0, np.zeros((2, 4), np.float32))
        collector.track("activations/live").add(step, 0.0, np.full((2, 4), float(step), np.float32))
    dead, live = collector.series()
    assert dead.columns[key].tolist() == [1, 1, 1]
    # At step 0 all are zero; then two of four, two of six samples are.
    assert live.columns[key].tolist() == [1, 0, 0]


def test_an_activation_with_one_axis_is_one_sample():
    found = row(("channels", "samples", "channel_zero", "channel_std_max"), np.array([0.0, 1.0, 2.0]), "activations/a")
    assert (found["channels"], found["samples"], found["channel_zero"]) == (3, 1, 1 / 3)
    assert math.isnan(found["channel_std_max"])


def test_share_is_reached_exactly():
    """7 of 100 is 0.07, though 0.07 * 100 is more than 7 in floating point."""
    key = "units_outside(0,inf,0.07)"
    array = np.ones((100, 1))
    array[:7] = 0
    assert row((key,), array, "activations/a")[key] == 1.0
