"""Training runs against baseline runs: best and final values at equal steps, the noise and the spread that a difference must exceed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcheck.lang.whole import noise
from mlcheck.records import dataclass
from mlcheck.store.series import Run, Series
from mlcheck.updates.base import Measure

Floats = NDArray[np.float64]
Alignment = Literal["step", "epoch", "time"]

LAST_EVALUATIONS = 10
"""Points at the end of a curve whose noise counts (rules.md, CMP002)."""
FEWEST_FOR_SPREAD = 3
"""Runs of a side from which their spread is known (rules.md, CMP002)."""
FEWEST_TIMES = 20
"""Points with wall times from which the speed of a run is told."""
HEADLINE = ("best", "final", "seconds_to_level")
STATED_RATE = "learning_rate"
"""The fact of a run that states its learning rate."""
LOGGED_RATE = "highest"
"""What the name of a series of learning rates is led by, as a setting."""
_JUDGED = ("loss", "metric", "error_metric", "episode_reward")


@dataclass(frozen=True)
class RunSettings:
    """How runs are held against each other."""

    align: Alignment = "step"
    """What must be equal for values to be compared: steps, epochs, or hours of training."""
    confidence: float = 0.95
    """Of the prediction interval of repeated runs, two-sided."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One quantity of one run over what is aligned; finite values in order of their position."""

    at: Floats
    """float64 (n,), ascending: steps, epochs or seconds since the first record."""
    values: Floats
    seconds: Floats
    """float64 (n,): seconds since the first record of the run; NaN where unknown."""
    series: Series
    end: float
    """Where the last value lies, finite or not."""
    broken: bool = False
    """The last value is not finite."""

    @property
    def higher(self) -> bool:
        """Whether greater values are better."""
        return self.series.labels.get("better") == "higher"

    def until(self, limit: float) -> "Curve":
        """The part up to a position."""
        kept = self.at <= limit
        return Curve(self.at[kept], self.values[kept], self.seconds[kept], self.series, self.end, self.broken)

    @property
    def best(self) -> float:
        """The best value."""
        return float(self.values.max() if self.higher else self.values.min())

    @property
    def noise(self) -> float:
        """Noise of the last evaluations; 0 where they are too few to tell."""
        found = noise(self.values[-LAST_EVALUATIONS:])
        return 0.0 if np.isnan(found) else found

    def seconds_to(self, level: float) -> float:
        """Seconds until a value as good as `level` was first logged; NaN where none was, or nothing tells the time."""
        good = self.values >= level if self.higher else self.values <= level
        return float(self.seconds[np.argmax(good)]) if good.any() else float("nan")


def measure_runs(base: Sequence[Run], new: Sequence[Run], settings: RunSettings | None = None) -> list[Measure]:
    """What the new runs reached against the baseline runs; roles `run_change` and `run_speed`.

    Repeated runs (seeds) of a side count by their median. Quantities are paired by role, split and metric; the one that runs are judged by
    (primary validation loss, validation metric, reward, primary training loss) has `judged` 1.
    """
    settings = settings or RunSettings()
    ours, theirs = _quantities(new, settings.align), _quantities(base, settings.align)
    found = []
    shared = sorted((key for key in ours if key in theirs), key=_order)
    for place, key in enumerate(shared):
        one = _change(key, theirs[key], ours[key], settings, judged=place == 0)
        if one is not None:
            found.append(one)
    speed = _speed(base, new)
    return found if speed is None else [*found, speed]


Key = tuple[str, str, str, str]
"""Role, split, metric and axis."""


def _order(key: Key) -> tuple[int, Key]:
    role, split, _, _ = key
    places = [("loss", "val"), ("metric", "val"), ("error_metric", "val"), ("metric", "test"), ("error_metric", "test")]
    places += [("episode_reward", ""), ("loss", "train"), ("loss", ""), ("loss", "test")]
    return (places.index((role, split)) if (role, split) in places else len(places), key)


