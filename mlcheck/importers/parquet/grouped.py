"""Numbers of many series in one column: gathered batch by batch, put apart at the end."""

from collections.abc import Iterator

import numpy as np

from mlcheck.records import dataclass, field
from mlcheck.store.series import Floats, Ints, RawSeries


@dataclass(slots=True)
class Grouped:
    """Rows of several series with the same columns."""

    columns: tuple[str, ...]
    keep_order: bool = False
    """The order of the rows is stated to be that of the record."""
    _groups: list[Ints] = field(default_factory=list)
    _steps: list[Ints] = field(default_factory=list)
    _walls: list[Floats] = field(default_factory=list)
    _values: dict[str, list[Floats]] = field(default_factory=dict)

    def add(self, groups: Ints, steps: Ints, walls: Floats, values: dict[str, Floats]) -> None:
        """Add rows: the series of each, step, seconds, and each of the columns."""
        self._groups.append(groups.astype(np.int32))
        self._steps.append(steps)
        self._walls.append(walls)
        for name in self.columns:
            self._values.setdefault(name, []).append(values[name])

    def parts(self) -> Iterator[tuple[int, Ints, Floats, dict[str, Floats]]]:
        """Each series: its number, steps, seconds, columns; rows by `in_order`. Gives away what was gathered."""
        if not self._groups:
            return
        groups = np.concatenate(self._groups)
        self._groups = []
        # Sixteen bits are sorted by radix, several times as fast.
        order = np.argsort(groups.astype(np.int16) if int(groups.max()) < 1 << 15 else groups, kind="stable")
        sizes = np.bincount(groups)
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        steps, self._steps = np.concatenate(self._steps)[order], []
        walls, self._walls = np.concatenate(self._walls)[order], []
        values = {name: np.concatenate(self._values.pop(name))[order] for name in self.columns}
        for number in np.flatnonzero(sizes).tolist():
            part = slice(int(bounds[number]), int(bounds[number + 1]))
            own = {name: column[part] for name, column in values.items()}
            yield number, *in_order(steps[part], walls[part], own, keep=self.keep_order)


def in_order(
    steps: Ints, walls: Floats, columns: dict[str, Floats], *, keep: bool = False
) -> tuple[Ints, Floats, dict[str, Floats]]:
    """Rows sorted by step, those of one step in record order.

    A table has no order of its own: shuffled and partitioned ones are usual. Rows stay as they are where the file states their order,
    and where their times show it: then a step that goes back is a restart.
    """
    if keep or len(steps) < 2 or not (steps[1:] < steps[:-1]).any():
        return steps, walls, columns
    if np.isfinite(walls).all() and not (walls[1:] < walls[:-1]).any() and walls[-1] > walls[0]:
        return steps, walls, columns
    order = np.argsort(steps, kind="stable")
    return steps[order], walls[order], {name: column[order] for name, column in columns.items()}


def merged(series: list[RawSeries], *, keep: bool = False) -> list[RawSeries]:
    """Series of the same tag, split and worker in several files of one table as one, in order of first appearance."""
    from mlcheck.records import replace

    found: dict[tuple[str, str, str | None, str | None], list[RawSeries]] = {}
    for one in series:
        found.setdefault((one.tag, one.kind, one.hints.mode, one.hints.worker), []).append(one)
    result = []
    for parts in found.values():
        first = parts[0]
        if len(parts) > 1:
            steps = np.concatenate([one.steps for one in parts])
            walls = np.concatenate([one.wall_times for one in parts])
            names = dict.fromkeys(name for one in parts for name in one.columns)
            columns = {
                name: np.concatenate([one.columns.get(name, np.full(len(one.steps), np.nan)) for one in parts])
                for name in names
            }
            steps, walls, columns = in_order(steps, walls, columns, keep=keep)
            first = replace(first, steps=steps, wall_times=walls, columns=columns)
        result.append(first)
    return result
