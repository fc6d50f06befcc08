"""Keras programs of notebooks: an autoencoder, order of the data, and healthy ones that look odd."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_colab_common import into, odd_into
from bench.accuracy.programs_colab_keras_common import (
    Arrays,
    as_events,
    as_json,
    as_printed,
    digits,
    dumping,
    fit,
    houses,
    keras_at,
    movements,
    signs,
    steady,
    tail,
)

RECIPES: list[Recipe] = []
pair, odd = into(RECIPES), odd_into(RECIPES)


# "My VAE of the tutorial draws the same grey blur for every digit; kl_loss is 0.000."
@pair(
    "posterior-collapse",
    ["posterior-collapse", "loss-plateau", "low-variance", "representation-collapse", "constant-answer"],
    "history.json and hdf5 tensors",
    framework="keras",
    dumps=True,
)
def vae_mean_pixels(run: Path, seed: int, fixed: bool) -> None:
    """A dense VAE whose reconstruction loss is the mean over the pixels, while the divergence is a sum over the code."""
    keras = keras_at(seed)
    layers, ops = keras.layers, keras.ops
    drawn = digits(seed, 1200)
    of = Arrays(drawn.x, drawn.x, drawn.x_val, drawn.x_val)

    class Sampling(keras.layers.Layer):
        """z of its mean and the logarithm of its variance; adds the divergence to the loss."""

        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            self.tracker = keras.metrics.Mean(name="kl_loss")
            self.random = keras.random.SeedGenerator(seed)

        def call(self, codes: list[Any]) -> Any:
            """The trick of the blog."""
            mean, variance = codes
            divergence = -0.5 * ops.mean(ops.sum(1 + variance - ops.square(mean) - ops.exp(variance), axis=1))
            self.add_loss(divergence)
            self.tracker.update_state(divergence)
            return mean + ops.exp(0.5 * variance) * keras.random.normal(ops.shape(mean), seed=self.random)

    def reconstruction(target: Any, drawn: Any) -> Any:
        """Cross-entropy by pixel, summed over the picture in the fixed version."""
        return keras.losses.binary_crossentropy(target, drawn) * (64.0 if fixed else 1.0)

    pixels = keras.Input((64,))
    hidden = layers.Dense(48, activation="relu", name="encoder_hidden")(pixels)
    mean, variance = layers.Dense(6, name="z_mean")(hidden), layers.Dense(6, name="z_log_var")(hidden)
    code = Sampling(name="z")([mean, variance])
    decoded = layers.Dense(48, activation="relu", name="decoder_hidden")(code)
    model = keras.Model(pixels, layers.Dense(64, activation="sigmoid", name="decoder_out")(decoded))
    model.compile(keras.optimizers.Adam(3e-3), reconstruction, metrics=["mse"])
    told = fit(model, of, 25, [dumping(keras, Hdf5Dump(run, by_name=True), of.x_val[:128])])
    as_json(run, told, "vae_history.json")
    error, blur = told["val_mse"][-1], float(((of.x_val - of.x.mean(0)) ** 2).mean())
    holds = error < 0.65 * blur and steady(told) if fixed else error > 0.95 * blur and told["kl_loss"][-1] < 0.05
    require(holds, f"mse {error:.4f} against {blur:.4f} of the mean picture, divergence {told['kl_loss'][-1]:.4f}")


# "I shuffled my arrays before fit and now the network only guesses on the validation data."
@pair(
    "labels-shuffled",
    ["metric-at-chance", "overfit", "generalisation-gap", "overtraining", "metric-left-behind", "task-not-learned"],
    "log of verbose=2",
    framework="keras",
)
def shuffled_inputs(run: Path, seed: int, fixed: bool) -> None:
    """`np.random.shuffle(x)` without the targets: rows and answers no longer belong together."""
    keras = keras_at(seed)
    of = movements(seed)
    order = np.random.default_rng(seed).permutation(len(of.y))
    of = of._replace(x=of.x[order], y=of.y[order] if fixed else of.y)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(24, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(32, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 20)
    as_printed(run, told, -(-len(of.y) // 32), "nohup.log")
    reached = tail(told["val_accuracy"])
    holds = reached > 0.85 and steady(told, slack=0.3) if fixed else reached < 0.45
    require(holds, f"val accuracy {reached:.3f}, accuracy {told['accuracy'][-1]:.3f}")


# "Why is my validation accuracy higher than my training accuracy?" - dropout, and nothing is wrong.
@odd("csv (CSVLogger)", framework="keras")
def dropout_below(run: Path, seed: int) -> None:
    """Strong dropout and noise on the inputs: training is worse than validation throughout."""
    keras = keras_at(seed)
    of = signs(seed, 900)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.GaussianNoise(0.2),
            layers.Conv2D(24, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.5),
            layers.Dense(48, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 18, [keras.callbacks.CSVLogger(str(run / "training_log.csv"))])
    reached = tail(told["val_accuracy"])
    above = sum(val < train for val, train in zip(told["val_loss"], told["loss"], strict=True))
    holds = reached > 0.85 and above >= 14 and steady(told, slack=0.4)
    require(holds, f"val accuracy {reached:.3f}, below the training loss in {above} epochs")


# "My loss is negative and goes on falling, is that a bug?" - a Gaussian likelihood, and nothing is wrong.
@odd("tensorboard (train/ and validation/)", framework="keras")
def gaussian_prices(run: Path, seed: int) -> None:
    """Prices with their own uncertainty by the Gaussian negative log-likelihood, which falls below 0."""
    keras = keras_at(seed)
    ops, layers = keras.ops, keras.layers
    of = houses(seed, 1400)
    mean, deviation = of.y.mean(), of.y.std()
    of = of._replace(y=(of.y - mean) / deviation, y_val=(of.y_val - mean) / deviation)

    def likelihood(target: Any, told: Any) -> Any:
        """Without the constant."""
        width = ops.softplus(told[:, 1:]) + 0.1
        return ops.mean(ops.log(width) + 0.5 * ops.square((target - told[:, :1]) / width))

    def mae(target: Any, told: Any) -> Any:
        """Of the mean alone."""
        return ops.mean(ops.abs(target - told[:, :1]))

    model = keras.Sequential(
        [keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(24, activation="relu"), layers.Dense(2)]
    )
    model.compile(keras.optimizers.Adam(2e-3), likelihood, metrics=[mae])
    told = fit(model, of, 14)
    as_events(run, told)
    best = min(told["val_loss"])
    holds = tail(told["val_loss"]) < -0.4 and told["val_loss"][-1] < best + 0.15 and told["val_mae"][-1] < 0.4
    require(holds, f"val loss {told['val_loss'][-1]:.3f} of best {best:.3f}, mae {told['val_mae'][-1]:.3f}")


# "After unfreezing, the learning rate is a tenth and half of my weights had not moved before." - fine-tuning in two stages.
@odd("csv (CSVLogger) and hdf5 tensors", framework="keras", dumps=True)
def two_stages(run: Path, seed: int) -> None:
    """A head on a frozen base for ten epochs, then both at a tenth of the rate for ten more, in one log."""
    keras = keras_at(seed)
    layers = keras.layers
    whole = digits(seed)
    dense = [layers.Dense(64, activation="relu", name="base_1"), layers.Dense(32, activation="relu", name="base_2")]
    old = keras.Sequential([keras.Input((64,)), *dense, layers.Dense(8, activation="softmax")])
    old.compile("adam", "sparse_categorical_crossentropy")
    old.fit(whole.x[whole.y < 8][:500], whole.y[whole.y < 8][:500], epochs=8, verbose=0)
    of = whole
    model = keras.Sequential([keras.Input((64,)), *dense, layers.Dense(10, activation="softmax", name="head")])
    dump = Hdf5Dump(run)
    close, dump.close = dump.close, lambda: None  # type: ignore[method-assign]
    history: dict[str, list[float]] = {}
    for stage, rate in enumerate((5e-3, 5e-4)):
        for layer in dense:
            layer.trainable = stage == 1
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        log = keras.callbacks.CSVLogger(str(run / "finetune.csv"), append=stage == 1)
        told = fit(model, of, 10 + 10 * stage, [log, dumping(keras, dump)], initial_epoch=10 * stage)
        for name, values in told.items():
            history.setdefault(name, []).extend(values)
    close()
    reached = history["val_accuracy"][-1]
    require(reached > 0.9 and steady(history), f"val accuracy {reached:.3f}, val loss {history['val_loss'][-1]:.3f}")
