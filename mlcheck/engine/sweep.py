"""What many runs say together: the setting that splits a rule's failures, and runs that are the same to the last bit."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.report import IdenticalRuns, Outcome, RunInfo, SettingSplit

FEWEST_RUNS = 4
"""Runs under which no split can be significant: two against two has p = 1/3."""
SIGNIFICANT = 0.05
MOST_THRESHOLDS = 30
"""Thresholds whose association is computed for one setting; spread evenly where more are worth it."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Value = str | float | bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    setting: str
    relation: str
    value: Value
    table: tuple[int, int, int, int]
    """failed with, passed with, failed without, passed without the setting."""
    tried: int
    """Thresholds or values of the setting that it was chosen from."""

    @property
    def association(self) -> float:
        """|φ| of the table: how well the setting tells the two apart."""
        a, b, c, d = self.table
        scale = float((a + b) * (c + d) * (a + c) * (b + d)) ** 0.5
        return abs(a * d - b * c) / scale if scale else 0.0


def splits(runs: Sequence[RunInfo], outcomes: Sequence[Outcome]) -> tuple[SettingSplit, ...]:
    """For each rule that failed in some runs and passed in others, the run fact that splits them best, where one does.

    The candidate with the strongest association is tested with Fisher's exact test (scipy.stats.fisher_exact), two-sided, at 5 %
    after Bonferroni's correction for all candidates.
    """
    if len(runs) < FEWEST_RUNS or not any(run.facts for run in runs):
        return ()
    facts = {run.name: run.facts for run in runs}
    verdicts: dict[str, dict[str, bool]] = {}
    for outcome in outcomes:
        if outcome.outcome in ("passed", "failed"):
            failed = verdicts.setdefault(outcome.rule, {})
            failed[outcome.run] = failed.get(outcome.run, False) or outcome.outcome == "failed"
    found = (_split(rule, failed, facts) for rule, failed in sorted(verdicts.items()))
    return tuple(one for one in found if one is not None)


def _split(rule: str, failed: Mapping[str, bool], facts: Mapping[str, Mapping[str, Value]]) -> SettingSplit | None:
    if len(failed) < FEWEST_RUNS or len(set(failed.values())) < 2:
        return None
    candidates = list(_candidates(failed, facts))
    if not candidates:
        return None
    best = max(candidates, key=lambda one: (one.association, one.setting, one.relation))
    from scipy.stats import fisher_exact

    with_it, passed_with, without, passed_without = best.table
    p_value = float(fisher_exact([[with_it, passed_with], [without, passed_without]]).pvalue) * sum(
        one.tried for one in candidates
    )
    if p_value >= SIGNIFICANT:
        return None
    return SettingSplit(
        rule=rule,
        setting=best.setting,
        relation=best.relation,
        value=best.value,
        failed_with=with_it,
        runs_with=with_it + passed_with,
        failed_without=without,
        runs_without=without + passed_without,
        p_value=p_value,
    )


def _candidates(failed: Mapping[str, bool], facts: Mapping[str, Mapping[str, Value]]) -> Iterator[_Candidate]:
    """The best threshold of each numeric setting, and each value of the others, with how many were tried."""
    for setting in sorted({name for run in failed for name in facts.get(run, ())}):
        values = [(facts[run][setting], bad) for run, bad in failed.items() if setting in facts.get(run, ())]
        numbers = [value for value, _ in values if isinstance(value, int | float) and not isinstance(value, bool)]
        bad = np.array([one for _, one in values])
        if len(numbers) == len(values):
            column = np.array(numbers, dtype=np.float64)
            thresholds = np.unique(column[np.isfinite(column)])[1:]
            found = [_at_threshold(setting, column, float(one), bad, len(thresholds)) for one in _worth(column, bad)]
            yield from sorted(found, key=lambda one: -one.association)[:1]
            continue
        words = np.array([str(value) for value, _ in values])
        distinct = sorted(set(words.tolist()))
        for word in distinct:
            inside = words == word
            if 0 < inside.sum() < len(words) and bad[inside].mean() >= bad[~inside].mean():
                yield _Candidate(setting, "=", word, _table(inside, bad), 1)


def _worth(column: Floats, bad: Flags) -> list[float]:
    """Thresholds that can be the best one: those between a run that failed and one that passed."""
    order = np.argsort(column, kind="stable")
    sorted_column, sorted_bad = column[order], bad[order]
    change = (sorted_bad[1:] != sorted_bad[:-1]) & (sorted_column[1:] != sorted_column[:-1])
    found = np.unique(sorted_column[1:][change])
    if len(found) > MOST_THRESHOLDS:
        found = found[np.linspace(0, len(found) - 1, MOST_THRESHOLDS).astype(int)]
    # Equal values on both sides of a change hide it: then the first threshold above them serves.
    return [float(one) for one in found] or [float(one) for one in np.unique(column)[1:][:MOST_THRESHOLDS]]


def _at_threshold(setting: str, column: Floats, threshold: float, bad: Flags, tried: int) -> _Candidate:
    above = column >= threshold
    # Said for the side on which the runs failed.
    relation, inside = ("≥", above) if bad[above].mean() >= bad[~above].mean() else ("<", ~above)
    return _Candidate(setting, relation, threshold, _table(inside, bad), tried)


def _table(inside: Flags, bad: Flags) -> tuple[int, int, int, int]:
    return (
        int((inside & bad).sum()),
        int((inside & ~bad).sum()),
        int((~inside & bad).sum()),
        int((~inside & ~bad).sum()),
    )


def identical(runs: Sequence[RunInfo]) -> tuple[IdenticalRuns, ...]:
    """Groups of runs with bit-identical curves, in order of the runs, and the settings in which they differ."""
    groups: dict[str, list[RunInfo]] = {}
    for run in runs:
        if run.curve is not None:
            groups.setdefault(run.curve, []).append(run)
    return tuple(
        IdenticalRuns(tuple(run.name for run in group), _differing(group))
        for group in groups.values()
        if len(group) > 1
    )


def _differing(group: Sequence[RunInfo]) -> tuple[str, ...]:
    names = sorted({name for run in group for name in run.facts})
    return tuple(name for name in names if len({str(run.facts.get(name)) for run in group}) > 1)
