"""Many runs in a few lines: how many are healthy, and for each rule how many runs it hit and which run worst."""

import math
from collections import Counter, defaultdict

from mlcheck.records import dataclass
from mlcheck.report import Best, IdenticalRuns, Row, SettingSplit, Severity
from mlcheck.reporters.text import clean, listing, number, plural, prose
from mlcheck.reporters.view import RunView, below
from mlcheck.reporters.wording import best_value

MANY = 3
"""More runs than these are summarised instead of drawn one below the other."""
_RANKED = 8
"""Runs from which the next best and worst are named as well."""


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
    """The setting that tells the runs it hit from the others, `all with learning_rate ≥ 0.003`; empty where none does."""


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


def across(all_views: tuple[RunView, ...], least: Severity, splits: tuple[SettingSplit, ...]) -> tuple[RuleAcross, ...]:
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
        split = split_text(next((one for one in splits if one.rule == rule), None))
        lead = worst_row.lead
        found.append(RuleAcross(rule, lead.name, lead.severity, hit, worst_view, worst_row, split))
    return tuple(sorted(found, key=lambda r: (-r.severity.rank, -len(r.hit), r.rule)))


def _badness(row: Row) -> tuple[int, float, float, int]:
    lead = row.lead
    return lead.severity.rank, lead.excess, lead.cost.share if lead.cost else 0.0, len(row.findings)


def split_text(split: SettingSplit | None) -> str:
    """`all with learning_rate ≥ 0.003`, or `14 of 15 with batch_size = 8, 2 of 35 without`; empty for none."""
    if split is None:
        return ""
    value = (
        number(split.value)
        if isinstance(split.value, float | int) and not isinstance(split.value, bool)
        else clean(str(split.value))
    )
    what = f"{clean(split.setting)} {split.relation} {value}"
    if split.failed_with == split.runs_with and split.failed_without == 0:
        return f"all with {what}, and only those"
    if split.failed_without == 0:
        return f"all with {what}"
    return f"{split.failed_with:,} of {split.runs_with:,} with {what}, {split.failed_without:,} of {split.runs_without:,} without"


def identical_runs(groups: tuple[IdenticalRuns, ...], most: int = 3) -> list[str]:
    """`the same to the last bit: a, b and c` for each group, at most `most` of them, then how many more."""
    texts = [
        f"the same to the last bit: {listing([clean(name, 60) for name in group.runs], 4)}" for group in groups[:most]
    ]
    if len(groups) > most:
        texts.append(f"{len(groups) - most:,} more groups of runs that are the same to the last bit")
    return texts


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
        f"{text[0].upper()}{text[1:]} in {clean(first.info.name)}{_next(same[1:3], len(same))}; "
        f"worst of {len(same):,} runs {number(bottom.value)} in {clean(last.info.name)}"
        f"{_next(same[-2:-4:-1], len(same))}"
    )


def _next(pairs: list[tuple[RunView, Best]], total: int) -> str:
    """` (0.32 in b, 0.33 in c)`: the next ones, where there are enough runs for a ranking."""
    if total < _RANKED:
        return ""
    return f" ({', '.join(f'{number(best.value)} in {clean(view.info.name, 40)}' for view, best in pairs)})"


def _quantity(best: Best) -> tuple[str, str, str]:
    """What makes two best values comparable: the same series. A perplexity or a sum is no better or worse than a mean."""
    return best.role, best.split, best.series


def _better(same: list[tuple[RunView, Best]]) -> str:
    labels = (s.labels.get("better") for view, best in same for s in view.series if s.name == best.series)
    return next((label for label in labels if label in ("lower", "higher")), "")
