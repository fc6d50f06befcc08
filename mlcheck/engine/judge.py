"""One declarative rule over one run: bind, evaluate, find the episodes, say what they mean."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine.bind import Binding, JoinError
from mlcheck.engine.case import SHOWN_LABELS, Case
from mlcheck.engine.context import RunContext
from mlcheck.engine.failure import Held, failed, number, spread
from mlcheck.engine.lanes import FixedLets, judged_together, measures_everywhere
from mlcheck.engine.missing import what_of, why_not
from mlcheck.engine.rule import Rule
from mlcheck.engine.scope import RuleScope
from mlcheck.engine.verdict import Errored, Passed, Skip, Verdict, excess
from mlcheck.lang.bounds import never_holds
from mlcheck.lang.early import asks_for_direction, holds_nowhere
from mlcheck.lang.episodes import Span, find_episodes, is_healed, parse_term
from mlcheck.lang.evaluate import Evaluator, is_true
from mlcheck.lang.expression import Expression
from mlcheck.lang.functions import truths
from mlcheck.lang.values import Axis, Column, Inapplicable, Value
from mlcheck.lang.whole import finite, noise
from mlcheck.store.series import Series

WORTH_PROVING = 2_000
"""Points of a series from which a look at the ranges of the inputs costs less than the evaluation that it may save."""


def judge(rule: Rule, context: RunContext, params: Mapping[str, float | bool | str]) -> Iterator[Verdict]:
    """Judge every combination of a rule's inputs in one run; at least one verdict always comes."""
    regime = context.run.regime.name
    if rule.regimes and regime not in rule.regimes:
        yield Skip("regime", f"not for {regime}")
        return
    binding = Binding(rule, context, params)
    skip = why_not(rule, context, binding)
    if skip is not None:
        yield skip
        return
    try:
        combinations = binding.combinations()
    except JoinError as error:
        yield Errored(str(error))
        return
    if not combinations:
        names = " and ".join(what_of(rule, name) for name, spec in rule.inputs.items() if not spec.optional)
        yield Skip("input", f"{names}: logged, but not of the same thing (their labels differ)")
    fixed = FixedLets(rule, binding, combinations) if len(combinations) > 1 else None
    together = judged_together(rule, binding, combinations, fixed)
    for place, combination in enumerate(combinations):
        if place in together.passed:
            yield Passed(combination.labels)
        else:
            case = Case(rule, context, binding, combination)
            yield _Judged(case, fixed, together.evaluators.get(place)).verdict()
    for why, series in binding.undefined_beside():
        labels = {label: series.labels[label] for label in SHOWN_LABELS if label in series.labels}
        yield Skip("undefined", why, labels=labels)


