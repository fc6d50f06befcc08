"""The slow path: events that are not one plain scalar, record by record through protobuf.

Only the generated protos of `tensorboard.compat.proto` are used, never TensorBoard's readers, and they are imported
when the first such event is met.
"""

from typing import Any

import numpy as np

from mlcheck.importers.collect import Collector, Row
from mlcheck.importers.stated import facts_of_hparams, facts_of_text, is_fact_text
from mlcheck.importers.tensors import MalformedTensor, histogram_of_tensor, scalar_of_tensor
from mlcheck.importers.wire import BYTES, VARINT, NotPlain, fields
from mlcheck.store.statistics import Histogram

STRING = 7
"""`DT_STRING` of tensorflow/core/framework/types.proto."""
SESSION_START = 1
"""`SessionLog.START` of tensorflow/core/util/event.proto."""


class NotAnEvent(ValueError):
    """A payload that is no `tensorflow.Event`: it does not parse, or none of its fields are an event's."""


class Malformed(ValueError):
    """An event of which a part cannot be used; the rest of it was kept."""

    def __init__(self, reason: str, wall_time: float) -> None:
        super().__init__(reason)
        self.wall_time = wall_time


def read_event(payload: bytes, record: int, into: Collector) -> float:
    """Read one event into the collector and return its wall time.

    Raises NotAnEvent when nothing of it could be read, Malformed when one of its values could not.
    """
    event = _parse(payload)
    if event.WhichOneof("what") not in (None, "file_version"):
        into.has_content = True
    if event.HasField("summary"):
        _read_summary(event, record, into)
    elif event.HasField("session_log") and event.session_log.status == SESSION_START:
        into.session_starts.append(int(event.step))
    return float(event.wall_time)


def plugin_of_metadata(metadata: bytes) -> str | None:
    """The plugin's name in a serialised `SummaryMetadata`; None where only the slow path can read all that it says."""
    try:
        plugin = _plain_plugin(metadata)
    except (NotPlain, UnicodeDecodeError):
        return None
    return None if plugin == "hparams" else plugin


def _plain_plugin(metadata: bytes) -> str:
    # Field numbers of tensorflow/core/framework/summary.proto. Whatever is not written as usual is for protobuf.
    plugin = ""
    for number, kind, value in fields(metadata):
        if (number, kind) not in ((1, BYTES), (2, BYTES), (3, BYTES), (4, VARINT)):
            raise NotPlain("another field")
        if number == 1 and isinstance(value, bytes):
            for inner, form, text in fields(value):
                if form != BYTES or inner not in (1, 2) or not isinstance(text, bytes):
                    raise NotPlain("another field")
                if inner == 1:
                    plugin = text.decode("utf-8")
        elif isinstance(value, bytes):
            value.decode("utf-8")
    return plugin


def _parse(payload: bytes) -> Any:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    try:
        event = Event.FromString(payload)
    except DecodeError as error:
        raise NotAnEvent("does not parse as an event") from error
    # Protobuf passes over fields that it does not know, so other messages "parse" as events that hold nothing.
    if payload and not event.ListFields():
        fixed_zero = payload[0] in (0x09, 0x10)
        if not fixed_zero:
            raise NotAnEvent("holds no field of an event")
    return event


def _read_summary(event: Any, record: int, into: Collector) -> None:
    step, wall_time = int(event.step), float(event.wall_time)
    fault: str | None = None
    for place, value in enumerate(event.summary.value):
        kind = value.WhichOneof("value")
        number = into.tag(value.tag.encode("utf-8"))
        plugin = value.metadata.plugin_data.plugin_name if value.HasField("metadata") else ""
        into.plugin(number, plugin, record, place)
        if kind in ("simple_value", "histo", "tensor"):
            into.seen(number, record, place)
        if kind == "simple_value":
            into.add_scalar(Row(record, number, step, wall_time, is_tensor=False), float(value.simple_value))
        elif kind == "histo":
            into.add_histogram(Row(record, number, step, wall_time, is_tensor=False), _histogram(value.histo))
        elif kind == "tensor":
            try:
                _read_tensor(value, Row(record, number, step, wall_time, is_tensor=True), into)
            except MalformedTensor as error:
                fault = fault or str(error)
        if plugin == "hparams":
            into.state(facts_of_hparams(value.metadata.plugin_data.content, value.tag))
    if fault:
        raise Malformed(fault, wall_time)


def _read_tensor(value: Any, row: Row, into: Collector) -> None:
    tensor = value.tensor
    if tensor.dtype == STRING:
        if is_fact_text(value.tag) and len(tensor.string_val) == 1:
            into.state(facts_of_text(tensor.string_val[0], value.tag))
        return
    scalar = scalar_of_tensor(tensor)
    if scalar is not None:
        into.add_scalar(row, scalar)
        return
    histogram = histogram_of_tensor(tensor)
    if histogram is not None:
        into.add_histogram(row, histogram)


def _histogram(histo: Any) -> Histogram:
    # A writer that drops empty buckets at the end may leave one list longer: the common part is what can be read.
    size = min(len(histo.bucket), len(histo.bucket_limit))
    right = np.array(histo.bucket_limit[:size], dtype=np.float64)
    left = np.concatenate([[-np.inf], right[:-1]]) if size else right
    counts = np.array(histo.bucket[:size], dtype=np.float64)
    return Histogram(left, right, counts, (histo.min, histo.max, histo.num, histo.sum, histo.sum_squares))
