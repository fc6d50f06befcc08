"""What libhdf5 says of a damaged file, in a few words."""

import re
from typing import Any

# libhdf5 reports every damage as one of these, through h5py.
DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    ArithmeticError,
    AttributeError,
)
"""Exceptions of h5py on a damaged file."""

_INNER = re.compile(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$")
_TRUNCATED = re.compile(r"truncated file: eof = (\d+), sblock->base_addr = (\d+), stored_eof = (\d+)")
LONGEST = 160


def told(error: BaseException) -> str:
    """The reason inside a message of libhdf5: what stands in the parentheses at its end."""
    if isinstance(error, MemoryError):
        return "it claims more memory than there is"
    text = str(error.args[0] if error.args else error).strip("'\" ")
    truncated = _TRUNCATED.search(text)
    if truncated:
        there, base, stored = (int(number) for number in truncated.groups())
        return f"truncated: {there:,} of {base + stored:,} bytes are there"
    inner = _INNER.search(text)
    text = inner[1] if inner else text
    return printable(text)[:LONGEST] or type(error).__name__


def printable(name: Any) -> str:
    """A name from a file as text of one line."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def why_not_open(error: BaseException) -> str:
    """Why a file with an HDF5 signature does not open."""
    text = str(error)
    if "consistency flags" in text or "already open for write" in text or "SWMR" in text:
        return "still being written, or its writer crashed (consistency flags are set; `h5clear -s` clears them)"
    if "truncated file" in text:
        return told(error)
    return f"damaged HDF5: {told(error)}"
