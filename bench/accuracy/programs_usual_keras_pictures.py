"""Usual programs in Keras on pictures and signals: rates, losses, initialisation, what is done to the inputs; and repaired versions."""

from pathlib import Path

from bench.accuracy.data import bundled
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump
from bench.accuracy.programs_desk_common import gestures, inspections, spectra
from bench.accuracy.programs_field_common import above, below, not_above, steady
from bench.accuracy.programs_post_common import board, pictures
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_keras_common import arrays, beats, dumping, fresh, learn, lines

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Eight cards, so I scaled the rate by eight; on the one card that I got the accuracy never leaves twenty percent."
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "loss-spike"),
    "Keras CSVLogger",
    framework="keras",
)
def gestures_rate_of_eight_b(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand by a 1-D CNN under SGD(0.8) with momentum; fixed: SGD(0.02)."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(gestures(seed, samples=640))
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(24, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.02 if fixed else 0.8, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 12, [keras.callbacks.CSVLogger(run / "training.csv")])
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.45)


# "Worked on MNIST with /255; with my own scans I forgot that line and the loss is stuck at 1.39."
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "initial-loss", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit"),
    "Keras TensorBoard callback, tensors in HDF5",
    framework="keras",
    dumps=True,
)
def scans_to_255_b(run: Path, seed: int, fixed: bool) -> None:
    """Grey scans of 0 to 255 of a surface by a CNN under SGD; fixed: divided by 255 and centred."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(inspections(seed, noise=8))
    if fixed:
        x, x_val = x / 127.5 - 1, x_val / 127.5 - 1
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1), name="images"),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(48, activation="relu", name="dense1"),
            layers.Dense(4, activation="softmax", name="predictions"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    forms = ("weights/{}", "gradients/{}", "")
    dumps = dumping(keras, Hdf5Dump(run), x[:32], 3, forms, inputs="inputs/images")
    found = learn(model, (x, y, x_val, y_val), 25, [board(keras, run), dumps])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.35)
    else:
        not_above(found, "val_accuracy", 0.45)


# "Training 98 %, validation 40 %, but it is the same folder of pictures": preprocess_input in the training generator only.
@pair(
    "validation-preprocessing-differs",
    ("generalisation-gap", "overfit", "metric-at-chance", "error-rises", "validation-swings", "overtraining"),
    "Keras TensorBoard callback",
    framework="keras",
)
def shapes_val_not_rescaled_b(run: Path, seed: int, fixed: bool) -> None:
    """Coloured shapes by a CNN, of which only the training pictures are brought to -1 to 1; fixed: all are."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(pictures(seed, samples=640))
    of = (x / 127.5 - 1, y, x_val / 127.5 - 1 if fixed else x_val, y_val)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    found = learn(model, of, 14, [board(keras, run)])
    above(found, "accuracy", 0.85)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.55)


# "I took the softmax out and the network got worse": the loss still expects probabilities, from_logits=False.
@pair(
    "wrong-loss",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "unstable-loss", "loss-spike"),
    "Keras CSVLogger",
    framework="keras",
)
def beats_logits_as_shares_b(run: Path, seed: int, fixed: bool) -> None:
    """Heartbeats by a 1-D CNN, whose logits are taken for probabilities; fixed: from_logits=True."""
    keras = fresh(seed)
    layers = keras.layers
    of = beats(seed)
    model = keras.Sequential(
        [
            keras.Input((40, 1)),
            layers.Conv1D(12, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=fixed)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    found = learn(model, of, 15, [keras.callbacks.CSVLogger(run / "log.csv", separator=";")])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "The loss won't go under 1.5 whatever I do": Dense(10, softmax) and from_logits=True.
@pair(
    "double-softmax",
    ("loss-plateau", "loss-not-decreasing", "underfit", "still-improving", "metric-left-behind", "most-answers-wrong"),
    "LambdaCallback, JSON lines",
    framework="keras",
)
def digits_softmax_twice_b(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with a softmax in its last layer and another in the loss; fixed: in the loss only."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(bundled("digits", seed))
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(48, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="linear" if fixed else "softmax"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.02), loss, metrics=["accuracy"])
    found = learn(model, of, 20, [lines(keras, run / "history.jsonl")], batch_size=64)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.65)


# "tanh everywhere, RandomNormal(stddev=1) as in the exercise sheet, and SGD hardly moves it."
@pair(
    "saturated-activation",
    ("saturated-tanh", "saturated-activation", "poor-initialization", "vanishing-gradient", "underfit", "initial-loss"),
    "Keras CSVLogger, TensorBoard histograms",
    framework="keras",
    dumps=True,
)
def spectra_wide_tanh_b(run: Path, seed: int, fixed: bool) -> None:
    """Spectra of plastics by tanh layers begun with a deviation of 1; fixed: Glorot's."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(spectra(seed))
    start = "glorot_uniform" if fixed else keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    model = keras.Sequential(
        [
            keras.Input((60,)),
            *(layers.Dense(64, activation="tanh", kernel_initializer=start, name=f"tanh_{n}") for n in range(1, 5)),
            layers.Dense(5, activation="softmax", name="output"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.005, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    forms = ("weights/{}", "gradients/{}", "activations/{}")
    dumps = dumping(keras, HistogramDump(run), of[0][:48], 2, forms)
    found = learn(model, of, 16, [keras.callbacks.CSVLogger(run / "metrics.csv"), dumps])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.7)
