"""The tools beside which mlcheck is measured, each as a whole process that reads one path."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """One program that is measured."""

    name: str
    command: Sequence[str]
    """Its last argument, the input, is added."""


SCAN = ("-m", "mlcheck", "scan", "-q", "--fail-on", "never", "--no-cache")

IMPORT_ONLY = """
import sys
from pathlib import Path
from mlcheck.importers.tensorboard import TensorBoardImporter
print(sum(len(one.steps) for one in TensorBoardImporter().read(Path(sys.argv[1]), "x").series))
"""

STATISTICS_ONLY = """
import sys
from pathlib import Path
from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5.importer import Hdf5Importer
from mlcheck.store.tensors.request import Request
path = Path(sys.argv[1])
((_, found),) = Hdf5Importer().read_together([FoundFile(path, "x", "", "hdf5", path.stat().st_size)], Request.base())
print(sum(len(one.steps) for one in found.series))
"""

PROTOBUF_LOOP = """
import struct, sys
from tensorboard.compat.proto import event_pb2
data = open(sys.argv[1], 'rb').read()
at, found = 0, {}
while at + 12 <= len(data):
    (length,) = struct.unpack_from('<Q', data, at)
    event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
    for value in event.summary.value:
        found.setdefault(value.tag, []).append((event.step, event.wall_time, value.simple_value))
    at += length + 16
print(sum(map(len, found.values())))
"""

ACCUMULATOR = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
accumulator = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'tensors': 0, 'histograms': 0})
accumulator.Reload()
tags = accumulator.Tags()
print(sum(len(accumulator.Scalars(tag)) for tag in tags['scalars']) + sum(len(accumulator.Tensors(tag)) for tag in tags['tensors']))
"""

TBPARSE = """
import sys
from tbparse import SummaryReader
print(len(SummaryReader(sys.argv[1]).scalars))
"""

# RustBoard serves what it has loaded until it is killed: its own log says when it has.
RUSTBOARD = """
import os, subprocess, sys, tempfile
from tensorboard_data_server import server_binary
with tempfile.TemporaryDirectory() as directory:
    os.symlink(os.path.abspath(sys.argv[1]), os.path.join(directory, 'events.out.tfevents.1'))
    keep = '--samples-per-plugin=scalars=all,tensors=all,histograms=all'
    command = [server_binary(), '--logdir', directory, '--reload', 'once', '--port', '0', '--verbose', keep]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    done = next((line for line in server.stderr if 'Finished load cycle' in line), None)
    server.kill()
    server.wait()
    sys.exit(done is None)
"""

READ_BYTES = "import sys; print(len(open(sys.argv[1], 'rb').read()))"

VISIT_ITEMS = """
import sys, h5py, numpy as np
found = {}
def visit(name, item):
    if isinstance(item, h5py.Dataset):
        x = item[...]
        found[name] = (x.min(), x.max(), x.mean(), x.std(), np.abs(x).mean(), np.linalg.norm(x), np.count_nonzero(x), np.isnan(x).sum())
with h5py.File(sys.argv[1]) as file:
    file.visititems(visit)
print(len(found))
"""


VISIT_FINITE = VISIT_ITEMS.replace(
    "found[name] = (",
    "size, nan, inf = x.size, np.isnan(x).sum(), np.isinf(x).sum()\n        x = x[np.isfinite(x)]\n"
    "        found[name] = (size, nan, inf, (x == 0).sum(), np.abs(x).max(), ",
)
"""The statistics that mlcheck takes: over the finite values, with what is not finite counted."""


def _python(name: str, code: str) -> Tool:
    return Tool(name, [sys.executable, "-c", code])


def scan() -> Tool:
    """mlcheck as a user runs it, without its cache."""
    return Tool("mlcheck scan", [sys.executable, *SCAN])


def event_readers(slow: bool) -> list[Tool]:
    """mlcheck first, then the peers; those that take minutes only where they are asked for. What is not installed is left out."""
    found = [scan(), _python("mlcheck, import only", IMPORT_ONLY)]
    if find_spec("tensorboard_data_server"):
        found.append(_python("RustBoard, all samples kept (reads only)", RUSTBOARD))
    found.append(_python("protobuf loop (reads only)", PROTOBUF_LOOP))
    if slow:
        found.append(_python("TensorBoard EventAccumulator (reads only)", ACCUMULATOR))
        if find_spec("tbparse"):
            found.append(_python("tbparse (reads only)", TBPARSE))
    return [*found, _python("read the bytes", READ_BYTES)]


def dump_readers() -> list[Tool]:
    """mlcheck, and what people write by hand for an HDF5 dump."""
    own = _python("mlcheck, 12 statistics of each (judges nothing)", STATISTICS_ONLY)
    same = _python("h5py visititems and numpy, the same statistics", VISIT_FINITE)
    fewer = _python("h5py visititems and numpy, 8 reductions of all values", VISIT_ITEMS)
    return [scan(), own, same, fewer, _python("read the bytes", READ_BYTES)]


def script(name: str) -> Path:
    """A script of this directory."""
    return Path(__file__).resolve().parent / name
