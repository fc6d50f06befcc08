"""The verdicts of `--quiet` are written without rich where they fit, and are then what rich draws."""

import subprocess
import sys
from dataclasses import replace

import pytest

from mlcheck import api
from mlcheck.report import Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.drawn import drawn
from mlcheck.reporters.terminal import TerminalReporter

RUNS = ("diverging", "healthy-classifier", "overfit", "stalled", "learning-rate-zero")


@pytest.fixture(scope="module")
def report() -> Report:
    return api.scan([f"fixtures/{name}" for name in RUNS])


@pytest.mark.parametrize("runs", range(len(RUNS) + 1))
@pytest.mark.parametrize("width", [40, 60, 120, 500])
def test_the_same_with_rich_and_without(report: Report, runs: int, width: int) -> None:
    names = {run.name for run in report.runs[:runs]}
    some = replace(
        report,
        runs=report.runs[:runs],
        findings=tuple(one for one in report.findings if one.run in names),
        outcomes=tuple(one for one in report.outcomes if one.run in names),
    )
    options = Options(quiet=True, width=width)
    assert TerminalReporter().render(some, options) == drawn(some, options)


def test_a_quiet_scan_loads_neither_rich_nor_the_option_parser() -> None:
    code = (
        "import sys; from mlcheck.cli import run; run(['scan', 'fixtures/diverging', '-q']);"
        "sys.exit(','.join({'rich', 'typer', 'pyarrow', 'h5py'} & {name.split('.')[0] for name in sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("diverging: ")
