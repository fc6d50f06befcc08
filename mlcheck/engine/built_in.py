"""Where the built-in rules lie."""

from pathlib import Path

from mlcheck.errors import RuleError


def built_in_directory() -> Path:
    """The directory of the built-in rules: inside the package in a wheel, at the top of the repository in an editable install."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_rules", package.parent / "rules"):
        if candidate.is_dir():
            return candidate
    raise RuleError("the built-in rules are missing from this installation; install mlcheck-scan again")
