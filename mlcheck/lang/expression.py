"""A checked expression, and the error that says where a text is none."""

import ast
from dataclasses import dataclass
from functools import lru_cache

from mlcheck.errors import MlcheckError

MAX_CHARACTERS = 4000
"""Longest text of one expression or template."""
MAX_NODES = 200
"""Most nodes of an expression after `let` is expanded (language.md)."""
MAX_NESTING = 50
"""Deepest nesting within one text."""


class LanguageError(MlcheckError):
    """A text that is no expression (or template) of the rule language, with the place in the text."""

    def __init__(
        self, message: str, line: int = 1, column: int = 1, suggestion: str | None = None, *, let: str | None = None
    ) -> None:
        self.message = message
        self.line = line
        """Line in the text, from 1."""
        self.column = column
        """Column in the line, from 1."""
        self.suggestion = suggestion
        """What to write instead, or None."""
        self.let = let
        """The name of the `let` at fault, where it is one of several."""
        super().__init__(message if suggestion is None else f"{message}; {suggestion}")


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression that passed the allow-list. Equality is identity: evaluators remember values per node."""

    text: str
    """The text as written."""
    root: ast.expr
    """The checked tree; lines from 1 and columns from 0 count within the text that was parsed."""
    names: frozenset[str]
    """Free names: inputs, lets and parameters. Not the constants, functions, labels and aggregates."""
    nodes: int
    """Number of values in the tree: names, numbers, operators and calls. A let counts 1 here."""


def place(text: str, position: int) -> tuple[int, int]:
    """Line and column, both from 1, of a position in a text with \\n as line end."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


@lru_cache(maxsize=16384)
def operands(node: ast.expr) -> tuple[ast.expr, ...]:
    """The values that a checked node is made of: not a function's name, nor the label and the aggregate of among."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "among":
            return (node.args[0], *node.args[3:])
        return tuple(node.args)
    return tuple(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
