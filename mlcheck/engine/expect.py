"""What `--require` and `--expect` ask of a scan, beyond findings: that something was there to be judged."""

from collections.abc import Sequence

from mlcheck.engine.registry import Registry
from mlcheck.errors import UsageError, did_you_mean
from mlcheck.report import Report
from mlcheck.store.roles import known_roles

EXPECTATIONS = ("runs", "min-steps", "metric")


def unmet(report: Report, rules: Registry, required: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """One line for each thing that was asked for and is not there. Raises UsageError for what cannot be asked."""
    wanted = [_expectation(text) for text in expected]
    return (*_not_checked(report, rules, required), *(line for one in wanted for line in _missing(report, *one)))


def check(expected: Sequence[str]) -> None:
    """Raise UsageError for an expectation that means nothing, before anything is read."""
    for text in expected:
        _expectation(text)


def _not_checked(report: Report, rules: Registry, required: Sequence[str]) -> list[str]:
    """Required rules that no combination of a run could be judged by."""
    found = []
    for word in required:
        rule = rules.get(word)
        for run in report.runs:
            mine = [o for o in report.outcomes if o.rule == rule.id and o.run == run.name]
            if not any(o.outcome in ("passed", "failed") for o in mine):
                reason = next((o.reason for o in mine if o.reason), "not selected")
                found.append(f"{run.name}: {rule.id} ({rule.name}) is required and was not checked: {reason}")
    return found


def _expectation(text: str) -> tuple[str, str]:
    word, separator, value = (part.strip() for part in text.partition("="))
    if word not in EXPECTATIONS or not separator:
        hint = did_you_mean(word, EXPECTATIONS) or "known: runs=N, min-steps=N, metric=ROLE"
        raise UsageError(f"--expect {text}: nothing that can be expected; {hint}")
    if word == "metric":
        if value not in known_roles():
            hint = did_you_mean(value, known_roles()) or "`mlcheck inspect` shows the roles of a run"
            raise UsageError(f"--expect {text}: no role {value!r}; {hint}")
    elif not value.isdecimal():
        raise UsageError(f"--expect {text}: {value!r} is no number")
    return word, value


def _missing(report: Report, word: str, value: str) -> list[str]:
    if word == "runs":
        there = len(report.runs)
        return [] if there >= int(value) else [f"{value} runs are expected, {there} found"]
    if word == "min-steps":
        short = [run for run in report.runs if run.last_step is None or run.last_step < int(value)]
        return [
            f"{run.name}: {int(value):,} {run.axis}s are expected, it ends at {run.last_step or 0:,}" for run in short
        ]
    logged = {series.run for series in report.series if series.role == value and series.points}
    return [
        f"{run.name}: a series of role {value} is expected, none is logged"
        for run in report.runs
        if run.name not in logged
    ]
