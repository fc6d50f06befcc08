"""More letters about programs in Keras: depth, splits, regularisers, schedules, a VAE; their repaired versions; and odd healthy ones."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5History, HistogramDump, KerasDirectories, TensorBoard
from bench.accuracy.programs_desk_common import gestures, mails, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_hobby_common import into, odd_into
from bench.accuracy.programs_hobby_keras_common import arrays, dumper, keras_at, progress, renamed, trail
from bench.accuracy.programs_post_common import board, houses

RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd = odd_into(RECIPES)


# "More layers should be better, but 12 hidden layers learn nothing at all": Dense(32, activation='sigmoid') in a loop.
@pair(
    "too-deep-with-sigmoids",
    (
        *NOTHING_LEARNED,
        "vanishing-gradient",
        "constant-answer",
        "updates-too-small",
        "saturated-sigmoid",
        "low-variance",
        "representation-collapse",
    ),
    "SummaryWriter with scalars and histograms of kernels and gradients",
    framework="keras",
    dumps=True,
)
def spectra_in_twelve_layers(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra through twelve hidden layers of sigmoids; fixed: two hidden layers of relu."""
    x, y, x_val, y_val = arrays(spectra(seed))
    keras = keras_at(seed)
    layers = keras.layers
    # The repaired version keeps the names of its layers.
    hidden = [layers.Dense(32, activation="relu" if fixed else "sigmoid") for _ in range(2 if fixed else 12)]
    model = keras.Sequential([layers.Input((x.shape[1],)), *hidden, layers.Dense(5, activation="softmax")])
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    writer = TensorBoard(run, "plain")
    names = {"loss": "train_loss", "accuracy": "train_acc", "val_loss": "val_loss", "val_accuracy": "val_acc"}
    dump = dumper(keras, HistogramDump(writer), 45, ("{}", "{}/gradient", "{}/activation"), x[:64])
    found = trail(
        model.fit(
            x,
            y,
            validation_data=(x_val, y_val),
            epochs=15,
            batch_size=32,
            verbose=0,
            callbacks=[renamed(keras, writer, names), dump],
        )
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.35)


# "val_accuracy is 0.0000 while accuracy is 0.95": validation_split=0.25, which takes the last rows, of a table sorted by class.
@pair(
    "validation-split-of-sorted-data",
    (*VALIDATION_LOST, "generalisation-gap", "most-answers-wrong", "confidently-wrong", "batches-of-one-class"),
    "Hdf5 history",
    framework="keras",
)
def gestures_split_at_the_end(run: Path, seed: int, fixed: bool) -> None:
    """Gestures sorted by class, and validation_split; fixed: the rows permuted before."""
    x, y, x_val, y_val = arrays(gestures(seed))
    x, y = np.concatenate([x, x_val]), np.concatenate([y, y_val])
    order = np.random.default_rng(seed).permutation(len(y)) if fixed else np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.004), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    names = {"loss": "loss", "accuracy": "accuracy", "val_loss": "val_loss", "val_accuracy": "val_accuracy"}
    log = renamed(keras, Hdf5History(run, "plain"), names)
    found = trail(model.fit(x, y, validation_split=0.25, epochs=16, batch_size=32, verbose=0, callbacks=[log]))
    above(found, "accuracy", 0.85)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.3)


