"""Which rows of two dumps are of one example: joined on (split, example_id), with nothing dropped silently."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlcheck.records import dataclass
from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable, final_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Joined:
    """The examples that both dumps hold, in the order of (split, example_id)."""

    old: PredictionTable
    """Rows of the old dump, one for each example."""
    new: PredictionTable
    """Rows of the new dump, in the same order."""
    splits: "NDArray[np.str_]"
    """shape (n,): the split of each example; `eval` where neither dump states one."""
    old_rows: "NDArray[np.int64]"
    """shape (n,): where they are among the final rows of the old dump (`final_rows`)."""
    new_rows: "NDArray[np.int64]"
    """shape (n,): the same in the new dump."""
    overlap: Measure
    """`prediction_overlap`: joined, old_rows, new_rows, old_only, new_only, overlap (joined / rows of the larger dump), lost_splits (splits
    of which no example joined)."""

    def __len__(self) -> int:
        return len(self.old_rows)


def join(old: PredictionTable, new: PredictionTable) -> Joined:
    """Join the final rows of two dumps. A dump that states no split is joined by id alone.

    Ids of different types are compared as text. Raises ComparisonError where a key is there twice and where the dumps share no example.
    """
    import numpy as np

    old, new = final_rows(old), final_rows(new)
    by_split = old.has("split") and new.has("split")
    old_ids, new_ids = _alike(old.table.column("example_id"), new.table.column("example_id"))
    old_keys, new_keys = _keys(old, new, old_ids, new_ids, by_split)
    for table, keys in ((old, old_keys), (new, new_keys)):
        _check_unique(table, keys, by_split)
    _, old_rows, new_rows = np.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
    if not len(old_rows):
        raise ComparisonError(_disjoint(old, new, by_split))
    stated = old if old.has("split") else new
    rows = old_rows if stated is old else new_rows
    splits = _splits(stated, rows)
    order = _order(splits, old_ids.take(old_rows))
    old_rows, new_rows, splits = old_rows[order], new_rows[order], splits[order]
    return Joined(
        old=old.taken(old_rows),
        new=new.taken(new_rows),
        splits=splits,
        old_rows=old_rows,
        new_rows=new_rows,
        overlap=_overlap(
            len(old.table), len(new.table), len(old_rows), _lost_splits(old, new, splits) if by_split else 0
        ),
    )


def _alike(one: "pa.ChunkedArray", other: "pa.ChunkedArray") -> "tuple[pa.Array, pa.Array]":
    """Ids of one type: both int64, or both text."""
    import pyarrow as pa
    import pyarrow.types as types

    whole = types.is_integer(one.type) and types.is_integer(other.type)
    kind = pa.int64() if whole else pa.large_string()
    return pa.concat_arrays(one.cast(kind).chunks or [pa.array([], kind)]), pa.concat_arrays(
        other.cast(kind).chunks or [pa.array([], kind)]
    )


def _keys(
    old: PredictionTable, new: PredictionTable, old_ids: "pa.Array", new_ids: "pa.Array", by_split: bool
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """One number for each (split, example_id), the same in both."""
    import numpy as np
    import pyarrow as pa

    ids = _codes(pa.concat_arrays([old_ids, new_ids]))
    if by_split:
        both = [one.table.column("split").cast(pa.string()).fill_null("eval") for one in (old, new)]
        splits = _codes(pa.concat_arrays([chunk for column in both for chunk in column.chunks]))
        ids = ids * (int(splits.max(initial=0)) + 1) + splits
    return np.ascontiguousarray(ids[: len(old_ids)]), np.ascontiguousarray(ids[len(old_ids) :])


def _codes(values: "pa.Array") -> "NDArray[np.int64]":
    import numpy as np

    coded = values.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return np.asarray(coded).astype(np.int64)


def _check_unique(table: PredictionTable, keys: "NDArray[np.int64]", by_split: bool) -> None:
    import numpy as np

    found, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if len(found) == len(keys):
        return
    ids = sorted(table.table.column("example_id").take(first[counts > 1]).to_pylist(), key=str)
    hint = (
        ""
        if by_split or not table.has("split")
        else " over its splits; the other dump states no split, so that ids alone are joined"
    )
    raise ComparisonError(
        f"{table.path}: {len(ids):,} ids are there more than once{hint}: {_listed(ids)}; keep one row for each example"
    )


def _listed(ids: Sequence[Any]) -> str:
    return ", ".join(str(one) for one in ids[:FIRST_OFFENDERS]) + (" …" if len(ids) > FIRST_OFFENDERS else "")


def _disjoint(old: PredictionTable, new: PredictionTable, by_split: bool) -> str:
    text = (
        f"{old.path} ({len(old.table):,} rows) and {new.path} ({len(new.table):,} rows) share no example: "
        f"ids such as {_listed(_first_ids(old))} against {_listed(_first_ids(new))}"
    )
    if by_split:
        names = [sorted(one.table.column("split").unique().drop_null().to_pylist()) for one in (old, new)]
        if set(names[0]).isdisjoint(names[1]):
            text += f", splits {_listed(names[0])} against {_listed(names[1])}"
    return f"{text}; dump both models on the same examples with the same ids"


def _first_ids(table: PredictionTable) -> list[Any]:
    import pyarrow.compute as pc

    column = table.table.column("example_id")
    return list(column.take(pc.sort_indices(column)[:3]).to_pylist())


def _splits(table: PredictionTable, rows: "NDArray[np.int64]") -> "NDArray[np.str_]":
    import numpy as np

    if not table.has("split"):
        return np.full(len(rows), "eval")
    return np.asarray(table.table.column("split").fill_null("eval").take(rows).to_pylist(), dtype=np.str_)


def _order(splits: "NDArray[np.str_]", ids: "pa.Array") -> "NDArray[np.int64]":
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keyed = pa.table({"split": pa.array(splits), "id": ids})
    found = pc.sort_indices(keyed, sort_keys=[("split", "ascending"), ("id", "ascending")])
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _lost_splits(old: PredictionTable, new: PredictionTable, joined: "NDArray[np.str_]") -> int:
    """Splits of either dump of which no example joined."""
    stated = {split for one in (old, new) for split in one.table.column("split").fill_null("eval").unique().to_pylist()}
    return len(stated - set(joined.tolist()))


def _overlap(old_rows: int, new_rows: int, joined: int, lost_splits: int) -> Measure:
    return Measure(
        role="prediction_overlap",
        name="overlap",
        columns={
            "joined": joined,
            "old_rows": old_rows,
            "new_rows": new_rows,
            "old_only": old_rows - joined,
            "new_only": new_rows - joined,
            "overlap": joined / max(old_rows, new_rows),
            "lost_splits": lost_splits,
        },
        headline=("joined", "old_only", "new_only", "overlap"),
    )
