from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from mlcheck.report import Outcome, Report, Severity, SourceStatus
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import failing, finding, healthy, run
from tests.reporters.example_ci import nasty, troubled
from tests.reporters.test_formats import REPORTS


def suites(report: Report, **options: object) -> dict[str, TestSuite]:
    text = get("junit").render(report, Options(**options))  # type: ignore[arg-type]
    return {suite.name: suite for suite in JUnitXml.fromstring(text.encode("utf-8"))}


def cases(report: Report, name: str, **options: object) -> dict[str, TestCase]:
    return {case.name: case for case in suites(report, **options)[name]}


@pytest.mark.parametrize("name", REPORTS)
def test_counts_are_those_of_the_cases(name: str) -> None:
    root = ElementTree.fromstring(get("junit").render(REPORTS[name], Options()).encode("utf-8"))
    assert root.tag == "testsuites"
    for node in (root, *root):
        found = {kind: len(node.findall(f".//{kind}")) for kind in ("testcase", "failure", "error", "skipped")}
        assert {key: int(node.attrib[key]) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": found["testcase"],
            "failures": found["failure"],
            "errors": found["error"],
            "skipped": found["skipped"],
        }


@pytest.mark.parametrize("name", REPORTS)
def test_there_are_no_times(name: str) -> None:
    text = get("junit").render(REPORTS[name], Options())
    assert not any({"time", "timestamp"} & set(node.attrib) for node in ElementTree.fromstring(text).iter())


def test_one_suite_a_run_and_one_case_a_rule() -> None:
    report = replace(
        healthy(), runs=(run("a"), run("b")), outcomes=(Outcome("A1", "a", "passed"), Outcome("A1", "b", "passed"))
    )
    found = suites(report)
    assert list(found) == ["a", "b"]
    assert [[case.name for case in suite] for suite in found.values()] == [["A1"], ["A1"]]


def test_what_became_of_each_rule() -> None:
    found = cases(failing(), "exp1")
    (gradient,) = found["GRD001 vanishing-gradient"].result
    assert isinstance(gradient, Failure)
    assert gradient.type == "error"
    assert gradient.message.endswith("below 1e-07, for 88 points from step 1200 (and 11 more findings)")
    assert len(gradient.text.splitlines()) == 12
    (overfit,) = found["GEN001 overfit"].result
    assert overfit.type == "warning"
    assert found["LOS003 loss-divergence"].is_passed
    (rate,) = found["OPT001 learning-rate-zero"].result
    assert isinstance(rate, Skipped)
    assert rate.message == "lr: 7 of 20 points"
    (known,) = found["NUM001 non-finite"].result
    assert isinstance(known, Skipped)
    assert known.message == "1 finding baselined"


def test_findings_below_the_asked_severity_neither_fail_nor_pass() -> None:
    (overfit,) = cases(failing(), "exp1", min_severity=Severity.ERROR)["GEN001 overfit"].result
    assert isinstance(overfit, Skipped)
    assert overfit.message == "1 finding below --min-severity"


def test_a_rule_that_raised_is_an_error_and_hides_no_finding() -> None:
    found = cases(troubled(), "exp1")
    (raised,) = found["LOS003 loss-divergence"].result
    assert isinstance(raised, Error)
    assert raised.message == "ValueError: no values"
    assert [type(one) for one in found["GEN001 overfit"].result] == [Failure, Error]


def test_a_failed_outcome_without_its_finding_still_fails() -> None:
    report = replace(healthy(), outcomes=(Outcome("A1", "good", "failed"),))
    assert cases(report, "good")["A1"].is_failure


def test_facts_are_properties() -> None:
    properties = {one.name: one.value for one in suites(failing())["exp1"].properties()}
    assert properties["fact.learning_rate"] == "0.001"
    assert properties["regime"] == "supervised"


def test_what_could_not_be_read_is_skipped_and_an_error_where_mlcheck_fails_for_it() -> None:
    lost = SourceStatus("x/part.h5", "hdf5", "partial", 1, "lost data", run="good")
    for strict, kind in ((False, Skipped), (True, Error)):
        report = replace(healthy(), sources=(lost,), strict=strict)
        (case,) = suites(report)["mlcheck: input"]
        (result,) = case.result
        assert isinstance(result, kind)
        assert "lost data" in result.message


def test_no_run_is_an_error() -> None:
    (case,) = suites(Report("0", (), (), (), (), ()))["mlcheck: input"]
    assert case.is_error
    assert list(suites(Report("0", (), (), (), (), (), allow_empty=True))) == []


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_xml(text: str) -> None:
    report = replace(
        healthy(), runs=(run(text, facts={text: text}),), findings=(finding(text, text, text, message=text),)
    )
    ElementTree.fromstring(get("junit").render(report, Options()).encode("utf-8"))


def test_a_nasty_report_reads_back() -> None:
    assert len(suites(nasty())) == 4
