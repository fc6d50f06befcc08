"""Text in pieces that have styles, and how many columns of a terminal it takes; without rich for the text that reports are made of."""

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.text import Text

_OF_ONE_CELL = frozenset("…▁▂▃▄▅▆▇█")
"""Beyond U+02FF, what reports themselves write."""


class Styled:
    """Text in pieces, each with a style as rich names it (`bold red`), or none."""

    def __init__(self, text: str = "", style: str = "") -> None:
        self._pieces = [(text, style)] if text else []

    def append(self, text: "str | Styled", style: str = "") -> Self:
        """Add a piece; the same instance."""
        if isinstance(text, Styled):
            self._pieces += text._pieces
        elif text:
            self._pieces.append((text, style))
        return self

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return "".join(text for text, _ in self._pieces)

    @property
    def cells(self) -> int:
        """Columns that it takes."""
        return cells(self.plain)

    def drawn(self) -> "Text":
        """The same for rich: never as markup, so `[red]` in a tag stays `[red]`."""
        from rich.text import Text

        if len(self._pieces) == 1:
            ((text, style),) = self._pieces
            return Text(text, style=style)
        drawn = Text()
        for text, style in self._pieces:
            drawn.append(text, style=style)
        return drawn


def cells(text: str) -> int:
    """Columns of a terminal that a text takes."""
    if is_one_cell_each(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def is_one_cell_each(text: str) -> bool:
    """Whether each character surely takes one column, and none of them but the blank parts words."""
    return text.isprintable() and (
        text.isascii() or all(character < "\u0300" or character in _OF_ONE_CELL for character in text)
    )
