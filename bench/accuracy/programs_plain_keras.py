"""Everyday programs in Keras: dense and convolutional models under model.fit, and their repaired versions."""

import contextlib
from dataclasses import replace
from pathlib import Path

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import customers, gestures
from bench.accuracy.programs_field_common import NOTHING_LEARNED, above, below, not_above, not_below, steady
from bench.accuracy.programs_plain_common import into
from bench.accuracy.programs_plain_keras_common import arrays, column, keras_at, payments, probe, taught
from bench.accuracy.programs_post_common import board, over, patients, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "accuracy 0.9, val_accuracy 0.5, whatever I do": scaler.fit_transform(X_train), and X_test never went through scaler.transform.
@pair(
    "validation-not-preprocessed",
    ("generalisation-gap", "overfit", "metric-at-chance", "constant-answer", "error-rises", "best-is-not-last"),
    "keras CSVLogger",
    framework="keras",
)
def churn_scaled_once(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by a dense model; the validation data are in their raw units; fixed: scaled as well."""
    keras = keras_at(seed)
    of = customers(seed, 900, clear=2.5)
    raw = customers(seed, 900, clear=2.5, scaled=False)
    of = column(of if fixed else replace(of, x_val=raw.x_val))
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
    found = taught(model, of, 18, [keras.callbacks.CSVLogger(str(run / "training.log"))])
    above(found, "accuracy", 0.78)
    if fixed:
        above(found, "val_accuracy", 0.76)
        steady(found, "val_loss", 0.12)
    else:
        below(found, "val_accuracy", 0.7)
        not_below(found, "val_loss", 1.5)


# "loss: 0.0000e+00 from the first batch, accuracy never moves": categorical_crossentropy on Dense(1, activation="sigmoid").
@pair(
    "wrong-loss-for-task",
    (
        "metric-at-chance",
        "impossible-loss",
        "initial-loss",
        "gradient-all-zero",
        "metric-left-behind",
        "loss-not-decreasing",
    ),
    "keras TensorBoard callback",
    framework="keras",
)
def sick_or_not_by_categories(run: Path, seed: int, fixed: bool) -> None:
    """Who of the patients is sick, by one sigmoid unit under the loss for many classes; fixed: binary_crossentropy."""
    keras = keras_at(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(24, activation="relu"),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=loss, metrics=["binary_accuracy"])
    found = taught(model, column(patients(seed, 800)), 15, [board(keras, run / "logs")])
    if fixed:
        above(found, "val_binary_accuracy", 0.72)
        steady(found, "val_loss", 0.12)
    else:
        below(found, "loss", 1e-3)
        below(found, "val_binary_accuracy", 0.69)


# "ten layers and it does not learn, two layers do": activation="sigmoid" in each of ten hidden layers.
@pair(
    "vanishing-gradient-through-depth",
    (*NOTHING_LEARNED, "vanishing-gradient", "updates-too-small"),
    "keras CSVLogger and hdf5",
    framework="keras",
    dumps=True,
)
def sigmoid_tower(run: Path, seed: int, fixed: bool) -> None:
    """Digits by ten dense layers with sigmoids; fixed: with ReLUs."""
    keras = keras_at(seed)
    of = data.bundled("digits", seed)
    model = keras.Sequential([keras.Input((64,))])
    for number in range(10):
        model.add(keras.layers.Dense(40, activation="relu" if fixed else "sigmoid", name=f"hidden_{number + 1}"))
    model.add(keras.layers.Dense(10, activation="softmax", name="predictions"))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    seen = tuple(f"hidden_{number}" for number in (1, 5, 10))
    watching = probe(keras, of, Hdf5Dump(run, name="layers.h5"), 1, seen)
    found = taught(model, of, 14, [keras.callbacks.CSVLogger(str(run / "history.csv")), watching], batch_size=48)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.35)


# "96 % accuracy and it has never found one fraud": four payments in a hundred are fraud, and nothing weighs them.
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "constant-answer", "metric-left-behind"),
    "keras CSVLogger with precision and recall",
    framework="keras",
)
def fraud_never_found(run: Path, seed: int, fixed: bool) -> None:
    """Payments that are fraud, one in 25, by a dense model; fixed: class_weight."""
    keras = keras_at(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=metrics)
    weights = {0: 1.0, 1: 20.0} if fixed else {0: 1.0, 1: 1.0}
    writer = keras.callbacks.CSVLogger(str(run / "fraud_log.csv"))
    found = taught(model, column(payments(seed)), 12, [writer], class_weight=weights, batch_size=64)
    if fixed:
        above(found, "val_recall", 0.6)
        above(found, "val_precision", 0.1)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_recall", 0.12)
        above(found, "val_accuracy", 0.93)


# "the loss begins at 30": kernel_initializer=RandomNormal(stddev=1.0), as tf.random.normal has it when nothing is given.
@pair(
    "initialisation-too-large",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "initial-loss",
        "saturated-tanh",
        "generalisation-gap",
        "overfit",
    ),
    "keras TensorBoard callback with histograms of weights",
    framework="keras",
    dumps=True,
)
def digits_wide_start(run: Path, seed: int, fixed: bool) -> None:
    """Digits by tanh layers whose weights begin with a deviation of 1; fixed: as Glorot has it."""
    keras = keras_at(seed)

    def start(number: int) -> object:
        """What the weights of a layer are drawn from."""
        if fixed:
            return keras.initializers.GlorotUniform(seed=seed + number)
        return keras.initializers.RandomNormal(stddev=1.0, seed=seed + number)

    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(128, activation="tanh", kernel_initializer=start(1)),
            keras.layers.Dense(128, activation="tanh", kernel_initializer=start(2)),
            keras.layers.Dense(10, activation="softmax", kernel_initializer=start(3)),
        ]
    )
    optimizer = keras.optimizers.SGD(0.02)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    found = taught(model, data.bundled("digits", seed), 15, [board(keras, run, weights=1)])
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_accuracy", 0.8)


# "transfer learning stays at 45 %": base.trainable = False, and the base was built with weights=None.
@pair(
    "frozen-by-mistake",
    (*NOTHING_LEARNED, "unchanged-tensor", "task-not-learned"),
    "keras CSVLogger and hdf5",
    framework="keras",
    dumps=True,
)
def shapes_on_frozen_noise(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a head on a convolutional base that is frozen as it was drawn; fixed: the base learns too."""
    keras = keras_at(seed)
    of = over(pictures(seed, 900, noise=50.0), 255.0)
    base = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="block1_conv"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="block2_conv"),
            keras.layers.Conv2D(24, 3, activation="relu", name="block3_conv"),
            keras.layers.GlobalMaxPooling2D(),
        ],
        name="base",
    )
    base.trainable = fixed
    model = keras.Sequential([keras.Input((12, 12, 3)), base, keras.layers.Dense(4, activation="softmax", name="top")])
    optimizer = keras.optimizers.Adam(4e-3)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["acc"])
    watching = probe(keras, of, Hdf5Dump(run, by_name=True), 2)
    found = taught(model, of, 16, [keras.callbacks.CSVLogger(str(run / "train_history.csv")), watching])
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.65)


