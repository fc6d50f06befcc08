"""Season, author B: boosting, scikit-learn and numpy by hand; and their repaired versions."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import Trail, above, below, not_above, not_below, steady
from bench.accuracy.programs_season_b_common import arrays, loans, meters
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def note(trail: Trail, log: Any, step: int, row: dict[str, float]) -> None:
    """Log a row and keep it."""
    log.log(step, row)
    for name, value in row.items():
        trail.setdefault(name, []).append(value)


# "A thousand trees are too slow, so I took a hundred", and left learning_rate=0.001 as it was.
@pair(
    "boosting-learning-rate-too-low",
    ("boosting-too-slow", "still-improving", "underfit", "updates-too-small", "task-not-learned"),
    "lightgbm evals_result as json",
    framework="lightgbm",
)
def b_heat_trees(run: Path, seed: int, fixed: bool) -> None:
    """Heat demand by 80 trees at a learning rate of 0.001; fixed: 0.1."""
    import lightgbm

    x, y, x_val, y_val = meters(seed)
    of = lightgbm.Dataset(x, y[:, 0])
    settings = {"objective": "regression", "metric": "l2", "learning_rate": 0.1 if fixed else 0.001, "num_leaves": 8}
    settings |= {"seed": seed, "verbose": -1, "num_threads": 1, "feature_fraction": 0.8}
    kept: dict[str, dict[str, list[float]]] = {}
    lightgbm.train(
        settings,
        of,
        80,
        valid_sets=[of, of.create_valid(x_val, y_val[:, 0])],
        valid_names=["training", "valid_1"],
        callbacks=[lightgbm.record_evaluation(kept)],
    )
    (run / "evals_result.json").write_text(json.dumps(kept), encoding="utf-8")
    trail = {"l2": list(kept["valid_1"]["l2"])}
    if fixed:
        below(trail, "l2", 0.4)
        steady(trail, "l2", 0.1)
    else:
        not_below(trail, "l2", 0.75)


# "train-logloss 0.001, ship it": max_depth=12 and 150 rounds on 200 loans.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "tree-depth"),
    "what xgboost prints",
    framework="xgboost",
)
def b_loans_trees(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back by deep trees on 200 of them; fixed: stumps of depth 2 on all."""
    import xgboost

    x, y, x_val, y_val = loans(seed)
    count = len(x) if fixed else 200
    of, valid = xgboost.DMatrix(x[:count], y[:count]), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "binary:logistic", "eval_metric": "logloss", "seed": seed, "nthread": 1}
    settings |= {"max_depth": 2, "eta": 0.05, "subsample": 0.8} if fixed else {"max_depth": 12, "eta": 0.3}
    kept: dict[str, dict[str, list[float]]] = {}
    with (run / "xgb.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        xgboost.train(settings, of, 120, evals=[(of, "train"), (valid, "valid")], evals_result=kept)
    trail = {"valid": kept["valid"]["logloss"]}
    if fixed:
        below(trail, "valid", 0.6)
        steady(trail, "valid", 0.05)
    else:
        not_below(trail, "valid", 1.2 * min(trail["valid"]))
        not_below(trail, "valid", 0.62)


# "Validation AUC of 1.0!": the column `days_in_collection` is filled in only after a loan has failed.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight", "impossible-loss"),
    "csv by hand from lightgbm's record_evaluation",
    framework="lightgbm",
)
def b_loans_leak(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back, with a column that only the outcome fills; fixed: without its content."""
    import lightgbm

    x, y, x_val, y_val = loans(seed)
    random = np.random.default_rng(seed + 50)

    def with_days(inputs: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        """A column of days more."""
        days = random.exponential(30, len(inputs)) * (1 if fixed else outcome)
        return np.column_stack([inputs, days])

    before = with_days(x_val, np.zeros(len(x_val)))
    of = lightgbm.Dataset(with_days(x, y), y)
    valid = of.create_valid(with_days(x_val, y_val), y_val)
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.05, "num_leaves": 4}
    settings |= {"seed": seed, "verbose": -1, "num_threads": 1, "feature_fraction": 1.0}
    kept: dict[str, dict[str, list[float]]] = {}
    names, watch = ["train", "valid"], lightgbm.record_evaluation(kept)
    booster = lightgbm.train(settings, of, 70, valid_sets=[of, valid], valid_names=names, callbacks=[watch])
    log = Csv(run, "plain", "boosting.csv", "iteration")
    trail: Trail = {}
    for at in range(70):
        row = {f"{part}_{what}": kept[part][what][at] for part in names for what in ("binary_logloss", "auc")}
        note(trail, log, at, row)
    log.close()
    honest = float(((np.asarray(booster.predict(before)) > 0.5) == y_val).mean())
    if fixed:
        above(trail, "valid_auc", 0.75)
        below(trail, "valid_auc", 0.97)
        steady(trail, "valid_binary_logloss", 0.08)
    else:
        above(trail, "valid_auc", 0.995)
        require(honest < 0.66, f"without the days known {honest:.3f}")


# "SGDClassifier is useless": the columns of the data set go from 0.001 to 4,000 and no StandardScaler stands before it.
@pair(
    "inputs-not-normalised",
    (
        "data-not-normalized",
        "unstable-loss",
        "validation-swings",
        "loss-spike",
        "learning-rate-too-high",
        "loss-plateau",
    ),
    "csv by hand",
    framework="sklearn",
)
def b_cancer_raw(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by logistic regression with partial_fit on raw columns; fixed: standardised."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed, scaled=fixed))
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.005, random_state=seed)
    random, log, trail = np.random.default_rng(seed), Csv(run, "plain", "sgd_log.csv", "epoch"), Trail()
    for epoch in range(30):
        order = random.permutation(len(x))
        for part in np.array_split(order, 14):
            model.partial_fit(x[part], y[part], classes=[0, 1])
        row = {"train_loss": log_loss(y, model.predict_proba(x)), "train_acc": model.score(x, y)}
        row |= {"val_loss": log_loss(y_val, model.predict_proba(x_val)), "val_acc": model.score(x_val, y_val)}
        note(trail, log, epoch, row)
    log.close()
    if fixed:
        above(trail, "val_acc", 0.93)
        steady(trail, "val_loss", 0.3)
    else:
        not_below(trail, "val_loss", 1.0)


# "Rows were deduplicated, then labels were joined by position": the labels belong to other rows.
@pair(
    "shuffled-labels",
    ("metric-at-chance", "overfit", "generalisation-gap", "overtraining", "task-not-learned", "loss-plateau"),
    "SummaryWriter with one scalar an epoch",
    framework="sklearn",
)
def b_digits_joined(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier.partial_fit with labels of other rows; fixed: their own."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    random = np.random.default_rng(seed)
    if not fixed:
        y = random.permutation(y)
    model = MLPClassifier((48,), learning_rate_init=2e-3, batch_size=32, random_state=seed)
    log, trail = TensorBoard(run, "plain"), Trail()
    for epoch in range(20):
        order = random.permutation(len(x))
        model.partial_fit(x[order], y[order], classes=np.arange(10))
        row = {"Loss/train": log_loss(y, model.predict_proba(x)), "Accuracy/train": model.score(x, y)}
        row |= {"Loss/valid": log_loss(y_val, model.predict_proba(x_val)), "Accuracy/valid": model.score(x_val, y_val)}
        note(trail, log, epoch, row)
    log.close()
    if fixed:
        above(trail, "Accuracy/valid", 0.93)
        steady(trail, "Loss/valid", 0.3)
    else:
        below(trail, "Accuracy/valid", 0.25)


# "RuntimeWarning: divide by zero encountered in log": the cross-entropy of the exercise sheet.
@pair(
    "nan-from-log-of-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "exploding-tensor", "loss-divergence"),
    "jsonl by hand",
    framework="numpy",
)
def b_logreg_log0(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by logistic regression by hand, raw columns and a log without care; fixed: clipped and standardised."""
    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed, scaled=fixed))
    weights, bias = np.zeros(x.shape[1]), 0.0
    log, trail = JsonLines(run, "plain", "run.jsonl", "epoch"), Trail()

    def told(inputs: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
        """Cross-entropy and accuracy."""
        share = 1 / (1 + np.exp(-(inputs @ weights + bias)))
        if fixed:
            share = np.clip(share, 1e-9, 1 - 1e-9)
        loss = -(truth * np.log(share) + (1 - truth) * np.log(1 - share)).mean()
        return float(loss), float(((share > 0.5) == truth).mean())

    with np.errstate(all="ignore"):
        for epoch in range(40):
            error = 1 / (1 + np.exp(-(x @ weights + bias))) - y
            weights -= 0.1 * x.T @ error / len(x)
            bias -= 0.1 * float(error.mean())
            (loss, acc), (val_loss, val_acc) = told(x, y), told(x_val, y_val)
            note(trail, log, epoch, {"loss": loss, "acc": acc, "val_loss": val_loss, "val_acc": val_acc})
    log.close()
    if fixed:
        above(trail, "val_acc", 0.9)
        steady(trail, "val_loss", 0.2)
    else:
        not_below(trail, "loss", 5.0)
        require(not np.isfinite(trail["loss"]).all(), "all losses are finite")


# "All neurons learn the same, why?": np.zeros for every matrix of the net from the exercise.
@pair(
    "zero-initialisation",
    ("poor-initialization", "all-zero", "gradient-all-zero", "unchanged-tensor", "low-variance", "metric-at-chance"),
    "console log; weights and gradients in HDF5",
    framework="numpy",
    dumps=True,
)
def b_digits_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a net by hand of tanh whose weights begin at zero; fixed: small random ones."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    random = np.random.default_rng(seed)
    scale = 0.12 if fixed else 0.0
    w1, b1 = scale * random.normal(size=(64, 32)), np.zeros(32)
    w2, b2 = scale * random.normal(size=(32, 10)), np.zeros(10)
    log, dump, trail, step = Console(run, "plain", "net.log", "epoch"), Hdf5Dump(run), Trail(), 0

    def told(inputs: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
        """Cross-entropy and accuracy."""
        outputs = np.tanh(inputs @ w1 + b1) @ w2 + b2
        outputs -= outputs.max(1, keepdims=True)
        logs = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
        return float(-logs[np.arange(len(truth)), truth].mean()), float((outputs.argmax(1) == truth).mean())

    for epoch in range(20):
        for part in np.array_split(random.permutation(len(x)), 42):
            hidden = np.tanh(x[part] @ w1 + b1)
            outputs = hidden @ w2 + b2
            share = np.exp(outputs - outputs.max(1, keepdims=True))
            error = (share / share.sum(1, keepdims=True) - np.eye(10)[y[part]]) / len(part)
            back = error @ w2.T * (1 - hidden**2)
            slopes = {"W1": x[part].T @ back, "b1": back.sum(0), "W2": hidden.T @ error, "b2": error.sum(0)}
            if step % 84 == 0:
                kept = {f"weights/{name}": one.copy() for name, one in zip(slopes, (w1, b1, w2, b2), strict=True)}
                dump.dump(step, kept | {f"gradients/{name}": one for name, one in slopes.items()})
            for one, slope in zip((w1, b1, w2, b2), slopes.values(), strict=True):
                one -= 0.15 * slope
            step += 1
        (loss, acc), (val_loss, val_acc) = told(x, y), told(x_val, y_val)
        note(trail, log, epoch, {"train loss": loss, "train acc": acc, "val loss": val_loss, "val acc": val_acc})
    log.close()
    dump.close()
    if fixed:
        above(trail, "val acc", 0.9)
        steady(trail, "val loss", 0.2)
    else:
        below(trail, "val acc", 0.2)


# "It predicts the mean of all houses": y of shape (n,) minus predictions of shape (n, 1) makes a square of n by n.
@pair(
    "broadcast-in-loss",
    ("underfit", "loss-plateau", "constant-answer", "metric-at-chance", "loss-not-decreasing", "task-not-learned"),
    "csv by hand",
    framework="numpy",
)
def b_heat_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Heat demand by linear regression by hand with targets of shape (n,); fixed: (n, 1)."""
    x, y, x_val, y_val = meters(seed)
    weights, bias = np.zeros((8, 1)), 0.0
    random, log, trail = np.random.default_rng(seed), Csv(run, "plain", "gd.csv", "epoch"), Trail()

    def told(inputs: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
        """Mean squared error as the training has it, and R2."""
        outputs = inputs @ weights + bias
        error = outputs - (truth if fixed else truth[:, 0])
        return float((error**2).mean()), float(1 - ((outputs - truth) ** 2).mean() / truth.var())

    for epoch in range(25):
        for part in np.array_split(random.permutation(len(x)), 16):
            outputs = x[part] @ weights + bias
            error = outputs - (y[part] if fixed else y[part][:, 0])
            weights -= 0.02 * x[part].T @ error.mean(1, keepdims=True) / len(part) * 2
            bias -= 0.02 * 2 * float(error.mean())
        (mse, r2), (val_mse, val_r2) = told(x, y), told(x_val, y_val)
        note(trail, log, epoch, {"mse": mse, "r2": r2, "val_mse": val_mse, "val_r2": val_r2})
    log.close()
    if fixed:
        above(trail, "val_r2", 0.45)
        steady(trail, "val_mse", 0.1)
    else:
        not_above(trail, "val_r2", 0.1)
