"""Programs in Keras: initialisation, frozen parts, regularisation, clipping, schedules, and what is done to the data; and the answers."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, Hdf5History, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_decade_b_common import (
    arrays,
    csv_logger,
    dumper,
    history_json,
    keras_of,
    last_channel,
    printed,
    spam,
    stack,
    teller,
    tensorboard,
    waves,
)
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import inspections, loads, mails, spectra, standard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import houses, pictures, reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I initialise with a normal distribution as in the lecture": RandomNormal(stddev=1.0) in tanh layers of a hundred units.
@pair(
    "initialisation-too-large",
    (*BADLY_LEARNED, "saturated-tanh", "saturated-activation", "poor-initialization", "initial-loss", "overfit"),
    "SummaryWriter with histograms of weights, gradients and activations",
    framework="keras",
    dumps=True,
)
def plastics_from_wide_normal(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra with a tanh MLP from N(0, 1); fixed: Glorot."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    start = "glorot_uniform" if fixed else keras.initializers.RandomNormal(stddev=1.0)
    hidden = [keras.layers.Dense(100, activation="tanh", kernel_initializer=start) for _ in range(4)]
    model = stack(keras, (60,), *hidden, keras.layers.Dense(5, activation="softmax", kernel_initializer=start))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    board = TensorBoard(run, "plain")
    names = {"loss": "train/loss", "val_loss": "val/loss", "accuracy": "train/acc", "val_accuracy": "val/acc"}
    calls = [dumper(keras, HistogramDump(board), 3, "wga", x_val[:64], True), teller(keras, board, names)]
    trail = model.fit(x, y, 16, 18, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_accuracy", 0.75)


# "I set the weights to zero to be reproducible": kernel_initializer="zeros" in each layer.
@pair(
    "initialisation-zero",
    (*NOTHING_LEARNED, "all-zero", "poor-initialization", "unchanged-tensor", "gradient-all-zero", "low-variance"),
    "csv by a callback, HDF5 with weights and gradients",
    framework="keras",
    dumps=True,
)
def surfaces_from_zero(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN that starts at zero; fixed: Glorot."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(last_channel(inspections(seed)))
    layers = keras.layers
    form = {"kernel_initializer": "glorot_uniform" if fixed else "zeros"}
    model = stack(
        keras,
        (12, 12, 1),
        layers.Rescaling(1 / 64, -2.0),
        layers.Conv2D(12, 3, activation="relu", **form),
        layers.Conv2D(16, 3, activation="relu", **form),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(4, activation="softmax", **form),
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [teller(keras, Csv(run, "plain", "results.csv", "epoch")), dumper(keras, Hdf5Dump(run, True), 50, "wg")]
    trail = model.fit(x, y, 32, 16, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.7)
        steady(trail, "val_loss", 0.35)
    else:
        below(trail, "val_accuracy", 0.4)


# "The network cannot even fit the training set": a loop of `layer.trainable = False` for a pretrained model, without one.
@pair(
    "frozen-by-mistake",
    (*BADLY_LEARNED, "unchanged-tensor", "task-not-learned", "metric-at-chance"),
    "Keras TensorBoard callback with histograms of weights",
    framework="keras",
    dumps=True,
)
def reviews_frozen_encoder(run: Path, seed: int, fixed: bool) -> None:
    """Reviews by an LSTM whose untrained embedding and LSTM are frozen; fixed: not frozen."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(reviews(seed, 700, share=0.3))
    layers = keras.layers
    model = stack(keras, (30,), layers.Embedding(300, 8), layers.LSTM(12), layers.Dense(1, activation="sigmoid"))
    for layer in model.layers[:-1]:
        layer.trainable = fixed
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run, weights=1)]
    epochs = 8
    trail = model.fit(x, y, 16, epochs, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.6)
    else:
        below(trail, "val_accuracy", 0.68)


