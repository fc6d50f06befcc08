"""Columns beside labels and predictions: clusters, weights and slices of joined examples."""

from typing import TYPE_CHECKING

from mlcheck.errors import did_you_mean
from mlcheck.updates.aliases import CANONICAL, is_list
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.join import Joined
from mlcheck.updates.prediction_settings import PredictionSettings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SLICE_PREFIX = "slice_"


def column_of(joined: Joined, name: str) -> "pa.ChunkedArray":
    """A column of the new dump, else of the old one. Raises ComparisonError where neither has it."""
    for one in (joined.new, joined.old):
        if one.has(name):
            return one.table.column(name)
    names = sorted({*joined.old.table.column_names, *joined.new.table.column_names})
    hint = did_you_mean(name, names) or "they have " + ", ".join(names[:12])
    raise ComparisonError(f"{joined.old.path} and {joined.new.path}: no column {name!r}; {hint}")


def clusters_of(joined: Joined, settings: PredictionSettings) -> "NDArray[np.int64] | None":
    """The number of each example's cluster, shape (n,); None: each is its own. An example of no cluster is its own."""
    import numpy as np

    name = settings.cluster
    if name is None:
        name = "group_id" if joined.old.has("group_id") or joined.new.has("group_id") else ""
    if not name:
        return None
    coded = column_of(joined, name).combine_chunks().dictionary_encode().indices
    numbers = np.asarray(coded.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)
    alone = numbers < 0
    numbers[alone] = numbers.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return numbers


def weights_of(joined: Joined) -> "NDArray[np.float64] | None":
    """Weight of each example, shape (n,); None where no dump has weights. Raises ComparisonError for negative ones."""
    import numpy as np

    if not (joined.old.has("weight") or joined.new.has("weight")):
        return None
    weights = np.asarray(column_of(joined, "weight").to_numpy(), dtype=np.float64)
    below = int((weights < 0).sum())
    if below or not weights.sum() > 0:
        what = f"{below:,} weights are negative" if below else "all weights are 0"
        raise ComparisonError(f"{joined.old.path} and {joined.new.path}: {what}")
    return weights


def slice_columns(joined: Joined, settings: PredictionSettings) -> list[str]:
    """Names of the columns to slice by, sorted. Raises ComparisonError for one that is not there or holds lists."""
    names = settings.slices
    if names is None:
        all_names = {*joined.old.table.column_names, *joined.new.table.column_names} - set(CANONICAL)
        return sorted(name for name in all_names if name.startswith(SLICE_PREFIX))
    for name in names:
        if is_list(column_of(joined, name).type):
            raise ComparisonError(f"{joined.new.path}: column {name!r} holds lists; slices are of single values")
    return sorted(set(names) - {"label"})


def slice_values(joined: Joined, name: str) -> "tuple[NDArray[np.int64], list[str]]":
    """Number of each example's value, shape (n,), and the values as text, sorted; a missing one is `(none)`."""
    import numpy as np
    import pyarrow as pa

    column = column_of(joined, name)
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        text = column.cast(pa.string())
    except pa.ArrowException:
        what = f"column {name!r} holds {column.type}; slices are of text, numbers or truth values"
        raise ComparisonError(f"{joined.old.path} and {joined.new.path}: {what}") from None
    coded = text.fill_null("(none)").combine_chunks().dictionary_encode()
    values = coded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda place: values[place])
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    numbers = np.asarray(coded.indices.to_numpy(zero_copy_only=False))
    return rank[numbers], [values[place] for place in order]
