"""Keras programs of notebooks: outputs, activations, rates, targets, distances."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_colab_common import into
from bench.accuracy.programs_colab_keras_common import (
    Arrays,
    as_events,
    as_json,
    as_printed,
    digits,
    dumping,
    fit,
    houses,
    keras_at,
    movements,
    reviews,
    signs,
    steady,
    tail,
    tumours,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Binary classification: my accuracy is exactly the same in each epoch, whatever I change."
@pair(
    "softmax-on-one-unit",
    ["constant-answer", "loss-not-decreasing", "loss-plateau", "task-not-learned", "metric-at-chance"],
    "csv (CSVLogger)",
    framework="keras",
)
def tumour_softmax(run: Path, seed: int, fixed: bool) -> None:
    """A dense network for two classes, whose last layer is Dense(1) with softmax in place of sigmoid."""
    keras = keras_at(seed)
    of = tumours(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 20, [keras.callbacks.CSVLogger(str(run / "training.csv"))])
    reached, share = told["val_accuracy"][-1], float(max(of.y_val.mean(), 1 - of.y_val.mean()))
    holds = reached > 0.93 and steady(told, slack=0.5) if fixed else reached < share + 0.02
    require(holds, f"accuracy {reached:.3f}, majority {share:.3f}, loss {told['val_loss'][-1]:.3f}")


# "I made my MNIST network deeper, now it stays at 10 %."
@pair(
    "vanishing-gradient",
    ["vanishing-gradient", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "task-not-learned"],
    "history.json and hdf5 tensors",
    framework="keras",
    dumps=True,
)
def digits_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Ten dense layers with sigmoid; relu in the fixed version."""
    keras = keras_at(seed)
    of = digits(seed, 1200)
    inside = "relu" if fixed else "sigmoid"
    hidden = [keras.layers.Dense(32, activation=inside, name=f"hidden_{number}") for number in range(1, 11)]
    out = keras.layers.Dense(10, activation="softmax", name="predictions")
    model = keras.Sequential([keras.Input((64,)), *hidden, out])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 18, [dumping(keras, Hdf5Dump(run), of.x_val[:64])])
    as_json(run, told)
    reached = told["val_accuracy"][-1]
    holds = reached > 0.8 and steady(told, slack=0.3) if fixed else reached < 0.35
    require(holds, f"accuracy {reached:.3f}, val loss {told['val_loss'][-1]:.3f} of best {min(told['val_loss']):.3f}")


# "I set the learning rate to 0.1 as in the SGD tutorial; my CNN says the same class for everything."
@pair(
    "learning-rate-too-high",
    ["learning-rate-too-high", "constant-answer", "metric-at-chance", "loss-plateau", "task-not-learned", "dead-relu"],
    "tensorboard (train/ and validation/)",
    framework="keras",
)
def signs_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """A convolutional network on road signs with Adam at 0.1 in place of 0.001."""
    keras = keras_at(seed)
    of = signs(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3 if fixed else 0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 25)
    as_events(run, told)
    reached = told["val_accuracy"][-1]
    holds = reached > 0.85 and steady(told, slack=0.35) if fixed else reached < 0.4
    require(holds, f"accuracy {reached:.3f}, val loss {told['val_loss'][-1]:.3f} of best {min(told['val_loss']):.3f}")


# "House prices: loss is 80000000000 and hardly moves, the model predicts about 500 dollars for each house."
@pair(
    "targets-unscaled",
    ["data-not-normalized", "still-improving", "underfit", "task-not-learned", "loss-not-decreasing", "initial-loss"],
    "history.json",
    framework="keras",
)
def house_prices(run: Path, seed: int, fixed: bool) -> None:
    """Regression of prices in dollars with Adam at 0.001; in units of a standard deviation in the fixed version."""
    keras = keras_at(seed)
    of = houses(seed)
    if fixed:
        mean, deviation = of.y.mean(), of.y.std()
        of = of._replace(y=(of.y - mean) / deviation, y_val=(of.y_val - mean) / deviation)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    told = fit(model, of, 30)
    as_json(run, told)
    explained = 1 - float(np.mean((model.predict(of.x_val, verbose=0) - of.y_val) ** 2)) / float(of.y_val.var())
    holds = explained > 0.7 and steady(told) if fixed else explained < -0.5
    require(holds, f"R2 {explained:.3f}, val loss {told['val_loss'][-1]:.4g} of best {min(told['val_loss']):.4g}")


