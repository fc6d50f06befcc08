"""The functions of the language over values, save `among`, which needs more than its arguments.

All of them are pure. NaN and short series are as in language.md (a); numbers are float64 and conditions bool, and where
a number stands for a condition it is true when it is neither 0 nor NaN. Callers switch numpy's floating point warnings
off.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mlcheck.errors import MlcheckError
from mlcheck.lang import rolling, whole
from mlcheck.lang.align import Array, aligned
from mlcheck.lang.kept import remembered
from mlcheck.lang.values import Axis, Column, Inapplicable, Value

NAN = float("nan")


class EvaluationError(MlcheckError):
    """An argument that a function cannot work with, such as a series for a window's length: a fault of the rule."""


def numbers(values: Array | float | bool) -> NDArray[np.float64]:
    """As float64, True as 1."""
    return np.asarray(values, dtype=np.float64)


def truths(values: Array | float | bool) -> NDArray[np.bool_]:
    """As conditions: a number is true when it is neither 0 nor NaN."""
    array = np.asarray(values)
    given: NDArray[np.bool_] = array if array.dtype == np.bool_ else (array != 0) & ~np.isnan(array)
    return given


def is_true(value: Value) -> bool:
    """Whether a value is true, a column at any of its points."""
    if isinstance(value, Column):
        return bool(np.any(truths(value.values)))
    return bool(value) and not math.isnan(value)


def pointwise(operation: Callable[..., Array], *values: Value) -> Value:
    """Apply an operation on arrays to values of any density: aligned, scalars broadcast; a scalar when all are."""
    for value in values:
        if isinstance(value, Column):
            axis, parts = aligned(values)
            assert axis is not None
            return Column(operation(*parts), axis)
    result = operation(*values)
    return bool(result) if result.dtype == np.bool_ else float(result)


def scalar(function: str, argument: str, value: Value) -> float:
    """The value as a number; raises EvaluationError for a column."""
    if isinstance(value, Column):
        raise EvaluationError(f"{function}: {argument} must be one number, not a series")
    return float(value)


def _like(column: Column, values: Array) -> Column:
    return Column(values, column.axis, column.better)


def _numeric(operation: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Value], Value]:
    """A function of one number at each point, which keeps the direction of its input."""

    def apply(x: Value) -> Value:
        if isinstance(x, Column):
            return _like(x, operation(numbers(x.values)))
        return float(operation(numbers(x)))

    return apply


