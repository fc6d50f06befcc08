"""Working memory for one block of values, and sums over the rows of a block.

A block is at most `PIECE` values: with its float64 copy and two temporaries it stays in a core's second cache (2 MB).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Values = NDArray[Any]
"""An array of any numeric or bool dtype."""

PIECE = 65_536
"""Values in a block."""

# OpenBLAS gives a product of longer vectors to all cores, which here would be in each other's way.
_LONGEST_PRODUCT = 8_192


class Scratch:
    """Three float64 buffers and a mask of `PIECE` values, used again for every block. The third is touched for float64 data only."""

    def __init__(self) -> None:
        self._wide = np.empty(PIECE)
        self._other = np.empty(PIECE)
        self._third = np.empty(PIECE)
        self._mask = np.empty(PIECE, dtype=np.bool_)

    def widen(self, source: Values) -> Floats:
        """The values as float64, in the same shape: the source itself where it is float64, else the first buffer."""
        return _widened(source, self._wide)

    def widen_before(self, source: Values) -> Floats:
        """The same for the values of the step before, in the second buffer."""
        return _widened(source, self._other)

    def other(self, shape: tuple[int, ...]) -> Floats:
        """The second buffer."""
        return _shaped(self._other, shape)

    def third(self, shape: tuple[int, ...]) -> Floats:
        """The third buffer."""
        return _shaped(self._third, shape)

    def mask(self, shape: tuple[int, ...]) -> Bools:
        """A bool temporary of that shape."""
        size = math.prod(shape)
        return self._mask[:size].reshape(shape) if size <= PIECE else np.empty(shape, dtype=np.bool_)


def _widened(source: Values, buffer: Floats) -> Floats:
    if source.dtype == np.float64:
        return source
    wide = _shaped(buffer, source.shape)
    np.copyto(wide, source, casting="same_kind")
    return wide


def _shaped(buffer: Floats, shape: tuple[int, ...]) -> Floats:
    size = math.prod(shape)
    return buffer[:size].reshape(shape) if size <= PIECE else np.empty(shape)


def sums(rows: Floats) -> Floats:
    """float64, shape (rows,): the sum of each row of a 2-D block. Twice as fast as numpy's own for few long and many short rows."""
    return np.einsum("ij->i", rows)  # type: ignore[no-any-return]


def dots(left: Floats, right: Floats) -> Floats:
    """float64, shape (rows,): the product of each row with its like in the other block."""
    rows, length = left.shape
    if 64 <= length <= _LONGEST_PRODUCT:
        return np.matmul(left[:, None, :], right[:, :, None])[:, 0, 0]  # type: ignore[no-any-return]
    whole = length - length % _LONGEST_PRODUCT
    if rows > 1 or not whole:
        return np.einsum("ij,ij->i", left, right)  # type: ignore[no-any-return]
    first = left[0, :whole].reshape(-1, 1, _LONGEST_PRODUCT)
    second = right[0, :whole].reshape(-1, _LONGEST_PRODUCT, 1)
    total = np.add.reduce(np.matmul(first, second), axis=None)
    return np.array([total + left[0, whole:] @ right[0, whole:] if whole < length else total])


def counts(mask: Bools) -> Floats:
    """float64, shape (rows,): how many of each row are true."""
    if len(mask) == 1:
        return np.array([float(np.count_nonzero(mask))])
    if not mask.any():
        return np.zeros(len(mask))
    found: Floats = np.einsum("ij->i", mask.view(np.uint8), dtype=np.uint32).astype(np.float64)
    return found
