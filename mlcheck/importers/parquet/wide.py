"""Wide tables: a row for each step, a column for each quantity; and tables whose rows say in a column what they are of."""

from typing import Any

import numpy as np

from mlcheck.importers.parquet import cells
from mlcheck.importers.parquet.grouped import Grouped, in_order
from mlcheck.importers.parquet.keys import Keys
from mlcheck.importers.parquet.source import Rows, Source, filtered, keys_of, with_splits
from mlcheck.importers.parquet.tensors import Tensors
from mlcheck.importers.tables.cells import Numbers
from mlcheck.importers.tables.columns import Gather
from mlcheck.importers.tables.writers import generic, normal
from mlcheck.records import replace
from mlcheck.store.series import Floats, RawSeries

APPROXIMATE = "approximate"
"""Column of an export that says whether statistics come from histogram buckets."""


class WideReader:
    """Takes the batches of one wide file. The same rules as for a CSV say which column is the step and which the time."""

    def __init__(self, source: Source, tensors: Tensors) -> None:
        self._source, self._tensors = source, tensors
        layout = source.layout
        self._keys = Keys(tuple(one for one in (layout.mode, layout.worker) if one is not None))
        self._gathers: dict[int, Gather] = {}
        writer = replace(generic(), rows=layout.is_history)
        if layout.wall is not None and not layout.elapsed:
            writer = replace(writer, stamps=(normal(layout.wall), *writer.stamps))
        self._writer = writer

    def add(self, batch: Any) -> None:
        """Take a batch. A null is a quantity that was not logged."""
        layout = self._source.layout
        batch = self._source.of_member(batch)
        if not batch.num_rows:
            return
        groups = self._keys.of(batch)
        numbers = np.unique(groups).tolist()
        for number in numbers if layout.values else ():
            own = batch if len(numbers) == 1 else filtered(batch, groups == number)
            self._add_numbers(self._gathers.setdefault(number, Gather(self._writer)), own)
        if layout.tensors:
            rows = self._source.rows_of(batch)
            if rows is not None:
                self._add_tensors(rows)

    def _add_numbers(self, gather: Gather, batch: Any) -> None:
        layout = self._source.layout
        count = batch.num_rows
        whole = np.arange(gather.rows, gather.rows + count)
        lines = range(gather.rows + 1, gather.rows + count + 1)
        constant = self._source.constant_step()
        if not layout.steps and constant is not None:
            gather.add("step", Numbers(None, np.full(count, float(constant))), lines, whole)
        for name in dict.fromkeys((*layout.steps, *layout.values)):
            column = batch.column(name)
            values, known = cells.numbers(column), cells.valid(column)
            stated = None if known is None else np.flatnonzero(known)
            gather.add(name, Numbers(stated, values if stated is None else values[stated]), lines, whole)
        if layout.wall is not None and layout.wall not in layout.values:
            times = cells.seconds(batch.column(layout.wall))
            known = np.isfinite(times)
            gather.add(layout.wall, Numbers(np.flatnonzero(known), times[known]), lines, whole)
        gather.end_block(count)

    def _add_tensors(self, rows: Rows) -> None:
        layout = self._source.layout
        groups = self._keys.of(rows.batch)
        for name in layout.tensors:
            found = cells.lists(rows.batch.column(name))
            keep = np.ones(len(groups), dtype=bool) if found.known is None else found.known
            dtypes, shapes = layout.dtypes or {}, layout.shapes or {}
            for number in np.unique(groups[keep]).tolist():
                own = np.flatnonzero(keep & (groups == number))
                tag, hints, mode = self._source.identity(self._keys.found[number], name)
                tag = f"{mode}/{tag}" if mode and hints.mode is None else tag or name
                hints = replace(hints, dtype=dtypes.get(name) or dtypes.get(""))
                stated = shapes.get(name) or shapes.get("")
                self._tensors.add(tag, hints, found, own, rows.steps[own], rows.walls[own], None, stated)

    def series(self) -> list[RawSeries]:
        """The scalars; tensors are in the collector."""
        result: list[tuple[RawSeries, str | None]] = []
        notes: list[str] = []
        for number, gather in self._gathers.items():
            table = gather.table()
            notes += table.notes
            self._source.clock.first = float(np.fmin(self._source.clock.first, table.first_wall_time))
            for one in table.series:
                tag, hints, mode = self._source.identity(self._keys.found[number], one.tag)
                steps, walls, columns = in_order(one.steps, one.wall_times, dict(one.columns))
                axis = one.hints.axis or hints.axis
                hints = replace(hints, order=one.hints.order, axis=axis, collection=None)
                result.append((RawSeries(tag or one.tag, one.kind, steps, walls, columns, hints), mode))
        self._source.notes += dict.fromkeys(notes)
        return with_splits(result)


class OwnedReader:
    """Takes the batches of a file whose rows name in a column what their numbers are of: statistics of tensors, or of layers."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._keys = keys_of(source.layout)
        self._rows = Grouped(source.layout.values, keep_order=source.layout.segment is not None)

    def add(self, batch: Any) -> None:
        """Take a batch."""
        rows = self._source.rows(batch)
        if rows is None:
            return
        groups = self._keys.of(rows.batch)
        values: dict[str, Floats] = {}
        for name in self._source.layout.values:
            values[name] = _with_absent(rows.batch.column(name))
        keep = groups >= 0
        self._rows.add(groups[keep], rows.steps[keep], rows.walls[keep], {k: v[keep] for k, v in values.items()})

    def series(self) -> list[RawSeries]:
        """Statistics of tensors as tensors, the numbers of layers as scalars."""
        layout = self._source.layout
        names = {key.get(layout.name or "") for key in self._keys.found}
        result: list[tuple[RawSeries, str | None]] = []
        for number, steps, walls, columns in sorted(self._rows.parts(), key=lambda part: part[0]):
            key = self._keys.found[number]
            if layout.form == "statistics":
                tag, hints, mode = self._source.identity(key)
                there = {name: column for name, column in columns.items() if not _is_absent(column).all()}
                is_approximate = bool((there.pop(APPROXIMATE, np.zeros(1)) == 1).any())
                for column in there.values():
                    column[_is_absent(column)] = np.nan
                place = key.get(layout.order or "", "")
                hints = replace(hints, order=int(place) if place.isdecimal() else None)
                one = RawSeries(tag or "", "tensor", steps, walls, there, hints, is_approximate)
                result.append((one, mode))
                continue
            for name, column in columns.items():
                stated = ~_is_absent(column)
                owner = key.get(layout.name or "")
                tag, hints, mode = self._source.identity(key, f"{name}/{owner}" if owner and len(names) > 1 else name)
                if stated.any():
                    value = {"value": column[stated]}
                    one = RawSeries(
                        tag or name, "scalar", steps[stated], walls[stated], value, replace(hints, collection=None)
                    )
                    result.append((one, mode))
        return with_splits(result)


_ABSENT = np.uint64(0x7FF8_0000_6D6C_6368)
"""A NaN that no calculation gives: it stands for null, which is no value, where NaN is one."""


def _with_absent(column: Any) -> Floats:
    values, known = cells.numbers(column), cells.valid(column)
    if known is not None:
        values = values.copy()
        values.view(np.uint64)[~known] = _ABSENT
    return values


def _is_absent(column: Floats) -> Any:
    return np.ascontiguousarray(column).view(np.uint64) == _ABSENT
