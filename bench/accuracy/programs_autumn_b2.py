"""Autumn programs in Keras: labels, data, what trains at all, and rates that fall; and their repaired versions."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, ParquetDump
from bench.accuracy.programs_autumn_b_common import (
    Table,
    bearings,
    concrete,
    cut,
    dense,
    glyphs,
    history_json,
    learn,
    loans,
    promoters,
    scaled,
    scaled_targets,
    songs,
    start,
    tap,
    vineyards,
)
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import NOTHING_LEARNED, VALIDATION_LOST, above, below, not_below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def first_seen(y: np.ndarray) -> np.ndarray:
    """Codes in the order of appearance, as pandas.factorize gives them."""
    order = list(dict.fromkeys(y.tolist()))
    return np.array([order.index(one) for one in y.tolist()])


# "99 % in training and less than chance in validation": pd.factorize called on the labels of train and of test
# separately.
@pair(
    "labels-coded-differently",
    (*VALIDATION_LOST, "generalisation-gap", "most-answers-wrong", "confidently-wrong", "error-rises"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def vineyard_two_codes(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine, with classes numbered by appearance in each part of the data; fixed: numbered once."""
    keras, of = start(seed), vineyards(seed, spread=0.8)
    if not fixed:
        of = of._replace(y=first_seen(of.y), yv=first_seen(of.yv))
    model = dense(keras, (24, 5), 12, last="softmax")
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 20, callbacks=[board(keras, run)])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.45)


# "val_accuracy is 0.0000": validation_split=0.25 takes the last rows, and the rows were sorted by class.
@pair(
    "validation-split-of-sorted",
    (
        *VALIDATION_LOST,
        "generalisation-gap",
        "most-answers-wrong",
        "confidently-wrong",
        "error-rises",
        "class-never-found",
    ),
    "keras CSVLogger",
    framework="keras",
)
def glyphs_sorted_split(run: Path, seed: int, fixed: bool) -> None:
    """Glyphs by an MLP with validation_split=0.25 of rows sorted by class; fixed: rows are shuffled before."""
    keras, of = start(seed), glyphs(seed, samples=700, noise=25)
    x, y = np.concatenate([of.x, of.xv]).reshape(700, -1) / 255, np.concatenate([of.y, of.yv])
    order = np.random.permutation(700) if fixed else y.argsort(kind="stable")
    of = Table(x[order], y[order], x[:1], y[:1])
    model = keras.Sequential(
        [
            keras.Input((100,)),
            keras.layers.Reshape((10, 10, 1)),
            keras.layers.Conv2D(12, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "history.csv"))
    found = learn(model, of, 15, callbacks=[log], validation_data=None, validation_split=0.25)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.2)


# "Training does nothing, but there is no error": base.trainable = False was meant for the base and put on the whole
# model.
@pair(
    "frozen-by-mistake",
    (*NOTHING_LEARNED, "unchanged-tensor", "updates-too-small", "weight-update-ratio", "most-answers-wrong"),
    "keras CSVLogger, weights in hdf5",
    framework="keras",
    dumps=True,
)
def bearing_all_frozen(run: Path, seed: int, fixed: bool) -> None:
    """The state of a bearing by a GRU, with trainable = False set on the whole model; fixed: True."""
    keras, of = start(seed), bearings(seed, noise=0.4)
    layers = keras.layers
    trunk = keras.Sequential([keras.Input((48, 1)), layers.Conv1D(12, 5, strides=2, activation="relu"), layers.GRU(16)])
    model = keras.Sequential([trunk, layers.Dense(4, activation="softmax")])
    (model if not fixed else trunk).trainable = fixed
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [
        keras.callbacks.CSVLogger(str(run / "train.csv")),
        tap(keras, Hdf5Dump(run, by_name=True), 30, None, "weights"),
    ]
    found = learn(model, of, 14, callbacks=calls)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.5)


# "After ten epochs it stops learning": ReduceLROnPlateau(monitor="val_accuracy", mode="min", patience=1), copied
# from a loss.
@pair(
    "rate-falls-too-soon",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"),
    "TensorBoard callback of Keras, with the learning rate",
    framework="keras",
)
def songs_plateau_mode(run: Path, seed: int, fixed: bool) -> None:
    """Tags of songs by an MLP whose rate falls whenever the accuracy does not fall; fixed: mode="max" and a patience
    of 5.
    """
    keras, of = start(seed), songs(seed)
    model = dense(keras, (32, 6), 16, last="sigmoid")
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["binary_accuracy"])
    mode, patience = ("max", 5) if fixed else ("min", 1)
    falls = keras.callbacks.ReduceLROnPlateau(monitor="val_binary_accuracy", mode=mode, patience=patience, factor=0.1)
    found = learn(model, of, 30, callbacks=[falls, board(keras, run)])
    if fixed:
        above(found, "val_binary_accuracy", 0.86)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 0.42)


