"""Python rules: a real distribution with an entry point, in a directory of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

RULE = '''
import numpy as np
from mlcheck.engine.plugin import Skip, Verdict

class Repeats:
    """Finds a loss that repeats a value."""
    id = "ACM001"
    name = "loss-repeats"
    category = "acme"
    severity = "warning"
    params = {"times": 2}
    patience = ["2 points"]
    headline = "the loss repeats"

    def judge(self, run, params):
        found = run.series("loss", split="train")
        if not found:
            yield Skip("training loss: none logged")
        for series in found:
            values = series.columns["value"]
            same = np.concatenate([[False], values[1:] == values[:-1]])
            yield Verdict(series, same, values, 0.0, f"{series.name} repeats its value")
'''


def install(directory: Path, code: str) -> None:
    (directory / "acme_rules.py").write_text(code)
    info = directory / "acme_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlcheck.rules]\nrepeats = acme_rules:Repeats\n")


def scan(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlcheck", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{directory}:{ROOT}", "PATH": "/usr/bin:/bin"},
        check=False,
    )


def test_a_python_rule_is_found_and_judged(tmp_path: Path) -> None:
    install(tmp_path, RULE)
    listed = scan(tmp_path, "rules")
    assert "ACM001" in listed.stdout
    assert "Finds a loss that repeats a value." in " ".join(listed.stdout.split())
    done = scan(tmp_path, "scan", "fixtures/stalled", "-o", "json", "--select", "ACM001")
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    assert [(o["rule"], o["outcome"]) for o in outcomes] == [("ACM001", "passed")]


def test_one_that_raises_is_errored(tmp_path: Path) -> None:
    install(tmp_path, RULE.replace("values[1:] == values[:-1]", "values[1:] == nothing"))
    done = scan(tmp_path, "scan", "fixtures/stalled", "-o", "json")
    report = json.loads(done.stdout)
    errored = [o for o in report["outcomes"] if o["outcome"] == "errored"]
    assert [(o["rule"], "nothing" in o["reason"]) for o in errored] == [("ACM001", True)]
    assert done.returncode == 2


@pytest.mark.parametrize("code", ["raise ValueError('broken package')", "class Repeats: pass"])
def test_one_that_cannot_be_loaded_is_named(tmp_path: Path, code: str) -> None:
    install(tmp_path, code)
    done = scan(tmp_path, "scan", "fixtures/stalled")
    assert done.returncode == 2
    assert "acme_rules:Repeats" in done.stderr
    assert "Traceback" not in done.stderr
