"""Examples of Keras on tables, texts and series, and mutants of them: data, regularisation, patience, layers and rates."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import ParquetDump
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_mutant_common import DOES_NOT_MOVE, cars, climate, into
from bench.accuracy.programs_post_common import board, houses, patients, reviews
from bench.accuracy.programs_qa_keras_common import arrays, as_json, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# TensorFlow's "Basic regression: predict fuel efficiency"; operator HLR of DeepCrime: RMSprop from 0.001 to 1e-6.
@pair(
    "learning-rate-too-low",
    (*BADLY_LEARNED, *DOES_NOT_MOVE),
    "history.json; weights in parquet",
    dumps=True,
    framework="keras",
)
def auto_mpg_rate(run: Path, seed: int, fixed: bool) -> None:
    """Miles a gallon of cars with RMSprop(1e-6); fixed: 0.001."""
    keras = seeded(seed)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((9,)), dense(64, "relu"), dense(32, "relu"), dense(1)])
    model.compile(keras.optimizers.RMSprop(0.001 if fixed else 1e-6), "mse", metrics=["mae", "mse"])
    found = fit(model, arrays(cars(seed)), 50, [dumping(keras, ParquetDump(run, "weights.parquet"))], batch=16)
    as_json(run, found)
    if fixed:
        below(found, "val_mae", 3.0)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_mae", 15)


# Keras' boston_housing example; operator "change weights regularisation" (RAW) of DeepCrime: kernel_regularizer=l1(100).
@pair(
    "regularisation-too-strong",
    (
        *BADLY_LEARNED,
        "constant-answer",
        "all-zero",
        "vanishing-gradient",
        "low-variance",
        "gradient-all-zero",
        "tensor-variance",
    ),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def boston_regularised(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by two hidden layers under L1 of 100 on their weights; fixed: 0.001."""
    keras = seeded(seed)
    dense = keras.layers.Dense
    about: dict[str, Any] = {"kernel_regularizer": keras.regularizers.L1(0.001 if fixed else 100.0)}
    layers = [dense(32, "relu", **about), dense(32, "relu", **about), dense(1, **about)]
    model = keras.Sequential([keras.Input((10,)), *layers])
    model.compile(keras.optimizers.RMSprop(0.003), "mse", metrics=["mae"])
    found = fit(model, arrays(houses(seed)), 60, [board(keras, run, weights=2)], batch=16)
    if fixed:
        below(found, "val_mae", 2.5)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_mae", 4)


# Keras' timeseries_weather_forecasting.py; operator "change patience of early stopping": 5 to 2, with min_delta=1.
@pair(
    "stopped-too-soon",
    ("still-improving", "underfit", "ended-early"),
    "CSVLogger of Keras",
    framework="keras",
)
def weather_patience(run: Path, seed: int, fixed: bool) -> None:
    """The temperature six hours ahead by an LSTM that EarlyStopping ends after a few epochs; fixed: patience of 5."""
    keras = seeded(seed)
    layers = keras.layers
    model = keras.Sequential([keras.Input((18, 4)), layers.LSTM(24), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.0005), "mse")
    patience, least = (5, 0) if fixed else (2, 1.0)
    stop = keras.callbacks.EarlyStopping("val_loss", min_delta=least, patience=patience)
    logger = keras.callbacks.CSVLogger(run / "weather_log.csv", separator=";")
    found = fit(model, arrays(climate(seed, 950)), 26, [stop, logger], batch=32)
    if fixed:
        below(found, "val_loss", 0.25)
        steady(found, "val_loss", 0.15)
    else:
        require(len(found["loss"]) < 9 and found["val_loss"][-1] > 0.4, told(found))


