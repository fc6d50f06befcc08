"""GitHub annotations: workflow commands that a job prints, at most ten, worst first, then a notice with the counts.

GitHub shows ten annotations of a level for a step and drops the rest without a word. Escaping as in GitHub's own toolkit
(`@actions/core`, command.ts): `%`, CR and LF in a message, `:` and `,` as well in a property.
"""

from mlcheck.records import dataclass
from mlcheck.report import Report, Row, Severity
from mlcheck.reporters import footer
from mlcheck.reporters.across import RuleAcross, across
from mlcheck.reporters.base import Options
from mlcheck.reporters.text import clean, plural, prose
from mlcheck.reporters.troubles import NO_RUN, REQUIREMENT, RULE_ERROR, SOURCE, Trouble, troubles
from mlcheck.reporters.view import RunView, views, visible, worst
from mlcheck.reporters.wording import against_limit, cost, explained, extent

MOST = 10
_MANY = 3
"""Runs beyond which there is one annotation a rule instead of one a finding."""
_LONGEST_TITLE = 200
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_DATA = str.maketrans(_DATA)
_IN_PROPERTY = str.maketrans({**_DATA, ":": "%3A", ",": "%2C"})
_TITLES = {
    RULE_ERROR: "rules failed to run",
    SOURCE: "files not read wholly",
    NO_RUN: "no run data",
    REQUIREMENT: "requirement not met",
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation; title and message are safe text that is not yet escaped."""

    severity: Severity
    title: str
    message: str

    def command(self) -> str:
        """The line that the runner obeys."""
        title = self.title[:_LONGEST_TITLE].translate(_IN_PROPERTY)
        return f"::{_COMMANDS[self.severity]} title={title}::{self.message.translate(_IN_DATA)}\n"


class GithubReporter:
    """Lines of workflow commands; rows that are folded, not single findings."""

    name = "github"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. Active findings only."""
        shown = views(report)
        if len(shown) > _MANY:
            found = [_rule(one, len(shown)) for one in across(shown, options.min_severity, report.splits)]
        else:
            found = [_row(row, view) for view in shown for row in visible(view.rows, options.min_severity)]
        found += [one for one in _troubles(report) if one.severity.rank >= options.min_severity.rank]
        found.sort(key=lambda one: -one.severity.rank)
        # The closing notice is an annotation too, and must not be the eleventh of its level.
        kept = found[: MOST - 1] if all(one.severity is Severity.INFO for one in found[:MOST]) else found[:MOST]
        return "".join(one.command() for one in [*kept, _closing(report, shown, options, len(found) - len(kept))])


def _row(row: Row, view: RunView) -> Annotation:
    lead = row.lead
    names = explained(row)
    parts = [
        extent(row, view),
        prose(lead.message),
        against_limit(lead),
        cost(lead),
        f"explains {', '.join(names)}" if names else "",
        f"try: {prose(lead.advice)}" if lead.advice else "",
    ]
    title = f"{clean(lead.name)} {clean(lead.rule)} in {clean(view.info.name)}"
    return Annotation(worst(row), title, "\n".join(part for part in parts if part))


def _rule(rule: RuleAcross, total: int) -> Annotation:
    split = f", {rule.split}" if rule.split else ""
    lead = rule.row.lead
    parts = [
        f"{len(rule.hit):,} of {plural(total, 'run')}{split}; worst in {clean(rule.worst.info.name)}",
        prose(lead.message),
        f"try: {prose(lead.advice)}" if lead.advice else "",
    ]
    return Annotation(
        rule.severity, f"{clean(rule.name)} {clean(rule.rule)}", "\n".join(part for part in parts if part)
    )


def _troubles(report: Report) -> list[Annotation]:
    """One annotation for each kind and severity of trouble: a thousand unreadable files must not hide the findings."""
    groups: dict[tuple[str, Severity], list[Trouble]] = {}
    for one in troubles(report):
        groups.setdefault((one.kind, one.severity), []).append(one)
    found = []
    for (kind, severity), members in groups.items():
        lines = [one.text for one in members[:MOST]]
        lines += [f"{len(members) - MOST:,} more"] if len(members) > MOST else []
        found.append(Annotation(severity, f"mlcheck: {_TITLES[kind]}", "\n".join(lines)))
    return found


def _closing(report: Report, shown: tuple[RunView, ...], options: Options, rest: int) -> Annotation:
    counts = " · ".join(footer.counts(report, shown, options.min_severity)) or "no run found"
    more = (
        f"\n{plural(rest, 'more annotation')} left out: the step summary and the JSON report have all" if rest else ""
    )
    return Annotation(Severity.INFO, "mlcheck", counts + more)
