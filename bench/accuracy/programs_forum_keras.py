"""Programs of the forum in Keras: output layers, losses and activations that do not belong together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    arrays,
    each_epoch,
    ends_well,
    history_h5,
    into,
    keras_board,
    keras_module,
    proved,
    write_json,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


def _table(seed: int, samples: int = 700, inputs: int = 8, positive: float = 0.5) -> data.Split:
    """A table of patients: two overlapping classes."""
    x, y = datasets.make_classification(
        samples, inputs, n_informative=6, n_redundant=1, weights=[1 - positive], class_sep=1.3, random_state=seed + 11
    )
    return data.split(x, y, seed)


def _fit(model: Any, of: Any, epochs: int, batch: int, callbacks: Sequence[Any] = ()) -> dict[str, list[float]]:
    """`model.fit` with validation data; its history."""
    x, y, x_val, y_val = of
    given = {"batch_size": batch, "epochs": epochs, "verbose": 0, "callbacks": list(callbacks)}
    history: dict[str, list[float]] = model.fit(x, y, validation_data=(x_val, y_val), **given).history
    return history


@program("softmax-with-one-unit", NOT_LEARNING, "CSVLogger of Keras", framework="keras")
def softmax_one_unit(run: Path, seed: int, faulty: bool) -> None:
    """Diabetes patients by a small dense net; Dense(1, softmax) says 1 whatever comes in (faulty), a sigmoid learns (fixed, above 0.8)."""
    keras = keras_module(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="softmax" if faulty else "sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "pima.csv"), separator=",")
    history = _fit(model, arrays(_table(seed, positive=0.45)), 50, 32, [log])
    proved(faulty, history["val_accuracy"][-1], 0.8, 0.6)
    ends_well(faulty, history["val_loss"])


@program("categorical-cross-entropy-with-one-unit", NOT_LEARNING, "history as JSON", framework="keras")
def categorical_one_unit(run: Path, seed: int, faulty: bool) -> None:
    """Churn from a table; categorical_crossentropy over one sigmoid is 0 for every answer (faulty), binary_crossentropy learns (fixed)."""
    keras = keras_module(seed)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    )
    loss = "categorical_crossentropy" if faulty else "binary_crossentropy"
    model.compile(loss=loss, optimizer=keras.optimizers.Adam(0.005), metrics=["accuracy"])
    history = _fit(model, arrays(_table(seed + 3)), 40, 32)
    write_json(run / "history.json", history)
    proved(faulty, history["val_accuracy"][-1], 0.8, 0.68)
    ends_well(faulty, history["val_loss"])


@program("sigmoid-on-regression", ("saturated-sigmoid", *STUCK), "history as HDF5", framework="keras")
def sigmoid_regression(run: Path, seed: int, faulty: bool) -> None:
    """House prices in thousands of dollars; a sigmoid at the end cannot pass 1 (faulty), a linear output explains most (fixed)."""
    keras = keras_module(seed)
    x, y, x_val, y_val = arrays(data.regression(seed, samples=600, inputs=6))
    y, y_val = 22.5 + 8 * y, 22.5 + 8 * y_val
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid" if faulty else "linear"),
        ]
    )
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.Adam(0.01), metrics=["mae"])
    history = _fit(model, (x, y, x_val, y_val), 50, 32)
    history_h5(run / "housing_history.h5", history)
    proved(faulty, 1 - history["val_loss"][-1] / float(y_val.var()), 0.6, 0.0, "R²")
    ends_well(faulty, history["val_loss"], 0.15)


@program("missing-activations", STUCK, "event files of Keras' callback", framework="keras")
def no_activation(run: Path, seed: int, faulty: bool) -> None:
    """Two circles; dense layers without an activation are one linear map (faulty), with ReLU they tell the rings apart (fixed)."""
    keras = keras_module(seed)
    x, y = datasets.make_circles(600, noise=0.08, factor=0.4, random_state=seed)
    activation = None if faulty else "relu"
    hidden = [keras.layers.Dense(16, activation=activation) for _ in range(3)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.SGD(0.03, momentum=0.8), metrics=["accuracy"])
    history = _fit(model, arrays(data.split(x, y.astype(np.int64), seed)), 50, 32, [keras_board(run)])
    proved(faulty, history["val_accuracy"][-1], 0.9, 0.7)
    ends_well(faulty, history["val_loss"], 0.2)


@program(
    "deep-sigmoid-with-mse",
    ("vanishing-gradient", *STUCK),
    "event files with histograms",
    dumps=True,
    framework="keras",
)
def deep_sigmoid_mse(run: Path, seed: int, faulty: bool) -> None:
    """Digits; four sigmoid layers under mean squared error and SGD stand still (faulty), ReLU and cross-entropy learn (fixed)."""
    keras = keras_module(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    of = (x, keras.utils.to_categorical(y), x_val, keras.utils.to_categorical(y_val))
    hidden = [keras.layers.Dense(30, activation="sigmoid" if faulty else "relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, activation="softmax")])
    loss = "mean_squared_error" if faulty else "categorical_crossentropy"
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.1), metrics=["accuracy"])
    history = _fit(model, of, 25, 64, [keras_board(run, histograms=True)])
    proved(faulty, history["val_accuracy"][-1], 0.88, 0.25)
    ends_well(faulty, history["val_loss"])


@program("dropout-far-too-strong", STUCK, "CSVLogger of Keras", framework="keras")
def dropout_95(run: Path, seed: int, faulty: bool) -> None:
    """Small images; Dropout(0.95) after each of three layers, meant as the share to keep (faulty), or 0.05 (fixed)."""
    keras = keras_module(seed)
    layers = [keras.Input((64,))]
    for _ in range(3):
        layers += [keras.layers.Dense(40, activation="relu"), keras.layers.Dropout(0.95 if faulty else 0.05)]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "training_log.csv"))
    history = _fit(model, arrays(data.bundled("digits", seed)), 25, 64, [log])
    proved(faulty, history["val_accuracy"][-1], 0.92, 0.35)
    ends_well(faulty, history["val_loss"])


@program(
    "inputs-not-scaled",
    ("data-not-normalized", "initial-loss", "dead-relu", "learning-rate-too-high", *STUCK),
    "CSVLogger and HDF5",
    dumps=True,
    framework="keras",
)
def pixels_to_255(run: Path, seed: int, faulty: bool) -> None:
    """A CNN on images of 0 to 255 as they come (faulty: the units die at once and the loss stays at ln 10), or over 255 (fixed)."""
    keras = keras_module(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    scale = 255 / 16 if faulty else 1 / 16
    x, x_val = (x * scale).reshape(-1, 8, 8, 1), (x_val * scale).reshape(-1, 8, 8, 1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    dump = Hdf5Dump(run)

    def saved(model: Any, epoch: int, logs: Any) -> None:
        first = epoch * 64
        tensors = {f"weights/{one.path}": one.value.detach().numpy() for one in model.trainable_variables}
        dump.dump(epoch, {**tensors, "inputs/images": x[first : first + 64], "labels/digit": y[first : first + 64]})

    log = keras.callbacks.CSVLogger(str(run / "log.csv"))
    history = _fit(model, (x, y, x_val, y_val), 15, 64, [log, each_epoch(saved)])
    dump.close()
    proved(faulty, history["val_accuracy"][-1], 0.9, 0.2)
    ends_well(faulty, history["val_loss"], 0.2)


@program(
    "validation-not-preprocessed", ("overfit", "metric-at-chance"), "event files of Keras' callback", framework="keras"
)
def validation_raw(run: Path, seed: int, faulty: bool) -> None:
    """Wine; the scaler is applied to the training table only (faulty: validation at chance, training perfect), or to both (fixed)."""
    keras = keras_module(seed)
    x, y, x_val, y_val = arrays(data.bundled("wine", seed, share=0.35))
    if faulty:
        x_val = data.bundled("wine", seed, share=0.35, scaled=False).x_val.numpy()
    model = keras.Sequential(
        [keras.Input((13,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, activation="softmax")]
    )
    optimizer = keras.optimizers.Adam(0.005)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    history = _fit(model, (x, y, x_val, y_val), 60, 16, [keras_board(run)])
    require(history["accuracy"][-1] > 0.95, f"training accuracy {history['accuracy'][-1]:.3f}")
    proved(faulty, history["val_accuracy"][-1], 0.9, 0.6)
    ends_well(faulty, history["val_loss"], 0.2)


@program("split-of-sorted-data", ("overfit", "metric-at-chance"), "CSVLogger of Keras", framework="keras")
def split_sorted(run: Path, seed: int, faulty: bool) -> None:
    """Iris in its order with validation_split=1/3: the last class is never seen in training (faulty), or shuffled before (fixed)."""
    keras = keras_module(seed)
    x, y = datasets.load_iris(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    if not faulty:
        order = np.random.default_rng(seed).permutation(len(x))
        x, y = x[order], y[order]
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(10, activation="tanh"), keras.layers.Dense(3, activation="softmax")]
    )
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "iris.log"), append=False)
    history = model.fit(x, y, validation_split=1 / 3, epochs=80, batch_size=10, verbose=0, callbacks=[log]).history
    proved(faulty, history["val_accuracy"][-1], 0.88, 0.3)
    ends_well(faulty, history["val_loss"], 0.25)
