"""The baseline: findings that were there when the gate was put up, so that only new ones fail (design.md §5).

    {"schema": "mlcheck.baseline/1", "findings": {"<fingerprint>": {"rule": "LOS002", "name": "loss-spike", "lane": "exp", "severity":
    "warning", "worst": 3.2, "limit": 1.5, "series": ["train/loss"]}}}

Fingerprints hold no step and no value, and runs go by their lanes, so a baseline survives a re-run under a new timestamp.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from mlcheck.errors import ConfigError
from mlcheck.records import dataclass, field, replace
from mlcheck.report import Finding, Note, Report, Severity

SCHEMA = "mlcheck.baseline/1"
WORSE = 2.0
"""A value beyond this many times the recorded worst brings a finding back."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding of the baseline."""

    rule: str
    name: str
    lane: str
    severity: Severity
    worst: float | None
    """Its value when it was accepted; None where the rule has none, NaN where it was not finite."""
    limit: float | None
    series: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Accepted findings by fingerprint."""

    findings: Mapping[str, Accepted] = field(default_factory=dict)


def of(report: Report, earlier: Baseline | None = None) -> Baseline:
    """A baseline that accepts what the report has: its active and baselined findings. Where several runs of one lane have a finding,
    the worst one counts. What an `earlier` baseline accepts in lanes that the report does not have is kept.
    """
    lanes = {run.name: run.lane for run in report.runs}
    kept = {} if earlier is None else {p: one for p, one in earlier.findings.items() if one.lane not in lanes.values()}
    found: dict[str, Accepted] = {}
    for finding in report.findings:
        if finding.status == "suppressed":
            continue
        mine = _accepted(finding, lanes.get(finding.run, finding.run))
        other = found.get(finding.fingerprint)
        if other is None or _is_worse(mine, other):
            found[finding.fingerprint] = mine
    return Baseline({**kept, **found})


def apply(report: Report, baseline: Baseline, source: str) -> Report:
    """The report with accepted findings marked as baselined, and notes on those that came back worse and those that are fixed."""
    findings, notes = [], []
    for finding in report.findings:
        known = baseline.findings.get(finding.fingerprint)
        if known is None or finding.status != "active":
            findings.append(finding)
        elif why := _came_back(finding, known):
            findings.append(replace(finding, reasons=(*finding.reasons, why)))
            notes.append(f"{finding.run}: {finding.name} {finding.rule} is in the baseline and came back: {why}")
        else:
            findings.append(replace(finding, status="baselined"))
    gone = fixed(report, baseline)
    if gone:
        what = "1 finding" if len(gone) == 1 else f"{len(gone):,} findings"
        names = ", ".join(dict.fromkeys(f"{one.name} in {one.lane}" for one in list(gone.values())[:5]))
        more = " …" if len(gone) > 5 else ""
        notes.append(f"{what} of {source} no longer there: {names}{more}; `mlcheck baseline prune` takes them out")
    marked = tuple(Note("baseline", text) for text in notes)
    return replace(report, findings=tuple(findings), notes=(*report.notes, *marked))


def fixed(report: Report, baseline: Baseline) -> dict[str, Accepted]:
    """Accepted findings that are no longer there: their lane was scanned, and their rule was judged in a run of it.

    What was not judged (a series no longer logged, a rule not selected) is not fixed.
    """
    lanes = {run.name: run.lane for run in report.runs}
    judged = {(o.rule, lanes.get(o.run, o.run)) for o in report.outcomes if o.outcome in ("passed", "failed")}
    there = {finding.fingerprint for finding in report.findings}
    return {
        fingerprint: one
        for fingerprint, one in baseline.findings.items()
        if fingerprint not in there and (one.rule, one.lane) in judged
    }


def pruned(report: Report, baseline: Baseline) -> Baseline:
    """The baseline without what is fixed; nothing is added and nothing is changed."""
    gone = fixed(report, baseline)
    return Baseline({fingerprint: one for fingerprint, one in baseline.findings.items() if fingerprint not in gone})


def unscanned(report: Report, baseline: Baseline) -> dict[str, Accepted]:
    """Accepted findings of lanes of which the report has no run: nothing can be said of them."""
    lanes = {run.lane for run in report.runs}
    return {fingerprint: one for fingerprint, one in baseline.findings.items() if one.lane not in lanes}


def dump(baseline: Baseline) -> str:
    """As text: sorted, one finding a line, so that a review shows what was accepted."""
    lines = [
        f"    {json.dumps(fingerprint)}: {json.dumps(_plain(one), sort_keys=True)}"
        for fingerprint, one in sorted(
            baseline.findings.items(), key=lambda item: (item[1].lane, item[1].rule, item[0])
        )
    ]
    body = ",\n".join(lines)
    return f'{{\n  "schema": "{SCHEMA}",\n  "findings": {{\n{body}\n  }}\n}}\n' if lines else _EMPTY


_EMPTY = f'{{\n  "schema": "{SCHEMA}",\n  "findings": {{}}\n}}\n'


def load(text: str, source: str) -> Baseline:
    """The reverse of `dump`. Raises ConfigError, naming the file, for anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not JSON: {error}; write it again with `mlcheck baseline write`") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        stated = data.get("schema") if isinstance(data, dict) else None
        raise ConfigError(f"{source}: no baseline of this version (schema {stated!r}, expected {SCHEMA!r})")
    findings = data.get("findings")
    if not isinstance(findings, dict):
        raise ConfigError(f"{source}: `findings` must be an object")
    return Baseline(
        {fingerprint: _read(one, f"{source}: findings.{fingerprint}") for fingerprint, one in findings.items()}
    )


