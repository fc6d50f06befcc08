"""What is decoded on whole arrays and what goes through protobuf: the same store from the same file."""

import functools
import struct
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2

from mlcheck.importers import array_events, columns, rows, tensorboard
from mlcheck.importers.array_events import ArrayReader
from mlcheck.importers.columns import Decoded
from mlcheck.importers.framing import RecordReader
from mlcheck.importers.histogram_columns import Places
from mlcheck.importers.tensorboard import TensorBoardImporter
from mlcheck.importers.values import Sources
from mlcheck.store import statistics
from mlcheck.store.cache.cache import resumable
from mlcheck.store.series import Imported
from tests.importers import wire_files, witness
from tests.importers.readers import READERS

NONE = np.zeros(0, dtype=np.int64)
NOTHING = Places(NONE, NONE, NONE, np.zeros((0, 5)), NONE.astype(bool))
SHARED = Path(__file__).parents[3] / "shared"
FIXTURES = Path(__file__).parents[2] / "fixtures"


def leave_all_to_protobuf(data, starts, lengths, template=None) -> Decoded:
    count = len(starts)
    unknown = np.full(count, np.nan)
    sources = Sources(NONE, NONE, NONE, NONE, NONE, NONE.astype(bool))
    return Decoded(
        source=np.full(count, -1),
        sources=sources,
        wall_times=unknown,
        steps=np.zeros(count, dtype=np.int64),
        values=unknown,
        histograms=NONE,
        places=NOTHING,
        quiet=NONE,
        slow=np.arange(count),
        versions=0,
        template=None,
    )


@pytest.fixture(autouse=True, params=READERS)
def reader(request, monkeypatch):
    monkeypatch.setattr(tensorboard, "event_reader", request.param)


def through_protobuf(path: Path) -> Imported:
    with (
        mock.patch.object(tensorboard, "event_reader", ArrayReader),
        mock.patch.object(array_events, "decode", leave_all_to_protobuf),
    ):
        return TensorBoardImporter().read(path, "shown")


def assert_same(found: Imported, wanted: Imported) -> None:
    assert found.status == wanted.status
    assert [(one.tag, one.kind, one.hints, one.approximate) for one in found.series] == [
        (one.tag, one.kind, one.hints, one.approximate) for one in wanted.series
    ]
    for one, other in zip(found.series, wanted.series, strict=True):
        assert list(one.columns) == list(other.columns)
        for column, theirs in ((one.steps, other.steps), (one.wall_times, other.wall_times)):
            assert column.dtype == theirs.dtype
            np.testing.assert_array_equal(column, theirs)
        for name, column in one.columns.items():
            assert column.dtype == other.columns[name].dtype == np.float64
            np.testing.assert_array_equal(column, other.columns[name], err_msg=f"{one.tag!r} {name}")
    assert found.facts == wanted.facts
    np.testing.assert_equal(found.first_wall_time, wanted.first_wall_time)
    assert found.session_starts == wanted.session_starts
    assert sorted(found.plugins) == sorted(wanted.plugins)


def read_in_blocks(path: Path, block: int) -> Imported:
    """With everything that happens in large files only happening in this one."""
    with (
        mock.patch.object(tensorboard, "RecordReader", functools.partial(RecordReader, block=block)),
        mock.patch.object(columns, "ENOUGH", 2),
        mock.patch.object(columns, "REPEATS", 1),
        mock.patch.object(rows, "ROWS_HELD", 3),
        mock.patch.object(rows, "ROWS_OF_A_TAG", 1),
        mock.patch.object(statistics, "PIECE", 4),
    ):
        return TensorBoardImporter().read(path, "shown")


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(wire_files.files(), st.sampled_from([64, 300, 1000, 1 << 16]))
def test_files_written_field_by_field(tmp_path_factory, data, block):
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.wire"
    path.write_bytes(data)
    wanted = through_protobuf(path)
    assert_same(TensorBoardImporter().read(path, "shown"), wanted)
    assert_same(read_in_blocks(path, block), wanted)
    if wanted.series:
        witness.same_scalars(wanted, witness.read(data))


def one_of_each() -> bytes:
    """Two events of every shape that is decoded on whole arrays."""
    payloads = [wire_files.fixed(1, struct.pack("<d", 1.7e9)) + wire_files.sized(3, b"brain.Event:2")]
    for step in (0, 300):
        for name, plugin in (("simple", ""), ("tensor", "scalars"), ("old", ""), ("new", "histograms")):
            event = event_pb2.Event(wall_time=1.7e9 + step, step=step)
            value = event.summary.value.add(tag=name)
            if plugin:
                value.metadata.plugin_data.plugin_name = plugin
            if name == "simple":
                value.simple_value = 0.5
            elif name == "tensor":
                value.tensor.dtype, value.tensor.tensor_content = 1, struct.pack("<f", 0.25)
            elif name == "old":
                value.histo.MergeFrom(summary_pb2.HistogramProto(min=1, max=2, num=3, bucket_limit=[2], bucket=[3]))
            else:
                value.tensor.dtype, value.tensor.tensor_content = 2, struct.pack("<3d", 1, 2, 3)
                for size in (1, 3):
                    value.tensor.tensor_shape.dim.add(size=size)
            payloads.append(event.SerializeToString())
    return b"".join(map(witness.frame, payloads))


def test_a_file_cut_at_every_byte(tmp_path):
    data = one_of_each()
    path = tmp_path / "events.out.tfevents.cut"
    for end in range(1, len(data) + 1):
        path.write_bytes(data[:end])
        found = TensorBoardImporter().read(path, "shown")
        assert_same(found, through_protobuf(path))
        assert sum(len(one.steps) for one in found.series) == max(0, len(witness.payloads(data[:end])[0]) - 1)


def test_no_shape_that_is_decoded_on_whole_arrays_needs_protobuf(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(one_of_each())
    code = (
        "import sys, pathlib; from mlcheck.importers.tensorboard import TensorBoardImporter as T; "
        f"assert len(T().read(pathlib.Path({str(path)!r}), 'x').series) == 4; "
        "assert not [m for m in sys.modules if m.startswith(('google.protobuf', 'tensorboard', 'tensorflow'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*tfevents*")), ids=lambda path: path.parent.name)
def test_fixtures(path):
    assert_same(TensorBoardImporter().read(path, "shown"), through_protobuf(path))


@pytest.mark.realruns
@pytest.mark.skipif(not (SHARED / "realruns").is_dir(), reason="no real runs here")
@pytest.mark.parametrize("folder", ["realruns", "smdebug"])
def test_real_files(folder):
    for path in sorted(one for one in (SHARED / folder).rglob("*tfevents*") if one.is_file()):
        assert_same(TensorBoardImporter().read(path, "shown"), through_protobuf(path))


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(wire_files.files(), st.data())
def test_a_file_that_grew_is_read_on_as_if_at_once(tmp_path_factory, data, draw):
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.grown"
    edges = [offset for offset, _ in witness.payloads(data)[0]]
    path.write_bytes(data[: draw.draw(st.one_of(st.sampled_from([*edges[1:], len(data)]), st.integers(1, len(data))))])
    before = TensorBoardImporter().read(path, "shown")
    path.write_bytes(data)
    if offset := resumable(before):
        grown = TensorBoardImporter().read_on(path, "shown", before, offset)
        assert_same(grown, TensorBoardImporter().read(path, "shown"))
