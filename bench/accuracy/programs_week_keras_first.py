"""The week's Keras programs: classifiers of pictures and tables, losses and what is done to the data; and their repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import customers, inspections
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, patients, pictures
from bench.accuracy.programs_week_common import into
from bench.accuracy.programs_week_keras_common import arrays, dumper, frauds, fresh, learn, teller

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I followed the tutorial, and mine says 25 % for ever": the line x / 127.5 - 1 was left out, pixels are 0 to 255.
@pair(
    "inputs-not-normalised",
    (*NOTHING_LEARNED, *BLOWN_UP, "data-not-normalized", "check-input-images", "initial-loss", "dead-relu"),
    "Keras CSVLogger, HDF5 with weights and outputs of layers each second epoch",
    framework="keras",
    dumps=True,
)
def keras_shapes_raw(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in pictures by a small Conv2D under SGD, with pixels of 0 to 255; fixed: of -1 to 1."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(pictures(seed))
    if fixed:
        x, x_val = x / 127.5 - 1, x_val / 127.5 - 1
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(12, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    rate = keras.optimizers.SGD(0.02, momentum=0.9)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    shown = dumper(
        keras,
        Hdf5Dump(run),
        2,
        weights="weights/{}",
        outputs="activations/{}",
        probe=x[:48],
        layers=("conv2d", "conv2d_1", "dense"),
    )
    callbacks = [keras.callbacks.CSVLogger(str(run / "training.csv")), shown]
    found = learn(model, (x, y, x_val, y_val), 20, callbacks)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.45)


# "It learns, only the loss never falls below 1.46": activation='softmax' and from_logits=True.
@pair(
    "double-softmax",
    (*BADLY_LEARNED, "softmax-twice", "impossible-loss", "still-improving"),
    "Keras CSVLogger",
    framework="keras",
)
def keras_digits_from_logits(run: Path, seed: int, fixed: bool) -> None:
    """Digits by Dense layers whose softmax goes into a loss from logits; fixed: from_logits=False."""
    keras = fresh(seed)
    of = arrays(data.bundled("digits", seed))
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(48, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not fixed)
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
    found = learn(model, of, 20, [keras.callbacks.CSVLogger(str(run / "log.csv"))], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_loss", 1.47)


# "Always says yes": Dense(1, activation='softmax') with binary_crossentropy.
@pair(
    "wrong-output-activation",
    (*NOTHING_LEARNED, "constant-answer", "gradient-all-zero", "vanishing-gradient", "unchanged-tensor"),
    "CSV by hand, Parquet with weights and gradients each fifth epoch",
    framework="keras",
    dumps=True,
)
def keras_one_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Sick or not by Dense layers with a softmax over one unit; fixed: a sigmoid."""
    keras = fresh(seed)
    of = arrays(patients(seed))
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(24, activation="relu"),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    log = teller(keras, Csv(run, "plain", "history.csv", "epoch"), rate="lr")
    dump = dumper(keras, ParquetDump(run), 5, weights="weights/{}", gradients="gradients/{}")
    found = learn(model, of, 25, [log, dump])
    if fixed:
        above(found, "val_accuracy", 0.72)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.5)