def _quantities(runs: Sequence[Run], align: Alignment) -> dict[Key, list[Curve]]:
    found: dict[Key, list[Curve]] = {}
    for run in runs:
        mine: dict[Key, Curve] = {}
        for series in run.series:
            if not _is_judged(series):
                continue
            labels = series.labels
            name = "loss" if labels.get("primary") == "true" else labels.get("metric") or series.role
            key = (series.role, labels.get("split", ""), name, series.axis if align == "step" else align)
            curve = curve_of(run, series, align)
            # The longest of several under one name: a summary repeats its curve with one value.
            if curve is not None and (key not in mine or len(curve.at) > len(mine[key].at)):
                mine[key] = curve
        for key, curve in mine.items():
            found.setdefault(key, []).append(curve)
    return found


def _is_judged(series: Series) -> bool:
    if series.kind != "scalar" or series.role not in _JUDGED or series.labels.get("better") not in ("lower", "higher"):
        return False
    return series.role != "loss" or series.labels.get("primary") == "true"


def curve_of(run: Run, series: Series, align: Alignment) -> Curve | None:
    """A scalar series of a run over what is aligned; None where no value is finite, or nothing tells where it stands."""
    live = series.live
    values, steps = live.columns["value"], live.steps.astype(np.float64)
    start = min((float(np.nanmin(s.wall_times)) for s in run.series if _timed(s)), default=float("nan"))
    seconds = live.wall_times - start
    if align == "time":
        at = seconds
    elif align == "epoch" and series.axis != "epoch":
        at = _epochs(run, steps)
    else:
        at = steps
    good = np.isfinite(values) & np.isfinite(at)
    if not good.any():
        return None
    order = np.argsort(at[good], kind="stable")
    known = at[np.isfinite(at)]
    broken = not np.isfinite(values[-1])
    return Curve(at[good][order], values[good][order], seconds[good][order], series, float(known.max()), broken)


def _timed(series: Series) -> bool:
    return series.kind != "fact" and bool(len(series)) and bool(np.isfinite(series.wall_times).any())


def _epochs(run: Run, steps: Floats) -> Floats:
    """Steps in epochs, by the run's own epoch counter; NaN without one."""
    for series in run.series:
        if series.role == "progress" and series.labels.get("metric") == "epoch" and series.axis == "step":
            live = series.live
            good = np.isfinite(live.columns["value"])
            if good.sum() >= 2:
                found: Floats = np.interp(steps, live.steps[good], live.columns["value"][good])
                return found
    return np.full(len(steps), np.nan)


def _change(
    key: Key, base: Sequence[Curve], new: Sequence[Curve], settings: RunSettings, *, judged: bool
) -> Measure | None:
    _, split, metric, axis = key
    horizon = min(float(np.median([one.end for one in side])) for side in (base, new))
    theirs = [part for one in base if len((part := one.until(horizon)).at)]
    ours = [part for one in new if len((part := one.until(horizon)).at)]
    if not theirs or not ours:
        return None
    base_bests, new_bests = (np.array([one.best for one in side]) for side in (theirs, ours))
    base_best, new_best = float(np.median(base_bests)), float(np.median(new_bests))
    higher = ours[0].higher
    worse = base_best - new_best if higher else new_best - base_best
    columns = {
        "best": new_best,
        "base_best": base_best,
        "worse_by": worse,
        "final": float(np.median([one.values[-1] for one in ours])),
        "base_final": float(np.median([one.values[-1] for one in theirs])),
        # The yardstick is the baseline: a run that breaks is noisy by itself.
        "noise": float(np.median([one.noise for one in theirs])),
        "broken": sum(one.broken for one in new) / len(new),
        "base_broken": sum(one.broken for one in base) / len(base),
        "runs": float(len(ours)),
        "base_runs": float(len(theirs)),
        "at": horizon,
        "judged": float(judged),
        "higher": float(higher),
    }
    undefined = {}
    margin = spread_margin(base_bests, new_bests, settings.confidence)
    if margin is None:
        undefined["margin"] = f"no side has {FEWEST_FOR_SPREAD} runs"
    else:
        columns["margin"] = margin
    level = max(base_best, new_best, key=lambda value: -value if higher else value)
    for name, side in (("seconds_to_level", ours), ("base_seconds_to_level", theirs)):
        reached = [seconds for one in side if np.isfinite(seconds := one.seconds_to(level))]
        if reached:
            columns[name] = float(np.median(reached))
        else:
            undefined[name] = "nothing tells the time"
    columns["level"] = level
    labels = {"axis": axis if axis != "time" else "step"}
    labels |= {name: value for name, value in (("split", split), ("metric", metric)) if value}
    name = ours[0].series.name
    return Measure("run_change", f"{name} against the baseline", columns, undefined, labels, headline=HEADLINE)


