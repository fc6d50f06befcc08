"""The compiled reader by itself: what it computes, and bytes that would lead careless C astray."""

import struct
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2

from mlcheck import native
from mlcheck.importers import tensorboard
from mlcheck.importers.tensorboard import TensorBoardImporter
from mlcheck.store.statistics import COLUMNS, Histogram, histogram_statistics
from tests.importers import wire_files, witness
from tests.importers.readers import READERS, compiled_only
from tests.importers.test_paths_agree import assert_same, one_of_each, through_protobuf

events = native.module("events")

edges = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.7976931348623157e308, -1e-300]), st.floats())
counts = st.one_of(
    st.integers(0, 1000).map(float), st.sampled_from([0.0, 2.5, 2.0**60, np.nan, np.inf, -1.0]), st.floats()
)


@st.composite
def histograms(draw) -> Histogram:
    """Sorted edges mostly, as writers have them; up to some hundreds of buckets, as sums of many are added in blocks."""
    size = draw(st.sampled_from([0, 1, 2, 7, 8, 9, 30, 128, 129, 136, 300, 1000]))
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    borders = np.sort(random.normal(size=size + 1) * 10.0 ** draw(st.integers(-3, 3)))
    number = random.integers(0, 50, size).astype(float)
    if draw(st.booleans()):
        number = random.exponential(size=size)
    left, right = borders[:-1].copy(), borders[1:].copy()
    for _ in range(draw(st.integers(0, 3)) if size else 0):
        at = draw(st.integers(0, size - 1))
        column = draw(st.sampled_from([left, right, number]))
        column[at] = draw(counts if column is number else edges)
    stated = draw(st.one_of(st.none(), st.tuples(*[edges] * 5), st.just((-3.0, 3.0, float(number.sum()), 1.0, 90.0))))
    return Histogram(left, right, number, stated)


@compiled_only
@settings(deadline=None, max_examples=100)
@given(st.lists(histograms(), min_size=1, max_size=4))
def test_the_statistics_of_histograms_are_those_of_numpy(several):
    table = events.Table()
    for step, one in enumerate(several):
        table.add_histogram(0, step, 1.0, one.left.data, one.right.data, one.counts.data, one.stated, False, 1.0)
    steps, _, *columns = table.take(0, True, True)
    assert np.frombuffer(steps, np.int64).tolist() == list(range(len(several)))
    wanted = histogram_statistics(several)
    for name, column in zip(COLUMNS, columns, strict=True):
        np.testing.assert_array_equal(np.frombuffer(column), wanted[name], err_msg=name)


@compiled_only
def test_a_buffer_that_ends_anywhere_is_not_read_beyond(tmp_path):
    data = one_of_each()
    ends = [offset for offset, _ in witness.payloads(data)[0]] + [len(data)]
    for size in range(len(data) + 1):
        table, at = events.Table(), 0
        # A buffer of just that size: behind it is other memory.
        part = bytes(bytearray(data[:size]))
        while True:
            why, at, begin, length = table.read(part, at, size, 1.0, None)
            if why in (events.END, events.CUT):
                break
            assert begin + length <= size
            if why == events.NEW_TAG:
                table.know_tag(part[begin : begin + length], 0)
            elif why == events.NEW_METADATA:
                table.know_metadata(part[begin : begin + length], 0)
            else:
                at = begin + length + 4
        assert at == max(end for end in ends if end <= size)
        assert (why == events.END) == (at == size)


HUGE = (0x7F, 0x80, 0xFF, 0x3FFF, 1 << 21, (1 << 28) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)


@pytest.fixture(params=READERS)
def reader(request, monkeypatch):
    monkeypatch.setattr(tensorboard, "event_reader", request.param)


def test_lengths_that_claim_more_than_encloses_them(tmp_path, reader):
    wall = b"\x09" + struct.pack("<d", 1.7e9)
    tensor = b"\x08\x02\x12\x08\x12\x02\x08\x02\x12\x02\x08\x03\x22\x30" + bytes(48)
    value = b"\x0a\x01x\x42" + bytes([len(tensor)]) + tensor
    whole = wall + b"\x10\x05\x2a" + bytes([len(value) + 2]) + b"\x0a" + bytes([len(value)]) + value
    assert event_pb2.Event.FromString(whole).summary.value[0].tag == "x"
    payloads = [whole]
    for at in range(9, len(whole)):
        payloads += [whole[:at] + wire_files.varint(claimed) + whole[at + 1 :] for claimed in HUGE]
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join(map(witness.frame, payloads)))
    assert_same(TensorBoardImporter().read(path, "shown"), through_protobuf(path))


