"""Examples of Keras on pictures, and mutants of them: batching, initial weights, activations, optimiser, rate, biases and labels."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
)
from bench.accuracy.programs_mutant_common import DOES_NOT_MOVE, into, newswires
from bench.accuracy.programs_post_common import board, pictures
from bench.accuracy.programs_qa_keras_common import Arrays, arrays, as_json, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def _digits(seed: int, *, flat: bool) -> Arrays:
    """The bundled digits of 0 to 1, flat or as pictures with one channel, and their classes as ones among zeros."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    if flat:
        x, x_val = x.reshape(-1, 64), x_val.reshape(-1, 64)
    return x / 16, np.eye(10, dtype=np.float32)[y], x_val / 16, np.eye(10, dtype=np.float32)[y_val]


def _convnet(keras: Any, activation: str = "relu", start: Any = "glorot_uniform") -> Any:
    """The "simple MNIST convnet", for pictures of 8 × 8."""
    layers = keras.layers
    about = {"activation": activation, "kernel_initializer": start, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, **about),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, **about),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation, kernel_initializer=start),
            layers.Dropout(0.25),
            layers.Dense(10, "softmax", kernel_initializer=start),
        ]
    )


# Keras' mnist_mlp.py; operator "disable batching" of DeepCrime: batch_size=len(x_train).
@pair(
    "batch-too-large",
    (*BADLY_LEARNED, *DOES_NOT_MOVE),
    "CSVLogger of Keras",
    framework="keras",
)
def mnist_mlp_unbatched(run: Path, seed: int, fixed: bool) -> None:
    """mnist_mlp on digits, one step an epoch with SGD; fixed: batches of 32."""
    keras = seeded(seed)
    of = _digits(seed, flat=True)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, "relu"),
            layers.Dropout(0.2),
            layers.Dense(64, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(run / "training.log")
    found = fit(model, of, 20, [logger], batch=32 if fixed else len(of[0]))
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.5)


# Keras' mnist_convnet.py; operator "change weights initialisation" (WCI) of DeepCrime: to zeros.
@pair(
    "weights-zero",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        *NOTHING_LEARNED,
        "constant-answer",
        "vanishing-gradient",
        "unchanged-tensor",
        "low-variance",
        "tensor-variance",
    ),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def mnist_convnet_zeros(run: Path, seed: int, fixed: bool) -> None:
    """mnist_convnet on digits with kernel_initializer="zeros"; fixed: glorot_uniform."""
    keras = seeded(seed)
    model = _convnet(keras, start="glorot_uniform" if fixed else "zeros")
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, _digits(seed, flat=False), 12, [board(keras, run, weights=1)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.2)


# Keras' mnist_convnet.py; operator "change activation function" (ACH) of DeepCrime: relu to exponential.
@pair(
    "wrong-activation",
    (*BLOWN_UP, *NOTHING_LEARNED, "loss-goes-missing", "initial-loss"),
    "history.json",
    framework="keras",
)
def mnist_convnet_exponential(run: Path, seed: int, fixed: bool) -> None:
    """mnist_convnet on digits with activation="exponential" and SGD, which is soon NaN; fixed: relu."""
    keras = seeded(seed)
    model = _convnet(keras, "relu" if fixed else "exponential")
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, _digits(seed, flat=False), 12, batch=32)
    as_json(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.3)


