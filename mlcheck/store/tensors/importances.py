"""The importance of features as they are dumped by hand: a vector of all features, or a tensor of one value for each.

`feature_importance/gain` of shape (features,), `feature_importances`, `feature_importance/age` of shape () or (1,): as scikit-learn's
`feature_importances_` and what XGBoost and LightGBM give are written to a file.
"""

import re

import numpy as np

from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.scratch import Values

MOST_FEATURES = 10_000
"""A longer vector is no list of features, but something else under their name."""
_KINDS = "gain|weight|split|cover|total_gain|total_cover|permutation|shap"
_NAME = re.compile(
    rf"(?:^|[/.])feature[ _-]?importances?_?(?:[/.:](?P<kind>{_KINDS}))?(?:[/.:](?P<feature>[^/]{{1,200}}))?$",
    re.IGNORECASE,
)
_USUAL = "gain"
"""What rules ask for, and what is meant where nothing else is said: `feature_importances_` of scikit-learn is a gain."""


def named(tag: str) -> tuple[str, str | None] | None:
    """The kind of importance and the feature that a tensor's name states; None for the name of anything else."""
    # A dump has twenty thousand names, of which none may be one of these.
    if "mportance" not in tag and "IMPORTANCE" not in tag:
        return None
    found = _NAME.search(tag)
    return ((found["kind"] or _USUAL).lower(), found["feature"]) if found else None


class Importances:
    """Takes the tensors whose names say that they hold the importance of features."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str | None, str | None], tuple[list[int], list[float], list[float]]] = {}

    def add(self, tag: str, hints: Hints, step: int, wall_time: float, values: Values) -> None:
        """One step of a tensor that `named` knows: one value, or one for each feature; what has another form is left out."""
        known = named(tag)
        if known is None or values.size > MOST_FEATURES or values.ndim > 1 + (values.size == 1):
            return
        kind, feature = known
        if feature is not None and values.size != 1:
            return
        names = [feature] if feature is not None else [f"f{place}" for place in range(values.size)]
        for name, value in zip(names, values.reshape(-1).astype(np.float64).tolist(), strict=True):
            rows = self._found.setdefault((kind, name, hints.mode, hints.worker), ([], [], []))
            rows[0].append(step)
            rows[1].append(wall_time)
            rows[2].append(value)

    def series(self) -> tuple[RawSeries, ...]:
        """The facts `feature_importance`: one for each feature, with the labels feature and group, its kind."""
        return tuple(
            RawSeries(
                f"feature_importance/{kind}/{feature}",
                "fact",
                np.array(steps, dtype=np.int64),
                np.array(walls, dtype=np.float64),
                {"value": np.array(values, dtype=np.float64)},
                Hints(
                    collection="feature_importance",
                    mode=mode,
                    worker=worker,
                    labels=(("feature", feature), ("group", kind)),
                ),
            )
            for (kind, feature, mode, worker), (steps, walls, values) in self._found.items()
        )
