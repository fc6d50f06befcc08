"""Programs in Keras that people asked about, and with the answer's fix: outputs, losses, scales of tables and series."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data, loggers
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    above,
    below,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, houses, into, patients
from bench.accuracy.programs_qa_keras_common import arrays, as_json, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of Stack Overflow, about 34311586 "Very simple Keras XOR does not converge" (DeepLocalize, DeepFD).
@pair("one-unit-for-xor", NOTHING_LEARNED, "history.json without validation", framework="keras")
def xor_one_unit(run: Path, seed: int, fixed: bool) -> None:
    """XOR by one sigmoid unit with the squared error and SGD; fixed: a hidden layer, the binary cross-entropy and Adam."""
    keras = seeded(seed)
    x = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), (50, 1))
    y = np.logical_xor(x[:, 0], x[:, 1]).astype(np.float32)
    dense = keras.layers.Dense
    hidden = [dense(8, "tanh")] if fixed else []
    model = keras.Sequential([keras.Input((2,)), *hidden, dense(1, "sigmoid")])
    optimizer = keras.optimizers.Adam(0.02) if fixed else keras.optimizers.SGD(0.1)
    model.compile(optimizer, "binary_crossentropy" if fixed else "mse", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=4, epochs=20, verbose=0).history
    found = {name: [float(value) for value in values] for name, values in history.items()}
    as_json(run, found)
    if fixed:
        above(found, "accuracy", 0.99)
    else:
        below(found, "accuracy", 0.76)
        not_below(found, "loss", 0.23)


# In the manner of Stack Overflow, about 51181393 "Keras binary classification, loss stuck and accuracy 0.34: softmax on one unit".
@pair(
    "softmax-on-one-unit",
    (*NOTHING_LEARNED, "initial-loss"),
    "CSVLogger of Keras",
    framework="keras",
)
def patients_softmax_one(run: Path, seed: int, fixed: bool) -> None:
    """Sick or not by the usual 12-8-1 net with a softmax on its single unit, which is always 1; fixed: a sigmoid."""
    keras = seeded(seed)
    of = arrays(patients(seed))
    dense = keras.layers.Dense
    output = dense(1, "sigmoid" if fixed else "softmax")
    model = keras.Sequential([keras.Input((8,)), dense(12, "relu"), dense(8, "relu"), output])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 20, [keras.callbacks.CSVLogger(run / "training.log")], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.5)


# In the manner of keras issues, about keras-io 33150: the example mnist_cnn.py reaches 0.8 since Adadelta's default became 0.001.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def mnist_example_adadelta(run: Path, seed: int, fixed: bool) -> None:
    """Keras' first example of a CNN on digits, whose Adadelta() lost its rate of 1.0; fixed: Adadelta(1.0)."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    of = x / 16, keras.utils.to_categorical(y, 10), x_val / 16, keras.utils.to_categorical(y_val, 10)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(32, "relu"),
            layers.Dropout(0.5),
            layers.Dense(10, "softmax"),
        ]
    )
    optimizer = keras.optimizers.Adadelta(1.0) if fixed else keras.optimizers.Adadelta()
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 12, [board(keras, run)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.5)
        not_below(found, "loss", 2.0)


