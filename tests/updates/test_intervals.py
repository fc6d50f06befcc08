"""Tests and intervals against statsmodels and published examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcheck.updates.intervals import adjusted, mcnemar, paired_difference_interval, proportion_interval

statsmodels = pytest.importorskip("statsmodels.stats.contingency_tables")
few = st.integers(0, 400)


@given(few, few)
@settings(max_examples=200, deadline=None)
def test_mcnemar_is_that_of_statsmodels(worse: int, better: int) -> None:
    both, one_sided = mcnemar(worse, better)
    if worse + better == 0:
        assert (both, one_sided) == (1.0, 1.0)
        return
    theirs = statsmodels.mcnemar([[3, worse], [better, 7]], exact=True).pvalue
    assert both == pytest.approx(theirs, rel=1e-12, abs=1e-300)
    assert one_sided == pytest.approx(stats.binomtest(worse, worse + better, alternative="greater").pvalue, rel=1e-9)


def test_mcnemar_of_the_published_pair() -> None:
    assert mcnemar(3220, 3195)[0] == pytest.approx(0.764, abs=0.0005)


def test_seven_flips_and_none_back() -> None:
    assert mcnemar(7, 0)[1] == pytest.approx(0.5**7)


def test_mid_p_leaves_out_half_of_what_was_seen() -> None:
    """Fagerland et al. 2013: two-sided mid-p = exact p - P(X = min(b, c)) for b != c."""
    both, worse = mcnemar(12, 2, mid_p=True)
    assert both == pytest.approx(mcnemar(12, 2)[0] - stats.binom.pmf(2, 14, 0.5))
    assert worse == pytest.approx(stats.binom.sf(11, 14, 0.5) - 0.5 * stats.binom.pmf(12, 14, 0.5))
    assert mcnemar(0, 0, mid_p=True) == (1.0, 1.0)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=100, deadline=None)
def test_proportion_intervals_are_those_of_statsmodels(pair: tuple[int, int]) -> None:
    from statsmodels.stats.proportion import proportion_confint

    count, n = pair
    for method, theirs in (("clopper-pearson", "beta"), ("wilson", "wilson")):
        expected = proportion_confint(count, n, method=theirs)
        assert proportion_interval(count, n, 0.95, method) == pytest.approx(expected, abs=1e-8)


def test_clopper_pearson_of_the_published_pair() -> None:
    low, high = proportion_interval(3220, 50_000, 0.95)
    assert (round(100 * low, 2), round(100 * high, 2)) == (6.23, 6.66)


def test_no_flips_leave_the_rule_of_three() -> None:
    low, high = proportion_interval(0, 3000, 0.95)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 3000))


def test_newcombe_of_his_own_example() -> None:
    """Newcombe 1998, method 10, a = 36, b = 12, c = 2, d = 0: 0.0569 to 0.3404 for (b - c) / n."""
    low, high = paired_difference_interval(36, 2, 12, 0, 0.95)
    assert (round(low, 4), round(high, 4)) == (0.0569, 0.3404)


def test_wald_is_the_formula() -> None:
    b, c, n = 12, 30, 500
    error = np.sqrt(b + c - (b - c) ** 2 / n) / n
    z = stats.norm.ppf(0.975)
    found = paired_difference_interval(400, b, c, n - 400 - b - c, 0.95, "wald")
    assert found == pytest.approx(((c - b) / n - z * error, (c - b) / n + z * error))


@given(st.tuples(few, few, few, few).filter(lambda cells: sum(cells) > 0))
@settings(max_examples=200, deadline=None)
def test_paired_intervals_hold_the_difference_and_turn_with_it(cells: tuple[int, int, int, int]) -> None:
    both, worse, better, neither = cells
    n = sum(cells)
    for method in ("newcombe", "wald"):
        low, high = paired_difference_interval(both, worse, better, neither, 0.95, method)
        assert -1 <= low <= (better - worse) / n + 1e-12
        assert (better - worse) / n - 1e-12 <= high <= 1
        turned = paired_difference_interval(both, better, worse, neither, 0.95, method)
        assert turned == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("n", [1, 60])
def test_adjustments_are_those_of_statsmodels(n: int) -> None:
    from statsmodels.stats.multitest import multipletests

    random = np.random.default_rng(n)
    for values in (random.random(n), random.random(n) ** 8, np.round(random.random(n), 1), np.ones(n)):
        assert adjusted(values, "holm") == pytest.approx(multipletests(values, method="holm")[1], abs=1e-12)
        assert adjusted(values, "bh") == pytest.approx(multipletests(values, method="fdr_bh")[1], abs=1e-12)
        assert adjusted(values, "none").tolist() == values.tolist()


def test_one_class_of_sixty() -> None:
    """MASSIVE intents: p = 0.008 alone is 0.47 among sixty classes of which it is the least."""
    values = [0.5**7, *[0.5] * 59]
    assert adjusted(values, "holm")[0] == pytest.approx(60 * 0.5**7)


def test_nothing_to_adjust() -> None:
    assert len(adjusted([], "holm")) == 0
