"""A similarity threshold that was set for the old model, kept for the new one (updates.md §1.4, threshold transfer)."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlcheck.updates.base import Measure
from mlcheck.updates.bootstrap import intervals
from mlcheck.updates.clustered import Facts, ratio
from mlcheck.updates.compatibility import BOUNDS, CROSS, NEW, NO_RELEVANT, OLD, Context, cells_of_queries
from mlcheck.updates.trial import Pairing
from mlcheck.updates.verification import Accepted, Verified

TRANSFERRED: Mapping[str, Pairing] = {"new queries in the old gallery": CROSS, "new queries in the new gallery": NEW}
"""Where the old threshold may be kept, as the label `group` has it."""
RATES = ("true_accept_rate", "true_accept_change", "false_accept_rate", "false_accept_ratio")


def measure_thresholds(verified: Verified, rate: float, context: Context) -> list[Measure]:
    """What the old threshold accepts of (new, old) and of (new, new), and BCT's pairwise definition as two shares."""
    found = []
    for group, pairing in TRANSFERRED.items():
        absent = context.absent.get("cross_test" if pairing == CROSS else "new_self_test", "it was not measured")
        why = verified.insufficient.get(rate) or absent
        facts = Facts({"threshold_queries": float(verified.queries), "impostor_pairs": float(verified.impostors)})
        facts.put_all({"target_false_accept_rate": rate, "confidence": context.bootstrap.confidence})
        if context.heterogeneous and pairing == NEW:
            why = "in heterogeneous search the new model embeds no gallery"
        if pairing in verified.at_old and not (context.heterogeneous and pairing == NEW):
            _put(facts, verified.at_old[OLD], verified.at_old[pairing], rate, context)
        else:
            names = [f"{name}{bound}" for name in RATES for bound in BOUNDS]
            facts.undefined.update(dict.fromkeys(["threshold", "true_accept_rate_old", *names], why))
        found.append(
            Measure(
                role="retrieval_compatibility",
                name=f"threshold/{group}{context.suffix}",
                columns=facts.columns,
                undefined=facts.undefined,
                labels={**context.labels, "group": group},
                headline=("true_accept_rate_old", "true_accept_rate", "target_false_accept_rate", "false_accept_rate"),
            )
        )
    return [*found, _pairwise(verified, context)]


def _put(facts: Facts, old: Accepted, now: Accepted, rate: float, context: Context) -> None:
    sums = [old.genuine.amounts, now.genuine.amounts, now.genuine.out_of, now.impostor.amounts, now.impostor.out_of]
    facts.put("threshold", old.threshold)
    facts.put("true_accept_rate_old", old.genuine.value, NO_RELEVANT)

    def statistics(drawn: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        accepted, kept = ratio(drawn[:, 0], drawn[:, 2]), ratio(drawn[:, 1], drawn[:, 2])
        falsely = ratio(drawn[:, 3], drawn[:, 4])
        return dict(zip(RATES, (kept, kept - accepted, falsely, falsely / rate), strict=True))

    taken = now.genuine.out_of + now.impostor.out_of
    bounds, why = intervals(*cells_of_queries(sums, taken, context), statistics, context.bootstrap)
    for name, value in statistics(np.array([[one.sum() for one in sums]])).items():
        facts.put(name, float(value[0]), NO_RELEVANT)
        low, high = bounds.get(name, (math.nan, math.nan)) if name in facts.columns else (math.nan, math.nan)
        facts.put_interval(name, low, high, facts.undefined.get(name) or why.get(name, "no interval"))


def _pairwise(verified: Verified, context: Context) -> Measure:
    """New-to-old no farther than old-to-old in pairs of a query and a relevant item, and no nearer in the others."""
    facts = Facts()
    why = context.absent.get("cross_test", "there are no such pairs")
    facts.put("same_no_farther", verified.same_kept, why)
    facts.put("others_no_nearer", verified.other_kept, why)
    return Measure(
        role="retrieval_metrics",
        name=f"pairs{context.suffix}",
        columns=facts.columns,
        undefined=facts.undefined,
        labels=context.labels,
        headline=("same_no_farther", "others_no_nearer"),
    )
