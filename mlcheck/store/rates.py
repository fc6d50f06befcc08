"""Accuracies of runs that log only what is wrong: `merror`, `top1_err` and `error_rate` are one minus an accuracy."""

import re
from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Series

_RATE = re.compile(
    r"(?:.*/)?(?:merror|(?:binary|multi)_error|(?:err|error|misclassification)_(?:rate|pct|percent|percentage)|misclassification"
    r"|(?:classification|cls|top_?1)_err(?:or)?|top1err)"
)
"""Labels `metric` of shares of wrong answers: of XGBoost and LightGBM, and as people call them."""
_PERCENT = 1.5
"""Shares lie below it; what goes beyond, up to a hundred, is in percent."""


def with_accuracies(series: Sequence[Series]) -> list[Series]:
    """The series, and the accuracy beside each share of wrong answers, where the run logs none.

    Rules ask for accuracies; so they judge both. Values outside of 0 to 1, or 0 to 100, are no shares.
    """
    if any(one.role == "metric" and "acc" in one.labels.get("metric", "") for one in series):
        return list(series)
    shares = [
        one
        for one in series
        if one.role == "error_metric" and one.kind == "scalar" and _RATE.fullmatch(one.labels.get("metric", ""))
    ]
    taken = {one.name for one in series}
    found = [made for one in shares if (made := _accuracy(one)) is not None and made.name not in taken]
    return [*series, *found]


def _accuracy(one: Series) -> Series | None:
    values = one.columns["value"]
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() < 0 or finite.max() > 100:
        return None
    whole = 100.0 if finite.max() > _PERCENT else 1.0
    return replace(
        one,
        name=f"{one.name} (as accuracy)",
        tag=f"{one.tag} (as accuracy)",
        role="metric",
        labels={**one.labels, "metric": "accuracy", "better": "higher"},
        reason=f"{whole:g} - {one.tag}",
        columns={"value": whole - values},
    )