# "I added regularisation and now everything is one class": l2(1.0) where 1e-4 was meant.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "weights-vanish", "all-zero", "constant-answer", "low-variance"),
    "Keras TensorBoard callback, HDF5 with weights",
    framework="keras",
    dumps=True,
)
def mails_under_l2(run: Path, seed: int, fixed: bool) -> None:
    """Departments of mails as counts of words by an MLP under l2(1.0); fixed: 1e-4."""
    keras = keras_of(seed)
    of = mails(seed)
    x, x_val = (np.stack([np.bincount(one, minlength=200) for one in part.numpy()]) for part in (of.x, of.x_val))
    y, y_val = of.y.numpy(), of.y_val.numpy()
    decay = keras.regularizers.L2(1e-4 if fixed else 1.0)
    dense = keras.layers.Dense
    model = stack(
        keras,
        (200,),
        dense(24, activation="relu", kernel_regularizer=decay),
        keras.layers.Dropout(0.4),
        dense(4, activation="softmax", kernel_regularizer=decay),
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run), dumper(keras, Hdf5Dump(run), 2, "w", epochs=True)]
    trail = model.fit(
        x.astype(np.float32), y, 32, 12, verbose=0, validation_data=(x_val.astype(np.float32), y_val), callbacks=calls
    ).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_accuracy", 0.5)


# "clipnorm makes it stable, but slow": SGD(clipnorm=1e-3).
@pair(
    "clipped-too-tight",
    (*NOTHING_LEARNED, "gradient-always-clipped", "updates-too-small", "still-improving"),
    "jsonl with the norm of the gradient, HDF5 with weights and gradients",
    framework="keras",
    dumps=True,
)
def prices_clipped(run: Path, seed: int, fixed: bool) -> None:
    """House prices by an MLP under SGD(0.02, clipnorm=0.001); fixed: clipnorm=5."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    y, y_val = (y - 24) / 8, (y_val - 24) / 8
    dense = keras.layers.Dense
    model = stack(keras, (10,), dense(32, activation="relu"), dense(16, activation="relu"), dense(1))
    model.compile(keras.optimizers.SGD(0.02, clipnorm=5.0 if fixed else 1e-3), "mse", metrics=["mae"])

    class Norms(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Adds the norm of the last gradients to the logs."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            kept = [float(one.value.grad.norm()) for one in self.model.trainable_variables]
            logs["grad_norm"] = float(np.sqrt(np.sum(np.square(kept))))

    calls = [
        Norms(),
        teller(keras, JsonLines(run, "plain", "metrics.jsonl", "epoch")),
        dumper(keras, Hdf5Dump(run), 40, "wg"),
    ]
    trail = model.fit(x, y, 16, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        below(trail, "val_loss", 0.3)
        steady(trail, "val_loss", 0.4)
    else:
        above(trail, "val_loss", 0.6)


# "ReduceLROnPlateau kills the training": it watches the loss with mode="max", so that each epoch counts as bad.
@pair(
    "rate-zero-too-early",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "loss-plateau",
        "underfit",
        "updates-too-small",
        "loss-not-decreasing",
    ),
    "Keras CSVLogger with the learning rate",
    framework="keras",
)
def plateau_wrong_way(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a CNN whose rate falls tenfold whenever the loss does not rise; fixed: mode="min"."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(last_channel(pictures(seed)))
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 3),
        layers.Rescaling(1 / 255),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    mode = "min" if fixed else "max"
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=1, mode=mode, min_lr=0)
    calls = [reduce, csv_logger(keras, run, "history.csv")]
    trail = model.fit(x, y, 32, 24, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_accuracy", 0.75)


# "With relu in the SimpleRNN the loss is 1e12, then nan".
@pair(
    "exploding-rnn",
    (*BLOWN_UP, "loss-not-decreasing", "loss-goes-missing"),
    "Hdf5 history and HDF5 with gradients",
    framework="keras",
    dumps=True,
)
def load_by_relu_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid by a SimpleRNN with relu from N(0, 0.5) under SGD; fixed: tanh and an orthogonal start."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(standard(loads(seed)))
    start = "orthogonal" if fixed else keras.initializers.RandomNormal(stddev=0.5)
    layers = keras.layers
    cell = layers.SimpleRNN(16, activation="tanh" if fixed else "relu", recurrent_initializer=start)
    model = stack(keras, (24, 1), cell, layers.Dense(1))
    model.compile(keras.optimizers.SGD(0.03), "mse", metrics=["mae"])
    calls = [teller(keras, Hdf5History(run)), dumper(keras, Hdf5Dump(run), 22, "g")]
    trail = model.fit(x[:, :, None], y, 32, 8, verbose=0, validation_data=(x_val[:, :, None], y_val), callbacks=calls)
    if fixed:
        below(trail.history, "val_loss", 0.4)
        steady(trail.history, "val_loss", 0.3)
    else:
        not_above({"r": [1 - one for one in trail.history["val_loss"]]}, "r", 0.2)


# "Training is at 95 %, validation at 30 %": x_train /= 255, and x_test was forgotten.
@pair(
    "validation-prepared-differently",
    (*VALIDATION_LOST, "generalisation-gap", "validation-swings", "error-rises", "confidently-wrong"),
    "Keras TensorBoard callback with batches",
    framework="keras",
)
def test_set_in_bytes(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a CNN, validated on pictures of 0 to 255; fixed: divided like the others."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(last_channel(pictures(seed, 700)))
    x, x_val = x / 255, x_val / 255 if fixed else x_val
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 3),
        layers.Conv2D(12, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(4, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run, batches=5)]
    trail = model.fit(x, y, 32, 14, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.5)
    else:
        below(trail, "val_accuracy", 0.7)
        above(trail, "val_loss", 2.0)


# "val_loss goes up from the tenth epoch": wide layers for a hundred examples, two hundred passes.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises", "confidently-wrong"),
    "Keras TensorBoard callback",
    framework="keras",
)
def few_transactions_wide_net(run: Path, seed: int, fixed: bool) -> None:
    """Bad transactions by 2 x 256 units on 120 rows; fixed: 1,200 rows and dropout."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spam(seed, 1800, clear=0.8))
    rows, share = (len(x), 0.5) if fixed else (120, 0.0)
    layers = keras.layers
    width = 32 if fixed else 256
    model = stack(
        keras,
        (12,),
        layers.Dense(width, activation="relu"),
        layers.Dropout(share),
        layers.Dense(width, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run)]
    size = 64 if fixed else 8
    trail = model.fit(x[:rows], y[:rows], size, 30, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.69)
        steady(trail, "val_loss", 0.08)
    else:
        above({"rise": [trail["val_loss"][-1] / min(trail["val_loss"])]}, "rise", 1.5)


