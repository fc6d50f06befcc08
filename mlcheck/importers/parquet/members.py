"""The runs of a file that names one in each row."""

from collections.abc import Callable
from pathlib import Path

from mlcheck.importers.base import Member, Members
from mlcheck.importers.parquet.footer import NotReadable, faults, open_file
from mlcheck.importers.parquet.keys import plain
from mlcheck.importers.parquet.layout import Layout, look
from mlcheck.importers.parquet.pages import Pages
from mlcheck.importers.parquet.thrift import Group, footer_of

_BYTES = 6
"""parquet.thrift: physical type BYTE_ARRAY."""
MOST = 1000
"""Runs of one file."""


def members(path: Path) -> Members:
    """The runs that the rows of a file name, in order of appearance; none where no column names runs, or it cannot be read."""
    try:
        found = look(path)
        layout = found.layout or found.snapshot
        if layout is None or layout.run is None:
            return Members((), shared=True)
        names, beyond = _names(path, layout.run)
    except (OSError, NotReadable):
        return Members((), shared=True)
    except faults():
        return Members((), shared=True)
    runs = tuple(Member(one, one or "unnamed", one or "unnamed") for one in names)
    note = f"more than {MOST:,} runs: the rest is left out" if beyond else ""
    return Members(runs, note, shared=True)


def _names(path: Path, column: str) -> tuple[list[str], bool]:
    names: dict[str, None] = {}
    with open_file(path, [column]) as file:
        pages = Pages(file, footer_of(path), path.stat().st_size)
        for batch in pages.batches([column], lambda group: _only(group, column, names)):
            values = batch.column(column)
            for one in (values if hasattr(values, "dictionary") else values.dictionary_encode()).dictionary.to_pylist():
                if one is None:
                    continue
                names.setdefault(plain(one))
                if len(names) > MOST:
                    return list(names)[:MOST], True
    return list(names), False


def without(layout: Layout, member: str | None) -> Callable[[Group], bool] | None:
    """Says of a row group whether it surely holds nothing of a run; None where nothing can be said."""
    if member is None or layout.run is None:
        return None
    column = layout.run

    def skip(group: Group) -> bool:
        bounds = _bounds(group, column)
        return bounds is not None and not bounds[0] <= member <= bounds[1]

    return skip


def _only(group: Group, column: str, names: dict[str, None]) -> bool:
    """Whether a row group holds rows of one run alone, which is then noted: its rows need not be read."""
    bounds = _bounds(group, column)
    if bounds is None or bounds[0] != bounds[1] or len(bounds[0]) >= 64 or len(names) > MOST:
        return False
    names.setdefault(plain(bounds[0]))
    return True


def _bounds(group: Group, column: str) -> tuple[str, str] | None:
    """Between which texts those of a column lie; None where that is not stated."""
    found = group.chunk(column)
    if found is None or found.kind != _BYTES or found.low is None or found.high is None:
        return None
    try:
        return found.low.decode("utf-8"), found.high.decode("utf-8")
    except UnicodeDecodeError:
        # A bound may be cut within a character.
        return None
