"""Keras programs of the month, first part: heads, losses, splits and layers that do not fit; and their repaired versions."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, Hdf5History, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import customers, gestures, inspections
from bench.accuracy.programs_field_common import above, below, not_below, steady
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_keras_common import (
    arrays,
    channels_last,
    dense,
    fresh,
    padded_texts,
    rows,
    sales,
    scaled,
    tensors,
    train,
)
from bench.accuracy.programs_post_common import board, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I left out the softmax, PyTorch does not want it either": Dense(10) without activation under loss="sparse_categorical_crossentropy".
@pair(
    "wrong-loss-for-outputs",
    ["loss-not-decreasing", "loss-plateau", "metric-at-chance", "initial-loss", "underfit", "unstable-loss"],
    "Keras CSVLogger",
    framework="keras",
)
def keras_logits_as_shares(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a dense network whose loss takes logits for probabilities; fixed: a softmax at its end."""
    keras = fresh(seed)
    of = arrays(data.bundled("digits", seed))
    model = dense(keras, (64, 48, 32, 10), last="softmax" if fixed else None)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 12, [keras.callbacks.CSVLogger(str(run / "training.log"))])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "It says the same accuracy to the fourth digit, epoch after epoch": Dense(1, activation="softmax") for yes or no.
@pair(
    "softmax-of-one-unit",
    ["gradient-all-zero", "loss-not-decreasing", "metric-at-chance", "constant-answer", "unchanged-tensor", "all-zero"],
    "Keras CSVLogger and weights and gradients in Parquet",
    framework="keras",
    dumps=True,
)
def keras_softmax_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by one unit with a softmax; fixed: a sigmoid."""
    keras = fresh(seed)
    of = arrays(customers(seed))
    model = dense(keras, (12, 24, 12, 1), last="sigmoid" if fixed else "softmax")
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    calls = [
        keras.callbacks.CSVLogger(str(run / "history.csv")),
        tensors(keras, ParquetDump(run), 19, gradients=True),
    ]
    found = train(model, of, 12, calls)
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.6)
        require(np.ptp(found["val_accuracy"]) == 0, f"val_accuracy was to stand still: {found['val_accuracy']}")


# "99 % in training and 0 % in validation": validation_split=0.2 takes the last rows, and the table is sorted by class.
@pair(
    "validation-of-unseen-classes",
    [
        "generalisation-gap",
        "overfit",
        "metric-at-chance",
        "most-answers-wrong",
        "metric-left-behind",
        "class-never-found",
    ],
    "Keras TensorBoard callback",
    framework="keras",
)
def keras_split_of_sorted(run: Path, seed: int, fixed: bool) -> None:
    """Digits sorted by class, of which the last fifth validates: eights and nines; fixed: rows shuffled before."""
    keras = fresh(seed)
    x, y, _, _ = arrays(data.bundled("digits", seed))
    order = np.random.default_rng(seed).permutation(len(y)) if fixed else np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    model = dense(keras, (64, 40, 10), last="softmax")
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, (x, y, x, y), 12, [board(keras, run)], validation_split=0.2)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.2)
        above(found, "accuracy", 0.95)


# "Training is at 95 %, evaluate() on the very same pictures is a coin toss": BatchNormalization(momentum=0.999) and 150 steps in all.
@pair(
    "batch-norm-statistics-lag",
    ["generalisation-gap", "overfit", "validation-swings", "metric-at-chance", "metric-left-behind", "constant-answer"],
    "Keras TensorBoard callback with histogram_freq=1",
    framework="keras",
    dumps=True,
)
def keras_batchnorm_lags(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN on 0-255 with batch norm that averages over thousands of steps; fixed: momentum of 0.8."""
    keras = fresh(seed)
    layers = keras.layers
    of = channels_last(inspections(seed, noise=12.0))
    momentum = 0.8 if fixed else 0.999
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.BatchNormalization(momentum=momentum),
            layers.Conv2D(12, 3),
            layers.BatchNormalization(momentum=momentum),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(20, 3),
            layers.BatchNormalization(momentum=momentum),
            layers.ReLU(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 11, [board(keras, run, weights=1)])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_accuracy", 0.6)
        above(found, "accuracy", 0.8)


