"""What a run reached, held against what good runs of its kind reached: learned limits with their noise."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.settings import Limit
from mlcheck.store.series import Run
from mlcheck.updates.base import Measure
from mlcheck.updates.runs import curve_of, step_seconds

Floats = NDArray[np.float64]

FEWEST_RUNS = 3
"""Good runs that a limit needs: fewer say nothing of their spread."""
NOISE_FACTOR = 3.0
SPREAD_FACTOR = 0.5
"""Of the range of the good runs, that a limit lies beyond it."""
LEAST_SLACK = 0.02
"""Of a limit's own size, for runs that are all alike."""
SPEED = "step_seconds"
SPEED_SLACK = 0.25
"""Of the time of a step: machines of one kind differ by half as much."""
_ROLES = ("loss", "metric", "error_metric", "episode_reward", "grad_norm")


@dataclass(frozen=True)
class Reached:
    """One number of a run."""

    series: str
    """Name of the series; empty for one of the whole run."""
    statistic: str
    """best, final, median, step_seconds."""
    value: float
    noise: float
    """Of the last evaluations of the series; 0 where it is not known."""
    harm: str
    """The side on which it is harmful: high or low."""


def reached(run: Run) -> Iterator[Reached]:
    """What a run reached: best and final values of what it is judged by, its usual gradient norm, and seconds a step."""
    for series in run.series:
        if series.kind != "scalar" or series.role not in _ROLES:
            continue
        better = "lower" if series.role == "grad_norm" else series.labels.get("better")
        curve = curve_of(run, series, "step") if better in ("lower", "higher") else None
        if curve is None:
            continue
        harm = "low" if better == "higher" else "high"
        if series.role == "grad_norm":
            yield Reached(series.name, "median", float(np.median(curve.values)), curve.noise, harm)
            continue
        yield Reached(series.name, "best", curve.best, curve.noise, harm)
        yield Reached(series.name, "final", float(np.median(curve.values[-3:])), curve.noise, harm)
    seconds = step_seconds(run)
    if seconds is not None:
        yield Reached("", SPEED, seconds, 0.0, "high")


def learned(runs: Sequence[Run], lane: str) -> list[Limit]:
    """Limits from good runs of one lane: beyond the worst of them by 3 times their noise, half their range, or 2 % of its size.

    A number counts only where three runs or more have it.
    """
    by_name: dict[tuple[str, str], list[Reached]] = {}
    for run in runs:
        for one in reached(run):
            by_name.setdefault((one.series, one.statistic), []).append(one)
    limits = []
    for (series, statistic), found in sorted(by_name.items()):
        if len(found) < FEWEST_RUNS:
            continue
        values = np.array([one.value for one in found])
        noise = float(np.median([one.noise for one in found]))
        high = found[0].harm == "high"
        worst = float(values.max() if high else values.min())
        least = SPEED_SLACK if statistic == SPEED else LEAST_SLACK
        slack = max(NOISE_FACTOR * noise, SPREAD_FACTOR * float(np.ptp(values)), least * abs(worst))
        limits.append(
            Limit(
                run=lane,
                series=series,
                statistic=statistic,
                high=worst + slack if high else None,
                low=None if high else worst - slack,
                usual=float(np.median(values)),
                noise=max(noise, float(np.std(values, ddof=1))),
                runs=len(found),
            )
        )
    return limits


def measure_limits(run: Run, limits: Sequence[Limit]) -> list[Measure]:
    """What a run reached beside the limits that are for it; role `learned_limit`."""
    mine = [one for one in limits if any(fnmatchcase(word, one.run) for word in (run.name, run.lane))]
    if not mine:
        return []
    found = {(one.series, one.statistic): one for one in reached(run)}
    return [
        _measure(limit, found[limit.series, limit.statistic])
        if (limit.series, limit.statistic) in found
        else _unmeasured(limit)
        for limit in mine
    ]


def _unmeasured(limit: Limit) -> Measure:
    """A limit whose series the run does not have: that must not read as kept."""
    name = _name(limit.statistic, limit.series)
    why = f"the run has no series {limit.series}" if limit.series else "nothing tells it"
    keys = ("reached", "bound", "usual", "beyond", "noise", "runs")
    return Measure("learned_limit", name, {}, dict.fromkeys(keys, f"{name}: {why}"), {"feature": name})


def _name(statistic: str, series: str) -> str:
    return f"{statistic.replace('_', ' ')} {series}".strip()


def _measure(limit: Limit, one: Reached) -> Measure:
    bound, beyond = (limit.high, 1.0) if limit.high is not None else (limit.low, -1.0)
    assert bound is not None, "the settings hold one of the two"
    columns = {
        "reached": one.value,
        "bound": bound,
        "usual": limit.usual,
        "beyond": beyond * (one.value - bound),
        "noise": max(limit.noise, one.noise),
        "runs": float(limit.runs),
    }
    name = _name(one.statistic, one.series)
    return Measure("learned_limit", name, columns, labels={"feature": name})
