"""Tests and intervals of paired counts: what a difference between two models on the same examples can be due to chance.

Exact tests and intervals take whole counts of independent examples; for weighted or clustered examples see `bootstrap`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]
Level = Literal["clopper-pearson", "wilson"]
Paired = Literal["newcombe", "wald"]
Adjust = Literal["holm", "bh", "none"]


def mcnemar(worse: int, better: int, *, mid_p: bool = False) -> tuple[float, float]:
    """Exact McNemar test of two paired counts: the two-sided p, and the one-sided p of `worse` being the more likely of the two.

    Under the null hypothesis, worse ~ Binomial(worse + better, 1/2). No discordant pair: 1.0 and 1.0. mid_p: half of the probability of
    the observed count is left out (Fagerland, Lydersen and Laake 2013), which is less conservative.
    """
    from scipy import stats

    n = worse + better
    if n == 0:
        return 1.0, 1.0
    least = min(worse, better)
    tail, upper = stats.binom.cdf(least, n, 0.5), stats.binom.sf(worse - 1, n, 0.5)
    if mid_p:
        tail -= 0.5 * stats.binom.pmf(least, n, 0.5)
        upper -= 0.5 * stats.binom.pmf(worse, n, 0.5)
    return min(1.0, 2.0 * float(tail)), float(upper)


def proportion_interval(count: int, n: int, confidence: float, method: Level = "clopper-pearson") -> Interval:
    """Interval of a proportion, count of n. Clopper-Pearson (exact, conservative) or Wilson; n must be positive."""
    from scipy import stats

    found = stats.binomtest(count, n).proportion_ci(confidence, "exact" if method == "clopper-pearson" else "wilson")
    return float(found.low), float(found.high)


def paired_difference_interval(
    both: int, worse: int, better: int, neither: int, confidence: float, method: Paired = "newcombe"
) -> Interval:
    """Interval of (better - worse) / n, the change of a proportion between two measurements of the same n examples; n must be positive.

    wald: the difference plus or minus z * sqrt(b + c - (b - c)^2 / n) / n, for b and c the discordant counts. newcombe: method 10 of
    Newcombe, Improved confidence intervals for the difference between binomial proportions based on paired data, Statistics in Medicine
    17 (1998), 2635-2650: Wilson intervals of both proportions, put together by their correlation phi.
    """
    from scipy import stats

    n = both + worse + better + neither
    difference = (better - worse) / n
    if method == "wald":
        spread = math.sqrt(max(0.0, worse + better - (better - worse) ** 2 / n))
        half = float(stats.norm.ppf(0.5 + confidence / 2)) * spread / n
        return max(-1.0, difference - half), min(1.0, difference + half)
    new, old = (both + better) / n, (both + worse) / n
    new_low, new_high = proportion_interval(both + better, n, confidence, "wilson")
    old_low, old_high = proportion_interval(both + worse, n, confidence, "wilson")
    phi = _correlation(both, worse, better, neither)
    below, above = (new - new_low, old_high - old), (new_high - new, old - old_low)
    return difference - _joined(*below, phi), difference + _joined(*above, phi)


def _correlation(both: int, worse: int, better: int, neither: int) -> float:
    """Newcombe's phi, with his correction for continuity; 0 where a margin is empty."""
    margins = (both + better) * (worse + neither) * (both + worse) * (better + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - worse * better)
    if product > 0:
        product = max(0.0, product - (both + worse + better + neither) / 2)
    return product / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def adjusted(p_values: Sequence[float], method: Adjust) -> "NDArray[np.float64]":
    """p-values of several tests, adjusted for being several. shape (n,), in the order given.

    holm: Holm's step-down (family-wise error rate, any dependence); bh: Benjamini and Hochberg (false discovery rate).
    """
    import numpy as np
    from scipy import stats

    found = np.asarray(p_values, dtype=np.float64)
    if method == "none" or not len(found):
        return found
    if method == "bh":
        return np.asarray(stats.false_discovery_control(found), dtype=np.float64)
    order = np.argsort(found, kind="stable")
    stepped = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1))
    back = np.empty_like(found)
    back[order] = np.minimum(1.0, stepped)
    return back
