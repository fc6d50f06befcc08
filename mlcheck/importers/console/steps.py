"""At which step each line of a log stands: the counters that it prints, made to one axis."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.store.series import Floats, Ints

MISSING = -1
"""Of a counter that the line does not print."""
FARTHEST = 2**53
"""Counters beyond are no steps."""
AT_EPOCHS = 0.9
"""Share of the falls of a step counter that must lie where the epoch grows for the counter to be one within epochs."""

Axis = Literal["step", "epoch", "line"]


@dataclass(frozen=True, eq=False)
class Counters:
    """What the lines with values print of their place, in order; all of shape (n,)."""

    step: Ints
    total: Ints
    """What the step counts to: in the epoch or in the run."""
    epoch: Floats
    """NaN where missing."""
    counted: NDArray[np.bool_]
    """Lines of a writer that prints no step; where a progress bar tells it, it is in `step`."""
    counts: NDArray[np.bool_]
    """Of these, the lines that a training step makes (an evaluation's line does not count)."""


@dataclass(frozen=True, eq=False)
class Placed:
    """The step of each line."""

    steps: Ints
    axis: Axis
    """What the steps count: steps, epochs, or lines with values where the log names neither."""


def place(counters: Counters) -> Placed:
    """One axis for all lines of a log.

    Steps that begin anew with each epoch are counted on. A line that prints no step (the validation after an epoch) stands at the last
    one before it. Without any step the axis is that of the epochs; without whole epochs the lines are numbered.
    """
    counted = counters.counted
    if counted.any() and not _tells(counters):
        step = np.where(counted, np.cumsum(counters.counts), MISSING)
        return Placed(_carried(step), "line")
    has = counters.step >= 0
    if has.any():
        return Placed(_carried(_counted_on(counters, has)), "step")
    known = np.isfinite(counters.epoch)
    epochs = np.where(known, counters.epoch, 0.0)
    if known.any() and (epochs == np.floor(epochs)).all() and (np.abs(epochs) < FARTHEST).all():
        step = np.where(known, epochs.astype(np.int64), MISSING)
        return Placed(_carried(step), "epoch")
    return Placed(np.arange(1, len(known) + 1, dtype=np.int64), "line")


def _tells(counters: Counters) -> bool:
    """Whether the progress bar gives each training line a step of its own."""
    steps = counters.step[counters.counts]
    return len(steps) > 0 and bool((steps >= 0).all()) and bool((np.diff(steps) > 0).all())


def _counted_on(counters: Counters, has: NDArray[np.bool_]) -> Ints:
    # Steps over all epochs, where the counter is one within an epoch.
    steps, epochs = counters.step[has], counters.epoch[has]
    known = np.isfinite(epochs)
    result = counters.step.copy()
    if not known.all():
        return result
    grows = np.diff(epochs) > 0
    # One line an epoch prints the same step each time.
    falls = np.flatnonzero((np.diff(steps) < 0) | ((np.diff(steps) == 0) & grows))
    within = counters.total[has] >= steps
    if len(falls):
        if grows[falls].mean() < AT_EPOCHS:
            return result
    elif grows.any() or not within.all():
        # Several epochs without a fall: the counter goes on by itself.
        return result
    length = np.where(within, counters.total[has], steps.max() + (1 if steps.min() == 0 else 0))
    first = 0 if epochs.min() < 1 else 1
    offset = np.clip(np.floor(epochs) - first, 0, 1e6) * length
    if (offset + steps < FARTHEST).all():
        result[has] = steps + offset.astype(np.int64)
    return result


def _carried(steps: Ints) -> Ints:
    # Lines without a step stand at the last one before them, those before the first at 0.
    has = steps >= 0
    last = np.maximum.accumulate(np.where(has, np.arange(len(steps)), -1))
    return np.where(last >= 0, steps[np.maximum(last, 0)], 0)
