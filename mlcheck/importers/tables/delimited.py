"""Delimited text (CSV, TSV and the like): how a file is written, and its rows into columns."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from mlcheck.importers.tables.cells import BLANK, dates, number, numbers
from mlcheck.importers.tables.columns import Gather, unique_names
from mlcheck.importers.tables.lines import Block, Damage, Lines, encoding_of
from mlcheck.importers.tables.writers import normal
from mlcheck.records import dataclass, field

DELIMITERS = ",\t;|"
PREAMBLE = 20
"""Lines before the header that may be comments or titles."""
MOST_JOINED = 50
"""Lines that a quoted cell may span; a quote that is not closed by then belongs to the text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: str
    header: int
    """Number of the header's line, from 1."""
    names: tuple[str, ...]
    """Of the columns, without padding, unique."""
    stated: dict[str, Any]
    """What a JSON comment before the header states."""
    is_comment: bool = False
    """The header stands behind a comment sign."""


def dialect_of(head: bytes, is_whole: bool) -> Dialect | None:
    """The dialect of a file by its first bytes (`is_whole`: all of them); None for what is no delimited table.

    The header is the first line of words that is followed by a line with as many cells, of which one at least is a number.
    """
    encoding, mark = encoding_of(head)
    text = head[mark:].decode("utf-8" if encoding == "utf-8-sig" else encoding, "replace")
    if "\0" in text:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not is_whole and len(lines) > 1:
        lines.pop()
    stated: dict[str, Any] = {}
    for at, line in enumerate(lines[:PREAMBLE]):
        body = line.lstrip("# ") if line.startswith("#") else line
        if line.startswith("#") and body.startswith("{"):
            stated |= _json(body)
            continue
        if not body.strip():
            continue
        found = _header(body, [one for one in lines[at + 1 : at + 40] if one.strip()])
        if found is not None:
            delimiter, names = found
            return Dialect(delimiter, at + 1, tuple(unique_names(names)), stated, line.startswith("#"))
    return None


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _header(line: str, after: Sequence[str]) -> tuple[str, list[str]] | None:
    for delimiter in sorted(DELIMITERS, key=line.count, reverse=True):
        if delimiter not in line:
            continue
        cells = split(line, delimiter)
        if not is_header(cells):
            continue
        rows = [*(split(one, delimiter) for one in after[:10]), *_quoted_rows(after, delimiter)]
        # Two lines of header may come before the first number.
        if any(len(row) == len(cells) and any(number(cell) is not None for cell in row) for row in rows):
            return delimiter, cells
        if not after:
            return delimiter, cells
    return None


def _quoted_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The first rows of a table whose quoted cells span lines."""
    if not any('"' in line for line in lines):
        return []
    try:
        return list(islice(csv.reader(lines, delimiter=delimiter), 10))
    except csv.Error:
        return []


def is_header(cells: Sequence[str]) -> bool:
    """Whether a row can be a header: words only, two at least, of which the first may be missing (an index)."""
    words = [cell for cell in cells if cell.strip()]
    if len(words) < 2 or len(words) < len(cells) / 2:
        return False
    return all(number(cell) is None and cell.strip().lower() not in BLANK for cell in words)


def split(line: str, delimiter: str) -> list[str]:
    """The cells of one line; of a line that csv cannot take apart, what lies between the delimiters."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


