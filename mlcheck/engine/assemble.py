"""From the parts of the runs to one report."""

from collections.abc import Sequence

from mlcheck import __version__
from mlcheck.engine import sweep
from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.evidence import trim
from mlcheck.engine.overview import within_budget
from mlcheck.engine.rank import ranked
from mlcheck.engine.run import RunPart
from mlcheck.engine.select import Selected
from mlcheck.report import Note, Report, SourceStatus


def assemble(
    parts: Sequence[RunPart], selected: Sequence[Selected], sources: Sequence[SourceStatus], notes: Sequence[Note]
) -> Report:
    """Join the parts: findings of all runs in one order, evidence within its budget, everything else in order of the runs."""
    runs = tuple(part.info for part in parts)
    groups = sweep.identical(runs)
    findings = [f for part in parts for f in part.findings]
    outcomes = [o for part in parts for o in part.outcomes]
    splits = sweep.splits(runs, outcomes)
    for one in selected:
        if isinstance(one.rule, IdenticalRunsRule):
            more_findings, more_outcomes = one.rule.judge(runs, groups, one.severity)
            findings += more_findings
            outcomes += more_outcomes
    return Report(
        version=__version__,
        runs=runs,
        sources=(*(s for part in parts for s in part.sources), *sources),
        findings=tuple(findings) if len(parts) == 1 else trim(ranked(findings)),
        outcomes=tuple(outcomes),
        rules=tuple(one.rule.info(one.params, one.severity) for one in selected),
        series=tuple(s for part in parts for s in part.series),
        panels=within_budget([p for part in parts for p in part.panels]),
        notes=tuple(notes),
        splits=splits,
        identical=groups,
    )
