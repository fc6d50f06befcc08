"""A condition over many combinations of series at once: those of a model's layers stand on the same steps, and a condition that holds
for none of a layer's points need not be evaluated for that layer by itself.

What is not known here is answered with `Unsupported`: then each combination is evaluated by itself. What is known gives the very values
that an evaluation by itself gives.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlcheck.lang import rolling, whole
from mlcheck.lang.align import Array
from mlcheck.lang.evaluate import ARITHMETIC, COMPARISONS, Evaluator
from mlcheck.lang.expression import Expression, operands
from mlcheck.lang.functions import log10, numbers, progress, truths
from mlcheck.lang.lets import Lets
from mlcheck.lang.values import Axis, Column, Value
from mlcheck.lang.vocabulary import CONSTANTS
from mlcheck.records import dataclass

Floats = NDArray[np.float64]


class Unsupported(Exception):
    """The combinations cannot be judged together."""


@dataclass(frozen=True, eq=False)
class Lanes:
    """A value in each of m combinations."""

    values: Array
    """float64 or bool: shape (m, n) for columns of n points, (m, 1) for numbers; one row where it is the same in all."""
    axis: Axis | None = None
    """The axis of one of the columns: all of them have its steps; None for numbers."""


Told = Sequence[tuple[Expression, Lanes]]
"""Expressions with the numbers that they come to."""


class LaneEvaluator:
    """The values of a rule's expressions in many scopes, whose evaluators say what the inputs are."""

    def __init__(self, lets: Lets, evaluators: Sequence[Evaluator]) -> None:
        self._lets = lets
        self._evaluators = evaluators
        self._names: dict[str, Lanes] = {}

    def may_hold(self, condition: Expression) -> NDArray[np.bool_]:
        """Whether the condition holds anywhere in each scope; bool, shape (m,). Raises Unsupported, and what evaluation raises."""
        if not is_supported(condition.root, self._lets):
            raise Unsupported
        with np.errstate(all="ignore"):
            held = truths(self._value(condition.root).values).any(axis=1)
        return np.broadcast_to(held, len(self._evaluators))

    def name(self, name: str) -> Lanes:
        """The values of an input, a parameter or a let. Raises Unsupported."""
        known = self._names.get(name)
        if known is None:
            let = self._lets.expressions.get(name)
            known = self._names[name] = self._of_each(ast.Name(name)) if let is None else self._value(let.root)
        return known

    def numbers_of(self, expressions: Sequence[Expression]) -> Told:
        """Those of the expressions that come to a number or truth in each scope, with what they come to.

        What cannot be evaluated in all scopes at once is left out: each by itself says why, if it is asked at all.
        """
        found = []
        for one in expressions:
            try:
                if is_supported(one.root, self._lets):
                    with np.errstate(all="ignore"):
                        value = self._value(one.root)
                    if value.axis is None:
                        found.append((one, value))
            except Exception:  # noqa: BLE001 - see above
                continue
        return found

    def tell(self, lane: int, told: Told = ()) -> Evaluator:
        """The evaluator of one scope, with the numbers that its lets, and some expressions, are known to be."""
        evaluator = self._evaluators[lane]
        for one, found in told:
            evaluator.tell_of(one, found.values[lane if len(found.values) > 1 else 0, 0].item())
        for name, found in self._names.items():
            if found.axis is None and name in self._lets.expressions:
                evaluator.tell(name, found.values[lane if len(found.values) > 1 else 0, 0].item())
        return evaluator

    def _of_each(self, node: ast.Name | ast.Call) -> Lanes:
        """What an input, a parameter or a reduction is in each scope; asked for once where it is the same in all."""
        of_all = self._evaluators[:1] if self._evaluators[0].is_common(node) else self._evaluators
        if isinstance(node, ast.Name):
            return _together([evaluator.name(node.id) for evaluator in of_all])
        return _together([evaluator.among(node) for evaluator in of_all])

    def _value(self, node: ast.expr) -> Lanes:
        match node:
            case ast.Constant(value=int() | float() as number):
                return _number(float(number))
            case ast.Name(id=name):
                return _number(CONSTANTS[name]) if name in CONSTANTS else self.name(name)
            case ast.Call(func=ast.Name(id="among")):
                return self._of_each(node)
        values = [self._value(child) for child in operands(node)]
        match node:
            case ast.Call(func=ast.Name(id=name)):
                if name in whole.WHOLE:
                    return _whole(name, values[0])
                return _FUNCTIONS[name](*values)
            case ast.BinOp(op=operator):
                return _pointwise(ARITHMETIC[type(operator)], *values)
            case ast.UnaryOp(op=ast.Not()):
                return _pointwise(lambda condition: ~truths(condition), values[0])
            case ast.UnaryOp(op=sign):
                negative = isinstance(sign, ast.USub)
                return _pointwise(lambda given: -numbers(given) if negative else numbers(given), values[0])
            case ast.Compare(ops=ops):
                pairs = zip(ops, values[:-1], values[1:], strict=True)
                return _joined(np.logical_and, [_pointwise(COMPARISONS[type(op)], *two) for op, *two in pairs])
            case ast.BoolOp(op=joint):
                return _joined(np.logical_and if isinstance(joint, ast.And) else np.logical_or, values)
        raise Unsupported


