"""CSV of findings (RFC 4180): one row each, for spreadsheets and data frames.

A cell of text that a spreadsheet would run as a formula gets a leading apostrophe. Numbers are written by mlcheck itself and
stay numbers, negative ones too.
"""

import csv
from collections.abc import Mapping
from io import StringIO

from mlcheck.report import Finding, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.codec import encode
from mlcheck.reporters.selection import listed
from mlcheck.reporters.text import clean, prose

COLUMNS = (
    "run", "rule", "name", "category", "severity", "confidence", "status", "labels", "series", "axis", "onset",
    "first_step", "last_step", "points", "value", "limit", "healed", "cost_steps", "cost_share", "cost_hours",
    "message", "advice", "caused_by", "fingerprint",
)  # fmt: skip
"""The header; within version 1 of the report columns may be added at the end and are never moved."""

# ＝, ＋, － and ＠ are the full-width forms that spreadsheets in East Asian locales take as well.
_FORMULA = tuple("=+-@＝＋－＠")

Cell = str | int | float | None


class CsvReporter:
    """A header and one row a finding, with CRLF as RFC 4180 wants it."""

    name = "csv"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. Only findings of the severities and states that the options ask for."""
        buffer = StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(one) for one in _row(finding)] for finding in listed(report, options))
        return buffer.getvalue()


def _row(finding: Finding) -> tuple[Cell, ...]:
    cost = finding.cost
    return (
        finding.run,
        finding.rule,
        finding.name,
        finding.category,
        finding.severity.value,
        finding.confidence.value,
        finding.status,
        _labels(finding.labels),
        "; ".join(clean(name) for name in finding.series),
        finding.axis,
        finding.onset,
        finding.first_step,
        finding.last_step,
        finding.points,
        finding.value,
        finding.limit,
        "true" if finding.healed else "false",
        cost.steps if cost else None,
        cost.share if cost else None,
        cost.hours if cost else None,
        prose(finding.message),
        prose(finding.advice),
        finding.caused_by,
        finding.fingerprint,
    )


def _labels(labels: Mapping[str, str]) -> str:
    """`layer=fc1; split=train`."""
    return "; ".join(f"{clean(key, 60)}={clean(value)}" for key, value in sorted(labels.items()))


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str):
        text = clean(value, 2_000)
        # A blank before the sign would be trimmed away on import.
        return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
    number: float | str = encode(value)
    return number
