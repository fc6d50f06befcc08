"""The command line as a user and a CI job meet it: real processes, real files, exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
DIVERGING, HEALTHY = FIXTURES / "diverging", FIXTURES / "healthy-classifier"


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-m", "mlcheck", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or ROOT,
        env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **environment},
        timeout=60,
        check=False,
    )


def test_help_imports_neither_numpy_nor_pyarrow() -> None:
    code = (
        "import sys; from mlcheck.cli import run; run(['--help']); run(['scan', '--help']);"
        "heavy = {'numpy', 'pyarrow', 'bottleneck', 'google', 'tensorboard', 'ruamel'} & "
        "{name.split('.')[0] for name in sys.modules}; sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout


def test_a_faulty_run_exits_1_and_a_healthy_one_0() -> None:
    faulty = run("scan", DIVERGING)
    assert faulty.returncode == 1
    assert "LOS003" in faulty.stdout
    assert "exit 1" in faulty.stderr
    healthy = run("scan", FIXTURES / "keras-healthy", COLUMNS="160")
    assert healthy.returncode == 0, healthy.stdout
    verdict, *coverage = healthy.stdout.splitlines()
    assert verdict.startswith("keras-healthy: healthy. Best val loss ")
    assert coverage[0].startswith("Checked ")
    assert " · " not in healthy.stdout, "a healthy run is its verdict and its coverage, no table"


def test_documents_on_stdout_talk_on_stderr(tmp_path: Path) -> None:
    done = run("scan", DIVERGING, "-o", "json", "-o", f"markdown={tmp_path / 'report.md'}")
    assert done.returncode == 1
    assert json.loads(done.stdout)["schema"] == "mlcheck.report/1"
    assert (tmp_path / "report.md").read_text().startswith("<!-- mlcheck -->")
    assert "exit 1" in done.stderr


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first = run("scan", FIXTURES, "-o", "json")
    second = run("scan", FIXTURES, "-o", "json", cwd=tmp_path)
    assert first.stdout == second.stdout
    assert str(ROOT) not in first.stdout


@pytest.mark.parametrize(("limit", "code"), [("error", 1), ("never", 0), ("info", 1), ("warning", 1)])
def test_fail_on(limit: str, code: int) -> None:
    assert run("scan", DIVERGING, "--fail-on", limit).returncode == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--select", "NUM01"], "did you mean NUM001?"),
        (["--select", "overfitt"], "did you mean overfit?"),
        (["--ignore", "XYZ"], "XYZ"),
        (["--set", "RUN002.treshold=3"], "did you mean threshold?"),
        (["--set", "RUN002.threshold=abc"], "a number"),
        (["--set", "RUN002.threshold=-1"], "out of its range"),
        (["--set", "RUN002"], "RULE.param=value"),
        (["--regime", "supervized"], "did you mean supervised?"),
        (["-o", "jsn=x"], "did you mean json?"),
        (["-o", "json=no/such/dir/x.json"], "does not exist"),
        (["-o", "json", "-o", "markdown"], "standard output"),
        (["--config", "nothing.toml"], "no such file"),
        (["--rules", "nothing"], "no such file"),
        (["--fail-on", "fatal"], "error"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_usage_errors_exit_2_with_the_nearest_names(arguments: list[str], words: str) -> None:
    done = run("scan", HEALTHY, *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_key_in_the_config(tmp_path: Path) -> None:
    (tmp_path / "mlcheck.toml").write_text("fail_on = 'never'\n")
    done = run("scan", DIVERGING, cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean fail-on?" in done.stderr
    (tmp_path / "mlcheck.toml").write_text("fail-on = 'never'\n")
    assert run("scan", DIVERGING, cwd=tmp_path).returncode == 0
    (tmp_path / "mlcheck.toml").write_text("[rules.NUM0001]\nseverity = 'off'\n")
    assert "did you mean NUM001?" in run("scan", DIVERGING, cwd=tmp_path).stderr


def test_a_path_that_is_not_there_is_3_alone_and_1_beside_a_finding(tmp_path: Path) -> None:
    alone = run("scan", tmp_path / "nothing")
    assert alone.returncode == 3
    assert "no such file or directory" in " ".join(alone.stdout.split())
    assert "no such file or directory" in run("scan", tmp_path / "nothing", "-o", "json").stderr
    beside = run("scan", tmp_path / "nothing", DIVERGING)
    assert beside.returncode == 1
    assert "no such file or directory" in " ".join(beside.stdout.split())
    assert "LOS003" in beside.stdout
    assert run("scan", tmp_path / "nothing", HEALTHY).returncode == 3
    assert run("scan", tmp_path / "nothing", "--allow-empty").returncode == 0


def test_a_file_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    done = run("scan", tmp_path / "notes.txt")
    assert done.returncode == 3
    assert "looked for TensorBoard event files" in " ".join(done.stdout.split())


def test_a_directory_of_files_that_hold_nothing_names_each_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1.a").touch()
    (tmp_path / "events.out.tfevents.2.b").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
    )
    (tmp_path / "events.out.tfevents.3.c.meta").write_text('{"guid": "1"}\n')
    done = run("scan", tmp_path)
    assert done.returncode == 3
    for words in ("empty file", "Git LFS pointer", "git lfs pull", "events.out.tfevents.3.c.meta"):
        assert words in " ".join(done.stdout.split()), done.stdout


def test_strict(tmp_path: Path) -> None:
    assert run("scan", FIXTURES / "hole-in-middle", "--strict").returncode == 3
    assert run("scan", FIXTURES / "cut-tail", "--strict").returncode == 0


def test_an_uncaught_exception_is_2_and_the_traceback_comes_with_v(tmp_path: Path) -> None:
    broken = tmp_path / "mlcheck_broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import importlib.abc, sys\n"
        "class Raise(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'mlcheck.api': raise RuntimeError('planted')\n"
        "sys.meta_path.insert(0, Raise())\n"
    )
    path = f"{broken}{os.pathsep}{ROOT}"
    done = run("scan", HEALTHY, PYTHONPATH=path)
    assert done.returncode == 2
    assert "planted" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in run("scan", HEALTHY, "-v", PYTHONPATH=path).stderr


def test_a_closed_pipe_keeps_the_exit_code_and_says_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "mlcheck", "scan", str(DIVERGING), "-q"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_interrupted() -> None:
    code = (
        "import time, mlcheck.api as a, sys\n"
        "a.scan = lambda *x: (print('started', file=sys.stderr, flush=True), time.sleep(30))\n"
        "from mlcheck.__main__ import main; sys.argv[1:] = ['scan', '.']; main()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(10) == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest


def test_colours() -> None:
    assert "\x1b[" not in run("scan", DIVERGING).stdout
    assert "\x1b[" in run("scan", DIVERGING, FORCE_COLOR="1").stdout
    assert "\x1b[" not in run("scan", DIVERGING, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" in run("scan", DIVERGING, "--color", "always", NO_COLOR="1").stdout
    assert "\x1b[" not in run("scan", DIVERGING, "-o", "markdown", "--color", "always").stdout


def test_inspect_shows_roles_regime_and_sources() -> None:
    done = run("inspect", HEALTHY)
    assert done.returncode == 0
    for words in ("supervised", "loss", "train", "val"):
        assert words in done.stdout


def test_rules_and_explain() -> None:
    listed = run("rules")
    assert listed.returncode == 0
    for rule in ("NUM001", "LOS001", "LOS003", "GEN001", "OPT001", "RUN001", "RUN002", "RUN006"):
        assert rule in listed.stdout
    explained = run("explain", "overfit")
    assert explained.returncode == 0
    for words in ("GEN001", "What it does", "What to try", "patience", "References"):
        assert words in explained.stdout
    unknown = run("explain", "overfitt")
    assert unknown.returncode == 2
    assert "did you mean overfit?" in unknown.stderr


def test_mlcheck_test(tmp_path: Path, rule_text: str) -> None:
    good, bad, broken = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "broken.yaml"
    good.write_text(rule_text)
    bad.write_text(rule_text.replace("last: 9", "last: 8"))
    broken.write_text(rule_text.replace("loss > top", "loss > topp"))
    assert run("test", good).stdout.strip() == "2 passed, 0 failed"
    failed = run("test", bad)
    assert failed.returncode == 1
    assert "1 passed, 1 failed" in failed.stdout
    assert "'last': 8" in failed.stdout
    done = run("test", broken, good)
    assert done.returncode == 2
    assert "did you mean top?" in done.stderr
    assert run("test").returncode == 0


def test_rules_of_a_directory(tmp_path: Path, rule_text: str) -> None:
    (tmp_path / "mine.yaml").write_text(rule_text.replace("top: {default: 2", "top: {default: 0"))
    done = run("scan", HEALTHY, "--rules", tmp_path, "--select", "TST")
    assert done.returncode == 0
    assert "loss-too-high" in done.stdout


def test_a_rule_that_raises_is_errored_and_the_others_are_still_judged(tmp_path: Path, rule_text: str) -> None:
    raising = rule_text.replace("loss > top", "rolling_mean(loss, loss) > top")
    (tmp_path / "raises.yaml").write_text(raising)
    done = run("scan", HEALTHY, "--rules", tmp_path, "-o", "json")
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert [o["rule"] for o in report["outcomes"] if o["outcome"] == "errored"] == ["TST001"]
    assert any(o["rule"] == "NUM001" and o["outcome"] == "passed" for o in report["outcomes"])
    assert report["summary"]["exit_reason"] == ["rule-error"]


def test_require() -> None:
    done = run("scan", FIXTURES / "stalled", "--require", "GEN001,NUM001")
    assert done.returncode in (0, 2)
    assert run("scan", HEALTHY, "--require", "GEN001").returncode == 0


def test_completion_is_there() -> None:
    done = run("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "mlcheck" in done.stdout


def test_a_value_that_an_option_does_not_have_is_said_in_plain_words() -> None:
    done = run("scan", "--fail-on", "nothing")
    assert done.returncode == 2
    assert "Invalid value for '--fail-on': 'nothing' is not one of 'error', 'warning', 'info', 'never'." in done.stderr
