"""Text to checked expression: an allow-list over Python's syntax tree, with place and suggestion for every fault."""

import ast
from collections.abc import Collection, Iterator

from mlcheck.errors import did_you_mean
from mlcheck.lang.expression import (
    MAX_NESTING,
    MAX_NODES,
    Expression,
    LanguageError,
    bracketed,
    operands,
    sides_of_comparison,
    tree,
)
from mlcheck.lang.lets import Lets, make_lets, uses
from mlcheck.lang.scan import name_problem, scan
from mlcheck.lang.vocabulary import (
    AGGREGATES,
    CONSTANTS,
    JOIN_LABELS,
    REPLACEMENTS,
    SIGNATURES,
    argument_counts,
)

__all__ = [
    "Expression",
    "LanguageError",
    "Lets",
    "first_comparison",
    "make_lets",
    "name_problem",
    "parse",
    "uses",
    "warnings",
]

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UAdd, ast.USub, ast.Not, ast.And, ast.Or,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip
_ANSWERS_WHEN_MISSING = frozenset({"count", "sum", "isfinite"})


def parse(text: str, names: Collection[str]) -> Expression:
    """Parse one expression of the rule language; it may go over several lines.

    names: what may stand in it beside the constants and functions, namely inputs, lets and parameters.
    Raises LanguageError with line and column (from 1) within the text.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    scan(text)
    root = _tree(text)
    if _nesting(root) > MAX_NESTING:
        raise LanguageError(f"nested more than {MAX_NESTING} deep", suggestion="split it with let:")
    free = frozenset(_check(root, names))
    nodes = _count(root)
    if nodes > MAX_NODES:
        raise LanguageError(f"the expression has more than {MAX_NODES} nodes", suggestion="split it into several rules")
    return Expression(text=text, names=free, nodes=nodes)


def first_comparison(expression: Expression) -> tuple[Expression, Expression] | None:
    """Left and right side of the first comparison, the report's default `value` and `limit`.

    None unless the expression is a comparison, or an and/or that is led by one.
    """
    sides = sides_of_comparison(expression.root)
    return None if sides is None else (_part(expression, sides[0], 0), _part(expression, sides[1], 1))


def warnings(expression: Expression, optional_inputs: Collection[str]) -> list[str]:
    """What is allowed but surprises: `not` over a comparison of an optional input is true when that input is missing.

    Under count, sum and isfinite a missing input has an answer of its own, and `!=` is already true for it; neither is
    warned of.
    """
    found: list[str] = []
    for node in ast.walk(expression.root):
        if not (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            continue
        for inner in ast.walk(node.operand):
            if not isinstance(inner, ast.Compare) or all(isinstance(op, ast.NotEq) for op in inner.ops):
                continue
            found.extend(
                f"`not` over a comparison of the optional input {name!r} is true when {name!r} is missing or NaN: "
                f"turn the comparison round, or ask for count({name}) > 0"
                for name in sorted(set(_names_that_may_be_missing(inner)) & set(optional_inputs))
            )
    return list(dict.fromkeys(found))


def _tree(text: str) -> ast.expr:
    try:
        root = tree(text)
    except SyntaxError as error:
        lines = text.split("\n")
        line = min(max((error.lineno or 1) - 1, 1), len(lines))
        column = min(max(error.offset or 1, 1), len(lines[line - 1]) + 1)
        hint = "put parentheses around `not …`" if "not" in text else None
        raise LanguageError("this cannot be read as an expression", line, column, hint) from None
    except (ValueError, RecursionError, MemoryError):
        raise LanguageError("the expression is too deep to be read", suggestion="split it with let:") from None
    ast.increment_lineno(root, -1)
    return root


def _nesting(root: ast.expr) -> int:
    deepest, stack = 0, [(root, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return deepest


def _count(node: ast.expr) -> int:
    return 1 + sum(_count(child) for child in operands(node))


def _fault(message: str, node: ast.expr, suggestion: str | None = None) -> LanguageError:
    return LanguageError(message, node.lineno, node.col_offset + 1, suggestion)


def _check(node: ast.expr, names: Collection[str]) -> Iterator[str]:
    """Go through the allow-list; yields the free names."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return
        case ast.Name(id=name):
            if name not in CONSTANTS:
                _check_name(node, name, names)
                yield name
        case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.BoolOp(op=op) if isinstance(op, _OPERATORS):
            for child in operands(node):
                yield from _check(child, names)
        case ast.Compare(ops=ops) if all(isinstance(op, _OPERATORS) for op in ops):
            for child in operands(node):
                yield from _check(child, names)
        case ast.Call(keywords=[]):
            _check_call(node, names)
            for child in operands(node):
                yield from _check(child, names)
        case ast.Tuple():
            raise _fault(
                "a list of values is not allowed here", node, "commas stand between the arguments of a function"
            )
        case ast.Starred():
            raise _fault("* before an argument is not allowed", node)
        case _:
            raise _fault(f"{type(node).__name__} is not allowed", node)


