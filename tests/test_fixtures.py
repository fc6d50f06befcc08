"""The bundled runs against what was planted in them (fixtures/expected.toml)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mlcheck import api
from mlcheck.report import Finding, Report, Severity, exit_code

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((FIXTURES / "expected.toml").read_text())["runs"]


def scan(name: str, **options: Any) -> Report:
    return api.scan([FIXTURES / name], api.ScanOptions(**options))


def test_every_run_has_its_expectations() -> None:
    runs = {path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert runs == set(EXPECTED)
    assert len(runs) >= 8


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_planted_is_found_and_nothing_else(name: str) -> None:
    expected = EXPECTED[name]
    report = scan(name)
    assert [run.regime for run in report.runs] == [expected["regime"]]
    assert [o for o in report.outcomes if o.outcome == "errored"] == []
    for want in expected.get("findings", ()):
        assert any(fits(f, want, report) for f in report.findings), (want, shown(report))
    if "first" in expected:
        assert report.findings, expected["planted"]
        assert report.findings[0].rule in expected["first"], shown(report)
    loud = {f.rule for f in report.findings if f.severity.rank >= Severity.WARNING.rank}
    assert loud & set(expected["quiet"]) == set(), shown(report)
    if expected.get("healthy"):
        assert loud == set(), shown(report)
    assert exit_code(report) == expected["exit_code"]
    assert exit_code(scan(name, strict=True)) == expected["strict_exit_code"]


def fits(f: Finding, want: dict[str, Any], report: Report) -> bool:
    if f.rule != want["rule"]:
        return False
    if not Severity(want["at_least"]).rank <= f.severity.rank <= Severity(want["at_most"]).rank:
        return False
    if "onset" in want and not want["onset"][0] <= (f.first_step if f.onset is None else f.onset) <= want["onset"][1]:
        return False
    if "series" in want and want["series"] not in f.series:
        return False
    if "layer" in want and f.labels.get("layer") != want["layer"]:
        return False
    if "caused_by" in want:
        cause = next((one for one in report.findings if one.fingerprint == f.caused_by), None)
        return cause is not None and cause.rule == want["caused_by"]
    return True


def shown(report: Report) -> list[tuple[str, str, int | None, tuple[str, ...], str]]:
    return [(f.rule, f.severity.value, f.onset, f.series, f.message) for f in report.findings]