def spread_margin(base: Floats, new: Floats, confidence: float) -> float | None:
    """Half the prediction interval of a difference of means, from the spread of repeated runs; None where no side has three.

    t(n - k) * s * sqrt(1 / n_base + 1 / n_new) with s pooled over the sides that have three runs or more (k of them): the interval in which
    the mean of as many new runs of the same recipe lies (Hahn and Meeker, Statistical Intervals, 1991, chapter 4).
    """
    from scipy.stats import t

    known = [side for side in (base, new) if len(side) >= FEWEST_FOR_SPREAD]
    if not known:
        return None
    freedom = sum(len(side) - 1 for side in known)
    variance = sum(float(np.var(side, ddof=1)) * (len(side) - 1) for side in known) / freedom
    quantile = float(t.ppf(0.5 + confidence / 2, freedom))
    return quantile * float(np.sqrt(variance * (1 / len(base) + 1 / len(new))))


def _speed(base: Sequence[Run], new: Sequence[Run]) -> Measure | None:
    theirs, ours = ([found for run in side if (found := step_seconds(run)) is not None] for side in (base, new))
    if not theirs or not ours:
        return None
    columns = {
        "step_seconds": float(np.median(ours)),
        "base_step_seconds": float(np.median(theirs)),
        "runs": float(len(ours)),
        "base_runs": float(len(theirs)),
        "spread": float(max(np.ptp(ours), np.ptp(theirs))),
    }
    return Measure("run_speed", "speed against the baseline", columns, headline=("step_seconds",))


def step_seconds(run: Run) -> float | None:
    """Median seconds of a training step by the wall times of the longest series; None under 20 points or without wall times."""
    candidates = [s for s in run.series if s.kind == "scalar" and s.axis == "step" and _timed(s)]
    if not candidates:
        return None
    live = max(candidates, key=len).live
    passed, steps = np.diff(live.wall_times), np.diff(live.steps)
    good = np.isfinite(passed) & (steps > 0) & (passed >= 0)
    if good.sum() < FEWEST_TIMES:
        return None
    found = float(np.median(passed[good] / steps[good]))
    return found if found > 0 else None


def setting_differences(base: Sequence[Run], new: Sequence[Run]) -> list[str]:
    """Settings that all runs of each side agree on and the sides do not: `lr: 0.1, now 0.01`; by name.

    A learning rate that is only logged counts by its highest value: where it begins and ends hangs on warm-up and on the length of a run.
    """
    theirs, ours = _settings(base), _settings(new)
    names = sorted(theirs.keys() | ours.keys())
    if STATED_RATE in theirs and STATED_RATE in ours:
        names = [name for name in names if not name.startswith(LOGGED_RATE)]
    return [
        f"{name}: {theirs.get(name, 'not stated')}, now {ours.get(name, 'not stated')}"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]


def _settings(runs: Sequence[Run]) -> Mapping[str, str]:
    found: dict[str, set[str]] = {}
    for run in runs:
        for name, value in _stated(run):
            found.setdefault(name, set()).add(value)
    return {name: next(iter(values)) for name, values in found.items() if len(values) == 1}


def _stated(run: Run) -> Iterator[tuple[str, str]]:
    stated = [(fact.key, fact.value) for fact in run.raw_facts]
    for name, value in [*stated, *run.facts.items()]:
        yield name, f"{value:g}" if isinstance(value, float) else str(value)
    for series in run.series:
        if series.role == "lr" and series.kind == "scalar":
            values = series.live.columns["value"]
            known = values[np.isfinite(values)]
            if len(known):
                # Logged as float32: more digits than it has would tell equal rates apart.
                yield f"{LOGGED_RATE} {series.name}", f"{float(known.max()):.6g}"
