"""What a hostile or broken surrounding does to the command: never a traceback, never exit 1 without a finding."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_cli import DIVERGING, FIXTURES, HEALTHY, ROOT, run

STALLED = FIXTURES / "stalled"


def shell(command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    text = command.replace("mlcheck", f"{sys.executable} -m mlcheck", 1)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["/bin/bash", "-c", text], capture_output=True, text=True, cwd=cwd, env=env, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"mlcheck scan {STALLED} 2>&-", 0),
        (f"mlcheck scan {STALLED} 2>/dev/full", 0),
        ("mlcheck scan nope 2>&-", 3),
        ("mlcheck --nope 2>&-", 2),
        (f"mlcheck scan {STALLED} >/dev/full", 2),
        (f"mlcheck scan {STALLED} >&-", 2),
        (f"mlcheck scan {DIVERGING} >/dev/full", 1),
        (f"mlcheck scan {DIVERGING} >&-", 1),
        ("mlcheck --help | true; exit ${PIPESTATUS[0]}", 0),
        ("mlcheck rules | head -1 >/dev/null; exit ${PIPESTATUS[0]}", 0),
        (f"mlcheck scan {DIVERGING} | true; exit ${{PIPESTATUS[0]}}", 1),
    ],
)
def test_streams_that_are_closed_or_full(command: str, code: int) -> None:
    done = shell(command)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of mlcheck" not in done.stderr


def test_a_document_that_cannot_be_written_hides_no_finding(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    done = run("scan", DIVERGING, "-o", f"json={tmp_path / 'directory'}")
    assert done.returncode == 1
    assert "LOS003" in done.stdout
    assert "cannot be written" in done.stderr
    assert run("scan", HEALTHY, "-o", f"json={tmp_path / 'directory'}").returncode == 2


def test_what_is_no_regular_file_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe, link, target, kept = (tmp_path / name for name in ("pipe", "link", "target", "kept"))
    os.mkfifo(pipe)
    with subprocess.Popen(["timeout", "30", "cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        assert run("scan", HEALTHY, "-o", f"markdown={pipe}").returncode == 0
        assert reader.communicate(timeout=40)[0].startswith("<!-- mlcheck -->")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    target.touch()
    link.symlink_to(target)
    kept.touch(mode=0o600)
    run("scan", HEALTHY, "-o", f"markdown={link}", "-o", f"json={kept}")
    assert link.is_symlink()
    assert target.read_text().startswith("<!-- mlcheck -->")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", ""], "empty path"),
        (["scan", "name="], "no such file"),
        (["scan", str(HEALTHY), "--select", ","], "names no rule"),
        (["scan", str(HEALTHY), "--require", ""], "names no rule"),
        (["scan", str(HEALTHY), "--run-name", " "], "empty"),
        (["scan", str(HEALTHY), "-o", "json=/tmp/x.json", "-o", "markdown=/tmp/x.json"], "already"),
        (["scan", str(HEALTHY), "--set", "RUN002.threshold=inf"], "number"),
        (["scan", "x" * 300], "too long"),
    ],
)
def test_empty_and_odd_values(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode in (2, 3)
    assert words in " ".join((done.stdout + done.stderr).split())
    assert "fault of mlcheck" not in done.stderr


@pytest.mark.parametrize(
    "text",
    ["tool = 3", "[tool]\nmlcheck = 3", "a = " + "[" * 5000, "[tool.mlcheck.rules.RUN002]\nthreshold = " + "9" * 400],
)
def test_config_that_is_not_what_it_should_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    done = run("scan", HEALTHY, cwd=tmp_path)
    assert done.returncode in (0, 2)
    assert "fault of mlcheck" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_reason_is_said_even_when_quiet(tmp_path: Path) -> None:
    assert "nope" in run("scan", "nope", HEALTHY, "-q").stderr


def test_a_pipe_among_rule_files_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    done = run("scan", HEALTHY, "--rules", tmp_path)
    assert done.returncode == 2
    assert "no regular file" in done.stderr


POOL = """
import sys, mlcheck.work as work
work.POOL_BYTES = 0
if __name__ == "__main__":
    from mlcheck.__main__ import main
    sys.argv[1:] = ["scan", "fixtures", "--jobs", "2", *sys.argv[1:]]
    main()
"""


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [int(word) for word in listed.split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, number: int) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env
    ) as process:
        deadline = time.monotonic() + 20
        while len(children := _children(process.pid)) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode in (0, 1, 130, 128 + signal.SIGTERM)
    time.sleep(0.5)
    alive = [
        pid
        for pid in children
        if Path(f"/proc/{pid}/cmdline").exists() and b"spawn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert alive == []
