"""Which series meet in a rule: inputs bind to series, and join on the labels that they share (language.md fixes 10 and 11)."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from itertools import islice

from mlcheck.engine.arguments import statistic_key
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import FACT_NAMES, Rule
from mlcheck.engine.spec import InputSpec
from mlcheck.lang.align import put_exactly
from mlcheck.lang.bounds import Leaf, Unknown, scalar_range
from mlcheck.lang.values import Column, Value
from mlcheck.lang.vocabulary import JOIN_LABELS
from mlcheck.records import dataclass, replace
from mlcheck.store.comparison import COMPARISON_ROLES
from mlcheck.store.series import Series

MAX_COMBINATIONS = 10_000
"""A join beyond this is an error of the rule, not a result (language.md fix 11)."""

SAID = 3
"""Reasons that a skip names."""

ALWAYS_CHANGING = ("linear", "cosine", "poly", "inverse", "exp", "onecycle", "one_cycle", "noam")
"""How the names of schedules begin whose rate never stands still for long: not `constant`, nor a wait for a plateau."""

LOSS_TELLS = ("supervised", "finetune", "pretrain", "unknown")
"""Regimes in which a loss that does not fall is a fault; in the others it has no direction, or follows the policy."""

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


def matching(context: RunContext, spec: InputSpec, key: str | None) -> list[Series]:
    """The series of a run that an input asks for: by role, labels (`none`: without that label) and statistic (None: any)."""
    roles = [spec.role] if isinstance(spec.role, str) else spec.role
    found = []
    for series in context.baseline if spec.run == "baseline" else context.run.series:
        if roles is None and series.kind == "fact":
            continue
        if roles is not None and series.role not in roles:
            continue
        if has_labels(series, spec.labels) and len(series) and (key is None or context.has(series, key)):
            found.append(series)
    # One preference after the other: of what is left after the first, the second takes those that it prefers.
    for label, value in spec.prefer.items():
        preferred = [s for s in found if s.labels.get(label) == value]
        joins = [join_labels(s) for s in preferred]
        found = [s for s in found if s in preferred or join_labels(s) not in joins]
    return found


def has_labels(series: Series, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether each label of a series is one of those wanted; `none` stands for a label that it does not have."""
    return all(series.labels.get(label, "none") in values for label, values in wanted.items())


IDENTITY = ("split", "metric", "layer", "param", "worker", "group", "category", "feature")
"""The labels by which a series is the same one in another run; its name is when these leave a choice."""


def is_counterpart(one: Series, other: Series) -> bool:
    """Whether a series of another run is the same quantity: of one role and kind, with equal labels."""
    return (
        one.role == other.role
        and one.kind == other.kind
        and all(one.labels.get(label) == other.labels.get(label) for label in IDENTITY)
    )


def counterparts(ours: Sequence[Series], theirs: Sequence[Series]) -> list[Series]:
    """Of the series of baseline runs, those that are the same quantity as one of ours; of several in a run, those of the same name."""
    found = [one for one in theirs if any(is_counterpart(mine, one) for mine in ours)]
    names = {mine.name for mine in ours}
    named = {_identity(one) for one in found if bare_name(one) in names}
    return [one for one in found if bare_name(one) in names or _identity(one) not in named]


def _identity(series: Series) -> tuple[str | None, ...]:
    return series.role, *(series.labels.get(label) for label in ("repeat", *IDENTITY))


