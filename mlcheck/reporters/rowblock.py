"""One ranked row on a terminal page: what and where, the message, the curve, what it explains, what to try."""

from mlcheck.report import Finding, Row, Severity
from mlcheck.reporters.layout import STYLES, Page
from mlcheck.reporters.sparkline import sparkline
from mlcheck.reporters.styled import Styled, cells
from mlcheck.reporters.text import clean, listing, prose
from mlcheck.reporters.view import RunView, worst
from mlcheck.reporters.wording import against_limit, cost, doubts, evidence_caption, explained, extent, in_run

INDENT = 12
_KEY = 11
_CURVES = 2
_MOST_EXPLAINED = 6


def row_block(page: Page, number: int, row: Row, view: RunView, verbose: bool, run: str = "") -> None:
    """Draw a row. A row of infos only is one line unless `verbose`.

    `run` names the run where rows of several are drawn together. Number 0: a row that the one above it explains.
    """
    lead = row.lead
    head = Styled()
    head.append(clean(lead.name), style="bold").append(" ").append(clean(lead.rule), style="dim")
    start = Styled(f"{number or '':<3}").append(f"{lead.severity:<9}", style=STYLES[lead.severity])
    place = in_run(run, extent(row, view))
    if worst(row) is Severity.INFO and not verbose:
        page.line(head.append("   ").append(prose(lead.message) or place), start, INDENT)
        return
    if head.cells + 3 + cells(place) <= page.width - INDENT:
        page.line(head.append("   ").append(place), start, INDENT)
    else:
        page.line(head, start, INDENT)
        page.line(place, indent=INDENT, lead=" " * INDENT)
    _details(page, row, verbose, with_cost=verbose or bool(run))


def _details(page: Page, row: Row, verbose: bool, with_cost: bool) -> None:
    lead = row.lead
    blank = " " * INDENT
    if lead.message:
        page.line(prose(lead.message), blank, INDENT)
    _curves(page, lead, verbose)
    names = explained(row)
    if names:
        _key(page, "explains", listing(names, len(names) if verbose else _MOST_EXPLAINED))
    if with_cost and cost(lead):
        _key(page, "cost", cost(lead))
    if doubts(lead):
        _key(page, "because", doubts(lead))
    advice = prose(lead.advice).rstrip(".")
    _key(
        page,
        "try",
        f"{advice}; mlcheck explain {clean(lead.rule)}" if advice else f"mlcheck explain {clean(lead.rule)}",
    )
    if verbose and lead.params:
        _key(page, "parameters", ", ".join(f"{clean(k)}={clean(str(v))}" for k, v in sorted(lead.params.items())))


def _curves(page: Page, lead: Finding, verbose: bool) -> None:
    """One line per curve: value and limit, then the blocks, then what they show."""
    shown = lead.evidence if verbose else lead.evidence[:_CURVES]
    limit = against_limit(lead)
    if not shown:
        if limit:
            page.line(limit, " " * INDENT, INDENT)
        return
    for i, evidence in enumerate(shown):
        text = Styled().append(sparkline(evidence.values), style=STYLES[lead.severity])
        text.append("   ")
        if i == 0 and limit:
            text.append(f"{limit} · ")
        text.append(evidence_caption(evidence), style="dim")
        page.line(text, " " * INDENT, INDENT)


def _key(page: Page, key: str, value: str) -> None:
    lead = Styled(" " * INDENT).append(f"{key:<{_KEY}}", style="dim")
    page.line(value, lead, INDENT + _KEY)
