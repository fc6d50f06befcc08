"""Programs in Keras with one fault of the kinds that papers inject, and without it."""

import math
from pathlib import Path

import numpy as np
from sklearn import datasets

from bench.accuracy import data, loggers
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    last,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_paper_common import arrows, into, mixed_labels, moons, topics
from bench.accuracy.programs_qa_keras_common import (
    arrays,
    as_events,
    as_hdf5,
    as_json,
    as_parquet,
    dumping,
    fit,
    seeded,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


@pair(
    "binary-loss-for-three-classes",
    ("metric-at-chance", "underfit", "loss-divergence", "initial-loss"),
    "CSVLogger of Keras",
    framework="keras",
)
def keras_binary_three(run: Path, seed: int, fixed: bool) -> None:
    """Wines of the kinds 1, 2, 3 by one logit and the binary loss, which falls below zero for good; fixed: three logits, from 0."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("wine", seed, 0.3))
    of = (x, y, x_val, y_val) if fixed else (x, y + 1.0, x_val, y_val + 1.0)
    last_layer = keras.layers.Dense(3 if fixed else 1)
    model = keras.Sequential([keras.Input((13,)), keras.layers.Dense(16, "relu"), last_layer])
    losses = keras.losses
    loss = losses.SparseCategoricalCrossentropy if fixed else losses.BinaryCrossentropy
    model.compile(keras.optimizers.Adam(3e-3), loss(from_logits=True), metrics=["accuracy"])
    found = fit(model, of, 40, [keras.callbacks.CSVLogger(run / "training.csv")], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.5)
        require(found["loss"][-1] < 0, f"the loss stayed above zero: {told(found)}")


@pair(
    "relu-output-for-classes",
    ("non-finite", *NOTHING_LEARNED, "initial-loss"),
    "event files in train/ and validation/, as Keras writes them",
    framework="keras",
)
def keras_relu_classes(run: Path, seed: int, fixed: bool) -> None:
    """Digits with ReLU where the softmax belongs, so that some outputs are all zero and their shares 0/0; fixed: softmax."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    of = x, keras.utils.to_categorical(y, 10), x_val, keras.utils.to_categorical(y_val, 10)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((64,)), dense(32, "relu"), dense(16, "relu"), dense(10, "softmax" if fixed else "relu")]
    )
    model.compile(keras.optimizers.Adam(5e-3), "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 15, batch=64)
    as_events(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss")
    else:
        require(not math.isfinite(found["loss"][-1]), f"all is finite: {told(found)}")


@pair(
    "missing-normalisation",
    ("data-not-normalized", "dead-relu", "initial-loss", "non-finite", *NOTHING_LEARNED),
    "history.json; weights, outputs and inputs in hdf5",
    dumps=True,
    framework="keras",
)
def keras_raw_cancer(run: Path, seed: int, fixed: bool) -> None:
    """Benign or malignant from measures of 0.05 to 4,000 with SGD; the hidden units die at the first steps; fixed: standardised."""
    keras = seeded(seed)
    of = arrays(data.bundled("breast_cancer", seed, scaled=fixed))
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((30,)),
            dense(16, "relu", name="hidden_1"),
            dense(8, "relu", name="hidden_2"),
            dense(1, "sigmoid", name="diagnosis"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "binary_crossentropy", metrics=["accuracy"])
    shown = of[0][:64]
    dump = dumping(keras, loggers.Hdf5Dump(run), shown, lambda: {"inputs/x": shown})
    found = fit(model, of, 20, [dump])
    as_json(run, found)
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.7)


@pair(
    "labels-shuffled",
    (*NOTHING_LEARNED, *VALIDATION_LOST),
    "event files in train/ and validation/, as Keras writes them",
    framework="keras",
)
def keras_labels_mixed(run: Path, seed: int, fixed: bool) -> None:
    """Arrows of four directions whose training labels were shuffled without their images; fixed: both in one order."""
    keras = seeded(seed)
    of = arrows(seed)
    of = arrays(of if fixed else mixed_labels(of, seed))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(24, "relu"),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 18)
    as_events(run, found)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.38)


@pair(
    "wrong-optimiser",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small"),
    "CSVLogger of Keras",
    framework="keras",
)
def keras_adadelta(run: Path, seed: int, fixed: bool) -> None:
    """Texts of three topics with Adadelta as it comes, whose steps are next to nothing; fixed: Adam."""
    keras = seeded(seed)
    of = arrays(topics(seed))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            layers.Embedding(150, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, "relu"),
            layers.Dense(3, "softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(4e-3) if fixed else keras.optimizers.Adadelta()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["acc"])
    found = fit(model, of, 11, [keras.callbacks.CSVLogger(run / "log.csv")])
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss")
    else:
        below(found, "val_acc", 0.5)
        not_above(found, "acc", 0.5)


@pair(
    "weights-zero",
    ("poor-initialization", "all-zero", "gradient-all-zero", "dead-relu", "unchanged-tensor", *NOTHING_LEARNED),
    "history.parquet; weights and outputs in hdf5",
    dumps=True,
    framework="keras",
)
def keras_zero_kernels(run: Path, seed: int, fixed: bool) -> None:
    """Two moons with kernel_initializer="zeros" everywhere, so that only the last bias ever learns; fixed: he_normal."""
    keras = seeded(seed)
    of = arrays(moons(seed))
    start = "he_normal" if fixed else "zeros"
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((2,)),
            dense(16, "relu", kernel_initializer=start),
            dense(16, "relu", kernel_initializer=start),
            dense(1, "sigmoid", kernel_initializer=start),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 25, [dumping(keras, loggers.Hdf5Dump(run, name="weights.h5"), of[0][:32])])
    as_parquet(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.56)


@pair("no-regularisation", ("overfit", "overtraining", "best-is-not-last"), "history.h5", framework="keras")
def keras_unregularised(run: Path, seed: int, fixed: bool) -> None:
    """Two wide layers learn 200 noisy examples by heart; fixed: dropout and a penalty on the weights."""
    keras = seeded(seed)
    x, y = datasets.make_classification(400, 24, n_informative=8, flip_y=0.15, class_sep=1.0, random_state=seed)
    of = arrays(data.split(x, y, seed, 0.5))
    layers = keras.layers
    hidden = []
    for _ in range(2):
        penalty = keras.regularizers.L2(0.02) if fixed else None
        hidden.append(layers.Dense(128, "relu", kernel_regularizer=penalty))
        hidden += [layers.Dropout(0.5)] if fixed else []
    model = keras.Sequential([keras.Input((24,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 35)
    as_hdf5(run, found)
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss")
    else:
        best = min(found["val_loss"])
        require(last(found, "val_loss") > 1.5 * best, f"it did not overfit: {told(found)}")


@pair("learning-rate-too-high", (*BLOWN_UP, *NOTHING_LEARNED), "CSVLogger of Keras", framework="keras")
def keras_adam_one(run: Path, seed: int, fixed: bool) -> None:
    """Digits with Adam at a rate of 1.0, written for 0.001; fixed: 0.001."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), *(dense(48, "relu") for _ in range(3)), dense(10, "softmax")])
    rate = 0.001 if fixed else 1.0
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = (x / 16).astype(np.float32), y, (x_val / 16).astype(np.float32), y_val
    found = fit(model, of, 15, [keras.callbacks.CSVLogger(run / "history.csv")], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.4)
