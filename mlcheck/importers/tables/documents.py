"""JSON documents: trainer_state.json, lists of records, histories (a list for each metric), Sacred's metrics with their own steps."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from mlcheck.records import dataclass
from mlcheck.store.labels import is_split

LARGEST = 1 << 26
"""Bytes of a document that are read (64 MiB, which become some 600 MB of objects); the rest is as if it were cut off."""
DEEPEST = 4
"""Levels at which a document that is cut or broken is taken apart."""
FEWEST_PAIRS = 3
"""Pairs of step and value that make a curve."""
SAME_LENGTH = 0.5
"""Share of the lists of a history that have the same length."""

_decoder = json.JSONDecoder()
_BLANKS = " \t\r\n"
_EPOCH = re.compile(r"(?:epochs?|ep)?[ _-]?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document, or what of it is whole."""

    value: Any
    fault: tuple[int, str] | None = None
    """Character at which it is broken or cut, and why; None: it is whole."""
    is_cut: bool = False
    """It is broken only in that it ends too early."""


def parse(text: str) -> Parsed:
    """Parse JSON (with NaN and Infinity); of a document that is cut or broken, all members and elements before that place."""
    begin = _skip(text, 0)
    try:
        value, end = _decoder.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")
        value, end, _ = _partial(text, begin, 0)
        return Parsed(value, (error.pos, "the document is cut" if is_cut else error.msg), is_cut)
    except (ValueError, RecursionError):
        return Parsed(None, (begin, "a number or a nesting is too long"))
    rest = _skip(text, end)
    return Parsed(value, (rest, "more than one document") if rest < len(text) else None)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _partial(text: str, at: int, depth: int) -> tuple[Any, int, bool]:
    """The value at a place, as far as it is whole; the place after it, and whether all of it is there."""
    at = _skip(text, at)
    try:
        value, end = _decoder.raw_decode(text, at)
    except (ValueError, RecursionError):
        if depth < DEEPEST and text[at : at + 1] == "{":
            return _members(text, at + 1, depth)
        if depth < DEEPEST and text[at : at + 1] == "[":
            return _elements(text, at + 1, depth)
        return None, at, False
    if end == len(text) and text[at] not in '"{[':
        # A number that ends where the text does may lack digits.
        return None, end, False
    return value, end, True


def _members(text: str, at: int, depth: int) -> tuple[dict[str, Any], int, bool]:
    found: dict[str, Any] = {}
    while True:
        key, at, is_whole = _partial(text, at, DEEPEST)
        at = _skip(text, at)
        if not is_whole or not isinstance(key, str) or text[at : at + 1] != ":":
            return found, at, False
        value, at, is_whole = _partial(text, at + 1, depth + 1)
        if is_whole or value:
            found[key] = value
        at = _skip(text, at)
        if not is_whole or text[at : at + 1] != ",":
            return found, at, is_whole and text[at : at + 1] == "}"
        at += 1


def _elements(text: str, at: int, depth: int) -> tuple[list[Any], int, bool]:
    found: list[Any] = []
    while True:
        value, at, is_whole = _partial(text, at, DEEPEST)
        if not is_whole:
            return found, at, False
        found.append(value)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            return found, at, text[at : at + 1] == "]"
        at += 1


def records_of(document: Any) -> list[dict[str, Any]] | None:
    """The records of a document in one of the shapes that scripts write; None for other ones.

    A list of mappings; a mapping that holds one (`log_history`, `epochs`), or one for each split; a mapping for each epoch (`"1"`,
    `epoch_2`); curves as pairs of step and value; Sacred's metrics with their own steps.
    """
    return records_and_settings(document)[0]


def records_and_settings(document: Any) -> tuple[list[dict[str, Any]] | None, dict[str, Any]]:
    """The same, and what stands beside a list of records."""
    if not isinstance(document, dict) or not document:
        return _records(document), {}
    records = _with_steps(document) or _of_pairs(document) or _by_epoch(document)
    if records:
        return records, {}
    beside = {key: value for key, value in document.items() if key != "log_history" and _records(value) is None}
    return _held(document), beside


