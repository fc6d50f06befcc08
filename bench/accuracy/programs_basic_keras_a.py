"""Basic Keras programs: rates, losses, inputs and depth; each faulty and repaired."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn import datasets

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_basic_keras_common import (
    Lines,
    Printed,
    Tensors,
    digits,
    fresh,
    gases,
    learn,
    parted,
    shapes,
    table_of,
)
from bench.accuracy.programs_field_common import above, below, not_below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My digit CNN says the same digit for everything; I took a learning rate of 0.1 as in the lecture."
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "loss-plateau", "metric-at-chance", "loss-spike", "underfit", "constant-answer"),
    "Keras TensorBoard callback: train/ and validation/",
    framework="keras",
)
def digits_adam_tenth_d(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a small CNN under Adam(0.1); fixed: Adam(0.002)."""
    fresh(seed)
    of = digits(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    rate = 0.002 if fixed else 0.1
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 12, [board(keras, run)], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.3)


# "Deeper should be better, no? With twelve layers the net learns nothing at all."
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "saturated-sigmoid"),
    "Keras CSVLogger, weights and gradients in HDF5",
    dumps=True,
    framework="keras",
)
def nose_sigmoid_tower_d(run: Path, seed: int, fixed: bool) -> None:
    """Gases by twelve Dense layers with sigmoids; fixed: relu and He's initialisation."""
    fresh(seed)
    of = gases(seed)
    model = keras.Sequential([keras.Input((16,))])
    start = "he_normal" if fixed else "glorot_uniform"
    for _ in range(12):
        model.add(layers.Dense(24, activation="relu" if fixed else "sigmoid", kernel_initializer=start))
    model.add(layers.Dense(6, activation="softmax"))
    model.compile(keras.optimizers.SGD(0.01, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = Tensors(Hdf5Dump(run), of, 4, ("dense", "dense_5", "dense_11"))
    found = learn(model, of, 16, [keras.callbacks.CSVLogger(str(run / "training.csv")), dump])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.3)


# "The loss stops at 1.5 and will not go lower, whatever I do."
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "underfit", "task-not-learned", "metric-left-behind"),
    "Keras CSVLogger",
    framework="keras",
)
def digits_softmax_and_logits_d(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with a softmax at its end and from_logits=True; fixed: no softmax."""
    fresh(seed)
    of = digits(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation=None if fixed else "softmax"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    found = learn(model, of, 20, [keras.callbacks.CSVLogger(str(run / "log.csv"), separator=";")], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 1.5)


# "Why is my loss negative? It goes down and down, but the accuracy is stuck."
@pair(
    "wrong-loss",
    ("impossible-loss", "loss-divergence", "metric-left-behind", "task-not-learned", "underfit", "most-answers-wrong"),
    "pandas: DataFrame(history.history).to_csv",
    framework="keras",
)
def wine_one_logit_d(run: Path, seed: int, fixed: bool) -> None:
    """Three sorts of wine, coded 0, 1, 2, by one logit and BinaryCrossentropy; fixed: a softmax of three."""
    fresh(seed)
    x, y = datasets.load_wine(return_X_y=True)
    of = parted(x, y, seed, 0.3, scaled=True)
    end = layers.Dense(3, activation="softmax") if fixed else layers.Dense(1)
    model = keras.Sequential([keras.Input((13,)), layers.Dense(16, activation="relu"), end])
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    loss = keras.losses.SparseCategoricalCrossentropy() if fixed else binary
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    found = learn(model, of, 40, [], batch=16)
    table_of(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.75)
        below(found, "val_loss", -0.5)


# "Income in euros, age in years, all as it comes out of the data base. The accuracy does not move."
@pair(
    "inputs-not-normalised",
    (
        "data-not-normalized",
        "initial-loss",
        "loss-spike",
        "unstable-loss",
        "loss-plateau",
        "underfit",
        "metric-at-chance",
    ),
    "Keras TensorBoard callback with batch_* and histograms of weights",
    dumps=True,
    framework="keras",
)
def credit_raw_units_d(run: Path, seed: int, fixed: bool) -> None:
    """Whether a loan is paid back, with raw columns of up to 60,000; fixed: standardised."""
    fresh(seed)
    random = np.random.default_rng(seed)
    z = random.normal(size=(900, 7))
    pull = 1.8 * z[:, 0] - 1.5 * z[:, 1] + 1.2 * z[:, 2] * z[:, 3] + z[:, 4]
    y = (pull + 0.5 * random.logistic(size=900) > 0).astype(np.int64)
    units = np.array([14000, 9000, 12, 8, 700, 2, 150]), np.array([42000, 15000, 44, 10, 1800, 3, 600])
    of = parted(z * units[0] + units[1], y, seed, scaled=fixed)
    model = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 18, [board(keras, run, weights=3, batches=10)])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.75)
        not_below(found, "val_loss", 0.7)


# "loss: nan from the first epoch on. My Poisson loss is right, I checked it on paper."
@pair(
    "nan-from-log-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "loss-divergence", "loss-not-decreasing"),
    "JSON lines by a callback",
    framework="keras",
)
def rides_log_zero_d(run: Path, seed: int, fixed: bool) -> None:
    """Rides of bikes in an hour with log of what a relu may make zero; fixed: softplus and a small number in the log."""
    fresh(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(800, 6))
    mean = np.exp(0.9 + 0.6 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * np.sin(2 * x[:, 2]))
    of = parted(x, random.poisson(mean)[:, None].astype(np.float64), seed)
    end = "softplus" if fixed else "relu"
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(1, activation=end, bias_initializer="ones"),
        ]
    )

    def poisson(y: Any, told: Any) -> Any:
        return keras.ops.mean(told - y * keras.ops.log(told + 1e-6 if fixed else told))

    model.compile(keras.optimizers.Adam(0.01), poisson, metrics=["mae"])
    found = learn(model, of, 25, [Lines(run / "rides.jsonl")])
    if fixed:
        steady(found, "val_loss", 0.1)
        below(found, "val_mae", 1.75)
    else:
        require(bool(np.isnan(found["loss"][-1])), f"the loss was to be lost: {found['loss'][-1]}")


# "I followed the transfer-learning tutorial: all layers but the last are frozen. It hardly learns."
@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", "underfit", "loss-plateau", "task-not-learned", "gradient-all-zero"),
    "Keras CSVLogger, weights and gradients in Parquet",
    dumps=True,
    framework="keras",
)
def shapes_frozen_base_d(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a CNN from scratch whose layers but the last do not train; fixed: all train."""
    fresh(seed)
    of = shapes(seed)
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Rescaling(1 / 128, offset=-1),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    for layer in model.layers[:-1]:
        layer.trainable = fixed
    model.compile(keras.optimizers.Adam(0.006), "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(str(run / "training.log"))
    found = learn(model, of, 24, [logger, Tensors(ParquetDump(run), of, 6)])
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.8)


# "Training is perfect, validation is garbage from the first epoch on, and no regularisation helps."
@pair(
    "preprocessing-differs",
    (
        "overfit",
        "generalisation-gap",
        "data-not-normalized",
        "metric-at-chance",
        "confidently-wrong",
        "validation-swings",
    ),
    "output of model.fit(verbose=2) in a file",
    framework="keras",
)
def shapes_val_not_divided_d(run: Path, seed: int, fixed: bool) -> None:
    """Shapes divided by 255 for training, and not for validation; fixed: both."""
    fresh(seed)
    of = shapes(seed)
    of = of._replace(x=of.x / 255, xv=of.xv / 255 if fixed else of.xv)
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 18, [Printed(run / "nohup.out", 18)])
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 3.0)
