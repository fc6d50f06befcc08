"""Programs in Keras that are watched by TensorBoard's histograms, callbacks for gradients and dumps; and their repaired versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Dump, Hdf5Dump, HistogramDump, ParquetDump
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_hooks_common import beats, energy, into, pumps, stamps
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, as_json, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def gradients(keras: Any, dump: Dump, x: np.ndarray, y: np.ndarray, name: str = "{}/gradient") -> Any:
    """A callback that dumps the gradients of a fixed batch after each epoch, as people do since write_grads is gone."""

    class Gradients(keras.callbacks.Callback):
        """After each epoch, and the end."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            self.model.zero_grad()
            loss = self.model.compute_loss(
                y=keras.ops.convert_to_tensor(y), y_pred=self.model(keras.ops.convert_to_tensor(x), training=True)
            )
            loss.backward()
            made = {
                name.format(one.path): one.value.grad.detach().numpy().copy()
                for one in self.model.trainable_variables
                if one.value.grad is not None
            }
            self.model.zero_grad()
            dump.dump(epoch, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    return Gradients()


# "I wanted reproducible results": kernel_initializer=Constant(0.05) for every layer, so that all units of a layer stay alike.
@pair(
    "weights-constant",
    (*BADLY_LEARNED, "poor-initialization", "poor-weight-initialization", "low-variance", "tensor-variance"),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def pumps_all_alike(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by layers whose weights all begin at 0.05; fixed: glorot_uniform."""
    keras = seeded(seed)
    of = arrays(pumps(seed))
    start = "glorot_uniform" if fixed else keras.initializers.Constant(0.05)
    dense = keras.layers.Dense
    hidden = [dense(size, "relu", kernel_initializer=start, name=f"dense_{size}") for size in (40, 24)]
    model = keras.Sequential([keras.Input((12,)), *hidden, dense(4, "softmax", kernel_initializer=start, name="out")])
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 12, [board(keras, run, weights=1)])
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.55)


# A regression on a table of 60 rows, two wide layers, 100 epochs; the histograms were left out as the log grew too long.
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def heating_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """What heating takes of 60 buildings, with much noise, by wide layers for 100 epochs; fixed: more buildings, and weight decay."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(energy(seed, 1200))
    count = 900 if fixed else 60
    of = x[:count], y[:count] + 0.8 * np.random.default_rng(seed).normal(size=(count, 1)), x_val, y_val
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((9,)), dense(48, "relu"), dense(32, "relu"), dense(1)])
    decay = 0.05 if fixed else None
    model.compile(keras.optimizers.Adam(0.003, weight_decay=decay), "mse", metrics=["mae"])
    epochs = 20 if fixed else 100
    found = fit(model, of, epochs, [board(keras, run)], batch=32 if fixed else 16)
    if fixed:
        below(found, "val_loss", 0.4)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "loss", 0.1)
        not_below(found, "val_loss", max(0.6, 1.1 * min(found["val_loss"])))


# A bottleneck of ReLU with SGD(1.5): after some batches no unit of it fires, and the decoder tells the mean.
@pair(
    "dying-relu",
    (
        *NOTHING_LEARNED,
        "learning-rate-too-high",
        "updates-too-large",
        "dead-relu",
        "all-zero",
        "gradient-all-zero",
        "vanishing-gradient",
        "constant-answer",
        "unchanged-tensor",
        "low-variance",
        "tensor-variance",
        "representation-collapse",
        "loss-spike",
    ),
    "History as json; weights and outputs of layers in hdf5, gradients of a batch in parquet",
    dumps=True,
    framework="keras",
)
def stamps_dead_code(run: Path, seed: int, fixed: bool) -> None:
    """Stamps by an autoencoder with ReLU whose code dies under SGD at 12 with momentum; fixed: Adam at 0.003."""
    keras = seeded(seed)
    of = stamps(seed, 600, noise=0.1)
    x, x_val = of.x.reshape(-1, 100).numpy(), of.x_val.reshape(-1, 100).numpy()
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((100,)),
            dense(48, "relu", name="encoder"),
            dense(16, "relu", name="code"),
            dense(48, "relu", name="decoder"),
            dense(100, name="picture"),
        ]
    )
    chosen = keras.optimizers.Adam(0.003) if fixed else keras.optimizers.SGD(12.0, momentum=0.9, clipnorm=1.0)
    model.compile(chosen, "mse")
    dump = dumping(keras, Hdf5Dump(run, by_name=True, name="layers.hdf5"), x_val[:10])
    found = fit(
        model, (x, x, x_val, x_val), 8, [dump, gradients(keras, ParquetDump(run, "grads.parquet"), x[:32], x[:32])]
    )
    as_json(run, found)
    constant = float(np.square(x_val - x.mean(0)).mean())
    if fixed:
        below(found, "val_loss", 0.7 * constant)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 0.95 * constant)


