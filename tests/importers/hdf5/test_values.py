"""Every value comes out as it was written, whatever its type and however it lies in the file."""

import h5py
import numpy as np
import pytest

from tests.importers.hdf5.recorder import read

pytestmark = pytest.mark.usefixtures("recorded")
DTYPES = ["f2", "f4", "f8", ">f2", ">f4", ">f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8", "?"]


def values(dtype, shape=(4, 6, 5)):
    kind = np.dtype(dtype).kind
    generator = np.random.default_rng(7)
    if kind == "b":
        return generator.random(shape) < 0.5
    if kind == "f":
        array = generator.standard_normal(shape).astype(dtype)
        array.flat[:5] = [np.nan, np.inf, -np.inf, -0.0, np.finfo(np.dtype(dtype).newbyteorder("=")).smallest_subnormal]
        return array
    bounds = np.iinfo(np.dtype(dtype).newbyteorder("="))
    array = generator.integers(bounds.min, bounds.max, shape, dtype=bounds.dtype, endpoint=True).astype(dtype)
    array.flat[:2] = [bounds.min, bounds.max]
    return array


LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (1, 4, 3)},
    "gzip": {"chunks": (2, 6, 5), "compression": "gzip", "shuffle": True},
    "lzf with checksums": {"chunks": (3, 2, 5), "compression": "lzf", "fletcher32": True},
    "extendable": {"maxshape": (None, 6, 5)},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_type_in_every_layout(tmp_path, dtype, layout):
    array = values(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("step_3/inputs/x", data=array, **LAYOUTS[layout])
        file["stack/gradients/x/steps"] = [1, 2, 3, 4]
        file.create_dataset("stack/gradients/x/values", data=array, **LAYOUTS[layout])
    found = read(tmp_path / "a.h5")
    native = np.dtype(dtype).newbyteorder("=")
    track = found.tensors["inputs/x"]
    assert track.at(3).dtype == native
    np.testing.assert_array_equal(track.at(3), array)
    assert track.hints.dtype == native.name
    track = found.tensors["gradients/stack/x"]
    assert track.steps == [1, 2, 3, 4]
    for index, step in enumerate(track.steps):
        np.testing.assert_array_equal(track.at(step), array[index])
    assert found.status.status == "read"


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_every_version_of_the_format(tmp_path, libver):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        for step in range(40):
            file[f"step_{step}/gradients/x"] = np.full((3, 3), step)
            file[f"step_{step}"].attrs["mode"] = "train"
    track = read(tmp_path / "a.h5").tensors["gradients/x"]
    assert [array[0, 0] for _, _, array in track.rows] == list(range(40))
    assert track.hints.mode == "train"


def test_user_block(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file["step_1/gradients/x"] = np.arange(6.0)
        file["step_1/gradients/y"] = np.arange(6.0)[::-1]
        file["step_1"].attrs["mode"] = "val"
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.write(b"#!/bin/sh\n")
    track = read(tmp_path / "a.h5").tensors["gradients/x"]
    assert track.at(1).tolist() == [0, 1, 2, 3, 4, 5]
    assert track.hints.mode == "val"


def bfloat16(array):
    return (np.asarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)


@pytest.mark.parametrize("key", ["dtype", "precision", "logical_dtype"])
def test_bfloat16_by_attribute(tmp_path, key):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in (1, 2):
            file[f"step_{step}/weights/x.weight"] = bfloat16([[1.5, -2.0], [np.inf, step]])
            file[f"step_{step}/weights/x.weight"].attrs[key] = "bfloat16"
    track = read(tmp_path / "a.h5").tensors["weights/x.weight"]
    assert track.at(2).dtype == np.float32
    assert track.at(2).tolist() == [[1.5, -2.0], [np.inf, 2.0]]
    assert track.hints.dtype == "bfloat16"


def test_bfloat16_as_a_record_and_as_opaque_bytes(tmp_path):
    raw = bfloat16([0.5, 3.0])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("step_1/weights/a", data=raw.view([("bfloat16", "<u2")]))
        file.create_dataset("step_1/weights/b", data=raw.view("V2"))
        file["step_1/weights/b"].attrs["dtype"] = "bfloat16"
        file.create_dataset("step_1/weights/c", data=raw.view("V2"))
    found = read(tmp_path / "a.h5")
    assert found.tensors["weights/a"].at(1).tolist() == [0.5, 3.0]
    assert found.tensors["weights/b"].at(1).tolist() == [0.5, 3.0]
    assert found.reason == "/step_1/weights/c: non-numeric: opaque bytes"


def test_bfloat16_as_a_type_of_its_own(tmp_path):
    from h5py import h5d, h5s, h5t

    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    kind.set_ebias(127)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("step_1/weights")
        dataset = h5d.create(group.id, b"x.weight", kind, h5s.create_simple((3,)))
        dataset.write(h5s.ALL, h5s.ALL, np.array([1.5, -2.0, 0.0078125], np.float32))
    assert read(tmp_path / "a.h5").tensors["weights/x.weight"].at(1).tolist() == [1.5, -2.0, 0.0078125]


def test_long_double_is_read_as_double(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step_1/gradients/x"] = np.array([1.25, -3.0], np.longdouble)
    array = read(tmp_path / "a.h5").tensors["gradients/x"].at(1)
    assert (array.dtype, array.tolist()) == (np.float64, [1.25, -3.0])


def test_enumerated_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        kind = h5py.enum_dtype({"cat": 0, "dog": 1}, basetype="i2")
        file.create_dataset("step_1/labels/y", data=[0, 1, 1], dtype=kind)
    assert read(tmp_path / "a.h5").tensors["labels/y"].at(1).tolist() == [0, 1, 1]


def test_scalar_empty_and_zero_size(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step_1/metrics/loss"] = 0.25
        file["step_1/gradients/none"] = h5py.Empty("f4")
        file["step_1/gradients/zero"] = np.zeros((0, 3), np.float32)
        file["step_1/gradients/one"] = np.ones((1, 1), np.float32)
    found = read(tmp_path / "a.h5")
    assert found.scalars["metrics/loss"].columns["value"].tolist() == [0.25]
    assert found.tensors["gradients/zero"].at(1).shape == (0, 3)
    assert found.tensors["gradients/one"].at(1).tolist() == [[1]]
    assert found.reason == "/step_1/gradients/none: empty: it has no values"
    assert found.status.status == "read"


def test_compact_data_sets(tmp_path):
    from h5py import h5d, h5p, h5s, h5t

    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = h5p.create(h5p.DATASET_CREATE)
        made.set_layout(h5d.COMPACT)
        group = file.create_group("step_1/gradients")
        dataset = h5d.create(group.id, b"x", h5t.IEEE_F32LE, h5s.create_simple((4,)), made)
        dataset.write(h5s.ALL, h5s.ALL, np.arange(4, dtype=np.float32))
    assert read(tmp_path / "a.h5").tensors["gradients/x"].at(1).tolist() == [0, 1, 2, 3]


def test_no_numbers_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step_1/gradients/x"] = np.ones(3)
        file["notes"] = "text"
        file["names"] = np.array([b"a", b"b"])
        file["complex"] = np.ones(2, complex)
        file["records"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
        file["references"] = np.array([file["step_1"].ref], h5py.ref_dtype)
        file.create_dataset("lists", data=[np.arange(2), np.arange(3)], dtype=h5py.vlen_dtype("i4"))
    found = read(tmp_path / "a.h5")
    assert found.status.status == "read"
    assert set(found.tensors) == {"gradients/x", "gradients/x@None"}
    for name, reason in (
        ("/names and /notes", "text"),
        ("/complex", "complex numbers"),
        ("/records", "records of several values"),
        ("/references", "object references"),
        ("/lists", "values of variable length"),
    ):
        assert f"{name}: non-numeric: {reason}" in found.reason


def test_what_is_not_asked_is_not_read(tmp_path, monkeypatch):
    from tests.importers.hdf5.recorder import Track

    monkeypatch.setattr(Track, "needed", False)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in (1, 2):
            file[f"step_{step}/gradients/x"] = np.ones((3, 2), np.float16)
            file[f"step_{step}/weights/b"] = bfloat16([1.0])
            file[f"step_{step}/weights/b"].attrs["dtype"] = "bfloat16"
        file["weights/z/steps"], file["weights/z/values"] = [1, 2], np.ones((2, 5))
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/x"].unread == [(1, (3, 2), "float16"), (2, (3, 2), "float16")]
    assert found.tensors["weights/z"].unread == [(1, (5,), "float64"), (2, (5,), "float64")]
    assert len(found.tensors["weights/b"].unread) == 2
    assert not found.tensors["gradients/x"].rows


def test_large_tensors_and_blocks_of_small_ones(tmp_path):
    # Larger than one block of reading in every way: single tensors, many small ones, stacks with chunks of several steps.
    generator = np.random.default_rng(0)
    large = generator.standard_normal((3, 1100, 1000)).astype(np.float32)
    small = generator.standard_normal((300, 70, 64)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in range(3):
            file[f"weights/large/{step * 10}"] = large[step]
        for step in range(300):
            file[f"weights/small/{step}"] = small[step]
        file["gradients/s/steps"] = np.arange(300)
        file.create_dataset("gradients/s/values", data=small, chunks=(7, 35, 64), compression="lzf")
    found = read(tmp_path / "a.h5")
    for step in range(3):
        np.testing.assert_array_equal(found.tensors["weights/large"].at(step * 10), large[step])
    for name in ("weights/small", "gradients/s"):
        assert found.tensors[name].steps == list(range(300))
        np.testing.assert_array_equal([array for _, _, array in found.tensors[name].rows], small)


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_headers_say_what_the_library_says(tmp_path, libver, monkeypatch):
    from mlcheck.importers.hdf5 import look, walk

    with h5py.File(tmp_path / "a.h5", "w", libver=libver, userblock_size=512) as file:
        for step in range(4):
            group = file.create_group(f"step_{step}")
            for number, dtype in enumerate(("f4", ">f8", "i2", "?", "f4")):
                group[f"x{number}"] = np.ones((3, number + 1), dtype)
            group["x1"].attrs["mode"] = "val"
            for number in range(20):
                group["x2"].attrs[f"a{number}"] = number
            group["scalar"], group["text"] = 0.5, "text"
            group.create_dataset("packed", data=np.ones((3, 3)), compression="gzip")
            group.create_dataset("timed", data=np.ones((3, 1), "f4"), track_times=True)
            group.create_dataset("late", (3, 1), "f4")

    def seen():
        sources = look.look(tmp_path / "a.h5").layout.sources
        return [
            (one.tag, one.hints, piece.step, piece.leaf.offset, piece.leaf.stored, piece.leaf.shape, piece.leaf.raw)
            for one in sources
            for piece in one.pieces
        ]

    quick = seen()
    monkeypatch.setattr(walk, "plain_data_sets", lambda descriptor, addresses, base: [None] * len(addresses))
    assert quick == seen()
    assert len(quick) == 4 * 8
