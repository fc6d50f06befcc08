import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.statistics import COLUMNS, Histogram, histogram_statistics

LARGEST = np.finfo(np.float64).max


def one(histogram: Histogram) -> dict[str, float]:
    columns = histogram_statistics([histogram])
    assert set(columns) == set(COLUMNS)
    return {name: float(column[0]) for name, column in columns.items()}


def old(values: np.ndarray, dtype=np.float64) -> Histogram:
    """As torch and TensorFlow 1 write it: edges that grow by 1.1, empty ends cut off, moments of the values."""
    grown = [0.0]
    edge = 1e-12
    while edge < 1e20:
        grown.append(edge)
        edge *= 1.1
    edges = np.array([-edge for edge in grown[:0:-1]] + grown)
    counts, _ = np.histogram(values, bins=edges)
    used = np.flatnonzero(counts)
    first, last = (used[0], used[-1]) if len(used) else (0, 0)
    limits, counts = edges[first : last + 2], np.concatenate([[0], counts[first : last + 1]])
    values = values.astype(dtype)
    with np.errstate(all="ignore"):
        stated = (values.min(), values.max(), len(values), values.sum(), values.dot(values))
    left = np.concatenate([[-np.inf], limits[:-1]])
    return Histogram(left, limits.astype(float), counts.astype(float), tuple(float(number) for number in stated))


def new(values: np.ndarray, buckets: int = 30) -> Histogram:
    """As tf.summary.histogram writes it: equal widths between the extremes."""
    counts, edges = np.histogram(values, bins=buckets, range=(values.min(), values.max()))
    return Histogram(edges[:-1], edges[1:], counts.astype(float))


values = st.lists(st.floats(-1e3, 1e3).filter(lambda value: value == 0 or abs(value) > 1e-6), min_size=1, max_size=60)


@settings(deadline=None, max_examples=150)
@given(values)
def test_the_old_form_is_exact_but_for_the_mean_magnitude(numbers):
    array = np.array(numbers)
    found = one(old(array))
    assert found["count"] == len(array)
    assert (found["min"], found["max"]) == (array.min(), array.max())
    assert found["abs_max"] == np.abs(array).max()
    assert found["mean"] == pytest.approx(array.mean(), rel=1e-9, abs=1e-9)
    assert found["l2"] == pytest.approx(np.linalg.norm(array), rel=1e-9)
    assert found["std"] == pytest.approx(array.std(), rel=1e-6, abs=1e-4)
    # A bucket is at most a tenth of its lower edge wide.
    assert found["abs_mean"] == pytest.approx(np.abs(array).mean(), rel=0.1, abs=1e-11)
    assert (found["nonfinite"], found["nan"], found["inf"]) == (0, 0, 0)


@settings(deadline=None, max_examples=150)
@given(values.filter(lambda numbers: max(numbers) - min(numbers) > 1e-3))
def test_the_new_form_is_within_a_buckets_width(numbers):
    array = np.array(numbers)
    found = one(new(array))
    width = (array.max() - array.min()) / 30
    slack = 1e-9 * (1 + np.abs(array).max())
    assert found["count"] == len(array)
    assert found["min"] == pytest.approx(array.min(), abs=slack)
    assert found["max"] == pytest.approx(array.max(), abs=slack)
    assert abs(found["mean"] - array.mean()) <= width / 2 + slack
    assert abs(found["abs_mean"] - np.abs(array).mean()) <= width + slack
    assert abs(found["l2"] / math.sqrt(len(array)) - math.sqrt((array**2).mean())) <= width + slack
    assert found["nonfinite"] == 0


@settings(deadline=None, max_examples=60)
@given(values)
def test_zeros_are_never_wrong(numbers):
    array = np.array(numbers)
    for form in (old(array), new(array)) if array.min() < array.max() else (old(array),):
        found = one(form)["zeros"]
        assert math.isnan(found) or found == np.count_nonzero(array == 0)


def test_zeros_are_known_where_all_or_none_are():
    assert one(old(np.zeros(7)))["zeros"] == 7
    assert one(old(np.array([1.0, 2.0])))["zeros"] == 0
    assert math.isnan(one(old(np.array([0.0, 2.0])))["zeros"])


def test_not_a_number_in_the_old_form_is_counted():
    array = np.array([1.0, 2.0, np.nan, np.nan])
    found = one(old(array))
    assert found["nonfinite"] == 2
    assert found["count"] == 4
    assert found["min"] == pytest.approx(1.0, rel=0.1)
    assert found["abs_mean"] == pytest.approx(1.5, rel=0.1)


