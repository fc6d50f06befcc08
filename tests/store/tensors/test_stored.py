"""Tensors measured as they lie in a file give what the same tensors give as arrays."""

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck import native
from mlcheck.native.threads import at_most
from mlcheck.store.series import Hints
from mlcheck.store.tensors import stored as module
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request
from mlcheck.store.tensors.stored import Stored

from .support import same, tensors

statistics = native.module("statistics")
pytestmark = pytest.mark.skipif(
    statistics is None, reason="mlcheck.native.statistics is not built (python hatch_build.py)"
)


KEYS = frozenset(
    {
        *("nan", "inf", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2", "whole", "share_equal(1)"),
        *("update_l2", "update_ratio", "changed", "equal_rows", "fan_in", "channels", "samples"),
    }
)
EXACT = ("count", "nan", "inf", "zeros", "min", "max", "abs_max", "whole", "equal_rows", "changed", "fan_in", "samples")


@pytest.fixture(autouse=True)
def even_few_small_ones(monkeypatch):
    """Whatever lies in a file is measured there."""
    monkeypatch.setattr(module, "FEW", 0)


def written(path, arrays, gap=3):
    """A file with the arrays one behind the other, and where each begins."""
    offsets, data = [], b""
    for array in arrays:
        data += b"\xff" * gap
        offsets.append(len(data))
        data += array.tobytes()
    path.write_bytes(data)
    return np.array(offsets, dtype=np.int64)


def as_stored(descriptor, offsets, arrays):
    first = arrays[0]
    return Stored(
        descriptor,
        offsets,
        first.shape,
        first.dtype,
        False,
        lambda place: arrays[place].astype(first.dtype.newbyteorder("=")),
    )


def add_stored(track, *given, **more):
    """Measure and add all steps at once; whether that could be done."""
    pending = track.pending(*given, **more)
    columns = None if pending is None else pending.measure()
    if columns is not None:
        pending.add(columns)
    return columns is not None


def both_ways(path, arrays, keys=KEYS, tag="weights/fc1.weight"):
    """The series of a tensor, measured in the file and from arrays."""
    offsets = written(path, arrays)
    steps, walls = np.arange(len(arrays)) * 10, np.arange(len(arrays)) + 0.5
    quick, plain = TensorCollector(Request(any_role=keys)), TensorCollector(Request(any_role=keys))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        took = add_stored(quick.track(tag, Hints()), steps, walls, as_stored(descriptor, offsets, arrays), ends=True)
    finally:
        os.close(descriptor)
    assert took
    track = plain.track(tag, Hints())
    for step, wall, array in zip(steps.tolist(), walls.tolist(), arrays, strict=True):
        track.add(step, wall, array)
    return quick.series()[0], plain.series()[0]


def assert_alike(found, expected):
    assert found.steps.tolist() == expected.steps.tolist()
    assert found.wall_times.tolist() == expected.wall_times.tolist()
    assert (found.tag, found.hints) == (expected.tag, expected.hints)
    for key, column in expected.columns.items():
        for step, value in enumerate(column.tolist()):
            one = float(found.columns[key][step])
            if key in EXACT:
                assert one == value or (math.isnan(one) and math.isnan(value)), (key, step)
            else:
                scale = float(expected.columns["abs_max"][step]) if key in ("mean", "std") else 0.0
                assert same(one, value, 0.0 if math.isnan(scale) else scale, 1e-9), (key, step, one, value)


@pytest.fixture
def small_stretches(monkeypatch):
    """As if tensors were large: stretches of 20 values on three cores, two steps in one call, rows of any length."""
    monkeypatch.setattr(module, "THREADED", 1)
    monkeypatch.setattr(module, "_GRAIN", 20)
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 200)
    monkeypatch.setattr(module, "_SHORTEST_ROW", 1)
    with at_most(3):
        yield


DTYPES = ("bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64", ">f4", ">i2")


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize("shape", [(7,), (9, 5), (0, 3), (3, 0), (2, 3, 20), ()])
def test_a_file_says_what_its_arrays_say(tmp_path, shape):
    @settings(deadline=None, max_examples=40)
    @given(
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: st.lists(tensors(shape, (np.dtype(dtype).name,)), min_size=1, max_size=5).map(
                lambda arrays: [one.astype(dtype) for one in arrays]
            )
        )
    )
    def check(arrays):
        assert_alike(*both_ways(tmp_path / "tensors", arrays))

    check()


def large(dtype, rows, length, steps):
    random = np.random.default_rng(5)
    arrays = []
    for step in range(steps):
        array = random.standard_normal((rows, length)) * 50
        array[3 : 3 + step] = array[0]
        array = array.astype(dtype)
        if step == 2 and array.dtype.kind == "f":
            array[1, :3] = (np.nan, np.inf, -np.inf)
        arrays.append(array)
    return arrays


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", ">f8"])
def test_tensors_of_many_blocks(tmp_path, dtype):
    with at_most(2):
        assert_alike(*both_ways(tmp_path / "tensors", large(dtype, 301, 701, 5)))


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize("value", [1.7e308, 9e307, 1e-320, 3e38])
def test_sums_that_leave_the_range_of_a_number_are_what_numpy_says(tmp_path, value):
    assert_alike(*both_ways(tmp_path / "tensors", [np.full((3, 40), value), np.full((3, 40), -value)]))


