"""Labels and predictions of two dumps in one space of classes: by name, never by index."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlcheck.records import dataclass
from mlcheck.updates.aliases import is_list, is_text
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.table import PredictionTable, class_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Space:
    """Names of classes and their numbers in a comparison."""

    names: tuple[str, ...]
    """In the order of their numbers: sorted, numbers by value."""

    def numbers(self, values: "pa.Array") -> "NDArray[np.int64]":
        """The number of each name, shape (n,); -1 where there is none. values: text."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        coded = pc.index_in(values, value_set=pa.array(self.names, pa.string()))
        return np.asarray(coded.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)

    def of_columns(self, table: PredictionTable) -> "NDArray[np.int64]":
        """The number of the class of each column of `scores`, shape (c,). Without class_names columns are numbered from 0."""
        import pyarrow as pa

        return self.numbers(pa.array(column_names(table), pa.string()))


def column_names(table: PredictionTable) -> list[str]:
    """Class of each column of `scores` or `logits`. Raises ComparisonError where class_names are of another number."""
    width = score_width(table)
    names = class_names(table)
    if names and width and len(names) != width:
        raise ComparisonError(f"{table.path}: {len(names)} class_names for scores of {width} classes")
    return names or [str(place) for place in range(width)]


def score_width(table: PredictionTable) -> int:
    """Classes in each row of `scores` or `logits`; 0 where there are none. Raises ComparisonError where rows differ."""
    import pyarrow.compute as pc

    name = score_column(table)
    if name is None:
        return 0
    column = table.table.column(name)
    if not is_list(column.type):
        raise ComparisonError(
            f"{table.path}: column {table.named(name)!r} must hold lists of numbers; one number each is `score`"
        )
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1:
        shown = ", ".join(str(one) for one in sorted(lengths)[:5])
        raise ComparisonError(f"{table.path}: rows of {table.named(name)!r} have different lengths: {shown}")
    return int(lengths[0])


def score_column(table: PredictionTable) -> str | None:
    """`scores`, else `logits`, where the dump has them."""
    return next((name for name in ("scores", "logits") if table.has(name)), None)


def stated_scores(table: PredictionTable) -> "NDArray[np.floating[Any]]":
    """Scores or logits of each row and class as they are written, shape (n, c), float32 or float64."""
    import numpy as np
    import pyarrow.compute as pc

    name = score_column(table)
    flat = pc.list_flatten(table.table.column(name)).to_numpy()
    narrow = flat.dtype in (np.float16, np.float32)
    values: NDArray[np.floating[Any]] = flat.astype(np.float32 if narrow else np.float64, copy=False)
    return values.reshape(-1, score_width(table))


def score_matrix(table: PredictionTable) -> "NDArray[np.floating[Any]]":
    """Scores of each row and class as probabilities where they are logits (by softmax), shape (n, c), float32 or float64."""
    import numpy as np

    values = stated_scores(table)
    if score_column(table) == "logits" or is_logit(table):
        values = values - values.max(axis=1, keepdims=True)
        np.exp(values, out=values)
        values /= values.sum(axis=1, keepdims=True)
    return values


def is_logit(table: PredictionTable) -> bool:
    """Whether the dump says that its scores are logits."""
    return table.metadata.get("score_kind") == "logit"


def as_names(table: PredictionTable, column: "pa.ChunkedArray", as_numbers: bool = False) -> "pa.Array":
    """A flat column of classes as text: whole numbers without a point, indices by the names of the classes.

    as_numbers: truth values are 0 and 1, since the other columns hold numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    if is_list(column.type):
        raise ComparisonError(
            f"{table.path}: its labels or predictions are lists; these are sets of classes, not classes"
        )
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_boolean(column.type) and as_numbers:
        column = column.cast(pa.int64())
    if types.is_floating(column.type) and pc.all(pc.equal(column, pc.floor(column)), min_count=0).as_py():
        column = column.cast(pa.int64())
    text = column.cast(pa.string())
    flat: pa.Array = pa.concat_arrays(text.chunks) if isinstance(text, pa.ChunkedArray) else text
    names = class_names(table)
    if not names or not types.is_integer(column.type):
        return flat
    known = set(pc.unique(flat).drop_null().to_pylist())
    if known <= set(names):
        return flat
    by_index = {str(place): name for place, name in enumerate(names)}
    outside = sorted(known - set(by_index))
    if outside:
        raise ComparisonError(f"{table.path}: class {outside[0]} is none of its {len(names)} class_names")
    order = pa.array(list(by_index), pa.string())
    return pa.array(names, pa.string()).take(pc.index_in(flat, value_set=order))


def space_of(columns: "Sequence[pa.Array]", more: Sequence[str] = ()) -> Space:
    """The classes that occur in columns of text, and these; in an order that does not depend on that of rows."""
    import pyarrow.compute as pc

    names = set(more)
    for column in columns:
        names |= set(pc.unique(column).drop_null().to_pylist())
    return Space(tuple(sorted(names, key=_by_value)))


def _by_value(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def is_regression(tables: Sequence[PredictionTable]) -> bool:
    """Whether labels or predictions are numbers that are not whole."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    for table in tables:
        for name in ("label", "prediction"):
            if table.has(name) and types.is_floating(table.table.schema.field(name).type):
                column = table.table.column(name)
                if not pc.all(pc.equal(column, pc.floor(column)), min_count=0).as_py():
                    return True
    return False


def hold_numbers(tables: Sequence[PredictionTable]) -> bool:
    """Whether any of their labels and predictions are numbers, so that truth values among them are 0 and 1."""
    import pyarrow.types as types

    kinds = [
        table.table.schema.field(name).type for table in tables for name in ("label", "prediction") if table.has(name)
    ]
    return any(types.is_integer(kind) or types.is_floating(kind) for kind in kinds) and not any(
        is_text(kind) for kind in kinds
    )


def sets_of(table: PredictionTable, column: "pa.ChunkedArray") -> list[frozenset[str]]:
    """Classes of each row of a column of lists: names or numbers of classes, or one 0 or 1 for each class."""
    rows: list[Any] = column.to_pylist()
    if any(row is None for row in rows):
        missing = sum(row is None for row in rows)
        raise ComparisonError(f"{table.path}: {missing:,} of {len(rows):,} rows have no list of classes")
    names = class_names(table)
    lengths = {len(row) for row in rows}
    values = {value for row in rows for value in row}
    is_hot = len(lengths) == 1 and values <= {0, 1} and any(len(set(row)) < len(row) for row in rows)
    if is_hot:
        own = names or [str(place) for place in range(lengths.pop())]
        if len(own) != len(rows[0]):
            raise ComparisonError(f"{table.path}: {len(own)} class_names for lists of {len(rows[0])} classes")
        return [frozenset(name for name, there in zip(own, row, strict=True) if there) for row in rows]
    by_index = bool(names) and not {str(value) for value in values} <= set(names)
    if by_index and not all(isinstance(value, int) and 0 <= value < len(names) for value in values):
        raise ComparisonError(f"{table.path}: its lists hold classes that are none of its {len(names)} class_names")
    return [frozenset(names[value] if by_index else str(value) for value in row) for row in rows]