# "Predictions are all the mean of the prices": kernel_regularizer=l2(1.0) in each layer, against overfitting.
@pair(
    "weight-decay-too-strong",
    (*BADLY_LEARNED, "metric-at-chance", "constant-answer", "all-zero", "updates-too-small"),
    "Keras' TensorBoard callback with batches",
    framework="keras",
)
def houses_under_l2(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses under an L2 of 1.0 on each kernel; fixed: of 1e-4."""
    of = houses(seed)
    x, y, x_val, y_val = arrays(of)
    y, y_val = ((one - of.y.numpy().mean()) / of.y.numpy().std() for one in (y, y_val))
    keras = keras_at(seed)
    layers = keras.layers

    def dense(units: int, activation: str | None) -> Any:
        return layers.Dense(units, activation, kernel_regularizer=keras.regularizers.L2(1e-4 if fixed else 1.0))

    model = keras.Sequential([layers.Input((10,)), dense(32, "relu"), dense(16, "relu"), dense(1, None)])
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse", metrics=["mae", "r2_score"])
    found = trail(
        model.fit(
            x,
            y,
            validation_data=(x_val, y_val),
            epochs=20,
            batch_size=32,
            verbose=0,
            callbacks=[board(keras, run, batches=4)],
        )
    )
    if fixed:
        above(found, "val_r2_score", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_r2_score", 0.1)


# "The loss freezes after three epochs": LearningRateScheduler(lambda epoch, lr: lr * 0.3), which compounds, since lr is the last one.
@pair(
    "rate-decays-too-soon",
    ("rate-falls-too-soon", "learning-rate-zero", "underfit", "loss-plateau", "schedule-mismatch", "updates-too-small"),
    "printed log of Keras with verbose=2",
    framework="keras",
)
def mails_schedule_compounds(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a 1-D CNN whose rate falls to 0.3 of it each epoch; fixed: to 0.9."""
    x, y, x_val, y_val = arrays(mails(seed, told=0.35))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((24,)),
            layers.Embedding(200, 16),
            layers.Conv1D(16, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    factor = 0.9 if fixed else 0.3
    calls = [
        keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * factor if epoch else lr),
        progress(keras, run / "train_output.txt", 18, rate=True),
    ]
    found = trail(model.fit(x, y, validation_data=(x_val, y_val), epochs=18, batch_size=32, verbose=0, callbacks=calls))
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        require(found["loss"][-1] > 1, told(found))
        not_below(found, "val_loss", 1)


# "My VAE draws the same grey blob for every input": the reconstruction is a mean over pixels, the KL a sum over the latent.
@pair(
    "kl-collapse",
    ("posterior-collapse", *BADLY_LEARNED, "constant-answer"),
    "csv with one row an epoch",
    framework="keras",
)
def digits_vae_collapsed(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with the mean of the squared errors plus the KL; fixed: their sum, as both should be."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x.numpy()[:900] / 16, of.x_val.numpy()[:300] / 16
    keras = keras_at(seed)
    layers, ops = keras.layers, keras.ops

    class Sampling(layers.Layer):  # type: ignore[misc, name-defined]
        """Adds noise to the means, and its KL to the loss."""

        def call(self, means: Any, logs: Any) -> Any:
            kl = -0.5 * ops.mean(ops.sum(1 + logs - ops.square(means) - ops.exp(logs), axis=-1))
            self.add_loss(kl)
            return means + ops.exp(0.5 * logs) * keras.random.normal(ops.shape(means))

    def reconstruction(real: Any, made: Any) -> Any:
        squares = ops.square(real - made)
        return 10 * ops.sum(squares, axis=-1) if fixed else ops.mean(squares, axis=-1)

    def mse(real: Any, made: Any) -> Any:
        return ops.mean(ops.square(real - made), axis=-1)

    inputs = keras.Input((64,))
    hidden = layers.Dense(48, activation="relu")(inputs)
    latent = Sampling()(layers.Dense(6, name="z_mean")(hidden), layers.Dense(6, name="z_log_var")(hidden))
    outputs = layers.Dense(64, activation="sigmoid")(layers.Dense(48, activation="relu")(latent))
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=reconstruction, metrics=[mse])
    log = Csv(run, "plain", "vae_log.csv", "epoch")
    probe = keras.Model(inputs, [model.get_layer("z_mean").output, model.get_layer("z_log_var").output])
    rows: dict[str, list[float]] = {}
    for epoch in range(16):
        history = trail(model.fit(x, x, validation_data=(x_val, x_val), epochs=1, batch_size=32, verbose=0))
        means, logs = (ops.convert_to_numpy(one) for one in probe(x_val, training=False))
        row = {name: values[-1] for name, values in history.items()}
        row["kl_loss"] = float(np.mean(-0.5 * np.sum(1 + logs - means**2 - np.exp(logs), axis=-1)))
        log.log(epoch, row)
        for tag, value in row.items():
            rows.setdefault(tag, []).append(value)
    log.close()
    spread = float(x_val.var(0).mean())
    if fixed:
        below(rows, "val_mse", 0.65 * spread)
        above(rows, "kl_loss", 2)
        steady(rows, "val_loss", 0.1)
    else:
        above(rows, "val_mse", 0.9 * spread)
        below(rows, "kl_loss", 0.1)


# "Is a negative loss a bug?" No: it is keras.losses.CosineSimilarity, which goes to -1.
@odd("Keras-like event files in train/ and validation/", framework="keras")
def cosine_loss_below_zero(run: Path, seed: int) -> None:
    """Directions in space by the cosine of the angle between output and target: a loss that falls from 0 to about -1."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(700, 8))
    turned = np.tanh(z @ np.random.default_rng(5).normal(size=(8, 12)) / 2) @ np.random.default_rng(6).normal(
        size=(12, 3)
    )
    x, y, x_val, y_val = z[:520], turned[:520], z[520:], turned[520:]
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input((8,)), layers.Dense(32, activation="tanh"), layers.Dense(3)])
    model.compile(optimizer=keras.optimizers.Adam(0.004), loss=keras.losses.CosineSimilarity())
    names = {"loss": "train_loss", "val_loss": "val_loss", "lr": "lr"}
    log = renamed(keras, KerasDirectories(run), names)
    found = trail(model.fit(x, y, validation_data=(x_val, y_val), epochs=20, batch_size=32, verbose=0, callbacks=[log]))
    below(found, "val_loss", -0.9)
    steady(found, "val_loss", 0.05)


# "My validation is better than my training, is it leaking?" No: Dropout(0.5) and GaussianNoise act in training only.
@odd("Keras CSVLogger", framework="keras")
def validation_better_than_training(run: Path, seed: int) -> None:
    """Plastics by their spectra under much dropout and noise: the training loss stays far above that of validation."""
    x, y, x_val, y_val = arrays(spectra(seed))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((x.shape[1],)),
            layers.GaussianNoise(0.6),
            layers.Dense(48, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    table = keras.callbacks.CSVLogger(str(run / "history.csv"))
    found = trail(
        model.fit(x, y, validation_data=(x_val, y_val), epochs=22, batch_size=32, verbose=0, callbacks=[table])
    )
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.2)
    require(found["loss"][-1] > 1.3 * found["val_loss"][-1], told(found))
