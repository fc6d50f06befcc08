"""What stands below the findings: runs with their overviews, rules with what became of them, files."""

from collections import defaultdict
from collections.abc import Iterable

from mlcheck.records import dataclass
from mlcheck.report import NOT_APPLICABLE, Outcome, Panel, Report, SourceStatus
from mlcheck.reporters import footer
from mlcheck.reporters.across import state
from mlcheck.reporters.html.cards import Card, Cards
from mlcheck.reporters.html.charts import Charts, Spec
from mlcheck.reporters.statistics import title_in_words
from mlcheck.reporters.text import clean, listing, number, plural, prose
from mlcheck.reporters.verdict import coverage, verdict
from mlcheck.reporters.view import RunView
from mlcheck.reporters.wording import run_size

_FACTS = 60
_GROUPS = 8
"""Different reasons of one rule that are shown; more are counted."""
_NAMES = 5
_SOURCES = 500
_MARKS = 60
_WORST_FIRST = ("errored", "failed", "passed", "skipped")
_OUTCOMES = ("errored", "failed", "skipped", "passed")


@dataclass(frozen=True, slots=True)
class RunItem:
    """One run of the page."""

    key: str
    name: str
    state: str
    verdict: str
    coverage: str
    size: str
    regime: str
    facts: tuple[tuple[str, str], ...]
    findings: int
    charts: tuple[tuple[str, int], ...]
    """Overviews: caption and number of the chart."""
    heatmaps: tuple[tuple[str, int], ...]
    distributions: tuple[tuple[str, int], ...]
    """Tensor and number of the chart of how its values are spread over steps."""
    tensors: int
    """Tensors and histograms that the run has."""
    crowded: bool
    """It has an overview for which the page has no room."""


@dataclass(frozen=True, slots=True)
class RuleItem:
    """One rule of the page and what became of it."""

    key: str
    id: str
    name: str
    category: str
    severity: str
    summary: str
    doc: tuple[tuple[str, str], ...]
    """Lines of the documentation: `heading` or `text`, and the line."""
    tally: str
    outcomes: tuple[tuple[str, str], ...]
    """Outcome and words: in how many runs, why, which."""
    findings: int


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One file."""

    path: str
    run: str
    format: str
    status: str
    records: str
    why: str


def run_items(report: Report, shown: tuple[RunView, ...], made: Cards, charts: Charts) -> list[RunItem]:
    """Every run in the report's order."""
    panels: dict[str, list[Panel]] = defaultdict(list)
    for panel in report.panels:
        panels[panel.run].append(panel)
    by_run: dict[str, list[Card]] = defaultdict(list)
    for card in made.active:
        by_run[card.run].append(card)
    items = []
    for i, view in enumerate(shown, start=1):
        info, found = view.info, by_run[clean(view.info.name)]
        overviews = tuple(_overviews(panels[info.name], found, charts))
        heatmaps = tuple(_heatmaps(panels[info.name], charts))
        distributions = tuple(_distributions(panels[info.name], charts))
        facts = [(clean(k), _fact(v)) for k, v in sorted(info.facts.items())]
        items.append(
            RunItem(
                key=f"r{i}",
                name=clean(info.name),
                state=state(view),
                verdict=verdict(view),
                coverage=coverage(view, 12),
                size=" · ".join(run_size(view)),
                regime=f"{clean(info.regime)}: {prose(info.regime_reason)}" if info.regime_reason else "",
                facts=tuple(facts[:_FACTS]),
                findings=len(found),
                charts=overviews,
                heatmaps=heatmaps,
                distributions=distributions,
                tensors=sum(one.kind == "tensor" for one in view.series),
                crowded=bool(panels[info.name]) and not overviews and not heatmaps and not distributions,
            )
        )
    return items


def _fact(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value) if isinstance(value, str) else number(value)


def _overviews(panels: list[Panel], found: list[Card], charts: Charts) -> Iterable[tuple[str, int]]:
    """One chart for each kind of axis: its lanes share the steps, and the findings are marked on them."""
    by_axis: dict[str, list[Panel]] = defaultdict(list)
    for panel in panels:
        if panel.kind == "line":
            by_axis[panel.evidence.axis].append(panel)
    for axis, members in by_axis.items():
        chart = charts.overview([p.evidence for p in members], axis, _marks(found, axis))
        if chart is not None:
            yield listing([clean(p.title, 60) for p in members], 12), chart


def _marks(found: list[Card], axis: str) -> list[Spec]:
    return [
        {
            "step": card.onset,
            "last": card.last,
            "severity": str(card.severity),
            "text": f"{card.number} {card.name}: {card.extent}",
            "target": card.key,
        }
        for card in found
        if card.onset is not None and card.axis == axis
    ][:_MARKS]


