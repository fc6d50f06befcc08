"""Letters about boosting, scikit-learn and networks in numpy by hand; and their repaired versions."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network import MLPClassifier

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    above,
    below,
    not_above,
    steady,
)
from bench.accuracy.programs_hobby_common import into
from bench.accuracy.programs_hobby_keras_common import arrays

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Train logloss 0.01, test logloss goes up and up": max_depth=12, eta=0.5, 150 rounds, copied from a Kaggle notebook.
@pair(
    "overfitting-by-capacity",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "confidently-wrong", "tree-depth"),
    "csv of evals_result",
    framework="xgboost",
)
def churn_trees_too_deep(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by deep and eager trees of XGBoost; fixed: shallow ones, a small rate, subsampling."""
    import xgboost

    x, y, x_val, y_val = arrays(customers(seed, clear=1.2))
    told = {
        "max_depth": 3 if fixed else 12,
        "eta": 0.06 if fixed else 0.5,
        "min_child_weight": 4 if fixed else 0,
        "subsample": 0.7 if fixed else 1.0,
        "lambda": 5 if fixed else 0.1,
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "error"],
        "nthread": 1,
        "seed": seed,
    }
    parts = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    result: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        told, parts[0], 60, [(parts[0], "train"), (parts[1], "test")], evals_result=result, verbose_eval=False
    )
    log = Csv(run, "plain", "evals_result.csv", "iteration")
    found = {f"{part}-{what}": values for part, one in result.items() for what, values in one.items()}
    for at in range(60):
        log.log(at, {tag: values[at] for tag, values in found.items()})
    log.close()
    if fixed:
        below(found, "test-logloss", 0.64)
        steady(found, "test-logloss", 0.05)
    else:
        below(found, "train-logloss", 0.08)
        best = min(found["test-logloss"])
        above(found, "test-logloss", 1.15 * best)


# "LightGBM has an AUC of 1.0, in production it is a coin": the column `cancelled_at` was in the table, which only those have who left.
@pair(
    "target-leaks-into-inputs",
    ("too-good", "feature-importance-overweight", "impossible-loss"),
    "jsonl by a callback, feature importances too",
    framework="lightgbm",
)
def cancelled_at_in_table(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by LightGBM, with a column that tells it; fixed: without that column's values."""
    import lightgbm

    x, y, x_val, y_val = arrays(customers(seed, clear=1.6))
    random = np.random.default_rng(seed)

    def with_date(inputs: np.ndarray, told: np.ndarray) -> np.ndarray:
        date = np.where(told == 1, random.uniform(1, 365, len(told)), 0.0)
        return np.column_stack([inputs, random.permutation(date) if fixed else date])

    names = [f"col_{one}" for one in range(12)] + ["cancelled_at"]
    train = lightgbm.Dataset(with_date(x, y), y, feature_name=names)
    test = lightgbm.Dataset(with_date(x_val, y_val), y_val, reference=train)
    told = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.05, "num_leaves": 6}
    told |= {"verbose": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 15, "feature_fraction": 0.7}
    log = JsonLines(run, "plain", "lgbm.jsonl", "iteration")
    found: dict[str, list[float]] = {}

    def tell(env: lightgbm.callback.CallbackEnv) -> None:
        row = {f"{one[0]}/{one[1]}": float(one[2]) for one in env.evaluation_result_list or []}
        booster: Any = env.model
        share = booster.feature_importance("gain")
        row |= {f"feature_importance/{name}": float(one) for name, one in zip(names, share / share.sum(), strict=True)}
        log.log(env.iteration, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)

    lightgbm.train(told, train, 60, [train, test], ["training", "valid_1"], callbacks=[tell])
    log.close()
    if fixed:
        above(found, "valid_1/auc", 0.75)
        below(found, "valid_1/auc", 0.97)
        steady(found, "valid_1/binary_logloss", 0.08)
    else:
        above(found, "valid_1/auc", 0.999)
        above(found, "feature_importance/cancelled_at", 0.7)


