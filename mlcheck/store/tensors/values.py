"""Statistics of single values of a tensor: quantiles, how many are distinct, whole or equal to a number, and its hash."""

import hashlib
from collections import Counter

import numpy as np

from mlcheck.store.tensors.keys import Wanted
from mlcheck.store.tensors.scratch import PIECE, Floats, Scratch, Values, counts

MOST_DISTINCT = 1_000
"""Beyond this number distinct values are not counted: they are no classes."""


def tallies(wide: Floats, wanted: Wanted, scratch: Scratch) -> dict[str, Floats]:
    """Numbers of values of each row of a block that `whole` and `share_equal` ask for, infinities not taken for whole."""
    found = {}
    if "whole" in wanted.plain:
        mask = np.equal(wide, np.rint(wide, out=scratch.other(wide.shape)), out=scratch.mask(wide.shape))
        number = counts(mask)
        found["whole"] = number - counts(np.isinf(wide, out=mask))
    for key, value in wanted.shares:
        found[key] = counts(np.equal(wide, value, out=scratch.mask(wide.shape)))
    return found


def finite_row(row: Values) -> Values:
    """The finite values of one row, shape (m,), in its own dtype."""
    if row.dtype.kind in "biu":
        return row
    finite = np.isfinite(row)
    return row if finite.all() else row[finite]


def quantiles(rows: Values, wanted: Wanted) -> dict[str, Floats]:
    """Of the finite values of each row, interpolated between neighbours as numpy's method `linear`; NaN where there are none.

    Takes a copy of the rows.
    """
    found = {key: np.full(len(rows), np.nan) for key, _ in wanted.quantiles}
    if not found or not rows.shape[1]:
        return found
    whole = np.isfinite(rows).all(axis=1)
    good = np.flatnonzero(whole)
    if len(good):
        _put_quantiles(found, good, rows if whole.all() else rows[good], wanted)
    for number in np.flatnonzero(~whole):
        values = finite_row(rows[number])
        if len(values):
            _put_quantiles(found, np.array([number]), values[None, :], wanted)
    return found


def _put_quantiles(found: dict[str, Floats], numbers: np.ndarray, rows: Values, wanted: Wanted) -> None:
    last = rows.shape[1] - 1
    places = {key: last * q for key, q in wanted.quantiles}
    neighbours = sorted({min(int(place) + more, last) for place in places.values() for more in (0, 1)})
    if rows.dtype == np.bool_:
        rows = rows.view(np.uint8)
    ordered = np.partition(rows, neighbours, axis=1)
    for key, place in places.items():
        at = int(place)
        below = ordered[:, at].astype(np.float64)
        above = ordered[:, min(at + 1, last)].astype(np.float64)
        share = place - at
        # From the nearer neighbour: so the result never passes it.
        step = above - below
        if share:
            below = below + step * share if share < 0.5 else above - step * (1 - share)
        found[key][numbers] = below


def distinct(rows: Values) -> Floats:
    """Number of distinct finite values of each row; NaN beyond `MOST_DISTINCT`."""
    return np.array([_distinct(row) for row in rows])


def _distinct(row: Values) -> float:
    seen = np.empty(0, dtype=row.dtype)
    for start in range(0, len(row), PIECE):
        seen = np.union1d(seen, finite_row(row[start : start + PIECE]))
        if len(seen) > MOST_DISTINCT:
            return float("nan")
    return float(len(seen))


def content_hash(row: Values) -> float:
    """53 bits of BLAKE2b over the values' bytes in little-endian C order: two tensors of one dtype with equal hashes are equal."""
    data = np.ascontiguousarray(row, dtype=row.dtype.newbyteorder("<"))
    digest = hashlib.blake2b(data.view(np.uint8).data, digest_size=8).digest()
    return float(int.from_bytes(digest, "little") >> 11)


def equal_rows(tensors: Values) -> Floats:
    """Share of the rows of each tensor that equal another row of it bit for bit. `tensors`: contiguous, shape (n, rows, values).

    NaN where there are no values.
    """
    number, rows, length = tensors.shape
    if not rows or not length:
        return np.full(number, np.nan)
    words = tensors.view(np.uint8)
    for word in (np.uint64, np.uint32, np.uint16):
        if words.shape[2] % np.dtype(word).itemsize == 0:
            words = words.view(word)
            break
    # Rows that are equal have equal sums of their words, wrapped around: only such are looked at.
    total = np.sort(words.sum(axis=2, dtype=np.uint64), axis=1)
    suspect = (total[:, 1:] == total[:, :-1]).any(axis=1)
    return np.array([_equal_rows(words[i]) if suspect[i] else 0.0 for i in range(number)])


def _equal_rows(words: Values) -> float:
    total = words.sum(axis=1, dtype=np.uint64)
    _, which, times = np.unique(total, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(times[which] > 1)
    seen = Counter(hashlib.blake2b(words[row].data, digest_size=16).digest() for row in alike)
    return sum(times for times in seen.values() if times > 1) / len(words)
