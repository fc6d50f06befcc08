"""Students' programs in Keras: faults of activations, losses, scales and initialisers, and their repaired versions."""

import json
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, as_parquet, dumping, fit, seeded
from bench.accuracy.programs_thesis_common import concrete, into, vibrations

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A bachelor thesis on orbits: "I stacked layers, and it is no better than logistic regression" (activation=None is the default).
@pair(
    "missing-activations",
    (*BADLY_LEARNED, "metric-at-chance"),
    "CSVLogger of Keras; weights and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def arms_without_activations(run: Path, seed: int, fixed: bool) -> None:
    """Which of five arms a point lies on, by Dense layers without activations; fixed: ReLU."""
    keras = seeded(seed)
    of = arrays(data.spirals(seed, 5, 160, 0.05))
    kind = "relu" if fixed else None
    dense = keras.layers.Dense
    hidden = [dense(40, kind, name=f"hidden_{one}") for one in range(3)]
    model = keras.Sequential([keras.Input((2,)), *hidden, dense(5, "softmax", name="arm")])
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(run / "history_arms.csv")
    dump = dumping(keras, Hdf5Dump(run, by_name=True, name="layers.hdf5"), of[2][:12])
    found = fit(model, of, 30, [logger, dump], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.5)


# A course project on handwriting: loss="mae" copied from the regression of the week before.
@pair("wrong-loss", (*NOTHING_LEARNED, "vanishing-gradient"), "history as parquet", framework="keras")
def letters_by_mae(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN with softmax under the mean absolute error and SGD; fixed: the categorical cross-entropy."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    of = x / 16, np.eye(10)[y], x_val / 16, np.eye(10)[y_val]
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
    loss = "categorical_crossentropy" if fixed else "mae"
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), loss, metrics=["categorical_accuracy"])
    found = fit(model, of, 20, batch=32)
    as_parquet(run, found, "verlauf.parquet")
    if fixed:
        above(found, "val_categorical_accuracy", 0.86)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_categorical_accuracy", 0.5)


# An engineer's script on mixtures of concrete: pd.read_excel, columns in kg/m³, straight into fit.
@pair(
    "inputs-not-scaled",
    (*BLOWN_UP, *BADLY_LEARNED, "data-not-normalized", "loss-goes-missing"),
    "History as a list of dictionaries in json",
    framework="keras",
)
def concrete_as_measured(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete from kilograms and days as they come, with SGD(0.005): soon NaN; fixed: standardised."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(concrete(seed, scaled=fixed))
    mean, spread = float(y.mean()), float(y.std())
    of = x, (y - mean) / spread, x_val, (y_val - mean) / spread
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((8,)), dense(32, "relu"), dense(16, "relu"), dense(1)])
    model.compile(keras.optimizers.SGD(0.005), "mse", metrics=["mae"])
    found = fit(model, of, 30, batch=16)
    rows = [
        {"epoch": epoch + 1, **dict(zip(found, row, strict=True))}
        for epoch, row in enumerate(zip(*found.values(), strict=True))
    ]
    (run / "training_log.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if fixed:
        below(found, "val_loss", 0.3)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 0.9)


# A master thesis on predictive maintenance: RandomNormal(stddev=5), "larger weights, faster learning".
@pair(
    "weights-too-large",
    ("poor-initialization", "saturated-tanh", "saturated-activation", "vanishing-gradient", *NOTHING_LEARNED),
    "TensorBoard callback of Keras with histogram_freq=1; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def bearing_wide_start(run: Path, seed: int, fixed: bool) -> None:
    """States of a bearing by tanh layers whose weights are drawn with a deviation of 5; fixed: glorot_uniform."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(vibrations(seed, 900, noise=0.4))
    of = x[:, :, 0], y, x_val[:, :, 0], y_val
    start = "glorot_uniform" if fixed else keras.initializers.RandomNormal(stddev=5.0, seed=seed)
    dense = keras.layers.Dense
    hidden = [dense(size, "tanh", kernel_initializer=start, name=f"tanh_{size}") for size in (48, 32, 24, 16)]
    model = keras.Sequential([keras.Input((64,)), *hidden, dense(4, "softmax", name="state")])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.8), "sparse_categorical_crossentropy", metrics=["acc"])
    dump = dumping(keras, Hdf5Dump(run, name="activations.h5"), of[2][:24])
    found = fit(model, of, 12, [board(keras, run, weights=2), dump], batch=32)
    require(len(found["loss"]) == 12, "ended early")
    if fixed:
        above(found, "val_acc", 0.7)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.52)
