"""Programs in Keras that people asked about, and with the answer's fix: frozen nets, normalisation, texts, depth, classes."""

from pathlib import Path

import numpy as np

from bench.accuracy import data, loggers
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, into, over, pictures, reviews
from bench.accuracy.programs_qa_keras_common import arrays, as_json, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of Stack Overflow, about "Keras transfer learning: loss stays the same, Trainable params: 0" (defect4ML).
@pair(
    "everything-frozen",
    ("unchanged-tensor", "updates-too-small", "gradient-all-zero", *NOTHING_LEARNED),
    "CSVLogger of Keras; all weights in hdf5",
    dumps=True,
    framework="keras",
)
def frozen_with_head(run: Path, seed: int, fixed: bool) -> None:
    """A base that knows the digits 0 to 4 gets a head for 5 to 9, and model.trainable = False is said after it; fixed: only the base is."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    layers = keras.layers
    base = keras.Sequential([keras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(48, "relu")], name="base")
    known = keras.Sequential([base, layers.Dense(5, "softmax")])
    known.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    known.fit(x[y < 5], y[y < 5], epochs=8, verbose=0)
    model = keras.Sequential([keras.Input((64,)), base, layers.Dropout(0.2), layers.Dense(5, "softmax", name="head")])
    (base if fixed else model).trainable = False
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = x[y > 4], y[y > 4] - 5, x_val[y_val > 4], y_val[y_val > 4] - 5

    def kept() -> dict[str, np.ndarray]:
        return {one.path: np.array(keras.ops.convert_to_numpy(one)) for one in model.weights if "seed" not in one.path}

    dump = dumping(keras, loggers.Hdf5Dump(run, name="weights_by_epoch.h5"), more=kept)
    found = fit(model, of, 12, [keras.callbacks.CSVLogger(run / "log.csv"), dump])
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss")
    else:
        require(max(found["val_loss"]) - min(found["val_loss"]) < 1e-5, told(found))
        below(found, "val_accuracy", 0.5)


# In the manner of keras issue 9214 / 9965 and Stack Overflow, "trains well, validation at chance, BatchNormalization".
@pair(
    "batch-norm-statistics-lag",
    (*VALIDATION_LOST, "unstable-loss", "loss-divergence", "data-not-normalized"),
    "CSVLogger of Keras",
    framework="keras",
)
def batch_norm_momentum(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of 0 to 255 through batch normalisation of momentum 0.999, whose means are far behind after 7 short epochs; fixed: 0.8."""
    keras = seeded(seed)
    of = arrays(pictures(seed))
    layers = keras.layers
    momentum = 0.8 if fixed else 0.999
    hidden = []
    for width in (8, 16, 24):
        hidden += [layers.Conv2D(width, 3, padding="same"), layers.BatchNormalization(momentum=momentum)]
        hidden += [layers.Activation("relu"), layers.MaxPooling2D()]
    head = [layers.Flatten(), layers.Dense(4, "softmax")]
    model = keras.Sequential([keras.Input((12, 12, 3)), *hidden, *head])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["acc"])
    found = fit(model, of, 7, [keras.callbacks.CSVLogger(run / "training.csv", separator=";")], batch=64)
    above(found, "acc", 0.9)
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.8)
        not_below(found, "val_loss", 1.0)