@lru_cache(maxsize=4096)
def is_supported(root: ast.expr, lets: Lets) -> bool:
    """Whether all functions of an expression are known here, with its lets put in."""
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name != "among" and name not in whole.WHOLE and name not in _FUNCTIONS:
                return False
        if isinstance(node, ast.Name) and (let := lets.expressions.get(node.id)) and not is_supported(let.root, lets):
            return False
    return True


def _number(value: float) -> Lanes:
    return Lanes(np.full((1, 1), value))


def _together(values: Sequence[Value]) -> Lanes:
    """One value of each scope. Raises Unsupported where they are of several kinds, or on different steps."""
    first = values[0]
    if not isinstance(first, Column):
        if any(isinstance(one, Column) for one in values):
            raise Unsupported
        if all(one is first for one in values):
            return Lanes(_numbers([first]))
        return Lanes(_numbers(values))
    if all(one is first for one in values):
        values = [first]
    columns = [one for one in values if isinstance(one, Column) and one.axis.place == first.axis.place]
    if len(columns) < len(values) or first.axis.place is None:
        raise Unsupported
    if any(one.values.dtype != first.values.dtype for one in columns):
        raise Unsupported
    if first.values.dtype == np.bool_:
        return Lanes(np.array([one.values for one in columns], dtype=np.bool_), first.axis)
    return Lanes(np.array([one.values for one in columns], dtype=np.float64), first.axis)


def _numbers(values: Sequence[Value]) -> Array:
    """Numbers and truths as they are, shape (m, 1)."""
    if all(isinstance(one, bool) for one in values):
        return np.array(values, dtype=np.bool_)[:, None]
    return np.array(values, dtype=np.float64)[:, None]


def _common(lanes: Sequence[Lanes]) -> Axis | None:
    axes = [one.axis for one in lanes if one.axis is not None]
    if any(one.place != axes[0].place for one in axes):
        raise Unsupported
    return axes[0] if axes else None


def _pointwise(operation: Callable[..., Array], *lanes: Lanes) -> Lanes:
    axis = _common(lanes)
    return Lanes(operation(*(one.values for one in lanes)), axis)


def _joined(operation: Callable[[Array, Array], Array], lanes: Sequence[Lanes]) -> Lanes:
    result = _pointwise(truths, lanes[0])
    for one in lanes[1:]:
        result = _pointwise(lambda left, right: operation(truths(left), truths(right)), result, one)
    return result


def _of_numbers(operation: Callable[..., Array]) -> Callable[..., Lanes]:
    return lambda *lanes: _pointwise(lambda *values: operation(*map(numbers, values)), *lanes)


def _where(condition: Lanes, yes: Lanes, no: Lanes) -> Lanes:
    both = yes.values.dtype == np.bool_ and no.values.dtype == np.bool_
    taken = (lambda values: values) if both else numbers
    return _pointwise(lambda c, a, b: np.where(truths(c), taken(a), taken(b)), condition, yes, no)


def _only(x: Lanes, condition: Lanes) -> Lanes:
    return _pointwise(lambda values, c: np.where(truths(c), numbers(values), np.nan), x, condition)


def _place(positions: Callable[[Axis], Floats]) -> Callable[[Lanes], Lanes]:
    return lambda x: _number(np.nan) if x.axis is None else Lanes(positions(x.axis)[None, :], x.axis)


def _prev(x: Lanes, back: Lanes | None = None) -> Lanes:
    far = 1.0 if back is None else float(numbers(back.values).flat[0])
    if (back is not None and (back.axis is not None or back.values.size > 1)) or not far >= 0:
        raise Unsupported
    if x.axis is None:
        return x
    values = numbers(x.values)
    result = np.full(values.shape, np.nan)
    length = values.shape[1]
    if far < length:
        shift = int(np.rint(far))
        result[:, shift:] = values[:, : length - shift]
    return Lanes(result, x.axis)


def _diff(x: Lanes) -> Lanes:
    if x.axis is None:
        return _number(np.nan)
    return Lanes(numbers(x.values) - numbers(_prev(x).values), x.axis)


def _held(x: Lanes, condition: Lanes) -> Lanes:
    axis = _common([x, condition])
    if axis is None:
        raise Unsupported
    values, held = np.broadcast_arrays(numbers(x.values), truths(condition.values))
    values = np.broadcast_to(values, (len(values), len(axis)))
    rows = np.maximum.accumulate(np.where(held, np.arange(len(axis)), -1), axis=1)
    found = np.take_along_axis(values, np.maximum(rows, 0), axis=1)
    return Lanes(np.where(rows >= 0, found, np.nan), axis)


