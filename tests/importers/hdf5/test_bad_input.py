"""What is wrong with a file is said in one line, with the object and the reason; the rest is read."""

import os
import pickle
import shutil
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from mlcheck.importers.hdf5 import storage, walk
from mlcheck.importers.hdf5.importer import Hdf5Importer
from tests.importers.hdf5.recorder import claims, read, why_not

pytestmark = pytest.mark.usefixtures("recorded")
GOOD = np.arange(6, dtype=np.float32).reshape(2, 3)


def dump(path, **options):
    with h5py.File(path, "w", **options) as file:
        for step in (1, 2):
            file[f"step_{step}/gradients/good"] = GOOD
    return path


def add(path, name, **options):
    with h5py.File(path, "r+") as file:
        return file.create_dataset(name, **options).name


def assert_rest_is_read(found):
    assert found.tensors["gradients/good"].steps == [1, 2]
    np.testing.assert_array_equal(found.tensors["gradients/good"].at(2), GOOD)
    assert "\n" not in found.reason


# No HDF5


class Explosive:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_never_loaded(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.h5"
    path.write_bytes(pickle.dumps(Explosive(), protocol))
    assert claims(path)
    found = read(path)
    assert found.status.status == "unreadable"
    assert found.reason.startswith(f"a Python pickle (protocol {protocol}), no HDF5")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS pointer: the data was not downloaded; run `git lfs pull`",
        ),
        (b"\x89HDF\r", "truncated HDF5: it ends after 5 bytes, inside its signature"),
        (bytes(4096), "no HDF5: it begins with zero bytes only (a copy or a write that broke off?)"),
        (b"<html>404</html>", "text, no HDF5 (an error page that was saved under this name?)"),
        (b"\x01\x02\x03 something", "no HDF5: it has no HDF5 signature"),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_other_contents(tmp_path, content, reason, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert claims(path)
    found = read(path)
    assert (found.status.status, found.reason) == ("unreadable", reason)
    assert found.status.lost_bytes == len(content)


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.h5", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "a zip archive" in read(tmp_path / "model.h5").reason


def test_truncated(tmp_path):
    path = dump(tmp_path / "a.h5")
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[: whole - 100])
    assert claims(path)
    found = read(path)
    assert (found.status.status, found.reason) == (
        "unreadable",
        f"truncated: {whole - 100:,} of {whole:,} bytes are there",
    )


def test_file_that_is_still_written(tmp_path):
    # A copy has the flags that the writer takes away when it closes the file.
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["step_1/gradients/good"] = GOOD
        file.flush()
        shutil.copy(tmp_path / "a.h5", tmp_path / "writing.h5")
        file.swmr_mode = True
        file.flush()
        shutil.copy(tmp_path / "a.h5", tmp_path / "swmr.h5")
    found = read(tmp_path / "writing.h5")
    assert found.status.status == "unreadable"
    assert "still being written, or its writer crashed" in found.reason
    found = read(tmp_path / "swmr.h5")
    assert found.tensors["gradients/good"].steps == [1]


# Links


def test_external_links_are_not_followed(tmp_path):
    other = dump(tmp_path / "other.h5")
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["step_1/gradients/far"] = h5py.ExternalLink(str(other), "/step_1/gradients/good")
        file["step_2/gradients/through"] = h5py.SoftLink("/step_1/gradients/far")
    found = read(path)
    assert_rest_is_read(found)
    assert found.status.status == "partial"
    assert f"/step_1/gradients/far: an external link to {other}: not followed out of the run" in found.reason
    assert set(found.tensors) == {"gradients/good", "gradients/good@None"}


