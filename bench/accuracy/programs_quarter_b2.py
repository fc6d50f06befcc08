"""Keras programs whose data, rate, start or trainable parts are wrong; and their repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, ParquetDump
from bench.accuracy.programs_desk_common import customers, gestures, inspections, spectra
from bench.accuracy.programs_field_common import above, below, last, steady, told
from bench.accuracy.programs_post_common import board, houses, over, reviews
from bench.accuracy.programs_quarter_b_common import arrays, fit, fresh, one_hot, stack, tensor_dump
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "CNN gets 25 % on four classes, I tried more layers": Adam(learning_rate=0.1).
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "updates-too-large",
        "dead-relu",
        "metric-at-chance",
        "loss-not-decreasing",
        "loss-plateau",
    ),
    "Keras TensorBoard callback and dumps to HDF5",
    framework="keras",
    dumps=True,
)
def b_inspection_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN under Adam(0.1); fixed: Adam(0.003)."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(over(inspections(seed, noise=10.0), 255))
    x, x_val = x.transpose(0, 2, 3, 1) - 0.5, x_val.transpose(0, 2, 3, 1) - 0.5
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(4, activation="softmax"),
    )
    model.compile(
        keras.optimizers.Adam(3e-3 if fixed else 0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    dump = tensor_dump(keras, Hdf5Dump(run), x[:48], y[:48], "wga", 3)
    found = fit(model, (x, y, x_val, y_val), 18, callbacks=[board(keras, run), dump])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.45)


# "val_accuracy is 0.0000 all the time": validation_split=0.2 takes the end of data that are sorted by class.
@pair(
    "validation-split-of-sorted-data",
    ("generalisation-gap", "overfit", "class-never-found", "metric-at-chance", "overtraining", "most-answers-wrong"),
    "Keras CSVLogger",
    framework="keras",
)
def b_digits_sorted_split(run: Path, seed: int, fixed: bool) -> None:
    """Digits sorted by class with validation_split=0.2; fixed: shuffled before."""
    keras = fresh(seed)
    x, y, *_ = arrays(over(data.bundled("digits", seed, share=0.02, scaled=False), 16))
    order = np.random.default_rng(seed).permutation(len(y)) if fixed else np.argsort(y, kind="stable")
    cut = int(len(y) * 0.8)
    x, y = x[order], y[order]
    layers = keras.layers
    model = stack(keras, (64,), layers.Dense(48, activation="relu"), layers.Dense(10, activation="softmax"))
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    csv = keras.callbacks.CSVLogger(str(run / "training.log"))
    found = fit(model, (x[:cut], y[:cut], x[cut:], y[cut:]), 20, callbacks=[csv])
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.1)


# "Reviews: 50 % whatever I do": np.random.shuffle(x) without the labels.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "generalisation-gap", "overtraining", "loss-not-decreasing", "loss-plateau"),
    "printed log of fit(verbose=2)",
    framework="keras",
)
def b_reviews_shuffled_apart(run: Path, seed: int, fixed: bool) -> None:
    """Reviews by a mean of embeddings, inputs shuffled without their labels; fixed: shuffled together."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(reviews(seed, samples=700, length=20, share=0.3))
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order], y[order] if fixed else y
    layers = keras.layers
    model = stack(
        keras,
        (20,),
        layers.Embedding(300, 12),
        layers.GlobalAveragePooling1D(),
        layers.Dense(12, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["acc"])
    found = fit(model, (x, y[:, None], x_val, y_val[:, None]), 14, printed=run / "fit.log")
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.62)


