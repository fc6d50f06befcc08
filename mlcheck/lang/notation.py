"""The short notation for series in rule tests, after that of promtool's unit tests.

Terms are separated by blanks: `a` one value; `axn` n + 1 times a; `a+bxn`, `a-bxn` the n + 1 values a, a ± b, … a ±
n·b; `a*bxn` the n + 1 values a, a·b, … a·bⁿ; `_` a missing value, `_xn` n of them. The counts are promtool's
(https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series); `*`, nan and inf as below are
ours.
"""

import decimal
import re
from collections.abc import Iterator

MAX_VALUES = 1_000_000
"""Most values of one series."""

_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|nan)"
_TERM = re.compile(rf"({_NUMBER})(?:([-+*])({_NUMBER}))?(?:x([0-9]+))?", re.IGNORECASE)
_MISSING = re.compile(r"_(?:x([0-9]+))?")
_LONGEST_TERM = 200


def expand(text: str) -> list[float | None]:
    """The values of a series in the notation; None for a missing one.

    Values are exact in decimal before they become float64, so that `1e-3*0.1x4` ends with 1e-7 itself.
    Raises ValueError, with the term, for one that cannot be read, and beyond 1,000,000 values.
    """
    values: list[float | None] = []
    for match in re.finditer(r"\S+", text):
        term = match.group()
        if len(term) > _LONGEST_TERM:
            raise ValueError(f"the term {term[:30]!r}… is too long")
        values.extend(_expand_term(term, MAX_VALUES - len(values)))
    return values


def _expand_term(term: str, room: int) -> Iterator[float | None]:
    missing = _MISSING.fullmatch(term)
    if missing is not None:
        count = 1 if missing.group(1) is None else int(missing.group(1))
        _check_room(term, count, room)
        return iter([None] * count)
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(
            f"the term {term!r} cannot be read; write 5, 5x3, 1+2x3, 1-2x3, 1e-3*0.1x10, nan, inf, _ or _x3"
        )
    first, sign, by, repeats = match.groups()
    if sign is not None and repeats is None:
        raise ValueError(f"the term {term!r} does not say how often: write {term}x3")
    count = 1 + int(repeats or 0)
    _check_room(term, count, room)
    if sign is None:
        return iter([float(first)] * count)
    if not re.search("[0-9]", first) or not re.search("[0-9]", by):
        raise ValueError(f"the term {term!r} counts with nan or inf; only repeat them: nanx3")
    return _progression(first, sign, by, count)


def _check_room(term: str, count: int, room: int) -> None:
    if count > room:
        raise ValueError(f"with the term {term!r} the series has more than {MAX_VALUES:,} values")


def _progression(first: str, sign: str, by: str, count: int) -> Iterator[float]:
    # Traps are off: what is too large for a float becomes an infinity, and what is too small 0, as in float arithmetic.
    context = decimal.Context(prec=40, traps=[])
    value, change = context.create_decimal(first), context.create_decimal(by)
    if sign == "-":
        change = -change
    for _ in range(count):
        yield float(value)
        value = context.multiply(value, change) if sign == "*" else context.add(value, change)
