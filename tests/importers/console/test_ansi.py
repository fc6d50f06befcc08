"""Bytes to lines: what a reader of the terminal sees in the end, against a plain model of a terminal."""

import io
import re
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.importers.console import ansi
from mlcheck.importers.console.ansi import Loss, encoding_of, texts


def lines_of(data: bytes, encoding: str = "utf-8") -> list[str]:
    result: list[str] = []
    for text in texts(io.BytesIO(data), encoding, Loss()):
        assert text.first_line == len(result) + 1
        assert len(text.keys) == len(text.lines)
        result += text.lines
    return result


def model(text: str) -> list[str]:
    """What is to be seen of each line when all of it is there at once."""
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return [([one for one in line.split("\r") if one.strip()] or [""])[-1] if "\r" in line else line for line in lines]


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("no newline at the end", ["no newline at the end"]),
        ("\x1b[1mbold\x1b[0m \x1b[38;5;12mblue\x1b[0m\n", ["bold blue"]),
        ("\x1b]0;a title\x07text\n", ["text"]),
        (" 1/3\r 2/3\r 3/3\n", [" 3/3"]),
        (" 1/3\b\b\b\b 2/3\n", [" 2/3"]),
        ("bar\r   \rmessage\n", ["message"]),
        ("bar\r   \r\n", ["bar"]),
        ("windows\r\nlines\r\n", ["windows", "lines"]),
        ("\n\n", ["", ""]),
        ("", []),
    ],
)
def test_what_is_seen(printed: str, seen: list[str]) -> None:
    assert lines_of(printed.encode()) == seen


def test_the_state_before_the_last_is_there_too() -> None:
    (text,) = texts(io.BytesIO(b"first\n 10/20\r  \rmessage\n"), "utf-8", Loss())
    assert text.overwritten == {1: " 10/20"}


@pytest.mark.parametrize("size", [1, 3, 7, 64])
@given(printed=st.text(st.sampled_from("ab1 \r\n\né"), max_size=60))
def test_chunks_make_no_difference(size: int, printed: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ansi, "CHUNK_BYTES", size)
        assert lines_of(printed.encode()) == model(printed)


@given(printed=st.text(st.sampled_from("ab1 \n"), max_size=80))
def test_a_long_line_loses_no_other_line(printed: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ansi, "CHUNK_BYTES", 5)
        patch.setattr(ansi, "LONGEST_LINE", 9)
        found = lines_of(printed.encode())
    wanted = model(printed)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one in (other, other[:9])


@given(printed=st.text(st.sampled_from("a\r\n"), max_size=80))
def test_a_long_progress_bar_keeps_its_last_state(printed: str) -> None:
    states = re.split("[\r\n]", printed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ansi, "CHUNK_BYTES", 5)
        patch.setattr(ansi, "LONGEST_LINE", max(map(len, states)) * 3 + 4)
        assert lines_of(printed.encode()) == model(printed)


@pytest.mark.parametrize("fill", [b"x", b"x\r", b"0.1 ", b"\x1b[1m"])
def test_memory_is_bounded_for_a_line_without_end(fill: bytes) -> None:
    piece = fill * (ansi.CHUNK_BYTES // len(fill))

    class Endless(io.RawIOBase):
        left = 100

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return piece if self.left > 0 else b"\nstep 1\n" if self.left == 0 else b""

    loss = Loss()
    tracemalloc.start()
    lines = [line for text in texts(Endless(), "utf-8", loss) for line in text.lines]  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * ansi.CHUNK_BYTES
    assert lines[-1] == "step 1"
    assert len(lines) == 2
    assert len(lines[0]) <= ansi.LONGEST_LINE
    if b"\r" not in fill:
        assert (loss.lines, loss.first_line) == (1, 1)
        assert loss.characters == len(piece) * 99 - ansi.LONGEST_LINE


@pytest.mark.parametrize(
    ("write", "encoding"),
    [
        (lambda text: text.encode(), "utf-8"),
        (lambda text: text.encode("utf-8-sig"), "utf-8-sig"),
        (lambda text: text.encode("utf-16"), "utf-16"),
    ],
)
def test_encodings(write: Callable[[str], bytes], encoding: str) -> None:
    data = write("Verlust: 0,5 ━\nzwei\n")
    assert encoding_of(data[:64]) == encoding
    assert lines_of(data, encoding) == ["Verlust: 0,5 ━", "zwei"]


def test_what_is_no_text() -> None:
    assert encoding_of(b"\x7fELF\0\0") is None
    assert lines_of(b"bad \xff\xfe byte\n") == ["bad �� byte"]


@given(st.text(max_size=40))
def test_a_key_differs_from_its_line_in_ascii_digits_only(line: str) -> None:
    key = ansi.without_digits(line)
    assert key == re.sub("[0-9]", "0", line)
