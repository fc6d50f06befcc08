"""The terminal: the verdict first, then how much was judged, then the ranked findings."""

from mlcheck.report import Finding, Report, Severity
from mlcheck.reporters import footer
from mlcheck.reporters.across import MANY, RuleAcross, across, best_and_worst, gaps, identical_runs, state
from mlcheck.reporters.across import counts as run_counts
from mlcheck.reporters.base import Options
from mlcheck.reporters.layout import STYLES, Page
from mlcheck.reporters.measured import measured, undefined
from mlcheck.reporters.rowblock import row_block
from mlcheck.reporters.styled import Styled
from mlcheck.reporters.text import clean, listing, plural, prose
from mlcheck.reporters.verdict import coverage, statement, verdict
from mlcheck.reporters.view import RunView, below, views, visible, worst
from mlcheck.reporters.wording import run_size, shown_path

_DETAILED = 5
_FAILING = 20
_SOURCES = 10
_NAMED = 8
_NOTES = 10
_VERDICT_STYLES = {
    None: "bold green",
    Severity.INFO: "bold green",
    Severity.WARNING: "bold yellow",
    Severity.ERROR: "bold red",
}


class TerminalReporter:
    """Ranked findings as a person reads them; see `Reporter.render`."""

    name = "terminal"

    def render(self, report: Report, options: Options) -> str:
        """Text of at most `options.width` columns, with ANSI colours when `options.color`; it holds no timing."""
        page = Page(options.width, options.color)
        shown = views(report)
        if len(shown) > MANY:
            _many(page, report, shown, options)
        else:
            for i, view in enumerate(shown):
                if i:
                    page.line()
                _run(page, view, options)
        if options.quiet:
            unread = [clean(one.path) for one in report.sources if one.status == "unreadable"]
            if unread and shown:
                page.line(f"{plural(len(unread), 'file')} could not be read: {listing(unread, _NAMED)}.")
            return page.text()
        _below(page, report, shown, options)
        return page.text()


def _run(page: Page, view: RunView, options: Options) -> None:
    _verdict(page, verdict(view), view)
    if options.quiet:
        return
    page.line(coverage(view, len(view.outcomes) + len(view.info.coverage.gaps) if options.verbose else 3))
    shown = visible(view.rows, options.min_severity)
    if shown or options.verbose:
        page.line()
        page.parts([shown_path(view), *run_size(view)], style="dim")
    for number, row in enumerate(shown, 1):
        brief = worst(row) is Severity.INFO and not options.verbose
        if not brief or number == 1 or worst(shown[number - 2]) is not Severity.INFO:
            page.line()
        row_block(page, number, row, view, options.verbose)
        if options.verbose:
            for child in list(below(row))[1:]:
                page.line()
                row_block(page, 0, child, view, verbose=True)
    if options.show_suppressed:
        _set_aside(page, view)


def _verdict(page: Page, sentence: str, view: RunView) -> None:
    style = (
        _VERDICT_STYLES[view.severity]
        if view.judged and not view.damaged
        else _VERDICT_STYLES[view.severity or Severity.WARNING]
    )
    end = len(clean(view.info.name))
    page.line(Styled(sentence[:end], style).append(sentence[end:]))


def _set_aside(page: Page, view: RunView) -> None:
    aside = [f for f in view.findings if f.status != "active"]
    if aside:
        page.line()
        page.line(f"{plural(len(aside), 'finding')} set aside:")
        page.table([_aside_cells(f) for f in aside], flexible=3, indent=2)


def _aside_cells(finding: Finding) -> list[Styled]:
    words = (finding.status, finding.severity, f"{clean(finding.name)} {clean(finding.rule)}", prose(finding.message))
    return [Styled(str(word)) for word in words]


