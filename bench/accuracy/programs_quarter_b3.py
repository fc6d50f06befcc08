"""Programs with boosting, scikit-learn or nothing but numpy in which one thing is wrong; and their repaired versions."""

import contextlib
import csv
import itertools
import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    Trail,
    above,
    below,
    last,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_post_common import patients
from bench.accuracy.programs_quarter_b_common import arrays
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "LightGBM does not get below 0.68 in 120 rounds": learning_rate=0.0005, copied from a fine-tuning script.
@pair(
    "learning-rate-too-low",
    ("still-improving", "underfit", "loss-not-decreasing", "loss-plateau", "updates-too-small"),
    "printed log of LightGBM's log_evaluation",
    framework="lightgbm",
)
def b_lightgbm_snail(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by LightGBM with a rate of 0.0005; fixed: 0.05."""
    lightgbm = import_module("lightgbm")

    x, y, x_val, y_val = arrays(customers(seed, samples=1600, clear=3.0))
    train = lightgbm.Dataset(x, y)
    valid = lightgbm.Dataset(x_val, y_val, reference=train)
    kept: dict[str, dict[str, list[float]]] = {}
    with (run / "lightgbm.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        lightgbm.train(
            {
                "objective": "binary",
                "metric": ["binary_logloss", "auc"],
                "learning_rate": 0.05 if fixed else 0.0005,
                "num_leaves": 7,
                "min_data_in_leaf": 20,
                "num_threads": 1,
                "seed": seed,
            },
            train,
            120,
            valid_sets=[train, valid],
            valid_names=["train", "valid"],
            callbacks=[lightgbm.log_evaluation(5), lightgbm.record_evaluation(kept)],
        )
    found: Trail = {f"{part}_{name}": values for part, by in kept.items() for name, values in by.items()}
    start = float(-(y_val.mean() * np.log(y_val.mean()) + (1 - y_val.mean()) * np.log(1 - y_val.mean())))
    if fixed:
        below(found, "valid_binary_logloss", 0.75 * start)
        steady(found, "valid_binary_logloss", 0.05)
    else:
        require(last(found, "valid_binary_logloss") > 0.93 * start, told(found))


# "Training loss 0.01, test loss worse than on day one": max_depth 12, eta 0.6, and labels that are partly chance.
@pair(
    "overfit",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "tree-depth"),
    "evals_result of XGBoost as CSV",
    framework="xgboost",
)
def b_xgboost_too_deep(run: Path, seed: int, fixed: bool) -> None:
    """Patients by XGBoost with deep trees and a large eta; fixed: depth 2, eta 0.05."""
    xgboost = import_module("xgboost")

    x, y, x_val, y_val = arrays(patients(seed, samples=900, scaled=False))
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    shape = (
        {"max_depth": 2, "eta": 0.05, "subsample": 0.8}
        if fixed
        else {"max_depth": 12, "eta": 0.6, "min_child_weight": 0}
    )
    kept: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1, "seed": seed, **shape},
        train,
        100,
        [(train, "train"), (valid, "validation")],
        evals_result=kept,
        verbose_eval=False,
    )
    found: Trail = {f"{part}-{name}": values for part, by in kept.items() for name, values in by.items()}
    with (run / "evals_result.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", *found])
        writer.writerows([at, *row] for at, row in enumerate(zip(*found.values(), strict=True)))
    if fixed:
        below(found, "validation-logloss", 0.53)
        steady(found, "validation-logloss", 0.04)
    else:
        values = found["validation-logloss"]
        require(values[-1] > 1.3 * min(values), told(found))


# "AUC of 1.000 in the notebook and 0.7 in production": the column `closed_at` is filled only after a customer has left.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "evals_result of XGBoost as JSON",
    framework="xgboost",
)
def b_xgboost_leak(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by XGBoost with a column that is known only afterwards; fixed: without its values."""
    xgboost = import_module("xgboost")

    x, y, x_val, y_val = arrays(customers(seed, samples=1200, clear=1.5))
    rng = np.random.default_rng(seed)
    closed = [
        (one * (1 if not fixed else 0) * rng.uniform(100, 400, len(one))).astype(np.float32) for one in (y, y_val)
    ]
    train = xgboost.DMatrix(np.column_stack([x, closed[0]]), y)
    valid = xgboost.DMatrix(np.column_stack([x_val, closed[1]]), y_val)
    kept: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "eval_metric": ["logloss", "auc"],
            "eta": 0.1,
            "max_depth": 3,
            "nthread": 1,
            "seed": seed,
        },
        train,
        60,
        [(train, "train"), (valid, "eval")],
        evals_result=kept,
        verbose_eval=False,
    )
    (run / "evals_result.json").write_text(json.dumps(kept), encoding="utf-8")
    unknown = xgboost.DMatrix(np.column_stack([x_val, np.zeros(len(x_val))]))
    right = float(((booster.predict(unknown) > 0.5) == y_val).mean())
    if fixed:
        require(right > 0.66 and 0.7 < kept["eval"]["auc"][-1] < 0.99, f"{right}, {kept['eval']['auc'][-1]}")
        steady(kept["eval"], "logloss", 0.06)
    else:
        require(right < 0.65 and kept["eval"]["auc"][-1] > 0.99, f"{right}, {kept['eval']['auc'][-1]}")


