"""Small tensors wait until they fill a block, then they are measured together; what is compared over steps is kept."""

import numpy as np

from mlcheck.records import dataclass, field
from mlcheck.store.tensors.keys import Wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.measure import Measured, measure
from mlcheck.store.tensors.scratch import PIECE, Floats, Scratch, Values
from mlcheck.store.tensors.table import Table
from mlcheck.store.tensors.units import Outside

SMALL = 16_384
"""Values of the largest tensor that waits: 64 kB of float32."""
_MOST_ROWS = 4_096
_MOST_WAITING = 32 * 2**20
"""Bytes of all queues; beyond that all are measured and let go."""


@dataclass(eq=False, slots=True)
class Memory:
    """What is kept of one tensor from step to step."""

    owner: int
    """Its number in the table."""
    rows: int = 0
    """How many rows it has."""
    previous: Values | None = None
    """Its values at the step before, flat, where they are not in a queue."""
    queue: "Queue | None" = None
    """Where its last row waits."""
    place: int = -1
    """The last row's place there; -1 where nothing waits."""
    outside: dict[str, Outside] = field(default_factory=dict)

    def forget(self) -> None:
        """Keep no values: there is nothing to compare the next step with."""
        self.previous, self.place = None, -1


class Queue:
    """Tensors of one size, dtype and layout, of which the same is wanted."""

    def __init__(
        self, size: int, dtype: "np.dtype[np.generic]", wanted: Wanted, layout: Layout, table: Table, scratch: Scratch
    ) -> None:
        capacity = max(1, min(PIECE // max(size, 1), _MOST_ROWS))
        self._wanted, self._layout, self._table, self._scratch = wanted, layout, table, scratch
        self._rows: Values = np.empty((capacity, size), dtype=dtype)
        self._before: Values | None = np.zeros((capacity, size), dtype=dtype) if wanted.before else None
        self._known = np.zeros(capacity, dtype=np.bool_)
        self._memories: list[Memory] = []
        self._numbers: list[int] = []
        self._steps: list[int] = []
        self._walls: list[float] = []
        self.dtype = dtype

    @property
    def bytes(self) -> int:
        """Memory that it holds."""
        return self._rows.nbytes * (1 if self._before is None else 2)

    def push(self, memory: Memory, step: int, wall: float, values: Values) -> None:
        """Add a row; `values` is flat and may be used again at once."""
        number = len(self._memories)
        self._rows[number] = values
        if self._before is not None:
            waits = memory.place >= 0
            if waits:
                self._before[number] = self._rows[memory.place]
            elif memory.previous is not None:
                self._before[number] = memory.previous
                waits = True
            self._known[number] = waits
        memory.queue, memory.place = self, number
        self._memories.append(memory)
        self._numbers.append(memory.rows)
        self._steps.append(step)
        self._walls.append(wall)
        memory.rows += 1
        if number + 1 == len(self._rows):
            self.flush()

    def flush(self) -> None:
        """Measure what waits, and hand it to the table."""
        number = len(self._memories)
        if not number:
            return
        before = None if self._before is None else self._before[:number]
        found = measure(self._rows[:number], before, self._known[:number], self._wanted, self._layout, self._scratch)
        columns = {**found.columns, **_outside(found, self._memories, self._wanted, self._layout)}
        owners = [memory.owner for memory in self._memories]
        self._table.add(owners, self._numbers, self._steps, self._walls, columns)
        for place, memory in enumerate(self._memories):
            if memory.queue is self and memory.place == place:
                memory.queue, memory.place = None, -1
                if self._before is not None:
                    memory.previous = self._rows[place].copy()
        self._memories, self._numbers, self._steps, self._walls = [], [], [], []


class Queues:
    """All queues of one collector, and its working memory."""

    def __init__(self) -> None:
        self.scratch = Scratch()
        self._queues: dict[tuple[object, ...], Queue] = {}
        self._bytes = 0

    def find(
        self,
        key: tuple[object, ...],
        size: int,
        dtype: "np.dtype[np.generic]",
        wanted: Wanted,
        layout: Layout,
        table: Table,
    ) -> Queue:
        """The queue of that key; where there is none, a new one for such tensors."""
        found = self._queues.get(key)
        if found is None:
            found = Queue(size, dtype, wanted, layout, table, self.scratch)
            if self._bytes + found.bytes > _MOST_WAITING:
                self.flush()
            self._bytes += found.bytes
            self._queues[key] = found
        return found

    def flush(self) -> None:
        """Measure all that waits, and let the queues go."""
        for queue in self._queues.values():
            queue.flush()
        self._queues, self._bytes = {}, 0


def measure_alone(
    memory: Memory,
    step: int,
    wall: float,
    values: Values,
    wanted: Wanted,
    layout: Layout,
    table: Table,
    scratch: Scratch,
) -> None:
    """Measure one tensor that is too large to wait. Nothing of it may be waiting."""
    previous = memory.previous
    renew = previous is not None and previous.dtype == values.dtype
    before = None if previous is None else previous[None, :]
    found = measure(values[None, :], before, np.ones(1, dtype=np.bool_), wanted, layout, scratch, renew)
    columns = {**found.columns, **_outside(found, [memory], wanted, layout)}
    table.add([memory.owner], [memory.rows], [step], [wall], columns)
    memory.rows += 1
    if wanted.before and not renew:
        memory.previous = values.copy()


def _outside(found: Measured, memories: list[Memory], wanted: Wanted, layout: Layout) -> dict[str, Floats]:
    """Shares of units outside, with what was seen at the steps before."""
    seen = layout.before * layout.after
    return {
        key: np.array(
            [
                memory.outside.setdefault(key, Outside()).add(counted, seen, limits)
                for memory, counted in zip(memories, found.outside[key], strict=True)
            ]
        )
        for key, limits in wanted.ranges
    }
