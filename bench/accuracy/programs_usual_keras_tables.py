"""Usual programs in Keras on tables and texts: dead units, initialisation, classes, sizes, regularisers; and repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy.data import bundled, spirals
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, ParquetDump
from bench.accuracy.programs_desk_common import flats
from bench.accuracy.programs_field_common import above, below, not_above, not_below, steady
from bench.accuracy.programs_post_common import board, reviews
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_keras_common import arrays, dumping, frauds, fresh, learn, lines

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Adam(1e-6) by a slip of the finger: after an hour it is still at 50 %."
@pair(
    "learning-rate-too-low",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "updates-too-small", "still-improving"),
    "Keras TensorBoard callback with histograms",
    framework="keras",
    dumps=True,
)
def reviews_at_millionth_b(run: Path, seed: int, fixed: bool) -> None:
    """Reviews by a mean of embeddings under Adam(1e-6); fixed: Adam(1.2e-3)."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(reviews(seed, samples=1400))
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Embedding(300, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    rate = 1.2e-3 if fixed else 1e-6
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 8, [board(keras, run, weights=1)])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.65)


# "The network says the same rent for every flat": Adam(0.1), and after the first epochs hardly a ReLU lives.
@pair(
    "dead-relu",
    ("dead-relu", "loss-plateau", "learning-rate-too-high", "constant-answer", "metric-at-chance", "gradient-all-zero"),
    "Keras CSVLogger, tensors in HDF5",
    framework="keras",
    dumps=True,
)
def rents_dead_relu_b(run: Path, seed: int, fixed: bool) -> None:
    """Rents in hundreds of euros by six ReLU layers under Adam(0.1); fixed: Adam(0.001)."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(flats(seed))
    of = (x, y / 100, x_val, y_val / 100)
    model = keras.Sequential(
        [
            keras.Input((9,)),
            *(layers.Dense(32, activation="relu", name=f"relu_{n}") for n in range(1, 7)),
            layers.Dense(1, name="rent"),
        ]
    )
    rate = 1e-3 if fixed else 0.1
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae", keras.metrics.R2Score(name="r2")])
    dumps = dumping(keras, Hdf5Dump(run), of[0][:48], 2, ("weights/{}", "gradients/{}", "activations/{}"))
    found = learn(model, of, 16, [keras.callbacks.CSVLogger(run / "rents.csv"), dumps])
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        not_above(found, "val_r2", 0.1)


# "I set kernel_initializer='zeros' to make the runs reproducible, now they are, at 40 %."
@pair(
    "bad-initialisation",
    ("poor-initialization", "gradient-all-zero", "all-zero", "unchanged-tensor", "loss-plateau", "metric-at-chance"),
    "LambdaCallback, JSON lines, tensors in Parquet",
    framework="keras",
    dumps=True,
)
def wine_from_zeros_b(run: Path, seed: int, fixed: bool) -> None:
    """Wines by an MLP whose kernels begin at zero; fixed: He's initialisation."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(bundled("wine", seed))
    start = "he_normal" if fixed else "zeros"
    model = keras.Sequential(
        [
            keras.Input((13,)),
            layers.Dense(24, activation="relu", kernel_initializer=start, name="dense"),
            layers.Dense(12, activation="relu", kernel_initializer=start, name="dense_1"),
            layers.Dense(3, activation="softmax", kernel_initializer=start, name="dense_2"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dumps = dumping(keras, ParquetDump(run), of[0][:32], 3, ("{}", "{}.grad", "{}.output"))
    found = learn(model, of, 30, [lines(keras, run / "wine.jsonl"), dumps], batch_size=16)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "96 % accuracy and not one fraud found."
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "constant-answer", "metric-left-behind", "metric-at-chance"),
    "Keras CSVLogger",
    framework="keras",
)
def frauds_of_few_b(run: Path, seed: int, fixed: bool) -> None:
    """Frauds, 4 % of the payments, by an MLP without weights for classes; fixed: class_weight."""
    keras = fresh(seed)
    layers = keras.layers
    of = frauds(seed)
    positive = float(of[1].mean())
    model = keras.Sequential(
        [
            keras.Input((14,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=metrics)
    weight = {0: 0.5 / (1 - positive), 1: 0.5 / positive} if fixed else {0: 1.0, 1: 1.0}
    log = keras.callbacks.CSVLogger(run / "fraud_model.csv")
    found = learn(model, of, 18, [log], class_weight=weight, batch_size=64)
    if fixed:
        above(found, "val_recall", 0.6)
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.1)
        above(found, "val_accuracy", 0.93)


# "Training R² 0.99, validation below zero; three layers of 256 for 330 patients."
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises"),
    "Keras TensorBoard callback",
    framework="keras",
)
def diabetes_of_256_b(run: Path, seed: int, fixed: bool) -> None:
    """The course of diabetes by three layers of 256; fixed: one of 16 with dropout and L2."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(bundled("diabetes", seed))
    mean, spread = y.mean(), y.std()
    of = (x, ((y - mean) / spread)[:, None], x_val, ((y_val - mean) / spread)[:, None])
    if fixed:
        l2 = keras.regularizers.L2(3e-3)
        hidden = [layers.Dense(16, activation="relu", kernel_regularizer=l2), layers.Dropout(0.3)]
    else:
        hidden = [layers.Dense(256, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((10,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    found = learn(model, of, 45, [board(keras, run)])
    if fixed:
        above(found, "val_r2", 0.33)
        steady(found, "val_loss", 0.1)
    else:
        above(found, "r2", 0.9)
        not_below(found, "val_loss", 1.25 * min(found["val_loss"]))


# "I began with the simplest thing, one Dense(4, softmax), and it stops at 50 %."
@pair(
    "underfit",
    ("underfit", "loss-plateau", "loss-not-decreasing", "most-answers-wrong"),
    "printed log of verbose=2",
    framework="keras",
)
def spirals_by_one_layer_b(run: Path, seed: int, fixed: bool) -> None:
    """Arms of a spiral by a linear model; fixed: two hidden layers of 48."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(spirals(seed, arms=4, points=220))
    widths = (48, 48) if fixed else ()
    hidden = [layers.Dense(width, activation="relu") for width in widths]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(4, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 30, [], run / "train.log")
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "accuracy", 0.62)


# "I was told to regularise": kernel_regularizer=L2(1.0) in each layer.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "loss-plateau", "metric-at-chance", "underfit", "constant-answer", "vanishing-gradient"),
    "Keras CSVLogger, TensorBoard histograms",
    framework="keras",
    dumps=True,
)
def tumours_l2_of_one_b(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by an MLP with L2(1.0) on each kernel; fixed: L2(1e-4)."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(bundled("breast_cancer", seed))
    l2 = keras.regularizers.L2(1e-4 if fixed else 1.0)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(32, activation="relu", kernel_regularizer=l2, name="hidden1"),
            layers.Dense(16, activation="relu", kernel_regularizer=l2, name="hidden2"),
            layers.Dense(1, activation="sigmoid", kernel_regularizer=l2, name="malignant"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(run / "epochs.csv")
    dumps = dumping(keras, HistogramDump(run), of[0][:32].astype(np.float32), 2, ("{}", "gradients/{}", ""))
    found = learn(model, of, 15, [log, dumps])
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.75)
