"""Programs in Keras in the manner of questions: output and loss that do not fit, inputs as they came, rates, labels; and the answers."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, ParquetDump, TensorBoard
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
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_post_common import houses, patients, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My house prices are all predicted as 1": a sigmoid is left at the output of a regression.
@pair(
    "wrong-output-activation",
    (*NOTHING_LEARNED, "saturated-sigmoid", "vanishing-gradient", "constant-answer"),
    "Keras CSVLogger",
    framework="keras",
)
def prices_through_sigmoid(run: Path, seed: int, fixed: bool) -> None:
    """House prices in thousands by an MLP with a sigmoid at its end; fixed: linear."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    dense = keras.layers.Dense
    end = dense(1) if fixed else dense(1, activation="sigmoid")
    model = stack(keras, (10,), dense(32, activation="relu"), dense(16, activation="relu"), end)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    trail = model.fit(
        x, y, 16, 30, verbose=0, validation_data=(x_val, y_val), callbacks=[csv_logger(keras, run, "prices.csv")]
    ).history
    if fixed:
        below(trail, "val_mae", 4.0)
        steady(trail, "val_loss", 0.4)
    else:
        above(trail, "val_mae", 15.0)


# "Accuracy stays at exactly the same number": Dense(1, activation="softmax") for two classes.
@pair(
    "wrong-output-activation",
    (*NOTHING_LEARNED, "constant-answer", "gradient-all-zero", "unchanged-tensor"),
    "Keras TensorBoard callback with histograms of weights",
    framework="keras",
    dumps=True,
)
def softmax_of_one_unit(run: Path, seed: int, fixed: bool) -> None:
    """Diabetes of patients by an MLP with a softmax over one unit; fixed: sigmoid."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(patients(seed))
    dense = keras.layers.Dense
    model = stack(keras, (8,), dense(24, activation="relu"), dense(1, activation="sigmoid" if fixed else "softmax"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run, weights=2)]
    trail = model.fit(x, y, 16, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.73)
        steady(trail, "val_loss", 0.1)
    else:
        below(trail, "val_accuracy", 0.6)


# "Why is my loss negative?": digits 0 to 9 as labels under a binary cross-entropy of one logit.
@pair(
    "wrong-loss",
    ("impossible-loss", "metric-at-chance", "loss-divergence", "underfit", "saturated-sigmoid", "metric-left-behind"),
    "Keras output with verbose=2, sent to a file",
    framework="keras",
)
def ten_digits_one_logit(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with one logit under binary cross-entropy; fixed: ten under a categorical one."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    dense = keras.layers.Dense
    model = stack(keras, (64,), dense(32, activation="relu"), dense(10 if fixed else 1))
    losses = keras.losses
    kind = losses.SparseCategoricalCrossentropy if fixed else losses.BinaryCrossentropy
    model.compile(keras.optimizers.Adam(1e-3), kind(from_logits=True), metrics=["accuracy"])
    with printed(run, "keras_output.log"):
        trail = model.fit(x, y, 32, 15, verbose=2, validation_data=(x_val, y_val)).history
    if fixed:
        above(trail, "val_accuracy", 0.9)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_accuracy", 0.25)


# "loss: nan from the first epoch": the columns of the table go in with their units.
@pair(
    "inputs-not-normalised",
    (*NOTHING_LEARNED, "data-not-normalized", "unstable-loss", "loss-spike", "exploding-gradient", "dead-relu"),
    "csv by LambdaCallback and HDF5 with inputs, weights and gradients",
    framework="keras",
    dumps=True,
)
def patients_in_their_units(run: Path, seed: int, fixed: bool) -> None:
    """Diabetes by an MLP under SGD on raw columns; fixed: standardised."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(patients(seed, scaled=fixed))
    dense = keras.layers.Dense
    model = stack(
        keras, (8,), dense(16, activation="relu"), dense(8, activation="relu"), dense(1, activation="sigmoid")
    )
    model.compile(keras.optimizers.SGD(0.02), "binary_crossentropy", metrics=["accuracy"])
    calls = [
        teller(keras, Csv(run, "plain", "epochs.csv", "epoch"), {"accuracy": "acc", "val_accuracy": "val_acc"}),
        dumper(keras, Hdf5Dump(run), 40, "wga", x[:64]),
    ]
    trail = model.fit(x, y, 16, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.735)
        steady(trail, "val_loss", 0.15)
    else:
        not_above(trail, "val_accuracy", 0.705)


