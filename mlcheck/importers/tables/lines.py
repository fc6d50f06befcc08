"""Text files as blocks of lines, in bounded memory, with the place of each line."""

import codecs
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mlcheck.records import dataclass, field

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 1 << 23
"""Characters of a line: 10,000 columns have less than a thirtieth of that. Longer ones are passed over."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(slots=True)
class Damage:
    """What could not be read of a file: how often, where first and why."""

    rows: int = 0
    bytes: int = 0
    line: int = 0
    """Number of the first one, from 1."""
    offset: int | None = None
    reason: str = ""
    tail: bool = True
    """Only the last line is lost: it is cut."""

    def lose(self, line: int, offset: int, size: int, reason: str, *, tail: bool = False) -> None:
        """Note a line that is lost."""
        if not self.rows or line < self.line:
            self.line, self.offset, self.reason = line, offset, reason
        self.rows += 1
        self.bytes += size
        self.tail = self.tail and tail

    def text(self, unit: str = "row") -> str:
        """`3 rows are lost, first at line 17: 4 cells under a header of 5`."""
        many = f"1 {unit} is lost, at" if self.rows == 1 else f"{self.rows:,} {unit}s are lost, first at"
        return f"{many} line {self.line:,}: {self.reason}"


@dataclass(slots=True)
class Block:
    """Some lines of a file, without their ends."""

    lines: Sequence[str]
    first: int
    """Number of the first one, from 1."""
    offset: int
    """Byte at which it begins."""
    ending: int
    """Bytes of a line's end."""
    encoding: str
    is_last: bool = False
    is_cut: bool = False
    """The last line has no end."""
    is_quoted: bool = False
    """There are quotes in it."""

    def place(self, at: int) -> tuple[int, int, int]:
        """Number, byte offset and size in bytes of the line at an index."""
        before = sum(map(self.size, self.lines[:at]))
        return self.first + at, self.offset + before, self.size(self.lines[at])

    def size(self, line: str) -> int:
        """Bytes of a line with its end."""
        return len(line.encode(self.encoding, "surrogateescape")) + self.ending


@dataclass(slots=True)
class Lines:
    """Iterates over the blocks of a file; lines that are too long are noted as damage."""

    file: BinaryIO
    damage: Damage = field(default_factory=Damage)
    _number: int = 1
    _offset: int = 0

    def __iter__(self) -> Iterator[Block]:
        """All blocks; the last one says so, and may be empty."""
        head = self.file.read(BLOCK_BYTES)
        encoding, mark = encoding_of(head)
        plain = "utf-8" if encoding == "utf-8-sig" else encoding
        self._offset = mark
        decoder = codecs.getincrementaldecoder(encoding)("replace" if plain == "utf-16" else "surrogateescape")
        if plain == "utf-16":
            plain = "utf-16-le"  # only to count bytes: without a mark before each line
        pending, chunk = "", head
        while True:
            is_last = not chunk
            text = pending + decoder.decode(chunk, final=is_last)
            end = len(text) if is_last else _whole(text)
            if not end and len(text) > LONGEST_LINE:
                pending = self._pass_over(text, decoder, plain)
                chunk = self.file.read(BLOCK_BYTES)
                continue
            pending = text[end:]
            if end or is_last:
                yield self._block(text[:end], plain, is_last)
            if is_last:
                return
            chunk = self.file.read(BLOCK_BYTES)

    def _block(self, text: str, encoding: str, is_last: bool) -> Block:
        unit = 2 if encoding.startswith("utf-16") else 1
        raw_size = len(text) if unit == 1 and text.isascii() else len(text.encode(encoding, "surrogateescape"))
        ending = unit
        if "\r" in text:
            ending = 2 * unit if "\r\n" in text else unit
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        is_cut = is_last and bool(lines[-1])
        if not lines[-1]:
            lines.pop()
        block = Block(lines, self._number, self._offset, ending, encoding, is_last, is_cut, '"' in text)
        self._number += len(lines)
        self._offset += raw_size
        return block

    def _pass_over(self, text: str, decoder: codecs.IncrementalDecoder, encoding: str) -> str:
        """Read on to the end of a line that is too long, keeping none of it; what comes after it."""
        size = 0
        ended = False
        while not ended:
            size += len(text.encode(encoding, "surrogateescape"))
            chunk = self.file.read(BLOCK_BYTES)
            text = decoder.decode(chunk, final=not chunk)
            end = text.find("\n") + 1
            ended = bool(end) or not chunk
        size += len(text[:end].encode(encoding, "surrogateescape"))
        reason = f"longer than {LONGEST_LINE >> 20} MiB"
        self.damage.lose(self._number, self._offset, size, reason, tail=not end)
        self._number += 1
        self._offset += size
        return text[end:]


def encoding_of(head: bytes) -> tuple[str, int]:
    """The encoding that a byte order mark tells (else UTF-8), and the length of the mark."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return "utf-8", 0


def _whole(text: str) -> int:
    """Length of the part that ends with a line; a carriage return at the very end may be half of an end."""
    end = text.rfind("\n") + 1
    return end or text.rfind("\r", 0, len(text) - 1) + 1
