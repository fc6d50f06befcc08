"""Lines of styled text with hanging indents and aligned columns.

rich draws what has colours, and whatever is not of one column a character; to load it takes a tenth of the time of a small scan, and the
rest is laid out here to the same bytes (a test holds one against the other).
"""

import re
from collections.abc import Sequence
from functools import cached_property
from io import StringIO
from typing import TYPE_CHECKING

from mlcheck.report import Severity
from mlcheck.reporters.base import NARROWEST
from mlcheck.reporters.styled import Styled, cells, is_one_cell_each

if TYPE_CHECKING:
    from mlcheck.reporters.pen import Pen

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_GAP = 2
_LEAST_CELL = 12
_LEAST_ROOM = 16


class Page:
    """Collects lines at one width."""

    def __init__(self, width: int, color: bool) -> None:
        self.width = max(width, NARROWEST)
        self._color = color
        self._buffer = StringIO()

    @cached_property
    def _pen(self) -> "Pen":
        from mlcheck.reporters.pen import Pen

        return Pen(self._buffer, self.width, self._color)

    def line(self, text: Styled | str = "", lead: Styled | str = "", indent: int = 0) -> None:
        """A paragraph that starts after `lead` and whose further lines are indented by `indent` columns."""
        body, first = (Styled(one) if isinstance(one, str) else one for one in (text, lead))
        start = first.plain
        room = max(self.width - max(indent, len(start)), _LEAST_ROOM)
        wrapped = _wrapped(body.plain, room) if not self._color and is_one_cell_each(start) else None
        if wrapped is None:
            self._pen.line(body.drawn(), first.drawn(), indent)
            return
        for i, part in enumerate(wrapped):
            self._put((start.ljust(indent) if i == 0 else " " * indent) + part)

    def parts(self, texts: Sequence[str], indent: int = 0, style: str = "") -> None:
        """Short texts with ` · ` between them, broken only there."""
        filled = ""
        for text in texts:
            joined = f"{filled} · {text}" if filled else text
            if filled and cells(joined) > self.width - indent:
                self.line(Styled(f"{filled} ·", style), indent=indent)
                joined = text
            filled = joined
        self.line(Styled(filled, style), indent=indent)

    def table(self, rows: Sequence[Sequence[Styled]], flexible: int, indent: int = 0) -> None:
        """Rows of aligned cells, one line each; the flexible column is cut with `…` where the width asks for it.

        A flexible last column for which no sensible room is left goes altogether.
        """
        if not rows:
            return
        widths = [max(row[i].cells for row in rows) for i in range(len(rows[0]))]
        room = self.width - (sum(widths) - widths[flexible] + _GAP * (len(widths) - 1) + indent)
        if room < min(_LEAST_CELL, widths[flexible]) and flexible == len(widths) - 1:
            self.table([row[:-1] for row in rows], flexible - 1, indent)
            return
        widths[flexible] = min(widths[flexible], max(room, _LEAST_CELL))
        for row in rows:
            self._row(row, widths, indent)

    def _row(self, row: Sequence[Styled], widths: Sequence[int], indent: int) -> None:
        texts = [cell.plain for cell in row]
        if self._color or not all(map(is_one_cell_each, texts)):
            self._pen.row([cell.drawn() for cell in row], widths, _GAP, indent)
            return
        fitted = [_cut(text, width) for text, width in zip(texts, widths, strict=True)]
        padded = [text.ljust(width) for text, width in zip(fitted[:-1], widths, strict=False)]
        self._put(_cut(" " * indent + (" " * _GAP).join([*padded, *fitted[-1:]]), self.width))

    def _put(self, whole: str) -> None:
        self._buffer.write(f"{whole.rstrip()}\n")

    def text(self) -> str:
        """All lines so far."""
        return self._buffer.getvalue()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _wrapped(text: str, room: int) -> list[str] | None:
    """A paragraph in lines of at most `room` columns, as rich breaks them; None for one that is left to it."""
    if not is_one_cell_each(text):
        return None
    if len(text) <= room:
        return [text]
    lines = [""]
    for word in re.findall(r" *[^ ]+ *", text):
        length = len(word.rstrip())
        if length > room:
            return None
        if len(lines[-1]) + length > room:
            lines.append("")
        lines[-1] += word
    return lines