# "Every layer outputs 0 or 1": pictures of 0 to 255 into sigmoid layers.
@pair(
    "saturated-sigmoid",
    (*NOTHING_LEARNED, "saturated-sigmoid", "saturated-activation", "data-not-normalized", "vanishing-gradient"),
    "SummaryWriter by a callback, HDF5 with weights and activations",
    framework="keras",
    dumps=True,
)
def bytes_into_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of 0 to 255 by a sigmoid MLP; fixed: divided by 255 and centred."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    x, x_val = x * 16, x_val * 16
    if fixed:
        x, x_val = x / 128 - 1, x_val / 128 - 1
    dense = keras.layers.Dense
    start = keras.initializers.RandomNormal(stddev=0.3) if not fixed else "glorot_uniform"
    model = stack(
        keras,
        (64,),
        dense(48, activation="sigmoid", kernel_initializer=start),
        dense(32, activation="sigmoid", kernel_initializer=start),
        dense(10, activation="softmax"),
    )
    model.compile(keras.optimizers.SGD(0.2, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = {
        "loss": "Loss/train",
        "val_loss": "Loss/val",
        "accuracy": "Accuracy/train",
        "val_accuracy": "Accuracy/val",
    }
    calls = [teller(keras, TensorBoard(run, "plain"), names), dumper(keras, Hdf5Dump(run), 4, "wa", x_val[:64], True)]
    trail = model.fit(x, y, 32, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.9)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_accuracy", 0.8)


# "Adam with lr=0.1, as in the SGD example, does not learn": the rate of another optimiser.
@pair(
    "learning-rate-too-high",
    (*NOTHING_LEARNED, *BLOWN_UP, "dead-relu", "updates-too-large", "all-zero"),
    "Keras TensorBoard callback with histograms of weights",
    framework="keras",
    dumps=True,
)
def shapes_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in coloured pictures by a CNN under Adam(0.1); fixed: 0.003."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(last_channel(pictures(seed)))
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 3),
        layers.Rescaling(1 / 127.5, -1.0),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(4, activation="softmax"),
    )
    model.compile(
        keras.optimizers.Adam(0.003 if fixed else 0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    calls = [tensorboard(keras, run, weights=1)]
    trail = model.fit(x, y, 32, 18, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.8)
        steady(trail, "val_loss", 0.4)
    else:
        below(trail, "val_accuracy", 0.5)


# "After 25 epochs it still guesses": Adam(1e-6), a typo for 1e-3.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small"),
    "history.json and CSVLogger with semicolons",
    framework="keras",
)
def waves_by_millionths(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of waves by a 1-D CNN under Adam(1e-6); fixed: 0.003."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(waves(seed))
    layers = keras.layers
    model = stack(
        keras,
        (40, 1),
        layers.Conv1D(12, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(16, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, activation="softmax"),
    )
    model.compile(
        keras.optimizers.Adam(3e-3 if fixed else 1e-6), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    calls = [csv_logger(keras, run, "log.csv", ";")]
    trail = model.fit(x, y, 16, 25, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    history_json(run, trail)
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.4)
    else:
        below(trail, "val_accuracy", 0.6)


# "Ten layers learn less than one": a stack of sigmoid layers, as deep as the paper's.
@pair(
    "vanishing-gradient",
    (*NOTHING_LEARNED, "vanishing-gradient", "updates-too-small", "low-variance", "unchanged-tensor"),
    "jsonl and Parquet with gradients only",
    framework="keras",
    dumps=True,
)
def tower_of_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by ten sigmoid layers; fixed: ReLU with He's initialisation."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    form: dict[str, Any] = (
        {"activation": "relu", "kernel_initializer": "he_normal"} if fixed else {"activation": "sigmoid"}
    )
    hidden = [keras.layers.Dense(32, **form) for _ in range(10)]
    model = stack(keras, (64,), *hidden, keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [teller(keras, JsonLines(run, "plain", "log.jsonl", "epoch")), dumper(keras, ParquetDump(run), 60, "g")]
    trail = model.fit(x, y, 32, 18, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_accuracy", 0.25)


# "nan in the middle of training": the cross-entropy is written out, with log(1 - p) of a p that reaches 1.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "loss-divergence", "impossible-loss", "metric-at-chance", "masked-non-finite"),
    "Keras CSVLogger",
    framework="keras",
)
def log_written_out(run: Path, seed: int, fixed: bool) -> None:
    """Spam by an MLP under a cross-entropy by hand; fixed: the probabilities are clipped."""
    keras = keras_of(seed)
    ops = keras.ops
    x, y, x_val, y_val = arrays(spam(seed, clear=5.0))
    dense = keras.layers.Dense

    def entropy(truth: Any, share: Any) -> Any:
        if fixed:
            share = ops.clip(share, 1e-6, 1 - 1e-6)
        return -ops.mean(truth * ops.log(share) + (1 - truth) * ops.log(1 - share))

    model = stack(keras, (12,), dense(48, activation="relu"), dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.02), entropy, metrics=["accuracy"])
    y, y_val = y[:, None].astype(np.float32), y_val[:, None].astype(np.float32)
    calls = [csv_logger(keras, run)]
    trail = model.fit(x, y, 32, 30, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.95)
        steady(trail, "val_loss", 0.6)
    else:
        require(not np.isfinite(trail["loss"][-1]), f"the loss was to be lost: {told(trail)}")


# "Training accuracy is 1, validation accuracy 0": validation_split takes the end of a table that is sorted by class.
@pair(
    "validation-of-unseen-classes",
    ("overfit", "generalisation-gap", "overtraining", "best-is-not-last", "error-rises", "metric-at-chance"),
    "Keras TensorBoard callback",
    framework="keras",
)
def sorted_digits_split(run: Path, seed: int, fixed: bool) -> None:
    """Digits sorted by class with validation_split=0.25; fixed: shuffled before."""
    keras = keras_of(seed)
    x, y, more, classes = arrays(data.bundled("digits", seed))
    x, y = np.concatenate([x, more])[:1400], np.concatenate([y, classes])[:1400]
    order = np.random.default_rng(seed).permutation(len(y)) if fixed else np.argsort(y, kind="stable")
    dense = keras.layers.Dense
    model = stack(
        keras, (64,), dense(32, activation="relu"), keras.layers.Dropout(0.2), dense(10, activation="softmax")
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run)]
    trail = model.fit(x[order], y[order], 32, 15, verbose=0, validation_split=0.25, callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.9)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_accuracy", 0.4)
