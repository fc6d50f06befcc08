"""What stands below the findings: files that were not wholly read, notes, and the line of counts."""

import re

from mlcheck.report import Report, Severity, SourceStatus
from mlcheck.reporters.text import plural, prose
from mlcheck.reporters.view import RunView, below, visible


def counts(report: Report, views: tuple[RunView, ...], least: Severity) -> list[str]:
    """`1 error, 1 warning`, `14 of 24 applicable rules checked`, `1 file truncated`: every count, whatever is shown."""
    parts = [findings(views)] if views else []
    applicable = sum(v.info.coverage.applicable for v in views)
    checked = sum(v.info.coverage.checked for v in views)
    if applicable:
        noun = "applicable rule" if len(views) == 1 else "applicable rule check"
        parts.append(f"{checked:,} of {plural(applicable, noun)} {'checked' if len(views) == 1 else 'made'}")
    summary = report.summary
    if summary.errored:
        parts.append(f"{plural(summary.errored, 'rule')} failed to run")
    parts += [
        f"{n:,} {word}" for n, word in ((summary.baselined, "baselined"), (summary.suppressed, "suppressed")) if n
    ]
    hidden = sum(len(v.rows) - len(visible(v.rows, least)) for v in views)
    if hidden:
        parts.append(f"{plural(hidden, 'row')} below {least} not shown")
    return parts + _files(report)


def findings(views: tuple[RunView, ...]) -> str:
    """`1 error, 2 warnings (14 findings)`: rows by severity, explained ones too; the bracket where any were folded."""
    all_rows = [row for view in views for root in view.rows for row in below(root)]
    tally = {s: sum(row.lead.severity is s for row in all_rows) for s in Severity}
    words = [plural(tally[s], str(s)) for s in (Severity.ERROR, Severity.WARNING, Severity.INFO) if tally[s]]
    single = sum(len(row.findings) for row in all_rows)
    text = ", ".join(words) or "no findings"
    return text if single == len(all_rows) else f"{text} ({plural(single, 'finding')})"


def _files(report: Report) -> list[str]:
    truncated = sum(s.status == "partial" and s.tail_only for s in report.sources)
    partial = sum(s.status == "partial" and not s.tail_only for s in report.sources)
    unreadable = sum(s.status == "unreadable" for s in report.sources)
    return [
        f"{plural(count, 'file')} {word}"
        for count, word in ((truncated, "truncated"), (partial, "with lost data"), (unreadable, "unreadable"))
        if count
    ]


def damaged(report: Report) -> list[SourceStatus]:
    """Files that were not wholly read, or hold nothing: unreadable ones first, then lost data, then cut ends; by path.

    Where there is no run at all, every file that has a reason: the reader wants to know why.
    """

    def order(source: SourceStatus) -> tuple[bool, bool, list[tuple[int, str]]]:
        digits = re.findall(r"(\d+)|(\D+)", source.path)
        return (
            source.status != "unreadable",
            source.tail_only,
            [(len(number), number or word) for number, word in digits],
        )

    return sorted((s for s in report.sources if _is_damaged(s) or not report.runs), key=order)


def _is_damaged(source: SourceStatus) -> bool:
    """Whether data is missing; a file that could have been a run and holds nothing (a header only) counts as well."""
    return source.status in ("partial", "unreadable") or (source.status == "read" and source.run is None)


def trouble(report: Report) -> str:
    """What is wrong with the files that `damaged` names, as the rest of a sentence that begins with their number."""
    if not report.runs:
        return "without a run"
    states = {source.status for source in damaged(report)}
    if states == {"read"}:
        return "with nothing to judge"
    return "not read wholly, or with nothing to judge" if "read" in states else "could not be read wholly"


def why(source: SourceStatus) -> str:
    """`last record cut, at byte 1,024; 12 bytes lost`."""
    text = prose(source.reason or "no reason given", 300)
    if source.offset is not None and f"byte {source.offset:,}" not in text:
        text += f", at byte {source.offset:,}"
    if source.status == "partial" and source.lost_bytes:
        text += f"; {plural(source.lost_bytes, 'byte')} of {source.bytes:,} lost"
    return text


def requests(report: Report) -> list[str]:
    """What the user asked for and did not get: paths without a run that no note names, unmet requirements."""
    noted = " ".join(note.text for note in report.notes if note.kind == "path")
    texts = [f"No run data at {prose(path, 400)}." for path in report.missing_paths if path not in noted]
    return texts + [prose(text) for text in report.unmet]
