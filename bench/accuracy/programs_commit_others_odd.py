"""Healthy programs whose logs look odd at a glance: Keras, boosting, and by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, Hdf5History, JsonLines
from bench.accuracy.programs_commit_common import odd_into
from bench.accuracy.programs_commit_keras_common import bearings, estates, keras_at, snapshots, tiles, trained
from bench.accuracy.programs_commit_others_common import Grid, bikes, module, softmax
from bench.accuracy.programs_field_common import Trail, above, below, last, steady
from bench.accuracy.programs_post_common import board, over

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "The loss will not fall under 0.9, is that bad?": label_smoothing=0.2, whose floor is the entropy of the smoothed labels.
@odd("Keras CSVLogger", framework="keras")
def others_smoothed_labels(run: Path, seed: int) -> None:
    """Faults of bearings with labels smoothed by 0.2: the loss stands high, and nearly all answers are right."""
    keras = keras_at(seed)
    layers = keras.layers
    of = bearings(seed)
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.Conv1D(12, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    y, y_val = (functional.one_hot(one, 4).float() for one in (of.y, of.y_val))
    one_hot = data.Split(of.x, y, of.x_val, y_val)
    found = trained(model, one_hot, 24, [keras.callbacks.CSVLogger(str(run / "fit.csv"))])
    above(found, "val_accuracy", 0.93)
    steady(found, "val_loss", 0.05)
    require(min(found["val_loss"]) > 0.5, "the floor was to be high")


# "Validation is better than training, have I leaked?": strong augmentation and dropout, in training only.
@odd("console log of Keras, verbose=2", framework="keras")
def others_harder_in_training(run: Path, seed: int) -> None:
    """Kinds of tiles with dropout of 0.5 and noise while training: the validation loss lies below the training loss throughout."""
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.GaussianNoise(0.5),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = trained(model, tiles(seed, noise=80.0), 20, printed=run / "train.log")
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.3)
    require(last(found, "loss") > 1.3 * last(found, "val_loss"), "training was to be harder than validation")


# "It stopped at a tenth of the planned rounds": early_stopping_rounds, as configured.
@odd("json of LightGBM's evals", framework="lightgbm")
def others_stopped_by_patience(run: Path, seed: int) -> None:
    """Bikes lent in an hour by LightGBM of 1,000 rounds, stopped when ten rounds brought nothing."""
    lightgbm = module("lightgbm")
    x, y, x_val, y_val = bikes(seed)
    train = lightgbm.Dataset(x, y)
    options = {"objective": "regression", "metric": "rmse", "num_leaves": 8, "learning_rate": 0.1, "verbosity": -1}
    found: dict[str, dict[str, list[float]]] = {}
    lightgbm.train(
        options | {"num_threads": 1, "seed": seed, "bagging_fraction": 0.8, "bagging_freq": 1},
        train,
        1000,
        valid_sets=[train, lightgbm.Dataset(x_val, y_val, reference=train)],
        valid_names=["train", "eval"],
        callbacks=[lightgbm.record_evaluation(found), lightgbm.early_stopping(10, verbose=False)],
    )
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    trail: Trail = {"eval rmse": found["eval"]["rmse"]}
    below(trail, "eval rmse", 0.45 * float(y_val.std()))
    steady(trail, "eval rmse", 0.05)
    require(len(trail["eval rmse"]) < 400, "it was to stop early")


# "All rewards are negative": each move costs one, so the best there is, is minus eight.
@odd("jsonl by hand", framework="numpy")
def others_only_costs(run: Path, seed: int) -> None:
    """Ways through a room of which each move costs 1, by REINFORCE over a table: from about -60 to -8, with an entropy that ends low."""
    random, grid, table = np.random.default_rng(seed), Grid(5, cost=-1.0, goal=-1.0, pits=()), np.zeros((25, 4))
    log, trail = JsonLines(run, "plain", "progress.jsonl", "iteration"), Trail()
    values = np.zeros(25)
    for iteration in range(60):
        rewards, unsure = [], []
        for _ in range(12):
            state, seen, over = grid.reset(), list[tuple[int, int, np.ndarray]](), False
            while not over and len(seen) < 100:
                shares = softmax(table[state])
                action = int(random.choice(4, p=shares))
                seen.append((state, action, shares))
                unsure.append(float(-(shares * np.log(shares + 1e-12)).sum()))
                state, _, over = grid.step(action)
            for at, (place, action, shares) in enumerate(seen):
                advantage = -(len(seen) - at) - values[place]
                values[place] += 0.1 * advantage
                table[place] += 0.015 * np.clip(advantage, -10, 10) * (np.eye(4)[action] - shares)
            rewards.append(-float(len(seen)))
        row = {
            "ep_reward_mean": float(np.mean(rewards)),
            "ep_reward_min": min(rewards),
            "entropy": float(np.mean(unsure)),
        }
        log.log(iteration, row)
        for tag, value in row.items():
            trail.setdefault(tag, []).append(value)
    log.close()
    above(trail, "ep_reward_mean", -12)
    below({"first": trail["ep_reward_mean"][:1]}, "first", -35)


# "Accuracy of 0.6 and a loss near ln 2": clicks are mostly chance, and this is as good as knowing how they are made.
@odd("csv with a row for each thousand impressions", framework="numpy")
def others_clicks_are_chance(run: Path, seed: int) -> None:
    """Clicks by logistic regression in one pass, seen once and tested before they are learned; the truth itself scores no better."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=20) * 0.3
    weights, trail, log = np.zeros(20), Trail(), Csv(run, "plain", "progressive.csv", "impressions")
    x_val = random.normal(size=(4000, 20))
    chance = 1 / (1 + np.exp(-x_val @ truth))
    y_val = (random.random(4000) < chance).astype(float)

    def judged(shares: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        loss = -(y * np.log(shares) + (1 - y) * np.log(1 - shares)).mean()
        return float(loss), float(((shares > 0.5) == y).mean())

    for step in range(1, 41):
        x = random.normal(size=(1000, 20))
        y = (random.random(1000) < 1 / (1 + np.exp(-x @ truth))).astype(float)
        losses = []
        for part in np.array_split(np.arange(1000), 50):
            shares = 1 / (1 + np.exp(-x[part] @ weights))
            losses.append(judged(shares, y[part])[0])
            weights -= 0.12 / np.sqrt(step) * x[part].T @ (shares - y[part]) / len(part)
        loss, accuracy = judged(1 / (1 + np.exp(-x_val @ weights)), y_val)
        row = {"progressive_logloss": float(np.mean(losses)), "holdout_logloss": loss, "holdout_accuracy": accuracy}
        log.log(1000 * step, row)
        for tag, value in row.items():
            trail.setdefault(tag, []).append(value)
    log.close()
    best = judged(chance, y_val)[0]
    below(trail, "holdout_logloss", best + 0.01)
    above(trail, "holdout_accuracy", 0.6)
    steady(trail, "holdout_logloss", 0.02)


# "A loss of hundreds of millions": squared dollars; the mean error is a few per cent of a price.
@odd("history.h5 of Keras", framework="keras")
def others_squared_dollars(run: Path, seed: int) -> None:
    """What houses are sold for, in dollars, with an output layer that scales: mse in squared dollars, which falls as it should."""
    keras = keras_at(seed)
    layers, of = keras.layers, estates(seed)
    mean, spread = float(of.y.mean()), float(of.y.std())
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
            layers.Rescaling(spread, offset=mean),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mae"])
    found = trained(model, of, 25)
    log = Hdf5History(run, "plain")
    for epoch in range(25):
        log.log(epoch, {name: values[epoch] for name, values in found.items()})
    log.close()
    below(found, "val_loss", 0.15 * float(of.y_val.var()))
    steady(found, "val_loss", 0.2)


# "Nine of ten activations are zero, are they dead?": a sparse autoencoder with a penalty on its code, as it is meant to be.
@odd("Keras' TensorBoard callback and an HDF5 dump by a callback", dumps=True, framework="keras")
def others_sparse_code(run: Path, seed: int) -> None:
    """Digits by an autoencoder with ReLU and an L1 penalty on its code: most outputs of it are zero for a picture, few for all."""
    keras = keras_at(seed)
    layers = keras.layers
    x, _ = module("sklearn.datasets").load_digits(return_X_y=True)
    of = data.split(x, np.zeros(len(x), dtype=np.int64), seed, scaled=False)
    of = over(data.Split(of.x, of.x / 16, of.x_val, of.x_val / 16), 16)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.BatchNormalization(name="scaling"),
            layers.Dense(64, activation="relu", activity_regularizer=keras.regularizers.L1(8e-4), name="code"),
            layers.Dense(64, activation="sigmoid", name="decoder"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "mse", metrics=["mae"])
    found = trained(model, of, 20, [board(keras, run), snapshots(keras, Hdf5Dump(run), 85, probe=of.x_val[:128])])
    code = np.asarray(keras.Model(model.inputs, model.get_layer("code").output).predict(of.x_val.numpy(), verbose=0))
    require(0.5 <= (code == 0).mean() <= 0.95, f"most of the code was to be zero: {(code == 0).mean():.3f}")
    require((code == 0).all(0).mean() < 0.2, f"few units were to be silent: {(code == 0).all(0).mean():.3f}")
    below(found, "val_mae", 0.5 * float((of.y_val - of.y.mean(0)).abs().mean()))
    steady(found, "val_loss", 0.1)
