"""Stretches of record order: where a series starts anew, and counters that only look as if it did."""

import numpy as np

from mlcheck.arrays import median
from mlcheck.records import dataclass
from mlcheck.store.series import Ints

CYCLES = 3
"""Falls that make a pattern: fewer may be restarts by chance."""
SAME_LENGTH = 0.1
"""Cycles may differ by this share of their length (a last batch more or less)."""
DISORDER = 0.02
"""Falls by less than this share of the steps' range, several times: rows out of order (parallel writers), no restarts."""

_FAR = 2**61
"""Steps beyond are not reckoned with: their differences and sums would overflow."""


@dataclass(frozen=True, eq=False)
class Stretches:
    """The rows of one tag of one file, in the order in which they count."""

    order: Ints | None
    """int64, shape (n,): permutation of the rows; None: as they are."""
    steps: Ints
    """int64, shape (n,): steps in that order; counted on where the file's counter is cyclic."""
    starts: Ints
    """int64, shape (k,): rows at which a stretch begins; `starts[0] == 0`."""
    note: str
    """What was done about odd steps, for the reason that `inspect` shows; empty for most series."""


def stretches(steps: Ints) -> Stretches:
    """Find the stretches in the steps of one tag of one file, in record order.

    A step that goes back begins a stretch: a restart, and `Series.live` lets the later stretch win. Two kinds of falls are none:

    - A cyclic counter (the batch of an epoch): at least `CYCLES` falls to about the same first step after about equally many. All of
      its cycles are one history, so that its steps are counted on, cycle after cycle; as restarts, all but the last cycle would be
      thrown away. Folds of a cross-validation under one tag look the same and are joined too.
    - Rows out of order by a little, several times (several writers into one file): they are sorted by step, rows of one step keeping
      their order.
    """
    whole = np.zeros(min(len(steps), 1), dtype=np.int64)
    falls = np.flatnonzero(steps[1:] < steps[:-1]) + 1
    if not len(falls):
        return Stretches(None, steps, whole, "")
    if len(falls) >= CYCLES and int(steps.min()) > -_FAR and int(steps.max()) < _FAR:
        period = _period(steps, falls)
        if period is not None:
            cycle = np.zeros(len(steps), dtype=np.int64)
            cycle[falls] = 1
            counted = steps + np.cumsum(cycle) * period
            return Stretches(None, counted, whole, f"its steps begin anew {len(falls)} times; counted on by {period}")
        if _disordered(steps, falls):
            order = np.argsort(steps, kind="stable")
            return Stretches(order, steps[order], whole, f"rows out of order at {len(falls)} places; sorted by step")
    return Stretches(None, steps, np.concatenate([whole, falls]), "")


def _period(steps: Ints, falls: Ints) -> int | None:
    """Steps from one cycle to the next, or None where the falls are not those of a cyclic counter."""
    starts = np.concatenate([[0], falls])
    firsts, lasts = steps[starts], steps[falls - 1]
    spans = lasts - firsts[:-1]
    longest = int(spans.max())
    if longest <= 0 or len(steps) < 2 * len(starts):
        return None
    allowed = max(1.0, SAME_LENGTH * longest)
    if np.ptp(firsts) > allowed or np.ptp(spans) > allowed or int(steps[-1] - firsts[-1]) > longest + allowed:
        return None
    gaps = np.diff(steps)
    spacing = int(median(gaps[gaps > 0]))
    period = longest + max(spacing, 1)
    return period if (len(starts) + 1) * period < _FAR else None


def _disordered(steps: Ints, falls: Ints) -> bool:
    deepest = int((np.maximum.accumulate(steps) - steps).max())
    return deepest <= DISORDER * (int(steps.max()) - int(steps.min()))