# "Train is fine, validation is a coin": np.random.shuffle(x) for the pictures, and the labels stayed as they were.
@pair(
    "labels-shuffled",
    (*NOTHING_LEARNED, *VALIDATION_LOST, "generalisation-gap", "most-answers-wrong", "task-not-learned"),
    "what Keras prints with verbose=2",
    framework="keras",
)
def keras_leavers_shuffled(run: Path, seed: int, fixed: bool) -> None:
    """Which customers leave, by Dense layers, with rows shuffled apart from their labels; fixed: together."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(customers(seed, clear=3.0))
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order] if fixed else y
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, (x, y, x_val, y_val), 25, printed=run / "train.log")
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.6)


# "99 % on the training set and worse every epoch on the other": two layers of 256 for three hundred patients, for sixty epochs.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "confidently-wrong"),
    "Keras TensorBoard callback without histograms",
    framework="keras",
)
def keras_patients_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """Sick or not of 300 patients by two layers of 256; fixed: one of 16 with dropout and an L2 penalty."""
    keras = fresh(seed)
    of = arrays(patients(seed, samples=500))
    model = keras.Sequential([keras.Input((8,))])
    if fixed:
        model.add(keras.layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(5e-3)))
        model.add(keras.layers.Dropout(0.4))
    else:
        model.add(keras.layers.Dense(256, activation="relu"))
        model.add(keras.layers.Dense(256, activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 50, [board(keras, run)])
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.12)
    else:
        require(last(found, "val_loss") > 1.6 * min(found["val_loss"]), told(found))


# "nan from epoch nine on": binary cross-entropy typed from the lecture's formula, without a clip.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "exploding-gradient", "loss-spike", "loss-divergence", "masked-non-finite"),
    "JSON lines by a LambdaCallback",
    framework="keras",
)
def keras_log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by Dense layers and y log p + (1 - y) log(1 - p); fixed: p is clipped first."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed))
    of = (x, y[:, None].astype("float32"), x_val, y_val[:, None].astype("float32"))

    def entropy(true: "np.ndarray", said: "np.ndarray") -> object:
        """The formula of the lecture."""
        if fixed:
            said = keras.ops.clip(said, 1e-6, 1 - 1e-6)
        return -keras.ops.mean(true * keras.ops.log(said) + (1 - true) * keras.ops.log(1 - said))

    model = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(8e-3), entropy, metrics=["binary_accuracy"])
    found = learn(model, of, 24, [teller(keras, JsonLines(run, "plain", "history.jsonl", "epoch"))])
    if fixed:
        above(found, "val_binary_accuracy", 0.93)
        require(last(found, "val_loss") < 0.35, told(found))
    else:
        require(not np.isfinite(found["loss"][-1]), told(found))


# "95 % accuracy, and it never found one": payments of which a twentieth is fraud, without class_weight.
@pair(
    "class-imbalance",
    ("class-imbalance", "constant-answer", "class-never-found", "nothing-found", "metric-at-chance"),
    "Keras CSVLogger with precision and recall",
    framework="keras",
)
def keras_frauds_missed(run: Path, seed: int, fixed: bool) -> None:
    """Fraud among payments, a twentieth of them, by Dense layers; fixed: class_weight."""
    keras = fresh(seed)
    of = arrays(frauds(seed))
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-2)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=metrics)
    weights = {0: 1.0, 1: 19.0} if fixed else None
    of = (of[0], of[1][:, None], of[2], of[3][:, None])
    log = keras.callbacks.CSVLogger(str(run / "fraud.csv"), separator=",")
    found = learn(model, of, 18, [log], batch=64, class_weight=weights)
    if fixed:
        above(found, "val_recall", 0.55)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_recall", 0.12)


# "What does the validation set have against me?": x_train /= 255 and x_val as it came.
@pair(
    "preprocessing-differs",
    (*VALIDATION_LOST, "generalisation-gap", "most-answers-wrong", "data-not-normalized", "confidently-wrong"),
    "Keras TensorBoard callback with histograms each second epoch",
    framework="keras",
    dumps=True,
)
def keras_surface_validated_raw(run: Path, seed: int, fixed: bool) -> None:
    """Flaws of a surface by Conv2D, trained on pixels scaled by /255 - 0.5 and validated on raw ones; fixed: both scaled."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(inspections(seed, noise=10.0))
    x = x / 255 - 0.5
    x_val = x_val / 255 - 0.5 if fixed else x_val
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(16, 3, padding="same"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(24, 3, activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, (x, y, x_val, y_val), 22, [board(keras, run, weights=2)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        require(last(found, "val_loss") < 2 * min(found["val_loss"]), told(found))
    else:
        below(found, "val_accuracy", 0.55)
