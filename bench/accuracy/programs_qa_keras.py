"""Programs in Keras whose last layer, loss or layers are wrong, and their fixed versions."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data, loggers
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_qa_common import NOT_LEARNING, STANDS, into, learned, no_better, not_finite, stuck
from bench.accuracy.programs_qa_data import circles, prices, shapes, waves
from bench.accuracy.programs_qa_keras_common import (
    arrays,
    as_events,
    as_hdf5,
    as_json,
    as_parquet,
    curves,
    dumping,
    fit,
    seeded,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


@pair("softmax-on-one-unit", NOT_LEARNING, "CSVLogger of Keras", framework="keras")
def keras_one_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Benign or malignant by one unit under softmax, which always says 1; fixed: under sigmoid."""
    keras = seeded(seed)
    of = arrays(data.bundled("breast_cancer", seed))
    dense = keras.layers.Dense
    last = dense(1, "sigmoid" if fixed else "softmax")
    model = keras.Sequential([keras.Input((30,)), dense(16, "relu"), keras.layers.Dropout(0.2), last])
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    found = curves(fit(model, of, 30, [keras.callbacks.CSVLogger(run / "training.log")]))
    if fixed:
        learned(found, 0.92)
    else:
        stuck(found, 0.99)
        no_better(found, max(of[3].mean(), 1 - of[3].mean()) + 0.01)


@pair(
    "relu-on-regression-output",
    ("dead-relu", "gradient-all-zero", "all-zero", *STANDS),
    "history.json; weights and outputs in hdf5",
    dumps=True,
    framework="keras",
)
def keras_relu_output(run: Path, seed: int, fixed: bool) -> None:
    """Night temperatures, most of them below zero, from an output under ReLU, which dies at zero; fixed: no activation."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.regression(seed, samples=600))
    of = x, y * 2 - 6, x_val, y_val * 2 - 6
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((8,)), dense(24, "relu", name="hidden"), dense(1, None if fixed else "relu", name="relu_out")]
    )
    model.compile(keras.optimizers.Adam(4e-3), "mse", metrics=["mae"])
    history = fit(model, of, 40, [dumping(keras, loggers.Hdf5Dump(run), x[:64])])
    as_json(run, history)
    found = curves(history, "mae")
    if fixed:
        learned(found, share_left=0.1)
    else:
        require(found.loss[-1] > 30, f"it learned: {found}")


@pair(
    "activations-missing",
    (*STANDS, "metric-at-chance"),
    "event files in train/ and validation/, as Keras writes them",
    framework="keras",
)
def keras_linear_circles(run: Path, seed: int, fixed: bool) -> None:
    """A ring around a disc by three dense layers without activations, which draw one line; fixed: ReLU between them."""
    keras = seeded(seed)
    of = arrays(circles(seed))
    hidden = [keras.layers.Dense(16, "relu" if fixed else None) for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    history = fit(model, of, 25)
    as_events(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.9)
    else:
        no_better(found, 0.68)
        stuck(found)


@pair("categorical-loss-on-one-unit", NOT_LEARNING, "CSVLogger of Keras", framework="keras")
def keras_categorical_one_unit(run: Path, seed: int, fixed: bool) -> None:
    """Categorical cross-entropy over one sigmoid unit, which is zero whatever the unit says; fixed: binary cross-entropy."""
    keras = seeded(seed)
    of = data.imbalanced(seed, 900, 0.45)
    x, y, x_val, y_val = arrays(of)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((10,)), dense(32, "relu"), dense(16, "relu"), dense(1, "sigmoid")])
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(run / "log.csv", separator=",")
    found = curves(fit(model, (x, y[:, None].astype("float32"), x_val, y_val[:, None].astype("float32")), 20, [log]))
    if fixed:
        learned(found, of.majority + 0.2)
    else:
        require(max(found.loss) < 1e-3, f"the loss is not nothing: {found}")
        no_better(found, of.majority + 0.1)


@pair("mse-for-classes", (*STANDS, "metric-at-chance", "still-improving"), "history.parquet", framework="keras")
def keras_mse_digits(run: Path, seed: int, fixed: bool) -> None:
    """Digits by softmax with the mean squared error and SGD, whose gradients are next to nothing; fixed: cross-entropy."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    of = x / 16, keras.utils.to_categorical(y, 10), x_val / 16, keras.utils.to_categorical(y_val, 10)
    hidden = [keras.layers.Dense(48, "sigmoid") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, "softmax")])
    loss = "categorical_crossentropy" if fixed else "mean_squared_error"
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    history = fit(model, of, 25 if fixed else 15)
    as_parquet(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.85)
    else:
        no_better(found, 0.5)


