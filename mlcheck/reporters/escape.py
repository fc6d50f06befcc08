"""Untrusted text inside GitHub Markdown and inside the HTML that GitHub allows there.

Besides Markdown itself GitHub turns `@user`, `#12`, bare addresses and `$…$` into something, and GitLab `!12`, `&12`, `~12` and
`%12`; a zero-width space behind the sign or a `span` around it stops that, a backslash does not.
"""

import re

from mlcheck.reporters.text import clean, prose

_ZERO_WIDTH = "&#8203;"
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_LIVE = {"@": f"@{_ZERO_WIDTH}", "#": f"#{_ZERO_WIDTH}", "$": "<span>$</span>"}
_MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]|~"}
_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\bGH)(?=-\d)|(?<=[!&~%])(?=\d)")
_IN_MARKDOWN = str.maketrans({**_HTML, **_LIVE, **_MARKDOWN})
_IN_HTML = str.maketrans({**_HTML, **_LIVE})
# Not escapable by itself, so marked in the text first and put in last.
_MARK = "\ue000"


def markdown(text: str, limit: int = 160) -> str:
    """A name or other short text for running Markdown or a table cell: one line that shows exactly what it says."""
    return _escape(clean(text, limit), _IN_MARKDOWN)


def markdown_prose(text: str, limit: int = 500) -> str:
    """A sentence that may hold untrusted names; blanks and line ends become one blank."""
    return _escape(prose(text, limit), _IN_MARKDOWN)


def html(text: str, limit: int = 160) -> str:
    """Short text inside an HTML element, where Markdown does not act."""
    return _escape(clean(text, limit), _IN_HTML)


def _escape(safe: str, table: dict[int, str]) -> str:
    marked = _ADDRESS.sub(_MARK, safe.replace(_MARK, ""))
    return marked.translate(table).replace(_MARK, _ZERO_WIDTH)
