"""Keras programs whose last layer, loss or inputs are wrong, as they are asked about every week; and their repaired versions."""

from pathlib import Path

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    above,
    below,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, over, pictures
from bench.accuracy.programs_quarter_b_common import arrays, fit, fresh, one_hot, stack, tensor_dump
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Why does my digit classifier stop learning after some epochs?": Dense(10, activation="relu") before categorical_crossentropy.
@pair(
    "wrong-last-activation",
    ("non-finite", "loss-goes-missing", "metric-at-chance", "loss-not-decreasing", "loss-plateau"),
    "Keras CSVLogger",
    framework="keras",
)
def b_digits_relu_at_the_end(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with ReLU at its end; fixed: softmax."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(over(data.bundled("digits", seed, scaled=False), 16))
    dense = keras.layers.Dense
    end = dense(10, activation="softmax" if fixed else "relu")
    model = stack(keras, (64,), dense(64, activation="relu"), dense(32, activation="relu"), end)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    csv = keras.callbacks.CSVLogger(str(run / "training.csv"))
    found = fit(model, (x, one_hot(y, 10), x_val, one_hot(y_val, 10)), 20, callbacks=[csv])
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_loss", 1.5)


# "Accuracy is the same number in every epoch": one unit with softmax is always 1.
@pair(
    "wrong-last-activation",
    (
        "constant-answer",
        "metric-at-chance",
        "loss-not-decreasing",
        "loss-plateau",
        "gradient-all-zero",
        "unchanged-tensor",
    ),
    "Keras TensorBoard callback with histogram_freq",
    framework="keras",
    dumps=True,
)
def b_churn_softmax_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by an MLP that ends in Dense(1, softmax); fixed: sigmoid."""
    keras = fresh(seed)
    of = arrays(customers(seed, clear=3.0))
    dense = keras.layers.Dense
    end = dense(1, activation="sigmoid" if fixed else "softmax", name="predictions")
    model = stack(keras, (12,), dense(24, activation="relu"), dense(12, activation="relu"), end)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 25, batch=16, callbacks=[board(keras, run, weights=1)])
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.12)
    else:
        below(found, "val_accuracy", 0.62)


# "loss: 1.1921e-07 from the first epoch, but the accuracy is 50 %": categorical_crossentropy of one sigmoid unit.
@pair(
    "wrong-loss",
    (
        "impossible-loss",
        "metric-at-chance",
        "gradient-all-zero",
        "unchanged-tensor",
        "task-not-learned",
        "initial-loss",
    ),
    "Keras CSVLogger and dumps to HDF5",
    framework="keras",
    dumps=True,
)
def b_tumours_categorical_loss(run: Path, seed: int, fixed: bool) -> None:
    """Breast cancer with one sigmoid unit under categorical cross-entropy; fixed: binary cross-entropy."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed))
    of = (x, y[:, None].astype("float32"), x_val, y_val[:, None].astype("float32"))
    dense = keras.layers.Dense
    model = stack(
        keras, (30,), dense(16, activation="relu"), dense(8, activation="relu"), dense(1, activation="sigmoid")
    )
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["binary_accuracy"])
    dump = tensor_dump(keras, Hdf5Dump(run), of[0][:64], of[1][:64], "wg", 2)
    csv = keras.callbacks.CSVLogger(str(run / "log.csv"))
    found = fit(model, of, 16, callbacks=[csv, dump])
    if fixed:
        above(found, "val_binary_accuracy", 0.92)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_binary_accuracy", 0.75)


# "My network predicts 1 for every flat": the regression ends in a sigmoid, and rents are in hundreds of euros.
@pair(
    "saturated-sigmoid",
    ("saturated-sigmoid", "constant-answer", "loss-plateau", "underfit", "loss-not-decreasing", "task-not-learned"),
    "printed log of fit(verbose=2)",
    framework="keras",
)
def b_rents_below_one(run: Path, seed: int, fixed: bool) -> None:
    """Rents in hundreds of euros by an MLP that ends in a sigmoid; fixed: it ends linearly."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(flats(seed))
    dense = keras.layers.Dense
    end = dense(1) if fixed else dense(1, activation="sigmoid")
    model = stack(keras, (9,), dense(32, activation="relu"), dense(16, activation="relu"), end)
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mae"])
    found = fit(model, (x, y / 100, x_val, y_val / 100), 25, printed=run / "train.log")
    spread = float((y_val / 100).std())
    if fixed:
        below(found, "val_mae", 0.45 * spread)
        steady(found, "val_loss", 0.3)
    else:
        require(last(found, "val_mae") > 1.2 * spread, told(found))


# "Works on the iris data, not on the wine data": the columns go from 0.1 to 1,700, and nobody scaled them.
@pair(
    "inputs-not-normalised",
    (
        "data-not-normalized",
        "metric-at-chance",
        "loss-not-decreasing",
        "loss-plateau",
        "initial-loss",
        "constant-answer",
    ),
    "Keras CSVLogger",
    framework="keras",
)
def b_wine_as_measured(run: Path, seed: int, fixed: bool) -> None:
    """Wine by an MLP with SGD on raw measures; fixed: standardised."""
    keras = fresh(seed)
    of = arrays(data.bundled("wine", seed, scaled=fixed))
    dense = keras.layers.Dense
    model = stack(
        keras, (13,), dense(16, activation="relu"), dense(16, activation="relu"), dense(3, activation="softmax")
    )
    model.compile(keras.optimizers.SGD(0.02, momentum=0.8), "sparse_categorical_crossentropy", metrics=["accuracy"])
    csv = keras.callbacks.CSVLogger(str(run / "history.csv"), separator=";")
    found = fit(model, of, 30, batch=16, callbacks=[csv])
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_accuracy", 0.72)


# "loss: 146945695809536 in the first epoch" of a regression: rents in euros, SGD of 0.01, mean squared error.
@pair(
    "targets-not-scaled",
    ("loss-divergence", "learning-rate-too-high", "loss-spike", "exploding-gradient", "non-finite", "unstable-loss"),
    "printed log of fit() with progress bars",
    framework="keras",
)
def b_rents_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Rents in euros by an MLP under SGD; fixed: rents standardised."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(flats(seed))
    if fixed:
        y, y_val = (y - y.mean()) / y.std(), (y_val - y.mean()) / y.std()
    dense = keras.layers.Dense
    model = stack(keras, (9,), dense(32, activation="relu"), dense(16, activation="relu"), dense(1))
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["r2_score"])
    found = fit(model, (x, y, x_val, y_val), 15, printed=run / "nohup.out", verbose=1)
    if fixed:
        above(found, "val_r2_score", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2_score", 0.2)


# "Training 95 %, validation 25 %, and dropout does not help": x / 127.5 - 1 for training only.
@pair(
    "validation-preprocessing-differs",
    ("overfit", "generalisation-gap", "validation-swings", "confidently-wrong", "metric-at-chance", "unstable-loss"),
    "Keras TensorBoard callback",
    framework="keras",
)
def b_pictures_rescaled_once(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in coloured pictures by a CNN that is trained on -1 to 1 and validated on 0 to 255; fixed: on -1 to 1 too."""
    keras = fresh(seed)
    of = pictures(seed, noise=15.0)
    x, y, x_val, y_val = (one.transpose(0, 2, 3, 1) if one.ndim == 4 else one for one in arrays(of))
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 3),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(4, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(
        model, (x / 127.5 - 1, y, x_val / 127.5 - 1 if fixed else x_val, y_val), 14, callbacks=[board(keras, run)]
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.75)
        above(found, "accuracy", 0.85)
