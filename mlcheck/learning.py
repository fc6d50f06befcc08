"""`mlcheck learn`: limits and parameters from a project's own good runs, as a configuration that later scans read."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.errors import UsageError
from mlcheck.records import dataclass
from mlcheck.report import Severity
from mlcheck.work import Progress, ScanOptions, load_runs, request_for, select_rules

if TYPE_CHECKING:
    from mlcheck.engine.context import RunContext
    from mlcheck.engine.rule import Rule
    from mlcheck.engine.select import Selected
    from mlcheck.settings import Limit
    from mlcheck.store.series import Run

STEP = 1.15
"""Factor between two tries of a parameter."""
MOST_TRIES = 40
"""Tries in each direction: up to 268 times the default."""
EVERY_RUN = "*"


@dataclass(frozen=True)
class Relaxed:
    """A rule that fails on good runs, and what makes it quiet there."""

    rule: str
    lane: str
    parameter: str | None
    """None: no parameter alone does, so its findings are infos there."""
    value: float
    default: float
    runs: int
    """Good runs on which it failed."""


@dataclass(frozen=True)
class Learned:
    """What good runs taught."""

    limits: Sequence["Limit"]
    relaxed: Sequence[Relaxed]
    runs: Sequence[str]
    """Names of the good runs."""
    doubtful: Mapping[str, Sequence[str]]
    """Runs with errors, and the names of the rules that gave them: perhaps they are none of the good ones."""
    unlearned: Sequence[str]
    """Series that no limit is for, since too few runs of a lane log them under that name."""


def learn(paths: Sequence[str], options: ScanOptions, progress: Progress | None = None) -> Learned:
    """Limits of what the runs reached, and parameters with which every selected rule is quiet on them.

    Lanes (runs that are the same but for their time stamps) of three runs or more have limits of their own; all other runs share theirs.
    Raises UsageError for fewer than three runs.
    """
    import numpy as np

    from mlcheck.updates.limits import FEWEST_RUNS, learned, reached

    _, selected = select_rules(options)
    runs = load_runs(paths, options, request_for(selected, options.settings))
    if len(runs) < FEWEST_RUNS:
        raise UsageError(f"limits need {FEWEST_RUNS} good runs at least, {len(runs)} found; name more")
    limits: list[Limit] = []
    relaxed: list[Relaxed] = []
    with np.errstate(all="ignore"):
        for number, (lane, members) in enumerate(sorted(_lanes(runs, FEWEST_RUNS).items())):
            if progress is not None:
                progress(number, len(runs), lane)
            limits += learned(members, lane)
            relaxed += _relaxed(members, lane, selected)
        doubtful = {run.name: names for run in runs if (names := _errors(run, selected))}
        named = {one.series for run in runs for one in reached(run) if one.series}
    unlearned = sorted(named - {one.series for one in limits})
    return Learned(limits, relaxed, [run.name for run in runs], doubtful, unlearned)


def _errors(run: "Run", selected: Sequence["Selected"]) -> list[str]:
    from mlcheck.engine.context import RunContext
    from mlcheck.engine.judge import judge
    from mlcheck.engine.rule import Rule
    from mlcheck.engine.verdict import Failed

    context = RunContext(run)
    return [
        one.rule.name
        for one in selected
        if isinstance(one.rule, Rule)
        and any(
            isinstance(verdict, Failed) and verdict.severity is Severity.ERROR
            for verdict in judge(one.rule, context, one.params)
        )
    ]


def _lanes(runs: Sequence["Run"], fewest: int) -> Mapping[str, list["Run"]]:
    by_lane: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_lane[run.lane].append(run)
    large = {lane: members for lane, members in by_lane.items() if len(members) >= fewest}
    rest = [run for lane, members in by_lane.items() if lane not in large for run in members]
    return {**large, **({EVERY_RUN: rest} if len(rest) >= fewest else {})}


def _relaxed(runs: Sequence["Run"], lane: str, selected: Sequence["Selected"]) -> Iterator[Relaxed]:
    from mlcheck.engine.context import RunContext
    from mlcheck.engine.rule import Rule

    contexts = [RunContext(run) for run in runs]
    for one in selected:
        if not isinstance(one.rule, Rule):
            continue
        failing = [context for context in contexts if _fails(one.rule, context, one.params)]
        if failing:
            yield _mended(one.rule, one.params, contexts, lane, len(failing))


def _fails(rule: "Rule", context: "RunContext", params: Mapping[str, float | bool | str]) -> bool:
    """Whether the rule gives a warning or an error."""
    from mlcheck.engine.judge import judge
    from mlcheck.engine.verdict import Failed

    return any(isinstance(one, Failed) and one.severity is not Severity.INFO for one in judge(rule, context, params))


def _mended(
    rule: "Rule", params: Mapping[str, float | bool | str], contexts: Sequence["RunContext"], lane: str, failing: int
) -> Relaxed:
    """The parameter that has to change least for all runs to pass, one step beyond that."""
    numbers = [name for name, value in params.items() if isinstance(value, float | int) and not isinstance(value, bool)]
    for count in range(1, MOST_TRIES + 1):
        for name in numbers:
            for factor in (STEP**count, STEP**-count):
                value = _within(rule, name, float(params[name]) * factor)
                if value is None or any(_fails(rule, one, {**params, name: value}) for one in contexts):
                    continue
                further = _within(rule, name, value * (STEP if factor > 1 else 1 / STEP))
                return Relaxed(rule.id, lane, name, value if further is None else further, float(params[name]), failing)
    return Relaxed(rule.id, lane, None, 0.0, 0.0, failing)


def _within(rule: "Rule", name: str, value: float) -> float | None:
    """The value, rounded to three digits; None beyond the parameter's range."""
    param = rule.parameters[name]
    rounded = float(f"{value:.3g}")
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    return None if (low is not None and rounded < low) or (high is not None and rounded > high) else rounded


def as_toml(found: Learned) -> str:
    """A configuration for `--config`: the same bytes for the same runs."""
    lines = [
        f"# Learned by `mlcheck learn` from {len(found.runs):,} good runs: {', '.join(found.runs[:20])}"
        + (f" and {len(found.runs) - 20:,} more" if len(found.runs) > 20 else ""),
        "# A run that stays inside is quiet; RUN011 says by how much one leaves. Learn again when the recipe changes.",
    ]
    by_lane: dict[str, list[Relaxed]] = defaultdict(list)
    for one in found.relaxed:
        by_lane[one.lane].append(one)
    for lane, relaxed in sorted(by_lane.items()):
        lines += ["", "[[runs]]", f"match = [{_text(lane)}]"]
        for one in sorted(relaxed, key=lambda one: one.rule):
            lines.append(f"[runs.rules.{one.rule}]")
            if one.parameter is None:
                lines.append(f'severity = "info"  # it fails on {one.runs:,} good runs whatever its parameters')
            else:
                lines.append(f"{one.parameter} = {one.value:g}  # {one.default:g} fails on {one.runs:,} good runs")
    for limit in found.limits:
        lines += ["", "[[limits]]", f"run = {_text(limit.run)}", f"series = {_text(limit.series)}"]
        lines.append(f"statistic = {_text(limit.statistic)}")
        lines += [f"high = {limit.high:.6g}"] if limit.high is not None else [f"low = {limit.low:.6g}"]
        lines += [f"usual = {limit.usual:.6g}", f"noise = {limit.noise:.6g}", f"runs = {limit.runs}"]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A basic string of TOML, which takes JSON's escapes."""
    return json.dumps(value, ensure_ascii=True)
