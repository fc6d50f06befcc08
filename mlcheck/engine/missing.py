"""Why a rule cannot be judged in a run: which of its inputs are not there, and what is there instead."""

from collections.abc import Sequence

from mlcheck.engine import context as contexts
from mlcheck.engine.bind import Binding
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import Rule
from mlcheck.engine.verdict import Skip
from mlcheck.store.tensors.request import TENSOR_FACTS, TENSOR_ROLES

NETWORK_ROLES = frozenset({"weight", "gradient", "activation", "grad_norm", "lr"})
"""What only a network that is trained by gradients has."""


def why_not(rule: Rule, context: RunContext, binding: Binding) -> Skip | None:
    """The reason for which no combination can be judged; None where inputs enough are there."""
    regime = context.run.regime.name
    missing = binding.missing()
    if not missing:
        return None
    unclear = [name for name in missing if binding.lacks_only_primary(name)]
    if unclear:
        what = what_of(rule, unclear[0])
        return Skip(
            "ambiguous", f"{what}: several are logged, none is told to be the total; give split or role under [roles]"
        )
    words = tuple(dict.fromkeys(what_of(rule, name) for name in missing))
    named = ", ".join(words)
    if regime == "tree" and _roles(rule, missing) <= NETWORK_ROLES:
        return Skip("regime", f"a model of trees has no {words[0]}")
    if _roles(rule, missing) <= TENSOR_ROLES | TENSOR_FACTS and not context.has_tensors:
        return Skip("undumped", f"{named}: none dumped")
    undefined = [why for name in missing if (why := binding.undefined(name)) is not None]
    if undefined:
        return Skip("undefined", undefined[0])
    untold = [name for name in missing if binding.lacks_only_statistic(name)]
    if untold:
        keys = ", ".join(dict.fromkeys(binding.keys[name] for name in untold))
        return Skip("undumped", f"{what_of(rule, untold[0])}: what is logged does not tell {keys}; dump the tensors")
    if all(binding.lacks_only_labels(name) for name in missing):
        return Skip("unlogged", f"{named}: those that are dumped are of another kind")
    reason = f"{named}: none logged"
    return Skip("unlogged", reason) if rule.model.if_logged else Skip("input", reason, words)


def what_of(rule: Rule, name: str) -> str:
    """The words for an input: `validation accuracy`."""
    spec = rule.inputs[name]
    split = spec.labels.get("split", [None])
    measure = spec.labels.get("family") or spec.labels.get("metric")
    return contexts.what(measure[0] if measure else spec.role, split[0])


def _roles(rule: Rule, names: Sequence[str]) -> set[str]:
    roles = [rule.inputs[name].role for name in names]
    return {word for role in roles for word in ([role] if isinstance(role, str) else role or ["any"])}