# "Deeper is worse?": twelve hidden layers with sigmoid, as the lecture drew them.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "metric-at-chance", "loss-not-decreasing", "loss-plateau", "updates-too-small", "underfit"),
    "Keras CSVLogger and TensorBoard histograms",
    framework="keras",
    dumps=True,
)
def b_spectra_twelve_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Plastics from their spectra by twelve hidden layers with sigmoid; fixed: ReLU with He's initialisation."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(spectra(seed, noise=0.1))
    layers = keras.layers
    kind = {"activation": "relu", "kernel_initializer": "he_normal"} if fixed else {"activation": "sigmoid"}
    hidden = [layers.Dense(24, **kind) for _ in range(12)]
    model = stack(keras, (60,), *hidden, layers.Dense(5, activation="softmax"))
    model.compile(keras.optimizers.Adam(1.5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = tensor_dump(keras, HistogramDump(run), x[:64], y[:64], "wg", 2)
    csv = keras.callbacks.CSVLogger(str(run / "csv_logger.csv"))
    found = fit(model, (x, y, x_val, y_val), 14, callbacks=[csv, dump])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.35)


# "All neurons learn the same": kernel_initializer="zeros" in every layer, because it looked tidy.
@pair(
    "zero-initialisation",
    ("poor-initialization", "gradient-all-zero", "unchanged-tensor", "all-zero", "loss-not-decreasing", "loss-plateau"),
    "Keras CSVLogger and dumps to Parquet",
    framework="keras",
    dumps=True,
)
def b_houses_from_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by an MLP that starts at zero; fixed: at Glorot's."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    y, y_val = (y - y.mean()) / y.std(), (y_val - y.mean()) / y.std()
    start = {"kernel_initializer": "glorot_uniform" if fixed else "zeros"}
    layers = keras.layers
    hidden = [layers.Dense(32, activation="relu", **start), layers.Dense(16, activation="relu", **start)]
    model = stack(keras, (10,), *hidden, layers.Dense(1, **start))
    model.compile(keras.optimizers.Adam(3e-3), "mean_squared_error", metrics=["mean_absolute_error", "r2_score"])
    dump = tensor_dump(keras, ParquetDump(run), x[:64], y[:64], "wga", 4)
    csv = keras.callbacks.CSVLogger(str(run / "training_log.csv"))
    found = fit(model, (x, y, x_val, y_val), 20, callbacks=[csv, dump])
    if fixed:
        above(found, "val_r2_score", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_r2_score", 0.1)


# "Gestures: my recurrent layer learns nothing": layer.trainable=False was meant for the pretrained model only.
@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", "underfit", "loss-plateau", "loss-not-decreasing"),
    "Keras TensorBoard callback with histogram_freq",
    framework="keras",
    dumps=True,
)
def b_gestures_frozen(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by an untrained 1-D CNN of which all but the last layer is frozen; fixed: nothing is."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(gestures(seed, noise=0.4))
    layers = keras.layers
    model = stack(
        keras,
        (32, 3),
        layers.Conv1D(6, 5, activation="relu", name="block1_conv"),
        layers.Conv1D(6, 5, activation="relu", name="block2_conv"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(5, activation="softmax", name="head"),
    )
    for layer in model.layers[:-1]:
        layer.trainable = fixed
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, (x, y, x_val, y_val), 20, callbacks=[board(keras, run, weights=2)])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.82)
        require(last(found, "val_loss") > 0.55, told(found))


# "96 % accuracy and recall 0": four customers of a hundred leave, and the model says that nobody does.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "constant-answer",
        "class-never-found",
        "nothing-found",
        "metric-left-behind",
        "metric-at-chance",
    ),
    "Keras CSVLogger",
    framework="keras",
)
def b_churn_four_percent(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, of whom four in a hundred do, unweighted; fixed: class_weight."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(customers(seed, samples=5000, clear=1.5))
    rng = np.random.default_rng(seed)
    keep = (y == 0) | (rng.random(len(y)) < 0.045)
    keep_val = (y_val == 0) | (rng.random(len(y_val)) < 0.045)
    of = (x[keep], y[keep][:, None].astype("float32"), x_val[keep_val], y_val[keep_val][:, None].astype("float32"))
    layers = keras.layers
    model = stack(keras, (12,), layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid"))
    metrics = ["accuracy", keras.metrics.Recall(name="recall"), keras.metrics.AUC(name="auc")]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=metrics)
    csv = keras.callbacks.CSVLogger(str(run / "churn_history.csv"))
    weight = {0: 1.0, 1: float((y[keep] == 0).sum() / (y[keep] == 1).sum())} if fixed else None
    found = fit(model, of, 14, batch=48, callbacks=[csv], class_weight=weight)
    if fixed:
        above(found, "val_recall", 0.5)
        above(found, "val_auc", 0.72)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.15)


# "It is fast but never good": batch_size=len(x_train), so that an epoch is one step.
@pair(
    "batch-too-large",
    ("underfit", "still-improving", "loss-not-decreasing", "updates-too-small", "ended-early"),
    "Keras CSVLogger",
    framework="keras",
)
def b_digits_one_step_an_epoch(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under SGD with all data in one batch; fixed: batches of 32."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    layers = keras.layers
    model = stack(keras, (64,), layers.Dense(32, activation="tanh"), layers.Dense(10, activation="softmax"))
    model.compile("sgd", "categorical_crossentropy", metrics=["categorical_accuracy"])
    csv = keras.callbacks.CSVLogger(str(run / "model_history_log.csv"), append=True)
    of = (x, one_hot(y, 10), x_val, one_hot(y_val, 10))
    found = fit(model, of, 30, batch=32 if fixed else len(x), callbacks=[csv])
    if fixed:
        above(found, "val_categorical_accuracy", 0.9)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_categorical_accuracy", 0.6)
