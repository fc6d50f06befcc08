from dataclasses import replace

import pytest

from mlcheck.report import IdenticalRuns, Note, Outcome, Report, SourceStatus, exit_code, exit_reasons
from mlcheck.reporters.base import Options
from mlcheck.reporters.json import dumps
from mlcheck.reporters.merge import Part, merge
from mlcheck.reporters.registry import REPORTERS, get
from tests.reporters.example import RULES, empty, failing, finding, healthy, run, sweep
from tests.reporters.example_ci import large, nasty, troubled


def of(*reports: Report) -> Report:
    return merge([Part(f"{'abcdef'[i]}.json", report) for i, report in enumerate(reports)])


def one(name: str = "r", **changes: object) -> Report:
    """A report of one run with one finding, which fails a gate at error."""
    base = Report(
        "0.1.0",
        (run(name),),
        (SourceStatus(f"{name}/events", "tensorboard", "read", run=name),),
        (finding("A1", "a", name),),
        (Outcome("A1", name, "failed"),),
        RULES,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("report", [failing(), healthy(), sweep(), empty(), nasty()])
def test_one_report_stays_as_it_is(report: Report) -> None:
    assert of(report) is report


@pytest.mark.parametrize("report", [failing(), healthy(), sweep(), troubled()])
def test_the_same_report_twice_is_the_report(report: Report) -> None:
    assert dumps(of(report, report)) == dumps(replace(report, splits=()))


def test_shards_come_together() -> None:
    both = of(one("a"), one("b"))
    assert [r.name for r in both.runs] == ["a", "b"]
    assert [f.run for f in both.findings] == ["a", "b"]
    assert [s.path for s in both.sources] == ["a/events", "b/events"]
    assert both.rules == RULES
    assert both.notes == ()
    assert both.summary.failed == 2


def test_runs_of_equal_names_that_are_not_the_same_are_told_apart() -> None:
    first = one()
    second = replace(one(), runs=(run("r", points=7),), findings=(finding("B1", "b", "r"),))
    both = of(first, second, first)
    assert [(r.name, r.points) for r in both.runs] == [("r", 34_000), ("r#2", 7)]
    assert [(f.rule, f.run) for f in both.findings] == [("A1", "r"), ("B1", "r#2")]
    assert [o.run for o in both.outcomes] == ["r", "r#2"]
    assert [s.run for s in both.sources] == ["r", "r#2"]
    assert both.notes == (Note("name", "two runs are called r: the one of b.json is r#2 here"),)


def test_a_third_name_is_free_of_the_others() -> None:
    parts = [replace(one(), runs=(run("r", points=i),)) for i in range(3)]
    taken = replace(one("r#2"), runs=(run("r#2", points=9),))
    assert [r.name for r in of(taken, *parts).runs] == ["r#2", "r", "r#3", "r#4"]


def test_equal_runs_with_other_findings_are_both_kept() -> None:
    """A run that two jobs judged by other rules is two runs: which of them is right cannot be told."""
    both = of(one(), one(findings=(), outcomes=(Outcome("A1", "r", "passed"),)))
    assert [r.name for r in both.runs] == ["r", "r#2"]
    assert len(both.findings) == 1


def test_causes_stay_within_their_run() -> None:
    chain = (finding("A1", "a", "r", fingerprint="c"), finding("B1", "b", "r", fingerprint="e", caused_by="c"))
    both = of(one(), one(findings=chain))
    assert [(f.run, f.caused_by) for f in both.findings] == [("r", None), ("r#2", None), ("r#2", "c")]


@pytest.mark.parametrize(
    ("settings", "merged"),
    [(("error", "warning"), "warning"), (("never", "error"), "error"), (("warning", "info"), "info")],
)
def test_the_stricter_threshold_wins(settings: tuple[str, str], merged: str) -> None:
    for first, second in (settings, settings[::-1]):
        assert of(one("a", fail_on=first), one("b", fail_on=second)).fail_on == merged


@pytest.mark.parametrize(
    ("settings", "merged"), [(("all", "any"), "any"), (("0.5", "all"), "0.5"), (("0.5", "0.05"), "0.05")]
)
def test_the_stricter_share_wins(settings: tuple[str, str], merged: str) -> None:
    for first, second in (settings, settings[::-1]):
        assert of(one("a", fail_when=first), one("b", fail_when=second)).fail_when == merged


def test_flags() -> None:
    assert of(one("a", strict=True), one("b")).strict
    assert not of(one("a", allow_empty=True), one("b")).allow_empty
    assert of(one("a", allow_empty=True), one("b", allow_empty=True)).allow_empty


def test_the_exit_code_is_made_anew() -> None:
    quiet = one("quiet", findings=(), outcomes=(Outcome("A1", "quiet", "passed"),))
    assert exit_code(of(quiet, replace(quiet, runs=(run("q2"),)))) == 0
    assert exit_code(of(quiet, one())) == 1
    assert exit_code(of(quiet, replace(one(), fail_on="never"))) == 1, "the other part fails on errors"
    raised = one("x", findings=(), outcomes=(Outcome("A1", "x", "errored", "why"),))
    assert exit_reasons(of(quiet, raised)) == ("rule-error",)


def test_a_part_without_runs_still_fails() -> None:
    nothing = Report("0.1.0", (), (), (), (), RULES)
    both = of(one(findings=()), nothing)
    assert both.missing_paths == ("b.json: the report holds no run",)
    assert exit_code(both) == 3


def test_a_part_that_may_be_empty_does_not_fail_beside_one_that_may_not() -> None:
    allowed = Report("0.1.0", (), (), (), (), RULES, allow_empty=True, missing_paths=("x: not there",))
    assert exit_code(of(one(findings=()), allowed)) == 0
    assert of(allowed, allowed).missing_paths == ("x: not there",)


def test_rules_that_were_set_otherwise_are_said_once() -> None:
    other = tuple(replace(r, params={"share": 0.5}) if r.id == "NUM001" else r for r in RULES)
    both = of(one("a"), one("b", rules=other), one("c", rules=other))
    assert both.rules == RULES
    assert [note.text for note in both.notes] == [
        "NUM001 (non-finite) was set otherwise in b.json than in a.json, whose settings are shown"
    ]


def test_versions_that_differ_are_said() -> None:
    assert of(one("a"), one("b", version="0.2.0")).notes[0].text == (
        "the reports are of different versions of mlcheck: 0.1.0 (a.json), 0.2.0 (b.json)"
    )


def test_files_of_no_run_and_notes_and_requirements_are_kept_once() -> None:
    lost = SourceStatus("old", "unknown", "unreadable", reason="empty file")
    part = {"notes": (Note("x", "same"),), "unmet": ("same",)}
    both = of(one("a", sources=(lost,), **part), one("b", sources=(lost,), **part))
    assert both.sources == (lost,)
    assert both.notes == (Note("x", "same"),)
    assert both.unmet == ("same",)


def test_identical_runs_get_their_new_names() -> None:
    same = (IdenticalRuns(("r", "s"), ()),)
    first = replace(one(), runs=(run("r"), run("s")), identical=same)
    second = replace(first, runs=(run("r", points=1), run("s", points=1)))
    assert of(first, second).identical == (*same, IdenticalRuns(("r#2", "s#2"), ()))


@pytest.mark.parametrize("name", REPORTERS)
def test_every_format_takes_a_merged_report(name: str) -> None:
    both = of(failing(), sweep(), troubled(), large(4), nasty(), empty())
    assert get(name).render(both, Options()).endswith("\n")
