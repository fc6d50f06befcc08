"""Which findings the formats of one row a finding list."""

from mlcheck.report import Finding, Report
from mlcheck.reporters.base import Options


def listed(report: Report, options: Options) -> tuple[Finding, ...]:
    """The findings at or above `options.min_severity`, in the report's order; baselined and suppressed ones only on request."""
    return tuple(
        finding
        for finding in report.findings
        if finding.severity.rank >= options.min_severity.rank
        and (finding.status == "active" or options.show_suppressed)
    )


def occurrences(findings: tuple[Finding, ...]) -> tuple[int, ...]:
    """For each finding, which one of its fingerprint it is, from 1.

    Runs that share a lane (`exp_1`, `exp_2`) share fingerprints, and trackers drop all but the first of equal ones.
    """
    counts: dict[str, int] = {}
    numbers = []
    for finding in findings:
        counts[finding.fingerprint] = counts.get(finding.fingerprint, 0) + 1
        numbers.append(counts[finding.fingerprint])
    return tuple(numbers)
