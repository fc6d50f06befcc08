"""Healthy programs with Keras, boosting and scikit-learn that look odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_decade_b_common import (
    arrays,
    csv_logger,
    dumper,
    history_json,
    keras_of,
    last_channel,
    library,
    printed,
    spam,
    stack,
    teller,
    tensorboard,
)
from bench.accuracy.programs_decade_common import odd_into
from bench.accuracy.programs_desk_common import flats, inspections, mails, spectra
from bench.accuracy.programs_field_common import Trail, above, below, steady, told
from bench.accuracy.programs_post_common import houses, pictures

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "My validation accuracy is higher than training accuracy, is that a bug?"
@odd("Keras TensorBoard callback with histograms of weights", framework="keras", dumps=True)
def half_of_it_dropped(run: Path, seed: int) -> None:
    """Plastics by an MLP with Dropout(0.5), which training feels and validation does not."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    layers = keras.layers
    model = stack(
        keras,
        (60,),
        layers.Dropout(0.3),
        layers.Dense(48, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(5, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run, weights=3)]
    trail = model.fit(x, y, 32, 25, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    above(trail, "val_accuracy", 0.85)
    steady(trail, "val_loss", 0.2)


# "The loss does not go under 0.9 although accuracy is 95 %": label_smoothing=0.2.
@odd("Keras CSVLogger", framework="keras")
def labels_smoothed_by_a_fifth(run: Path, seed: int) -> None:
    """Digits by an MLP with label smoothing."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    dense = keras.layers.Dense
    model = stack(keras, (64,), dense(48, activation="relu"), dense(10, activation="softmax"))
    model.compile("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.2), metrics=["accuracy"])
    calls = [csv_logger(keras, run)]
    trail = model.fit(
        x, np.eye(10)[y], 32, 20, verbose=0, validation_data=(x_val, np.eye(10)[y_val]), callbacks=calls
    ).history
    above(trail, "val_accuracy", 0.93)
    steady(trail, "val_loss", 0.1)


# "The loss jumps at each restart, as it should": CosineDecayRestarts.
@odd("jsonl with the learning rate", framework="keras")
def cosine_with_restarts(run: Path, seed: int) -> None:
    """Shapes by a CNN with three cycles of a cosine rate."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(last_channel(pictures(seed)))
    layers = keras.layers
    model = stack(
        keras,
        (12, 12, 3),
        layers.Rescaling(1 / 127.5, -1.0),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(4, activation="softmax"),
    )
    cosine = keras.optimizers.schedules.CosineDecayRestarts(5e-3, 13 * 8, t_mul=1.0, m_mul=0.9)
    model.compile(keras.optimizers.Adam(cosine), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [teller(keras, JsonLines(run, "plain", "log.jsonl", "epoch"), None, "learning_rate")]
    trail = model.fit(x, y, 32, 24, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    above(trail, "val_accuracy", 0.85)
    steady(trail, "val_loss", 0.6)


# "The convolutions do not move": they are frozen on purpose, and trained on the other half of the data before.
@odd("Keras TensorBoard callback, HDF5 with weights and gradients", framework="keras", dumps=True)
def frozen_base_new_head(run: Path, seed: int) -> None:
    """Faults of a surface by a CNN that was trained on shapes of other pictures, with a new head."""
    keras = keras_of(seed)
    layers = keras.layers
    base = stack(
        keras,
        (12, 12, 1),
        layers.Rescaling(1 / 64, -2.0),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    )
    x, y, _, _ = arrays(last_channel(inspections(seed + 100, 900)))
    whole = stack(keras, (12, 12, 1), *base.layers, layers.Dense(4, activation="softmax"))
    whole.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    whole.fit(x, y, 32, 12, verbose=0)
    for layer in base.layers:
        layer.trainable = False
    x, y, x_val, y_val = arrays(last_channel(inspections(seed)))
    model = stack(
        keras, (12, 12, 1), *base.layers, layers.Dropout(0.4), layers.Dense(4, activation="softmax", name="head")
    )
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run), dumper(keras, Hdf5Dump(run), 30, "wg")]
    trail = model.fit(x, y, 32, 15, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    above(trail, "val_accuracy", 0.75)
    steady(trail, "val_loss", 0.25)


# "I only have 110 flowers, so I stop early."
@odd("Keras output with verbose=2, sent to a file", framework="keras")
def few_flowers_stopped_early(run: Path, seed: int) -> None:
    """Iris by a small MLP with EarlyStopping(patience=3)."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("iris", seed))
    dense = keras.layers.Dense
    model = stack(keras, (4,), dense(12, activation="relu"), dense(3, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    with printed(run, "iris.log"):
        trail = model.fit(x, y, 8, 40, verbose=2, validation_data=(x_val, y_val), callbacks=[stop]).history
    above(trail, "val_accuracy", 0.88)
    steady(trail, "val_loss", 0.6)


# "The loss is negative": a density may be over one, so its negative logarithm may be under zero.
@odd("history.json and jsonl", framework="keras")
def likelihood_below_zero(run: Path, seed: int) -> None:
    """Standardised house prices, divided by ten, with their doubt, under a Gaussian likelihood."""
    keras = keras_of(seed)
    ops = keras.ops
    x, y, x_val, y_val = arrays(houses(seed, 900))
    y, y_val = (y - 24) / 80, (y_val - 24) / 80
    dense = keras.layers.Dense

    def likelihood(truth: Any, outputs: Any) -> Any:
        sigma = ops.softplus(outputs[:, 1:]) + 0.02
        return ops.mean(ops.log(sigma) + 0.5 * ops.square((truth - outputs[:, :1]) / sigma))

    model = stack(keras, (10,), dense(24, activation="tanh"), dense(2))
    model.compile(keras.optimizers.Adam(2e-3), likelihood)
    calls = [teller(keras, JsonLines(run, "plain", "nll.jsonl", "epoch"), {"loss": "nll", "val_loss": "val_nll"})]
    trail = model.fit(x, y, 16, 25, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    history_json(run, trail)
    below(trail, "val_loss", -1.2)
    steady(trail, "val_loss", 0.15)


# "Boosting by half of the rows a round": bagging, and stopped when it no longer helps.
@odd("LightGBM rounds in TensorBoard", framework="lightgbm")
def bagged_trees(run: Path, seed: int) -> None:
    """Rents by LightGBM with bagging and columns left out, stopped after ten rounds without gain."""
    lgb = library("lightgbm")

    x, y, x_val, y_val = arrays(flats(seed, scaled=False))
    train = lgb.Dataset(x, y[:, 0])
    kept: dict[str, Any] = {}
    form = {"objective": "regression", "metric": "rmse", "learning_rate": 0.1, "num_leaves": 6, "verbose": -1}
    form |= {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.7, "lambda_l2": 5, "seed": seed}
    sets = [train, lgb.Dataset(x_val, y_val[:, 0], reference=train)]
    calls = [lgb.record_evaluation(kept), lgb.early_stopping(10, verbose=False)]
    lgb.train(form, train, 150, valid_sets=sets, valid_names=["train", "valid"], callbacks=calls)
    log = TensorBoard(run, "plain")
    for number, both in enumerate(zip(kept["train"]["rmse"], kept["valid"]["rmse"], strict=True)):
        log.log(number, {"train/rmse": both[0], "valid/rmse": both[1]})
    log.close()
    trail: Trail = {"share": [one / float(y_val.std()) for one in kept["valid"]["rmse"]]}
    below(trail, "share", 0.6)
    steady(trail, "share", 0.05)


# "Hinge loss by partial_fit: the curve is rough, the answers are good."
@odd("csv with a row for each chunk", framework="sklearn")
def rough_hinge(run: Path, seed: int) -> None:
    """Mails as counts of words by a linear SVM, fitted chunk by chunk."""
    of = mails(seed, 1600)
    x, x_val = (np.stack([np.bincount(one, minlength=200) for one in part.numpy()]) for part in (of.x, of.x_val))
    y, y_val = of.y.numpy(), of.y_val.numpy()
    linear = library("sklearn.linear_model")
    model = linear.SGDClassifier(loss="hinge", learning_rate="optimal", alpha=3e-3, random_state=seed, average=True)
    log, trail, random = Csv(run, "plain", "chunks.csv", "chunk"), Trail(), np.random.default_rng(seed)
    for number in range(120):
        rows = random.choice(len(x), 24, replace=False)
        model.partial_fit(x[rows], y[rows], classes=range(4))
        values = {"chunk_accuracy": model.score(x[rows], y[rows]), "holdout_accuracy": model.score(x_val, y_val)}
        log.log(number, values)
        trail.setdefault("holdout", []).append(values["holdout_accuracy"])
    log.close()
    above(trail, "holdout", 0.85)


# "One long pass, and I look at each tenth batch only": gradients of four batches are summed.
@odd("Keras TensorBoard callback with batches", framework="keras")
def summed_over_four_batches(run: Path, seed: int) -> None:
    """Bad transactions by an MLP with gradient_accumulation_steps=4."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spam(seed, 1800, clear=1.3))
    dense = keras.layers.Dense
    model = stack(keras, (12,), dense(16, activation="relu"), dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(5e-3, gradient_accumulation_steps=4)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run, batches=10)]
    trail = model.fit(x, y, 16, 8, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    above(trail, "val_accuracy", 0.8)
    steady(trail, "val_loss", 0.1)


# "35 % accuracy only": the next letter is hard to tell, and it gets better still.
@odd("Lightning-like csv by a callback", framework="keras")
def next_letter(run: Path, seed: int) -> None:
    """The next letter of a made-up text by a small GRU."""
    keras = keras_of(seed)
    of, size = data.characters(seed, 24, 500)
    x, y, x_val, y_val = arrays(of)
    layers = keras.layers
    model = stack(keras, (24,), layers.Embedding(size, 12), layers.GRU(24, return_sequences=True), layers.Dense(size))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1.5e-3), loss, metrics=["accuracy"])
    names = {"loss": "train_loss_epoch", "accuracy": "train_acc_epoch", "val_accuracy": "val_acc"}
    calls = [teller(keras, Csv(run, "plain", "metrics.csv", "epoch"), names)]
    trail = model.fit(x, y, 32, 8, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    above(trail, "val_accuracy", 0.3)
    require(trail["val_loss"][-1] < trail["val_loss"][0] * 0.85, f"it was to fall: {told(trail)}")
