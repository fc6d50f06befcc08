"""What the bench's writers write is read as what it is: a label of a run that nobody could read would be worth nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlcheck import api

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from bench.accuracy import loggers  # noqa: E402 it imports torch

STEPS = list(range(8))
TRAIN = [2.0 * 0.75**step for step in STEPS]
VAL = [2.5 * 0.8**step for step in STEPS]
WRITERS: dict[str, Callable[[Path], loggers.Log]] = {
    **{f"TensorBoard, {one}": lambda run, one=one: loggers.TensorBoard(run, one) for one in loggers.CONVENTIONS},
    "CSV": lambda run: loggers.Csv(run),
    "CSV by epoch": lambda run: loggers.Csv(run, "plain", "history.csv", axis="epoch"),
    "JSON lines": lambda run: loggers.JsonLines(run, "slash"),
    "JSON lines in camel case": lambda run: loggers.JsonLines(run, "camel", timed=True),
    "trainer_state.json": lambda run: loggers.TrainerState(run, 2, 8),
    "plain log": lambda run: loggers.Console(run),
    "plain log by epoch": lambda run: loggers.Console(run, "bare", axis="epoch"),
    "Keras' directories": loggers.KerasDirectories,
    "history of arrays": loggers.Hdf5History,
    "long Parquet": loggers.ParquetLong,
}


@pytest.mark.parametrize("name", WRITERS)
def test_losses_are_read_with_their_splits_steps_and_values(name: str, tmp_path: Path) -> None:
    log = WRITERS[name](tmp_path)
    for step in STEPS:
        log.log(step, {"train_loss": TRAIN[step], "val_loss": VAL[step]})
    log.close()
    (run,) = api.load(tmp_path)
    losses = {one.labels["split"]: one for one in run.series if one.role == "loss"}
    for split, expected in (("train", TRAIN), ("val", VAL)):
        found = losses.get(split) or losses["test" if split == "val" else split]
        np.testing.assert_array_equal(found.steps, STEPS)
        np.testing.assert_allclose(found.columns["value"], expected, rtol=1e-5)


DUMPS: dict[str, Callable[[Path], loggers.Dump]] = {
    "HDF5 by step": loggers.Hdf5Dump,
    "HDF5 by name": lambda run: loggers.Hdf5Dump(run, by_name=True),
    "Parquet": loggers.ParquetDump,
    "histograms": loggers.HistogramDump,
}


@pytest.mark.parametrize("name", DUMPS)
def test_dumps_are_read_with_their_roles_and_steps(name: str, tmp_path: Path) -> None:
    dump = DUMPS[name](tmp_path)
    for step in (10, 20, 30):
        values = np.arange(12, dtype=np.float32).reshape(3, 4) + step
        dump.dump(step, {"weights/fc1.weight": values, "gradients/fc1.weight": values, "activations/relu1": values})
    dump.close()
    (run,) = api.load(tmp_path)
    roles = {one.role: one for one in run.series}
    for role in ("weight", "gradient", "activation"):
        np.testing.assert_array_equal(np.unique(roles[role].steps), [10, 20, 30])
