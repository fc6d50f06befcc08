"""docs/reference/rules/: one page a rule, from the rule files, and a page that lists them."""

from collections.abc import Sequence

from mlcheck.engine import registry
from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.describe import describe
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.registry import AnyRule, Registry
from mlcheck.engine.rule import Rule
from mlcheck.report import ParamInfo, RuleDetail
from tools.markdown import cell, code, prose, table

INDEX = "README.md"
_MADE = "<!-- Made by `make docs` from {source}. Do not edit. -->\n\n"


def rule_pages() -> dict[str, str]:
    """The text of each page by its name. Rules of other installed packages have none."""
    found = registry.load()
    rules = [rule for rule in found if not isinstance(rule, PluginRule)]
    causes = _causes(found, rules)
    sources = _sources()
    pages = {f"{one.id}.md": _page(found, one, causes.get(one.id, ()), sources[one.id]) for one in rules}
    return {INDEX: _index(rules), **pages}


def _sources() -> dict[str, str]:
    """Where each rule stands in the repository: files bear the rule's id before its name."""
    base = registry.built_in_directory()
    files = {path.stem.partition("-")[0]: path.relative_to(base).as_posix() for path in registry.rule_files(base)}
    return {IdenticalRunsRule.id: "mlcheck/engine/across.py", **{rule: f"rules/{name}" for rule, name in files.items()}}


def _causes(found: Registry, rules: Sequence[AnyRule]) -> dict[str, list[str]]:
    """By rule, those whose findings may explain its own."""
    causes: dict[str, list[str]] = {}
    for rule in rules:
        for word in rule.may_cause:
            causes.setdefault(found.get(word).id, []).append(rule.id)
    return causes


def _index(rules: Sequence[AnyRule]) -> str:
    described = [describe(rule) for rule in rules]
    parts = [
        _MADE.format(source="rules/") + "# Rules",
        f"{len(described)} rules, by category. `mlcheck rules` lists them, `mlcheck explain RULE` shows one in full.",
    ]
    for category, is_opt_in in sorted({(one.info.category, one.opt_in) for one in described}, key=lambda k: (k[1], k)):
        mine = [one for one in described if one.info.category == category]
        parts.append(f"## {category}")
        if is_opt_in:
            parts.append(f"Off unless selected: `--select {category}`. See [sagemaker.md](../../sagemaker.md).")
        rows = [
            (f"[{one.info.id}]({one.info.id}.md)", one.info.name, one.info.default_severity, cell(one.info.summary))
            for one in mine
        ]
        parts.append(table(("id", "name", "severity", "what it does"), rows))
    return "\n\n".join(parts) + "\n"


def _page(found: Registry, rule: AnyRule, causes: Sequence[str], source: str) -> str:
    detail = describe(rule)
    info = detail.info
    told = [
        f"Category {info.category} · up to {info.default_severity} · {info.status}",
        f"kinds of training: {', '.join(info.regimes) or 'all'}",
    ]
    if detail.opt_in:
        told.append(f"off unless selected: `--select {info.category}`")
    parts = [_MADE.format(source=source) + f"# {info.id} {info.name}", " · ".join(told), *_documentation(info.doc)]
    parts += _decision(rule, detail)
    if detail.params:
        parts += ["## Parameters", _parameters(detail.params), _setting(detail)]
    parts += _related(found, detail, causes)
    if isinstance(rule, Rule):
        names = "\n".join(f"- {prose(str(one.get('name', '')))}" for one in rule.model.tests)
        parts += [
            "## Tested on",
            f"`mlcheck test {source}` runs these; they stand in [the rule](../../../{source}).",
            names,
        ]
    return "\n\n".join(parts) + "\n"


def _documentation(doc: str) -> list[str]:
    """Headings, paragraphs and lists of a rule's text; its headings are one level lower here."""
    blocks: list[list[str]] = [[]]
    for raw in doc.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            blocks.append([f"#{line}"] if line else [])
            if line:
                blocks.append([])
        elif line.startswith("- ") or not blocks[-1]:
            blocks[-1].append(line)
        else:
            blocks[-1][-1] += f" {line}"
    return ["\n".join(_block_line(line) for line in block) for block in blocks if block]


def _block_line(line: str) -> str:
    for mark in ("## ", "- "):
        if line.startswith(mark):
            return mark + prose(line.removeprefix(mark))
    return prose(line)


def _decision(rule: AnyRule, detail: RuleDetail) -> list[str]:
    """What the rule looks at and when it fails, as its file says it."""
    if not isinstance(rule, Rule):
        return []
    model = rule.model
    inputs = [(code(name), cell(text)) for name, text in detail.inputs.items()]
    lines = [f"{name} = {' '.join(text.split())}" for name, text in detail.let.items()]
    lines += [f"fails when {' '.join(detail.when.split())}"]
    more = [f"patience: {detail.patience}"] if detail.patience else []
    more += [f"severity: {one}" for one in (detail.severity.split(". ") if rule.by_role else [detail.severity])]
    if model.value:
        more.append(f"value shown: {' '.join(model.value.split())}" + (f" ({model.measure})" if model.measure else ""))
    if str(model.limit) not in ("None", "nan"):
        more.append(f"limit shown: {' '.join(str(model.limit).split())}")
    logged = ["Runs that do not log its inputs are not said to lack them."] if model.if_logged else []
    block = "\n".join(f"    {line}".rstrip() for line in (*lines, "", *more))
    return ["## How it decides", table(("input", "what it is"), inputs), block, *logged]


def _parameters(params: Sequence[ParamInfo]) -> str:
    rows = []
    for one in params:
        unit = f" {cell(one.unit)}" if one.unit else ""
        rows.append((code(one.name), code(_value(one.default)) + unit, _range(one), cell(one.help), cell(one.source)))
    return table(("parameter", "default", "range", "what it does", "where the default comes from"), rows)


def _setting(detail: RuleDetail) -> str:
    first = detail.params[0]
    value = _value(first.default) if not isinstance(first.default, str) else f'"{first.default}"'
    return (
        f"    mlcheck scan RUN --set {detail.info.id}.{first.name}={_value(first.default)}\n\n"
        f"or in mlcheck.toml:\n\n    [rules.{detail.info.id}]\n    {first.name} = {value}"
    )


def _value(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"


def _range(one: ParamInfo) -> str:
    words = [f"from {one.min:g}"] if one.min is not None else []
    return " ".join([*words, *([f"to {one.max:g}"] if one.max is not None else [])])


def _related(found: Registry, detail: RuleDetail, causes: Sequence[str]) -> list[str]:
    effects = [found.get(word).id for word in detail.may_cause]
    parts = []
    for heading, ids in (("May explain findings of", effects), ("May be explained by", causes)):
        if ids:
            links = ", ".join(f"[{found.get(one).name}]({one}.md)" for one in ids)
            parts.append(f"{heading}: {links}.")
    return ["## Related rules", *parts] if parts else []
