"""Several versions of an embedding model: queries by each later one in the galleries of all earlier ones (Biondi et al., CoReS)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.updates.retrieval_settings import Ties


def average_compatibility(matrix: NDArray[np.float64], ties: Ties = "compatible") -> float:
    """AC: share of the pairs j < i with matrix[i, j] >= matrix[j, j] (> where ties are violations).

    matrix: shape (t, t), the metric of queries by version i in the gallery of version j, for j <= i; the rest is not looked at. NaN for one
    version only, and where one of the values is NaN.
    """
    later, earlier = np.tril_indices(len(matrix), k=-1)
    cross, own = matrix[later, earlier], matrix[earlier, earlier]
    if not len(cross) or np.isnan(cross).any() or np.isnan(own).any():
        return float("nan")
    return float(np.mean(cross >= own if ties == "compatible" else cross > own))


def average_accuracy(matrix: NDArray[np.float64]) -> float:
    """AM: mean of matrix[i, j] over j <= i, the diagonal among them; a zero counts as one. matrix: see `average_compatibility`."""
    return float(np.mean(matrix[np.tril_indices(len(matrix))]))


def incompatible(matrix: NDArray[np.float64], ties: Ties = "compatible") -> list[tuple[int, int]]:
    """The pairs (i, j), j < i, that fail, ordered."""
    later, earlier = np.tril_indices(len(matrix), k=-1)
    cross, own = matrix[later, earlier], matrix[earlier, earlier]
    fails = cross < own if ties == "compatible" else ~(cross > own)
    return [(int(i), int(j)) for i, j in zip(later[fails], earlier[fails], strict=True)]


def pairs_of(versions: int) -> Sequence[tuple[int, int]]:
    """All (i, j) with j <= i."""
    return [(later, earlier) for later in range(versions) for earlier in range(later + 1)]
