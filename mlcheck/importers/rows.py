"""Rows of many tags as they come out of a file, parted by tag in columns that grow."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.collect import Parted
from mlcheck.importers.framing import Offsets
from mlcheck.importers.values import Flags, Floats
from mlcheck.records import dataclass, field
from mlcheck.store.statistics import COLUMNS

ROWS_HELD = 1 << 16
"""Rows that are gathered before they are parted by tag, as they stay in the processor's cache, …"""
ROWS_OF_A_TAG = 64
"""… and more of them where there are many tags, so that each gets about this many at a time."""
GROWTH = (1.5, 16.0)
"""A full column grows by at least and at most this factor, in between to what the rest of the file will probably need."""
MARGIN = 1.03
"""What is needed is rather overestimated: memory that is not written to is none."""


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows in record order."""

    records: Offsets
    """int64, shape (n,): the record of the file that each was read from."""
    tags: NDArray[np.int32]
    """int32, shape (n,): numbers of the tags."""
    steps: Offsets
    """int64, shape (n,)."""
    wall_times: Floats
    """float64 seconds, shape (n,)."""
    is_tensor: Flags
    """bool, shape (n,): came as a tensor."""
    columns: Mapping[str, Floats]
    """float64, shape (n,) each."""

    def take(self, which: Offsets | Flags) -> "Rows":
        """Some of the rows, by indices or flags."""
        return Rows(
            self.records[which],
            self.tags[which],
            self.steps[which],
            self.wall_times[which],
            self.is_tensor[which],
            {name: column[which] for name, column in self.columns.items()},
        )


def merged(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts (one at least) by their records; rows of one record stay as they stand."""
    if len(parts) == 1:
        return parts[0]
    together = Rows(
        np.concatenate([part.records for part in parts]),
        np.concatenate([part.tags for part in parts]),
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.wall_times for part in parts]),
        np.concatenate([part.is_tensor for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )
    if (together.records[1:] >= together.records[:-1]).all():
        return together
    return together.take(np.argsort(together.records, kind="stable"))


@dataclass(slots=True)
class _Tag:
    # The rows of one tag: a part of each array is in use.
    size: int = 0
    arrays: list[NDArray[np.generic]] = field(default_factory=list)
    kinds: list[tuple[int, bool | Flags]] = field(default_factory=list)
    """Rows, and whether all of them came as tensors, or which."""

    def append(self, parts: Sequence[NDArray[np.generic]], is_tensor: bool | Flags, done: float) -> None:
        count = len(parts[0])
        self.kinds.append((count, is_tensor))
        needed = self.size + count
        if not self.arrays:
            self.arrays = [part.copy() for part in parts]
        else:
            if needed > len(self.arrays[0]):
                self._grow(needed, done)
            for array, part in zip(self.arrays, parts, strict=True):
                array[self.size : needed] = part
        self.size = needed

    def _grow(self, needed: int, done: float) -> None:
        least, most = (int(factor * needed) for factor in GROWTH)
        room = min(max(least, int(MARGIN * needed / max(done, 1e-9))), most)
        for at, array in enumerate(self.arrays):
            larger = np.empty(room, dtype=array.dtype)
            larger[: self.size] = array[: self.size]
            self.arrays[at] = larger

    def finish(self, *, with_tensors: bool) -> "list[NDArray[np.generic]] | None":
        # The arrays as they are handed out, without rows that came as tensors unless these count; None for no rows.
        for array in self.arrays:
            # In place, and nothing else holds these arrays until they are handed out.
            array.resize(self.size, refcheck=False)
        if with_tensors or not any(np.any(flags) for _, flags in self.kinds):
            return self.arrays
        keep = np.concatenate([np.broadcast_to(~np.asarray(flags), count) for count, flags in self.kinds])
        return [array[keep] for array in self.arrays] if keep.any() else None


class ByTag:
    """Takes rows in record order and keeps them by tag: about as much memory as they take in the end."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._tags: dict[int, _Tag] = {}
        self._waiting: list[Rows] = []
        self._held = 0

    def add(self, rows: Rows, done: float) -> None:
        """Take the rows that come next in the file; `done` is the share of it that has been read."""
        self._waiting.append(rows)
        self._held += len(rows.tags)
        if self._held >= max(ROWS_HELD, ROWS_OF_A_TAG * len(self._tags)):
            self._part(done)

    def finished(self, tensors_count: Mapping[int, bool]) -> Iterator[Parted]:
        """Hand out everything, once: `tensors_count` says of each tag whether its rows that came as tensors count."""
        self._part(1.0)
        for number, tag in self._tags.items():
            arrays = tag.finish(with_tensors=tensors_count[number])
            if arrays is not None:
                steps, wall_times, *columns = arrays
                yield Parted(number, steps, wall_times, dict(zip(self._names, columns, strict=True)))  # type: ignore[arg-type]
        self._tags = {}

    def _part(self, done: float) -> None:
        waiting = [one for one in self._waiting if len(one.tags)]
        self._waiting, self._held = [], 0
        if not waiting:
            return
        tags = np.concatenate([one.tags for one in waiting])
        # Sixteen bits are sorted by radix, several times as fast.
        top = int(tags.max())
        order = np.argsort(tags.astype(np.int16) if top < 1 << 15 else tags, kind="stable")
        columns: list[NDArray[np.generic]] = [
            np.concatenate([one.steps for one in waiting])[order],
            _known(np.concatenate([one.wall_times for one in waiting])[order]),
            *(np.concatenate([one.columns[name] for one in waiting])[order] for name in self._names),
        ]
        is_tensor = np.concatenate([one.is_tensor for one in waiting])[order]
        sizes = np.bincount(tags, minlength=top + 1)
        present = np.flatnonzero(sizes)
        stops = np.cumsum(sizes[present])
        tensors = np.add.reduceat(is_tensor.astype(np.int64), stops - sizes[present])
        for number, size, stop, count in zip(
            present.tolist(), sizes[present].tolist(), stops.tolist(), tensors.tolist(), strict=True
        ):
            part = slice(stop - size, stop)
            flags = bool(count) if count in (0, size) else is_tensor[part].copy()
            self._tags.setdefault(number, _Tag()).append([column[part] for column in columns], flags, done)


def scalar_rows() -> ByTag:
    """For scalars: one column, `value`."""
    return ByTag(("value",))


def histogram_rows() -> ByTag:
    """For histograms: their statistics."""
    return ByTag(COLUMNS)


def _known(wall_times: Floats) -> Floats:
    # Protobuf's default 0 means that the writer left the wall time out. The array is changed in place.
    wall_times[wall_times == 0] = np.nan
    return wall_times
