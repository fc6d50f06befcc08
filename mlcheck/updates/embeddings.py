"""Embeddings out of dumps: checked vectors, and the queries and the gallery that several models share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.join import join
from mlcheck.updates.retrieval_settings import Similarity
from mlcheck.updates.spaces import ROWS_AT_ONCE, Rows, Space, make_space
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable, final_rows

if TYPE_CHECKING:
    import pyarrow as pa

ROLES = ("query", "gallery", "both")
LARGEST = 1e15
"""Components beyond it cannot be squared and added in float32."""
SHORTEST = 1e-30
"""A vector that is shorter has no direction in float32."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """The final rows of one dump, with its vectors."""

    dump: PredictionTable
    """Without the column `embedding`."""
    space: Space
    """Its vectors, row by row."""
    is_query: NDArray[np.bool_]
    is_gallery: NDArray[np.bool_]

    @property
    def path(self) -> str:
        """As it is shown."""
        return self.dump.path


def read_embeddings(dump: PredictionTable, similarity: Similarity) -> Embedded:
    """The vectors of the final rows of a dump.

    Raises ComparisonError for a dump without vectors, rows without one, vectors of several lengths, values that are not finite, and, under
    cosine, vectors of length 0, which have none.
    """
    final = final_rows(dump)
    if not final.has("embedding"):
        raise ComparisonError(f"{dump.path}: no column of embeddings (embedding, features, emb_0 …)")
    values = _vectors(final)
    space = make_space(values, similarity)
    _check(final, space)
    light = replace(final, table=final.table.drop_columns(["embedding"]))
    is_query, is_gallery = _roles(light)
    return Embedded(light, space, is_query, is_gallery)


def _vectors(dump: PredictionTable) -> NDArray[Any]:
    """Values as they stand in the dump, shape (n, dimension); no copy where they lie in one piece."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    from mlcheck.updates.aliases import is_list, is_number

    column = dump.table.column("embedding")
    name = dump.named("embedding")
    if not (is_list(column.type) and is_number(column.type.value_type)):
        raise ComparisonError(f"{dump.path}: column {name!r} must hold lists of numbers; it holds {column.type}")
    if column.null_count:
        _refuse(dump, np.flatnonzero(np.asarray(pc.is_null(column))), f"{name!r} is missing")
    if types.is_fixed_size_list(column.type):
        dimension = int(column.type.list_size)
    else:
        lengths = np.asarray(pc.list_value_length(column))
        found, counts = np.unique(lengths, return_counts=True)
        dimension = int(found[np.argmax(counts)])
        if len(found) > 1:
            odd = np.flatnonzero(lengths != dimension)
            _refuse(
                dump,
                odd,
                f"{name!r} has {lengths[odd[0]]:,} components where most have {dimension:,}, or another number of them,",
            )
    if not dimension:
        raise ComparisonError(f"{dump.path}: the vectors of {name!r} have no components")
    flat = [chunk.flatten() for chunk in column.chunks if len(chunk)]
    missing = sum(part.null_count for part in flat)
    if missing:
        rows = np.concatenate([np.asarray(pc.is_null(part)) for part in flat]).reshape(-1, dimension).any(axis=1)
        _refuse(dump, np.flatnonzero(rows), f"a component of {name!r} is missing")
    parts = [part.to_numpy(zero_copy_only=False) for part in flat]
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return np.asarray(values if values.dtype.kind == "f" else values.astype(np.float32)).reshape(-1, dimension)


def _check(dump: PredictionTable, space: Space) -> None:
    name = dump.named("embedding")
    bad, huge = [], []
    for start in range(0, len(space.values), ROWS_AT_ONCE):
        block = space.values[start : start + ROWS_AT_ONCE]
        bad.append(start + np.flatnonzero(~np.isfinite(block).all(axis=1)))
        huge.append(start + np.flatnonzero(np.abs(block).max(axis=1).astype(np.float64) > LARGEST))
    rows = np.concatenate(bad)
    if len(rows):
        _refuse(
            dump, rows, f"{name!r} is not finite", "a model that gives NaN cannot be compared, look for its cause first"
        )
    rows = np.concatenate(huge)
    if len(rows):
        _refuse(dump, rows, f"{name!r} has components beyond {LARGEST:g}", "scale the vectors")
    rows = np.flatnonzero(space.norms < SHORTEST)
    if space.similarity == "cosine" and len(rows):
        _refuse(
            dump,
            rows,
            f"{name!r} is all zeros, which has no cosine,",
            "look for its cause, or compare by squared distance (l2)",
        )


def _refuse(
    dump: PredictionTable, rows: Rows, what: str, advice: str = "dump one vector of the same length for each row"
) -> None:
    ids = dump.table.column("example_id").take(rows).to_pylist()
    first = sorted(ids, key=str)[:FIRST_OFFENDERS]
    shown = ", ".join(str(one) for one in first) + (" …" if len(ids) > len(first) else "")
    raise ComparisonError(f"{dump.path}: {what} in {len(ids):,} of {len(dump.table):,} rows: {shown}; {advice}")