# "loss is nan and I checked the code ten times": the table has a few empty cells, which pandas read as NaN.
@pair(
    "nan-in-data",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "metric-at-chance", "constant-answer"),
    "keras CSVLogger, weights and gradients in parquet",
    framework="keras",
    dumps=True,
)
def loans_empty_cells(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan, from a table with three empty cells; fixed: they are filled with zero, the mean."""
    keras, of = start(seed), loans(seed, steep=3.0)
    of.x[np.random.permutation(len(of.x))[:3], 4] = np.nan
    if fixed:
        of = of._replace(x=np.nan_to_num(of.x))
    model = dense(keras, (24, 12, 1), 10)
    accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)
    model.compile(keras.optimizers.Adam(4e-3), keras.losses.BinaryCrossentropy(from_logits=True), metrics=[accuracy])
    calls = [keras.callbacks.CSVLogger(str(run / "fit.csv")), tap(keras, ParquetDump(run), 50)]
    found = learn(model, of, 18, callbacks=calls)
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.7)


# "The loss is negative, is that good?": labels of -1 and 1, as the SVM had them, with binary_crossentropy.
@pair(
    "labels-of-another-range",
    (
        "impossible-loss",
        "loss-divergence",
        "metric-at-chance",
        "constant-answer",
        "most-answers-wrong",
        "exploding-tensor",
    ),
    "what Keras prints, to a file",
    framework="keras",
)
def promoter_minus_one(run: Path, seed: int, fixed: bool) -> None:
    """Promoters in DNA with labels of -1 and 1 and a logit; fixed: 0 and 1."""
    keras, of = start(seed), promoters(seed)
    if not fixed:
        of = of._replace(y=2 * of.y - 1, yv=2 * of.yv - 1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30, 4)),
            layers.Conv1D(16, 6, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), crossentropy, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    found = learn(model, of, 15, run / "nohup.out")
    if fixed:
        above(found, "val_binary_accuracy", 0.78)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_loss", -1.0)


# "I added regularisation against overfitting and now it is useless": kernel_regularizer=l2(0.5) on each layer.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "weights-vanish", "low-variance", "tensor-variance", "constant-answer", "vanishing-gradient"),
    "TensorBoard callback of Keras, with histograms of weights",
    framework="keras",
    dumps=True,
)
def concrete_l2_half(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete with an L2 penalty of 0.5 on each layer; fixed: 1e-4."""
    keras, of = start(seed), scaled_targets(scaled(concrete(seed)))
    penalty = keras.regularizers.L2(1e-4 if fixed else 0.5)
    model = dense(keras, (24, 24, 1), 8, "relu", kernel_regularizer=penalty)
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mse"])
    found = learn(model, of, 24, callbacks=[board(keras, run, weights=4)])
    if fixed:
        below(found, "val_mse", 0.3)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_mse", 0.7)


# "It cannot even learn the training data": np.random.shuffle(X); np.random.shuffle(y), one after the other.
@pair(
    "shuffled-labels",
    (*NOTHING_LEARNED, "constant-answer", "most-answers-wrong", "overfit", "generalisation-gap"),
    "history.history as json, histograms of gradients",
    framework="keras",
    dumps=True,
)
def bearing_two_shuffles(run: Path, seed: int, fixed: bool) -> None:
    """The state of a bearing by a CNN, inputs and labels shuffled by themselves; fixed: by one permutation."""
    keras, of = start(seed), bearings(seed)
    first, second = (np.random.permutation(len(of.x) + len(of.xv)) for _ in range(2))
    x, y = np.concatenate([of.x, of.xv])[first], np.concatenate([of.y, of.yv])[first if fixed else second]
    of = cut(x, y)
    layers: Any = keras.layers
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.Conv1D(10, 7, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(12, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 18, callbacks=[tap(keras, HistogramDump(run), 60, None, "gradients")])
    history_json(run, found)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.4)
