"""One run as rules see it: columns on shared axes, ranges, and the words for what is missing."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.lang import memory
from mlcheck.lang.bounds import Range, Unknown, range_of
from mlcheck.lang.kept import Kept, remembered
from mlcheck.lang.values import Axis, Column
from mlcheck.records import replace
from mlcheck.store.comparison import COMPARISON_ROLES
from mlcheck.store.series import Run, Series

UNJUDGED_ROLES = frozenset({"placeholder", "hparams", "meta", "final_summary"})
"""Series that are no history of the training: they do not stretch the range of the run."""

SHORT = 4096
"""Points up to which axes with the same steps are looked for, so that their series are judged together."""

SCALAR_STATISTICS = frozenset({"value", "nan", "inf", "nonfinite", "count", "l2"})
"""What a scalar series answers (language.md, keys of a rule file); `l2` is its magnitude, as that of a tensor of one value."""

SCALAR_FUNCTIONS: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "due": lambda series, every, start=-np.inf: memory.due(series.steps, every, start),
    "new_optimum": lambda series, delta: memory.new_optimum(series.columns["value"], delta),
    "changed": lambda series, rtol, atol, equal_nan=0.0: memory.changed(
        series.columns["value"], rtol, atol, equal_nan > 0
    ),
}
"""Statistics with arguments that a scalar series answers, see `lang.memory`."""

HISTOGRAM_FUNCTIONS: Mapping[str, Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]] = {
    "changed": memory.changed_histograms
}
"""Those that a series of histograms answers from what each of them says; their arguments are for single values."""

TENSOR_STATISTICS = frozenset(
    {
        *(
            "count",
            "nan",
            "inf",
            "nonfinite",
            "zeros",
            "min",
            "max",
            "mean",
            "std",
            "abs_mean",
            "abs_max",
            "l2",
            "hash",
        ),
        *("quantile", "share_equal", "changed", "equal_rows", "fan_in", "channels", "units_outside", "update_l2"),
        *(
            "update_ratio",
            "channel_mean_max",
            "channel_std_max",
            "channel_std_min",
            "channel_shift_max",
            "channel_zero",
        ),
        *("channel_constant", "whole", "distinct", "samples"),
    }
)
"""What a tensor series can answer (design.md §3, language.md)."""

_ROLE_WORDS = {
    "loss": "loss",
    "lr": "learning rate",
    "grad_norm": "gradient norm",
    "metric": "metric",
    "error_metric": "metric",
    "gradient": "gradients",
    "weight": "weights",
    "activation": "activations",
    "input": "inputs",
    "token_ids": "token ids",
    "class_count": "labels",
    "confusion": "labels with predictions",
    "tree": "trees",
    "feature_importance": "importance of features",
    "loss_scale": "loss scale",
    "episode_reward": "episode reward",
    "gpu_util": "GPU utilization",
    "gpu_memory": "GPU memory",
    "step_time": "step time",
    "hparam": "hyperparameters",
    "clock": "wall times",
    "source": "sources",
    "restart": "restarts",
    **COMPARISON_ROLES,
}
_SPLIT_WORDS = {"train": "training", "val": "validation", "test": "test"}


def what(role: str | Sequence[str] | None, split: str | None) -> str:
    """The words for a series that nobody logged: `validation loss`, `gradients`."""
    if role is None:
        return "series"
    first = role if isinstance(role, str) else role[0]
    word = _ROLE_WORDS.get(first, first.replace("_", " "))
    return f"{_SPLIT_WORDS[split]} {word}" if split in _SPLIT_WORDS else word


class RunContext:
    """A run, with its columns made once and shared by all rules, so that equal axes are the same object."""

    def __init__(self, run: Run, baseline: Sequence[Run] = ()) -> None:
        """`baseline`: runs that rules may hold this one against; their series join with the label `repeat`."""
        self.run = run
        self.baseline = [_repeated(series, one.name) for one in baseline for series in one.series]
        self.logged = [s for s in run.series if s.kind != "fact"]
        self._kept = Kept()
        self._places: dict[tuple[str, bytes], int] = {}
        self._axes: dict[tuple[str, str], Axis] = {}
        self._columns: dict[tuple[str, str, str], Column] = {}
        self._value_ranges: dict[tuple[str, str], Range] = {}
        self._clocks: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]] | None] = {}
        self._ranges = self._find_ranges()
        self._steps_per_epoch = self._find_steps_per_epoch()

    def range(self, axis: str) -> tuple[int, int]:
        """First and last step of the run on this kind of axis; (0, 0) where it has none."""
        return self._ranges.get(axis, (0, 0))

    @property
    def has_tensors(self) -> bool:
        """Whether the run dumps any tensor, as itself or as a histogram, or anything that is derived from tensors."""
        return any(s.kind == "tensor" or (s.kind == "fact" and s.hints.collection) for s in self.run.series)

    @property
    def main_axis(self) -> str:
        """The kind of axis that most points of the run stand on."""
        points: dict[str, int] = {}
        for series in self.logged:
            if series.role not in UNJUDGED_ROLES:
                points[series.axis] = points.get(series.axis, 0) + len(series)
        return max(points, key=lambda kind: (points[kind], kind == "step"), default="step")

    def _find_ranges(self) -> dict[str, tuple[int, int]]:
        ranges: dict[str, tuple[int, int]] = {}
        for series in self.run.series:
            derived_by_store = series.kind == "fact" and not series.hints.collection
            if len(series) == 0 or series.role in UNJUDGED_ROLES or derived_by_store:
                continue
            first, last = int(series.steps.min()), int(series.steps.max())
            known = ranges.get(series.axis, (first, last))
            ranges[series.axis] = (min(known[0], first), max(known[1], last))
        return ranges

    def _find_steps_per_epoch(self) -> float | None:
        """Median of Δstep / Δepoch of a logged epoch counter (Lightning's `epoch`, HF's `train/epoch`)."""
        for series in self.logged:
            if series.role != "progress" or series.labels.get("metric") != "epoch" or series.axis != "step":
                continue
            live = series.live
            values = live.columns.get("value")
            if values is None or len(values) < 2:
                continue
            epochs, steps = np.diff(values), np.diff(live.steps).astype(np.float64)
            good = np.isfinite(epochs) & (epochs > 0) & (steps > 0)
            span = float(values[-1] - values[0])
            if good.any() and np.isfinite(span) and span > 0:
                return float(live.steps[-1] - live.steps[0]) / span
        return None

    def seconds_after(self, axis: str) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Steps of the run's clock on an axis, ascending, int64 (n,), and the seconds that passed at rows from each on, float64
        (n + 1,); None where the wall time is not known. Pauses between restarts count nothing.
        """
        if axis not in self._clocks:
            clock = next((s for s in self.run.series if s.role == "clock" and s.axis == axis), None)
            self._clocks[axis] = None if clock is None or len(clock) < 2 else _seconds_after(clock)
        return self._clocks[axis]

    def axis(self, series: Series, rows: str = "live") -> Axis:
        """The axis of a series; the same object every time."""
        key = (series.name, rows)
        if key not in self._axes:
            source = series.live if rows == "live" else series
            first, last = self.range(series.axis)
            per_epoch = 1.0 if series.axis == "epoch" else self._steps_per_epoch if series.axis == "step" else None
            made = Axis(
                source.steps,
                source.wall_times,
                series.axis,
                float(first),
                float(last),
                per_epoch,
                kept=self._kept,
                place=self._place(series.axis, source.steps),
            )
            # Two threads may both have made one: the first stands for all.
            self._axes.setdefault(key, made)
        return self._axes[key]

    def done(self) -> None:
        """Nothing more is asked of the run: its memory is free once the caller lets go of it, not when Python next looks for garbage."""
        self._kept.forget()
        for column in self._columns.values():
            column.memo.clear()

    def _place(self, axis: str, steps: NDArray[np.int64]) -> int | None:
        if not 0 < len(steps) <= SHORT or not (steps[1:] > steps[:-1]).all():
            return None
        return self._places.setdefault((axis, steps.tobytes()), len(self._places))

    def has(self, series: Series, key: str) -> bool:
        """Whether the series can answer a statistic."""
        if series.kind == "scalar":
            return key in SCALAR_STATISTICS or key.partition("(")[0] in SCALAR_FUNCTIONS
        if key in series.columns or (key == "nonfinite" and "nan" in series.columns):
            return True
        told = key.partition("(")[0] in HISTOGRAM_FUNCTIONS
        return told and series.approximate and series.columns.keys() >= memory.OF_HISTOGRAMS

    def column(self, series: Series, key: str = "value", rows: str = "live") -> Column:
        """A statistic of a series as a column on its axis; KeyError when the series cannot answer it."""
        cache_key = (series.name, key, rows)
        known = self._columns.get(cache_key)
        if known is not None and (key == "value" or series.kind != "scalar"):
            return known

        def made() -> Column:
            source = series.live if rows == "live" else series
            return Column(_values(source, key), self.axis(series, rows), series.labels.get("better"))

        derived = key != "value" and series.kind == "scalar"
        return remembered(
            self._columns, cache_key, self._kept, made, lambda found: found.values.nbytes if derived else 0
        )

    def bounds(self, series: Series, key: str, rows: str) -> Range:
        """What a statistic of a series can be, from the least and greatest of its values and their NaN; Unknown where they do not tell."""
        if series.kind != "scalar":
            return range_of(self.column(series, key, rows).values)
        low, high, nan, _ = self._range_of_values(series, rows)
        empty, infinite = not len(self.axis(series, rows)), math.isinf(low) or math.isinf(high)
        if empty or key == "value":
            return Range(low, high, nan, True)
        if key == "count":
            return Range(1.0, 1.0, False, True)
        some = {"nan": nan, "inf": infinite and low <= high, "nonfinite": nan or infinite}.get(key)
        if some is None:
            raise Unknown
        return Range(0.0, float(some), False, True)

    def _range_of_values(self, series: Series, rows: str) -> Range:
        key = (series.name, rows)
        if key not in self._value_ranges:
            source = series.live if rows == "live" else series
            self._value_ranges.setdefault(key, range_of(source.columns["value"]))
        return self._value_ranges[key]


