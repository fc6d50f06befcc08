"""Statistics over the units of a tensor, its neurons or channels, and those that are outside a range all the time.

A unit is measured over its finite values; the layout says where it lies (layout.py).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mlcheck.records import dataclass, field
from mlcheck.store.tensors.compiled import unit_sums
from mlcheck.store.tensors.keys import Range, Wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.scratch import PIECE, Bools, Floats, Ints, Values

_EXTREMES = frozenset({"channel_zero", "channel_constant"})


@dataclass(eq=False)
class Outside:
    """How often each unit of one tensor was outside a range, over the steps seen so far."""

    outside: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """int64, shape (units,): values outside."""
    seen: int = 0
    """Values of each unit."""

    def add(self, outside: Ints, seen: int, limits: Range) -> float:
        """Count one more step: values outside per unit, of so many of each. The share of units that are outside now.

        A tensor of another number of units begins again. NaN while there are no values.
        """
        if self.outside.shape != outside.shape:
            self.outside, self.seen = np.zeros_like(outside), 0
        self.outside = self.outside + outside
        self.seen += seen
        if not self.seen or not len(outside):
            return float("nan")
        return float(np.count_nonzero(self.outside / self.seen >= limits.share) / len(outside))


def outside_counts(rows: Values, place: Layout, ranges: Sequence[Range]) -> list[Ints]:
    """For each range int64 of shape (n, units): how many values of each unit of n tensors are at or beyond its ends.

    NaN is not outside. `rows` has shape (n, values).
    """
    found = [np.zeros((len(rows), place.units), dtype=np.int64) for _ in ranges]
    for units, block in _blocks(rows, place):
        wide = block.astype(np.float64)
        for number, one in enumerate(ranges):
            beyond: Bools = (wide <= one.low) | (wide >= one.high)
            found[number][:, units] += np.count_nonzero(beyond, axis=(1, 3))
    return found


def unit_statistics(rows: Values, place: Layout, wanted: Wanted) -> tuple[dict[str, Floats], list[Ints]]:
    """What `channel_statistics` says of n tensors, and what `outside_counts` says of the ranges that are wanted."""
    ranges = [one for _, one in wanted.ranges]
    if not (wanted.channels or ranges):
        return {}, []
    sums = unit_sums(rows, place, ranges) if rows.shape[1] else None
    if sums is None:
        return channel_statistics(rows, place, wanted), outside_counts(rows, place, ranges) if ranges else []
    found: dict[str, Floats] = {}
    if wanted.channels & _EXTREMES:
        # Of values that are not finite, none is constant.
        all_finite = sums.finite == place.before * place.after
        low, high = np.where(all_finite, sums.low, np.nan), np.where(all_finite, sums.high, np.nan)
        found |= _extremes(low, high, place)
    if wanted.channels - _EXTREMES:
        found |= _spread(sums.finite, sums.total, sums.deviation, sums.low == sums.high)
    return {key: found[key] for key in wanted.channels}, sums.outside


def channel_statistics(rows: Values, place: Layout, wanted: Wanted) -> dict[str, Floats]:
    """Of the units of n tensors, each float64 of shape (n,). `rows` has shape (n, values).

    What compares the values of a unit with one another is NaN where a unit has fewer than two; all are NaN where there are no values.
    """
    if not wanted.channels:
        return {}
    unknown = np.full(len(rows), np.nan)
    if not rows.shape[1]:
        return dict.fromkeys(wanted.channels, unknown)
    found: dict[str, Floats] = {}
    if wanted.channels & _EXTREMES:
        found |= _of_extremes(rows, place)
    if wanted.channels - _EXTREMES:
        found |= _of_spread(rows, place)
    return {key: found[key] for key in wanted.channels}


def _of_extremes(rows: Values, place: Layout) -> dict[str, Floats]:
    shape = (len(rows), place.units)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for units, block in _blocks(rows, place):
        # A NaN stays: a unit that holds one is neither zero nor constant.
        low[:, units] = np.minimum(low[:, units], block.min(axis=(1, 3)))
        high[:, units] = np.maximum(high[:, units], block.max(axis=(1, 3)))
    return _extremes(low, high, place)


def _extremes(low: Floats, high: Floats, place: Layout) -> dict[str, Floats]:
    same = (low == high) & np.isfinite(low)
    constant = np.mean(same, axis=1)
    if place.before * place.after < 2:
        constant = np.full(len(low), np.nan)
    return {"channel_zero": np.mean(same & (low == 0), axis=1), "channel_constant": constant}


def _of_spread(rows: Values, place: Layout) -> dict[str, Floats]:
    shape = (len(rows), place.units)
    number, total, deviation = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for units, block in _blocks(rows, place):
        wide = block.astype(np.float64)
        finite = np.isfinite(wide)
        more = np.count_nonzero(finite, axis=(1, 3)).astype(np.float64)
        added = np.sum(wide, axis=(1, 3), where=finite)
        apart = np.where(finite, wide - (added / np.maximum(more, 1))[:, None, :, None], 0.0)
        spread = np.einsum("nabc,nabc->nb", apart, apart)
        deviation[:, units] = _chan(number[:, units], total[:, units], deviation[:, units], more, added, spread)
        number[:, units] += more
        total[:, units] += added
        low[:, units] = np.minimum(low[:, units], np.min(wide, axis=(1, 3), where=finite, initial=np.inf))
        high[:, units] = np.maximum(high[:, units], np.max(wide, axis=(1, 3), where=finite, initial=-np.inf))
    return _spread(number, total, deviation, low == high)


def _spread(number: Floats, total: Floats, deviation: Floats, constant: Bools) -> dict[str, Floats]:
    mean = np.where(number > 0, total / number, np.nan)
    std = np.where(number > 1, np.where(constant, 0.0, np.sqrt(deviation / number)), np.nan)
    size = np.abs(mean)
    shift = np.where(std > 0, size / std, np.where(size > 0, np.inf, 0.0))
    shift[np.isnan(std)] = np.nan
    return {
        "channel_mean_max": _over_units(np.fmax, size),
        "channel_std_max": _over_units(np.fmax, std),
        "channel_std_min": _over_units(np.fmin, std),
        "channel_shift_max": _over_units(np.fmax, shift),
    }


def _chan(n: Floats, total: Floats, deviation: Floats, m: Floats, more: Floats, added: Floats) -> Floats:
    """Sum of squared deviations of n and m values together, from their sums and sums of squared deviations (see moments.py)."""
    apart = more / np.maximum(m, 1) - total / np.maximum(n, 1)
    between = np.where((n > 0) & (m > 0), np.square(apart) * (n * m / np.maximum(n + m, 1)), 0.0)
    return deviation + added + between


def _over_units(choose: np.ufunc, units: Floats) -> Floats:
    return choose.reduce(units, axis=1, initial=np.nan)  # type: ignore[no-any-return]


def _blocks(rows: Values, place: Layout) -> Iterator[tuple[slice, Values]]:
    """Blocks of at most `PIECE` values, (n, before, units, after), with the units that they hold.

    More than one tensor is taken whole: their queue is bounded. One large tensor is cut along its longest way.
    """
    whole = rows.reshape(len(rows), place.before, place.units, place.after)
    if len(rows) > 1 or whole.size <= PIECE:
        if whole.size:
            yield slice(0, place.units), whole
        return
    behind = max(1, min(place.after, PIECE))
    units = max(1, min(place.units, PIECE // behind))
    before = max(1, PIECE // (behind * units))
    for first in range(0, place.before, before):
        for unit in range(0, place.units, units):
            for after in range(0, place.after, behind):
                held = slice(unit, min(unit + units, place.units))
                yield held, whole[:, first : first + before, held, after : after + behind]
