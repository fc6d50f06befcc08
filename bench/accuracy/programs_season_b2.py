"""Season, author B: Keras programs that overfit, underfit or are fed badly; and their repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_desk_common import arrows, mails
from bench.accuracy.programs_field_common import above, below, not_below, steady
from bench.accuracy.programs_season_b_common import arrays, cut, fresh, learn, loans, meters, saver
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)
SPARSE = "sparse_categorical_crossentropy"


# "The more epochs the better": 60 mails, a wide net, and a validation loss that has climbed since the sixth epoch.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "confidently-wrong"),
    "keras CSVLogger",
    framework="keras",
)
def b_mails_few(run: Path, seed: int, fixed: bool) -> None:
    """Departments of mails from 60 examples by a wide net; fixed: all mails, a small net and dropout."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(mails(seed, samples=1200, told=0.16))
    count, width = (len(x), 12) if fixed else (60, 128)
    model = keras.Sequential(
        [
            layers.Input((24,), dtype="int32"),
            layers.Embedding(200, 12 if fixed else 64),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.5 if fixed else 0.0),
            layers.Dense(width, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3 if fixed else 1e-2), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, (x[:count], y[:count], x_val, y_val), 30, "csv", batch=64 if fixed else 16)
    if fixed:
        above(trail, "val_accuracy", 0.65)
        steady(trail, "val_loss", 0.2)
    else:
        not_below(trail, "val_loss", 1.15 * min(trail["val_loss"]))
        above(trail, "accuracy", 0.97)
        below(trail, "val_accuracy", 0.72)


# "Training is perfect, validation is a lottery": x_train /= 255, and x_val was forgotten.
@pair(
    "train-validation-preprocessing-differs",
    ("generalisation-gap", "overfit", "metric-at-chance", "error-rises", "overtraining", "validation-swings"),
    "keras TensorBoard callback",
    framework="keras",
)
def b_arrows_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Arrows, of which the training pictures are inverted and scaled and the others are not; fixed: both are."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(arrows(seed, samples=600, noise=0.35))
    x, x_val = 255 * x, 255 * x_val

    def ready(pictures: np.ndarray) -> np.ndarray:
        """Dark on light, and small numbers."""
        return (255.0 - pictures) / 255.0 - 0.5

    model = keras.Sequential(
        [
            layers.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, (ready(x), y, ready(x_val) if fixed else x_val, y_val), 15, "board")
    if fixed:
        above(trail, "val_accuracy", 0.83)
        steady(trail, "val_loss", 0.3)
    else:
        not_below(trail, "val_loss", 2.0)
        below(trail, "val_accuracy", 0.8)
        above(trail, "accuracy", 0.85)


# "I regularise each layer, as they say": kernel_regularizer=l2(0.5) on every Dense.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "loss-plateau", "metric-at-chance", "constant-answer", "task-not-learned"),
    "keras TensorBoard callback with histogram_freq=1",
    framework="keras",
    dumps=True,
)
def b_digits_l2(run: Path, seed: int, fixed: bool) -> None:
    """Digits by dense layers with l2(0.5); fixed: l2(1e-4)."""
    keras = fresh(seed)
    layers = keras.layers

    def dense(units: int, kind: str) -> object:
        """A dense layer with a penalty on its weights."""
        penalty = keras.regularizers.l2(1e-4 if fixed else 0.5)
        return layers.Dense(units, activation=kind, kernel_regularizer=penalty)

    model = keras.Sequential([layers.Input((64,)), dense(48, "relu"), dense(32, "relu"), dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(1e-3), SPARSE, metrics=["accuracy"])
    of = arrays(data.bundled("digits", seed))
    trail = learn(keras, run, model, of, 12, "board", histograms=1)
    if fixed:
        above(trail, "val_accuracy", 0.93)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_accuracy", 0.5)


# "Three hidden layers and it draws straight lines": no activation= in any Dense.
@pair(
    "underfit",
    ("underfit", "loss-plateau", "most-answers-wrong", "task-not-learned", "loss-not-decreasing"),
    "keras history as json",
    framework="keras",
)
def b_spirals_linear(run: Path, seed: int, fixed: bool) -> None:
    """Arms of spirals by three dense layers without activations; fixed: relu."""
    keras = fresh(seed)
    layers = keras.layers
    kind = "relu" if fixed else None
    hidden = [layers.Dense(width, activation=kind) for width in (64, 64, 32)]
    model = keras.Sequential([layers.Input((2,)), *hidden, layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(1e-2), SPARSE, metrics=["acc"])
    trail = learn(keras, run, model, arrays(data.spirals(seed)), 35, "json", name="training_history.json")
    if fixed:
        above(trail, "val_acc", 0.85)
        steady(trail, "val_loss", 0.5)
    else:
        below(trail, "val_acc", 0.76)


# "Sorted by product line, from the database": model.fit(shuffle=False) because of a question on time series.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "metric-at-chance",
        "unstable-loss",
        "validation-swings",
        "generalisation-gap",
        "constant-answer",
    ),
    "keras CSVLogger; gradients only in Parquet",
    framework="keras",
    dumps=True,
)
def b_digits_sorted(run: Path, seed: int, fixed: bool) -> None:
    """Digits in the order of their classes without shuffling; fixed: shuffled."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    order = np.argsort(y, kind="stable")
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), SPARSE, metrics=["accuracy"])
    saving = saver(keras, ParquetDump(run), 60, "g")
    of = (x[order], y[order], x_val, y_val)
    trail = learn(keras, run, model, of, 8, "csv", name="fit.csv", callbacks=[saving], shuffle=fixed)
    if fixed:
        above(trail, "val_accuracy", 0.92)
        steady(trail, "val_loss", 0.3)
    else:
        not_below(trail, "val_loss", 1.0)
        below(trail, "val_accuracy", 0.88)


# "It learns, give it time": Adam(learning_rate=5e-6), meant as 5e-3.
@pair(
    "learning-rate-too-low",
    ("updates-too-small", "loss-not-decreasing", "still-improving", "underfit", "task-not-learned", "metric-at-chance"),
    "what fit() prints; weights and gradients in HDF5",
    framework="keras",
    dumps=True,
)
def b_energy_typo(run: Path, seed: int, fixed: bool) -> None:
    """The heat that buildings need by a small net under Adam(5e-6); fixed: 5e-3."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)]
    )
    metrics = ["mae", keras.metrics.R2Score(name="r2_score")]
    model.compile(keras.optimizers.Adam(5e-3 if fixed else 5e-6), "mse", metrics=metrics)
    saving = saver(keras, Hdf5Dump(run), 51)
    trail = learn(keras, run, model, meters(seed), 18, "print", name="console.log", callbacks=[saving])
    if fixed:
        above(trail, "val_r2_score", 0.7)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_r2_score", 0.15)


