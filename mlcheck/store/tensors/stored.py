"""Tensors as they lie in a file, measured without an array of them: block by block, each at all steps, on several cores."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcheck.native.threads import allowed, in_threads
from mlcheck.records import dataclass
from mlcheck.store.tensors.compiled import asked, compiled, in_parts, room, taken_apart, type_code
from mlcheck.store.tensors.keys import Wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.measure import constants, statistics
from mlcheck.store.tensors.queue import SMALL
from mlcheck.store.tensors.scratch import Bools, Floats, Ints, Values
from mlcheck.store.tensors.values import equal_rows, finite_row

THREADED = 1 << 22
"""Bytes of a tensor over all steps from which several cores measure it."""
FEW = 24
"""Steps of a small tensor below which it is sooner measured together with others (queue.py)."""
_MOST_AT_ONCE = 1 << 28
"""Bytes that one call reads: nothing can interrupt it."""
_MOST_ROW_SUMS = 1 << 21
"""Sums of rows that are held at once."""
_SHORTEST_ROW = 64
"""Bytes of rows that are compared by their sums: those of shorter ones would take as much memory as the values."""
_GRAIN = 65_536
"""Values of the smallest stretch for a core of its own: a block of the compiled pass."""


@dataclass(frozen=True, eq=False)
class Stored:
    """One tensor over steps, as its bytes lie in an open file."""

    descriptor: int
    offsets: Ints
    """int64, shape (steps,): where it begins at each step."""
    shape: tuple[int, ...]
    """At one step."""
    raw: "np.dtype[np.generic]"
    """Of its bytes; two bytes of bfloat16 are uint16."""
    is_bfloat16: bool
    read: Callable[[int], Values]
    """Its values at a step, by the place of the step, in an array of its own; for the few that are looked at once more, by several
    threads at once.
    """

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Of its values as they are measured."""
        return np.dtype(np.float32) if self.is_bfloat16 else self.raw.newbyteorder("=")


class _Job(NamedTuple):
    """Values `first` to `last` at the steps `start` to `stop`; the one before is read as well where steps are compared."""

    first: int
    last: int
    start: int
    stop: int


def measure_stored(stored: Stored, wanted: Wanted, place: Layout) -> Mapping[str, Floats] | None:
    """Statistics of a tensor at each step, float64 of shape (steps,) by key.

    None where it must be read as an array, or is sooner measured as one. Raises OSError where the file is shorter than it was.
    """
    module, code = compiled(wanted), type_code(stored.raw, stored.is_bfloat16)
    if module is None or code is None or not wanted.streams:
        return None
    length, steps = math.prod(stored.shape), len(stored.offsets)
    if length <= SMALL and steps < FEW:
        return None
    row = length // place.rows if "equal_rows" in wanted.plain and place.rows else 0
    if row and (row * stored.raw.itemsize < _SHORTEST_ROW or place.rows * 2 > _MOST_ROW_SUMS):
        return None
    stretches = _stretches(length, row, stored)
    groups = _groups(stored, length, place.rows if row else 0)
    _announce(stored, length)
    work = _Work(module, code, stored, wanted, row)
    jobs = [_Job(*stretch, *group) for group in groups for stretch in stretches]
    parts = in_threads(work.run, jobs, min(allowed(), len(stretches)))
    width = len(stretches)
    sums = [in_parts([found for found, _ in parts[at : at + width]]) for at in range(0, len(parts), width)]
    with np.errstate(all="ignore"):
        found = taken_apart(np.concatenate(sums), wanted, wanted.before)
        known = np.arange(1, steps) if wanted.before and steps > 1 else None
        columns = {"count": np.full(steps, float(length)), **constants(steps, wanted, place)}
        columns |= statistics(found, length, wanted, known, lambda step: _finite(stored, step))
    if "equal_rows" in wanted.plain:
        columns["equal_rows"] = np.full(steps, np.nan)
        if row:
            suspect = [_suspects([rows for _, rows in parts[at : at + width]]) for at in range(0, len(parts), width)]
            columns["equal_rows"] = _equal_rows(stored, place.rows, np.concatenate(suspect))
    return columns


@dataclass(frozen=True, eq=False)
class _Work:
    module: ModuleType
    code: str
    stored: Stored
    wanted: Wanted
    row: int
    """Values of a row whose sum is asked for; 0 for none."""

    def run(self, job: _Job) -> tuple[Floats, NDArray[np.uint64]]:
        """What the compiled pass gives, shapes (steps, columns) and (steps, rows)."""
        overlap = int(job.start > 0 and self.wanted.before)
        offsets = np.ascontiguousarray(self.stored.offsets[job.start - overlap : job.stop], dtype=np.int64)
        found = room(len(offsets), self.wanted)
        rows = np.empty((len(offsets), (job.last - job.first) // self.row if self.row else 0), dtype=np.uint64)
        self.module.file(
            self.stored.descriptor,
            offsets,
            self.code,
            job.first,
            job.last,
            self.wanted.before,
            *asked(self.wanted),
            found,
            self.row,
            rows,
        )
        return found[overlap:], rows[overlap:]


def _stretches(length: int, row: int, stored: Stored) -> list[tuple[int, int]]:
    """The values of a tensor in as many parts as there may be threads, each of whole rows."""
    number = allowed() if length * stored.raw.itemsize * len(stored.offsets) >= THREADED else 1
    grain = -(-_GRAIN // row) * row if row else _GRAIN
    each = max(-(-length // (number * grain)), 1) * grain
    return [(first, min(first + each, length)) for first in range(0, length, each)] or [(0, 0)]


def _groups(stored: Stored, length: int, rows: int) -> list[tuple[int, int]]:
    """Steps that are measured in one call."""
    steps = len(stored.offsets)
    most = max(1, _MOST_AT_ONCE // max(length * stored.raw.itemsize, 1))
    if rows:
        most = max(1, min(most, _MOST_ROW_SUMS // rows - 1))
    return [(start, min(start + most, steps)) for start in range(0, steps, most)] or [(0, 0)]


def _announce(stored: Stored, length: int) -> None:
    """Let the system read ahead what it does not hold: blocks are asked for step by step, not in their order in the file."""
    size = length * stored.raw.itemsize
    if size > _GRAIN and hasattr(os, "posix_fadvise"):
        for offset in stored.offsets.tolist():
            if not _is_held(stored.descriptor, offset):
                os.posix_fadvise(stored.descriptor, offset, size, os.POSIX_FADV_WILLNEED)


def _is_held(descriptor: int, offset: int) -> bool:
    """Whether the system has a place of a file in memory, as far as it tells: to be asked is cheaper than to be told."""
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except (OSError, AttributeError):
        return False


def _finite(stored: Stored, step: int) -> Floats:
    return finite_row(stored.read(step).reshape(-1)).astype(np.float64)


def _suspects(parts: Sequence[NDArray[np.uint64]]) -> Bools:
    """bool, shape (steps,): where rows have equal sums, and so may be equal."""
    total = np.sort(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), axis=1)
    found: Bools = (total[:, 1:] == total[:, :-1]).any(axis=1)
    return found


def _equal_rows(stored: Stored, rows: int, suspect: Bools) -> Floats:
    found = np.zeros(len(suspect))
    for step in np.flatnonzero(suspect).tolist():
        found[step] = equal_rows(np.ascontiguousarray(stored.read(step)).reshape(1, rows, -1))[0]
    return found
