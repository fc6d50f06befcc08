"""How the program ends, and how wide it takes the terminal to be."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlcheck.cli import output


def test_what_asked_to_be_called_at_the_end_is_called(tmp_path: Path) -> None:
    code = (
        "import atexit, sys; sys.argv.insert(1, 'scan'); atexit.register(print, 'called');"
        "from mlcheck.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "-q"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout.endswith("called\n")


@pytest.mark.parametrize("columns", ["", "77", "0", "-3", "wide", "²"])
def test_the_width_is_that_of_the_standard_library(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "40")
    assert output._columns() == shutil.get_terminal_size((output.WIDTH, 40)).columns
