"""Cells of a table to numbers: whole columns at once, one by one only where something else than numbers is among them."""

import re
from collections.abc import Sequence

import numpy as np

from mlcheck.records import dataclass
from mlcheck.store.series import Floats, Ints

BLANK = frozenset({"", "none", "null", "na", "n/a", "-", "--", "<na>"})
"""Cells that say that nothing was logged; NaN is none of them: it is a value."""

_TENSOR = re.compile(r"(?:tensor|array|np\.float\d+|np\.int\d+)\(\s*([^,)\s]+)")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, eq=False, slots=True)
class Numbers:
    """The numbers in a column of cells."""

    rows: Ints | None
    """int64, shape (n,): which of the cells they are; None: all."""
    values: Floats
    """float64, shape (n,)."""
    texts: int = 0
    """Cells that hold something else."""
    first_text: tuple[int, str] | None = None
    """The first of them and its text."""
    text_bytes: int = 0
    """Size of all of them."""


def number(cell: str) -> float | None:
    """The number in a cell: as Python writes it, a printed tensor, with a percent sign or a decimal comma; None where it is none."""
    text = cell.strip()
    try:
        return float(text)
    except ValueError:
        pass
    found = _TENSOR.match(text)
    if found:
        text = found[1]
    elif text.endswith("%"):
        text = text[:-1]
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    else:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def numbers(cells: Sequence[str]) -> Numbers:
    """The numbers of a column and where they stand; blank cells are left out, texts counted."""
    try:
        return Numbers(None, np.fromiter(map(float, cells), np.float64, len(cells)))
    except ValueError:
        pass
    kept = [cell for cell in cells if cell]
    try:
        values = np.fromiter(map(float, kept), np.float64, len(kept))
    except ValueError:
        return _one_by_one(cells)
    return Numbers(np.flatnonzero(np.fromiter(map(bool, cells), bool, len(cells))), values)


def _one_by_one(cells: Sequence[str]) -> Numbers:
    rows, found, texts, size = [], [], 0, 0
    first: tuple[int, str] | None = None
    for at, cell in enumerate(cells):
        if not cell or cell.isspace():
            continue
        value = number(cell)
        if value is not None:
            rows.append(at)
            found.append(value)
        elif cell.strip().lower() not in BLANK:
            texts += 1
            size += len(cell)
            first = first or (at, cell)
    return Numbers(np.array(rows, dtype=np.int64), np.array(found, dtype=np.float64), texts, first, size)


def dates(cells: Sequence[str]) -> Numbers | None:
    """Seconds since the epoch of ISO dates (taken for UTC where they name no zone); None where they are none."""
    from datetime import UTC, datetime

    rows, found = [], []
    for at, cell in enumerate(cells):
        text = cell.strip()
        if not text:
            continue
        try:
            date = datetime.fromisoformat(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
        rows.append(at)
        found.append(seconds)
    return Numbers(np.array(rows, dtype=np.int64), np.array(found, dtype=np.float64)) if found else None
