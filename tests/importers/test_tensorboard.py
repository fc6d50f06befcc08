import math
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from mlcheck.importers import framing, tensorboard
from mlcheck.importers.framing import crc32c, masked
from mlcheck.importers.tensorboard import TensorBoardImporter
from tests.importers import witness
from tests.importers.readers import READERS


@pytest.fixture(autouse=True, params=READERS)
def reader(request, monkeypatch):
    monkeypatch.setattr(tensorboard, "event_reader", request.param)


def scalar(tag: str, step: int, value: float, wall: float = 1.7e9) -> event_pb2.Event:
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])
    return event_pb2.Event(wall_time=wall + step, step=step, summary=summary)


VERSION = event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2")


def read(folder: Path, data: bytes, name: str = "events.out.tfevents.1"):
    path = folder / name
    path.write_bytes(data)
    return TensorBoardImporter().read(path, f"run/{name}")


def test_a_file_of_tensorboards_own_writer(tmp_path):
    writer = EventFileWriter(str(tmp_path))
    for step in range(20):
        writer.add_event(scalar("loss", step, 1 / (step + 1)))
        writer.add_event(scalar("accuracy", step, step / 20))
    writer.close()
    (path,) = tmp_path.iterdir()
    imported = TensorBoardImporter().read(path, "shown")
    assert (imported.status.status, imported.status.records) == ("read", 41)
    assert (imported.status.path, imported.status.format) == ("shown", "tensorboard")
    loss, accuracy = imported.series
    assert (loss.tag, loss.kind, loss.hints.order, loss.hints.plugin) == ("loss", "scalar", 0, None)
    assert accuracy.hints.order == 1
    np.testing.assert_array_equal(loss.columns["value"], [np.float32(1 / (step + 1)) for step in range(20)])
    assert loss.steps.tolist() == list(range(20))


def test_a_file_cut_at_every_byte_gives_all_records_before_the_cut(tmp_path):
    data = witness.write(VERSION, *(scalar("loss" if step % 2 else "train/acc", step, step) for step in range(8)))
    for cut in range(1, len(data) + 1):
        imported = read(tmp_path, data[:cut])
        found, end = witness.payloads(data[:cut])
        status = imported.status
        assert sum(len(one.steps) for one in imported.series) == max(0, len(found) - 1)
        assert (status.bytes, status.records) == (cut, len(found))
        if end == cut:
            assert status.status == "read"
        else:
            assert status.status == ("partial" if found else "unreadable")
            assert status.tail_only
            assert status.offset == end
            assert status.lost_bytes == cut - end


def test_a_damaged_record_in_the_middle_is_passed_over(tmp_path):
    events = [scalar("loss", step, step) for step in range(5)]
    records = [witness.frame(event.SerializeToString()) for event in events]
    start = sum(map(len, records[:2]))
    broken = bytearray(b"".join(records))
    broken[start + 12 + 9 + 2] = 0xFF  # the field that held the summary now has wire type 7
    imported = read(tmp_path, bytes(broken))
    status = imported.status
    assert imported.series[0].steps.tolist() == [0, 1, 3, 4]
    assert (status.status, status.offset, status.lost_bytes) == ("partial", start, len(records[2]))
    assert not status.tail_only
    assert "1 record is corrupt" in status.reason
    assert "checksum of its payload" in status.reason


