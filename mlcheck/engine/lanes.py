"""Which combinations of a rule need not be judged one by one, because its condition is seen to hold nowhere in many of them at once."""

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

import numpy as np

from mlcheck.engine.bind import Binding, Combination
from mlcheck.engine.rule import VERDICT_NAMES, Rule
from mlcheck.engine.scope import RuleScope
from mlcheck.lang.episodes import find_episodes, parse_term
from mlcheck.lang.evaluate import Evaluator
from mlcheck.lang.expression import Expression
from mlcheck.lang.lanes import LaneEvaluator, Unsupported, is_supported
from mlcheck.lang.values import Axis, Value
from mlcheck.records import dataclass

FEWEST = 4
"""Combinations from which they are judged together."""
MOST_VALUES = 1_000_000
"""Values of one input of combinations that are judged together: 8 MB."""
ANY_AXIS = ("points", "point", "%")
"""Units that can be measured on every axis."""


def measures_everywhere(rule: Rule) -> bool:
    """Whether no place or length of a rule can be wrong on an axis."""
    terms = (rule.after, rule.until, rule.merge, *rule.patience)
    return all(term is None or term.unit in ANY_AXIS for term in terms)


class FixedLets:
    """The lets of a rule that are the same in all of its combinations, each computed once."""

    def __init__(self, rule: Rule, binding: Binding, combinations: Sequence[Combination]) -> None:
        self._rule = rule
        self._evaluator = Evaluator(rule.lets, RuleScope(binding, combinations[0]))
        varying = {
            name
            for name in combinations[0].series
            if any(one.series[name] is not combinations[0].series[name] for one in combinations)
        }
        specs = rule.inputs
        depend = (name for name, spec in specs.items() if {name, spec.alias or name, spec.same or name} & varying)
        self._names = _free_of(rule, frozenset(depend))

    def value(self, let: str) -> Value | None:
        """See `lang.evaluate.Common`."""
        return self._evaluator.name(let) if let in self._names else None

    def but(self, names: Set[str]) -> "FixedLets":
        """See `lang.evaluate.Common`."""
        other = object.__new__(FixedLets)
        other._rule, other._evaluator = self._rule, self._evaluator
        other._names = self._names & _free_of(self._rule, frozenset(names))
        return other


@lru_cache(maxsize=1024)
def _free_of(rule: Rule, names: frozenset[str]) -> frozenset[str]:
    """The lets that need none of these names, and no reduction, whose members depend on the combination; each combination asks the same."""
    return frozenset(
        let
        for let, uses in rule.lets.uses_of.items()
        if names.isdisjoint(uses) and all(labels == {None} for labels in uses.values())
    )


@dataclass(frozen=True, eq=False)
class Judged:
    """What is known of the combinations of a rule by their numbers."""

    passed: Set[int]
    """Those in which the condition holds nowhere, and which are long enough to be judged."""
    evaluators: Mapping[int, Evaluator]
    """Of those in which it holds somewhere, and which are long enough, with what is known of them."""


def judged_together(
    rule: Rule, binding: Binding, combinations: Sequence[Combination], fixed: FixedLets | None
) -> Judged:
    """Judge combinations together where they stand on the same steps."""
    passed: set[int] = set()
    evaluators: dict[int, Evaluator] = {}
    if len(combinations) < FEWEST or not measures_everywhere(rule) or not is_supported(rule.when.root, rule.lets):
        return Judged(passed, evaluators)
    groups: dict[tuple[int | None, ...], list[int]] = {}
    for number, one in enumerate(combinations):
        groups.setdefault(_form(rule, binding, one), []).append(number)
    for form, numbers in groups.items():
        most = max(1, MOST_VALUES // _points(binding, combinations[numbers[0]]))
        for start in range(0, len(numbers) if any(place is not None for place in form) else 0, most):
            part = numbers[start : start + most]
            if len(part) >= FEWEST:
                _judge(rule, binding, [combinations[number] for number in part], part, fixed, passed, evaluators)
    return Judged(passed, evaluators)


def _form(rule: Rule, binding: Binding, combination: Combination) -> tuple[int | None, ...]:
    """Combinations of one form have the same inputs, on the same steps."""
    context = binding.context
    return tuple(
        None if series is None else context.axis(series, rule.inputs[name].rows).place
        for name, series in combination.series.items()
    )


def _points(binding: Binding, combination: Combination) -> int:
    return max((len(series) for series in combination.series.values() if series is not None), default=1) or 1


def _judge(
    rule: Rule,
    binding: Binding,
    combinations: Sequence[Combination],
    numbers: Sequence[int],
    fixed: FixedLets | None,
    passed: set[int],
    evaluators: dict[int, Evaluator],
) -> None:
    lanes = LaneEvaluator(rule.lets, [Evaluator(rule.lets, RuleScope(binding, one), fixed) for one in combinations])
    try:
        enough = _long_enough(rule, binding, lanes, combinations[0], len(numbers))
        holds = lanes.may_hold(rule.when)
    except Unsupported:
        return
    except Exception:  # noqa: BLE001 - each by itself says which of them it is that cannot be judged, and why
        return
    failing = int((enough & holds).sum())
    told = lanes.numbers_of([rule.when, *_of_verdicts(rule)]) if failing >= FEWEST else ()
    for lane, number in enumerate(numbers):
        if enough[lane] and holds[lane]:
            evaluators[number] = lanes.tell(lane, told)
        elif enough[lane]:
            passed.add(number)


@lru_cache(maxsize=1024)
def _of_verdicts(rule: Rule) -> Sequence[Expression]:
    """What a verdict that fails is put together from, save what needs the verdict itself."""
    found = [rule.value, rule.limit, rule.margin, *(case.condition for case in rule.severity_cases())]
    found += [case.condition for cases in rule.texts.values() for case in cases]
    names = frozenset(VERDICT_NAMES)
    return [one for one in found if one is not None and names.isdisjoint(rule.lets.names(one.root))]


def _long_enough(
    rule: Rule, binding: Binding, lanes: LaneEvaluator, first: Combination, number: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each combination has as many finite points as the rule needs; raises Unsupported where that is not plain to see."""
    enough = np.ones(number, dtype=bool)
    for name, need in rule.needs.items():
        spec = rule.inputs[name]
        base = spec.alias or name
        if base in binding.among or spec.match == "exact":
            raise Unsupported
        found = lanes.name(name)
        if found.axis is None:
            if spec.optional and first.series.get(base) is None:
                continue
            raise Unsupported
        good = np.isfinite(found.values)[:, _start(rule, binding, found.axis) :].sum(axis=1)
        enough &= good >= (int(binding.params[need]) if isinstance(need, str) else need)
    return enough


def _start(rule: Rule, binding: Binding, axis: Axis) -> int:
    if rule.after is None:
        return 0
    after = parse_term(rule.after.text(binding.params))
    spans = find_episodes(np.ones(len(axis), dtype=bool), axis, after=after)
    return spans[0].start if spans else len(axis)
