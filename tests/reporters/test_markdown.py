from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mlcheck.report import Note, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import RULES, everything, failing, finding, hostile, run, sweep

OURS = {"details", "summary", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "span"}


class Page(HTMLParser):
    """Tags, attributes and text of a rendered page, and the number of cells of each table row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[str] = []
        self.text = ""
        self.cells: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "tr":
            self.cells.append(0)
        if tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def write(report: Report, **options: object) -> str:
    return get("markdown").render(report, Options(**options))  # type: ignore[arg-type]


def page(text: str) -> Page:
    return Page(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


@pytest.mark.parametrize("name", tuple(everything()))
def test_it_starts_with_the_marker_and_renders_to_our_elements_only(name: str) -> None:
    text = write(everything()[name])
    assert text.startswith("<!-- mlcheck -->\n\n")
    drawn = page(text)
    assert drawn.tags <= OURS
    assert drawn.attributes == []


def test_hostile_names_show_as_they_are_and_do_nothing() -> None:
    text = write(hostile())
    text.encode("utf-8")
    drawn = page(text)
    shown = drawn.text.replace("\u200b", "")
    for name in (
        "[red]bold[/red]",
        "a|b",
        "line\\nbreak",
        "<script>alert(1)</script>",
        "@user",
        "lone\\udc80surrogate",
    ):
        assert name in shown
    assert "`code` *b* _i_ #12 https://evil.example $x$ ![i](u)" in shown
    # A person is notified and an issue is linked from the text itself, so these must never stand together.
    assert "@user" not in drawn.text
    assert "#12" not in drawn.text
    assert "://" not in drawn.text
    assert text.count("<!--") == 1


def test_every_row_of_a_table_has_all_cells() -> None:
    assert set(page(write(hostile())).cells) == {5}


def test_the_example_table() -> None:
    drawn = page(write(failing()))
    assert drawn.cells == [5, 5, 5, 5]
    assert "12 of 48 layers, first encoder.3 at step 1,200, until the end; explains loss-not-decreasing" in drawn.text


def _large(count: int) -> Report:
    findings = tuple(
        finding(f"X{i:04d}", "loss-divergence", "r", message="|@<>" * 100, advice="*_" * 200, reasons=("#",) * 3)
        for i in range(count)
    )
    return Report("0", (run("r"),), (), findings, (), RULES, notes=tuple(Note("x", "@" * 400) for _ in range(count)))


@pytest.mark.parametrize("limit", [2_000, 5_000, 20_000, 60_000, 65_000])
@pytest.mark.parametrize("count", [0, 3, 60, 700])
def test_it_is_never_longer_than_allowed_and_says_what_is_left_out(count: int, limit: int) -> None:
    text = write(_large(count), max_chars=limit)
    assert len(text) <= limit
    drawn = page(text)
    assert drawn.tags <= OURS
    rows = [cells for cells in drawn.cells if cells == 5][1:]
    left_out = count - len(rows)
    assert (f"{left_out:,} more row" in drawn.text) == (left_out > 0)
    unfolded = text.count("<details><summary>")
    assert (f"{count - unfolded:,} more finding" in drawn.text) == (unfolded < count)


def test_details_go_before_rows() -> None:
    text = write(_large(60), max_chars=20_000)
    assert page(text).cells.count(5) == 61
    assert text.count("<details><summary>") < 60


def test_many_runs_are_one_summary() -> None:
    text = write(sweep(1_000))
    assert len(text) < 10_000
    assert "250 of 1,000, all with learning\\_rate ≥ 0.0751" in text
    assert "250 runs with findings, the first 20 with their first finding:" in text


def test_quiet_is_the_verdict_and_the_counts() -> None:
    text = write(failing(), quiet=True)
    assert "gradients vanish" in text
    assert "|---|" not in text
    assert "2 errors, 1 warning, 1 info" in text


def test_run_names_are_told_apart() -> None:
    both = tuple(replace(failing().runs[0], name=name) for name in ("one", "two"))
    text = write(Report("0", both, (), (finding("A1", "a", "two"),), (), RULES))
    assert "| # | severity | rule | run | where | value |" in text
    assert "❌ **two: a occurs" in text
