"""Programs in Keras as they lie in notebooks and course projects, and after the commit that repaired them."""

from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_field_common import (
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
from bench.accuracy.programs_post_common import board, houses, pictures, reviews
from bench.accuracy.programs_qa_keras_common import arrays, as_json, dumping, fit, seeded
from bench.accuracy.programs_repo_common import into, scans

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of Kaggle's cats-and-dogs notebooks, "validation generator was missing preprocessing_function".
@pair(
    "validation-not-rescaled",
    (*VALIDATION_LOST, "generalisation-gap", "data-not-normalized"),
    "CSVLogger of Keras",
    framework="keras",
)
def rescale_training_only(run: Path, seed: int, fixed: bool) -> None:
    """Pictures by a CNN, scaled to -1 … 1 for training and left at 0 … 255 for validation; fixed: both are scaled."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(pictures(seed, noise=35.0))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(32, "relu"),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = x / 127.5 - 1, y, x_val / 127.5 - 1 if fixed else x_val, y_val
    found = fit(model, of, 25, [keras.callbacks.CSVLogger(run / "training.csv")], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        above(found, "accuracy", 0.75)
        not_below(found, "val_loss", 3)
        below(found, "val_accuracy", 0.7)


# In the manner of text classification notebooks, "Adam(0.1) -> Adam(1e-3)".
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large"),
    "TensorBoard callback of Keras with update_freq=4",
    framework="keras",
)
def text_cnn_rate(run: Path, seed: int, fixed: bool) -> None:
    """Reviews by a CNN over words with Adam(0.3); fixed: Adam(0.001)."""
    keras = seeded(seed)
    of = arrays(reviews(seed, 800, share=0.25))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Embedding(300, 24),
            layers.Conv1D(24, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(16, "relu"),
            layers.Dropout(0.3),
            layers.Dense(1, "sigmoid"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.001 if fixed else 0.3)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 8 if fixed else 12, [board(keras, run, batches=4)], batch=16)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.62)


# In the manner of house price notebooks on Kaggle, "add EarlyStopping and dropout, the net memorised".
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "history.csv, pandas.DataFrame(history.history).to_csv",
    framework="keras",
)
def prices_memorised(run: Path, seed: int, fixed: bool) -> None:
    """Few houses' noisy prices by a wide net for 80 epochs; fixed: a small one with dropout and early stopping."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(houses(seed, 130))
    random = np.random.default_rng(seed)
    y, y_val = ((one - 24) / 8 + 0.6 * random.normal(size=one.shape) for one in (y, y_val))
    dense, dropout = keras.layers.Dense, keras.layers.Dropout
    wide = [dense(128, "relu"), dense(128, "relu"), dense(64, "relu")]
    small = [dense(16, "relu"), dropout(0.2)]
    model = keras.Sequential([keras.Input((10,)), *(small if fixed else wide), dense(1)])
    model.compile(keras.optimizers.Adam(0.005 if fixed else 0.003), "mse", metrics=["mae"])
    stopping = keras.callbacks.EarlyStopping(patience=4)
    found = fit(model, (x, y, x_val, y_val), 80, [stopping] if fixed else [], batch=16)
    rows = [",".join(["", *found])]
    rows += [",".join(map(str, [number, *row])) for number, row in enumerate(zip(*found.values(), strict=True))]
    (run / "history.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    if fixed:
        below(found, "val_loss", 0.8 * float(np.var(y_val)))
        steady(found, "val_loss", 0.15)
    else:
        not_below(found, "val_loss", 1.35 * min(found["val_loss"]))
        below(found, "loss", 0.1)


# In the manner of churn and fraud notebooks, "accuracy was 0.96 with recall 0: class_weight".
@pair(
    "class-imbalance",
    ("class-imbalance", "constant-answer", "classifier-confusion", "metric-at-chance", "loss-plateau"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def churn_all_stay(run: Path, seed: int, fixed: bool) -> None:
    """Customers, of whom 4 % leave, by a net that says of none that he will; fixed: class_weight."""
    keras = seeded(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(2000, 12)).astype(np.float32)
    risk = 0.7 * x[:, 0] - 0.6 * x[:, 1] + 0.5 * x[:, 2] * (x[:, 3] > 0) + random.normal(0, 0.7, 2000)
    y = (risk > np.quantile(risk, 0.96)).astype(np.float32)
    dense = keras.layers.Dense
    hidden = [dense(16, "relu"), keras.layers.Dropout(0.2), dense(8, "relu")]
    model = keras.Sequential([keras.Input((12,)), *hidden, dense(1, "sigmoid")])
    recall = keras.metrics.Recall(name="recall")
    model.compile(keras.optimizers.Adam(0.0007), "binary_crossentropy", metrics=["accuracy", recall])
    weights = {0: 0.52, 1: 12.5} if fixed else None
    found = model.fit(
        x[:1500],
        y[:1500],
        batch_size=32,
        epochs=20,
        validation_data=(x[1500:], y[1500:]),
        class_weight=weights,
        callbacks=[board(keras, run)],
        verbose=0,
    ).history
    if fixed:
        above(found, "val_recall", 0.6)
        above(found, "val_accuracy", 0.72)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_recall", 0.05)
        above(found, "val_accuracy", 0.94)


# In the manner of sentiment notebooks, "padding='post' without mask_zero=True: LSTM saw 50 zeros last".
@pair(
    "padding-not-masked",
    NOTHING_LEARNED,
    "history.json",
    framework="keras",
)
def lstm_padding(run: Path, seed: int, fixed: bool) -> None:
    """Short reviews padded with zeros behind to 60 words for an LSTM; fixed: mask_zero=True."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(reviews(seed, 640, 14, share=0.3))
    of = np.pad(x, ((0, 0), (0, 46))), y, np.pad(x_val, ((0, 0), (0, 46))), y_val
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((60,)), layers.Embedding(300, 16, mask_zero=fixed), layers.LSTM(16), layers.Dense(1, "sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["acc"])
    found = fit(model, of, 4, batch=32)
    as_json(run, found, "hist.json")
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.62)


# In the manner of segmentation notebooks, "l2(1.) -> l2(1e-4), the masks were all background".
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "low-variance", "all-zero", "vanishing-gradient", "constant-answer"),
    "TensorBoard callback of Keras with histogram_freq=1",
    dumps=True,
    framework="keras",
)
def masks_shrunk(run: Path, seed: int, fixed: bool) -> None:
    """Masks of scans by convolutions with kernel_regularizer=l2(1.0), under which all weights vanish; fixed: l2(0.0001)."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(scans(seed, 160))
    of = x, y.reshape(-1, 256), x_val, y_val.reshape(-1, 256)
    layers = keras.layers
    strong = {"kernel_regularizer": keras.regularizers.L2(1e-4 if fixed else 1.0), "padding": "same"}
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv_a", **strong),
            layers.Conv2D(12, 3, activation="relu", name="conv_b", **strong),
            layers.Conv2D(3, 3, name="mask", **strong),
            layers.Reshape((256, 3)),
            layers.Softmax(),
        ]
    )
    model.compile(keras.optimizers.Adam(0.006), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 10, [board(keras, run, weights=1)], batch=10)
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.82)


# In the manner of MNIST notebooks, "(x / 255).astype('uint8') made every pixel 0".
@pair(
    "inputs-rounded-to-zero",
    (*NOTHING_LEARNED, "all-zero", "gradient-all-zero", "constant-answer", "unchanged-tensor", "data-not-normalized"),
    "CSVLogger of Keras; weights and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def uint8_after_scaling(run: Path, seed: int, fixed: bool) -> None:
    """Digits divided by their maximum and then made whole numbers again, so that nearly all is 0; fixed: float32."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    kind = "float32" if fixed else "uint8"
    x, x_val = ((one / 17).astype(kind).astype("float32") for one in (x, x_val))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), dense(48, "relu"), dense(24, "relu"), dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(run / "log.csv", separator=",")
    dump = dumping(keras, Hdf5Dump(run, name="layers.h5"), x[:32], lambda: {"inputs/x": x[:32]})
    found = fit(model, (x, y, x_val, y_val), 15, [logger, dump], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.15)
        require(last(found, "loss") > 2.29, told(found))
