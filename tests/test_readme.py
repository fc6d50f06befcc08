"""What the README shows is what the command prints."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def demo() -> str:
    """The output of the demo, at the README's width."""
    done = subprocess.run(
        [sys.executable, "-m", "mlcheck", "scan", "fixtures/diverging"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "110"},
        check=False,
    )
    return done.stdout


def test_the_demo_in_the_readme_is_what_it_prints() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(
        r"<!-- demo -->\n```text\n\$ mlcheck scan fixtures/diverging\n\n(.*?)```\n<!-- /demo -->", readme, re.DOTALL
    )
    assert block is not None
    assert block[1] == demo()
