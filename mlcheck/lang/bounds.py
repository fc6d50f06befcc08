"""Whether a condition can be true at all, from what its inputs' least and greatest values and their NaN already say.

Interval arithmetic over the tree of an expression. What it does not know, and whatever might raise when it is evaluated, is answered with
"perhaps": a condition of which it is said that it never holds is one whose evaluation is false at every point, and raises nothing.
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mlcheck.lang.align import Array
from mlcheck.lang.expression import Expression, operands
from mlcheck.lang.lets import Lets
from mlcheck.lang.values import Axis
from mlcheck.lang.vocabulary import CONSTANTS
from mlcheck.records import dataclass


class Range(NamedTuple):
    """What a value can be at any of its points: a number between two others, NaN, or nothing where `low > high`."""

    low: float
    high: float
    nan: bool
    column: bool = False
    """A column, and no scalar."""


class Unknown(Exception):
    """The condition may hold, or may raise, for all that is known."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An input, a parameter or a fact."""

    range: Range
    axis: Axis | None = None
    """The axis of a column; None for a scalar."""


def range_of(values: Array) -> Range:
    """The range of a column; float64 or bool, shape (n,)."""
    if not len(values):
        return Range(math.inf, -math.inf, False, True)
    low, high = float(values.min()), float(values.max())
    if not math.isnan(low):
        return Range(low, high, False, True)
    known = values[~np.isnan(values)]
    if not len(known):
        return Range(math.inf, -math.inf, True, True)
    return Range(float(known.min()), float(known.max()), True, True)


def scalar_range(value: float) -> Range:
    """The range of one number."""
    return Range(math.inf, -math.inf, True) if math.isnan(value) else Range(value, value, False)


def never_holds(condition: Expression, lets: Lets, leaf: Callable[[str], Leaf]) -> bool:
    """Whether a condition is proved to be false at every point, or as a whole. `leaf` may raise Unknown."""
    if not _is_known(condition.root, lets):
        return False
    try:
        return not _may_be_true(_Bounds(lets, leaf).of(condition.root))
    except Unknown:
        return False


@lru_cache(maxsize=4096)
def _is_known(root: ast.expr, lets: Lets) -> bool:
    """Whether the ranges of all its functions are known, with its lets put in; remembered, since a rule asks for each combination."""
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not _knows(node.func.id, node):
            return False
        if isinstance(node, ast.Name) and (let := lets.expressions.get(node.id)) and not _is_known(let.root, lets):
            return False
    return True


def _knows(name: str, node: ast.Call) -> bool:
    """How far `prev` looks back must be a number, which only its evaluation tells."""
    return name in _FUNCTIONS and not (name == "prev" and len(node.args) > 1)


class _Bounds:
    """The ranges of the parts of one condition."""

    def __init__(self, lets: Lets, leaf: Callable[[str], Leaf]) -> None:
        self._lets = lets
        self._leaf = leaf
        self._names: dict[str, Range] = {}
        self._axis: Axis | None = None

    def of(self, node: ast.expr) -> Range:
        match node:
            case ast.Constant(value=int() | float() as number):
                return scalar_range(float(number))
            case ast.Name(id=name):
                return self._name(name)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(name, node)
            case ast.Compare(ops=ops):
                values = [self.of(one) for one in operands(node)]
                pairs = zip(ops, values[:-1], values[1:], strict=True)
                return _all_true([_compared(op, left, right) for op, left, right in pairs])
            case ast.BoolOp(op=ast.And()):
                return _all_true([_truth(self.of(one)) for one in operands(node)])
            case ast.BoolOp():
                return _negated_truth(_all_true([_negated_truth(_truth(self.of(one))) for one in operands(node)]))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return _negated_truth(_truth(self.of(inner)))
            case ast.UnaryOp(op=sign, operand=inner):
                return _negative(self.of(inner)) if isinstance(sign, ast.USub) else self.of(inner)
            case ast.BinOp(op=operator, left=left, right=right):
                return _ARITHMETIC[type(operator)](self.of(left), self.of(right))
        raise Unknown

    def _name(self, name: str) -> Range:
        if name in CONSTANTS:
            return scalar_range(CONSTANTS[name])
        if name not in self._names:
            let = self._lets.expressions.get(name)
            self._names[name] = self._input(name) if let is None else self.of(let.root)
        return self._names[name]

    def _input(self, name: str) -> Range:
        found = self._leaf(name)
        if found.axis is not None:
            # Columns on other axes are aligned, and are NaN where they have no value.
            if self._axis is not None and found.axis is not self._axis:
                raise Unknown
            self._axis = found.axis
        return found.range

    def _call(self, name: str, node: ast.Call) -> Range:
        return _FUNCTIONS[name]([self.of(one) for one in node.args])


def _may_be_true(value: Range) -> bool:
    return value.low <= value.high and not value.low == value.high == 0


def _condition(may_be_true: bool, may_be_false: bool, column: bool) -> Range:
    """A condition as a number: 0 or 1."""
    low, high = (0.0 if may_be_false else 1.0), (1.0 if may_be_true else 0.0)
    return Range(low, high, False, column) if low <= high else Range(math.inf, -math.inf, False, column)


def _truth(value: Range) -> Range:
    return _condition(_may_be_true(value), value.nan or value.low <= 0 <= value.high, value.column)


def _negated_truth(truth: Range) -> Range:
    return _condition(truth.low <= 0 <= truth.high, _may_be_true(truth), truth.column)


