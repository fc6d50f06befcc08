"""From the parts of the runs to one report."""

from collections.abc import Sequence
from dataclasses import replace

from mlcheck import __version__
from mlcheck.engine.evidence import trim
from mlcheck.engine.rank import ranked
from mlcheck.engine.run import RunPart
from mlcheck.engine.select import Selected
from mlcheck.report import Note, Report, SourceStatus


def assemble(
    parts: Sequence[RunPart], selected: Sequence[Selected], sources: Sequence[SourceStatus], notes: Sequence[Note]
) -> Report:
    """Join the parts: findings of all runs in one order, evidence within its budget, everything else in order of the runs."""
    findings = parts[0].findings if len(parts) == 1 else trim(ranked([f for part in parts for f in part.findings]))
    return Report(
        version=__version__,
        runs=tuple(part.info for part in parts),
        sources=(*(s for part in parts for s in part.sources), *sources),
        findings=findings,
        outcomes=tuple(o for part in parts for o in part.outcomes),
        rules=tuple(one.rule.info(one.params, one.severity) for one in selected),
        series=tuple(s for part in parts for s in part.series),
        panels=tuple(p for part in parts for p in part.panels),
        notes=tuple(notes),
    )


def with_run(source: SourceStatus, run: str) -> SourceStatus:
    """A source that knows which run it belongs to."""
    return replace(source, run=run)
