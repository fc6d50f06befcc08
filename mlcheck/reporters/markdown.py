"""Markdown for a pull request: the verdict, what to do, the ranked findings as a table, details to unfold, files not read.

GitHub refuses a comment of more than 65,536 characters as a whole, so the text keeps below `Options.max_chars`: charts
go first, then details, then files and notes, then rows of the tables, each time with a line that says so.
"""

from collections.abc import Callable

from mlcheck.records import dataclass
from mlcheck.report import Finding, Report, Row, Severity
from mlcheck.reporters import footer
from mlcheck.reporters.across import RuleAcross, across, best_and_worst, gaps, identical_runs, state
from mlcheck.reporters.across import counts as run_counts
from mlcheck.reporters.base import Options
from mlcheck.reporters.escape import html, markdown, markdown_prose
from mlcheck.reporters.measured import measured, undefined
from mlcheck.reporters.mermaid import chart
from mlcheck.reporters.sparkline import sparkline
from mlcheck.reporters.text import duration, plural
from mlcheck.reporters.verdict import best, coverage, judgement, lead, statement
from mlcheck.reporters.view import RunView, views, visible, worst
from mlcheck.reporters.wording import against_limit, cost, doubts, evidence_caption, explained, extent, in_run

MARKER = "<!-- mlcheck -->"
"""The first line, by which a bot finds the comment that it wrote before."""
MANY = 3
MOST_CHARTS = 8
"""Charts in one document: those of the worst findings."""
_FAILING = 20
_SOURCES = 20
_NOTES = 20
_LEAST_CHARS = 2_000
_HEAD_SHARE = 24
"""A sentence of the head takes at most one part in so many of the document, however long its names are once escaped."""
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


@dataclass(frozen=True, slots=True)
class Detail:
    """What unfolds for one row: a title, the chart that may be left out, and the rest."""

    title: str
    chart: str
    rest: str
    unfolded: bool = False

    def text(self, charted: bool) -> str:
        """The HTML element with its Markdown."""
        drawn = f"{self.chart}\n" if charted and self.chart else ""
        opened = "<details open>" if self.unfolded else "<details>"
        return f"{opened}<summary>{self.title}</summary>\n\n{drawn}{self.rest}\n</details>\n"


