"""What a finding shows: the inputs around its worst point, down-sampled so that no extreme is lost."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

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
FEW_ROWS = 4096
"""Rows up to which all buckets are looked at in one step."""
AT_ONCE = 64
"""Columns that are down-sampled in one step."""


def down_sample(values: NDArray[np.float64], points: int) -> NDArray[np.int64]:
    """Rows to show of float64 values, shape (n,): first, last, and of each bucket its least, greatest and first non-finite.

    Returns int64 rows, ascending, at most `points` of them (min-max down-sampling: no spike is lost).
    """
    rows = len(values)
    if rows <= points:
        return np.arange(rows, dtype=np.int64)
    all_finite = bool(np.isfinite(values).all())
    buckets = max(1, (points - 2) // (2 if all_finite else 3))
    edges = _edges(rows, buckets)
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


def _edges(rows: int, buckets: int) -> NDArray[np.int64]:
    return np.linspace(0, rows, buckets + 1).astype(np.int64)


@lru_cache(maxsize=64)
def _table(rows: int, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First rows of the buckets, and for each the rows in it; a shorter one repeats its last row, which changes no first place."""
    edges = _edges(rows, buckets)
    width = int(np.diff(edges).max())
    return edges[:-1], np.minimum(edges[:-1, None] + np.arange(width), edges[1:, None] - 1)


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
    ranked = tuple(findings)
    allowed = [MAX_POINTS if place < MAX_FULL_FINDINGS else SMALL_POINTS for place in range(len(ranked))]
    smaller = _shortened(
        [(one, points) for finding, points in zip(ranked, allowed, strict=True) for one in finding.evidence]
    )
    kept, used = [], 0
    for finding, points in zip(ranked, allowed, strict=True):
        shown: list[Evidence] = []
        for one in finding.evidence:
            fitting = smaller.get((id(one), points), one)
            if used + len(fitting.steps) > MAX_REPORT_POINTS:
                break
            used += len(fitting.steps)
            shown.append(fitting)
        kept.append(
            finding
            if len(shown) == len(finding.evidence) and all(a is b for a, b in zip(shown, finding.evidence, strict=True))
            else replace(finding, evidence=tuple(shown))
        )
    return tuple(kept)


def shorten(evidence: Evidence, points: int) -> Evidence:
    """The same with at most `points` points, down-sampled; itself where it has no more."""
    return _shortened([(evidence, points)]).get((id(evidence), points), evidence)


def _shortened(wanted: Sequence[tuple[Evidence, int]]) -> dict[tuple[int, int], Evidence]:
    """By the ids of those that have more points than they may, and these: the same with fewer. Those of one length are taken at once."""
    alike: dict[tuple[int, int], list[Evidence]] = {}
    for one, points in wanted:
        if len(one.steps) > points:
            alike.setdefault((len(one.steps), points), []).append(one)
    return {
        (id(one), points): _at(one, rows)
        for (_, points), group in alike.items()
        for one, rows in zip(group, _rows_of_each([one.values for one in group], points), strict=True)
    }


def _rows_of_each(values: Sequence[Sequence[float]], points: int) -> Iterator[list[int]]:
    """`down_sample` of columns of one length."""
    for start in range(0, len(values), AT_ONCE):
        table = np.array(values[start : start + AT_ONCE])
        if table.shape[1] > FEW_ROWS:
            yield from (down_sample(row, points).tolist() for row in table)
            continue
        complete = np.isfinite(table).all(axis=1)
        found: list[list[int]] = [[]] * len(table)
        for which in (complete, ~complete):
            if which.any():
                for place, rows in zip(np.flatnonzero(which), _extremes(table[which], points), strict=True):
                    found[place] = sorted({0, table.shape[1] - 1, *rows})[:points]
        yield from found


def _extremes(table: NDArray[np.float64], points: int) -> list[list[int]]:
    """Of columns, shape (m, n), that are all finite or none of them: what `down_sample` keeps of their buckets; what is not there is 0."""
    all_finite = bool(np.isfinite(table[0]).all())
    starts, inside = _table(table.shape[1], max(1, (points - 2) // (2 if all_finite else 3)))
    parts = table[:, inside]
    if all_finite:
        found = [starts + parts.argmin(axis=2), starts + parts.argmax(axis=2)]
    else:
        finite = np.isfinite(parts)
        some, gaps = finite.any(axis=2), ~finite.all(axis=2)
        lows, highs = np.where(finite, parts, np.inf), np.where(finite, parts, -np.inf)
        found = [
            np.where(gaps, starts + finite.argmin(axis=2), 0),
            np.where(some, starts + lows.argmin(axis=2), 0),
            np.where(some, starts + highs.argmax(axis=2), 0),
        ]
    rows: list[list[int]] = np.concatenate(found, axis=1).tolist()
    return rows


def _at(evidence: Evidence, rows: Sequence[int]) -> Evidence:
    chosen = itemgetter(*rows)
    # Not `replace`: a report of hundreds of findings has thousands of these.
    return Evidence(
        series=evidence.series,
        role=evidence.role,
        statistic=evidence.statistic,
        axis=evidence.axis,
        steps=chosen(evidence.steps),
        values=chosen(evidence.values),
    )