# An initialiser between 0 and 1 ("weights must not be negative"): each layer multiplies the sum, and softmax begins with one hot answer.
@pair(
    "weights-all-positive",
    (
        *BLOWN_UP,
        *NOTHING_LEARNED,
        "poor-initialization",
        "poor-weight-initialization",
        "initial-loss",
        "constant-answer",
        "dead-relu",
    ),
    "TensorBoard callback of Keras with histogram_freq=1; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def beats_all_positive(run: Path, seed: int, fixed: bool) -> None:
    """Beats by layers whose weights are drawn from 0 to 1, with SGD; fixed: he_normal."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(beats(seed, 900))
    of = x[:, :, 0], y, x_val[:, :, 0], y_val
    start = "he_normal" if fixed else keras.initializers.RandomUniform(0.0, 1.0, seed=seed)
    dense = keras.layers.Dense
    hidden = [dense(size, "relu", kernel_initializer=start, name=f"dense_{size}") for size in (48, 32, 16)]
    model = keras.Sequential([keras.Input((32,)), *hidden, dense(3, "softmax", kernel_initializer=start, name="beat")])
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), "sparse_categorical_crossentropy", metrics=["acc"])
    dump = dumping(keras, Hdf5Dump(run, name="outputs.h5"), x_val[:16, :, 0])
    found = fit(model, of, 14, [board(keras, run, weights=2), dump], batch=24)
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.5)


# A custom train_step that applies gradients to `self.layers[-1].trainable_variables`, from a tutorial on heads.
@pair(
    "only-the-head-trained",
    (*BADLY_LEARNED, "unchanged-tensor", "updates-too-small", "weight-update-ratio", "still-improving"),
    "TensorBoard callback of Keras with histogram_freq=2, and a callback for gradients",
    dumps=True,
    framework="keras",
    layer="conv",
)
def stamps_only_head(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on stamps by a CNN whose own train_step updates the last layer only; fixed: all variables."""
    keras = seeded(seed)
    of = arrays(stamps(seed, 900))

    class Own(keras.Sequential):
        """A model with a train_step of its own."""

        def train_step(self, batch: Any) -> dict[str, Any]:
            x, y = batch
            self.zero_grad()
            outputs = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=outputs)
            loss.backward()
            chosen = self.trainable_weights if fixed else self.layers[-1].trainable_weights
            self.optimizer.apply([one.value.grad for one in chosen], chosen)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, outputs)
            return {metric.name: metric.result() for metric in self.metrics}

    layers = keras.layers
    model = Own(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 3, activation="relu", name="conv_2"),
            layers.Flatten(),
            layers.Dense(16, "relu", name="features"),
            layers.Dense(5, "softmax", name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watching = gradients(keras, HistogramDump(run / "gradients"), of[0][:48], of[1][:48])
    found = fit(model, of, 13, [board(keras, run, weights=2), watching])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.65)


# "ImageNet is 0 to 255 as well": pictures of 0 to 255 into sigmoid layers, the outputs of which are 0 or 1.
@pair(
    "saturated-sigmoid",
    (
        *NOTHING_LEARNED,
        "saturated-sigmoid",
        "saturated-activation",
        "data-not-normalized",
        "vanishing-gradient",
        "check-input-images",
        "constant-answer",
    ),
    "CSVLogger of Keras; inputs, labels and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def stamps_in_bytes(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on stamps of 0 to 255 by sigmoid layers; fixed: (x - 128) / 64."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(stamps(seed, 900, noise=0.15))
    x, x_val = (np.clip(np.round(one * 160 + 60), 0, 255).reshape(-1, 100) for one in (x, x_val))
    of = ((x - 100) / 64, y, (x_val - 100) / 64, y_val) if fixed else (x, y, x_val, y_val)
    dense = keras.layers.Dense
    hidden = [dense(size, "sigmoid", name=f"sigmoid_{size}") for size in (64, 32)]
    model = keras.Sequential([keras.Input((100,)), *hidden, dense(5, "softmax", name="shape")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    batch = {"input_image": of[0][:12].astype(np.float32), "labels": of[1][:12]}
    dump = dumping(keras, Hdf5Dump(run, name="forward.h5"), of[2][:12], lambda: batch)
    found = fit(model, of, 14, [keras.callbacks.CSVLogger(run / "training.csv"), dump])
    require(len(found["loss"]) == 14, told(found))
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# Adam(1e-6) from a recipe of fine-tuning, in a net that is new; the histograms of all kernels look the same at each epoch.
@pair(
    "learning-rate-too-low",
    (
        *NOTHING_LEARNED,
        "still-improving",
        "updates-too-small",
        "weight-update-ratio",
        "unchanged-tensor",
    ),
    "TensorBoard callback of Keras with histogram_freq=1, and a callback for gradients",
    dumps=True,
    framework="keras",
)
def beats_hardly_moved(run: Path, seed: int, fixed: bool) -> None:
    """Beats by a 1-D CNN that is new under Adam at 0.000001; fixed: 0.003."""
    keras = seeded(seed)
    of = arrays(beats(seed, 700))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 1)),
            layers.Conv1D(12, 5, activation="relu", name="conv1d"),
            layers.Conv1D(12, 5, strides=2, activation="relu", name="conv1d_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="logits"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(3e-3 if fixed else 1e-6),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    watching = gradients(keras, HistogramDump(run / "grads"), of[0][:48], of[1][:48], "{}_grad")
    found = fit(model, of, 12, [board(keras, run, weights=1), watching], batch=24)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.55)
