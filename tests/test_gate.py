"""The gate as a CI job uses it: baseline, suppressions, expectations, profile, variables, cache (issue 6 items 1 to 3, issue 5 item 4)."""

import json
import shutil
from pathlib import Path

import pytest

from tests.test_cli import DIVERGING, HEALTHY, run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with one faulty and one healthy run."""
    shutil.copytree(DIVERGING, tmp_path / "runs" / "Apr29_09-30-18_host")
    shutil.copytree(HEALTHY, tmp_path / "runs" / "healthy")
    return tmp_path


def test_a_baseline_lets_old_findings_pass_and_new_ones_fail(project: Path) -> None:
    assert run("scan", "runs", cwd=project).returncode == 1
    written = run("baseline", "write", "runs", cwd=project)
    assert written.returncode == 0
    assert ".mlcheck-baseline.json: " in written.stdout
    after = run("scan", "runs", cwd=project)
    assert after.returncode == 0
    assert "baselined" in after.stdout
    assert run("scan", "runs", "--no-baseline", cwd=project).returncode == 1
    shutil.copytree(DIVERGING, project / "runs" / "other-model")
    assert run("scan", "runs", cwd=project).returncode == 1, "the same fault in another run is new"


def test_a_baseline_survives_a_new_timestamp_and_a_moved_directory(project: Path) -> None:
    run("baseline", "write", "runs", cwd=project)
    (project / "runs" / "Apr29_09-30-18_host").rename(project / "runs" / "May02_17-01-44_other")
    assert run("scan", "runs", cwd=project).returncode == 0
    moved = project / "elsewhere"
    moved.mkdir()
    (project / "runs").rename(moved / "runs")
    assert run("scan", "runs", "--baseline", project / ".mlcheck-baseline.json", cwd=moved).returncode == 0


def test_prune_takes_out_what_is_fixed_and_takes_in_nothing(project: Path) -> None:
    run("baseline", "write", "runs", cwd=project)
    before = json.loads((project / ".mlcheck-baseline.json").read_text())["findings"]
    shutil.rmtree(project / "runs" / "Apr29_09-30-18_host")
    shutil.copytree(HEALTHY, project / "runs" / "May02_17-01-44_host")
    shutil.copytree(DIVERGING, project / "runs" / "new")
    scanned = run("scan", "runs", cwd=project)
    assert "no longer there" in scanned.stdout
    assert run("baseline", "prune", "runs", cwd=project).returncode == 0
    left = json.loads((project / ".mlcheck-baseline.json").read_text())["findings"]
    assert left.keys() < before.keys()
    assert run("scan", "runs", cwd=project).returncode == 1


def test_prune_says_what_nobody_looked_at(project: Path) -> None:
    run("baseline", "write", "runs", cwd=project)
    lanes = [one["lane"] for one in json.loads((project / ".mlcheck-baseline.json").read_text())["findings"].values()]
    faulty = len(lanes) - lanes.count("healthy")
    assert faulty
    done = run("baseline", "prune", "runs/healthy", cwd=project)
    assert f"0 findings fixed and taken out, {len(lanes)} left ({faulty} of runs that were not scanned)" in done.stdout
    whole = run("baseline", "prune", "runs", cwd=project)
    assert whole.stdout.endswith(f"{len(lanes)} left\n")
    less = run("baseline", "prune", "runs", "--ignore", "LOS003", cwd=project)
    assert "left (1 whose rule was not judged)" in less.stdout


def test_a_baseline_that_is_named_and_not_there_is_a_usage_error(project: Path) -> None:
    done = run("scan", "runs", "--baseline", "nope.json", cwd=project)
    assert done.returncode == 2
    assert "nope.json: no such baseline" in done.stderr
    assert run("baseline", "prune", "runs", cwd=project).returncode == 2


def test_suppressions_need_a_reason_and_expire(project: Path) -> None:
    config = project / "mlcheck.toml"
    config.write_text('[[suppress]]\nrun = "runs*"\nrule = "*"\n')
    assert run("scan", "runs", cwd=project).returncode == 2
    entry = '[[suppress]]\nrun = "*Apr29*"\nrule = "*"\nreason = "known, see #12"\n'
    config.write_text(entry)
    done = run("scan", "runs", "--show-suppressed", cwd=project)
    assert done.returncode == 0
    assert "set aside" in done.stdout
    config.write_text(entry + "expires = 2020-01-01\n")
    done = run("scan", "runs", cwd=project)
    assert done.returncode == 1
    assert "expired on 2020-01-01" in done.stdout


def test_settings_of_some_runs(project: Path) -> None:
    (project / "mlcheck.toml").write_text('[[runs]]\nmatch = "Apr29*"\nregime = "gan"\n')
    done = run("scan", "runs", "-o", "json", cwd=project)
    regimes = {one["name"]: one["regime"] for one in json.loads(done.stdout)["runs"]}
    assert regimes["Apr29_09-30-18_host"] == "gan"
    assert regimes["healthy"] == "supervised"
    (project / "mlcheck.toml").write_text('[[runs]]\nmatch = "x"\nrules = {NOPE = {severity = "off"}}\n')
    assert run("scan", "runs", cwd=project).returncode == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rules.LOS003]\nsigma = 1", "LOS003 (loss-divergence) has no parameter 'sigma'; did you mean sigmas?"),
        ("[rules.LOS003]\nsigmas = 'many'", "LOS003.sigmas is 'many'; it must be a number"),
        ("[rules.LOSS003]\nsigmas = 3", "`rules.LOSS003`: no rule 'LOSS003'; did you mean LOS003?"),
        ("[[runs]]\nmatch = 'x'\nrules = {LOS003 = {sigma = 1}}", "has no parameter 'sigma'"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mlcheck.toml").write_text(text)
    done = run("scan", HEALTHY, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mlcheck: {tmp_path / 'mlcheck.toml'}: ")
    assert words in done.stderr


def test_the_longest_markdown_is_a_setting_of_scan_and_render(tmp_path: Path) -> None:
    def size(*arguments: object, **environment: str) -> int:
        done = run(*arguments, "-o", "markdown=out.md", cwd=tmp_path, **environment)
        assert done.returncode == 1, done.stderr
        return len((tmp_path / "out.md").read_text())

    whole = size("scan", DIVERGING, "-o", f"json={tmp_path / 'report.json'}")
    assert whole > 3_000
    (tmp_path / "mlcheck.toml").write_text("max-chars = 3000\n")
    for command in (("scan", DIVERGING), ("render", "report.json")):
        assert 2_000 < size(*command) <= 3_000
        assert size(*command, MLCHECK_MAX_CHARS="2000") <= 2_000
        assert size(*command, "--max-chars", "60000", MLCHECK_MAX_CHARS="2000") == whole
    shown = [line.split() for line in run("config", cwd=tmp_path).stdout.splitlines()]
    assert ["max-chars", "3000", str(tmp_path / "mlcheck.toml")] in shown


def test_where_nothing_was_judged_the_last_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,gpu_util\n" + "".join(f"{i},{50 + i}\n" for i in range(9)))
    done = run("scan", tmp_path, "--select", "loss")
    assert done.returncode == 0
    assert "nothing could be judged: no training loss" in done.stdout
    assert "exit 0: no finding at or above --fail-on error, and nothing could be judged" in done.stderr
    assert "healthy" not in run("scan", tmp_path, "--select", "NUM,loss").stdout
    unlogged = run("scan", tmp_path, "--select", "NUM003")
    assert "nothing could be judged: loss scale: none logged" in unlogged.stdout, (
        "not for want of a rule for the regime"
    )


@pytest.mark.parametrize(
    ("expectation", "code", "words"),
    [
        ("runs=1", 0, ""),
        ("runs=2", 2, "2 runs are expected, 1 found"),
        ("min-steps=100", 0, ""),
        ("min-steps=1000000", 2, "1,000,000 steps are expected"),
        ("metric=loss", 0, ""),
        ("metric=episode_reward", 2, "a series of role episode_reward is expected"),
        ("metric=los", 2, "did you mean loss"),
        ("run=1", 2, "did you mean runs"),
        ("runs=x", 2, "no number"),
    ],
)
def test_expect(expectation: str, code: int, words: str) -> None:
    done = run("scan", HEALTHY, "--expect", expectation)
    assert done.returncode == code
    assert words in done.stdout + done.stderr


def test_precedence_command_line_environment_file(project: Path) -> None:
    (project / "mlcheck.toml").write_text('fail-on = "never"\n')
    assert run("scan", "runs", cwd=project).returncode == 0
    assert run("scan", "runs", cwd=project, MLCHECK_FAIL_ON="error").returncode == 1
    assert run("scan", "runs", "--fail-on", "never", cwd=project, MLCHECK_FAIL_ON="error").returncode == 0
    shown = run("config", cwd=project, MLCHECK_JOBS="1").stdout
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert lines["fail-on"][1] == "never"
    assert lines["fail-on"][2].endswith("mlcheck.toml")
    assert lines["jobs"][1:] == ["1", "MLCHECK_JOBS"]
    assert lines["strict"][1:] == ["false", "default"]


def test_the_smoke_profile_fails_on_warnings_and_says_where_its_settings_come_from() -> None:
    assert run("scan", HEALTHY, "--profile", "smoke").returncode == 0
    assert run("scan", DIVERGING, "--profile", "smoke").returncode == 1
    assert "profile smoke" in run("config", "--profile", "smoke").stdout
    assert run("scan", HEALTHY, "--profile", "smok").returncode == 2


def test_the_cache_commands(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run("scan", HEALTHY, MLCHECK_CACHE_DIR=str(cache)).returncode == 0
    assert list(cache.glob("rules-*.pickle"))
    assert str(cache) in run("cache", "info", MLCHECK_CACHE_DIR=str(cache)).stdout
    # A small run is read faster than its columns would be opened: its findings are kept, by themselves and as a report.
    assert "2 entries" in run("cache", "info", MLCHECK_CACHE_DIR=str(cache)).stdout
    assert run("cache", "clear", MLCHECK_CACHE_DIR=str(cache)).stdout.startswith("removed 2 entries, ")
    assert run("cache", "clear", MLCHECK_CACHE_DIR=str(cache)).stdout == "removed 0 entries, 0.0 MB\n"
    other = tmp_path / "other"
    assert run("scan", HEALTHY, MLCHECK_NO_CACHE="1", MLCHECK_CACHE_DIR=str(other)).returncode == 0
    assert not other.exists()


def test_kept_rules_that_others_may_write_are_not_believed(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run("scan", HEALTHY, "--no-cache", MLCHECK_CACHE_DIR=str(cache))
    (kept,) = cache.glob("rules-*.pickle")
    good = kept.read_bytes()
    for damaged in (b"", good[:1000], b"not a pickle"):
        kept.write_bytes(damaged)
        assert run("scan", HEALTHY, "--no-cache", MLCHECK_CACHE_DIR=str(cache)).returncode == 0
    kept.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    kept.chmod(0o666)
    assert run("scan", HEALTHY, "--no-cache", MLCHECK_CACHE_DIR=str(cache)).returncode == 0
    assert not (tmp_path / "run").exists()