# Keras' mnist_mlp.py; operator "change learning rate" (HLR) of DeepCrime: RMSprop from 0.001 to 1.
@pair(
    "learning-rate-too-high",
    (
        *BLOWN_UP,
        *NOTHING_LEARNED,
        "updates-too-large",
        "dead-relu",
        "all-zero",
        "gradient-all-zero",
        "constant-answer",
        "weight-update-ratio",
    ),
    "TensorBoard callback of Keras with histogram_freq=1; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def mnist_mlp_rmsprop(run: Path, seed: int, fixed: bool) -> None:
    """mnist_mlp on digits with RMSprop(1.0); fixed: 0.001."""
    keras = seeded(seed)
    of = _digits(seed, flat=True)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, "relu", name="dense"),
            layers.Dense(48, "relu", name="dense_1"),
            layers.Dense(10, "softmax", name="dense_2"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(0.001 if fixed else 1.0)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    dump = dumping(keras, Hdf5Dump(run, name="layer_outputs.h5"), of[2][:16])
    found = fit(model, of, 10, [board(keras, run, weights=1), dump], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.5)


# Keras' cifar10_cnn.py; operator of DeepMutation on biases: bias_initializer=Constant(-4) in all hidden layers.
@pair(
    "dead-units",
    (
        "dead-relu",
        "poor-initialization",
        "all-zero",
        "gradient-all-zero",
        "vanishing-gradient",
        *NOTHING_LEARNED,
        "constant-answer",
        "unchanged-tensor",
        "poor-weight-initialization",
    ),
    "TensorBoard callback of Keras with histogram_freq=1; outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def cifar_cnn_biases(run: Path, seed: int, fixed: bool) -> None:
    """cifar10_cnn on small pictures, whose ReLUs start with biases of -4; fixed: zeros."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(pictures(seed, 700))
    of = x / 255, y, x_val / 255, y_val
    layers = keras.layers
    bias = "zeros" if fixed else keras.initializers.Constant(-4.0)
    about = {"activation": "relu", "bias_initializer": bias}
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, name="conv2d", **about),
            layers.Conv2D(16, 3, name="conv2d_1", **about),
            layers.MaxPooling2D(name="max_pooling2d"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, name="dense", **about),
            layers.Dense(4, "softmax", name="dense_1"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = dumping(keras, Hdf5Dump(run, by_name=True, name="activations.h5"), of[2][:2])
    found = fit(model, of, 15, [board(keras, run, weights=5), dump], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# The Keras blog's "Building autoencoders in Keras"; operator ACH: the last Conv2D(1, ..., activation="softmax").
@pair(
    "wrong-activation",
    (
        "constant-answer",
        "gradient-all-zero",
        "vanishing-gradient",
        "loss-not-decreasing",
        "loss-plateau",
        "underfit",
        "unchanged-tensor",
        "low-variance",
    ),
    "TensorBoard callback of Keras",
    framework="keras",
)
def autoencoder_softmax(run: Path, seed: int, fixed: bool) -> None:
    """A convolutional autoencoder of digits whose decoder ends in a softmax over one channel; fixed: sigmoid."""
    keras = seeded(seed)
    x, _, x_val, _ = _digits(seed, flat=False)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.UpSampling2D(),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Conv2D(1, 3, activation="sigmoid" if fixed else "softmax", padding="same"),
        ]
    )
    model.compile("adam", "mse")
    found = fit(model, (x, x, x_val, x_val), 15, [board(keras, run)], batch=32)
    if fixed:
        below(found, "val_loss", 0.03)
        steady(found, "val_loss", 0.15)
    else:
        not_below(found, "val_loss", 0.3)


# Keras' siamese_contrastive.py; operator "change labels of training data" (TCL) of DeepCrime, here on the half of the pairs.
@pair(
    "wrong-labels",
    (*NOTHING_LEARNED, "overfit", "generalisation-gap", "loss-at-margin", "best-is-not-last", "overtraining"),
    "CSVLogger of Keras",
    framework="keras",
)
def siamese_relabelled(run: Path, seed: int, fixed: bool) -> None:
    """Whether two digits are the same by a siamese net and the contrastive loss, with labels drawn anew; fixed: theirs."""
    keras = seeded(seed)
    ops, layers = keras.ops, keras.layers
    random = np.random.default_rng(seed)
    x, y, x_val, y_val = _digits(seed, flat=True)

    def pairs_of(images: np.ndarray, classes: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        kinds = classes.argmax(1)
        first = random.integers(0, len(kinds), count)
        same = random.integers(0, 2, count)
        second = np.array(
            [
                random.choice(np.flatnonzero((kinds == kinds[one]) == bool(like)))
                for one, like in zip(first, same, strict=True)
            ]
        )
        return [images[first], images[second]], (1 - same).astype(np.float32)

    train, labels = pairs_of(x, y, 3000)
    valid, labels_val = pairs_of(x_val, y_val, 400)
    if not fixed:
        labels = random.permutation(labels)
    tower = keras.Sequential([keras.Input((64,)), layers.Dense(96, "relu"), layers.Dense(16)])
    left, right = keras.Input((64,)), keras.Input((64,))
    apart = ops.sum(ops.square(tower(left) - tower(right)), axis=1, keepdims=True)
    model = keras.Model([left, right], layers.Dense(1, "sigmoid")(ops.sqrt(ops.maximum(apart, 1e-7))))

    def contrastive(true: Any, guessed: Any) -> Any:
        return ops.mean((1 - true) * ops.square(guessed) + true * ops.square(ops.maximum(1 - guessed, 0)))

    model.compile(keras.optimizers.RMSprop(1e-3), contrastive, metrics=["binary_accuracy"])
    logger = keras.callbacks.CSVLogger(run / "siamese.csv")
    told = model.fit(
        train,
        labels[:, None],
        batch_size=32,
        epochs=12,
        validation_data=(valid, labels_val[:, None]),
        verbose=0,
        callbacks=[logger],
    ).history
    require(len(told["loss"]) == 12, "ended early")
    if fixed:
        above(told, "val_binary_accuracy", 0.82)
        steady(told, "val_loss", 0.2)
    else:
        below(told, "val_binary_accuracy", 0.6)


# Keras' reuters_mlp.py; operator "change optimisation function" (OCH) of DeepCrime: adam to sgd.
@pair(
    "wrong-optimizer",
    (*NOTHING_LEARNED, *DOES_NOT_MOVE, "constant-answer"),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def reuters_mlp_sgd(run: Path, seed: int, fixed: bool) -> None:
    """reuters_mlp on made wires by SGD at its usual 0.01; fixed: Adam."""
    keras = seeded(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((300,)),
            layers.Dense(64, "relu"),
            layers.Dropout(0.5),
            layers.Dense(12, "softmax"),
        ]
    )
    model.compile("adam" if fixed else "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, arrays(newswires(seed)), 12, [board(keras, run, weights=1)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)
