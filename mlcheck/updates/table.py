"""A dump of predictions as one Arrow table with the canonical columns of the schema `predictions/1` (updates.md §5)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcheck.records import dataclass, field, replace
from mlcheck.store.examples import LABEL_ALIASES, of_classes
from mlcheck.updates.aliases import Task, is_list, is_number, resolve, task_of
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.files import read_file
from mlcheck.updates.kinds import with_known_kinds

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "predictions/1"
FIRST_OFFENDERS = 5
"""Rows that an error names."""
FINITE = ("scores", "logits", "score", "topk_score", "label_score", "weight")
"""Columns whose every value must be there and finite."""


@dataclass(frozen=True)
class ReadSettings:
    """How the columns of a dump are found."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Canonical name to the column that holds it, where its name does not tell: `{"example_id": "uid", "step": "epoch"}`."""
    task: Task = "auto"
    """labels: `target` and `prediction` are classes or numbers; text: they are sentences. auto: text where a column says so
    (`hypothesis`, `reference`, `response`, `base_index`, `entities`, `p_gen` or their aliases)."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Metadata that hold whatever the file says: `{"score_kind": "logit"}`."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """Metadata that hold where the file says nothing."""


@dataclass(frozen=True)
class PredictionTable:
    """The rows of one model's dump: (split, step, example_id)."""

    path: str
    """As it is shown."""
    table: "pa.Table"
    """Canonical names; unknown columns are kept as they are: candidate slices."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Keys of the schema (`model_id`, `class_names`, `score_kind` ...), of the file or of `<file>.meta.json`."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Canonical name to the name in the file."""

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(name in self.table.column_names for name in names)

    def taken(self, rows: Any) -> "PredictionTable":
        """The same with these rows, in their order; rows: int64 array."""
        return replace(self, table=self.table.take(rows))

    def named(self, canonical: str) -> str:
        """The name of a column as the file has it, for messages."""
        return self.aliases.get(canonical, canonical)


def read_table(path: Path, shown: str, settings: ReadSettings | None = None) -> PredictionTable:
    """Read a Parquet file or directory, a CSV file or JSON lines.

    Raises ComparisonError for a file that cannot be read, columns that two names could stand for, an id that is missing or there twice, and
    scores that are not finite.
    """
    told = settings or ReadSettings()
    table, raw = read_file(path, shown, lambda names: _id_columns(names, told))
    stated_by_file = {key.removeprefix("mlcheck."): value for key, value in raw.items()}
    metadata = {**told.assumed, **stated_by_file, **told.told}
    stated = metadata.get("schema", SCHEMA)
    if stated != SCHEMA:
        raise ComparisonError(f"{shown}: its schema is {stated!r}; this version of mlcheck reads {SCHEMA!r}")
    task = told.task if told.task != "auto" else task_of(table.schema)
    aliases = resolve(table.schema, shown, told.columns, task)
    if "example_id" not in aliases:
        names = ", ".join(("example_id", *(one.name for one in LABEL_ALIASES["example_id"])))
        raise ComparisonError(f"{shown}: no column of ids ({names}); say which column it is, such as example_id=uid")
    table = with_known_kinds(_renamed(table, aliases), shown, aliases)
    table, metadata = _gathered(table, metadata, shown)
    table = _typed(table, shown)
    found = PredictionTable(shown, table, metadata, aliases)
    _check(found)
    return found


def _id_columns(names: Sequence[str], settings: ReadSettings) -> list[str]:
    known = {
        settings.columns.get("example_id", "example_id"),
        "group_id",
        *(a.name for a in LABEL_ALIASES["example_id"]),
    }
    return [name for name in names if name in known]


def _renamed(table: "pa.Table", aliases: Mapping[str, str]) -> "pa.Table":
    canonical = {name: key for key, name in aliases.items()}
    # Where the user told another column for a canonical name, the one of that name becomes an unknown one.
    own = {name: f"{name} (in the file)" for name in aliases if name not in canonical}
    return table.rename_columns([canonical.get(name, own.get(name, name)) for name in table.column_names])


# Columns that are written in several ways