def _heatmaps(panels: list[Panel], charts: Charts) -> Iterable[tuple[str, int]]:
    """A panel of kind `heatmap` is one row; rows of one title make a chart."""
    for title, members in _by_title(panels, "heatmap").items():
        chart = charts.heatmap(title, [p.evidence for p in members])
        if chart is not None:
            yield clean(title, 80), chart


def _distributions(panels: list[Panel], charts: Charts) -> Iterable[tuple[str, int]]:
    """A panel of kind `distribution` is one statistic; those of one tensor make a chart."""
    for title, members in _by_title(panels, "distribution").items():
        chart = charts.distribution(title, [p.evidence for p in members])
        if chart is not None:
            yield clean(title, 80), chart


def _by_title(panels: list[Panel], kind: str) -> dict[str, list[Panel]]:
    found: dict[str, list[Panel]] = defaultdict(list)
    for panel in panels:
        if panel.kind == kind:
            found[title_in_words(panel.title, panel.evidence.statistic)].append(panel)
    return found


def rule_items(report: Report, made: Cards) -> list[RuleItem]:
    """Every selected rule: those that raised or failed first, then skipped, then passed; by id."""
    by_rule: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in report.outcomes:
        by_rule[outcome.rule].append(outcome)
    found: dict[str, int] = defaultdict(int)
    for card in made.active:
        found[card.rule] += 1

    def order(rule_id: str) -> tuple[int, str]:
        states = {o.outcome for o in by_rule[rule_id]}
        return next((i for i, word in enumerate(_OUTCOMES) if word in states), len(_OUTCOMES)), rule_id

    rules = sorted(report.rules, key=lambda rule: order(rule.id))
    return [
        RuleItem(
            key=f"rule{i}",
            id=clean(rule.id),
            name=clean(rule.name),
            category=clean(rule.category),
            severity=clean(rule.effective_severity),
            summary=prose(rule.summary),
            doc=tuple(_doc(rule.doc)),
            tally=_tally(by_rule[rule.id]),
            outcomes=tuple(_outcomes(by_rule[rule.id])),
            findings=found[clean(rule.id)],
        )
        for i, rule in enumerate(rules, start=1)
    ]


def _doc(doc: str) -> Iterable[tuple[str, str]]:
    for line in doc.splitlines():
        text = prose(line, 1_000)
        if text:
            yield ("heading", text.lstrip("# ")) if text.startswith("#") else ("text", text)


def _tally(outcomes: list[Outcome]) -> str:
    """`failed in 2 runs, passed in 9`: each run counts once, by its worst outcome."""
    by_run: dict[str, set[str]] = defaultdict(set)
    for o in outcomes:
        by_run[o.run].add(o.outcome)
    worst = [next(word for word in _WORST_FIRST if word in states) for states in by_run.values()]
    return ", ".join(f"{word} in {plural(worst.count(word), 'run')}" for word in _WORST_FIRST if word in worst)


def _outcomes(outcomes: list[Outcome]) -> Iterable[tuple[str, str]]:
    groups: dict[tuple[str, str, bool], list[Outcome]] = defaultdict(list)
    for o in outcomes:
        groups[o.outcome, prose(o.reason or "", 200), o.kind in NOT_APPLICABLE].append(o)
    ordered = sorted(groups.items(), key=lambda item: (_OUTCOMES.index(item[0][0]), -len(item[1]), item[0][1]))
    for (outcome, reason, foreign), members in ordered[:_GROUPS]:
        runs = list(dict.fromkeys(clean(o.run, 60) for o in members))
        combinations = sum(o.count for o in members)
        text = f"{plural(combinations, 'combination')} in {plural(len(runs), 'run')}"
        text = f"{reason}: {text}" if reason else text
        yield outcome, f"{'does not apply: ' if foreign else ''}{text} ({listing(runs, _NAMES)})"
    if len(ordered) > _GROUPS:
        yield "", f"{len(ordered) - _GROUPS:,} more reasons; the JSON report has all of them"


def source_items(report: Report) -> tuple[list[SourceItem], int]:
    """The files, damaged ones first, and how many that are fine are left out."""
    first = footer.damaged(report)
    known = set(map(id, first))
    rest = [s for s in report.sources if id(s) not in known]
    kept = [*first, *rest[: max(0, _SOURCES - len(first))]]
    return [_source(s) for s in kept], len(report.sources) - len(kept)


def _source(source: SourceStatus) -> SourceItem:
    status = "cut at its end" if source.tail_only and source.status == "partial" else source.status
    return SourceItem(
        path=clean(source.path),
        run=clean(source.run or ""),
        format=clean(source.format),
        status=status,
        records=f"{source.records:,}",
        why=footer.why(source) if source.reason or source.status != "read" else "",
    )
