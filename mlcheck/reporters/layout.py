"""Lines of styled text with hanging indents and aligned columns, drawn by rich.

All text reaches rich as `Text`, never as markup, so `[red]` in a tag stays `[red]`.
"""

from collections.abc import Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mlcheck.report import Severity
from mlcheck.reporters.base import NARROWEST

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_GAP = 2
_LEAST_CELL = 12


class Page:
    """Collects lines and draws them at one width."""

    def __init__(self, width: int, color: bool) -> None:
        self.width = max(width, NARROWEST)
        self._buffer = StringIO()
        # An empty environment: what is drawn depends on the arguments alone.
        self._console = Console(
            file=self._buffer,
            width=self.width,
            force_terminal=color,
            no_color=not color,
            color_system="standard" if color else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )

    def line(self, text: Text | str = "", lead: Text | str = "", indent: int = 0) -> None:
        """A paragraph that starts after `lead` and whose further lines are indented by `indent` columns."""
        body = Text(text) if isinstance(text, str) else text
        first = Text().append(lead)
        first.pad_right(max(0, indent - first.cell_len))
        room = max(self.width - max(indent, first.cell_len), 16)
        wrapped = body.wrap(self._console, room) or [Text()]
        for i, part in enumerate(wrapped):
            whole = (first if i == 0 else Text(" " * indent)) + part
            whole.rstrip()
            self._console.print(whole, soft_wrap=True)

    def parts(self, texts: Sequence[str], indent: int = 0, style: str = "") -> None:
        """Short texts with ` · ` between them, broken only there."""
        filled = ""
        for text in texts:
            joined = f"{filled} · {text}" if filled else text
            if filled and cell_len(joined) > self.width - indent:
                self.line(Text(f"{filled} ·", style=style), indent=indent)
                joined = text
            filled = joined
        self.line(Text(filled, style=style), indent=indent)

    def table(self, rows: Sequence[Sequence[Text]], flexible: int, indent: int = 0) -> None:
        """Rows of aligned cells, one line each; the flexible column is cut with `…` where the width asks for it.

        A flexible last column for which no sensible room is left goes altogether.
        """
        if not rows:
            return
        widths = [max(row[i].cell_len for row in rows) for i in range(len(rows[0]))]
        room = self.width - (sum(widths) - widths[flexible] + _GAP * (len(widths) - 1) + indent)
        if room < min(_LEAST_CELL, widths[flexible]) and flexible == len(widths) - 1:
            self.table([row[:-1] for row in rows], flexible - 1, indent)
            return
        widths[flexible] = min(widths[flexible], max(room, _LEAST_CELL))
        for row in rows:
            whole = Text(" " * indent)
            for i, cell in enumerate(row):
                part = cell.copy()
                part.truncate(widths[i], overflow="ellipsis", pad=i < len(row) - 1)
                whole += part
                if i < len(row) - 1:
                    whole += Text(" " * _GAP)
            whole.truncate(self.width, overflow="ellipsis")
            whole.rstrip()
            self._console.print(whole, soft_wrap=True)

    def text(self) -> str:
        """All lines so far."""
        return self._buffer.getvalue()
