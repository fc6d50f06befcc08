"""An independent, naive reader and writer of event files: the witness against which the importer is tested.

It frames records one by one and reads each through protobuf; the importer shares no code with it.
"""

import math
import struct
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c


def frame(payload: bytes) -> bytes:
    """One record; the checksums are TensorBoard's own."""
    head = struct.pack("<Q", len(payload))
    return head + struct.pack("<I", masked_crc32c(head)) + payload + struct.pack("<I", masked_crc32c(payload))


def write(*events: event_pb2.Event) -> bytes:
    """The bytes of an event file."""
    return b"".join(frame(event.SerializeToString()) for event in events)


def payloads(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """(offset, payload) of all whole records, and where the first begins that is not whole."""
    found = []
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if struct.unpack_from("<I", data, at + 8)[0] != masked_crc32c(data[at : at + 8]):
            break
        if at + 16 + length > len(data):
            break
        found.append((at, data[at + 12 : at + 12 + length]))
        at += 16 + length
    return found, at


@dataclass
class Naive:
    """What a plain loop makes of a file."""

    scalars: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    """(step, wall time, value) by tag, in record order."""
    histograms: dict[str, int] = field(default_factory=dict)
    """How many of each tag."""
    order: list[str] = field(default_factory=list)
    """Tags by the first number, histogram or tensor that the file has of them."""
    starts: list[int] = field(default_factory=list)
    first_wall_time: float = math.nan
    records: int = 0


# dtype: (single values, numpy's type of the content).
TYPES = {
    1: ("float_val", "<f4"),
    2: ("double_val", "<f8"),
    3: ("int_val", "<i4"),
    4: ("int_val", "u1"),
    5: ("int_val", "<i2"),
    6: ("int_val", "i1"),
    9: ("int64_val", "<i8"),
    10: ("bool_val", "?"),
    14: ("half_val", "<u2"),
    17: ("int_val", "<u2"),
    19: ("half_val", "<f2"),
    22: ("uint32_val", "<u4"),
    23: ("uint64_val", "<u8"),
}


def scalar(tensor) -> float | None:
    """The value of a sound tensor of one element."""
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype not in TYPES or any(size != 1 for size in sizes) or tensor.tensor_shape.unknown_rank:
        return None
    name, dtype = TYPES[tensor.dtype]
    if tensor.tensor_content:
        content = tensor.tensor_content
        if len(content) != np.dtype(dtype).itemsize:
            return None
        bits = np.frombuffer(content, dtype)[0]
        return brain_float(int(bits)) if tensor.dtype == 14 else float(bits)
    listed = getattr(tensor, name)
    if len(listed) != 1:
        return None
    if tensor.dtype == 14:
        return brain_float(listed[0] & 0xFFFF)
    if tensor.dtype == 19:
        return float(np.frombuffer(struct.pack("<H", listed[0] & 0xFFFF), dtype)[0])
    return float(listed[0])


def brain_float(bits: int) -> float:
    """A bfloat16: the upper half of a float32."""
    (value,) = struct.unpack("<f", struct.pack("<I", bits << 16))
    return value


def read(data: bytes) -> Naive:
    """Read all sound records one by one."""
    naive = Naive()
    tensors: list[tuple[str, tuple[int, float, float] | None]] = []
    plugins: dict[str, str] = {}
    rows = []
    for number, (_, payload) in enumerate(payloads(data)[0]):
        try:
            event = event_pb2.Event.FromString(payload)
        except DecodeError:
            continue
        wall = event.wall_time or math.nan
        if number == 0:
            naive.first_wall_time = wall
        naive.records += 1
        if event.session_log.status == 1:
            naive.starts.append(event.step)
        for value in event.summary.value:
            name = value.metadata.plugin_data.plugin_name
            if name:
                plugins.setdefault(value.tag, name)
            kind = value.WhichOneof("value")
            if kind in ("simple_value", "histo", "tensor") and value.tag not in naive.order:
                naive.order.append(value.tag)
            if kind == "simple_value":
                rows.append((value.tag, "simple", event.step, wall, value.simple_value))
            elif kind == "tensor" and scalar(value.tensor) is not None:
                rows.append((value.tag, "tensor", event.step, wall, scalar(value.tensor)))
            elif kind == "histo":
                naive.histograms[value.tag] = naive.histograms.get(value.tag, 0) + 1
            elif kind == "tensor" and len(value.tensor.tensor_shape.dim) == 2:
                tensors.append((value.tag, None))
    for tag, kind, step, wall, number in rows:
        if kind == "simple" or plugins.get(tag, "") in ("", "scalars"):
            naive.scalars.setdefault(tag, []).append((step, wall, number))
    for tag, _ in tensors:
        if plugins.get(tag) == "histograms":
            naive.histograms[tag] = naive.histograms.get(tag, 0) + 1
    return naive


def same(imported, naive: Naive) -> None:
    """Assert that the importer found what the plain loop finds."""
    same_scalars(imported, naive)
    found = {one.tag: len(one.steps) for one in imported.series if one.kind == "tensor"}
    assert found == naive.histograms
    tags = list(dict.fromkeys(one.tag for one in imported.series))
    assert tags == [tag for tag in naive.order if tag in set(tags)]
    assert [one.hints.order for one in imported.series] == list(range(len(imported.series)))
    assert list(imported.session_starts) == naive.starts
    np.testing.assert_equal(imported.first_wall_time, naive.first_wall_time)
    assert imported.status.records == naive.records


def same_scalars(imported, naive: Naive) -> None:
    """Assert that the scalars are those of the plain loop."""
    scalars = {one.tag: one for one in imported.series if one.kind == "scalar"}
    assert set(scalars) == set(naive.scalars)
    for tag, rows in naive.scalars.items():
        one = scalars[tag]
        wanted = np.array(rows, dtype=object)
        assert one.steps.tolist() == [row[0] for row in rows]
        np.testing.assert_array_equal(one.wall_times, wanted[:, 1].astype(float))
        np.testing.assert_array_equal(one.columns["value"], wanted[:, 2].astype(float))
        assert one.steps.dtype == np.int64
        assert one.columns["value"].dtype == np.float64
