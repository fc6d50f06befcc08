"""One combination of the series that a rule is about: which they are, and by which labels it is told from the others."""

from mlcheck.engine.bind import Binding, Combination, agree, join_labels
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import Rule
from mlcheck.lang.lets import uses
from mlcheck.lang.values import Axis
from mlcheck.lang.vocabulary import JOIN_LABELS
from mlcheck.store.series import Series

SHOWN_LABELS = (*sorted(JOIN_LABELS - {"run"}), "split", "source")


class Case:
    """A rule in one combination of its inputs."""

    def __init__(self, rule: Rule, context: RunContext, binding: Binding, combination: Combination) -> None:
        self.rule = rule
        self.context = context
        self.binding = binding
        self.combination = combination
        self.labels = self._labels()
        self._members: dict[str, list[Series]] = {}

    def _labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        bound = [s for s in self.combination.series.values() if s is not None]
        for label in SHOWN_LABELS:
            values = {s.labels[label] for s in bound if label in s.labels}
            if len(values) == 1:
                found[label] = values.pop()
            elif label in self.combination.labels:
                found[label] = self.combination.labels[label]
        return found

    def points(self) -> int:
        """Points of its longest series."""
        return max((len(one) for one in self.combination.series.values() if one is not None), default=0)

    def members(self, name: str) -> list[Series]:
        """The series of an input: one or none, and several where it stands inside `among` only."""
        known = self._members.get(name)
        if known is None:
            known = self._members[name] = self._bound(self.rule.inputs[name].alias or name)
        return known

    def _bound(self, name: str) -> list[Series]:
        if name in self.binding.among:
            dropped = self.binding.among[name]
            return [
                s
                for s in self.binding.found[name]
                if agree(self.combination.labels, {k: v for k, v in join_labels(s).items() if k not in dropped})
            ]
        series = self.combination.series.get(name)
        return [] if series is None else [series]

    def judged_series(self, axis: Axis | None = None) -> list[Series]:
        """All series of the condition, the one whose axis the condition stands on first."""
        names = [name for name in uses(self.rule.when, self.rule.lets) if name in self.rule.inputs]
        found = [s for name in self.rule.inputs if name in names for s in self.members(name)]
        unique = list({s.name: s for s in found}.values())
        if axis is not None:
            unique.sort(key=lambda s: self.context.axis(s) is not axis and self.context.axis(s, "all") is not axis)
        return unique
