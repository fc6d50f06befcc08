"""One declarative rule over one run: bind, evaluate, find the episodes, say what they mean."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine import context as contexts
from mlcheck.engine.bind import Binding, Combination, JoinError, RuleScope, agree, join_labels
from mlcheck.engine.context import RunContext
from mlcheck.engine.lanes import FixedLets, judged_together, measures_everywhere
from mlcheck.engine.rule import Rule
from mlcheck.engine.verdict import BORDERLINE, Errored, Failed, Passed, Skip, Verdict, excess
from mlcheck.lang.align import put
from mlcheck.lang.bounds import never_holds
from mlcheck.lang.early import asks_for_direction, holds_nowhere
from mlcheck.lang.episodes import Span, find_episodes, is_healed, parse_term
from mlcheck.lang.evaluate import Evaluator, is_true
from mlcheck.lang.expression import Expression
from mlcheck.lang.functions import truths
from mlcheck.lang.lets import uses
from mlcheck.lang.values import Axis, Column, Inapplicable, Value
from mlcheck.lang.vocabulary import JOIN_LABELS
from mlcheck.lang.whole import finite, noise
from mlcheck.report import Severity
from mlcheck.store.activations import GUESSED
from mlcheck.store.series import Series
from mlcheck.store.tensors.request import TENSOR_FACTS, TENSOR_ROLES

SHOWN_LABELS = (*sorted(JOIN_LABELS - {"run"}), "split", "source")
NETWORK_ROLES = frozenset({"weight", "gradient", "activation", "grad_norm", "lr"})
"""What only a network that is trained by gradients has."""
LOSS_SHAPE_CATEGORIES = frozenset({"loss", "generalisation"})
"""On a run of unknown regime these give no error (design.md §2)."""

WORTH_PROVING = 2_000
"""Points of a series from which a look at the ranges of the inputs costs less than the evaluation that it may save."""


def judge(rule: Rule, context: RunContext, params: Mapping[str, float | bool | str]) -> Iterator[Verdict]:
    """Judge every combination of a rule's inputs in one run; at least one verdict always comes."""
    regime = context.run.regime.name
    if rule.regimes and regime not in rule.regimes:
        yield Skip("regime", f"not for {regime}")
        return
    binding = Binding(rule, context, params)
    missing = binding.missing()
    unclear = [name for name in missing if binding.lacks_only_primary(name)]
    if unclear:
        what = _what(rule, unclear[0])
        yield Skip(
            "ambiguous", f"{what}: several are logged, none is told to be the total; give split or role under [roles]"
        )
        return
    if missing:
        words = tuple(dict.fromkeys(_what(rule, name) for name in missing))
        reason = f"{', '.join(words)}: none logged"
        if regime == "tree" and _roles(rule, missing) <= NETWORK_ROLES:
            yield Skip("regime", f"a model of trees has no {words[0]}")
            return
        if _asks_for_tensors(rule, missing) and not context.has_tensors:
            yield Skip("undumped", f"{', '.join(words)}: none dumped")
            return
        undefined = [why for name in missing if (why := binding.undefined(name)) is not None]
        if undefined:
            yield Skip("undefined", undefined[0])
            return
        untold = [name for name in missing if binding.lacks_only_statistic(name)]
        if untold:
            keys = ", ".join(dict.fromkeys(binding.keys[name] for name in untold))
            yield Skip("undumped", f"{_what(rule, untold[0])}: what is logged does not tell {keys}; dump the tensors")
            return
        if all(binding.lacks_only_labels(name) for name in missing):
            yield Skip("unlogged", f"{', '.join(words)}: those that are dumped are of another kind")
            return
        yield Skip("unlogged", reason) if rule.model.if_logged else Skip("input", reason, words)
        return
    try:
        combinations = binding.combinations()
    except JoinError as error:
        yield Errored(str(error))
        return
    if not combinations:
        names = " and ".join(_what(rule, name) for name, spec in rule.inputs.items() if not spec.optional)
        yield Skip("input", f"{names}: logged, but not of the same thing (their labels differ)")
    fixed = FixedLets(rule, binding, combinations) if len(combinations) > 1 else None
    together = judged_together(rule, binding, combinations, fixed)
    for number, combination in enumerate(combinations):
        if number in together.passed:
            yield Passed(combination.labels)
        else:
            known = together.evaluators.get(number)
            yield _Case(rule, context, binding, combination, fixed, known).verdict()
    for why, series in binding.undefined_beside():
        labels = {label: series.labels[label] for label in SHOWN_LABELS if label in series.labels}
        yield Skip("undefined", why, labels=labels)


