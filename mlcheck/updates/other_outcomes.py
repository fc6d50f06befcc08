"""Outcomes where labels are sets of classes, or numbers with a tolerance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlcheck.updates.aliases import is_list
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.classes import sets_of
from mlcheck.updates.outcome import NO_LABELS, Outcomes, OutcomeSettings, labelled, refuse_changed
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def set_outcomes(old: PredictionTable, new: PredictionTable, settings: OutcomeSettings) -> Outcomes:
    """Outcomes of sets of classes: right is the whole set, and each class on its own beside. Raises ComparisonError."""
    import numpy as np

    for one in (old, new):
        for name in ("prediction", "label"):
            if one.has(name) and not is_list(one.table.schema.field(name).type):
                raise ComparisonError(
                    f"{one.path}: {one.named(name)!r} must hold a list in each row, as the other columns do"
                )
    if not (old.has("prediction") and new.has("prediction")):
        lacking = old if not old.has("prediction") else new
        raise ComparisonError(f"{lacking.path}: has no predictions; sets of classes need a list in each row")
    predicted = [sets_of(one, one.table.column("prediction")) for one in (old, new)]
    differs = np.array([a != b for a, b in zip(*predicted, strict=True)], dtype=bool)
    holders = labelled(old, new, settings)
    if not holders:
        return Outcomes(differs=differs, missing={"right": NO_LABELS})
    stated = [sets_of(one, one.table.column("label")) for one in holders]
    if len(stated) == 2:
        changed = np.array([a != b for a, b in zip(*stated, strict=True)], dtype=bool)
        refuse_changed(old, new, changed, [[sorted(one) for one in side] for side in stated])
    labels = stated[-1]
    right = [np.array([a == b for a, b in zip(side, labels, strict=True)], dtype=bool) for side in predicted]
    names = sorted(
        {name for row in labels for name in row} | {name for side in predicted for row in side for name in row}
    )
    members = [_membership(rows, names) for rows in (*predicted, labels)]
    by_label = {
        name: (members[0][:, place] == members[2][:, place], members[1][:, place] == members[2][:, place])
        for place, name in enumerate(names)
    }
    return Outcomes(
        old_right=right[0],
        new_right=right[1],
        differs=differs,
        judged=np.ones(len(labels), dtype=bool),
        by_label=by_label,
        missing={"label_score": "right is a whole set of classes", "top_score": "right is a whole set of classes"},
    )


def _membership(rows: Sequence[frozenset[str]], names: Sequence[str]) -> "NDArray[np.bool_]":
    import numpy as np

    place = {name: index for index, name in enumerate(names)}
    found = np.zeros((len(rows), len(names)), dtype=bool)
    for row, members in enumerate(rows):
        found[row, [place[name] for name in members]] = True
    return found


# Regression


def regression_outcomes(old: PredictionTable, new: PredictionTable, settings: OutcomeSettings) -> Outcomes:
    """Outcomes of numbers: right within the tolerance. Raises ComparisonError for numbers that are missing or not finite."""
    import numpy as np

    predicted = [_floats(one, "prediction") for one in (old, new)]
    if settings.tolerance is None:
        reason = "labels are numbers: say which error is right (a tolerance), in the unit of the label"
        return Outcomes(missing=dict.fromkeys(("right", "differs", "label_score", "top_score"), reason))
    missing = dict.fromkeys(("label_score", "top_score"), "labels are numbers, not classes")
    differs = np.abs(predicted[0] - predicted[1]) > settings.tolerance
    holders = labelled(old, new, settings)
    if not holders:
        return Outcomes(differs=differs, missing={**missing, "right": NO_LABELS})
    stated = [_floats(one, "label", empty=True) for one in holders]
    if len(stated) == 2:
        changed = ~np.isclose(stated[0], stated[1], rtol=1e-6, atol=0.0) & ~np.isnan(stated[0]) & ~np.isnan(stated[1])
        refuse_changed(old, new, changed, stated)
    labels = stated[0] if len(stated) == 1 else np.where(np.isnan(stated[0]), stated[1], stated[0])
    right = [np.abs(one - labels) <= settings.tolerance for one in predicted]
    return Outcomes(old_right=right[0], new_right=right[1], differs=differs, judged=~np.isnan(labels), missing=missing)


def _floats(table: PredictionTable, name: str, empty: bool = False) -> "NDArray[np.float64]":
    import numpy as np
    import pyarrow as pa

    if not table.has(name):
        raise ComparisonError(f"{table.path}: has no {name}; regression needs one number in each row")
    column = table.table.column(name)
    try:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    except pa.ArrowException:
        raise ComparisonError(
            f"{table.path}: {table.named(name)!r} must hold numbers; it holds {column.type}"
        ) from None
    bad = np.isinf(values) if empty else ~np.isfinite(values)
    if bad.any():
        ids = table.table.column("example_id").take(np.flatnonzero(bad)[:FIRST_OFFENDERS]).to_pylist()
        raise ComparisonError(
            f"{table.path}: {table.named(name)!r} is missing or not finite in {int(bad.sum()):,} of {len(values):,} joined rows: "
            f"{', '.join(str(one) for one in ids)}"
        )
    return values
