"""What each model did on each joined example: right or wrong, the same or not, how sure of the label. Settings, and whose labels hold."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mlcheck.records import dataclass, field
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_LABELS = "neither dump has labels"


@dataclass(frozen=True)
class OutcomeSettings:
    """What counts as right, and as the same."""

    task: Literal["auto", "classes", "binary", "sets", "regression"] = "auto"
    """auto: regression where labels or predictions are not whole numbers, sets where they are lists, else classes. binary: the predicted
    class is told by `score` and a threshold."""
    top_k: int = 1
    """Right is a label among the k highest scores."""
    thresholds: tuple[float | None, float | None] = (None, None)
    """Decision thresholds on the score of the positive class, of the old model and of the new one; none: `threshold` in the metadata, else
    the column `prediction`."""
    assumed_thresholds: tuple[float | None, float | None] = (None, None)
    """The same where neither `thresholds` nor the dump says it."""
    positive: str = ""
    """Name of the positive class of two; empty: the second of class_names, else 1 or true."""
    score_of: Literal["", "positive", "prediction"] = ""
    """What `score` is of: the positive class of two, or the predicted class. Empty: `score_of` in the metadata."""
    tolerance: float | None = None
    """Regression: right is an absolute error of at most so much, in the unit of the label; the same, a difference of at most so much."""
    labels_from: Literal["both", "old", "new"] = "both"
    """Where labels come from. both: they must agree."""
    new_classes: Literal["leave out", "keep"] = "leave out"
    """Examples of a class that the old model's class_names lack: the old model cannot be right there (Yan et al. leave them out)."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """shape (n,) each. None: not known, with the reason in `missing`."""

    old_right: "NDArray[np.bool_] | None" = None
    new_right: "NDArray[np.bool_] | None" = None
    differs: "NDArray[np.bool_] | None" = None
    """The predictions are not the same."""
    old_label_score: "NDArray[np.float64] | None" = None
    """Probability of the label; NaN where it is not known."""
    new_label_score: "NDArray[np.float64] | None" = None
    old_top_score: "NDArray[np.float64] | None" = None
    """Highest probability."""
    new_top_score: "NDArray[np.float64] | None" = None
    judged: "NDArray[np.bool_] | None" = None
    """Examples with a label that the old model knows; None where there are no labels."""
    labels: "NDArray[np.int64] | None" = None
    """Number of the label in `classes`; -1: none."""
    classes: tuple[str, ...] = ()
    by_label: "Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]" = field(default_factory=dict)
    """Sets of classes: for each class, whether each model is right about it."""
    disagreements: Mapping[str, int] = field(default_factory=dict)
    """`old`, `new`: rows whose highest score is not of the stated prediction."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """`right`, `differs`, `label_score`, `top_score`, `old_disagreements`, `new_disagreements`: why they are not known."""
    new_class_examples: int = 0
    """Examples of classes that the old model does not know."""

    def __len__(self) -> int:
        known = next((one for one in (self.old_right, self.differs) if one is not None), None)
        return 0 if known is None else len(known)


def labelled(old: PredictionTable, new: PredictionTable, settings: OutcomeSettings) -> list[PredictionTable]:
    """The tables whose labels count; empty: there are none. Raises ComparisonError where the one asked for has none."""
    named = {"old": [old], "new": [new], "both": [old, new]}[settings.labels_from]
    there = [one for one in named if one.has("label")]
    if settings.labels_from != "both" and not there:
        raise ComparisonError(f"{named[0].path}: has no labels; labels from {settings.labels_from} cannot be taken")
    return there


def refuse_changed(
    old: PredictionTable, new: PredictionTable, changed: "NDArray[np.bool_]", values: Sequence[Any]
) -> None:
    """Raise ComparisonError with the count and the first examples where labels differ. changed: shape (n,); values: both, by row."""
    import numpy as np

    rows = np.flatnonzero(changed)
    if not len(rows):
        return
    first = rows[:FIRST_OFFENDERS]
    ids = old.table.column("example_id").take(first).to_pylist()
    pairs = [f"{one} ({values[0][row]} against {values[1][row]})" for one, row in zip(ids, first, strict=True)]
    raise ComparisonError(
        f"{old.path} and {new.path}: the labels of {len(rows):,} of {len(changed):,} joined examples differ: {', '.join(pairs)}"
        f"{' …' if len(rows) > len(first) else ''}; say whose labels hold (labels from old or new) if the data were relabelled"
    )