# "A loss of thousands": LSTM(32, activation="relu"), as in the blog, on pieces sold per day less their mean, not scaled.
@pair(
    "exploding-rnn",
    ["exploding-gradient", "initial-loss", "unstable-loss", "loss-spike", "exploding-tensor", "data-not-normalized"],
    "Keras CSVLogger and weights and gradients in HDF5",
    framework="keras",
    dumps=True,
)
def keras_lstm_with_relu(run: Path, seed: int, fixed: bool) -> None:
    """Sales of the next day by an LSTM with relu over hundreds of pieces; fixed: tanh over scaled ones."""
    keras = fresh(seed)
    of = sales(seed, days=400, window=40)
    middle, width = of[1].mean(), of[1].std()
    offset = of[0].mean()
    raw = (of[0] - offset, (of[1] - middle) / width, of[2] - offset, (of[3] - middle) / width)
    of = scaled(of) if fixed else raw
    activation = "tanh" if fixed else "relu"
    model = keras.Sequential(
        [
            keras.Input((40, 1)),
            keras.layers.LSTM(32, activation=activation),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    calls = [
        keras.callbacks.CSVLogger(str(run / "lstm.csv")),
        tensors(keras, Hdf5Dump(run), 10, gradients=True, plain=True),
    ]
    found = train(model, of, 10, calls)
    if fixed:
        below(found, "val_mae", 0.5)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_mae", 0.7)
        require(not max(found["loss"]) < 5, f"the loss was to explode: {found['loss']}")


# "The LSTM learns nothing from my tickets, bag of words does": pad_sequences(padding="post") to 50 words and no mask_zero.
@pair(
    "padding-not-masked",
    ["loss-not-decreasing", "loss-plateau", "metric-at-chance", "task-not-learned", "underfit"],
    "printed lines of Keras with verbose=2",
    framework="keras",
)
def keras_padding_read(run: Path, seed: int, fixed: bool) -> None:
    """The team for a ticket by an LSTM that reads forty zeros after the words; fixed: mask_zero=True."""
    keras = fresh(seed)
    of = padded_texts(seed)
    model = keras.Sequential(
        [
            keras.Input((50,), dtype="int32"),
            keras.layers.Embedding(120, 16, mask_zero=fixed),
            keras.layers.LSTM(16),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 8, [], printed=run / "train_output.log")
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_accuracy", 0.5)


# "Regularised as the book says, kernel_regularizer=l2(0.1) everywhere, and it answers the same for all": weights melt away.
@pair(
    "weight-decay-too-strong",
    ["weights-vanish", "constant-answer", "metric-at-chance", "underfit", "vanishing-gradient", "loss-plateau"],
    "Keras TensorBoard callback with histogram_freq=2",
    framework="keras",
    dumps=True,
)
def keras_l2_everywhere(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN under l2(0.1) for each kernel; fixed: l2(1e-4)."""
    keras = fresh(seed)
    layers = keras.layers
    of = channels_last(over(inspections(seed, noise=12.0), 255))
    rule: dict[str, Any] = {"kernel_regularizer": keras.regularizers.L2(1e-4 if fixed else 0.1)}
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Rescaling(4.0, offset=-2.2),
            layers.Conv2D(16, 3, activation="relu", **rule),
            layers.MaxPooling2D(2),
            layers.Conv2D(24, 3, activation="relu", **rule),
            layers.Flatten(),
            layers.Dense(32, activation="relu", **rule),
            layers.Dense(4, activation="softmax", **rule),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 16, [board(keras, run, weights=2)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.45)


# "A sigmoid at the end as in the tutorial on MNIST": an autoencoder whose inputs went through StandardScaler before.
@pair(
    "output-activation-does-not-fit",
    ["loss-plateau", "underfit", "loss-not-decreasing", "saturated-sigmoid", "task-not-learned"],
    "history.h5",
    framework="keras",
)
def keras_autoencoder_sigmoid(run: Path, seed: int, fixed: bool) -> None:
    """Digits, standardised, by an autoencoder that can only answer 0 to 1; fixed: no activation at its end."""
    keras = fresh(seed)
    x, _, x_val, _ = arrays(data.bundled("digits", seed))
    model = dense(keras, (64, 48, 20, 48, 64), last=None if fixed else "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    found = train(model, (x, x, x_val, x_val), 15, [rows(keras, Hdf5History(run))])
    chance = float(np.square(x_val).mean())
    if fixed:
        below(found, "val_loss", 0.35 * chance)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 0.55 * chance)


# "decay_steps=5, decay_rate=0.5: halve it each five epochs": but a schedule of Keras counts batches.
@pair(
    "rate-zero-too-early",
    [
        "learning-rate-zero",
        "rate-falls-too-soon",
        "loss-plateau",
        "underfit",
        "stalled-training-rule",
        "schedule-mismatch",
    ],
    "jsonl by a callback with the learning rate",
    framework="keras",
)
def keras_decay_by_batches(run: Path, seed: int, fixed: bool) -> None:
    """Which of five movements, by a 1-D CNN whose rate is halved each five batches; fixed: each five epochs."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(gestures(seed))
    steps = 5 * -(-len(of[1]) // 32) if fixed else 5
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(24, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(2e-3, decay_steps=steps, decay_rate=0.5, staircase=True)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 20, [rows(keras, JsonLines(run, "plain", "metrics.jsonl", "epoch"), rate="lr")])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.75)
