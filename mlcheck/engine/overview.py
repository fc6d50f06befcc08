"""The overview of a run: what it is judged by, loss, learning rate and gradient norm over steps; layers over steps; and how the
values of single tensors are spread over steps.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine import evidence
from mlcheck.engine.context import RunContext
from mlcheck.records import replace
from mlcheck.report import Evidence, Panel
from mlcheck.store.quantiles import QUANTILES
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
"""Cells of all heatmaps of a report and, in what room they leave, points of its distributions; those of later runs are left out."""
MAX_TENSORS = 24
"""Tensors of a run whose distribution is shown."""
MAX_SAVES = 40
"""Steps of a distribution."""

_BESIDE = (("lr", 2), ("grad_norm", 2))
"""Roles that every overview shows where they are logged, and how many series of each."""
_HEATMAPS = (("gradient", "abs_mean"), ("weight", "abs_mean"), ("activation", "abs_mean"))
_LEAST_LAYERS = 2
_SPREADS = (("min", *QUANTILES, "max"), ("min", "mean", "std", "max"))
"""What is shown of a distribution: the first of these of which the tensor has all."""
_NAMES = {"gradient": "gradients", "weight": "weights", "activation": "activations"}


def panels(context: RunContext, judged_by: Sequence[Series]) -> list[Panel]:
    """Line panels, then heatmaps and distributions: one panel for each row, rows of one kind and title belong together."""
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
    return lines + _heatmaps(context) + _distributions(context)


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


def _in_order(rows: Sequence[Series]) -> list[Series]:
    """By the order of the layers, where it is known."""
    return sorted(rows, key=lambda s: int(order) if (order := s.labels.get("order", "")).isdigit() else 0)


def _evenly(rows: Sequence[Series], most: int) -> Sequence[Series]:
    """At most so many of them, evenly spread."""
    return rows if len(rows) <= most else [rows[i] for i in np.linspace(0, len(rows) - 1, most).astype(int)]


def _heatmap(context: RunContext, role: str, key: str, rows: Sequence[Series], columns: int) -> list[Panel]:
    """At most `MAX_ROWS` of the layers, evenly spread in their order, over at most `columns` steps."""
    shown = _evenly(_in_order(rows), MAX_ROWS)
    steps = np.unique(np.concatenate([s.steps for s in shown]))
    edges = steps[np.unique(np.linspace(0, len(steps) - 1, min(columns, len(steps))).astype(int))]
    more = f", {len(shown)} of {len(rows)} layers" if len(shown) < len(rows) else ""
    title = f"{key} of {_NAMES[role]}{more}"
    return [Panel(context.run.name, title, "heatmap", _row(context, s, key, edges)) for s in shown]


def _row(context: RunContext, series: Series, key: str, edges: NDArray[np.int64]) -> Evidence:
    """One layer: of the steps from each edge to the next the first value that is not finite, else the first."""
    column = context.column(series, key)
    steps, values = column.axis.steps, np.asarray(column.values, dtype=np.float64)
    rows = _first_of_each(steps, values, edges)
    places = np.searchsorted(edges, steps[rows], side="right") - 1
    return _evidence(series, key, edges[places], values[rows])


def _first_of_each(
    steps: NDArray[np.int64], values: NDArray[np.float64], edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows: of the steps from each edge to the next the first whose value is not finite, else the first."""
    bucket = np.searchsorted(edges, steps, side="right") - 1
    # Stable: within a bucket what is not finite comes first, then record order.
    order = np.lexsort((np.arange(len(steps)), np.isfinite(values), bucket))
    bucket = bucket[order]
    return order[np.concatenate([[True], bucket[1:] != bucket[:-1]])] if len(order) else order


def _evidence(series: Series, key: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> Evidence:
    return Evidence(series.name, series.role, key, series.axis, tuple(steps.tolist()), tuple(values.tolist()))


def _distributions(context: RunContext) -> list[Panel]:
    """Of each tensor that has them, its quantiles (histograms) or its moments over steps; weights first.

    Each role gets an equal share of the room, and of it the tensors that are evenly spread in their order.
    """
    by_role: dict[str, list[Series]] = {role: [] for role, _ in (_HEATMAPS[1], _HEATMAPS[0], _HEATMAPS[2])}
    for series in context.logged:
        if series.kind == "tensor" and len(series) > 1 and _spread(context, series):
            by_role.setdefault(series.role, []).append(series)
    there = [found for found in by_role.values() if found]
    shown = [series for found in there for series in _evenly(_in_order(found), max(1, MAX_TENSORS // len(there)))]
    return [panel for series in shown[:MAX_TENSORS] for panel in _distribution(context, series)]


def _spread(context: RunContext, series: Series) -> tuple[str, ...]:
    return next((keys for keys in _SPREADS if all(context.has(series, key) for key in keys)), ())


def _distribution(context: RunContext, series: Series) -> list[Panel]:
    """At most `MAX_SAVES` steps, at each of them all statistics of one save; one that is not finite is not passed over."""
    keys = _spread(context, series)
    columns = {key: context.column(series, key) for key in keys}
    steps = columns[keys[0]].axis.steps
    values = {key: np.asarray(column.values, dtype=np.float64) for key, column in columns.items()}
    saves = np.unique(steps)
    edges = saves[np.unique(np.linspace(0, len(saves) - 1, min(MAX_SAVES, len(saves))).astype(int))]
    rows = _first_of_each(steps, sum(values.values(), np.zeros(len(steps))), edges)
    return [
        Panel(context.run.name, series.name, "distribution", _evidence(series, key, steps[rows], one[rows]))
        for key, one in values.items()
    ]


def within_budget(panels: Sequence[Panel]) -> tuple[Panel, ...]:
    """The panels of all runs of a report: lines down-sampled to an equal share; whole heatmaps, then whole distributions, while there
    is room for them.
    """
    lines = sum(p.kind == "line" for p in panels)
    points = max(LEAST_LINE_POINTS, min(evidence.MAX_POINTS, MAX_LINE_POINTS // lines)) if lines else 0
    cells: dict[tuple[str, str, str], int] = {}
    for kind in ("heatmap", "distribution"):
        for p in panels:
            if p.kind == kind:
                key = (p.run, p.kind, p.title)
                cells[key] = cells.get(key, 0) + len(p.evidence.steps)
    kept, used = set(), 0
    for key, count in cells.items():
        if used + count <= MAX_CELLS:
            kept.add(key)
            used += count
    shown = []
    for p in panels:
        if p.kind == "line":
            shown.append(replace(p, evidence=evidence.shorten(p.evidence, points)))
        elif (p.run, p.kind, p.title) in kept:
            shown.append(p)
    return tuple(shown)
