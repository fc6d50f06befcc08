"""The week's healthy Keras programs that look odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, JsonLines, ParquetDump, ParquetLong
from bench.accuracy.programs_desk_common import customers, gestures, mails
from bench.accuracy.programs_field_common import above, last, steady, told
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_week_common import odd_into
from bench.accuracy.programs_week_keras_common import arrays, dumper, fresh, learn, teller, wear

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Validation is better than training, is that allowed?": Dropout(0.6) twice.
@odd("Keras TensorBoard callback with histograms each second epoch", dumps=True, framework="keras")
def keras_strong_dropout(run: Path, seed: int) -> None:
    """Which customers leave, by Dense layers with strong dropout; the training loss lies above the validation loss."""
    keras = fresh(seed)
    of = arrays(customers(seed, samples=1600, clear=3.0))
    model = keras.Sequential([keras.Input((12,))])
    for width in (24, 12):
        model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dropout(0.6))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 24, [board(keras, run, weights=2)])
    above(found, "val_accuracy", 0.8)
    steady(found, "val_loss", 0.12)
    require(last(found, "loss") > last(found, "val_loss"), told(found))


# "The loss stays above 0.9 while it is right on 95 %": label_smoothing=0.2.
@odd("Keras CSVLogger", framework="keras")
def keras_label_smoothing(run: Path, seed: int) -> None:
    """Digits by Dense layers with a label smoothing of 0.2."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    of = (x, np.eye(10, dtype="float32")[y], x_val, np.eye(10, dtype="float32")[y_val])
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    found = learn(model, of, 20, [keras.callbacks.CSVLogger(str(run / "smooth.csv"))], batch=64)
    above(found, "val_accuracy", 0.94)
    steady(found, "val_loss", 0.1)


# "Is it a bug that nothing moves in the base?": no, it was trained on other digits and is frozen.
@odd("Keras TensorBoard callback with histograms each epoch", dumps=True, framework="keras")
def keras_frozen_base(run: Path, seed: int) -> None:
    """A new head for the digits 5 to 9 on a frozen base that was trained on 0 to 4; only the head's training is logged."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    x, x_val = x / 16, x_val / 16
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(12, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
        ],
        name="base",
    )
    first = keras.Sequential([base, keras.layers.Dense(5, activation="softmax")])
    first.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    first.fit(x[y < 5], y[y < 5], epochs=3, verbose=0)
    base.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 1)), base, keras.layers.Dense(5, activation="softmax", name="head")])
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = (x[y > 4], y[y > 4] - 5, x_val[y_val > 4], y_val[y_val > 4] - 5)
    found = learn(model, of, 26, [board(keras, run, weights=1)])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.15)


# "A loss of -1.2?": a Gaussian likelihood of targets that hardly vary about their mean.
@odd("Parquet, long, and a Parquet with weights and gradients each fourth epoch", dumps=True, framework="keras")
def keras_negative_likelihood(run: Path, seed: int) -> None:
    """The wear of bearings and how sure one is of it, by a Gaussian likelihood, which falls below zero."""
    keras = fresh(seed)
    of = arrays(wear(seed))

    def likelihood(true: Any, said: Any) -> Any:
        """Negative logarithm of the density, without its constant."""
        spread = said[:, 1:]
        return keras.ops.mean(spread + 0.5 * keras.ops.square(true - said[:, :1]) * keras.ops.exp(-2 * spread))

    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(2, name="mean_and_spread")]
    )
    model.compile(keras.optimizers.Adam(4e-3), likelihood)
    names = {"loss": "train/nll", "val_loss": "val/nll"}
    log = teller(keras, ParquetLong(run, "plain"), lambda name: names.get(name, name))
    dump = dumper(keras, ParquetDump(run), 4, weights="weights/{}", gradients="gradients/{}")
    found = learn(model, of, 32, [log, dump])
    require(last(found, "val_loss") < -1.0, told(found))
    steady(found, "val_loss", 0.2)


# "My learning rate jumps": CosineDecayRestarts, and the loss with it.
@odd("JSON lines with the rate, HDF5 with weights and gradients each sixtieth batch", dumps=True, framework="keras")
def keras_warm_restarts(run: Path, seed: int) -> None:
    """Gestures of a hand by Conv1D under SGD with warm restarts each five epochs, then ten, then twenty."""
    keras = fresh(seed)
    of = arrays(gestures(seed))
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            keras.layers.Conv1D(12, 5, activation="relu"),
            keras.layers.Conv1D(16, 5, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.05, first_decay_steps=60, t_mul=2.0, m_mul=0.8)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log = teller(keras, JsonLines(run, "plain", "metrics.jsonl", "epoch"), rate="learning_rate")
    dump = dumper(keras, Hdf5Dump(run), 60, batches=True, weights="weights/{}", gradients="gradients/{}")
    found = learn(model, of, 35, [log, dump])
    above(found, "val_accuracy", 0.87)
    steady(found, "val_loss", 0.4)


# "Only some rows of the embedding get gradients": a vocabulary of 5,000 of which the mails use 200 words; and five epochs are enough.
@odd("what Keras prints with verbose=2, HDF5 with weights and gradients each epoch", dumps=True, framework="keras")
def keras_sparse_embedding(run: Path, seed: int) -> None:
    """The department of a mail by the mean of embeddings of a large vocabulary, in eight epochs."""
    keras = fresh(seed)
    of = arrays(mails(seed))
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            keras.layers.Embedding(5000, 8),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["acc"])
    dump = dumper(keras, Hdf5Dump(run), 1, weights="weights/{}", gradients="gradients/{}")
    found = learn(model, of, 8, [dump], printed=run / "stdout.log")
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.25)


# "Forty plants, and it stops by itself": EarlyStopping(patience=8, restore_best_weights=True).
@odd("Keras CSVLogger", framework="keras")
def keras_tiny_early_stop(run: Path, seed: int) -> None:
    """Irises, 60 of them, by one Dense layer with early stopping."""
    keras = fresh(seed)
    of = arrays(data.bundled("iris", seed, share=0.6))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    regular = keras.optimizers.AdamW(2e-2, weight_decay=1e-2)
    model.compile(regular, loss, metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    found = learn(model, of, 80, [keras.callbacks.CSVLogger(str(run / "iris.csv")), stop], batch=16)
    above(found, "val_accuracy", 0.86)
    steady(found, "val_loss", 0.3)
