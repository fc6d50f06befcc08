"""What a finding shows: the inputs around its worst point, down-sampled so that no extreme is lost."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine.context import RunContext
from mlcheck.engine.verdict import Failed
from mlcheck.records import replace
from mlcheck.report import Evidence, Finding
from mlcheck.store.series import Series

MAX_POINTS = 200
"""Points of one input of one finding (design.md §5)."""
MAX_FULL_FINDINGS = 50
SMALL_POINTS = 40
"""Points for findings after the first 50 (language.md fix 27)."""
MAX_REPORT_POINTS = 60_000


def down_sample(values: NDArray[np.float64], points: int) -> NDArray[np.int64]:
    """Rows to show of float64 values, shape (n,): first, last, and of each bucket its least, greatest and first non-finite.

    Returns int64 rows, ascending, at most `points` of them (min-max down-sampling: no spike is lost).
    """
    rows = len(values)
    if rows <= points:
        return np.arange(rows, dtype=np.int64)
    all_finite = bool(np.isfinite(values).all())
    buckets = max(1, (points - 2) // (2 if all_finite else 3))
    edges = np.linspace(0, rows, buckets + 1).astype(np.int64)
    keep = {0, rows - 1}
    for start, stop in pairwise(edges):
        part = values[start:stop]
        if all_finite:
            keep |= {int(start + part.argmin()), int(start + part.argmax())}
            continue
        finite = np.isfinite(part)
        if not finite.all():
            keep.add(int(start + np.argmin(finite)))
        if finite.any():
            keep.add(int(start + np.argmin(np.where(finite, part, np.inf))))
            keep.add(int(start + np.argmax(np.where(finite, part, -np.inf))))
    return np.array(sorted(keep), dtype=np.int64)[:points]


def of_series(context: RunContext, series: Series, key: str, rows: str, around: tuple[int, int] | None) -> Evidence:
    """One series as evidence, all of it or the part between two steps."""
    column = context.column(series, key, rows)
    steps, values = column.axis.steps, np.asarray(column.values, dtype=np.float64)
    if around is not None:
        inside = (steps >= around[0]) & (steps <= around[1])
        if inside.any():
            steps, values = steps[inside], values[inside]
    shown = down_sample(values, MAX_POINTS)
    return Evidence(
        series=series.name,
        role=series.role,
        statistic=key,
        axis=series.axis,
        steps=tuple(steps[shown].tolist()),
        values=tuple(values[shown].tolist()),
    )


def of_failure(context: RunContext, failed: Failed) -> tuple[Evidence, ...]:
    """The inputs of a failed combination, around its episodes: all of the run when they are a tenth of it or more."""
    around = _window(failed)
    return tuple(
        of_series(context, series, key, rows, around if series.axis == failed.axis.kind else None)
        for series, key, rows in failed.evidence
    )


def _window(failed: Failed) -> tuple[int, int] | None:
    rows = len(failed.axis)
    first, last = failed.spans[0].start, failed.spans[-1].stop
    length = last - first + 1
    if failed.run_rule or rows <= MAX_POINTS or length * 10 >= rows:
        return None
    reach = max(MAX_POINTS // 2, 4 * length)
    steps = failed.axis.steps
    return int(steps[max(0, first - reach)]), int(steps[min(rows - 1, last + reach)])


def trim(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Keep the evidence of ranked findings within the budget of the whole report."""
    kept, used = [], 0
    for place, finding in enumerate(findings):
        points = MAX_POINTS if place < MAX_FULL_FINDINGS else SMALL_POINTS
        shown: list[Evidence] = []
        for one in finding.evidence:
            smaller = shorten(one, points)
            if used + len(smaller.steps) > MAX_REPORT_POINTS:
                break
            used += len(smaller.steps)
            shown.append(smaller)
        kept.append(
            finding
            if len(shown) == len(finding.evidence) and all(a is b for a, b in zip(shown, finding.evidence, strict=True))
            else replace(finding, evidence=tuple(shown))
        )
    return tuple(kept)


def shorten(evidence: Evidence, points: int) -> Evidence:
    """The same with at most `points` points, down-sampled; itself where it has no more."""
    if len(evidence.steps) <= points:
        return evidence
    rows: Sequence[int] = down_sample(np.array(evidence.values), points).tolist()
    return replace(
        evidence,
        steps=tuple(evidence.steps[row] for row in rows),
        values=tuple(evidence.values[row] for row in rows),
    )
