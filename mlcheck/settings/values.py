"""Kinds of values that a setting may have, read from a file or from the text of an option. Each raises ValueError with what is wrong.

What they say follows the name of the key or of the option: "must be a number from 0 to 1, not 2".
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mlcheck.records import dataclass


class Kind(Protocol):
    """What reads one value."""

    def of_value(self, value: Any) -> Any:
        """The value of a file, checked."""

    def of_text(self, text: str) -> Any:
        """The value that the text of an option stands for, checked."""


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number in a range."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    """The bounds themselves are outside."""

    def of_value(self, value: Any) -> float:
        """As float64."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not self._fits(value):
            raise ValueError(f"must be a number{self._range()}, not {_shown(value)}")
        return float(value)

    def of_text(self, text: str) -> float:
        """As float64."""
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"must be a number{self._range()}, not {_shown(text)}") from None
        if not math.isfinite(number):
            raise ValueError(f"must be a number{self._range()}, not {text}")
        return self.of_value(number)

    def _fits(self, value: float) -> bool:
        return self.low < value < self.high if self.open else self.low <= value <= self.high

    def _range(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        if math.isinf(self.high):
            return f" above {self.low:g}" if self.open else f" from {self.low:g}"
        return f" above {self.low:g} and below {self.high:g}" if self.open else f" from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int
    most: int = 1 << 62

    def of_value(self, value: Any) -> int:
        """As int."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            upper = f" to {self.most:,}" if self.most < 1 << 62 else ""
            raise ValueError(f"must be a whole number from {self.least:,}{upper}, not {_shown(value)}")
        return value

    def of_text(self, text: str) -> int:
        """As int."""
        plain = text.strip().replace("_", "")
        return self.of_value(int(plain) if re.fullmatch(r"[+-]?[0-9]{1,18}", plain) else text)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: Sequence[str]

    def of_value(self, value: Any) -> str:
        """The word."""
        if value not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}, not {_shown(value)}")
        return str(value)

    def of_text(self, text: str) -> str:
        """The word."""
        return self.of_value(text)


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty."""

    may_be_empty: bool = False

    def of_value(self, value: Any) -> str:
        """As it is."""
        if not isinstance(value, str) or not (value.strip() or self.may_be_empty):
            raise ValueError(f"must be text, not {_shown(value)}")
        return value

    def of_text(self, text: str) -> str:
        """As it is."""
        return self.of_value(text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression."""

    def of_value(self, value: Any) -> str:
        """The expression, which compiles."""
        text = Text().of_value(value)
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"must be a regular expression; {text!r} is none: {error}") from None
        return text

    def of_text(self, text: str) -> str:
        """The expression, which compiles."""
        return self.of_value(text)


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false; an option says it by its name."""

    def of_value(self, value: Any) -> bool:
        """As bool."""
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, not {_shown(value)}")
        return value

    def of_text(self, text: str) -> bool:
        """Never asked."""
        raise ValueError(f"must be true or false, not {_shown(text)}")


@dataclass(frozen=True, slots=True)
class OneOrTwo:
    """One number for both sides, or one each: `0.5`, `[0.4, 0.5]`, as option `0.4,0.5`."""

    each: Number

    def of_value(self, value: Any) -> tuple[float, float]:
        """Of the old side and of the new one."""
        if not isinstance(value, list):
            one = self.each.of_value(value)
            return one, one
        if len(value) != 2:
            raise ValueError(f"must be one number, or two (of the old dump and of the new one), not {_shown(value)}")
        return self.each.of_value(value[0]), self.each.of_value(value[1])

    def of_text(self, text: str) -> tuple[float, float]:
        """Of the old side and of the new one."""
        parts = [self.each.of_text(part) for part in text.split(",")]
        return self.of_value(parts if len(parts) > 1 else parts[0])


@dataclass(frozen=True, slots=True)
class Several:
    """A list; an option gives one at a time."""

    each: Kind

    def of_value(self, value: Any) -> tuple[Any, ...]:
        """All of them; one that stands alone is a list of one."""
        if isinstance(value, str):
            return (self.each.of_value(value),)
        if not isinstance(value, list):
            raise ValueError(f"must be a list, not {_shown(value)}")
        return tuple(self.each.of_value(one) for one in value)

    def of_text(self, text: str) -> tuple[Any, ...]:
        """The one that an option gives."""
        return (self.each.of_text(text),)


@dataclass(frozen=True, slots=True)
class Named:
    """A table; an option gives one entry at a time, `NAME=VALUE`."""

    each: Kind
    example: str

    def of_value(self, value: Any) -> Mapping[str, Any]:
        """All entries."""
        if not isinstance(value, dict):
            raise ValueError(f"must be a table, such as {{{self.example.replace('=', ' = ')}}}, not {_shown(value)}")
        return {name: self._entry(name, lambda one=one: self.each.of_value(one)) for name, one in value.items()}

    def of_text(self, text: str) -> Mapping[str, Any]:
        """The entry that an option gives."""
        name, separator, value = text.rpartition("=") if isinstance(self.each, Number) else text.partition("=")
        if not (separator and name.strip() and value):
            raise ValueError(f"must be written NAME=VALUE, such as {self.example}, not {_shown(text)}")
        return {name.strip(): self._entry(name, lambda: self.each.of_text(value))}

    def _entry(self, name: str, read: Any) -> Any:
        try:
            return read()
        except ValueError as error:
            raise ValueError(f"of {name!r} {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
