"""Autumn programs in Keras: rates, outputs, scales and depth; and their repaired versions."""

from pathlib import Path

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, ParquetDump
from bench.accuracy.programs_autumn_b_common import (
    bearings,
    concrete,
    dense,
    glyphs,
    history_json,
    learn,
    loans,
    promoters,
    scaled,
    scaled_targets,
    start,
    tap,
    tides,
    vineyards,
)
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My CNN for vibrations jumps around and then says the same class for ever": Adam(learning_rate=0.1), taken over
# from SGD.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "constant-answer", "updates-too-large", "most-answers-wrong"),
    "keras CSVLogger",
    framework="keras",
)
def bearing_cnn_adam(run: Path, seed: int, fixed: bool) -> None:
    """The state of a bearing by a 1-D CNN under Adam(0.1); fixed: Adam(0.003)."""
    keras, of = start(seed), bearings(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.Conv1D(12, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    adam = keras.optimizers.Adam(3e-3 if fixed else 0.1)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 14, callbacks=[keras.callbacks.CSVLogger(str(run / "training.log"))])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.5)


# "Accuracy stays at exactly the same number in each epoch": Dense(1, activation="softmax") with binary_crossentropy.
@pair(
    "softmax-on-one-unit",
    (*NOTHING_LEARNED, "constant-answer", "gradient-all-zero", "class-never-found", "unchanged-tensor", "all-zero"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def promoter_one_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Promoters in DNA by a CNN with a softmax over one unit; fixed: a sigmoid."""
    keras, of = start(seed), promoters(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30, 4)),
            layers.Conv1D(16, 6, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 16, callbacks=[board(keras, run)])
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.62)


# "It warns about from_logits but it works, only slowly": a softmax layer and
# SparseCategoricalCrossentropy(from_logits=True).
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "underfit", "still-improving", "loss-not-decreasing"),
    "history.history as json",
    framework="keras",
)
def vineyard_logits(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine by an MLP whose softmax is put through a softmax again by the loss; fixed:
    from_logits=False.
    """
    keras, of = start(seed), vineyards(seed, spread=0.8)
    model = dense(keras, (32, 5), 12)
    model.add(keras.layers.Lambda(lambda x: keras.ops.softmax(x), name="probabilities"))
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=not fixed),
        metrics=["accuracy"],
    )
    found = learn(model, of, 20)
    history_json(run, found)
    if fixed:
        above(found, "val_accuracy", 0.9)
        below(found, "val_loss", 0.35)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 0.85)


# "loss: nan from the first epoch": kilograms and days go in as they are, StandardScaler was imported and never used.
@pair(
    "inputs-not-scaled",
    (*BLOWN_UP, "data-not-normalized", "loss-goes-missing", "loss-not-decreasing", "loss-plateau", "underfit"),
    "what Keras prints, to a file",
    framework="keras",
)
def concrete_raw(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by an MLP under SGD(0.01) from raw kilograms; fixed: standardised."""
    keras, of = start(seed), scaled_targets(concrete(seed))
    of = scaled(of) if fixed else of
    model = dense(keras, (24, 12, 1), 8)
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
    found = learn(model, of, 20, run / "output.log")
    if fixed:
        below(found, "val_loss", 0.35)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 0.9)


# "I made it deeper and now it predicts the mean": nine Dense layers with sigmoid.
@pair(
    "vanishing-gradient",
    (*NOTHING_LEARNED, "vanishing-gradient", "constant-answer", "low-variance", "tensor-variance", "updates-too-small"),
    "keras CSVLogger, tensors in hdf5",
    framework="keras",
    dumps=True,
)
def loans_nine_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan by nine layers of sigmoid; fixed: relu and he_normal."""
    keras, of = start(seed), loans(seed, steep=4.0)
    activation, first = ("relu", "he_normal") if fixed else ("sigmoid", "glorot_uniform")
    model = dense(keras, (*[16] * 8, 1), 10, activation, "sigmoid", kernel_initializer=first)
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), "binary_crossentropy", metrics=["accuracy"])
    calls = [keras.callbacks.CSVLogger(str(run / "log.csv")), tap(keras, Hdf5Dump(run), 30, of.xv[:64])]
    found = learn(model, of, 16, callbacks=calls)
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.64)


# "The network for the price only ever answers 1.0": tanh at the output, and targets of 5 to 80.
@pair(
    "output-activation-too-narrow",
    (
        "saturated-tanh",
        "saturated-activation",
        "constant-answer",
        "underfit",
        "loss-plateau",
        "loss-not-decreasing",
    ),
    "TensorBoard callback of Keras, activations as histograms",
    framework="keras",
    dumps=True,
)
def concrete_tanh_head(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete in MPa by an MLP that ends in tanh; fixed: a linear unit."""
    keras, of = start(seed), scaled(concrete(seed))
    model = dense(keras, (24, 24, 1), 8, "relu", None if fixed else "tanh")
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    calls = [board(keras, run), tap(keras, HistogramDump(run / "train"), 45, of.xv[:80])]
    found = learn(model, of, 18, callbacks=calls)
    if fixed:
        below(found, "val_mae", 6)
        steady(found, "val_loss", 0.4)
    else:
        not_below(found, "val_mae", 20)


# "I set all to zero to have it reproducible": kernel_initializer="zeros" in every layer.
@pair(
    "zero-initialisation",
    (
        *NOTHING_LEARNED,
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        "low-variance",
        "unchanged-tensor",
    ),
    "keras CSVLogger, tensors in parquet",
    framework="keras",
    dumps=True,
)
def glyphs_from_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Glyphs by a CNN whose kernels begin at zero; fixed: Keras' default."""
    keras, of = start(seed), glyphs(seed)
    of = of._replace(x=of.x / 255, xv=of.xv / 255)
    layers, first = keras.layers, {"kernel_initializer": "glorot_uniform" if fixed else "zeros"}
    model = keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(8, 3, activation="relu", **first),
            layers.Conv2D(16, 3, activation="relu", **first),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(24, activation="relu", **first),
            layers.Dense(5, activation="softmax", **first),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [keras.callbacks.CSVLogger(str(run / "glyphs.csv")), tap(keras, ParquetDump(run), 40, of.xv[:32])]
    found = learn(model, of, 12, callbacks=calls)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.32)


# "My RNN gives nan after a while, LSTM does not": SimpleRNN(activation="relu") over long windows with a rate of 0.05.
@pair(
    "exploding-rnn",
    (*BLOWN_UP, "loss-goes-missing", "loss-not-decreasing", "updates-too-large", "underfit"),
    "TensorBoard callback of Keras, with batch_loss",
    framework="keras",
)
def tides_simple_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The level of the sea by a SimpleRNN with relu that begins at the identity; fixed: tanh, orthogonal and
    clipnorm=1.
    """
    keras, of = start(seed), tides(seed, window=60)
    activation, first = ("tanh", "orthogonal") if fixed else ("relu", "identity")
    model = keras.Sequential(
        [
            keras.Input((60, 1)),
            keras.layers.SimpleRNN(32, activation=activation, recurrent_initializer=first),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=1.0 if fixed else None), "mse", metrics=["mae"])
    found = learn(model, of, 10, callbacks=[board(keras, run, batches=4)])
    if fixed:
        below(found, "val_loss", 0.12)
        steady(found, "val_loss", 0.5)
    else:
        not_below(found, "val_loss", 0.4)
