"""Students' programs in Keras: faults of dropout, recurrent layers, epochs and schedules, and their repaired versions."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Hdf5Dump
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, as_hdf5, dumping, fit, seeded
from bench.accuracy.programs_thesis_common import MlflowStore, into, tickets, vibrations, weather

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A seminar on text classification: Dropout(0.95) taken for the share that is kept, as in an older library.
@pair(
    "dropout-too-strong",
    (*NOTHING_LEARNED, "constant-answer"),
    "TensorBoard callback of Keras with update_freq=2",
    framework="keras",
)
def tickets_dropped(run: Path, seed: int, fixed: bool) -> None:
    """Letters to a help desk by averaged embeddings with Dropout(0.95) thrice, meant as kept; fixed: 0.05."""
    keras = seeded(seed)
    of = arrays(tickets(seed))
    layers = keras.layers
    share = 0.05 if fixed else 0.95
    model = keras.Sequential(
        [
            keras.Input((36,)),
            layers.Embedding(240, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(share),
            layers.Dense(16, "relu"),
            layers.Dropout(share),
            layers.Dense(16, "relu"),
            layers.Dropout(share),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 10, [board(keras, run, batches=2)], batch=24)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.65)
        not_below(found, "loss", 0.95)


# A bachelor thesis on machines: SimpleRNN(activation="relu"), as one reads that ReLU is better, with weights from a normal distribution.
@pair(
    "exploding-recurrence",
    (*BLOWN_UP, *NOTHING_LEARNED, "constant-answer", "loss-goes-missing"),
    "history in hdf5; weights and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def bearing_relu_recurrence(run: Path, seed: int, fixed: bool) -> None:
    """States of a bearing from 64 values by a SimpleRNN with ReLU and large weights, whose states explode; fixed: tanh, orthogonal."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(vibrations(seed, 800, noise=0.5))
    of = x.reshape(len(x), 16, 4), y, x_val.reshape(len(x_val), 16, 4), y_val
    layers = keras.layers
    start = "orthogonal" if fixed else keras.initializers.RandomNormal(stddev=0.4, seed=seed)
    kind = "tanh" if fixed else "relu"
    recurrent = layers.SimpleRNN(24, activation=kind, recurrent_initializer=start, name="recurrent")
    model = keras.Sequential([keras.Input((16, 4)), recurrent, layers.Dense(4, "softmax", name="state")])
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = dumping(keras, Hdf5Dump(run, name="states.h5"), of[2][:24])
    found = fit(model, of, 15, [dump], batch=16)
    as_hdf5(run, found, "training_history.h5")
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.5)
        not_below(found, "val_loss", 1.3)


# A student's weather forecast: epochs=4 kept from the first trial.
@pair(
    "too-few-epochs",
    ("underfit", "still-improving", "ended-early"),
    "MLflow's autolog, as its file store",
    framework="keras",
)
def forecast_four_epochs(run: Path, seed: int, fixed: bool) -> None:
    """Tomorrow's highest temperature by a small net for 4 epochs of Adam; fixed: 50."""
    keras = seeded(seed)
    of = arrays(weather(seed))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((6,)), dense(24, "relu"), dense(12, "relu"), dense(1)])
    optimizer = keras.optimizers.Adam(0.001)
    model.compile(optimizer, "mse", metrics=["mae"])
    found = fit(model, of, 50 if fixed else 4, batch=16)
    store = MlflowStore(run)
    for epoch, row in enumerate(zip(*found.values(), strict=True)):
        store.log(epoch, dict(zip(found, row, strict=True)))
    store.close()
    spread = float(np.var(of[3]))
    if fixed:
        below(found, "val_loss", 0.4 * spread)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 1.0 * spread)
        require(found["val_loss"][-1] < found["val_loss"][0], told(found))


# A student's project on digits: ExponentialDecay(0.03, decay_steps=1, decay_rate=0.85), which counts batches, not epochs.
@pair(
    "schedule-too-fast",
    ("schedule-mismatch", "learning-rate-zero", "updates-too-small", "unchanged-tensor", *NOTHING_LEARNED),
    "console log of each epoch",
    framework="keras",
)
def digits_decayed(run: Path, seed: int, fixed: bool) -> None:
    """Digits by SGD under ExponentialDecay with decay_steps=1, so that within an epoch no rate is left; fixed: decay_steps of 2 epochs."""
    keras = seeded(seed)
    of = arrays(data.bundled("digits", seed))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), dense(48, "relu"), dense(48, "relu"), dense(10, "softmax")])
    rate = keras.optimizers.schedules.ExponentialDecay(0.03, decay_steps=86 if fixed else 1, decay_rate=0.85)
    optimizer = keras.optimizers.SGD(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    console = Console(run, "plain", "nohup.out", "epoch")

    class Telling(keras.callbacks.Callback):
        """A line after each epoch, with the rate."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            """Loss, accuracy and rate."""
            now = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            console.log(epoch + 1, {**(logs or {}), "learning_rate": now})

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            """Close the file."""
            console.close()

    found = fit(model, of, 20, [Telling()], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.5)
