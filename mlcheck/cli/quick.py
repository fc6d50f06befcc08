"""The arguments of a plain `mlcheck scan`, without the option parser.

typer, and pydantic that it brings in, take as long to load as a small run takes to be read and judged. What is written plainly
(`scan PATH --fail-on never -q`) needs neither. Whatever is not plain here, and all that is wrong, is the option parser's to read
and to say: a test holds that both give the same.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcheck.cli.choices import ColorChoice, FailOnChoice, SeverityChoice


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) < 10_000):
        raise ValueError(text)
    return int(text)


_FLAGS: Mapping[str, str] = {
    "--isolated": "isolated",
    "--no-baseline": "no_baseline",
    "--expect-identical": "expect_identical",
    "--show-suppressed": "show_suppressed",
    "--strict": "strict",
    "--allow-empty": "allow_empty",
    "--no-cache": "no_cache",
    "--verify": "verify",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--no-progress": "no_progress",
}
_SINGLE: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "--fail-on": ("fail_on", FailOnChoice),
    "--fail-when": ("fail_when", str),
    "--regime": ("regime", str),
    "--config": ("config", Path),
    "--profile": ("profile", str),
    "--baseline": ("baseline", str),
    "--run-name": ("run_name", str),
    "--min-severity": ("min_severity", SeverityChoice),
    "--jobs": ("jobs", _count),
    "-j": ("jobs", _count),
    "--color": ("color", ColorChoice),
}
_REPEATED: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "--output": ("output", str),
    "-o": ("output", str),
    "--select": ("select", str),
    "--ignore": ("ignore", str),
    "--require": ("require", str),
    "--expect": ("expect", str),
    "--set": ("assignments", str),
    "--rules": ("rules", Path),
    "--baseline-run": ("baseline_run", str),
}


def usual_scan(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of `scan_runs`; None for any other command, and for what is not written plainly."""
    if not arguments or arguments[0] != "scan" or "_MLCHECK_COMPLETE" in os.environ:
        return None
    given: dict[str, Any] = {}
    rest = iter(arguments[1:])
    try:
        for word in rest:
            _take(word, rest, given)
    except (ValueError, StopIteration):
        return None
    return given


def _take(word: str, rest: Iterator[str], given: dict[str, Any]) -> None:
    """One argument with its value. Raises ValueError or StopIteration for what is left to the option parser."""
    if not word.startswith("-"):
        given.setdefault("paths", []).append(word)
        return
    if word in _FLAGS:
        given[_FLAGS[word]] = True
        return
    option, separator, value = word.partition("=")
    if not separator:
        value = next(rest)
        if value.startswith("-"):
            raise ValueError(value)
    elif not option.startswith("--"):
        raise ValueError(word)
    if option in _REPEATED:
        name, read = _REPEATED[option]
        given.setdefault(name, []).append(read(value))
    elif option in _SINGLE:
        name, read = _SINGLE[option]
        given[name] = read(value)
    else:
        raise ValueError(option)
