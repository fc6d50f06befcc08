from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mlcheck.report import Note, Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import RULES, curve, everything, failing, finding, healthy, hostile, run, sweep
from tests.reporters.example_ci import NASTY, large, nasty, troubled

OURS = {
    "details",
    "summary",
    "p",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "ul",
    "li",
    "code",
    "span",
    "pre",
}
# A fold that is open, and the language of a fenced block.
ATTRIBUTES = {("open", None), ("class", "language-mermaid")}


class Page(HTMLParser):
    """Tags, attributes and text of a rendered page, and the number of cells of each table row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.cells: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)
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


def opened(text: str) -> int:
    return text.count("<details><summary>") + text.count("<details open><summary>")


@pytest.mark.parametrize("name", tuple(everything()))
def test_it_starts_with_the_marker_and_renders_to_our_elements_only(name: str) -> None:
    text = write(everything()[name])
    assert text.startswith("<!-- mlcheck -->\n\n")
    drawn = page(text)
    assert drawn.tags <= OURS
    assert drawn.attributes <= ATTRIBUTES


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
    unfolded = opened(text)
    assert (f"{count - unfolded:,} more finding" in drawn.text) == (unfolded < count)


def test_details_go_before_rows() -> None:
    text = write(_large(60), max_chars=20_000)
    assert page(text).cells.count(5) == 61
    assert opened(text) < 60


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


# What stands where


def test_the_verdict_then_what_to_do_then_the_best_value_then_the_coverage() -> None:
    text = write(replace(failing(), notes=()))
    places = [
        text.index(part)
        for part in (
            "❌ **exp1: gradients vanish from step 1,200 of 10,000; 88 % of the run, 5.4 h, came after it.**\n",
            "\n**New or worse than in the baseline:** 2 errors, 1 warning, 1 info (15 findings); 1 known finding set aside.\n",
            "\n**What to do:** residual connections or normalisation before encoder.3\n",
            "\nBest val loss 0.412 at step 1,150.\n",
            "\nChecked 6 of 8 rules that apply (supervised).",
            "| # | severity |",
            "<details open>",
        )
    ]
    assert places == sorted(places)


def test_nothing_is_called_new_where_no_baseline_was_read() -> None:
    plain = failing()
    text = write(replace(plain, notes=(), findings=tuple(f for f in plain.findings if f.status == "active")))
    assert "New" not in text
    assert "New" not in write(sweep())


def test_where_all_is_known_the_verdict_says_so_and_nothing_is_new() -> None:
    known = finding("LOS003", "loss-divergence", "good", status="baselined")
    text = write(replace(healthy(), findings=(known,)))
    assert "good: no new errors or warnings (1 known finding set aside)." in text
    assert "New" not in text
    assert "What to do" not in text


def test_many_runs_say_what_they_cost_and_what_is_new() -> None:
    report = sweep()
    text = write(replace(report, notes=(Note("baseline", "1 finding of the baseline no longer there: a in b"),)))
    # Three runs diverge, and each goes on for 5.4 h.
    assert (
        "❌ **12 runs: 3 with errors, 2 with warnings, 6 healthy, 1 not judged; 16.2 h of training came after" in text
    )
    assert "**New or worse than in the baseline:** 3 errors, 2 warnings.\n" in text
    assert "**What to do:** lower the learning rate\n" in text


def test_the_worst_of_several_runs_comes_first() -> None:
    both = tuple(replace(failing().runs[0], name=name) for name in ("one", "two"))
    found = (
        finding("A1", "a", "one", severity=Severity.INFO),
        finding("B1", "b", "one", severity=Severity.WARNING),
        finding("C1", "c", "two"),
    )
    rows = [line for line in write(Report("0", both, (), found, (), RULES)).splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[2] for row in rows] == ["c C1", "b B1", "a A1"]
    assert [row.split(" | ")[0] for row in rows] == ["| 1", "| 2", "| 3"]


# Charts


def _charted(count: int) -> Report:
    findings = tuple(
        finding(
            f"X{i:04d}", "loss-spike", "r", fingerprint=str(i), evidence=(curve("a", "loss", [1.0, 3.0, 2.0] * 20),)
        )
        for i in range(count)
    )
    return Report("0", (run("r"),), (), findings, (), RULES)


def test_the_worst_eight_findings_have_a_chart() -> None:
    text = write(_charted(20))
    assert text.count("```mermaid\n%%{init: ") == text.count("}}}%%\nxychart-beta\n") == 8
    assert text.count("```\n") == 8
    folds = text.split("<summary>")[1:]
    assert ["```mermaid" in fold for fold in folds] == [True] * 8 + [False] * 12
    assert "left out" not in text


def test_charts_go_first_then_details_then_rows() -> None:
    whole = len(write(_charted(20)))
    seen = []
    for limit in range(whole, 2_000, -50):
        text = write(_charted(20), max_chars=limit)
        assert len(text) <= limit
        charts, details, rows = text.count("```mermaid"), opened(text), text.count("| ❌ error |")
        assert charts == 8 or f"{8 - charts} chart" in text or details < 20
        assert details == 20 or charts == 0
        assert rows == 20 or details == 0
        assert text.count("```") == 2 * charts, "no block is cut"
        assert text.count("</details>") == details
        seen.append((charts, details, rows))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1][2] < 20


def test_the_details_of_an_info_stay_folded() -> None:
    text = write(Report("0", (run("r"),), (), (finding("A1", "a", "r", severity=Severity.INFO),), (), RULES))
    assert "<details open>" not in text


# Texts of a run


@pytest.mark.parametrize("report", [nasty(), hostile(), troubled()], ids=["nasty", "hostile", "troubled"])
@pytest.mark.parametrize("limit", [2_000, 10_000, 60_000])
def test_no_text_of_a_run_does_anything(report: Report, limit: int) -> None:
    text = write(report, max_chars=limit)
    assert len(text) <= limit
    drawn = page(text)
    assert drawn.tags <= OURS
    assert drawn.attributes <= ATTRIBUTES
    for live in ("@everyone", "@user", "@SUM", "#12", "://", "javascript:"):
        assert live not in drawn.text
    assert text.count("<!--") == 1


@pytest.mark.parametrize("text", ["/close", "/assign @everyone", *NASTY])
def test_no_line_begins_with_a_text_of_a_run(text: str) -> None:
    """GitLab obeys `/close` at the start of a line of a comment."""
    found = finding(
        "A1", text, text, message=text, advice=text, headline=text, reasons=(text,), series=(text,), labels={}
    )
    written = write(Report("0", (run(text),), (), (found,), (), RULES, notes=(Note("x", text),), unmet=(text,)))
    starts = (
        "<!-- mlcheck -->",
        "❌ **",
        "**What to do:** ",
        "Best ",
        "Checked ",
        "1 error",
        "| ",
        "|---|",
        "- ",
        "Notes:",
    )
    assert all(line.startswith((*starts, "<details", "</details>")) for line in written.splitlines() if line)


@pytest.mark.parametrize("sign", ["!", "&", "~", "%", "#"])
def test_what_gitlab_links_is_broken(sign: str) -> None:
    found = finding("A1", "a", "r", message=f"see {sign}12")
    drawn = page(write(Report("0", (run("r"),), (), (found,), (), RULES)))
    assert f"{sign}12" not in drawn.text
    assert f"{sign}\u200b12" in drawn.text


@pytest.mark.parametrize("limit", [2_000, 60_000])
@pytest.mark.parametrize("sign", "$@#<|")
def test_the_verdict_is_there_however_bad_the_names_are(sign: str, limit: int) -> None:
    found = tuple(
        finding("A1", "a", f"{i}{sign * 5_000}", headline=sign * 5_000, advice=sign * 5_000) for i in range(3)
    )
    text = write(Report("0", tuple(run(f.run) for f in found), (), found, (), RULES), max_chars=limit)
    assert len(text) <= limit
    assert text.splitlines()[2].startswith("❌ **0")
    assert "3 errors" in text or limit == 2_000


def test_a_large_report_is_within_the_limit() -> None:
    assert len(write(large())) <= 60_000
