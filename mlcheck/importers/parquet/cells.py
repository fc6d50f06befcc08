"""Arrow columns to numpy: numbers, times, and lists as tensors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.parquet.footer import faults
from mlcheck.records import dataclass
from mlcheck.store.series import Floats, Ints

FAR = 2.0**62
"""Steps beyond are none."""

Shape = tuple[int, ...]


def numbers(column: Any) -> Floats:
    """float64, shape (n,); NaN where the column is null."""
    import pyarrow as pa
    import pyarrow.types as types

    kind = column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_decimal(kind) or (column.null_count and not types.is_floating(kind)):
        column = column.cast(pa.float64(), safe=False)
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.float64, copy=False)


def valid(column: Any) -> NDArray[np.bool_] | None:
    """bool, shape (n,): which rows state a value; None: all do."""
    if not column.null_count:
        return None
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def steps(column: Any) -> tuple[Ints, NDArray[np.bool_] | None]:
    """int64, shape (n,), and which rows state a whole step; None: all do. Other rows hold 0."""
    import pyarrow.types as types

    if types.is_integer(column.type) and not column.null_count and not types.is_uint64(column.type):
        return column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False), None
    found = numbers(column)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(found) & (np.abs(found) < FAR) & (found == np.floor(found))
    if known.all():
        return found.astype(np.int64), None
    return np.where(known, found, 0).astype(np.int64), known


def seconds(column: Any) -> Floats:
    """A column of times as float64: seconds since the epoch of time stamps and ISO dates, numbers as they are; NaN where unknown."""
    import pyarrow as pa
    import pyarrow.types as types

    kind = column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        try:
            column = column.cast(pa.timestamp("us"))
        except faults():
            return np.full(len(column), np.nan)
        kind = column.type
    if not types.is_timestamp(kind):
        return numbers(column)
    units = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    whole = column.cast(pa.int64(), safe=False)
    return numbers(whole) / units[kind.unit]


@dataclass(slots=True)
class Clock:
    """Wall times of a file: in which unit they count is told by the first that are known, and stays."""

    elapsed: bool = False
    """They count from the beginning of the run."""
    unit: float | None = None
    first: float = float("nan")
    """The first known one, where it is a date."""

    def of(self, column: Any) -> Floats:
        """float64 seconds, shape (n,); NaN where unknown or where the numbers can be no times."""
        found = seconds(column)
        if self.elapsed:
            return found
        known = found[np.isfinite(found)]
        if self.unit is None:
            if not len(known):
                return np.full(len(found), np.nan)
            middle = float(np.median(known))
            self.unit = next((one for one in (1.0, 1e3, 1e6, 1e9) if 1e8 <= middle / one < 1e10), float("nan"))
            self.first = float(known[0]) / self.unit
        return found / self.unit


# Tensors


@dataclass(frozen=True, eq=False)
class Lists:
    """A column of lists: the values of all rows behind one another."""

    starts: Ints
    """int64, shape (n + 1,): where the values of each row begin."""
    values: NDArray[Any]
    """shape (m,), in the type of the file; null is NaN."""
    known: NDArray[np.bool_] | None
    """bool, shape (n,): which rows state a list; None: all do."""
    inner: tuple[Ints, ...]
    """For lists within lists, each level's own starts, outermost first."""
    outer: tuple[Ints, ...]
    """The rows' starts among those."""
    fixed: Shape | None
    """Shape that the type states."""
    axes: tuple[int, ...] | None
    """How the stored axes become the logical ones; None: as they are."""
    stated: "Lists | None" = None
    """Shapes beside the values in each row."""

    def count(self, row: int) -> int:
        """Values of a row."""
        return int(self.starts[row + 1] - self.starts[row])

    def shape(self, row: int) -> Shape | None:
        """The shape that the nesting gives a row; None where inner lists differ in length."""
        if self.fixed is not None:
            return self.fixed
        shape: list[int] = []
        for level, (starts, among) in enumerate(zip(self.inner, self.outer, strict=True)):
            begin, end = int(among[row]), int(among[row + 1])
            if level == 0:
                shape.append(end - begin)
            sizes = np.diff(starts[begin : end + 1])
            if len(sizes) and sizes.min() != sizes.max():
                return None
            shape.append(int(sizes[0]) if len(sizes) else 0)
        return tuple(shape) if shape else (self.count(row),)


def lists(column: Any) -> Lists:
    """A column of a type of which `layout.sort_of` says tensor."""
    import pyarrow.types as types

    known = valid(column)
    fixed: Shape | None = None
    axes: tuple[int, ...] | None = None
    kind = column.type
    if _is_extension(kind):
        if getattr(kind, "extension_name", "") == "arrow.fixed_shape_tensor":
            fixed = tuple(int(one) for one in kind.shape)
            axes = tuple(kind.permutation) if kind.permutation else None
        column = column.storage
    if types.is_struct(column.type):
        stated = lists(column.field("shape"))
        found = lists(column.field("data"))
        return Lists(found.starts, found.values, known, found.inner, found.outer, None, None, stated)
    starts, child = _peel(column)
    inner: list[Ints] = []
    outer: list[Ints] = []
    while _is_extension(child.type) or _is_list(child.type):
        child = child.storage if _is_extension(child.type) else child
        own, below = _peel(child)
        inner.append(own)
        outer.append(starts)
        starts, child = own[starts], below
    return Lists(starts, _flat(child), known, tuple(inner), tuple(outer), fixed, axes)


def _is_extension(kind: Any) -> bool:
    import pyarrow as pa

    return isinstance(kind, pa.BaseExtensionType)


def _is_list(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _peel(column: Any) -> tuple[Ints, Any]:
    """Starts of each list among its values, and the values."""
    import pyarrow.types as types

    if types.is_fixed_size_list(column.type):
        size = column.type.list_size
        return (np.arange(len(column) + 1, dtype=np.int64) + column.offset) * size, column.values
    return column.offsets.to_numpy(zero_copy_only=False).astype(np.int64, copy=False), column.values


def _flat(leaf: Any) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.types as types

    if types.is_decimal(leaf.type) or (leaf.null_count and not types.is_floating(leaf.type)):
        leaf = leaf.cast(pa.float64(), safe=False)
    found: NDArray[Any] = np.asarray(leaf.to_numpy(zero_copy_only=False))
    return found


def widened(values: NDArray[Any]) -> NDArray[np.float32]:
    """bfloat16, stored as its 16 bits, as float32: it is the upper half of one."""
    upper: NDArray[np.float32] = (values.astype(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return upper