def _asks_for_tensors(rule: Rule, names: Sequence[str]) -> bool:
    """Whether what is missing is only there where tensors, or what is derived from them, are dumped."""
    return _roles(rule, names) <= TENSOR_ROLES | TENSOR_FACTS


def _roles(rule: Rule, names: Sequence[str]) -> set[str]:
    roles = [rule.inputs[name].role for name in names]
    return {word for role in roles for word in ([role] if isinstance(role, str) else role or ["any"])}


def _what(rule: Rule, name: str) -> str:
    spec = rule.inputs[name]
    split = spec.labels.get("split", [None])
    measure = spec.labels.get("family") or spec.labels.get("metric")
    return contexts.what(measure[0] if measure else spec.role, split[0])


class _Case:
    """One combination."""

    def __init__(
        self,
        rule: Rule,
        context: RunContext,
        binding: Binding,
        combination: Combination,
        fixed: FixedLets | None,
        known: Evaluator | None,
    ) -> None:
        """`known`: an evaluator of it, where it was judged together with others and may fail."""
        self.rule = rule
        self.context = context
        self.binding = binding
        self.combination = combination
        self.labels = self._labels()
        self.scope = RuleScope(binding, combination)
        self.may_fail = known is not None
        self.evaluator = known or Evaluator(rule.lets, self.scope, fixed)

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

    def verdict(self) -> Verdict:
        """Judge it. An exception of the rule becomes a verdict of its own: the others are still judged."""
        try:
            if not self.may_fail:
                short = self._too_short()
                if short:
                    return Skip("short", short, labels=self.labels)
                if self._is_ruled_out():
                    return Passed(self.labels)
            condition = self.evaluator.evaluate(self.rule.when)
            if isinstance(condition, Column):
                return self._point_rule(condition)
            return self._run_rule(is_true(condition))
        except Inapplicable as error:
            return Skip(error.kind, error.reason, labels=self.labels)
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is that rule's outcome, never the scan's end
            return Errored(f"{type(error).__name__}: {error}", self.labels)

    def _is_ruled_out(self) -> bool:
        """Whether the ranges of the inputs, or a part of the condition, prove that it holds nowhere.

        Only where nothing that is left out could have said that the rule cannot be judged: a place or length that is wrong on an axis,
        axes that never meet, a direction that is not known.
        """
        rule = self.rule
        if not measures_everywhere(rule):
            return False
        if self._points() >= WORTH_PROVING and never_holds(rule.when, rule.lets, self.scope.leaf):
            return True
        if not self.binding.axes_meet or not self.binding.have_direction(asks_for_direction(rule.when, rule.lets)):
            return False
        return holds_nowhere(rule.when, rule.lets, self.evaluator)

    def _points(self) -> int:
        return max((len(one) for one in self.combination.series.values() if one is not None), default=0)

    # What it stands on

    def _too_short(self) -> str | None:
        for name, need in self.rule.needs.items():
            needed = int(self.binding.params[need]) if isinstance(need, str) else need
            counts = [self._finite_points(name, series) for series in self._members(name)]
            if not counts and self.rule.inputs[name].optional:
                continue
            count = max(counts, default=0)
            if count < needed:
                shown = _what(self.rule, name)
                return f"{shown}: {count} of {needed} points"
        return None

    def _members(self, name: str) -> list[Series]:
        name = self.rule.inputs[name].alias or name
        if name in self.binding.among:
            dropped = self.binding.among[name]
            return [
                s
                for s in self.binding.found[name]
                if agree(self.combination.labels, {k: v for k, v in join_labels(s).items() if k not in dropped})
            ]
        series = self.combination.series.get(name)
        return [] if series is None else [series]

    def _finite_points(self, name: str, series: Series) -> int:
        column = self.context.column(series, self.binding.keys[name], self.rule.inputs[name].rows)
        good = np.isfinite(column.values)
        if self.rule.after:
            everything = np.ones(len(good), dtype=bool)
            after = parse_term(self.rule.after.text(self.binding.params))
            spans = find_episodes(everything, column.axis, after=after)
            good = good[spans[0].start :] if spans else good[:0]
        return int(good.sum())

    def _judged_series(self, axis: Axis | None = None) -> list[Series]:
        """All series of the condition, the one whose axis the condition stands on first."""
        names = [name for name in uses(self.rule.when, self.rule.lets) if name in self.rule.inputs]
        found = [s for name in self.rule.inputs if name in names for s in self._members(name)]
        unique = list({s.name: s for s in found}.values())
        if axis is not None:
            unique.sort(key=lambda s: self.context.axis(s) is not axis and self.context.axis(s, "all") is not axis)
        return unique

    # Point rules

    def _point_rule(self, condition: Column) -> Verdict:
        rule, params = self.rule, self.binding.params
        held = truths(condition.values)
        spans = find_episodes(
            held,
            condition.axis,
            after=parse_term(rule.after.text(params)) if rule.after else None,
            until=parse_term(rule.until.text(params)) if rule.until else None,
            patience=[parse_term(term.text(params)) for term in rule.patience],
            merge=parse_term(rule.merge.text(params)) if rule.merge else None,
            at_end=rule.model.at_end,
        )
        if not spans:
            return Passed(self.labels)
        values = self._on(condition.axis, rule.value)
        limits = self._on(condition.axis, rule.limit)
        beyond = excess(values, limits, self._noise(values))
        beyond[~held] = -1.0
        worst = [span.start + int(np.argmax(beyond[span.start : span.stop + 1])) for span in spans]
        worst_row = max(worst, key=lambda row: beyond[row])
        return self._failed(
            condition.axis,
            spans,
            run_rule=False,
            healed=self._is_healed(condition.axis, held, spans),
            held=held,
            worst_row=worst_row,
            worst_by_span=[(row, _number(values[row])) for row in worst],
            value=_number(values[worst_row]),
            limit=_number(limits[worst_row]),
            excess_=float(beyond[worst_row]),
        )

    def _is_healed(self, axis: Axis, held: NDArray[np.bool_], spans: list[Span]) -> bool:
        if self.rule.model.healed == "same" and axis.steps[spans[-1].stop] < axis.run_last:
            # An event stands on a series of its own, whose last row may be the event.
            return True
        return is_healed(held, spans)

    def _on(self, axis: Axis, expression: Expression) -> NDArray[np.float64]:
        return _spread(self.evaluator.evaluate(expression), axis)

    @staticmethod
    def _noise(values: NDArray[np.float64]) -> float:
        result = noise(finite(values))
        return 0.0 if math.isnan(result) else result

    # Run rules

    def _run_rule(self, fails: bool) -> Verdict:
        if not fails:
            return Passed(self.labels)
        judged = self._judged_series()
        axis = self.context.axis(judged[0])
        rows = len(axis)
        value = _scalar(self.evaluator.evaluate(self.rule.value))
        limit = _scalar(self.evaluator.evaluate(self.rule.limit))
        return self._failed(
            axis,
            [Span(0, rows - 1, rows, True)],
            run_rule=True,
            healed=False,
            held=np.ones(rows, dtype=bool),
            worst_row=rows - 1,
            worst_by_span=[(rows - 1, value)],
            value=value,
            limit=limit,
            excess_=float(excess(_array(value), _array(limit))[0]),
        )

    # What they have in common

    def _failed(
        self,
        axis: Axis,
        spans: list[Span],
        *,
        run_rule: bool,
        healed: bool,
        held: NDArray[np.bool_],
        worst_row: int,
        worst_by_span: list[tuple[int, float | None]],
        value: float | None,
        limit: float | None,
        excess_: float,
    ) -> Failed:
        known = self._extra(axis, spans, healed, value, limit)
        extra = {name: of_verdict for name, of_verdict in known.items() if name not in self.rule.parameters}
        self.evaluator = self.evaluator.extended(RuleScope(self.binding, self.combination, extra), extra.keys())
        margin = self._margin(axis, worst_row, value, limit)
        judged = self._judged_series(axis)
        severity, reasons = self._severity(axis, spans, held, healed, margin, judged)
        text = self._texts(axis, spans, held, worst_row, extra, judged)
        return Failed(
            labels=self.labels,
            series=judged,
            axis=axis,
            spans=spans,
            run_rule=run_rule,
            healed=healed,
            severity=severity,
            confidence_reasons=tuple(reasons),
            value=value,
            limit=None if limit is None or math.isnan(limit) else limit,
            worst_row=worst_row,
            worst_by_span=worst_by_span,
            excess=excess_,
            margin=margin,
            message=text["message"],
            advice=text["advice"],
            headline=text["headline"],
            measure=self.rule.model.measure,
            is_event=self.rule.model.healed == "same",
            evidence=self._evidence(),
        )

    def _extra(
        self, axis: Axis, spans: list[Span], healed: bool, value: float | None, limit: float | None
    ) -> dict[str, Value]:
        steps = [int(axis.steps[s.stop]) - int(axis.steps[s.start]) for s in spans]
        whole = axis.run_last - axis.run_first
        return {
            "points": float(sum(s.points for s in spans)),
            "steps": float(sum(steps)),
            "episodes": float(len(spans)),
            "longest": float(max(s.points for s in spans)),
            "share_of_run": sum(steps) / whole if whole > 0 else 1.0,
            "healed": float(healed),
            "value": math.nan if value is None else value,
            "limit": math.nan if limit is None else limit,
        }

    def _margin(self, axis: Axis, row: int, value: float | None, limit: float | None) -> float | None:
        if self.rule.margin is not None:
            return _number(self._on(axis, self.rule.margin)[row])
        if value is None or limit is None or not (value > 0 and limit > 0):
            return None
        return max(value / limit, limit / value)

    def _severity(
        self,
        axis: Axis,
        spans: list[Span],
        held: NDArray[np.bool_],
        healed: bool,
        margin: float | None,
        judged: list[Series],
    ) -> tuple[Severity, list[str]]:
        rule, reasons = self.rule, []
        severity = self._stated_severity(axis, spans, held, judged)
        if healed and rule.model.healed == "lower":
            severity = severity.lower()
            reasons.append("healed")
        if rule.model.borderline and margin is not None and margin < 1 + BORDERLINE:
            severity = severity.lower()
            reasons.append("borderline")
        if any(s.labels.get("certainty") == "guess" for s in judged):
            severity = min(severity, Severity.WARNING, key=lambda one: one.rank)
            reasons.append("role guessed")
        if any("act" in spec.labels for spec in rule.inputs.values()) and any(
            s.labels.get("act_from") == GUESSED for s in judged
        ):
            severity = min(severity, Severity.WARNING, key=lambda one: one.rank)
            reasons.append("function guessed from the values")
        if self.context.run.regime.name == "unknown" and rule.category in LOSS_SHAPE_CATEGORIES:
            severity = min(severity, Severity.WARNING, key=lambda one: one.rank)
            reasons.append("kind of training unknown")
        if any(s.approximate for s in judged):
            reasons.append("from histogram buckets")
        return severity, reasons

    def _stated_severity(
        self, axis: Axis, spans: list[Span], held: NDArray[np.bool_], judged: list[Series]
    ) -> Severity:
        rule = self.rule
        cases = rule.severities
        if rule.by_role:
            cases = rule.by_role.get(judged[0].role, rule.by_role["else"])
        inside = self._inside(axis, spans, held)
        return next(case.severity for case in cases if self._holds(case.condition, axis, inside))

    @staticmethod
    def _inside(axis: Axis, spans: list[Span], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        inside = np.zeros(len(axis), dtype=bool)
        for span in spans:
            inside[span.start : span.stop + 1] = True
        return inside & held

    def _holds(self, condition: Expression | None, axis: Axis, inside: NDArray[np.bool_]) -> bool:
        """Whether a condition of a severity or text holds; a column: at any point of the episodes. None always does."""
        if condition is None:
            return True
        value = self.evaluator.evaluate(condition)
        if isinstance(value, Column):
            return bool(np.any(truths(_spread(value, axis))[inside]))
        return is_true(value)

    def _texts(
        self,
        axis: Axis,
        spans: list[Span],
        held: NDArray[np.bool_],
        row: int,
        extra: Mapping[str, Value],
        judged: list[Series],
    ) -> dict[str, str]:
        inside = self._inside(axis, spans, held)
        templates = {
            key: next(case.template for case in cases if self._holds(case.condition, axis, inside))
            for key, cases in self.rule.texts.items()
        }
        values: dict[str, float | int | str | None] = {
            **dict.fromkeys((*SHOWN_LABELS, "role")),
            **self.labels,
            "first_step": int(axis.steps[spans[0].start]),
            "last_step": int(axis.steps[spans[-1].stop]),
            "run": self.context.run.name,
            "axis": axis.kind,
            "regime": self.context.run.regime.name,
        }
        # What stands only inside `among`, such as a loss beside a tensor, is a witness and not what the sentence is about.
        direct = {s.name for name, s in self.combination.series.items() if s and name not in self.binding.among}
        named = [s for s in judged if s.name in direct and "repeat" not in s.labels] or judged
        values["series"] = ", ".join(s.name for s in named[:3]) + (" …" if len(named) > 3 else "")
        values["role"] = judged[0].role.replace("_", " ")
        for name in {name for one in templates.values() for name in one.names} - set(values):
            values[name] = self._text_value(name, axis, row, extra)
        return {key: one.render(values) for key, one in templates.items()}

    def _text_value(self, name: str, axis: Axis, row: int, extra: Mapping[str, Value]) -> float | str | None:
        if name in extra:
            found = extra[name]
        elif isinstance(self.binding.params.get(name), str):
            return str(self.binding.params[name])
        else:
            found = self.evaluator.evaluate(_name_expression(name))
        if isinstance(found, Column):
            found = float(_spread(found, axis)[row])
        return int(found) if float(found).is_integer() and abs(found) < 2**53 else float(found)

    def _evidence(self) -> list[tuple[Series, str, str]]:
        named = uses(self.rule.when, self.rule.lets)
        shown: list[tuple[Series, str, str]] = []
        for name, spec in self.rule.inputs.items():
            if name in named:
                key = self.binding.keys[name]
                members = [s for s in self._members(name)[:4] if s.kind != "fact" and self.context.has(s, key)]
                shown += [(s, _shown_statistic(s, key), spec.rows) for s in members]
        return list({(s.name, key): (s, key, rows) for s, key, rows in shown}.values())[:6]


@cache
def _name_expression(name: str) -> Expression:
    from mlcheck.lang.parse import parse

    return parse(name, [name])


def _spread(value: Value, axis: Axis) -> NDArray[np.float64]:
    """A value on the rows of an axis: a scalar everywhere, a column as of each step."""
    if isinstance(value, Column):
        return np.asarray(put(value, axis).values, dtype=np.float64)
    return np.full(len(axis), float(value))


def _scalar(value: Value) -> float | None:
    if isinstance(value, Column):
        finite = value.values[np.isfinite(value.values)]
        return _number(finite[-1]) if len(finite) else None
    return _number(value)


def _array(value: float | None) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value])


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _shown_statistic(series: Series, key: str) -> str:
    """A reader wants to see the values of a scalar, not a column of zeros and ones."""
    return "value" if series.kind == "scalar" else key
