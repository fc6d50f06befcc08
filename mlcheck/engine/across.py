"""Rules over all runs of a scan at once: what no single run can say."""

from collections.abc import Mapping, Sequence

from mlcheck.engine.findings import fingerprint
from mlcheck.engine.rule import described
from mlcheck.records import replace
from mlcheck.report import Confidence, Finding, IdenticalRuns, Outcome, RuleInfo, RunInfo, Severity

NAMED_RUNS = 4
"""Runs of a group that a message names."""

_DOC = """\
# What it does
Fails when two runs with different settings have training curves that are equal to the last bit.

# Why it matters
A setting was not applied: a flag that is parsed and never used, a default that wins, a cached result. The comparison that the sweep
was made for says nothing.

# What to try
- Print the configuration that the training code really uses.
- Check that the seed reaches data loader, model and framework.

# Known false alarms
Settings that change nothing on purpose (names, output directories, numbers of workers).

# References
- Amazon SageMaker Debugger, built-in rule SimilarAcrossRuns (the opposite question)
"""


class IdenticalRunsRule:
    """CMP003: runs with different settings and bit-identical curves."""

    id = "CMP003"
    name = "identical-runs"
    category = "comparison"
    status = "stable"
    severity = Severity.WARNING
    regimes: Sequence[str] = ()
    may_cause: Sequence[str] = ()
    parameters: Mapping[str, float | bool | str] = {}
    origin = "built-in"
    doc = _DOC

    def defaults(self) -> dict[str, float | bool | str]:
        """It has no parameters."""
        return {}

    def info(self, params: Mapping[str, float | bool | str], severity: str | None = None) -> RuleInfo:
        """What reporters show of it."""
        return described(self, self.doc, self.severity.value, params, severity)

    def judge(
        self, runs: Sequence[RunInfo], groups: Sequence[IdenticalRuns], severity: str | None
    ) -> tuple[list[Finding], list[Outcome]]:
        """One finding for each group of runs that should differ, at its first run; passed for every other run with a curve."""
        by_name = {run.name: run for run in runs}
        bad = [group for group in groups if group.settings]
        findings = [self._finding(by_name[group.runs[0]], group, severity) for group in bad]
        failed = {f.run for f in findings}
        outcomes = [Outcome(self.id, name, "failed") for name in sorted(failed)]
        if len(runs) > 1:
            judged = [run.name for run in runs if run.curve is not None and run.name not in failed]
            outcomes += [Outcome(self.id, name, "passed") for name in judged]
        return findings, outcomes

    def _finding(self, run: RunInfo, group: IdenticalRuns, severity: str | None) -> Finding:
        others = group.runs[1:]
        more = f" and {len(others) - NAMED_RUNS:,} more" if len(others) > NAMED_RUNS else ""
        found = Finding(
            rule=self.id,
            name=self.name,
            category=self.category,
            severity=Severity(severity) if severity else self.severity,
            confidence=Confidence.HIGH,
            reasons=("severity set by the user",) if severity else (),
            run=run.name,
            labels={},
            series=(run.best.series,) if run.best else (),
            axis=run.axis,
            first_step=run.first_step or 0,
            last_step=run.last_step or 0,
            onset=None,
            points=0,
            value=None,
            limit=None,
            message=(
                f"the same to the last bit as {', '.join(others[:NAMED_RUNS])}{more}, though they differ in "
                f"{', '.join(group.settings)}"
            ),
            advice="Print the configuration that the training code really uses: a setting is not applied, or a seed is fixed.",
            headline="it is the same as another run, to the last bit",
            fingerprint="",
        )
        return replace(found, fingerprint=fingerprint(self.id, run.lane, {}, list(found.series)))
