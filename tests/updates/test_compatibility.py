"""Criterion, gain and tax against published tables; AC and AM; drift of spaces."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.updates.bootstrap import BootstrapSettings
from mlcheck.updates.compatibility import (
    CROSS,
    NEW,
    OLD,
    PARAGON,
    Context,
    derived,
    measure_flips,
    measure_metric,
    update_gain,
)
from mlcheck.updates.drift import linear_cka, mean_cosine, neighbour_overlap, procrustes_residual
from mlcheck.updates.metrics import Metric, PerQuery
from mlcheck.updates.versions import average_accuracy, average_compatibility, incompatible

CONTEXT = Context({}, "", {"queries": 4.0}, None, BootstrapSettings(draws=200))


class Row(NamedTuple):
    """A printed row in per cent, and what follows from it."""

    old: float
    cross: float
    best: float
    passes: bool
    gain: float


OPEN_BCT = {
    "BCT top-1": Row(39.5, 42.2, 66.3, True, 10.1),
    "BCT top-5": Row(60.0, 65.5, 84.0, True, 22.9),
    "normed top-1": Row(39.5, 46.8, 66.3, True, 27.2),
    "normed top-5": Row(60.0, 66.7, 84.0, True, 27.9),
    "L2 top-1": Row(39.5, 13.0, 66.3, False, -98.9),
    "L2 top-5": Row(60.0, 32.8, 84.0, False, -113.0),
    "triplet top-1": Row(39.5, 42.9, 66.3, True, 12.7),
    "triplet top-5": Row(60.0, 63.3, 84.0, True, 13.8),
    "contrastive top-1": Row(39.5, 42.7, 66.3, True, 11.9),
    "contrastive top-5": Row(60.0, 63.2, 84.0, True, 13.3),
    "Places365": Row(27.0, 27.5, 35.1, True, 6.2),
    "FCT ImageNet CMC1": Row(46.4, 65.1, 68.4, True, 85.0),
    "FCT ImageNet CMC5": Row(65.1, 82.7, 84.7, True, 89.8),
    "FCT ImageNet mAP": Row(28.3, 44.0, 45.6, True, 90.8),
    "FCT CIFAR-100 CMC1": Row(32.9, 50.6, 56.4, True, 75.3),
    "FCT CIFAR-100 mAP": Row(16.1, 34.2, 36.5, True, 88.7),
}
"""README tables of openBCT and FCT (updates.md §2.3)."""


@pytest.mark.parametrize("name", OPEN_BCT)
def test_criterion_and_gain_of_published_rows(name: str) -> None:
    row = OPEN_BCT[name]
    printed = {"old_self_test": row.old, "cross_test": row.cross, "paragon_self_test": row.best}
    tests = {name: np.array(value / 100) for name, value in printed.items()}
    found = derived(tests, heterogeneous=False)
    assert (found["difference"] > 0) == row.passes
    digits = 1 if abs(row.gain) < 100 else 0
    assert round(float(found["update_gain"]) * 100, digits) == row.gain


@pytest.mark.parametrize(("own", "tax"), [(55.6, 10.7), (43.8, 22.5), (53.7, 12.6), (57.0, 9.3)])
def test_tax_of_published_rows(own: float, tax: float) -> None:
    tests = {"new_self_test": np.array(own), "paragon_self_test": np.array(66.3)}
    assert round(float(derived(tests, heterogeneous=False)["compatibility_tax"]), 1) == tax


def test_gain_without_a_paragon_is_against_the_new_model() -> None:
    tests = {"old_self_test": np.array(0.4), "cross_test": np.array(0.5), "new_self_test": np.array(0.8)}
    assert float(derived(tests, heterogeneous=False)["update_gain"]) == pytest.approx(0.25)


@pytest.mark.parametrize("paragon", [0.4, 0.3])
def test_gain_is_undefined_where_the_paragon_does_not_beat_the_old_model(paragon: float) -> None:
    assert np.isnan(update_gain(0.5, 0.4, paragon))


def scores(**values: list[float]) -> dict[tuple[str, str], PerQuery]:
    names = {"old": OLD, "cross": CROSS, "new": NEW, "paragon": PARAGON}
    return {names[name]: PerQuery(np.array(one), np.ones(len(one))) for name, one in values.items()}


def test_a_measure_says_why_something_is_undefined() -> None:
    given = scores(old=[1, 1, 0, 0] * 10, cross=[1, 0, 1, 1] * 10, new=[0, 1, 0, 1] * 10)
    found = measure_metric(Metric("recall", depth=1), given, 0.25, CONTEXT)
    assert found.columns["difference"] == pytest.approx(0.25)
    assert found.columns["difference_low"] < 0.25 < found.columns["difference_high"]
    assert found.columns["with_paragon"] == 0
    assert "does not beat the old model" in found.undefined["update_gain"]
    assert "update_gain_high" in found.undefined
    assert "compatibility_tax" in found.undefined
    assert not set(found.columns) & set(found.undefined)


def test_a_difference_of_equal_lists_is_certain() -> None:
    given = scores(old=[1, 0, 1, 1], cross=[1, 0, 1, 1])
    found = measure_metric(Metric("recall", depth=1), given, 0.25, CONTEXT)
    assert (found.columns["difference_low"], found.columns["difference_high"]) == (0, 0)


@pytest.mark.parametrize("lost", [1, 4, 9])
def test_a_difference_is_certain_where_mcnemar_is(lost: int) -> None:
    """Of 2,000 queries a few are lost and none is won; two-sided exact p is 2 / 2^lost."""
    old = np.ones(2000)
    old[:100] = 0
    cross = old.copy()
    cross[100 : 100 + lost] = 0
    given = {OLD: PerQuery(old, np.ones(2000)), CROSS: PerQuery(cross, np.ones(2000))}
    found = measure_metric(Metric("recall", depth=1), given, 0.5, CONTEXT).columns
    assert found["difference"] == pytest.approx(-lost / 2000)
    assert (found["difference_high"] < 0) == (2 / 2**lost < 0.05)


def test_clusters_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    of_cluster = random.integers(0, 2, 40).astype(float)
    cross = np.repeat(of_cluster, 25)
    given = {OLD: PerQuery(np.full(1000, 0.5), np.ones(1000)), CROSS: PerQuery(cross, np.ones(1000))}
    widths = []
    for clusters in (None, np.repeat(np.arange(40), 25)):
        context = Context({}, "", {}, clusters, BootstrapSettings())
        columns = measure_metric(Metric("ranking"), given, float("nan"), context).columns
        widths.append(columns["difference_high"] - columns["difference_low"])
    assert widths[1] > 3 * widths[0]


def test_query_flips_are_counted() -> None:
    before = PerQuery(np.array([1.0, 1, 1, 0, 0, 0]), np.array([1.0, 1, 1, 1, 1, 0]))
    after = PerQuery(np.array([1.0, 0, 0, 1, 0, 0]), before.out_of)
    columns = measure_flips(1, before, after, CONTEXT).columns
    assert [columns[name] for name in ("both_right", "negative_flips", "positive_flips", "both_wrong")] == [1, 2, 1, 1]
    assert columns["negative_flip_rate"] == pytest.approx(0.4)
    assert columns["queries"] == 5
    # 3 discordant queries, 2 of them worse: P(Bin(3, 1/2) >= 2) = 1/2.
    assert columns["p_worse"] == pytest.approx(0.5)
    assert columns["relative_negative_flip_rate"] == pytest.approx(0.4 / (0.6 * 0.6))


def test_flips_without_any_query() -> None:
    nothing = PerQuery(np.zeros(2), np.zeros(2))
    found = measure_flips(1, nothing, nothing, CONTEXT)
    assert "negative_flip_rate" not in found.columns
    assert "negative_flip_rate" in found.undefined


# Versions


def test_versions_by_hand() -> None:
    matrix = np.array([[0.5, np.nan, np.nan], [0.5, 0.6, np.nan], [0.4, 0.7, 0.8]])
    assert average_compatibility(matrix) == pytest.approx(2 / 3)
    assert average_compatibility(matrix, "violation") == pytest.approx(1 / 3)
    assert average_accuracy(matrix) == pytest.approx((0.5 + 0.5 + 0.6 + 0.4 + 0.7 + 0.8) / 6)
    assert incompatible(matrix) == [(2, 0)]
    assert incompatible(matrix, "violation") == [(1, 0), (2, 0)]


def test_a_zero_counts_in_the_average_accuracy() -> None:
    assert average_accuracy(np.array([[0.5, 0.0], [0.0, 0.7]])) == pytest.approx(0.4)


def test_one_version_and_a_missing_value_have_no_average() -> None:
    assert np.isnan(average_compatibility(np.array([[0.5]])))
    assert np.isnan(average_compatibility(np.array([[0.5, 0], [np.nan, 0.7]])))


# Drift


@given(st.integers(0, 2**32))
def test_a_rotation_leaves_everything_but_the_cosine(seed: int) -> None:
    random = np.random.default_rng(seed)
    one = random.standard_normal((40, 5))
    rotation, _ = np.linalg.qr(random.standard_normal((5, 5)))
    assert procrustes_residual(one @ rotation, one) == pytest.approx(0, abs=1e-20)
    assert linear_cka(one, one @ rotation) == pytest.approx(1)
    assert neighbour_overlap(one, one @ rotation, "l2") == 1
    assert mean_cosine(one, one) == pytest.approx(1)
    assert mean_cosine(one, -one) == pytest.approx(-1)


def test_linear_cka_by_kernels() -> None:
    """HSIC of centred linear kernels, another formula of the same number."""
    random = np.random.default_rng(1)
    one, other = random.standard_normal((30, 4)), random.standard_normal((30, 7))
    centre = np.eye(30) - 1 / 30
    k, m = (centre @ x @ x.T @ centre for x in (one, other))
    assert linear_cka(one, other) == pytest.approx(np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m)))


def test_neighbour_overlap_by_hand() -> None:
    """On a line, the 1 nearest of 0, 1, 3 is 1, 0, 1; with 3 moved to -1 it is the first."""
    line = np.array([[0.0], [1.0], [3.0]])
    moved = np.array([[0.0], [1.0], [-1.5]])
    assert neighbour_overlap(line, moved, "l2", k=1) == pytest.approx(2 / 3)
    assert np.isnan(neighbour_overlap(line, moved, "l2", k=3))


def test_unrelated_spaces_are_far_apart() -> None:
    random = np.random.default_rng(2)
    one, other = random.standard_normal((400, 6)), random.standard_normal((400, 6))
    assert procrustes_residual(one, other) > 0.5
    assert linear_cka(one, other) < 0.1
    assert neighbour_overlap(one, other, "cosine") < 0.1
