"""Whether a path is a dump of predictions, embeddings or texts, by the names of its columns alone."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from mlcheck.store.examples import examples_of
from mlcheck.updates.attention import is_attention_file
from mlcheck.updates.files import DELIMITED, JSON, PARQUET

FIRST_BYTES = 1 << 20
"""Of a file of text, in which its first row must end."""
MOST_LOOKED_AT = 1000
"""Entries of a directory among which a Parquet file is looked for."""


def is_dump(path: Path, columns: Sequence[str] = ()) -> bool:
    """Whether it holds what a model said of examples. `columns`: canonical names that the user has told the columns of.

    A file that cannot be read is none here: what reads it says why.
    """
    return is_attention_file(path) or examples_of(column_names(path), columns) is not None


def column_names(path: Path) -> list[str]:
    """The columns of a Parquet file or directory, of a CSV file, or of the first line of JSON lines; none for anything else."""
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            entries = (one for one, _ in zip(path.rglob("*"), range(MOST_LOOKED_AT), strict=False))
            found = sorted(one for one in entries if one.suffix.lower() in PARQUET and one.is_file())
            return column_names(found[0]) if found else []
        if suffix in PARQUET:
            return _of_parquet(path)
        if suffix in DELIMITED:
            return next(csv.reader([_first_line(path)], delimiter="\t" if suffix == ".tsv" else ","), [])
        if suffix in JSON:
            row = json.loads(_first_line(path))
            return list(row) if isinstance(row, dict) else []
    except (OSError, ValueError, csv.Error, RecursionError):
        return []
    return []


def _of_parquet(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    except pa.ArrowException:
        return []


def _first_line(path: Path) -> str:
    with open(path, "rb") as file:
        return file.readline(FIRST_BYTES).decode("utf-8-sig")
