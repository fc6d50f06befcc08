"""JSON lines, and lists of records in JSON documents: mappings to the columns of a table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlcheck.importers.tables.cells import BLANK, Numbers, dates, number
from mlcheck.importers.tables.columns import Gather
from mlcheck.importers.tables.lines import Block, Damage, Lines
from mlcheck.importers.tables.writers import normal
from mlcheck.records import dataclass, field

DEEPEST = 8
"""Levels of nesting that are followed."""
MOST_KEYS = 50_000
"""Keys of one record."""

Flat = dict[str, float | str]


def flat(record: Mapping[str, Any]) -> Flat:
    """The numbers and texts of a record, nested keys joined with `/`.

    Lists, true and false, null, and what W&B stores as media (a mapping with `_type`) are left out.
    """
    result: Flat = {}
    waiting: list[tuple[str, Mapping[str, Any], int]] = [("", record, 0)]
    while waiting and len(result) < MOST_KEYS:
        above, mapping, depth = waiting.pop()
        if "_type" in mapping:
            continue
        for key, value in mapping.items():
            name = f"{above}/{key}" if above else str(key)
            kind = type(value)
            if kind is float or kind is str:
                result[name] = value
            elif kind is int:
                result[name] = as_float(value)
            elif kind is dict and depth < DEEPEST:
                waiting.append((name, value, depth + 1))
    return result


def as_float(value: int | float) -> float:
    """The float of a number; infinity where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def add_records(gather: Gather, records: Sequence[Flat], line_of: Sequence[int] | range) -> None:
    """Add records as the rows that come next."""
    places: dict[str, tuple[list[int], list[float | str]]] = {}
    for at, record in enumerate(records):
        for name, value in record.items():
            held = places.get(name)
            if held is None:
                held = places[name] = ([], [])
            held[0].append(at)
            held[1].append(value)
    for name, (rows, values) in places.items():
        gather.add(name, _numbers(gather, name, rows, values, len(records)), line_of)
    gather.end_block(len(records))


def _numbers(gather: Gather, name: str, rows: list[int], values: list[float | str], count: int) -> Numbers:
    if all(type(value) is float for value in values):
        return Numbers(np.array(rows, dtype=np.int64), np.array(values, dtype=np.float64))
    key = normal(name)
    if key in gather.writer.wanted_texts:
        texts = dict(zip(rows, values, strict=True))
        gather.add_words(name, [str(texts.get(at, "")) for at in range(count)])
    if key in gather.writer.stamps:
        found = dates([str(value) for value in values])
        if found is not None and found.rows is not None:
            return Numbers(np.array(rows, dtype=np.int64)[found.rows], found.values)
    return _mixed(rows, values)


def _mixed(rows: Sequence[int], values: Sequence[float | str]) -> Numbers:
    places, found, texts, size = [], [], 0, 0
    first: tuple[int, str] | None = None
    for at, value in zip(rows, values, strict=True):
        amount = number(value) if isinstance(value, str) else value
        if amount is not None:
            places.append(at)
            found.append(amount)
        elif str(value).strip().lower() not in BLANK:
            texts += 1
            size += len(str(value))
            first = first or (at, str(value)[:80])
    return Numbers(np.array(places, dtype=np.int64), np.array(found, dtype=np.float64), texts, first, size)


@dataclass(slots=True)
class Reader:
    """Reads a file of JSON lines into a table's columns."""

    gather: Gather
    damage: Damage
    notes: list[str] = field(default_factory=list)

    def read(self, lines: Lines) -> None:
        """Read all lines; what is no JSON object is noted as damage."""
        for block in lines:
            self._block(block)

    def _block(self, block: Block) -> None:
        filled = [at for at, line in enumerate(block.lines) if line and not line.isspace()]
        texts = [block.lines[at] for at in filled]
        parsed = _together(texts)
        records: list[Flat] = []
        line_of: list[int] = []
        for place, at in enumerate(filled):
            record, reason = (parsed[place], "") if parsed is not None else _record(texts[place])
            if record is None:
                is_tail = block.is_cut and at == len(block.lines) - 1
                self.damage.lose(*block.place(at), "the line is cut" if is_tail else reason, tail=is_tail)
                continue
            records.append(flat(record))
            line_of.append(block.first + at)
        if records:
            add_records(self.gather, records, line_of)


def _together(lines: Sequence[str]) -> list[Any] | None:
    """All lines parsed at once, which is faster; None where that does not give one object for each line."""
    try:
        parsed = json.loads("[" + ",".join(lines) + "]")
    except (ValueError, RecursionError):
        return None
    return parsed if len(parsed) == len(lines) and all(type(one) is dict for one in parsed) else None


def _record(line: str) -> tuple[dict[str, Any] | None, str]:
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError as error:
        return None, f"no JSON at column {error.colno:,} ({error.msg})"
    except (ValueError, RecursionError):
        return None, "no JSON that can be read: a number or a nesting is too long"
    return (parsed, "") if isinstance(parsed, dict) else (None, "no JSON object")