def test_equal_rows_are_found_across_blocks_and_threads(tmp_path):
    found, _ = both_ways(tmp_path / "tensors", large("float32", 301, 701, 4))
    # Step n has n copies of row 0.
    assert found.columns["equal_rows"].tolist() == [0.0, 2 / 301, 3 / 301, 4 / 301]


def test_rows_that_are_permutations_of_one_another_are_not_equal(tmp_path):
    found, _ = both_ways(tmp_path / "tensors", [np.eye(64, dtype=np.float32)])
    assert found.columns["equal_rows"].tolist() == [0.0]


def test_the_step_after_is_compared_with_the_last_one_of_the_file(tmp_path):
    arrays = [np.full((4, 20), value, dtype=np.float32) for value in (1.0, 2.0, 2.5)]
    offsets = written(tmp_path / "tensors", arrays)
    collector = TensorCollector(Request(any_role=KEYS))
    track = collector.track("weights/fc1.weight")
    with (tmp_path / "tensors").open("rb") as file:
        assert add_stored(track, np.arange(2), np.zeros(2), as_stored(file.fileno(), offsets[:2], arrays[:2]))
        # What was there before is compared as well, and so is no business of the file alone.
        assert not add_stored(track, np.arange(2, 3), np.zeros(1), as_stored(file.fileno(), offsets[2:], arrays[2:]))
    track.add(2, 0.0, arrays[2])
    update = collector.series()[0].columns["update_l2"]
    assert math.isnan(update[0])
    assert update[1:].tolist() == pytest.approx([math.sqrt(80), 0.5 * math.sqrt(80)], rel=1e-12)


@pytest.mark.parametrize("key", ["quantile(0.5)", "distinct", "hash", "channel_zero", "units_outside(0,1,0.5)"])
def test_what_needs_the_array_is_left_to_it(tmp_path, key):
    arrays = [np.ones((4, 20), dtype=np.float32)]
    offsets = written(tmp_path / "tensors", arrays)
    track = TensorCollector(Request(any_role=frozenset({key}))).track("activations/fc1")
    with (tmp_path / "tensors").open("rb") as file:
        assert not add_stored(track, np.arange(1), np.zeros(1), as_stored(file.fileno(), offsets, arrays))


def test_few_small_tensors_are_left_to_be_measured_with_others(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FEW", 3)
    arrays = [np.ones((4, 20), dtype=np.float32)] * 3
    offsets = written(tmp_path / "tensors", arrays)
    track = TensorCollector(Request(any_role=KEYS)).track("weights/a")
    with (tmp_path / "tensors").open("rb") as file:
        assert not add_stored(track, np.arange(2), np.zeros(2), as_stored(file.fileno(), offsets[:2], arrays))
        assert add_stored(track, np.arange(3), np.zeros(3), as_stored(file.fileno(), offsets, arrays))


@pytest.mark.usefixtures("small_stretches")
def test_a_file_that_was_cut_meanwhile_gives_an_error_and_no_rows(tmp_path):
    arrays = large("float32", 30, 40, 3)
    offsets = written(tmp_path / "tensors", arrays)
    os.truncate(tmp_path / "tensors", int(offsets[2]) + 100)
    collector = TensorCollector(Request(any_role=KEYS))
    with (tmp_path / "tensors").open("rb") as file, pytest.raises(OSError, match="cut while it was read"):
        add_stored(collector.track("weights/a"), np.arange(3), np.zeros(3), as_stored(file.fileno(), offsets, arrays))
    assert collector.series() == ()


def file_arguments(**changes):
    given = {
        "descriptor": -1,
        "offsets": np.zeros(1, dtype=np.int64),
        "type": "f",
        "first": 0,
        "last": 4,
        "compare": False,
        "tolerances": (),
        "equal": (),
        "whole": False,
        "found": np.empty(13),
        "row_length": 0,
        "row_sums": np.empty(0, dtype=np.uint64),
    }
    return tuple((given | changes).values())


@pytest.mark.parametrize(
    "changes",
    [
        {"found": np.empty(12)},
        {"first": 5},
        {"first": -1},
        {"last": (1 << 63) - 1},
        {"offsets": np.array([-1])},
        {"row_length": 3},
        {"row_length": -1},
        {"row_length": 2, "row_sums": np.empty(1, dtype=np.uint64)},
        {"type": "x"},
        {"tolerances": ((0.0, 0.0, False),) * 9},
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(changes):
    with pytest.raises(ValueError, match=r"bytes|type|stretch|offset|more"):
        statistics.file(*file_arguments(**changes))


def test_a_descriptor_that_is_none_is_an_error_of_the_system():
    with pytest.raises(OSError, match="Bad file descriptor"):
        statistics.file(*file_arguments())
