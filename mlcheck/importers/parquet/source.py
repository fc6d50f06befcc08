"""One file while it is read: what its rows have in common, and what was left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.hdf5.words import COLLECTIONS, MODES, SCALAR_COLLECTIONS
from mlcheck.importers.parquet import words
from mlcheck.importers.parquet.cells import Clock, steps
from mlcheck.importers.parquet.keys import Keys, plain
from mlcheck.importers.parquet.layout import Layout
from mlcheck.importers.parquet.places import collection_of, partition_keys
from mlcheck.importers.tables.writers import normal
from mlcheck.records import dataclass, field
from mlcheck.store import labels as naming
from mlcheck.store.series import Floats, Hints, Ints, RawSeries

AXES = frozenset({"step", "epoch", "sample", "time"})


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a batch that state a step."""

    batch: Any
    """A pyarrow RecordBatch."""
    steps: Ints
    walls: Floats


@dataclass(slots=True)
class Source:
    """A file and how it is read."""

    path: Path
    layout: Layout
    member: str | None = None
    """Only the rows of this run."""
    clock: Clock = field(default_factory=Clock)
    notes: list[str] = field(default_factory=list)
    stepless: int = 0
    """Rows left out since they state no whole step."""
    valueless: int = 0
    """Rows left out since they state no value."""
    nameless: int = 0
    others: int = 0
    """Rows of other runs."""
    collection: str | None = None
    """What the file or a directory is called after."""
    partition: Mapping[str, str] = field(default_factory=dict)
    """What its directories say, by normal form of the key."""

    @classmethod
    def of(cls, path: Path, layout: Layout, member: str | None) -> "Source":
        """A file as it is about to be read."""
        partition = {normal(key): plain(value) for key, value in partition_keys(path).items()}
        found = cls(path, layout, member, Clock(layout.elapsed), list(layout.notes))
        found.collection, found.partition = collection_of(path), partition
        is_counted = layout.form == "settings" or (layout.form == "wide" and not layout.tensors and layout.name is None)
        if not layout.steps and found.constant_step() is None and not is_counted:
            found.notes.append("no step column: one snapshot, at step 0")
        return found

    def columns(self) -> list[str]:
        """All columns that its rows need, each once."""
        one = self.layout
        steps = one.steps if one.form == "wide" else one.steps[:1]
        texts = (
            one.run,
            *one.keys(),
            one.wall,
            one.shape,
            one.segment,
            one.label,
            one.prediction,
            one.scores,
            one.embedding,
        )
        found = [*steps, *(text for text in texts if text is not None), *one.values, *one.tensors]
        return list(dict.fromkeys(found))

    def constant_step(self) -> int | None:
        """The step that a directory states: `step=100/`."""
        for name in (*words.STEPS, *words.EPOCHS):
            text = self.partition.get(name, "")
            if text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 18:
                return int(text)
        return None

    def axis(self) -> str | None:
        """What the steps count, where the name of their column says so."""
        if self.layout.steps:
            return "epoch" if self.layout.is_epoch else None
        epochs = any(name in self.partition for name in words.EPOCHS)
        return "epoch" if epochs and not any(name in self.partition for name in words.STEPS) else None

    def said(self, names: tuple[str, ...]) -> str | None:
        """What a directory says under one of these keys."""
        return next((self.partition[name] for name in names if name in self.partition), None)

    def rows(self, batch: Any) -> Rows | None:
        """The rows of the run at hand that state a step; None for none."""
        return self.rows_of(self.of_member(batch))

    def rows_of(self, batch: Any) -> Rows | None:
        """The rows that state a step; None for none."""
        if not batch.num_rows:
            return None
        if self.layout.steps:
            found, known = steps(batch.column(self.layout.steps[0]))
        else:
            found, known = np.full(batch.num_rows, self.constant_step() or 0, dtype=np.int64), None
        if known is not None:
            self.stepless += int((~known).sum())
            batch, found = filtered(batch, known), found[known]
        walls = np.full(batch.num_rows, np.nan)
        if self.layout.wall is not None:
            walls = self.clock.of(batch.column(self.layout.wall))
        return Rows(batch, found, walls) if batch.num_rows else None

    def of_member(self, batch: Any) -> Any:
        """The rows of the run at hand."""
        if self.member is None or self.layout.run is None:
            return batch
        column = batch.column(self.layout.run)
        encoded = column if hasattr(column, "dictionary") else column.dictionary_encode()
        wanted = np.array([plain(one) == self.member for one in encoded.dictionary.to_pylist()] + [False])
        places = encoded.indices.fill_null(len(wanted) - 1) if encoded.null_count else encoded.indices
        mine = wanted[places.to_numpy(zero_copy_only=False)]
        self.others += int((~mine).sum())
        return batch if mine.all() else filtered(batch, mine)

    # Tags

    def identity(self, key: Mapping[str, str], name: str | None = None) -> tuple[str | None, Hints, str | None]:
        """Tag, hints and raw split of a series by its key; no tag where its rows state no name.

        `name` is that of a column, in tables where quantities are columns.
        """
        one = self.layout
        if name is None:
            name = key.get(one.name) if one.name else None
        tag = self.said(words.NAMES) if name is None else name
        stated = (key.get(one.collection) if one.collection else None) or self.said(words.COLLECTION)
        collection = stated or (tag and _first_of(tag)) or self.collection
        mode = (key.get(one.mode) if one.mode else None) or self.said(words.MODES)
        worker = (key.get(one.worker) if one.worker else None) or self.said(words.WORKERS)
        axis = key.get(one.axis) if one.axis else None
        hints = Hints(
            collection=COLLECTIONS.get(normal(collection), collection) if collection else None,
            mode=MODES.get(mode.lower()) if mode else None,
            worker=worker,
            axis=axis if axis in AXES else self.axis(),
        )
        if tag is not None and collection and not _says(tag, collection):
            tag = f"{collection}/{tag}"
        return tag, hints, mode

    def left_out(self) -> list[str]:
        """What was not read, for the reason of the status."""
        texts = list(dict.fromkeys(self.notes))
        for count, what in (
            (self.stepless, "without a whole step"),
            (self.nameless, "without a name"),
            (self.valueless, "without a value (null)"),
        ):
            if count:
                texts.append(f"{count:,} {'row' if count == 1 else 'rows'} {what} left out")
        return texts


