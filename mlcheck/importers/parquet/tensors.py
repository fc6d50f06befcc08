"""Rows of lists into the collector of a run's tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.parquet import cells
from mlcheck.importers.parquet.layout import Layout, shape_of_text
from mlcheck.records import dataclass, field, replace
from mlcheck.store.series import Floats, Hints, Ints, RawSeries
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

TOGETHER = 4096
"""Values of a tensor up to which its rows are put together before they are reduced: then the calls cost more than the copy."""
BFLOAT16 = "bfloat16"
_CLASSES = ("label", "prediction")
"""Roles of which facts are derived."""
PROBLEMS = 20
"""Problems that are named singly."""


@dataclass(slots=True)
class Tensors:
    """The tensors of the files of one part of a run."""

    collector: TensorCollector
    request: Request
    part: str
    problems: dict[str, int] = field(default_factory=dict)
    """What could not be read, with how often."""
    tags: dict[str, None] = field(default_factory=dict)
    """Tags in order of appearance."""

    @classmethod
    def of(cls, request: Request, part: str) -> "Tensors":
        """None yet."""
        return cls(TensorCollector(request, part), request, part)

    def asks(self, tag: str, hints: Hints) -> bool:
        """Whether a selected rule asks anything of a tensor."""
        plan = self.request.plan(tag, self.part, hints)
        return bool(plan.keys) or (plan.role in _CLASSES and bool(self.request.facts))

    def series(self) -> list[RawSeries]:
        """The tensors, with the order of their layers where that of the rows may be it: rows sorted by name show none."""
        found = list(self.collector.series())
        tags = list(self.tags)
        if len(tags) > 1 and tags == sorted(tags):
            found = [replace(one, hints=replace(one.hints, order=None)) for one in found]
        return found

    def shapes(self, layout: Layout, name: str, batch: Any) -> Sequence[cells.Shape | None] | None:
        """The shape of each row by the column of shapes; None where there is none."""
        if layout.shape is None:
            return None
        column = batch.column(layout.shape)
        if hasattr(column, "dictionary") or str(column.type) in ("string", "large_string"):
            return [None if text is None else shape_of_text(text) for text in column.to_pylist()]
        lists = cells.lists(column)
        return [_sizes(lists, at) for at in range(len(lists.starts) - 1)]

    def add(
        self,
        tag: str,
        hints: Hints,
        found: cells.Lists,
        rows: Ints,
        steps: Ints,
        walls: Floats,
        shapes: Sequence[cells.Shape | None] | None,
        stated: cells.Shape | None = None,
    ) -> None:
        """Hand rows of one tensor to the collector, those of one shape together.

        `rows` are places among `found`, shape (n,) like `steps` and `walls`; `shapes` the shape of each row of the batch where a
        column states it, `stated` the one that the metadata state.
        """
        self.tags.setdefault(tag)
        values = found.values
        if hints.dtype == BFLOAT16 and values.dtype.itemsize == 2 and values.dtype.kind in "iu":
            values = cells.widened(values)
        else:
            hints = replace(hints, dtype=str(values.dtype))
        track = self.collector.track(tag, replace(hints, order=len(self.tags) - 1))
        resolved = [self._shape(tag, found, int(row), shapes, stated) for row in rows.tolist()]
        for begin, end in _stretches(resolved):
            shape = resolved[begin]
            if shape is None:
                continue
            if not track.needed:
                for at in range(begin, end):
                    track.add_unread(int(steps[at]), float(walls[at]), _logical(shape, found.axes), str(values.dtype))
                continue
            self._add(track, found, values, rows[begin:end], steps[begin:end], walls[begin:end], shape)

    def _add(
        self,
        track: Any,
        found: cells.Lists,
        values: NDArray[Any],
        rows: Ints,
        steps: Ints,
        walls: Floats,
        shape: cells.Shape,
    ) -> None:
        count = found.count(int(rows[0]))
        begins = found.starts[rows]
        if len(rows) > 1 and (count <= TOGETHER or bool((np.diff(begins) == count).all())):
            if (np.diff(begins) == count).all():
                together = values[int(begins[0]) : int(begins[0]) + count * len(rows)]
            else:
                together = values[begins[:, None] + np.arange(count)]
            track.add_rows(steps, walls, _placed(together.reshape(len(rows), *shape), found.axes, 1))
            return
        for at, begin in enumerate(begins.tolist()):
            array = values[begin : begin + count].reshape(shape)
            track.add(int(steps[at]), float(walls[at]), _placed(array, found.axes, 0))

    def _shape(
        self,
        tag: str,
        found: cells.Lists,
        row: int,
        shapes: Sequence[cells.Shape | None] | None,
        stated: cells.Shape | None,
    ) -> cells.Shape | None:
        """The shape of a row; None for one that is left out, with a problem noted."""
        count = found.count(row)
        own = shapes[row] if shapes is not None else None
        if own is None and found.stated is not None:
            own = _sizes(found.stated, row)
        if own is not None:
            if _size(own) == count:
                return own
            self.lose(f"{tag}: rows whose shape is not that of their values, such as {own} for {count:,} values")
            return None
        if stated is not None and found.fixed is None and _size(stated) == count:
            return stated
        nested = found.shape(row)
        if nested is None:
            self.lose(f"{tag}: lists within a list differ in length")
        elif _size(nested) != count:
            return (count,)
        return nested

    def lose(self, problem: str) -> None:
        """Note a row that is left out."""
        if problem in self.problems or len(self.problems) < PROBLEMS:
            self.problems[problem] = self.problems.get(problem, 0) + 1


def _sizes(lists: cells.Lists, row: int) -> cells.Shape | None:
    """A list of sizes as a shape; None where it is none."""
    if lists.known is not None and not lists.known[row]:
        return None
    listed = lists.values[int(lists.starts[row]) : int(lists.starts[row + 1])].tolist()
    return tuple(int(one) for one in listed) if all(0 <= one < cells.FAR for one in listed) else None


def _size(shape: cells.Shape) -> int:
    size = 1
    for one in shape:
        size *= one
    return size


def _logical(shape: cells.Shape, axes: tuple[int, ...] | None) -> cells.Shape:
    return shape if axes is None else tuple(shape[one] for one in axes)


def _placed(array: NDArray[Any], axes: tuple[int, ...] | None, before: int) -> NDArray[Any]:
    """The array with its logical axes behind the first `before`."""
    if axes is None:
        return array
    return array.transpose((*range(before), *(one + before for one in axes)))


def _stretches(shapes: Sequence[cells.Shape | None]) -> list[tuple[int, int]]:
    """Begin and end of each stretch of equal shapes."""
    starts = [0, *(at for at in range(1, len(shapes)) if shapes[at] != shapes[at - 1])]
    return list(zip(starts, [*starts[1:], len(shapes)], strict=True))
