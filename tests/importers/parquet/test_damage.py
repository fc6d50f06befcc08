"""Files that are cut, damaged, encrypted or lie: one line each, the rest is read, nothing raises."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcheck.importers.parquet import pages
from mlcheck.importers.parquet.importer import ParquetImporter
from tests.importers.parquet.helpers import by_tag, claimed, read, together, write


def _table(rows: int = 30) -> dict[str, object]:
    return {"step": np.arange(rows), "name": ["loss"] * rows, "value": np.arange(rows, dtype=np.float64)}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.parquet", b"", "an empty file"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        ("a.parquet", b"\x80\x04\x95abcdefghijklmnop", "called Parquet, but begins with"),
        ("a.parquet", b"PAR1", "Parquet without its footer: cut, or still being written"),
        ("a.bin", b"PAR1" + b"x" * 100, "Parquet without its footer: cut, or still being written"),
        ("a.parquet", b"PARE" + b"x" * 100 + b"PARE", "encrypted"),
        (
            "a.parquet",
            b"PAR1" + b"x" * 20 + struct.pack("<I", 1 << 31) + b"PAR1",
            "its footer claims 2,147,483,648 bytes",
        ),
        ("a.parquet", b"PAR1" + b"x" * 20 + struct.pack("<I", 16) + b"PAR1", "its footer is damaged"),
    ],
)
def test_what_is_no_parquet_is_claimed_and_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert claimed(path)
    status = read(path).status
    assert status.status == "unreadable"
    assert reason in (status.reason or "")
    assert "\n" not in (status.reason or "")
    assert status.lost_bytes == len(content)


def test_a_file_that_cannot_be_opened_is_a_status(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", _table())
    from mlcheck.importers.found import FoundFile

    gone = FoundFile(tmp_path / "gone.parquet", "gone.parquet", "", "parquet", 0)
    here = FoundFile(path, "a.parquet", "", "parquet", path.stat().st_size)
    from mlcheck.store.tensors.request import Request

    found = ParquetImporter().read_together([gone, here], Request.base())
    assert {one.status.path: one.status.status for _, one in found} == {
        "gone.parquet": "unreadable",
        "a.parquet": "read",
    }
    assert sum(len(one.series) for _, one in found) == 1


def test_a_damaged_page_costs_its_row_group_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", _table(), row_group_size=10, compression="zstd", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(1)
    data = bytearray(path.read_bytes())
    begin = group.column(2).data_page_offset
    data[begin : begin + 60] = b"\xff" * 60
    path.write_bytes(data)
    found = read(path)
    assert by_tag(found)["loss"].steps.tolist() == [*range(10), *range(20, 30)]
    assert found.status.status == "partial"
    assert (found.status.reason or "").startswith("row group 2 of 3: ")
    assert "10 rows lost" in (found.status.reason or "")
    assert 0 < found.status.lost_bytes < path.stat().st_size
    assert found.status.offset is not None


def test_a_wrong_checksum_is_seen(tmp_path: Path) -> None:
    """The values themselves are damaged, in a file without compression: only the checksum tells."""
    path = write(tmp_path / "a.parquet", _table(), compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    at = data.index(np.arange(30, dtype=np.float64).tobytes())
    data[at + 8 * 7] ^= 0x40
    path.write_bytes(data)
    assert read(path).status.status == "unreadable"


def test_encrypted_columns(tmp_path: Path) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Client(encryption.KmsClient):
        def wrap_key(self, key: bytes, _: str) -> bytes:
            return key

        def unwrap_key(self, key: bytes, _: str) -> bytes:
            return key

    factory = encryption.CryptoFactory(lambda _: Client())
    for plaintext in (True, False):
        settings = encryption.EncryptionConfiguration(
            footer_key="k", column_keys={"k": ["value"]}, plaintext_footer=plaintext, double_wrapping=False
        )
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), settings)
        path = write(tmp_path / f"{plaintext}.parquet", _table(), encryption_properties=properties)
        assert claimed(path)
        status = read(path).status
        assert status.status == "unreadable"
        assert "crypt" in (status.reason or "").lower()


def test_more_rows_than_a_file_can_hold_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "CELLS", 1000)
    monkeypatch.setattr(pages, "CELLS_PER_BYTE", 1)
    rows = 200_000
    table = {"step": np.zeros(rows, dtype=np.int64), "loss": np.zeros(rows)}
    found = read(write(tmp_path / "a.parquet", table))
    assert found.status.status == "unreadable"
    assert "claims 200,000 rows, which a file of" in (found.status.reason or "")


def test_a_list_of_more_values_than_can_be_there_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "CELL_VALUES", 100_000)
    table = {"step": [0], "name": ["w"], "value": pa.array([np.zeros(1_000_000, np.float32)], pa.list_(pa.float32()))}
    path = write(tmp_path / "a.parquet", table, compression="zstd")
    found = read(path)
    assert "claims 1,000,000 values in" in (found.status.reason or "")


def test_all_zero_tensors_are_no_bomb(tmp_path: Path) -> None:
    """A gradient that is zero everywhere compresses to nothing, and is just what is looked for."""
    zeros = np.zeros(1 << 18, np.float32)
    table = {"step": range(64), "name": ["gradients/w"] * 64, "value": pa.array([zeros] * 64, pa.list_(pa.float32()))}
    path = write(tmp_path / "a.parquet", table, compression="zstd")
    assert path.stat().st_size < 200_000
    (one,) = read(path).series
    assert one.columns["zeros"].tolist() == [float(1 << 18)] * 64


def test_memory_is_that_of_a_batch(tmp_path: Path) -> None:
    """128 MB of tensors in one row group: what is held at once is far less."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=1 << 18).astype(np.float32) for _ in range(128)]
    table = {"step": range(128), "name": ["weights/w"] * 128, "value": pa.array(arrays, pa.list_(pa.float32()))}
    path = write(tmp_path / "a.parquet", table)
    code = (
        "import resource, sys; from pathlib import Path; import pyarrow.parquet, mlcheck.store.tensors.collect\n"
        "from mlcheck.importers.parquet.importer import ParquetImporter as P\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "P().claims(Path(sys.argv[1]), b'PAR1'); before = peak(); found = P().read(Path(sys.argv[1]), 'x')\n"
        "assert found.status.records == 128; print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 110


@pytest.mark.slow
def test_a_hundred_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{at}" for at in range(100_000)]
    columns = [pa.array([0, 1])] + [pa.array([1.0, 2.0])] * len(names)
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.Table.from_arrays(columns, names=["step", *names]), path, use_dictionary=False, write_statistics=False
    )
    found = read(path)
    assert len(found.series) == 50_000 - 1
    assert "columns beyond 50,000 are left out" in (found.status.reason or "")


