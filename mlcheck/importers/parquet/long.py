"""Long tables: a row for each quantity and step, with its name and its value, a number or a list."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.hdf5.words import SCALAR_COLLECTIONS
from mlcheck.importers.parquet import cells
from mlcheck.importers.parquet.grouped import Grouped
from mlcheck.importers.parquet.keys import Keys
from mlcheck.importers.parquet.source import Rows, Source, keys_of, with_splits
from mlcheck.importers.parquet.tensors import Tensors
from mlcheck.records import replace
from mlcheck.store.series import Ints, RawSeries


class LongReader:
    """Takes the batches of one long file."""

    def __init__(self, source: Source, tensors: Tensors) -> None:
        self._source, self._tensors = source, tensors
        self._keys: Keys = keys_of(source.layout)
        self._scalars = Grouped(("value",), keep_order=source.layout.segment is not None)
        self._is_tensor = bool(source.layout.tensors)

    def add(self, batch: Any) -> None:
        """Take a batch."""
        rows = self._source.rows(batch)
        if rows is None:
            return
        column = rows.batch.column((self._source.layout.values or self._source.layout.tensors)[0])
        known = cells.valid(column)
        groups = self._keys.of(rows.batch)
        keep = self._kept(groups, known)
        if self._is_tensor:
            self._add_tensors(rows, groups, keep)
            return
        values = cells.numbers(column)
        steps, walls = rows.steps, rows.walls
        if keep is not None:
            groups, steps, walls, values = groups[keep], steps[keep], walls[keep], values[keep]
        if len(groups):
            self._scalars.add(groups, steps, walls, {"value": values})

    def _kept(self, groups: Ints, known: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Which rows state a value and a name; None: all."""
        named = groups >= 0
        nameless = [
            number
            for number, key in enumerate(self._keys.found)
            if self._source.layout.name not in key and self._source.identity(key)[0] is None
        ]
        if nameless:
            without = np.isin(groups, nameless)
            self._source.nameless += int(without.sum())
            named &= ~without
        if known is not None:
            self._source.valueless += int((named & ~known).sum())
            named &= known
        return None if named.all() else named

    def _add_tensors(self, rows: Rows, groups: Ints, keep: NDArray[np.bool_] | None) -> None:
        layout = self._source.layout
        name = layout.tensors[0]
        found = cells.lists(rows.batch.column(name))
        shapes = self._tensors.shapes(layout, name, rows.batch)
        places = np.arange(len(groups)) if keep is None else np.flatnonzero(keep)
        order = places[np.argsort(groups[places], kind="stable")]
        for own in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
            if not len(own):
                continue
            number = int(groups[own[0]])
            key = self._keys.found[number]
            tag, hints, mode = self._source.identity(key)
            assert tag is not None
            if _is_scalar(hints.collection, found, own, shapes):
                values = found.values[found.starts[own]].astype(np.float64)
                self._scalars.add(np.full(len(own), number), rows.steps[own], rows.walls[own], {"value": values})
                continue
            if mode and hints.mode is None:
                tag = f"{mode}/{tag}"
            dtype = key.get(layout.dtype) if layout.dtype else None
            dtypes = layout.dtypes or {}
            dtype = dtype or dtypes.get(name) or dtypes.get("")
            self._tensors.add(tag, replace(hints, dtype=dtype), found, own, rows.steps[own], rows.walls[own], shapes)

    def series(self) -> list[RawSeries]:
        """The scalars; tensors are in the collector."""
        if self._keys.dropped:
            many = len(self._keys.found)
            self._source.notes.append(f"{self._keys.dropped:,} rows of series beyond {many:,} left out")
        result: list[tuple[RawSeries, str | None]] = []
        parts = sorted(self._scalars.parts())
        for order, (number, steps, walls, columns) in enumerate(parts):
            tag, hints, mode = self._source.identity(self._keys.found[number])
            result.append((RawSeries(tag or "", "scalar", steps, walls, columns, replace(hints, order=order)), mode))
        return with_splits(result)


def _is_scalar(
    collection: str | None, found: cells.Lists, rows: Ints, shapes: Sequence[cells.Shape | None] | None
) -> bool:
    """Whether lists of one are scalars: by their collection, or since their shape has no axes and no collection is stated."""
    counts = found.starts[rows + 1] - found.starts[rows]
    if not (counts == 1).all():
        return False
    if collection is None:
        return shapes is not None and all(shapes[row] == () for row in rows.tolist())
    return collection in SCALAR_COLLECTIONS