def _read(data: Any, where: str) -> Accepted:
    try:
        return Accepted(
            str(data["rule"]),
            str(data["name"]),
            str(data["lane"]),
            Severity(data["severity"]),
            _number(data["worst"]),
            _number(data["limit"]),
            tuple(str(name) for name in data["series"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: not as `mlcheck baseline write` writes it ({error})") from None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _plain(one: Accepted) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "name": one.name,
        "lane": one.lane,
        "severity": one.severity.value,
        "worst": _text(one.worst),
        "limit": _text(one.limit),
        "series": list(one.series),
    }


def _text(value: float | None) -> float | str | None:
    # JSON has no NaN and no infinities.
    return value if value is None or math.isfinite(value) else str(value)


def _accepted(finding: Finding, lane: str) -> Accepted:
    value = None if finding.value is None else float(f"{finding.value:.7g}")
    limit = None if finding.limit is None else float(f"{finding.limit:.7g}")
    return Accepted(finding.rule, finding.name, lane, finding.severity, value, limit, finding.series)


def _is_worse(one: Accepted, other: Accepted) -> bool:
    if one.severity is not other.severity:
        return one.severity.rank > other.severity.rank
    return _times(one.worst, other.worst, one.limit) > 1


def _came_back(finding: Finding, known: Accepted) -> str:
    """Why an accepted finding counts again; empty where it does not."""
    if finding.severity.rank > known.severity.rank:
        return f"it was {known.severity} and is {finding.severity}"
    if _times(finding.value, known.worst, known.limit) > WORSE:
        return f"its value was {known.worst:.4g} and is {finding.value:.4g}"
    return ""


def _times(value: float | None, worst: float | None, limit: float | None) -> float:
    """How many times the recorded worst a value is, on the side of the limit on which it fails; 1 where that cannot be said."""
    if value is None or worst is None or math.isnan(worst) or value == worst:
        return 1.0
    if math.isnan(value):
        return math.inf
    below = limit is not None and not math.isnan(limit) and worst < limit
    if below and limit is not None and worst <= 0:
        # Below a limit and not positive: what counts is the distance from it.
        value, worst, below = limit - value, limit - worst, False
    small, large = (value, worst) if below else (worst, value)
    if large <= 0 or small < 0:
        return 1.0
    return math.inf if small == 0 else large / small
