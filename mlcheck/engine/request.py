"""What the selected rules need of tensors: the statistics that importers are to compute (language.md fix 14)."""

from collections.abc import Iterator, Mapping, Sequence

from mlcheck.engine.arguments import statistic_key
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.rule import Rule
from mlcheck.engine.select import Selected
from mlcheck.records import replace
from mlcheck.store.roles import RoleOverride
from mlcheck.store.tensors.request import Request, merged


def requested(selected: Sequence[Selected], overrides: Sequence[RoleOverride] = ()) -> Request:
    """The union of what the rules ask of tensors, by role. A rule with no role in an input asks it of every tensor."""
    return replace(merged(pair for one in selected for pair in _asked(one)), overrides=tuple(overrides))


def _asked(one: Selected) -> Iterator[tuple[Sequence[str] | None, str]]:
    rule = one.rule
    if isinstance(rule, PluginRule):
        stated: Mapping[str, Sequence[str]] = getattr(rule.inner, "statistics", {})
        yield from (([role], key) for role, keys in stated.items() for key in keys)
    if not isinstance(rule, Rule):
        return
    for name, spec in rule.inputs.items():
        key = statistic_key(rule.statistics[name], one.params)
        asked = rule.inputs[spec.same] if spec.same else spec
        if key != "value":
            yield [asked.role] if isinstance(asked.role, str) else asked.role, key
        elif asked.role is not None:
            # Facts are asked for by their values.
            yield [one for one in _roles(asked.role) if one in ("class_count", "confusion")], key


def _roles(role: str | Sequence[str]) -> Sequence[str]:
    return [role] if isinstance(role, str) else role
