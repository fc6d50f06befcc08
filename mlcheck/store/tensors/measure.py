"""Tensors to their statistics: blocks of small ones at once, large ones in pieces."""

from collections.abc import Callable, Mapping

import numpy as np

from mlcheck.records import dataclass, field
from mlcheck.store.tensors.change import change, together
from mlcheck.store.tensors.compiled import Summed, summed
from mlcheck.store.tensors.keys import Wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.moments import Moments, completed, moment_columns, raw_sums
from mlcheck.store.tensors.scratch import PIECE, Bools, Floats, Ints, Scratch, Values
from mlcheck.store.tensors.units import unit_statistics
from mlcheck.store.tensors.values import content_hash, distinct, equal_rows, finite_row, quantiles, tallies


@dataclass(eq=False)
class Measured:
    """Statistics of n tensors of one size."""

    columns: Mapping[str, Floats]
    """float64, shape (n,), by key."""
    outside: Mapping[str, Ints] = field(default_factory=dict)
    """By key of `units_outside`: int64, shape (n, units), values outside at this step; what is seen over steps is kept per tensor."""


def measure(
    rows: Values,
    before: Values | None,
    known: Bools | None,
    wanted: Wanted,
    place: Layout,
    scratch: Scratch,
    renew: bool = False,
) -> Measured:
    """Statistics of n tensors, `rows` of shape (n, values) in one block of at most `PIECE` values, or one tensor of any size.

    `before` holds the same tensors at the step before, where `known` (bool, shape (n,)) says so; with `renew` it holds those of this
    step afterwards. Only what is wanted is computed.
    """
    with np.errstate(all="ignore"):
        found: dict[str, Floats] = {"count": np.full(len(rows), float(rows.shape[1]))}
        found |= constants(len(rows), wanted, place)
        if not wanted.values:
            return Measured(found)
        found |= _sums(rows, _pair(rows, before, known, wanted, renew), wanted, scratch)
        found |= _whole(rows, wanted, place)
        channels, counted = unit_statistics(rows, place, wanted)
        found |= channels
    return Measured(found, {key: one for (key, _), one in zip(wanted.ranges, counted, strict=True)})


def constants(number: int, wanted: Wanted, place: Layout) -> dict[str, Floats]:
    """What is known of n tensors by their shape."""
    known = {"fan_in": place.fan_in, "channels": place.units, "samples": place.samples}
    return {key: np.full(number, float(value)) for key, value in known.items() if key in wanted.plain}


def _sums(rows: Values, pair: "_Pair | None", wanted: Wanted, scratch: Scratch) -> dict[str, Floats]:
    """What can be added up over pieces."""
    if not (wanted.sums or pair):
        return {key: np.full(len(rows), np.nan) for key in wanted.compared}
    found = summed(rows, pair.before if pair else None, wanted) or _by_pieces(rows, pair, wanted, scratch)
    if pair and pair.renew:
        np.copyto(pair.before, rows)
    which = None if pair is None else pair.which
    return statistics(found, rows.shape[1], wanted, which, lambda row: finite_row(rows[row]).astype(np.float64))


def statistics(
    found: Summed, count: int, wanted: Wanted, known: Ints | None, finite_values: Callable[[int], Floats]
) -> dict[str, Floats]:
    """Statistics of n tensors of `count` values from complete sums, by key. `finite_values`: see `moments.columns`.

    `known` are the rows for which the step before is known; None where there is none.
    """
    columns = moment_columns(found.moments, count, wanted, finite_values)
    finite = np.where(found.moments.finite > 0, found.moments.finite, np.nan)
    columns |= {key: number / finite for key, number in found.tallied.items()}
    columns |= {key: np.full(len(finite), np.nan) for key in wanted.compared}
    if known is not None and found.change is not None:
        for key, column in found.change.columns(count, wanted).items():
            columns[key][known] = column[known]
    return columns


def _by_pieces(rows: Values, pair: "_Pair | None", wanted: Wanted, scratch: Scratch) -> Summed:
    """The sums with numpy, in pieces that stay in the cache."""
    pieces = _pieces(rows.shape[1])
    raw, moved = [], []
    counted = {key: np.zeros(len(rows)) for key in wanted.tallied}
    for piece in pieces:
        source = rows[:, piece]
        wide = scratch.widen(source)
        for key, more in tallies(wide, wanted, scratch).items():
            counted[key] += more
        if wanted.sums:
            raw.append(raw_sums(source, wide, wanted, scratch))
        if pair:
            # Last, since it writes to `wide`.
            moved.append(change(source, wide, pair.before[:, piece], wanted, scratch))
    return Summed(_total(rows, raw, pieces, wanted), counted, together(moved) if moved else None)


def _total(rows: Values, raw: list[Floats], pieces: list[slice], wanted: Wanted) -> Moments:
    if not raw:
        return Moments.none(len(rows))
    if len(raw) == 1:
        lengths = np.full(len(rows), float(rows.shape[1]))
        return completed(raw[0], lengths, wanted, lambda row: rows[row].astype(np.float64))
    # Only a block of one tensor has several pieces.
    lengths = np.array([float(piece.stop - piece.start) for piece in pieces])
    parts = completed(
        np.concatenate(raw, axis=1), lengths, wanted, lambda number: rows[0, pieces[number]].astype(np.float64)
    )
    return parts.together()


@dataclass(frozen=True, eq=False)
class _Pair:
    """The rows for which the step before is known."""

    which: Ints
    before: Values
    """All rows at the step before, of the shape of the rows; those that are not known hold anything."""
    renew: bool
    """Whether they are to become those of this step."""


def _pair(rows: Values, before: Values | None, known: Bools | None, wanted: Wanted, renew: bool) -> _Pair | None:
    if not wanted.before or before is None or known is None or not rows.shape[1]:
        return None
    which = np.flatnonzero(known)
    return _Pair(which, before, renew) if len(which) else None


def _pieces(length: int) -> list[slice]:
    return [slice(start, min(start + PIECE, length)) for start in range(0, length, PIECE)]


def _whole(rows: Values, wanted: Wanted, place: Layout) -> dict[str, Floats]:
    """What needs all values of a tensor at once."""
    found = quantiles(rows, wanted)
    if "distinct" in wanted.plain:
        found["distinct"] = distinct(rows)
    if "hash" in wanted.plain:
        found["hash"] = np.array([content_hash(row) for row in rows])
    if "equal_rows" in wanted.plain:
        if place.rows and rows.shape[1]:
            found["equal_rows"] = equal_rows(np.ascontiguousarray(rows).reshape(len(rows), place.rows, -1))
        else:
            found["equal_rows"] = np.full(len(rows), np.nan)
    return found
