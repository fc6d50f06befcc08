"""Tensors over steps to series of statistics: what every importer of tensors feeds.

Only what the request asks of a tensor is computed, in memory bounded by one block for small tensors, and by one copy of a tensor where
a statistic compares steps.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from mlcheck.records import dataclass, replace
from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.classes import ClassCounter
from mlcheck.store.tensors.importances import ROLE, Importances
from mlcheck.store.tensors.keys import Wanted, wanted
from mlcheck.store.tensors.layout import BATCHED, NO_LAYOUT, Layout, layout
from mlcheck.store.tensors.queue import SMALL, Memory, Queues, measure_alone
from mlcheck.store.tensors.request import Plan, Request
from mlcheck.store.tensors.scratch import Floats, Ints, Values
from mlcheck.store.tensors.stored import Stored, measure_stored
from mlcheck.store.tensors.table import Table, TensorRows

_NUMBERS = "biuf"
"""numpy's kinds of dtype that are measured."""
_MOST_VALUES = 2**63


class TensorCollector:
    """Takes the tensors of one part of a run, in any order that goes forward in steps for each of them."""

    def __init__(self, request: Request, part: str = "") -> None:
        self._request, self._part = request, part
        self._tracks: dict[tuple[str, str | None, str | None], Track] = {}
        self._tables: dict[frozenset[str], Table] = {}
        self._queues = Queues()
        self._problems: list[str] = []
        self._classes = ClassCounter(request.asks("class_count"), request.asks("confusion"))
        self._importances = Importances()

    def track(self, tag: str, hints: Hints | None = None) -> "Track":
        """One tensor over steps; the same tag, mode and worker give the same one, with the hints that it was first given."""
        hints = hints or Hints()
        key = (tag, hints.mode, hints.worker)
        found = self._tracks.get(key)
        if found is None:
            plan = self._request.plan(tag, self._part, hints)
            table = self._tables.get(plan.keys)
            if table is None:
                table = self._tables[plan.keys] = Table(wanted(plan.keys).columns)
            memory = Memory(len(self._tracks))
            facts = (self._classes, self._importances)
            found = Track(tag, hints, plan, memory, table, self._queues, facts, self._problems)
            self._tracks[key] = found
        return found

    def series(self) -> tuple[RawSeries, ...]:
        """Tensors in order of first appearance, each with the shape and dtype of its first step, then facts that follow from them."""
        self._queues.flush()
        rows = {owner: found for table in self._tables.values() for owner, found in table.by_tensor()}
        tracks = enumerate(self._tracks.values())
        tensors = [track.series(rows[number]) for number, track in tracks if number in rows]
        return (*tensors, *self._classes.series(), *self._importances.series())

    def problems(self) -> tuple[str, ...]:
        """What could not be measured and why, at most a line for each tensor and reason. Complete after `series`."""
        return (*self._problems, *self._classes.problems)


