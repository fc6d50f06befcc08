"""What a page leaves to rich: colours, and text whose characters take no column, or two."""

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text


class Pen:
    """Draws lines and rows into a buffer at one width."""

    def __init__(self, buffer: StringIO, width: int, color: bool) -> None:
        self._width = width
        # An empty environment: what is drawn depends on the arguments alone.
        self._console = Console(
            file=buffer,
            width=width,
            force_terminal=color,
            no_color=not color,
            color_system="standard" if color else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )

    def line(self, body: Text, lead: Text, indent: int) -> None:
        """See `layout.Page.line`."""
        first = Text().append(lead)
        first.pad_right(max(0, indent - first.cell_len))
        room = max(self._width - max(indent, first.cell_len), 16)
        wrapped = body.wrap(self._console, room) or [Text()]
        for i, part in enumerate(wrapped):
            self._put((first if i == 0 else Text(" " * indent)) + part)

    def row(self, cells: Sequence[Text], widths: Sequence[int], gap: int, indent: int) -> None:
        """See `layout.Page.table`."""
        whole = Text(" " * indent)
        for i, part in enumerate(cells):
            part.truncate(widths[i], overflow="ellipsis", pad=i < len(cells) - 1)
            whole += part
            if i < len(cells) - 1:
                whole += Text(" " * gap)
        whole.truncate(self._width, overflow="ellipsis")
        self._put(whole)

    def _put(self, whole: Text) -> None:
        whole.rstrip()
        self._console.print(whole, soft_wrap=True)
