"""Statistics of tensors in one pass, in C. All functions let go of the interpreter while they work.

A type is numpy's typecode of a number (`?bBhHiIqQefd`) or `E` for bfloat16; `>` before it: in the byte order that is not the machine's.

What is found is float64, a row for each tensor: the number of finite values, of NaN and of zeros; the least and the largest finite
value (infinity and -infinity where there is none), the sums of the finite values, of their magnitudes, of their squares, and of their
squared deviations from their mean; the number of whole finite values, and of those equal to each number of `equal`; and of what changed
since the step before: the number of values that are finite at both, the sum of their squared differences, the sum of squares of the
finite values before, and for each tolerance the number of values where numpy.isclose(new, old) is false. What was not asked for is 0.
"""

from typing_extensions import Buffer

MOST_TOLERANCES: int
MOST_EQUAL: int
MOST_RANGES: int

Tolerances = tuple[tuple[float, float, bool], ...]
"""rtol, atol and equal_nan of numpy.isclose."""

def rows(
    type: str,
    values: Buffer,
    number: int,
    length: int,
    type_before: str,
    before: Buffer | None,
    tolerances: Tolerances,
    equal: tuple[float, ...],
    whole: bool,
    found: Buffer,
    /,
) -> None:
    """Of each row of an array of shape (number, length), against the same row of `before` where there is one.

    Raises ValueError for buffers that hold fewer values than that.
    """

def file(
    descriptor: int,
    offsets: Buffer,
    type: str,
    first: int,
    last: int,
    compare: bool,
    tolerances: Tolerances,
    equal: tuple[float, ...],
    whole: bool,
    found: Buffer,
    row_length: int,
    row_sums: Buffer,
    /,
) -> None:
    """Of the values `first` to `last` of a tensor at several steps: it begins at each of the offsets (int64, bytes) of an open file.

    `row_sums` takes uint64, shape (steps, rows): sums over the bits of each row of `row_length` values, which are equal where rows are
    equal; 0 for none. Raises OSError where the file ends before, ValueError for buffers that are too small and for part of a row.
    """

def units(
    type: str,
    values: Buffer,
    number: int,
    before: int,
    units: int,
    after: int,
    ranges: tuple[tuple[float, float], ...],
    found: Buffer,
    /,
) -> None:
    """Of each unit of an array of shape (number, before, units, after): float64, shape (number, units, 5 + ranges).

    The number of finite values, the least, the largest, their sum, the sum of their squared deviations from their mean, and for each
    range the number of values at or beyond its ends; NaN is not. Nothing is written where there are no values. Raises ValueError for
    buffers that are too small.
    """
