"""Words and numbers for people: safe text, plurals, numbers, durations.

Tag names, run names and everything that was read from a file are untrusted: they pass through `clean` or `prose` before
they are shown.
"""

import math
import re
import unicodedata

# Control, format (bidi overrides, zero-width and tag characters), surrogate, line and paragraph separator.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NAMED_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# A CI runner obeys lines such as `::error::…` or `##[group]`, and a wrap may put any word at the start of a line.
_COMMANDS = (
    "add-mask|add-matcher|add-path|debug|echo|endgroup|error|group|internal-|notice|remove-matcher|save-state|set-env|"
    "set-output|stop-commands|warning"
)
_GITHUB_COMMAND = rf"(?i)::(?={_COMMANDS})"
_HASH_COMMAND = r"(?i)##(?=\[|vso\[|teamcity\[)"


def clean(text: str, limit: int = 160) -> str:
    """Untrusted text as one safe line.

    Unsafe characters become visible escapes, CI commands are broken, the middle is cut beyond `limit` characters.
    """
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[len(text) - (limit - limit // 2 - 1) :]}"
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(c) for c in text)
    if "::" in text:
        text = re.sub(_GITHUB_COMMAND, "∷", text)
    return re.sub(_HASH_COMMAND, "# #", text) if "##" in text else text


def prose(text: str, limit: int = 500) -> str:
    """A sentence that may hold untrusted names: like `clean`, with blanks and line ends as single blanks."""
    if "  " in text or not text.isprintable():
        text = re.sub(r"[ \t\r\n]+", " ", text)
    return clean(text.strip(), limit)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    return _NAMED_ESCAPES.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 run`, `3,400 runs`; `many` for a plural that is not noun + s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def number(value: float) -> str:
    """A number at about four significant digits: `3,400`, `0.4123`, `3.1e-09`, `NaN`, `infinity`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    size = abs(value)
    if value == int(value) and size < 1e7:
        return f"{int(value):,}"
    if size >= 1e5 or size < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1e4 else f"{value:,.4g}"


def duration(hours: float) -> str:
    """`45 s`, `12 min`, `5.4 h`, `3.2 days`, from hours."""
    seconds = hours * 3600
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 59.5 * 60:
        return f"{seconds / 60:.0f} min"
    if hours < 47.95:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days"


def percent(share: float) -> str:
    """`88 %` from 0.88; never `0 %` or `100 %` for what is not quite that."""
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{share * 100:.0f} %"


def listing(items: list[str], most: int) -> str:
    """`a, b, c and 4 more`: at most `most` of the items."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"
