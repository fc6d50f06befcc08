"""What each function says of NaN, infinities, short series and missing inputs: the table of language.md, row by row."""

import numpy as np
import pytest

from mlcheck.lang.evaluate import EvaluationError
from mlcheck.lang.values import Column, Inapplicable, Value
from mlcheck.lang.vocabulary import SIGNATURES
from tests.lang.helpers import INF, NAN, assert_same, column, evaluate, listed, make_axis

X = [3.0, NAN, 1.0, INF, -2.0, 5.0]


def check(text: str, expected: list[float] | list[bool] | float | bool, **values: Value) -> None:
    assert_same(evaluate(text, values), expected)  # type: ignore[arg-type]


def test_point_functions() -> None:
    x = column(X)
    check("abs(x)", [3, NAN, 1, INF, 2, 5], x=x)
    check("sqrt(x + 1)", [2, NAN, np.sqrt(2), INF, NAN, np.sqrt(6)], x=x)
    check("log10(x)", [np.log10(3), NAN, 0, INF, NAN, np.log10(5)], x=x)
    check("log10(0)", NAN)
    check("log10(-1)", NAN)
    check("sqrt(-1)", NAN)
    check("minimum(x, 2)", [2, NAN, 1, 2, -2, 2], x=x)
    check("maximum(x, 2)", [3, NAN, 2, INF, 2, 5], x=x)
    check("maximum(nan, 2)", NAN)
    check("isfinite(x)", [True, False, True, False, True, True], x=x)
    check("isfinite(x)", False, x=NAN)
    check("isfinite(x)", False, x=INF)


def test_where_and_only() -> None:
    x = column(X)
    check("where(x > 2, x, 0)", [3, 0, 0, INF, 0, 5], x=x)
    check("where(c, x, 7)", 7.0, c=NAN, x=1.0)
    check("where(c > 1, 1.5 / c, 0.6)", 0.6, c=NAN)
    check("where(c > 1, 1.5 / c, 0.6)", 0.15, c=10.0)
    check("where(prev(x > 2), 1, 0)", [0, 1, 0, 0, 1, 0], x=x)
    check("where(x > 2, x > 4, x < 0)", [False, False, False, True, True, True], x=x)
    check("only(x, x > 2)", [3, NAN, NAN, INF, NAN, 5], x=x)
    check("only(2, x > 2)", [2, NAN, NAN, 2, NAN, 2], x=x)
    check("only(x, c)", [NAN] * 6, x=x, c=NAN)
    check("only(3, 1 > 0)", 3.0)


def test_cost_turns_what_is_better_high() -> None:
    check("cost(x)", [1, 2], x=column([1.0, 2.0], better="lower"))
    check("cost(x)", [-1, -2], x=column([1.0, 2.0], better="higher"))
    check("cost(cost(x))", [-1, -2], x=column([1.0, 2.0], better="higher"))
    check("cost(-x)", [1, 2], x=column([1.0, 2.0], better="lower"))
    check("cost(rolling_median(prev(x), 1))", [NAN, -1], x=column([1.0, 2.0], better="higher"))
    check("cost(only(x, x > 1))", [NAN, -2], x=column([1.0, 2.0], better="higher"))
    check("cost(held(x, x > 1))", [NAN, -2], x=column([1.0, 2.0], better="higher"))
    check("cost(x)", NAN, x=NAN)
    for unknown in (column([1.0, 2.0]), column([1.0, 2.0], better="none"), 3.0):
        with pytest.raises(Inapplicable) as caught:
            evaluate("cost(x)", {"x": unknown})
        assert caught.value.kind == "direction"
    with pytest.raises(Inapplicable):
        evaluate("cost(step(x))", {"x": column([1.0], better="lower")})


def test_place_functions() -> None:
    axis = make_axis([10, 20, 50], wall_times=[100.0, NAN, 300.0], run=(0, 100))
    x = Column(np.array([1.0, NAN, 2.0]), axis)
    check("step(x)", [10, 20, 50], x=x)
    check("wall_time(x)", [100, NAN, 300], x=x)
    check("progress(x)", [0.1, 0.2, 0.5], x=x)
    resumed = Column(np.array([1.0, 2.0]), make_axis([100, 150], run=(100, 200)))
    check("progress(x)", [0, 0.5], x=resumed)
    check("progress(x)", [0, 0], x=column([1.0, 2.0], steps=[7, 7]))
    for text in ("step(x)", "wall_time(x)", "progress(x)"):
        check(text, NAN, x=NAN)
        check(text, NAN, x=3.0)


