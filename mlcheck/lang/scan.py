"""First pass over the text of an expression: characters, tokens, brackets and their order.

It runs before Python's own parser, so that what is forbidden is named, and so that nothing deep or long ever reaches
that parser.
"""

import keyword
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from mlcheck.lang.expression import MAX_CHARACTERS, MAX_NESTING, MAX_NODES, LanguageError, place

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator><=|>=|==|!=|\*\*|//|<<|>>|:=|->|<>|[-+*/<>(),])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_BINARY = frozenset({"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"})
_UNARY = frozenset({"+", "-", "not"})

_FORBIDDEN: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "**": ("powers (**) are not allowed", "write x * x, or sqrt(x)"),
        "//": ("// is not allowed", "use /"),
        "%": ("% is not allowed", "write shares as numbers: 5 % is 0.05"),
        "@": ("@ is not allowed", None),
        "<<": ("<< is not allowed", None),
        ">>": (">> is not allowed", None),
        "->": ("-> is not allowed", None),
        "<>": ("<> is not allowed", "use !="),
        ":=": ("assignments (:=) are not allowed", "give the value a name under let:"),
        "=": ("= is not allowed: arguments are given by position", "to compare, use =="),
        ".": ("attributes (a.b) are not allowed", "use the names of inputs and the functions of the language"),
        "[": ("subscripts and lists ([…]) are not allowed", "use prev(x, k), first(x), last(x) or only(x, c)"),
        "]": ("subscripts and lists ([…]) are not allowed", "use prev(x, k), first(x), last(x) or only(x, c)"),
        "{": ("braces are not allowed", None),
        "}": ("braces are not allowed", None),
        "'": ("strings are not allowed", "write labels and aggregates as bare names: among(x, layer, max)"),
        '"': ("strings are not allowed", "write labels and aggregates as bare names: among(x, layer, max)"),
        "`": ("strings are not allowed", "write labels and aggregates as bare names: among(x, layer, max)"),
        "&": ("& is not allowed", "use and"),
        "|": ("| is not allowed", "use or"),
        "~": ("~ is not allowed", "use not"),
        "!": ("! is not allowed", "use not"),
        "^": ("^ is not allowed", "write x * x, or sqrt(x)"),
        "#": ("comments are not allowed inside an expression", "put the comment on a line of its own, outside"),
        "\\": ("\\ is not allowed", "an expression may go on in the next line as it is"),
        ";": ("; is not allowed: there is one expression", "give other values names under let:"),
        ":": (": is not allowed", "use where(c, a, b) to choose between values"),
        "\0": ("a null byte is not allowed", None),
        "−": ("this minus sign is not the one of the keyboard", "use -"),
        "–": ("a dash is not allowed", "use -"),
        "×": ("× is not allowed", "use *"),
        "·": ("· is not allowed", "use *"),
        "÷": ("÷ is not allowed", "use /"),
        "≤": ("≤ is not allowed", "use <="),
        "≥": ("≥ is not allowed", "use >="),
        "≠": ("≠ is not allowed", "use !="),
        "∞": ("∞ is not allowed", "use inf"),
        "∣": ("∣ is not allowed", "use abs(x)"),
        "\xa0": ("a no-break space is not allowed", "use a space"),
    }
)
_KEYWORDS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "lambda": ("lambda is not allowed", "give the value a name under let:"),
        "if": ("if/else is not allowed", "use where(c, a, b)"),
        "else": ("if/else is not allowed", "use where(c, a, b)"),
        "for": ("comprehensions are not allowed", "functions work on whole series: max(x), mean(x < 1)"),
        "True": ("True is not allowed", "leave the comparison out, or use 1"),
        "False": ("False is not allowed", "leave the comparison out, or use 0"),
        "None": ("None is not allowed", "use nan; count(x) == 0 asks whether an input is missing"),
        "is": ("is is not allowed", "use == or !="),
        "in": ("in is not allowed", "use comparisons with and, or"),
    }
)


def scan(text: str) -> None:
    """Check a text with \\n as line end up to its grammar of operands, operators and brackets.

    Raises LanguageError at the first fault. After it the text holds decimal numbers, ASCII names that are no keywords,
    the operators of the language, balanced parentheses at most 50 deep, and at most 200 operands and unary operators.
    """
    if len(text) > MAX_CHARACTERS:
        raise LanguageError(
            f"the expression has {len(text):,} characters, at most {MAX_CHARACTERS:,} are allowed",
            suggestion="split it with let:",
        )
    _Scanner(text).run()


