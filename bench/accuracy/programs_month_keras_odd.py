"""Healthy Keras programs of the month that look odd."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, Hdf5History, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import customers, flats, inspections, spectra
from bench.accuracy.programs_field_common import above, below, steady
from bench.accuracy.programs_month_common import odd_into
from bench.accuracy.programs_month_keras_common import arrays, channels_last, dense, fraud, fresh, rows, tensors, train
from bench.accuracy.programs_post_common import board, over

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Why is val_loss always below loss?": Dropout(0.6) twice and GaussianNoise, which are off in validation.
@odd("printed lines of Keras with verbose=2", framework="keras")
def keras_noise_and_dropout(run: Path, seed: int) -> None:
    """Digits by a dense network under strong dropout: validation is better than training all along."""
    keras = fresh(seed)
    of = arrays(data.bundled("digits", seed))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.GaussianNoise(0.5),
            layers.Dense(96, activation="relu"),
            layers.Dropout(0.6),
            layers.Dense(48, activation="relu"),
            layers.Dropout(0.6),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 16, [], printed=run / "nohup.out.log")
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)
    require(found["val_loss"][-1] < found["loss"][-1], "validation was to be better than training")


# "The loss will not fall below 0.5 though all answers are right": CategoricalCrossentropy(label_smoothing=0.15).
@odd("Keras TensorBoard callback with histogram_freq=3", framework="keras", dumps=True)
def keras_smoothed_labels(run: Path, seed: int) -> None:
    """Plastics by their spectra with smoothed labels: a floor under the loss."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    one_hot = np.eye(5, dtype=np.float32)
    model = dense(keras, (60, 40, 5), last="softmax")
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.15)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    found = train(model, (x, one_hot[y], x_val, one_hot[y_val]), 14, [board(keras, run, weights=3)])
    above(found, "val_accuracy", 0.88)
    steady(found, "val_loss", 0.15)
    require(min(found["loss"]) > 0.4, f"smoothing was to leave a floor: {found['loss']}")


# "First eight epochs with the base frozen, then eight at 2e-4 on all": the tutorial on transfer, one CSVLogger with append=True.
@odd("Keras CSVLogger with append and gradients and weights in HDF5", framework="keras", dumps=True)
def keras_unfrozen_later(run: Path, seed: int) -> None:
    """Faults of a surface by convolutions trained before; the head first, then all at a small rate."""
    keras = fresh(seed)
    layers = keras.layers
    whole = channels_last(over(inspections(seed, noise=12.0), 255))
    middle, width = whole[0].mean(), whole[0].std()
    of = ((whole[0] - middle) / width, whole[1], (whole[2] - middle) / width, whole[3])
    base = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(16, 3, activation="relu", name="block1_conv"),
            layers.MaxPooling2D(2),
            layers.Conv2D(24, 3, activation="relu", name="block2_conv"),
            layers.GlobalMaxPooling2D(),
        ],
        name="base",
    )
    earlier = keras.Sequential([base, layers.Dense(4, activation="softmax")])
    earlier.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    earlier.fit(of[0], of[1], epochs=6, verbose=0)
    inputs = keras.Input((12, 12, 1))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="head")(base(inputs)))
    log, dump = str(run / "transfer.csv"), Hdf5Dump(run)
    base.trainable = False
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    first = train(model, of, 8, [keras.callbacks.CSVLogger(log, append=True), tensors(keras, dump, 28, gradients=True)])
    dump.close()
    base.trainable = True
    model.compile(keras.optimizers.Adam(2e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 16, [keras.callbacks.CSVLogger(log, append=True)], initial_epoch=8)
    above(found, "val_accuracy", 0.75)
    steady({"val_loss": first["val_loss"] + found["val_loss"]}, "val_loss", 0.3)


# "The learning rate jumps up three times": CosineDecayRestarts, and the loss with it.
@odd("Keras TensorBoard callback with update_freq=8", framework="keras")
def keras_cosine_restarts(run: Path, seed: int) -> None:
    """Digits as pictures by a CNN under warm restarts."""
    keras = fresh(seed)
    layers = keras.layers
    of = channels_last(over(data.bundled("digits", seed, scaled=False).as_images(), 16))
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.05, 22 * 3, t_mul=1.5, m_mul=0.9, alpha=0.01)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 14, [board(keras, run, batches=8)], batch=64)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.3)


