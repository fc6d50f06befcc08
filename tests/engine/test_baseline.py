"""The baseline, against issue 6 item 2: only new findings fail, fixed ones are told, worse ones come back."""

import math
from dataclasses import replace

import pytest

from mlcheck.engine import baseline
from mlcheck.errors import ConfigError
from mlcheck.report import Finding, Outcome, Report, RunInfo
from tests.engine.test_rank import finding


def run(name: str = "r", lane: str = "lane") -> RunInfo:
    return RunInfo(name, name, lane, 1, 10, 0, 9, "step", None, ("tensorboard",), "supervised", "")


def report(*findings: Finding, judged: tuple[str, ...] = (), runs: tuple[RunInfo, ...] = (run(),)) -> Report:
    outcomes = [Outcome(f.rule, f.run, "failed") for f in findings]
    outcomes += [Outcome(rule, one.name, "passed") for rule in judged for one in runs]
    return Report("0", runs, (), findings, tuple(outcomes), ())


def statuses(one: Report) -> dict[str, str]:
    return {f.rule: f.status for f in one.findings}


def texts(one: Report) -> list[str]:
    return [note.text for note in one.notes if note.kind == "baseline"]


def test_accepted_findings_are_baselined_and_new_ones_stay_active() -> None:
    accepted = baseline.of(report(finding("A")))
    after = baseline.apply(report(finding("A"), finding("B")), accepted, "the baseline")
    assert statuses(after) == {"A": "baselined", "B": "active"}
    assert texts(after) == []


@pytest.mark.parametrize(
    ("before", "limit", "now", "status"),
    [
        (2.0, 1.0, 4.0, "baselined"),
        (2.0, 1.0, 4.01, "active"),
        (1e-9, 1e-7, 0.5e-9, "baselined"),
        (1e-9, 1e-7, 0.4e-9, "active"),
        (1e-9, 1e-7, 0.0, "active"),
        (-2.0, 0.0, -4.0, "baselined"),
        (-2.0, 0.0, -4.1, "active"),
        (2.0, 1.0, 1.5, "baselined"),
        (2.0, 1.0, math.nan, "active"),
        (math.nan, 1.0, math.nan, "baselined"),
        (2.0, None, 5.0, "active"),
    ],
)
def test_a_value_beyond_twice_the_recorded_worst_brings_a_finding_back(
    before: float, limit: float | None, now: float, status: str
) -> None:
    accepted = baseline.of(report(finding("A", value=before, limit=limit)))
    after = baseline.apply(report(finding("A", value=now, limit=limit)), accepted, "the baseline")
    assert statuses(after) == {"A": status}
    assert (len(texts(after)) == 1) == (status == "active")


def test_a_higher_severity_brings_a_finding_back_and_a_lower_one_does_not() -> None:
    accepted = baseline.of(report(finding("A", "warning"), finding("B", "error")))
    after = baseline.apply(report(finding("A", "error"), finding("B", "info")), accepted, "the baseline")
    assert statuses(after) == {"A": "active", "B": "baselined"}
    assert "was warning and is error" in texts(after)[0]


def test_what_was_judged_and_is_not_there_is_fixed_and_what_was_not_judged_is_not() -> None:
    accepted = baseline.of(
        report(finding("A"), finding("B"), finding("C", run="other"), runs=(run(), run("other", "x")))
    )
    now = report(judged=("A",))
    assert [one.rule for one in baseline.fixed(now, accepted).values()] == ["A"]
    assert (
        "1 finding of the baseline no longer there: a in lane"
        in texts(baseline.apply(now, accepted, "the baseline"))[0]
    )
    left = baseline.pruned(now, accepted)
    assert sorted(one.rule for one in left.findings.values()) == ["B", "C"]


def test_prune_never_swallows_a_new_finding() -> None:
    accepted = baseline.of(report(finding("A")))
    now = report(finding("B"), judged=("A",))
    assert baseline.pruned(now, accepted).findings == {}


def test_writing_again_keeps_the_lanes_that_were_not_scanned() -> None:
    first = baseline.of(report(finding("A"), finding("B", run="other"), runs=(run(), run("other", "x"))))
    again = baseline.of(report(finding("C")), first)
    assert sorted(one.rule for one in again.findings.values()) == ["B", "C"]


def test_suppressed_findings_are_not_accepted() -> None:
    assert baseline.of(report(replace(finding("A"), status="suppressed"))).findings == {}


def test_of_several_runs_in_one_lane_the_worst_counts() -> None:
    runs = (run("r1"), run("r2"))
    same = "f" * 32
    accepted = baseline.of(
        report(
            finding("A", run="r1", value=2.0, fingerprint=same),
            finding("A", run="r2", value=7.0, fingerprint=same),
            runs=runs,
        )
    )
    assert accepted.findings[same].worst == 7.0


def test_the_file_comes_back_as_it_was() -> None:
    accepted = baseline.of(
        report(finding("A", value=math.nan, limit=None), finding("B", value=math.inf), finding("C", value=None))
    )
    text = baseline.dump(accepted)
    again = baseline.load(text, "file")
    assert baseline.dump(again) == text
    assert math.isnan(again.findings[finding("A").fingerprint].worst or 0)
    assert baseline.dump(baseline.load(baseline.dump(baseline.Baseline()), "x")) == baseline.dump(baseline.Baseline())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "mlcheck.baseline/9"}', '{"schema": "mlcheck.baseline/1"}', "[" * 100_000,
             '{"schema": "mlcheck.baseline/1", "findings": {"x": {}}}', '{"schema": "mlcheck.baseline/1", "findings": {"x": 3}}']
)  # fmt: skip
def test_another_file_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"base\.json"):
        baseline.load(text, "base.json")
