"""Commits that mend Keras programs: outputs, scales of data, freezing and depth. Each before and after the commit."""

import json
from pathlib import Path

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_keras_common import (
    SUFFIXES,
    by_targets_spread,
    estates,
    keras_at,
    snapshots,
    tickets,
    tiles,
    trained,
)
from bench.accuracy.programs_field_common import NOTHING_LEARNED, above, below, not_above, steady
from bench.accuracy.programs_post_common import board, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "accuracy: 0.6274 in every epoch, whatever I do": Dense(1, activation="softmax") with binary_crossentropy.
@pair(
    "wrong-output-activation",
    (*NOTHING_LEARNED, "constant-answer", "confidently-wrong"),
    "Keras CSVLogger",
    framework="keras",
)
def keras_tumour_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Whether a tumour is benign by one output under softmax, which is always 1; fixed: sigmoid."""
    keras = keras_at(seed)
    of = data.bundled("breast_cancer", seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(8, activation="relu"),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    found = trained(model, of, 30, [keras.callbacks.CSVLogger(str(run / "training.csv"))])
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.7)


# "loss: nan from the first epoch": prices in dollars under mean squared error and SGD(0.01, momentum=0.9).
@pair(
    "target-not-normalised",
    ("non-finite", "loss-goes-missing", "loss-divergence", "exploding-gradient", "learning-rate-too-high"),
    "console log of Keras, verbose=2",
    framework="keras",
)
def keras_estates_in_dollars(run: Path, seed: int, fixed: bool) -> None:
    """What houses are sold for, in dollars, by an MLP; fixed: standardised prices."""
    keras = keras_at(seed)
    of = by_targets_spread(estates(seed)) if fixed else estates(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(24, activation="leaky_relu"),
            layers.Dense(12, activation="leaky_relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["mae"])
    found = trained(model, of, 25, printed=run / "train.log")
    if fixed:
        below(found, "val_loss", 0.2)
        steady(found, "val_loss", 0.25)
    else:
        not_above(found, "loss", -1.0)


# "The same net learns in the tutorial": pixels of 0 to 255 go into tanh, the division by 255 was lost in a merge.
@pair(
    "input-not-normalised",
    ("data-not-normalized", "saturated-tanh", "saturated-activation", "underfit", "loss-plateau", "vanishing-gradient"),
    "Keras CSVLogger and an HDF5 dump by a callback",
    dumps=True,
    framework="keras",
)
def keras_digits_0_255(run: Path, seed: int, fixed: bool) -> None:
    """Digits of 0 to 255 by two small layers of tanh; fixed: of 0 to 1."""
    keras = keras_at(seed)
    of = over(data.bundled("digits", seed, scaled=False), 16 if fixed else 16 / 255)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(20, activation="tanh", name="hidden_1"),
            layers.Dense(12, activation="tanh", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="predictions"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = snapshots(keras, Hdf5Dump(run), 60, probe=of.x_val[:64])
    found = trained(model, of, 20, [keras.callbacks.CSVLogger(str(run / "history.csv")), dump])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.7)


# "More layers made it worse, it says the same for all": eight layers of sigmoid under SGD, as the homework sheet has two.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", *NOTHING_LEARNED, "updates-too-small"),
    "Keras' TensorBoard callback and add_histogram of weights and gradients",
    dumps=True,
    framework="keras",
)
def keras_eight_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by eight sigmoid layers under SGD; fixed: ReLU with He's initialisation."""
    keras = keras_at(seed)
    of = data.bundled("digits", seed, scaled=False)
    of = over(of, 16)
    activation, initial = ("relu", "he_normal") if fixed else ("sigmoid", "glorot_uniform")
    hidden = [keras.layers.Dense(24, activation=activation, kernel_initializer=initial) for _ in range(8)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = snapshots(keras, HistogramDump(run / "tensors"), 84, form=SUFFIXES)
    found = trained(model, of, 18, [board(keras, run), dump])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.25)


# "Fine-tuning does nothing at all": `for layer in model.layers: layer.trainable = False` came after the new head was added.
@pair(
    "frozen",
    ("unchanged-tensor", *NOTHING_LEARNED, "updates-too-small"),
    "Keras' TensorBoard callback with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def keras_head_frozen_too(run: Path, seed: int, fixed: bool) -> None:
    """A net that tells two tiles goes on with four, all of it frozen; fixed: thawed for fine-tuning."""
    keras = keras_at(seed)
    layers = keras.layers
    before = over(tiles(seed + 100, 320), 255)
    few, few_val = before.y < 2, before.y_val < 2
    before = data.Split(before.x[few], before.y[few], before.x_val[few_val], before.y_val[few_val])
    base = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu", name="block1_conv"),
            layers.MaxPooling2D(2, name="block1_pool"),
            layers.Conv2D(16, 3, activation="relu", name="block2_conv"),
            layers.Flatten(name="flatten"),
        ],
        name="base",
    )
    old = keras.Sequential([base, layers.Dense(2, activation="softmax")])
    old.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    trained(old, before, 5)
    head = [layers.Dense(16, activation="relu", name="fc"), layers.Dense(4, activation="softmax", name="probabilities")]
    model = keras.Sequential([*base.layers, *head])
    for layer in model.layers:
        layer.trainable = fixed
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["acc"])
    found = trained(model, over(tiles(seed), 255), 15, [board(keras, run, weights=1)])
    if fixed:
        above(found, "val_acc", 0.88)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.5)
        below({"moved": [max(found["loss"]) - min(found["loss"])]}, "moved", 1e-3)


# "Ported from TF1 and it stopped learning": keep_prob=0.9 became Dropout(0.9).
@pair(
    "dropout-too-strong",
    ("underfit", "loss-plateau", "loss-not-decreasing", "task-not-learned", "metric-at-chance", "still-improving"),
    "history.json by json.dump",
    framework="keras",
)
def keras_keep_prob(run: Path, seed: int, fixed: bool) -> None:
    """The team that a ticket goes to, by a mean of embeddings and dense layers with dropout of 0.9; fixed: of 0.1."""
    keras = keras_at(seed)
    layers = keras.layers
    rate = 0.1 if fixed else 0.9
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Embedding(240, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(24, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(24, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, tickets(seed), 20)
    (run / "history.json").write_text(json.dumps(found), encoding="utf-8")
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "accuracy", 0.45)
        below(found, "val_accuracy", 0.7)
