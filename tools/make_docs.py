"""Makes the generated pages of docs/reference/ from the rules and from the command line: `python -m tools.make_docs`, or `make docs`.

tests/test_docs.py fails when a committed page is not what this would write.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from tools.cli_page import cli_page
from tools.rule_pages import rule_pages

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def pages() -> dict[str, str]:
    """The text of each page, by its path below docs/reference/."""
    return {"cli.md": cli_page(), **{f"rules/{name}": text for name, text in rule_pages().items()}}


def stale(directory: Path, made: Mapping[str, str]) -> list[str]:
    """Pages that are missing, differ, or belong to nothing that is there any more."""
    there = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.md")}
    changed = {
        name for name, text in made.items() if name not in there or there[name].read_text(encoding="utf-8") != text
    }
    return sorted(changed | (there.keys() - made.keys()))


def write(directory: Path, made: Mapping[str, str]) -> list[str]:
    """Write what is stale, and remove pages of what is gone; their names."""
    names = stale(directory, made)
    for name in names:
        path = directory / name
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return names


if __name__ == "__main__":
    for name in write(REFERENCE, pages()):
        sys.stdout.write(f"docs/reference/{name}\n")
