"""Healthy programs in Keras, scikit-learn, LightGBM and numpy that look odd at a first glance."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import Trail, above, below, last, steady, told
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_script_common import odd_into
from bench.accuracy.programs_script_keras_common import Lake, arrays, dumping, keep, keras_at, library, trained

RECIPES: list[Recipe] = []
Odd = Callable[[Path, int], None]
odd: Callable[..., Callable[[Odd], Odd]] = odd_into(RECIPES)


# Keras' CosineSimilarity is minus the cosine: the loss begins at 0 and falls to nearly -1.
@odd("keras CSVLogger", framework="keras")
def cosine_below_zero(run: Path, seed: int) -> None:
    """Directions of embeddings from noisy measures, with a loss between 0 and -1."""
    keras = keras_at(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(700, 16))
    first, second = random.normal(size=(16, 24)) / 4, random.normal(size=(24, 12)) / 5
    y = np.tanh(x @ first) @ second + 0.03 * random.normal(size=(700, 12))
    layers = keras.layers
    model = keras.Sequential([keras.Input((16,)), layers.Dense(48, activation="tanh"), layers.Dense(12)])
    model.compile(keras.optimizers.Adam(4e-3), keras.losses.CosineSimilarity())
    log = keras.callbacks.CSVLogger(str(run / "embeddings.csv"))
    found = trained(model, x[:525], y[:525], (x[525:], y[525:]), 22, [log], batch_size=32)
    below(found, "val_loss", -0.9)
    steady(found, "val_loss", 0.02)


# Sums insured in dollars: l2 begins at billions and ends at hundreds of millions.
@odd("evals_result of lightgbm as json", framework="lightgbm")
def claims_in_dollars(run: Path, seed: int) -> None:
    """Claims of 10,000 to 300,000 by LightGBM with l2 and the mean error in dollars."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(1000, 9))
    y = 1e5 * np.exp(0.35 * x[:, 0] + 0.25 * np.maximum(x[:, 1], 0) - 0.2 * x[:, 2]) + 8000 * random.normal(size=1000)
    light = library("lightgbm")
    train = light.Dataset(x[:750], y[:750])
    valid = light.Dataset(x[750:], y[750:], reference=train)
    settings = {
        "objective": "regression",
        "metric": ["l2", "l1"],
        "learning_rate": 0.08,
        "num_leaves": 5,
        "verbose": -1,
    }
    settings |= {"num_threads": 1, "seed": seed, "min_data_in_leaf": 20}
    found: dict[str, dict[str, list[float]]] = {}
    calls = [light.record_evaluation(found)]
    light.train(settings, train, 90, valid_sets=[train, valid], valid_names=["train", "valid"], callbacks=calls)
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    steady(found["valid"], "l2", 0.05)
    below(found["valid"], "l2", 0.3 * float(y[750:].var()))