def _repeated(series: Series, run: str) -> Series:
    return replace(series, name=f"{run}: {series.name}", labels={**series.labels, "repeat": run})


def _seconds_after(clock: Series) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    passed = np.diff(clock.columns["value"])
    passed = np.where(np.isfinite(passed) & (passed > 0), passed, 0.0)
    order = np.argsort(clock.steps[1:], kind="stable")
    left = np.concatenate([np.cumsum(passed[order][::-1])[::-1], [0.0]])
    return clock.steps[1:][order], left


def _values(series: Series, key: str) -> NDArray[np.float64]:
    if series.kind == "scalar" and key != "value":
        values = series.columns["value"]
        match key:
            case "nan":
                return np.isnan(values).astype(np.float64)
            case "inf":
                return np.isinf(values).astype(np.float64)
            case "nonfinite":
                return (~np.isfinite(values)).astype(np.float64)
            case "count":
                return np.ones(len(values))
            case "l2":
                return np.abs(values)
        name, _, arguments = key.removesuffix(")").partition("(")
        return SCALAR_FUNCTIONS[name](series, *map(float, arguments.split(",")))
    if key == "nonfinite" and key not in series.columns:
        inf = series.columns.get("inf")
        return series.columns["nan"] if inf is None else series.columns["nan"] + inf
    if key in series.columns:
        return series.columns[key]
    return HISTOGRAM_FUNCTIONS[key.partition("(")[0]](series.columns)
