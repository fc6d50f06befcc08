"""Programs of the field in Keras 3: networks under fit() with callbacks, and what is wrong with their layers, data and schedules."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Dump, Hdf5Dump, HistogramDump, KerasDirectories, ParquetDump
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Trail,
    above,
    into,
    not_above,
    not_below,
    steady,
    told,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)
Arrays = tuple[np.ndarray, Any, np.ndarray, Any]


def seeded(seed: int) -> Any:
    """Keras with all its generators at this seed."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: data.Split) -> Arrays:
    """Training inputs and targets, validation inputs and targets."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def ready(trail: Mapping[str, list[Any]]) -> Trail:
    """A History as plain numbers."""
    return {name: [float(one) for one in values] for name, values in trail.items()}


def as_directories(run: Path, history: Trail) -> None:
    """Event files in train/ and validation/ with epoch_… as the callback TensorBoard writes them."""
    log = KerasDirectories(run)
    for epoch in range(len(history["loss"])):
        row = {
            name if name.startswith(("val_", "learning")) else f"train_{name}": values[epoch]
            for name, values in history.items()
        }
        log.log(epoch, row)
    log.close()


def dumping(keras: Any, dump: Dump, every: int, look: Any = None, extra: Mapping[str, np.ndarray] | None = None) -> Any:
    """A callback that dumps the weights of all layers each so many epochs, what `look` of the model gives, and `extra`."""

    class Dumping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch % every == 0:
                made = {f"weights/{one.path}": np.asarray(one.numpy()) for one in self.model.weights}
                dump.dump(epoch, made | (look(self.model) if look else {}) | dict(extra or {}))

        def on_train_end(self, logs: Any = None) -> None:
            dump.close()

    return Dumping()


def outputs_of(keras: Any, layers: tuple[str, ...], x: np.ndarray) -> Any:
    """What layers of these names give for inputs, as activations/NAME."""

    def look(model: Any) -> dict[str, np.ndarray]:
        part = keras.Model(model.inputs, [model.get_layer(one).output for one in layers])
        return {
            f"activations/{name}": np.asarray(one) for name, one in zip(layers, part.predict(x, verbose=0), strict=True)
        }

    return look


def waves(seed: int, samples: int = 500, length: int = 16) -> Arrays:
    """Windows of a seasonal series with noise (n, length, 1), and the next value (n, 1)."""
    random = np.random.default_rng(seed)
    at = np.arange(samples + length)
    series = np.sin(at * 0.55) + 0.5 * np.sin(at * 0.13) + 0.12 * random.normal(size=len(at))
    x = np.lib.stride_tricks.sliding_window_view(series, length)[:-1, :, None].astype("float32")
    y, cut = series[length:, None].astype("float32"), samples * 3 // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


@pair(
    "rate-decays-too-soon",
    ("learning-rate-zero", "schedule-mismatch", "updates-too-small", *BADLY_LEARNED),
    "CSVLogger",
    framework="keras",
)
def rate_falls_each_batch(run: Path, seed: int, fixed: bool) -> None:
    """A rate that is multiplied by 0.3 each epoch by a scheduler meant for every tenth: after ten epochs of forty it is nothing; fixed:
    by 0.93.
    """
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.spirals(seed, noise=0.1))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((2,)), dense(32, "relu"), dense(32, "relu"), dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    factor = 0.93 if fixed else 0.3
    calls = [
        keras.callbacks.LearningRateScheduler(lambda _, rate: rate * factor),
        keras.callbacks.CSVLogger(run / "training.log"),
    ]
    history = ready(model.fit(x, y, 32, 40, 0, calls, validation_data=(x_val, y_val)).history)
    if fixed:
        above(history, "val_accuracy", 0.93)
        steady(history, "val_loss")
    else:
        not_above(history, "val_accuracy", 0.85)
        require(history["loss"][-1] > 0.97 * history["loss"][12], told(history))


@pair("overfit", VALIDATION_LOST, "event files in train/ and validation/", framework="keras")
def small_ward(run: Path, seed: int, fixed: bool) -> None:
    """A wide network trained for 150 epochs on the records of 120 patients with noisy diagnoses; fixed: small, dropout, stopped early."""
    keras = seeded(seed)
    x, y = datasets.make_classification(
        420, 30, n_informative=5, n_redundant=0, flip_y=0.12, class_sep=1.3, random_state=seed
    )
    x, x_val, y, y_val = x[:120].astype("float32"), x[120:].astype("float32"), y[:120], y[120:]
    dense = keras.layers.Dense
    if fixed:
        inner = [
            keras.layers.Dropout(0.2),
            dense(8, "relu", kernel_regularizer=keras.regularizers.L2(0.02)),
            keras.layers.Dropout(0.4),
        ]
        calls = [keras.callbacks.EarlyStopping(patience=5)]
    else:
        inner, calls = [dense(128, "relu"), dense(64, "relu")], []
    model = keras.Sequential([keras.Input((30,)), *inner, dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(4e-3), "binary_crossentropy", metrics=["accuracy"])
    history = ready(model.fit(x, y, 24, 60 if fixed else 120, 0, calls, validation_data=(x_val, y_val)).history)
    as_directories(run, history)
    if fixed:
        above(history, "val_accuracy", 0.68)
        steady(history, "val_loss")
    else:
        require(history["val_loss"][-1] > 1.5 * min(history["val_loss"]) and history["loss"][-1] < 0.05, told(history))


@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, "underfit", "loss-not-decreasing", "updates-too-large"),
    "history.json",
    framework="keras",
)
def forecast_by_leaps(run: Path, seed: int, fixed: bool) -> None:
    """A forecast by a GRU with RMSprop at a rate of 0.5, which leaps about; fixed: 0.003."""
    keras = seeded(seed)
    x, y, x_val, y_val = waves(seed)
    model = keras.Sequential([keras.Input((16, 1)), keras.layers.GRU(12), keras.layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(3e-3 if fixed else 0.5), "mse", metrics=["mae"])
    history = ready(model.fit(x, y, 32, 12, 0, validation_data=(x_val, y_val)).history)
    (run / "history.json").write_text(json.dumps(history), encoding="utf-8")
    if fixed:
        require(history["val_loss"][-1] < 0.25 * y_val.var(), told(history))
        steady(history, "val_loss", 0.3)
    else:
        not_below(history, "loss", 0.7 * y.var())


@pair(
    "zero-initialisation",
    ("poor-initialization", "all-zero", "low-variance", "gradient-all-zero", "unchanged-tensor", *NOTHING_LEARNED),
    "CSVLogger; weights and activations in hdf5",
    dumps=True,
    framework="keras",
)
def kernels_of_zeros(run: Path, seed: int, fixed: bool) -> None:
    """All kernels begin at zero, a setting meant for the last layer, so that nothing but the last bias learns; fixed: as Keras does."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    how = "glorot_uniform" if fixed else "zeros"
    layers = [keras.layers.Dense(32, "relu", kernel_initializer=how, name=f"dense_{at}") for at in (1, 2)]
    last = keras.layers.Dense(10, "softmax", kernel_initializer=how, name="logits")
    model = keras.Sequential([keras.Input((64,)), *layers, last])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    look = outputs_of(keras, ("dense_1", "dense_2"), x_val[:64])
    calls = [keras.callbacks.CSVLogger(run / "log.csv"), dumping(keras, Hdf5Dump(run), 2, look)]
    history = ready(model.fit(x, y, 32, 14, 0, calls, validation_data=(x_val, y_val)).history)
    if fixed:
        above(history, "val_accuracy", 0.93)
        steady(history, "val_loss")
    else:
        not_above(history, "val_accuracy", 0.15)


