"""What changed in a tensor since the step before: the norm of the difference, and the share of values that moved."""

import math
from collections.abc import Sequence

import numpy as np

from mlcheck.records import dataclass
from mlcheck.store.tensors.keys import Tolerance, Wanted
from mlcheck.store.tensors.scratch import Bools, Floats, Scratch, Values, counts, dots

# A sum of squares below this may have lost digits to numbers that float64 holds only roughly.
_TINY = 1e-200


@dataclass(eq=False)
class Change:
    """Partial sums of n pairs of tensors, each float64 of shape (n,)."""

    pairs: Floats
    """Number of values that are finite at both steps."""
    square: Floats
    """Sum of squared differences over these."""
    before: Floats
    """Sum of squares of the finite values of the step before."""
    changed: dict[str, Floats]
    """Number of values that moved, by key."""

    def columns(self, count: int, wanted: Wanted) -> dict[str, Floats]:
        """Statistics from complete sums; NaN where there is nothing to compare."""
        update = np.where(self.pairs > 0, np.sqrt(self.square), np.nan)
        found = {"update_l2": update} if "update_l2" in wanted.plain else {}
        for key, epsilon in wanted.ratios:
            found[key] = update / (np.sqrt(self.before) + epsilon)
        for key, _ in wanted.tolerances:
            found[key] = self.changed[key] / (count or np.nan)
        return found


def together(parts: Sequence[Change]) -> Change:
    """Of the values of all parts; at least one."""
    if len(parts) == 1:
        return parts[0]
    return Change(
        np.sum([one.pairs for one in parts], axis=0),
        np.sum([one.square for one in parts], axis=0),
        np.sum([one.before for one in parts], axis=0),
        {key: np.sum([one.changed[key] for one in parts], axis=0) for key in parts[0].changed},
    )


def change(source: Values, wide: Floats, before: Values, wanted: Wanted, scratch: Scratch) -> Change:
    """Of each row of a block with the same row at the step before, both of shape (rows, values).

    `wide` is the block as float64; where it is not the block itself it is written to. A value has moved where
    numpy.isclose(new, old) is false.
    """
    was = scratch.widen_before(before)
    apart = np.subtract(wide, was, out=scratch.third(wide.shape) if wide is source else wide)
    rows, length = wide.shape
    square = _squares(apart, was is before)
    if not math.isfinite(np.add.reduce(square)):
        return _masked(source.astype(np.float64), was, wanted)
    base = _squares(was, was is before) if wanted.ratios else np.zeros(rows)
    moved = {key: np.zeros(rows) for key, _ in wanted.tolerances}
    if moved and (square.any() or apart.any()):
        np.abs(apart, out=apart)
        limit = np.abs(was, out=scratch.other(was.shape))
        for number, (key, tolerance) in enumerate(wanted.tolerances, 1):
            last = number == len(wanted.tolerances)
            allowed = np.multiply(limit, tolerance.relative, out=limit if last else None)
            allowed += tolerance.absolute
            moved[key] = counts(np.greater(apart, allowed, out=scratch.mask(wide.shape)))
    return Change(np.full(rows, float(length)), square, base, moved)


def _squares(rows: Floats, is_float64: bool) -> Floats:
    found = dots(rows, rows)
    if is_float64:
        small = np.flatnonzero(found < _TINY)
        found[small] = np.sum(np.square(rows[small]), axis=1)
    return found


def _masked(wide: Floats, was: Floats, wanted: Wanted) -> Change:
    """Where values at one of the steps are not finite, or their differences overflow."""
    there = np.isfinite(was)
    both = np.isfinite(wide) & there
    apart = np.where(both, wide - was, 0.0)
    known = np.where(there, was, 0.0)
    moved = {key: _moved(wide, was, tolerance) for key, tolerance in wanted.tolerances}
    return Change(counts(both), np.sum(np.square(apart), axis=1), np.sum(np.square(known), axis=1), moved)


def _moved(wide: Floats, was: Floats, tolerance: Tolerance) -> Floats:
    close = np.isclose(wide, was, tolerance.relative, tolerance.absolute, equal_nan=tolerance.equal_nan)
    moved: Bools = ~close
    return counts(moved)
