"""The names of a rule and their values in one combination of series."""

from collections.abc import Hashable, Mapping, MutableMapping, Sequence

from mlcheck.engine.bind import Binding, Candidates, Combination, agree, has_labels
from mlcheck.engine.rule import FACT_NAMES
from mlcheck.lang.align import put_exactly
from mlcheck.lang.bounds import Leaf, Unknown, scalar_range
from mlcheck.lang.values import Column, Value
from mlcheck.store.series import Series

ALWAYS_CHANGING = ("linear", "cosine", "poly", "inverse", "exp", "onecycle", "one_cycle", "noam")
"""How the names of schedules begin whose rate never stands still for long: not `constant`, nor a wait for a plateau."""
LOSS_TELLS = ("supervised", "finetune", "pretrain", "unknown")
"""Regimes in which a loss that does not fall is a fault; in the others it has no direction, or follows the policy."""


class RuleScope:
    """Where the names of a rule get their values in one combination."""

    def __init__(self, binding: Binding, combination: Combination, extra: Mapping[str, Value] | None = None) -> None:
        self.binding = binding
        self.combination = combination
        self.extra = dict(extra or {})

    def lookup(self, name: str) -> Value:
        """The value of a name; see `lang.values.Scope`."""
        binding = self.binding
        if name in self.extra:
            return self.extra[name]
        if name in binding.rule.inputs:
            return self._input(name)
        if name in binding.params:
            value = binding.params[name]
            return float("nan") if isinstance(value, str) else value
        if name == "scheduled":
            stated = binding.context.run.facts.get("schedule")
            return float("nan") if stated is None else float(str(stated).lower().startswith(ALWAYS_CHANGING))
        if name == "loss_tells":
            return float(binding.context.run.regime.name in LOSS_TELLS)
        if name == "stops_early":
            facts = binding.context.run.facts
            return float("early_stop_patience" in facts or bool(facts.get("stopped_early")))
        if name in FACT_NAMES:
            fact = binding.context.run.facts.get(name)
            return float(fact) if isinstance(fact, int | float) else float("nan")
        raise KeyError(name)

    def leaf(self, name: str) -> Leaf:
        """What the value of a name can be, without making a column of it; see `lang.bounds`. Raises Unknown, and KeyError."""
        binding, spec = self.binding, self.binding.rule.inputs.get(name)
        series = None if spec is None else self._series(name)
        if spec is None or series is None or series.role == "hparam":
            value = self.lookup(name)
            assert not isinstance(value, Column)
            return Leaf(scalar_range(float(value)))
        if spec.match == "exact":
            raise Unknown
        return Leaf(
            binding.context.bounds(series, binding.keys[name], spec.rows), binding.context.axis(series, spec.rows)
        )

    def _input(self, name: str) -> Value:
        spec = self.binding.rule.inputs[name]
        series = self._series(name)
        if series is None:
            return float("nan") if spec.fallback is None else spec.fallback
        column = self.binding.context.column(series, self.binding.keys[name], spec.rows)
        other = self.combination.series.get(spec.same or "") if spec.match == "exact" else None
        if other is not None:
            return put_exactly(column, self.binding.context.axis(other))
        # One row says the same of the whole run; as a column it would hold at its own step only.
        return float(column.values[-1]) if series.role == "hparam" else column

    def _series(self, name: str) -> Series | None:
        """The series of an input, where it is there and answers the statistic."""
        spec = self.binding.rule.inputs[name]
        series = self.combination.series.get(spec.alias or name)
        # The labels of an input that is the `same` as another one say for which series it is there.
        if (
            series is None
            or not self.binding.context.has(series, self.binding.keys[name])
            or (spec.alias is not None and not has_labels(series, spec.labels))
        ):
            return None
        return series

    @property
    def shared(self) -> MutableMapping[Hashable, Value]:
        """See `lang.values.Scope`."""
        return self.binding.shared

    def group(self, names: frozenset[str], label: str) -> Hashable | None:
        """See `lang.values.Scope`."""
        if not names.isdisjoint(self.extra):
            return None
        known = self.binding.groups.get((names, label))
        if known is None:
            specs = self.binding.rule.inputs
            all_inputs = sorted({specs[name].alias or name for name in names if name in specs})
            varying = self._varying(names)
            relevant = frozenset().union(*(self.binding.label_names[name] for name in all_inputs)) - {label}
            known = tuple(name for name in all_inputs if name not in varying), tuple(sorted(relevant))
            self.binding.groups[names, label] = known
        if known == ((), ()):
            return ()
        fixed = [(name, self.combination.series.get(name)) for name in known[0]]
        labels = self.combination.labels
        return (
            label,
            tuple((name, None if series is None else series.name) for name, series in fixed),
            tuple((one, labels[one]) for one in known[1] if one in labels),
        )

    def is_common(self, name: str) -> bool:
        """See `lang.values.Scope`."""
        return name not in self.extra and name not in self.binding.rule.inputs

    def _varying(self, names: frozenset[str]) -> list[str]:
        """The inputs that vary over the members of an `among`.

        Beside inputs that stand only inside `among`, one that is bound outside too stays what it is there: in
        among(metric > loss, metric, max) the loss is that of the combination, and the metrics vary.
        """
        specs = self.binding.rule.inputs
        inputs = sorted({specs[name].alias or name for name in names if name in specs})
        return [name for name in inputs if name in self.binding.among] or inputs

    def over(self, names: frozenset[str], label: str) -> "list[RuleScope]":
        """One scope per member of an `among`; see `lang.values.Scope`."""
        inputs = self._varying(names)
        partial = [Combination({}, {})]
        for name in inputs:
            near = self.binding.candidates(name).near(
                None if label == "layer" else self.combination.labels.get("layer")
            )
            fitting = [series for series, own in near if agree(self.combination.labels, own, but=label)]
            partial = list(self.binding.extend(partial, name, Candidates(fitting), optional=False))
        members = [
            Combination({**self.combination.series, **one.series}, {**self.combination.labels, **one.labels})
            for one in partial
            if one.series
        ]
        members.sort(key=lambda one: _order(one, inputs))
        return [RuleScope(self.binding, member, self.extra) for member in members]


def _order(member: Combination, inputs: Sequence[str]) -> float:
    """Place by the order attribute of the first input's series; unknown: last, in the order of the store."""
    for name in inputs:
        series = member.series.get(name)
        if series is not None and series.labels.get("order", "").isdigit():
            return int(series.labels["order"])
    return float("inf")
