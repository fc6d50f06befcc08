"""What every reporter is: a name, and a pure function from a report to text."""

from typing import Protocol

from mlcheck.records import dataclass
from mlcheck.report import Report, Severity

NARROWEST = 40
"""Columns: what is drawn for less is as wide as this."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is to be written. Nothing here changes what was found."""

    color: bool = False
    """ANSI colours; for the terminal only."""
    width: int = 100
    """Columns of the terminal."""
    min_severity: Severity = Severity.INFO
    """Findings below it are counted, not shown."""
    quiet: bool = False
    """The verdict only."""
    verbose: bool = False
    """Everything: details of infos and of explained findings, all series, all gaps."""
    max_chars: int = 60_000
    """Longest Markdown; GitHub refuses a comment of more than 65,536 characters."""
    show_suppressed: bool = False
    """List baselined and suppressed findings too."""


class Reporter(Protocol):
    """A pure function of the report: it prints nothing, opens nothing and reads no clock."""

    name: str
    """The word after `--output`."""

    def render(self, report: Report, options: Options) -> str:
        """The whole document, ending in a line end."""
        ...
