"""What labels and predictions say of each class, from pairs of both that were counted step by step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.store.tensors.class_ids import NONE, tally
from mlcheck.store.tensors.scratch import Floats, Ints

_MOST_CELLS = 2 * 10**8
"""Cells of all confusion matrices that are looked at."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of label and prediction of one step that occur, and how often each does."""

    truth: Ints
    """int64, shape (k,): the label."""
    guess: Ints
    times: Ints

    @classmethod
    def of(cls, labels: NDArray[np.int32], predictions: NDArray[np.int32]) -> "Pairs":
        """Of two arrays of class ids of one length; where one of them is no class there is no pair."""
        known = (labels != NONE) & (predictions != NONE)
        truth, guess = labels[known].astype(np.int64), predictions[known].astype(np.int64)
        if not len(truth):
            return cls(truth, truth, truth)
        # Both fit in 32 bits: one number for the pair.
        least = int(guess.min())
        width = int(guess.max()) - least + 1
        found, times = tally(truth * width + (guess - least))
        return cls(found // width, found % width + least, times)


def wrong_of(pairs: Pairs, classes: Ints) -> Floats:
    """float64, shape (classes,): how many labels of each class were predicted to be another. Classes ascend."""
    found = np.zeros(len(classes))
    missed = pairs.truth != pairs.guess
    np.add.at(found, np.searchsorted(classes, pairs.truth[missed]), pairs.times[missed])
    return found


@dataclass(frozen=True, eq=False)
class Confusion:
    """Confusion over steps, cumulated."""

    classes: Ints
    """int64, shape (c,), ascending: all that are a label or a prediction."""
    rows: Ints
    """int64: which of the steps given have a row. The last one has; where matrices are many and large, others are left out."""
    columns: dict[str, Floats]
    """float64, shape (rows, c): value (the recall), recall, precision, worst_row, worst_column, n, overall; NaN where nothing is
    divided by. `worst_row` is the largest share of the labels of a class that went to one other class, `worst_column` the largest
    share of the predictions of a class that belong to one other."""


def classes_of(steps: Sequence[Pairs]) -> Ints:
    """All classes that are a label or a prediction, ascending."""
    return np.unique(np.concatenate([np.empty(0, np.int64), *(np.union1d(one.truth, one.guess) for one in steps)]))


def confusion(steps: Sequence[Pairs], classes: Ints) -> Confusion:
    """Cumulate the pairs of all steps, in their order. `classes` as `classes_of` gives them; at least one step."""
    size = len(classes)
    most = max(10, _MOST_CELLS // max(size * size, 1))
    rows = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), most)).astype(np.int64))
    wanted = set(rows.tolist())
    matrix = np.zeros((size, size), dtype=np.int64)
    found = []
    for number, pairs in enumerate(steps):
        np.add.at(matrix, (np.searchsorted(classes, pairs.truth), np.searchsorted(classes, pairs.guess)), pairs.times)
        if number in wanted:
            found.append(_of_matrix(matrix))
    return Confusion(classes, rows, {name: np.array([one[name] for one in found]) for name in found[0]})


def _of_matrix(matrix: NDArray[np.int64]) -> dict[str, Floats]:
    right = np.diagonal(matrix)
    labels, guesses = matrix.sum(axis=1), matrix.sum(axis=0)
    elsewhere = matrix.copy()
    np.fill_diagonal(elsewhere, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = right / labels
        overall = np.float64(right.sum()) / np.float64(matrix.sum())
        return {
            "value": recall,
            "recall": recall,
            "precision": right / guesses,
            "worst_row": elsewhere.max(axis=1, initial=0) / labels,
            "worst_column": elsewhere.max(axis=0, initial=0) / guesses,
            "n": labels.astype(np.float64),
            "overall": np.full(len(matrix), overall),
        }