def _along(function: Callable[[Floats], Floats]) -> Callable[[Lanes], Lanes]:
    return lambda x: x if x.axis is None else Lanes(function(np.ascontiguousarray(numbers(x.values))), x.axis)


def _cumulative_sum(values: Floats) -> Floats:
    return np.cumsum(np.where(np.isfinite(values), values, 0.0), axis=1)


def _lowest_so_far(values: Floats) -> Floats:
    found: Floats = np.fmin.accumulate(np.where(np.isfinite(values), values, np.nan), axis=1)
    return found


def _row_by_row(function: Callable[[Floats, float], Floats | float]) -> Callable[[Lanes, Lanes], Lanes]:
    """A function of a column and a number."""

    def apply(x: Lanes, number: Lanes) -> Lanes:
        if number.axis is not None:
            raise Unsupported
        if x.axis is None:
            return x
        values, given = numbers(x.values), numbers(number.values)
        many = max(len(values), len(given))
        rows = np.broadcast_to(values, (many, values.shape[1]))
        found = [
            function(np.ascontiguousarray(row), float(one))
            for row, (one,) in zip(rows, np.broadcast_to(given, (many, 1)), strict=True)
        ]
        is_column = isinstance(found[0], np.ndarray)
        return Lanes(np.stack(found), x.axis) if is_column else Lanes(np.array(found)[:, None])

    return apply


def _quantile(values: Floats, share: float) -> float:
    if share < 0 or share > 1:
        raise Unsupported
    return whole.quantile(whole.finite(values), share)


def _noise(x: Lanes) -> Lanes:
    if x.axis is None:
        return _number(np.nan)
    return Lanes(np.array([[whole.noise(whole.finite(row))] for row in numbers(x.values)]))


def _whole(name: str, x: Lanes) -> Lanes:
    """An aggregate of each column over its finite values."""
    if x.axis is None:
        return _of_single(name, x)
    values = np.ascontiguousarray(numbers(x.values))
    complete = np.isfinite(values).all(axis=1)
    if complete.all():
        return Lanes(_COMPLETE[name](values)[:, None])
    found = np.empty(len(values))
    if complete.any():
        found[complete] = _COMPLETE[name](values[complete])
    for row in np.flatnonzero(~complete):
        found[row] = whole.whole(name, whole.finite(values[row]))
    return Lanes(found[:, None])


def _of_single(name: str, x: Lanes) -> Lanes:
    if name == "count":
        return _pointwise(lambda values: np.isfinite(numbers(values)).astype(np.float64), x)
    if name == "std":
        return _number(np.nan)
    if name == "sum" and x.values.dtype != bool:
        return _pointwise(lambda values: np.where(np.isnan(numbers(values)), 0.0, numbers(values)), x)
    return x


def _median(values: Floats) -> Floats:
    count = values.shape[1]
    middle = count // 2
    at = (middle,) if count % 2 else (middle - 1, middle)
    ordered = np.partition(values, at, axis=1)
    return ordered[:, middle] if count % 2 else (ordered[:, middle - 1] + ordered[:, middle]) / 2


_COMPLETE: Mapping[str, Callable[[Floats], Floats]] = {
    "first": lambda values: values[:, 0],
    "last": lambda values: values[:, -1],
    "min": lambda values: values.min(axis=1),
    "max": lambda values: values.max(axis=1),
    "mean": lambda values: values.mean(axis=1),
    "median": _median,
    "std": lambda values: values.std(axis=1, ddof=1) if values.shape[1] >= 2 else np.full(len(values), np.nan),
    "sum": lambda values: values.sum(axis=1),
    "count": lambda values: np.full(len(values), float(values.shape[1])),
}
"""Aggregates of rows whose values are all finite: float64, shape (m, n) with n at least 1, to (m,)."""

_FUNCTIONS: Mapping[str, Callable[..., Lanes]] = {
    "abs": _of_numbers(np.abs),
    "log10": _of_numbers(log10),
    "sqrt": _of_numbers(np.sqrt),
    "minimum": _of_numbers(np.minimum),
    "maximum": _of_numbers(np.maximum),
    "isfinite": _of_numbers(np.isfinite),
    "where": _where,
    "only": _only,
    "step": _place(lambda axis: axis.steps.astype(np.float64)),
    "progress": _place(progress),
    "prev": _prev,
    "diff": _diff,
    "held": _held,
    "cumulative_sum": _along(_cumulative_sum),
    "lowest_so_far": _along(_lowest_so_far),
    "rolling_mean": _row_by_row(rolling.rolling_mean),
    "rolling_median": _row_by_row(rolling.rolling_median),
    "rolling_max": _row_by_row(rolling.rolling_max),
    "quantile": _row_by_row(_quantile),
    "noise": _noise,
}
