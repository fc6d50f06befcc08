"""Limits from a project's own good runs (issue 7 item 4)."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from mlcheck import api
from mlcheck.errors import UsageError
from mlcheck.learning import as_toml, learn
from mlcheck.settings import load
from mlcheck.work import ScanOptions
from tests.test_cli import run
from tests.test_compare import write_run


def good_runs(path: Path, count: int = 5) -> Path:
    for seed in range(count):
        write_run(path / f"exp_{seed}", 0.30 + 0.003 * seed, seed=seed)
    return path


def scanned(path: Path, limits: Path, **options):
    return api.scan([path], ScanOptions(settings=load(limits), **options))


def limits_of(path: Path, tmp_path: Path, **options) -> Path:
    written = tmp_path / "limits.toml"
    written.write_text(as_toml(learn([str(path)], ScanOptions(**options))))
    return written


def test_a_run_that_stays_inside_is_quiet_and_one_that_leaves_says_by_how_much(tmp_path: Path) -> None:
    limits = limits_of(good_runs(tmp_path / "good"), tmp_path)
    inside = scanned(write_run(tmp_path / "inside" / "exp_7", 0.305, seed=50), limits)
    assert not [one for one in inside.findings if one.rule == "RUN011"]
    outside = scanned(write_run(tmp_path / "outside" / "exp_8", 0.50, seed=51), limits)
    found = {one.labels["feature"]: one for one in outside.findings if one.rule == "RUN011"}
    assert found.keys() == {"best val_loss", "final val_loss"}
    best = found["best val_loss"]
    assert best.value == pytest.approx(0.50, abs=0.01)
    assert f"by {best.value - best.limit:.2g}" in best.message


def test_the_bound_lies_beyond_the_worst_good_run_by_noise_and_spread(tmp_path: Path) -> None:
    path = tmp_path / "good"
    finals = []
    for seed in range(4):
        level = 1.0 + 0.1 * seed
        (path / f"exp_{seed}").mkdir(parents=True)
        lines = [f"{step},{level!r}" for step in range(30)]
        (path / f"exp_{seed}" / "metrics.csv").write_text("step,val_loss\n" + "\n".join(lines) + "\n")
        finals.append(level)
    table = tomllib.loads(as_toml(learn([str(path)], ScanOptions())))
    (final,) = [one for one in table["limits"] if one["statistic"] == "final"]
    # Without noise: half of the range (0.3) beyond the worst (1.3).
    assert final["high"] == pytest.approx(1.3 + 0.15)
    assert final["usual"] == pytest.approx(float(np.median(finals)))
    assert final["runs"] == 4


def test_a_rule_that_fails_on_good_runs_is_relaxed_until_it_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "good"
    for seed in range(3):
        write_run(path / f"exp_{seed}", 0.3, seed=seed, steps=np.arange(0, 4000, 10))
        table = (path / f"exp_{seed}" / "metrics.csv").read_text().splitlines()
        slow = [line.split(",") for line in table[1:]]
        for row, cells in enumerate(slow):
            # Three quarters of the speed in the last third.
            cells[2] = repr(1.7e9 + 10 * row + max(0, row - 270) * 3.5)
        (path / f"exp_{seed}" / "metrics.csv").write_text("\n".join([table[0], *(",".join(cells) for cells in slow)]))
    before = api.scan([path], ScanOptions(select=("RUN004",)))
    assert {one.severity for one in before.findings} == {"warning"}
    limits = limits_of(path, tmp_path)
    rules = tomllib.loads(limits.read_text())["runs"][0]["rules"]
    assert rules.keys() == {"RUN004"}
    after = scanned(path, limits, select=("RUN004",))
    assert not [one for one in after.findings if one.severity != "info"]


def test_a_limit_whose_series_is_not_there_is_not_kept_but_skipped(tmp_path: Path) -> None:
    limits = limits_of(good_runs(tmp_path / "good"), tmp_path)
    other = tmp_path / "exp_9"
    other.mkdir()
    (other / "metrics.csv").write_text("step,eval_loss\n" + "\n".join(f"{step},0.9" for step in range(30)) + "\n")
    report = scanned(other, limits, select=("RUN011",))
    assert {one.outcome for one in report.outcomes} == {"skipped"}
    assert "has no series val_loss" in " ".join(one.reason or "" for one in report.outcomes)


def test_a_run_with_errors_is_named(tmp_path: Path) -> None:
    good_runs(tmp_path / "good", 3)
    bad = write_run(tmp_path / "good" / "exp_bad", 0.3)
    rows = (bad / "metrics.csv").read_text().splitlines()
    nan = [line if at < 20 else f"{line.split(',')[0]},nan,{line.split(',')[2]}" for at, line in enumerate(rows)]
    (bad / "metrics.csv").write_text("\n".join(nan) + "\n")
    assert learn([str(tmp_path / "good")], ScanOptions()).doubtful == {"exp_bad": ["non-finite"]}


def test_two_runs_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 good runs at least, 2 found"):
        learn([str(good_runs(tmp_path / "good", 2))], ScanOptions())


def test_names_of_series_are_harmless_in_the_file(tmp_path: Path) -> None:
    for seed in range(3):
        directory = tmp_path / "good" / f"exp_{seed}"
        directory.mkdir(parents=True)
        rows = [f'{{"step": {step}, "val/loss \\"]\\u202e": {1 / (1 + step)}}}' for step in range(30)]
        (directory / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    limits = limits_of(tmp_path / "good", tmp_path)
    assert limits.read_text().isascii()
    assert {one.series for one in load(limits).limits} == {'val/loss "]\u202e'}


def test_the_command_writes_what_config_reads(tmp_path: Path) -> None:
    good_runs(tmp_path / "good")
    write_run(tmp_path / "exp_9", 0.5)
    assert run("learn", "good", "-o", "limits.toml", cwd=tmp_path).returncode == 0
    result = run("scan", "exp_9", "--config", "limits.toml", "--fail-on", "warning", cwd=tmp_path)
    assert result.returncode == 1
    assert "leaves what good runs of its kind reached" in result.stdout
    again = run("learn", "good", cwd=tmp_path).stdout
    assert again == (tmp_path / "limits.toml").read_text()


def test_series_that_too_few_runs_have_under_one_name_are_named(tmp_path: Path) -> None:
    for number, name in enumerate(("train/loss", "train__loss", "loss", "train_loss")):
        (tmp_path / f"exp{number}a").mkdir()
        rows = "".join(f"{step},{1 / (step + 1)},{0.5 / (step + 1)}\n" for step in range(30))
        (tmp_path / f"exp{number}a" / "metrics.csv").write_text(f"step,{name},val_loss\n{rows}")
    found = learn([str(tmp_path)], ScanOptions())
    assert {one.series for one in found.limits} == {"val_loss"}
    assert set(found.unlearned) == {"train/loss", "train__loss", "loss", "train_loss"}
    done = run("learn", tmp_path, "-o", tmp_path / "limits.toml")
    assert done.returncode == 0
    assert "no limit for loss, train/loss, train__loss, train_loss: fewer than 3 good runs" in done.stderr