def _pairs_of(
    x: np.ndarray, y: np.ndarray, count: int, random: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Pairs of pictures, half of them of one class (1); a picture may meet itself."""
    first = random.integers(0, len(y), count)
    same = random.random(count) < 0.5
    second = np.array(
        [random.choice(np.flatnonzero((y == y[one]) == alike)) for one, alike in zip(first, same, strict=True)]
    )
    return [x[first], x[second]], same.astype(np.float32)


# "Siamese network of the Keras blog: loss: nan after some batches, and I have no NaN in my data."
@pair(
    "nan-by-square-root",
    ["non-finite", "loss-goes-missing", "masked-non-finite", "task-not-learned"],
    "csv (CSVLogger)",
    framework="keras",
)
def siamese_distance(run: Path, seed: int, fixed: bool) -> None:
    """Contrastive learning with the Euclidean distance sqrt(sum of squares), whose gradient at 0 is not a number."""
    keras = keras_at(seed)
    of, random = digits(seed, 1200), np.random.default_rng(seed)
    x, y = _pairs_of(of.x, of.y, 1000, random)
    x_val, y_val = _pairs_of(of.x_val, of.y_val, 300, random)
    layers, ops = keras.layers, keras.ops
    tower = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(16)], name="tower")
    left, right = keras.Input((64,)), keras.Input((64,))

    class Distance(keras.layers.Layer):
        """Euclidean, between two codes."""

        def call(self, codes: list[Any]) -> Any:
            """As in the blog, with or without its epsilon."""
            squares = ops.sum(ops.square(codes[0] - codes[1]), axis=1, keepdims=True)
            return ops.sqrt(ops.maximum(squares, 1e-7) if fixed else squares)

    def contrastive_loss(same: Any, distance: Any) -> Any:
        """Near if the same, else at least 1 apart."""
        same = ops.reshape(same, (-1, 1))
        return ops.mean(same * ops.square(distance) + (1 - same) * ops.square(ops.maximum(1 - distance, 0)))

    def pair_accuracy(same: Any, distance: Any) -> Any:
        """Share told apart at 0.5."""
        hits = ops.equal(ops.reshape(same, (-1, 1)) > 0.5, distance < 0.5)
        return ops.mean(ops.cast(hits, "float32"))

    model = keras.Model([left, right], Distance(name="distance")([tower(left), tower(right)]))
    model.compile(keras.optimizers.RMSprop(1e-3), contrastive_loss, metrics=[pair_accuracy])
    told = model.fit(
        x,
        y,
        batch_size=32,
        epochs=15,
        validation_data=(x_val, y_val),
        verbose=0,
        callbacks=[keras.callbacks.CSVLogger(str(run / "siamese_log.csv"), separator=";")],
    ).history
    reached = told["val_pair_accuracy"][-1]
    holds = reached > 0.85 and steady(told, slack=0.3) if fixed else not np.isfinite(told["loss"][-1])
    require(holds, f"accuracy {reached:.3f}, loss {told['loss'][0]:.3f} to {told['loss'][-1]:.3f}")


# "Training accuracy is 97 % and validation accuracy stays at 20 %, although it is the same kind of photos."
@pair(
    "validation-preprocessed-otherwise",
    ["generalisation-gap", "metric-left-behind", "confidently-wrong", "metric-at-chance", "overfit", "constant-answer"],
    "log of verbose=2",
    framework="keras",
)
def signs_preprocess(run: Path, seed: int, fixed: bool) -> None:
    """`preprocess_input` (-1 to 1) for the training photos only; the validation photos stay at 0 to 255."""
    keras = keras_at(seed)
    raw = signs(seed, 600)
    of = Arrays(raw.x / 127.5 - 1, raw.y, raw.x_val / 127.5 - 1 if fixed else raw.x_val, raw.y_val)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["acc"])
    told = fit(model, of, 20)
    as_printed(run, told, -(-len(of.y) // 32))
    reached, learnt = told["val_acc"][-1], told["acc"][-1]
    holds = (
        reached > 0.8 and steady(told, slack=0.35)
        if fixed
        else learnt > 0.8 and reached < learnt - 0.25 and told["val_loss"][-1] > 3
    )
    require(holds, f"accuracy {learnt:.3f}, val {reached:.3f}, val loss {told['val_loss'][-1]:.3f}")


# "IMDB-like reviews: after the third epoch val_loss only goes up, while the training accuracy is 100 %."
@pair(
    "overfitting",
    ["overfit", "overtraining", "generalisation-gap", "best-is-not-last", "confidently-wrong"],
    "tensorboard (train/ and validation/)",
    framework="keras",
)
def reviews_overfit(run: Path, seed: int, fixed: bool) -> None:
    """Few reviews, a wide embedding and convolution without regularisation; a small average of embeddings in the fixed version."""
    keras = keras_at(seed)
    of = reviews(seed, 600)
    layers = keras.layers
    large = [
        layers.Embedding(600, 64),
        layers.Conv1D(64, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(64, activation="relu"),
    ]
    small = [
        layers.Embedding(600, 4, embeddings_regularizer=keras.regularizers.L2(1e-3)),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.5),
    ]
    model = keras.Sequential([keras.Input((40,)), *(small if fixed else large), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    told = fit(model, of, 25)
    as_events(run, told)
    reached, ratio = told["val_accuracy"][-1], told["val_loss"][-1] / min(told["val_loss"])
    holds = reached > 0.65 and ratio < 1.1 if fixed else ratio > 1.25 and told["accuracy"][-1] > 0.95
    require(holds, f"val accuracy {reached:.3f}, val loss ends at {ratio:.2f} of its best, loss {told['loss'][-1]:.3f}")


# "Transfer learning: I froze the base, the accuracy does not change at all."
@pair(
    "everything-frozen",
    [
        "unchanged-tensor",
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "task-not-learned",
        "gradient-all-zero",
    ],
    "csv (CSVLogger) and parquet tensors",
    framework="keras",
    dumps=True,
)
def frozen_head(run: Path, seed: int, fixed: bool) -> None:
    """A base learnt on the digits 0 to 4 with a new head for 5 to 9; the loop that freezes comes after the head is added."""
    keras = keras_at(seed)
    whole = digits(seed)
    layers = keras.layers
    dense = [
        layers.Dense(48, activation="relu", name="features_1"),
        layers.Dense(24, activation="relu", name="features_2"),
    ]
    base = keras.Sequential([keras.Input((64,)), *dense])
    old = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    old.compile("adam", "sparse_categorical_crossentropy")
    old.fit(whole.x[whole.y < 5], whole.y[whole.y < 5], epochs=8, verbose=0)
    kept, kept_val = whole.y > 4, whole.y_val > 4
    of = Arrays(whole.x[kept], whole.y[kept] - 5, whole.x_val[kept_val], whole.y_val[kept_val] - 5)
    model = keras.Sequential([keras.Input((64,)), *dense, layers.Dense(5, activation="softmax", name="new_head")])
    for layer in dense if fixed else model.layers:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    callbacks = [keras.callbacks.CSVLogger(str(run / "log.csv")), dumping(keras, ParquetDump(run))]
    told = fit(model, of, 15, callbacks)
    reached, moved = told["val_accuracy"][-1], told["val_loss"][0] - told["val_loss"][-1]
    holds = reached > 0.6 and steady(told) if fixed else reached < 0.45 and abs(moved) < 1e-3
    require(holds, f"val accuracy {reached:.3f}, val loss fell by {moved:.3f}")


# "ReduceLROnPlateau reduces my learning rate after each epoch although val_loss improves."
@pair(
    "rate-falls-too-soon",
    ["rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"],
    "csv (CSVLogger)",
    framework="keras",
)
def plateau_mode(run: Path, seed: int, fixed: bool) -> None:
    """`ReduceLROnPlateau(monitor="val_loss", mode="max")`: each fall of the loss counts as no progress."""
    keras = keras_at(seed)
    of = movements(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(16, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    slower = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", factor=0.2, patience=2 if fixed else 1, mode="min" if fixed else "max"
    )
    told = fit(model, of, 25, [slower, keras.callbacks.CSVLogger(str(run / "history.csv"))])
    loss, rate = tail(told["val_loss"]), told["learning_rate"][-1]
    holds = loss < 0.45 and steady(told) if fixed else loss > 0.9 and rate < 1e-6
    require(holds, f"val loss {loss:.3f}, accuracy {told['val_accuracy'][-1]:.3f}, rate {rate:.2g}")
