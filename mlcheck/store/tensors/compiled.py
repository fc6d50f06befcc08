"""Sums over tensors by the compiled pass (mlcheck.native.statistics), where there is one: what `moments`, `values.tallies` and `change`
find with numpy.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from mlcheck import native
from mlcheck.records import dataclass
from mlcheck.store.tensors.change import Change
from mlcheck.store.tensors.keys import Range, Tolerance, Wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.moments import Moments
from mlcheck.store.tensors.scratch import Floats, Ints, Values

_MOMENTS = 9
"""Columns of the moments, in the order of the fields of `Moments`; one for whole values follows, and those of `share_equal`."""
_CHANGES = 3
"""Columns of the change behind those, in the order of the fields of `Change`; those of `changed` are last."""


@dataclass(frozen=True, eq=False)
class Summed:
    """Sums over n tensors, each float64 of shape (n,)."""

    moments: Moments
    tallied: dict[str, Floats]
    """Numbers of values, by the keys of `whole` and `share_equal`."""
    change: Change | None
    """Against the step before; true of the rows for which it is known."""


def compiled(wanted: Wanted) -> ModuleType | None:
    """The compiled pass, where it is there and takes as many tolerances and numbers."""
    statistics = native.module("statistics")
    if statistics is None:
        return None
    fits = len(wanted.tolerances) <= statistics.MOST_TOLERANCES and len(wanted.shares) <= statistics.MOST_EQUAL
    return statistics if fits else None


def summed(rows: Values, before: Values | None, wanted: Wanted) -> Summed | None:
    """Sums of n tensors, shape (n, values), and of what changed since `before`, of the same shape. None where nothing compiled does it."""
    statistics = compiled(wanted)
    code = type_code(rows.dtype)
    code_before = code if before is None else type_code(before.dtype)
    if statistics is None or code is None or code_before is None or not rows.flags.c_contiguous:
        return None
    if before is not None and not before.flags.c_contiguous:
        return None
    found = room(len(rows), wanted)
    statistics.rows(code, rows, *rows.shape, code_before, before, *asked(wanted), found)
    return taken_apart(found, wanted, before is not None)


_CODES = {np.dtype(one).str[1:]: one for one in "?bBhHiIqQefd"}
"""By kind and width: numpy itself has several codes for one type."""


def type_code(dtype: "np.dtype[np.generic]", is_bfloat16: bool = False) -> str | None:
    """What the compiled pass calls a type; None for one that it does not know."""
    code = "E" if is_bfloat16 else _CODES.get(dtype.str[1:])
    return code if code is None or dtype.isnative else f">{code}"


def asked(wanted: Wanted) -> tuple[tuple[Tolerance, ...], tuple[float, ...], bool]:
    """What is asked of the compiled pass: tolerances, numbers to count, and whether whole values are counted."""
    tolerances = tuple(one for _, one in wanted.tolerances)
    return tolerances, tuple(one for _, one in wanted.shares), "whole" in wanted.plain


def room(number: int, wanted: Wanted) -> Floats:
    """What the compiled pass writes to: float64, shape (number, columns)."""
    return np.empty((number, _MOMENTS + 1 + len(wanted.shares) + _CHANGES + len(wanted.tolerances)))


def taken_apart(found: Floats, wanted: Wanted, with_change: bool) -> Summed:
    """What it wrote, by what it is."""
    columns = list(found.T)
    moments = Moments(*columns[:_MOMENTS])
    whole, *rest = columns[_MOMENTS:]
    tallied = {"whole": whole} if "whole" in wanted.plain else {}
    for key, _ in wanted.shares:
        tallied[key] = rest.pop(0)
    changed = {key: rest[_CHANGES + place] for place, (key, _) in enumerate(wanted.tolerances)}
    pairs, square, base = rest[:_CHANGES]
    return Summed(moments, tallied, Change(pairs, square, base, changed) if with_change else None)


def in_parts(parts: Sequence[Floats]) -> Floats:
    """What was written for parts of the same tensors, as of the whole: shape (n, columns)."""
    if len(parts) == 1:
        return parts[0]
    every = np.stack(parts)
    with np.errstate(all="ignore"):
        found: Floats = every.sum(axis=0)
        moments = Moments(*np.moveaxis(every[:, :, :_MOMENTS], 2, 0)).together()
    found[:, :_MOMENTS] = np.stack(moments.columns(), axis=1)
    return found


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Sums over the units of n tensors, each float64 of shape (n, units)."""

    finite: Floats
    low: Floats
    """Least finite value; infinity where there is none."""
    high: Floats
    total: Floats
    deviation: Floats
    """Sum of squared deviations from the mean of the unit."""
    outside: list[Ints]
    """For each range int64: how many values are at or beyond its ends."""


def unit_sums(rows: Values, place: Layout, ranges: Sequence[Range]) -> UnitSums | None:
    """Of tensors with values, `rows` of shape (n, values). None where nothing compiled does it."""
    statistics, code = native.module("statistics"), type_code(rows.dtype)
    if statistics is None or code is None or not rows.flags.c_contiguous or len(ranges) > statistics.MOST_RANGES:
        return None
    found = np.empty((len(rows), place.units, 5 + len(ranges)))
    ends = tuple((one.low, one.high) for one in ranges)
    statistics.units(code, rows, len(rows), place.before, place.units, place.after, ends, found)
    finite, low, high, total, deviation, *outside = np.moveaxis(found, 2, 0)
    return UnitSums(finite, low, high, total, deviation, [one.astype(np.int64) for one in outside])
