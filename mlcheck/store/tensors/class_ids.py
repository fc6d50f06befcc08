"""Labels and predictions to class ids: which of the usual forms a tensor has."""

import math

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.store.tensors.scratch import Ints, Values

IGNORED = -100
"""The label that PyTorch's losses leave out (torch.nn.CrossEntropyLoss, ignore_index)."""
NONE = np.iinfo(np.int32).min
"""Stands for what is no class: an ignored label, a NaN."""
_CLOSE = 65_536
_LARGEST = np.iinfo(np.int32).max


class NoClasses(Exception):
    """The values are no classes; the argument says why, or is empty where that is plain (targets of a regression)."""


@dataclass(frozen=True, eq=False)
class ClassIds:
    """Class ids of one tensor."""

    ids: NDArray[np.int32]
    """int32, shape (n,)."""
    shape: tuple[int, ...]
    """Of what was classified: (n,), or more axes where each position of a sample is."""
    classes: int | None = None
    """Number of classes where ids are places in a row of scores; a threshold has 2. None where they are stated."""
    form: str = "ids"
    """ids or one-hot."""


def label_ids(values: Values, form: str | None = None) -> ClassIds:
    """Class ids of labels: whole numbers (n,), (n, 1) or of more axes, or one-hot rows (n, classes).

    `form` is that of the tensor at its first step, where this is not the first. Raises NoClasses for fractions, for numbers beyond
    int32, and for rows that name several classes or none.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if form != "ids" and values.ndim == 2 and values.size and _is_binary(values):
        if not _is_one_hot(values):
            raise NoClasses("rows that name several classes or none")
        return ClassIds(_places(values), (len(values),), values.shape[1], "one-hot")
    if form == "one-hot" and values.size:
        raise NoClasses("one-hot at first, then not")
    return ClassIds(_whole(values), values.shape or (1,))


def prediction_ids(values: Values) -> ClassIds:
    """Class ids of predictions: stated as integers, probabilities (n,) or (n, 1), or scores (…, classes) of which the largest wins.

    Raises NoClasses for other numbers.
    """
    if values.ndim > 1 and values.shape[-1] == 1:
        values = values[..., 0]
    scores = values.ndim > 1 and (values.dtype.kind == "f" or (values.ndim == 2 and _is_one_hot(values)))
    if scores:
        rows = values.reshape(-1, values.shape[-1]) if values.size else np.empty((math.prod(values.shape[:-1]), 0))
        return ClassIds(_places(rows), values.shape[:-1], values.shape[-1])
    try:
        return ClassIds(_whole(values), values.shape or (1,))
    except NoClasses:
        if not ((values >= 0) & (values <= 1)).all():
            raise
    return ClassIds((values > 0.5).astype(np.int32).reshape(-1), values.shape or (1,), 2)


def _is_one_hot(rows: Values) -> bool:
    return _is_binary(rows) and bool((np.count_nonzero(rows, axis=1) == 1).all())


def _is_binary(values: Values) -> bool:
    return values.dtype == np.bool_ or bool(((values == 0) | (values == 1)).all())


def _places(rows: Values) -> NDArray[np.int32]:
    """Place of the largest score in each row; a row with a NaN names no class."""
    if not rows.size:
        return np.full(len(rows), NONE, dtype=np.int32)
    places = np.argmax(rows, axis=1)
    ids: NDArray[np.int32] = places.astype(np.int32)
    if rows.dtype.kind == "f":
        # numpy's argmax of a row with a NaN is the place of the NaN.
        ids[np.isnan(rows[np.arange(len(rows)), places])] = NONE
    return ids


def _whole(values: Values) -> NDArray[np.int32]:
    flat = values.reshape(-1)
    known = np.isfinite(flat)
    if flat.dtype.kind == "f" and not (np.rint(flat[known]) == flat[known]).all():
        raise NoClasses("")
    if known.any() and (int(flat[known].max()) > _LARGEST or int(flat[known].min()) <= NONE):
        raise NoClasses("numbers too large for classes")
    ids = np.full(len(flat), NONE, dtype=np.int32)
    ids[known] = flat[known]
    ids[ids == IGNORED] = NONE
    return ids


def counted(ids: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """The classes that occur, ascending, and how often each does; both int64."""
    return tally(ids[ids != NONE].astype(np.int64))


def tally(numbers: Ints) -> tuple[Ints, Ints]:
    """The numbers that occur, ascending, and how often each does; both int64. Without sorting where they lie close together."""
    if not len(numbers):
        return numbers, numbers
    least, most = int(numbers.min()), int(numbers.max())
    if most - least > max(_CLOSE, len(numbers)):
        found, times = np.unique(numbers, return_counts=True)
        return found, times.astype(np.int64)
    times = np.bincount(numbers - least)
    occur = np.flatnonzero(times)
    return (occur + least).astype(np.int64), times[occur].astype(np.int64)
