"""Message templates: text with `{name}` and `{name:.3g}`, checked when a rule is loaded.

This is not str.format: no attributes, no indices, no conversions, a handful of formats, and what is put in is never
read again.
"""

import math
import re
from collections.abc import Collection, Mapping

from mlcheck.errors import did_you_mean
from mlcheck.lang.expression import MAX_CHARACTERS, LanguageError, place
from mlcheck.records import dataclass

_PIECE = r"\{\{|\}\}|\{([^{}]*)\}|[{}]"
_FIELD = r"(?s)([A-Za-z_][A-Za-z0-9_]*)(?::(.*))?"
_SPEC = r"(,?)(?:\.([0-9]{1,2}))?([defg%]?)|(t)"
_TIMES = ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172_800.0, 3600.0, "h"))
"""Seconds below which a time is written in a unit, the unit's seconds, and its name; longer times are days."""
_DAY = 86_400.0


@dataclass(frozen=True)
class Field:
    """A place in a template into which a value is put."""

    name: str
    """Whose value."""
    comma: bool
    """Thousands separators."""
    precision: int | None
    """Digits, as in Python's format specification; None when not given."""
    kind: str
    """d, e, f, g, %, t (seconds, in the unit that fits) or nothing."""


@dataclass(frozen=True)
class Template:
    """A checked template."""

    text: str
    """The text as written."""
    pieces: tuple[str | Field, ...]
    """Plain text and fields, in order."""

    @property
    def names(self) -> frozenset[str]:
        """The names whose values are put in."""
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Field))

    def render(self, values: Mapping[str, float | int | str | None]) -> str:
        """The text with values put in, each once and as it is.

        A name without a value, or with None, reads "unknown"; NaN and infinities read "nan", "inf" and "-inf" in every
        format; a format on a text is ignored. Without a format whole numbers are written in full and others with six
        digits.
        """
        return "".join(piece if isinstance(piece, str) else _shown(piece, values) for piece in self.pieces)


def parse_template(text: str, names: Collection[str]) -> Template:
    """Check a template; names: what may stand in its braces. Raises LanguageError with line and column in the text."""
    if len(text) > MAX_CHARACTERS:
        raise LanguageError(f"the text has {len(text):,} characters, at most {MAX_CHARACTERS:,} are allowed")
    pieces: list[str | Field] = []
    end = 0
    for match in re.finditer(_PIECE, text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match.group() in ("{{", "}}"):
            pieces.append(match.group()[0])
        elif match.group(1) is None:
            raise _fault(
                text, match.start(), f"a single {match.group()}", f"write {match.group() * 2} for the character"
            )
        else:
            pieces.append(_field(text, match.start(), match.group(1), names))
    pieces.append(text[end:])
    return Template(text=text, pieces=tuple(piece for piece in pieces if piece != ""))


def _fault(text: str, position: int, message: str, suggestion: str | None) -> LanguageError:
    line, column = place(text, position)
    return LanguageError(message, line, column, suggestion)


def _field(text: str, position: int, inside: str, names: Collection[str]) -> Field:
    match = re.fullmatch(_FIELD, inside)
    if match is None:
        hint = "write {name} or {name:.3g}; {{ and }} for the characters themselves"
        raise _fault(text, position, f"{{{inside[:40]}}} is not a name in braces", hint)
    name, written = match.group(1), match.group(2)
    if name not in names:
        raise _fault(text, position + 1, f"unknown name {name!r}", did_you_mean(name, names))
    spec = re.fullmatch(_SPEC, written or "")
    if spec is None or written == "":
        hint = "allowed are , then .digits then one of d e f g %, as in {value:.3g} or {points:,d}, or t for a time in seconds"
        raise _fault(text, position, f"the format {written[:40]!r} is not allowed", hint)
    comma, digits, kind, time = spec.groups()
    if time:
        return Field(name=name, comma=False, precision=None, kind=time)
    if kind == "d" and digits is not None:
        raise _fault(text, position, f"the format {written[:40]!r} is not allowed", "d takes no digits after a point")
    return Field(name=name, comma=bool(comma), precision=None if digits is None else int(digits), kind=kind)


def _shown(field: Field, values: Mapping[str, float | int | str | None]) -> str:
    value = values.get(field.name)
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if field.kind == "t":
        return _time(float(value))
    comma = "," if field.comma else ""
    if field.kind in ("", "d") and field.precision is None:
        whole = isinstance(value, int) or (value.is_integer() and (field.kind == "d" or field.comma))
        return format(int(value), f"{comma}d") if whole else format(value, f"{comma}.6g")
    precision = "" if field.precision is None else f".{field.precision}"
    try:
        return format(float(value), f"{comma}{precision}{field.kind}")
    except OverflowError:
        return format(int(value), f"{comma}d")


def _time(seconds: float) -> str:
    """`350 ms`, `2.1 s`, `3.5 min`, from seconds."""
    scale, unit = next(((scale, unit) for below, scale, unit in _TIMES if abs(seconds) < below), (_DAY, "days"))
    return f"{seconds / scale:.3g} {unit}"