def _records(document: Any) -> list[dict[str, Any]] | None:
    if not isinstance(document, list):
        return None
    records = [one for one in document if isinstance(one, dict)]
    return records if records and 2 * len(records) >= len(document) else None


def _held(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    if isinstance(document.get("log_history"), list):
        return _records(document["log_history"])
    held = {key: found for key, value in document.items() if (found := _records(value)) is not None and len(found) > 1}
    most = max(map(len, held.values()), default=0)
    if any(len(one) >= most for one in lists_of(document).values()):
        # A history, with something beside it.
        return None
    if len(held) == 1:
        return next(iter(held.values()))
    if held and all(is_split(key.lower()) for key in held):
        return [{"split": split, **one} for split, records in held.items() for one in records]
    return None


def _by_epoch(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    found = {key: _EPOCH.fullmatch(key) for key, value in document.items() if isinstance(value, dict) and value}
    numbers = {key: int(match[1]) for key, match in found.items() if match is not None}
    if len(numbers) < 2 or 2 * len(numbers) <= len(document):
        return None
    # Rows of a column (pandas) are numbers, not mappings.
    return [{"epoch": numbers[key], **document[key]} for key in sorted(numbers, key=lambda key: numbers[key])]


def _of_pairs(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    curves = {key: value for key, value in document.items() if isinstance(value, list) and _is_curve(value)}
    if not curves or 2 * len(curves) <= len(document):
        return []
    return [{"step": step, key: value} for key, pairs in curves.items() for step, value in pairs]


def _is_curve(value: list[Any]) -> bool:
    """Whether a list is one of steps that rise and numbers; a matrix of two columns is none."""
    if len(value) < FEWEST_PAIRS or not all(isinstance(one, list) and len(one) == 2 for one in value):
        return False
    steps, amounts = zip(*value, strict=True)
    if not all(isinstance(step, int) for step in steps) or not all(isinstance(one, int | float) for one in amounts):
        return False
    return any(isinstance(one, float) for one in amounts) and all(one < next_one for one, next_one in pairwise(steps))


def _with_steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sacred's metrics.json, `{name: {steps: […], values: […], timestamps: […]}}`, as records; empty for any other document."""
    records = []
    for name, held in document.items():
        if (
            not isinstance(held, dict)
            or not isinstance(held.get("steps"), list)
            or not isinstance(held.get("values"), list)
        ):
            return []
        if name == "step":
            return []
        stamps = held.get("timestamps")
        times = (
            stamps if isinstance(stamps, list) and len(stamps) == len(held["steps"]) else [None] * len(held["steps"])
        )
        for step, value, time in zip(held["steps"], held["values"], times, strict=False):
            # Numbers of numpy are written with their type beside them.
            amount = value.get("value") if isinstance(value, dict) else value
            records.append({"step": step, name: amount, **({} if time is None else {"timestamp": time})})
    return records


def lists_of(document: Any) -> dict[str, list[Any]]:
    """The lists of numbers in a history, nested keys joined with `/`; a mapping of row numbers to numbers (pandas) is one as well.

    Empty where most lists have different lengths: then it is some other document.
    """
    if (
        isinstance(document, dict)
        and set(document) & {"history", "params"}
        and isinstance(document.get("history"), dict)
    ):
        document = document["history"]
    if not isinstance(document, dict):
        return {}
    found = dict(_lists(document, "", 0))
    lengths = [len(one) for one in found.values()]
    if not lengths or max(map(lengths.count, set(lengths))) < SAME_LENGTH * len(lengths):
        return {}
    return found


def _lists(mapping: Mapping[str, Any], above: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
    for key, value in mapping.items():
        name = f"{above}/{key}" if above else str(key)
        if isinstance(value, list):
            if value and all(
                one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in value
            ):
                yield name, value
        elif isinstance(value, dict) and value:
            rows = _by_row(value)
            if rows is not None:
                yield name, rows
            elif depth < DEEPEST:
                yield from _lists(value, name, depth + 1)


def _by_row(mapping: Mapping[str, Any]) -> list[Any] | None:
    keys = list(mapping)
    if keys != [str(at) for at in range(len(keys))]:
        return None
    return [one if isinstance(one, int | float) else None for one in mapping.values()]
