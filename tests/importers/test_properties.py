"""The importer against a plain loop over the official protos, on generated and on damaged files."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2

from mlcheck.importers import tensorboard
from mlcheck.importers.tensorboard import TensorBoardImporter
from tests.importers import witness
from tests.importers.readers import READERS


@pytest.fixture(autouse=True, params=READERS)
def reader(request, monkeypatch):
    monkeypatch.setattr(tensorboard, "event_reader", request.param)


SETTINGS = settings(deadline=None, max_examples=70, suppress_health_check=[HealthCheck.too_slow])

tags = st.one_of(
    st.sampled_from(["", "loss", "train/loss", "Überschuss/損失", "a" * 8, "b" * 130, "c" * 300]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
numbers = st.floats(width=32)
steps = st.one_of(
    st.integers(0, 300), st.integers(-3, -1), st.sampled_from([1 << 14, 1 << 35, (1 << 56) - 1, 1 << 56, (1 << 63) - 1])
)
plugins = st.sampled_from([None, "scalars", "", "text", "histograms", "some_plugin"])


@st.composite
def tensors(draw):
    dtype, name, form = draw(
        st.sampled_from([(1, "float_val", "<f"), (2, "double_val", "<d"), (3, "int_val", "<i"), (9, "int64_val", "<q")])
    )
    number = draw(numbers) if dtype < 3 else draw(st.integers(-5, 1 << 20))
    tensor = summary_pb2.Summary.Value().tensor
    tensor.dtype = dtype
    sizes = draw(st.sampled_from([None, [], [1], [1, 1], [2]]))
    if sizes is not None:
        tensor.tensor_shape.SetInParent()
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)
    count = 2 if sizes == [2] else 1
    if draw(st.booleans()):
        tensor.tensor_content = struct.pack(form, number) * count
    else:
        getattr(tensor, name).extend([number] * count)
    return tensor


@st.composite
def values(draw):
    value = summary_pb2.Summary.Value(tag=draw(tags))
    kind = draw(
        st.sampled_from(["simple", "simple", "simple", "tensor", "tensor", "histo", "buckets", "image", "none"])
    )
    if kind == "simple":
        value.simple_value = draw(numbers)
    elif kind == "tensor":
        value.tensor.CopyFrom(draw(tensors()))
    elif kind == "histo":
        value.histo.bucket_limit.extend([0.0, 1.0])
        value.histo.bucket.extend([0.0, 2.0])
        value.histo.num = 2
    elif kind == "buckets":
        value.tensor.dtype = 2
        for size in (2, 3):
            value.tensor.tensor_shape.dim.add(size=size)
        value.tensor.tensor_content = struct.pack("<6d", 0, 1, 3, 1, 2, 4)
    elif kind == "image":
        value.image.encoded_image_string = b"\x89PNG" + bytes(draw(st.integers(0, 200)))
    plugin = draw(plugins)
    if plugin is not None:
        value.metadata.plugin_data.plugin_name = plugin
        value.metadata.display_name = draw(st.sampled_from(["", "shown " * 40]))
    return value


@st.composite
def events(draw):
    event = event_pb2.Event(wall_time=draw(st.one_of(st.floats(), st.floats(1e9, 2e9))), step=draw(steps))
    kind = draw(st.sampled_from(["one", "one", "one", "one", "several", "version", "graph", "start", "nothing"]))
    if kind == "one":
        event.summary.value.append(draw(values()))
    elif kind == "several":
        event.summary.SetInParent()
        event.summary.value.extend(draw(st.lists(values(), max_size=3)))
    elif kind == "version":
        event.file_version = "brain.Event:2"
    elif kind == "graph":
        event.graph_def = bytes(draw(st.integers(1, 300)))
    elif kind == "start":
        event.session_log.status = 1
    return event


def imported(tmp_path_factory, data: bytes):
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.1"
    path.write_bytes(data)
    return TensorBoardImporter().read(path, "shown")


@SETTINGS
@given(st.lists(events(), min_size=1, max_size=25))
def test_generated_files_read_as_a_plain_loop_does(tmp_path_factory, written):
    data = witness.write(*written)
    result = imported(tmp_path_factory, data)
    witness.same(result, witness.read(data))
    assert result.status.status == "read"


def scalar_payloads() -> list[bytes]:
    """One event of each shape that is decoded on whole arrays."""
    found = []
    for step in (0, 5, 300, 1 << 50):
        for tag in ("loss", "t" * 130):
            event = event_pb2.Event(wall_time=1.7e9, step=step)
            event.summary.value.add(tag=tag, simple_value=0.5)
            found.append(event.SerializeToString())
    for dtype, form in ((1, "<f"), (2, "<d")):
        for sizes in (None, [], [1]):
            for way in ("content", "packed"):
                event = event_pb2.Event(wall_time=1.7e9, step=7)
                value = event.summary.value.add(tag="x")
                value.tensor.dtype = dtype
                if sizes is not None:
                    value.tensor.tensor_shape.SetInParent()
                    for size in sizes:
                        value.tensor.tensor_shape.dim.add(size=size)
                if way == "content":
                    value.tensor.tensor_content = struct.pack(form, 0.5)
                else:
                    getattr(value.tensor, "float_val" if dtype == 1 else "double_val").append(0.5)
                if sizes != [1]:
                    value.metadata.plugin_data.plugin_name = "scalars"
                found.append(event.SerializeToString())
    # proto2 writers do not pack: a float_val, a double_val on its own.
    for head, number in ((b"\x08\x01\x2d", struct.pack("<f", 0.5)), (b"\x08\x02\x31", struct.pack("<d", 0.5))):
        tensor = head + number
        value = b"\x0a\x01y\x42" + bytes([len(tensor)]) + tensor
        summary = b"\x0a" + bytes([len(value)]) + value
        found.append(b"\x09" + struct.pack("<d", 1.7e9) + b"\x2a" + bytes([len(summary)]) + summary)
    return found


BYTES = (*range(20), 0x15, 0x1A, 0x22, 0x2A, 0x2D, 0x31, 0x32, 0x42, 0x4A, *range(0x7E, 0x86), 0xC0, 0xFE, 0xFF)


@pytest.mark.parametrize("payload", scalar_payloads(), ids=lambda payload: f"{len(payload)} bytes")
def test_payloads_with_any_byte_changed_are_read_as_protobuf_reads_them(tmp_path_factory, payload):
    changed = []
    for at in range(len(payload)):
        changed.append(payload[:at] + payload[at + 1 :])
        changed.append(payload[:at])
        for byte in BYTES:
            changed.append(payload[:at] + bytes([byte]) + payload[at + 1 :])
            changed.append(payload[:at] + bytes([byte]) + payload[at:])
    good = witness.write(event_pb2.Event(wall_time=1.0, file_version="brain.Event:2"))
    whole = good + b"".join(witness.frame(one) for one in dict.fromkeys(changed))
    witness.same_scalars(imported(tmp_path_factory, whole), witness.read(whole))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events(), min_size=1, max_size=8), st.data())
def test_damaged_files_never_raise_and_never_invent(tmp_path_factory, written, data):
    whole = bytearray(witness.write(*written))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        change = data.draw(st.sampled_from(["flip", "cut", "insert"]))
        if change == "flip" and at < len(whole):
            whole[at] ^= data.draw(st.integers(1, 255))
        elif change == "cut":
            del whole[at : at + data.draw(st.integers(1, 40))]
        else:
            whole[at:at] = data.draw(st.binary(min_size=1, max_size=40))
    result = imported(tmp_path_factory, bytes(whole))
    status = result.status
    found, end = witness.payloads(bytes(whole))
    assert status.records <= len(found)
    assert status.bytes == len(whole)
    assert sum(len(one.steps) for one in result.series) <= len(whole)
    if end < len(whole):
        assert status.status in ("partial", "unreadable", "ignored")
    if status.status != "read":
        assert status.reason
