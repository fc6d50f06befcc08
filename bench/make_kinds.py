"""More event files for `make bench`: `python bench/make_kinds.py tensors|keras|histograms|new_histograms|small PATH`.

tensors: 300,000 scalars as tensors, their plugin with the first of each tag. keras: the same with the plugin in each event, as
TensorFlow's own writer has it. histograms: 4,000 histograms of 500 buckets in the old form, as torch writes them. new_histograms: 40,000
of 30 buckets as tf.summary writes them. small: a run of 1,200 points. All through the protos of TensorBoard.
"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google_crc32c import value as crc32c
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2

Value = summary_pb2.Summary.Value


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def frame(payload: bytes) -> bytes:
    head = struct.pack("<Q", len(payload))
    return head + masked(head) + payload + masked(payload)


def event(step: int, value: Value) -> bytes:
    return event_pb2.Event(
        wall_time=1.7e9 + step, step=step, summary=summary_pb2.Summary(value=[value])
    ).SerializeToString()


def tensors(always: bool = False) -> Iterator[bytes]:
    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class=1)
    shape = tensor_shape_pb2.TensorShapeProto()
    for step in range(100_000):
        for tag in ("epoch_loss", "epoch_accuracy", "epoch_learning_rate"):
            content = np.float32(1 / (step + 1)).tobytes()
            tensor = tensor_pb2.TensorProto(dtype=1, tensor_content=content, tensor_shape=shape)
            yield event(step, Value(tag=tag, tensor=tensor, metadata=metadata if always or step == 0 else None))


def keras() -> Iterator[bytes]:
    return tensors(always=True)


def new_histograms() -> Iterator[bytes]:
    random = np.random.default_rng(0)
    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": "histograms"}, data_class=2)
    shape = tensor_shape_pb2.TensorShapeProto(dim=[{"size": 30}, {"size": 3}])
    for step in range(400):
        for layer in range(100):
            counts, edges = np.histogram(random.normal(size=300), bins=30)
            content = np.stack([edges[:-1], edges[1:], counts], axis=1).tobytes()
            tensor = tensor_pb2.TensorProto(dtype=2, tensor_content=content, tensor_shape=shape)
            yield event(step, Value(tag=f"dense_{layer}/kernel_0", tensor=tensor, metadata=metadata))


def histograms() -> Iterator[bytes]:
    random = np.random.default_rng(0)
    edges = np.linspace(-4, 4, 500).tolist()
    for step in range(400):
        for layer in range(10):
            counts = np.histogram(random.normal(size=1000), bins=[-5.0, *edges])[0]
            histogram = summary_pb2.HistogramProto(
                min=-4,
                max=4,
                num=1000,
                sum=0,
                sum_squares=1000,
                bucket_limit=edges,
                bucket=counts.astype(float).tolist(),
            )
            yield event(step, Value(tag=f"weights/layer{layer}.weight", histo=histogram))


def small() -> Iterator[bytes]:
    for step in range(400):
        for tag, value in (("train/loss", 1 / (1 + step)), ("val/loss", 1.1 / (1 + step)), ("lr", 1e-3)):
            yield event(step, Value(tag=tag, simple_value=value))


if __name__ == "__main__":
    kinds = {
        "tensors": tensors,
        "keras": keras,
        "histograms": histograms,
        "new_histograms": new_histograms,
        "small": small,
    }
    made = kinds[sys.argv[1]]()
    version = event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString()
    with Path(sys.argv[2]).open("wb") as file:
        file.write(frame(version))
        file.writelines(frame(one) for one in made)
