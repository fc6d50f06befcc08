"""Repeated runs judged together (language.md fix 5)."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlcheck import api
from mlcheck.errors import ConfigError
from mlcheck.settings import Group, Settings, load
from mlcheck.work import ScanOptions


def runs(path: Path, faulty: int, of: int = 5) -> Path:
    """Runs of which some end in NaN."""
    for seed in range(of):
        directory = path / f"lr1-seed{seed}"
        directory.mkdir(parents=True)
        values = [str(1.0 - step / 100) for step in range(60)]
        if seed < faulty:
            values[40:] = ["nan"] * 20
        lines = [f"{step},{value}" for step, value in enumerate(values)]
        (directory / "metrics.csv").write_text("step,train_loss\n" + "\n".join(lines) + "\n")
    return path


def severities(path: Path, across: str, pattern: str = r"seed(\d+)") -> list[str]:
    settings = Settings(groups=(Group(pattern, across),))
    report = api.scan([path], ScanOptions(settings=settings, select=("NUM001",)))
    return [str(one.severity) for one in report.findings]


@pytest.mark.parametrize(
    ("across", "faulty", "stands"),
    [("any", 1, True), ("all", 4, False), ("all", 5, True), ("majority", 2, False), ("majority", 3, True)],
)
def test_as_many_runs_must_fail_as_the_group_asks_for(tmp_path: Path, across: str, faulty: int, stands: bool) -> None:
    found = severities(runs(tmp_path, faulty), across)
    assert len(found) == faulty
    assert set(found) == {"error" if stands else "info"}


def test_runs_that_differ_elsewhere_are_another_group(tmp_path: Path) -> None:
    runs(tmp_path, 0)
    other = runs(tmp_path / "other", 1, of=1)
    (other / "lr1-seed0").rename(tmp_path / "lr2-seed0")
    assert severities(tmp_path, "all", r"lr\d-seed(\d+)") == ["error"], "the only seed of lr2"


def test_the_reason_says_in_how_many(tmp_path: Path) -> None:
    settings = Settings(groups=(Group(r"seed(\d+)", "all"),))
    report = api.scan([runs(tmp_path, 2)], ScanOptions(settings=settings, select=("NUM001",)))
    assert {one.reasons[-1] for one in report.findings} == {"in 2 of 5 runs of its group"}
    assert replace(report, findings=()).summary.exit_code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('pattern = "seed["', "no regular expression"),
        ('pattern = "seed"', "has no group"),
        ('pattern = "seed(.)"\nacross = "most"', "must be one of any, majority, all"),
        ("across = 'all'", "must be text"),
    ],
)
def test_a_wrong_group_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mlcheck.toml").write_text(f"[[groups]]\n{text}\n")
    with pytest.raises(ConfigError, match=says):
        load(tmp_path / "mlcheck.toml")