@dataclass(slots=True)
class Reader:
    """Reads the rows of a file into a table's columns."""

    dialect: Dialect
    gather: Gather
    damage: Damage
    notes: list[str] = field(default_factory=list)
    names: Sequence[str] = ()
    _held: tuple[int, list[str]] | None = None
    _above: str = ""
    """The last cell of the row before."""

    def read(self, lines: Lines) -> None:
        """Read all rows; what is broken is noted as damage."""
        self.names = self.dialect.names
        for block in lines:
            self._block(block)

    def _block(self, block: Block) -> None:
        if self._held is not None:
            first, held = self._held
            size = sum(map(block.size, held))
            block.lines, block.first, block.offset = [*held, *block.lines], first, block.offset - size
            block.is_quoted = True
            self._held = None
        start = max(0, self.dialect.header + 1 - block.first)
        if start >= len(block.lines):
            return
        lines = block.lines[start:]
        if block.is_quoted:
            self._rows(block, *self._quoted(block, start))
        else:
            self._rows(block, lines, range(block.first + start, block.first + len(block.lines)))

    # Quoted cells

    def _quoted(self, block: Block, start: int) -> tuple[list[str], list[int]]:
        """Lines put together where a quoted cell spans several, each with the number of its first line."""
        rows, numbers_of = [], []
        at, end = start, len(block.lines)
        while at < end:
            line, stop = block.lines[at], at + 1
            if line.count('"') % 2:
                stop = self._closing(block.lines, at)
                if not stop:
                    if end - at <= MOST_JOINED and not block.is_last:
                        self._held = (block.first + at, list(block.lines[at:]))
                        break
                    self.damage.lose(*block.place(at), "a quote is not closed", tail=block.is_cut and at == end - 1)
                    at += 1
                    continue
                line = "\n".join(block.lines[at:stop])
            rows.append(line)
            numbers_of.append(block.first + at)
            at = stop
        return rows, numbers_of

    def _closing(self, lines: Sequence[str], at: int) -> int:
        """The index after the line that closes the quote which the line at an index opens; 0 where none does."""
        is_open = False
        for stop in range(at, min(at + MOST_JOINED, len(lines))):
            is_open ^= bool(lines[stop].count('"') % 2)
            if not is_open:
                return stop + 1
        return 0

    # Rows

    def _rows(self, block: Block, rows: Sequence[str], numbers_of: Sequence[int]) -> None:
        """Cut the rows of a block where the header changes, drop what is broken, and add the rest as whole columns."""
        delimiter, good = self.dialect.delimiter, 0
        kept: list[str] = []
        kept_numbers: list[int] = []
        odd = self._odd(rows, block.is_quoted)
        if rows and not self.gather.rows and 0 not in odd[:1]:
            odd.insert(0, 0)
        for at in odd:
            row = rows[at]
            kept += rows[good:at]
            kept_numbers += numbers_of[good:at]
            good = at + 1
            if not row.strip() or row.startswith("#"):
                continue
            cells = split(row, delimiter)
            if not self.gather.rows and not kept and self._merged_header(cells):
                continue
            if self._changes_header(cells, numbers_of[at]):
                self._section(block, kept, kept_numbers)
                kept, kept_numbers = [], []
                self.names = unique_names(cells)
                continue
            cells = self._trimmed(cells)
            if len(cells) == len(self.names):
                kept.append(row if row.count(delimiter) == len(cells) - 1 else _joined(cells, delimiter))
                kept_numbers.append(numbers_of[at])
            else:
                self._broken(block, numbers_of[at], len(cells), at == len(rows) - 1)
        if odd:
            kept += rows[good:]
            self._section(block, kept, [*kept_numbers, *numbers_of[good:]])
        else:
            self._section(block, rows, numbers_of)

    def _odd(self, rows: Sequence[str], is_quoted: bool) -> list[int]:
        """Rows worth a closer look: of another width than the header, with quotes, or beginning with a letter."""
        width = len(self.names) - 1
        if is_quoted or not rows:
            delimiter = self.dialect.delimiter
            return [n for n, row in enumerate(rows) if '"' in row or row.count(delimiter) != width or row[:1] > "9"]
        data = np.frombuffer("\n".join([*rows, ""]).encode("utf-8", "surrogateescape"), dtype=np.uint8)
        ends = np.flatnonzero(data == ord("\n"))
        starts = np.append(0, ends[:-1] + 1)
        delimiters = np.flatnonzero(data == ord(self.dialect.delimiter))
        counts = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts)
        found: list[int] = np.flatnonzero((counts != width) | (data[starts] > ord("9"))).tolist()
        return found

    def _trimmed(self, cells: list[str]) -> list[str]:
        """Without blank cells beyond the header."""
        while len(cells) > len(self.names) and not cells[-1].strip():
            cells.pop()
        return cells

    def _changes_header(self, cells: Sequence[str], line: int) -> bool:
        """Whether a row is a header: the same one again, another one, or a second line of the first."""
        if not is_header(cells) or not self._is_other_header(cells):
            return False
        if unique_names(cells) != list(self.names):
            self.notes.append(f"other columns from line {line:,} on")
        return True

    def _is_other_header(self, cells: Sequence[str]) -> bool:
        """Whether words are names of columns: some of those that are known, or one that counts steps."""
        names = {normal(name) for name in self.names}
        shared = sum(normal(cell) in names for cell in cells)
        return shared * 2 >= len(cells) or any(self.gather.writer.is_step(cell) for cell in cells)

    def _merged_header(self, cells: Sequence[str]) -> bool:
        """Whether the first row is a second line of the header: the names' own parts (pandas' MultiIndex), or units."""
        if not is_header(cells) or self._is_other_header(cells):
            return False
        if len(cells) == len(self.names) and any("#" in name for name in self.names):
            joined = [f"{name.partition('#')[0]}/{cell.strip()}" for name, cell in zip(self.names, cells, strict=True)]
            self.names = unique_names([one.strip("/") for one in joined])
        return True

    def _broken(self, block: Block, line: int, cells: int, is_last: bool) -> None:
        at = line - block.first
        many = "1 cell" if cells == 1 else f"{cells:,} cells"
        reason = f"{many} under a header of {len(self.names):,}"
        self.damage.lose(*block.place(at), reason, tail=block.is_cut and is_last)

    def _section(self, block: Block, rows: Sequence[str], numbers_of: Sequence[int]) -> None:
        """Add rows that have as many cells as the header."""
        if not rows:
            return
        columns = self._columns(rows, block.is_quoted)
        if block.is_cut and numbers_of[-1] == block.first + len(block.lines) - 1 and self._last_cell(columns):
            self.damage.lose(*block.place(len(block.lines) - 1), "the line is cut", tail=True)
        self._above = columns[-1][-1]
        gather, count = self.gather, len(rows)
        whole = np.arange(gather.rows, gather.rows + count)
        for name, cells in zip(self.names, columns, strict=True):
            key = normal(name)
            found = numbers(cells)
            if found.texts and key in gather.writer.wanted_texts:
                gather.add_words(name, cells)
            elif found.texts and key in gather.writer.stamps:
                found = dates(cells) or found
            gather.add(name, found, numbers_of, whole)
        gather.end_block(count)

    def _columns(self, rows: Sequence[str], is_quoted: bool) -> list[Sequence[str]]:
        delimiter, width = self.dialect.delimiter, len(self.names)
        if not is_quoted:
            cells = delimiter.join(rows).split(delimiter)
            return [cells[at::width] for at in range(width)]
        parted = [self._exactly(split(row, delimiter)) for row in rows]
        return list(zip(*parted, strict=True))

    def _exactly(self, cells: list[str]) -> list[str]:
        cells = cells[: len(self.names)]
        return cells + [""] * (len(self.names) - len(cells))

    def _last_cell(self, columns: list[Sequence[str]]) -> bool:
        """Drop the last cell of a line without an end where it looks cut: `2.3` under `2.3141e-05` is another number."""
        last = list(columns[-1])
        above = last[-2] if len(last) > 1 else self._above
        if not looks_cut(last[-1], above):
            return False
        columns[-1] = [*last[:-1], ""]
        return True


def _joined(cells: Iterable[str], delimiter: str) -> str:
    return delimiter.join(
        '"' + cell.replace('"', '""') + '"' if delimiter in cell or '"' in cell else cell for cell in cells
    )


def looks_cut(cell: str, above: str) -> bool:
    """Whether a number at the end of a file lacks its end, by the one above it: much shorter, or without its exponent."""
    cell, above = cell.strip(), above.strip()
    if not cell or number(above) is None:
        return False
    if number(cell) is None:
        return True
    exponent = re.search(r"[eE]", above) is not None and re.search(r"[eE]", cell) is None
    return exponent or cell[-1] in ".eE+-" or 4 * len(cell) < 3 * len(above)
