"""What a comparison measured, as the cells of a table that all text reporters share."""

from collections.abc import Sequence
from typing import NamedTuple

from mlcheck.report import Measurement, Report
from mlcheck.reporters.text import clean, listing, number, prose

MOST_NAMED = 8
"""Statistics, or what they are of, that one line names."""


class MeasuredRow(NamedTuple):
    """One statistic: cells of text."""

    subject: str
    """Empty where it is that of the row above."""
    statistic: str
    value: str
    base: str
    """`was 0.93`; empty where the baseline has none."""
    beside: str
    """The interval, or what is to be said of the value."""


def measured(report: Report, *, everything: bool = False) -> list[MeasuredRow]:
    """The statistics that tables show, in order, without those that have no value; `everything`: all of them."""
    rows: list[MeasuredRow] = []
    before = None
    for one in report.measurements:
        if one.value is not None and (one.headline or everything):
            rows.append(_row(one, one.subject if one.subject != before else ""))
            before = one.subject
    return rows


def undefined(report: Report, *, everything: bool = False) -> list[str]:
    """What has no value, each reason once: `cross test, difference of recall@1, recall@5: the spaces have 8 and 12 dimensions`."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for one in report.measurements:
        if one.value is None and (one.headline or everything):
            subjects.setdefault((one.note, one.statistic), []).append(one.subject)
    statistics: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (why, statistic), names in subjects.items():
        statistics.setdefault((why, tuple(names)), []).append(statistic.replace("_", " "))
    return [
        f"{listing([clean(one) for one in found], MOST_NAMED)} of {_subjects(names)}: {prose(why) or 'no reason given'}"
        for (why, names), found in statistics.items()
    ]


def _subjects(names: Sequence[str]) -> str:
    """`retrieval/recall@1, recall@5`: what they begin with is said once."""
    head = names[0].rpartition("/")[0]
    shared = f"{head}/" if head and all(name.startswith(f"{head}/") for name in names) else ""
    return listing([clean(names[0]), *(clean(name.removeprefix(shared)) for name in names[1:])], MOST_NAMED)


def _row(one: Measurement, subject: str) -> MeasuredRow:
    base = "" if one.base is None else f"was {number(one.base)}"
    interval = f"{number(one.low)} to {number(one.high)}" if one.low is not None and one.high is not None else ""
    value = "" if one.value is None else number(one.value)
    beside = prose(one.note) or interval
    return MeasuredRow(clean(subject), one.statistic.replace("_", " "), value, base, beside)
