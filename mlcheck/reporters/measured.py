"""What a comparison measured, as the cells of a table that all text reporters share."""

from typing import NamedTuple

from mlcheck.report import Measurement, Report
from mlcheck.reporters.text import clean, number, prose


class MeasuredRow(NamedTuple):
    """One statistic: cells of text."""

    subject: str
    """Empty where it is that of the row above."""
    statistic: str
    value: str
    base: str
    """`was 0.93`; empty where the baseline has none."""
    beside: str
    """The interval, or why there is no value."""


def measured(report: Report, *, everything: bool = False) -> list[MeasuredRow]:
    """The statistics that tables show, in order; `everything`: all of them."""
    rows: list[MeasuredRow] = []
    before = None
    for one in report.measurements:
        if one.headline or everything:
            rows.append(_row(one, one.subject if one.subject != before else ""))
            before = one.subject
    return rows


def _row(one: Measurement, subject: str) -> MeasuredRow:
    base = "" if one.base is None else f"was {number(one.base)}"
    interval = f"{number(one.low)} to {number(one.high)}" if one.low is not None and one.high is not None else ""
    value = "undefined" if one.value is None else number(one.value)
    beside = prose(one.note) or interval
    return MeasuredRow(clean(subject), one.statistic.replace("_", " "), value, base, beside)
