"""Columns with one number for each output token: gates, entropies of attention, coverage losses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlcheck.records import dataclass, replace
from mlcheck.updates.aliases import is_list
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.examples import first_of
from mlcheck.updates.table import PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tokenwise:
    """The numbers of all examples one after the other."""

    values: "Floats"
    """shape (tokens,)."""
    example: "Ints"
    """shape (tokens,): the row that each belongs to, ascending."""
    lengths: "Ints"
    """shape (n,): how many each row has; 0 where it has none."""

    def sums(self, values: "Floats | NDArray[np.bool_]") -> "Floats":
        """Sum of values of shape (tokens,) over the tokens of each row, shape (n,)."""
        import numpy as np

        summed = np.bincount(self.example, weights=values.astype(np.float64), minlength=len(self.lengths))
        return np.asarray(summed, dtype=np.float64)

    def pieces(self) -> "Iterator[Floats]":
        """The values of each row that has some."""
        import numpy as np

        return (one for one in np.split(self.values, np.cumsum(self.lengths)[:-1]) if len(one))


def in_order(dump: PredictionTable) -> PredictionTable:
    """The rows sorted by split, step and id, so that sums do not depend on their order in the file."""
    keys = [name for name in ("split", "step", "example_id") if dump.has(name)]
    return replace(dump, table=dump.table.sort_by([(name, "ascending") for name in keys]))


def by_split(dump: PredictionTable) -> "Iterator[tuple[str, dict[str, str], PredictionTable]]":
    """For each split: the end of the name of its measures, their labels, its rows. One split has no name of its own."""
    import pyarrow.compute as pc

    if not dump.has("split"):
        yield "", {}, dump
        return
    column = pc.fill_null(dump.table.column("split"), "eval")
    names = sorted(pc.unique(column).to_pylist())
    for name in names:
        suffix = f"/split={name}" if len(names) > 1 else ""
        yield suffix, {"split": name}, replace(dump, table=dump.table.filter(pc.equal(column, name)))


def tokenwise(dump: PredictionTable, name: str, low: float, high: float) -> Tokenwise | None:
    """A column of lists of numbers within bounds; None where the dump does not have it, or nothing in it.

    Raises ComparisonError for a column that holds no lists of numbers, and with the count and the first ids for what is missing inside a
    list, not finite, or out of bounds.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not dump.has(name) or not dump.table.column(name).length() - dump.table.column(name).null_count:
        return None
    column = dump.table.column(name).combine_chunks()
    if not is_list(column.type):
        raise ComparisonError(
            f"{dump.path}: {dump.named(name)!r} must hold a list with one number for each output token"
        )
    try:
        flat = pc.list_flatten(column).cast(pa.float64())
    except pa.ArrowException:
        raise ComparisonError(f"{dump.path}: {dump.named(name)!r} must hold numbers; it holds {column.type}") from None
    values = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float64)
    example = np.asarray(pc.list_parent_indices(column), dtype=np.int64)
    bad = ~((values >= low) & (values <= high) & np.isfinite(values))
    if bad.any():
        refuse(
            dump,
            np.unique(example[bad]),
            f"{dump.named(name)!r} is missing, not finite or not within {low:g} to {high:g}",
        )
    lengths = np.bincount(example, minlength=len(dump.table)).astype(np.int64)
    return Tokenwise(values, example, lengths) if len(values) else None


def check_same_lengths(dump: PredictionTable, columns: "dict[str, Tokenwise | None]") -> None:
    """Refuse rows whose lists have other numbers of tokens: they cannot be of one output."""
    import numpy as np

    known = {name: one for name, one in columns.items() if one is not None}
    names = list(known)
    for name in names[1:]:
        one, other = known[names[0]].lengths, known[name].lengths
        differ = (one != other) & (one > 0) & (other > 0)
        if differ.any():
            what = f"{dump.named(names[0])!r} and {dump.named(name)!r} have not as many tokens"
            refuse(dump, np.flatnonzero(differ), what)


def refuse(dump: PredictionTable, rows: "Ints", what: str) -> None:
    """Raise ComparisonError that names the rows."""
    ids: list[Any] = dump.table.column("example_id").take(rows).to_pylist()
    found = first_of(sorted(str(one) for one in ids))
    raise ComparisonError(f"{dump.path}: {what} in {len(ids):,} of {len(dump.table):,} rows: {found}")


def clusters_of(dump: PredictionTable, cluster: str | None) -> "Ints":
    """Codes of the clusters of rows, shape (n,): of the told column, of `group_id`, or each row its own."""
    import numpy as np

    from mlcheck.updates.clustered import codes
    from mlcheck.updates.examples import cluster_column

    column = cluster_column(dump, cluster)
    if column is None:
        return np.arange(len(dump.table), dtype=np.int64)
    values = dump.table.column(column).to_pylist()
    return codes([f"row {row}" if one is None else f"cluster {one}" for row, one in enumerate(values)])
