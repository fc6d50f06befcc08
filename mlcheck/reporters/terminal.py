"""The terminal: the verdict first, then how much was judged, then the ranked findings."""

from mlcheck.report import Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.drawn import drawn


class TerminalReporter:
    """Ranked findings as a person reads them; see `Reporter.render`."""

    name = "terminal"

    def render(self, report: Report, options: Options) -> str:
        """Text of at most `options.width` columns, with ANSI colours when `options.color`; it holds no timing."""
        return drawn(report, options)