def bare_name(series: Series) -> str:
    """The name of a baseline's series in its own run."""
    return series.name.removeprefix(f"{series.labels.get('repeat', '')}: ")


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
        self.found = {name: self._matching(name) for name, spec in rule.inputs.items() if spec.alias is None}
        self._candidates: dict[str, _Candidates] = {}
        self.groups: dict[tuple[frozenset[str], str], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        """For the inputs and the label of a reduction: the inputs that it takes as they are, and the labels that choose its members."""
        self.shared: dict[Hashable, Value] = {}
        """Reductions over labels, by expression and group; expressions live as long as the rule."""
        self.label_names = {
            name: frozenset().union(*(join_labels(series) for series in found)) for name, found in self.found.items()
        }
        """The join labels that any series of an input has."""

    def _matching(self, name: str) -> list[Series]:
        """The series of an input; of one that is the `same` as another in a baseline run, those that any of the other's meet."""
        spec = self.rule.inputs[name]
        if spec.same is None:
            return matching(self.context, spec, self.keys[name])
        other = self.rule.inputs[spec.same]
        theirs = matching(self.context, other, self.keys[spec.same])
        asked = replace(other, run="baseline", labels={**other.labels, **spec.labels}, prefer={})
        return counterparts(theirs, matching(self.context, asked, self.keys[name]))

    def meets(self, name: str, series: Series, others: Mapping[str, Series | None]) -> bool:
        """Whether a series of an input may stand beside those of the others: in a baseline run, only what is the same there."""
        spec = self.rule.inputs[name]
        other = others.get(spec.same) if spec.same is not None and spec.run == "baseline" else None
        return other is None or is_counterpart(other, series)

    @cached_property
    def axes_meet(self) -> bool:
        """Whether all columns of the inputs stand on axes of one kind."""
        return len({one.axis for found in self.found.values() for one in found if one.role != "hparam"}) < 2

    def have_direction(self, names: Iterable[str]) -> bool:
        """Whether of every series of some inputs it is known which direction is the better one."""
        bound = [self.rule.inputs[name].alias or name for name in names if name in self.rule.inputs]
        return all(one.labels.get("better") in ("lower", "higher") for name in bound for one in self.found[name])

    @property
    def among(self) -> Mapping[str, frozenset[str]]:
        """Inputs that stand only inside `among`, with the labels over which they are reduced there."""
        return self.rule.among

    def candidates(self, name: str) -> "_Candidates":
        """The series of an input with their join labels, made once."""
        if name not in self._candidates:
            self._candidates[name] = _Candidates(self.found[name])
        return self._candidates[name]

    def missing(self) -> list[str]:
        """Inputs that are not optional and that nothing in the run answers."""
        return [name for name, found in self.found.items() if not self.rule.inputs[name].optional and not found]

    def lacks_only_statistic(self, name: str) -> bool:
        """Whether tensors would bind to an input if they told its statistic: histograms do not tell all."""
        spec = self.rule.inputs[name]
        return any(one.kind == "tensor" for one in matching(self.context, spec, None))

    def undefined(self, name: str) -> str | None:
        """Why the facts that an input asks for have no value of its statistic, where they say so."""
        key = self.keys[name]
        found = matching(self.context, self.rule.inputs[name], None)
        whys = list(dict.fromkeys(why for one in found for stated, why in one.hints.undefined if stated == key))
        more = f" and {len(whys) - SAID:,} more" if len(whys) > SAID else ""
        return f"{key.replace('_', ' ')} is undefined: {'; '.join(whys[:SAID])}{more}" if whys else None

    def undefined_beside(self) -> Iterator[tuple[str, Series]]:
        """Facts that say why they have no value of a statistic that others of their kind have; one for each reason."""
        told = set()
        for name, found in self.found.items():
            spec = self.rule.inputs[name]
            if not found or spec.optional or not (isinstance(spec.role, str) and spec.role in COMPARISON_ROLES):
                continue
            for one in matching(self.context, spec, None):
                for key, why in one.hints.undefined:
                    if key == self.keys[name] and one not in found and (key, why) not in told:
                        told.add((key, why))
                        yield f"{one.name}: {key.replace('_', ' ')} is undefined: {why}", one

    def lacks_only_labels(self, name: str) -> bool:
        """Whether tensors of the role are there, of another kind than the input asks for: ReLU outputs where it asks for tanh."""
        spec = self.rule.inputs[name]
        return any(one.kind == "tensor" for one in matching(self.context, replace(spec, labels={}), self.keys[name]))

    def lacks_only_primary(self, name: str) -> bool:
        """Whether series would bind to an input if one of them were known to be the primary one."""
        spec = self.rule.inputs[name]
        labels = {label: values for label, values in spec.labels.items() if label != "primary"}
        if len(labels) == len(spec.labels):
            return False
        return bool(matching(self.context, replace(spec, labels=labels), self.keys[name]))

    def combinations(self) -> list[Combination]:
        """The natural join of the inputs over the labels that they share. Raises JoinError when it is too large."""
        # A model of 20,000 layers may be judged layer by layer; what must not happen is that inputs multiply.
        limit = max(MAX_COMBINATIONS, *(len(found) for found in self.found.values()))
        partial = [Combination({}, {})]
        direct = [name for name in self.found if name not in self.among]
        # Required inputs first: an optional one must never decide which combinations there are.
        for name in sorted(direct, key=lambda name: self.rule.inputs[name].optional):
            candidates = self.candidates(name)
            extended = self.extend(partial, name, candidates, self.rule.inputs[name].optional)
            partial = _at_most(limit, extended)
        return _at_most(limit, self._with_among(partial))

    def extend(
        self, partial: Sequence[Combination], name: str, candidates: "_Candidates", optional: bool
    ) -> Iterator[Combination]:
        """Each combination with each series of one more input that fits it."""
        for one in partial:
            fitting = [pair for pair in candidates.fitting(one.labels) if self.meets(name, pair[0], one.series)]
            if optional:
                fitting = fitting[:1]
                if not fitting:
                    yield Combination({**one.series, name: None}, one.labels)
            for series, labels in fitting:
                yield Combination({**one.series, name: series}, {**labels, **one.labels})

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
        return [(series, own) for series, own in self.near(labels.get("layer")) if agree(labels, own)]

    def near(self, layer: str | None) -> Sequence[tuple[Series, Labels]]:
        """Those of a layer or of none, with their join labels; None: all."""
        return self.all if layer is None else [*self._by_layer.get(layer, ()), *self._by_layer.get(None, ())]


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
        if name == "loss_tells":
            return float(binding.context.run.regime.name in LOSS_TELLS)
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
            partial = list(self.binding.extend(partial, name, _Candidates(fitting), optional=False))
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
