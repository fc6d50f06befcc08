"""The reporters by name. A reporter is imported when it is asked for.

A new format is one new file with a `Reporter`, and one line here.
"""

from importlib import import_module
from typing import cast

from mlcheck.errors import UsageError, did_you_mean
from mlcheck.reporters.base import Reporter

REPORTERS: dict[str, str] = {
    "terminal": "terminal:TerminalReporter",
    "json": "json:JsonReporter",
    "markdown": "markdown:MarkdownReporter",
    "sarif": "sarif:SarifReporter",
    "junit": "junit:JUnitReporter",
    "github": "github:GithubReporter",
    "step-summary": "step_summary:StepSummaryReporter",
    "gitlab": "gitlab:GitlabReporter",
    "jsonl": "jsonlines:JsonLinesReporter",
    "csv": "csv:CsvReporter",
    "html": "html.reporter:HtmlReporter",
}
"""Name to `module:class` in this package, in the order in which help and documentation list them."""

ALIASES: dict[str, str] = {
    "md": "markdown",
    "junit-xml": "junit",
    "github-annotations": "github",
    "summary": "step-summary",
    "code-quality": "gitlab",
    "json-lines": "jsonl",
    "ndjson": "jsonl",
}


def names() -> tuple[str, ...]:
    """All names that `get` takes, aliases last."""
    return (*REPORTERS, *ALIASES)


def get(name: str) -> Reporter:
    """The reporter of that name or alias; UsageError with the nearest names for any other."""
    place = REPORTERS.get(ALIASES.get(name, name))
    if place is None:
        hint = did_you_mean(name, names()) or f"known formats: {', '.join(names())}"
        raise UsageError(f"unknown output format {name!r}; {hint}")
    module, _, maker = place.partition(":")
    return cast(Reporter, getattr(import_module(f"mlcheck.reporters.{module}"), maker)())