# "97 % accuracy and it finds no fraud at all": three in a hundred rows are fraud, and nothing makes up for it.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "class-never-found",
        "nothing-found",
        "constant-answer",
        "metric-at-chance",
        "most-answers-wrong",
    ),
    "Keras output with verbose=2, sent to a file",
    framework="keras",
)
def fraud_without_weights(run: Path, seed: int, fixed: bool) -> None:
    """Fraud of 4 % of all rows by an MLP; fixed: class_weight."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spam(seed, 2400, share=0.04, clear=1.1))
    dense = keras.layers.Dense
    model = stack(keras, (12,), dense(8, activation="relu"), dense(1, activation="sigmoid"))
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=metrics)
    weights = {0: 1.0, 1: 24.0} if fixed else None
    y, y_val = y[:, None], y_val[:, None]
    with printed(run):
        trail = model.fit(x, y, 32, 14, verbose=2, validation_data=(x_val, y_val), class_weight=weights).history
    if fixed:
        above(trail, "val_recall", 0.5)
    else:
        below(trail, "val_recall", 0.1)


# "It learns the training set by heart and guesses on the rest": np.random.shuffle(x) without y.
@pair(
    "labels-shuffled",
    (*VALIDATION_LOST, *NOTHING_LEARNED, "generalisation-gap"),
    "history.json",
    framework="keras",
)
def waves_without_their_labels(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of waves by a convolution and a GRU, shuffled without their labels; fixed: shuffled together."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(waves(seed, 600))
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order] if fixed else y
    layers = keras.layers
    model = stack(
        keras,
        (40, 1),
        layers.Conv1D(12, 5, strides=2, activation="relu"),
        layers.GRU(16),
        layers.Dense(3, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(4e-3, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    trail = model.fit(x, y, 32, 15, verbose=0, validation_data=(x_val, y_val)).history
    history_json(run, trail)
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.5)
    else:
        below(trail, "val_accuracy", 0.5)