# "It stops after a few dozen epochs of 500, on 133 rows": EarlyStopping(patience=8, restore_best_weights=True).
@odd("Keras CSVLogger and weights in Parquet", framework="keras", dumps=True)
def keras_wine_stops_early(run: Path, seed: int) -> None:
    """Three kinds of wine by a small network on 133 rows, stopped early."""
    keras = fresh(seed)
    of = arrays(data.bundled("wine", seed))
    model = dense(keras, (13, 8, 3), "tanh", "softmax", kernel_regularizer=keras.regularizers.L2(3e-3))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=8, min_delta=2e-3, restore_best_weights=True)
    calls = [keras.callbacks.CSVLogger(str(run / "wine.csv")), tensors(keras, ParquetDump(run), 15), stop]
    found = train(model, of, 80, calls, batch=16)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.15)


# "A loss below zero, is that a bug?": the density of a normal distribution, minus its logarithm, for rents in thousands.
@odd("history.h5 with nll", framework="keras")
def keras_negative_likelihood(run: Path, seed: int) -> None:
    """Rents and how sure they are by a Gaussian likelihood, which is a density and falls below zero."""
    keras = fresh(seed)
    ops = keras.ops
    x, y, x_val, y_val = arrays(flats(seed, samples=900))
    middle = y.mean()

    def nll(target: Any, told: Any) -> Any:
        """Minus the logarithm of the density."""
        mean, log_spread = told[:, :1], ops.clip(told[:, 1:], -4, 3)
        return ops.mean(log_spread + 0.5 * ops.square((target - mean) * ops.exp(-log_spread)))

    model = dense(keras, (9, 32, 2), "tanh", kernel_regularizer=keras.regularizers.L2(1e-4))
    model.compile(keras.optimizers.Adam(4e-3), nll)
    found = train(model, (x, (y - middle) / 1000, x_val, (y_val - middle) / 1000), 20, [rows(keras, Hdf5History(run))])
    below(found, "val_loss", -0.9)
    steady(found, "val_loss", 0.2)


# "Accuracy starts at 0.88 and ends at 0.9, but look at auc": few frauds, a bias that says so from the start (output_bias).
@odd("jsonl by a callback with auc", framework="keras")
def keras_rare_with_bias(run: Path, seed: int) -> None:
    """Rare fraud, with the bias of the output at the logarithm of the odds: a loss that starts low, hardly moves, and an AUC that rises."""
    keras = fresh(seed)
    of = fraud(seed, 2000, 0.06)
    odds = float(of[1].mean() / (1 - of[1].mean()))
    bias = keras.initializers.Constant(np.log(odds))
    model = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid", bias_initializer=bias),
        ]
    )
    judged = ["accuracy", keras.metrics.AUC(name="auc"), keras.metrics.AUC(name="prc", curve="PR")]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=judged)
    found = train(model, of, 12, [rows(keras, JsonLines(run, "plain", "fraud.jsonl", "epoch"))], batch=64)
    above(found, "val_auc", 0.8)
    steady(found, "val_loss", 0.2)


# "It went down twice over night": ModelCheckpoint and initial_epoch, after a crash the run goes on where it was.
@odd("Keras TensorBoard callback, twice into one directory", framework="keras")
def keras_went_on_after_crash(run: Path, seed: int) -> None:
    """Whether customers leave; broken off in the middle and gone on with, the optimizer included."""
    keras = fresh(seed)
    of = arrays(customers(seed, samples=1000))
    model = dense(keras, (12, 16, 1), last="sigmoid", kernel_regularizer=keras.regularizers.L2(3e-3))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    first = train(model, of, 7, [board(keras, run)])
    # The model is the same object: what a checkpoint of Keras keeps, weights and state of the optimizer.
    found = train(model, of, 16, [board(keras, run)], initial_epoch=7)
    above(found, "val_accuracy", 0.75)
    steady({"val_loss": first["val_loss"] + found["val_loss"]}, "val_loss", 0.2)
