import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from mlcheck.report import Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import failing, finding, healthy, run
from tests.reporters.example_ci import troubled
from tests.reporters.test_formats import REPORTS

# Written from GitLab's documentation of the code quality report format: what it requires, and no more than it knows.
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": r"^(?!\./|/)."},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def issues(report: Report, **options: Any) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads(get("gitlab").render(report, Options(**options)))
    jsonschema.Draft202012Validator(SCHEMA).validate(plain)
    return plain


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_valid_and_fingerprints_are_unique(name: str) -> None:
    prints = [one["fingerprint"] for one in issues(REPORTS[name])]
    assert len(prints) == len(set(prints))


def test_severities() -> None:
    findings = tuple(finding("A1", "a", "good", severity=one, fingerprint=one) for one in Severity)
    assert [one["severity"] for one in issues(replace(healthy(), findings=findings))] == ["info", "minor", "major"]


def test_an_issue() -> None:
    first = issues(failing())[0]
    assert first["check_name"] == "GRD001 vanishing-gradient"
    assert first["location"] == {"path": "runs/exp1/events.out.tfevents.1", "lines": {"begin": 1}}
    assert first["description"].startswith("exp1: mean |gradient| of encoder.3 is 3.1e-09")
    assert "from step 1,200 until the end" in first["description"]


def test_fingerprints_survive_other_steps_and_values_and_other_findings() -> None:
    before = {one["fingerprint"] for one in issues(failing())}
    later = replace(
        failing(),
        findings=tuple(replace(f, onset=7, value=9.0, message="other") for f in reversed(failing().findings)),
    )
    assert {one["fingerprint"] for one in issues(later)} == before


def test_runs_of_one_lane_are_told_apart() -> None:
    runs = (run("exp_1"), run("exp_2"))
    findings = tuple(finding("A1", "a", one.name, fingerprint="same") for one in runs)
    assert len({one["fingerprint"] for one in issues(replace(healthy(), runs=runs, findings=findings))}) == 2


@pytest.mark.parametrize("options", [{}, {"show_suppressed": True}])
def test_known_findings_are_left_out(options: dict[str, bool]) -> None:
    assert not any(one["check_name"].startswith(("NUM001", "OPT001")) for one in issues(troubled(), **options))


def test_troubles_are_issues() -> None:
    found = {one["check_name"]: one["severity"] for one in issues(troubled())}
    assert found["mlcheck rule-error"] == "major"
    assert "mlcheck requirement" in found
    paths = [one["location"]["path"] for one in issues(troubled()) if one["check_name"] == "mlcheck source-incomplete"]
    assert "runs/old/events.out.tfevents.9" in paths
