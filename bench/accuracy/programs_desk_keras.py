"""Letters about programs in Keras: rates, losses, scales and depths, and their repaired versions."""

from pathlib import Path

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump
from bench.accuracy.programs_desk_common import customers, flats, inspections, into, mails, spectra
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
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_qa_keras_common import arrays, as_json, as_parquet, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "All parts are sound, it says": Adam(learning_rate=0.5), as the sample of another framework had SGD with 0.5.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "weight-update-ratio", "dead-relu", "constant-answer"),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def parts_all_sound(run: Path, seed: int, fixed: bool) -> None:
    """Surfaces of parts by a CNN under Adam(0.5): one answer for all; fixed: 0.002."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(inspections(seed))
    of = x / 127.5 - 1, y, x_val / 127.5 - 1, y_val
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, "relu"),
            layers.Dense(4, "softmax"),
        ]
    )
    rate = keras.optimizers.Adam(0.002 if fixed else 0.5)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 16, [board(keras, run, weights=2)], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# "loss: nan from the second epoch": rents in euros, straight from the table, under SGD.
@pair(
    "targets-not-scaled",
    (*BLOWN_UP, *BADLY_LEARNED, "data-not-normalized", "loss-goes-missing", "initial-loss"),
    "CSVLogger of Keras",
    framework="keras",
)
def rents_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Rents in euros under SGD(0.01) and the squared error: not a number; fixed: rents standardised."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(flats(seed))
    mean, spread = (float(y.mean()), float(y.std())) if fixed else (0.0, 1.0)
    of = x, (y - mean) / spread, x_val, (y_val - mean) / spread
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((9,)), dense(48, "relu"), dense(24, "relu"), dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mean_squared_error", metrics=["mae"])
    found = fit(model, of, 25, [keras.callbacks.CSVLogger(run / "rents.csv", separator=";")], batch=16)
    if fixed:
        below(found, "val_loss", 0.25)
        steady(found, "val_loss", 0.25)
    else:
        not_below(found, "val_loss", 2e5)


# "More layers, and it no longer learns": seven Dense layers of sigmoids; a callback writes the norm of each layer's gradient.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", *NOTHING_LEARNED, "updates-too-small", "saturated-sigmoid"),
    "csv of a callback with a gradient's norm for each layer",
    framework="keras",
)
def plastics_deep_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic from spectra by seven layers of sigmoids under SGD; fixed: ReLU."""
    keras = seeded(seed)
    of = arrays(spectra(seed))
    kind = "relu" if fixed else "sigmoid"
    dense = keras.layers.Dense
    hidden = [dense(32, kind, name=f"dense_{one}") for one in range(1, 8)]
    model = keras.Sequential([keras.Input((60,)), *hidden, dense(5, "softmax", name="out")])
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), "sparse_categorical_crossentropy", metrics=["acc"])
    log = Csv(run, "plain", "epochs.csv", "epoch")

    class Norms(keras.callbacks.Callback):
        """A row for each epoch."""

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.norms = {
                f"grad_norm_{one.name}": float(one.kernel.value.grad.norm()) for one in self.model.layers if one.weights
            }

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            log.log(epoch, {**(logs or {}), **self.norms})

        def on_train_end(self, logs: object = None) -> None:
            log.close()

    found = fit(model, of, 14, [Norms()], batch=16)
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.35)


# "Accuracy stays at 25 %": loss="mse" with the numbers of the departments, which is broadcast over the four outputs.
@pair("wrong-loss", NOTHING_LEARNED, "history as json", framework="keras")
def mails_by_number(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail as its number, 0 to 3, under softmax and the squared error; fixed: the sparse cross-entropy."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(mails(seed))
    of = x, y[:, None], x_val, y_val[:, None]
    layers = keras.layers
    hidden = [layers.Embedding(200, 16), layers.GlobalAveragePooling1D(), layers.Dense(24, "relu")]
    model = keras.Sequential([keras.Input((24,), dtype="int64"), *hidden, layers.Dense(4, "softmax")])
    loss = "sparse_categorical_crossentropy" if fixed else "mse"
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["sparse_categorical_accuracy"])
    found = fit(model, of, 20)
    as_json(run, found, "mails_history.json")
    if fixed:
        above(found, "val_sparse_categorical_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_sparse_categorical_accuracy", 0.45)