def test_prev_and_diff() -> None:
    x = column(X)
    check("prev(x)", [NAN, 3, NAN, 1, INF, -2], x=x)
    check("prev(x, 4)", [NAN, NAN, NAN, NAN, 3, NAN], x=x)
    check("prev(x, 0)", X, x=x)
    check("prev(x, 99)", [NAN] * 6, x=x)
    check("prev(x, inf)", [NAN] * 6, x=x)
    check("prev(x, n)", [NAN] * 6, x=x, n=NAN)
    check("prev(x > 2)", [NAN, 1, 0, 0, 1, 0], x=x)
    check("diff(x)", [NAN, NAN, NAN, INF, -INF, 7], x=x)
    check("prev(x)", 3.0, x=3.0)
    check("diff(x)", NAN, x=3.0)
    with pytest.raises(EvaluationError, match="looks back only"):
        evaluate("prev(x, -1)", {"x": x})


def test_lag_counts_in_steps() -> None:
    x = column([1.0, 2.0, 3.0, 4.0, 5.0], steps=[0, 10, 10, 25, 40])
    check("lag(x, 10)", [NAN, 1, 1, 3, 4], x=x)
    check("lag(x, 15)", [NAN, NAN, NAN, 3, 4], x=x)
    check("lag(x, 14.5)", [NAN, NAN, NAN, 3, 4], x=x)
    check("lag(x, 15.5)", [NAN, NAN, NAN, 1, 3], x=x)
    check("lag(x, 0)", [1, 3, 3, 4, 5], x=x)
    check("lag(x, 41)", [NAN] * 5, x=x)
    check("lag(x, inf)", [NAN] * 5, x=x)
    check("lag(x, n)", [NAN] * 5, x=x, n=NAN)
    check("lag(x, 3)", 2.0, x=2.0)
    extreme = column([1.0, 2.0, 3.0], steps=[-(2**63), 0, 2**63 - 1])
    check("lag(x, 5)", [NAN, 1, 2], x=extreme)


def test_held_and_points_since() -> None:
    x = column(X)
    c = column([False, True, False, True, False, False])
    check("held(x, c)", [NAN, NAN, NAN, INF, INF, INF], x=x, c=Column(c.values, x.axis))
    check("held(step(x), x < 2)", [NAN, NAN, 2, 2, 4, 4], x=x)
    check("held(7, c)", [NAN, 7, 7, 7, 7, 7], c=c)
    check("held(x, 1)", X, x=x)
    check("held(x, c)", [NAN] * 6, x=x, c=NAN)
    check("held(2, 1)", 2.0)
    check("points_since(c)", [NAN, 0, 1, 0, 1, 2], c=c)
    check("points_since(prev(c))", [NAN, NAN, 0, 1, 0, 1], c=c)
    check("points_since(c)", NAN, c=NAN)


def test_rolling_functions_need_half_of_the_window() -> None:
    x = column([1.0, 2.0, NAN, INF, 4.0, 6.0])
    check("rolling_mean(x, 4)", [NAN, 1.5, 1.5, 1.5, 3, 5], x=x)
    check("rolling_median(x, 4)", [NAN, 1.5, 1.5, 1.5, 3, 5], x=x)
    check("rolling_max(x, 4)", [NAN, 2, 2, 2, 4, 6], x=x)
    check("rolling_quantile(x, 4, 1)", [NAN, 2, 2, 2, 4, 6], x=x)
    check("rolling_max(x, 3)", [NAN, 2, 2, NAN, NAN, 6], x=x)
    check("rolling_mean(x, 1)", [1, 2, NAN, NAN, 4, 6], x=x)


@pytest.mark.parametrize("function", ["rolling_mean(x, n)", "rolling_median(x, n)", "rolling_max(x, n)"])
def test_windows_are_rounded_and_clipped(function: str) -> None:
    x = column([1.0, 2.0, 4.0])
    check(function, [1, 2, 4], x=x, n=-5.0)
    check(function, [1, 2, 4], x=x, n=1.4)
    for window in (2.7, 1e300, INF):
        check(function, listed(evaluate(function, {"x": x, "n": 3.0})), x=x, n=window)
    check(function, [NAN] * 3, x=x, n=NAN)
    check(function, 5.0, x=5.0, n=3.0)
    check(function, [], x=column([]), n=3.0)
    with pytest.raises(EvaluationError, match="n must be one number"):
        evaluate(function, {"x": x, "n": x})


