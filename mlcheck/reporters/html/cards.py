"""The findings as cards: one for each ranked row, consequences right after their cause, linked both ways."""

from collections.abc import Iterator

from mlcheck.records import dataclass, field
from mlcheck.report import Finding, Report, Row, Severity
from mlcheck.reporters.html.charts import Charts
from mlcheck.reporters.sparkline import sparkline
from mlcheck.reporters.text import clean, listing, number, plural, prose
from mlcheck.reporters.view import RunView, visible
from mlcheck.reporters.wording import against_limit, cost, doubts, evidence_caption, extent, period, place, subject

_EPISODES = 20
_SPARK = 20


@dataclass(frozen=True, slots=True)
class Link:
    """To another card."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Member:
    """One finding of a folded row, as its chart is chosen by."""

    text: str
    chart: int | None


@dataclass(slots=True)
class Card:
    """One row of the report, all its texts safe but not escaped for HTML."""

    key: str
    """Its id on the page."""
    number: str
    """Its rank; empty for a known finding."""
    depth: int
    """0 for a root, 1 for what it explains, …"""
    severity: Severity
    status: str
    rule: str
    name: str
    run: str
    extent: str
    value: str
    spark: str
    message: str
    advice: str
    members: tuple[Member, ...]
    caption: str
    episodes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """Word and text of the small print."""
    onset: int | None
    last: int
    axis: str
    cause: Link | None = None
    consequences: list[Link] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cards:
    """All cards of a page."""

    active: tuple[Card, ...]
    known: tuple[Card, ...]
    """Baselined and suppressed findings."""

    def of_run(self, run: str) -> list[Card]:
        """The active cards of a run, by its safe name."""
        return [card for card in self.active if card.run == run]


def cards(report: Report, shown: tuple[RunView, ...], least: Severity, charts: Charts) -> Cards:
    """The rows at or above a severity, over all runs, in the report's order; then the known findings."""
    order = {id(f): i for i, f in enumerate(report.findings)}
    roots = [(row, view) for view in shown for row in visible(view.rows, least)]
    roots.sort(key=lambda pair: min(order.get(id(f), 0) for f in pair[0].findings))
    active: list[Card] = []
    by_finding: dict[int, Card] = {}
    parents: dict[str, Card] = {}
    for root, view in roots:
        for row, depth, parent in _walk(root, 0, None):
            card = _card(f"f{len(active) + 1}", str(len(active) + 1), depth, row, view, charts)
            active.append(card)
            by_finding.update(dict.fromkeys(map(id, row.findings), card))
            if parent is not None:
                cause = by_finding[id(parent.lead)]
                card.cause = Link(cause.key, f"{cause.number} {cause.name}")
                cause.consequences.append(Link(card.key, f"{card.number} {card.name}: {card.extent}"))
                parents[card.key] = cause
    known = [f for f in report.findings if f.status != "active" and f.severity.rank >= least.rank]
    views_by_name = {view.info.name: view for view in shown}
    return Cards(
        tuple(active),
        tuple(
            _card(f"k{i}", "", 0, Row(f, (f,)), views_by_name.get(f.run), charts) for i, f in enumerate(known, start=1)
        ),
    )


def _walk(row: Row, depth: int, parent: Row | None) -> Iterator[tuple[Row, int, Row | None]]:
    yield row, depth, parent
    for child in row.explained:
        yield from _walk(child, depth + 1, row)


def _card(key: str, rank: str, depth: int, row: Row, view: RunView | None, charts: Charts) -> Card:
    lead = row.lead
    ordered = [lead, *(f for f in row.findings if f is not lead)]
    members = tuple(Member(_member(f), charts.finding(f)) for f in ordered)
    return Card(
        key=key,
        number=rank,
        depth=depth,
        severity=lead.severity,
        status=lead.status,
        rule=clean(lead.rule),
        name=clean(lead.name),
        run=clean(lead.run),
        extent=extent(row, view),
        value=against_limit(lead),
        spark=sparkline(lead.evidence[0].values, _SPARK) if lead.evidence else "",
        message=prose(lead.message),
        advice=prose(lead.advice),
        members=members,
        caption="; ".join(evidence_caption(e) for e in lead.evidence[:6]),
        episodes=_episodes(lead),
        facts=tuple((word, text) for word, text in _facts(lead) if text),
        onset=lead.onset,
        last=lead.last_step,
        axis=lead.axis,
    )


def _member(finding: Finding) -> str:
    """`encoder.4, from step 1,210 until the end, 3.1e-09`."""
    value = "" if finding.value is None else number(finding.value)
    return ", ".join(part for part in (subject(finding), period(finding), value) if part)


def _episodes(finding: Finding) -> tuple[str, ...]:
    texts = []
    for one in finding.episodes[:_EPISODES] if finding.episode_count > 1 else ():
        worst = "" if one.worst is None else f", worst {number(one.worst)} at {place(finding.axis, one.worst_step)}"
        until = "" if one.last_step == one.first_step else f" to {one.last_step:,}"
        texts.append(f"{place(finding.axis, one.first_step)}{until}, {plural(one.points, 'point')}{worst}")
    if texts and finding.episode_count > len(texts):
        texts.append(f"{finding.episode_count - len(texts):,} more")
    return tuple(texts)


def _facts(finding: Finding) -> list[tuple[str, str]]:
    params = [f"{clean(key)} {_value(value)}" for key, value in sorted(finding.params.items())]
    return [
        ("cost", cost(finding)),
        ("because", doubts(finding)),
        ("labels", listing([f"{clean(k)} {clean(v)}" for k, v in sorted(finding.labels.items())], 12)),
        ("series", listing([clean(name) for name in finding.series], 8)),
        ("parameters", listing(params, 20)),
        ("fingerprint", clean(finding.fingerprint)),
    ]


def _value(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value) if isinstance(value, str) else number(value)