@pair(
    "logits-taken-for-probabilities",
    ("initial-loss", *STANDS, "metric-at-chance"),
    "event files in train/ and validation/, as Keras writes them",
    framework="keras",
)
def keras_logits(run: Path, seed: int, fixed: bool) -> None:
    """No softmax at the end and a loss that takes the outputs for probabilities; fixed: from_logits=True."""
    keras = seeded(seed)
    of = arrays(data.bundled("digits", seed))
    layers = keras.layers
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, "relu"), layers.Dropout(0.1), layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=fixed)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    history = fit(model, of, 15)
    as_events(run, history, [1e-3] * 15)
    found = curves(history)
    if fixed:
        learned(found, 0.93)
    else:
        no_better(found, 0.6)


@pair(
    "labels-minus-one-with-bce", ("metric-at-chance", "underfit", "best-is-not-last"), "history.h5", framework="keras"
)
def keras_minus_one(run: Path, seed: int, fixed: bool) -> None:
    """Labels of -1 and 1 under binary cross-entropy, which goes far below zero and hits the classes by the half; fixed: 0 and 1."""
    keras = seeded(seed)
    of = data.bundled("breast_cancer", seed)
    x, y, x_val, y_val = arrays(of)
    y, y_val = (one[:, None] if fixed else 2 * one[:, None] - 1 for one in (y, y_val))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((30,)), dense(24, "relu"), dense(1, "sigmoid")])

    def binary_crossentropy(truth: Any, said: Any) -> Any:
        said = keras.ops.clip(said, 1e-7, 1 - 1e-7)
        return -keras.ops.mean(truth * keras.ops.log(said) + (1 - truth) * keras.ops.log(1 - said), -1)

    model.compile(keras.optimizers.Adam(1e-3), binary_crossentropy, metrics=["accuracy"])
    history = fit(model, (x, y.astype("float32"), x_val, y_val.astype("float32")), 25)
    as_hdf5(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.92)
    else:
        require(found.loss[-1] < 0, f"the loss is above zero: {found}")
        no_better(found, of.majority + 0.02)


