"""What the columns of a file are, told from its schema and its footer alone."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mlcheck.importers.parquet import words
from mlcheck.importers.parquet.footer import NotReadable, faults, open_file, reason_of
from mlcheck.importers.parquet.thrift import Footer, footer_of
from mlcheck.importers.tables.columns import MOST_COLUMNS
from mlcheck.importers.tables.writers import normal
from mlcheck.records import dataclass
from mlcheck.store.examples import Examples, said_by_model, why_no_run
from mlcheck.store.tensors.request import BASE

Form = Literal["long", "wide", "predictions", "statistics", "settings"]
Sort = Literal["number", "tensor", "text", "time", "date", "empty", "other"]

NO_RUN = "Parquet without a step, collection or prediction columns: a data set, not judged"
MARK = b"mlcheck.table"
"""Key of the file metadata under which `mlcheck export` says which of its tables a file is."""
NOT_READ_BACK = ("series", "facts")
"""Tables of an export that repeat what its others hold."""
DEEPEST = 8
"""Levels of lists within lists."""
NAMED = 5
"""Columns that a reason names."""
REMEMBERED = 512
_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index without a name."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file by what they mean; None or empty for what it has not."""

    form: Form
    is_history: bool = False
    """Each row is an epoch: there are `loss` and `val_loss`, and no column counts steps."""
    steps: tuple[str, ...] = ()
    """Columns that may count the steps, the most likely one first; of `long` and the like only the first counts."""
    is_epoch: bool = False
    """The first of them counts epochs."""
    name: str | None = None
    values: tuple[str, ...] = ()
    """Columns of numbers: those of the quantities."""
    tensors: tuple[str, ...] = ()
    """Columns of lists."""
    collection: str | None = None
    mode: str | None = None
    worker: str | None = None
    run: str | None = None
    wall: str | None = None
    elapsed: bool = False
    """`wall` counts from the beginning of the run."""
    shape: str | None = None
    dtype: str | None = None
    segment: str | None = None
    axis: str | None = None
    order: str | None = None
    """Place of a tensor in its model; of tables of statistics."""
    label: str | None = None
    prediction: str | None = None
    scores: str | None = None
    embedding: str | None = None
    notes: tuple[str, ...] = ()
    """What is left out, for the reason of the status."""
    shapes: Mapping[str, tuple[int, ...]] | None = None
    """Shapes of tensors that the metadata state; under `` for all of them."""
    dtypes: Mapping[str, str] | None = None

    def keys(self) -> tuple[str, ...]:
        """Columns of texts that tell series apart."""
        return tuple(
            one
            for one in (self.name, self.collection, self.mode, self.worker, self.dtype, self.axis, self.order)
            if one is not None
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a file's footer gave: a layout, or the reason why there is none."""

    layout: Layout | None
    refused: str | None = None
    is_damaged: bool = False
    """It cannot be read at all, as opposed to being no run data."""
    snapshot: Layout | None = None
    """How it is read when the user names it."""
    examples: Examples | None = None
    """What a model said of examples, in rows without a step: nothing of a run by itself."""


def look(path: Path) -> Look:
    """Look at the footer of a file; remembered while the file is the same. Raises OSError."""
    found = path.stat()
    return _look(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=REMEMBERED)
def _look(path: Path, size: int, modified: int) -> Look:
    try:
        file = open_file(path)
    except NotReadable as error:
        return Look(None, str(error), is_damaged=True)
    try:
        with file:
            return _judge(file.schema_arrow, footer_of(path), path)
    except faults() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return Look(None, f"its footer is damaged: {reason_of(error)}", is_damaged=True)


def _judge(schema: Any, footer: Footer, path: Path) -> Look:
    from mlcheck.importers.parquet.places import partition_keys

    mark = (schema.metadata or {}).get(MARK, b"").decode("utf-8", "replace")
    if mark in NOT_READ_BACK:
        return Look(None, f"the table `{mark}` of an export by mlcheck: its other tables hold all of it")
    if any(one.lies_elsewhere for group in footer.groups[:1] for one in group.chunks):
        return Look(None, "an index of other Parquet files, which are read themselves")
    columns = Columns.of(schema)
    if mark == "runs":
        return Look(Layout("settings", run=columns.first(words.RUNS, "text")))
    by_path = partition_keys(path)
    steps = [one for one in columns.steps() if not _is_void(footer, one)]
    has_step = bool(steps) or any(normal(key) in (*words.STEPS, *words.EPOCHS) for key in by_path)
    layout = _layout(columns, steps, schema)
    examples = said_by_model(columns.sorts) if footer.rows and not has_step else None
    is_run = _is_run(layout, columns, has_step) and bool(footer.rows)
    if is_run:
        return Look(layout, examples=examples)
    is_readable = bool(layout.values or layout.tensors or layout.form == "predictions")
    refused = why_no_run(examples) if examples else NO_RUN
    snapshot = layout if is_readable and not examples else None
    return Look(None, refused if footer.rows else "Parquet without rows", snapshot=snapshot, examples=examples)


def _is_run(layout: Layout, columns: "Columns", has_step: bool) -> bool:
    if layout.form == "predictions":
        return True
    if not (layout.values or layout.tensors):
        return False
    if layout.form in ("long", "statistics"):
        return has_step or layout.collection is not None
    return (has_step or layout.is_history) and not columns.normals & words.TRAJECTORY


def _is_void(footer: Footer, name: str) -> bool:
    """Whether a column states no value at all, as far as the footer knows."""
    chunks = [group.chunk(name) for group in footer.groups if group.rows]
    return all(one is not None and one.nulls is not None and one.nulls >= one.values for one in chunks)


@dataclass(frozen=True)
class Columns:
    """The columns of a schema, each name once."""

    sorts: Mapping[str, Sort]
    """By name, in the file's order."""
    by_normal: Mapping[str, str]
    repeated: tuple[str, ...]

    @classmethod
    def of(cls, schema: Any) -> "Columns":
        """The columns of an Arrow schema. Those that share a name cannot be told apart and are left out."""
        counts: dict[str, int] = {}
        for name in schema.names:
            counts[name] = counts.get(name, 0) + 1
        sorts: dict[str, Sort] = {field.name: sort_of(field.type) for field in schema if counts[field.name] == 1}
        by_normal = {normal(name): name for name in reversed(list(sorts))}
        return cls(sorts, by_normal, tuple(name for name, count in counts.items() if count > 1))

    @property
    def normals(self) -> frozenset[str]:
        """All names in normal form."""
        return frozenset(self.by_normal)

    def first(self, names: Sequence[str], *sorts: Sort) -> str | None:
        """The first of the names that is a column of one of these sorts."""
        for one in names:
            name = self.by_normal.get(one)
            if name is not None and self.sorts[name] in sorts:
                return name
        return None

    def steps(self) -> list[str]:
        """Columns of numbers that may count steps."""
        names = (self.by_normal.get(one) for one in (*words.STEPS, *words.EPOCHS))
        return [one for one in names if one is not None and self.sorts[one] == "number"]


def sort_of(kind: Any) -> Sort:
    """What the values of an Arrow type are."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        return sort_of(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_timestamp(kind):
        return "time"
    if types.is_date(kind) or types.is_time(kind) or types.is_duration(kind):
        return "date"
    if types.is_null(kind):
        return "empty"
    return "tensor" if _is_tensor(kind, 0) else "other"


def _is_tensor(kind: Any, depth: int) -> bool:
    import pyarrow as pa
    import pyarrow.types as types

    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if types.is_struct(kind):
        names = {kind.field(at).name: kind.field(at).type for at in range(kind.num_fields)} if not depth else {}
        return {"data", "shape"} <= names.keys() and _is_tensor(names["data"], 1) and _is_tensor(names["shape"], 1)
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    if types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
        return depth < DEEPEST and _is_tensor(inner, depth + 1)
    return sort_of(inner) == "number" and not types.is_dictionary(inner)


def _layout(columns: Columns, steps: Sequence[str], schema: Any) -> Layout:
    """The columns by what they mean. The form is the first that fits: long, predictions, statistics, wide."""
    stamp = columns.first(words.STAMPS, "number", "time", "text")
    elapsed = None if stamp else columns.first(words.ELAPSED, "number")
    times = [name for name, sort in columns.sorts.items() if sort == "time"]
    common: dict[str, Any] = {
        "steps": tuple(steps),
        "is_epoch": bool(steps) and normal(steps[0]) in words.EPOCHS,
        "collection": columns.first(words.COLLECTION, "text"),
        "mode": columns.first(words.MODES, "text"),
        "worker": columns.first(words.WORKERS, "text", "number"),
        "run": columns.first(words.RUNS, "text", "number"),
        "wall": stamp or elapsed or (times[0] if len(times) == 1 else None),
        "elapsed": elapsed is not None,
        "segment": columns.first(words.SEGMENTS, "number"),
        "axis": columns.first(words.AXES, "text"),
    }
    name = columns.first(words.NAMES, "text")
    value = columns.first(words.VALUES, "number", "tensor")
    if name is not None and value is not None:
        return _long(columns, common, name, value, schema)
    label, prediction = (
        columns.first(words.LABELS, "number", "text"),
        columns.first(words.PREDICTIONS, "number", "text"),
    )
    scores = columns.first(words.SCORES, "number", "tensor")
    if (label or columns.first(words.EXAMPLES, "number", "text")) and (prediction or scores):
        embedding = columns.first(words.EMBEDDINGS, "tensor")
        return _predictions(columns, common, (label, prediction, scores, embedding), schema)
    return _wide(columns, common, name or columns.first(words.OWNERS, "text"), schema)


def _long(columns: Columns, common: Mapping[str, Any], name: str, value: str, schema: Any) -> Layout:
    is_tensor = columns.sorts[value] == "tensor"
    shape = columns.first(words.SHAPES, "tensor", "text") if is_tensor else None
    dtype = columns.first(words.DTYPES, "text") if is_tensor else None
    used = {*_used(common), name, value, shape, dtype}
    rest = [one for one in columns.sorts if one not in used]
    notes = _left_out(columns, [one for one in rest if columns.sorts[one] not in ("number", "tensor")])
    others = [one for one in rest if columns.sorts[one] in ("number", "tensor")]
    if others:
        notes = (*notes, f"{_count(len(others), 'column')} beside {value!r} not read: {_listed(others)}")
    shapes, dtypes = _stated(schema, (value,)) if is_tensor else (None, None)
    return Layout(
        "long", name=name, values=() if is_tensor else (value,), tensors=(value,) if is_tensor else (), shape=shape,
        dtype=dtype, notes=notes, shapes=shapes, dtypes=dtypes, **common,
    )  # fmt: skip


def _predictions(
    columns: Columns,
    common: Mapping[str, Any],
    found: tuple[str | None, str | None, str | None, str | None],
    schema: Any,
) -> Layout:
    label, prediction, scores, embedding = found
    # A prediction says what the scores say, and takes no room.
    scores = None if prediction else scores
    tensors = tuple(one for one in (scores, embedding) if one)
    shapes, dtypes = _stated(schema, tensors)
    return Layout(
        "predictions", label=label, prediction=prediction, scores=scores, embedding=embedding, shapes=shapes, dtypes=dtypes,
        notes=_left_out(columns, []), **common,
    )  # fmt: skip


def _wide(columns: Columns, common: Mapping[str, Any], owner: str | None, schema: Any) -> Layout:
    used = {*_used(common), owner}
    numbers = [
        one for one, sort in columns.sorts.items() if sort == "number" and one not in used and not _INDEX.fullmatch(one)
    ]
    most = MOST_COLUMNS - len(common["steps"])
    beyond = (f"columns beyond {MOST_COLUMNS:,} are left out",) if len(numbers) > most else ()
    numbers = numbers[:most]
    form: Form = "wide"
    order = None
    if owner is not None and sum(one in BASE for one in numbers) > 1:
        form = "statistics"
        order = columns.first(words.ORDERS, "number")
        numbers = [one for one in numbers if one != order]
        tensors: tuple[str, ...] = ()
    else:
        tensors = tuple(one for one, sort in columns.sorts.items() if sort == "tensor")
    left = [one for one, sort in columns.sorts.items() if sort not in ("number", "tensor") and one not in used]
    shapes, dtypes = _stated(schema, tensors)
    return Layout(
        form, name=owner, order=order, values=tuple(numbers), tensors=tensors, shapes=shapes, dtypes=dtypes,
        is_history=not common["steps"] and {"loss", "val_loss"} <= columns.normals,
        notes=(*_left_out(columns, left), *beyond), **common,
    )  # fmt: skip


def _used(common: Mapping[str, Any]) -> set[str]:
    return {*common["steps"], *(one for one in common.values() if isinstance(one, str))}


def _left_out(columns: Columns, names: Sequence[str]) -> tuple[str, ...]:
    """Columns that hold neither numbers nor lists of numbers: counted once by what they are, the first ones named."""
    notes = []
    kinds: dict[str, list[str]] = {}
    for one in names:
        if columns.sorts[one] == "text" and normal(one) in words.NAMES:
            continue  # Another name of what is named already.
        kinds.setdefault(columns.sorts[one], []).append(one)
    for sort, word in (
        ("text", "text"),
        ("date", "dates or durations"),
        ("time", "times"),
        ("other", "of types that hold no numbers"),
    ):
        found = kinds.get(sort)
        if found:
            notes.append(
                f"{_count(len(found), 'column')} {'is' if len(found) == 1 else 'are'} {word}: {_listed(found)}"
            )
    if columns.repeated:
        notes.append(f"left out, since several columns have one name: {_listed(columns.repeated)}")
    return tuple(notes)


def _count(count: int, word: str) -> str:
    return f"1 {word}" if count == 1 else f"{count:,} {word}s"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(one[:60] for one in names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"


# What the metadata state of tensors


def _stated(schema: Any, columns: Sequence[str]) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Shapes and data types of tensors in the metadata of the file (under ``) and of its fields."""
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    for name, metadata in (("", schema.metadata), *((one, schema.field(one).metadata) for one in columns)):
        shape = shape_of_text((metadata or {}).get(b"shape", b"")[:1000].decode("utf-8", "replace"))
        if shape is not None:
            shapes[name] = shape
        dtype = (metadata or {}).get(b"dtype", b"")[:40].decode("utf-8", "replace").strip('" ')
        if dtype:
            dtypes[name] = dtype
    return shapes, dtypes


@lru_cache(maxsize=4096)
def shape_of_text(text: str) -> tuple[int, ...] | None:
    """`[3, 4]`, `(3, 4)`, `3x4`, `3,4`: a shape as people write it; None where it is none."""
    body = text.strip()
    if body in ("()", "[]"):
        return ()
    body = body.strip("()[]").replace("x", ",").replace("×", ",").strip(", ")
    try:
        sizes = json.loads(f"[{body}]")
    except ValueError:
        return None
    if not sizes or not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 1 << 62 for one in sizes):
        return None
    return tuple(sizes)
