"""The order of findings, against the rules of language.md fixes 19 to 23."""

import pytest

from mlcheck.engine.rank import Causes, file_causes, ranked
from mlcheck.errors import RuleError
from mlcheck.report import Confidence, Cost, Finding, Severity


def finding(rule: str, severity: str = "error", onset: int | None = 0, excess: float = 1.0, **more: object) -> Finding:
    first = more.pop("first_step", onset or 0)
    values: dict[str, object] = {
        "rule": rule,
        "name": rule.lower(),
        "category": "test",
        "severity": Severity(severity),
        "confidence": Confidence.HIGH,
        "reasons": (),
        "run": "r",
        "labels": {},
        "series": (rule,),
        "axis": "step",
        "first_step": first,
        "last_step": 100,
        "onset": onset,
        "points": 3,
        "value": 1.0,
        "limit": 1.0,
        "message": "",
        "advice": "",
        "headline": "",
        "fingerprint": f"{rule}-{more.get('run', 'r')}-{more.get('labels', '')}",
        "excess": excess,
        "cost": Cost(100 - int(str(first)), 1 - int(str(first)) / 100, None),
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


CAUSES = Causes({"A": ["B"], "B": ["C"], "C": [], "D": ["C"]})


def parents(
    *findings: Finding, spacing: dict[str, float] | None = None, patience: dict[str, float] | None = None
) -> dict[str, str | None]:
    filed = file_causes(findings, CAUSES, spacing or {}, patience or {})
    return {f.rule: f.caused_by and f.caused_by[0] for f in filed}


def test_an_effect_goes_under_a_cause_that_began_no_later() -> None:
    assert parents(finding("A", onset=5), finding("B", onset=5)) == {"A": None, "B": "A"}
    assert parents(finding("A", onset=6), finding("B", onset=5)) == {"A": None, "B": None}


def test_a_sparse_cause_may_be_seen_late() -> None:
    a = finding("A", onset=100)
    assert parents(a, finding("B", onset=30))["B"] is None
    assert parents(a, finding("B", onset=30), spacing={a.fingerprint: 100.0})["B"] == "A"


def test_the_patience_of_the_effect_counts() -> None:
    b = finding("B", onset=30)
    assert parents(finding("A", onset=40), b, patience={b.fingerprint: 10.0})["B"] == "A"


def test_a_run_rule_may_have_a_cause_that_began_at_any_time_before_its_end() -> None:
    assert parents(finding("A", onset=90), finding("B", onset=None))["B"] == "A"


def test_reach_goes_over_a_rule_that_did_not_fire() -> None:
    assert parents(finding("A", onset=1), finding("C", onset=5))["C"] == "A"


def test_one_parent_the_earliest_then_the_most_upstream() -> None:
    assert parents(finding("A", onset=3), finding("B", onset=2), finding("C", onset=5))["C"] == "B"
    assert parents(finding("A", onset=2), finding("B", onset=2), finding("C", onset=5))["C"] == "A"


def test_findings_of_other_runs_and_filed_ones_explain_nothing() -> None:
    assert parents(finding("A", run="other"), finding("B"))["B"] is None
    assert parents(finding("A", status="baselined"), finding("B"))["B"] is None


def test_a_circle_is_refused() -> None:
    with pytest.raises(RuleError, match=r"(A -> B -> A|B -> A -> B)"):
        Causes({"A": ["B"], "B": ["A"]})


def order(*findings: Finding) -> list[str]:
    return [f.rule for f in ranked(file_causes(findings, CAUSES, {}, {}))]


def test_severity_then_excess_then_onset_then_id() -> None:
    assert order(finding("X", "warning", excess=6.0), finding("Y", "error", excess=0.1)) == ["Y", "X"]
    assert order(finding("X", excess=1.0), finding("Y", excess=2.0)) == ["Y", "X"]
    assert order(finding("X", onset=9), finding("Y", onset=3)) == ["Y", "X"]
    assert order(finding("Y"), finding("X")) == ["X", "Y"]


def test_a_root_ranks_with_the_worst_that_it_explains_and_comes_before_it() -> None:
    assert order(finding("X", "warning"), finding("A", "info"), finding("B", "error")) == ["A", "B", "X"]
