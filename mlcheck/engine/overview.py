"""The overview of a run: what it is judged by, loss, learning rate and gradient norm over steps, and layers over steps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine import evidence
from mlcheck.engine.context import RunContext
from mlcheck.report import Evidence, Panel
from mlcheck.store.series import Series

MAX_LINES = 8
"""Line panels of a run."""
MAX_ROWS = 64
"""Layers of a heatmap."""
MAX_COLUMNS = 200
"""Steps of a heatmap; also of all heatmaps of a run together."""
MAX_LINE_POINTS = 60_000
"""Points of all line panels of a report: many runs have coarser ones."""
LEAST_LINE_POINTS = 20
MAX_CELLS = 4 * MAX_ROWS * MAX_COLUMNS
"""Cells of all heatmaps of a report; those of later runs are left out."""

_BESIDE = (("lr", 2), ("grad_norm", 2))
"""Roles that every overview shows where they are logged, and how many series of each."""
_HEATMAPS = (("gradient", "abs_mean"), ("weight", "abs_mean"), ("activation", "abs_mean"))
_LEAST_LAYERS = 2
_NAMES = {"gradient": "gradients", "weight": "weights", "activation": "activations"}


def panels(context: RunContext, judged_by: Sequence[Series]) -> list[Panel]:
    """Line panels, then heatmaps: kind `heatmap`, one panel for each row, rows of one title belong together."""
    scalars = [s for s in context.logged if s.kind == "scalar" and len(s)]
    train = [s for s in scalars if s.role == "loss" and s.labels.get("primary") == "true"]
    shown = {s.name: s for s in (*judged_by[:4], *train[:2])}
    for role, most in _BESIDE:
        shown |= {s.name: s for s in [s for s in scalars if s.role == role][:most]}
    run = context.run.name
    lines = [
        Panel(run, s.name, "line", evidence.of_series(context, s, "value", "live", None))
        for s in list(shown.values())[:MAX_LINES]
    ]
    return lines + _heatmaps(context)


def _heatmaps(context: RunContext) -> list[Panel]:
    found = []
    for role, key in _HEATMAPS:
        rows = [s for s in context.logged if s.role == role and s.kind == "tensor" and len(s) and context.has(s, key)]
        # Steps of different kinds do not share a column.
        rows = [s for s in rows if s.axis == rows[0].axis]
        if len(rows) >= _LEAST_LAYERS:
            found.append((role, key, rows))
    return [
        panel for role, key, rows in found for panel in _heatmap(context, role, key, rows, MAX_COLUMNS // len(found))
    ]


def _heatmap(context: RunContext, role: str, key: str, rows: Sequence[Series], columns: int) -> list[Panel]:
    """At most `MAX_ROWS` of the layers, evenly spread in their order, over at most `columns` steps."""
    rows = sorted(rows, key=lambda s: int(order) if (order := s.labels.get("order", "")).isdigit() else 0)
    shown = rows if len(rows) <= MAX_ROWS else [rows[i] for i in np.linspace(0, len(rows) - 1, MAX_ROWS).astype(int)]
    steps = np.unique(np.concatenate([s.steps for s in shown]))
    edges = steps[np.unique(np.linspace(0, len(steps) - 1, min(columns, len(steps))).astype(int))]
    more = f", {len(shown)} of {len(rows)} layers" if len(shown) < len(rows) else ""
    title = f"{key} of {_NAMES[role]}{more}"
    return [Panel(context.run.name, title, "heatmap", _row(context, s, key, edges)) for s in shown]


def _row(context: RunContext, series: Series, key: str, edges: NDArray[np.int64]) -> Evidence:
    """One layer: of the steps from each edge to the next the first value that is not finite, else the first."""
    column = context.column(series, key)
    steps, values = column.axis.steps, np.asarray(column.values, dtype=np.float64)
    bucket = np.searchsorted(edges, steps, side="right") - 1
    # Stable: within a bucket what is not finite comes first, then record order.
    order = np.lexsort((np.arange(len(steps)), np.isfinite(values), bucket))
    bucket = bucket[order]
    first = order[np.concatenate([[True], bucket[1:] != bucket[:-1]])] if len(order) else order
    places = np.searchsorted(edges, steps[first], side="right") - 1
    return Evidence(
        series=series.name,
        role=series.role,
        statistic=key,
        axis=series.axis,
        steps=tuple(edges[places].tolist()),
        values=tuple(values[first].tolist()),
    )


def within_budget(panels: Sequence[Panel]) -> tuple[Panel, ...]:
    """The panels of all runs of a report: lines down-sampled to an equal share, whole heatmaps while there is room for them."""
    lines = sum(p.kind == "line" for p in panels)
    points = max(LEAST_LINE_POINTS, min(evidence.MAX_POINTS, MAX_LINE_POINTS // lines)) if lines else 0
    cells: dict[tuple[str, str], int] = {}
    for p in panels:
        if p.kind == "heatmap":
            cells[p.run, p.title] = cells.get((p.run, p.title), 0) + len(p.evidence.steps)
    kept, used = set(), 0
    for key, count in cells.items():
        if used + count <= MAX_CELLS:
            kept.add(key)
            used += count
    shown = []
    for p in panels:
        if p.kind == "line":
            shown.append(replace(p, evidence=evidence.shorten(p.evidence, points)))
        elif (p.run, p.title) in kept:
            shown.append(p)
    return tuple(shown)
