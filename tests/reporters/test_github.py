import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from mlcheck.report import Outcome, Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import empty, failing, finding, healthy, run, sweep
from tests.reporters.example_ci import troubled
from tests.reporters.test_formats import REPORTS

# The grammar of GitHub's runner (ActionCommand.cs, version 2): properties end at the first `::` behind the command.
LINE = re.compile(r"::(error|warning|notice) title=([^:,\n\r]*)::([^\n\r]*)")


def annotations(report: Report, **options: object) -> list[tuple[str, str, str]]:
    """(command, title, message) as the runner understands them."""
    found = []
    for line in get("github").render(report, Options(**options)).splitlines():  # type: ignore[arg-type]
        match = LINE.fullmatch(line)
        assert match, line
        found.append((match[1], unquote(match[2]), unquote(match[3])))
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_every_line_is_one_annotation_and_there_are_at_most_ten_and_the_closing_notice(name: str) -> None:
    found = annotations(REPORTS[name])
    assert 1 <= len(found) <= 11
    assert found[-1][:2] == ("notice", "mlcheck")


@pytest.mark.parametrize("name", REPORTS)
def test_worst_first(name: str) -> None:
    ranks = [("error", "warning", "notice").index(command) for command, _, _ in annotations(REPORTS[name])]
    assert ranks == sorted(ranks)


def test_rows_are_folded() -> None:
    command, title, message = annotations(failing())[0]
    assert (command, title) == ("error", "vanishing-gradient GRD001 in exp1")
    assert message.splitlines()[0] == "12 of 48 layers, first encoder.3 at step 1,200, until the end"
    assert "explains loss-not-decreasing" in message
    assert "try: residual connections" in message


def test_escapes() -> None:
    report = replace(healthy(), findings=(finding("A1", "a:b,c%d", "good", message="100 % of 1,2: done"),))
    text = get("github").render(report, Options())
    assert "::error title=a%3Ab%2Cc%25d A1 in good::" in text
    assert "100 %25 of 1,2: done" in text
    assert text.count("\n") == 2


def _many(count: int, severity: Severity) -> Report:
    findings = tuple(
        finding(f"A{i}", "a", "good", severity=severity, series=(f"s{i}",), fingerprint=str(i)) for i in range(count)
    )
    return replace(healthy(), findings=findings)


def test_the_rest_is_pointed_to() -> None:
    found = annotations(_many(25, Severity.ERROR))
    assert [command for command, _, _ in found] == ["error"] * 10 + ["notice"]
    assert found[-1][2].splitlines()[-1].startswith("15 more annotations left out: the step summary")
    assert "left out" not in annotations(_many(10, Severity.ERROR))[-1][2]


def test_the_pointer_is_never_the_eleventh_notice() -> None:
    found = annotations(_many(25, Severity.INFO))
    assert [command for command, _, _ in found] == ["notice"] * 10
    assert "16 more annotations left out" in found[-1][2]


def test_many_runs_are_one_annotation_a_rule() -> None:
    found = annotations(sweep())
    assert [title for _, title, _ in found] == ["loss-divergence LOS003", "overfit GEN001", "mlcheck"]
    assert found[0][2].startswith(
        "3 of 12 runs, all with learning_rate ≥ 0.0512, and only those; worst in sweep/lr-011"
    )


def test_a_root_is_as_bad_as_the_worst_that_it_explains() -> None:
    cause = finding("A1", "a", "good", severity=Severity.INFO, fingerprint="c", explains=("e",))
    effect = finding("B1", "b", "good", fingerprint="e", caused_by="c")
    assert annotations(replace(healthy(), findings=(cause, effect)))[0][:2] == ("error", "a A1 in good")


def test_known_findings_are_no_annotations() -> None:
    report = replace(healthy(), findings=(finding("A1", "a", "good", status="baselined"),))
    for options in ({}, {"show_suppressed": True}):
        assert len(annotations(report, **options)) == 1


def test_what_could_not_be_judged_is_one_annotation_a_kind() -> None:
    titles = [(command, title) for command, title, _ in annotations(troubled())]
    assert ("error", "mlcheck: rules failed to run") in titles
    assert ("error", "mlcheck: requirement not met") in titles
    assert ("error", "mlcheck: no run data") in titles
    assert ("warning", "mlcheck: files not read wholly") in titles
    assert annotations(empty())[0][0] == "error"
    raised = tuple(Outcome(f"A{i}", "good", "errored", "x") for i in range(30))
    message = annotations(replace(healthy(), outcomes=raised))[0][2].splitlines()
    assert len(message) == 11
    assert message[-1] == "20 more"


def test_long_titles_are_cut() -> None:
    report = replace(healthy(), runs=(run("x" * 5_000),), findings=(finding("A1", "n" * 5_000, "x" * 5_000),))
    assert len(annotations(report)[0][1]) <= 200