def test_soft_links(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["latest"] = h5py.SoftLink("/step_2")
        file["step_1/gone"] = h5py.SoftLink("nowhere")
    found = read(path)
    assert_rest_is_read(found)
    assert found.status.status == "read"
    assert "/latest: a soft link to /step_2: read there" in found.reason
    assert "/step_1/gone: a soft link to /step_1/nowhere, which is not there" in found.reason


def test_group_cycles_end(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["step_1/self"] = file["/"]
        file["step_1/gradients/up"] = file["step_1"]
        file["step_2/gradients/tied"] = file["step_2/gradients/good"]
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/self and /step_1/gradients/up: a group inside itself (a cycle of links): read once" in found.reason
    assert "/step_2/gradients/tied: another name of /step_2/gradients/good: read once" in found.reason


def test_deep_groups_end(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["/".join(["g"] * 70) + "/x"] = GOOD
    found = read(path)
    assert_rest_is_read(found)
    assert "groups below it are more than 64 deep" in found.reason


def test_too_many_objects(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for step in range(60):
            file[f"gradients/good/{step}"] = GOOD
    from mlcheck.importers.hdf5 import look

    monkeypatch.setattr(look, "MOST_OBJECTS", 50)
    found = read(path)
    assert len(found.tensors["gradients/good"].steps) == 48
    assert found.status.status == "partial"
    assert "more objects than are looked at" in found.reason


def test_most_objects_is_a_million():
    assert walk.MOST_OBJECTS == 1_000_000


# Data sets


def low_level(path, name, made, shape=(2, 3), values=None):
    with h5py.File(path, "r+") as file:
        dataset = h5d.create(file["step_1/gradients"].id, name.encode(), h5t.IEEE_F32LE, h5s.create_simple(shape), made)
        if values is not None:
            dataset.write(h5s.ALL, h5s.ALL, values)


def test_external_storage_is_not_followed(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(24))
    path = dump(tmp_path / "a.h5")
    made = h5p.create(h5p.DATASET_CREATE)
    made.set_external(str(secret).encode(), 0, 24)
    low_level(path, "far", made)
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/gradients/far: its values lie in another file (external storage): not followed" in found.reason
    assert "gradients/far" not in found.tensors


def test_virtual_data_sets_are_not_followed(tmp_path):
    other = dump(tmp_path / "other.h5")
    path = dump(tmp_path / "a.h5")
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource(other, "step_1/gradients/good", (2, 3))
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("step_1/gradients/far", layout)
        # With many attributes its header goes on elsewhere.
        file.create_virtual_dataset("step_2/gradients/far", layout)
        for number in range(7):
            file["step_2/gradients/far"].attrs[f"a{number}"] = "x" * 100
    found = read(path)
    assert_rest_is_read(found)
    assert found.status.status == "partial"
    assert "/step_1/gradients/far and /step_2/gradients/far: a virtual data set" in found.reason
    assert "gradients/far" not in found.tensors


def test_missing_filter_is_named(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        dataset = file.create_dataset(
            "step_1/gradients/packed",
            data=np.zeros((2, 300), np.float32),
            chunks=(2, 300),
            compression="gzip",
            compression_opts=9,
        )
        assert dataset.compression == "gzip"
    # The filter pipeline message: identifier 1 (deflate) becomes 32001 (blosc).
    raw = path.read_bytes()
    pipeline = struct.pack("<HHHH", 1, 8, 1, 1) + b"deflate\0" + struct.pack("<I", 9)
    assert raw.count(pipeline) == 1
    path.write_bytes(raw.replace(pipeline, struct.pack("<HHHH", 32001, 8, 0, 1) + b"deflate\0" + struct.pack("<I", 9)))
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/gradients/packed: compression filter 32001 (blosc) is not installed" in found.reason
    assert found.status.status == "partial"
    assert found.status.lost_bytes > 0


def test_compression_bombs_are_not_unpacked(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        # One tensor of 1 GB of zeros in about 1 MB, and a chunk of 400 MB.
        row = np.zeros((1, 1 << 18), np.float32)
        wide = file.create_dataset("step_1/gradients/wide", (1, 1 << 28), "f4", chunks=row.shape, compression="gzip")
        for column in range(0, 1 << 28, row.shape[1]):
            wide.id.write_direct_chunk((0, column), zlib.compress(row.tobytes(), 9))
        dataset = file.create_dataset(
            "step_1/gradients/chunk", (100, 1 << 20), "f4", chunks=(100, 1 << 20), compression="gzip"
        )
        dataset.id.write_direct_chunk((0, 0), b"x" * 1000)
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/gradients/wide: it unpacks from" in found.reason
    assert f"to {1 << 30:,} bytes (a compression bomb?): left out" in found.reason
    assert (
        f"/step_1/gradients/chunk: it unpacks from 1,000 to {400 << 20:,} bytes (a compression bomb?): left out"
        in found.reason
    )
    assert set(found.tensors) == {"gradients/good", "gradients/good@None"}


def test_bombs_are_bounded_over_the_whole_file(tmp_path, monkeypatch):
    path = dump(tmp_path / "a.h5")
    for number in range(5):
        add(
            path,
            f"step_1/gradients/z{number}",
            data=np.zeros(1 << 18, np.float32),
            chunks=(1 << 18,),
            compression="gzip",
        )
    monkeypatch.setattr(walk, "MOST_UNPACKED", 3 << 20)
    monkeypatch.setattr(walk, "UNPACKED_RATIO", 1)
    found = read(path)
    assert_rest_is_read(found)
    assert [f"gradients/z{number}" in found.tensors for number in range(5)] == [True, True, True, False, False]
    assert found.status.status == "partial"


def test_well_packed_zeros_are_no_bomb(tmp_path):
    path = dump(tmp_path / "a.h5")
    add(path, "step_1/gradients/zeros", data=np.zeros((1000, 1000), np.float32), compression="gzip", compression_opts=9)
    assert read(path).tensors["gradients/zeros"].at(1).shape == (1000, 1000)


@pytest.mark.parametrize("user_block", [0, 512])
def test_what_was_never_written_is_no_data(tmp_path, user_block):
    path = dump(tmp_path / "a.h5", userblock_size=user_block)
    with h5py.File(path, "r+") as file:
        file.create_dataset("step_1/gradients/late", (3, 3), "f4")
        file.create_dataset("step_1/gradients/chunks", (3, 3), "f4", chunks=(1, 3))
        file.create_dataset("step_1/gradients/part", (4, 3), "f4", chunks=(2, 3))[:2] = 1
        stack = file.create_group("weights/w")
        stack["steps"] = np.arange(10)
        stack.create_dataset("values", (10, 4), "f4", chunks=(2, 2), compression="gzip")[:4] = 7
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/gradients/chunks and /step_1/gradients/late: never written: it holds no values" in found.reason
    assert "/step_1/gradients/part: only a part of it was written" in found.reason
    assert "/weights/w/values: 6 of 10 steps were never written" in found.reason
    assert found.tensors["weights/w"].steps == [0, 1, 2, 3]
    assert all((array == 7).all() for _, _, array in found.tensors["weights/w"].rows)


def test_a_damaged_chunk_takes_only_its_steps(tmp_path):
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).standard_normal((40, 500)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["gradients/x/steps"] = np.arange(40) * 10
        data = file.create_dataset("gradients/x/values", data=values, chunks=(1, 500), fletcher32=True)
        place = data.id.get_chunk_info(7).byte_offset
    raw = bytearray(path.read_bytes())
    raw[place + 100] ^= 0xFF
    path.write_bytes(raw)
    found = read(path)
    assert found.status.status == "partial"
    assert found.reason.startswith("/gradients/x/values: damaged at step 70: ")
    assert found.tensors["gradients/x"].steps == [step for step in range(0, 400, 10) if step != 70]
    np.testing.assert_array_equal(found.tensors["gradients/x"].at(80), values[8])
    assert found.status.lost_bytes == 2004, "a row of floats and its checksum"


def test_a_damaged_data_set_leaves_the_others(tmp_path):
    path = dump(tmp_path / "a.h5")
    add(path, "step_1/gradients/bad", data=np.ones((50, 50)), chunks=(50, 50), compression="gzip")
    with h5py.File(path) as file:
        place = file["step_1/gradients/bad"].id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[place : place + 8] = b"\xff" * 8
    path.write_bytes(raw)
    found = read(path)
    assert_rest_is_read(found)
    assert "/step_1/gradients/bad: damaged: " in found.reason
    assert found.status.status == "partial"


def test_a_file_that_is_cut_while_it_is_read(tmp_path):
    from mlcheck.importers.found import FoundFile
    from mlcheck.importers.hdf5.look import look
    from mlcheck.importers.hdf5.read import read_units
    from mlcheck.store.tensors.request import Request

    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for step in (1, 2):
            file[f"step_{step}/gradients/x"] = np.zeros((300, 300))
    seen = look(path)
    os.truncate(path, path.stat().st_size - 400_000)
    status = read_units([FoundFile(path, "a.h5", "", "hdf5", 1)], {"a.h5": seen}, Request.base())["a.h5"].status
    assert status.status == "partial"
    assert status.reason == "/step_2/gradients/x: damaged: the file was cut while it was read"


def test_large_data_without_steps_is_left_out(tmp_path):
    path = dump(tmp_path / "a.h5")
    made = h5p.create(h5p.DATASET_CREATE)
    made.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    made.set_fill_time(h5d.FILL_TIME_NEVER)
    with h5py.File(path, "r+") as file:
        h5d.create(file.id, b"images", h5t.NATIVE_UINT8, h5s.create_simple((300, 1 << 20)), made)
    found = read(path)
    assert_rest_is_read(found)
    assert f"/images: {300 << 20:,} bytes without a step: taken for a data set, not read" in found.reason


def test_many_reasons_stay_one_line(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for number in range(100):
            file[f"text{number}"] = "x"
            file[f"link{number}"] = h5py.ExternalLink(f"other{number}.h5", "/")
    found = read(path)
    assert_rest_is_read(found)
    assert "and 97 more: non-numeric: text" in found.reason or "left out for other reasons" in found.reason
    assert len(found.reason) < 3000


def test_names_with_odd_letters(tmp_path):
    path = dump(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        h5d.create(file["step_1/gradients"].id, b"caf\xe9\x1b[31m\n", h5t.IEEE_F32LE, h5s.create_simple((2,))).write(
            h5s.ALL, h5s.ALL, np.ones(2, "f4")
        )
        file["step_1/gradients/größe"] = GOOD
    found = read(path)
    assert_rest_is_read(found)
    assert "gradients/größe" in found.tensors
    odd = next(tag for tag in found.tensors if tag.startswith("gradients/caf") and "@" not in tag)
    assert odd.isprintable()
    assert found.tensors[odd].at(1).tolist() == [1, 1]


def test_bounds_are_what_the_texts_say():
    assert (storage.LARGEST_UNPACKED, storage.LARGEST_CLAIM, walk.MOST_UNPACKED) == (1 << 28, 1 << 30, 1 << 32)


def test_a_directory_or_a_missing_file_raises_nothing_in_claims(tmp_path):
    importer = Hdf5Importer()
    assert importer.claims(tmp_path / "gone.h5", b"\x89HDF\r\n\x1a\n")
    assert importer.groups([tmp_path / "gone.h5"]) == {"gone.h5": [tmp_path / "gone.h5"]}
    assert why_not(dump(tmp_path / "a.h5")) is not None