def name_problem(name: str) -> str | None:
    """Why a word cannot be the name of an input, let or parameter; None when it can."""
    from mlcheck.lang.vocabulary import CONSTANTS, SIGNATURES

    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return f"{name!r} is no name: letters of the ASCII alphabet, digits and _ only, no digit first"
    if name.startswith("__"):
        return f"{name!r} is no name: names do not begin with two underscores"
    if keyword.iskeyword(name):
        return f"{name!r} is a word of Python's syntax"
    if name in SIGNATURES:
        return f"{name!r} is a function of the language"
    if name in CONSTANTS:
        return f"{name!r} is a constant of the language"
    return None


class _Scanner:
    """Where the scan stands: is an operand due, which brackets are open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.opened: list[int] = []
        self.operand_due = True
        self.last_token = ""
        self.last_kind = ""
        self.nodes = 0

    def run(self) -> None:
        for match in _TOKEN.finditer(self.text):
            kind, token, position = str(match.lastgroup), match.group(), match.start()
            if kind == "space":
                continue
            self.check_allowed(kind, token, position)
            if kind == "number" or (kind == "name" and token not in ("and", "or", "not")):
                self.operand(token, position)
            elif token == "(":
                self.open(position)
            elif token == ")":
                self.close(position)
            else:
                self.operator(token, position)
            self.last_token, self.last_kind = token, kind
        if not self.last_token:
            self.fail("the expression is empty", 0)
        if self.opened:
            self.fail("this ( is never closed", self.opened[-1])
        if self.operand_due:
            end = len(self.text.rstrip())
            self.fail(f"the expression ends where a value is due, after {self.last_token!r}", end)

    def fail(self, message: str, position: int, suggestion: str | None = None) -> NoReturn:
        line, column = place(self.text, position)
        raise LanguageError(message, line, column, suggestion)

    def check_allowed(self, kind: str, token: str, position: int) -> None:
        if token in _FORBIDDEN:
            message, suggestion = _FORBIDDEN[token]
            self.fail(message, position, suggestion)
        if kind == "other":
            self.fail(f"the character {token!a} is not allowed", position)
        if kind == "name" and keyword.iskeyword(token) and token not in ("and", "or", "not"):
            message, suggestion = _KEYWORDS.get(token, (f"{token} is not allowed", None))
            self.fail(message, position, suggestion)
        if kind == "name" and token.startswith("__"):
            self.fail(f"{token[:40]} is not allowed: names do not begin with two underscores", position)
        if kind == "number":
            self.check_number(token, position)

    def check_number(self, token: str, position: int) -> None:
        rest = re.match(r"[A-Za-z0-9_.]*", self.text[position:])
        whole = rest.group() if rest and len(rest.group()) > len(token) else token
        if whole != token or re.match(r"0[0-9]+$", token):
            self.fail(f"{whole[:40]!r} is no number", position, "write decimal numbers such as 10, 0.5 or 1e-7")
        if math.isinf(float(token)):
            self.fail("this number is too large", position, "use inf")

    def operand(self, token: str, position: int) -> None:
        if not self.operand_due:
            self.fail(f"an operator is missing between {self.last_token!r} and {token!r}", position)
        self.operand_due = False
        self.count(position)

    def operator(self, token: str, position: int) -> None:
        if self.operand_due:
            if token not in _UNARY:
                before = f"after {self.last_token!r}" if self.last_token else "at the beginning"
                self.fail(f"a value is missing {before}, before {token!r}", position)
            self.count(position)
            return
        if token == "not":
            self.fail("not in is not allowed here", position, "write not before a whole condition: a and not b")
        if token not in _BINARY and token != ",":
            self.fail(f"{token!r} is not allowed", position)
        if token == "," and not self.opened:
            self.fail("a comma stands only between the arguments of a function", position)
        self.operand_due = True

    def open(self, position: int) -> None:
        if not self.operand_due and self.last_kind != "name":
            self.fail(f"an operator is missing between {self.last_token!r} and '('", position)
        self.opened.append(position)
        if len(self.opened) > MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} deep", position, "split it with let:")
        self.operand_due = True

    def close(self, position: int) -> None:
        if not self.opened:
            self.fail("this ) closes nothing", position)
        if self.operand_due and self.last_token != "(":
            self.fail(f"a value is missing after {self.last_token!r}, before ')'", position)
        self.opened.pop()
        self.operand_due = False

    def count(self, position: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(f"the expression has more than {MAX_NODES} nodes", position, "split it into several rules")
