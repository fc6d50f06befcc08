"""Memory is bounded by the largest tensor, never by the file."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

SCRIPT = """
import resource, sys
from pathlib import Path
from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5 import read as reading
from mlcheck.importers.hdf5.importer import Hdf5Importer
from mlcheck.store.tensors.request import Request

class Track:
    needed = True
    def pending(self, *given): return None
    def add(self, step, wall_time, array): array.max()
    def add_rows(self, steps, wall_times, arrays): arrays.max()
    def done(self): pass

class Collector:
    def __init__(self, request, part): pass
    def track(self, tag, hints): return Track()
    def series(self): return ()
    def problems(self): return ()

reading.TensorCollector = Collector
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
importer = Hdf5Importer()
assert importer.claims(path, path.open("rb").read(64))
status = importer.read_together([FoundFile(path, "a.h5", "", "hdf5", 1)], Request.base())[0][1].status
assert status.status == "read", status
print(status.records, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def run(path: Path) -> tuple[int, int]:
    """Records that were read, and megabytes of memory that reading took on top of the modules."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    records, megabytes = done.stdout.split()
    return int(records), int(megabytes)


def test_contiguous_dump(tmp_path):
    # 500 MB, sparse on disk: allocated at once, never filled.
    made = h5p.create(h5p.DATASET_CREATE)
    made.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    made.set_fill_time(h5d.FILL_TIME_NEVER)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in range(125):
            group = file.create_group(f"step_{step}/weights")
            h5d.create(group.id, b"w.weight", h5t.IEEE_F32LE, h5s.create_simple((1024, 1024)), made)
        stack = file.create_group("gradients/w.weight")
        stack["steps"] = np.arange(100)
        h5d.create(stack.id, b"values", h5t.IEEE_F32LE, h5s.create_simple((100, 512, 512)), made)
    records, megabytes = run(tmp_path / "a.h5")
    assert records == 225
    assert megabytes < 60


def test_compressed_stack(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stack = file.create_group("gradients/w.weight")
        stack["steps"] = np.arange(200)
        data = stack.create_dataset(
            "values", (200, 256, 1024), "f4", chunks=(8, 32, 1024), compression="gzip", compression_opts=1
        )
        for start in range(0, 200, 8):
            data[start : start + 8] = start
    records, megabytes = run(tmp_path / "a.h5")
    assert records == 200
    assert megabytes < 120