@pytest.mark.parametrize("claimed", [*HUGE, (1 << 64) - 16, (1 << 64) - 12])
def test_records_that_claim_more_than_the_file_has(tmp_path, reader, claimed):
    head = struct.pack("<Q", claimed)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(one_of_each() + head + struct.pack("<I", witness.masked_crc32c(head)) + b"\x09" * 40)
    found = TensorBoardImporter().read(path, "shown")
    assert found.status.status == "partial"
    assert found.status.offset == len(one_of_each())
    assert_same(found, through_protobuf(path))


def test_a_step_that_does_not_end_is_not_read_from_the_checksum_behind_it(tmp_path, reader):
    payloads = [b"\x09" + struct.pack("<d", 1.7e9 + at) + b"\x10" + b"\x80" * (1 + at % 4) for at in range(4000)]
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(one_of_each() + b"".join(map(witness.frame, payloads)))
    found = TensorBoardImporter().read(path, "shown")
    assert found.status.records == len(witness.payloads(one_of_each())[0])
    assert found.status.lost_bytes == sum(len(one) + 16 for one in payloads)


@pytest.mark.parametrize("dtype", [14, 19])
def test_every_kind_of_half_and_of_brain_float(tmp_path, reader, dtype):
    bits = [sign << 15 | high << 7 | low for sign in (0, 1) for high in range(256) for low in (0, 1, 0x55, 0x7F)]
    records = []
    for step, one in enumerate(bits):
        event = event_pb2.Event(wall_time=1.0, step=step)
        tensor = event.summary.value.add(tag="x").tensor
        tensor.dtype = dtype
        if step % 2:
            tensor.half_val.append(one)
        else:
            tensor.tensor_content = struct.pack("<H", one)
        records.append(event)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(witness.write(*records))
    (found,) = TensorBoardImporter().read(path, "shown").series
    packed = np.array(bits, dtype="<u2")
    wanted = packed.view("<f2") if dtype == 19 else (packed.astype("<u4") << 16).view("<f4")
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found.columns["value"], wanted.astype(np.float64))


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=300), st.integers(0, 1 << 30))
def test_every_tag_has_its_own_rows(tmp_path_factory, reader, names, seed):
    names = list(dict.fromkeys(name.hex() for name in names))
    turns = np.random.default_rng(seed).integers(0, len(names), 3 * len(names)).tolist()
    records = []
    for step, turn in enumerate(turns):
        event = event_pb2.Event(wall_time=1.0, step=step)
        event.summary.value.add(tag=names[turn], simple_value=turn)
        records.append(event)
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.tags"
    path.write_bytes(witness.write(*records))
    found = {one.tag: one for one in TensorBoardImporter().read(path, "shown").series}
    assert set(found) == {names[turn] for turn in turns}
    for turn in set(turns):
        one = found[names[turn]]
        assert one.steps.tolist() == [step for step, other in enumerate(turns) if other == turn]
        assert set(one.columns["value"].tolist()) == {turn}


@compiled_only
def test_what_is_asked_wrongly_is_refused():
    table, other = events.Table(), events.Table()
    for begin, size in ((0, 11), (-1, 5), (6, 5), (11, 11), (0, -1)):
        with pytest.raises(ValueError, match="not inside"):
            table.read(bytes(10), begin, size, 1.0, None)
    with pytest.raises(ValueError, match="below 0"):
        table.add_scalar(-1, 0, 0.0, 0.0, False, 1.0)
    with pytest.raises(ValueError, match="counts holds 8 bytes"):
        table.add_histogram(0, 0, 0.0, bytes(16), bytes(16), bytes(8), None, False, 1.0)
    with pytest.raises(ValueError, match="behind itself"):
        table.append(table, b"")
    other.add_scalar(3, 0, 0.0, 0.0, False, 1.0)
    with pytest.raises(ValueError, match="numbers holds 4 bytes"):
        table.append(other, bytes(4))
    assert table.take(7, False, True) is None
    assert table.take(-1, False, True) is None
    with pytest.raises(TypeError):
        events.Column()


@compiled_only
def test_one_thread_at_a_time_reads_into_a_table():
    graph = witness.frame(b"\x09" + struct.pack("<d", 1.0) + b"\x22\xfc\xff\x07" + bytes(131068)) * 400
    table = events.Table()
    refused = []

    def read():
        try:
            table.read(graph, 0, len(graph), 1.0, 0)
        except RuntimeError as error:
            refused.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert table.records + 400 * len(refused) == 1600
