"""What every text that a regular expression matches holds, so that most need not be compiled: that takes a hundred times as long.

A run of a few tags asks some fifty patterns of the tables, and almost all of them miss a word that they need. The words are found in
the parsed pattern, which takes as long as half of the compiling: they are kept with the tables (engine/compiled.py). What is needed
never changes what matches: a test holds it against the patterns themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Need = str | tuple[str, tuple[Any, ...]]
"""A lower-case text that must be there, or `("all" | "any", needs)`."""
_MOST_LETTERS = 12
"""Letters of a class up to which one of them is asked for."""
_NO_PATTERNS = frozenset({"note", "why", "source", "doc"})
"""Keys of the tables whose texts are for readers."""


def may_match(need: Need | None, text: str) -> bool:
    """Whether a text may hold what is needed. Beyond ASCII, letters of other cases are more than one: such a text always may."""
    return need is None or not text.isascii() or _holds(need, text.lower())


def _holds(need: Need, text: str) -> bool:
    if isinstance(need, str):
        return need in text
    kind, parts = need
    # Loops rather than all() and any(): this is asked for each of 20,000 tags.
    if kind == "all":
        for one in parts:  # noqa: SIM110
            if not _holds(one, text):
                return False
        return True
    for one in parts:  # noqa: SIM110
        if _holds(one, text):
            return True
    return False


def need_of(pattern: str) -> Need | None:
    """What every match of a pattern holds in any case of letters; None where nothing is known, and for what is no pattern."""
    import re
    from re import _parser  # type: ignore[attr-defined]

    try:
        return _of_sequence(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError):
        return None


def needs_of(table: Any) -> dict[str, Need]:
    """The needs of all patterns in a table of patterns, by their texts."""
    found = {text: need_of(text) for text in _texts(table)}
    return {text: need for text, need in found.items() if need is not None}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key not in _NO_PATTERNS:
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _of_sequence(parsed: Any) -> Need | None:
    needs: list[Need] = []
    run = ""
    for operator, argument in parsed:
        if str(operator) == "LITERAL" and argument < 128:
            run += chr(argument).lower()
            continue
        if run:
            needs.append(run)
            run = ""
        one = _of_part(str(operator), argument)
        if one is not None:
            needs.append(one)
    if run:
        needs.append(run)
    return _joined("all", needs)


def _of_part(operator: str, argument: Any) -> Need | None:
    if operator == "SUBPATTERN":
        _, added, removed, inner = argument
        return _of_sequence(inner) if not added and not removed else None
    if operator in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, _, inner = argument
        return _of_sequence(inner) if least else None
    if operator == "ATOMIC_GROUP":
        return _of_sequence(argument)
    if operator == "BRANCH":
        branches = [_of_sequence(one) for one in argument[1]]
        return None if None in branches else _joined("any", [one for one in branches if one is not None])
    if operator == "IN" and len(argument) <= _MOST_LETTERS and all(str(kind) == "LITERAL" for kind, _ in argument):
        letters = [chr(letter).lower() for _, letter in argument]
        return _joined("any", letters) if all(one.isascii() for one in letters) else None
    # Look-arounds, places, classes and the rest: nothing is known of them.
    return None


def _joined(kind: str, needs: "list[Need] | list[str]") -> Need | None:
    if len(needs) < 2:
        return needs[0] if needs else None
    return kind, tuple(needs)
