"""Which series meet in a rule: inputs bind to series, and join on the labels that they share (language.md fixes 10 and 11)."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from mlcheck.engine.arguments import statistic_key
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import Rule
from mlcheck.engine.spec import InputSpec
from mlcheck.lang.values import Value
from mlcheck.lang.vocabulary import JOIN_LABELS
from mlcheck.records import dataclass, replace
from mlcheck.store.comparison import COMPARISON_ROLES
from mlcheck.store.series import Series

MAX_COMBINATIONS = 10_000
"""A join beyond this is an error of the rule, not a result (language.md fix 11)."""

SAID = 3
"""Reasons that a skip names."""


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
    for label, values in spec.prefer.items():
        for value in values:
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
        self._candidates: dict[str, Candidates] = {}
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

    def candidates(self, name: str) -> "Candidates":
        """The series of an input with their join labels, made once."""
        if name not in self._candidates:
            self._candidates[name] = Candidates(self.found[name])
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
        self, partial: Sequence[Combination], name: str, candidates: "Candidates", optional: bool
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


class Candidates:
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
