"""The table of runs in an export by mlcheck: what each run stated of itself."""

import json
from typing import Any

from mlcheck.importers.parquet.keys import plain
from mlcheck.importers.parquet.source import Source
from mlcheck.importers.stated import FACTS_KEPT, LONGEST_KEY, LONGEST_TEXT, LONGEST_VALUE
from mlcheck.store.series import Fact

COLUMN = "stated"
"""JSON: a list of objects with key, value and source."""


def facts_of(source: Source, batch: Any) -> list[Fact]:
    """The facts of the run at hand."""
    batch = source.of_member(batch)
    if COLUMN not in batch.schema.names:
        return []
    facts: list[Fact] = []
    for text in batch.column(COLUMN).to_pylist():
        facts += _facts(text) if isinstance(text, str) and len(text) <= LONGEST_TEXT else []
    return facts[:FACTS_KEPT]


def _facts(text: str) -> list[Fact]:
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = []
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            continue
        key, value, origin = one.get("key"), one.get("value"), one.get("source")
        if isinstance(key, str) and isinstance(value, str | int | float) and len(key) <= LONGEST_KEY:
            kept = plain(value)[:LONGEST_VALUE] if isinstance(value, str) else value
            found.append(
                Fact(key, kept if isinstance(kept, str | bool) else float(kept), str(origin or COLUMN)[:LONGEST_KEY])
            )
    return found
