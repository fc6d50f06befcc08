"""Reads one file: which reader its layout asks for, and what came of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mlcheck.importers.parquet.footer import NotReadable, open_file, reason_of
from mlcheck.importers.parquet.layout import Layout, look
from mlcheck.importers.parquet.long import LongReader
from mlcheck.importers.parquet.members import without
from mlcheck.importers.parquet.pages import Pages
from mlcheck.importers.parquet.predictions import PredictionsReader
from mlcheck.importers.parquet.settings import COLUMN, facts_of
from mlcheck.importers.parquet.source import Source
from mlcheck.importers.parquet.tensors import Tensors
from mlcheck.importers.parquet.thrift import Malformed, footer_of
from mlcheck.importers.parquet.wide import OwnedReader, WideReader
from mlcheck.records import dataclass, field
from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Hints, RawSeries

FORMAT = "parquet"


class Reader(Protocol):
    """Takes the batches of one file."""

    def add(self, batch: Any) -> None:
        """Take a batch."""
        ...

    def series(self) -> Sequence[RawSeries]:
        """The series that are not in the collector of tensors."""
        ...


@dataclass(eq=False)
class FileRead:
    """What came of one file."""

    status: SourceStatus
    series: Sequence[RawSeries] = ()
    facts: Sequence[Fact] = field(default_factory=list)
    first_wall_time: float = float("nan")
    keeps_order: bool = False


def read_file(path: Path, shown: str, member: str | None, tensors: Tensors) -> FileRead:
    """Read one file. Never raises for what is in it, or where it cannot be opened: the status says so."""
    size = 0
    try:
        size = path.stat().st_size
        found = look(path)
        layout = found.layout or found.snapshot
        if layout is None:
            return FileRead(_unreadable(shown, found.refused or "no run data", size))
        return _read(path, shown, size, layout, member, tensors)
    except (NotReadable, Malformed) as error:
        return FileRead(_unreadable(shown, str(error), size))
    except OSError as error:
        return FileRead(_unreadable(shown, error.strerror or str(error), size))


def _unreadable(shown: str, reason: str, size: int) -> SourceStatus:
    return SourceStatus(shown, FORMAT, "unreadable", reason=reason, bytes=size, lost_bytes=size)


def _read(path: Path, shown: str, size: int, layout: Layout, member: str | None, tensors: Tensors) -> FileRead:
    from pyarrow import ArrowException

    source = Source.of(path, layout, member)
    columns = [one for one in source.columns() if one not in _unasked(source, tensors)]
    facts: list[Fact] = []
    series: list[RawSeries] = []
    encoded = [one for one in (*layout.keys(), layout.run) if one is not None]
    problems = dict(tensors.problems)
    with open_file(path, encoded) as file:
        pages = Pages(file, footer_of(path), size)
        try:
            if layout.form == "settings":
                for batch in pages.batches([*columns, COLUMN], without(layout, member)):
                    facts += facts_of(source, batch)
            else:
                reader = _reader(source, tensors)
                for batch in pages.batches(columns, without(layout, member)):
                    reader.add(batch)
                series = list(reader.series())
        except (ArrowException, ValueError, OverflowError) as error:
            # Values that pyarrow refuses to convert: what was gathered before is lost with them.
            pages.damage.lose(0, pages.rows, size, None, reason_of(error))
    lost = [text for text, count in tensors.problems.items() if count != problems.get(text, 0)]
    pages.rows -= source.others
    status = _status(shown, size, pages, [*source.left_out(), *lost], is_partial=bool(lost))
    return FileRead(status, series, facts, source.clock.first, layout.segment is not None)


def _reader(source: Source, tensors: Tensors) -> Reader:
    form = source.layout.form
    if form == "long":
        return LongReader(source, tensors)
    if form == "predictions":
        return PredictionsReader(source, tensors)
    if form == "statistics" or source.layout.name is not None:
        return OwnedReader(source)
    return WideReader(source, tensors)


def _unasked(source: Source, tensors: Tensors) -> frozenset[str]:
    """Columns of lists of which no selected rule asks anything: they are not read, which is said."""
    layout = source.layout
    if layout.form == "wide":
        unasked = [one for one in layout.tensors if not tensors.asks(one, Hints())]
        layout_left = tuple(one for one in layout.tensors if one not in unasked)
    elif layout.embedding is not None and not tensors.asks("embeddings", Hints(collection="embeddings")):
        unasked, layout_left = [layout.embedding], layout.tensors
    else:
        return frozenset()
    if unasked:
        from mlcheck.records import replace

        source.layout = replace(layout, tensors=layout_left, embedding=None)
        count = "1 column" if len(unasked) == 1 else f"{len(unasked):,} columns"
        source.notes.append(f"{count} of tensors not read: no selected rule asks for them")
    return frozenset(unasked)


def _status(shown: str, size: int, pages: Pages, notes: Sequence[str], *, is_partial: bool) -> SourceStatus:
    damage = pages.damage
    reasons = [damage.text()] if damage.groups else []
    reasons += notes
    if not pages.rows and not damage.groups:
        reasons.append("no rows")
    state: Any = "partial" if damage.groups or is_partial else "read"
    if damage.groups and not pages.rows:
        state = "unreadable"
    return SourceStatus(
        path=shown,
        format=FORMAT,
        status=state,
        records=pages.rows,
        reason="; ".join(reasons) or None,
        offset=damage.offset,
        bytes=size,
        lost_bytes=min(damage.bytes, size),
    )
