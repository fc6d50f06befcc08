"""Whether a part of a condition already shows that it holds nowhere.

`a and b` is false at every point where `a` is, whatever `b` is. Most conditions of a healthy run end at their first comparison, before the
rolling medians that the rest of them needs.
"""

import ast
from functools import lru_cache

from mlcheck.lang.evaluate import Evaluator
from mlcheck.lang.expression import Expression
from mlcheck.lang.functions import is_true
from mlcheck.lang.lets import Lets


def holds_nowhere(condition: Expression, lets: Lets, evaluator: Evaluator) -> bool:
    """Whether parts of a condition that are false at every point make it false; if not, it may still hold nowhere.

    What is left out is not evaluated, so does not raise; see `asks_for_direction`.

    Raises what evaluating a part of it raises.
    """
    return _is_false(condition.root, lets, evaluator)


def _is_false(node: ast.expr, lets: Lets, evaluator: Evaluator) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return any(_is_false(part, lets, evaluator) for part in parts)
        case ast.BoolOp(values=parts):
            return all(_is_false(part, lets, evaluator) for part in parts)
        case ast.Name(id=name) if (let := lets.expressions.get(name)) and isinstance(let.root, ast.BoolOp):
            return _is_false(let.root, lets, evaluator)
    return not is_true(evaluator.node(node))


@lru_cache(maxsize=4096)
def asks_for_direction(expression: Expression, lets: Lets) -> frozenset[str]:
    """The names of which an expression, with its lets put in, asks which direction is the better one: it may not be known."""
    found: set[str] = set()
    # The texts of most lets of a small run are never taken apart: here, too, only those that ask.
    if "cost" in expression.text:
        for node in ast.walk(expression.root):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cost":
                found |= lets.names(node)
    for name in expression.names & lets.expressions.keys():
        found |= asks_for_direction(lets.expressions[name], lets)
    return frozenset(found)
