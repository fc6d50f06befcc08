"""The registry and one rule's documentation, as text: `mlcheck rules` and `mlcheck explain`."""

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlcheck.report import ParamInfo, RuleDetail
from mlcheck.reporters.base import Options
from mlcheck.reporters.text import clean, prose

_TABLE_WIDTH = 100
"""Columns from which the table of rules reads well."""
_COLORS = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def _console(options: Options) -> Console:
    return Console(
        file=io.StringIO(), width=options.width, force_terminal=options.color, no_color=not options.color,
        color_system="standard" if options.color else None, highlight=False, emoji=False, markup=False, legacy_windows=False,
    )  # fmt: skip


def _text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def render_rules(rules: Sequence[RuleDetail], options: Options) -> str:
    """The registry by category: a table, or two lines a rule where a table has no room for what the rules do."""
    console = _console(options)
    ordered = sorted(rules, key=lambda one: (one.opt_in, one.info.category, one.info.id))
    if options.width < _TABLE_WIDTH:
        for one in ordered:
            info = one.info
            head = Text(f"{info.id} ").append(_named(one), style="bold").append(f"  {info.category}  ", style="dim")
            console.print(head.append(info.default_severity, style=_COLORS.get(info.default_severity, "")))
            console.print(Padding(Text(prose(info.summary)), (0, 0, 0, 2)))
    else:
        console.print(_table(ordered))
    packs = sorted({one.info.category for one in rules if one.opt_in})
    off = f"; opt-in: off unless --select names them ({clean(', '.join(packs))})" if packs else ""
    console.print(f"{len(rules)} rules; mlcheck explain RULE shows one in full{off}")
    return _text(console)


def _named(rule: RuleDetail) -> str:
    info = rule.info
    said = [info.status] if info.status != "stable" else []
    said += ["opt-in"] if rule.opt_in else []
    return f"{clean(info.name)} ({', '.join(said)})" if said else clean(info.name)


def _table(rules: Sequence[RuleDetail]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("id", "name", "severity", "category"):
        table.add_column(head, no_wrap=True)
    table.add_column("what it does", ratio=1)
    for rule in rules:
        info = rule.info
        severity = Text(info.default_severity, style=_COLORS.get(info.default_severity, ""))
        table.add_row(info.id, _named(rule), severity, clean(info.category), Text(prose(info.summary)))
    return table


def render_explain(rule: RuleDetail, options: Options) -> str:
    """One rule in full: its documentation, condition, parameters."""
    console = _console(options)
    info = rule.info
    title = Text(f"{info.id} {info.name}", style="bold")
    title.append(f"  {info.category}, {info.status}, up to {info.default_severity}", style="dim")
    console.print(title)
    for kind, line in _blocks(info.doc):
        if kind == "heading":
            console.print()
            console.print(Text(prose(line), style="bold"))
        else:
            hang = 4 if line.startswith("- ") else 2
            console.print(Padding(Text(prose(line, 10_000)), (0, 0, 0, hang - 2 if line.startswith("- ") else hang)))
    _condition(console, rule)
    if rule.params:
        console.print()
        console.print(Text("Parameters", style="bold"))
        for param in rule.params:
            _param(console, info.id, param)
    console.print()
    regimes = ", ".join(info.regimes) or "all"
    console.print(Text(f"Regimes: {regimes}"))
    if rule.may_cause:
        console.print(Text(f"May cause: {', '.join(rule.may_cause)}"))
    if rule.opt_in:
        console.print(Text(f"Off unless selected: --select {clean(info.category)}"))
    console.print(Text(f"From: {clean(rule.origin, 300)}; {rule.tests} tests inside"))
    return _text(console)


def _blocks(doc: str) -> list[tuple[str, str]]:
    """Headings, list items and paragraphs; lines of one paragraph are joined, so that they wrap at any width."""
    blocks: list[tuple[str, str]] = []
    open_paragraph = False
    for raw in doc.splitlines():
        line = raw.strip()
        if not line:
            open_paragraph = False
        elif line.startswith("#"):
            blocks.append(("heading", line.lstrip("# ")))
            open_paragraph = False
        elif open_paragraph and not line.startswith("- "):
            kind, text = blocks[-1]
            blocks[-1] = (kind, f"{text} {line}")
        else:
            blocks.append(("text", line))
            open_paragraph = True
    return blocks


def _condition(console: Console, rule: RuleDetail) -> None:
    if not rule.when:
        return
    console.print()
    console.print(Text("Condition", style="bold"))
    rows = [(name, f"= {text}") for name, text in rule.let.items()]
    inputs = [(name, text) for name, text in rule.inputs.items()]
    rest = [("fails when", rule.when), ("for", rule.patience), ("severity", rule.severity)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, text in (*inputs, *rows, *rest):
        if text:
            grid.add_row(Text(clean(name), style="cyan"), Text(prose(" ".join(text.split()), 4_000)))
    console.print(Padding(grid, (0, 0, 0, 2)))


def _param(console: Console, rule: str, param: ParamInfo) -> None:
    default = f"{param.default:g}" if isinstance(param.default, float) else str(param.default).lower()
    bounds = [f"from {param.min:g}"] if param.min is not None else []
    bounds += [f"to {param.max:g}"] if param.max is not None else []
    unit = f" {prose(param.unit)}" if param.unit else ""
    line = Text(f"{param.name} = {default}{unit}", style="cyan")
    if bounds:
        line.append(f"  ({' '.join(bounds)})", style="dim")
    console.print(Padding(line, (0, 0, 0, 2)))
    more = param.help + (f" Source: {param.source}" if param.source else "")
    if more:
        console.print(Padding(Text(prose(more, 4_000)), (0, 0, 0, 4)))
    console.print(Padding(Text(f"--set {rule}.{param.name}={default}", style="dim"), (0, 0, 0, 4)))