# "partial_fit gives an error of 10^25": SGDRegressor on square metres, years and distances as they are.
@pair(
    "inputs-not-normalised",
    (
        "data-not-normalized",
        "loss-divergence",
        "learning-rate-too-high",
        "unstable-loss",
        "loss-spike",
        "loss-not-decreasing",
    ),
    "jsonl by hand",
    framework="sklearn",
)
def b_partial_fit_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Rents by SGDRegressor.partial_fit on raw columns; fixed: on standardised ones."""
    linear_model = import_module("sklearn.linear_model")

    x, y, x_val, y_val = arrays(flats(seed, scaled=fixed))
    y, y_val = y[:, 0] / 100, y_val[:, 0] / 100
    model, rng = linear_model.SGDRegressor(eta0=0.002, random_state=seed), np.random.default_rng(seed)
    log, found = JsonLines(run, "plain", "metrics.jsonl", "epoch"), Trail()
    for epoch in range(1, 26):
        order = rng.permutation(len(y))
        for at in range(0, len(y), 40):
            model.partial_fit(x[order[at : at + 40]], y[order[at : at + 40]])
        row = {
            "train_mse": float(np.mean((model.predict(x) - y) ** 2)),
            "test_mse": float(np.mean((model.predict(x_val) - y_val) ** 2)),
            "test_r2": float(model.score(x_val, y_val)),
        }
        log.log(epoch, row)
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    log.close()
    if fixed:
        above(found, "test_r2", 0.75)
        steady(found, "test_mse", 0.1)
    else:
        below(found, "test_r2", -1.0)


class ByHand:
    """A network of tanh layers and a softmax in numpy, with backpropagation by hand."""

    def __init__(self, sizes: list[int], scale: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        pairs = list(itertools.pairwise(sizes))
        self.weights = [rng.normal(size=one) * (scale or np.sqrt(1 / one[0])) for one in pairs]
        self.biases = [np.zeros(one[1]) for one in pairs]
        self.kept: dict[str, np.ndarray] = {}

    def forward(self, x: np.ndarray, safe: bool = True) -> list[np.ndarray]:
        """Outputs of all layers; `safe` takes the largest score off before exp()."""
        outputs = [x]
        for at, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            scores = outputs[-1] @ weight + bias
            if at < len(self.weights) - 1:
                outputs.append(np.tanh(scores))
            else:
                powers = np.exp(scores - scores.max(1, keepdims=True) if safe else scores)
                outputs.append(powers / powers.sum(1, keepdims=True))
        return outputs

    def step(self, x: np.ndarray, y: np.ndarray, rate: float, safe: bool = True) -> tuple[float, float]:
        """One step down the gradient of the cross-entropy; its loss and accuracy."""
        outputs = self.forward(x, safe)
        delta = outputs[-1].copy()
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        for at in reversed(range(len(self.weights))):
            self.kept[f"gradients/W{at + 1}"] = outputs[at].T @ delta
            self.kept[f"gradients/b{at + 1}"] = delta.sum(0)
            delta = (delta @ self.weights[at].T) * (1 - outputs[at] ** 2)
        for at in range(len(self.weights)):
            if at < len(self.weights) - 1:
                self.kept[f"activations/tanh{at + 1}"] = outputs[at + 1]
            self.weights[at] = self.weights[at] - rate * self.kept[f"gradients/W{at + 1}"]
            self.biases[at] = self.biases[at] - rate * self.kept[f"gradients/b{at + 1}"]
        return self.judge(x, y, outputs[-1])

    def judge(
        self, x: np.ndarray, y: np.ndarray, shares: np.ndarray | None = None, safe: bool = True
    ) -> tuple[float, float]:
        """Loss and accuracy."""
        shares = self.forward(x, safe)[-1] if shares is None else shares
        return float(-np.log(shares[np.arange(len(y)), y] + 1e-12).mean()), float((shares.argmax(1) == y).mean())

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights, and what the last step left."""
        made = {f"weights/W{at + 1}": one.copy() for at, one in enumerate(self.weights)}
        return made | {f"weights/b{at + 1}": one.copy() for at, one in enumerate(self.biases)} | dict(self.kept)