# "SGDRegressor gives 1e+25, is it a bug of scikit-learn?": the columns are square metres and years, no StandardScaler.
@pair(
    "inputs-not-normalised",
    (*BLOWN_UP, "data-not-normalized", "loss-not-decreasing", "underfit", "metric-at-chance", "impossible-loss"),
    "console log",
    framework="sklearn",
)
def rents_without_scaler(run: Path, seed: int, fixed: bool) -> None:
    """Rents of flats by SGDRegressor.partial_fit on raw columns; fixed: a StandardScaler before it."""
    x, y, x_val, y_val = arrays(flats(seed, scaled=fixed))
    targets, targets_val = y[:, 0] / 100, y_val[:, 0] / 100
    model = SGDRegressor(eta0=0.001, learning_rate="constant", random_state=seed)
    log = Console(run, "plain", "sgd.log", "epoch")
    found: dict[str, list[float]] = {}
    for epoch in range(25):
        model.partial_fit(x, targets)
        made, made_val = model.predict(x), model.predict(x_val)
        row = {
            "train_mse": float(np.mean((made - targets) ** 2)),
            "test_mse": float(np.mean((made_val - targets_val) ** 2)),
            "test_r2": float(metrics.r2_score(targets_val, made_val)),
            "coef_norm": float(np.linalg.norm(model.coef_)),
        }
        log.log(epoch, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    if fixed:
        above(found, "test_r2", 0.75)
        steady(found, "test_mse", 0.1)
    else:
        not_above(found, "test_r2", -10)


# "96 % accuracy but recall of the fraud class is 0": MLPClassifier on 1 fraud in 25, and the boss asks where the frauds are.
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "constant-answer", "metric-left-behind", "metric-at-chance", "loss-plateau"),
    "TensorBoard by SummaryWriter",
    framework="sklearn",
)
def frauds_one_in_25(run: Path, seed: int, fixed: bool) -> None:
    """Frauds by MLPClassifier.partial_fit as they come; fixed: the frauds repeated until both classes are even."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(2000, 10))
    pull = z[:, 0] + z[:, 1] - 0.8 * z[:, 2] + 0.6 * z[:, 3] + 1.4 * random.normal(size=2000)
    y = (pull > np.quantile(pull, 0.96)).astype(int)
    x, y, x_val, y_val = z[:1400], y[:1400], z[1400:], y[1400:]
    if fixed:
        rare = np.flatnonzero(y == 1)
        more = random.choice(rare, len(y) - 2 * len(rare))
        x, y = np.concatenate([x, x[more]]), np.concatenate([y, y[more]])
    model = MLPClassifier((8,), alpha=0.3, learning_rate_init=0.002, random_state=seed, batch_size=64)
    writer = TensorBoard(run, "plain")
    found: dict[str, list[float]] = {}
    for epoch in range(15):
        order = random.permutation(len(x))
        model.partial_fit(x[order], y[order], classes=[0, 1])
        share = model.predict_proba(x_val)[:, 1]
        row = {
            "Loss/train": float(model.loss_),
            "Loss/test": float(metrics.log_loss(y_val, share)),
            "Accuracy/test": float(metrics.accuracy_score(y_val, share > 0.5)),
            "Recall/test": float(metrics.recall_score(y_val, share > 0.5)),
            "F1/test": float(metrics.f1_score(y_val, share > 0.5)),
        }
        writer.log(epoch, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    writer.close()
    if fixed:
        above(found, "Recall/test", 0.6)
        above(found, "F1/test", 0.25)
        steady(found, "Loss/test", 0.15)
    else:
        above(found, "Accuracy/test", 0.93)
        below(found, "Recall/test", 0.2)


# "I wrote backprop myself, every neuron learns the same": W = np.zeros((n_in, n_hidden)).
@pair(
    "zero-initialisation",
    (
        *BADLY_LEARNED,
        "metric-at-chance",
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        "unchanged-tensor",
        "low-variance",
        "tensor-variance",
    ),
    "jsonl by hand and Parquet of W1, dW1 …",
    framework="numpy",
    dumps=True,
)
def numpy_all_zero(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network of tanh and softmax in numpy whose weights begin at zero; fixed: He's normal numbers."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    random = np.random.default_rng(seed)
    sizes = (64, 32, 24, 10)
    weights = {
        f"W{one}": random.normal(size=pair_) * np.sqrt(1 / pair_[0]) * fixed
        for one, pair_ in enumerate(itertools.pairwise(sizes), 1)
    }
    weights |= {f"b{one}": np.zeros(size) for one, size in enumerate(sizes[1:], 1)}

    def forward(inputs: np.ndarray) -> list[np.ndarray]:
        outputs = [inputs]
        for one in (1, 2):
            outputs.append(np.tanh(outputs[-1] @ weights[f"W{one}"] + weights[f"b{one}"]))
        logits = outputs[-1] @ weights["W3"] + weights["b3"]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return [*outputs, shares / shares.sum(1, keepdims=True)]

    def judged(inputs: np.ndarray, told: np.ndarray) -> tuple[float, float]:
        shares = forward(inputs)[-1]
        return float(-np.log(shares[np.arange(len(told)), told] + 1e-9).mean()), float(
            (shares.argmax(1) == told).mean()
        )

    log, dump = JsonLines(run, "plain", "log.json", "epoch"), ParquetDump(run, "weights.parquet")
    found: dict[str, list[float]] = {}
    step = 0
    for epoch in range(20):
        order = random.permutation(len(x))
        for start in range(0, len(x), 50):
            rows = order[start : start + 50]
            outputs = forward(x[rows])
            slope = (outputs[3] - np.eye(10)[y[rows]]) / len(rows)
            grads: dict[str, np.ndarray] = {}
            for one in (3, 2, 1):
                grads[f"dW{one}"], grads[f"db{one}"] = outputs[one - 1].T @ slope, slope.sum(0)
                slope = slope @ weights[f"W{one}"].T * (1 - outputs[one - 1] ** 2)
            if step % 45 == 0:
                dump.dump(step, weights | grads | {"A1": outputs[1], "A2": outputs[2]})
            for name in weights:
                weights[name] = weights[name] - 0.1 * grads[f"d{name}"]
            step += 1
        cost, hits = judged(x, y)
        cost_val, hits_val = judged(x_val, y_val)
        row = {"cost": cost, "train_acc": hits, "test_cost": cost_val, "test_acc": hits_val}
        log.log(epoch, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    dump.close()
    require(step == 20 * 27, f"{step} steps")
    if fixed:
        above(found, "test_acc", 0.9)
        steady(found, "test_cost", 0.15)
    else:
        below(found, "test_acc", 0.2)