def log10(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where a value is not positive; float64, any shape."""
    return np.log10(np.where(values > 0, values, np.nan))


def _minimum(a: Value, b: Value) -> Value:
    return pointwise(lambda left, right: np.minimum(numbers(left), numbers(right)), a, b)


def _maximum(a: Value, b: Value) -> Value:
    return pointwise(lambda left, right: np.maximum(numbers(left), numbers(right)), a, b)


def _isfinite(x: Value) -> Value:
    if not isinstance(x, Column):
        return bool(np.isfinite(x))
    return _remembered(x, "isfinite", 0.0, lambda: Column(np.isfinite(numbers(x.values)), x.axis))


def _where(c: Value, a: Value, b: Value) -> Value:
    if not (_is_condition(a) and _is_condition(b)):
        # Numbers before they are aligned: beyond its steps a condition is False, and a number is not known.
        a, b = _as_numbers(a), _as_numbers(b)

    def choose(condition: Array, yes: Array, no: Array) -> Array:
        chosen: Array = np.where(truths(condition), yes, no)
        return chosen

    return pointwise(choose, c, a, b)


def _is_condition(x: Value) -> bool:
    return isinstance(x, bool) or (isinstance(x, Column) and x.values.dtype == np.bool_)


def _as_numbers(x: Value) -> Value:
    return _like(x, numbers(x.values)) if isinstance(x, Column) else float(x)


def _only(x: Value, c: Value) -> Value:
    result = pointwise(lambda values, condition: np.where(truths(condition), numbers(values), np.nan), x, c)
    return _with_direction_of(x, result)


def _with_direction_of(x: Value, result: Value) -> Value:
    if isinstance(x, Column) and isinstance(result, Column):
        return Column(result.values, result.axis, x.better)
    return result


def _cost(x: Value) -> Value:
    if not isinstance(x, Column):
        if np.isnan(x):
            return x
        raise Inapplicable("direction", "whether lower or higher is better is not known of a single number")
    if x.better == "lower":
        return x
    if x.better == "higher":
        return _remembered(x, "cost", 0.0, lambda: Column(-numbers(x.values), x.axis, "lower", opposite=x))
    raise Inapplicable("direction", "it is not known whether lower or higher is better")


def _place(name: str, positions: Callable[[Axis], NDArray[np.float64]]) -> Callable[[Value], Value]:
    def apply(x: Value) -> Value:
        if not isinstance(x, Column):
            return NAN
        axis = x.axis
        return Column(remembered(axis.memo, name, axis.kept, lambda: positions(axis), _bytes), axis)

    return apply


def progress(axis: Axis) -> NDArray[np.float64]:
    """The share of the run that each point has behind it; float64, shape (n,), 0 to 1."""
    extent = axis.run_last - axis.run_first
    if not extent > 0:
        return np.zeros(len(axis))
    return np.clip((axis.steps - axis.run_first) / extent, 0.0, 1.0)


def _not_ahead(function: str, argument: str, value: Value) -> float:
    number = scalar(function, argument, value)
    if number < 0:
        raise EvaluationError(f"{function} looks back only: {argument} must not be negative, it is {number:g}")
    return number


def _prev(x: Value, k: Value = 1.0) -> Value:
    back = _not_ahead("prev", "k", k)
    if not isinstance(x, Column):
        return x
    values = numbers(x.values)
    result = np.full(len(values), np.nan)
    if back < len(values):
        shift = int(np.rint(back))
        result[shift:] = values[: len(values) - shift]
    return _like(x, result)


def _diff(x: Value) -> Value:
    if not isinstance(x, Column):
        return NAN
    return _remembered(x, "diff", 0.0, lambda: _like(x, np.diff(numbers(x.values), prepend=np.nan)))


def _lag(x: Value, n: Value) -> Value:
    back = _not_ahead("lag", "n", n)
    if not isinstance(x, Column):
        return x
    steps, values = x.axis.steps, numbers(x.values)
    result = np.full(len(values), np.nan)
    # Only rows at or after first + n have a past; this also keeps steps - n from wrapping round.
    if len(steps) and back <= int(steps[-1]) - int(steps[0]):
        whole_steps = int(np.ceil(back))
        reach = np.searchsorted(steps, int(steps[0]) + whole_steps, side="left")
        rows = np.searchsorted(steps, steps[reach:] - whole_steps, side="right") - 1
        result[reach:] = values[rows]
    return _like(x, result)


def _last_true(condition: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Row at which the condition was last true, −1 before the first."""
    return np.maximum.accumulate(np.where(condition, np.arange(len(condition)), -1))


def _held(x: Value, c: Value) -> Value:
    axis, (values, condition) = aligned([x, c])
    if axis is None:
        return float(x) if is_true(c) and not isinstance(x, Column) else NAN
    values = np.broadcast_to(numbers(values), len(axis))
    rows = _last_true(np.broadcast_to(truths(condition), len(axis)))
    result = np.full(len(axis), np.nan)
    result[rows >= 0] = values[rows[rows >= 0]]
    return _with_direction_of(x, Column(result, axis))


def _points_since(c: Value) -> Value:
    if not isinstance(c, Column):
        return NAN
    rows = _last_true(truths(c.values))
    return Column(np.where(rows >= 0, np.arange(len(rows)) - rows, np.nan), c.axis)


def _remembered(x: Column, name: str, number: float, compute: Callable[[], Column | float]) -> Column | float:
    """A function of a column and a number, computed once for each column: columns of a run are shared by its rules."""
    return remembered(x.memo, (name, number), x.axis.kept, compute, _size)


def _bytes(values: Array) -> int:
    return values.nbytes


def _size(value: Column | float) -> int:
    return value.values.nbytes if isinstance(value, Column) else 0


def _rolling_median(x: Value, n: Value) -> Value:
    """The median of the negative is the negative of the median, to the last bit."""
    median = _rolling("rolling_median", rolling.rolling_median)
    if not isinstance(x, Column) or x.opposite is None:
        return median(x, n)
    mirrored = median(x.opposite, n)
    assert isinstance(mirrored, Column)
    return _like(x, -numbers(mirrored.values))


def _rolling(name: str, function: Callable[..., NDArray[np.float64]]) -> Callable[..., Value]:
    def apply(x: Value, n: Value) -> Value:
        window = scalar(name, "n", n)
        if not isinstance(x, Column):
            return x
        return _remembered(x, name, window, lambda: _like(x, function(numbers(x.values), window)))

    return apply


def _share(function: str, q: Value) -> float:
    share = scalar(function, "q", q)
    if share < 0 or share > 1:
        raise EvaluationError(f"{function}: q must lie in 0..1, it is {share:g}")
    return share


def _rolling_quantile(x: Value, n: Value, q: Value) -> Value:
    window, share = scalar("rolling_quantile", "n", n), _share("rolling_quantile", q)
    return _like(x, rolling.rolling_quantile(numbers(x.values), window, share)) if isinstance(x, Column) else x


def _so_far(name: str, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Value], Value]:
    def apply(x: Value) -> Value:
        if not isinstance(x, Column):
            return x
        return _remembered(x, name, 0.0, lambda: _like(x, function(numbers(x.values))))

    return apply


