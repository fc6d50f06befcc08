import csv
from dataclasses import replace
from io import StringIO

import pytest

from mlcheck.report import Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.csv import COLUMNS
from mlcheck.reporters.registry import get
from tests.reporters.example import failing, finding, healthy
from tests.reporters.example_ci import NASTY, nasty, troubled
from tests.reporters.test_formats import REPORTS


def rows(report: Report, **options: object) -> list[dict[str, str]]:
    text = get("csv").render(report, Options(**options))  # type: ignore[arg-type]
    return list(csv.DictReader(StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("name", REPORTS)
def test_one_row_a_finding_and_all_of_one_length(name: str) -> None:
    report = REPORTS[name]
    found = rows(report, show_suppressed=True)
    assert len(found) == len(report.findings)
    assert all(set(one) == set(COLUMNS) for one in found)


@pytest.mark.parametrize("name", REPORTS)
def test_every_row_is_one_line_that_ends_in_crlf(name: str) -> None:
    text = get("csv").render(REPORTS[name], Options(show_suppressed=True))
    assert text.count("\r\n") == text.count("\n") == text.count("\r") == 1 + len(REPORTS[name].findings)


def test_a_row() -> None:
    first = rows(failing())[0]
    assert first["labels"] == "layer=encoder.3"
    assert (first["onset"], first["value"], first["limit"]) == ("1200", "3.1e-09", "1e-07")
    assert (first["cost_share"], first["cost_hours"]) == ("0.88", "5.4")
    assert rows(failing())[1]["onset"] == ""
    assert rows(failing())[1]["caused_by"] == "grd-3"


def test_states() -> None:
    assert {one["status"] for one in rows(troubled())} == {"active"}
    assert {one["status"] for one in rows(troubled(), show_suppressed=True)} == {"active", "baselined", "suppressed"}


def test_no_text_is_a_formula() -> None:
    numbers = {"onset", "first_step", "last_step", "points", "value", "limit", "cost_steps", "cost_share", "cost_hours"}
    for row in rows(nasty(), show_suppressed=True):
        for column in set(COLUMNS) - numbers:
            assert not row[column].lstrip().startswith(("=", "+", "-", "@")), column


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1", "＝1", "＋1", "－1", "＠x"])
def test_a_guard_is_an_apostrophe(text: str) -> None:
    (row,) = rows(replace(healthy(), findings=(finding(text, "a", "good"),)))
    assert row["rule"] == f"'{text}"


def test_numbers_stay_numbers() -> None:
    (row,) = rows(replace(healthy(), findings=(finding("A1", "a", "good", value=-2.5, limit=float("-inf")),)))
    assert (row["value"], row["limit"]) == ("-2.5", "-Infinity")


def test_quotes_commas_and_line_ends() -> None:
    (row,) = rows(replace(healthy(), findings=(finding("A1", "a", "good", message='say "a, b"\nand c'),)))
    assert row["message"] == 'say "a, b" and c'
    assert len(NASTY) == len(rows(nasty(), show_suppressed=True))
