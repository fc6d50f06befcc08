"""Rows of statistics of many tensors as they come, and sorted by tensor at the end."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlcheck.records import dataclass
from mlcheck.store.tensors.scratch import Floats, Ints


@dataclass(frozen=True, eq=False)
class TensorRows:
    """All rows of one tensor, in the order in which they were added."""

    steps: Ints
    wall_times: Floats
    columns: Mapping[str, Floats]
    """float64, shape (n,), by key."""


class Table:
    """Statistics of all tensors of which the same is wanted: rows of (tensor, number of the row in it, step, wall time, columns)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._owners: list[int] = []
        self._numbers: list[int] = []
        self._steps: list[int] = []
        self._walls: list[float] = []
        self._values: list[Floats] = []
        self._open: list[Sequence[float]] = []

    def add(
        self,
        owners: Sequence[int],
        numbers: Sequence[int],
        steps: Sequence[int],
        walls: Sequence[float],
        columns: Mapping[str, Floats],
    ) -> None:
        """Add n rows; a name without a column is NaN."""
        unknown = np.full(len(owners), np.nan)
        self._close()
        self._note(owners, numbers, steps, walls)
        self._values.append(np.array([columns.get(name, unknown) for name in self.names]))

    def add_one(self, owner: int, number: int, step: int, wall: float, values: Mapping[str, float]) -> None:
        """Add one row of few known statistics."""
        self._note([owner], [number], [step], [wall])
        self._open.append([values.get(name, np.nan) for name in self.names])

    def _note(
        self, owners: Sequence[int], numbers: Sequence[int], steps: Sequence[int], walls: Sequence[float]
    ) -> None:
        self._owners.extend(owners)
        self._numbers.extend(numbers)
        self._steps.extend(steps)
        self._walls.extend(walls)

    def _close(self) -> None:
        if self._open:
            self._values.append(np.array(self._open, dtype=np.float64).T)
            self._open = []

    def by_tensor(self) -> Iterator[tuple[int, TensorRows]]:
        """The rows of each tensor. Columns are views of one array."""
        self._close()
        if not self._owners:
            return
        owners = np.array(self._owners)
        order = np.lexsort((np.array(self._numbers), owners))
        self._values = [np.concatenate(self._values, axis=1)]
        values = self._values[0][:, order]
        steps, walls = np.array(self._steps, dtype=np.int64)[order], np.array(self._walls, dtype=np.float64)[order]
        present, starts = np.unique(owners[order], return_index=True)
        bounds = [*starts.tolist(), len(owners)]
        for owner, start, stop in zip(present.tolist(), bounds[:-1], bounds[1:], strict=True):
            columns = {name: values[place, start:stop] for place, name in enumerate(self.names)}
            if "samples" in columns:
                columns["samples"] = np.cumsum(columns["samples"])
            yield owner, TensorRows(steps[start:stop], walls[start:stop], columns)