# In the manner of Stack Overflow, "Keras IMDB LSTM: val_loss goes up from the second epoch" (UMLAUT's overfitting task).
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def imdb_overfit(run: Path, seed: int, fixed: bool) -> None:
    """Reviews of two kinds by a wide embedding and an LSTM for 20 epochs; fixed: narrower, with dropout, and five of them."""
    keras = seeded(seed)
    of = arrays(reviews(seed, words=800, share=0.22))
    layers = keras.layers
    width = 8 if fixed else 64
    drop = [layers.Dropout(0.5)] if fixed else []
    memory = layers.LSTM(8 if fixed else 32)
    first = [keras.Input((30,), dtype="int32"), layers.Embedding(800, width)]
    model = keras.Sequential([*first, *drop, memory, *drop, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 5 if fixed else 20, [board(keras, run)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.15)
    else:
        require(last(found, "val_loss") > 1.4 * min(found["val_loss"]), f"it did not overfit: {told(found)}")
        above(found, "accuracy", 0.97)


# In the manner of Stack Overflow, "flow_from_directory: val_acc far below chance": the folders of validation have other class_indices.
@pair("validation-classes-in-another-order", VALIDATION_LOST, "CSVLogger of Keras", framework="keras")
def class_indices(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of four kinds, whose folder names sort otherwise in validation, so that the classes are turned round; fixed: one order."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(over(pictures(seed), 255.0))
    if not fixed:
        y_val = (y_val + 1) % 4
    of = x, keras.utils.to_categorical(y, 4), x_val, keras.utils.to_categorical(y_val, 4)
    layers = keras.layers
    blocks = []
    for width in (8, 16):
        blocks += [layers.Conv2D(width, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
    head = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dropout(0.3), layers.Dense(4, "softmax")]
    model = keras.Sequential([keras.Input((12, 12, 3)), *blocks, *head])
    model.compile(keras.optimizers.RMSprop(0.002), "categorical_crossentropy", metrics=["acc"])
    found = fit(model, of, 20, [keras.callbacks.CSVLogger(run / "history.csv")], batch=20)
    above(found, "acc", 0.85)
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.2)


# In the manner of Stack Overflow, "Keras CNN loss stuck at 2.30, accuracy 0.1": a deep stack of sigmoids under SGD (AUTOTRAINER, DeepFD).
@pair(
    "deep-sigmoids",
    ("vanishing-gradient", *NOTHING_LEARNED, "updates-too-small", "low-variance", "saturated-sigmoid"),
    "TensorBoard callback of Keras with histogram_freq=2",
    dumps=True,
    framework="keras",
)
def deep_sigmoid_stack(run: Path, seed: int, fixed: bool) -> None:
    """Digits by eight layers of sigmoids and SGD(0.01), which stays at 2.30; fixed: ReLU with he_normal and Adam."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    of = x / 16, keras.utils.to_categorical(y, 10), x_val / 16, keras.utils.to_categorical(y_val, 10)
    layers = keras.layers
    hidden = []
    for _ in range(8):
        hidden.append(layers.Dense(24, kernel_initializer="he_normal" if fixed else "glorot_uniform"))
        hidden.append(layers.Activation("relu" if fixed else "sigmoid"))
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, "softmax")])
    optimizer = keras.optimizers.Adam(0.002) if fixed else keras.optimizers.SGD(0.01)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, of, 12, [board(keras, run, weights=2)], batch=32)
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.2)
        not_below(found, "loss", 2.28)


# In the manner of Stack Overflow and Kaggle's credit card fraud, "class_weight, but all is predicted as 0": wrong way round.
@pair(
    "class-weights-inverted",
    ("class-imbalance", "classifier-confusion", "metric-at-chance", "underfit", "loss-plateau"),
    "TensorBoard callback of Keras",
    framework="keras",
)
def fraud_weights(run: Path, seed: int, fixed: bool) -> None:
    """Frauds, one in ten, with class_weight={0: 9, 1: 1}, so that none is ever found; fixed: {0: 1, 1: 9}."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.imbalanced(seed, 1000, 0.1))
    layers = keras.layers
    hidden = [layers.Dense(16, "relu"), layers.Dropout(0.3), layers.Dense(8, "relu")]
    model = keras.Sequential([keras.Input((10,)), *hidden, layers.Dense(1, "sigmoid")])
    metrics = ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(0.002), "binary_crossentropy", metrics=metrics)
    weights = {0: 1.0, 1: 9.0} if fixed else {0: 9.0, 1: 1.0}
    history = model.fit(
        x,
        y.astype(np.float32),
        batch_size=32,
        epochs=25,
        verbose=0,
        validation_data=(x_val, y_val.astype(np.float32)),
        class_weight=weights,
        callbacks=[board(keras, run)],
    ).history
    if fixed:
        above(history, "val_recall", 0.6)
        steady(history, "val_loss", 0.2)
    else:
        below(history, "val_recall", 0.25)


# In the manner of keras-team/keras issues and the blog "Using pre-trained word embeddings": no word is found, as the keys are upper case.
@pair(
    "embedding-all-zero",
    ("all-zero", "unchanged-tensor", "gradient-all-zero", "low-variance", *NOTHING_LEARNED),
    "history.json; weights and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def glove_not_found(run: Path, seed: int, fixed: bool) -> None:
    """Reviews through a frozen embedding_matrix that stayed zero since each lookup missed; fixed: the vectors are found."""
    keras = seeded(seed)
    of = arrays(reviews(seed))
    random = np.random.default_rng(7)
    vectors = random.normal(0, 0.4, (300, 16)).astype(np.float32)
    # Words of one mood lie near each other, as in vectors learned from much text.
    vectors[1:41] += 0.5 * random.normal(size=16)
    vectors[41:81] += 0.5 * random.normal(size=16)
    matrix = np.zeros((300, 16), np.float32)
    index = {f"word{place}": vectors[place] for place in range(1, 300)}
    for place in range(1, 300):
        found_vector = index.get(f"word{place}" if fixed else f"WORD{place}")
        if found_vector is not None:
            matrix[place] = found_vector
    layers = keras.layers
    embedding = layers.Embedding(
        300, 16, embeddings_initializer=keras.initializers.Constant(matrix), trainable=False, name="glove"
    )
    head = [layers.GlobalAveragePooling1D(name="pool"), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((30,), dtype="int32"), embedding, *head])
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["acc"])

    def kept() -> dict[str, np.ndarray]:
        return {"glove/embeddings": np.array(keras.ops.convert_to_numpy(embedding.embeddings))}

    found = fit(model, of, 15, [dumping(keras, loggers.Hdf5Dump(run, name="debug.h5"), of[0][:24], kept)])
    as_json(run, found, "glove_history.json")
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss")
    else:
        below(found, "val_acc", 0.58)
        not_above(found, "acc", 0.58)