# Keras' structured_data_classification_from_scratch.py; operator "unbalance training data" (TUD) of DeepCrime.
@pair(
    "class-imbalance",
    ("class-imbalance", "constant-answer", "generalisation-gap", *VALIDATION_LOST),
    "TensorBoard callback of Keras",
    framework="keras",
)
def heart_unbalanced(run: Path, seed: int, fixed: bool) -> None:
    """Sick or not from eight measures, where of the sick a fiftieth is left in the training data; fixed: all of them."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(patients(seed, 1500))
    if not fixed:
        kept = (y == 0) | (np.random.default_rng(seed).random(len(y)) < 0.02)
        x, y = x[kept], y[kept]
    evenly = np.concatenate([np.flatnonzero(y_val == kind)[: int(y_val.sum())] for kind in (0, 1)])
    of = x, y[:, None].astype(np.float32), x_val[evenly], y_val[evenly][:, None].astype(np.float32)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(32, "relu"), layers.Dropout(0.5), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 25, [board(keras, run)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_accuracy", 0.56)


# Keras' imdb_cnn.py; operator "remove portion of training data" (TRD) of DeepCrime: a fortieth is left.
@pair(
    "too-few-data",
    ("generalisation-gap", *VALIDATION_LOST),
    "CSVLogger of Keras",
    framework="keras",
)
def imdb_cnn_few(run: Path, seed: int, fixed: bool) -> None:
    """Opinions of reviews by a 1-D CNN from 24 of 900 training texts; fixed: all of them."""
    keras = seeded(seed)
    of = arrays(reviews(seed, 1200))
    kept = slice(None) if fixed else slice(24)
    of = of[0][kept], of[1][kept], *of[2:]
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Embedding(300, 24),
            layers.Dropout(0.2),
            layers.Conv1D(32, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(32, "relu"),
            layers.Dropout(0.2),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    found = fit(
        model, of, 6 if fixed else 25, [keras.callbacks.CSVLogger(run / "imdb_cnn.csv")], batch=32 if fixed else 8
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.64)
        above(found, "accuracy", 0.98)


# Keras' imdb_fasttext.py; operator "layer removal" (LR) of DeepMutation: the Embedding, so that numbers of words go into Dense.
@pair(
    "layer-deleted",
    (
        *NOTHING_LEARNED,
        "data-not-normalized",
        "initial-loss",
        "overfit",
        "generalisation-gap",
        "unstable-loss",
        "constant-answer",
    ),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def fasttext_without_embedding(run: Path, seed: int, fixed: bool) -> None:
    """Opinions of reviews from the numbers of their words, 1 to 299, without an Embedding; fixed: with it, averaged."""
    keras = seeded(seed)
    layers = keras.layers
    below_head = [layers.Embedding(300, 24), layers.GlobalAveragePooling1D()] if fixed else []
    model = keras.Sequential([keras.Input((30,)), *below_head, layers.Dense(24, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x, y, x_val, y_val = arrays(reviews(seed, 1000))
    of = (x, y, x_val, y_val) if fixed else (x.astype(np.float32), y, x_val.astype(np.float32), y_val)
    found = fit(model, of, 20, [board(keras, run, weights=1)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.62)


# Keras' lstm_character_level_text_generation.py; Humbatova's "misaligned targets": next_chars in another order than sentences.
@pair(
    "labels-shuffled",
    (*NOTHING_LEARNED, "constant-answer", "overfit", "generalisation-gap", "best-is-not-last", "overtraining"),
    "TensorBoard callback of Keras with update_freq=5",
    framework="keras",
)
def text_generation_misaligned(run: Path, seed: int, fixed: bool) -> None:
    """The next character by an LSTM, with the following characters in another order; fixed: in that of the windows."""
    keras = seeded(seed)
    text = data.text(seed, 80)
    vocabulary = sorted(set(text))
    codes = np.array([vocabulary.index(one) for one in text])
    windows = np.lib.stride_tricks.sliding_window_view(codes, 9)[:2400]
    x, y = np.eye(len(vocabulary), dtype=np.float32)[windows[:, :-1]], windows[:, -1]
    if not fixed:
        y = np.random.default_rng(seed).permutation(y)
    layers = keras.layers
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.LSTM(48), layers.Dense(len(vocabulary), "softmax")])
    model.compile(keras.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, (x[:2000], y[:2000], x[2000:], y[2000:]), 8, [board(keras, run, batches=5)], batch=64)
    if fixed:
        above(found, "val_accuracy", 0.55)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.3)


# TensorFlow's "Overfit and underfit"; operators "change number of neurons", "remove dropout" and "remove regularisation".
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def higgs_large(run: Path, seed: int, fixed: bool) -> None:
    """Collisions, noisy, by three wide layers; fixed: one of 16 units with dropout and L2."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.imbalanced(seed, 900, 0.5, 20))
    random = np.random.default_rng(seed)
    y, y_val = (np.where(random.random(len(one)) < 0.15, 1 - one, one) for one in (y, y_val))
    layers = keras.layers
    if fixed:
        hidden = [layers.Dense(16, "elu", kernel_regularizer="l2"), layers.Dropout(0.3)]
    else:
        hidden = [layers.Dense(128, "elu") for _ in range(3)]
    model = keras.Sequential([keras.Input((20,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, (x, y, x_val, y_val), 40, [board(keras, run)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.68)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 1.5 * min(found["val_loss"]))
        require(last(found, "accuracy") > 0.88, told(found))
