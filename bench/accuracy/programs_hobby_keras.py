"""Letters about small programs in Keras: losses, output layers, inputs and rates; and their repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import customers, gestures, inspections, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    steady,
)
from bench.accuracy.programs_hobby_common import into
from bench.accuracy.programs_hobby_keras_common import arrays, dumper, keras_at, progress, renamed, save_history, trail
from bench.accuracy.programs_post_common import board, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Keras accuracy stays at exactly 0.4983 from the first epoch": Dense(1, activation='softmax').
@pair(
    "softmax-on-one-unit",
    (*NOTHING_LEARNED, "constant-answer", "gradient-all-zero"),
    "Keras CSVLogger",
    framework="keras",
)
def churn_softmax_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by an MLP with a softmax over its one output; fixed: a sigmoid."""
    x, y, x_val, y_val = arrays(customers(seed))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((12,)),
            layers.Dense(24, activation="relu"),
            layers.Dense(12, activation="relu"),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss="binary_crossentropy", metrics=["accuracy"])
    table = keras.callbacks.CSVLogger(str(run / "training.csv"))
    found = trail(
        model.fit(x, y, validation_data=(x_val, y_val), epochs=14, batch_size=32, verbose=0, callbacks=[table])
    )
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_accuracy", 0.6)


# "loss is stuck at 8.x and never moves": the tutorial's Dense(10) without softmax, but loss='sparse_categorical_crossentropy' as a string.
@pair(
    "output-activation-missing",
    (*NOTHING_LEARNED, "most-answers-wrong", "initial-loss", "unstable-loss"),
    "history.history as JSON",
    framework="keras",
)
def digits_without_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN whose logits are taken for probabilities; fixed: from_logits=True."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    x, x_val = (one[:900].reshape(-1, 8, 8, 1) / 16 for one in (x, x_val))
    y, y_val = y[:900], y_val[:900]
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if fixed else "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.004), loss=loss, metrics=["acc"])
    found = trail(model.fit(x, y, validation_data=(x_val, y_val), epochs=14, batch_size=64, verbose=0))
    save_history(run / "history.json", found)
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.5)


# "My network for the camera over the belt predicts one class": 0 to 255 straight from cv2.imread into Dense(activation='sigmoid').
@pair(
    "inputs-not-normalised",
    (*BADLY_LEARNED, "saturated-sigmoid", "data-not-normalized", "check-input-images", "saturated-activation"),
    "Keras CSVLogger and HDF5 of tensors by name",
    framework="keras",
    dumps=True,
)
def belt_of_raw_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by an MLP of sigmoids on pixels of 0 to 255; fixed: standardised pixels."""
    x, y, x_val, y_val = arrays(pictures_in_grey(seed))
    if fixed:
        mean, spread = x.mean(), x.std()
        x, x_val = (x - mean) / spread, (x_val - mean) / spread
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((x.shape[1],)),
            layers.Dense(48, activation="sigmoid"),
            layers.Dense(24, activation="sigmoid"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.004), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    probe = x[:64].astype("float32")
    dump = dumper(keras, Hdf5Dump(run, by_name=True), 40, ("weights/{}", "gradients/{}", "activations/{}"), probe)
    table = keras.callbacks.CSVLogger(str(run / "log.csv"))
    found = trail(
        model.fit(x, y, validation_data=(x_val, y_val), epochs=16, batch_size=32, verbose=0, callbacks=[table, dump])
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.62)


def pictures_in_grey(seed: int) -> data.Split:
    """Pictures of shapes, the green channel only, flat (n, 144)."""
    of = pictures(seed)
    return data.Split(of.x[:, 1].flatten(1), of.y, of.x_val[:, 1].flatten(1), of.y_val)


# "Fine-tuning does nothing, not a digit changes": `for layer in model.layers: layer.trainable = False`, after the new head was added.
@pair(
    "model-frozen",
    (*NOTHING_LEARNED, "unchanged-tensor", "learning-rate-zero", "updates-too-small", "stalled-training-rule"),
    "jsonl by a callback and Parquet of tensors",
    framework="keras",
    dumps=True,
)
def transfer_all_frozen(run: Path, seed: int, fixed: bool) -> None:
    """Gestures on a trunk of convolutions with nearly everything frozen, the scale of the new head left; fixed: only the trunk is."""
    x, y, x_val, y_val = arrays(gestures(seed))
    keras = keras_at(seed)
    layers = keras.layers
    trunk = [
        layers.Conv1D(16, 5, activation="relu", padding="same", name="block1_conv"),
        layers.MaxPooling1D(2, name="block1_pool"),
        layers.Conv1D(24, 5, activation="relu", padding="same", name="block2_conv"),
        layers.GlobalMaxPooling1D(name="block2_pool"),
    ]
    for layer in trunk[:1]:
        layer.trainable = False
    head = [layers.Dense(24, activation="relu", name="head_dense"), layers.Dense(5, name="predictions_dense")]
    model = keras.Sequential([layers.Input((32, 3)), *trunk, *head, layers.BatchNormalization(name="calibration")])
    for layer in model.layers[: None if fixed else -1]:
        layer.trainable = fixed and layer is not trunk[0]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss=loss, metrics=["accuracy"])
    names = {
        "loss": "train/loss",
        "accuracy": "train/acc",
        "val_loss": "valid/loss",
        "val_accuracy": "valid/acc",
        "lr": "lr",
    }
    log = renamed(keras, JsonLines(run, "plain", "metrics.jsonl", "epoch"), names)
    dump = dumper(keras, ParquetDump(run), 36, ("{}", "{}/grad", "{}/output"), x[:48])
    found = trail(
        model.fit(x, y, validation_data=(x_val, y_val), epochs=18, batch_size=32, verbose=0, callbacks=[log, dump])
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.6)


# "loss: 1.61 - accuracy: 0.20, forever": Adam(learning_rate=0.1), since 0.001 seemed slow.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "dead-relu", "updates-too-large", "constant-answer"),
    "printed log of Keras with verbose=2",
    framework="keras",
)
def spectra_at_a_gallop(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra through four hidden layers of relu under Adam(0.1); fixed: 0.001."""
    x, y, x_val, y_val = arrays(spectra(seed))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((x.shape[1],)),
            *[layers.Dense(units, activation="relu") for units in (64, 48, 32, 24)],
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rate = 0.001 if fixed else 0.1
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    lines = progress(keras, run / "train.log", 12)
    found = trail(
        model.fit(x, y, validation_data=(x_val, y_val), epochs=12, batch_size=32, verbose=0, callbacks=[lines])
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.6)


# "Validation accuracy 25 % whatever I do": ImageDataGenerator(rescale=1/255) for training, and the plain array for validation.
@pair(
    "validation-not-preprocessed",
    ("generalisation-gap", "overfit", "metric-at-chance", "validation-swings", "constant-answer", "metric-left-behind"),
    "Keras' TensorBoard callback",
    framework="keras",
)
def inspections_val_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN, rescaled in training only; fixed: in both."""
    x, y, x_val, y_val = arrays(inspections(seed))
    x, x_val = (np.moveaxis(one, 1, -1) for one in (x, x_val))
    x = x / 255 - 0.5
    if fixed:
        x_val = x_val / 255 - 0.5
    keras = keras_at(seed)
    layers = keras.layers
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
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trail(
        model.fit(
            x, y, validation_data=(x_val, y_val), epochs=16, batch_size=32, verbose=0, callbacks=[board(keras, run)]
        )
    )
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        above(found, "accuracy", 0.75)
        below(found, "val_accuracy", 0.5)