@pair(
    "task-without-weight",
    ("metric-at-chance", "loss-not-decreasing", "loss-plateau", "underfit"),
    "history.json",
    framework="keras",
)
def second_head_forgotten(run: Path, seed: int, fixed: bool) -> None:
    """Two outputs, digit and parity, whose second has a weight of 0 in the loss and its own layers, which never learn; fixed: 0.5."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    entry = keras.Input((64,))
    hidden = keras.layers.Dense(32, "relu")(entry)
    digit = keras.layers.Dense(10, "softmax", name="digit")(hidden)
    odd = keras.layers.Dense(1, "sigmoid", name="parity")(keras.layers.Dense(16, "relu")(hidden))
    model = keras.Model(entry, [digit, odd])
    losses = {"digit": "sparse_categorical_crossentropy", "parity": "binary_crossentropy"}
    weights = {"digit": 1.0, "parity": 0.5 if fixed else 0.0}
    model.compile("adam", losses, loss_weights=weights, metrics={"digit": ["accuracy"], "parity": ["accuracy"]})
    targets, checks = ({"digit": one, "parity": one % 2} for one in (y, y_val))
    history = ready(model.fit(x, targets, 32, 14, 0, validation_data=(x_val, checks)).history)
    (run / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
    above(history, "val_digit_accuracy", 0.9)
    if fixed:
        above(history, "val_parity_accuracy", 0.9)
        steady(history, "val_loss")
    else:
        not_above(history, "val_parity_accuracy", 0.72)
        not_below(history, "parity_loss", 0.55)


@pair(
    "saturated-sigmoid",
    ("saturated-sigmoid", "data-not-normalized", "vanishing-gradient", *NOTHING_LEARNED),
    "CSVLogger; inputs and activations in parquet",
    dumps=True,
    framework="keras",
)
def raw_counts_into_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Measurements of cells in raw units, some in thousands, into layers of sigmoid units, which are all full or empty; fixed: scaled."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed, scaled=fixed))
    layers = [keras.layers.Dense(16, "sigmoid", name=f"sigmoid_{at}") for at in (1, 2)]
    model = keras.Sequential([keras.Input((30,)), *layers, keras.layers.Dense(1, "sigmoid", name="out")])
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
    look = outputs_of(keras, ("sigmoid_1", "sigmoid_2"), x_val[:64])
    dump = dumping(keras, ParquetDump(run), 5, look, {"inputs/features": x[:64]})
    history = ready(
        model.fit(
            x, y, 16, 45, 0, [keras.callbacks.CSVLogger(run / "log.csv"), dump], validation_data=(x_val, y_val)
        ).history
    )
    if fixed:
        above(history, "val_accuracy", 0.92)
        steady(history, "val_loss")
    else:
        not_below(history, "loss", 0.45)


@pair(
    "validation-split-of-sorted-data",
    (*VALIDATION_LOST, "loss-divergence"),
    "event files in train/ and validation/",
    framework="keras",
)
def last_fifth_of_sorted(run: Path, seed: int, fixed: bool) -> None:
    """validation_split=0.2 of rows sorted by class, which is taken from the end before they are shuffled: all of it is of classes never
    seen; fixed: shuffled before.
    """
    keras = seeded(seed)
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x)) if fixed else np.argsort(y, kind="stable")
    x, y = (x[order] / 16).astype("float32").reshape(-1, 8, 8, 1), y[order]
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    )
    model.add(layers.Dense(10, "softmax"))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = ready(model.fit(x, y, 32, 12, 0, validation_split=0.2).history)
    as_directories(run, history)
    above(history, "accuracy", 0.9)
    if fixed:
        above(history, "val_accuracy", 0.9)
        steady(history, "val_loss")
    else:
        not_above(history, "val_accuracy", 0.05)


@pair(
    "class-imbalance",
    ("class-imbalance", "metric-at-chance", "classifier-confusion", "underfit", "loss-plateau"),
    "CSVLogger; labels and outputs in tensorboard histograms",
    dumps=True,
    framework="keras",
)
def rare_defects(run: Path, seed: int, fixed: bool) -> None:
    """Defects in 4 % of the parts, by a network that says there are none, with 96 % accuracy and no recall; fixed: weights of classes."""
    keras = seeded(seed)
    x, y = datasets.make_classification(
        1600, 12, n_informative=6, weights=[0.96], flip_y=0.01, class_sep=0.75, random_state=seed
    )
    x, x_val, y, y_val = x[:1200].astype("float32"), x[1200:].astype("float32"), y[:1200], y[1200:]
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((12,)), dense(10, "relu"), dense(1, "sigmoid", name="defect")])
    model.compile(
        keras.optimizers.SGD(0.02), "binary_crossentropy", metrics=["accuracy", keras.metrics.Recall(name="recall")]
    )

    def look(model: Any) -> dict[str, np.ndarray]:
        said = model.predict(x_val, verbose=0)
        return {"labels/defect": y_val[:, None].astype("float32"), "predictions/defect": (said > 0.5).astype("float32")}

    calls = [keras.callbacks.CSVLogger(run / "log.csv"), dumping(keras, HistogramDump(run), 3, look)]
    weights = {0: 1.0, 1: 15.0} if fixed else None
    history = ready(
        model.fit(x, y, 32, 14, 0, calls, validation_data=(x_val, y_val), class_weight=weights, shuffle=True).history
    )
    if fixed:
        above(history, "val_recall", 0.5)
        require(history["loss"][-1] < 0.85 * history["loss"][0], told(history))
    else:
        not_above(history, "val_recall", 0.2)