def by_hand(
    net: ByHand, of: tuple[np.ndarray, ...], epochs: int, rate: float, log: Any, dump: Any, seed: int, safe: bool = True
) -> Trail:
    """Train a network made by hand, with a row of four columns an epoch and a dump in each third."""
    x, y, x_val, y_val = of
    rng, found = np.random.default_rng(seed), Trail()
    warnings.simplefilter("ignore", RuntimeWarning)
    for epoch in range(1, epochs + 1):
        order, rows = rng.permutation(len(y)), []
        for at in range(0, len(y), 32):
            rows.append(net.step(x[order[at : at + 32]], y[order[at : at + 32]], rate, safe))
            if dump and epoch % 3 == 1 and at == 0:
                dump.dump(epoch, net.tensors())
        (loss, right), (loss_val, right_val) = np.mean(rows, 0), net.judge(x_val, y_val, safe=safe)
        row = {"train_loss": loss, "train_acc": right, "val_loss": loss_val, "val_acc": right_val}
        log.log(epoch, row)
        for name, value in row.items():
            found.setdefault(name, []).append(float(value))
    log.close()
    if dump:
        dump.close()
    return found


# "My network from scratch sticks at 60 %": W = np.random.randn(n_in, n_out) * 3, as the other notebook had it.
@pair(
    "initialisation-too-large",
    (
        "poor-initialization",
        "saturated-tanh",
        "initial-loss",
        "poor-weight-initialization",
        "saturated-activation",
        "underfit",
    ),
    "CSV by hand and dumps to HDF5",
    framework="numpy",
    dumps=True,
)
def b_scratch_large_start(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network in numpy with weights of a deviation of 3; fixed: Xavier's."""
    of = arrays(data.bundled("digits", seed))
    net = ByHand([64, 48, 32, 10], 0.0 if fixed else 3.0, seed)
    found = by_hand(net, of, 25, 0.1, Csv(run, "plain", "results.csv", "epoch"), Hdf5Dump(run), seed)
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_acc", 0.75)


# "RuntimeWarning: overflow encountered in exp, then nan": softmax by the book on inputs of thousands.
@pair(
    "nan-by-overflow",
    ("non-finite", "loss-goes-missing", "metric-at-chance", "data-not-normalized"),
    "printed log by hand",
    framework="numpy",
)
def b_scratch_softmax_overflow(run: Path, seed: int, fixed: bool) -> None:
    """Wine by a softmax regression in numpy on raw measures without the largest score taken off; fixed: standardised and taken off."""
    of = arrays(data.bundled("wine", seed, scaled=fixed))
    net = ByHand([13, 3], 0.0, seed)
    found = by_hand(net, of, 30, 0.05, Console(run, "plain", "train.log", "epoch"), None, seed, fixed)
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.2)
    else:
        not_above(found, "val_acc", 0.5)


# "A linear model with partial_fit is fine in the morning and bad at night": the file is sorted by class, and is read in pieces.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "validation-swings",
        "loss-spike",
        "metric-at-chance",
        "loss-not-decreasing",
    ),
    "SummaryWriter with three scalars a piece",
    framework="sklearn",
)
def b_partial_fit_sorted(run: Path, seed: int, fixed: bool) -> None:
    """Patients by SGDClassifier.partial_fit in pieces of a file with the healthy first; fixed: shuffled."""
    linear_model = import_module("sklearn.linear_model")
    log_loss = import_module("sklearn.metrics").log_loss

    x, y, x_val, y_val = arrays(patients(seed, samples=1200))
    rng, order = np.random.default_rng(seed), np.argsort(y, kind="stable")
    model = linear_model.SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.03, alpha=1e-3, random_state=seed
    )
    log, found, piece = TensorBoard(run, "plain"), Trail(), 0
    for _ in range(5):
        order = rng.permutation(len(y)) if fixed else order
        for at in range(0, len(y), 60):
            chosen = order[at : at + 60]
            for _ in range(3):
                model.partial_fit(x[chosen], y[chosen], classes=np.arange(2))
            piece += 1
            row = {
                "Loss/train": float(log_loss(y[chosen], model.predict_proba(x[chosen]), labels=np.arange(2))),
                "Loss/test": float(log_loss(y_val, model.predict_proba(x_val), labels=np.arange(2))),
                "Accuracy/test": float(model.score(x_val, y_val)),
            }
            log.log(piece, row)
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    log.close()
    if fixed:
        above(found, "Accuracy/test", 0.74)
        steady(found, "Loss/test", 0.3)
    else:
        below(found, "Accuracy/test", 0.64)
