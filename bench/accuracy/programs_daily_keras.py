"""Everyday trainings in Keras: model.fit with one thing wrong, and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_daily_common import into
from bench.accuracy.programs_daily_keras_common import (
    alarms,
    aromas,
    bands,
    ferries,
    hdf5_activations,
    hdf5_weights,
    keras_at,
    plums,
    seeds_of_plants,
    soils,
    trained,
)
from bench.accuracy.programs_desk_common import standard
from bench.accuracy.programs_field_common import BADLY_LEARNED, above, below, not_below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It sits at 20 % from the first epoch on": SGD(0.4, momentum=0.9) was taken from a script for large batches, and the units died.
@pair(
    "dead-relu",
    (
        "dead-relu",
        "learning-rate-too-high",
        "constant-answer",
        "metric-at-chance",
        "loss-plateau",
        "loss-not-decreasing",
    ),
    "Keras' CSVLogger and HDF5 of kernels and activations",
    dumps=True,
    framework="keras",
)
def roasts_on_dead_units(run: Path, seed: int, fixed: bool) -> None:
    """The roast of a coffee from gas sensors by relu layers that die under SGD(0.4) with momentum; fixed: 0.01."""
    keras = keras_at(seed)
    of = aromas(seed)
    hidden = [keras.layers.Dense(32, "relu", kernel_initializer="he_normal", name=f"hidden_{n}") for n in range(1, 5)]
    model = keras.Sequential([keras.Input((16,)), *hidden, keras.layers.Dense(5, "softmax", name="roast")])
    optimizer = keras.optimizers.SGD(0.01 if fixed else 0.4, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    keep = hdf5_activations(keras, run / "layers.h5", of.x[:64], 4)
    found = trained(model, of, 20, [keras.callbacks.CSVLogger(str(run / "history.csv")), keep], batch_size=32)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# "The forecast of passengers is a flat line": an LSTM that is given counts of thousands, and is to tell thousands.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "underfit", "loss-not-decreasing", "loss-plateau", "still-improving", "constant-answer"),
    "Keras' CSVLogger",
    framework="keras",
)
def ferry_in_thousands(run: Path, seed: int, fixed: bool) -> None:
    """Passengers of tomorrow by an LSTM on raw counts; fixed: standardised ones."""
    keras = keras_at(seed)
    of = standard(ferries(seed)) if fixed else ferries(seed)
    spread = float(of.y_val.std())
    model = keras.Sequential([keras.Input((21, 1)), keras.layers.LSTM(24), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mae"])
    found = trained(model, of, 25, [keras.callbacks.CSVLogger(str(run / "training.csv"))], batch_size=32)
    if fixed:
        below(found, "val_mae", 0.45 * spread)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_mae", 2 * spread)


# "It finds one instrument only, where three play": softmax and categorical_crossentropy, copied from a classifier, on many labels.
@pair(
    "wrong-loss",
    ("loss-plateau", "underfit", "most-answers-wrong", "nothing-found", "task-not-learned", "loss-not-decreasing"),
    "console log of model.fit(verbose=2)",
    framework="keras",
)
def bands_one_instrument(run: Path, seed: int, fixed: bool) -> None:
    """Which instruments play in a song by a softmax over them; fixed: sigmoids and binary_crossentropy."""
    keras = keras_at(seed)
    of = bands(seed)
    outputs = keras.layers.Dense(6, activation="sigmoid" if fixed else "softmax")
    model = keras.Sequential(
        [keras.Input((48,)), keras.layers.Dense(48, activation="relu"), keras.layers.Dropout(0.1), outputs]
    )
    metrics = [keras.metrics.BinaryAccuracy(name="binary_accuracy"), keras.metrics.Recall(name="recall")]
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=metrics)
    found = trained(model, of, 25, [], printed=run / "fit.log", batch_size=32)
    if fixed:
        above(found, "val_recall", 0.8)
        above(found, "val_binary_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_recall", 0.5)


# "Transfer learning brings nothing": base.trainable = False was kept when the weights could not be downloaded, so the base is random.
@pair(
    "part-frozen",
    (*BADLY_LEARNED, "unchanged-tensor", "still-improving", "gradient-all-zero"),
    "Keras' TensorBoard callback with histogram_freq",
    dumps=True,
    framework="keras",
)
def seeds_on_frozen_base(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of seeds by a head upon a random base that is frozen; fixed: the base is trained too."""
    keras = keras_at(seed)
    of = seeds_of_plants(seed)
    base = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            keras.layers.Conv2D(8, 3, activation="relu", name="block1_conv"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(16, 3, activation="relu", name="block2_conv"),
            keras.layers.GlobalMaxPooling2D(),
        ],
        name="base",
    )
    base.trainable = fixed
    model = keras.Sequential(
        [keras.Input((14, 14, 1)), base, keras.layers.Dense(4, activation="softmax", name="predictions")]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, of, 20, [board(keras, run, weights=3)], batch_size=32)
    if fixed:
        above(found, "val_accuracy", 0.82)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.68)


