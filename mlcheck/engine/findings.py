"""From failed combinations to findings: confidence, cost, fingerprint."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlcheck.digests import sha256
from mlcheck.engine import evidence
from mlcheck.engine.context import RunContext
from mlcheck.engine.verdict import Failed
from mlcheck.report import Confidence, Cost, Episode, Finding, Severity
from mlcheck.store.lane import lane
from mlcheck.store.series import Series

FINGERPRINT_SCHEME = "1"
MAX_EPISODES = 20
FEW_POINTS = 3
"""Points under which a condition is not said to have persisted."""
NEAR = 1.5
"""Times its limit under which a value is near it; within 1.2 the severity is lower too."""
MANY_DOUBTS = 3
"""Doubts from which a finding is of low confidence."""
SHORT_SERIES = 20
"""Points under which a finding is at most of medium confidence: a short run is judged, with less confidence."""


def fingerprint(rule: str, run_lane: str, labels: Mapping[str, str], series: list[str]) -> str:
    """sha256 over rule, lane and the judged series' names, 32 hexadecimal digits (language.md fix 29): no step, no value.

    Names go through the lane's table too, since a part of a run may carry a timestamp. Labels count only where they do not come
    from a guess about a role: worker, category and feature tell apart findings over the same series.
    """
    import json

    stated = {key: labels[key] for key in ("worker", "category", "feature", "source") if key in labels}
    text = json.dumps([FINGERPRINT_SCHEME, rule, run_lane, stated, sorted(lane(name) for name in series)])
    return sha256(text.encode())[:32]


def finding(
    rule: Any, params: Mapping[str, float | bool | str], context: RunContext, failed: Failed, severity: str | None
) -> Finding:
    """The finding of a failed combination. `severity` is the user's own, which stands as it is."""
    axis, run = failed.axis, context.run
    first, last = failed.spans[0], failed.spans[-1]
    onset = None if failed.run_rule else int(axis.steps[first.start])
    confidence, doubts = _confidence(failed)
    return Finding(
        rule=rule.id,
        name=rule.name,
        category=rule.category,
        severity=Severity(severity) if severity else failed.severity,
        confidence=confidence,
        reasons=(*doubts, *(("severity set by the user",) if severity else ())),
        run=run.name,
        labels=dict(failed.labels),
        # Series of facts are ours: no name that a reader has seen anywhere.
        series=tuple(s.name for s in failed.series if s.kind != "fact"),
        axis=axis.kind,
        first_step=int(axis.steps[first.start]),
        last_step=int(axis.steps[last.stop]),
        onset=onset,
        points=sum(span.points for span in failed.spans),
        value=failed.value,
        limit=failed.limit,
        message=failed.message,
        advice=failed.advice,
        headline=failed.headline,
        fingerprint=fingerprint(rule.id, run.lane, failed.labels, [s.name for s in failed.series]),
        healed=failed.healed,
        episodes=_episodes(failed),
        episode_count=len(failed.spans),
        cost=None if failed.is_event else cost(context, axis.kind, int(axis.steps[first.start])),
        excess=round(failed.excess, 4),
        layer_order=_layer_order(failed.series[0]),
        params=dict(params),
        evidence=evidence.of_failure(context, failed),
        measure=failed.measure,
    )


TOLD_BY_CURVE = "role told by the curve"
_GUESSES = frozenset({"role guessed", TOLD_BY_CURVE})


def _confidence(failed: Failed) -> tuple[Confidence, tuple[str, ...]]:
    """How sure a finding is, and why it is not surer: how its role was told, how long it held, how far it lies beyond its limit."""
    doubts = list(failed.confidence_reasons)
    if any(one.labels.get("certainty") == "curve" for one in failed.series):
        doubts.append(TOLD_BY_CURVE)
    finite = failed.value is None or not np.isnan(failed.value)
    if finite and not failed.run_rule and failed.series[0].kind != "fact":
        points = sum(span.points for span in failed.spans)
        if len(failed.axis) < SHORT_SERIES:
            doubts.append(f"a series of {len(failed.axis)} points")
        elif points < FEW_POINTS and not failed.is_event:
            doubts.append("at a single point" if points == 1 else f"at {points} points")
        if failed.margin is not None and failed.margin < NEAR and "borderline" not in doubts:
            doubts.append(f"{failed.margin:.2g} times its limit")
    if not _GUESSES.isdisjoint(doubts) or len(doubts) >= MANY_DOUBTS:
        return Confidence.LOW, tuple(doubts)
    return (Confidence.MEDIUM if doubts else Confidence.HIGH), tuple(doubts)


def _layer_order(series: Series) -> int | None:
    order = series.labels.get("order", "")
    return int(order) if order.isdigit() and "layer" in series.labels else None


def _episodes(failed: Failed) -> tuple[Episode, ...]:
    steps = failed.axis.steps
    return tuple(
        Episode(
            first_step=int(steps[span.start]),
            last_step=int(steps[span.stop]),
            points=span.points,
            worst_step=int(steps[row]),
            worst=value,
        )
        for span, (row, value) in list(zip(failed.spans, failed.worst_by_span, strict=True))[:MAX_EPISODES]
    )


def cost(context: RunContext, axis: str, onset: int) -> Cost:
    """Steps, share and hours of the run from a step to its end. Pauses between restarts cost nothing: nobody trained then."""
    first, last = context.range(axis)
    span = last - first
    return Cost(
        steps=max(0, last - onset),
        share=round(min(1.0, max(0.0, (last - onset) / span)), 4) if span > 0 else 1.0,
        hours=hours(context, axis, onset),
    )


def hours(context: RunContext, axis: str, onset: int | None = None) -> float | None:
    """Wall time in hours from a step to the end of the run, by the clock of that axis; None where it is not known."""
    passed = context.seconds_after(axis)
    if passed is None:
        return None
    steps, left = passed
    row = 0 if onset is None else int(np.searchsorted(steps, onset, side="right"))
    return round(float(left[row]) / 3600.0, 6)
