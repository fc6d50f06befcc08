"""Autumn programs in Keras: what is asked about most: imbalance, own losses, preprocessing, overfitting; and their
repaired versions.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_autumn_b_common import (
    bearings,
    concrete,
    dense,
    glyphs,
    history_json,
    learn,
    loans,
    scaled,
    scaled_targets,
    songs,
    start,
    tap,
    vineyards,
)
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "96 % accuracy and it has not found a single fraud": few of the rows are positive and nothing was done about it.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "class-never-found",
        "constant-answer",
        "metric-at-chance",
        "metric-left-behind",
        "loss-plateau",
    ),
    "TensorBoard callback of Keras",
    framework="keras",
)
def loans_rare_default(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan, a few in a hundred, by an MLP without class weights; fixed: class_weight."""
    keras, of = start(seed), loans(seed, samples=2800, away=-3.2, steep=1.1)
    model = dense(keras, (16, 1), 10, last="sigmoid", kernel_regularizer=keras.regularizers.L2(1e-3))
    metrics = ["accuracy", keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.SGD(0.03), "binary_crossentropy", metrics=metrics)
    rare = float(of.y.mean())
    weights = {0: 0.5 / (1 - rare), 1: 0.5 / rare} if fixed else None
    found = learn(model, of, 20, callbacks=[board(keras, run)], class_weight=weights, batch=128)
    if fixed:
        above(found, "val_recall", 0.5)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.1)


# "My own crossentropy gives nan after some epochs": -sum(y * log(p)) without a small number under the logarithm.
@pair(
    "nan-from-log-of-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "loss-divergence", "loss-spike", "exploding-gradient"),
    "keras CSVLogger",
    framework="keras",
)
def bearing_own_loss(run: Path, seed: int, fixed: bool) -> None:
    """The state of a bearing by a CNN and -sum(y log p) by hand, from raw millivolts; fixed: log_softmax of logits."""
    keras, of = start(seed), bearings(seed)
    layers, ops = keras.layers, keras.ops
    of = of._replace(
        x=of.x * 80, xv=of.xv * 80, y=np.eye(4, dtype=np.float32)[of.y], yv=np.eye(4, dtype=np.float32)[of.yv]
    )

    def crossentropy(y: Any, p: Any) -> Any:
        return -ops.sum(y * (ops.log_softmax(p) if fixed else ops.log(p)), axis=-1)

    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.Conv1D(12, 7, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(4, activation=None if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), crossentropy, metrics=["accuracy"])
    found = learn(model, of, 18, callbacks=[keras.callbacks.CSVLogger(str(run / "own_loss.csv"))])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 1.0)
    else:
        not_above(found, "val_accuracy", 0.5)


# "Validation is at chance, training at 95 %": rescale=1/255 was given to the training generator only.
@pair(
    "preprocessing-differs",
    (
        *VALIDATION_LOST,
        "generalisation-gap",
        "confidently-wrong",
        "validation-swings",
        "outside-learned-limits",
        "error-rises",
    ),
    "keras CSVLogger",
    framework="keras",
)
def glyphs_rescaled_once(run: Path, seed: int, fixed: bool) -> None:
    """Glyphs by a CNN that is validated on 0 to 255 and trained on 0 to 1 less a half; fixed: both alike."""
    keras, of = start(seed), glyphs(seed, samples=800, noise=30)
    of = of._replace(x=of.x / 127.5 - 1, xv=of.xv / 127.5 - 1 if fixed else of.xv)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(10, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 14, callbacks=[keras.callbacks.CSVLogger(str(run / "cnn.csv"), separator=";")])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        not_below(found, "val_loss", 3.0)


