"""The order of findings, against the rules of language.md fixes 19 to 23."""

import pytest

from mlcheck.engine.rank import Causes, file_causes, place_of, ranked
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
    assert order(finding("X", "warning"), finding("A", "warning"), finding("B", "error")) == ["A", "B", "X"]


def test_a_remark_never_hides_what_fails() -> None:
    assert parents(finding("A", "info"), finding("B", "error")) == {"A": None, "B": None}
    assert parents(finding("A", "info"), finding("B", "info")) == {"A": None, "B": "A"}
    assert order(finding("X", "warning"), finding("A", "info"), finding("B", "error")) == ["B", "X", "A"]


# A fault that spreads


def spread(*findings: Finding, places: dict[str, tuple[int, int]] | None = None) -> dict[str, str | None]:
    causes = Causes({"A": []}, spreading=["A"])
    filed = file_causes(findings, causes, {}, {}, places or {})
    names = {f.fingerprint: f.labels["layer"] for f in filed}
    return {f.labels["layer"]: f.caused_by and names[f.caused_by] for f in filed}


def of(layer: str, onset: int, severity: str = "error", **more: object) -> Finding:
    return finding("A", severity, onset, labels={"layer": layer}, fingerprint=layer, **more)


def test_the_first_of_a_rule_that_spreads_explains_the_others() -> None:
    assert spread(of("c", 7), of("a", 5), of("b", 6)) == {"c": "a", "a": None, "b": "a"}


def test_at_equal_steps_the_place_decides() -> None:
    places = {"a": place_of("activation", 3), "b": place_of("activation", 1), "c": place_of("gradient", 0)}
    assert spread(of("a", 5), of("b", 5), of("c", 5), places=places) == {"a": "b", "b": None, "c": "b"}


def test_backpropagation_goes_from_the_last_layer_to_the_first() -> None:
    assert place_of("gradient", 7) < place_of("gradient", 2)
    assert place_of("weight", 2) < place_of("weight", 7)
    assert place_of("activation", 9) < place_of("gradient", 9) < place_of("weight", 0) < place_of("loss", None)


def test_at_equal_steps_the_role_of_which_least_is_hit_is_the_origin() -> None:
    """One weight is NaN, and with it all activations behind it and all gradients: the weight began."""
    places = {"w": place_of("weight", 1), "a": place_of("activation", 1), "b": place_of("activation", 2)}
    places |= {"g": place_of("gradient", 1), "h": place_of("gradient", 0)}
    sizes = {place_of("weight", 0)[0]: 2, place_of("activation", 0)[0]: 3, place_of("gradient", 0)[0]: 2}
    found = [of(name, 5) for name in ("a", "b", "g", "h", "w")]
    causes = Causes({"A": []}, spreading=["A"])
    filed = file_causes(found, causes, {}, {}, places, sizes)
    assert {f.labels["layer"]: f.caused_by for f in filed} == {"a": "w", "b": "w", "g": "w", "h": "w", "w": None}


def test_an_earlier_finding_of_less_severity_is_something_else() -> None:
    assert spread(of("metric", 0, "info"), of("a", 5), of("b", 6, "warning")) == {"metric": None, "a": None, "b": "a"}


def test_steps_of_another_axis_are_not_compared() -> None:
    assert spread(of("a", 5), of("b", 6, axis="epoch")) == {"a": None, "b": None}
