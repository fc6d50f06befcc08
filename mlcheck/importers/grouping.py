"""Equal byte strings in a block, found on whole arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import Bytes, Offsets, words
from mlcheck.importers.wire import Words

LONGEST = 255
"""Bytes of the longest string that is grouped; less than `framing.PADDING`."""
ROUNDS = 8
"""Rounds of bucket look-up before what is left is given up: only hostile input needs more than three."""

_BUCKETS = 1 << 16


def _multipliers() -> tuple[np.uint64, ...]:
    # Odd and without pattern: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
    found = []
    for count in range(2 * (LONGEST // 8 + 1)):
        mixed = (count + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        found.append(np.uint64(mixed ^ mixed >> 31 | 1))
    return tuple(found)


_MULTIPLIERS = _multipliers()
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)


def group(data: Bytes, starts: Offsets, lengths: Offsets, *more: tuple[Offsets, Offsets]) -> Offsets:
    """Group equal byte strings: for each the index of the first one that equals it, -1 for the few that were given up.

    Strings are at most `LONGEST` bytes. Further starts and lengths are strings that belong to the first ones: both must
    be equal. They are sorted into buckets by a hash of their 64-bit words (multiply and shift: Dietzfelbinger and
    others, "A reliable randomized algorithm for the closest-pair problem"), and compared with the bucket's first string
    byte for byte: strings that share a group are equal.
    """
    parts = ((starts, lengths), *more)
    group_of = np.full(len(starts), -1, dtype=np.int64)
    if not len(starts):
        return group_of
    sizes = [part_lengths for _, part_lengths in parts]
    columns = [
        column for part_starts, part_lengths in parts for column in word_columns(data, part_starts, part_lengths)
    ]
    mixed = np.zeros(len(starts), dtype=np.uint64)
    for column, multiplier in zip(columns, _MULTIPLIERS, strict=False):
        mixed += column * multiplier
    bucket = (mixed >> np.uint64(48)).view(np.int64)
    first = np.zeros(_BUCKETS, dtype=np.int64)
    rest = np.arange(len(starts))
    for turn in range(ROUNDS):
        own = bucket if turn == 0 else bucket[rest]
        first[own[::-1]] = rest[::-1]
        candidate: Offsets = first[own]
        same = _equal([*sizes, *columns], candidate, None if turn == 0 else rest)
        if turn == 0 and same.all():
            return candidate
        group_of[rest[same]] = candidate[same]
        rest = rest[~same]
        if not len(rest):
            break
    return group_of


def _equal(columns: Sequence[Words | Offsets], candidate: Offsets, rest: Offsets | None) -> NDArray[np.bool_]:
    same = np.ones(len(candidate), dtype=bool)
    for column in columns:
        same &= column[candidate] == (column if rest is None else column[rest])
    return same


def word_columns(data: Bytes, starts: Offsets, lengths: Offsets) -> list[Words]:
    """The strings as 64-bit words, uint64 of shape (n,) each, as many as the longest one needs.

    The last word of a string ends with it, and so may repeat bytes of the one before; a string that needs fewer words
    repeats its last one. So strings of equal length are equal where all their words are.
    """
    word = words(data)
    shortest, longest = int(lengths.min()), int(lengths.max())
    masks = _MASKS[np.minimum(lengths, 8)] if shortest < 8 else None
    last = np.maximum(lengths - 8, 0) + starts
    columns = []
    for offset in range(0, longest, 8):
        column = word[starts + offset if offset + 8 <= shortest else np.minimum(starts + offset, last)]
        if masks is not None:
            column &= masks
        columns.append(column)
    return columns
