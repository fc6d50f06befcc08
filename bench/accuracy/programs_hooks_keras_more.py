"""More programs in Keras that are watched: a clip that is too tight, and readings that are none; and their repaired versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
)
from bench.accuracy.programs_hooks_common import energy, into, pumps
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# SGD(clipvalue=1e-5), "to be on the safe side"; a callback writes how far each kernel went in an epoch.
@pair(
    "clip-too-tight",
    (
        *NOTHING_LEARNED,
        "gradient-always-clipped",
        "updates-too-small",
        "weight-update-ratio",
        "unchanged-tensor",
        "still-improving",
    ),
    "csv of a callback with update_ratio/<layer> and weight_norm/<layer>",
    framework="keras",
)
def pumps_clipped(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps under SGD whose gradients are clipped at 0.00001 each; fixed: at 1."""
    keras = seeded(seed)
    of = arrays(pumps(seed))
    dense = keras.layers.Dense
    hidden = [dense(size, "relu", name=f"hidden_{size}") for size in (48, 32)]
    model = keras.Sequential([keras.Input((12,)), *hidden, dense(4, "softmax", name="state")])
    chosen = keras.optimizers.SGD(0.05, momentum=0.9, clipvalue=1.0 if fixed else 1e-5)
    model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
    log = Csv(run, "plain", "training_stats.csv", "epoch")

    class Statistics(keras.callbacks.Callback):
        """A row for each epoch."""

        def kernels(self) -> dict[str, np.ndarray]:
            """Copies of the kernels by layer."""
            return {one.name: np.array(one.get_weights()[0]) for one in self.model.layers}

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            self.before = self.kernels()

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            row: dict[str, Any] = dict(logs or {})
            for name, one in self.kernels().items():
                far = np.linalg.norm(one - self.before[name])
                row[f"update_ratio/{name}"] = float(far / np.linalg.norm(self.before[name]))
                row[f"weight_norm/{name}"] = float(np.linalg.norm(one))
            log.log(epoch, row)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            log.close()

    found = fit(model, of, 12, [Statistics()])
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.5)


# A logger of sensors writes -9999 where it has no reading; after standardising, all other rows are alike.
@pair(
    "sentinels-among-the-inputs",
    (*NOTHING_LEARNED, "data-not-normalized", "low-variance", "tensor-variance", "constant-answer"),
    "TensorBoard callback of Keras with histogram_freq=2 and update_freq=2; inputs and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def heating_sentinels(run: Path, seed: int, fixed: bool) -> None:
    """What heating takes, where one reading in a hundred is -9999, with SGD; fixed: the mean of the column stands there."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(energy(seed, 1200))
    random = np.random.default_rng(seed)
    x, x_val = (np.where(random.random(one.shape) < 0.01, -9999.0, one) for one in (x, x_val))
    if fixed:
        x, x_val = (np.where(one == -9999.0, 0.0, one) for one in (x, x_val))
    mean, spread = x.mean(0), x.std(0)
    of = tuple(one.astype(np.float32) for one in ((x - mean) / spread, y, (x_val - mean) / spread, y_val))
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((9,)), dense(40, "relu", name="dense"), dense(24, "relu", name="dense_1"), dense(1, name="heat")]
    )
    model.compile(keras.optimizers.SGD(0.03, momentum=0.8), "mse", metrics=["mae"])
    dump = dumping(keras, Hdf5Dump(run, by_name=True, name="layers.h5"), of[2][:24], lambda: {"inputs": of[0][:24]})
    found = fit(model, of, 16, [board(keras, run, weights=2, batches=2), dump], batch=32)
    if fixed:
        below(found, "val_loss", 0.35)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_loss", 0.8)
