import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.report import Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.jsontext import dumps, for_logs, scrubbed
from mlcheck.reporters.registry import get
from tests.reporters.example import failing, finding, healthy
from tests.reporters.example_ci import NASTY, troubled
from tests.reporters.test_formats import REPORTS

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


def lines(report: Report, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in get("jsonl").render(report, Options(**options)).split("\n")[:-1]]


@pytest.mark.parametrize("name", REPORTS)
def test_one_finding_a_line_and_one_summary_at_the_end(name: str) -> None:
    report = REPORTS[name]
    *findings, summary = lines(report, show_suppressed=True)
    assert [one["type"] for one in findings] == ["finding"] * len(report.findings)
    assert summary["type"] == "summary"
    assert summary["schema"] == "mlcheck.report/1"
    assert summary["listed"] == len(findings)
    assert summary["summary"]["exit_code"] == report.summary.exit_code


def test_keys_are_those_of_the_json_report() -> None:
    whole = json.loads(get("json").render(failing(), Options()))["findings"]
    *findings, _ = lines(failing(), show_suppressed=True)
    for line, plain in zip(findings, whole, strict=True):
        assert line == {"type": "finding"} | {k: v for k, v in plain.items() if k not in ("evidence", "episodes")}


def test_known_findings_are_listed_on_request_and_counted_always() -> None:
    assert [one.get("status") for one in lines(troubled(), show_suppressed=True)].count("suppressed") == 1
    *findings, summary = lines(troubled())
    assert {one["status"] for one in findings} == {"active"}
    assert (summary["findings"], summary["listed"]) == (17, 15)
    assert summary["summary"]["suppressed"] == summary["summary"]["baselined"] == 1


def test_troubles_stand_in_the_summary() -> None:
    *_, summary = lines(troubled())
    assert {one["kind"] for one in summary["troubles"]} == {"rule-error", "requirement", "no-run", "source-incomplete"}


def test_texts_read_back_as_they_were_but_for_lone_surrogates() -> None:
    for text in NASTY:
        line = lines(replace(healthy(), findings=(finding("A1", "a", "good", message=text),)))[0]
        assert line["message"] == text.replace("\udc80", "\\udc80")


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(ANY_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner))
)
def test_escapes_change_no_value(value: Any) -> None:
    assert json.loads(for_logs(json.dumps(value))) == value
    safe = scrubbed(value)
    text = dumps(safe)
    assert json.loads(text) == safe
    json.dumps(safe, ensure_ascii=False).encode("utf-8")
    assert "##" not in text
    assert "::" not in text