# "To be on the safe side": clipnorm=0.001 with SGD, so that no step is longer than a hair.
@pair(
    "gradients-clipped-too-tight",
    ("gradient-always-clipped", "updates-too-small", "still-improving", "loss-not-decreasing", "underfit"),
    "keras CSVLogger; weights and gradients in Parquet, six times",
    framework="keras",
    dumps=True,
)
def b_loans_clipped(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back under SGD(0.03) with clipnorm=0.001; fixed: clipnorm=1."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((10,)), layers.Dense(16, activation="tanh"), layers.Dense(2, activation="softmax")]
    )
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9, clipnorm=1.0 if fixed else 1e-3)
    model.compile(optimizer, SPARSE, metrics=["accuracy"])
    saving = saver(keras, ParquetDump(run), 60)
    trail = learn(keras, run, model, loans(seed, noise=0.3), 16, "csv", name="log.csv", callbacks=[saving])
    if fixed:
        above(trail, "val_accuracy", 0.78)
        steady(trail, "val_loss", 0.15)
    else:
        below(trail, "val_accuracy", 0.74)
        not_below(trail, "val_loss", 0.54)


# "Forecasts of the shop are worse than yesterday's number": (window, sensor) was reshaped where it had to be transposed.
@pair(
    "wrong-reshape",
    ("underfit", "generalisation-gap", "overfit", "metric-at-chance", "loss-plateau", "task-not-learned"),
    "keras CSVLogger",
    framework="keras",
)
def b_shop_reshaped(run: Path, seed: int, fixed: bool) -> None:
    """Demand of six shops in the next hour by a GRU whose targets were reshaped from (shop, hour); fixed: transposed."""
    keras = fresh(seed)
    layers = keras.layers
    random = np.random.default_rng(seed)
    hours, shops, window = np.arange(420), 6, 12
    phase = random.uniform(0, 6.28, (shops, 1))
    period = random.uniform(8, 20, (shops, 1))
    table = np.sin(6.28 * hours / period + phase) + 0.2 * random.normal(size=(shops, len(hours)))
    series = table.T
    x = np.stack([series[at : at + window] for at in range(len(hours) - window)]).astype(np.float32)
    targets = table[:, window:]
    y = targets.T if fixed else targets.reshape(-1, shops)
    model = keras.Sequential([layers.Input((window, shops)), layers.GRU(24), layers.Dense(shops)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    trail = learn(keras, run, model, cut(x, np.ascontiguousarray(y, dtype=np.float32)), 20, "csv", batch=16)
    if fixed:
        above(trail, "val_r2", 0.7)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_r2", 0.2)
