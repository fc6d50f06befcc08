"""Totals that a writer does not log: the sum of the parts of a loss, where the parts are known to add up to it."""

import re
from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Series

PARTS = re.compile(r"^(?:train|val)/(box|cls|dfl|obj|seg|pose|kobj|om|giou|l1|sem)_(?:loss|om)$", re.IGNORECASE)
"""Tags of YOLOv5 and of Ultralytics. Their parts are logged after they were multiplied by their gains, and the total that is minimised
is their plain sum (ultralytics/utils/loss.py: `loss[0] *= self.hyp.box` …, then `loss.sum()`)."""

FEWEST = 2


def with_totals(series: Sequence[Series]) -> list[Series]:
    """The series, and one more for each split and directory in which parts of a detector's loss are logged and their sum is not.

    The parts must stand on the same steps. The sum is NaN where a part is.
    """
    there = {(one.part, one.labels.get("split")) for one in series if one.role == "loss"}
    groups: dict[tuple[str, str | None], list[Series]] = {}
    for one in series:
        if one.role == "loss_component" and one.kind == "scalar" and PARTS.match(one.tag):
            groups.setdefault((one.part, one.labels.get("split")), []).append(one)
    totals = [_total(members) for key, members in groups.items() if key not in there and _add_up(members)]
    return [*series, *totals]


def _add_up(members: Sequence[Series]) -> bool:
    first = members[0]
    return len(members) >= FEWEST and all(np.array_equal(one.steps, first.steps) for one in members)


def _total(members: Sequence[Series]) -> Series:
    first = members[0]
    labels = {key: first.labels[key] for key in ("split", "axis", "freq", "worker") if key in first.labels}
    tag = f"{first.tag.split('/')[0]}/loss (sum of {len(members)} parts)"
    return replace(
        first,
        name=f"{first.part}/{tag}" if first.part else tag,
        tag=tag,
        role="loss",
        labels={**labels, "metric": "loss", "better": "lower", "certainty": "pattern"},
        reason=f"sum of {', '.join(one.tag for one in members)}",
        columns={"value": np.sum([one.columns["value"] for one in members], axis=0)},
    )
