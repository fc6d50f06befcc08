"""A learning rate schedule that begins anew in the middle of its descent: a program that was started again without its scheduler's state.

It leaves no other trace where the second process writes on in the same file. Warm restarts begin anew too, but at the end of a whole
cosine, or of a line (Loshchilov and Hutter, SGDR, 2017), and most often several times.
"""

import numpy as np

from mlcheck.store.series import Floats

LEAST_BEFORE = 5
"""Rates from the start to the jump: fewer draw no curve."""
LEAST_LEVELS = 3
"""Different rates before the jump: fewer are steps, which may be those of a phase."""
LEAST_AFTER = 3
"""Rates from the jump on, which must repeat the first ones."""
_SAME = 1e-3
"""Relative difference up to which two rates are the same; float32 keeps seven digits, and logs print four."""
_LIKE = 0.05
"""Mean distance, in parts of the way down, from a whole cosine or a line: three quarters of a cosine are 0.08 off."""


def begins_anew(rates: Floats) -> int | None:
    """The index at which a schedule begins a second time, or None. `rates`: float64, shape (n,), finite, in the order of steps."""
    if len(rates) < LEAST_BEFORE + LEAST_AFTER or rates.min() <= 0:
        return None
    jumps = np.flatnonzero(rates[1:] > 2 * rates[:-1]) + 1
    if len(jumps) != 1 or not LEAST_BEFORE <= jumps[0] <= len(rates) - LEAST_AFTER:
        return None
    at = int(jumps[0])
    before, repeated = rates[:at], min(at, len(rates) - at)
    falls = (np.diff(before) <= 0).all() and len(np.unique(before)) >= LEAST_LEVELS
    same = np.abs(rates[at : at + repeated] - rates[:repeated]) <= _SAME * rates[:repeated]
    return at if falls and same.all() and not _is_cycle(before) else None


def _is_cycle(rates: Floats) -> bool:
    """Whether the descent is that of a warm restart's cycle, which is over: a whole cosine, or a line, to whatever least rate.

    A line is the same however much of it there is; what it came down to tells, a sixth of the peak at most.
    """
    way = np.linspace(0, 1, len(rates))
    shape = (rates - rates[-1]) / (rates[0] - rates[-1])
    is_line = np.abs(shape - (1 - way)).mean() < _LIKE and rates[-1] <= rates[0] / 6
    return bool(is_line or np.abs(shape - (1 + np.cos(np.pi * way)) / 2).mean() < _LIKE)