def _gathered(table: "pa.Table", metadata: Mapping[str, str], shown: str) -> "tuple[pa.Table, dict[str, str]]":
    """`prob_<class>`, columns named by the classes and `emb_0 ...` as one list column each; the first of lm-eval's responses."""
    found = dict(metadata)
    if not {"scores", "logits"} & set(table.column_names):
        classes = _class_columns(table, _class_names(found, shown), shown)
        if classes:
            table = _as_list(table, "scores", list(classes.values()), shown)
            found["class_names"] = json.dumps(list(classes))
    if "embedding" not in table.column_names:
        numeric = (one.name for one in table.schema if is_number(one.type))
        places = [name for name in numeric if name.startswith("emb_") and name[4:].isdigit()]
        if places:
            table = _as_list(table, "embedding", sorted(places, key=lambda name: int(name[4:])), shown)
    if "hypothesis" in table.column_names and is_list(table.schema.field("hypothesis").type):
        import pyarrow as pa

        index = table.column_names.index("hypothesis")
        first = [row[0] if row else None for row in table.column(index).to_pylist()]
        table = table.set_column(index, "hypothesis", pa.array(first))
    return table, found


def _class_columns(table: "pa.Table", stated: Sequence[str], shown: str) -> dict[str, str]:
    """Class to the column of its scores, in the order of the classes. Raises ComparisonError where two columns could be of one class."""
    import pyarrow.types as types

    numeric = [field_.name for field_ in table.schema if is_number(field_.type)]
    prefixed = _prefixed(numeric, stated, shown)
    if prefixed:
        return {name: prefixed[name] for name in stated} if stated and set(stated) == set(prefixed) else prefixed
    if stated:
        return {name: name for name in stated} if set(stated) <= set(numeric) else {}
    known = [name for name in ("label", "prediction") if name in table.column_names]
    named = {
        str(value)
        for name in known
        if not is_list(table.schema.field(name).type)
        for value in table.column(name).unique().to_pylist()[:10_000]
    }
    floats = [field_.name for field_ in table.schema if types.is_floating(field_.type)]
    if not known or len(named) < 2 or not named <= set(floats):
        return {}
    return {name: name for name in _probabilities(table, floats, named)}


def _prefixed(numeric: Sequence[str], stated: Sequence[str], shown: str) -> dict[str, str]:
    """`prob_<class>`, or whatever of `CLASS_PREFIXES` the columns begin with; of several that of the stated classes."""
    found = of_classes(numeric)
    if stated and any(set(columns) == set(stated) for columns in found.values()):
        found = {prefix: columns for prefix, columns in found.items() if set(columns) == set(stated)}
    if len(found) > 1:
        one, other = (next(iter(columns.values())) for columns in list(found.values())[:2])
        raise ComparisonError(
            f"{shown}: both {one!r} and {other!r} could be the scores of a class, as could all that begin like them; leave out or "
            "rename those of one kind"
        )
    return next(iter(found.values()), {})


def _probabilities(table: "pa.Table", floats: Sequence[str], named: set[str]) -> list[str]:
    """The classes, where the scores of each row sum to 1: else some of the classes have none, or these are no scores."""
    import numpy as np

    classes = [name for name in floats if name in named]
    total = sum(table.column(name).to_numpy() for name in classes)
    return classes if np.allclose(total, 1.0, atol=1e-3) else []


def _as_list(table: "pa.Table", name: str, places: Sequence[str], shown: str) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    missing = [(place, table.column(place).null_count) for place in places if table.column(place).null_count]
    if missing:
        raise ComparisonError(
            f"{shown}: column {missing[0][0]!r} has no value in {missing[0][1]:,} of {len(table):,} rows"
        )
    values = np.stack([table.column(place).to_numpy().astype(np.float32) for place in places], axis=1)
    listed = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), len(places))
    return table.drop_columns(list(places)).append_column(name, listed)


def _class_names(metadata: Mapping[str, str], shown: str) -> list[str]:
    text = metadata.get("class_names")
    if text is None:
        return []
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or len({str(name) for name in names}) != len(names):
        raise ComparisonError(f"{shown}: class_names must be a JSON list of distinct names; it is {text[:80]!r}")
    return [str(name) for name in names]


def class_names(table: PredictionTable) -> list[str]:
    """Names of the classes in the order of `scores`; empty where the dump does not state them. Raises ComparisonError."""
    return _class_names(table.metadata, table.path)


# Types and sanity