def _many(page: Page, report: Report, shown: tuple[RunView, ...], options: Options) -> None:
    failing = [v for v in shown if state(v) == "failed"]
    text = f"{run_counts(shown)}."
    end = text.index(":")
    page.line(Styled(text[:end], "bold red" if failing else "bold").append(text[end:]))
    extremes = best_and_worst(shown)
    if extremes:
        page.line(f"{extremes}.")
    if options.quiet:
        if failing:
            page.line(f"Failed: {listing([clean(one.info.name) for one in failing], _NAMED)}.")
        return
    if gaps(shown):
        page.line(f"{gaps(shown)}.")
    for same in identical_runs(report.identical):
        page.line(f"{same[0].upper()}{same[1:]}.")
    rules = across(shown, options.min_severity, report.splits)
    if not rules:
        return
    page.line()
    page.table([_rule_cells(r, len(shown)) for r in rules], flexible=4)
    _failing(page, shown, options)
    serious = [r for r in rules if r.severity is not Severity.INFO] or list(rules)
    page.line()
    page.line("The worst run of each rule:")
    for number, rule in enumerate(serious[:_DETAILED], 1):
        page.line()
        row_block(page, number, rule.row, rule.worst, options.verbose, run=clean(rule.worst.info.name))
    rest = len(rules) - min(len(serious), _DETAILED)
    page.line()
    more = f"{plural(rest, 'more rule')} and all" if rest else "All"
    page.line(
        f"{more} other findings are in the JSON report: -o json=report.json; one run in full: mlcheck scan PATH/TO/RUN"
    )


def _rule_cells(rule: RuleAcross, total: int) -> list[Styled]:
    runs = f"{len(rule.hit):,} of {total:,} runs" + (f", {rule.split}" if rule.split else "")
    return [
        Styled(str(rule.severity), style=STYLES[rule.severity]),
        Styled(clean(rule.name), style="bold"),
        Styled(clean(rule.rule), style="dim"),
        Styled(runs),
        Styled(f"worst {clean(rule.worst.info.name, 60)}", style="dim"),
    ]


def _failing(page: Page, shown: tuple[RunView, ...], options: Options) -> None:
    """Runs with errors, then those with warnings, each with its first finding; at most 20."""
    states = ("failed", "warned")
    bad = [v for one in states for v in shown if state(v) == one and visible(v.rows, options.min_severity)]
    if not bad:
        return
    page.line()
    there = {state(v) for v in bad}
    words = " or ".join(word for one, word in zip(states, ("errors", "warnings"), strict=True) if one in there)
    page.line(f"{plural(len(bad), 'run')} with {words}, each with its first finding:")
    cells = []
    for view in bad[:_FAILING]:
        lead = view.rows[0].lead
        more = f"+{len(view.rows) - 1}" if len(view.rows) > 1 else ""
        cells.append(
            [
                Styled(clean(view.info.name, 60)),
                Styled(clean(lead.rule)),
                Styled(statement(lead, view, with_cost=False)),
                Styled(more),
            ]
        )
    page.table(cells, flexible=2, indent=2)
    if len(bad) > _FAILING:
        page.line(f"  {len(bad) - _FAILING:,} more")


def _measured(page: Page, report: Report, options: Options) -> None:
    """What a comparison measured, whatever the rules say of it."""
    found = measured(report, everything=options.verbose)
    missing = undefined(report, everything=options.verbose)
    if found:
        page.line()
        page.line("Measured:")
        cells = [(row.subject, row.statistic, row.value, row.base, row.beside) for row in found]
        page.table([[Styled(clean(cell)) for cell in row] for row in cells], flexible=4, indent=2)
    if missing:
        page.line()
        page.line("Undefined:")
    for text in missing:
        page.line(text, "  ", 2)
    if found or missing:
        page.line()


def _below(page: Page, report: Report, shown: tuple[RunView, ...], options: Options) -> None:
    """Requests not met, files not wholly read, notes and the counts; nothing at all below a healthy run."""
    if not shown:
        page.line(Styled("No run found.", style="bold"))
    for text in footer.requests(report):
        page.line(text, Styled("! ", style="bold red"), 2)
    damaged = footer.damaged(report)
    if damaged:
        if shown:
            page.line()
        page.line(f"{plural(len(damaged), 'file')} {footer.trouble(report)}:")
        most = len(damaged) if options.verbose else _SOURCES
        for source in damaged[:most]:
            page.line(Styled(f"{clean(source.path)}: ").append(footer.why(source)), "  ", 2)
        if len(damaged) > most:
            page.line(f"  {len(damaged) - most:,} more (mlcheck inspect lists all)")
    _measured(page, report, options)
    most = len(report.notes) if options.verbose else _NOTES
    for note in report.notes[:most]:
        page.line(prose(note.text), Styled("note: ", style="cyan"), 6)
    if len(report.notes) > most:
        page.line(f"{len(report.notes) - most:,} more notes (-v shows all)")
    healthy = all(state(v) == "healthy" and not v.findings for v in shown)
    if not healthy or len(shown) > 1 or damaged:
        page.line()
        page.parts(footer.counts(report, shown, options.min_severity))
