"""Basic Keras programs that look odd and are healthy."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_basic_common import odd_into
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
    words,
)
from bench.accuracy.programs_field_common import above, below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Validation is better than training the whole time, is that right?" Half of all units are dropped while training.
@odd("Keras CSVLogger", framework="keras")
def nose_half_dropped_d(run: Path, seed: int) -> None:
    """Gases by an MLP with a dropout of 0.5 after each layer."""
    fresh(seed)
    of = gases(seed)
    model = keras.Sequential([keras.Input((16,))])
    for _ in range(2):
        model.add(layers.Dense(64, activation="relu"))
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(6, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 25, [keras.callbacks.CSVLogger(str(run / "training.log"))])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.15)
    require(found["val_loss"][-1] < found["loss"][-1], "validation was to be better than training")


# "The loss never goes under 0.7, though the accuracy is fine." Labels are smoothed.
@odd("Keras TensorBoard callback: train/ and validation/", framework="keras")
def digits_smoothed_labels_d(run: Path, seed: int) -> None:
    """Digits by a CNN with a label smoothing of 0.15."""
    fresh(seed)
    of = digits(seed)
    of = of._replace(y=np.eye(10, dtype=np.float32)[of.y], yv=np.eye(10, dtype=np.float32)[of.yv])
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.15)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    found = learn(model, of, 15, [board(keras, run)], batch=64)
    above(found, "val_accuracy", 0.94)
    steady(found, "val_loss", 0.1)


# "The curve has teeth." The rate starts again each few epochs.
@odd("Keras CSVLogger with learning_rate", framework="keras")
def shapes_warm_restarts_d(run: Path, seed: int) -> None:
    """Shapes by a CNN under a cosine with warm restarts each 8 epochs."""
    fresh(seed)
    of = shapes(seed)
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    wave = keras.callbacks.LearningRateScheduler(
        lambda epoch: float(0.002 * (1 + np.cos(np.pi * (epoch % 8) / 8))) + 1e-5
    )
    found = learn(model, of, 24, [wave, keras.callbacks.CSVLogger(str(run / "sgdr.csv"))])
    above(found, "val_accuracy", 0.88)
    steady(found, "val_loss", 0.2)


# "Most weights do not move" – they are not meant to: the base was trained before on other digits.
@odd("Keras CSVLogger, weights and gradients in HDF5", dumps=True, framework="keras")
def digits_fine_tuned_head_d(run: Path, seed: int) -> None:
    """A base learned on the digits 0 to 4, frozen; a new head for 5 to 9."""
    fresh(seed)
    of = digits(seed)
    first, later = of.y < 5, of.y >= 5
    valid = of.yv < 5
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.Conv2D(24, 3, activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(48, activation="relu", name="features"),
        ],
        name="base",
    )
    before = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    before.compile("adam", "sparse_categorical_crossentropy")
    before.fit(of.x[first], of.y[first], epochs=14, verbose=0)
    base.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 1)), base, layers.Dense(5, activation="softmax", name="head")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = of._replace(x=of.x[later], y=of.y[later] - 5, xv=of.xv[~valid], yv=of.yv[~valid] - 5)
    logger = keras.callbacks.CSVLogger(str(run / "finetune.csv"))
    found = learn(model, of, 20, [logger, Tensors(Hdf5Dump(run), of, 4)])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.1)


# "Only 60 wines; it ends when it no longer gets better."
@odd("pandas: DataFrame(history.history).to_csv", framework="keras")
def wine_sixty_stopped_d(run: Path, seed: int) -> None:
    """Sorts of wine from 60 examples with EarlyStopping."""
    fresh(seed)
    x, y = datasets.load_wine(return_X_y=True)
    of = parted(x, y, seed, 118 / 178, scaled=True)
    model = keras.Sequential(
        [
            keras.Input((13,)),
            layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.002)),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=4, min_delta=0.003, restore_best_weights=True)
    found = learn(model, of, 60, [stop], batch=10)
    table_of(run, found)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)


# "The loss is negative, help!" It is the logarithm of a density.
@odd("JSON lines by a callback", framework="keras")
def sensor_density_below_zero_d(run: Path, seed: int) -> None:
    """A mean and a spread of a small quantity by a Gaussian likelihood; the density is above one."""
    fresh(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(800, 5))
    y = 0.2 * np.sin(x[:, 0]) + 0.1 * x[:, 1] + (0.02 + 0.03 * (x[:, 2] > 0)) * random.normal(size=800)
    of = parted(x, y[:, None], seed)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(32, activation="tanh"), layers.Dense(2)])

    def likelihood(y: Any, told: Any) -> Any:
        spread = ops.clip(told[:, 1:], -5.0, 3.0)
        return ops.mean(spread + 0.5 * ops.square((y - told[:, :1]) * ops.exp(-spread)) + 0.919)

    model.compile(keras.optimizers.Adam(0.004), likelihood)
    found = learn(model, of, 35, [Lines(run / "density.jsonl")])
    below(found, "val_loss", -0.9)
    steady(found, "val_loss", 0.15)


# "Stopped in the night, gone on in the morning": weights and optimizer were saved; the CSV goes on.
@odd("Keras CSVLogger with append=True", framework="keras")
def tickets_resumed_d(run: Path, seed: int) -> None:
    """Matters of tickets; saved after 8 epochs with the optimizer, loaded, and trained to 16."""
    fresh(seed)
    of = words(seed)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Embedding(250, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.3),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.006), "sparse_categorical_crossentropy", metrics=["accuracy"])
    path = str(run / "checkpoint.keras")
    half = learn(model, of, 8, [keras.callbacks.CSVLogger(str(run / "log.csv"))])
    model.save(path)
    model = keras.models.load_model(path)
    logger = keras.callbacks.CSVLogger(str(run / "log.csv"), append=True)
    rest = learn(model, of, 16, [logger], initial_epoch=8)
    found = {name: half[name] + values for name, values in rest.items()}
    above(found, "val_accuracy", 0.75)
    steady(found, "val_loss", 0.2)


# "Three epochs only, is that enough?" There are enough data.
@odd("output of model.fit(verbose=2) in a file", framework="keras")
def moons_three_epochs_d(run: Path, seed: int) -> None:
    """Two moons from 6,000 points in three epochs."""
    fresh(seed)
    x, y = datasets.make_moons(6000, noise=0.15, random_state=seed)
    of = parted(x, y.astype(np.int64), seed)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(24, activation="relu"),
            layers.Dense(24, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 3, [Printed(run / "out.txt", 3)], batch=64)
    above(found, "val_accuracy", 0.93)
    steady(found, "val_loss", 0.2)
