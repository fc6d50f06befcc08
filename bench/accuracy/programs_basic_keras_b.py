"""Basic Keras programs: initialisation, regularisation, classes, schedules, recurrence and a VAE; each faulty and repaired."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, TensorBoard
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_basic_keras_common import (
    Lines,
    Printed,
    Table,
    Tensors,
    digits,
    fresh,
    gases,
    learn,
    parted,
    series,
    words,
)
from bench.accuracy.programs_field_common import above, below, not_below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "All my neurons are the same! And the accuracy is one in six."
@pair(
    "zero-initialisation",
    ("poor-initialization", "all-zero", "gradient-all-zero", "metric-at-chance", "loss-plateau", "underfit"),
    "Keras TensorBoard callback with histogram_freq=2",
    dumps=True,
    framework="keras",
)
def nose_zero_kernels_d(run: Path, seed: int, fixed: bool) -> None:
    """Gases by an MLP with kernel_initializer="zeros"; fixed: the default."""
    fresh(seed)
    of = gases(seed)
    start = "glorot_uniform" if fixed else "zeros"
    model = keras.Sequential([keras.Input((16,))])
    for width in (40, 20):
        model.add(layers.Dense(width, activation="relu", kernel_initializer=start))
    model.add(layers.Dense(6, activation="softmax", kernel_initializer=start))
    model.compile(keras.optimizers.RMSprop(0.002), "sparse_categorical_crossentropy", metrics=["acc"])
    found = learn(model, of, 15, [board(keras, run, weights=2)])
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.3)


# "I was told to add L2 against overfitting. Now it is at 25 %: chance."
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "metric-at-chance", "loss-plateau", "task-not-learned", "initial-loss"),
    "Keras CSVLogger, weights and gradients in HDF5",
    dumps=True,
    framework="keras",
)
def tickets_l2_half_d(run: Path, seed: int, fixed: bool) -> None:
    """Matters of tickets by a mean of embeddings with l2(0.5) on each layer; fixed: l2(1e-5)."""
    fresh(seed)
    of = words(seed)
    strength = 1e-5 if fixed else 0.5

    def decay() -> Any:
        return keras.regularizers.L2(strength)

    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Embedding(250, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(24, activation="relu", kernel_regularizer=decay()),
            layers.Dense(4, activation="softmax", kernel_regularizer=decay()),
        ]
    )
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(str(run / "tickets_log.csv"))
    found = learn(model, of, 16, [logger, Tensors(Hdf5Dump(run, by_name=True), of, 3)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.4)


# "97 % accuracy on fraud, and not one fraud found."
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "class-never-found", "constant-answer", "metric-at-chance"),
    "JSON lines by a callback",
    framework="keras",
)
def fraud_rare_d(run: Path, seed: int, fixed: bool) -> None:
    """Fraud, three in a hundred, without class weights; fixed: weighted."""
    fresh(seed)
    x, y = datasets.make_classification(
        2000,
        12,
        n_informative=6,
        n_redundant=2,
        weights=[0.965],
        class_sep=1.6,
        flip_y=0.0,
        n_clusters_per_class=1,
        random_state=seed + 20,
    )
    of = parted(x, y, seed, 0.3, scaled=True)
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    recall, area = keras.metrics.Recall(name="recall"), keras.metrics.AUC(name="auc")
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy", metrics=["accuracy", recall, area])
    weights = {0: 1.0, 1: 25.0} if fixed else None
    found = learn(model, of, 14, [Lines(run / "fraud.jsonl")], batch=64, class_weight=weights)
    if fixed:
        above(found, "val_recall", 0.7)
        above(found, "val_auc", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.05)


# "After epoch five the curves are flat as a table. The schedule? It divides by ten, as in the paper."
@pair(
    "learning-rate-zero-too-early",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "underfit", "loss-plateau", "updates-too-small"),
    "Keras CSVLogger with learning_rate",
    framework="keras",
)
def digits_rate_gone_d(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN whose rate is divided by ten each epoch, not each ten; fixed: each ten."""
    fresh(seed)
    of = digits(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    every = 10 if fixed else 1
    fall = keras.callbacks.LearningRateScheduler(lambda epoch: 0.05 * 0.1 ** (epoch // every))
    found = learn(model, of, 25, [fall, keras.callbacks.CSVLogger(str(run / "history.csv"))], batch=128)
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.85)


# "My LSTM for the river says nan. I took relu because it is faster."
@pair(
    "exploding-rnn",
    (
        "exploding-gradient",
        "non-finite",
        "loss-divergence",
        "loss-goes-missing",
        "loss-spike",
        "exploding-tensor",
        "data-not-normalized",
    ),
    "Keras TensorBoard callback: train/ and validation/ with batch_*",
    framework="keras",
)
def river_relu_lstm_d(run: Path, seed: int, fixed: bool) -> None:
    """A river's level by an LSTM with relu on centimetres; fixed: tanh on standardised levels."""
    fresh(seed)
    of = series(seed, length=40)
    mean, spread = (of.x.mean(), of.x.std()) if fixed else (0.0, 1.0)
    of = Table(*((one - mean) / spread for one in of))
    model = keras.Sequential(
        [keras.Input((40, 1)), layers.LSTM(16, activation="tanh" if fixed else "relu"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.05, 0.9), "mse", metrics=["mae"])
    found = learn(model, of, 14, [board(keras, run, batches=2)], batch=48)
    if fixed:
        below(found, "val_loss", 0.12)
        steady(found, "val_loss", 0.4)
    else:
        not_below(found, "val_loss", 3000.0)


class Sampling(layers.Layer):  # type: ignore[misc]
    """A draw from the normal distribution of a code; its divergence from the standard one is added to the loss."""

    def __init__(self, weight: float, **more: Any) -> None:
        super().__init__(**more)
        self.weight = weight
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs: Any) -> Any:
        mean, spread = inputs
        apart = -0.5 * ops.mean(ops.sum(1 + spread - ops.square(mean) - ops.exp(spread), axis=1))
        self.add_loss(self.weight * apart)
        return mean + ops.exp(0.5 * spread) * keras.random.normal(ops.shape(mean), seed=self.seeds)


# "My VAE draws the same grey blob for each digit." The reconstruction is a mean over pixels, the divergence a sum.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "underfit", "representation-collapse", "constant-answer"),
    "SummaryWriter with kl and reconstruction, codes in HDF5",
    dumps=True,
    framework="keras",
)
def digits_vae_mean_d(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with the error's mean against the divergence's sum; fixed: both sums, told for each pixel."""
    fresh(seed)
    x = digits(seed)
    of = Table(x.x.reshape(-1, 64), x.x.reshape(-1, 64), x.xv.reshape(-1, 64), x.xv.reshape(-1, 64))
    pixels = keras.Input((64,))
    hidden = layers.Dense(48, activation="relu")(pixels)
    mean, spread = layers.Dense(6, name="z_mean")(hidden), layers.Dense(6, name="z_log_var")(hidden)
    code = Sampling(1 / 64 / 4 if fixed else 1.0)([mean, spread])
    drawn = layers.Dense(64, activation="sigmoid")(layers.Dense(48, activation="relu")(code))
    model = keras.Model(pixels, drawn)
    model.compile(keras.optimizers.Adam(0.004), "mse", metrics=["mse"])
    writer = TensorBoard(run, "plain")
    coder = keras.Model(pixels, [mean, spread])

    class Told(keras.callbacks.Callback):  # type: ignore[misc]
        """Losses and the divergence of the validation's codes."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            told = logs or {}
            codes, spreads = (np.array(ops.convert_to_numpy(one)) for one in coder(of.xv))
            apart = float(-0.5 * (1 + spreads - codes**2 - np.exp(spreads)).sum(1).mean())
            more = {"reconstruction/train": told["mse"], "reconstruction/val": told["val_mse"], "kl/val": apart}
            writer.log(epoch, {"loss/train": told["loss"], "loss/val": told["val_loss"], **more})

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            writer.close()

    found = learn(model, of, 25, [Told(), Tensors(Hdf5Dump(run), of, 5, ("z_mean", "z_log_var"))], batch=64)
    if fixed:
        below(found, "val_mse", 0.052)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_mse", 0.065)


# "The net predicts 35 MPa for each concrete." A large step on raw targets, and each relu is shut.
@pair(
    "dead-relu",
    (
        "dead-relu",
        "gradient-all-zero",
        "constant-answer",
        "loss-plateau",
        "underfit",
        "unchanged-tensor",
        "learning-rate-too-high",
    ),
    "output of model.fit(verbose=2) in a file, outputs of layers in HDF5",
    dumps=True,
    framework="keras",
)
def concrete_dead_d(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete, 35 ± 16, under SGD(0.03) with momentum and a clipped norm; fixed: SGD(0.0005)."""
    fresh(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(600, 8))
    y = 35 + 9 * x[:, 0] - 6 * x[:, 1] + 8 * np.abs(x[:, 2]) + 5 * x[:, 3] * x[:, 4] + 2 * random.normal(size=600)
    of = parted(x, y[:, None], seed)
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.0005 if fixed else 0.03, 0.9, clipnorm=50.0), "mse", metrics=["mae"])
    dump = Tensors(Hdf5Dump(run), of, 4, ("dense", "dense_1"))
    found = learn(model, of, 24, [Printed(run / "fit.log", 24), dump])
    if fixed:
        below(found, "val_loss", 0.35 * float(of.yv.var()))
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 0.9 * float(of.yv.var()))
        below(found, "val_loss", 2.0 * float(of.yv.var()))