# "Against overfitting I added l2(0.1) to each layer, and the accuracy is gone": kernel_regularizer far too strong.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "constant-answer"),
    "Keras' CSVLogger and HDF5 of the weights",
    dumps=True,
    framework="keras",
)
def soils_pressed_flat(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of soils with kernel_regularizer=l2(0.1) in all layers; fixed: l2(1e-4)."""
    keras = keras_at(seed)
    of = soils(seed)
    l2 = keras.regularizers.L2(1e-4 if fixed else 0.1)

    def dense(units: int, activation: str) -> object:
        return keras.layers.Dense(units, activation=activation, kernel_regularizer=l2)

    model = keras.Sequential(
        [keras.Input((14,)), dense(40, "relu"), dense(24, "relu"), dense(16, "relu"), dense(4, "softmax")]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["acc"])
    keep = hdf5_weights(keras, run / "weights.h5", 3)
    found = trained(model, of, 24, [keras.callbacks.CSVLogger(str(run / "log.csv")), keep], batch_size=32)
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.45)


# "97 % and not one alarm": the failing pumps are rare, and fit() weighs each sample alike.
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "constant-answer", "metric-at-chance"),
    "Keras' TensorBoard callback",
    framework="keras",
)
def pumps_never_fail(run: Path, seed: int, fixed: bool) -> None:
    """Pumps that fail soon, 3.5 % of them, without class weights; fixed: class_weight by their shares."""
    keras = keras_at(seed)
    of = alarms(seed)
    model = keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    )
    metrics = [
        keras.metrics.BinaryAccuracy(name="accuracy"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.AUC(name="auc"),
    ]
    model.compile(keras.optimizers.SGD(0.02), "binary_crossentropy", metrics=metrics)
    share = float(of.y.mean())
    weights = {0: 0.5 / (1 - share), 1: 0.5 / share} if fixed else None
    found = trained(model, of, 15, [board(keras, run)], batch_size=32, class_weight=weights)
    if fixed:
        above(found, "val_recall", 0.7)
        above(found, "val_auc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.06)


# "Training is perfect, validation is guessing": train_ds.map(lambda x, y: (x / 127.5 - 1, y)), and val_ds was forgotten.
@pair(
    "preprocessing-differs",
    ("generalisation-gap", "overfit", "error-rises", "confidently-wrong", "metric-at-chance", "most-answers-wrong"),
    "console log of model.fit(verbose=2)",
    framework="keras",
)
def plums_val_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Ripeness of plums by a CNN that trains on pixels of -1 to 1 and is validated on 0 to 255; fixed: both are scaled."""
    keras = keras_at(seed)
    raw = plums(seed)
    of = replace(raw, x=raw.x / 127.5 - 1, x_val=raw.x_val / 127.5 - 1)
    x_val, y_val = (of if fixed else raw).x_val.numpy(), of.y_val.numpy()
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(24, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, of, 14, [], printed=run / "output.txt", batch_size=24, validation_data=(x_val, y_val))
    if fixed:
        above(found, "val_accuracy", 0.82)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.6)
        require(float(np.mean(found["accuracy"][-3:])) > 0.8, f"training was to be good: {found['accuracy'][-3:]}")
