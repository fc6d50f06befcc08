"""Dumps of embeddings for tests, and the definitions that retrieval is held against: full matrices, one query after the other."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlcheck.updates.table import PredictionTable
from tests.updates.dumps import table

Floats = NDArray[np.float64]


def vectors(values: Any) -> pa.Array:
    """Rows of an array as a fixed-size list column."""
    values = np.asarray(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def dump(path: str, values: Any, label: Any = None, **columns: Any) -> PredictionTable:
    """A dump of vectors."""
    given = {"embedding": vectors(values), **columns}
    return table(path, **(given if label is None else {**given, "label": pa.array(np.asarray(label))}))


def similarity(queries: Floats, gallery: Floats, kind: str) -> Floats:
    """All similarities, shape (n, m)."""
    queries, gallery = np.asarray(queries, dtype=np.float64), np.asarray(gallery, dtype=np.float64)
    if kind == "l2":
        return np.asarray(-((queries[:, None, :] - gallery[None, :, :]) ** 2).sum(axis=-1))
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(gallery, axis=1)[None, :]
    return np.asarray((queries @ gallery.T) / lengths)


def ranked(scores: Floats, own: int = -1) -> list[int]:
    """Places from the nearest on, the lower place first among equals, without the query itself."""
    return [place for place in sorted(range(len(scores)), key=lambda place: (-scores[place], place)) if place != own]


def recall(order: list[int], relevant: set[int], k: int) -> float:
    """1 where any of the first k is relevant."""
    return float(any(place in relevant for place in order[:k]))


def average_precision(order: list[int], relevant: set[int], depth: int | None = None) -> float:
    """Sum of the precisions at the relevant items among the first `depth`, over min(relevant, depth)."""
    cut = len(order) if depth is None else depth
    hits, total = 0, 0.0
    for rank, place in enumerate(order[:cut], start=1):
        if place in relevant:
            hits += 1
            total += hits / rank
    return total / min(len(relevant), cut)


def blobs(
    seed: int, classes: int = 12, count: int = 240, dimension: int = 8
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Vectors of an old and of a better new model in one space, and their labels."""
    random = np.random.default_rng(seed)
    label = random.integers(0, classes, count)
    means = random.standard_normal((classes, dimension))
    noise = random.standard_normal((count, dimension))
    old = means[label] + 1.2 * noise
    new = means[label] + 0.8 * noise + 0.2 * random.standard_normal((count, dimension))
    return old.astype(np.float32), new.astype(np.float32), label
