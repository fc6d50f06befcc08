"""Runs against baseline runs, as a user and as a CI job hold them against each other (issue 8 item 1)."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mlcheck import api
from mlcheck.errors import UsageError
from mlcheck.report import Report, exit_code
from mlcheck.updates.runs import RunSettings, spread_margin
from mlcheck.work import ScanOptions
from tests.test_cli import run

STEPS = np.arange(0, 400, 10)


def write_run(
    path: Path, level: float, *, seed: int = 0, steps=STEPS, accuracy: float | None = None, seconds=1.0, lr=0.1
) -> Path:
    """A metrics.csv as a training loop writes it: validation loss falls to `level` with noise of 0.002."""
    path.mkdir(parents=True)
    noise = np.random.default_rng(seed).normal(0, 0.002, len(steps))
    losses = level + np.exp(-steps / 40) + noise
    lines = ["step,val_loss,timestamp" + (",val_accuracy" if accuracy is not None else "")]
    for step, loss in zip(steps, losses, strict=True):
        cells = [str(step), repr(float(loss)), repr(1_700_000_000 + seconds * float(step))]
        if accuracy is not None:
            cells.append(repr(accuracy * (1 - float(np.exp(-step / 40)))))
        lines.append(",".join(cells))
    (path / "metrics.csv").write_text("\n".join(lines) + "\n")
    (path / "hparams.yaml").write_text(f"lr: {lr}\nbatch_size: 32\n")
    return path


def compare(*paths: object, **options) -> Report:
    return api.compare([str(path) for path in paths], ScanOptions(**options))


def finding(report: Report, rule: str):
    (found,) = [one for one in report.findings if one.rule == rule]
    return found


def test_a_lone_run_that_is_clearly_worse_is_a_warning(tmp_path: Path) -> None:
    report = compare(write_run(tmp_path / "base", 0.30), write_run(tmp_path / "new", 0.36, seed=1))
    found = finding(report, "CMP002")
    assert found.severity == "warning"
    assert found.value == pytest.approx(0.36, abs=0.01)
    assert found.limit == pytest.approx(0.30, abs=0.01)
    assert exit_code(report) == 0


def test_a_difference_within_two_per_cent_passes(tmp_path: Path) -> None:
    report = compare(write_run(tmp_path / "base", 0.30), write_run(tmp_path / "new", 0.302, seed=1))
    assert not report.findings
    assert [one.outcome for one in report.outcomes if one.rule == "CMP002"] == ["passed"]


def test_repeated_runs_give_the_spread_that_an_error_must_exceed(tmp_path: Path) -> None:
    for seed, level in enumerate((0.30, 0.31, 0.32)):
        write_run(tmp_path / f"base-{seed}", level, seed=seed)
        write_run(tmp_path / f"near-{seed}", level + 0.01, seed=seed + 10)
        write_run(tmp_path / f"far-{seed}", level + 0.08, seed=seed + 20)
    near = compare(tmp_path / "base-*", tmp_path / "near-*")
    assert not near.findings, "as far apart as the seeds themselves"
    far = compare(tmp_path / "base-*", tmp_path / "far-*")
    found = finding(far, "CMP002")
    assert found.severity == "error"
    assert found.run == "far (3 runs)"
    assert exit_code(far) == 1


def test_the_margin_is_the_prediction_interval_of_a_mean() -> None:
    base, new = np.array([1.0, 2.0, 3.0]), np.array([5.0])
    # s = 1, two degrees of freedom, t(0.975) = 4.30265 (any table), sqrt(1/3 + 1).
    assert spread_margin(base, new, 0.95) == pytest.approx(4.30265 * np.sqrt(4 / 3), rel=1e-5)
    assert spread_margin(base[:2], new, 0.95) is None


def test_values_are_compared_up_to_where_the_shorter_side_ends(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.30, steps=np.arange(0, 4000, 10))
    early = write_run(tmp_path / "new", 0.30, seed=1, steps=np.arange(0, 100, 10))
    report = compare(base, early)
    assert not report.findings, "by step 90 the baseline was no better"


def test_a_better_metric_takes_the_sting_from_a_worse_loss(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.30, accuracy=0.80)
    new = write_run(tmp_path / "new", 0.36, seed=1, accuracy=0.90)
    assert finding(compare(base, new), "CMP002").severity == "info"


def test_slower_steps_are_a_warning(tmp_path: Path) -> None:
    report = compare(write_run(tmp_path / "base", 0.3), write_run(tmp_path / "new", 0.3, seconds=2.0))
    assert finding(report, "CMP004").value == pytest.approx(2.0)


def test_by_time_a_slower_run_is_worse(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.3, steps=np.arange(0, 100, 2))
    new = write_run(tmp_path / "new", 0.3, seed=1, steps=np.arange(0, 100, 2), seconds=4.0)
    by_step = compare(base, new, select=("CMP002",))
    by_time = compare(base, new, select=("CMP002",), run_settings=RunSettings(align="time"))
    assert not by_step.findings
    assert finding(by_time, "CMP002").severity == "warning"


def test_settings_that_differ_are_listed(tmp_path: Path) -> None:
    report = compare(write_run(tmp_path / "base", 0.3), write_run(tmp_path / "new", 0.3, lr=0.01))
    (note,) = [one.text for one in report.notes if one.kind == "settings"]
    assert "lr: 0.1, now 0.01" in note
    assert "batch_size" not in note


def write_rates(path: Path, rate: float, stated: str = "", decay: float = 1.0) -> Path:
    """A run that logs its learning rate as a scalar, and states none unless `stated` does."""
    path.mkdir(parents=True)
    lines = [
        "step,val_loss,lr",
        *(f"{step},{0.3 + np.exp(-step / 40)},{rate * decay**step}" for step in STEPS.tolist()),
    ]
    (path / "metrics.csv").write_text("\n".join(lines) + "\n")
    if stated:
        (path / "hparams.yaml").write_text(stated)
    return path


def test_a_learning_rate_that_is_only_logged_is_a_setting_that_differs(tmp_path: Path) -> None:
    base, new = write_rates(tmp_path / "base", 0.01), write_rates(tmp_path / "new", 0.003)
    (note,) = [one for one in compare(base, new).notes if one.kind == "settings"]
    assert note.text == "settings that differ: highest lr: 0.01, now 0.003"


def test_a_learning_rate_that_is_stated_is_said_once_and_an_equal_one_not_at_all(tmp_path: Path) -> None:
    stated = [write_rates(tmp_path / f"stated{rate}", rate, f"lr: {rate}\n") for rate in (0.01, 0.003)]
    (note,) = [one for one in compare(*stated).notes if one.kind == "settings"]
    assert "highest" not in note.text
    assert "0.01, now 0.003" in note.text
    equal = [write_rates(tmp_path / f"decay{decay}", 0.01, decay=decay) for decay in (1.0, 0.99)]
    assert not [one for one in compare(*equal).notes if one.kind == "settings"]


def test_every_format_says_which_quantity_is_worse(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.3, accuracy=0.9)
    broken = write_run(tmp_path / "new", 0.3, accuracy=0.9)
    lines = (broken / "metrics.csv").read_text().splitlines()
    lines = [*lines[:20], *(",".join([one.split(",")[0], "nan", one.split(",")[2], "nan"]) for one in lines[20:])]
    (broken / "metrics.csv").write_text("\n".join(lines) + "\n")
    outputs = {name: tmp_path / f"report.{name}" for name in ("terminal", "markdown", "github", "html", "junit")}
    arguments = [word for name, path in outputs.items() for word in ("-o", f"{name}={path}")]
    result = run("compare", base, broken, *arguments, cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    for name, path in outputs.items():
        text = " ".join(path.read_text().split())
        assert re.search("2 series, such as val (loss|accuracy)", text) or name == "junit", name
        assert "100% of the runs" not in text, name
        assert "CMP002: </summary>" not in text, name


def test_runs_expected_to_be_identical(tmp_path: Path) -> None:
    base, same = write_run(tmp_path / "base", 0.3), write_run(tmp_path / "same", 0.3)
    other = write_run(tmp_path / "other", 0.3, seed=1)
    assert not compare(base, same, identical=True).findings
    assert finding(compare(base, other, identical=True), "CMP001").onset == 0
    assert not [one for one in compare(base, other).outcomes if one.rule == "CMP001"], "only where it is asked for"


def test_a_scan_holds_each_run_against_the_baseline_run(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.30)
    write_run(tmp_path / "runs" / "one", 0.30, seed=1)
    write_run(tmp_path / "runs" / "two", 0.40, seed=2)
    options = ScanOptions(baseline_runs=(str(base),), comparing="also")
    report = api.scan([tmp_path / "runs"], options)
    assert [one.run.split("/")[-1] for one in report.findings if one.rule == "CMP002"] == ["two"]
    assert any(one.rule.startswith("LOS") for one in report.outcomes), "and all other rules as ever"


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", 0.3)
    new = tmp_path / "new"
    new.mkdir()
    (new / "metrics.csv").write_text("step,gpu_util\n" + "\n".join(f"{step},50" for step in range(30)) + "\n")
    with pytest.raises(UsageError, match="nothing is logged in both"):
        compare(base, new)
    assert run("compare", base, new, cwd=tmp_path).returncode == 2


def test_a_run_that_ends_in_nan_is_worse_than_one_that_does_not(tmp_path: Path) -> None:
    base, new = write_run(tmp_path / "base", 0.3), write_run(tmp_path / "new", 0.3, seed=1)
    rows = (new / "metrics.csv").read_text().splitlines()
    broken = [
        line if number < 25 else f"{line.split(',')[0]},nan,{line.split(',')[2]}" for number, line in enumerate(rows)
    ]
    (new / "metrics.csv").write_text("\n".join(broken) + "\n")
    assert finding(compare(base, new), "CMP002").severity == "error"


def test_a_dump_is_no_baseline_run(tmp_path: Path) -> None:
    write_run(tmp_path / "new", 0.3)
    (tmp_path / "predictions.csv").write_text("example_id,label,prediction\n1,0,0\n")
    result = run("scan", "new", "--baseline-run", "predictions.csv", cwd=tmp_path)
    assert result.returncode == 2
    assert "holds predictions" in result.stderr


def test_identical_with_nothing_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "new", 0.3)
    assert run("scan", "new", "--expect-identical", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("paths", [["missing", "base"], ["base"], ["base", "new", "third"], []])
def test_what_cannot_be_compared_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str]
) -> None:
    write_run(tmp_path / "base", 0.3)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no such file|mlcheck compare"):
        api.compare(paths)


def test_the_command_writes_reports_and_exits_as_a_scan_does(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / f"base-{seed}", 0.30 + 0.001 * seed, seed=seed)
        write_run(tmp_path / f"new-{seed}", 0.40 + 0.001 * seed, seed=seed + 5)
    result = run("compare", "base-*", "new-*", "-o", "terminal", "-o", "json=report.json", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    assert "it is worse than its baseline" in result.stdout
    assert "Measured:" in result.stdout
    measured = json.loads((tmp_path / "report.json").read_text())["measurements"]
    (best,) = [one for one in measured if one["statistic"] == "best"]
    assert best["value"] == pytest.approx(0.40, abs=0.01)
    assert best["base"] == pytest.approx(0.30, abs=0.01)
    assert run("compare", "base-0", "nowhere", cwd=tmp_path).returncode == 3