# "It learns, but so slowly that I would need a year": SGD(1e-5) from a paper on fine-tuning.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small", "weight-update-ratio", "unchanged-tensor"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def churn_by_ant(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave under SGD(1e-5): the loss falls in the fourth digit; fixed: 0.02."""
    keras = seeded(seed)
    of = arrays(customers(seed, clear=3.0))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((12,)), dense(32, "relu"), dense(16, "relu"), dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.02 if fixed else 1e-5), "binary_crossentropy", metrics=["accuracy", "AUC"])
    found = fit(model, of, 20, [board(keras, run, batches=5)], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.66)


# "99.9 % in training, and the foreman laughs": ninety spectra, 60 epochs.
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "history as parquet; weights of layers in hdf5",
    dumps=True,
    framework="keras",
)
def plastics_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic from 90 noisy spectra by a net without any restraint for 60 epochs; fixed: 1,200 spectra, dropout, and 12."""
    keras = seeded(seed)
    of = arrays(spectra(seed, 1600 if fixed else 120, noise=0.9))
    layers = keras.layers
    sizes = (24,) if fixed else (48, 24)
    hidden = [layers.Dense(size, "relu", name=f"dense_{size}") for size in sizes]
    drops = [layers.Dropout(0.4)] if fixed else []
    model = keras.Sequential([keras.Input((60,)), *hidden, *drops, layers.Dense(5, "softmax", name="plastic")])
    model.compile(
        keras.optimizers.Adam(0.002 if fixed else 0.005), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    dump = dumping(keras, Hdf5Dump(run, name="weights.h5"))
    found = fit(model, of, 12 if fixed else 60, [dump], batch=16)
    as_parquet(run, found)
    if fixed:
        above(found, "val_accuracy", 0.68)
        steady(found, "val_loss", 0.15)
    else:
        above(found, "accuracy", 0.98)
        not_below(found, "val_loss", 1.3 * min(found["val_loss"]))
        require(last(found, "accuracy") - last(found, "val_accuracy") > 0.2, told(found))


# "Perfect in training, useless in validation": the scaler was fitted and applied to x_train only.
@pair(
    "validation-not-scaled",
    (*VALIDATION_LOST, "generalisation-gap", "data-not-normalized", "validation-swings", "metric-left-behind"),
    "History as csv with a row for each epoch",
    framework="keras",
)
def churn_raw_validation(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, with training columns standardised and those of validation in euros and months; fixed: both."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(customers(seed, clear=4.0))
    raw = customers(seed, clear=4.0, scaled=False).x_val.numpy()
    of = x, y, x_val if fixed else raw, y_val
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((12,)), dense(24, "tanh"), dense(12, "tanh"), dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 18)
    log = Csv(run, "plain", "train_history.csv", "epoch")
    for epoch in range(18):
        log.log(epoch, {name: values[epoch] for name, values in found.items()})
    log.close()
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.2)
    else:
        above(found, "accuracy", 0.78)
        below(found, "val_accuracy", 0.72)
        not_below(found, "val_loss", 0.65)


# "My spectra cannot be told apart": the instrument writes (channels, samples), and .reshape(samples, channels) made it fit.
@pair(
    "inputs-scrambled",
    (*VALIDATION_LOST, *NOTHING_LEARNED, "generalisation-gap", "most-answers-wrong"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def spectra_reshaped(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic from a table of channels by samples that was reshaped, so that all samples are mixed; fixed: transposed."""
    keras = seeded(seed)
    of = spectra(seed, 700)
    if not fixed:
        x, x_val = (one.T.reshape(one.shape) for one in (of.x, of.x_val))
        of = data.Split(x, of.y, x_val, of.y_val)
    layers = keras.layers
    hidden = [layers.Dense(40, "relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((60,)), *hidden, layers.Dense(5, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, arrays(of), 25, [board(keras, run)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.4)