def test_a_length_whose_checksum_is_wrong_ends_the_file(tmp_path):
    records = [witness.frame(scalar("loss", step, step).SerializeToString()) for step in range(5)]
    start = sum(map(len, records[:3]))
    broken = bytearray(b"".join(records))
    broken[start] ^= 1
    imported = read(tmp_path, bytes(broken))
    assert imported.series[0].steps.tolist() == [0, 1, 2]
    status = imported.status
    assert (status.status, status.offset, status.tail_only) == ("partial", start, False)
    assert status.lost_bytes == len(broken) - start
    assert "framing is lost" in status.reason


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 1 << 31, (1 << 31) - 1, 1 << 24])
def test_a_length_is_not_believed(tmp_path, length):
    head = struct.pack("<Q", length)
    good = witness.write(VERSION, scalar("loss", 1, 2.0))
    data = good + head + struct.pack("<I", masked(crc32c(head))) + bytes(100)
    TensorBoardImporter().read(_written(tmp_path, good), "warm")
    tracemalloc.start()
    imported = read(tmp_path, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    assert imported.series[0].columns["value"].tolist() == [2.0]
    assert (imported.status.status, imported.status.offset) == ("partial", len(good))
    # A protobuf message has less than 2 GiB, so beyond that it is damage and no record that is still being written.
    assert imported.status.tail_only == (length < 1 << 31)


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "events.out.tfevents.2"
    path.write_bytes(data)
    return path


def test_a_shape_of_a_million_million_elements_is_not_believed(tmp_path):
    event = event_pb2.Event(wall_time=1.0, step=3)
    for name, dtype in (("a", 1), ("b", 2)):
        value = event.summary.value.add(tag=name)
        value.metadata.plugin_data.plugin_name = "histograms"
        value.tensor.dtype = dtype
        for size in (10**12 // 3, 3):
            value.tensor.tensor_shape.dim.add(size=size)
        getattr(value.tensor, "float_val" if dtype == 1 else "double_val").append(1.0)
    event.summary.value.add(tag="c", simple_value=4.0)
    good = witness.write(VERSION)
    tracemalloc.start()
    imported = read(tmp_path, good + witness.write(event))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    assert (imported.status.status, imported.status.offset) == ("partial", len(good))
    assert "elements" in imported.status.reason
    assert [one.tag for one in imported.series] == ["c"]


def test_a_message_nested_deep_is_corrupt(tmp_path):
    variant = b""
    for _ in range(300):
        # TensorProto.variant_val (field 15) holds VariantTensorDataProto, whose field 3 holds TensorProtos.
        inner = b"\x1a" + _varint(len(variant)) + variant
        variant = b"\x7a" + _varint(len(inner)) + inner
    value = b"\x0a\x01t\x42" + _varint(len(variant)) + variant
    summary = b"\x0a" + _varint(len(value)) + value
    payload = b"\x09" + bytes(8) + b"\x2a" + _varint(len(summary)) + summary
    good = witness.write(VERSION)
    imported = read(tmp_path, good + witness.frame(payload) + witness.write(scalar("loss", 1, 1.0)))
    assert (imported.status.status, imported.status.offset) == ("partial", len(good))
    assert len(imported.series) == 1


def _varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


@pytest.mark.parametrize(
    ("name", "data", "status", "reason"),
    [
        ("events.out.tfevents.1", b"", "unreadable", "empty file"),
        (
            "events.out.tfevents.1",
            LFS,
            "unreadable",
            "Git LFS pointer: the data was not downloaded; run `git lfs pull`",
        ),
        ("a.tfevents.1.meta", b'{"guid": "\xc3\xa4"}\n' * 9, "ignored", "text beside an event file"),
        ("._events.out.tfevents.1", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "ignored", "AppleDouble"),
        ("events.out.tfevents.1", b"<html>not found</html>", "unreadable", "text, not an event file"),
        ("events.out.tfevents.1", b"\x1f\x8b\x08" + bytes(40), "unreadable", "gzip"),
        ("events.out.tfevents.1", bytes(200), "unreadable", "not an event file"),
        ("events.out.tfevents.1", witness.write(VERSION), "read", "header only: no summaries"),
        ("events.out.tfevents.1.profile-empty", witness.write(VERSION), "ignored", "profiler"),
        (
            "events.out.tfevents.1",
            witness.write(VERSION, event_pb2.Event(wall_time=1.0, graph_def=b"\x0a\x00")),
            "read",
            "no scalars or histograms",
        ),
        ("data.tfrecord", witness.frame(b"\x0a\x05\x0a\x03abc") * 3, "unreadable", "TFRecord, not an event file"),
        ("data.tfrecord", witness.frame(b"\xff" * 30) * 300, "unreadable", "TFRecord, not an event file"),
    ],
)
def test_files_that_hold_no_series_say_why(tmp_path, name, data, status, reason):
    imported = read(tmp_path, data, name)
    assert imported.series == ()
    assert imported.status.status == status
    assert reason in imported.status.reason
    assert imported.status.bytes == len(data)
    assert TensorBoardImporter().claims(tmp_path / name, data[:64])


def test_a_mislabelled_event_file_is_claimed_by_its_content(tmp_path):
    data = witness.write(scalar("loss", 1, 2.0))
    assert TensorBoardImporter().claims(Path("renamed.bin"), data[:64])
    assert not TensorBoardImporter().claims(Path("renamed.bin"), b"PAR1" + bytes(60))
    assert not TensorBoardImporter().claims(Path("renamed.bin"), b"")
    assert len(read(tmp_path, data, "renamed.bin").series) == 1


def test_sagemaker_debuggers_constant_checksum_is_not_damage(tmp_path):
    assert masked(crc32c(b"0x12345678")) == framing.SAGEMAKER_CHECKSUM
    payload = b"\x0a\x03abc"
    head = struct.pack("<Q", len(payload))
    constant = struct.pack("<I", framing.SAGEMAKER_CHECKSUM)
    record = head + struct.pack("<I", masked(crc32c(head))) + payload + constant
    imported = read(tmp_path, witness.write(VERSION) + record)
    assert "checksum" not in imported.status.reason
    # Nothing is wrong with an event that carries it.
    assert read(tmp_path, witness.write(scalar("loss", 1, 1.0))[:-4] + constant).status.status == "read"


def tensor_value(tag: str, dtype: int, content: bytes, sizes: tuple[int, ...], plugin: str | None):
    value = summary_pb2.Summary.Value(tag=tag)
    value.tensor.dtype = dtype
    for size in sizes:
        value.tensor.tensor_shape.dim.add(size=size)
    value.tensor.tensor_content = content
    if plugin is not None:
        value.metadata.plugin_data.plugin_name = plugin
    return value


def event_of(*values, step: int = 0) -> event_pb2.Event:
    return event_pb2.Event(wall_time=1.7e9, step=step, summary=summary_pb2.Summary(value=list(values)))


@pytest.mark.parametrize(
    ("dtype", "content", "value"),
    [
        (1, struct.pack("<f", 0.5), 0.5),
        (2, struct.pack("<d", 0.1), 0.1),
        (19, struct.pack("<e", 0.25), 0.25),
        (14, struct.pack("<f", -1.5)[2:], -1.5),
        (3, struct.pack("<i", -7), -7.0),
        (9, struct.pack("<q", 1 << 40), float(1 << 40)),
        (10, b"\x01", 1.0),
        (4, b"\xff", 255.0),
        (23, struct.pack("<Q", 1 << 63), float(1 << 63)),
    ],
)
def test_scalar_tensors_of_every_type(tmp_path, dtype, content, value):
    data = witness.write(
        event_of(tensor_value("x", dtype, content, (), "scalars")),
        event_of(tensor_value("x", dtype, content, (1, 1), None), step=1),
    )
    (one,) = read(tmp_path, data).series
    assert one.columns["value"].tolist() == [value, value]
    assert one.hints.plugin == "scalars"


def test_half_values_are_read_as_bits(tmp_path):
    event = event_of(tensor_value("x", 19, b"", (), "scalars"), tensor_value("y", 14, b"", (), "scalars"))
    event.summary.value[0].tensor.half_val.append(struct.unpack("<H", struct.pack("<e", 0.25))[0])
    event.summary.value[1].tensor.half_val.append(0xBFC0)
    found = {one.tag: one.columns["value"].tolist() for one in read(tmp_path, witness.write(event)).series}
    assert found == {"x": [0.25], "y": [-1.5]}


def test_tensors_of_other_plugins_are_no_scalars(tmp_path):
    one = struct.pack("<f", 1.0)
    data = witness.write(
        event_of(tensor_value("mesh", 1, one, (), "mesh")),
        event_of(tensor_value("mesh", 1, one, (), None), step=1),
        event_of(tensor_value("vector", 1, one * 2, (2,), None)),
        event_of(tensor_value("bare", 1, one, (), None)),
    )
    assert [series.tag for series in read(tmp_path, data).series] == ["bare"]


def test_new_histograms_become_statistics(tmp_path):
    rows = struct.pack("<6d", -1, 0, 10, 0, 1, 30)
    broken = struct.pack("<6d", math.nan, math.nan, 0, math.nan, math.nan, 0)
    data = witness.write(
        event_of(tensor_value("w", 2, rows, (2, 3), "histograms")),
        event_of(tensor_value("w", 2, rows, (2, 3), None), step=1),
        event_of(tensor_value("w", 2, broken, (2, 3), None), step=2),
        event_of(tensor_value("table", 2, rows, (2, 3), None), step=1),
    )
    (one,) = read(tmp_path, data).series
    assert (one.tag, one.kind, one.approximate) == ("w", "tensor", True)
    assert one.steps.tolist() == [0, 1, 2]
    assert one.columns["count"].tolist()[:2] == [40, 40]
    assert one.columns["nonfinite"].tolist() == [0, 0, 1]


def test_a_histogram_whose_equal_values_are_written_once(tmp_path):
    value = tensor_value("w", 2, b"", (4, 3), "histograms")
    value.tensor.double_val.append(0.0)
    (one,) = read(tmp_path, witness.write(event_of(value))).series
    assert one.columns["count"].tolist() == [0]
    assert one.columns["nonfinite"].tolist() == [0]


def test_more_histograms_than_are_held_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("mlcheck.importers.array_rows.BUCKETS_HELD", 5)
    events = []
    for step in range(8):
        event = event_pb2.Event(wall_time=1.0, step=step)
        for tag in ("a", "b"):
            value = event.summary.value.add(tag=tag)
            value.histo.num, value.histo.min, value.histo.max = step + 1, 0.0, 1.0
            value.histo.bucket_limit.append(1.0)
            value.histo.bucket.append(step + 1)
        events.append(event)
    for one in read(tmp_path, witness.write(*events)).series:
        assert one.columns["count"].tolist() == list(range(1, 9))


def test_several_values_of_one_tag_at_one_step_are_all_kept_in_order(tmp_path):
    values = [summary_pb2.Summary.Value(tag="loss", simple_value=value) for value in (3.0, 1.0, 2.0)]
    data = witness.write(scalar("loss", 5, 9.0), event_of(*values, step=5), scalar("loss", 5, 7.0))
    (one,) = read(tmp_path, data).series
    assert one.columns["value"].tolist() == [9.0, 3.0, 1.0, 2.0, 7.0]
    assert one.steps.tolist() == [5] * 5


def test_restarts_within_a_file_are_remembered(tmp_path):
    start = event_pb2.Event(wall_time=2.0, step=40, session_log=event_pb2.SessionLog(status=1))
    stop = event_pb2.Event(wall_time=3.0, step=50, session_log=event_pb2.SessionLog(status=2))
    imported = read(tmp_path, witness.write(start, scalar("loss", 40, 1.0), stop))
    assert imported.session_starts == (40,)
    assert imported.first_wall_time == 2.0


def test_a_tag_that_is_not_text_is_damage_as_it_is_to_protobuf(tmp_path):
    good = witness.write(scalar("loss", 1, 1.0))
    bad = scalar("loss", 2, 2.0).SerializeToString().replace(b"loss", b"lo\xff\xfe")
    imported = read(tmp_path, good + witness.frame(bad) + witness.write(scalar("loss", 3, 3.0)))
    assert imported.series[0].steps.tolist() == [1, 3]
    assert (imported.status.status, imported.status.offset) == ("partial", len(good))


def test_a_missing_wall_time_is_unknown(tmp_path):
    event = scalar("loss", 1, 1.0)
    event.wall_time = 0
    imported = read(tmp_path, witness.write(event))
    assert np.isnan(imported.series[0].wall_times).all()
    assert math.isnan(imported.first_wall_time)


def test_hyper_parameters_and_settings_become_facts(tmp_path):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = HParamsPluginData()
    content.session_start_info.hparams["lr"].number_value = 0.1
    content.session_start_info.hparams["amp"].bool_value = True
    content.session_start_info.hparams["optimizer/name"].string_value = "adam"
    content.session_start_info.hparams["note"].string_value = "x" * 300
    hparams = summary_pb2.Summary.Value(tag="_hparams_/session_start_info")
    hparams.metadata.plugin_data.plugin_name = "hparams"
    hparams.metadata.plugin_data.content = content.SerializeToString()
    text = summary_pb2.Summary.Value(tag="args/text_summary")
    text.metadata.plugin_data.plugin_name = "text"
    text.tensor.dtype = 7
    text.tensor.tensor_shape.dim.add(size=1)
    text.tensor.string_val.append(b'{"max_steps": 100, "fp16": false, "fsdp": {"min": 1}, "tags": [1]}')
    other = summary_pb2.Summary.Value(tag="Epoch 1")
    other.CopyFrom(text)
    other.tag = "Epoch 1"
    imported = read(tmp_path, witness.write(event_of(hparams), event_of(text), event_of(text, step=1), event_of(other)))
    found = [(fact.key, fact.value, fact.source) for fact in imported.facts]
    assert found == [
        ("amp", True, "_hparams_/session_start_info"),
        ("lr", 0.1, "_hparams_/session_start_info"),
        ("optimizer/name", "adam", "_hparams_/session_start_info"),
        ("max_steps", 100.0, "args/text_summary"),
        ("fp16", False, "args/text_summary"),
        ("fsdp/min", 1.0, "args/text_summary"),
    ]


def test_plain_scalars_need_no_protobuf(tmp_path):
    path = _written(tmp_path, witness.write(VERSION, *(scalar("loss", step, 1.0) for step in range(50))))
    code = (
        "import sys, pathlib; from mlcheck.importers.tensorboard import TensorBoardImporter as T; "
        f"assert len(T().read(pathlib.Path({str(path)!r}), 'x').series) == 1; "
        "assert not [m for m in sys.modules if m.startswith(('google.protobuf', 'tensorboard', 'tensorflow'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_file_that_cannot_be_opened_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        TensorBoardImporter().read(tmp_path / "events.out.tfevents.none", "x")


def test_metadata_longer_than_the_padding_of_a_block(tmp_path):
    long, short = scalar("loss", 1, 1.0), scalar("loss", 2, 2.0)
    long.summary.value[0].metadata.summary_description = "x" * 50_000
    short.summary.value[0].metadata.plugin_data.plugin_name = "scalars"
    (one,) = read(tmp_path, witness.write(long, short)).series
    assert one.steps.tolist() == [1, 2]
    assert one.hints.plugin == "scalars"


def test_an_image_is_passed_over_only_when_its_record_is_sound(tmp_path):
    event = event_pb2.Event(wall_time=1.0, step=1)
    event.summary.value.add(tag="img").image.encoded_image_string = bytes(30)
    payload = event.SerializeToString()
    good = witness.write(VERSION) + witness.frame(payload)
    assert read(tmp_path, good).status.reason == "no scalars or histograms"
    at = payload.index(b"img") + 4
    broken = payload[:at] + bytes([payload[at] + 1]) + payload[at + 1 :]
    imported = read(tmp_path, good + witness.frame(broken))
    assert (imported.status.status, imported.status.offset) == ("partial", len(good))


def test_verify_passes_over_every_record_whose_payload_has_another_checksum(tmp_path):
    records = [witness.frame(scalar("loss", step, step).SerializeToString()) for step in range(20)]
    # The last payload byte is one of the value's: the event still parses.
    for changed in (3, 11):
        broken = bytearray(records[changed])
        broken[-5] ^= 1
        records[changed] = bytes(broken)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join(records))
    assert len(read(tmp_path, b"".join(records)).series[0].steps) == 20, "what parses is not compared by default"
    imported = TensorBoardImporter().read_verified(path, "shown")
    assert imported.series[0].steps.tolist() == [step for step in range(20) if step not in (3, 11)]
    status = imported.status
    assert (status.status, status.records, status.tail_only) == ("partial", 18, False)
    assert status.offset == sum(map(len, records[:3]))
    assert status.lost_bytes == len(records[3]) + len(records[11])
    assert status.reason is not None
    assert "2 records are corrupt" in status.reason
    assert "checksum of its payload" in status.reason


def test_verify_reads_what_is_sound_as_without(tmp_path):
    data = witness.write(VERSION, *(scalar("loss" if step % 2 else "train/acc", step, step) for step in range(50)))
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(data)
    plain, verified = TensorBoardImporter().read(path, "x"), TensorBoardImporter().read_verified(path, "x")
    assert plain.status == verified.status
    for one, other in zip(plain.series, verified.series, strict=True):
        np.testing.assert_array_equal(one.columns["value"], other.columns["value"])
