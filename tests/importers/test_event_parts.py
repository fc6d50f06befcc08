"""A large event file read in several parts at once: the same store as in one."""

import struct
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2

from mlcheck.importers import event_parts
from mlcheck.importers.tensorboard import TensorBoardImporter
from mlcheck.native.threads import at_most
from mlcheck.store.cache.cache import resumable
from tests.importers import wire_files, witness
from tests.importers.readers import compiled_only
from tests.importers.test_paths_agree import assert_same, one_of_each, through_protobuf

pytestmark = compiled_only


def in_parts(path, part=64):
    with mock.patch.object(event_parts, "PART", part), at_most(5):
        return TensorBoardImporter().read(path, "shown")


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(wire_files.files(), st.sampled_from([40, 200, 1000]), st.data())
def test_any_file_in_any_parts(tmp_path_factory, data, part, draw):
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.parts"
    for _ in range(draw.draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([data[at] ^ draw.draw(st.integers(1, 255))]) + data[at + 1 :]
    data = data[: len(data) - draw.draw(st.sampled_from([0, 0, 1, 30]))] or data
    path.write_bytes(data)
    assert_same(in_parts(path, part), through_protobuf(path))


def test_parts_are_cut_and_joined(tmp_path, monkeypatch):
    begins = []
    real = event_parts._read_part

    def spy(path, reader, offset, end):
        begins.append(offset)
        return real(path, reader, offset, end)

    monkeypatch.setattr(event_parts, "_read_part", spy)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(one_of_each() * 20)
    assert_same(in_parts(path, 500), through_protobuf(path))
    offsets = {offset for offset, _ in witness.payloads(path.read_bytes())[0]}
    assert len(begins) > 5  # protobuf's path is read in one
    assert set(begins) <= offsets


def test_what_looks_like_a_record_inside_another_one_is_none(tmp_path):
    inner = witness.write(*[event_pb2.Event(wall_time=1.0 + step, step=step) for step in range(50)])
    records = [event_pb2.Event(wall_time=1.7e9, step=1, graph_def=inner) for _ in range(20)]
    for step in range(30):
        one = event_pb2.Event(wall_time=1.7e9 + step, step=step)
        one.summary.value.add(tag="loss", simple_value=step)
        records.insert(2 * step % len(records), one)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(witness.write(*records))
    found = in_parts(path, 300)
    assert found.status.records == len(records)
    assert_same(found, through_protobuf(path))


def test_rows_that_came_as_tensors_stay_what_they_are_over_parts(tmp_path):
    # The plugin stands with the first value only, and some values of the tag are plain ones.
    records = []
    for step in range(200):
        for tag, plugin in (("kept", "scalars"), ("dropped", "other"), ("unnamed", "")):
            event = event_pb2.Event(wall_time=1.7e9 + step, step=step)
            value = event.summary.value.add(tag=tag)
            if step == 0 and plugin:
                value.metadata.plugin_data.plugin_name = plugin
            if step % 7 == 3 or (tag == "unnamed" and step < 100):
                value.simple_value = step
            else:
                value.tensor.dtype, value.tensor.tensor_content = 1, struct.pack("<f", step)
            records.append(event)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(witness.write(*records))
    found = {one.tag: one.steps.tolist() for one in in_parts(path, 1000).series}
    assert found == {
        "kept": list(range(200)),
        "dropped": [step for step in range(200) if step % 7 == 3],
        "unnamed": list(range(200)),
    }


def test_a_file_of_other_records_is_left_early(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join(witness.frame(b"\xff" * 40) for _ in range(2000)))
    found = in_parts(path, 10_000)
    assert found.status.status == "unreadable"
    assert found.status.reason == "TFRecord, not an event file"
    assert found.status == through_protobuf(path).status


def test_a_late_record_of_a_wrong_checksum_is_told_from_a_stranger(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    data = b"".join(witness.frame(b"\xff" * 40) for _ in range(30))
    path.write_bytes(data[:-5] + b"\0" + data[-4:])
    found = in_parts(path, 300)
    assert found.status.reason == "no record could be read: does not parse as an event"
    assert found.status == through_protobuf(path).status


def test_a_file_that_grew_is_read_on_in_parts(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    whole = one_of_each() * 30
    offsets = [offset for offset, _ in witness.payloads(whole)[0]]
    path.write_bytes(whole[: offsets[40]])
    before = TensorBoardImporter().read(path, "shown")
    path.write_bytes(whole)
    with mock.patch.object(event_parts, "PART", 500), at_most(4):
        grown = TensorBoardImporter().read_on(path, "shown", before, resumable(before))
    assert_same(grown, through_protobuf(path))


def test_one_thread_reads_in_one_part(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(one_of_each() * 20)
    with mock.patch.object(event_parts, "PART", 100), at_most(1):
        assert event_parts._cuts(path, 0) == []
    with mock.patch.object(event_parts, "PART", 100), at_most(3):
        cuts = event_parts._cuts(path, 0)
    assert len(cuts) == 2
    assert np.all(np.diff([0, *cuts, path.stat().st_size]) > 0)