def _check_name(node: ast.expr, name: str, names: Collection[str]) -> None:
    if name in names:
        return
    if name in SIGNATURES:
        arguments = ", ".join(SIGNATURES[name])
        raise _fault(f"{name} is a function and needs its arguments", node, f"did you mean {name}({arguments})?")
    raise _fault(f"unknown name {name!r}", node, did_you_mean(name, [*names, *CONSTANTS]))


def _check_call(node: ast.Call, names: Collection[str]) -> None:
    if not isinstance(node.func, ast.Name):
        raise _fault("only functions of the language can be called", node.func)
    name = node.func.id
    if name not in SIGNATURES:
        if name in names:
            raise _fault(f"{name!r} is a value, not a function", node.func, "an operator may be missing before the (")
        suggestion = f"write {REPLACEMENTS[name]}" if name in REPLACEMENTS else did_you_mean(name, SIGNATURES)
        raise _fault(f"unknown function {name!r}", node.func, suggestion)
    least, most = argument_counts(name)
    if not least <= len(node.args) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        noun = "argument" if wanted == "1" else "arguments"
        suggestion = None
        if name in ("min", "max") and len(node.args) == 2:
            suggestion = f"did you mean {name}imum?"
        signature = ", ".join(SIGNATURES[name])
        raise _fault(f"{name}({signature}) takes {wanted} {noun}, not {len(node.args)}", node.func, suggestion)
    if name == "among":
        _check_among(node)


def _check_among(node: ast.Call) -> None:
    label, aggregate = node.args[1], node.args[2]
    if not isinstance(label, ast.Name) or label.id not in JOIN_LABELS:
        known = ", ".join(sorted(JOIN_LABELS))
        near = did_you_mean(label.id, JOIN_LABELS) if isinstance(label, ast.Name) else None
        raise _fault("the second argument of among is a label that inputs join on", label, near or f"one of {known}")
    if not isinstance(aggregate, ast.Name) or aggregate.id not in AGGREGATES:
        known = ", ".join(sorted(AGGREGATES))
        near = did_you_mean(aggregate.id, AGGREGATES) if isinstance(aggregate, ast.Name) else None
        raise _fault("the third argument of among is the name of an aggregate", aggregate, near or f"one of {known}")
    if (aggregate.id == "largest") != (len(node.args) == 4):
        raise _fault(
            "among takes a fourth argument with the aggregate largest, and only with it",
            aggregate,
            f"write among(x, {label.id}, largest, n)",
        )


def _part(whole: Expression, node: ast.expr, side: int) -> Expression:
    text = ast.get_source_segment(bracketed(whole.text), node) or ast.unparse(node)
    return Expression(text, frozenset(_free_names(node)), _count(node), side_of=(whole, side))


def _free_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if node.id not in CONSTANTS:
            yield node.id
        return
    for child in operands(node):
        yield from _free_names(child)


def _names_that_may_be_missing(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ANSWERS_WHEN_MISSING:
        return
    if isinstance(node, ast.Name):
        yield node.id
        return
    for child in operands(node):
        yield from _names_that_may_be_missing(child)
