"""What a report says of a run beside its findings: best value, coverage, overview."""

from collections.abc import Sequence

import numpy as np

from mlcheck.digests import sha256
from mlcheck.engine import overview
from mlcheck.engine.context import UNJUDGED_ROLES, RunContext
from mlcheck.engine.findings import hours
from mlcheck.engine.select import Selected
from mlcheck.report import (
    COMPARISON_CATEGORIES,
    NOT_APPLICABLE,
    Best,
    Coverage,
    Gap,
    Outcome,
    Panel,
    RunInfo,
    SeriesInfo,
)
from mlcheck.store.logging_hints import hint, writer
from mlcheck.store.series import Floats, Run, Series

_FORMAT_NAMES = {
    "tensorboard": "TensorBoard",
    "mlflow": "MLflow",
    "csv": "CSV",
    "tsv": "TSV",
    "jsonl": "JSON lines",
    "json": "JSON",
    "trainer_state": "trainer_state.json",
    "console": "log",
    "hdf5": "HDF5",
    "parquet": "Parquet",
    "smdebug": "SageMaker Debugger",
    "tree-model": "tree model",
}
_NO_HISTORY = frozenset({"settings"})
"""Formats of files that say something of a run and hold none of its history."""
CURVE_CATEGORIES = frozenset({"loss", "generalisation", "reinforcement"}) | COMPARISON_CATEGORIES
"""Categories of rules that judge how the training went, or what it led to."""
MIN_CURVE_POINTS = 5


def best(context: RunContext) -> Best | None:
    """The best value of what the run is judged by, and where.

    In this order: primary validation loss, a validation metric, episode reward (RL), primary training loss. None where nothing of
    that is there, or no value is finite.
    """
    for series in _judged_by(context.run):
        column = context.column(series)
        values = np.asarray(column.values, dtype=np.float64)
        finite = np.isfinite(values)
        if not finite.any():
            continue
        higher = series.labels.get("better") == "higher"
        row = int(
            np.argmax(np.where(finite, values, -np.inf)) if higher else np.argmin(np.where(finite, values, np.inf))
        )
        return Best(
            series=series.name,
            role=series.role,
            split=series.labels.get("split", ""),
            step=int(column.axis.steps[row]),
            value=float(values[row]),
            axis=series.axis,
            metric=series.labels.get("metric", ""),
        )
    return None


def _judged_by(run: Run) -> list[Series]:
    def losses(split: str) -> list[Series]:
        found = [s for s in run.series if s.role == "loss" and s.labels.get("split") == split and s.kind == "scalar"]
        return sorted((s for s in found if s.labels.get("primary") == "true"), key=lambda s: -len(s))

    metrics = [
        s
        for s in run.series
        if s.role in ("metric", "error_metric")
        and s.labels.get("split") in ("val", "test")
        and s.labels.get("better") in ("lower", "higher")
    ]
    rewards = [s for s in run.series if s.role == "episode_reward"]
    if run.regime.name in ("rl", "rlhf"):
        return rewards[:1]
    if run.regime.name == "gan":
        return metrics
    return [*losses("val"), *metrics, *losses("train")]


