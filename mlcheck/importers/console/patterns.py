"""The table of what training scripts print (console.toml), compiled."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from mlcheck.importers.console.ansi import without_digits
from mlcheck.records import dataclass

MARK = "\0"
"""Stands for a number in a shape."""

Kind = Literal["row", "header", "progress", "closing"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One form of line; see console.toml for what the fields mean."""

    writer: str
    kind: Kind
    need: str
    """Text that the shape must hold, so that the pattern is tried on few."""
    match: re.Pattern[str] | None
    also: tuple[re.Pattern[str], ...]
    pairs: str
    prefix: str
    prefixes: tuple[tuple[str, str], ...]
    rename: Mapping[str, str]
    average: bool
    ratio: bool
    epoch_known: bool
    counted: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One sort of message about the end of a job."""

    key: str
    match: re.Pattern[str]
    unless: re.Pattern[str] | None
    keep_first: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All of console.toml."""

    patterns: tuple[Pattern, ...]
    events: tuple[Event, ...]
    event_near: tuple[str, ...]
    """One of these is in each line with an event."""
    near: tuple[str, ...]
    """One of these is in each line with values, in lower case."""
    ignored: frozenset[str]
    filler: frozenset[str]
    known: frozenset[str]


@cache
def table() -> Table:
    """The table, read once."""
    data = tomllib.loads(files("mlcheck.importers.console").joinpath("console.toml").read_text(encoding="utf-8"))
    words = data["words"]
    events = tuple(_event(entry) for entry in data["event"])
    return Table(
        patterns=tuple(pattern_of(entry) for entry in data["line"]),
        events=events,
        event_near=tuple(word for entry in data["event"] for word in entry["near"]),
        near=tuple(words["near"]),
        ignored=frozenset(words["ignored"]),
        filler=frozenset(words["filler"]),
        known=frozenset(without_digits(word) for word in words["known"]),
    )


def pattern_of(entry: Mapping[str, Any]) -> Pattern:
    """The pattern of an entry of the table."""
    return Pattern(
        writer=entry["writer"],
        kind=entry.get("kind", "row"),
        need=entry.get("need", ""),
        match=_compiled(entry["match"]) if "match" in entry else None,
        also=tuple(_compiled(one) for one in entry.get("also", ())),
        pairs=entry.get("pairs", "marked"),
        prefix=entry.get("prefix", ""),
        prefixes=tuple((one[0], one[1]) for one in entry.get("prefixes", ())),
        rename=entry.get("rename", {}),
        average=entry.get("take") == "average",
        ratio=entry.get("ratio", False),
        epoch_known=entry.get("epoch_known", False),
        counted=entry.get("counted", False),
    )


def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("{n}", MARK))


def _event(entry: dict[str, Any]) -> Event:
    unless = re.compile(entry["unless"]) if "unless" in entry else None
    return Event(entry["key"], re.compile(entry["match"]), unless, entry["keep"] == "first")