class MarkdownReporter:
    """A comment for a pull request; see `Reporter.render`."""

    name = "markdown"

    def render(self, report: Report, options: Options) -> str:
        """Markdown of at most `options.max_chars` characters (2,000 at the least), led by a hidden marker."""
        limit = max(options.max_chars, _LEAST_CHARS)
        shown = views(report)
        say = _sentences(limit // _HEAD_SHARE)
        draw = _sweep if len(shown) > MANY else _few
        head, tables, details = draw(report, shown, options, say)
        if options.quiet:
            tables, details = [], []
        head += _counts(report, shown, options)
        tail = _files(report) + _notes(report)
        return _Document(f"{MARKER}\n{head}", [*tables, *_measured(report)], details, tail, limit).fitted()


class _Document:
    """The parts, and how many of each are kept."""

    def __init__(self, head: str, tables: list[Table], details: list[Detail], tail: list[str], limit: int) -> None:
        self.limit = limit
        self.head = head if len(head) <= limit // 2 else f"{head[: limit // 2].rsplit(chr(10), 1)[0]}\n"
        self.tables, self.details, self.tail = tables, details, tail
        self.charted = [i for i, detail in enumerate(details) if detail.chart][:MOST_CHARTS]
        self.all_charts = len(self.charted)
        self.rows = [len(table.rows) for table in tables]
        self.kept_details, self.kept_tail = len(details), len(tail)

    def text(self) -> str:
        texts = [self.head, *(table.text(n) for table, n in zip(self.tables, self.rows, strict=True))]
        charted = [i for i in self.charted if i < self.kept_details]
        texts += [detail.text(i in charted) for i, detail in enumerate(self.details[: self.kept_details])]
        if self.kept_details < len(self.details):
            missing = plural(len(self.details) - self.kept_details, "more finding")
            texts.append(f"Details of {missing} left out; {_WHOLE}.\n")
        elif len(charted) < self.all_charts:
            texts.append(f"{plural(self.all_charts - len(charted), 'chart')} left out for want of room.\n")
        texts += self.tail[: self.kept_tail]
        if self.kept_tail < len(self.tail):
            texts.append("More on files and notes is in the JSON report.\n")
        return "\n".join(text for text in texts if text)

    def excess(self) -> int:
        return len(self.text()) - self.limit

    def fitted(self) -> str:
        """The text below the limit: charts are dropped from the last, then details, then the tail, then rows."""
        while self.charted and self.excess() > 0:
            self.charted.pop()
        while self.kept_details and (excess := self.excess()) > 0:
            kept = [detail.text(False) for detail in self.details[: self.kept_details]]
            self.kept_details -= max(1, _surplus(kept, excess))
        while self.kept_tail and self.excess() > 0:
            self.kept_tail -= 1
        for i in reversed(range(len(self.tables))):
            while self.rows[i] and (excess := self.excess()) > 0:
                self.rows[i] -= max(1, _surplus(list(self.tables[i].rows[: self.rows[i]]), excess))
        return self.text()


def _surplus(texts: list[str], excess: int) -> int:
    """How many of the last texts surely must go to lose `excess` characters."""
    count = 0
    while count < len(texts) and excess > len(texts[-1 - count]):
        excess -= len(texts[-1 - count])
        count += 1
    return count


Sentences = Callable[[str, int], str]


def _sentences(room: int) -> Sentences:
    """What escapes a sentence, cut so that it takes no more than its room: a sign may become a dozen characters."""

    def say(text: str, most: int) -> str:
        longest = max(room, most)
        while len(escaped := markdown_prose(text, most)) > longest and most > 1:
            most = most * 3 // 4
        return escaped

    return say


def _few(
    report: Report, shown: tuple[RunView, ...], options: Options, say: Sentences
) -> tuple[str, list[Table], list[Detail]]:
    head = "".join(_head(view, _is_compared(report), say) for view in shown)
    ranked = [(row, view) for view in shown for row in visible(view.rows, options.min_severity)]
    ranked.sort(key=lambda pair: -worst(pair[0]).rank)
    several = len(shown) > 1
    rows = [_row(i, row, view, several) for i, (row, view) in enumerate(ranked, 1)]
    details = [_detail(i, row, view, view.info.name if several else "") for i, (row, view) in enumerate(ranked, 1)]
    header = ("#", "severity", "rule", *(("run",) if several else ()), "where", "value")
    return head or "\n❔ **No run found.**\n", [Table("", header, tuple(rows))], details


def _head(view: RunView, compared: bool, say: Sentences) -> str:
    """What is wrong, what of it is new, what to do, the best value, the coverage: a paragraph each."""
    found = lead(view)
    paragraphs = [
        f"{_sign(view)} **{say(judgement(view), 800)}**",
        _news((view,)) if compared else "",
        _to_do(found, say),
        say(best(view), 300),
        say(coverage(view), 2_000),
    ]
    return "".join(f"\n{text}\n" for text in paragraphs if text)


def _to_do(found: Finding | None, say: Sentences) -> str:
    return f"**What to do:** {say(found.advice, 500)}" if found is not None and found.advice else ""


def _is_compared(report: Report) -> bool:
    """Whether a baseline was read: something is in it, or was."""
    return any(f.status == "baselined" for f in report.findings) or any(n.kind == "baseline" for n in report.notes)


def _news(shown: tuple[RunView, ...]) -> str:
    """What is not in the baseline; empty where all is, since the verdict says that."""
    if not any(view.rows for view in shown):
        return ""
    known = sum(f.status == "baselined" for view in shown for f in view.findings)
    aside = f"; {plural(known, 'known finding')} set aside" if known else ""
    return f"**New or worse than in the baseline:** {footer.findings(shown)}{aside}."


def _sign(view: RunView) -> str:
    if view.severity in (Severity.ERROR, Severity.WARNING):
        return _SIGNS[view.severity]
    return "✅" if state(view) == "healthy" else "❔"


def _row(number: int, row: Row, view: RunView, several: bool) -> str:
    found = row.lead
    where = markdown(extent(row, view), 240)
    names = explained(row)
    if names:
        where += f"; explains {markdown(', '.join(names), 200)}"
    cells = [
        str(number),
        f"{_SIGNS[found.severity]} {found.severity}",
        f"{markdown(found.name)} {markdown(found.rule)}",
    ]
    cells += [markdown(view.info.name)] if several else []
    cells += [where, markdown(against_limit(found))]
    return f"| {' | '.join(cells)} |\n"


def _detail(number: int, row: Row, view: RunView, run: str) -> Detail:
    """No line begins with a text of the run: GitLab obeys `/close` and its like there."""
    found = row.lead
    where = in_run(run, extent(row, view))
    facts = {
        "what": markdown_prose(found.message),
        "try": markdown_prose(found.advice),
        "explains": markdown(", ".join(explained(row)), 400),
        "cost": markdown(cost(found)),
        "because": markdown(doubts(found), 400),
        "labels": markdown(", ".join(f"{k} {v}" for k, v in sorted(found.labels.items())), 400),
        "fingerprint": markdown(found.fingerprint),
    }
    lines = [f"- {key}: {value}\n" for key, value in facts.items() if value]
    lines += [
        f"- `{sparkline(evidence.values, 40)}` {markdown(evidence_caption(evidence), 200)}\n"
        for evidence in found.evidence[:3]
    ]
    drawn = next((text for text in map(chart, found.evidence) if text), "") if number <= MOST_CHARTS else ""
    title = f"{number}. {html(found.name)} {html(found.rule)}" + (f": {html(where, 240)}" if where else "")
    return Detail(title, drawn, "".join(lines), number == 1 and worst(row) is not Severity.INFO)


def _sweep(
    report: Report, shown: tuple[RunView, ...], options: Options, say: Sentences
) -> tuple[str, list[Table], list[Detail]]:
    rules = across(shown, options.min_severity, report.splits)
    bad = [v for v in shown if v.severity is Severity.ERROR] or [v for v in shown if v.severity is Severity.WARNING]
    sign = _sign(bad[0]) if bad else "✅" if all(state(v) == "healthy" for v in shown) else "❔"
    serious = next((r.row.lead for r in rules if r.severity is not Severity.INFO), None)
    compared = _is_compared(report)
    sentences = (best_and_worst(shown), gaps(shown), *identical_runs(report.identical))
    paragraphs = [
        f"{sign} **{say(run_counts(shown), 800)}{_lost(bad)}.**",
        _news(shown) if compared else "",
        _to_do(serious, say),
        *(f"{say(text[0].upper() + text[1:], 1_000)}." for text in sentences if text),
    ]
    head = "".join(f"\n{text}\n" for text in paragraphs if text)
    by_rule = Table("", ("severity", "rule", "runs", "worst run"), tuple(_rule_row(r, len(shown)) for r in rules))
    failing = tuple(_failing_row(v) for v in bad if visible(v.rows, options.min_severity))
    by_run = Table("Runs with findings, each with its first one:", ("run", "rule", "what"), failing)
    details = [_detail(i, r.row, r.worst, r.worst.info.name) for i, r in enumerate(rules, 1)]
    return head, [by_rule, _bounded(by_run)], details


def _lost(bad: list[RunView]) -> str:
    """What the runs with findings cost together: `; 16.2 h of training came after something went wrong`."""
    costs = [found.cost.hours or 0.0 for view in bad if (found := lead(view)) and found.cost and not found.healed]
    return f"; {duration(sum(costs))} of training came after something went wrong" if sum(costs) > 0 else ""


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
    found = view.rows[0].lead
    what = markdown(statement(found, view, with_cost=False), 240)
    return f"| {markdown(view.info.name)} | {markdown(found.rule)} | {what} |\n"


def _counts(report: Report, shown: tuple[RunView, ...], options: Options) -> str:
    """The line of counts, and what the user asked for and did not get."""
    counts = " · ".join(footer.counts(report, shown, options.min_severity))
    requests = "".join(f"- ❗ {markdown_prose(text)}\n" for text in footer.requests(report)[:_NOTES])
    return "".join(f"\n{part}\n" for part in (counts, requests) if part)


def _measured(report: Report) -> list[Table]:
    found, missing = measured(report), undefined(report)
    without = Table("Undefined:", ("what, and why",), tuple(f"| {markdown_prose(text)} |\n" for text in missing))
    if not found:
        return [without] if missing else []
    cells = [(row.subject, row.statistic, row.value, row.base, row.beside) for row in found]
    rows = tuple(f"| {' | '.join(markdown(cell) for cell in row)} |\n" for row in cells)
    table = Table("Measured:", ("what", "statistic", "new", "base", ""), rows)
    return [table, without] if missing else [table]


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
