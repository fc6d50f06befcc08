"""Text as Markdown that shows it as it is."""

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"[\\*<>\[\]|~]|(?<!\w)_|_(?!\w)")
_CODE = re.compile(r"(`[^`]*`)")


def prose(text: str) -> str:
    """A line of text: what stands between backticks is code, everything else shows as it is written."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(one if number % 2 else _SPECIAL.sub(r"\\\g<0>", one) for number, one in enumerate(parts))


def cell(text: str) -> str:
    """The same in a cell of a table, where a bar ends the cell even between backticks."""
    return re.sub(r"(?<!\\)\|", r"\\|", prose(text))


def code(text: str) -> str:
    """Words as code, also in a cell of a table."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", r"\|")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