# "val_loss goes up from epoch 10 on": 60 rows, two layers of 256 and 60 epochs.
@pair(
    "overfit",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "error-rises", "confidently-wrong"),
    "TensorBoard callback of Keras, weights as histograms",
    framework="keras",
    dumps=True,
)
def songs_few_rows(run: Path, seed: int, fixed: bool) -> None:
    """Tags of songs from 60 rows by a large MLP; fixed: a small one with dropout and an L2 penalty."""
    keras, of = start(seed), songs(seed, samples=440)
    of = of._replace(x=of.x[:60], y=of.y[:60])
    if fixed:
        model = keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(6, activation="sigmoid", kernel_regularizer=keras.regularizers.L2(3e-3)),
            ]
        )
    else:
        model = dense(keras, (256, 256, 6), 16, last="sigmoid")
    rate = 0.01 if fixed else 2e-3
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["binary_accuracy"])
    found = learn(model, of, 60, callbacks=[board(keras, run, weights=10)], batch=16)
    if fixed:
        above(found, "val_binary_accuracy", 0.78)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_loss", 1.25 * min(found["val_loss"]))


# "It learns, I think, but I would be retired": SGD(learning_rate=1e-5) where 1e-2 was meant.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small", "weight-update-ratio", "unchanged-tensor"),
    "keras CSVLogger, weights and gradients in parquet",
    framework="keras",
    dumps=True,
)
def concrete_rate_of_ants(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by an MLP under SGD(1e-5); fixed: SGD(1e-2)."""
    keras, of = start(seed), scaled_targets(scaled(concrete(seed)))
    model = dense(keras, (32, 16, 1), 8)
    model.compile(keras.optimizers.SGD(1e-2 if fixed else 1e-5), "mse", metrics=["mae"])
    calls = [keras.callbacks.CSVLogger(str(run / "sgd.csv")), tap(keras, ParquetDump(run), 60)]
    found = learn(model, of, 24, callbacks=calls)
    if fixed:
        below(found, "val_loss", 0.35)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_loss", 0.7)


# "Since I clip the gradients it is stable, but slow": clipnorm=1e-3 with SGD, which clips every step.
@pair(
    "clipped-too-tight",
    (*NOTHING_LEARNED, "gradient-always-clipped", "updates-too-small", "weight-update-ratio", "still-improving"),
    "history.history as json, weights and gradients in hdf5",
    framework="keras",
    dumps=True,
)
def vineyard_clip_thousandth(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine by an MLP under SGD with clipnorm=1e-3; fixed: clipnorm=1."""
    keras, of = start(seed), vineyards(seed)
    model = dense(keras, (24, 5), 12, last="softmax")
    sgd = keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=1.0 if fixed else 1e-3)
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 20, callbacks=[tap(keras, Hdf5Dump(run), 45)])
    history_json(run, found, "fit.json")
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "I read that dropout helps": Dropout(0.9) after each of three small layers.
@pair(
    "dropout-too-strong",
    (*NOTHING_LEARNED, "constant-answer", "most-answers-wrong"),
    "TensorBoard callback of Keras, with batch_loss",
    framework="keras",
)
def vineyard_dropout_nine(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine by an MLP with dropout of 0.9 in each layer; fixed: 0.2."""
    keras, of = start(seed), vineyards(seed)
    layers: list[Any] = [keras.Input((12,))]
    for _ in range(3):
        layers += [keras.layers.Dense(24, activation="relu"), keras.layers.Dropout(0.2 if fixed else 0.9)]
    model = keras.Sequential([*layers, keras.layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 20, callbacks=[board(keras, run, batches=5)])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.6)


# "Half of the predictions are exactly 0.0": Dense(1, activation="relu") at the end and standardised targets.
@pair(
    "relu-at-the-output",
    ("dead-relu", "constant-answer", "loss-plateau", "underfit", "gradient-all-zero", "loss-not-decreasing"),
    "keras CSVLogger, activations in hdf5",
    framework="keras",
    dumps=True,
)
def concrete_relu_head(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete, standardised, by an MLP that ends in a relu; fixed: a linear unit."""
    keras, of = start(seed), scaled_targets(scaled(concrete(seed)))
    model = dense(keras, (24, 1), 8, "relu", None if fixed else "relu")
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mae"])
    calls = [keras.callbacks.CSVLogger(str(run / "strength.csv")), tap(keras, Hdf5Dump(run, by_name=True), 75, of.xv)]
    found = learn(model, of, 25, callbacks=calls)
    if fixed:
        below(found, "val_loss", 0.3)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "loss", 0.4)