def test_infinities_in_the_old_form_are_found():
    array = np.array([1.0, 2.0, np.inf])
    limits = np.array([0.5, 1.5, 2.5])
    stated = (1.0, math.inf, 3.0, math.inf, math.inf)
    found = one(Histogram(np.array([-np.inf, 0.5, 1.5]), limits, np.array([0.0, 1.0, 1.0]), stated))
    assert found["nonfinite"] == np.count_nonzero(~np.isfinite(array))
    assert math.isnan(found["nan"])


def test_a_sum_that_overflows_is_not_a_value_that_is_infinite():
    stated = (1.0, 3e19, 2.0, 3e19, math.inf)
    found = one(Histogram(np.array([-np.inf, 0.0]), np.array([0.0, 3e19]), np.array([0.0, 2.0]), stated))
    assert found["nonfinite"] == 0
    assert math.isfinite(found["l2"])


def test_not_a_number_that_only_the_sums_keep():
    stated = (1.0, 2.0, 3.0, math.nan, math.nan)
    found = one(Histogram(np.array([-np.inf, 0.5]), np.array([0.5, 2.5]), np.array([0.0, 2.0]), stated))
    assert found["nonfinite"] == 1


def test_nan_edges_in_the_new_form_are_a_finding_and_no_empty_histogram():
    edges = np.full(30, np.nan)
    found = one(Histogram(edges, edges, np.zeros(30)))
    assert found["nonfinite"] > 0
    assert math.isnan(found["count"])
    assert math.isnan(found["abs_mean"])


@pytest.mark.parametrize(
    "empty",
    [
        Histogram(np.zeros(0), np.zeros(0), np.zeros(0)),
        Histogram(np.zeros(30), np.zeros(30), np.zeros(30)),
        Histogram(np.array([-np.inf]), np.array([LARGEST]), np.zeros(1), (LARGEST, -LARGEST, 0.0, 0.0, 0.0)),
    ],
)
def test_an_empty_histogram_has_count_0_and_nothing_else(empty):
    found = one(empty)
    assert (found["count"], found["nonfinite"]) == (0, 0)
    assert all(math.isnan(found[name]) for name in ("min", "max", "mean", "std", "abs_mean", "abs_max", "l2", "zeros"))


@pytest.mark.parametrize("value", [0.0, -3.25, 1e-9])
def test_a_constant_tensor_in_the_new_form(value):
    # tensorboard/plugins/histogram/summary_v2.py: one bucket of width 1 around the value, or 30 empty-width ones.
    wide = one(Histogram(np.array([value - 0.5]), np.array([value + 0.5]), np.array([12.0])))
    edges, counts = np.full(30, value), np.array([0.0] * 29 + [12.0])
    narrow = one(Histogram(edges, edges, counts))
    for found in (wide, narrow):
        assert found["abs_mean"] == pytest.approx(abs(value), abs=1e-15)
        assert found["std"] == pytest.approx(0, abs=1e-15)
        assert found["count"] == 12
    assert narrow["zeros"] == (12 if value == 0 else 0)


def test_the_outermost_buckets_are_bounded_by_the_stated_range():
    stated = (-2.0, 4.0, 4.0, 4.0, 40.0)
    histogram = Histogram(np.array([-LARGEST, 0.0]), np.array([0.0, LARGEST]), np.array([2.0, 2.0]), stated)
    found = one(histogram)
    # Means of |x| over [-2, 0] and [0, 4], two values each.
    assert found["abs_mean"] == pytest.approx((2 * 1 + 2 * 2) / 4)


def test_a_constant_float32_tensor_has_no_spread():
    array = np.full(1000, 0.1, dtype=np.float32)
    found = one(old(array, np.float32))
    assert found["std"] == 0


def test_many_at_once_are_each_alone():
    rng = np.random.default_rng(0)
    some = [old(rng.normal(size=20)), new(rng.normal(size=30)), Histogram(*(np.zeros(0),) * 3), new(rng.normal(size=9))]
    together = histogram_statistics(some)
    for row, histogram in enumerate(some):
        for name, value in one(histogram).items():
            np.testing.assert_equal(together[name][row], value)


def test_none_at_all():
    assert all(column.shape == (0,) for column in histogram_statistics([]).values())
