"""Bytes of a terminal's output to lines: what a reader of the terminal would see in the end, in bounded memory."""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from mlcheck.records import dataclass

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 16
"""Characters of a line that are kept; the rest of a longer one is passed over."""

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
_BACK = re.compile("\x08+")
_DIGITS = str.maketrans("123456789", "000000000")
_DIGIT_BYTES = bytes.maketrans(b"123456789", b"000000000")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the output, cut at line ends."""

    first_line: int
    """Number of its first line, from 1."""
    lines: list[str]
    keys: list[str]
    """The lines with all digits made one: what differs in digits only has one key."""
    body: str
    """All of it, before carriage returns took effect."""
    overwritten: dict[int, str]
    """Index of a line to the text that was there before a carriage return let its final state take the place."""


@dataclass(slots=True)
class Loss:
    """What was passed over because a line is too long."""

    lines: int = 0
    first_line: int = 0
    characters: int = 0

    def add(self, line: int, characters: int, *, begins: bool) -> None:
        """Note characters of a line; `begins` for its first ones."""
        if begins:
            self.lines += 1
            self.first_line = self.first_line or line
        self.characters += characters


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text file by its first bytes (PowerShell redirects in UTF-16); None for a binary file."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        return None
    return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"


def texts(file: BinaryIO, encoding: str, loss: Loss) -> Iterator[Text]:
    """The lines of a file in pieces of about a megabyte.

    Colours and other escapes are gone, `\\r` and backspaces leave the last state of their line that is not blank, and bytes that are
    no text become U+FFFD. Never more than a chunk and a line's `LONGEST_LINE` characters are held.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest, number, skipping = "", 1, False
    while True:
        data = file.read(CHUNK_BYTES)
        text = decoder.decode(data, final=not data)
        if skipping:
            end = text.find("\n")
            loss.add(number, len(text) if end < 0 else end, begins=False)
            # The newline stays: it ends the line whose beginning is held.
            text = "" if end < 0 else text[end:]
            skipping = end < 0
        text = rest + text
        end = text.rfind("\n") + 1 if data else len(text)
        rest = text[end:]
        if len(rest) > LONGEST_LINE:
            rest = _last_states(rest)
            if len(rest) > LONGEST_LINE:
                loss.add(number + text.count("\n", 0, end), len(rest) - LONGEST_LINE, begins=True)
                rest, skipping = rest[:LONGEST_LINE], True
        if end:
            piece = _piece(text[:end], number)
            number += text.count("\n", 0, end)
            yield piece
        if not data:
            return


def _last_states(line: str) -> str:
    """Of a line that does not end yet: what its last carriage returns left."""
    line = _BACK.sub("\r", line)
    if "\r" not in line:
        return line
    past, _, present = line.rpartition("\r")
    states = [one for one in past.split("\r") if one.strip()][-2:] or [""]
    return "\r".join([*states, present])


def _piece(text: str, number: int) -> Text:
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\x08" in text:
        text = _BACK.sub("\r", text)
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    overwritten: dict[int, str] = {}
    lines = text.split("\n")
    if text.endswith("\n"):
        lines.pop()
    if "\r" in text:
        for place, line in enumerate(lines):
            if "\r" in line:
                states = [one for one in line.split("\r") if one.strip()]
                lines[place] = states[-1] if states else ""
                if len(states) > 1:
                    overwritten[place] = states[-2]
    keys = without_digits("\n".join(lines)).split("\n") if lines else []
    return Text(number, lines, keys, text, overwritten)


def without_digits(text: str) -> str:
    """The text with 0 for each ASCII digit."""
    if text.isascii():
        return text.translate(_DIGITS)
    return text.encode("utf-8", "replace").translate(_DIGIT_BYTES).decode("utf-8")
