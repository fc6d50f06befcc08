"""Commits that mend Keras programs: rates, preprocessing, batch norm, weights of classes and a VAE. Each before and after the commit."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import ParquetDump
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_keras_common import (
    bearings,
    cells,
    frauds,
    keras_at,
    tiles,
    trained,
)
from bench.accuracy.programs_field_common import BADLY_LEARNED, NOTHING_LEARNED, above, below, last, not_below, steady
from bench.accuracy.programs_post_common import board, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Stops learning after the first epoch": ExponentialDecay(decay_steps=1), meant as one epoch, but Keras counts batches.
@pair(
    "rate-falls-too-soon",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "underfit", "loss-plateau", "updates-too-small"),
    "Keras' TensorBoard callback with the learning rate",
    framework="keras",
)
def keras_decay_each_batch(run: Path, seed: int, fixed: bool) -> None:
    """The next character by a GRU whose rate falls by a twentieth with each batch; fixed: with each epoch."""
    keras = keras_at(seed)
    of, vocabulary = data.characters(seed, 16, 500)
    of = data.Split(of.x[:700], of.y[:700], of.x_val, of.y_val)
    layers = keras.layers
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=22 if fixed else 1, decay_rate=0.95)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Embedding(vocabulary, 12),
            layers.GRU(32, return_sequences=True),
            layers.Dense(vocabulary, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, of, 14, [board(keras, run)])
    if fixed:
        above(found, "val_accuracy", 0.6)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 2.0)


# "I took the 0.1 over from the SGD config": RMSprop(learning_rate=0.1).
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", *NOTHING_LEARNED, "constant-answer"),
    "Keras CSVLogger",
    framework="keras",
)
def keras_bearings_rmsprop_tenth(run: Path, seed: int, fixed: bool) -> None:
    """What is wrong with a bearing by a 1-D CNN under RMSprop(0.1); fixed: 0.001."""
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate=1e-3 if fixed else 0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, bearings(seed), 15, [keras.callbacks.CSVLogger(str(run / "log.csv"))])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.55)


# "Train accuracy 99 %, validation a coin toss": preprocess_input, to -1 … 1, stands in the train generator only.
@pair(
    "validation-not-preprocessed",
    (
        "generalisation-gap",
        "overfit",
        "confidently-wrong",
        "metric-left-behind",
        "validation-swings",
        "most-answers-wrong",
    ),
    "Keras CSVLogger with the learning rate",
    framework="keras",
)
def keras_validation_not_preprocessed(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of tiles by a CNN of ReLU6, as MobileNet, trained on pixels of -1 to 1 and validated on 0 to 255; fixed: both of -1 to 1."""
    keras = keras_at(seed)
    raw = tiles(seed, 480, noise=80.0)
    of = replace(raw, x=raw.x / 127.5 - 1, x_val=raw.x_val / 127.5 - 1 if fixed else raw.x_val)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(12, 3, activation="relu6"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu6"),
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(1e-3), "sparse_categorical_crossentropy", metrics=["acc"])
    slower = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=4)
    found = trained(model, of, 18, [slower, keras.callbacks.CSVLogger(str(run / "model_history.csv"), append=True)])
    above(found, "acc", 0.88)
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 2.0)
        below(found, "val_acc", 0.7)


def _vae(keras: Any, pixels: int, latent: int, weight: float) -> Any:
    """A variational autoencoder; `weight` of the reconstruction, a mean over pixels. Logs loss, reconstruction_loss and kl_loss."""
    layers, ops = keras.layers, keras.ops

    class Vae(keras.Model):  # type: ignore[misc]
        """Encoder, sampling, decoder."""

        def __init__(self) -> None:
            super().__init__(name="vae")
            self.hidden = layers.Dense(48, activation="relu", name="encoder_dense")
            self.z_mean = layers.Dense(latent, name="z_mean")
            self.z_log_var = layers.Dense(latent, name="z_log_var")
            self.decoder = keras.Sequential(
                [layers.Dense(48, activation="relu"), layers.Dense(pixels, activation="sigmoid")], name="decoder"
            )
            self.reconstruction = keras.metrics.Mean(name="reconstruction_loss")
            self.kl = keras.metrics.Mean(name="kl_loss")
            self.noise = keras.random.SeedGenerator(7)

        def call(self, x: Any, training: bool = False) -> Any:
            hidden = self.hidden(x)
            mean, log_var = self.z_mean(hidden), self.z_log_var(hidden)
            sample = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.noise)
            return self.decoder(sample), mean, log_var

        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
        ) -> Any:
            made, mean, log_var = y_pred
            reconstruction = ops.mean(keras.losses.binary_crossentropy(y, made))
            kl = ops.mean(ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1))
            self.reconstruction.update_state(reconstruction)
            self.kl.update_state(kl)
            return weight * reconstruction + kl

    return Vae()


