"""Repeated runs judged together: what fails in one seed of five is an info where the group asks for all (language.md fix 5)."""

import re
from collections.abc import Sequence

from mlcheck.records import replace
from mlcheck.report import Finding, Report, Severity
from mlcheck.settings import Group


def aggregate(report: Report, groups: Sequence[Group]) -> Report:
    """The report with findings lowered to info that fewer runs of their group have than it asks for.

    The runs of a group are those whose names match its pattern and are equal outside of the pattern's own groups. Of them, those in which
    the rule could be judged count. A finding keeps its place in the report, and its reasons say in how many runs the rule failed.
    """
    by_run = {run.name: key for run in report.runs if (key := _group(run.name, groups)) is not None}
    failed: dict[tuple[str, object], set[str]] = {}
    judged: dict[tuple[str, object], set[str]] = {}
    for outcome in report.outcomes:
        key = by_run.get(outcome.run)
        if key is not None and outcome.outcome in ("passed", "failed"):
            judged.setdefault((outcome.rule, key), set()).add(outcome.run)
            if outcome.outcome == "failed":
                failed.setdefault((outcome.rule, key), set()).add(outcome.run)

    def aggregated(finding: Finding) -> Finding:
        key = by_run.get(finding.run)
        if key is None or finding.severity is Severity.INFO:
            return finding
        one, of = failed.get((finding.rule, key), set()), judged.get((finding.rule, key), set())
        if _holds(key[0].across, len(one), len(of)):
            return finding
        reason = f"in {len(one):,} of {len(of):,} runs of its group"
        return replace(finding, severity=Severity.INFO, reasons=(*finding.reasons, reason))

    return replace(report, findings=tuple(aggregated(finding) for finding in report.findings))


def _group(name: str, groups: Sequence[Group]) -> tuple[Group, str] | None:
    """The first group whose pattern a run's name matches, and what of the name its runs share."""
    for group in groups:
        found = re.search(group.pattern, name)
        if found is not None:
            rest, at = [], 0
            for number in range(1, len(found.groups()) + 1):
                start, stop = found.span(number)
                if start >= at:
                    rest.append(name[at:start])
                    at = stop
            return group, "\0".join([*rest, name[at:]])
    return None


def _holds(across: str, failed: int, judged: int) -> bool:
    return across == "any" or judged <= 1 or (failed == judged if across == "all" else 2 * failed > judged)
