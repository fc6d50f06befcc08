"""Files of rows as Arrow tables, with the file's own metadata: Parquet (a file or a directory), CSV, JSON lines."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcheck.updates.base import ComparisonError

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET, DELIMITED, JSON = (".parquet", ".parq", ".pqt"), (".csv", ".tsv"), (".jsonl", ".ndjson", ".json")
MOST_BYTES = 8 << 30
"""Of a file's rows in memory: a small file may hold the same value a thousand million times."""
MOST_SIDECAR_BYTES = 16 << 20
BATCH_ROWS = 65_536
"""Rows that are decoded at once."""

Parsed = tuple["pa.Table", Mapping[str, str]]


def read_file(path: Path, shown: str, as_text: Callable[[list[str]], list[str]]) -> Parsed:
    """The rows of a file or directory, and its key/value metadata with that of its sidecar.

    as_text: of the names of columns, those that stay text in a CSV file: ids such as `007`. Raises ComparisonError.
    """
    import pyarrow as pa

    if not path.exists():
        raise ComparisonError(f"{shown}: no such file or directory")
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            table, metadata = _directory(path, shown)
        elif suffix in PARQUET:
            table, metadata = _parquet(path, shown)
        elif suffix in DELIMITED:
            table, metadata = _delimited(path, shown, as_text), {}
        elif suffix in JSON:
            table, metadata = _json(path, shown), {}
        else:
            known = ", ".join((*PARQUET, *DELIMITED, *JSON))
            raise ComparisonError(f"{shown}: not known as a dump of predictions; the name must end in one of {known}")
        # Text that is no UTF-8 and offsets that point nowhere would be found much later.
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, RuntimeError, TypeError, LookupError, MemoryError) as error:
        raise ComparisonError(f"{shown}: cannot be read: {_reason(error)}") from None
    return table, {**_sidecar(path, shown), **metadata}


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "…"


# Parquet


def _parquet(path: Path, shown: str) -> Parsed:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    batches, size = [], 0
    # Of stored columns Arrow is never asked for the metadata: where those are damaged, it ends the process.
    with parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
        schema = file.schema_arrow
        for batch in file.iter_batches(BATCH_ROWS):
            size += batch.nbytes
            if size > MOST_BYTES:
                raise ComparisonError(
                    f"{shown}: holds more than {MOST_BYTES >> 30} GB; dump fewer examples, or split it"
                )
            batches.append(batch)
    table = pa.Table.from_batches(batches, schema=schema)
    raw = schema.metadata or {}
    known = {_decoded(key): _decoded(value) for key, value in raw.items() if not key.startswith((b"ARROW:", b"pandas"))}
    return table.replace_schema_metadata(None), known


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _directory(path: Path, shown: str) -> Parsed:
    """All Parquet files below a directory, in the order of their names; `key=value` directories are columns."""
    import pyarrow as pa

    files = sorted(
        one
        for one in path.rglob("*")
        if one.suffix.lower() in PARQUET
        and one.is_file()
        and not any(part.startswith((".", "_")) for part in one.relative_to(path).parts)
    )
    if not files:
        raise ComparisonError(f"{shown}: no Parquet files ({', '.join(PARQUET)}) in this directory")
    tables = []
    metadata: dict[str, str] = {}
    for one in files:
        name = one.relative_to(path)
        table, own = _parquet(one, f"{shown}/{name.as_posix()}")
        for part in name.parent.parts:
            key, stated, value = part.partition("=")
            if stated and key not in table.column_names:
                table = table.append_column(key, pa.repeat(pa.scalar(value), len(table)))
        for key, value in own.items():
            if metadata.setdefault(key, value) != value:
                raise ComparisonError(
                    f"{shown}: its files state different {key}: {metadata[key]!r} and {value!r} ({name.as_posix()})"
                )
        tables.append(table)
    return pa.concat_tables(tables, promote_options="permissive"), metadata


# CSV


def _delimited(path: Path, shown: str, as_text: Callable[[list[str]], list[str]]) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as opened:
        header = opened.readline(1 << 20).decode("utf-8-sig", "replace").rstrip("\r\n")
    if not header:
        raise ComparisonError(f"{shown}: is empty; its first line must name the columns")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    table = csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={name: pa.string() for name in as_text(names)},
            # An empty cell is no value; `nan` is one that is not finite and must be seen as that.
            null_values=["", "null", "NULL"],
            timestamp_parsers=[],
        ),
    )
    for index, name in enumerate(table.column_names):
        if pa.types.is_string(table.schema.field(index).type) and _holds_lists(table.column(index)):
            table = table.set_column(index, name, _lists(table.column(index), shown, name))
    return table


