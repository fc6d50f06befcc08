"""Season, author B: Keras programs whose rates, losses and data are wrong; and their repaired versions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import gestures, inspections
from bench.accuracy.programs_field_common import above, below, not_above, not_below, steady
from bench.accuracy.programs_post_common import pictures, reviews
from bench.accuracy.programs_season_b_common import arrays, fresh, learn, meters, payments, saver
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)
SPARSE = "sparse_categorical_crossentropy"


# "accuracy: 0.10 from the first epoch to the last": Adam(learning_rate=0.1) in the CNN of the course.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "metric-at-chance",
        "loss-plateau",
        "loss-not-decreasing",
        "task-not-learned",
        "dead-relu",
    ),
    "keras CSVLogger",
    framework="keras",
)
def b_digits_fast(run: Path, seed: int, fixed: bool) -> None:
    """Handwritten digits by a CNN under Adam(0.1); fixed: Adam(0.003)."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3 if fixed else 0.1), SPARSE, metrics=["accuracy"])
    of = arrays(data.bundled("digits", seed).as_images())
    trail = learn(keras, run, model, of, 10, "csv", batch=64)
    if fixed:
        above(trail, "val_accuracy", 0.93)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_accuracy", 0.75)


# "UserWarning: from_logits=True, but the output was produced by a Softmax": nobody reads warnings.
@pair(
    "softmax-twice",
    ("softmax-twice", "loss-plateau", "metric-left-behind", "underfit"),
    "keras TensorBoard callback",
    framework="keras",
)
def b_gesture_logits(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a 1-D CNN that ends in a softmax, under a loss that takes logits; fixed: no softmax."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(5),
        ]
    )
    if not fixed:
        model.add(layers.Lambda(lambda value: keras.ops.softmax(value), name="probabilities"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    trail = learn(keras, run, model, arrays(gestures(seed)), 20, "board")
    if fixed:
        above(trail, "val_accuracy", 0.9)
        below(trail, "val_loss", 0.4)
        steady(trail, "val_loss", 0.3)
    else:
        not_below(trail, "val_loss", 0.9)


# "My first CNN for the line camera prints nan": pictures of 0 to 255 go in as they come from imread.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "initial-loss", "metric-at-chance", "loss-plateau", "learning-rate-too-high", "non-finite"),
    "what fit() prints",
    framework="keras",
)
def b_surface_raw(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface from pictures of 0 to 255 under SGD with momentum; fixed: minus 128, divided by 64."""
    keras = fresh(seed)
    layers = keras.layers
    of = inspections(seed)
    if fixed:
        of = replace(of, x=(of.x - 128) / 64, x_val=(of.x_val - 128) / 64)
    model = keras.Sequential(
        [
            layers.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.03, momentum=0.9), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, arrays(of), 18, "print", name="fit_output.txt", batch=16)
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.4)
    else:
        not_above(trail, "val_accuracy", 0.5)


# "96 % accuracy and the bank is not happy": one payment in 25 is fraud and none is ever found.
@pair(
    "class-imbalance",
    ("class-imbalance", "class-never-found", "nothing-found", "constant-answer", "metric-left-behind"),
    "keras history as json",
    framework="keras",
)
def b_payments_rare(run: Path, seed: int, fixed: bool) -> None:
    """Fraud among card payments without class weights; fixed: the rare class weighs 20 times as much."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((12,)), layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.SGD(0.02), "binary_crossentropy", metrics=metrics)
    of = payments(seed, clear=1.1)
    weight = {0: 1.0, 1: 20.0} if fixed else None
    trail = learn(keras, run, model, of, 20, "json", name="history.json", class_weight=weight)
    if fixed:
        above(trail, "val_recall", 0.5)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_recall", 0.12)


# "Heat demand cannot be negative, so relu at the end", said the reviewer; but the target had been standardised.
@pair(
    "dead-relu",
    ("dead-relu", "gradient-all-zero", "loss-plateau", "underfit", "constant-answer", "loss-not-decreasing"),
    "keras CSVLogger; weights, gradients and activations in HDF5",
    framework="keras",
    dumps=True,
)
def b_heat_relu_out(run: Path, seed: int, fixed: bool) -> None:
    """Standardised heat demand with a relu behind the last layer; fixed: linear."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="linear" if fixed else "relu", name="demand"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae", keras.metrics.R2Score(name="r2")])
    of = meters(seed)
    saving = saver(keras, Hdf5Dump(run), 33, "wg", of[2][:64])
    trail = learn(keras, run, model, of, 20, "csv", name="heat.csv", callbacks=[saving])
    if fixed:
        above(trail, "val_r2", 0.7)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_r2", 0.58)


# "Deeper must be better": twelve Dense(16, activation='sigmoid') in a loop.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "updates-too-small", "metric-at-chance", "loss-plateau", "loss-not-decreasing", "underfit"),
    "keras CSVLogger; weights and gradients in HDF5",
    framework="keras",
    dumps=True,
)
def b_wine_deep(run: Path, seed: int, fixed: bool) -> None:
    """Wines by twelve layers of sigmoids; fixed: two layers of relu."""
    keras = fresh(seed)
    layers = keras.layers
    depth, kind = (2, "relu") if fixed else (12, "sigmoid")
    hidden = [layers.Dense(16, activation=kind) for _ in range(depth)]
    model = keras.Sequential([layers.Input((13,)), *hidden, layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), SPARSE, metrics=["acc"])
    saving = saver(keras, Hdf5Dump(run, by_name=True), 45)
    trail = learn(keras, run, model, arrays(data.bundled("wine", seed)), 30, "csv", batch=16, callbacks=[saving])
    if fixed:
        above(trail, "val_acc", 0.9)
        steady(trail, "val_loss", 0.5)
    else:
        below(trail, "val_acc", 0.5)


# "Transfer learning, but the weights file was not there, so I went on without": encoder.trainable = False all the same.
@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", "underfit", "loss-plateau", "metric-at-chance", "task-not-learned", "loss-not-decreasing"),
    "keras TensorBoard callback with histogram_freq=1",
    framework="keras",
    dumps=True,
)
def b_reviews_frozen(run: Path, seed: int, fixed: bool) -> None:
    """Opinions by an embedding and a GRU that were never trained and are frozen; fixed: they train."""
    keras = fresh(seed)
    layers = keras.layers
    encoder = keras.Sequential([layers.Embedding(300, 12), layers.GRU(12)], name="encoder")
    encoder.trainable = fixed
    model = keras.Sequential([layers.Input((20,), dtype="int32"), encoder, layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(5e-3), SPARSE, metrics=["accuracy"])
    of = arrays(reviews(seed, samples=1000, length=20, share=0.4))
    trail = learn(keras, run, model, of, 6, "board", batch=64, histograms=1)
    if fixed:
        above(trail, "val_accuracy", 0.82)
        steady(trail, "val_loss", 0.4)
    else:
        below(trail, "val_accuracy", 0.66)


# "decay_steps=1? I thought those were epochs": ExponentialDecay from 0.02 by 0.9 at every batch.
@pair(
    "learning-rate-zero-too-early",
    ("rate-falls-too-soon", "learning-rate-zero", "loss-plateau", "underfit", "schedule-mismatch", "updates-too-small"),
    "keras TensorBoard callback with the learning rate",
    framework="keras",
)
def b_shapes_decay(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in pictures under a rate that decays each batch; fixed: each epoch."""
    keras = fresh(seed)
    layers = keras.layers
    of = pictures(seed, samples=700)
    of = replace(of, x=of.x / 255 - 0.5, x_val=of.x_val / 255 - 0.5)
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    per_epoch = -(-len(of.x) // 32)
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, decay_steps=per_epoch if fixed else 1, decay_rate=0.9)
    model.compile(keras.optimizers.SGD(rate, momentum=0.8), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, arrays(of), 18, "board")
    if fixed:
        above(trail, "val_accuracy", 0.8)
        steady(trail, "val_loss", 0.4)
    else:
        below(trail, "val_accuracy", 0.62)


# "How can a loss be -300?": three sorts of wine as 0, 1 and 2, one sigmoid and the cross-entropy of the lecture on two classes.
@pair(
    "wrong-loss",
    (
        "impossible-loss",
        "loss-divergence",
        "metric-left-behind",
        "class-never-found",
        "metric-at-chance",
        "task-not-learned",
    ),
    "what fit() prints",
    framework="keras",
)
def b_wine_binary(run: Path, seed: int, fixed: bool) -> None:
    """Three sorts of wine by one sigmoid under binary cross-entropy; fixed: a softmax of three."""
    keras = fresh(seed)
    layers = keras.layers
    last = layers.Dense(3, activation="softmax") if fixed else layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([layers.Input((13,)), layers.Dense(16, activation="relu"), last])

    def of_lecture(truth: Any, told: Any) -> Any:
        """Binary cross-entropy as it stands on the slide."""
        told = keras.ops.clip(told, 1e-7, 1 - 1e-7)
        return -keras.ops.mean(truth * keras.ops.log(told) + (1 - truth) * keras.ops.log(1 - told))

    model.compile(keras.optimizers.Adam(0.01), SPARSE if fixed else of_lecture, metrics=["accuracy"])
    of = arrays(data.bundled("wine", seed))
    trail = learn(keras, run, model, of, 15, "print", name="train.log", batch=16)
    if fixed:
        above(trail, "val_accuracy", 0.9)
        steady(trail, "val_loss", 0.6)
    else:
        below(trail, "val_accuracy", 0.75)
        below(trail, "val_loss", -0.5)
