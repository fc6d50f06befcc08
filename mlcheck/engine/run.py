"""Judge one run with the selected rules: the unit of work of a scan, independent of all other runs."""

from collections.abc import Callable, Sequence

import numpy as np

from mlcheck.arrays import median
from mlcheck.engine import evidence, findings, summary
from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.context import RunContext
from mlcheck.engine.judge import judge
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.rank import Causes, Place, file_causes, place_of, ranked
from mlcheck.engine.rule import Rule
from mlcheck.engine.select import Selected
from mlcheck.engine.verdict import Errored, Failed, Passed, Skip, Verdict
from mlcheck.native.threads import in_threads
from mlcheck.records import dataclass
from mlcheck.report import Finding, Outcome, Panel, RunInfo, SeriesInfo, SourceStatus
from mlcheck.store.series import Run

THREADED_POINTS = 200_000
"""Points of a run from which two threads judge it sooner than one."""
MOST_THREADS = 4
"""Beyond these they wait for the interpreter more than they work."""


@dataclass(frozen=True)
class RunPart:
    """What one run gives to the report. It holds no series, so it is cheap to send between processes."""

    info: RunInfo
    findings: tuple[Finding, ...]
    """In rank order."""
    outcomes: tuple[Outcome, ...]
    sources: tuple[SourceStatus, ...]
    series: tuple[SeriesInfo, ...]
    panels: tuple[Panel, ...]


def judge_run(
    run: Run,
    selected: Sequence[Selected],
    causes: Causes,
    progress: Callable[[str], None] | None = None,
    baseline: Sequence[Run] = (),
    *,
    threads: int = 1,
) -> RunPart:
    """Judge a run with every selected rule, against `baseline` runs where a rule asks for them.

    A rule that raises is errored; the others are still judged. `threads`: how many may judge a long run at once.
    """
    context = RunContext(run, baseline)
    found: list[Finding] = []
    outcomes: list[Outcome] = []
    spacing: dict[str, float] = {}
    patience: dict[str, float] = {}
    places: dict[str, Place] = {}
    judged = _judged_in_threads(selected, context, threads)
    for one in selected:
        if progress is not None:
            progress(one.rule.id)
        if isinstance(one.rule, IdenticalRunsRule):
            continue
        verdicts = judged[one.rule.id] if one.rule.id in judged else _verdicts(one, context)
        for verdict in verdicts:
            if isinstance(verdict, Failed):
                made = findings.finding(one.rule, one.params, context, verdict, one.severity)
                found.append(made)
                spacing[made.fingerprint] = _spacing(verdict)
                patience[made.fingerprint] = _patience(one, verdict)
                places[made.fingerprint] = _place(one, verdict, made)
        outcomes += _outcomes(one.rule.id, run.name, verdicts)
    ordered = ranked(file_causes(_distinct(found), causes, spacing, patience, places, _sizes(context)))
    part = RunPart(
        info=summary.run_info(context, outcomes, selected),
        findings=evidence.trim(ordered),
        outcomes=tuple(outcomes),
        sources=tuple(run.sources),
        series=tuple(summary.series_infos(context)),
        panels=tuple(summary.panels(context)),
    )
    context.done()
    return part


def _place(one: Selected, failed: Failed, made: Finding) -> Place:
    backward = isinstance(one.rule, Rule) and one.rule.model.spreads == "backward"
    return place_of(failed.series[0].role, made.layer_order, backward=backward)


def _sizes(context: RunContext) -> dict[int, int]:
    """How many series of a layer there are, by the rank of their role."""
    sizes: dict[int, int] = {}
    for one in context.logged:
        if "layer" in one.labels:
            rank = place_of(one.role, None)[0]
            sizes[rank] = sizes.get(rank, 0) + 1
    return sizes


def _judged_in_threads(selected: Sequence[Selected], context: RunContext, threads: int) -> dict[str, Sequence[Verdict]]:
    """The verdicts of rules by their ids, where a run is long enough for threads to pay. Python rules know nothing of threads."""
    if threads < 2 or sum(len(one) for one in context.logged) < THREADED_POINTS:
        return {}
    chosen = [one for one in selected if isinstance(one.rule, Rule)]

    def judge_one(one: Selected) -> Sequence[Verdict]:
        # The setting of the caller holds in its own thread only.
        with np.errstate(all="ignore"):
            return _verdicts(one, context)

    found = in_threads(judge_one, chosen, min(threads, MOST_THREADS))
    return {one.rule.id: verdicts for one, verdicts in zip(chosen, found, strict=True)}


def _verdicts(one: Selected, context: RunContext) -> Sequence[Verdict]:
    try:
        if isinstance(one.rule, PluginRule):
            return list(one.rule.judge(context, one.params))
        assert isinstance(one.rule, Rule)
        return list(judge(one.rule, context, one.params))
    except Exception as error:  # noqa: BLE001 - a rule's fault is its own outcome, never the end of the scan
        return [Errored(f"{type(error).__name__}: {error}")]


def _distinct(found: Sequence[Finding]) -> list[Finding]:
    """One finding per fingerprint: combinations over the same series say the same thing; the worst one stays."""
    kept: dict[str, Finding] = {}
    for f in found:
        other = kept.get(f.fingerprint)
        if other is None or (f.severity.rank, f.excess) > (other.severity.rank, other.excess):
            kept[f.fingerprint] = f
    return list(kept.values())


def _outcomes(rule: str, run: str, verdicts: Sequence[Verdict]) -> list[Outcome]:
    """Failed and errored ones singly, passed and skipped ones counted by reason (language.md fix 37)."""
    single: list[Outcome] = []
    skips: dict[tuple[str, str, tuple[str, ...]], int] = {}
    passed = 0
    for verdict in verdicts:
        match verdict:
            case Passed():
                passed += 1
            case Skip():
                key = (verdict.kind, verdict.reason, verdict.missing)
                skips[key] = skips.get(key, 0) + 1
            case Failed():
                single.append(Outcome(rule, run, "failed", labels=dict(verdict.labels)))
            case Errored():
                single.append(Outcome(rule, run, "errored", verdict.reason, labels=dict(verdict.labels)))
    counted = [Outcome(rule, run, "passed", count=passed)] if passed else []
    counted += [
        Outcome(rule, run, "skipped", reason, count, kind, missing) for (kind, reason, missing), count in skips.items()
    ]
    if not single and not counted:
        counted = [Outcome(rule, run, "skipped", "nothing in the run that it could judge", kind="input")]
    return counted + single


def _spacing(failed: Failed) -> float:
    steps = np.diff(failed.axis.steps)
    return median(steps) if len(steps) else 0.0


def _patience(one: Selected, failed: Failed) -> float:
    """The steps that a rule waits before it speaks: its patience in steps of this axis."""
    if not isinstance(one.rule, Rule):
        return 0.0
    axis, longest = failed.axis, 0.0
    whole = axis.run_last - axis.run_first
    for term in one.rule.patience:
        text = term.text(one.params)
        amount = float(text.split()[0])
        unit = term.unit
        if unit.startswith("point"):
            longest = max(longest, amount * _spacing(failed))
        elif unit.startswith("step"):
            longest = max(longest, amount)
        elif unit == "%":
            longest = max(longest, amount / 100 * whole)
    return longest
