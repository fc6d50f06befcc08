"""Data sets whose axis 0 is the step: beside a data set called `steps`, with a dimension scale, or with the steps as an attribute."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlcheck.importers.hdf5.attributes import MOST_STEPS
from mlcheck.importers.hdf5.steps import Places
from mlcheck.importers.hdf5.tree import Leaf, Place, Tree
from mlcheck.importers.hdf5.words import HISTORY_STEPS, HISTORY_TIMES, HISTORY_VALUES
from mlcheck.store.series import Floats, Ints

Values = Callable[[Leaf], "np.ndarray[Any, Any] | None"]
"""Reads a small data set; None where it cannot be read."""


class Stack(NamedTuple):
    """What axis 0 of a data set is."""

    steps: Ints
    wall_times: Floats | None
    axis: str
    """step or epoch."""
    place: Place
    """Of the tensor: without the word for values, and without words for steps above it."""
    is_sure: bool
    """Its own group, a scale or an attribute says so; a data set called `steps` further up fits by its length only."""


class Stacks:
    """Finds the stacks of a file."""

    def __init__(self, tree: Tree, leaves: Sequence[Leaf], places: Places, values: Values) -> None:
        self.used: set[Place] = set()
        """Data sets that only count the steps or times of others."""
        self.doubts: list[tuple[str, str]] = []
        """(object, reason) where steps cannot be told."""
        self._is_netcdf = "_ncproperties" in tree.attributes
        self._places = places
        self._values = values
        self._counters: dict[Place, tuple[Leaf, str]] = {}
        self._clocks: dict[Place, Leaf] = {}
        self._read: dict[Place, Ints | None] = {}
        for leaf in leaves:
            self._note(leaf)

    def _note(self, leaf: Leaf) -> None:
        name, group = leaf.path[-1].lower(), leaf.path[:-1]
        if len(leaf.shape) != 1 or leaf.shape[0] > MOST_STEPS:
            return
        if name in HISTORY_STEPS:
            # Where a group has several (`step` and `epoch`), steps count.
            known = self._counters.get(group)
            if known is None or known[1] == "epoch":
                self._counters[group] = (leaf, HISTORY_STEPS[name])
            if leaf.attributes.get("class") == "DIMENSION_SCALE":
                self.used.add(leaf.path)
        elif name in HISTORY_TIMES:
            self._clocks[group] = leaf

    def find(self, leaf: Leaf) -> Stack | None:
        """What axis 0 of a data set is, if it is the step; None for any other data set."""
        if not leaf.shape or not (self._counters or leaf.attributes or leaf.steps is not None):
            return None
        found = self._by_scale(leaf) or self._by_attribute(leaf) or self._beside(leaf)
        if found is None:
            return None
        steps, axis, place, is_sure = found
        above = self._places.find(leaf)
        if above is not None and above.is_sure:
            place = tuple(name for index, name in enumerate(place) if index not in above.removed)
        return Stack(steps, self._wall_times(leaf), axis, place or leaf.path, is_sure)

    def _by_scale(self, leaf: Leaf) -> tuple[Ints, str, Place, bool] | None:
        steps = self._counted(leaf.steps) if leaf.steps is not None else None
        if leaf.steps is None or steps is None or len(steps) != leaf.shape[0]:
            return None
        self.used.add(leaf.steps.path)
        # Weather forecasts have a dimension called step too.
        return steps, leaf.steps_axis, leaf.path, not self._is_netcdf

    def _by_attribute(self, leaf: Leaf) -> tuple[Ints, str, Place, bool] | None:
        for name, axis in HISTORY_STEPS.items() if leaf.attributes else ():
            stated = leaf.attributes.get(name)
            if isinstance(stated, np.ndarray) and len(stated) == leaf.shape[0]:
                steps = whole_steps(stated)
                if steps is not None:
                    return steps, axis, leaf.path, True
        return None

    def _beside(self, leaf: Leaf) -> tuple[Ints, str, Place, bool] | None:
        """Steps from a data set in the same group or one above."""
        for depth in range(len(leaf.path) - 1, -1, -1):
            known = self._counters.get(leaf.path[:depth])
            if known is None:
                continue
            counter, axis = known
            if counter is leaf or (depth < len(leaf.path) - 1 and self._places.find(leaf) is not None):
                return None
            is_own = depth == len(leaf.path) - 1 and leaf.path[-1].lower() in HISTORY_VALUES and depth > 0
            steps = self._counted(counter) if counter.shape[0] == leaf.shape[0] else None
            if steps is not None:
                self.used.add(counter.path)
                return steps, axis, leaf.path[:-1] if is_own else leaf.path, is_own
            if is_own:
                self.used.add(counter.path)
                self.doubts.append((leaf.name, _why_not(counter, leaf)))
        return None

    def _counted(self, leaf: Leaf) -> Ints | None:
        if leaf.path not in self._read:
            found = self._values(leaf) if len(leaf.shape) == 1 and leaf.shape[0] <= MOST_STEPS else None
            self._read[leaf.path] = None if found is None else whole_steps(found)
        return self._read[leaf.path]

    def _wall_times(self, leaf: Leaf) -> Floats | None:
        clock = self._clocks.get(leaf.path[:-1])
        if clock is None or clock is leaf or clock.shape[0] != leaf.shape[0]:
            return None
        found = self._values(clock)
        if found is None:
            return None
        self.used.add(clock.path)
        times = found.astype(np.float64)
        known = times[np.isfinite(times)]
        return times / 1000 if len(known) and known.max() > 1e11 else times


def _why_not(counter: Leaf, leaf: Leaf) -> str:
    if counter.shape[0] != leaf.shape[0]:
        return f"{counter.shape[0]:,} steps for {leaf.shape[0]:,} entries: its steps cannot be told, it is one snapshot"
    return "its steps are no whole numbers: they cannot be told, it is one snapshot"


def whole_steps(values: "np.ndarray[Any, Any]") -> Ints | None:
    """Numbers as int64 steps; None where any is not whole or does not fit."""
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return None
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        return None
    if values.dtype.kind in "uf" and len(values) and float(np.abs(values).max()) >= 2**62:
        return None
    return values.astype(np.int64)
