"""The step summary of a GitHub Actions job: the Markdown report with the room that a summary has.

GitHub drops a summary of more than 1,024 KiB as a whole; other commands of the same step may have written to it too.
"""

from mlcheck.records import replace
from mlcheck.report import Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.markdown import MARKER, MarkdownReporter

MOST_BYTES = 900_000
"""UTF-8 bytes of a summary; under the 1,000 kB that GitHub surely takes, with room for what else the step says."""


class StepSummaryReporter:
    """Markdown, without the marker by which bots find a comment."""

    name = "step-summary"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. `options.max_chars` is for comments and does not count here."""
        limit = MOST_BYTES
        while True:
            text = MarkdownReporter().render(report, replace(options, max_chars=limit))
            size = len(text.encode("utf-8"))
            if size <= MOST_BYTES:
                return text.removeprefix(f"{MARKER}\n").lstrip("\n")
            # The Markdown report counts characters, of up to four bytes; it is often shorter than its limit.
            limit = int(len(text) * MOST_BYTES / size) - 1
