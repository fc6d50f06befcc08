"""Runs against baseline runs, judged by the same rules and the same engine as a scan."""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from mlcheck.comparing.report import report_of
from mlcheck.errors import UsageError
from mlcheck.records import replace
from mlcheck.report import Note, Report
from mlcheck.updates.base import ComparisonError
from mlcheck.work import Progress, ScanOptions, load_runs, request_for, select_rules

if TYPE_CHECKING:
    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Selected
    from mlcheck.store.series import Run
    from mlcheck.updates.base import Measure
    from mlcheck.updates.runs import RunSettings


Compared = tuple[Report, "Registry"]


def compare_runs(new: Sequence[str], options: ScanOptions, progress: Progress | None = None) -> Compared:
    """Judge runs against baseline runs. Raises UsageError where a side has none."""
    from mlcheck.updates.runs import RunSettings, measure_runs, setting_differences

    rules, selected = select_rules(options)
    request = request_for(selected, options.settings)
    if progress is not None:
        progress(0, 2, "baseline")
    base = load_runs(options.baseline_runs, options, request)
    if progress is not None:
        progress(1, 2, "new runs")
    runs = load_runs(new, options, request)
    measures = measure_runs(base, runs, options.run_settings or RunSettings())
    notes = [_of(base, "the baseline")] if len(base) > 1 else []
    differing = setting_differences(base, runs)
    if differing:
        notes.append(Note("settings", f"settings that differ: {'; '.join(differing)}"))
    if not any(one.role == "run_change" for one in measures):
        raise ComparisonError(_nothing(base, runs, options.run_settings or RunSettings()))
    selected = [one for one in selected if one.rule.category == "comparison" or options.select]
    parts = _judged(runs, base, measures, selected, rules)
    return report_of(parts, selected, [s for run in base for s in run.sources], notes, measures), rules


def _nothing(base: "Sequence[Run]", runs: "Sequence[Run]", settings: "RunSettings") -> str:
    names = f"{base[0].name} and {runs[0].name}"
    if settings.align != "step":
        return f"{names}: nothing tells the {settings.align} of both; compare by step, or log an epoch counter and wall times"
    return f"{names}: nothing is logged in both by which runs are judged (loss, metrics, reward); `mlcheck inspect` shows what is"


def _of(runs: "Sequence[Run]", what: str) -> Note:
    return Note("compare", f"{what} is {len(runs):,} runs: {', '.join(run.name for run in runs)}")


def _judged(
    runs: "Sequence[Run]",
    base: "Sequence[Run]",
    measures: "Sequence[Measure]",
    selected: "Sequence[Selected]",
    rules: "Registry",
) -> "list[RunPart]":
    """A lone run with what is measured of it; of repeated runs each by its series, and what is measured of all as a run of its own."""
    import numpy as np

    from mlcheck.engine.run import judge_run
    from mlcheck.updates.base import facts

    measured = facts(measures)
    with np.errstate(all="ignore"):
        if len(runs) == 1:
            run = replace(runs[0], series=[*runs[0].series, *measured])
            return [judge_run(run, selected, rules.causes, baseline=base)]
        of_facts = [one for one in selected if not _holds_series(one)]
        of_series = [one for one in selected if _holds_series(one)]
        together = replace(runs[0], name=_together(runs), series=measured, sources=())
        parts = [judge_run(together, of_facts, rules.causes)] if of_facts else []
        return [*parts, *(judge_run(run, of_series, rules.causes, baseline=base) for run in runs if of_series)]


def _holds_series(one: "Selected") -> bool:
    from mlcheck.engine.rule import Rule

    return isinstance(one.rule, Rule) and any(spec.run == "baseline" for spec in one.rule.inputs.values())


def _together(runs: "Sequence[Run]") -> str:
    """A name for repeated runs: what their names begin with, and how many they are."""
    letters = takewhile(lambda place: len(set(place)) == 1, zip(*(run.name for run in runs), strict=False))
    common = "".join(place[0] for place in letters).rstrip("/-_. 0123456789")
    return f"{common or runs[0].lane} ({len(runs):,} runs)"


def sides(paths: Sequence[str], baseline: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The baseline's paths and the new ones: those of `--baseline-run`, else the first of two. Raises UsageError."""
    if baseline:
        if not paths:
            raise UsageError("give the new run: mlcheck compare --baseline-run BASE NEW")
        return baseline, paths
    if len(paths) != 2:
        count = "1 path" if len(paths) == 1 else f"{len(paths)} paths"
        raise UsageError(
            f"{count} of runs: write mlcheck compare BASE NEW, a pattern in quotes for repeated runs "
            "('runs/base-seed*'), or --baseline-run BASE for each run of the baseline"
        )
    return paths[:1], paths[1:]
