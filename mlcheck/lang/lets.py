"""Intermediate values of a rule: their order, their size once expanded, and which inputs they use."""

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from mlcheck.lang.expression import MAX_NODES, Expression, LanguageError, operands
from mlcheck.lang.vocabulary import CONSTANTS
from mlcheck.records import dataclass

MAX_EXPANDED_NESTING = 100
"""Deepest nesting once lets are expanded: bounds the evaluator's recursion."""

Uses = Mapping[str, frozenset[str | None]]
"""For each free name the labels of `among` under which it stands; None is a use outside any among."""


@dataclass(frozen=True, eq=False)
class _Size:
    """What an expression comes to once its lets are put in."""

    nodes: int
    """Its own nodes, those of its lets left out."""
    lets: frozenset[str]
    """The lets that it needs, directly or through others."""
    nesting: int
    """Depth of the tree, with one level for each let."""


@dataclass(frozen=True, eq=False)
class Lets:
    """The lets of a rule, free of cycles."""

    expressions: Mapping[str, Expression]
    """Name to expression, a let before those that use it."""
    sizes: Mapping[str, _Size]
    """Size of each let once expanded."""
    uses_of: Mapping[str, Uses]
    """Uses of each let once expanded."""

    def check(self, expression: Expression) -> None:
        """Raise LanguageError when the expression is too large (500 nodes, 100 levels) once its lets are put in."""
        size = _size(expression.root, self.sizes)
        # Each let is evaluated once however often it is named, so it counts once: the limit bounds the work.
        nodes = size.nodes + sum(self.sizes[name].nodes for name in size.lets)
        if nodes > MAX_NODES:
            raise LanguageError(
                f"the expression has {nodes:,} nodes with its lets, at most {MAX_NODES} are allowed",
                suggestion="split it into several rules",
            )
        if size.nesting > MAX_EXPANDED_NESTING:
            raise LanguageError(f"nested more than {MAX_EXPANDED_NESTING} deep with its lets")

    def names(self, root: ast.expr) -> frozenset[str]:
        """The free names of a tree once its lets are put in: inputs and parameters."""
        return _free_names(self, root)


@lru_cache(maxsize=4096)
def _free_names(lets: Lets, root: ast.expr) -> frozenset[str]:
    """Remembered: an `among` asks again for each combination of series."""
    return frozenset(_uses(root, lets.uses_of))


def make_lets(lets: Mapping[str, Expression]) -> Lets:
    """Bring lets into an order in which each can be computed.

    Raises LanguageError, with the name in its attribute `let`, when lets need each other in a circle.
    """
    graph = {name: sorted(expression.names & lets.keys()) for name, expression in lets.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        # graphlib lists each name before the one that needs it; readers follow the other direction.
        circle = list(reversed(error.args[1]))
        message = f"let {circle[0]!r} needs itself: {' → '.join(circle)}"
        raise LanguageError(message, let=circle[0]) from None
    expressions: dict[str, Expression] = {}
    sizes: dict[str, _Size] = {}
    uses_of: dict[str, Uses] = {}
    for name in order:
        expressions[name] = lets[name]
        sizes[name] = _size(lets[name].root, sizes)
        uses_of[name] = _uses(lets[name].root, uses_of)
    return Lets(expressions=expressions, sizes=sizes, uses_of=uses_of)


@lru_cache(maxsize=4096)
def uses(expression: Expression, lets: Lets) -> Uses:
    """For each free name, once lets are put in, the labels of `among` under which it stands.

    None stands for a use outside any among. Under nested amongs each of their labels is listed on its own.
    """
    return _uses(expression.root, lets.uses_of)


def _size(node: ast.expr, sizes: Mapping[str, _Size]) -> _Size:
    if isinstance(node, ast.Name) and node.id in sizes:
        return _Size(1, sizes[node.id].lets | {node.id}, sizes[node.id].nesting + 1)
    parts = [_size(child, sizes) for child in operands(node)]
    return _Size(
        1 + sum(part.nodes for part in parts),
        frozenset().union(*(part.lets for part in parts)),
        1 + max((part.nesting for part in parts), default=0),
    )


def _uses(node: ast.expr, uses_of: Mapping[str, Uses]) -> Uses:
    if isinstance(node, ast.Name):
        if node.id in CONSTANTS:
            return {}
        return uses_of.get(node.id, {node.id: frozenset({None})})
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "among":
        label = node.args[1]
        assert isinstance(label, ast.Name)
        inside = {
            name: frozenset(old for old in labels if old is not None) | {label.id}
            for name, labels in _uses(node.args[0], uses_of).items()
        }
        return _merged([inside, *(_uses(child, uses_of) for child in node.args[3:])])
    return _merged(_uses(child, uses_of) for child in operands(node))


def _merged(parts: Iterable[Uses]) -> Uses:
    merged: dict[str, frozenset[str | None]] = {}
    for part in parts:
        for name, labels in part.items():
            merged[name] = merged.get(name, frozenset()) | labels
    return merged