def _whole(name: str) -> Callable[[Value], Value]:
    def apply(x: Value) -> Value:
        if isinstance(x, Column):
            return _remembered(x, name, 0.0, lambda: whole.whole(name, x.finite))
        if name == "count":
            return float(np.isfinite(x))
        if name == "std":
            return NAN
        return 0.0 if name == "sum" and np.isnan(x) else x

    return apply


def _quantile(x: Value, q: Value) -> Value:
    share = _share("quantile", q)
    if not isinstance(x, Column):
        return x
    return _remembered(x, "quantile", share, lambda: whole.quantile(x.finite, share))


def _noise(x: Value) -> Value:
    if not isinstance(x, Column):
        return NAN
    return _remembered(x, "noise", 0.0, lambda: whole.noise(x.finite))


FUNCTIONS: Mapping[str, Callable[..., Value]] = MappingProxyType(
    {
        "abs": _numeric(np.abs),
        "log10": _numeric(log10),
        "sqrt": _numeric(np.sqrt),
        "minimum": _minimum,
        "maximum": _maximum,
        "isfinite": _isfinite,
        "where": _where,
        "only": _only,
        "cost": _cost,
        "step": _place("step", lambda axis: axis.steps.astype(np.float64)),
        "wall_time": _place("wall_time", lambda axis: axis.wall_times),
        "progress": _place("progress", progress),
        "prev": _prev,
        "diff": _diff,
        "lag": _lag,
        "held": _held,
        "points_since": _points_since,
        "rolling_mean": _rolling("rolling_mean", rolling.rolling_mean),
        "rolling_median": _rolling_median,
        "rolling_max": _rolling("rolling_max", rolling.rolling_max),
        "rolling_quantile": _rolling_quantile,
        "lowest_so_far": _so_far("lowest_so_far", rolling.lowest_so_far),
        "cumulative_sum": _so_far("cumulative_sum", rolling.cumulative_sum),
        "quantile": _quantile,
        "noise": _noise,
        **{name: _whole(name) for name in whole.WHOLE},
    }
)
"""Name to function; `among` is the evaluator's."""
