"""The week's Keras programs: depth, recurrence, rates, frozen layers, penalties and a VAE; and their repaired versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, Hdf5History, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import gestures, loads, spectra, standard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, houses, pictures
from bench.accuracy.programs_week_common import into
from bench.accuracy.programs_week_keras_common import arrays, dumper, fresh, learn, teller

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Deeper should be better": ten Dense layers with activation='sigmoid'.
@pair(
    "vanishing-gradient",
    (*NOTHING_LEARNED, "vanishing-gradient", "updates-too-small", "low-variance", "constant-answer"),
    "Keras CSVLogger, HDF5 with weights and gradients each second epoch",
    framework="keras",
    dumps=True,
)
def keras_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by ten Dense layers with sigmoids; fixed: ReLU and he_normal."""
    keras = fresh(seed)
    of = arrays(data.bundled("digits", seed))
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(10):
        kind, start = ("relu", "he_normal") if fixed else ("sigmoid", "glorot_uniform")
        model.add(keras.layers.Dense(24, activation=kind, kernel_initializer=start))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = dumper(keras, Hdf5Dump(run), 2, weights="weights/{}", gradients="gradients/{}")
    found = learn(model, of, 22, [keras.callbacks.CSVLogger(str(run / "history.csv")), dump], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.35)


