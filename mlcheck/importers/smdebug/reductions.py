"""Reductions: one number for a tensor at a step, saved in its place.

    smdebug/reductions/[abs_]<min|max|mean|std|variance|sum|prod|l1|l2>/<tensor>

They become the columns of the tensor that they reduce, where they mean what ours mean. `std` and `variance` are the framework's: PyTorch
divides by n - 1, the others by n.
"""

import re
from collections.abc import Mapping
from math import inf, isfinite, isnan, nan, prod, sqrt

import numpy as np

from mlcheck.records import dataclass, field, replace
from mlcheck.store.series import Floats, Hints, RawSeries

_TAG = re.compile(r"smdebug/reductions/((?:abs_)?(?:min|max|mean|std|variance|sum|prod|l1|l2))/(.+)", re.DOTALL)

# Reductions that are finite only where all values are. A std of one value divides by zero in PyTorch, so its NaN tells nothing.
_FINITE = (
    "mean",
    "sum",
    "abs_mean",
    "abs_sum",
    "l1",
    "l2",
    "abs_l1",
    "abs_l2",
    "abs_max",
    "std",
    "variance",
    "abs_std",
)
_TELLS_NAN = ("mean", "sum", "abs_mean", "abs_sum", "l1", "l2", "abs_l1", "abs_l2", "min", "max", "abs_max", "abs_min")
_TELLS_INFINITE = ("min", "max", "abs_max", "abs_min")


def reduction_of(tag: str) -> tuple[str, str] | None:
    """The reduction and the tensor that a tag names; None for any other tag."""
    match = _TAG.fullmatch(tag)
    return (match[1], match[2]) if match else None


@dataclass
class Reduced:
    """The reductions of one tensor, by step."""

    hints: Hints
    steps: dict[int, dict[str, float]] = field(default_factory=dict)
    wall_times: dict[int, float] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Shapes that the index states."""

    def add(self, step: int, wall_time: float, name: str, value: float, shape: tuple[int, ...] | None) -> None:
        """One reduction at a step; `shape` is that of the tensor where the index states it."""
        if shape is not None:
            self.shapes.setdefault(step, shape)
        self.steps.setdefault(step, {})[name] = value
        self.wall_times.setdefault(step, wall_time)

    def series(self, tag: str, shape: tuple[int, ...] | None) -> tuple[RawSeries | None, set[str]]:
        """The tensor's statistics as far as its reductions tell them, and the reductions that tell none.

        `shape` is that of the tensor where it is known from elsewhere. None where no reduction tells one of our statistics.
        """
        rows = {}
        used: set[str] = set()
        names: set[str] = set()
        for step, stated in self.steps.items():
            known = self.shapes.get(step, shape)
            row, taken = _statistics(stated, prod(known) if known is not None else None)
            names |= stated.keys()
            used |= taken
            rows[step] = row
        columns = dict.fromkeys(name for row in rows.values() for name in row)
        if not used:
            return None, names
        hints = self.hints
        first = next(iter(self.shapes.values()), shape)
        if first is not None:
            hints = replace(hints, shape=first)
        return RawSeries(
            tag,
            "tensor",
            np.array(list(rows), dtype=np.int64),
            np.array([self.wall_times[step] for step in rows]),
            {name: _column(rows, name) for name in columns},
            hints,
        ), names - used


def _column(rows: Mapping[int, Mapping[str, float]], name: str) -> Floats:
    return np.array([row.get(name, nan) for row in rows.values()])


def _statistics(stated: Mapping[str, float], count: int | None) -> tuple[dict[str, float], set[str]]:
    """Our statistics from the reductions of one step, and the reductions that they come from."""
    row = {name: stated[name] for name in ("min", "max", "mean", "std", "abs_mean", "abs_max", "l2") if name in stated}
    used = set(row)
    for ours, theirs, convert in _SAME:
        if ours not in row and theirs in stated:
            row[ours] = convert(stated[theirs])
            used.add(theirs)
    if count:
        for ours, theirs in (("mean", "sum"), ("abs_mean", "l1"), ("abs_mean", "abs_l1"), ("abs_mean", "abs_sum")):
            if ours not in row and theirs in stated:
                row[ours] = stated[theirs] / count
                used.add(theirs)
    if "abs_max" not in row and {"min", "max"} <= stated.keys():
        row["abs_max"] = max(abs(stated["min"]), abs(stated["max"]))
    if row:
        row["nonfinite"] = _nonfinite(stated)
        if count is not None:
            row["count"] = float(count)
    return row, used


def _root(value: float) -> float:
    return sqrt(value) if value >= 0 else nan


def _same(value: float) -> float:
    return value


_SAME = (("std", "variance", _root), ("l2", "abs_l2", _same))


def _nonfinite(stated: Mapping[str, float]) -> float:
    """0 where a reduction shows that all values are finite, 1 where one shows that at least one is not, else NaN."""
    if any(isfinite(stated[name]) for name in _FINITE if name in stated):
        return 0.0
    if all(isfinite(stated.get(name, inf)) for name in ("min", "max")):
        return 0.0
    if any(isnan(stated[name]) for name in _TELLS_NAN if name in stated):
        return 1.0
    if any(stated[name] in (inf, -inf) for name in _TELLS_INFINITE if name in stated):
        return 1.0
    return nan
