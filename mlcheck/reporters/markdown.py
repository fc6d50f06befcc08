"""GitHub Markdown for a pull request: the verdict, the ranked findings as a table, details to unfold, files not read.

GitHub refuses a comment of more than 65,536 characters as a whole, so the text keeps below `Options.max_chars`: details
go first, then files and notes, then rows of the tables, each time with a line that says so.
"""

from dataclasses import dataclass

from mlcheck.report import Report, Row, Severity
from mlcheck.reporters import footer
from mlcheck.reporters.across import RuleAcross, across, best_and_worst, gaps, identical_runs, state
from mlcheck.reporters.across import counts as run_counts
from mlcheck.reporters.base import Options
from mlcheck.reporters.escape import html, markdown, markdown_prose
from mlcheck.reporters.sparkline import sparkline
from mlcheck.reporters.text import plural
from mlcheck.reporters.verdict import coverage, statement, verdict
from mlcheck.reporters.view import RunView, views, visible
from mlcheck.reporters.wording import against_limit, cost, doubts, evidence_caption, explained, extent

MARKER = "<!-- mlcheck -->"
MANY = 3
_FAILING = 20
_SOURCES = 20
_NOTES = 20
_LEAST_CHARS = 2_000
_SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}
_WHOLE = "the JSON report has all of them"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that may lose rows at its end."""

    title: str
    header: tuple[str, ...]
    rows: tuple[str, ...]

    def text(self, kept: int) -> str:
        """The table with its first `kept` rows and a line for the rest."""
        if not self.rows:
            return ""
        head = f"| {' | '.join(self.header)} |\n|{'---|' * len(self.header)}\n"
        rest = len(self.rows) - kept
        more = f"\n{rest:,} more {'row' if rest == 1 else 'rows'}; {_WHOLE}.\n" if rest else ""
        title = f"{self.title}\n\n" if self.title else ""
        return f"{title}{head}{''.join(self.rows[:kept])}{more}" if kept else f"{title}{more.lstrip()}"


class MarkdownReporter:
    """A comment for a pull request; see `Reporter.render`."""

    name = "markdown"

    def render(self, report: Report, options: Options) -> str:
        """Markdown of at most `options.max_chars` characters (2,000 at the least), led by a hidden marker."""
        shown = views(report)
        many = len(shown) > MANY
        if many:
            head, tables, details = _sweep(report, shown, options)
        else:
            head, tables, details = _few(shown, options)
        parts = [] if options.quiet else tables
        unfolded = [] if options.quiet else details
        extra = _files(report) + _notes(report)
        head += _counts(report, shown, options)
        return _fit(f"{MARKER}\n{head}", parts, unfolded, extra, max(options.max_chars, _LEAST_CHARS))


def _fit(head: str, tables: list[Table], details: list[str], tail: list[str], limit: int) -> str:
    """Put the parts together below the limit: details are dropped from the end, then the tail, then rows."""
    kept_rows = [len(table.rows) for table in tables]
    kept_details, kept_tail = len(details), len(tail)
    head = head if len(head) <= limit // 2 else f"{head[: limit // 2].rsplit(chr(10), 1)[0]}\n"

    def whole() -> str:
        texts = [head, *(t.text(n) for t, n in zip(tables, kept_rows, strict=True)), *details[:kept_details]]
        if kept_details < len(details):
            texts.append(f"Details of {plural(len(details) - kept_details, 'more finding')} left out; {_WHOLE}.\n")
        texts += tail[:kept_tail]
        if kept_tail < len(tail):
            texts.append("More on files and notes is in the JSON report.\n")
        return "\n".join(text for text in texts if text)

    while kept_details and len(whole()) > limit:
        kept_details -= max(1, _surplus(details[:kept_details], len(whole()) - limit))
    while kept_tail and len(whole()) > limit:
        kept_tail -= 1
    for i in reversed(range(len(tables))):
        while kept_rows[i] and len(whole()) > limit:
            kept_rows[i] -= max(1, _surplus(list(tables[i].rows[: kept_rows[i]]), len(whole()) - limit))
    return whole()


def _surplus(texts: list[str], excess: int) -> int:
    """How many of the last texts surely must go to lose `excess` characters."""
    count = 0
    while count < len(texts) and excess > len(texts[-1 - count]):
        excess -= len(texts[-1 - count])
        count += 1
    return count


def _few(shown: tuple[RunView, ...], options: Options) -> tuple[str, list[Table], list[str]]:
    head = "".join(f"\n{_sign(view)} **{_lead(view)}**\n\n{markdown_prose(coverage(view), 2_000)}\n" for view in shown)
    rows: list[str] = []
    details: list[str] = []
    for view in shown:
        for row in visible(view.rows, options.min_severity):
            number = len(rows) + 1
            run = markdown(view.info.name) if len(shown) > 1 else None
            rows.append(_row(number, row, view, run))
            details.append(_details(number, row, view))
    header = ("#", "severity", "rule", *(("run",) if len(shown) > 1 else ()), "where", "value")
    return head or "\n❔ **No run found.**\n", [Table("", header, tuple(rows))], details


def _lead(view: RunView) -> str:
    return markdown_prose(verdict(view), 800)


def _sign(view: RunView) -> str:
    if view.severity in (Severity.ERROR, Severity.WARNING):
        return _SIGNS[view.severity]
    return "✅" if state(view) == "healthy" else "❔"


def _row(number: int, row: Row, view: RunView, run: str | None) -> str:
    lead = row.lead
    where = markdown(extent(row, view), 240)
    names = explained(row)
    if names:
        where += f"; explains {markdown(', '.join(names), 200)}"
    cells = [str(number), f"{_SIGNS[lead.severity]} {lead.severity}", f"{markdown(lead.name)} {markdown(lead.rule)}"]
    cells += [] if run is None else [run]
    cells += [where, markdown(against_limit(lead))]
    return f"| {' | '.join(cells)} |\n"


def _details(number: int, row: Row, view: RunView, run: str = "") -> str:
    lead = row.lead
    where = f"{run}: {extent(row, view)}" if run else extent(row, view)
    lines = [f"<details><summary>{number}. {html(lead.name)} {html(lead.rule)}: {html(where, 240)}</summary>", ""]
    if lead.message:
        lines += [markdown_prose(lead.message), ""]
    for evidence in lead.evidence[:3]:
        lines.append(f"- `{sparkline(evidence.values, 40)}` {markdown(evidence_caption(evidence), 200)}")
    facts = {
        "try": markdown_prose(lead.advice),
        "explains": markdown(", ".join(explained(row)), 400),
        "cost": markdown(cost(lead)),
        "because": markdown(doubts(lead), 400),
        "labels": markdown(", ".join(f"{k} {v}" for k, v in sorted(lead.labels.items())), 400),
        "fingerprint": markdown(lead.fingerprint),
    }
    lines += [f"- {key}: {value}" for key, value in facts.items() if value]
    return "\n".join([*lines, "", "</details>", ""])


def _sweep(report: Report, shown: tuple[RunView, ...], options: Options) -> tuple[str, list[Table], list[str]]:
    worst = max((v for v in shown if v.severity), key=lambda v: v.severity.rank if v.severity else 0, default=None)
    sign = _sign(worst) if worst else "✅" if all(state(v) == "healthy" for v in shown) else "❔"
    head = f"\n{sign} **{markdown_prose(run_counts(shown))}.**\n"
    for sentence in (best_and_worst(shown), gaps(shown), *identical_runs(report.identical)):
        head += f"\n{markdown_prose(sentence, 1_000)}.\n" if sentence else ""
    rules = across(shown, options.min_severity, report.splits)
    by_rule = Table("", ("severity", "rule", "runs", "worst run"), tuple(_rule_row(r, len(shown)) for r in rules))
    bad = [v for v in shown if v.severity is Severity.ERROR] or [v for v in shown if v.severity is Severity.WARNING]
    failing = tuple(_failing_row(v) for v in bad if visible(v.rows, options.min_severity))
    by_run = Table("Runs with findings, each with its first one:", ("run", "rule", "what"), failing)
    details = [_details(i, r.row, r.worst, r.worst.info.name) for i, r in enumerate(rules, 1)]
    return head, [by_rule, _bounded(by_run)], details


def _bounded(table: Table) -> Table:
    if len(table.rows) <= _FAILING:
        return table
    title = f"{plural(len(table.rows), 'run')} with findings, the first {_FAILING} with their first finding:"
    return Table(title, table.header, table.rows[:_FAILING])


def _rule_row(rule: RuleAcross, total: int) -> str:
    runs = f"{len(rule.hit):,} of {total:,}" + (f", {markdown(rule.split)}" if rule.split else "")
    name = f"{markdown(rule.name)} {markdown(rule.rule)}"
    return f"| {_SIGNS[rule.severity]} {rule.severity} | {name} | {runs} | {markdown(rule.worst.info.name)} |\n"


def _failing_row(view: RunView) -> str:
    lead = view.rows[0].lead
    what = markdown(statement(lead, view, with_cost=False), 240)
    return f"| {markdown(view.info.name)} | {markdown(lead.rule)} | {what} |\n"


def _counts(report: Report, shown: tuple[RunView, ...], options: Options) -> str:
    """The line of counts, and what the user asked for and did not get."""
    counts = " · ".join(footer.counts(report, shown, options.min_severity))
    requests = "".join(f"- ❗ {markdown_prose(text)}\n" for text in footer.requests(report)[:_NOTES])
    return "".join(f"\n{part}\n" for part in (counts, requests) if part)


def _files(report: Report) -> list[str]:
    damaged = footer.damaged(report)
    if not damaged:
        return []
    title = f"<details><summary>{plural(len(damaged), 'file')} could not be read wholly</summary>\n"
    lines = [f"- {markdown(s.path)}: {markdown_prose(footer.why(s))}" for s in damaged[:_SOURCES]]
    lines += [f"- {len(damaged) - _SOURCES:,} more"] if len(damaged) > _SOURCES else []
    return ["\n".join([title, *lines, "", "</details>", ""])]


def _notes(report: Report) -> list[str]:
    if not report.notes:
        return []
    lines = [f"- {markdown_prose(note.text)}" for note in report.notes[:_NOTES]]
    lines += [f"- {len(report.notes) - _NOTES:,} more"] if len(report.notes) > _NOTES else []
    return ["\n".join(["Notes:", "", *lines, ""])]
