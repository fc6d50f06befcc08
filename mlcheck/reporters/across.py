"""Many runs in a few lines: how many are healthy, and for each rule how many runs it hit and which run worst."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from mlcheck.report import Best, Row, RunInfo, Severity
from mlcheck.reporters.text import clean, listing, number, plural, prose
from mlcheck.reporters.view import RunView, below
from mlcheck.reporters.wording import best_value

# A setting is named only when at least so many runs stand on either side of it: less is chance.
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class RuleAcross:
    """One rule over all runs."""

    rule: str
    name: str
    severity: Severity
    """The worst that it gave."""
    hit: tuple[RunView, ...]
    """Runs in which it has an active finding, in the report's order."""
    worst: RunView
    row: Row
    """Its row in the worst run."""
    split: str
    """The setting that tells the runs it hit from the others, `learning_rate ≥ 0.003`; empty where none does."""


def state(view: RunView) -> str:
    """failed, warned, healthy, incomplete or not judged: each run is counted once."""
    if view.severity is Severity.ERROR:
        return "failed"
    if view.severity is Severity.WARNING:
        return "warned"
    if not view.judged:
        return "not judged"
    return "incomplete" if view.damaged or view.errored or view.thin else "healthy"


_STATES = {
    "failed": "with errors",
    "warned": "with warnings",
    "healthy": "healthy",
    "incomplete": "without problems but not wholly read or checked",
    "not judged": "not judged",
}


def counts(all_views: tuple[RunView, ...]) -> str:
    """`12 runs: 3 with errors, 1 with warnings, 8 healthy`."""
    tally = Counter(state(view) for view in all_views)
    parts = [f"{tally[key]:,} {words}" for key, words in _STATES.items() if tally[key]]
    return f"{plural(len(all_views), 'run')}: {', '.join(parts)}"


def across(all_views: tuple[RunView, ...], least: Severity) -> tuple[RuleAcross, ...]:
    """The rules that failed anywhere at or above a severity: worst severity first, then most runs, then id."""
    hits: dict[str, list[tuple[RunView, Row]]] = defaultdict(list)
    for view in all_views:
        for root in view.rows:
            for row in below(root):
                if row.lead.severity.rank >= least.rank:
                    hits[row.lead.rule].append((view, row))
    found = []
    for rule, pairs in hits.items():
        worst_view, worst_row = max(pairs, key=lambda pair: _badness(pair[1]))
        hit = tuple({view.info.name: view for view, _ in pairs}.values())
        split = splitting_setting([v.info for v in hit], _others(all_views, hit, rule))
        lead = worst_row.lead
        found.append(RuleAcross(rule, lead.name, lead.severity, hit, worst_view, worst_row, split))
    return tuple(sorted(found, key=lambda r: (-r.severity.rank, -len(r.hit), r.rule)))


def _badness(row: Row) -> tuple[int, float, float, int]:
    lead = row.lead
    return lead.severity.rank, lead.excess, lead.cost.share if lead.cost else 0.0, len(row.findings)


def _others(all_views: tuple[RunView, ...], hit: tuple[RunView, ...], rule: str) -> list[RunInfo]:
    """Runs that passed the rule: a run in which it was skipped says nothing about the setting."""
    names = {view.info.name for view in hit}
    passed = (v for v in all_views if v.info.name not in names)
    return [v.info for v in passed if any(o.rule == rule and o.outcome == "passed" for o in v.outcomes)]


def splitting_setting(hit: list[RunInfo], others: list[RunInfo]) -> str:
    """The run fact that separates two groups of runs without exception, as `learning_rate ≥ 0.003`, or nothing.

    Numbers by a threshold, words by equality. The first fact by name wins where several do.
    """
    if len(hit) < _FEWEST or len(others) < _FEWEST:
        return ""
    for fact in sorted(hit[0].facts):
        mine, theirs = _values(hit, fact), _values(others, fact)
        if mine is None or theirs is None:
            continue
        numbers, other_numbers = _numbers(mine), _numbers(theirs)
        if numbers and other_numbers:
            if min(numbers) > max(other_numbers):
                return f"{clean(fact)} ≥ {number(min(numbers))}"
            if max(numbers) < min(other_numbers):
                return f"{clean(fact)} ≤ {number(max(numbers))}"
        elif len(set(map(str, mine))) == 1 and str(mine[0]) not in set(map(str, theirs)):
            return f"{clean(fact)} = {clean(str(mine[0]))}"
    return ""


def _values(infos: list[RunInfo], fact: str) -> list[str | float | bool] | None:
    values = [info.facts[fact] for info in infos if fact in info.facts]
    return values if len(values) == len(infos) else None


def _numbers(values: Iterable[str | float | bool]) -> list[float] | None:
    numbers = [float(v) for v in values if not isinstance(v, str | bool)]
    return numbers if numbers and all(math.isfinite(v) for v in numbers) else None


def gaps(all_views: tuple[RunView, ...], most: int = 3) -> str:
    """`Not logged: learning rate in 7 runs (log it with …)`: what most runs lack first; empty where nothing is."""
    tally = Counter(gap.what for view in all_views for gap in view.missing)
    how = {gap.what: gap.how for view in all_views for gap in view.missing if gap.how}
    texts = []
    for what, count in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
        hint = f" ({prose(how[what]).rstrip('.')})" if what in how else ""
        texts.append(f"{prose(what)} in {plural(count, 'run')}{hint}")
    return f"Not logged: {listing(texts, most)}" if texts else ""


def best_and_worst(all_views: tuple[RunView, ...]) -> str:
    """`Best val loss 0.31 at step 900 in a; worst of 9 runs 2.4 in b`; empty unless most runs share a quantity."""
    judged = [(v, v.info.best) for v in all_views if v.info.best is not None and math.isfinite(v.info.best.value)]
    if not judged:
        return ""
    key, count = Counter(_quantity(best) for _, best in judged).most_common(1)[0]
    if count * 2 <= len(all_views):
        return ""
    same = [(view, best) for view, best in judged if _quantity(best) == key]
    better = "lower" if key[0] == "loss" else _better(same)
    if not better:
        return ""
    sign = -1 if better == "higher" else 1
    same.sort(key=lambda pair: sign * pair[1].value)
    (first, top), (last, bottom) = same[0], same[-1]
    text = best_value(top)
    return (
        f"{text[0].upper()}{text[1:]} in {clean(first.info.name)}; "
        f"worst of {len(same):,} runs {number(bottom.value)} in {clean(last.info.name)}"
    )


def _quantity(best: Best) -> tuple[str, str, str]:
    """What makes two best values comparable: the same series. A perplexity or a sum is no better or worse than a mean."""
    return best.role, best.split, best.series


def _better(same: list[tuple[RunView, Best]]) -> str:
    labels = (s.labels.get("better") for view, best in same for s in view.series if s.name == best.series)
    return next((label for label in labels if label in ("lower", "higher")), "")