def filtered(batch: Any, keep: NDArray[np.bool_]) -> Any:
    """The rows of a batch that are kept."""
    import pyarrow as pa

    return batch.filter(pa.array(keep))


_KINDS = frozenset({"weights", "gradients", "activations", "biases"})


def _first_of(tag: str) -> str | None:
    """The collection that a tag itself begins with: `gradients/fc1.weight`, in whatever file it stands (`activations.parquet`)."""
    first, slash, _ = tag.partition("/")
    return first if slash and COLLECTIONS.get(normal(first)) in _KINDS else None


def _says(tag: str, collection: str) -> bool:
    """Whether a tag says itself that it is of a collection, or the collection says nothing of scalars."""
    known = COLLECTIONS.get(normal(collection))
    if known in SCALAR_COLLECTIONS:
        return True
    first = normal(tag.split("/", 1)[0])
    return "/" in tag and (first == normal(collection) or (known is not None and COLLECTIONS.get(first) == known))


def keys_of(layout: Layout) -> Keys:
    """The key columns of a file."""
    return Keys(layout.keys())


def with_splits(series: list[tuple[RawSeries, str | None]]) -> list[RawSeries]:
    """Series with their splits in their tags where one tag is there for several: `loss` becomes `train/loss` and `val/loss`."""
    from mlcheck.records import replace

    modes: dict[tuple[str, str | None], set[str | None]] = {}
    for one, mode in series:
        modes.setdefault((one.tag, one.hints.worker), set()).add(mode)
    result = []
    for one, mode in series:
        several = len(modes[one.tag, one.hints.worker]) > 1
        if mode and several and naming.take_split(naming.normalise(one.tag)).split is None:
            one = replace(one, tag=f"{mode}/{one.tag}")
        result.append(one)
    return result
