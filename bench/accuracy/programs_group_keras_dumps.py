"""Keras programs of groups that dump tensors too, each with a mistake that took days to find and without it."""

import contextlib
from pathlib import Path

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import above, below, steady
from bench.accuracy.programs_group_common import into
from bench.accuracy.programs_group_keras_common import arrays, dumping, keras_at
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Ten layers must be better than two, but the loss stands at 1.61": Dense(24, activation='sigmoid') ten times.
@pair(
    "too-deep-with-sigmoid",
    ("vanishing-gradient", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "constant-answer"),
    "what fit(verbose=2) prints, and HDF5 by name",
    framework="keras",
    dumps=True,
)
def polymers_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """The polymer of a spectrum by ten hidden layers of sigmoids; fixed: of ReLUs with he_normal."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(spectra(seed, 640, 48, 0.2))
    how = {"activation": "relu", "kernel_initializer": "he_normal"} if fixed else {"activation": "sigmoid"}
    hidden = [keras.layers.Dense(24, **how) for _ in range(10)]
    model = keras.Sequential([*hidden, keras.layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.build((None, x.shape[1]))
    dump = dumping(
        keras, model, Hdf5Dump(run, True, "inside.h5"), x[:64], y[:64], keras.losses.sparse_categorical_crossentropy
    )
    with (run / "stdout.txt").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        found = model.fit(x, y, 32, 16, 2, [dump], validation_data=(x_val, y_val)).history
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.35)


# "I gave Adam the rate of the paper, 0.1, and it always answers with the same gesture": the paper had plain SGD.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "loss-plateau",
        "loss-not-decreasing",
        "metric-at-chance",
        "updates-too-large",
        "unchanged-tensor",
    ),
    "Keras' TensorBoard callback with histogram_freq=1",
    framework="keras",
    dumps=True,
)
def gripper_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """The move of a gripper from accelerations, by five ReLU layers under Adam(0.1); fixed: Adam(0.0005)."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(gestures(seed, 800, 24, 0.35))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rate = 5e-4 if fixed else 0.1
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    callbacks = [board(keras, run, weights=1)]
    found = model.fit(x, y, 32, 12, 0, callbacks, validation_data=(x_val, y_val)).history
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)
