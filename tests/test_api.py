"""Scanning from Python."""

from pathlib import Path

import pytest

from mlcheck import api, work
from mlcheck.errors import ConfigError, UsageError
from mlcheck.settings import RoleSetting, RuleSettings, Settings

FIXTURES = Path(__file__).parent.parent / "fixtures"


def test_a_pool_gives_the_same_report(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlcheck.reporters.json import dumps

    alone = dumps(api.scan([FIXTURES]))
    monkeypatch.setattr(work, "POOL_BYTES", 0)
    assert dumps(api.scan([FIXTURES], api.ScanOptions(jobs=2))) == alone


def test_progress_is_told_of_each_run() -> None:
    told: list[tuple[int, int, str]] = []
    api.scan([FIXTURES / "stalled", FIXTURES / "overfit"], progress=lambda *one: told.append(one))
    assert told == [(0, 2, "stalled"), (1, 2, "overfit")]


def test_roles_of_the_settings() -> None:
    settings = Settings(roles=[RoleSetting("eval/loss", "other")])
    report = api.scan([FIXTURES / "overfit"], api.ScanOptions(settings=settings))
    assert {s.name: s.role for s in report.series}["eval/loss"] == "other"
    assert all(f.rule != "GEN001" for f in report.findings)
    wrong = Settings(roles=[RoleSetting("eval/loss", "los")], path="mlcheck.toml")
    with pytest.raises(ConfigError, match="did you mean loss"):
        api.scan([FIXTURES / "overfit"], api.ScanOptions(settings=wrong))


def test_rules_of_the_settings() -> None:
    off = Settings(rules={"overfit": RuleSettings("off")})
    report = api.scan([FIXTURES / "overfit"], api.ScanOptions(settings=off))
    assert all(rule.id != "GEN001" for rule in report.rules)
    info = Settings(rules={"GEN001": RuleSettings("info", {"patience": 4})})
    report = api.scan([FIXTURES / "overfit"], api.ScanOptions(settings=info))
    assert [(f.severity.value, f.params["patience"]) for f in report.findings if f.rule == "GEN001"] == [("info", 4.0)]


def test_a_run_name_is_for_one_run() -> None:
    named = api.scan([FIXTURES / "overfit"], api.ScanOptions(run_name="nightly"))
    assert [(run.name, run.lane) for run in named.runs] == [("nightly", "nightly")]
    with pytest.raises(UsageError, match="NAME=PATH"):
        api.scan([FIXTURES], api.ScanOptions(run_name="nightly"))


def test_the_fingerprint_survives_another_place_and_changes_with_the_series(tmp_path: Path) -> None:
    import shutil

    one = tmp_path / "a" / "Apr29_09-30-18_host"
    other = tmp_path / "b" / "May03_22-01-59_otherhost"
    for target in (one, other):
        shutil.copytree(FIXTURES / "overfit", target)
    prints = [{f.fingerprint for f in api.scan([place.parent]).findings} for place in (one, other)]
    assert prints[0] == prints[1]
    assert len(prints[0]) > 0