def test_deep_nesting_is_no_tensor(tmp_path: Path) -> None:
    kind, value = pa.list_(pa.float32()), [1.0]
    for _ in range(40):
        kind, value = pa.list_(kind), [value]
    found = read(write(tmp_path / "a.parquet", {"step": [0], "loss": [1.0], "deep": pa.array([value], kind)}))
    assert [one.tag for one in found.series] == ["loss"]
    assert "1 column is of types that hold no numbers: deep" in (found.status.reason or "")


def test_names_that_no_terminal_should_see(tmp_path: Path) -> None:
    table = {"step": [0, 1], "name": ["\x1b[31mloss", "x" * 5000], "value": [1.0, 2.0]}
    tags = [one.tag for one in read(write(tmp_path / "a.parquet", table)).series]
    assert all(one.isprintable() and len(one) <= 1000 for one in tags)


def test_an_index_of_other_files_is_left_alone(tmp_path: Path) -> None:
    """Dask and Spark leave `_metadata`, whose row groups lie in the files beside it."""
    collected: list[pq.FileMetaData] = []
    table = pa.table(_table())
    pq.write_to_dataset(table, tmp_path / "t", metadata_collector=collected)
    collected[0].set_file_path("part.0.parquet")
    pq.write_metadata(table.schema, tmp_path / "_metadata", metadata_collector=collected)
    assert not claimed(tmp_path / "_metadata")


def test_one_bad_file_costs_no_other(tmp_path: Path) -> None:
    good = write(tmp_path / "a.parquet", _table())
    (tmp_path / "b.parquet").write_bytes(good.read_bytes()[:-20])
    found = together([good, tmp_path / "b.parquet"])
    assert [one.status.status for one in found] == ["read", "unreadable"]
    assert len(found[0].series) == 1


FUZZ = """
import sys
from pathlib import Path
import numpy as np
from mlcheck.importers.parquet.importer import ParquetImporter
path, seed = Path(sys.argv[1]), int(sys.argv[2])
good, importer, random = path.read_bytes(), ParquetImporter(), np.random.default_rng(seed)
broken = path.with_name("broken.parquet")
cuts = [good[:at] for at in range(0, len(good), 64)]
flips = []
for _ in range(120):
    data = bytearray(good)
    begin = len(data) * 2 // 3 if random.random() < 0.5 else 0
    for _ in range(random.integers(1, 4)):
        data[random.integers(begin, len(data))] = random.integers(0, 256)
    flips.append(bytes(data))
for data in [*cuts, *flips]:
    broken.write_bytes(data)
    importer.claims(broken, data[:64])
    importer.why_not(broken, data[:64])
    for one in importer.members(broken).runs[:1]:
        importer.read_member(broken, "f", one.id)
    status = importer.read(broken, "f").status
    assert status.status == "read" or status.reason, status
    assert "\\n" not in (status.reason or "")
"""


@pytest.mark.parametrize("form", ["long", "wide", "predictions"])
def test_nothing_raises_and_nothing_ends_the_process(tmp_path: Path, form: str) -> None:
    """Cut at every 64th byte, and with bytes changed at random; in a process of its own, since the fault would be Arrow's."""
    tables = {
        "long": {
            "run": ["a", "b"] * 15, "step": range(30), "name": ["w", "v", "u"] * 10, "shape": [[2]] * 30,
            "value": pa.array([[1.0, 2.0]] * 30, pa.list_(pa.float32())),
        },
        "wide": {
            "step": range(30), "loss": np.arange(30.0), "t": pa.array([[1.0, 2.0]] * 30, pa.list_(pa.float32(), 2)),
            "timestamp": pa.array(np.arange(30), pa.timestamp("ns")), "note": ["x"] * 30,
        },
        "predictions": {"step": np.repeat(range(3), 10), "label": ["x", "y"] * 15, "prediction": ["x"] * 30},
    }  # fmt: skip
    path = write(tmp_path / "good.parquet", tables[form], row_group_size=10)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FUZZ, str(path), "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
