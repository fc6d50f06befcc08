"""Every statistic of one tensor at one step, against its definition (naive.py) to 1e-6 relative.

A mean in which values cancel is compared on the scale of the mean magnitude, a spread that is nothing beside the values on 1e-12 of the
largest: below that float64 numpy itself knows nothing.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.series import Hints
from mlcheck.store.tensors import measure, queue, scratch, units
from mlcheck.store.tensors import values as single_values

from . import naive
from .support import DTYPES, assert_same, row, same, series_of, tensors

ORDER = ("quantile(0.3)", "share_equal(1)", "whole", "distinct", "hash")


def assert_base(found, array):
    expected = naive.base(array)
    scales = {"mean": expected["abs_mean"], "std": 1e-6 * expected["abs_max"]}
    assert_same(found, expected, **{key: 0.0 if math.isnan(value) else value for key, value in scales.items()})


@settings(deadline=None, max_examples=200)
@given(tensors())
def test_base_statistics(array):
    assert_base(row(naive.BASE, array), array)


@settings(deadline=None, max_examples=200)
@given(tensors(), st.sampled_from([0, 0.05, 0.3, 0.5, 0.95, 1]), st.sampled_from([0, 1, 2]))
def test_statistics_of_single_values(array, q, token):
    keys = (f"quantile({q:g})", f"share_equal({token})", *ORDER[2:])
    expected = naive.values(array, q, token)
    found = row(keys, array)
    if math.isfinite(expected["quantile"]) or not np.isfinite(array).any():
        assert same(found[keys[0]], expected["quantile"], abs(naive.base(array)["abs_max"]) * 1e-9)
    assert same(found[keys[1]], expected["share_equal"])
    assert_same(found, {key: expected[key] for key in ORDER[2:]})


@pytest.fixture
def small_pieces(monkeypatch):
    """Blocks of 8 values, and no tensor waits: the path of large tensors."""
    for module in (measure, scratch, units, single_values):
        monkeypatch.setattr(module, "PIECE", 8)
    monkeypatch.setattr(queue, "SMALL", -1)
    monkeypatch.setattr("mlcheck.store.tensors.collect.SMALL", -1)


@pytest.mark.usefixtures("small_pieces")
def test_pieces_of_a_large_tensor_give_what_the_whole_gives():
    @settings(deadline=None, max_examples=150)
    @given(tensors())
    def check(array):
        found = row((*naive.BASE, *ORDER), array)
        assert_base(found, array)
        expected = naive.values(array, 0.3, 1)
        assert_same(found, {"distinct": expected["distinct"], "whole": expected["whole"], "hash": expected["hash"]})
        assert same(found["share_equal(1)"], expected["share_equal"])

    check()


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: st.lists(tensors((3, 4), (dtype,)), min_size=1, max_size=8)))
def test_tensors_that_wait_together_give_what_each_gives_alone(arrays):
    keys = (*naive.BASE, *ORDER, "equal_rows", "channel_zero", "channel_std_max", "channel_shift_max")
    together = series_of(keys, arrays)
    for step, array in enumerate(arrays):
        alone = row(keys, array)
        for key, value in alone.items():
            scale = alone["abs_mean"] if key == "mean" else 0.0
            assert same(float(together.columns[key][step]), value, 0.0 if math.isnan(scale) else scale), key


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
def test_a_tensor_of_many_pieces(dtype):
    array = (np.random.default_rng(1).normal(size=(3, 101, 997)) * 50 + 20).astype(dtype)
    if dtype != "int32":
        array[1, 5, 7], array[2, 3, 4], array[0] = np.nan, np.inf, 0
    found = row((*naive.BASE, "quantile(0.95)", "whole", "hash"), array)
    assert_base(found, array)
    expected = naive.values(array, 0.95, 0)
    assert same(found["quantile(0.95)"], expected["quantile"])
    assert same(found["whole"], expected["whole"])
    assert found["hash"] == expected["hash"]


@pytest.mark.parametrize("size", [1000, 16384, 16385, 200_000])
def test_noise_on_a_large_number_keeps_its_spread(size):
    noise = np.random.default_rng(2).normal(size=size)
    array = 1e8 + noise
    found = row(("mean", "std"), array)
    assert found["std"] == pytest.approx(array.std(), rel=1e-6)
    assert found["mean"] == pytest.approx(array.mean(), rel=1e-12)


def test_a_spread_between_pieces_is_counted():
    array = np.repeat(np.array([1e6, -1e6], dtype=np.float32), 100_000)
    assert row(("std",), array)["std"] == pytest.approx(1e6, rel=1e-9)


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_constant_has_no_spread(size):
    found = row(("std", "mean"), np.full(size, 0.1))
    assert (found["std"], found["mean"]) == (0.0, 0.1)


def test_numbers_near_the_ends_of_integers():
    array = np.array([2**63 - 1, -(2**63), 5], dtype=np.int64)
    found = row(naive.BASE, array)
    assert (found["min"], found["max"], found["abs_max"]) == (-(2.0**63), 2.0**63, 2.0**63)
    unsigned = row(naive.BASE, np.array([2**64 - 1, 0], dtype=np.uint64))
    assert (unsigned["max"], unsigned["zeros"], unsigned["mean"]) == (2.0**64, 1.0, 2.0**63)


def test_numbers_near_the_ends_of_float64():
    found = row(naive.BASE, np.array([1.7e308, -1.7e308, 1e308]))
    assert (found["min"], found["max"], found["nonfinite"]) == (-1.7e308, 1.7e308, 0.0)
    assert found["mean"] == pytest.approx(1e308 / 3)
    # The sum of squares leaves float64, as it does in numpy.
    assert found["l2"] == math.inf
    tiny = np.array([5e-324, 0.0, -5e-324])
    assert row(("abs_max", "zeros", "mean"), tiny) == {"count": 3.0, "abs_max": 5e-324, "zeros": 1.0, "mean": 0.0}


def test_nothing_but_counts_is_known_of_an_empty_tensor_or_one_without_finite_values():
    for array in (np.empty((0, 3), np.float32), np.full(4, np.nan), np.array([np.inf, -np.inf])):
        found = row(naive.BASE, array)
        assert found["count"] == found["nonfinite"] == array.size
        assert all(math.isnan(found[key]) for key in ("min", "max", "mean", "std", "abs_mean", "abs_max", "l2"))
        assert found["zeros"] == 0


@settings(deadline=None, max_examples=200)
@given(tensors())
def test_equal_rows(array):
    assert same(row(("equal_rows",), array)["equal_rows"], naive.equal_rows(array))


def test_rows_are_equal_bit_for_bit():
    array = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    # The second differs in the sign of its zero; the third has the same sum.
    assert row(("equal_rows",), array)["equal_rows"] == 0.5
    assert row(("equal_rows",), np.zeros((100, 700), np.float32))["equal_rows"] == 1.0
    assert row(("equal_rows",), np.random.default_rng(0).normal(size=(300, 700)))["equal_rows"] == 0.0


def test_distinct_values_are_counted_up_to_a_thousand():
    assert row(("distinct",), np.arange(1000))["distinct"] == 1000
    assert math.isnan(row(("distinct",), np.arange(1001))["distinct"])
    tokens = np.random.default_rng(0).integers(0, 700, size=(40, 5000))
    assert row(("distinct",), tokens)["distinct"] == 700


def test_bytes_in_another_order_and_longer_floats():
    values = np.array([1.5, -2.0, 0.0, np.nan])
    for dtype in (">f4", ">f8", "<f8", "longdouble"):
        assert_base(row(naive.BASE, values.astype(dtype)), values)
    assert row(("hash",), values.astype(">f4")) == row(("hash",), values.astype("<f4"))


def test_a_view_that_is_not_contiguous():
    array = np.arange(60000, dtype=np.float32).reshape(200, 300)
    assert_base(row(naive.BASE, array.T[::3]), array.T[::3])
    assert_base(row(naive.BASE, array[:5, ::7]), array[:5, ::7])


def test_what_is_not_asked_for_is_not_there():
    assert set(series_of(("l2",), [np.ones(3)]).columns) == {"l2", "count"}
    assert set(series_of(("l2", "quantile(2)", "quantile(x)", "no_such"), [np.ones(3)]).columns) == {"l2", "count"}


def test_shape_and_dtype_of_the_first_step_are_told():
    found = series_of(("l2",), [np.ones((3, 4), np.float16)])
    assert (found.hints.shape, found.hints.dtype) == ((3, 4), "float16")
    widened = series_of(("l2",), [np.ones(3, np.float32)], hints=Hints(dtype="bfloat16"))
    assert widened.hints.dtype == "bfloat16"
