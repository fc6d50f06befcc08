"""More letters about programs in Keras: callbacks that stop, outputs that cannot be, and their repaired versions."""

from pathlib import Path

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import gestures, inspections, into, loads
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    above,
    below,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, as_hdf5, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It stops after four epochs, whatever I do": EarlyStopping(monitor="val_acc", mode="min"), copied from one that looks at the loss.
@pair(
    "stopped-too-early",
    ("ended-early", "still-improving", "underfit"),
    "CSVLogger of Keras",
    framework="keras",
)
def gestures_stopped(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand, stopped as the accuracy does not fall; fixed: mode="max"."""
    keras = seeded(seed)
    of = arrays(gestures(seed, 700, noise=0.8))
    layers = keras.layers
    hidden = [layers.Conv1D(12, 5, activation="relu"), layers.GlobalMaxPooling1D(), layers.Dense(16, "relu")]
    model = keras.Sequential([keras.Input((32, 3)), *hidden, layers.Dense(5, "softmax")])
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["acc"])
    stop = keras.callbacks.EarlyStopping(monitor="val_acc", mode="max" if fixed else "min", patience=6 if fixed else 3)
    found = fit(model, of, 40, [keras.callbacks.CSVLogger(run / "training.log"), stop], batch=16)
    if fixed:
        above(found, "val_acc", 0.78)
        steady(found, "val_loss", 0.2)
        require(len(found["loss"]) > 12, "ended early")
    else:
        below(found, "val_acc", 0.6)


# "The forecast knows a few values only": kilowatts of 150,000 to 450,000 into tanh layers; outputs of layers are kept for two windows.
@pair(
    "inputs-not-scaled",
    (
        *BADLY_LEARNED,
        "data-not-normalized",
        "saturated-tanh",
        "saturated-activation",
        "vanishing-gradient",
    ),
    "history as hdf5; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def grid_in_kilowatts(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid in an hour by tanh layers from loads in kilowatts; fixed: from standardised ones (targets are in both)."""
    keras = seeded(seed)
    split = loads(seed)
    x, y, x_val, y_val = arrays(split)
    mean, spread = float(y.mean()), float(y.std())
    if fixed:
        x, x_val = (x - mean) / spread, (x_val - mean) / spread
    else:
        x, x_val = 1000 * x, 1000 * x_val
    of = x, (y - mean) / spread, x_val, (y_val - mean) / spread
    dense = keras.layers.Dense
    hidden = [dense(32, "tanh", name="lags"), dense(16, "tanh", name="mix")]
    model = keras.Sequential([keras.Input((24,)), *hidden, dense(1, name="load")])
    model.compile(keras.optimizers.Adam(0.001), "mse", metrics=["mae"])
    dump = dumping(keras, Hdf5Dump(run, by_name=True, name="outputs.h5"), x_val[:40])
    found = fit(model, of, 20, [dump])
    as_hdf5(run, found, "load_history.h5")
    if fixed:
        below(found, "val_loss", 0.1)
        steady(found, "val_loss", 0.4)
    else:
        not_below(found, "val_loss", 0.25)


# "The loss is 4, and then nan": Dense(4, activation="relu") as the last layer under the cross-entropy of probabilities.
@pair(
    "wrong-output-activation",
    (*BADLY_LEARNED, "non-finite", "loss-goes-missing", "dead-relu", "initial-loss", "loss-divergence"),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def parts_by_relu(run: Path, seed: int, fixed: bool) -> None:
    """Surfaces of parts by a CNN that ends in ReLU under the categorical cross-entropy; fixed: softmax."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(inspections(seed, noise=12))
    y, y_val = keras.utils.to_categorical(y, 4), keras.utils.to_categorical(y_val, 4)
    of = x / 127.5 - 1, y, x_val / 127.5 - 1, y_val
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(32, "relu", name="hidden"),
            layers.Dense(4, "softmax" if fixed else "relu", name="defect"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 15, [board(keras, run, weights=2)], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 2.5)
