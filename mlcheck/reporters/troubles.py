"""What went wrong besides findings: rules that raised, files that could not be read, nothing to judge.

Formats that list findings alone would show nothing where nothing could be measured, and that reads as "passed".
"""

from mlcheck.records import dataclass
from mlcheck.report import Report, Severity, SourceStatus
from mlcheck.reporters.footer import damaged, why
from mlcheck.reporters.text import clean, plural, prose

RULE_ERROR = "rule-error"
SOURCE = "source-incomplete"
NO_RUN = "no-run"
REQUIREMENT = "requirement"
KINDS = {
    RULE_ERROR: "A rule raised an error and judged nothing.",
    SOURCE: "A file could not be read wholly, or holds nothing to judge.",
    NO_RUN: "A path holds no run data.",
    REQUIREMENT: "Something that was required of the runs is not there.",
}
"""The kinds of trouble, each with what it means."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that kept mlcheck from judging."""

    kind: str
    """A key of `KINDS`."""
    severity: Severity
    text: str
    """One safe sentence."""
    path: str | None = None
    """The file, as the report has it."""
    run: str | None = None
    rule: str | None = None


def troubles(report: Report) -> tuple[Trouble, ...]:
    """All troubles of a report: errors, then files with lost data, then those whose last record is cut or that hold nothing."""
    found = [] if report.allow_empty else _no_run(report)
    found += [Trouble(REQUIREMENT, Severity.ERROR, prose(text)) for text in report.unmet]
    found += _rule_errors(report)
    found += [_source(one, report.strict) for one in damaged(report)]
    return tuple(sorted(found, key=lambda one: -one.severity.rank))


def _no_run(report: Report) -> list[Trouble]:
    found = [Trouble(NO_RUN, Severity.ERROR, prose(text)) for text in report.missing_paths]
    if not report.runs and not found:
        found.append(Trouble(NO_RUN, Severity.ERROR, "no run data found"))
    return found


def _rule_errors(report: Report) -> list[Trouble]:
    """One for each rule, run and reason, however many combinations it raised on."""
    counts: dict[tuple[str, str, str], int] = {}
    for outcome in report.outcomes:
        if outcome.outcome == "errored":
            key = (outcome.rule, outcome.run, outcome.reason or "no reason given")
            counts[key] = counts.get(key, 0) + outcome.count
    found = []
    for (rule, run, reason), count in counts.items():
        times = "" if count == 1 else f" ({plural(count, 'time')})"
        text = f"{clean(rule)} failed to run on {clean(run)}: {prose(reason)}{times}"
        found.append(Trouble(RULE_ERROR, Severity.ERROR, text, run=run, rule=rule))
    return found


def _source(source: SourceStatus, strict: bool) -> Trouble:
    lost = source.status in ("partial", "unreadable") and not source.tail_only
    severity = (Severity.ERROR if strict else Severity.WARNING) if lost else Severity.INFO
    return Trouble(SOURCE, severity, f"{clean(source.path)}: {why(source)}", path=source.path, run=source.run)
