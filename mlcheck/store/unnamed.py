"""What a run trains for, where no name in it is known: a curve that falls and stands in training and validation data alike.

No list of names is ever whole. What is found so says so (label `certainty`: `curve`), and findings on it have low confidence. Where the
curve does not fall, or has no fellow, it is a guess, and no finding on it is an error (engine/failure.py).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.labels import normalise, take_split
from mlcheck.store.series import Floats, Series

FEWEST = 5
"""Points of a curve whose direction can be told."""
MOVED = 0.1
"""Share of its range by which a curve's last third lies above or below its first, if it rises or falls."""
APART = 4
"""Points of a third from which it is enough that all of the last lie on one side of all of the first: by chance once in 35."""
FLAT_AT = (1.0, 10.0)
"""Between these a curve that neither rises nor falls is no share and no percentage of right answers, so it may be a loss."""
BARE = frozenset({"j", "e", "l", "obj", "crit", "lagrangian", "fval"})
"""Names of papers and textbooks for what is minimised; they mean much else, and count only where nothing else can be it."""

_WHY = "an unknown name, and nothing else in the run can be its loss"


def with_log_losses(series: Sequence[Series]) -> list[Series]:
    """The series with `ll` as the loss where its training curve is positive and falls: a log loss, no log-likelihood."""
    short = [one for one in series if one.role == "log_likelihood" and one.labels.get("metric") == "ll"]
    curves = [finite(one) for one in short if one.labels.get("split", "train") == "train"]
    if not any(direction(values) < 0 and values.min() > 0 for values in curves):
        return list(series)
    labels = {"better": "lower", "certainty": "curve"}
    return as_losses(series, {id(one): labels for one in short}, "positive and falling: a log loss")


def as_losses(series: Sequence[Series], labels: Mapping[int, Mapping[str, str]], why: str) -> list[Series]:
    """The series with those of which `labels` has the `id` as losses, with these labels beside their own, and the reason."""
    return [
        replace(
            one,
            role="loss",
            labels={**one.labels, **labels[id(one)]},
            reason=why if one.role == "other" else f"{one.reason}; {why}",
        )
        if id(one) in labels
        else one
        for one in series
    ]


def with_unnamed_objective(series: Sequence[Series]) -> list[Series]:
    """The series with an unknown one as the loss, in every split, for a run that logs no other objective.

    It must stand in training and validation data under one name (`zeta`, `val_zeta`), or be called as in `BARE`; it must not rise, and
    be the only one of which that is true.
    """
    groups: dict[str, dict[str, list[Series]]] = {}
    for one in series:
        if one.kind == "scalar" and one.role == "other" and len(one) >= FEWEST:
            whole = f"{one.part}/{one.tag}" if one.part else one.tag
            core = one.labels.get("metric") or take_split(normalise(whole)).core
            groups.setdefault(core, {}).setdefault(one.labels.get("split", "train"), []).append(one)
    found = [
        core
        for core, members in groups.items()
        if len(members.get("train", ())) == 1
        and (len(members) > 1 or core.rpartition("/")[2] in BARE)
        and _may_be_minimised(members["train"][0])
    ]
    if len(found) != 1:
        return list(series)
    members = groups[found[0]]
    falls = direction(finite(members["train"][0])) < 0
    labels = {
        "better": "lower",
        "metric": found[0].rpartition("/")[2],
        "certainty": "curve" if falls and len(members) > 1 else "guess",
    }
    return as_losses(
        series, {id(one): {**labels, "split": split} for split, some in members.items() for one in some}, _WHY
    )


def _may_be_minimised(one: Series) -> bool:
    """Whether a curve falls, or stands where no share of right answers can stand."""
    values = finite(one)
    found = direction(values)
    stands = found == 0 and len(values) >= FEWEST
    return found < 0 or (stands and FLAT_AT[0] < float(np.median(values)) < FLAT_AT[1])


def finite(one: Series) -> Floats:
    """Its values that are neither NaN nor infinite; float64, shape (n,)."""
    values = one.columns["value"]
    return values[np.isfinite(values)]


def direction(values: Floats) -> int:
    """-1 for values, all finite, that fall from their first third to their last, 1 where they rise, 0 for neither and for too few."""
    if len(values) < FEWEST:
        return 0
    third = len(values) // 3
    first, last = values[:third], values[-third:]
    change = float(np.median(last) - np.median(first))
    apart = third >= APART and bool(last.max() < first.min() or last.min() > first.max())
    moved = apart or abs(change) > MOVED * float(values.max() - values.min())
    return int(np.sign(change)) if moved else 0
