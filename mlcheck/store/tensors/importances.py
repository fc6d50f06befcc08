"""The importance of features, as facts: of a model's trees, and as it is dumped by hand.

By hand it is a vector of all features (`feature_importance/gain` of shape (features,), `feature_importances_` of scikit-learn) or a tensor
of one value for each (`feature_importance/age` of shape () or (1,)); roles.toml knows the names.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.scratch import Values

ROLE = "feature_importance"
MOST_FEATURES = 10_000
"""A longer vector is no list of features, but something else under their name."""
_USUAL = "gain"
"""What rules ask for, and what is meant where nothing else is said: `feature_importances_` of scikit-learn is a gain."""


def importance(
    group: str,
    feature: str,
    steps: Sequence[int],
    values: Sequence[float],
    wall_times: Sequence[float] | None = None,
    hints: Hints | None = None,
) -> RawSeries:
    """The importance of one feature over rounds or steps, in the column `value`; mode and worker are those of `hints`."""
    known = np.full(len(steps), np.nan) if wall_times is None else np.array(wall_times, dtype=np.float64)
    return RawSeries(
        f"{ROLE}/{group}/{feature}",
        "fact",
        np.array(steps, dtype=np.int64),
        known,
        {"value": np.array(values, dtype=np.float64)},
        Hints(
            collection=ROLE,
            mode=hints.mode if hints else None,
            worker=hints.worker if hints else None,
            labels=(("feature", feature), ("group", group)),
        ),
    )


class Importances:
    """Takes the tensors whose role is the importance of features."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Hints], tuple[list[int], list[float], list[float]]] = {}

    def add(
        self, tag: str, labels: Mapping[str, str], hints: Hints, step: int, wall_time: float, values: Values
    ) -> None:
        """One step of a tensor with its labels: one value, or one for each feature. What has another form is left out."""
        feature = labels.get("feature")
        if values.size > MOST_FEATURES or (values.size != 1 and (values.ndim != 1 or feature is not None)):
            return
        lone = values.size == 1
        names = [feature or tag.rpartition("/")[2]] if lone else [f"f{place}" for place in range(values.size)]
        for name, value in zip(names, values.reshape(-1).astype(np.float64).tolist(), strict=True):
            steps, walls, found = self._found.setdefault((labels.get("group", _USUAL), name, hints), ([], [], []))
            steps.append(step)
            walls.append(wall_time)
            found.append(value)

    def series(self) -> tuple[RawSeries, ...]:
        """The facts `feature_importance`: one for each feature, with the labels feature and group, the kind of importance."""
        return tuple(
            importance(group, feature, steps, values, walls, hints)
            for (group, feature, hints), (steps, walls, values) in self._found.items()
        )