# In the manner of Stack Overflow and Kaggle, "LSTM for stock prices predicts a flat line": closing prices go in without a MinMaxScaler.
@pair(
    "series-not-scaled",
    (*BADLY_LEARNED, "data-not-normalized", "still-improving", "initial-loss"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def stock_prices_raw(run: Path, seed: int, fixed: bool) -> None:
    """The next closing price from 20 before it by an LSTM on prices of hundreds, whose gates are shut at once; fixed: scaled to 0 … 1."""
    keras = seeded(seed)
    random = np.random.default_rng(seed)
    days = np.arange(520)
    walk = np.zeros(520)
    for day in range(1, 520):
        walk[day] = 0.95 * walk[day - 1] + random.normal(0, 9)
    price = 420 + 110 * np.sin(days / 23) + walk
    if fixed:
        price = (price - price[:400].min()) / np.ptp(price[:400])
    windows = np.lib.stride_tricks.sliding_window_view(price, 21).astype(np.float32)
    x, y = windows[:, :20, None], windows[:, 20:]
    of = x[:380], y[:380], x[400:], y[400:]
    layers = keras.layers
    model = keras.Sequential([keras.Input((20, 1)), layers.LSTM(24), layers.Dense(1)])
    model.compile("adam", "mean_squared_error", metrics=["mae"])
    found = fit(model, of, 20, [board(keras, run)], batch=32)
    error = last(found, "val_loss") / float(np.var(of[3]))
    if fixed:
        require(error < 0.4, f"error {error:.3f} of the variance: {told(found)}")
        steady(found, "val_loss", 0.2)
    else:
        require(error > 0.9, f"error {error:.3f} of the variance: {told(found)}")


# In the manner of Stack Overflow, about "Keras regression loss does not go down: tanh output and prices" (AUTOTRAINER, NeuraLint).
@pair(
    "tanh-output-for-large-targets",
    (*BADLY_LEARNED, "saturated-tanh", "vanishing-gradient"),
    "history.json",
    framework="keras",
)
def house_prices_tanh(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses of 5 to 50 by a net whose output is a tanh, which stands at 1; fixed: linear."""
    keras = seeded(seed)
    of = arrays(houses(seed))
    dense = keras.layers.Dense
    output = dense(1, None if fixed else "tanh")
    model = keras.Sequential([keras.Input((10,)), dense(32, "relu"), dense(16, "relu"), output])
    model.compile(keras.optimizers.Adam(0.005), "mse", metrics=["mae"])
    found = fit(model, of, 50, batch=16)
    as_json(run, found)
    if fixed:
        below(found, "val_mae", 2.6)
        steady(found, "val_loss")
    else:
        not_below(found, "val_mae", 15)


# In the manner of Stack Overflow, about 52441877 "Keras autoencoder: negative loss and val_loss with data in range -1 to 1".
@pair(
    "targets-outside-of-the-loss",
    ("loss-divergence", "too-good", "exploding-tensor", "saturated-sigmoid"),
    "TensorBoard callback of Keras with histogram_freq=2",
    dumps=True,
    framework="keras",
)
def autoencoder_negative(run: Path, seed: int, fixed: bool) -> None:
    """An autoencoder of standardised digits under a sigmoid and the binary cross-entropy, whose loss falls without end; fixed: 0 … 1."""
    keras = seeded(seed)
    x, _, x_val, _ = arrays(data.bundled("digits", seed, scaled=not fixed))
    x, x_val = (x / 16, x_val / 16) if fixed else (x, x_val)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((64,)),
            dense(32, "relu", name="encoder_1"),
            dense(12, "relu", name="code"),
            dense(32, "relu", name="decoder_1"),
            dense(64, "sigmoid", name="picture"),
        ]
    )

    def binary_crossentropy(targets: Any, outputs: Any) -> Any:
        # As TensorFlow has it, which takes any targets.
        p = keras.ops.clip(outputs, 1e-7, 1 - 1e-7)
        return -keras.ops.mean(targets * keras.ops.log(p) + (1 - targets) * keras.ops.log(1 - p), -1)

    model.compile(keras.optimizers.Adam(0.003), binary_crossentropy, metrics=["mse"])
    found = fit(model, (x, x, x_val, x_val), 25, [board(keras, run, weights=2)], batch=64)
    missed = last(found, "val_mse") / float(np.var(x_val, axis=0).mean())
    if fixed:
        require(missed < 0.55, f"{missed:.2f} of the variance is missed: {told(found)}")
        steady(found, "val_loss")
    else:
        require(missed > 0.65, f"only {missed:.2f} of the variance is missed: {told(found)}")
        below(found, "loss", -0.3)


# In the manner of Stack Overflow, about 44604147 / "Keras loss is 1.19e-07 and accuracy 1.0 from the first epoch" (DeepLocalize).
@pair(
    "categorical-loss-on-one-column",
    (*NOTHING_LEARNED, "initial-loss", "too-good", "unchanged-tensor", "gradient-all-zero", "updates-too-small"),
    "history.json",
    framework="keras",
)
def categorical_one_column(run: Path, seed: int, fixed: bool) -> None:
    """Iris with classes as a column of 0, 1, 2 and one softmax unit under the categorical loss; fixed: to_categorical and three units."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("iris", seed, 0.3))
    if fixed:
        of = x, keras.utils.to_categorical(y, 3), x_val, keras.utils.to_categorical(y_val, 3)
    else:
        of = x, y[:, None].astype(np.float32), x_val, y_val[:, None].astype(np.float32)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((4,)), dense(10, "relu"), dense(10, "relu"), dense(3 if fixed else 1, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 40, batch=16)
    as_json(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        guessed = model.predict(x_val, verbose=0)
        require(float(np.ptp(guessed)) == 0, "the outputs differ")
        require(np.ptp(found["loss"]) < 1e-3, told(found))


# In the manner of Stack Overflow, about 37232782 "NaN loss when training regression network": the logarithm of targets of which some are 0.
@pair("logarithm-of-zero-targets", ("non-finite", "loss-divergence"), "CSVLogger of Keras", framework="keras")
def log_of_sales(run: Path, seed: int, fixed: bool) -> None:
    """The logarithm of sales, of which a few are 0 pieces, by a small net: the loss is lost in the first epoch; fixed: log1p."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    sold, sold_val = (np.maximum(np.round(one * 3 - 24), 0) for one in (y, y_val))
    require(bool((sold == 0).any()), "nothing was sold nowhere")
    with np.errstate(divide="ignore"):
        of = (x, np.log1p(sold), x_val, np.log1p(sold_val)) if fixed else (x, np.log(sold), x_val, np.log(sold_val))
    layers = keras.layers
    hidden = [layers.Dense(64, "relu"), layers.Dropout(0.2), layers.Dense(32, "relu")]
    model = keras.Sequential([keras.Input((10,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(0.003), "mse", metrics=["mae"])
    found = fit(model, of, 20, [keras.callbacks.CSVLogger(run / "log.csv", append=True)], batch=32)
    if fixed:
        require(last(found, "val_loss") < 0.5 * float(np.var(of[3])), told(found))
        steady(found, "val_loss", 0.15)
    else:
        require(not math.isfinite(found["loss"][-1]), f"all is finite: {told(found)}")


# In the manner of Stack Overflow, "Keras neural network outputs the same result for every input" (DeepFD): a ReLU output and SGD.
@pair(
    "relu-output-died",
    ("dead-relu", "all-zero", "gradient-all-zero", "vanishing-gradient", "unchanged-tensor", *BADLY_LEARNED),
    "TensorBoard callback of Keras with update_freq=5; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def same_output_relu(run: Path, seed: int, fixed: bool) -> None:
    """Temperatures, most below zero, by a net that ends in ReLU under SGD(0.1): soon it says 0 to all; fixed: a linear output and Adam."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    of = x, (y - 36) / 4, x_val, (y_val - 36) / 4
    dense = keras.layers.Dense
    output = dense(1, None if fixed else "relu", name="temperature")
    hidden = [dense(20, "relu", name="dense_1"), dense(10, "relu", name="dense_2")]
    model = keras.Sequential([keras.Input((10,)), *hidden, output])
    optimizer = keras.optimizers.Adam(0.003) if fixed else keras.optimizers.SGD(0.1)
    model.compile(optimizer, "mse", metrics=["mae"])
    callbacks = [board(keras, run, batches=5), dumping(keras, loggers.Hdf5Dump(run, name="layers.h5"), x[:64])]
    found = fit(model, of, 30, callbacks, batch=8)
    guessed = model.predict(x_val, verbose=0)
    if fixed:
        require(last(found, "val_loss") < 0.3 * float(np.var(of[3])), told(found))
        steady(found, "val_loss", 0.15)
    else:
        require(float(np.ptp(guessed)) < 1e-6, f"outputs of {guessed.min():.3g} to {guessed.max():.3g}")
        not_above(found, "val_loss", 1e9)
