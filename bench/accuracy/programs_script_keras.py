"""Changed example scripts of keras.io: tables, pictures and masks, with a mistake made in the change, and repaired."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import HistogramDump
from bench.accuracy.programs_desk_common import gestures, inspections, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import board, patients
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_keras_common import (
    arrays,
    dumping,
    keras_at,
    nuclei,
    printed,
    save_history,
    trained,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Accuracy is 0.35 in every epoch": the last layer of a classifier of flowers, cut down to one unit, kept its softmax.
@pair(
    "wrong-output-activation",
    (*NOTHING_LEARNED, "constant-answer", "task-not-learned", "gradient-all-zero", "most-answers-wrong"),
    "keras CSVLogger",
    framework="keras",
)
def diabetes_softmax_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Whether a patient is sick by Dense(1, softmax); fixed: sigmoid."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(patients(seed))
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "training.log"))
    found = trained(model, x, y, (x_val, y_val), 18, [log], batch_size=32)
    if fixed:
        above(found, "val_accuracy", 0.73)
        steady(found, "val_loss", 0.05)
    else:
        below(found, "val_accuracy", 0.5)


# "I only wanted to freeze the base": `model.trainable = False` stands where `base.trainable = False` was meant.
@pair(
    "model-frozen",
    (
        *NOTHING_LEARNED,
        "unchanged-tensor",
        "updates-too-small",
        "weight-update-ratio",
        "constant-answer",
        "stalled-training-rule",
    ),
    "keras TensorBoard callback and add_histogram",
    dumps=True,
    framework="keras",
)
def surfaces_all_frozen(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a convolution and a new head, all of it frozen; fixed: all of it trained."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(inspections(seed, 480))
    x, x_val = (one.transpose(0, 2, 3, 1) / 255 - 0.5 for one in (x, x_val))
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
        ],
        name="base",
    )
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            base,
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.trainable = fixed
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [board(keras, run), dumping(keras, HistogramDump(run / "train"), 24)]
    found = trained(model, x, y, (x_val, y_val), 16, calls, batch_size=32)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.45)


# "It learned in TensorFlow 1": keep_prob=0.9 of tf.nn.dropout became Dropout(0.9).
@pair(
    "dropout-too-strong",
    (*BADLY_LEARNED, "metric-at-chance", "still-improving", "metric-left-behind"),
    "history as json",
    framework="keras",
)
def plastics_keep_prob(run: Path, seed: int, fixed: bool) -> None:
    """Which plastic a spectrum is of, with Dropout(0.9) after each of three layers; fixed: 0.1."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    share = 0.1 if fixed else 0.9
    layers = keras.layers
    model = keras.Sequential([keras.Input((60,))])
    for units in (32, 24, 16):
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(share))
    model.add(layers.Dense(5, activation="softmax"))
    rate = keras.optimizers.Adam(1e-3)
    model.compile(rate, "categorical_crossentropy", metrics=["categorical_accuracy"])
    ys, ys_val = keras.utils.to_categorical(y, 5), keras.utils.to_categorical(y_val, 5)
    found = trained(model, x, ys, (x_val, ys_val), 16, batch_size=32)
    save_history(run, found)
    if fixed:
        above(found, "val_categorical_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_categorical_accuracy", 0.7)
        below(found, "categorical_accuracy", 0.4)


# "After epoch 8 nothing moves": LearningRateScheduler(lambda epoch, lr: lr * exp(-0.1 * epoch)) is given the rate of before.
@pair(
    "rate-decays-too-soon",
    (
        *BADLY_LEARNED,
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
        "updates-too-small",
        "unchanged-tensor",
    ),
    "keras CSVLogger",
    framework="keras",
)
def movements_decay_compounds(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a Conv1D under a decay that multiplies upon itself; fixed: lr * exp(-0.1) once it is to decay."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(gestures(seed, 440, noise=0.7))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])

    def schedule(epoch: int, rate: float) -> float:
        factor = np.exp(-0.1) if epoch > 15 else 1.0
        return float(rate * (factor if fixed else np.exp(-0.1 * epoch)))

    calls = [
        keras.callbacks.LearningRateScheduler(schedule),
        keras.callbacks.CSVLogger(str(run / "log.csv"), separator=";"),
    ]
    found = trained(model, x, y, (x_val, y_val), 30, calls, batch_size=16)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.7)


# "Is a negative loss normal?": masks as they come from the PNG files, 0 and 255.
@pair(
    "wrong-label-encoding",
    (
        "impossible-loss",
        "loss-divergence",
        "data-not-normalized",
        "exploding-tensor",
        "metric-left-behind",
        "initial-loss",
    ),
    "keras TensorBoard callback",
    framework="keras",
)
def nuclei_masks_of_255(run: Path, seed: int, fixed: bool) -> None:
    """Nuclei cut out by a small U-Net with masks of 0 and 255; fixed: divided by 255."""
    keras = keras_at(seed)
    images, masks = nuclei(seed)
    masks = masks if fixed else masks * 255
    layers = keras.layers
    inputs = keras.Input((16, 16, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(12, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    joined = layers.concatenate([layers.UpSampling2D()(coarse), fine])
    outputs = layers.Conv2D(1, 1)(layers.Conv2D(8, 3, padding="same", activation="relu")(joined))
    model = keras.Model(inputs, outputs)

    def dice_coef(truth: Any, told: Any) -> Any:
        told = keras.ops.sigmoid(told)
        both = keras.ops.sum(truth * told)
        return (2 * both + 1) / (keras.ops.sum(truth) + keras.ops.sum(told) + 1)

    def pixels(truth: Any, told: Any) -> Any:
        return keras.ops.mean(keras.ops.cast(keras.ops.equal(truth > 0.5, told > 0), "float32"))

    criterion = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), criterion, metrics=[pixels, dice_coef])
    cut = 240
    found = trained(
        model, images[:cut], masks[:cut], (images[cut:], masks[cut:]), 24, [board(keras, run)], batch_size=16
    )
    if fixed:
        above(found, "val_dice_coef", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_loss", -5)


# "Training 0.9, validation a half": BatchNormalization(momentum=0.999) as MobileNetV2 has it, with a few batches an epoch.
@pair(
    "batch-norm-not-settled",
    (
        *VALIDATION_LOST,
        "constant-answer",
        "validation-swings",
        "generalisation-gap",
        "confidently-wrong",
        "most-answers-wrong",
    ),
    "what keras prints with verbose=2",
    framework="keras",
)
def chips_slow_batch_norm(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by convolutions with BatchNormalization(momentum=0.999), six batches an epoch; fixed: 0.8."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(inspections(seed, 520))
    x, x_val = (one.transpose(0, 2, 3, 1) / 255 for one in (x, x_val))
    layers = keras.layers
    momentum = 0.8 if fixed else 0.999
    model = keras.Sequential([keras.Input((12, 12, 1))])
    for filters in (8, 12, 16):
        model.add(layers.Conv2D(filters, 3))
        model.add(layers.BatchNormalization(momentum=momentum))
        model.add(layers.Activation("relu"))
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(4, activation="softmax"))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = printed(run, "train.txt", model, x, y, (x_val, y_val), 22, batch_size=64)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        above(found, "accuracy", 0.85)
        not_above(found, "val_accuracy", 0.6)
