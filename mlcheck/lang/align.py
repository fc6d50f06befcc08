"""Bringing operands of different density to one axis (language.md, "Alignment" and fix 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.arrays import median
from mlcheck.lang.values import Axis, Column, Value

Array = NDArray[np.float64] | NDArray[np.bool_]


class KindsDiffer(Exception):
    """Two columns on different kinds of axis, at least one without wall times: they have no place in common."""

    def __init__(self, left: Axis, right: Axis) -> None:
        self.left = left
        self.right = right
        super().__init__(f"one is by {left.kind}, the other by {right.kind}")


def aligned(values: Sequence[Value]) -> tuple[Axis | None, list[Array | float | bool]]:
    """Bring the columns among the values to one axis, pairwise from left to right; scalars stay as they are.

    Returns the axis (None when there is no column) and the values: arrays of shape (n,) on that axis, or scalars.
    Raises KindsDiffer.
    """
    axis: Axis | None = None
    parts: list[Value] = []
    for value in values:
        part = value
        if isinstance(value, Column):
            chosen = value.axis if axis is None else common_axis(axis, value.axis)
            if axis is not None and chosen is not axis:
                parts = [put(part, chosen) if isinstance(part, Column) else part for part in parts]
            axis = chosen
            part = put(value, chosen)
        parts.append(part)
    return axis, [part.values if isinstance(part, Column) else part for part in parts]


def common_axis(left: Axis, right: Axis) -> Axis:
    """The axis on which two columns meet: the one with fewer points in their common range, in a tie the left one.

    Raises KindsDiffer.
    """
    if left is right or len(left) == 0 or len(right) == 0:
        _positions(left, right)
        return left
    here, there = _positions(left, right)
    if here is there or np.array_equal(here, there):
        return left
    low, high = max(here.min(), there.min()), min(here.max(), there.max())
    here_count = np.count_nonzero((here >= low) & (here <= high))
    there_count = np.count_nonzero((there >= low) & (there <= high))
    return right if here_count > there_count else left


def put(column: Column, axis: Axis) -> Column:
    """A column on another axis: at each step its last value at or before that step.

    Outside, before its first step and beyond its last step + the median spacing of its steps, floats are NaN and
    conditions False.
    Raises KindsDiffer.
    """
    if column.axis is axis:
        return column
    source, target = _positions(column.axis, axis)
    values = column.values
    if len(source) == 0:
        return Column(_outside(values, len(target)), axis, column.better)
    if (source is target or np.array_equal(source, target)) and (source[1:] > source[:-1]).all():
        return Column(values, axis, column.better)
    if np.any(source[1:] < source[:-1]):
        # Clocks are set back now and then, so wall times need not ascend as steps do.
        order = np.argsort(source, kind="stable")
        source, values = source[order], values[order]
    rows = np.searchsorted(source, target, side="right") - 1
    known = rows >= 0
    beyond = target > source[-1]
    if beyond.any():
        known &= ~beyond | (target.astype(np.float64) - float(source[-1]) <= _median_spacing(source))
    result = _outside(values, len(target))
    result[known] = values[rows[known]]
    return Column(result, axis, column.better)


def put_exactly(column: Column, axis: Axis) -> Column:
    """A column on the steps of another axis of its kind that it has itself: NaN elsewhere. Of several rows at a step the last counts.

    Raises KindsDiffer.
    """
    if column.axis.kind != axis.kind:
        raise KindsDiffer(column.axis, axis)
    steps = column.axis.steps
    result = np.full(len(axis), np.nan)
    if len(steps):
        order = np.argsort(steps, kind="stable")
        rows = np.searchsorted(steps[order], axis.steps, side="right") - 1
        shared = (rows >= 0) & (steps[order][np.maximum(rows, 0)] == axis.steps)
        result[shared] = np.asarray(column.values, dtype=np.float64)[order][rows[shared]]
    return Column(result, axis, column.better)


def _positions(left: Axis, right: Axis) -> tuple[NDArray[Any], NDArray[Any]]:
    """Steps of both, int64, where they are of one kind; else wall times, float64."""
    if left.kind == right.kind:
        return left.steps, right.steps
    if np.isfinite(left.wall_times).all() and np.isfinite(right.wall_times).all():
        return left.wall_times, right.wall_times
    raise KindsDiffer(left, right)


def _median_spacing(positions: NDArray[Any]) -> float:
    """Median distance of neighbouring distinct positions; 0 for a single one."""
    distances = np.diff(positions.astype(np.float64))
    distances = distances[distances > 0]
    return median(distances) if len(distances) else 0.0


def _outside(values: Array, length: int) -> Array:
    if values.dtype == np.bool_:
        return np.zeros(length, dtype=np.bool_)
    return np.full(length, np.nan)
