"""What a rule says of a combination in which its condition holds: severity, confidence, words and evidence."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine.case import SHOWN_LABELS, Case
from mlcheck.engine.scope import RuleScope
from mlcheck.engine.verdict import BORDERLINE, Failed
from mlcheck.lang.align import put
from mlcheck.lang.episodes import Span
from mlcheck.lang.evaluate import Evaluator, is_true
from mlcheck.lang.expression import Expression
from mlcheck.lang.functions import truths
from mlcheck.lang.lets import uses
from mlcheck.lang.values import Axis, Column, Value
from mlcheck.records import dataclass
from mlcheck.report import Severity
from mlcheck.store.activations import GUESSED
from mlcheck.store.series import Series

LOSS_SHAPE_CATEGORIES = frozenset({"loss", "generalisation"})
"""On a run of unknown regime these give no error (design.md §2)."""


@dataclass(frozen=True, eq=False)
class Held:
    """Where the condition of a rule holds, and how far beyond its limit the value lies there."""

    axis: Axis
    rows: NDArray[np.bool_]
    """bool, shape (len(axis),): the points at which it holds."""
    spans: list[Span]
    """The episodes that last long enough."""
    run_rule: bool
    """It is one statement of the whole run."""
    healed: bool
    worst_row: int
    worst_by_span: list[tuple[int, float | None]]
    """Row and value of the worst point of each episode."""
    value: float | None
    limit: float | None
    excess: float

    @property
    def inside(self) -> NDArray[np.bool_]:
        """bool, shape (len(axis),): the points of the episodes at which it holds."""
        inside = np.zeros(len(self.axis), dtype=bool)
        for span in self.spans:
            inside[span.start : span.stop + 1] = True
        return inside & self.rows


def failed(case: Case, evaluator: Evaluator, held: Held) -> Failed:
    """The verdict on a combination in which the condition holds. Raises what evaluation raises."""
    known = _numbers_of_verdict(held)
    extra = {name: value for name, value in known.items() if name not in case.rule.parameters}
    scope = RuleScope(case.binding, case.combination, extra)
    return _Failure(case, evaluator.extended(scope, extra.keys()), held, extra).verdict()


def _numbers_of_verdict(held: Held) -> dict[str, Value]:
    """The names that only severities and texts know (language.md (a))."""
    axis, spans = held.axis, held.spans
    steps = [int(axis.steps[s.stop]) - int(axis.steps[s.start]) for s in spans]
    whole = axis.run_last - axis.run_first
    return {
        "points": float(sum(s.points for s in spans)),
        "steps": float(sum(steps)),
        "episodes": float(len(spans)),
        "longest": float(max(s.points for s in spans)),
        "share_of_run": sum(steps) / whole if whole > 0 else 1.0,
        "healed": float(held.healed),
        "value": math.nan if held.value is None else held.value,
        "limit": math.nan if held.limit is None else held.limit,
    }


class _Failure:
    def __init__(self, case: Case, evaluator: Evaluator, held: Held, extra: dict[str, Value]) -> None:
        self.case = case
        self.rule = case.rule
        self.evaluator = evaluator
        self.held = held
        self.extra = extra
        self.inside = held.inside
        self.judged = case.judged_series(held.axis)

    def verdict(self) -> Failed:
        held = self.held
        margin = self._margin()
        severity, reasons = self._severity(margin)
        text = self._texts()
        return Failed(
            labels=self.case.labels,
            series=self.judged,
            axis=held.axis,
            spans=held.spans,
            run_rule=held.run_rule,
            healed=held.healed,
            severity=severity,
            confidence_reasons=tuple(reasons),
            value=held.value,
            limit=None if held.limit is None or math.isnan(held.limit) else held.limit,
            worst_row=held.worst_row,
            worst_by_span=held.worst_by_span,
            excess=held.excess,
            margin=margin,
            message=text["message"],
            advice=text["advice"],
            headline=text["headline"],
            measure=self.rule.model.measure,
            is_event=self.rule.model.healed == "same",
            evidence=self._evidence(),
        )

    def _margin(self) -> float | None:
        value, limit = self.held.value, self.held.limit
        if self.rule.margin is not None:
            return number(spread(self.evaluator.evaluate(self.rule.margin), self.held.axis)[self.held.worst_row])
        if value is None or limit is None or not (value > 0 and limit > 0):
            return None
        return max(value / limit, limit / value)

    # Severity

    def _severity(self, margin: float | None) -> tuple[Severity, list[str]]:
        rule, reasons = self.rule, []
        severity = self._stated_severity()
        if self.held.healed and rule.model.healed == "lower":
            severity = severity.lower()
            reasons.append("healed")
        if rule.model.borderline and margin is not None and margin < 1 + BORDERLINE:
            severity = severity.lower()
            reasons.append("borderline")
        for reason in self._doubts():
            severity = min(severity, Severity.WARNING, key=lambda one: one.rank)
            reasons.append(reason)
        if any(s.approximate for s in self.judged):
            reasons.append("from histogram buckets")
        return severity, reasons

    def _doubts(self) -> list[str]:
        """What forbids an error."""
        rule, doubts = self.rule, []
        if any(s.labels.get("certainty") == "guess" for s in self.judged):
            doubts.append("role guessed")
        if any("act" in spec.labels for spec in rule.inputs.values()) and any(
            s.labels.get("act_from") == GUESSED for s in self.judged
        ):
            doubts.append("function guessed from the values")
        if self.case.context.run.regime.name == "unknown" and rule.category in LOSS_SHAPE_CATEGORIES:
            doubts.append("kind of training unknown")
        return doubts

    def _stated_severity(self) -> Severity:
        rule = self.rule
        cases = rule.severities
        if rule.by_role:
            cases = rule.by_role.get(self.judged[0].role, rule.by_role["else"])
        return next(case.severity for case in cases if self._holds(case.condition))

    def _holds(self, condition: Expression | None) -> bool:
        """Whether a condition of a severity or text holds; a column: at any point of the episodes. None always does."""
        if condition is None:
            return True
        value = self.evaluator.evaluate(condition)
        if isinstance(value, Column):
            return bool(np.any(truths(spread(value, self.held.axis))[self.inside]))
        return is_true(value)

    # Words

    def _texts(self) -> dict[str, str]:
        case, held = self.case, self.held
        axis, spans = held.axis, held.spans
        templates = {
            key: next(one.template for one in cases if self._holds(one.condition))
            for key, cases in self.rule.texts.items()
        }
        run = case.context.run
        values: dict[str, float | int | str | None] = {
            **dict.fromkeys((*SHOWN_LABELS, "role")),
            **case.labels,
            "first_step": int(axis.steps[spans[0].start]),
            "last_step": int(axis.steps[spans[-1].stop]),
            "run": run.name,
            "axis": axis.kind,
            "regime": run.regime.name,
            "series": self._series_in_words(),
            "role": self.judged[0].role.replace("_", " "),
        }
        for name in {name for one in templates.values() for name in one.names} - set(values):
            values[name] = self._text_value(name)
        return {key: one.render(values) for key, one in templates.items()}

    def _series_in_words(self) -> str:
        # What stands only inside `among`, such as a loss beside a tensor, is a witness and not what the sentence is about.
        bound = self.case.combination.series.items()
        direct = {s.name for name, s in bound if s and name not in self.case.binding.among}
        named = [s for s in self.judged if s.name in direct and "repeat" not in s.labels] or self.judged
        return ", ".join(s.name for s in named[:3]) + (" …" if len(named) > 3 else "")

    def _text_value(self, name: str) -> float | str | None:
        parameter = self.case.binding.params.get(name)
        if name in self.extra:
            found = self.extra[name]
        elif isinstance(parameter, str):
            return parameter
        else:
            found = self.evaluator.evaluate(_name_expression(name))
        if isinstance(found, Column):
            found = float(spread(found, self.held.axis)[self.held.worst_row])
        return int(found) if float(found).is_integer() and abs(found) < 2**53 else float(found)

    def _evidence(self) -> list[tuple[Series, str, str]]:
        case = self.case
        named = uses(self.rule.when, self.rule.lets)
        shown: list[tuple[Series, str, str]] = []
        for name, spec in self.rule.inputs.items():
            if name in named:
                key = case.binding.keys[name]
                members = [s for s in case.members(name)[:4] if s.kind != "fact" and case.context.has(s, key)]
                shown += [(s, _shown_statistic(s, key), spec.rows) for s in members]
        return list({(s.name, key): (s, key, rows) for s, key, rows in shown}.values())[:6]


def spread(value: Value, axis: Axis) -> NDArray[np.float64]:
    """A value on the rows of an axis, float64 of shape (len(axis),): a scalar everywhere, a column as of each step."""
    if isinstance(value, Column):
        return np.asarray(put(value, axis).values, dtype=np.float64)
    return np.full(len(axis), float(value))


def number(value: object) -> float:
    """As a Python float."""
    return float(value)  # type: ignore[arg-type]


@cache
def _name_expression(name: str) -> Expression:
    from mlcheck.lang.parse import parse

    return parse(name, [name])


def _shown_statistic(series: Series, key: str) -> str:
    """A reader wants to see the values of a scalar, not a column of zeros and ones."""
    return "value" if series.kind == "scalar" else key
