"""Findings that the configuration suppresses, with a reason and for a time (design.md §5: filed, never dropped)."""

import datetime
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mlcheck.records import replace
from mlcheck.report import Finding, Note, Report
from mlcheck.settings import Suppression


def suppress(report: Report, suppressions: Sequence[Suppression], today: datetime.date) -> Report:
    """The report with the findings that are meant marked as suppressed.

    A suppression that has expired suppresses nothing, and a note says so where it would have; one that matches nothing gets a note
    too: what it was for is fixed, or its globs are wrong. `today` is the day of the scan, where it runs.
    """
    runs = {run.name: (run.name, run.path, run.lane) for run in report.runs}
    met: dict[int, int] = {}
    findings = []
    for finding in report.findings:
        fitting = [
            n for n, one in enumerate(suppressions) if _fits(one, finding, runs.get(finding.run, (finding.run,)))
        ]
        for number in fitting:
            met[number] = met.get(number, 0) + 1
        valid = any(not _expired(suppressions[number], today) for number in fitting)
        suppressed = valid and finding.status == "active"
        findings.append(replace(finding, status="suppressed") if suppressed else finding)
    notes = [text for number, one in enumerate(suppressions) if (text := _note(one, met.get(number, 0), today))]
    return replace(
        report, findings=tuple(findings), notes=(*report.notes, *(Note("suppression", text) for text in notes))
    )


def _expired(one: Suppression, today: datetime.date) -> bool:
    return one.expires is not None and one.expires < today


def _note(one: Suppression, count: int, today: datetime.date) -> str:
    if not count:
        return f"the suppression of {_shown(one)} matches no finding: take it away, or mend it ({one.reason})"
    if _expired(one, today):
        what = "1 finding is" if count == 1 else f"{count:,} findings are"
        return f"the suppression of {_shown(one)} expired on {one.expires}: {what} back ({one.reason})"
    return ""


def _shown(one: Suppression) -> str:
    parts = [] if one.rule == "*" else [one.rule]
    parts += [] if one.run == "*" else [f"run {one.run}"]
    parts += [] if one.series == "*" else [f"series {one.series}"]
    parts += [] if one.steps is None else [f"steps {one.steps[0]:,} to {one.steps[1]:,}"]
    return ", ".join(parts)


def _fits(one: Suppression, finding: Finding, run: Sequence[str]) -> bool:
    if not any(fnmatchcase(word.lower(), one.rule.lower()) for word in (finding.rule, finding.name)):
        return False
    if not any(fnmatchcase(word, one.run) for word in run):
        return False
    if one.series != "*" and not any(fnmatchcase(name, one.series) for name in finding.series):
        return False
    return one.steps is None or (one.steps[0] <= finding.first_step and finding.last_step <= one.steps[1])
