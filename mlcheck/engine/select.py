"""Which rules run, with which parameters and severities."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from mlcheck.engine.registry import AnyRule, Registry, is_comparative, is_opt_in
from mlcheck.errors import UsageError, did_you_mean
from mlcheck.records import dataclass
from mlcheck.settings import RuleSettings

Scalar = float | bool | str


@dataclass(frozen=True, eq=False)
class Selected:
    """A rule that runs."""

    rule: AnyRule
    params: Mapping[str, Scalar]
    severity: str | None
    """The user's own severity, or None."""


Comparing = Literal["no", "also", "only"]
LIMITS_RULE = "RUN011"
"""It holds runs against limits that `mlcheck learn` wrote."""
IDENTITY_RULE = "CMP001"
"""Two trainings are the same to the last digit only where somebody took care that they are."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for, from command line and configuration."""

    select: Sequence[str] = ()
    """Ids, prefixes of ids, names or categories; none: all that are on by default."""
    ignore: Sequence[str] = ()
    settings: Mapping[str, RuleSettings] | None = None
    """By rule id or name, from the configuration."""
    assignments: Sequence[str] = ()
    """`RULE.param=value`, from `--set`; stronger than the configuration."""
    comparing: Comparing = "no"
    """Whether rules of comparisons run: no, also, or only they."""
    learned: bool = False
    """There are limits that were learned from good runs."""
    identical: bool = False
    """Runs are expected to be identical: the rule that holds every value against the baseline's is on."""


def fits(registry: Registry, rule: AnyRule, word: str) -> bool:
    """Whether a word of `--select` or `--ignore` means this rule: its id, a prefix of it, its name, its category, or `all`.

    `all` are those of no pack that is off unless it is named.
    """
    if word.lower() == "all":
        return not is_opt_in(rule)
    return (
        registry.named(word) is rule
        or word.lower() == rule.category.lower()
        or (len(word) >= 2 and rule.id.lower().startswith(word.lower()))
    )


def choose(registry: Registry, selection: Selection) -> list[Selected]:
    """The rules that run, in order of id. Raises UsageError for words, parameters or values that mean nothing."""
    for word in (*selection.select, *selection.ignore):
        if not any(fits(registry, rule, word) for rule in registry):
            categories = {rule.category for rule in registry}
            hint = did_you_mean(word, [*registry.words(), *categories]) or "`mlcheck rules` lists them"
            raise UsageError(f"no rule, id prefix or category {word!r}; {hint}")
    settings = {_configured(registry, word, one).id: one for word, one in (selection.settings or {}).items()}
    assigned = _assignments(registry, selection.assignments)
    chosen = []
    for rule in registry:
        own = settings.get(rule.id, RuleSettings())
        if not _is_on(registry, rule, selection) or own.severity == "off":
            continue
        params = dict(rule.defaults())
        for origin, values in ((own.source, own.params), ("--set", assigned.get(rule.id, {}))):
            for name, value in values.items():
                params[name] = _checked(rule, name, value, origin)
        chosen.append(Selected(rule, params, own.severity))
    if not chosen:
        hint = ""
        if selection.select and selection.comparing == "no":
            hint = "; rules of comparisons need `mlcheck compare`, or --baseline-run"
        raise UsageError(f"no rule is left to check: --select and --ignore leave nothing{hint}")
    return chosen


def _configured(registry: Registry, word: str, own: RuleSettings) -> AnyRule:
    """The rule that a table of the configuration names. Raises UsageError, which names the file, where there is none."""
    try:
        return registry.get(word)
    except UsageError as error:
        raise UsageError(f"{own.source}: `rules.{word}`: {error}") from None


def _is_on(registry: Registry, rule: AnyRule, selection: Selection) -> bool:
    if any(fits(registry, rule, word) for word in selection.ignore):
        return False
    if not _in_question(rule, selection):
        return False
    if selection.select:
        return any(fits(registry, rule, word) for word in selection.select)
    if rule.id == IDENTITY_RULE and not selection.identical:
        return False
    return not is_opt_in(rule) and rule.status == "stable"


def _in_question(rule: AnyRule, selection: Selection) -> bool:
    """Whether what a rule judges is there: rules of comparisons need one, and a scan beside a baseline compares runs only."""
    if rule.id == LIMITS_RULE:
        return selection.learned
    if selection.comparing == "also":
        return not is_comparative(rule) or rule.category == "comparison"
    return is_comparative(rule) == (selection.comparing == "only")


def _assignments(registry: Registry, texts: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        target, separator, value = text.partition("=")
        word, dot, name = target.strip().rpartition(".")
        if not separator or not dot or not word or not name:
            raise UsageError(f"--set {text!r}: write RULE.param=value, such as RUN002.threshold=600")
        found.setdefault(registry.get(word).id, {})[name] = value.strip()
    return found


def _checked(rule: AnyRule, name: str, value: Scalar, origin: str) -> Scalar:
    """The value as the parameter's type. Raises UsageError when it is no parameter, of another type, or out of range."""
    if name not in rule.parameters:
        known = list(rule.parameters)
        hint = did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else "it has no parameters")
        raise UsageError(f"{origin}: {rule.id} ({rule.name}) has no parameter {name!r}; {hint}")
    default = rule.defaults()[name]
    converted = _convert(default, value)
    where = f"{origin}: {rule.id}.{name}"
    if converted is None:
        kind = "true or false" if isinstance(default, bool) else "text" if isinstance(default, str) else "a number"
        raise UsageError(f"{where} is {value!r}; it must be {kind}")
    param = rule.parameters[name]
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if isinstance(converted, float) and (
        (low is not None and converted < low) or (high is not None and converted > high)
    ):
        bounds = f"from {low:g}" if high is None else f"to {high:g}" if low is None else f"from {low:g} to {high:g}"
        raise UsageError(f"{where} is {converted:g}, out of its range ({bounds}; the default is {default:g})")
    return converted


def _convert(default: Scalar, value: Scalar) -> Scalar | None:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if isinstance(default, str):
        return str(value)
    try:
        number = float(value) if not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return None if number is None or not math.isfinite(number) else number
