"""The vectors of one model in the form in which a dot product is their similarity, whatever the similarity is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.updates.retrieval_settings import Similarity

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int64]

ROWS_AT_ONCE = 16_384
"""Rows that are converted at once where all of them are needed."""


@dataclass(frozen=True, eq=False)
class Space:
    """Vectors as they stand in the dump; blocks of them are converted when they are needed."""

    values: NDArray[Any]
    """Any floating type, shape (n, dimension), all finite."""
    similarity: Similarity
    norms: Floats
    """Euclidean length of each, float64, shape (n,); under cosine none is 0."""

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return int(self.values.shape[1])

    def vectors(self, rows: Rows) -> Floats:
        """Rows as float64, shape (len(rows), dimension); of length 1 under cosine."""
        found = self.values[rows].astype(np.float64)
        if self.similarity == "cosine":
            found /= self.norms[rows][:, None]
        return found

    def centre(self, rows: Rows) -> Floats:
        """What to shift vectors by before squared distances are made of products, float64, shape (dimension,).

        The mean of rows where it is long against their spread, so that little is lost by the subtraction; else, and under cosine, zeros.
        """
        total, squares = np.zeros(self.dimension), 0.0
        if self.similarity == "cosine" or not len(rows):
            return total
        for start in range(0, len(rows), ROWS_AT_ONCE):
            block = rows[start : start + ROWS_AT_ONCE]
            total += self.values[block].astype(np.float64).sum(axis=0)
            squares += float((self.norms[block] ** 2).sum())
        mean = total / len(rows)
        spread = squares / len(rows) - float(mean @ mean)
        return mean if mean @ mean > spread else np.zeros(self.dimension)

    def as_queries(self, rows: Rows, centre: Floats) -> Singles:
        """Left factors: `as_queries(...) @ gallery.as_gallery(...).T` is the similarity; float32, shape (len(rows), factors).

        Cosine: the cosine. L2: minus the squared distance, -|q|² - |g|² + 2qg, with both shifted by the centre of the gallery: distances
        stay as they are, and less is lost by the subtraction.
        """
        if self.similarity == "cosine":
            return self._of_length_one(rows)
        shifted = self.values[rows].astype(np.float64) - centre
        squares = np.einsum("ij,ij->i", shifted, shifted)[:, None]
        return np.hstack([2 * shifted, -squares, np.full_like(squares, -1.0)]).astype(np.float32)

    def as_gallery(self, rows: Rows, centre: Floats) -> Singles:
        """Right factors, see `as_queries`."""
        if self.similarity == "cosine":
            return self._of_length_one(rows)
        shifted = self.values[rows].astype(np.float64) - centre
        squares = np.einsum("ij,ij->i", shifted, shifted)[:, None]
        return np.hstack([shifted, np.ones_like(squares), squares]).astype(np.float32)

    def _of_length_one(self, rows: Rows) -> Singles:
        found = self.values[rows].astype(np.float32)
        found *= (1.0 / self.norms[rows]).astype(np.float32)[:, None]
        return found


def make_space(values: NDArray[Any], similarity: Similarity) -> Space:
    """A space of vectors, shape (n, dimension)."""
    norms = np.empty(len(values))
    for start in range(0, len(values), ROWS_AT_ONCE):
        block = values[start : start + ROWS_AT_ONCE].astype(np.float64)
        norms[start : start + ROWS_AT_ONCE] = np.sqrt(np.einsum("ij,ij->i", block, block))
    return Space(values, similarity, norms)


def similarities(queries: Space, query_rows: Rows, gallery: Space, gallery_rows: Rows) -> Floats:
    """Similarity of each query with items of its own, in float64; query_rows (n,), gallery_rows (n, m), result (n, m).

    Equal vectors give equal numbers, wherever they stand: a matrix product does not promise that.
    """
    found = np.empty(gallery_rows.shape)
    width = max(1, gallery_rows.shape[1] * queries.dimension)
    at_once = max(1, 4_000_000 // width)
    for start in range(0, len(query_rows), at_once):
        stop = start + at_once
        one = queries.values[query_rows[start:stop]].astype(np.float64)[:, None, :]
        others = gallery.values[gallery_rows[start:stop]].astype(np.float64)
        if queries.similarity == "l2":
            others -= one
            found[start:stop] = -np.einsum("nmd,nmd->nm", others, others)
        else:
            found[start:stop] = np.einsum("nod,nmd->nm", one, others)
            found[start:stop] /= (
                queries.norms[query_rows[start:stop]][:, None] * gallery.norms[gallery_rows[start:stop]]
            )
    return found
