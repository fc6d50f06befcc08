"""Dumps of predictions: a row for each example. The examples of one step are its tensors of labels and predictions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.parquet import cells
from mlcheck.importers.parquet.keys import Keys, plain
from mlcheck.importers.parquet.source import Source
from mlcheck.importers.parquet.tensors import Tensors
from mlcheck.records import dataclass, field
from mlcheck.store.series import Hints, RawSeries

CLASSES = 10_000
"""Different texts among labels and predictions; what has more is no classification."""
NAMED = 5
COLLECTIONS = {"label": "labels", "prediction": "predictions", "scores": "predictions", "embedding": "embeddings"}
"""What the columns are, as tag and as collection."""


@dataclass(slots=True)
class _Step:
    """The examples of the step at hand, piece by piece."""

    step: int
    wall: float
    pieces: dict[str, list[NDArray[Any]]] = field(default_factory=dict)


class PredictionsReader:
    """Takes the batches of one file of predictions."""

    def __init__(self, source: Source, tensors: Tensors) -> None:
        self._source, self._tensors = source, tensors
        layout = source.layout
        self._keys = Keys(tuple(one for one in (layout.mode, layout.worker) if one is not None))
        found = {kind: getattr(layout, kind) for kind in COLLECTIONS}
        self._columns: Mapping[str, str] = {kind: name for kind, name in found.items() if name is not None}
        self._open: dict[int, _Step] = {}
        self._classes: dict[str, int] = {}
        self._beyond = 0

    def add(self, batch: Any) -> None:
        """Take a batch."""
        rows = self._source.rows(batch)
        if rows is None:
            return
        groups = self._keys.of(rows.batch)
        arrays = {kind: self._values(rows.batch.column(name), kind, name) for kind, name in self._columns.items()}
        order = np.lexsort((rows.steps, groups))
        changes = (np.diff(groups[order]) != 0) | (np.diff(rows.steps[order]) != 0)
        for own in np.split(order, np.flatnonzero(changes) + 1):
            group, step = int(groups[own[0]]), int(rows.steps[own[0]])
            current = self._open.get(group)
            if current is None or current.step != step:
                self._flush(group)
                current = self._open[group] = _Step(step, float(rows.walls[own[0]]))
            for kind, values in arrays.items():
                if values is not None:
                    current.pieces.setdefault(kind, []).append(values[own])

    def _values(self, column: Any, kind: str, name: str) -> NDArray[Any] | None:
        """A column with the examples on its first axis; texts as numbers of classes."""
        from mlcheck.importers.parquet.layout import sort_of

        sort = sort_of(column.type)
        if sort == "text":
            return self._numbered(column)
        if sort == "number":
            known = cells.valid(column)
            whole = known is None and str(column.type) in (
                "int8",
                "int16",
                "int32",
                "int64",
                "uint8",
                "uint16",
                "uint32",
            )
            return np.asarray(column.to_numpy(zero_copy_only=False)) if whole else cells.numbers(column)
        found = cells.lists(column)
        counts = np.diff(found.starts)
        if not len(counts) or counts.min() != counts.max():
            self._tensors.lose(f"{name}: lists of different lengths")
            return None
        shape = found.shape(0)
        size = int(counts[0])
        if shape is None or not size:
            return None
        begin = int(found.starts[0])
        rows = found.values[begin : begin + size * len(counts)].reshape(len(counts), -1)
        if found.known is not None:
            rows = rows.astype(np.float64)
            rows[~found.known] = np.nan
        return rows.reshape(len(counts), *shape)

    def _numbered(self, column: Any) -> NDArray[np.float64]:
        """Texts as numbers, in order of appearance, the same for labels and predictions; NaN for null."""
        encoded = column if hasattr(column, "dictionary") else column.dictionary_encode()
        table = np.full(len(encoded.dictionary) + 1, np.nan)
        for at, text in enumerate(encoded.dictionary.to_pylist()):
            if text is None:
                continue
            if text not in self._classes and len(self._classes) >= CLASSES:
                self._beyond += 1
                continue
            table[at] = self._classes.setdefault(text, len(self._classes))
        places = encoded.indices.fill_null(len(table) - 1) if encoded.null_count else encoded.indices
        found: NDArray[np.float64] = table[places.to_numpy(zero_copy_only=False)]
        return found

    def _flush(self, group: int) -> None:
        """Hand the step at hand to the collector."""
        done = self._open.pop(group, None)
        if done is None:
            return
        _, hints, mode = self._source.identity(self._keys.found[group], "")
        for kind, pieces in done.pieces.items():
            if len({one.shape[1:] for one in pieces}) > 1:
                self._tensors.lose(f"{self._columns[kind]}: lists of different lengths at step {done.step}")
                continue
            array = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            collection = COLLECTIONS[kind]
            tag = f"{mode}/{collection}" if mode and hints.mode is None else collection
            own = Hints(
                collection=collection, mode=hints.mode, worker=hints.worker, axis=hints.axis, dtype=str(array.dtype)
            )
            track = self._tensors.collector.track(tag, own)
            if track.needed:
                track.add(done.step, done.wall, array)
            else:
                track.add_unread(done.step, done.wall, array.shape, str(array.dtype))

    def series(self) -> list[RawSeries]:
        """Nothing: all of it is in the collector."""
        for group in list(self._open):
            self._flush(group)
        if self._classes:
            named = [f"{number} {plain(text)[:30]}" for text, number in self._classes.items()][:NAMED]
            more = ", …" if len(self._classes) > NAMED else ""
            self._source.notes.append(f"classes are texts, numbered in order of appearance: {', '.join(named)}{more}")
        if self._beyond:
            self._source.notes.append(f"classes beyond {CLASSES:,} are left out")
        return []