def coverage(context: RunContext, outcomes: Sequence[Outcome], selected: Sequence[Selected]) -> Coverage:
    """Of the rules that apply to the run, how many were judged, and what was not logged that silences the others."""
    run = context.run
    mine = [o for o in outcomes if o.run == run.name]
    applicable = {o.rule for o in mine} - {o.rule for o in mine if o.kind in NOT_APPLICABLE}
    checked = {o.rule for o in mine if o.outcome in ("passed", "failed")} & applicable
    silent: dict[str, set[str]] = {}
    for o in mine:
        if o.rule in applicable - checked:
            for word in o.missing or ((o.reason or "").split(":")[0],):
                silent.setdefault(word, set()).add(o.rule)
    name = writer(run.series, run.raw_facts, [source.format for source in run.sources])
    # A line for a TensorBoard writer helps nobody who writes dumps by hand.
    dumps_only = {source.format for source in run.sources} <= {"hdf5", "parquet", "smdebug", "tree-model"}
    missing = {word for o in mine for word in o.missing}
    gaps = tuple(
        Gap(word, tuple(sorted(rules)), hint(word, name) if word in missing and not dumps_only else "")
        for word, rules in sorted(silent.items(), key=lambda item: (-len(item[1]), item[0]))
    )
    undumped = tuple(sorted({o.rule for o in mine if o.kind == "undumped"}))
    if undumped:
        gaps = (*gaps, Gap("tensors", undumped, ""))
    curves = {one.rule.id for one in selected if one.rule.category in CURVE_CATEGORIES}
    return Coverage(len(applicable), len(checked), gaps, bool(checked & curves))


def run_info(context: RunContext, outcomes: Sequence[Outcome], selected: Sequence[Selected]) -> RunInfo:
    """One run's line in the report."""
    run = context.run
    axis = context.main_axis
    ranged = [s for s in context.logged if s.role not in UNJUDGED_ROLES and len(s)]
    first, last = context.range(axis) if ranged else (None, None)
    formats = dict.fromkeys(
        _FORMAT_NAMES.get(s.format, s.format)
        for s in run.sources
        if s.status in ("read", "partial") and s.format not in _NO_HISTORY
    )
    return RunInfo(
        name=run.name,
        path=run.path,
        lane=run.lane,
        series=len(context.logged),
        points=sum(len(s) for s in context.logged),
        first_step=first,
        last_step=last,
        axis=axis,
        hours=hours(context, axis),
        formats=tuple(formats),
        regime=run.regime.name,
        regime_reason=run.regime.reason,
        facts=dict(run.facts),
        best=best(context),
        coverage=coverage(context, outcomes, selected),
        curve=curve(context),
    )


def series_infos(context: RunContext) -> list[SeriesInfo]:
    """Every logged series of a run, as `inspect` shows it."""
    return [
        SeriesInfo(
            run=context.run.name,
            name=s.name,
            role=s.role,
            labels=dict(s.labels),
            reason=s.reason,
            points=len(s),
            first_step=int(s.steps.min()) if len(s) else 0,
            last_step=int(s.steps.max()) if len(s) else 0,
            segments=len(s.segments),
            not_finite=_not_finite(s),
            kind=s.kind,
            shape=s.hints.shape,
            dtype=s.hints.dtype,
        )
        for s in context.logged
    ]


def _not_finite(series: Series) -> int:
    if series.kind == "scalar":
        return int((~np.isfinite(series.columns["value"])).sum())
    nonfinite = series.columns.get("nonfinite")
    return 0 if nonfinite is None else int((nonfinite > 0).sum())


def _has_three(values: Floats) -> bool:
    """Whether there are three different values or more; NaN is one."""
    left = values[~np.isnan(values)]
    kinds = int(len(left) < len(values))
    while len(left) and kinds < 3:
        left = left[left != left[0]]
        kinds += 1
    return kinds > 2


def curve(context: RunContext) -> str | None:
    """sha256 over steps and values of the series that the run is judged by, 16 hexadecimal digits.

    The training loss where there is one: it changes with every setting. None for under five points, and for a constant, which
    says nothing of the run.
    """
    losses = [s for s in context.logged if s.role == "loss" and s.labels.get("split") == "train" and s.kind == "scalar"]
    for series in [*(s for s in losses if s.labels.get("primary") == "true"), *losses, *_judged_by(context.run)]:
        values = series.columns["value"]
        if len(values) >= MIN_CURVE_POINTS and _has_three(values):
            return sha256(series.steps.tobytes() + values.tobytes())[:16]
    return None


def panels(context: RunContext) -> list[Panel]:
    """Overview charts of a run: what it is judged by first."""
    return overview.panels(context, _judged_by(context.run))
