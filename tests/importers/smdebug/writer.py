"""Trials as smdebug writes them: TensorFlow's protos, repeated plugin data, its own checksum; and a naive reader of them.

Neither shares code with the importer. What the writer writes is compared with the bytes of a real trial in test_realtrials.py.
"""

import json
import struct
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from mlcheck.importers.found import FoundFile
from mlcheck.importers.smdebug.importer import SmdebugImporter
from mlcheck.store.tensors.request import Request
from tests.importers.witness import payloads

NUMBERS = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
}
"""tensorflow/core/framework/types.proto."""
BFLOAT16 = 14
MODES = {"TRAIN": 1, "EVAL": 2, "PREDICT": 3, "GLOBAL": 4}


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    size, length = b"", len(content)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def tensor_proto(tag, value, number=None):
    if isinstance(value, list):
        proto = TensorProto(string_val=[text.encode() for text in value])
        proto.tensor_shape.dim.add(size=len(value), name=f"{tag}_{len(value)}")
        return proto
    array = np.asarray(value)
    proto = TensorProto(dtype=number or NUMBERS[array.dtype.name], tensor_content=array.tobytes())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size, name=f"{tag}_{size}")
    return proto


def record(payload: bytes, checksum: int | None = None) -> bytes:
    """A record, with smdebug's checksum behind the payload where no other is given."""
    head = struct.pack("<Q", len(payload))
    behind = masked_crc32c(b"0x12345678") if checksum is None else checksum
    return head + struct.pack("<I", masked_crc32c(head)) + payload + struct.pack("<I", behind)


def event(step, tag, value, mode="TRAIN", mode_step=0, wall_time=1.0, number=None) -> bytes:
    """One record with one tensor."""
    metadata = b"".join(
        SummaryMetadata(
            plugin_data=SummaryMetadata.PluginData(plugin_name=name, content=str(content).encode())
        ).SerializeToString()
        for name, content in (("mode_step", mode_step), ("mode", MODES[mode]))
    )
    plain = Summary.Value(tag=tag, tensor=tensor_proto(tag, value, number)).SerializeToString()
    # Concatenated messages are merged: repeated fields pile up.
    summary = field(1, plain + field(9, metadata))
    return record(Event(step=step, wall_time=wall_time).SerializeToString() + field(5, summary))


class TrialWriter:
    """Writes a trial below a directory."""

    def __init__(self, root: Path, with_index: bool = True):
        self.root = root
        self.with_index = with_index

    def collections(self, worker="worker_0", workers=1, **of):
        """Collections by name: a list of tensors, or a text that is a pattern."""
        stated = {
            name: {
                "name": name,
                "tensor_names": value if isinstance(value, list) else [],
                "include_regex": [value] if isinstance(value, str) else [],
            }
            for name, value in of.items()
        }
        path = self.root / "collections/000000000"
        path.mkdir(parents=True, exist_ok=True)
        content = {"collections": stated, "_meta": {"num_workers": workers}}
        (path / f"{worker}_collections.json").write_text(json.dumps(content))

    def step(self, step, tensors, mode="TRAIN", mode_step=None, worker="worker_0", wall_time=None, shapes=None):
        """One step: tensors by name."""
        at = wall_time if wall_time is not None else 1000.0 + step
        records = {
            tag: event(step, tag, value, mode, step if mode_step is None else mode_step, at)
            for tag, value in tensors.items()
        }
        return self.raw(step, records, mode, worker, shapes)

    def raw(self, step, records, mode="TRAIN", worker="worker_0", shapes=None):
        """One step: whole records by name."""
        path = self.event_path(step, worker)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(records.values()))
        if not self.with_index:
            return path
        listed, at = [], 0
        for tag, content in records.items():
            listed.append({"tensorname": tag, "start_idx": at, "length": len(content)})
            at += len(content)
        index = self.index_path(step, worker)
        index.parent.mkdir(parents=True, exist_ok=True)
        meta = {"mode": mode, "mode_step": step, "event_file_name": path.relative_to(self.root).as_posix()}
        stated = [
            {"tensorname": tag, "originalname": tag, "shape": list(shape)} for tag, shape in (shapes or {}).items()
        ]
        index.write_text(json.dumps({"meta": meta, "tensor_payload": listed, "shape_payload": stated}))
        return path

    def event_path(self, step, worker="worker_0"):
        return self.root / f"events/{step:012d}/{step:012d}_{worker}.tfevents"

    def index_path(self, step, worker="worker_0"):
        return self.root / f"index/{step // 1000:09d}/{step:012d}_{worker}.json"


def found(root: Path, shown: str = "") -> list[FoundFile]:
    """The files of a trial as discovery gives them."""
    directory = SmdebugImporter().directory(root, [])
    assert directory is not None
    return [
        FoundFile(path, shown + path.relative_to(root).as_posix(), "", "smdebug", path.stat().st_size)
        for path in directory.files
    ]


def read(root: Path, request: Request | None = None):
    """What came of the good part of a trial, and the statuses of the rest."""
    (_, whole), *rest = SmdebugImporter().read_together(found(root), request or Request.base())
    return whole, [imported.status for _, imported in rest]


def series(imported, tag, **hints):
    """The one series of a tag, with these hints."""
    (one,) = [
        one
        for one in imported.series
        if one.tag == tag and all(getattr(one.hints, name) == value for name, value in hints.items())
    ]
    return one


def witness(root: Path):
    """(tag, step, mode, worker, values) of all tensors of a trial, by naive framing and TensorBoard's protos, in order of files."""
    names = {number: name for name, number in NUMBERS.items()}
    for path in sorted((root / "events").rglob("*.tfevents")):
        for _, payload in payloads(path.read_bytes())[0]:
            message = Event.FromString(payload)
            for value in message.summary.value:
                shape = [one.size for one in value.tensor.tensor_shape.dim]
                if value.tensor.string_val:
                    values = np.array([text.decode() for text in value.tensor.string_val])
                else:
                    dtype = np.dtype(names[value.tensor.dtype])
                    values = np.frombuffer(value.tensor.tensor_content, dtype.newbyteorder("<")).reshape(shape)
                # TensorFlow's proto keeps the last plugin only, which is the mode.
                assert value.metadata.plugin_data.plugin_name == "mode"
                mode = int(value.metadata.plugin_data.content)
                yield value.tag, message.step, mode, path.stem.partition("_")[2], values