# "All samples look like the same grey smear": binary_crossentropy is a mean, and `* original_dim` was left out.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "loss-not-decreasing", "low-variance", "underfit", "all-zero"),
    "history.json of Keras and a Parquet dump of the codes and weights",
    dumps=True,
    framework="keras",
)
def keras_vae_mean_of_pixels(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits whose reconstruction is a mean over pixels beside a sum over the code; fixed: sums both."""
    keras = keras_at(seed)
    of = over(data.bundled("digits", seed, scaled=False), 16)
    of = data.Split(of.x, of.x, of.x_val, of.x_val)
    model = _vae(keras, 64, 4, 64.0 if fixed else 1.0)
    model.compile(keras.optimizers.Adam(3e-3))
    dump, shown = ParquetDump(run), torch.tensor(of.x_val[:96])

    class Codes(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Dumps what the encoder says of some pictures, and the weights, after each second epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epoch % 2:
                return
            with torch.no_grad():
                _, mean, log_var = self.model(shown)
            made = {one.path: one.value.detach().numpy().copy() for one in self.model.trainable_weights}
            dump.dump(epoch, made | {"activations/z_mean": mean.numpy(), "activations/z_log_var": log_var.numpy()})

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    found = trained(model, of, 16, [Codes()])
    (run / "history.json").write_text(json.dumps(found), encoding="utf-8")
    if fixed:
        above(found, "val_kl_loss", 1.5)
        steady(found, "val_loss", 0.1)
        below(found, "val_reconstruction_loss", 0.39)
    else:
        below(found, "val_kl_loss", 0.05)
        not_below(found, "val_reconstruction_loss", 0.42)


# "recall is 0.0000 and accuracy 92 %": class_weight={0: 12., 1: 1.}, the wrong way round.
@pair(
    "class-weights-inverted",
    ("nothing-found", "class-imbalance", "constant-answer", "metric-at-chance", "metric-left-behind"),
    "jsonl by a LambdaCallback",
    framework="keras",
)
def keras_fraud_weights_swapped(run: Path, seed: int, fixed: bool) -> None:
    """Frauds among payments with the frequent class weighted twelvefold; fixed: the rare one, fourfold."""
    keras = keras_at(seed)
    layers = keras.layers
    of = frauds(seed)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = ["accuracy", keras.metrics.Recall(name="recall"), keras.metrics.Precision(name="precision")]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=metrics)
    with (run / "loss_log.jsonl").open("w", encoding="utf-8") as file:
        write = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: file.write(json.dumps({"epoch": epoch, **logs}) + "\n")
        )
        weights = {0: 1.0, 1: 4.0} if fixed else {0: 12.0, 1: 1.0}
        found = trained(model, of, 24, [write], class_weight=weights)
    if fixed:
        above(found, "val_recall", 0.6)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_recall", 0.1)


# "Dice is 0.9 in training and nothing in validation": BatchNormalization(momentum=0.999), taken over from a slim config.
@pair(
    "batch-norm-statistics",
    ("generalisation-gap", "overfit", "metric-left-behind", "nothing-found", "confidently-wrong", *BADLY_LEARNED[:1]),
    "console log of Keras, verbose=2",
    framework="keras",
)
def keras_segments_slow_statistics(run: Path, seed: int, fixed: bool) -> None:
    """Cells in pictures of 0 to 255 by convolutions after a batch norm of momentum 0.999; fixed: 0.8."""
    keras = keras_at(seed)
    layers, ops = keras.layers, keras.ops
    momentum = 0.8 if fixed else 0.999

    def dice_coef(y_true: Any, y_pred: Any) -> Any:
        both = ops.sum(y_true * y_pred, axis=(1, 2, 3))
        return (2 * both + 1) / (ops.sum(y_true, axis=(1, 2, 3)) + ops.sum(y_pred, axis=(1, 2, 3)) + 1)

    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.BatchNormalization(momentum=momentum),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=momentum),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=[dice_coef])
    found = trained(model, cells(seed), 16, batch=16, printed=run / "output.log")
    above(found, "dice_coef", 0.7)
    if fixed:
        above(found, "val_dice_coef", 0.7)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_dice_coef", last(found, "dice_coef") - 0.3)