# "same accuracy each epoch, 0.2": Adam(learning_rate=0.1), the rate of a notebook that used SGD.
@pair(
    "learning-rate-too-high",
    (*NOTHING_LEARNED, "learning-rate-too-high", "dead-relu"),
    "output of model.fit with verbose=2",
    framework="keras",
)
def gestures_at_a_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by convolutions under Adam(0.1); fixed: Adam(0.002)."""
    keras = keras_at(seed)
    of = gestures(seed, 600)
    x, y, x_val, y_val = arrays(of)
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            keras.layers.Conv1D(16, 5, activation="relu"),
            keras.layers.MaxPooling1D(2),
            keras.layers.Conv1D(32, 5, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.002 if fixed else 0.1)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with (run / "nohup.out").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        history = model.fit(x, y, validation_data=(x_val, y_val), epochs=15, batch_size=32, verbose=2)
    found = {name: [float(one) for one in values] for name, values in history.history.items()}
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_accuracy", 0.5)


# "every prediction is the same": kernel_regularizer=l2(0.1) on each layer, where the paper had 1e-4.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "constant-answer", "all-zero"),
    "keras TensorBoard callback with histograms of weights",
    framework="keras",
    dumps=True,
)
def digits_pressed_flat(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a small CNN under l2(0.1) on all kernels; fixed: l2(1e-4)."""
    keras = keras_at(seed)

    def strength() -> object:
        """A regulariser of one layer."""
        return keras.regularizers.L2(1e-4 if fixed else 0.1)

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu", kernel_regularizer=strength()),
            keras.layers.Conv2D(16, 3, activation="relu", kernel_regularizer=strength()),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", kernel_regularizer=strength()),
            keras.layers.Dense(10, activation="softmax", kernel_regularizer=strength()),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    of = data.bundled("digits", seed, scaled=False).as_images()
    found = taught(model, over(of, 16.0), 14, [board(keras, run / "logs" / "fit", weights=2)], batch_size=64)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)
