"""Quantiles of histograms, against the definition of a quantile on the values that were counted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from mlcheck.store.quantiles import QUANTILES
from mlcheck.store.statistics import Histogram, histogram_statistics
from tests.store.test_statistics import new, old, one, values


def in_order(histogram: Histogram) -> bool:
    found = [one(histogram)[name] for name in ("min", *QUANTILES, "max")]
    return all(low <= high + 1e-12 * abs(high) for low, high in pairwise(found))


@settings(deadline=None, max_examples=150)
@given(values)
def test_a_quantile_lies_in_the_bucket_of_the_true_one(numbers):
    array = np.sort(np.array(numbers))
    for form in (old(array), new(array)) if array.min() < array.max() else (old(array),):
        found = one(form)
        assert in_order(form)
        for name, q in QUANTILES.items():
            # By definition: at most q of the values lie below the bucket, at least q of them up to its end.
            near = 1e-9 * (1 + abs(found[name]))
            hit = (form.counts > 0) & (form.left <= found[name] + near) & (found[name] - near <= form.right)
            assert hit.any()
            assert (array < form.left[hit].min()).mean() <= q + 1e-9
            assert (array <= form.right[hit].max() + near).mean() >= q - 1e-9


def test_quantiles_of_a_normal_distribution_are_at_half_standard_deviations():
    array = np.random.default_rng(3).normal(2.0, 0.5, size=200_000)
    found = one(new(array, 400))
    assert [found[name] for name in QUANTILES] == pytest.approx([1.25, 1.75, 2.0, 2.25, 2.75], abs=0.01)


def test_quantiles_of_uniform_buckets_are_their_definition():
    # 10 values in [0, 1], 30 in [1, 3], none in [3, 4]: half of them lie below 1 + 2 * 10/30.
    found = one(Histogram(np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 4.0]), np.array([10.0, 30.0, 0.0])))
    assert found["quantile(0.5)"] == pytest.approx(1 + 2 * 10 / 30)
    assert found["quantile(0.0668)"] == pytest.approx(0.0668 * 40 / 10)


def test_what_one_histogram_cannot_say_does_not_reach_the_next():
    good = new(np.linspace(0, 1, 100))
    huge = Histogram(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([1e308, 1e308]))
    wide = Histogram(np.array([-1e308]), np.array([1e308]), np.array([3.0]))
    nothing = Histogram(np.zeros(2), np.ones(2), np.zeros(2))
    broken = Histogram(np.full(2, np.nan), np.full(2, np.nan), np.zeros(2))
    columns = histogram_statistics([nothing, huge, good, broken, wide, good, nothing])
    for name in QUANTILES:
        column = columns[name]
        assert np.isnan(column[[0, 1, 3, 6]]).all()
        assert np.isfinite(column[4])
        assert column[2] == column[5] == one(good)[name]
    rough = Histogram(good.left, good.right, good.counts / 3)
    beside = histogram_statistics([good, rough, good])
    for name in QUANTILES:
        assert beside[name][0] == beside[name][2] == one(good)[name], "not even by rounding"
        assert beside[name][1] == pytest.approx(one(good)[name])
