"""The report sorted by run, once, so that a report of a thousand runs is drawn in linear time."""

from collections import defaultdict
from collections.abc import Iterator

from mlcheck.records import dataclass, replace
from mlcheck.report import (
    COMPARISON_CATEGORIES,
    Finding,
    Gap,
    Outcome,
    Report,
    Row,
    RunInfo,
    SeriesInfo,
    Severity,
    SourceStatus,
    rows,
)

ENOUGH = 0.5
"""Share of the applicable rules that must have been checked before a run may be called healthy."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run with all that the report says of it."""

    info: RunInfo
    rows: tuple[Row, ...]
    """Active findings as ranked rows."""
    findings: tuple[Finding, ...]
    """All findings: active, baselined and suppressed."""
    outcomes: tuple[Outcome, ...]
    sources: tuple[SourceStatus, ...]
    series: tuple[SeriesInfo, ...]
    compared: bool = False
    """It was judged against another one only."""

    @property
    def severity(self) -> Severity | None:
        """The worst severity of the active findings; None where there are none."""
        return max((worst(row) for row in self.rows), key=lambda s: s.rank, default=None)

    @property
    def judged(self) -> bool:
        """Whether any rule could say anything."""
        return self.info.coverage.checked > 0 or bool(self.rows)

    @property
    def thin(self) -> bool:
        """Whether so few of the applicable rules could be checked that silence says too little to be called healthy."""
        coverage = self.info.coverage
        return coverage.checked < ENOUGH * coverage.applicable or not coverage.curve_judged

    @property
    def damaged(self) -> tuple[SourceStatus, ...]:
        """Files of the run of which data is missing; one whose last record is still being written is not among them."""
        return tuple(s for s in self.sources if s.status in ("partial", "unreadable") and not s.tail_only)

    @property
    def missing(self) -> tuple[Gap, ...]:
        """The gaps that nobody logged; other gaps are series too short, or of another kind, for their rules."""
        words = {word for o in self.outcomes for word in o.missing}
        skipped = {o.rule for o in self.outcomes if o.outcome == "skipped"}
        gaps = self.info.coverage.gaps
        gaps = tuple(gap for gap in gaps if gap.what != "tensors")
        return tuple(gap for gap in gaps if gap.how or gap.what in words or skipped.isdisjoint(gap.rules))

    @property
    def errored(self) -> tuple[str, ...]:
        """Ids of the rules that raised while they judged this run."""
        return tuple(sorted({o.rule for o in self.outcomes if o.outcome == "errored"}))


def views(report: Report) -> tuple[RunView, ...]:
    """The runs of a report, in its order."""
    findings: dict[str, list[Finding]] = defaultdict(list)
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    sources: dict[str, list[SourceStatus]] = defaultdict(list)
    series: dict[str, list[SeriesInfo]] = defaultdict(list)
    for finding in report.findings:
        findings[finding.run].append(finding)
    for outcome in report.outcomes:
        outcomes[outcome.run].append(outcome)
    for source in report.sources:
        if source.run is not None:
            sources[source.run].append(source)
    for one in report.series:
        series[one.run].append(one)
    compared = bool(report.rules) and all(rule.category in COMPARISON_CATEGORIES for rule in report.rules)
    return tuple(
        RunView(
            info,
            rows(replace(report, findings=tuple(findings[info.name])), info.name),
            tuple(findings[info.name]),
            tuple(outcomes[info.name]),
            tuple(sources[info.name]),
            tuple(series[info.name]),
            compared,
        )
        for info in report.runs
    )


def worst(row: Row) -> Severity:
    """The worst severity of a row and of all that it explains: what a root ranks by (language.md fix 22)."""
    return max((r.lead.severity for r in below(row)), key=lambda s: s.rank)


def below(row: Row) -> Iterator[Row]:
    """The row itself and all rows filed under it, depth first."""
    yield row
    for child in row.explained:
        yield from below(child)


def visible(all_rows: tuple[Row, ...], least: Severity) -> tuple[Row, ...]:
    """The rows that are at or above a severity, or explain one that is."""
    return tuple(row for row in all_rows if worst(row).rank >= least.rank)