# "The transfer learning recipe gives 50 %": layer.trainable = False for all but the last, of a network that was never trained.
@pair(
    "frozen-by-mistake",
    (*BADLY_LEARNED, "unchanged-tensor", "gradient-all-zero", "updates-too-small", "metric-at-chance"),
    "Keras TensorBoard callback with histograms each epoch",
    framework="keras",
    dumps=True,
)
def keras_frozen_untrained(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in pictures by Conv2D with weights=None and all but the last layer frozen; fixed: nothing frozen."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(pictures(seed))
    of = (x / 127.5 - 1, y, x_val / 127.5 - 1, y_val)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(8, 3, activation="relu", name="block1_conv"),
            keras.layers.MaxPooling2D(name="block1_pool"),
            keras.layers.Conv2D(10, 3, activation="relu", name="block2_conv"),
            keras.layers.GlobalAveragePooling2D(name="avg_pool"),
            keras.layers.Dense(4, activation="softmax", name="predictions"),
        ]
    )
    for layer in model.layers[:-1]:
        layer.trainable = fixed
    model.compile(keras.optimizers.Adam(6e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 20, [board(keras, run, weights=1)], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.7)


# "The loss of my RNN is 1e14": SimpleRNN(activation='relu') with RandomNormal(stddev=0.5) for the recurrent kernel.
@pair(
    "exploding-rnn",
    (*BLOWN_UP, *NOTHING_LEARNED, "poor-initialization", "initial-loss", "poor-weight-initialization"),
    "CSV by hand, HDF5 with weights and gradients each epoch",
    framework="keras",
    dumps=True,
)
def keras_rnn_explodes(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid in an hour by a SimpleRNN with ReLU with a recurrent kernel drawn too large; fixed: orthogonal."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(standard(loads(seed, hours=700)))
    of = (x[:, :, None], y, x_val[:, :, None], y_val)
    start = keras.initializers.Orthogonal(gain=0.9) if fixed else keras.initializers.RandomNormal(stddev=0.5)
    model = keras.Sequential(
        [
            keras.Input((24, 1)),
            keras.layers.SimpleRNN(20, activation="relu", recurrent_initializer=start),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    log = teller(keras, Csv(run, "plain", "rnn.csv", "epoch"))
    dump = dumper(keras, Hdf5Dump(run, by_name=True), 1, weights="{}", gradients="{}/gradient")
    found = learn(model, of, 12, [log, dump])
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2", 0.0)


# "Adam does not work for me": Adam(learning_rate=0.1).
@pair(
    "learning-rate-too-high",
    (*NOTHING_LEARNED, *BLOWN_UP, "dead-relu", "updates-too-large", "weight-update-ratio", "constant-answer"),
    "Keras TensorBoard callback with update_freq=10",
    framework="keras",
)
def keras_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Digits by two Conv2D and two Dense layers under Adam(0.1); fixed: 0.001, as is the default."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    of = (x / 16, y, x_val / 16, y_val)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(12, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(48, activation="relu"),
            keras.layers.Dense(24, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    rate = keras.optimizers.Adam(1e-3 if fixed else 0.1)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 12, [board(keras, run, batches=10)])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# "It stops learning after epoch 5": ReduceLROnPlateau(monitor='val_loss', mode='max').
@pair(
    "learning-rate-zero-too-early",
    (*BADLY_LEARNED, "rate-falls-too-soon", "learning-rate-zero", "updates-too-small", "schedule-mismatch"),
    "Keras TensorBoard callback with histograms each sixth epoch",
    framework="keras",
    dumps=True,
)
def keras_plateau_mode_max(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by Dense layers with a rate that is cut while the loss falls; fixed: mode='min'."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    of = (x, (y - 24) / 8, x_val, (y_val - 24) / 8)
    model = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(24, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=["mae", keras.metrics.R2Score(name="r2")])
    mode = "min" if fixed else "max"
    cut = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", mode=mode, factor=0.1, patience=3 if fixed else 1)
    found = learn(model, of, 60, [cut, board(keras, run, weights=6)], batch=24)
    if fixed:
        above(found, "val_r2", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        not_above(found, "val_r2", 0.72)


# "All outputs are 0.2": kernel_regularizer=l2(0.1) on each layer, where 1e-4 was meant.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "weights-vanish", "low-variance", "constant-answer", "all-zero", "dead-relu"),
    "HDF5 history, Parquet with weights each second epoch",
    framework="keras",
    dumps=True,
)
def keras_l2_everywhere(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra with Dense layers and l2(0.1) on each; fixed: l2(1e-4)."""
    keras = fresh(seed)
    of = arrays(spectra(seed, noise=0.5))
    model = keras.Sequential([keras.Input((60,))])
    strength = 1e-4 if fixed else 0.1
    for width in (48, 32, 24):
        model.add(keras.layers.Dense(width, activation="relu", kernel_regularizer=keras.regularizers.L2(strength)))
    last_one = keras.layers.Dense(5, activation="softmax", kernel_regularizer=keras.regularizers.L2(strength))
    model.add(last_one)
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log, dump = teller(keras, Hdf5History(run)), dumper(keras, ParquetDump(run), 2)
    found = learn(model, of, 24, [log, dump])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "My VAE draws the mean digit": the KL is a sum for each picture, and the error the mean over pixels.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "loss-not-decreasing", "representation-collapse", "underfit"),
    "JSON lines, HDF5 with z_mean and z_log_var each second epoch",
    framework="keras",
    dumps=True,
)
def keras_vae_collapses(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with mse as a mean over pixels and the KL as a sum with weight 1; fixed: a weight of 0.002."""
    keras = fresh(seed)
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x.numpy() / 16, of.x_val.numpy() / 16

    class Sampling(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Draws z and adds the divergence to the loss."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.kl = keras.metrics.Mean(name="kl_loss")
            self.random = keras.random.SeedGenerator(seed)

        def call(self, inputs: Any) -> Any:
            mean, spread = inputs
            each = -0.5 * keras.ops.sum(1 + spread - keras.ops.square(mean) - keras.ops.exp(spread), axis=1)
            kl = keras.ops.mean(each)
            self.kl.update_state(kl)
            self.add_loss(kl * (0.002 if fixed else 1.0))
            return mean + keras.ops.exp(0.5 * spread) * keras.random.normal(keras.ops.shape(mean), seed=self.random)

    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(48, activation="relu", name="encoder")(inputs)
    mean = keras.layers.Dense(6, name="z_mean")(hidden)
    spread = keras.layers.Dense(6, name="z_log_var")(hidden)
    z = Sampling(name="z")((mean, spread))
    shown = keras.layers.Dense(48, activation="relu", name="decoder")(z)
    outputs = keras.layers.Dense(64, activation="sigmoid", name="picture")(shown)
    model = keras.Model(inputs, outputs, name="vae")
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mse"])
    names = {"mse": "reconstruction_loss", "val_mse": "val_reconstruction_loss"}
    log = teller(keras, JsonLines(run, "plain", "vae.jsonl", "epoch"), lambda name: names.get(name, name))
    probe = x_val[:96]
    dump = dumper(
        keras,
        Hdf5Dump(run),
        2,
        weights="weights/{}",
        outputs="activations/{}",
        probe=probe,
        layers=("encoder", "z_mean", "z_log_var", "decoder"),
    )
    found = learn(model, (x, x, x_val, x_val), 20, [log, dump])
    blind = float(np.mean((x_val - x.mean(0)) ** 2))
    if fixed:
        require(last(found, "val_mse") < 0.65 * blind, f"{blind}: {told(found)}")
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_mse", 0.95 * blind)


# "Nothing happens, whatever I set": SGD(0.01, clipnorm=1e-3), a value that somebody's paper has for something else.
@pair(
    "gradient-clipped-too-tight",
    (*NOTHING_LEARNED, "gradient-always-clipped", "updates-too-small", "still-improving", "weight-update-ratio"),
    "CSV by hand with the norm of the gradients",
    framework="keras",
)
def keras_clipnorm(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand by Conv1D under SGD with clipnorm=1e-3; fixed: 1."""
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
    rate = keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=1.0 if fixed else 1e-3)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])

    class Norm(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Adds the norm of the last batch's gradients, before clipping, to what is logged."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            squares = [float(one.value.grad.square().sum()) for one in self.model.trainable_weights]
            if isinstance(logs, dict):
                logs["grad_norm"] = sum(squares) ** 0.5

    log = teller(keras, Csv(run, "plain", "metrics.csv", "epoch"), rate="learning_rate")
    found = learn(model, of, 16, [Norm(), log])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.45)
