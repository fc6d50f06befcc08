"""A file is read alike with the compiled readers and without."""

import h5py
import numpy as np
import pytest

from mlcheck import native
from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5.importer import Hdf5Importer
from mlcheck.store.tensors.request import Request

KEYS = frozenset(
    {
        *(
            "count",
            "nan",
            "inf",
            "zeros",
            "min",
            "max",
            "mean",
            "std",
            "abs_mean",
            "l2",
            "whole",
            "equal_rows",
            "fan_in",
        ),
        *("changed(1e-5,1e-8)", "update_ratio(1e-9)", "update_l2", "channel_std_max", "units_outside(0,inf,0.99)"),
    }
)


def write(path):
    random = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        for step in (10, 20, 30):
            group = file.create_group(f"step_{step}")
            group["weights/fc1.weight"] = random.standard_normal((40, 30), np.float32) * step
            group["weights/fc2.weight"] = random.standard_normal((30, 8)).astype(">f8")
            group["weights/big.weight"] = random.standard_normal((300, 800), np.float32)
            group["weights/half.weight"] = random.standard_normal((9, 50)).astype(np.float16)
            group.create_dataset("weights/packed.weight", data=random.standard_normal((20, 20)), compression="gzip")
            group["gradients/fc1.weight"] = np.where(random.random((40, 30)) < 0.1, np.nan, 1.0)
            group["activations/relu"] = np.maximum(random.standard_normal((16, 12)), 0)
            group["inputs/x"] = random.integers(0, 255, (step // 5, 8, 8), dtype=np.uint8)
            group["labels/y"] = random.integers(0, 3, step)
            group["loss"] = 1.0 / step
        file["history/weights/fc3.weight"] = random.standard_normal((3, 7, 9))
        file["history/steps"] = [10, 20, 30]
        # Of the last step of one tensor another type.
        del file["step_30/weights/half.weight"]
        file["step_30/weights/half.weight"] = random.standard_normal((9, 50))


def read(path, request):
    file = FoundFile(path, "a.h5", "", "hdf5", path.stat().st_size)
    ((_, found),) = Hdf5Importer().read_together([file], request)
    return found


@pytest.mark.skipif(native.module("statistics") is None, reason="mlcheck.native is not built (python hatch_build.py)")
@pytest.mark.parametrize("request_", [Request.base(), Request(any_role=KEYS)], ids=["base", "rules"])
def test_with_compiled_readers_and_without(tmp_path, monkeypatch, request_):
    write(tmp_path / "a.h5")
    quick = read(tmp_path / "a.h5", request_)
    monkeypatch.setenv(native.SWITCH, "0")
    native.module.cache_clear()
    try:
        plain = read(tmp_path / "a.h5", request_)
    finally:
        monkeypatch.undo()
        native.module.cache_clear()
    assert quick.status == plain.status
    assert [(one.tag, one.kind, one.hints) for one in quick.series] == [
        (one.tag, one.kind, one.hints) for one in plain.series
    ]
    assert len(quick.series) >= 10
    for one, other in zip(quick.series, plain.series, strict=True):
        assert one.steps.tolist() == other.steps.tolist()
        assert one.columns.keys() == other.columns.keys()
        for key, column in other.columns.items():
            assert np.allclose(one.columns[key], column, rtol=1e-12, atol=1e-14, equal_nan=True), (one.tag, key)