def test_so_far() -> None:
    x = column([NAN, INF, 3.0, 5.0, -INF, 1.0, NAN])
    check("lowest_so_far(x)", [NAN, NAN, 3, 3, 3, 1, 1], x=x)
    check("cumulative_sum(x)", [0, 0, 3, 8, 8, 9, 9], x=x)
    check("lowest_so_far(x)", 4.0, x=4.0)
    check("cumulative_sum(x)", [1, 1, 2], x=column([True, False, True]))


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("first(x)", 3.0),
        ("last(x)", 5.0),
        ("min(x)", -2.0),
        ("max(x)", 5.0),
        ("mean(x)", 1.75),
        ("median(x)", 2.0),
        ("quantile(x, 0.5)", 2.0),
        ("quantile(x, 0.25)", 0.25),
        ("sum(x)", 7.0),
        ("count(x)", 4.0),
    ],
)
def test_aggregates_are_over_finite_values(function: str, value: float) -> None:
    check(function, value, x=column(X))
    nothing = 0.0 if function in ("sum(x)", "count(x)") else NAN
    check(function, nothing, x=column([NAN, INF]))
    check(function, nothing, x=column([]))
    check(function, nothing, x=NAN)
    check(function, 1.0 if function == "count(x)" else 6.0, x=6.0)


def test_aggregates_of_conditions() -> None:
    x = column(X)
    check("mean(x > 2)", 0.5, x=x)
    check("count(only(x, x > 2))", 2.0, x=x)
    check("max(x > 2)", 1.0, x=x)


def test_std_is_the_sample_one() -> None:
    check("std(x)", np.sqrt(((1.25**2) + 0.75**2 + 3.75**2 + 3.25**2) / 3), x=column(X))
    check("std(x)", NAN, x=column([3.0, NAN]))
    check("std(x)", NAN, x=3.0)


def test_noise() -> None:
    # differences 1, -1, 2, 0; median 0.5; deviations .5 1.5 1.5 .5; median 1
    check("noise(x)", 1.4826 / np.sqrt(2), x=column([0.0, 1.0, 0.0, NAN, 2.0, INF, 2.0]))
    check("noise(x)", NAN, x=column([0.0, 1.0, 0.0, 2.0, NAN]))
    check("noise(x)", 0.0, x=column([0.0, 1.0, 2.0, 3.0, 4.0]))
    check("noise(x)", NAN, x=3.0)


def test_quantiles_want_a_share() -> None:
    for text in ("quantile(x, 1.5)", "rolling_quantile(x, 3, -0.1)"):
        with pytest.raises(EvaluationError, match=r"0\.\.1"):
            evaluate(text, {"x": column(X)})
    check("quantile(x, q)", NAN, x=column(X), q=NAN)


def test_comparisons_with_nan_are_false_but_not_equal() -> None:
    x = column(X)
    check("x < 2", [False, False, True, False, True, False], x=x)
    check("x == x", [True, False, True, True, True, True], x=x)
    check("x != 3", [False, True, True, True, True, True], x=x)
    check("not x < 2", [True, True, False, True, False, True], x=x)
    check("not x < 2", True, x=NAN)
    check("0 < x <= 3", [True, False, True, False, False, False], x=x)


def test_arithmetic_is_ieee_and_counts_true_as_one() -> None:
    x = column([0.0, 1.0, -1.0])
    check("1 / x", [INF, 1, -1], x=x)
    check("0 / x", [NAN, 0, 0], x=x)
    check("1 / 0", INF)
    check("1e308 * 10", INF)
    check("(x > 0) + (x >= 0)", [1, 2, 0], x=x)
    check("-(x > 0)", [0, -1, 0], x=x)
    check("x and not c", [False, False, False], x=x, c=1.0)
    check("x or c", [False, True, True], x=x, c=NAN)


_ARGUMENTS = {"x": "x", "a": "x", "b": "y", "c": "x > 1", "k=1": "2", "n": "3", "q": "0.5"}


@pytest.mark.parametrize("function", sorted(SIGNATURES.keys() - {"among"}))
@pytest.mark.parametrize(
    "values", [[], [NAN], [INF, -INF, NAN], [1e308, -1e308, 1e308] * 4, [5e-324] * 9, [True, False]]
)
def test_no_function_warns_or_fails_on_extremes(function: str, values: list[float]) -> None:
    x = column(values, better="lower")
    arguments = ", ".join(_ARGUMENTS[argument] for argument in SIGNATURES[function])
    value = evaluate(f"{function}({arguments})", {"x": x, "y": column(values[:1])})
    assert not isinstance(value, Column) or len(value.values) == len(value.axis)