# Each chunk of a stream is seen once, tested on before it is trained on, and has 16 rows: the loss is noise, with a mean that falls.
@odd("jsonl by hand", framework="sklearn")
def stream_seen_once(run: Path, seed: int) -> None:
    """Digits as a stream by SGDClassifier, with what a chunk of 16 rows tells before it is learned."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    model = library("sklearn.linear_model").SGDClassifier(loss="log_loss", alpha=1e-3, random_state=seed)
    log, found = JsonLines(run, "plain", "stream.jsonl", "chunk"), Trail()
    model.partial_fit(x[:16], y[:16], classes=np.arange(10))
    for chunk in range(1, len(x) // 16):
        here = slice(16 * chunk, 16 * chunk + 16)
        shares = model.predict_proba(x[here])
        row = {"chunk_acc": float((shares.argmax(1) == y[here]).mean())}
        row["chunk_log_loss"] = float(-np.log(shares[np.arange(16), y[here]].clip(1e-4, 1)).mean())
        model.partial_fit(x[here], y[here])
        if chunk % 10 == 0:
            row["heldout_acc"] = float(model.score(x_val, y_val))
        keep(found, log, chunk, row)
    log.close()
    above(found, "heldout_acc", 0.87)
    require(last(found, "chunk_log_loss", 20) < 0.8 * float(np.mean(found["chunk_log_loss"][:20])), told(found))


# Each step costs 1, so that a reward of -10 is the best there is.
@odd("csv by hand", framework="numpy")
def lake_step_costs(run: Path, seed: int) -> None:
    """Q-learning on a lake where each step costs 1 and a hole 20: rewards are below zero from the first to the last episode."""
    lake, random = Lake(), np.random.default_rng(seed)
    q, rows = np.zeros((36, 4)), []
    log, found = Csv(run, "plain", "progress.csv", "episode"), Trail()
    for episode in range(1, 1501):
        state, total, ended = 0, 0.0, False
        errors: list[float] = []
        epsilon = max(0.02, 1 - episode / 900)
        while not ended and len(errors) < 100:
            action = int(random.integers(4)) if random.random() < epsilon else int(q[state].argmax())
            after, reward, ended = lake.step(state, action)
            cost = -1.0 if reward or not ended else -20.0
            error = cost + (0 if ended else q[after].max()) - q[state, action]
            q[state, action] += 0.2 * error
            errors.append(abs(error))
            total += cost
            state = after
        rows.append([total, float(len(errors)), float(np.mean(errors)), epsilon])
        if episode % 30 == 0:
            names = ("episode_reward", "episode_length", "td_error", "epsilon")
            keep(found, log, episode, dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True)))
            rows = []
    log.close()
    above(found, "episode_reward", -14)


# The convolutions were trained on the digits 0 to 4 and stay as they are on purpose; only the head learns 5 to 9.
@odd("keras TensorBoard callback and add_histogram", dumps=True, framework="keras")
def base_stays_as_it_is(run: Path, seed: int) -> None:
    """A head for the digits 5 to 9 on convolutions trained on 0 to 4, which are frozen."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    x, x_val = (one.transpose(0, 2, 3, 1) / 16 for one in (x, x_val))
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(12, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu")]
    )
    before = keras.Sequential([base, layers.Flatten(), layers.Dense(5, activation="softmax")])
    before.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    before.fit(x[y < 5], y[y < 5], epochs=4, batch_size=32, verbose=0)
    base.trainable = False
    model = keras.Sequential([base, layers.Flatten(), layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [board(keras, run), dumping(keras, HistogramDump(run / "train"), 44)]
    validation = (x_val[y_val > 4], y_val[y_val > 4] - 5)
    found = trained(model, x[y > 4], y[y > 4] - 5, validation, 16, calls, batch_size=32)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)


# An L1 penalty keeps most units of the code at exactly zero for each input, which is what a sparse autoencoder is for.
@odd("keras CSVLogger and parquet", dumps=True, framework="keras")
def codes_mostly_zero(run: Path, seed: int) -> None:
    """A sparse autoencoder of spectra: ReLU codes with an L1 penalty."""
    keras = keras_at(seed)
    x, _, x_val, _ = arrays(spectra(seed, 560, noise=0.1))
    layers = keras.layers
    penalty = keras.regularizers.L1(2e-3)
    model = keras.Sequential(
        [
            keras.Input((60,)),
            layers.Dense(40, activation="relu", activity_regularizer=penalty, name="codes"),
            layers.Dense(60, name="decoded"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mse"])
    calls = [
        keras.callbacks.CSVLogger(str(run / "sparse.csv")),
        dumping(keras, ParquetDump(run), 52, x_val[:40], ("codes",)),
    ]
    found = trained(model, x, x, (x_val, x_val), 28, calls, batch_size=32)
    codes = keras.ops.convert_to_numpy(keras.Model(model.inputs, model.get_layer("codes").output)(x_val).detach())
    require(float((codes == 0).mean()) > 0.5, f"share of zeros {(codes == 0).mean():.2f}")
    require(int((codes.max(0) > 0).sum()) > 25, f"units in use {(codes.max(0) > 0).sum()}")
    below(found, "val_mse", 0.3 * float(x_val.var()))
    steady(found, "val_loss", 0.1)


# Three tenths of the training labels were given at random, as crowds do, and the validation was checked by hand, and looks far better.
@odd("event files of train and validation", framework="keras")
def crowd_labels(run: Path, seed: int) -> None:
    """Gestures with three tenths of the training labels replaced at random, dropout and label smoothing, and a clean validation."""
    keras = keras_at(seed)
    of = gestures(seed, 700, noise=0.4)
    x, y, x_val, y_val = arrays(data.with_label_noise(of, 0.3, seed))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(12, 5, activation="relu"),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    ys, ys_val = keras.utils.to_categorical(y, 5), keras.utils.to_categorical(y_val, 5)
    found = trained(model, x, ys, (x_val, ys_val), 22, [board(keras, run)], batch_size=32)
    above(found, "val_accuracy", 0.9)
    below(found, "accuracy", 0.8)
    steady(found, "val_loss", 0.1)
