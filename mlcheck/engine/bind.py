"""Which series meet in a rule: inputs bind to series, and join on the labels that they share (language.md fixes 10 and 11)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from mlcheck.engine.context import RunContext, statistic_key
from mlcheck.engine.rule import FACT_NAMES, Rule
from mlcheck.engine.schema import InputModel
from mlcheck.lang.lets import uses
from mlcheck.lang.values import Value
from mlcheck.lang.vocabulary import JOIN_LABELS
from mlcheck.store.series import Series

MAX_COMBINATIONS = 10_000
"""A join beyond this is an error of the rule, not a result (language.md fix 11)."""

ALWAYS_CHANGING = ("linear", "cosine", "poly", "inverse", "exp", "onecycle", "one_cycle", "noam")
"""How the names of schedules begin whose rate never stands still for long: not `constant`, nor a wait for a plateau."""

Labels = Mapping[str, str]
Params = Mapping[str, float | bool | str]


class JoinError(Exception):
    """The inputs of a rule join to more combinations than anybody could read."""


@dataclass(frozen=True, eq=False)
class Combination:
    """One series for each direct input (None: a missing optional one), and the join labels that they agree on."""

    series: Mapping[str, Series | None]
    labels: Labels


def join_labels(series: Series) -> dict[str, str]:
    """The labels by which a series joins. The primary loss joins as the primary loss, whatever its name in each split."""
    labels = {label: series.labels[label] for label in JOIN_LABELS if label in series.labels}
    if series.labels.get("primary") == "true" and "metric" in labels:
        labels["metric"] = "primary"
    return labels


def matching(context: RunContext, spec: InputModel, key: str) -> list[Series]:
    """The series of a run that an input asks for: by role, labels and statistic."""
    roles = [spec.role] if isinstance(spec.role, str) else spec.role
    found = []
    for series in context.run.series:
        if roles is None and series.kind == "fact":
            continue
        if roles is not None and series.role not in roles:
            continue
        if any(series.labels.get(label) not in values for label, values in spec.labels.items()):
            continue
        if len(series) and context.has(series, key):
            found.append(series)
    # One preference after the other: of what is left after the first, the second takes those that it prefers.
    for label, value in spec.prefer.items():
        preferred = [s for s in found if s.labels.get(label) == value]
        joins = [join_labels(s) for s in preferred]
        found = [s for s in found if s in preferred or join_labels(s) not in joins]
    return found


def agree(one: Labels, other: Labels, but: str | None = None) -> bool:
    """Whether two sets of labels are equal wherever both have them (`but` one label)."""
    return all(other.get(label, value) == value for label, value in one.items() if label != but)


class Binding:
    """All series that the inputs of a rule bind to in one run."""

    def __init__(self, rule: Rule, context: RunContext, params: Params) -> None:
        self.rule = rule
        self.context = context
        self.params = params
        self.keys = {name: statistic_key(rule.statistics[name], params) for name in rule.inputs}
        self.found = {
            name: matching(context, spec, self.keys[name]) for name, spec in rule.inputs.items() if spec.same is None
        }
        self.among = self._among_labels()

    def _among_labels(self) -> dict[str, frozenset[str]]:
        """Inputs that stand only inside `among`, with the labels over which they are reduced there."""
        used: dict[str, set[str | None]] = {}
        rule = self.rule
        conditions = [case.condition for case in rule.severity_cases() if case.condition is not None]
        for expression in (rule.when, rule.value, rule.limit, rule.margin, *conditions):
            if expression is not None:
                for name, labels in uses(expression, rule.lets).items():
                    base = rule.inputs[name].same if name in rule.inputs else None
                    used.setdefault(base or name, set()).update(labels)
        return {
            name: frozenset(label for label in used[name] if label is not None)
            for name, spec in rule.inputs.items()
            if spec.same is None and used.get(name) and None not in used[name]
        }

    def missing(self) -> list[str]:
        """Inputs that are not optional and that nothing in the run answers."""
        return [name for name, found in self.found.items() if not self.rule.inputs[name].optional and not found]

    def lacks_only_primary(self, name: str) -> bool:
        """Whether series would bind to an input if one of them were known to be the primary one."""
        spec = self.rule.inputs[name]
        labels = {label: values for label, values in spec.labels.items() if label != "primary"}
        if len(labels) == len(spec.labels):
            return False
        return bool(matching(self.context, spec.model_copy(update={"labels": labels}), self.keys[name]))

    def combinations(self) -> list[Combination]:
        """The natural join of the inputs over the labels that they share. Raises JoinError when it is too large."""
        # A model of 20,000 layers may be judged layer by layer; what must not happen is that inputs multiply.
        limit = max(MAX_COMBINATIONS, *(len(found) for found in self.found.values()))
        partial = [Combination({}, {})]
        direct = [name for name in self.found if name not in self.among]
        # Required inputs first: an optional one must never decide which combinations there are.
        for name in sorted(direct, key=lambda name: self.rule.inputs[name].optional):
            candidates = _Candidates(self.found[name])
            extended = _extend(partial, name, candidates, self.rule.inputs[name].optional)
            partial = _at_most(limit, extended)
        return _at_most(limit, self._with_among(partial))

    def _with_among(self, partial: Sequence[Combination]) -> Iterator[Combination]:
        """Inputs that stand only inside `among` join by their other labels: one combination per group of members."""
        required = [name for name in self.among if not self.rule.inputs[name].optional]
        for one in partial:
            groups: list[Labels] = [one.labels]
            for name in required:
                rest: list[dict[str, str]] = []
                for series in self.found[name]:
                    others = {k: v for k, v in join_labels(series).items() if k not in self.among[name]}
                    rest.extend({**others, **g} for g in groups if agree(g, others))
                groups = [dict(items) for items in dict.fromkeys(tuple(sorted(g.items())) for g in rest)]
            for labels in groups:
                yield Combination(one.series, labels)


class _Candidates:
    """Series of an input with their join labels, those of one layer at hand at once."""

    def __init__(self, found: Sequence[Series]) -> None:
        self.all = [(series, join_labels(series)) for series in found]
        self._by_layer: dict[str | None, list[tuple[Series, Labels]]] = {}
        for series, labels in self.all:
            self._by_layer.setdefault(labels.get("layer"), []).append((series, labels))

    def fitting(self, labels: Labels) -> list[tuple[Series, Labels]]:
        """Those that agree with the labels wherever both have them."""
        layer = labels.get("layer")
        near = self.all if layer is None else [*self._by_layer.get(layer, ()), *self._by_layer.get(None, ())]
        return [(series, own) for series, own in near if agree(labels, own)]


def _extend(
    partial: Sequence[Combination], name: str, candidates: _Candidates, optional: bool
) -> Iterator[Combination]:
    for one in partial:
        fitting = candidates.fitting(one.labels)
        if optional:
            fitting = fitting[:1]
            if not fitting:
                yield Combination({**one.series, name: None}, one.labels)
        for series, labels in fitting:
            yield Combination({**one.series, name: series}, {**labels, **one.labels})


def _at_most(limit: int, combinations: Iterator[Combination]) -> list[Combination]:
    kept = list(islice(combinations, limit + 1))
    if len(kept) > limit:
        raise JoinError(f"its inputs join to more than {limit:,} combinations; filter them by labels")
    return kept


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
        if name in FACT_NAMES:
            fact = binding.context.run.facts.get(name)
            return float(fact) if isinstance(fact, int | float) else float("nan")
        raise KeyError(name)

    def _input(self, name: str) -> Value:
        spec = self.binding.rule.inputs[name]
        series = self.combination.series.get(spec.same or name)
        if series is None or not self.binding.context.has(series, self.binding.keys[name]):
            return float("nan") if spec.fallback is None else spec.fallback
        column = self.binding.context.column(series, self.binding.keys[name], spec.rows)
        # One row says the same of the whole run; as a column it would hold at its own step only.
        return float(column.values[-1]) if series.role == "hparam" else column

    def over(self, names: frozenset[str], label: str) -> "list[RuleScope]":
        """One scope per member of an `among`; see `lang.values.Scope`."""
        specs = self.binding.rule.inputs
        inputs = sorted({specs[name].same or name for name in names if name in specs})
        # Beside inputs that stand only inside `among`, one that is bound outside too stays what it is there: in
        # among(metric > loss, metric, max) the loss is that of the combination, and the metrics vary.
        inputs = [name for name in inputs if name in self.binding.among] or inputs
        partial = [Combination({}, {})]
        for name in inputs:
            fitting = [
                series
                for series in self.binding.found[name]
                if agree(self.combination.labels, join_labels(series), but=label)
            ]
            partial = list(_extend(partial, name, _Candidates(fitting), optional=False))
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
