"""Healthy programs with Keras, boosting, scikit-learn and numpy that look odd."""

import contextlib
import csv
import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Hdf5Dump, TensorBoard
from bench.accuracy.programs_desk_common import customers, gestures, spectra
from bench.accuracy.programs_field_common import Trail, above, below, last, steady, told
from bench.accuracy.programs_post_common import board, houses, patients
from bench.accuracy.programs_quarter_b_common import arrays, fit, fresh, one_hot, stack, tensor_dump
from bench.accuracy.programs_quarter_common import odd_into

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Validation is better than training, is that a leak?": half of the inputs and of the hidden units are dropped.
@odd("Keras TensorBoard callback with histogram_freq", framework="keras", dumps=True)
def b_dropout_half(run: Path, seed: int) -> None:
    """Digits by an MLP with dropout of 0.3 and 0.5."""
    keras = fresh(seed)
    layers = keras.layers
    model = stack(
        keras,
        (64,),
        layers.Dropout(0.3),
        layers.Dense(96, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = fit(model, arrays(data.bundled("digits", seed)), 20, batch=64, callbacks=[board(keras, run, weights=4)])
    above(found, "val_accuracy", 0.94)
    steady(found, "val_loss", 0.1)
    require(last(found, "loss") > last(found, "val_loss"), told(found))


# "The rate goes up and down, and so does the loss": a triangle of ten epochs.
@odd("Keras CSVLogger with learning_rate", framework="keras")
def b_cyclic_rate(run: Path, seed: int) -> None:
    """Gestures by a 1-D CNN under a cyclic learning rate."""
    keras = fresh(seed)
    layers = keras.layers
    model = stack(
        keras,
        (32, 3),
        layers.Conv1D(12, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(12, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(5, activation="softmax"),
    )
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 5e-4 + 6e-3 * (1 - abs(epoch % 10 - 5) / 5))
    log = keras.callbacks.CSVLogger(str(run / "clr.csv"))
    found = fit(model, arrays(gestures(seed, noise=0.4)), 31, callbacks=[rate, log])
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.4)


# "Most tensors never change": the body was trained on five digits, is frozen, and only a head for the others is trained.
@odd("Keras CSVLogger and dumps to HDF5", framework="keras", dumps=True)
def b_fine_tuned_head(run: Path, seed: int) -> None:
    """The digits 5 to 9 by a new head on a body that knows 0 to 4."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    low, low_val = y < 5, y_val < 5
    layers = keras.layers
    body = [layers.Dense(64, activation="relu", name="body1"), layers.Dense(48, activation="relu", name="body2")]
    first = stack(keras, (64,), *body, layers.Dense(5, activation="softmax", name="old_head"))
    first.compile("adam", "sparse_categorical_crossentropy")
    fit(first, (x[low], y[low], x_val[low_val], y_val[low_val]), 5)
    for layer in body:
        layer.trainable = False
    model = stack(keras, (64,), *body, layers.Dense(5, activation="softmax", name="new_head"))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = (x[~low], y[~low] - 5, x_val[~low_val], y_val[~low_val] - 5)
    dump = tensor_dump(keras, Hdf5Dump(run), of[0][:64], of[1][:64], "wg", 2)
    found = fit(model, of, 24, callbacks=[keras.callbacks.CSVLogger(str(run / "finetune.csv")), dump])
    above(found, "val_accuracy", 0.82)
    steady(found, "val_loss", 0.15)


# "It stopped in the middle": 112 flowers, EarlyStopping with the best weights.
@odd("printed log of fit(verbose=2)", framework="keras")
def b_flowers_early_stopping(run: Path, seed: int) -> None:
    """Iris by a small MLP with early stopping."""
    keras = fresh(seed)
    layers = keras.layers
    model = stack(keras, (4,), layers.Dense(16, activation="tanh"), layers.Dense(3, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True, min_delta=1e-3)
    found = fit(model, arrays(data.bundled("iris", seed)), 60, batch=16, callbacks=[stop], printed=run / "iris.log")
    above(found, "val_accuracy", 0.88)
    steady(found, "val_loss", 0.3)


# "The loss never gets below 0.9 although accuracy is 95 %": labels are smoothed by 0.2.
@odd("Keras TensorBoard callback", framework="keras")
def b_label_smoothing(run: Path, seed: int) -> None:
    """Plastics from their spectra with label_smoothing=0.2."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(spectra(seed, noise=0.15))
    layers = keras.layers
    model = stack(keras, (60,), layers.Dense(32, activation="gelu"), layers.Dense(5, activation="softmax"))
    model.compile(
        keras.optimizers.AdamW(2e-3), keras.losses.CategoricalCrossentropy(label_smoothing=0.2), metrics=["accuracy"]
    )
    found = fit(model, (x, one_hot(y, 5), x_val, one_hot(y_val, 5)), 18, callbacks=[board(keras, run)])
    above(found, "val_accuracy", 0.9)
    require(last(found, "val_loss") > 0.7, told(found))
    steady(found, "val_loss", 0.05)


# "The loss is negative, is that a bug?": a Gaussian likelihood of a target with little noise.
@odd("Keras CSVLogger", framework="keras")
def b_negative_likelihood(run: Path, seed: int) -> None:
    """Prices of houses with their uncertainty by a negative log-likelihood, which falls below zero."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(houses(seed, samples=900))
    y, y_val = (y - y.mean()) / y.std() / 4, (y_val - y.mean()) / y.std() / 4
    layers, ops = keras.layers, keras.ops
    model = stack(keras, (10,), layers.Dense(24, activation="relu"), layers.Dense(2))

    def nll(targets, outputs):  # type: ignore[no-untyped-def]
        """The likelihood of a normal distribution."""
        sigma = ops.softplus(outputs[:, 1:]) + 0.02
        return ops.mean(ops.log(sigma) + 0.5 * ops.square((targets - outputs[:, :1]) / sigma))

    model.compile(keras.optimizers.Adam(3e-3), nll)
    found = fit(model, (x, y, x_val, y_val), 25, callbacks=[keras.callbacks.CSVLogger(str(run / "nll.csv"))])
    below(found, "val_loss", -0.9)
    steady(found, "val_loss", 0.15)


# "The log begins at epoch 12": training went on from a checkpoint with its optimizer, into the same CSV.
@odd("Keras CSVLogger with append=True", framework="keras")
def b_resumed(run: Path, seed: int) -> None:
    """Who leaves, by an MLP trained for 12 epochs, saved, loaded and trained for 10 more."""
    keras = fresh(seed)
    of = arrays(customers(seed, clear=3.0))
    layers = keras.layers
    model = stack(keras, (12,), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy", "auc"])
    path, table = run.parent / f"{run.name}-checkpoint.keras", str(run / "training.csv")
    first = fit(model, of, 12, callbacks=[keras.callbacks.CSVLogger(table)])
    model.save(path)
    model = keras.models.load_model(path)
    path.unlink()
    more = fit(model, of, 22, initial_epoch=12, callbacks=[keras.callbacks.CSVLogger(table, append=True)])
    found = {name: values + more[name] for name, values in first.items()}
    above(found, "val_accuracy", 0.77)
    steady(found, "val_loss", 0.1)


# "Train AUC 0.99 and validation 0.88, overfit?": boosting that validation still likes.
@odd("printed log of LightGBM's log_evaluation", framework="lightgbm")
def b_boosting_gap(run: Path, seed: int) -> None:
    """Who leaves, by 80 rounds of LightGBM; the training loss is far below the other, which is at its best."""
    lightgbm = import_module("lightgbm")

    x, y, x_val, y_val = arrays(customers(seed, samples=2400, clear=3.0))
    train = lightgbm.Dataset(x, y)
    options = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": 0.05,
        "num_leaves": 15,
        "num_threads": 1,
        "seed": seed,
    }
    kept: dict[str, dict[str, list[float]]] = {}
    with (run / "train.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        lightgbm.train(
            options,
            train,
            80,
            valid_sets=[train, lightgbm.Dataset(x_val, y_val, reference=train)],
            valid_names=["training", "valid_1"],
            callbacks=[lightgbm.log_evaluation(1), lightgbm.record_evaluation(kept)],
        )
    found = {part: by["binary_logloss"] for part, by in kept.items()}
    below(found, "valid_1", 0.48)
    steady(found, "valid_1", 0.03)


# "Only eight rounds": early_stopping_rounds was not needed, the trees are strong.
@odd("evals_result of XGBoost as CSV", framework="xgboost")
def b_eight_rounds(run: Path, seed: int) -> None:
    """Breast cancer by eight rounds of XGBoost."""
    xgboost = import_module("xgboost")

    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed, scaled=False))
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    kept: dict[str, dict[str, list[float]]] = {}
    options = {
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "error"],
        "eta": 0.3,
        "max_depth": 3,
        "nthread": 1,
        "seed": seed,
    }
    xgboost.train(options, train, 8, [(train, "train"), (valid, "test")], evals_result=kept, verbose_eval=False)
    found = {f"{part}-{name}": values for part, by in kept.items() for name, values in by.items()}
    with (run / "rounds.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["round", *found])
        writer.writerows([at, *row] for at, row in enumerate(zip(*found.values(), strict=True)))
    below(found, "test-error", 0.1)
    steady(found, "test-logloss", 0.05)


# "It improves by a thousandth an epoch": a long run of partial_fit on a hard question.
@odd("console log with a line an epoch", framework="sklearn")
def b_long_and_slow(run: Path, seed: int) -> None:
    """Patients by SGDClassifier.partial_fit with averaging, 200 epochs, to about 75 %."""
    linear_model = import_module("sklearn.linear_model")
    log_loss = import_module("sklearn.metrics").log_loss

    x, y, x_val, y_val = arrays(patients(seed, samples=1200))
    model = linear_model.SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=2e-4, average=True, random_state=seed
    )
    log, found = Console(run, "plain", "sgd.log", "epoch"), Trail()
    for epoch in range(1, 201):
        model.partial_fit(x, y, classes=[0, 1])
        row = {
            "train_loss": float(log_loss(y, model.predict_proba(x))),
            "valid_loss": float(log_loss(y_val, model.predict_proba(x_val))),
            "valid_acc": float(model.score(x_val, y_val)),
        }
        log.log(epoch, row)
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    log.close()
    above(found, "valid_acc", 0.72)
    steady(found, "valid_loss", 0.02)


# "Rewards jump about": a bandit of ten arms pays with a deviation of 1, and the mean climbs all the same.
@odd("SummaryWriter with one scalar each ten pulls")
def b_noisy_bandit(run: Path, seed: int) -> None:
    """A gradient bandit of ten arms in numpy with noisy pay."""
    rng, writer = np.random.default_rng(seed), TensorBoard(run, "plain")
    pay, preference, baseline, kept, means = rng.normal(size=10) + 2, np.zeros(10), 0.0, [], []
    for pull in range(1, 2001):
        share = np.exp(preference - preference.max())
        share /= share.sum()
        arm = int(rng.choice(10, p=share))
        reward = float(pay[arm] + rng.normal())
        baseline += (reward - baseline) / pull
        preference += 0.08 * (reward - baseline) * (np.eye(10)[arm] - share)
        kept.append(reward)
        if pull % 10 == 0:
            means.append(float(np.mean(kept[-10:])))
            entropy = float(-(share * np.log(share + 1e-12)).sum())
            writer.log(pull, {"rollout/ep_rew_mean": means[-1], "train/entropy": entropy, "train/baseline": baseline})
    writer.close()
    early, late = np.mean(means[:15]), np.mean(means[-30:])
    require(late > early + 0.35 and late > pay.max() - 0.6 and math.isfinite(late), f"{early} {late} of {pay.max()}")