class Track:
    """One tensor over steps."""

    def __init__(
        self,
        tag: str,
        hints: Hints,
        plan: Plan,
        memory: Memory,
        table: Table,
        queues: Queues,
        facts: tuple[ClassCounter, Importances],
        problems: list[str],
    ) -> None:
        self._tag, self._hints, self._role = tag, hints, plan.role
        self._wanted, self._table, self._queues, self._problems = wanted(plan.keys), table, queues, problems
        self._memory = memory
        self._classes, self._importances = facts
        self._counts = self._classes.counts(plan.role)
        self._labels = plan.labels
        self._weighs = plan.role == ROLE
        self.needed = self._wanted.values or self._counts or self._weighs
        """False: nothing is asked of its values, and `add_unread` says as much as `add`."""
        self._shape: tuple[int, ...] | None = None
        self._dtype: np.dtype[np.generic] | None = None
        self._first: tuple[tuple[int, ...], str] | None = None
        self._first_step = 0
        self._odd = False

    def add(self, step: int, wall_time: float, array: npt.ArrayLike) -> None:
        """One step: an array of any numeric or bool dtype and any shape. It may be written to again at once."""
        values = np.asarray(array)
        if values.dtype.kind not in _NUMBERS:
            self._refuse(step, wall_time, values)
            return
        if values.dtype != self._dtype or values.shape != self._shape:
            self._take_form(step, values.shape, values.dtype, _name(values.dtype))
        if self._counts:
            self._classes.add(self._role, self._tag, self._hints, step, wall_time, values)
        if self._weighs:
            self._importances.add(self._tag, self._labels, self._hints, step, wall_time, values)
        if self._wanted.values:
            self._measure(step, wall_time, _flat(values))
        else:
            self._note(step, wall_time)

    def add_rows(self, steps: Iterable[int], wall_times: Iterable[float], arrays: Values) -> None:
        """n steps: `arrays` has shape (n, *shape)."""
        for step, wall_time, array in zip(steps, wall_times, arrays, strict=True):
            self.add(int(step), float(wall_time), array)

    def pending(self, steps: Ints, wall_times: Floats, stored: Stored, ends: bool = False) -> "Pending | None":
        """All steps of `stored` at once, to be measured and then added before anything else is. None where it must be added as arrays.

        `ends`: no other step follows, and so none is compared with the last one.
        """
        asked, memory = self._wanted, self._memory
        waits = memory.place >= 0 or memory.previous is not None
        if self._counts or self._weighs or not asked.values or (asked.before and waits) or not len(steps):
            return None
        self._take_form(int(steps[0]), stored.shape, stored.dtype, _name(stored.dtype))
        return Pending(self, steps, wall_times, stored, ends, asked, self._layout)

    def _add_measured(self, measured: "Pending", columns: Mapping[str, Floats]) -> None:
        memory, number = self._memory, len(measured.steps)
        is_compared = self._wanted.before and not measured.ends
        last = _flat(measured.stored.read(number - 1)) if is_compared else None
        numbers = range(memory.rows, memory.rows + number)
        self._table.add(
            [memory.owner] * number, numbers, measured.steps.tolist(), measured.wall_times.tolist(), columns
        )
        memory.rows += number
        if last is not None:
            memory.previous = last

    def add_unread(self, step: int, wall_time: float, shape: Iterable[int], dtype: npt.DTypeLike | str) -> None:
        """One step of which only the shape is known: its statistics are NaN, but for those that the shape tells.

        `dtype` may be the name of one that numpy has not, such as bfloat16.
        """
        form = tuple(shape)
        if self._dtype is not None or form != self._shape:
            self._take_form(step, form, None, dtype if isinstance(dtype, str) else _name(np.dtype(dtype)))
        self._settle()
        self._memory.forget()
        self._note(step, wall_time)

    def done(self) -> None:
        """Its last step was added: nothing need be kept for the next one."""
        self._memory.forget()

    def series(self, rows: TensorRows) -> RawSeries:
        """The series of its rows."""
        shape, dtype = self._first or ((), None)
        known = self._hints
        hints = replace(known, shape=known.shape or shape, dtype=known.dtype or dtype)
        return RawSeries(self._tag, "tensor", rows.steps, rows.wall_times, rows.columns, hints)

    def _measure(self, step: int, wall_time: float, flat: Values) -> None:
        memory, asked = self._memory, self._wanted
        previous = memory.previous
        if flat.size <= SMALL and (previous is None or previous.dtype == flat.dtype):
            queue = self._queues.find(self._key, flat.size, flat.dtype, asked, self._layout, self._table)
            queue.push(memory, step, wall_time, flat)
        else:
            measure_alone(memory, step, wall_time, flat, asked, self._layout, self._table, self._queues.scratch)

    def _settle(self) -> None:
        """Have what waits of it measured: the order of its steps counts for what is compared over them."""
        if self._memory.queue is not None and (self._wanted.before or self._wanted.ranges):
            self._memory.queue.flush()

    def _note(self, step: int, wall_time: float) -> None:
        place = self._layout
        known = {"count": self._size}
        if self._wanted.by_shape:
            known |= {"fan_in": place.fan_in, "channels": place.units, "samples": place.samples}
        # A file may claim any shape.
        values = {key: float(min(value, _MOST_VALUES)) for key, value in known.items()}
        self._table.add_one(self._memory.owner, self._memory.rows, step, wall_time, values)
        self._memory.rows += 1

    def _refuse(self, step: int, wall_time: float, values: Values) -> None:
        if not self._odd:
            self._odd = True
            self._problems.append(f"{self._tag}: {values.dtype.name} at step {step} is not measured")
        self.add_unread(step, wall_time, values.shape, values.dtype)

    def _take_form(self, step: int, shape: tuple[int, ...], dtype: "np.dtype[np.generic] | None", name: str) -> None:
        self._settle()
        if self._first is None:
            self._first, self._first_step = (shape, name), step
        elif shape != self._shape:
            self._memory.forget()
            self._compare_shape(step, shape)
        self._shape, self._dtype = shape, dtype
        self._size = math.prod(shape)
        by_shape = self._wanted.by_shape
        self._layout = layout(self._role, self._tag, shape, self._hints.data_format) if by_shape else NO_LAYOUT
        # What is wanted of it is the same for all tensors of one table.
        self._key = (id(self._table), self._size, dtype, self._layout)

    def _compare_shape(self, step: int, shape: tuple[int, ...]) -> None:
        assert self._first is not None
        first = self._first[0]
        free = self._role == "token_ids" or (
            self._role in BATCHED and len(shape) == len(first) and shape[1:] == first[1:]
        )
        if shape == first or free or self._odd:
            return
        self._odd = True
        self._problems.append(f"{self._tag}: shape {first} at step {self._first_step} and {shape} at step {step}")


@dataclass(frozen=True, eq=False)
class Pending:
    """A tensor over steps as it lies in a file, which is yet to be measured."""

    track: Track
    steps: Ints
    wall_times: Floats
    stored: Stored
    ends: bool
    wanted: Wanted
    layout: Layout

    @property
    def bytes(self) -> int:
        """Of all its steps."""
        return math.prod(self.stored.shape) * self.stored.raw.itemsize * len(self.steps)

    def measure(self) -> Mapping[str, Floats] | None:
        """Its statistics, which `add` takes; None where it must be added as arrays. Several may be measured at once, in threads.

        Raises OSError where the file is shorter than it was.
        """
        return measure_stored(self.stored, self.wanted, self.layout)

    def add(self, columns: Mapping[str, Floats]) -> None:
        """Give its statistics to the track. Raises OSError where the file is shorter than it was."""
        self.track._add_measured(self, columns)


@cache
def _name(dtype: "np.dtype[np.generic]") -> str:
    return dtype.name


def _flat(values: Values) -> Values:
    """Native, contiguous, with one axis; what is wider than float64 as float64."""
    if values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    elif not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return np.ascontiguousarray(values).reshape(-1)