def _typed(table: "pa.Table", shown: str) -> "pa.Table":
    """Ids as text or int64, steps as int64, splits and groups as text; a label or prediction that is NaN is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    for name in ("example_id", "split", "step", "group_id"):
        if name not in table.column_names:
            continue
        index = table.column_names.index(name)
        column = table.column(index)
        if name == "step" or (name == "example_id" and not _is_text(column.type)):
            try:
                column = column.cast(pa.int64())
            except pa.ArrowException as error:
                raise ComparisonError(f"{shown}: column {name!r} must hold text or whole numbers: {error}") from None
        elif not _is_text(column.type):
            column = column.cast(pa.string())
        table = table.set_column(index, name, column)
    for name in ("label", "prediction"):
        if name in table.column_names and types.is_floating(table.schema.field(name).type):
            # What pandas writes for a missing value in a column of numbers.
            index, column = table.column_names.index(name), table.column(name)
            table = table.set_column(index, name, pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column))
            endless = int(pc.sum(pc.is_inf(column)).as_py() or 0)
            if endless:
                raise ComparisonError(f"{shown}: column {name!r} is infinite in {endless:,} of {len(column):,} rows")
    return table


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _check(found: PredictionTable) -> None:
    if not len(found.table):
        raise ComparisonError(f"{found.path}: holds no rows")
    missing = found.table.column("example_id").null_count
    if missing:
        raise ComparisonError(
            f"{found.path}: {missing:,} of {len(found.table):,} rows have no {found.named('example_id')}"
        )
    _check_unique(found)
    for name in FINITE:
        if found.has(name):
            _check_finite(found, name)


def _check_unique(found: PredictionTable) -> None:
    import pyarrow.compute as pc

    keys = [name for name in ("split", "step", "example_id") if found.has(name)]
    counted = found.table.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    twice = counted.filter(pc.greater(counted.column("count_all"), 1))
    if not len(twice):
        return
    twice = twice.sort_by([(key, "ascending") for key in reversed(keys)])
    rows = int(pc.sum(twice.column("count_all")).as_py())
    offenders = [
        f"{row['example_id']}"
        + "".join(f", {key} {row[key]}" for key in keys if key != "example_id" and row[key] is not None)
        + f" ({row['count_all']} times)"
        for row in twice.slice(0, FIRST_OFFENDERS).to_pylist()
    ]
    raise ComparisonError(
        f"{found.path}: {len(twice):,} keys of ({', '.join(found.named(key) for key in keys)}) are there more than once, in {rows:,} of "
        f"{len(found.table):,} rows: {'; '.join(offenders)}{' …' if len(twice) > FIRST_OFFENDERS else ''}; "
        "keep one row each, or name the column of steps"
    )


def _check_finite(found: PredictionTable, name: str) -> None:
    import numpy as np
    import pyarrow.compute as pc

    column = found.table.column(name).combine_chunks()
    kind = column.type.value_type if is_list(column.type) else column.type
    if not is_number(kind):
        raise ComparisonError(f"{found.path}: column {found.named(name)!r} must hold numbers; it holds {column.type}")
    rows = np.asarray(pc.is_null(column))
    if is_list(column.type):
        values = pc.list_flatten(column)
        bad = ~np.isfinite(values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
        rows[np.asarray(pc.list_parent_indices(column))[bad]] = True
    else:
        rows |= ~np.isfinite(column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
    if not rows.any():
        return
    ids = found.table.column("example_id").take(np.flatnonzero(rows)).to_pylist()
    first = sorted(ids, key=str)[:FIRST_OFFENDERS]
    raise ComparisonError(
        f"{found.path}: {found.named(name)!r} is missing or not finite in {len(ids):,} of {len(found.table):,} rows: "
        f"{', '.join(str(one) for one in first)}{' …' if len(ids) > len(first) else ''}; a model that gives NaN cannot be compared, "
        "look for its cause first"
    )


# Steps


def steps_of(found: PredictionTable) -> list[int]:
    """The steps that a dump states, in order; empty where it states none. Rows of no step are the final ones."""
    import pyarrow.compute as pc

    if not found.has("step"):
        return []
    return sorted(pc.unique(found.table.column("step").drop_null()).to_pylist())


def final_rows(found: PredictionTable) -> PredictionTable:
    """The rows of the final step of each split: those of no step, else those of its last one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not found.has("step"):
        return found
    step = pc.fill_null(found.table.column("step"), pa.scalar((1 << 63) - 1, pa.int64()))
    if not found.has("split"):
        return replace(found, table=found.table.filter(pc.equal(step, pc.max(step))))
    keyed = pa.table({"split": pc.fill_null(found.table.column("split"), ""), "step": step})
    last = keyed.group_by("split", use_threads=False).aggregate([("step", "max")])
    of_row = last.column("step_max").take(pc.index_in(keyed.column("split"), last.column("split")))
    return replace(found, table=found.table.filter(pc.equal(step, of_row)))
