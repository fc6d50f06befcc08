"""From a condition at each point to the episodes of a finding: where they may lie, how long they must last."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlcheck.errors import did_you_mean
from mlcheck.lang.values import Axis, Inapplicable
from mlcheck.records import dataclass

UNITS = ("points", "steps", "epochs", "minutes", "%")


@dataclass(frozen=True, slots=True)
class Term:
    """A length, as in `for: 3 points`."""

    amount: float
    """How many; finite, at least 0."""
    unit: str
    """points, steps, epochs, minutes or % (of the range that the run covers on the axis)."""

    def __str__(self) -> str:
        unit = self.unit[:-1] if self.amount == 1 and self.unit != "%" else self.unit
        return f"{self.amount:g} {unit}"


@dataclass(frozen=True, slots=True)
class Span:
    """An episode, in rows of the condition."""

    start: int
    """First row, from 0."""
    stop: int
    """Last row, inclusive."""
    points: int
    """Rows in it at which the condition is true: all of them, unless episodes were merged."""
    open: bool
    """Whether it lasts until the last row of the series."""


@lru_cache(maxsize=1024)
def parse_term(text: str) -> Term:
    """Read a length such as "3 points", "5 %", "200 steps", "1 epoch" or "10 minutes"; ValueError when it is none."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]+|%)?\s*", text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no length; write a number and a unit such as '3 points' or '5 %'")
    number, word = match.groups()
    if word is None:
        raise ValueError(f"{text[:60]!r} has no unit; one of {', '.join(UNITS)}")
    unit = word if word in UNITS else f"{word}s"
    if unit not in UNITS:
        hint = did_you_mean(word, UNITS) or f"one of {', '.join(UNITS)}"
        raise ValueError(f"{word[:60]!r} is no unit; {hint}")
    amount = float(number)
    if not np.isfinite(amount):
        raise ValueError(f"{text[:60]!r} is too long")
    return Term(amount, unit)


def find_episodes(
    condition: NDArray[np.bool_],
    axis: Axis,
    *,
    after: Term | None = None,
    until: Term | None = None,
    patience: Sequence[Term] = (),
    merge: Term | None = None,
    at_end: bool = False,
) -> list[Span]:
    """The stretches in which a condition holds, in order.

    condition: bool, shape (n,), one for each row of the axis.
    after, until: rows before and behind these places are left out. They count from the start of the run; points from
    the first row, minutes from the first wall time of the axis. A row at the place itself is within both, save that
    `until 5 points` is five rows.
    patience: all of these must hold for a stretch. Points are the rows at which the condition is true; every other
    unit is the distance from its first to its last row, which is 0 for a single row.
    merge: stretches with fewer rows (points) between them are one, or with a shorter distance (other units) from the
    last row of one to the first row of the next.
    at_end: only a stretch that lasts until the last row counts.
    Raises Inapplicable("axis", …) when a unit cannot be measured on this axis. A length of 0 can always be.
    """
    if len(condition) != len(axis):
        raise ValueError(f"a condition of {len(condition)} points on an axis of {len(axis)}")
    masked = condition & _within(axis, after, until)
    edges = np.diff(np.concatenate([[False], masked, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    if merge is not None and merge.amount > 0 and len(starts) > 1:
        apart = _distances(axis, merge.unit, stops[:-1], starts[1:]) >= _amount(axis, merge)
        starts, stops = starts[np.concatenate([[True], apart])], stops[np.concatenate([apart, [True]])]
    true_so_far = np.concatenate([[0], np.cumsum(masked)])
    points = true_so_far[stops + 1] - true_so_far[starts]
    enough = np.ones(len(starts), dtype=np.bool_)
    for term in patience:
        if term.unit == "points":
            enough &= points >= term.amount
        elif term.amount > 0:
            enough &= _distances(axis, term.unit, starts, stops) >= _amount(axis, term)
    is_open = stops == len(condition) - 1
    if at_end:
        enough &= is_open
    rows = zip(starts[enough], stops[enough], points[enough], is_open[enough], strict=True)
    return [Span(int(start), int(stop), int(count), bool(last)) for start, stop, count, last in rows]


def is_healed(condition: NDArray[np.bool_], spans: Sequence[Span]) -> bool:
    """Whether there was an episode and the condition, unmasked by `after` and `until`, is false at the last point."""
    return bool(spans) and len(condition) > 0 and not bool(condition[-1])


def _within(axis: Axis, after: Term | None, until: Term | None) -> NDArray[np.bool_]:
    """Where an episode may lie; bool, shape (n,)."""
    allowed = np.ones(len(axis), dtype=np.bool_)
    if after is not None and after.amount > 0:
        allowed &= _from_start(axis, after.unit) >= _amount(axis, after)
    if until is not None:
        reached = _from_start(axis, until.unit)
        allowed &= reached < until.amount if until.unit == "points" else reached <= _amount(axis, until)
    return allowed


def _from_start(axis: Axis, unit: str) -> NDArray[np.float64]:
    """Distance of each row from the start of the run, in points, minutes or steps of the axis."""
    if unit == "points":
        return np.arange(len(axis), dtype=np.float64)
    if unit == "minutes":
        minutes = _wall_times(axis) / 60.0
        return minutes - float(minutes.min(initial=np.inf))
    return axis.steps.astype(np.float64) - axis.run_first


def _distances(axis: Axis, unit: str, here: NDArray[np.intp], there: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance from one row to a later one: points in between, minutes, or steps of the axis."""
    if unit == "points":
        return (there - here - 1).astype(np.float64)
    positions = _wall_times(axis) / 60.0 if unit == "minutes" else axis.steps.astype(np.float64)
    distances: NDArray[np.float64] = positions[there] - positions[here]
    return distances


def _wall_times(axis: Axis) -> NDArray[np.float64]:
    if not np.isfinite(axis.wall_times).all():
        raise Inapplicable("axis", "it has no wall times to count minutes with")
    return axis.wall_times


def _amount(axis: Axis, term: Term) -> float:
    """The length in the measure of `_from_start` and `_distances`: points, minutes, or steps of the axis."""
    if term.amount == 0 or term.unit in ("points", "minutes"):
        return term.amount
    if term.unit == "%":
        return term.amount / 100.0 * (axis.run_last - axis.run_first)
    if term.unit == "epochs":
        if axis.kind == "epoch":
            return term.amount
        if axis.steps_per_epoch is None:
            raise Inapplicable("axis", "how many steps make an epoch is not known")
        return term.amount * axis.steps_per_epoch
    if axis.kind != "step":
        raise Inapplicable("axis", f"it is by {axis.kind}, so steps cannot be counted")
    return term.amount
