"""Whatever the csv and json modules write comes back; whatever bytes there are, nothing is raised."""

import csv
import io
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.importers.tables import lines
from mlcheck.importers.tables.documents import parse
from mlcheck.importers.tables.importer import TableImporter
from mlcheck.store.series import Imported
from tests.importers.tables.helpers import pairs

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
CELLS = st.lists(st.tuples(st.one_of(st.none(), NUMBERS), st.one_of(st.none(), NUMBERS)), min_size=1, max_size=40)


def read(name: str, content: bytes) -> Imported:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        importer = TableImporter()
        importer.claims(path, content[:64])
        return importer.read(path, name)


def expected(rows: list[tuple[float | None, float | None]], column: int) -> list[tuple[int, float]]:
    return [(step, row[column]) for step, row in enumerate(rows) if row[column] is not None]  # type: ignore[misc]


def compare(imported: Imported, rows: list[tuple[float | None, float | None]]) -> None:
    found = {one.tag: pairs(one) for one in imported.series}
    for column, name in enumerate(("train_loss", "val_loss")):
        np.testing.assert_array_equal(
            np.array(found.get(name, [])).reshape(-1, 2), np.array(expected(rows, column)).reshape(-1, 2)
        )


@settings(max_examples=60, deadline=None)
@given(
    CELLS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.integers(20, 200)
)
def test_what_the_csv_module_writes_comes_back(
    rows: list[tuple[float | None, float | None]], ending: str, quoting: int, block: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=ending, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["step", "train_loss", "val_loss"])
    for step, row in enumerate(rows):
        writer.writerow([step, *("" if cell is None else repr(cell) for cell in row)])
    before, lines.BLOCK_BYTES = lines.BLOCK_BYTES, block
    try:
        imported = read("metrics.csv", text.getvalue().encode())
    finally:
        lines.BLOCK_BYTES = before
    compare(imported, rows)
    assert imported.status.status == "read"


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_what_the_json_module_writes_comes_back(rows: list[tuple[float | None, float | None]]) -> None:
    records = [{"step": step, "train_loss": row[0], "val_loss": row[1]} for step, row in enumerate(rows)]
    # A run whose first record says nothing but its step is claimed as well.
    records[0]["train_loss"] = rows[0][0] if rows[0][0] is not None else 1.0
    rows = [(records[0]["train_loss"], rows[0][1]), *rows[1:]]
    compare(read("log.jsonl", "".join(json.dumps(one) + "\n" for one in records).encode()), rows)
    compare(read("log.json", json.dumps(records).encode()), rows)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.json", "a.log", "trainer_state.json", "metrics.csv"]),
)
def test_no_bytes_raise(content: bytes, name: str) -> None:
    status = read(name, content).status
    assert status.status in ("read", "partial", "unreadable")
    assert status.reason or status.status == "read"


TEXT = st.text(alphabet="0123456789.,;\t\n\r\"'{}[]:#einfa -step", max_size=200)


@settings(max_examples=300, deadline=None)
@given(
    TEXT,
    st.sampled_from(["step,loss\n1,2\n", '{"step": 1, "loss": 2}\n', '{"log_history": [{"step": 1, "loss": 2},', ""]),
    st.sampled_from(["metrics.csv", "a.jsonl", "trainer_state.json"]),
)
def test_no_text_raises(text: str, before: str, name: str) -> None:
    imported = read(name, (before + text).encode())
    assert imported.status.status in ("read", "partial", "unreadable")
    for one in imported.series:
        assert len(one.steps) == len(one.wall_times) == len(one.columns["value"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=4), NUMBERS, max_size=3), max_size=5), st.floats(0, 1))
def test_of_a_cut_document_every_whole_element_is_kept(records: list[dict[str, float]], share: float) -> None:
    text = json.dumps(records)
    at = int(share * len(text))
    kept = parse(text[:at]).value or []
    whole = [
        one
        for end, one in zip(np.cumsum([len(json.dumps(one)) + 2 for one in records]), records, strict=True)
        if end - 1 <= at
    ]
    assert len(kept) == len(whole)
    for one, other in zip(kept, whole, strict=True):
        assert all(one[key] == value or math.isnan(value) for key, value in other.items())
