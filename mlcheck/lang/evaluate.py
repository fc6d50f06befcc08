"""Evaluation of checked expressions for one combination of series, each node once."""

import ast
from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Protocol

import numpy as np

from mlcheck.lang.align import Array, KindsDiffer, put
from mlcheck.lang.expression import Expression, operands
from mlcheck.lang.functions import FUNCTIONS, EvaluationError, is_true, numbers, pointwise, scalar, truths
from mlcheck.lang.lets import Lets
from mlcheck.lang.values import Axis, Column, Inapplicable, Scope, Value
from mlcheck.lang.vocabulary import CONSTANTS
from mlcheck.lang.whole import over_members

__all__ = ["EvaluationError", "Evaluator", "is_true"]

_Operation = Callable[[Array, Array], Array]

ARITHMETIC: Mapping[type[ast.operator], _Operation] = MappingProxyType(
    {
        ast.Add: lambda left, right: numbers(left) + numbers(right),
        ast.Sub: lambda left, right: numbers(left) - numbers(right),
        ast.Mult: lambda left, right: numbers(left) * numbers(right),
        ast.Div: lambda left, right: numbers(left) / numbers(right),
    }
)
COMPARISONS: Mapping[type[ast.cmpop], _Operation] = MappingProxyType(
    {
        ast.Lt: lambda left, right: numbers(left) < numbers(right),
        ast.LtE: lambda left, right: numbers(left) <= numbers(right),
        ast.Gt: lambda left, right: numbers(left) > numbers(right),
        ast.GtE: lambda left, right: numbers(left) >= numbers(right),
        ast.Eq: lambda left, right: numbers(left) == numbers(right),
        ast.NotEq: lambda left, right: numbers(left) != numbers(right),
    }
)
_OPPOSITE: Mapping[str | None, str | None] = MappingProxyType({"lower": "higher", "higher": "lower"})


_Step = Callable[["Evaluator"], Value]

LONG = 50_000
"""Points from which a column is not kept for another reduction."""


class Evaluator:
    """The values of a rule's expressions in one scope. Every let is computed at most once.

    Raises Inapplicable when the combination cannot be judged (axes that never meet, no direction), EvaluationError for
    an argument that a function cannot take, and KeyError for a name that the scope does not know. No numpy warning
    leaves it.
    """

    def __init__(self, lets: Lets, scope: Scope, common: "Common | None" = None) -> None:
        """`common`: what is the same in many scopes, of which this is one."""
        self._lets = lets
        self._scope = scope
        self._common = common
        self._roots: dict[int, tuple[Expression, Value]] = {}
        self._names: dict[str, Value] = {}
        self._members: dict[tuple[frozenset[str], str], list[Evaluator]] = {}
        self._evaluators: dict[int, Evaluator] = {}

    def evaluate(self, expression: Expression) -> Value:
        """The value of an expression: a column, a number or a truth."""
        known = self._roots.get(id(expression))
        if known is None:
            with np.errstate(all="ignore"):
                # The expression is kept beside its value: an id may be given again once its object is gone.
                known = self._roots[id(expression)] = (expression, _step(expression.root)(self))
        return known[1]

    def node(self, node: ast.expr) -> Value:
        """The value of a part of an expression; of what is asked again only lets are kept."""
        with np.errstate(all="ignore"):
            return _step(node)(self)

    def extended(self, scope: Scope, added: Set[str]) -> "Evaluator":
        """An evaluator in a scope that knows some names more; what does not need them is not computed again."""
        other = Evaluator(self._lets, scope, None if self._common is None else self._common.but(added))
        needs_added = _that_need(self._lets, frozenset(added))
        other._names = {name: value for name, value in self._names.items() if name not in needs_added}
        other._roots = {
            key: (one, value)
            for key, (one, value) in self._roots.items()
            if added.isdisjoint(self._lets.names(one.root))
        }
        return other

    def name(self, name: str) -> Value:
        """The value of an input, a parameter or a let."""
        value = self._names.get(name)
        if value is not None:
            return value
        let = self._lets.expressions.get(name)
        if let is None:
            value = self._scope.lookup(name)
        else:
            value = None if self._common is None else self._common.value(name)
            if value is None:
                value = _step(let.root)(self)
        self._names[name] = value
        return value

    def tell(self, name: str, value: Value) -> None:
        """What a let is known to be in this scope."""
        self._names[name] = value

    def tell_of(self, expression: Expression, value: Value) -> None:
        """What an expression is known to be in this scope."""
        self._roots[id(expression)] = (expression, value)

    def forget(self) -> None:
        """Let go of long columns: as a member of a reduction it is not asked again for most of them."""
        self._names = {
            name: value
            for name, value in self._names.items()
            if not isinstance(value, Column) or len(value.axis) < LONG
        }

    def among(self, node: ast.Call) -> Value:
        """A reduction over the members of the scope."""
        argument, label, aggregate = node.args[:3]
        assert isinstance(label, ast.Name)
        assert isinstance(aggregate, ast.Name)
        largest = scalar("among", "n", _step(node.args[3])(self)) if len(node.args) > 3 else 0.0
        group = self._scope.group(self._lets.names(argument), label.id)
        if group is None:
            return self._reduced(argument, label, aggregate, largest)
        key = (id(node), largest, group)
        shared = self._scope.shared
        if key not in shared:
            shared[key] = self._reduced(argument, label, aggregate, largest)
        return shared[key]

    def is_common(self, node: ast.Name | ast.Call) -> bool:
        """Whether a name, or a reduction over all members that there are, has the same value in all scopes of the rule."""
        if isinstance(node, ast.Name):
            return self._scope.is_common(node.id)
        argument, label, *most = node.args[:2] + node.args[3:]
        assert isinstance(label, ast.Name)
        return not most and self._scope.group(self._lets.names(argument), label.id) == ()

    def _reduced(self, argument: ast.expr, label: ast.Name, aggregate: ast.Name, largest: float) -> Value:
        step = _step(argument)
        members = []
        for member in self._over(self._lets.names(argument), label.id):
            members.append(step(member))
            member.forget()
        if not members or np.isnan(largest):
            return float("nan")
        try:
            return _reduce(members, aggregate.id, int(np.rint(min(max(largest, 0), len(members)))))
        except KindsDiffer as error:
            text = ast.unparse(argument)
            raise _inapplicable([argument, argument], members, error, f"{text} over {label.id}") from None

    def _over(self, names: frozenset[str], label: str) -> "list[Evaluator]":
        if (names, label) not in self._members:
            scopes = self._scope.over(names, label)
            self._members[names, label] = [
                self._evaluators.setdefault(id(scope), Evaluator(self._lets, scope)) for scope in scopes
            ]
        return self._members[names, label]


