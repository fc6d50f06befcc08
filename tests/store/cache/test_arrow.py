"""Arrow files mapped by our own reader: what pyarrow wrote and reads, and whatever a disk made of it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlcheck.store.cache.arrow import mapped

NAMES = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=5)


def write(path: Path, columns: dict[str, np.ndarray], metadata: dict[bytes, bytes] | None = None) -> None:
    table = pa.table(columns).replace_schema_metadata(metadata)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(), names=NAMES, rows=st.integers(0, 40), metadata=st.dictionaries(st.binary(), st.binary(), max_size=3)
)
def test_reads_what_pyarrow_wrote(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    names: list[str],
    rows: int,
    metadata: dict[bytes, bytes],
) -> None:
    path = tmp_path_factory.getbasetemp() / "one.arrow"
    columns = {
        name: data.draw(arrays.arrays(data.draw(st.sampled_from([np.int64, np.float64])), rows)) for name in names
    }
    write(path, columns, metadata)
    found = mapped(path)
    assert dict(found.metadata) == metadata
    assert list(found.columns) == names
    for name, values in columns.items():
        assert found.columns[name].dtype == values.dtype
        np.testing.assert_array_equal(found.columns[name], values)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, 2], dtype=np.int32),
        np.array([1, 2], dtype=np.uint64),
        np.array([1.0], dtype=np.float32),
        pa.array([1.0, None]),
        pa.array(["a"]),
    ],
)
def test_refuses_columns_of_other_types_and_with_nulls(tmp_path: Path, column: object) -> None:
    write(tmp_path / "x.arrow", {"x": column})
    with pytest.raises(ValueError, match=r"another type|hold together"):
        mapped(tmp_path / "x.arrow")


def test_refuses_a_table_in_pieces_and_a_compressed_one(tmp_path: Path) -> None:
    path = tmp_path / "x.arrow"
    table = pa.table({"x": np.arange(3.0)})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
        writer.write_table(table)
    with pytest.raises(ValueError, match="pieces"):
        mapped(path)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match="record batch"):
        mapped(path)


def test_whatever_a_byte_becomes_it_reads_or_raises(tmp_path: Path) -> None:
    path = tmp_path / "x.arrow"
    write(path, {"step": np.arange(4), "v:value": np.arange(4.0)}, {b"mlcheck": b"{}"})
    good = path.read_bytes()
    for at in range(0, len(good), 3):
        for changed in (good[:at], good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]):
            path.write_bytes(changed)
            # Any ordinary exception means "there is no entry" to the cache.
            columns: Mapping[str, np.ndarray] = {}
            with contextlib.suppress(Exception):
                columns = mapped(path).columns
            assert all(len(column) <= len(good) for column in columns.values())
