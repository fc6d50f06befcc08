"""Patterns of the tables are compiled late: here all of them are, and what is left out early is what they would leave."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from mlcheck.store import lane, logging_hints, regime, roles
from mlcheck.store.tables import Pattern


def test_every_pattern_is_one() -> None:
    table = roles._table()
    for one in (*table.scalars, *table.tensors):
        for _, pattern in one.conditions:
            assert pattern.compiled.pattern == pattern.pattern
        assert one.unless is None or one.unless.compiled
    entries = [value for entry in regime._table()[1] for value in (entry.tags, entry.raw, entry.also, entry.facts)]
    writers = [pattern for _, pattern in logging_hints._table()[0]]
    found = [one for one in (*entries, *writers, *vars(lane).values()) if isinstance(one, Pattern)]
    assert len(found) > 30
    assert all(isinstance(one.compiled, re.Pattern) for one in found)


PATTERNS = [one for one in vars(lane).values() if isinstance(one, Pattern) and one is not lane._SETTINGS]


@given(st.text(alphabet="abcdefABCDEF_-. versionrun+Jan", max_size=31))
@example("run-")
@example("deadbeef-")
def test_names_without_digits_hold_nothing_that_is_taken_out(part: str) -> None:
    if part.startswith("events."):
        return
    cut = {lane._EVENT_FILE, lane._STAMPED, lane._HOST, lane._WANDB, *lane._STAMPS, lane._RAY, lane._UUID, lane._HEX}
    cut |= {lane._COUNTER, lane._ALGORITHM}
    assert not any(pattern.search(part) for pattern in cut)
