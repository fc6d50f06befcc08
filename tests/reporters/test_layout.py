"""What is laid out without rich is what rich draws, byte for byte; rich is what says how wide a character is."""

import sys
from io import StringIO

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from mlcheck.reporters.layout import Page
from mlcheck.reporters.pen import Pen
from mlcheck.reporters.styled import Styled, cells, is_one_cell_each

CHARACTERS = "ab/_.-· …▁█é×\xa0\xad\u0301−漢\t\n\x07"
texts = st.text(alphabet=CHARACTERS, max_size=60) | st.text(alphabet="ab  ", max_size=200)
leads = st.text(alphabet="x! ", max_size=14)
widths = st.integers(min_value=40, max_value=70)


def by_rich(width: int, text: Styled, lead: Styled, indent: int) -> str:
    buffer = StringIO()
    Pen(buffer, width, color=False).line(text.drawn(), lead.drawn(), indent)
    return buffer.getvalue()


def test_width_of_every_character_that_is_taken_for_one_column():
    alone = [character for character in map(chr, range(sys.maxunicode + 1)) if is_one_cell_each(character)]
    assert len(alone) > 500
    assert {cell_len(character) for character in alone} == {1}
    assert not any(character.isspace() for character in alone if character != " ")


@given(texts, leads, st.integers(min_value=0, max_value=24), widths)
@example("a" * 39 + " b", "", 0, 40)
@example("a " * 40, "", 0, 40)
@example("   a" + " " * 50 + "b   ", "  ", 2, 40)
@example("", "", 0, 40)
def test_lines_are_those_of_rich(text, lead, indent, width):
    page = Page(width, color=False)
    page.line(text, lead, indent)
    assert page.text() == by_rich(page.width, Styled(text), Styled(lead), indent)


@given(
    st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(min_value=0, max_value=2),
    widths,
)
@example([["a" * 30, "b" * 30, ""]], 0, 40)
@example([["a" * 20, "b" * 20, "c" * 20]], 2, 44)
def test_rows_are_those_of_rich(rows, flexible, width):
    styled = [[Styled(cell) for cell in row] for row in rows]
    page = Page(width, color=False)
    page.table(styled, flexible, indent=2)
    drawn = Page(width, color=False)
    drawn._row = lambda row, widths, indent: drawn._pen.row([cell.drawn() for cell in row], widths, 2, indent)
    drawn.table(styled, flexible, indent=2)
    assert page.text() == drawn.text()


@given(texts)
def test_columns_of_a_text(text):
    assert cells(text) == cell_len(text)


def test_pieces_keep_their_styles():
    made = Styled("head", "bold").append(" ").append(Styled("tail", "dim"))
    drawn = made.drawn()
    assert (made.plain, drawn.plain) == ("head tail", "head tail")
    assert [(span.start, span.end, span.style) for span in drawn.spans if span.style] == [(0, 4, "bold"), (5, 9, "dim")]
    assert Styled("[red]x").drawn().plain == "[red]x"
