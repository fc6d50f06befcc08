"""`mlcheck inspect`: what mlcheck made of each run, series and file, and why."""

from collections.abc import Mapping

from mlcheck.report import Report, SeriesInfo, SourceStatus
from mlcheck.reporters import footer
from mlcheck.reporters.base import Options
from mlcheck.reporters.layout import Page
from mlcheck.reporters.styled import Styled
from mlcheck.reporters.text import clean, listing, number, plural, prose
from mlcheck.reporters.verdict import coverage
from mlcheck.reporters.view import RunView, views
from mlcheck.reporters.wording import best_value, run_size, shown_path, stretch

_SERIES = 200
_SOURCES = 50
_FACTS = 30
# A table of more columns than the terminal has room for reads worse than two lines a series.
_WIDE = 120
# Labels with a column or a meaning of their own in the table.
_OWN_COLUMN = ("split", "axis", "certainty")
# Labels that the role and the name say already; shown with -v.
_SAID_BY_ROLE = ("better", "metric", "layer", "freq", "order", "param")
_HEAD = ("series", "role", "split", "points", "steps", "other", "why")


def render_inspection(report: Report, options: Options) -> str:
    """Per run: regime with its reason, facts, lane, series with role and reason, files; then files of no run.

    At most 200 series and 50 files a run unless `options.verbose`. Text of at most `options.width` columns.
    """
    page = Page(options.width, options.color)
    shown = views(report)
    if not shown:
        page.line(Styled("No run found.", style="bold"))
    for i, view in enumerate(shown):
        if i:
            page.line()
        _run(page, view, options)
    rest = [s for s in report.sources if s.run is None]
    if rest:
        page.line()
        page.line(Styled(f"{plural(len(rest), 'file')} of no run", style="bold"))
        _sources(page, rest, options)
    for text in footer.requests(report):
        page.line(text, Styled("! ", style="bold red"), 2)
    for note in report.notes:
        page.line(prose(note.text), Styled("note: ", style="cyan"), 6)
    return page.text()


def _run(page: Page, view: RunView, options: Options) -> None:
    info = view.info
    page.line(Styled(clean(info.name), style="bold"))
    page.parts([shown_path(view), *run_size(view)], indent=2)
    _pair(
        page,
        "regime",
        f"{clean(info.regime)}: {prose(info.regime_reason)}" if info.regime_reason else clean(info.regime),
    )
    _pair(page, "lane", clean(info.lane))
    if info.best is not None:
        _pair(page, "best", best_value(info.best).removeprefix("best "))
    facts = [f"{clean(key)} = {_fact(value)}" for key, value in sorted(info.facts.items())]
    _pair(page, "facts", listing(facts, len(facts) if options.verbose else _FACTS) if facts else "none found")
    if info.coverage.applicable:
        _pair(page, "rules", coverage(view, 100 if options.verbose else 5))
    _series(page, view.series, options)
    if view.sources:
        page.line()
        page.line(plural(len(view.sources), "file"), "  ", 2)
        _sources(page, list(view.sources), options)


def _pair(page: Page, key: str, value: str) -> None:
    page.line(value, Styled(f"  {key:<8}", style="dim"), 10)


def _fact(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value, 80) if isinstance(value, str) else number(value)


def _series(page: Page, all_series: tuple[SeriesInfo, ...], options: Options) -> None:
    if not all_series:
        return
    shown = all_series if options.verbose else all_series[:_SERIES]
    page.line()
    if options.width >= _WIDE:
        head = [Styled(word, style="dim") for word in _HEAD]
        page.table([head, *(_cells(one, options.verbose) for one in shown)], flexible=6, indent=2)
    else:
        for one in shown:
            name, role, split, points, steps, other, why = (cell.plain for cell in _cells(one, options.verbose))
            page.line(Styled(name, style="bold").append(f"   {' '.join((role, split)).strip()}", "bold cyan"), "  ", 2)
            page.line(" · ".join(part for part in (f"{points} points", steps, other, why) if part), "      ", 6)
    if len(all_series) > len(shown):
        page.line(f"  {len(all_series) - len(shown):,} more series (-v shows all)")


def _cells(one: SeriesInfo, verbose: bool) -> list[Styled]:
    extra = [_tensor(one)] if one.kind != "scalar" else []
    extra += [plural(one.segments, "segment")] if one.segments > 1 else []
    extra += [f"{one.not_finite:,} not finite"] if one.not_finite else []
    extra += _others(one.labels, verbose)
    certainty = one.labels.get("certainty", "")
    why = f"{clean(certainty)}: {prose(one.reason, 120)}" if certainty else prose(one.reason, 120)
    return [
        Styled(clean(one.name, 60)),
        Styled(clean(one.role)),
        Styled(clean(one.labels.get("split", ""))),
        Styled(f"{one.points:,}"),
        Styled(stretch(one.labels.get("axis", "step"), one.first_step, one.last_step) if one.points else ""),
        Styled(", ".join(extra)),
        Styled(why, style="dim"),
    ]


def _tensor(one: SeriesInfo) -> str:
    if one.shape is None:
        return one.kind
    return f"{clean(one.dtype or 'tensor')} [{', '.join(map(str, one.shape))}]"


def _others(labels: Mapping[str, str], verbose: bool) -> list[str]:
    hidden = _OWN_COLUMN if verbose else (*_OWN_COLUMN, *_SAID_BY_ROLE)
    rest = ((key, value) for key, value in sorted(labels.items()) if key not in hidden)
    return [clean(key) if value == "true" else f"{clean(key)} {clean(value, 40)}" for key, value in rest]


def _sources(page: Page, sources: list[SourceStatus], options: Options) -> None:
    shown = sources if options.verbose else sources[:_SOURCES]
    for source in shown:
        text = Styled(clean(source.path))
        text.append(f"   {source.status}", style="" if source.status in ("read", "ignored") else "bold red")
        text.append(f" · {clean(source.format)} · {plural(source.records, 'record')} · {plural(source.bytes, 'byte')}")
        if source.reason:
            text.append(f" · {footer.why(source)}")
        page.line(text, "    ", 6)
    if len(sources) > len(shown):
        page.line(f"    {len(sources) - len(shown):,} more files (-v shows all)")
