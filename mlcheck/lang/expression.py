"""A checked expression, and the error that says where a text is none."""

import ast
from functools import cached_property, lru_cache

from mlcheck.errors import MlcheckError
from mlcheck.records import dataclass

MAX_CHARACTERS = 4000
"""Longest text of one expression or template."""
MAX_NODES = 500
"""Most nodes of an expression after `let` is expanded, each let counted once; language.md has 200, which the longest rules pass."""
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
    names: frozenset[str]
    """Free names: inputs, lets and parameters. Not the constants, functions, labels and aggregates."""
    nodes: int
    """Number of values in the tree: names, numbers, operators and calls. A let counts 1 here."""
    side_of: "tuple[Expression, int] | None" = None
    """For a part: the expression whose first comparison it is a side of, and which (0: left). Its nodes are nodes of the whole."""

    @cached_property
    def root(self) -> ast.expr:
        """The checked tree; lines count from 2 and columns from 0 within the text (see `tree`)."""
        if self.side_of is None:
            return tree(self.text)
        whole, side = self.side_of
        sides = sides_of_comparison(whole.root)
        assert sides is not None
        return sides[side]

    def __getstate__(self) -> dict[str, object]:
        """Without the tree: reading the text again when it is needed takes less time than unpickling each of its nodes."""
        return {name: value for name, value in vars(self).items() if name != "root"}


def tree(text: str) -> ast.expr:
    """The tree of a text, unchecked; its lines count those of `bracketed`. Raises SyntaxError and what else `ast.parse` raises."""
    return ast.parse(bracketed(text), mode="eval").body


def bracketed(text: str) -> str:
    """A text as Python parses it: inside brackets it ignores line ends and indentation, and a line break keeps columns as they are."""
    return f"(\n{text}\n)"


def sides_of_comparison(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Both sides of the first comparison of a tree; None unless it is a comparison, or an and/or that is led by one."""
    while isinstance(node, ast.BoolOp):
        node = node.values[0]
    return (node.left, node.comparators[0]) if isinstance(node, ast.Compare) else None


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
