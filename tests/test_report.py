"""The exit code, by the table of design.md §6."""

from dataclasses import replace

import pytest

from mlcheck.report import Outcome, Report, RunInfo, SourceStatus, exit_code, exit_reasons
from tests.engine.test_rank import finding

RUNS = tuple(RunInfo(n, n, n, 1, 1, 0, 1, "step", None, (), "unknown", "") for n in ("a", "b", "c", "d"))
CLEAN = Report("0", RUNS, (), (), (), ())


def failing(*runs: str, severity: str = "error") -> Report:
    return replace(CLEAN, findings=tuple(finding("R", severity, run=run) for run in runs))


def test_clean() -> None:
    assert (exit_code(CLEAN), exit_reasons(CLEAN)) == (0, ())


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("error", "error", 1),
        ("warning", "error", 0),
        ("warning", "warning", 1),
        ("info", "warning", 0),
        ("info", "info", 1),
        ("error", "never", 0),
    ],
)
def test_fail_on(severity: str, fail_on: str, code: int) -> None:
    assert exit_code(replace(failing("a", severity=severity), fail_on=fail_on)) == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fail_when", "runs", "code"),
    [("any", "a", 1), ("all", "abc", 0), ("all", "abcd", 1), ("0.5", "a", 0), ("0.5", "ab", 1), ("0.25", "a", 1)],
)
def test_fail_when(fail_when: str, runs: str, code: int) -> None:
    assert exit_code(replace(failing(*runs), fail_when=fail_when)) == code


def test_a_finding_is_never_hidden_by_an_error() -> None:
    everything = replace(
        failing("a"),
        outcomes=(Outcome("R", "a", "errored"),),
        unmet=("x",),
        missing_paths=("y",),
        strict=True,
        sources=(SourceStatus("f", "tensorboard", "partial"),),
    )
    assert exit_code(everything) == 1
    assert exit_reasons(everything) == ("finding", "rule-error", "requirement", "missing-path", "incomplete-source")
    assert exit_code(replace(everything, findings=())) == 2
    assert exit_code(replace(everything, findings=(), outcomes=(), unmet=())) == 3


def test_no_run_and_missing_paths() -> None:
    empty = replace(CLEAN, runs=())
    assert (exit_code(empty), exit_reasons(empty)) == (3, ("no-run",))
    assert exit_code(replace(empty, allow_empty=True)) == 0
    assert exit_code(replace(CLEAN, missing_paths=("x",))) == 3


@pytest.mark.parametrize(("tail_only", "code"), [(True, 0), (False, 3)])
def test_strict_forgives_a_cut_last_record(tail_only: bool, code: int) -> None:
    source = SourceStatus("f", "tensorboard", "partial", tail_only=tail_only)
    assert exit_code(replace(CLEAN, sources=(source,), strict=True)) == code
    assert exit_code(replace(CLEAN, sources=(source,))) == 0


def test_only_active_findings_count() -> None:
    assert exit_code(replace(CLEAN, findings=(finding("R", status="baselined"),))) == 0