@lru_cache(maxsize=1024)
def _that_need(lets: Lets, names: frozenset[str]) -> frozenset[str]:
    """These names, and the lets that need one of them."""
    return names | {let for let, uses in lets.uses_of.items() if not names.isdisjoint(uses)}


class Common(Protocol):
    """Lets of which the value is known already in a scope."""

    def value(self, let: str) -> Value | None:
        """The value of a let; None where it has to be computed."""
        ...

    def but(self, names: Set[str]) -> "Common":
        """The same without the lets that need one of these names."""
        ...


@lru_cache(maxsize=16384)
def _step(node: ast.expr) -> _Step:
    """How a node is evaluated. Trees are walked for each of thousands of combinations, and taken apart once."""
    match node:
        case ast.Constant(value=int() | float() as constant):
            return _given(float(constant))
        case ast.Name(id=name):
            return _given(CONSTANTS[name]) if name in CONSTANTS else lambda evaluator: evaluator.name(name)
        case ast.Call(func=ast.Name(id="among")):
            return lambda evaluator: evaluator.among(node)
    nodes = operands(node)
    steps, apply = [_step(child) for child in nodes], _application(node)

    def step(evaluator: Evaluator) -> Value:
        values = [one(evaluator) for one in steps]
        try:
            return apply(*values)
        except KindsDiffer as error:
            raise _inapplicable(nodes, values, error) from None

    return step


def _given(value: float) -> _Step:
    return lambda evaluator: value


def _application(node: ast.expr) -> Callable[..., Value]:
    """What a node makes of the values of its operands."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name]
        case ast.BinOp(op=operator):
            return partial(pointwise, ARITHMETIC[type(operator)])
        case ast.UnaryOp(op=ast.Not()):
            return partial(pointwise, lambda condition: ~truths(condition))
        case ast.UnaryOp(op=sign):
            return partial(_signed, negative=isinstance(sign, ast.USub))
        case ast.Compare(ops=[op]):
            return partial(pointwise, COMPARISONS[type(op)])
        case ast.Compare(ops=ops):
            compare = [COMPARISONS[type(op)] for op in ops]
            return lambda *values: _fold(
                np.logical_and, [pointwise(*one) for one in zip(compare, values[:-1], values[1:], strict=True)]
            )
        case ast.BoolOp(op=joint):
            operation = np.logical_and if isinstance(joint, ast.And) else np.logical_or
            return lambda *values: _fold(operation, values)
    raise AssertionError(f"{type(node).__name__} passed the allow-list")


def _signed(value: Value, *, negative: bool) -> Value:
    if not isinstance(value, Column):
        return -float(value) if negative else float(value)
    values = numbers(value.values)
    return Column(
        -values if negative else values, value.axis, _OPPOSITE.get(value.better) if negative else value.better
    )


def _fold(operation: _Operation, values: Sequence[Value]) -> Value:
    """Join conditions pairwise from left to right; the result is a truth or a bool column."""
    result = pointwise(truths, values[0])
    for value in values[1:]:
        result = pointwise(lambda left, right: operation(truths(left), truths(right)), result, value)
    return result


def _reduce(members: Sequence[Value], aggregate: str, largest: int) -> Value:
    """Reduce members over a label: scalars to a scalar, columns at each step of the member with the fewest points.

    Conditions count 0 and 1, and where a condition has no point it is NaN, so skipped, rather than False.
    """
    columns = [member for member in members if isinstance(member, Column)]
    axis: Axis | None = min((column.axis for column in columns), key=len, default=None)
    table = np.full((len(members), 1 if axis is None else len(axis)), np.nan)
    for row, member in enumerate(members):
        if axis is not None and isinstance(member, Column):
            table[row] = put(Column(numbers(member.values), member.axis), axis).values
        elif not isinstance(member, Column):
            table[row] = float(member)
    result = over_members(table, aggregate, largest)
    if axis is None:
        return float(result[0])
    directions = {column.better for column in columns}
    return Column(result, axis, directions.pop() if len(directions) == 1 else None)


def _inapplicable(
    nodes: Sequence[ast.expr], values: Sequence[Value], error: KindsDiffer, whole: str | None = None
) -> Inapplicable:
    """Say of which two operands the axes never meet: by name where the two axes are those of operands."""
    words: dict[str, str] = {}
    for node, value in zip(nodes, values, strict=False):
        if isinstance(value, Column) and whole is None:
            words.setdefault(value.axis.kind, ast.unparse(node))
    left, right = error.left.kind, error.right.kind
    if left in words and right in words:
        return Inapplicable("axis", f"{words[left]} is by {left}, {words[right]} by {right}")
    return Inapplicable("axis", f"{whole or ast.unparse(nodes[0])} is partly by {left}, partly by {right}")
