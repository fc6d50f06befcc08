"""What `--quiet` says, and what it does not load."""

import subprocess
import sys
from pathlib import Path

from mlcheck import api
from mlcheck.reporters.base import Options
from mlcheck.reporters.terminal import TerminalReporter


def test_a_quiet_scan_loads_neither_rich_nor_the_option_parser() -> None:
    code = (
        "import sys; from mlcheck.cli import run; run(['scan', 'fixtures/diverging', '-q']);"
        "sys.exit(','.join({'rich', 'typer', 'pyarrow', 'h5py'} & {name.split('.')[0] for name in sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("diverging: ")


def test_runs_that_failed_and_files_that_were_not_read_are_named(tmp_path: Path) -> None:
    for number in range(10):
        run = tmp_path / f"run{number}"
        run.mkdir()
        loss = "nan" if number < 9 else "0.04"
        rows = "".join(f"{step},{1 / (step + 1) if step < 20 else loss}\n" for step in range(40))
        (run / "metrics.csv").write_text(f"step,train/loss\n{rows}")
    (tmp_path / "run9" / "events.out.tfevents.1.host").write_bytes(b"no event" * 9)
    text = TerminalReporter().render(api.scan([tmp_path]), Options(quiet=True, width=200))
    assert "Failed: run0, run1, run2, run3, run4, run5, run6, run7 and 1 more." in text
    assert "1 file could not be read: run9/events.out.tfevents.1.host." in text