def _holds_lists(column: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc

    stripped = pc.utf8_trim_whitespace(column)
    listed = pc.and_(pc.starts_with(stripped, "["), pc.ends_with(stripped, "]"))
    return len(column) > column.null_count and bool(pc.all(listed, min_count=0).as_py())


def _lists(column: "pa.ChunkedArray", shown: str, name: str) -> "pa.Array":
    """Cells such as `[0.1, 0.9]`, or `[0.1 0.9]` as numpy prints them."""
    import pyarrow as pa

    found = []
    for row, text in enumerate(column.to_pylist()):
        try:
            found.append(None if text is None else json.loads(text if "," in text else _spaced(text)))
        except ValueError:
            raise ComparisonError(f"{shown}, row {row + 1}, column {name!r}: {text[:80]!r} is no list") from None
    return pa.array(found)


def _spaced(text: str) -> str:
    words = text.strip().removeprefix("[").removesuffix("]").split()
    return "[" + ", ".join(_number(word) for word in words) + "]"


def _number(word: str) -> str:
    """A number as numpy prints it (`1.`, `nan`), as JSON has it."""
    if word.startswith(('"', "'")):
        return json.dumps(word.strip("\"'"))
    return json.dumps(int(word) if word.lstrip("+-").isdigit() else float(word))


# JSON


def _json(path: Path, shown: str) -> "pa.Table":
    import pyarrow as pa

    tables = [_records(batch, first, shown) for first, batch in _batches(_rows(path, shown))]
    if not tables:
        raise ComparisonError(f"{shown}: holds no rows")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ComparisonError(f"{shown}: a column changes its type on the way: {_reason(error)}") from None


def _rows(path: Path, shown: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the line (or the place in the array) of each."""
    with path.open(encoding="utf-8-sig") as opened:
        start = opened.read(1)
        while start.isspace():
            start = opened.read(1)
        opened.seek(0)
        if start == "[":
            yield from enumerate((_object(row, shown, number) for number, row in enumerate(json.load(opened), 1)), 1)
            return
        for number, line in enumerate(opened, 1):
            if not line.isspace():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise ComparisonError(f"{shown}, line {number}: no JSON: {_reason(error)}") from None
                yield number, _object(row, shown, number)


def _object(row: Any, shown: str, number: int) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ComparisonError(f"{shown}, row {number}: {str(row)[:80]!r} is no object with columns")
    return row


def _batches(rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    batch: list[dict[str, Any]] = []
    first = 1
    for number, row in rows:
        if not batch:
            first = number
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield first, batch
            batch = []
    if batch:
        yield first, batch


def _records(rows: list[dict[str, Any]], first: int, shown: str) -> "pa.Table":
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows], name, first, shown) for name in names})


def _column(values: list[Any], name: str, first: int, shown: str) -> "pa.Array":
    """A column of JSON values. Objects of no one shape are kept as text: they can be no column of the schema."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError) as error:
        if any(isinstance(value, dict | list) for value in values):
            return pa.array([None if value is None else json.dumps(value, sort_keys=True) for value in values])
        kinds = dict.fromkeys(type(value).__name__ for value in values if value is not None)
        if set(kinds) <= {"int", "float", "bool"}:
            return pa.array([None if value is None else float(value) for value in values])
        if len(kinds) == 1:
            raise ComparisonError(f"{shown}, from row {first}: column {name!r}: {_reason(error)}") from None
        return pa.array([value if value is None or isinstance(value, str) else json.dumps(value) for value in values])


# The sidecar


def _sidecar(path: Path, shown: str) -> dict[str, str]:
    """`<file>.meta.json`, for writers that drop the file's own metadata."""
    beside = path.with_name(path.name + ".meta.json")
    if not beside.is_file():
        return {}
    name = f"{shown}.meta.json"
    if beside.stat().st_size > MOST_SIDECAR_BYTES:
        raise ComparisonError(f"{name}: is larger than {MOST_SIDECAR_BYTES >> 20} MB")
    try:
        found = json.loads(beside.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ComparisonError(f"{name}: cannot be read: {_reason(error)}") from None
    if not isinstance(found, dict):
        raise ComparisonError(f"{name}: must be an object of keys, such as model_id and class_names")
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
