"""Changed examples of scikit-learn, XGBoost and LightGBM, and exercises in numpy, with a mistake, and repaired."""

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, ParquetDump, ParquetLong, TensorBoard
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Trail,
    above,
    below,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_keras_common import arrays, keep, library, loans

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def entropy(shares: np.ndarray, y: np.ndarray) -> float:
    """Cross-entropy of shares (n, classes)."""
    return float(-np.log(np.clip(shares[np.arange(len(y)), y], 1e-12, 1)).mean())


# "The loss is the same after each epoch, only jittering": fit() in a loop, where partial_fit() was meant.
@pair(
    "begins-anew-each-epoch",
    (*BADLY_LEARNED, "metric-at-chance", "unstable-loss", "validation-swings", "still-improving"),
    "SummaryWriter with one scalar an epoch",
    framework="sklearn",
)
def digits_fit_in_loop(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier(max_iter=1).fit in a loop; fixed: partial_fit."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    network = library("sklearn.neural_network")
    model = network.MLPClassifier((32,), learning_rate_init=1e-3, max_iter=1, batch_size=64)
    log, found, random = TensorBoard(run, "plain"), Trail(), np.random.default_rng(seed)
    for epoch in range(1, 31):
        order = random.permutation(len(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if fixed:
                model.partial_fit(x[order], y[order], classes=np.arange(10))
            else:
                model.fit(x[order], y[order])
        row = {
            "loss/train": entropy(model.predict_proba(x), y),
            "loss/valid": entropy(model.predict_proba(x_val), y_val),
        }
        keep(found, log, epoch, row | {"score/valid": model.score(x_val, y_val)})
    log.close()
    if fixed:
        above(found, "score/valid", 0.93)
        steady(found, "loss/valid", 0.15)
    else:
        below(found, "score/valid", 0.75)


# "I doubled alpha until the overfitting was gone": alpha=100 in MLPClassifier, from the grid that was searched for C of an SVC.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "constant-answer", "all-zero", "low-variance", "vanishing-gradient", "poor-initialization"),
    "jsonl by hand and parquet",
    dumps=True,
    framework="sklearn",
)
def cultivars_alpha_as_c(run: Path, seed: int, fixed: bool) -> None:
    """Which cultivar a wine is of by MLPClassifier(alpha=100); fixed: 0.01."""
    x, y, x_val, y_val = arrays(data.bundled("wine", seed, 0.3))
    network = library("sklearn.neural_network")
    model = network.MLPClassifier(
        (24, 12), alpha=0.01 if fixed else 100.0, batch_size=16, learning_rate_init=2e-3, random_state=seed
    )
    log, dump, found = JsonLines(run, "plain", "mlp.jsonl", "epoch"), ParquetDump(run), Trail()
    for epoch in range(1, 26):
        model.partial_fit(x, y, classes=np.arange(3))
        row = {"loss": float(model.loss_), "log_loss": entropy(model.predict_proba(x), y)}
        row |= {"val_log_loss": entropy(model.predict_proba(x_val), y_val), "val_score": model.score(x_val, y_val)}
        keep(found, log, epoch, row)
        if epoch % 3 == 1:
            tensors = {f"weights/coefs_{number}": one.copy() for number, one in enumerate(model.coefs_)}
            tensors |= {f"weights/intercepts_{number}": one.copy() for number, one in enumerate(model.intercepts_)}
            dump.dump(epoch, tensors)
    log.close()
    dump.close()
    if fixed:
        above(found, "val_score", 0.9)
        steady(found, "val_log_loss", 0.3)
    else:
        below(found, "val_score", 0.5)


# "My R2 is -1e22": SGDRegressor.partial_fit on square metres, years and incomes as they are.
@pair(
    "unnormalised-input",
    (*BLOWN_UP, *BADLY_LEARNED, "data-not-normalized", "initial-loss", "metric-at-chance", "impossible-loss"),
    "csv by hand",
    framework="sklearn",
)
def lettings_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Rents, in hundreds of euros, by SGDRegressor on columns in their own units; fixed: StandardScaler before it."""
    x, y, x_val, y_val = arrays(flats(seed, scaled=fixed))
    y, y_val = y[:, 0] / 100, y_val[:, 0] / 100
    model = library("sklearn.linear_model").SGDRegressor(eta0=0.002, random_state=seed)
    log, found, random = Csv(run, "plain", "sgd.csv", "epoch"), Trail(), np.random.default_rng(seed)
    for epoch in range(20):
        order = random.permutation(len(x))
        model.partial_fit(x[order], y[order])
        errors, errors_val = model.predict(x) - y, model.predict(x_val) - y_val
        row = {"mse": (errors**2).mean(), "val_mse": (errors_val**2).mean()}
        keep(found, log, epoch, row | {"val_r2": 1 - (errors_val**2).mean() / y_val.var()})
    log.close()
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_mse", 0.1)
    else:
        not_above(found, "val_r2", -10)


# "eval-logloss is best in round 4": max_depth=12 and eta=1.0 for nine hundred loans.
@pair(
    "overfit-by-depth",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "tree-depth", "confidently-wrong"),
    "what xgboost prints",
    framework="xgboost",
)
def loans_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Loans that are not paid back by XGBoost with trees of 12 levels at eta 1; fixed: 2 levels at 0.1."""
    x, y = loans(seed)
    boost = library("xgboost")
    train, valid = boost.DMatrix(x[:650], y[:650]), boost.DMatrix(x[650:], y[650:])
    settings = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "seed": seed, "nthread": 1}
    settings |= {"max_depth": 2, "eta": 0.1, "subsample": 0.8} if fixed else {"max_depth": 12, "eta": 1.0}
    told_of: dict[str, dict[str, list[float]]] = {}
    boost.train(settings, train, 60, [(train, "train"), (valid, "eval")], evals_result=told_of, verbose_eval=False)
    found = {f"{part}-{name}": values for part, metrics in told_of.items() for name, values in metrics.items()}
    with (run / "xgb.log").open("w", encoding="utf-8") as file:
        for number in range(60):
            parts = "\t".join(f"{name}:{values[number]:.5f}" for name, values in found.items())
            file.write(f"[{number}]\t{parts}\n")
    if fixed:
        below(found, "eval-error", 0.3)
        steady(found, "eval-logloss", 0.03)
    else:
        below(found, "train-error", 0.02)
        require(last(found, "eval-logloss") > 1.25 * min(found["eval-logloss"]), f"no overfitting: {told(found)}")


# "In training it was 100 %": the table of customers who left has the day of their last bill, which is empty until they leave.
@pair(
    "train-data-leak",
    (
        "feature-importance-overweight",
        "too-good",
        "overfit",
        "generalisation-gap",
        "metric-at-chance",
        "constant-answer",
        "nothing-found",
        "overtraining",
    ),
    "record_evaluation of lightgbm as csv, and feature importances as hdf5",
    dumps=True,
    framework="lightgbm",
)
def churn_last_bill(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, with a column that is filled only once they left, and empty in this month's table; fixed: without it."""
    x, y, x_val, y_val = arrays(customers(seed, 900, 3.0))
    random = np.random.default_rng(seed)
    bill, bill_val = np.where(y == 1, random.uniform(1, 30, len(y)), 0), np.zeros(len(y_val))
    if fixed:
        bill = np.zeros(len(y))
    x, x_val = np.column_stack([x, bill]), np.column_stack([x_val, bill_val])
    light = library("lightgbm")
    names = [*(f"column_{number}" for number in range(12)), "days_since_last_bill"]
    train = light.Dataset(x, y, feature_name=names)
    valid = light.Dataset(x_val, y_val, reference=train)
    settings = {
        "objective": "binary",
        "metric": ["binary_logloss", "binary_error"],
        "learning_rate": 0.08,
        "num_leaves": 6,
    }
    settings |= {"verbose": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 15}
    told_of: dict[str, dict[str, list[float]]] = {}
    dump = Hdf5Dump(run, name="importances.h5")

    def importances(environment: Any) -> None:
        if environment.iteration % 6 == 0:
            gains = environment.model.feature_importance("gain")
            dump.dump(environment.iteration, {"feature_importance/gain": gains.astype(np.float64)})

    calls = [light.record_evaluation(told_of), importances]
    light.train(settings, train, 50, valid_sets=[train, valid], valid_names=["training", "valid_1"], callbacks=calls)
    dump.close()
    found = {f"{part}'s {name}": values for part, metrics in told_of.items() for name, values in metrics.items()}
    log = Csv(run, "plain", "evals.csv", "iteration")
    for number in range(50):
        log.log(number + 1, {name: values[number] for name, values in found.items()})
    log.close()
    if fixed:
        below(found, "valid_1's binary_error", 0.25)
        steady(found, "valid_1's binary_logloss", 0.1)
    else:
        below(found, "training's binary_error", 0.01)
        not_below(found, "valid_1's binary_error", 0.4)


# "Exercise 2: why does the network not learn?": np.zeros for all weights.
@pair(
    "zero-initialisation",
    (
        *NOTHING_LEARNED,
        "all-zero",
        "poor-initialization",
        "poor-weight-initialization",
        "gradient-all-zero",
        "unchanged-tensor",
        "low-variance",
        "vanishing-gradient",
        "dead-relu",
    ),
    "console log and hdf5",
    dumps=True,
    framework="numpy",
)
def moons_of_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Two moons by a network in numpy whose weights begin at zero; fixed: He's initialisation."""
    x, y = library("sklearn.datasets").make_moons(500, noise=0.15, random_state=seed)
    random = np.random.default_rng(seed)
    sizes = (2, 16, 8, 1)
    scale = [np.sqrt(2 / before) if fixed else 0.0 for before in sizes[:-1]]
    weights = [one * random.normal(size=shape) for one, shape in zip(scale, itertools.pairwise(sizes), strict=True)]
    biases = [np.zeros(units) for units in sizes[1:]]
    log, dump, found = Console(run, "plain", "exercise2.log", "epoch"), Hdf5Dump(run), Trail()

    def forward(inputs: np.ndarray) -> list[np.ndarray]:
        outputs = [inputs]
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            z = outputs[-1] @ weight + bias
            outputs.append(np.maximum(z, 0) if number < 2 else 1 / (1 + np.exp(-z)))
        return outputs

    def scores(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
        share = forward(inputs)[-1][:, 0]
        loss = -np.log(np.where(targets == 1, share, 1 - share).clip(1e-9, 1)).mean()
        return float(loss), float(((share > 0.5) == targets).mean())

    for epoch in range(1, 61):
        for start in range(0, 350, 35):
            outputs = forward(x[start : start + 35])
            delta = (outputs[-1] - y[start : start + 35, None]) / 35
            gradients = []
            for number in (2, 1, 0):
                gradients.append((outputs[number].T @ delta, delta.sum(0)))
                delta = delta @ weights[number].T * (outputs[number] > 0)
            gradients.reverse()
            if start == 0 and epoch % 6 == 1:
                tensors = {f"weights/W{number + 1}": one.copy() for number, one in enumerate(weights)}
                tensors |= {f"gradients/W{number + 1}": one[0] for number, one in enumerate(gradients)}
                tensors |= {f"activations/relu{number}": outputs[number] for number in (1, 2)}
                dump.dump(epoch, tensors)
            for number, (weight, bias) in enumerate(gradients):
                weights[number] -= 0.2 * weight
                biases[number] -= 0.2 * bias
        (loss, accuracy), (val_loss, val_accuracy) = scores(x[:350], y[:350]), scores(x[350:], y[350:])
        keep(found, log, epoch, {"cost": loss, "acc": accuracy, "val_cost": val_loss, "val_acc": val_accuracy})
    log.close()
    dump.close()
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_cost", 0.3)
    else:
        below(found, "val_acc", 0.6)


# "RuntimeWarning: overflow encountered in exp, and then all is nan": the pixels went up to 16, now they go up to 255.
@pair(
    "unnormalised-input",
    (
        "non-finite",
        "loss-goes-missing",
        "exploding-gradient",
        "metric-at-chance",
        "loss-divergence",
        "data-not-normalized",
        "initial-loss",
    ),
    "parquet of scalars",
    framework="numpy",
)
def digits_exp_overflows(run: Path, seed: int, fixed: bool) -> None:
    """Digits up to 255 by softmax regression in numpy with exp(z) / sum(exp(z)); fixed: divided by 255 first."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    scale = 1 / 16 if fixed else 255 / 16
    x, x_val = x * scale, x_val * scale
    random = np.random.default_rng(seed)
    weight, bias = 0.01 * random.normal(size=(64, 10)), np.zeros(10)
    log, found = ParquetLong(run, "plain"), Trail()

    def softmax(z: np.ndarray) -> np.ndarray:
        raised: np.ndarray = np.exp(z)
        return np.asarray(raised / raised.sum(1, keepdims=True))

    with np.errstate(all="ignore"):
        for step in range(1, 401):
            chosen = random.integers(0, len(x), 64)
            shares = softmax(x[chosen] @ weight + bias)
            delta = (shares - np.eye(10)[y[chosen]]) / 64
            weight -= 0.1 * x[chosen].T @ delta
            bias -= 0.1 * delta.sum(0)
            if step % 20 == 0:
                told_now = softmax(x_val @ weight + bias)
                row = {"loss": float(-np.log(shares[np.arange(64), y[chosen]]).mean())}
                row |= {"val_loss": float(-np.log(told_now[np.arange(len(y_val)), y_val]).mean())}
                keep(found, log, step, row | {"val_acc": float((told_now.argmax(1) == y_val).mean())})
    log.close()
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.1)
    else:
        require(not np.isfinite(found["val_loss"][-1]), f"still finite: {told(found)}")
        below(found, "val_acc", 0.2)
