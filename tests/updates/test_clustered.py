"""Intervals of shares of clustered units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from mlcheck.updates.clustered import Facts, codes, share_interval


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_independent_units_have_the_interval_of_clopper_and_pearson(hits: list[bool]) -> None:
    part = np.array(hits, dtype=float)
    low, high = share_interval(part, np.ones_like(part), np.arange(len(part)), 0.95)
    exact = binomtest(int(part.sum()), len(part)).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_copies_of_an_example_in_its_cluster_tell_nothing_new() -> None:
    part = np.array([1, 0, 0, 1, 0, 0, 0, 1, 0, 0], dtype=float)
    clusters = np.arange(10)
    alone = share_interval(part, np.ones(10), clusters, 0.95)
    copied = share_interval(np.repeat(part, 8), np.ones(80), np.repeat(clusters, 8), 0.95)
    more = share_interval(np.repeat(part, 50), np.ones(500), np.repeat(clusters, 50), 0.95)
    assert copied == pytest.approx(more, abs=1e-9)
    # Of the variance between n clusters n / (n - 1) is an estimate: nine of the ten units are left.
    assert copied == pytest.approx(alone, abs=0.03)
    assert copied[0] <= alone[0] < alone[1] <= copied[1]


def test_no_hit_at_all_is_bounded_by_the_number_of_clusters() -> None:
    low, high = share_interval(np.zeros(80), np.ones(80), np.repeat(np.arange(10), 8), 0.95)
    assert (low, high) == pytest.approx((0.0, binomtest(0, 10).proportion_ci(0.95, "exact").high))


def test_nothing_to_share_has_no_interval() -> None:
    assert np.isnan(share_interval(np.zeros(3), np.zeros(3), np.arange(3), 0.95)).all()


def test_nan_is_kept_as_a_reason() -> None:
    facts = Facts()
    facts.put("rate", float("nan"), "nothing to rate")
    facts.put("count", 0)
    assert (facts.columns, facts.undefined) == ({"count": 0.0}, {"rate": "nothing to rate"})


def test_codes_follow_the_order_of_names() -> None:
    assert codes(["b", "a", "b"]).tolist() == [1, 0, 1]