def _all_true(truths: Sequence[Range]) -> Range:
    may_be_false = any(one.low <= 0 <= one.high for one in truths)
    return _condition(all(map(_may_be_true, truths)), may_be_false, any(one.column for one in truths))


def _compared(op: ast.cmpop, left: Range, right: Range) -> Range:
    column, nan = left.column or right.column, left.nan or right.nan
    if isinstance(op, ast.Gt | ast.GtE):
        left, right = right, left
    match op:
        case ast.Lt() | ast.Gt():
            return _condition(left.low < right.high, nan or left.high >= right.low, column)
        case ast.LtE() | ast.GtE():
            return _condition(left.low <= right.high, nan or left.high > right.low, column)
    meet = max(left.low, right.low) <= min(left.high, right.high)
    differ = nan or not (left.low == left.high == right.low == right.high)
    return _condition(meet, differ, column) if isinstance(op, ast.Eq) else _condition(differ, meet, column)


def _negative(value: Range) -> Range:
    return Range(-value.high, -value.low, value.nan, value.column)


def _is_empty(value: Range) -> bool:
    return value.low > value.high


def _spanned(numbers: Sequence[float], nan: bool, column: bool) -> Range:
    """From the least to the greatest of some numbers; anything where one of them is NaN. Rounding keeps the order of numbers, so that
    bounds that are computed as the values are remain bounds.
    """
    if any(map(math.isnan, numbers)):
        return Range(-math.inf, math.inf, True, column)
    return Range(min(numbers), max(numbers), nan, column)


def _sum(left: Range, right: Range) -> Range:
    nan, column = left.nan or right.nan, left.column or right.column
    if _is_empty(left) or _is_empty(right):
        return Range(math.inf, -math.inf, nan, column)
    return _spanned(
        [left.low + right.low, left.high + right.high, left.low + right.high, left.high + right.low], nan, column
    )


def _product(left: Range, right: Range) -> Range:
    nan, column = left.nan or right.nan, left.column or right.column
    if _is_empty(left) or _is_empty(right):
        return Range(math.inf, -math.inf, nan, column)
    ends = [*left[:2], *right[:2]]
    if any(map(math.isinf, ends)):
        return Range(-math.inf, math.inf, True, column)
    return _spanned([one * other for one in left[:2] for other in right[:2]], nan, column)


def _quotient(left: Range, right: Range) -> Range:
    nan, column = left.nan or right.nan, left.column or right.column
    if _is_empty(left) or _is_empty(right):
        return Range(math.inf, -math.inf, nan, column)
    if right.low <= 0 <= right.high or any(map(math.isinf, [*left[:2], *right[:2]])):
        return Range(-math.inf, math.inf, True, column)
    return _spanned([one / other for one in left[:2] for other in right[:2]], nan, column)


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Range, Range], Range]] = {
    ast.Add: _sum,
    ast.Sub: lambda left, right: _sum(left, _negative(right)),
    ast.Mult: _product,
    ast.Div: _quotient,
}


def _union(values: Sequence[Range], column: bool) -> Range:
    low, high = min(one.low for one in values), max(one.high for one in values)
    return Range(low, high, any(one.nan for one in values), column)


def _where(given: Sequence[Range]) -> Range:
    truth, column = _truth(given[0]), any(one.column for one in given)
    chosen = [
        value
        for value, possible in zip(given[1:], (_may_be_true(truth), truth.low <= 0 <= truth.high), strict=True)
        if possible
    ]
    return _union(chosen, column) if chosen else Range(math.inf, -math.inf, False, column)


def _only(given: Sequence[Range]) -> Range:
    nothing = Range(math.inf, -math.inf, True)
    return _where([given[1], given[0], nothing])


def _isfinite(given: Sequence[Range]) -> Range:
    (x,) = given
    known = not _is_empty(x) and x.low < math.inf and x.high > -math.inf
    infinite = not _is_empty(x) and (math.isinf(x.low) or math.isinf(x.high))
    return _condition(known, x.nan or infinite, x.column)


def _abs(given: Sequence[Range]) -> Range:
    (x,) = given
    if _is_empty(x):
        return x
    least = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Range(least, max(abs(x.low), abs(x.high)), x.nan, x.column)


def _extreme(choose: Callable[[float, float], float]) -> Callable[[Sequence[Range]], Range]:
    """Of two numbers the lesser or the greater; NaN where one is NaN."""

    def apply(given: Sequence[Range]) -> Range:
        left, right = given
        nan, column = left.nan or right.nan, left.column or right.column
        if _is_empty(left) or _is_empty(right):
            return Range(math.inf, -math.inf, nan, column)
        return Range(choose(left.low, right.low), choose(left.high, right.high), nan, column)

    return apply


def _some_of(given: Sequence[Range]) -> Range:
    """A function that gives at each point one of its values, or NaN."""
    return given[0]._replace(nan=True)


def _one_of(given: Sequence[Range]) -> Range:
    """A function that gives one of the values of a column, or NaN; a number as it is."""
    return given[0]._replace(nan=True, column=False)


def _held(given: Sequence[Range]) -> Range:
    return given[0]._replace(nan=True, column=given[0].column or given[1].column)


_FUNCTIONS: Mapping[str, Callable[[Sequence[Range]], Range]] = {
    "abs": _abs,
    "minimum": _extreme(min),
    "maximum": _extreme(max),
    "isfinite": _isfinite,
    "where": _where,
    "only": _only,
    "prev": _some_of,
    "held": _held,
    "lowest_so_far": _some_of,
    "first": _one_of,
    "last": _one_of,
    "min": _one_of,
    "max": _one_of,
}