@pair("sigmoid-on-regression-output", ("saturated-sigmoid", *STANDS), "tensorboard", framework="keras")
def keras_sigmoid_regression(run: Path, seed: int, fixed: bool) -> None:
    """Prices in thousands from an output under sigmoid, which ends at 1 for all; fixed: no activation."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(prices(seed))
    of = x, y / 1e5, x_val, y_val / 1e5
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((10,)), dense(32, "relu"), dense(1, None if fixed else "sigmoid")])
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    history = fit(model, of, 30)
    log = loggers.TensorBoard(run, "plain")
    for epoch in range(30):
        log.log(epoch, {f"house_prices/{name}": values[epoch] for name, values in history.items()})
    log.close()
    found = curves(history, "mae")
    if fixed:
        learned(found, share_left=0.15)
        require(found.val_loss[-1] < 0.3 * float(of[3].var()), f"too little explained: {found}")
    else:
        require(found.loss[-1] > float(of[1].var()), f"it learned: {found}")


@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", *NOT_LEARNING),
    "CSVLogger of Keras; weights in hdf5 by name",
    dumps=True,
    framework="keras",
)
def keras_frozen_head(run: Path, seed: int, fixed: bool) -> None:
    """A base and a new head of which all that is named dense is frozen, the head too; fixed: the base alone."""
    keras = seeded(seed)
    of = arrays(data.bundled("digits", seed))
    base = keras.Sequential([keras.layers.Dense(96, "relu"), keras.layers.Dense(64, "relu")], name="base")
    head = keras.layers.Dense(10, "softmax", name="dense_head")
    model = keras.Sequential([keras.Input((64,)), base, head])
    base.trainable = False
    head.trainable = fixed
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = loggers.Hdf5Dump(run, by_name=True)

    def weights() -> dict[str, np.ndarray]:
        return {one.path: np.array(keras.ops.convert_to_numpy(one)) for one in model.weights}

    log = keras.callbacks.CSVLogger(run / "metrics.csv")
    found = curves(fit(model, of, 25, [log, dumping(keras, dump, more=weights)]))
    if fixed:
        learned(found, 0.85)
    else:
        stuck(found, 0.999)


@pair(
    "exploding-recurrence",
    ("non-finite", "loss-divergence", "exploding-gradient", "learning-rate-too-high"),
    "CSVLogger of Keras",
    framework="keras",
)
def keras_relu_lstm(run: Path, seed: int, fixed: bool) -> None:
    """A forecast by a recurrent layer with activation="relu" and a large kernel over 60 steps, which explodes; fixed: the usual tanh."""
    keras = seeded(seed)
    of = arrays(waves(seed, 400, 60))
    start = keras.initializers.RandomNormal(stddev=0.35, seed=seed)
    recurrent = (
        keras.layers.SimpleRNN(24)
        if fixed
        else keras.layers.SimpleRNN(24, activation="relu", recurrent_initializer=start)
    )
    model = keras.Sequential([keras.Input((60, 1)), recurrent, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.02), "mse", metrics=["mae"])
    found = curves(fit(model, of, 12, [keras.callbacks.CSVLogger(run / "history.csv")]), "mae")
    if fixed:
        learned(found, share_left=0.6)
    else:
        not_finite(found)


@pair(
    "initialised-with-zeros",
    ("poor-initialization", *NOT_LEARNING),
    "history.json; weights in parquet",
    dumps=True,
    framework="keras",
)
def keras_xor_zeros(run: Path, seed: int, fixed: bool) -> None:
    """XOR with kernels of zeros, so that no unit differs from another; fixed: the initialiser that Keras has."""
    keras = seeded(seed)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    y = np.array([0, 1, 1, 0], dtype="float32")
    start = "glorot_uniform" if fixed else "zeros"
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((2,)),
            dense(16, "tanh", kernel_initializer=start),
            dense(1, "sigmoid", kernel_initializer=start),
        ]
    )
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy", metrics=["binary_accuracy"])
    told = model.fit(x, y, batch_size=4, epochs=150, verbose=0, callbacks=[dumping(keras, Thinned(run))]).history
    as_json(run, {name: [float(one) for one in values] for name, values in told.items()})
    found = curves(told, "binary_accuracy")
    if fixed:
        learned(found, share_left=0.3)
        require(found.metric[-1] == 1, f"not solved: {found}")
    else:
        stuck(found, 0.99)


class Thinned(loggers.ParquetDump):
    """tensors.parquet with every tenth of the sets that it is given."""

    def dump(self, step: int, tensors: loggers.Tensors) -> None:
        """Every tenth."""
        if step % 10 == 0:
            super().dump(step, tensors)


@pair(
    "missing-normalisation",
    ("data-not-normalized", "initial-loss", "dead-relu", *NOT_LEARNING),
    "history.h5; inputs and weights in hdf5",
    dumps=True,
    framework="keras",
)
def keras_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Images of shapes with pixels of 0 to 255 into a CNN with SGD, whose units die at once; fixed: divided by 255."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(shapes(seed))
    scale = 255 if fixed else 1
    of = x / scale, y, x_val / scale, y_val
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Flatten(name="flat"),
            layers.Dense(48, activation="relu", name="fc1"),
            layers.Dense(4, activation="softmax", name="out"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.08, momentum=0.8), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = dumping(keras, Halved(run), of[0][:32], lambda: {"inputs/images": of[0][:32]})
    history = fit(model, of, 20, [dump])
    as_hdf5(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.75, late_rise=0.15)
    else:
        no_better(found, 0.36)


class Halved(loggers.Hdf5Dump):
    """tensors.h5 in single precision, every second set, without what is large."""

    def dump(self, step: int, tensors: loggers.Tensors) -> None:
        """Every second."""
        if step % 2 == 0:
            small = {
                name: np.asarray(one, "float32")[:16] for name, one in tensors.items() if "conv1/output" not in name
            }
            super().dump(step, small)
