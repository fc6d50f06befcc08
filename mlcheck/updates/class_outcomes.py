"""Outcomes where labels are classes: the predicted one, one of the k highest, or what a threshold on a score says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.classes import (
    Space,
    as_names,
    column_names,
    hold_numbers,
    is_logit,
    score_column,
    score_matrix,
    space_of,
    stated_scores,
)
from mlcheck.updates.outcome import NO_LABELS, Outcomes, OutcomeSettings, labelled, refuse_changed
from mlcheck.updates.table import PredictionTable, class_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

POSITIVE_NAMES = ("1", "true", "True")
"""Names of the positive class of two, where nobody says which it is."""


@dataclass(frozen=True, eq=False)
class _Side:
    """One model."""

    predicted: "NDArray[np.int64]"
    top: "NDArray[np.int64] | None"
    """shape (n, k): the classes of the k highest scores."""
    disagreements: int | None


def class_outcomes(old: PredictionTable, new: PredictionTable, settings: OutcomeSettings, binary: bool) -> Outcomes:
    """Outcomes by class. binary: a threshold holds (0.5 where none is stated). Raises ComparisonError; see `outcomes_of`."""
    import numpy as np

    tables = (old, new)
    numeric = hold_numbers(tables)
    holders = labelled(old, new, settings)
    texts = [as_names(one, one.table.column("label"), numeric) for one in holders]
    stated = [as_names(one, one.table.column("prediction"), numeric) for one in tables if one.has("prediction")]
    more = [name for one in tables for name in _more_names(one)]
    space = space_of([*texts, *stated], more)
    columns = [space.numbers(one) for one in texts]
    labels = _agreed(old, new, columns, space)
    sides = [
        _side(one, space, settings, _threshold(one, told, assumed), binary, numeric)
        for one, told, assumed in zip(tables, settings.thresholds, settings.assumed_thresholds, strict=True)
    ]
    found = Outcomes(
        differs=sides[0].predicted != sides[1].predicted,
        disagreements={
            name: side.disagreements
            for name, side in zip(("old", "new"), sides, strict=True)
            if side.disagreements is not None
        },
        missing={
            f"{name}_disagreements": "the dump has no predictions beside scores of named classes"
            for name, side in zip(("old", "new"), sides, strict=True)
            if side.disagreements is None
        },
        classes=space.names,
    )
    if labels is None:
        return replace(found, missing={**found.missing, "right": NO_LABELS})
    known, unknown = _known_to(old, labels, space, settings)
    rights = [_right(side, labels, settings.top_k) for side in sides]
    found = replace(
        found, old_right=rights[0], new_right=rights[1], labels=labels, judged=known, new_class_examples=unknown
    )
    if settings.top_k > 1:
        found = replace(found, missing={**found.missing, "top_k": "right is a label among several predictions"})
    return _with_scores(found, tables, space, np.asarray(labels), settings)


def _more_names(table: PredictionTable) -> list[str]:
    names = column_names(table) if score_column(table) else class_names(table)
    return [*names, *([] if names else _top_names(table))]


def _top_names(table: PredictionTable) -> list[str]:
    import pyarrow.compute as pc

    if not table.has("topk_index"):
        return []
    return [str(one) for one in pc.unique(pc.list_flatten(table.table.column("topk_index"))).to_pylist()]


def _agreed(
    old: PredictionTable, new: PredictionTable, columns: "Sequence[NDArray[np.int64]]", space: Space
) -> "NDArray[np.int64] | None":
    """One label for each example; where one dump has none, that of the other."""
    import numpy as np

    if not columns:
        return None
    if len(columns) == 1:
        return columns[0]
    one, other = columns
    changed = (one != other) & (one >= 0) & (other >= 0)
    if changed.any():
        names = np.array([*space.names, ""], dtype=object)
        refuse_changed(old, new, changed, (names[one], names[other]))
    return np.where(one >= 0, one, other)


def _known_to(
    old: PredictionTable, labels: "NDArray[np.int64]", space: Space, settings: OutcomeSettings
) -> "tuple[NDArray[np.bool_], int]":
    """Which examples have a label that the old model knows, and how many have one that it does not."""
    import numpy as np
    import pyarrow as pa

    there = labels >= 0
    names = class_names(old)
    if not names or settings.new_classes == "keep":
        return there, 0
    known = np.isin(labels, space.numbers(pa.array(names, pa.string())))
    return there & known, int((there & ~known).sum())


def _side(
    table: PredictionTable,
    space: Space,
    settings: OutcomeSettings,
    threshold: float | None,
    binary: bool,
    numeric: bool,
) -> _Side:
    import numpy as np

    top = _top(table, space, settings.top_k)
    alone = not table.has("prediction") and top is None
    if threshold is not None or binary or (alone and _score_of(table, settings) == "positive"):
        return _Side(_thresholded(table, space, settings, 0.5 if threshold is None else threshold), None, None)
    if table.has("prediction"):
        text = as_names(table, table.table.column("prediction"), numeric)
        if text.null_count:
            raise ComparisonError(
                f"{table.path}: {text.null_count:,} of {len(text):,} joined rows have no {table.named('prediction')!r}; "
                "write what the model answered, or leave these examples out of both dumps"
            )
        predicted = space.numbers(text)
        highest = top[:, 0] if top is not None and _comparable(table, text) else None
        return _Side(predicted, top, None if highest is None else int((highest != predicted).sum()))
    if top is None:
        hint = (
            "; of a binary model with `score`, say its threshold (and score_of: positive)" if table.has("score") else ""
        )
        raise ComparisonError(f"{table.path}: has neither predictions nor scores of classes{hint}")
    return _Side(np.ascontiguousarray(top[:, 0]), top, None)


def _comparable(table: PredictionTable, predictions: "pa.Array") -> bool:
    """Whether places in the scores are named as predictions are: by class_names, else by numbers."""
    import pyarrow.compute as pc

    if class_names(table):
        return True
    return bool(pc.all(pc.utf8_is_digit(predictions), min_count=0).as_py())


def _top(table: PredictionTable, space: Space, k: int) -> "NDArray[np.int64] | None":
    """The classes of the k highest scores, highest first, shape (n, k); of equal ones the first column."""
    import numpy as np
    import pyarrow.compute as pc

    if score_column(table):
        values = stated_scores(table)
        columns = space.of_columns(table)
        if k == 1:
            return np.asarray(columns[values.argmax(axis=1)])[:, None]
        return np.asarray(columns[np.argsort(-values, axis=1, kind="stable")[:, :k]])
    if not table.has("topk_index"):
        return None
    lengths = pc.unique(pc.list_value_length(table.table.column("topk_index"))).to_pylist()
    if len(lengths) != 1 or lengths[0] is None or lengths[0] < k:
        raise ComparisonError(f"{table.path}: topk_index must hold {k} classes or more in each row, as many in all")
    flat = pc.list_flatten(table.table.column("topk_index"))
    found = space.numbers(as_names(table, flat)).reshape(-1, lengths[0])
    return found[:, :k]


def _score_of(table: PredictionTable, settings: OutcomeSettings) -> str:
    return settings.score_of or table.metadata.get("score_of", "")


def _threshold(table: PredictionTable, told: float | None, assumed: float | None) -> float | None:
    if told is not None:
        return told
    stated = table.metadata.get("threshold")
    if stated is None:
        return assumed
    try:
        return float(stated)
    except ValueError:
        raise ComparisonError(f"{table.path}: its threshold {stated!r} is no number") from None


def _thresholded(
    table: PredictionTable, space: Space, settings: OutcomeSettings, threshold: float
) -> "NDArray[np.int64]":
    import numpy as np

    positive, negative = _two(table, space, settings)
    scores = _positive_score(table, settings, space.names[positive])
    return np.where(scores >= threshold, positive, negative)


def _two(table: PredictionTable, space: Space, settings: OutcomeSettings) -> tuple[int, int]:
    """Numbers of the positive and the negative class."""
    names = class_names(table)
    if len(space.names) != 2:
        raise ComparisonError(
            f"{table.path}: a threshold needs two classes; there are {len(space.names)}: {', '.join(space.names[:5])}"
        )
    named = settings.positive or (names[1] if len(names) == 2 else "")
    named = named or next((one for one in POSITIVE_NAMES if one in space.names), "")
    if named not in space.names:
        raise ComparisonError(f"{table.path}: say which class is positive: {space.names[0]} or {space.names[1]}")
    place = space.names.index(named)
    return place, 1 - place


def _positive_score(table: PredictionTable, settings: OutcomeSettings, name: str) -> "NDArray[np.float64]":
    import numpy as np

    if score_column(table):
        return score_matrix(table)[:, column_names(table).index(name)].astype(np.float64)
    meaning = _score_of(table, settings)
    if not table.has("score") or meaning == "prediction":
        raise ComparisonError(f"{table.path}: a threshold needs `score`, the score of the positive class")
    return np.asarray(table.table.column("score").to_numpy(), dtype=np.float64)


def _right(side: _Side, labels: "NDArray[np.int64]", k: int) -> "NDArray[np.bool_]":
    import numpy as np

    if k == 1 or side.top is None:
        return np.asarray(side.predicted == labels)
    return np.asarray((side.top == labels[:, None]).any(axis=1))


# Scores of labels


def _with_scores(
    found: Outcomes,
    tables: tuple[PredictionTable, PredictionTable],
    space: Space,
    labels: "NDArray[np.int64]",
    settings: OutcomeSettings,
) -> Outcomes:
    own, why = _probabilities([_label_score(one, space, labels) for one in tables], tables)
    top, top_why = _probabilities([_top_score(one, settings) for one in tables], tables)
    missing = dict(found.missing)
    if why or any(one is None for one in own):
        missing["label_score"] = why or "a dump has neither scores of all classes nor label_score"
    if top_why or any(one is None for one in top):
        missing["top_score"] = top_why or "a dump has neither scores of all classes nor the score of its prediction"
    return replace(
        found,
        old_label_score=own[0],
        new_label_score=own[1],
        old_top_score=top[0],
        new_top_score=top[1],
        missing=missing,
    )


SLACK = 1e-4
"""Of a probability that was rounded."""


def _probabilities(
    scores: "Sequence[NDArray[np.float64] | None]", tables: Sequence[PredictionTable]
) -> "tuple[list[NDArray[np.float64] | None], str]":
    """The scores of both tables where they lie between 0 and 1; else none, and why."""
    import numpy as np

    for one, table in zip(scores, tables, strict=True):
        known = np.empty(0) if one is None else one[~np.isnan(one)]
        if len(known) and (known.min() < -SLACK or known.max() > 1 + SLACK):
            low, high = float(known.min()), float(known.max())
            return (
                [None, None],
                f"the scores of {table.path} are no probabilities: from {low:.3g} to {high:.3g}; if they are logits, say so in score_kind",
            )
    return list(scores), ""


def _label_score(table: PredictionTable, space: Space, labels: "NDArray[np.int64]") -> "NDArray[np.float64] | None":
    import numpy as np
    import pyarrow.compute as pc

    if table.has("label_score"):
        return np.asarray(table.table.column("label_score").to_numpy(), dtype=np.float64)
    rows = np.arange(len(labels))
    if score_column(table):
        column = np.full(len(space.names) + 1, -1)
        own = space.of_columns(table)
        column[own[own >= 0]] = np.flatnonzero(own >= 0)
        place = column[labels]
        return np.where(place >= 0, score_matrix(table)[rows, place].astype(np.float64), np.nan)
    if table.has("topk_index", "topk_score") and not is_logit(table):
        top = space.numbers(as_names(table, pc.list_flatten(table.table.column("topk_index"))))
        scores = np.asarray(pc.list_flatten(table.table.column("topk_score")).to_numpy(), dtype=np.float64)
        if len(top) != len(scores):
            raise ComparisonError(
                f"{table.path}: topk_index and topk_score hold {len(top):,} and {len(scores):,} values"
            )
        hit = top.reshape(len(labels), -1) == labels[:, None]
        return np.where(hit.any(axis=1), scores.reshape(hit.shape)[rows, hit.argmax(axis=1)], np.nan)
    return None


def _top_score(table: PredictionTable, settings: OutcomeSettings) -> "NDArray[np.float64] | None":
    import numpy as np
    import pyarrow.compute as pc

    if score_column(table):
        return np.asarray(score_matrix(table).max(axis=1), dtype=np.float64)
    if table.has("topk_score") and not is_logit(table):
        return np.asarray(pc.list_element(table.table.column("topk_score"), 0).to_numpy(), dtype=np.float64)
    if table.has("score") and _score_of(table, settings) == "prediction":
        return np.asarray(table.table.column("score").to_numpy(), dtype=np.float64)
    return None