class _Judged:
    """A case that is judged by itself."""

    def __init__(self, case: Case, fixed: FixedLets | None, known: Evaluator | None) -> None:
        """`known`: an evaluator of it, where it was judged together with others and may fail."""
        self.case = case
        self.rule = case.rule
        self.params = case.binding.params
        self.scope = RuleScope(case.binding, case.combination)
        self.may_fail = known is not None
        self.evaluator = known or Evaluator(self.rule.lets, self.scope, fixed)

    def verdict(self) -> Verdict:
        """Judge it. An exception of the rule becomes a verdict of its own: the others are still judged."""
        labels = self.case.labels
        try:
            if not self.may_fail:
                short = self._too_short()
                if short:
                    return Skip("short", short, labels=labels)
                if self._is_ruled_out():
                    return Passed(labels)
            condition = self.evaluator.evaluate(self.rule.when)
            held = self._points(condition) if isinstance(condition, Column) else self._whole(is_true(condition))
            return Passed(labels) if held is None else failed(self.case, self.evaluator, held)
        except Inapplicable as error:
            return Skip(error.kind, error.reason, labels=labels)
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is that rule's outcome, never the scan's end
            return Errored(f"{type(error).__name__}: {error}", labels)

    # What need not be evaluated

    def _is_ruled_out(self) -> bool:
        """Whether the ranges of the inputs, or a part of the condition, prove that it holds nowhere.

        Only where nothing that is left out could have said that the rule cannot be judged: a place or length that is wrong on an axis,
        axes that never meet, a direction that is not known.
        """
        rule, binding = self.rule, self.case.binding
        if not measures_everywhere(rule):
            return False
        if self.case.points() >= WORTH_PROVING and never_holds(rule.when, rule.lets, self.scope.leaf):
            return True
        if not binding.axes_meet or not binding.have_direction(asks_for_direction(rule.when, rule.lets)):
            return False
        return holds_nowhere(rule.when, rule.lets, self.evaluator)

    def _too_short(self) -> str | None:
        for name, need in self.rule.needs.items():
            needed = int(self.params[need]) if isinstance(need, str) else need
            counts = [self._finite_points(name, series) for series in self.case.members(name)]
            if not counts and self.rule.inputs[name].optional:
                continue
            count = max(counts, default=0)
            if count < needed:
                return f"{what_of(self.rule, name)}: {count} of {needed} points"
        return None

    def _finite_points(self, name: str, series: Series) -> int:
        column = self.case.context.column(series, self.case.binding.keys[name], self.rule.inputs[name].rows)
        good = np.isfinite(column.values)
        if self.rule.after:
            everything = np.ones(len(good), dtype=bool)
            after = parse_term(self.rule.after.text(self.params))
            spans = find_episodes(everything, column.axis, after=after)
            good = good[spans[0].start :] if spans else good[:0]
        return int(good.sum())

    # A condition at each point

    def _points(self, condition: Column) -> Held | None:
        rule, params = self.rule, self.params
        axis, rows = condition.axis, truths(condition.values)
        spans = find_episodes(
            rows,
            axis,
            after=parse_term(rule.after.text(params)) if rule.after else None,
            until=parse_term(rule.until.text(params)) if rule.until else None,
            patience=[parse_term(term.text(params)) for term in rule.patience],
            merge=parse_term(rule.merge.text(params)) if rule.merge else None,
            at_end=rule.model.at_end,
        )
        if not spans:
            return None
        values, limits = self._on(axis, rule.value), self._on(axis, rule.limit)
        beyond = excess(values, limits, _noise(values))
        beyond[~rows] = -1.0
        worst = [span.start + int(np.argmax(beyond[span.start : span.stop + 1])) for span in spans]
        worst_row = max(worst, key=lambda row: beyond[row])
        return Held(
            axis=axis,
            rows=rows,
            spans=spans,
            run_rule=False,
            healed=self._is_healed(axis, rows, spans),
            worst_row=worst_row,
            worst_by_span=[(row, number(values[row])) for row in worst],
            value=number(values[worst_row]),
            limit=number(limits[worst_row]),
            excess=float(beyond[worst_row]),
        )

    def _is_healed(self, axis: Axis, rows: NDArray[np.bool_], spans: list[Span]) -> bool:
        if self.rule.model.healed == "same" and axis.steps[spans[-1].stop] < axis.run_last:
            # An event stands on a series of its own, whose last row may be the event.
            return True
        return is_healed(rows, spans)

    def _on(self, axis: Axis, expression: Expression) -> NDArray[np.float64]:
        return spread(self.evaluator.evaluate(expression), axis)

    # A condition of the whole run

    def _whole(self, fails: bool) -> Held | None:
        if not fails:
            return None
        axis = self.case.context.axis(self.case.judged_series()[0])
        rows = len(axis)
        value = _scalar(self.evaluator.evaluate(self.rule.value))
        limit = _scalar(self.evaluator.evaluate(self.rule.limit))
        return Held(
            axis=axis,
            rows=np.ones(rows, dtype=bool),
            spans=[Span(0, rows - 1, rows, True)],
            run_rule=True,
            healed=False,
            worst_row=rows - 1,
            worst_by_span=[(rows - 1, value)],
            value=value,
            limit=limit,
            excess=float(excess(_array(value), _array(limit))[0]),
        )


def _noise(values: NDArray[np.float64]) -> float:
    result = noise(finite(values))
    return 0.0 if math.isnan(result) else result


def _scalar(value: Value) -> float | None:
    if isinstance(value, Column):
        known = value.values[np.isfinite(value.values)]
        return number(known[-1]) if len(known) else None
    return number(value)


def _array(value: float | None) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value])
