"""No damage makes the importer raise, hang or crash: random bytes, and cuts everywhere.

Each batch of files is read in a process of its own, for libhdf5 itself could crash.
"""

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.importers.hdf5.recorder import Recorder

BATCH = 100


def whole(path, libver):
    with h5py.File(path, "w", libver=libver) as file:
        for step in (10, 20):
            group = file.create_group(f"step_{step}")
            group.attrs["mode"] = "train"
            group["gradients/fc1.weight"] = np.ones((3, 4), np.float32) * step
            group.create_dataset(
                "weights/w", data=np.random.default_rng(step).random((8, 8)), compression="gzip", chunks=(4, 4)
            )
            group["loss"] = 0.1
        file["step"] = [1, 2, 3]
        file["step"].make_scale("step")
        file["stack"] = np.random.default_rng(0).random((3, 4))
        file["stack"].dims[0].attach_scale(file["step"])
        file["soft"], file["far"] = h5py.SoftLink("/step_10"), h5py.ExternalLink("/nowhere.h5", "/a")
        file["cycle/up"] = file["/"]
        file["flags"], file["big"] = np.array([True, False]), np.arange(4, dtype=">f8")
        file["text"], file["refs"] = "hello", np.array([file["big"].ref], h5py.ref_dtype)
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(".", "big", (4,))
        file.create_virtual_dataset("virtual", layout)
    return path.read_bytes()


def read_all(contents, path):
    from mlcheck.importers.hdf5 import read as reading
    from mlcheck.importers.hdf5.importer import Hdf5Importer

    reading.TensorCollector = Recorder
    for content in contents:
        path.write_bytes(content)
        importer = Hdf5Importer()
        importer.claims(path, content[:64])
        importer.why_not(path, content[:64])
        importer.groups([path])
        status = importer.read(path, "a.h5").status
        assert status.status in ("read", "partial", "unreadable")
        assert status.status == "read" or status.reason
        assert "\n" not in (status.reason or "")


def survives(contents, path):
    """Whether a process of its own reads all of these without an exception, a crash or more than twenty seconds."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            read_all(contents, path)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_random_bytes(tmp_path: Path, libver):
    content = whole(tmp_path / "whole.h5", libver)
    generator = np.random.default_rng(0)
    for _ in range(6):
        batch = []
        for _ in range(BATCH):
            damaged = bytearray(content)
            for position in generator.integers(len(content), size=generator.integers(1, 6)):
                damaged[position] = generator.choice([0, 1, 128, 255, generator.integers(256)])
            batch.append(bytes(damaged))
        assert survives(batch, tmp_path / "a.h5")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_cut_at_every_64th_byte(tmp_path: Path, libver):
    content = whole(tmp_path / "whole.h5", libver)
    assert survives([content[:end] for end in range(0, len(content), 64)], tmp_path / "a.h5")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_an_object_of_size_zero_in_a_heap(tmp_path: Path):
    # libhdf5 2.0 never comes back from it.
    content = whole(tmp_path / "whole.h5", "earliest")
    places = [at for at in range(len(content)) if content.startswith(b"GCOL", at)]
    assert places
    damaged = bytearray(content)
    for place in places:
        size = int.from_bytes(content[place + 8 : place + 16], "little")
        damaged[place + 16 : place + size] = bytes(size - 16)
    assert survives([bytes(damaged)], tmp_path / "a.h5")