def _roles(dump: PredictionTable) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    everywhere = np.ones(len(dump.table), dtype=bool)
    if not dump.has("role"):
        return everywhere, everywhere
    import pyarrow as pa
    import pyarrow.compute as pc

    column = dump.table.column("role").cast(pa.string()).fill_null("both")
    known = np.asarray(pc.is_in(column, value_set=pa.array(ROLES)))
    if not known.all():
        others = sorted(pc.unique(column.filter(pa.array(~known))).to_pylist())[:FIRST_OFFENDERS]
        _refuse(
            dump,
            np.flatnonzero(~known),
            f"{dump.named('role')!r} is {', '.join(map(repr, others))}",
            f"write one of {', '.join(ROLES)}",
        )
    is_query = np.asarray(pc.not_equal(column, "gallery"))
    is_gallery = np.asarray(pc.not_equal(column, "query"))
    return is_query, is_gallery


# What several models share


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples that several models embedded, in order of split and id, which the order of rows in the files does not change."""

    ids: "pa.Array"
    """As text."""
    splits: NDArray[np.str_]
    rows: tuple[Rows, ...]
    """For each model the rows of its space, shape (n,)."""
    table: "pa.Table"
    """Their rows in the first model's dump, with the labels and relevant ids of whichever states them."""
    overlaps: tuple[Measure, ...]
    """How far each further model holds what those before it hold."""

    def __len__(self) -> int:
        return len(self.splits)


def shared(models: Sequence[Embedded], role: str) -> Examples:
    """The queries (`role` query) or the gallery (gallery) that all models embedded, with their labels checked.

    Raises ComparisonError where they share none, or where the label or the relevant ids of an example differ.
    """
    if len(models) == 1:
        # Joined with itself it comes into the same order as several.
        twice = shared([models[0], models[0]], role)
        return replace(twice, rows=twice.rows[:1], overlaps=())
    kept = [_of_role(one, role) for one in models]
    tables = [kept[0][0]]
    rows = [np.arange(len(kept[0][0].table), dtype=np.int64)]
    overlaps = []
    for dump, _ in kept[1:]:
        joined = join(tables[0], dump)
        tables = [*(one.taken(joined.old_rows) for one in tables), joined.new]
        rows = [*(one[joined.old_rows] for one in rows), joined.new_rows]
        overlaps.append(joined.overlap)
    for column in ("label", "relevant_ids"):
        holding = [one for one in tables if one.has(column)]
        for other in holding[1:]:
            _check_same(holding[0], other, column)
        if holding and not tables[0].has(column):
            told = holding[0].table.column(column)
            tables[0] = replace(tables[0], table=tables[0].table.append_column(column, told))
    return Examples(
        ids=as_text(tables[0].table.column("example_id")),
        splits=joined.splits,
        rows=tuple(of_role[one] for one, (_, of_role) in zip(rows, kept, strict=True)),
        table=tables[0].table,
        overlaps=tuple(overlaps),
    )


def _of_role(model: Embedded, role: str) -> tuple[PredictionTable, Rows]:
    rows = np.flatnonzero(model.is_query if role == "query" else model.is_gallery)
    if not len(rows):
        raise ComparisonError(f"{model.path}: none of its {len(model.dump.table):,} rows is a {role} (column role)")
    return model.dump.taken(rows), rows


def as_text(column: "pa.ChunkedArray") -> "pa.Array":
    """A column in one piece, as text; what is missing stays missing."""
    import pyarrow as pa

    return pa.concat_arrays([pa.array([], pa.large_string()), *column.cast(pa.large_string()).chunks])


def _check_same(one: PredictionTable, other: PredictionTable, column: str) -> None:
    """Raises ComparisonError where two dumps say different things of the same examples."""
    left, right = (_comparable(table, column) for table in (one, other))
    differ = [row for row, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    if not differ:
        return
    ids = one.table.column("example_id").take(differ[:FIRST_OFFENDERS]).to_pylist()
    shown = ", ".join(
        f"{name} ({_short(left[row])}, {_short(right[row])})" for name, row in zip(ids, differ, strict=False)
    )
    raise ComparisonError(
        f"{one.path} and {other.path}: {one.named(column)!r} differs in {len(differ):,} of {len(left):,} shared examples: {shown}"
        f"{' …' if len(differ) > len(ids) else ''}; compare both models on the same labels"
    )


def _comparable(dump: PredictionTable, column: str) -> list[Any]:
    """Values that are equal where they mean the same: 1 and 1.0, relevant ids in any order."""
    values = dump.table.column(column).to_pylist()
    if column == "relevant_ids":
        return [None if one is None else frozenset(map(str, one)) for one in values]
    return list(values)


def _short(value: object) -> str:
    text = str(sorted(value)) if isinstance(value, frozenset) else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
