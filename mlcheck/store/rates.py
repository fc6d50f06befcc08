"""Accuracies of runs that log only what is wrong: `merror`, `top1_err` and `error_rate` are one minus an accuracy."""

import re
from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Series

_RATE = re.compile(
    r"(?:.*/)?(?:merror|(?:binary|multi)_error|(?:err|error|misclassification)_(?:rate|pct|percent|percentage)|misclassification"
    r"|(?:wrong|mistakes?)_(?:pct|percent|percentage|rate|share|fraction|ratio)|(?:classification|cls|top_?1)_err(?:or)?|top1err)"
)
"""Labels `metric` of shares of wrong answers: of XGBoost and LightGBM, and as people call them."""


def with_accuracies(series: Sequence[Series]) -> list[Series]:
    """The series, and the accuracy beside each share of wrong answers, where the run logs none.

    Rules ask for accuracies; so they judge both. One scale holds for all splits of a metric: in percent, where a value of any is above 1.
    Values outside of 0 to 1, or 0 to 100, are no shares.
    """
    if any(one.role == "metric" and "acc" in one.labels.get("metric", "") for one in series):
        return list(series)
    # XGBoost calls the share of wrong answers of two classes `error`, beside `logloss`.
    beside = any(one.labels.get("metric") == "logloss" for one in series)
    shares: dict[str, list[Series]] = {}
    for one in series:
        metric = one.labels.get("metric", "")
        known = _RATE.fullmatch(metric) or (metric == "error" and beside)
        if one.role == "error_metric" and one.kind == "scalar" and known:
            shares.setdefault(metric, []).append(one)
    found = [made for members in shares.values() for made in _accuracies(members)]
    taken = {one.name for one in series}
    return [*series, *(made for made in found if made.name not in taken)]


def _accuracies(members: Sequence[Series]) -> list[Series]:
    known = np.concatenate([one.columns["value"] for one in members])
    known = known[np.isfinite(known)]
    if not len(known) or known.min() < 0 or known.max() > 100:
        return []
    whole = 100.0 if known.max() > 1 else 1.0
    return [
        replace(
            one,
            name=f"{one.name} (as accuracy)",
            tag=f"{one.tag} (as accuracy)",
            role="metric",
            labels={**one.labels, "metric": "accuracy", "better": "higher"},
            reason=f"{whole:g} - {one.tag}",
            columns={"value": whole - one.columns["value"]},
        )
        for one in members
    ]
