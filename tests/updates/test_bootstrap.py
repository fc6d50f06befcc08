"""The bootstrap against its definition and against normal theory."""

import numpy as np
import pytest

from mlcheck.updates.bootstrap import BootstrapSettings, cells_of, cluster_sums, distinct, draw_sums, intervals
from mlcheck.updates.flips import rates_of_sums

NOTHING: dict[str, str] = {}


def _rate(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"rate": sums[:, 1] / sums.sum(axis=1)}


def _flags(random: np.random.Generator, n: int, rate: float) -> np.ndarray:
    return random.random(n) < rate


def test_cells_are_counts_of_what_examples_hold() -> None:
    flag = np.array([True, False, True, True])
    cells, members = cells_of([flag], lambda flags: [~flags[0], flags[0]])
    assert sorted(zip(cells.tolist(), members.tolist(), strict=True)) == [([0.0, 1.0], 3), ([1.0, 0.0], 1)]


def test_the_order_of_rows_changes_nothing() -> None:
    random = np.random.default_rng(0)
    flag, clusters, weights = _flags(random, 500, 0.3), random.integers(0, 60, 500), random.integers(1, 4, 500) * 1.0
    order = random.permutation(500)
    renamed = random.permutation(60)

    def drawn(flag: np.ndarray, clusters: np.ndarray | None, weights: np.ndarray | None) -> object:
        cells, members = cells_of([flag], lambda flags: [~flags[0], flags[0]], clusters, weights)
        return intervals(cells, members, _rate, BootstrapSettings(200))

    assert drawn(flag, None, None) == drawn(flag[order], None, None)
    assert drawn(flag, clusters, None) == drawn(flag[order], renamed[clusters][order], None)
    assert drawn(flag, clusters, weights) == drawn(flag[order], renamed[clusters][order], weights[order])


def test_draws_keep_the_number_of_clusters() -> None:
    cells, members = distinct(cluster_sums([np.ones(100, dtype=bool)], np.arange(100) // 4))
    assert (draw_sums(cells, members, 50) == 100).all(), "25 clusters of 4 examples each"


@pytest.mark.parametrize("kinds", ["few", "many"])
def test_both_ways_to_draw_have_the_variance_of_the_definition(kinds: str) -> None:
    """The sum of c draws from c clusters has the mean of the sum and c times the variance of what a cluster holds."""
    random = np.random.default_rng(1)
    held = random.integers(0, 3, 400) * 1.0 if kinds == "few" else random.random(400)
    cells, members = distinct(held[:, None])
    sums = draw_sums(cells, members, 20_000)[:, 0]
    assert sums.mean() == pytest.approx(held.sum(), rel=0.01)
    assert sums.var() == pytest.approx(400 * held.var(), rel=0.05)


def test_an_interval_of_independent_examples_is_that_of_normal_theory() -> None:
    flag = np.arange(10_000) < 2_000
    cells, members = cells_of([flag], lambda flags: [~flags[0], flags[0]])
    found, _ = intervals(cells, members, _rate, BootstrapSettings(4_000))
    half = 1.96 * np.sqrt(0.2 * 0.8 / 10_000)
    assert found["rate"] == pytest.approx((0.2 - half, 0.2 + half), abs=0.0005)


def test_clusters_of_alike_examples_are_wider() -> None:
    """Ten copies of each example hold no more than the example: the variance is ten times as large."""
    flag = np.repeat(np.arange(1_000) < 200, 10)
    widths = []
    for clusters in (None, np.arange(10_000) // 10):
        cells, members = cells_of([flag], lambda flags: [~flags[0], flags[0]], clusters)
        low, high = intervals(cells, members, _rate, BootstrapSettings(4_000))[0]["rate"]
        widths.append(high - low)
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.08)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Relative NFR of independent errors is 1; 95 % intervals must hold it in about 95 of 100 sets."""
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        old, new = _flags(random, 800, 0.7), _flags(random, 800, 0.75)
        cells, members = cells_of([old, new], lambda f: [f[0] & f[1], f[0] & ~f[1], ~f[0] & f[1], ~f[0] & ~f[1]])
        low, high = intervals(cells, members, rates_of_sums, BootstrapSettings(300))[0]["relative_negative_flip_rate"]
        hits += low <= 1 <= high
    assert hits >= 180, "binomial(200, 0.95) is below 180 once in 10,000"


def test_one_cluster_has_no_interval() -> None:
    cells, members = cells_of([np.array([True, False])], lambda flags: [~flags[0], flags[0]], np.array([0, 0]))
    found, undefined = intervals(cells, members, _rate, BootstrapSettings())
    assert not found
    assert "2 clusters" in undefined["rate"]


def test_a_statistic_that_many_draws_lack_has_no_interval() -> None:
    flag = np.arange(50) < 1
    cells, members = cells_of([flag], lambda flags: [~flags[0], flags[0]])

    def rare(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"share": np.where(sums[:, 1] > 0, 1.0, np.nan)}

    found, undefined = intervals(cells, members, rare, BootstrapSettings(500))
    assert not found
    assert "of 500 bootstrap draws" in undefined["share"]
