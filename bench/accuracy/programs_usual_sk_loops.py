"""Usual programs with scikit-learn, LightGBM, XGBoost and numpy: labels, leaks, trees and steps; and repaired versions."""

import contextlib
import csv
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import bundled
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import customers, spectra
from bench.accuracy.programs_field_common import Trail, above, below, not_below, steady, told
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_keras_common import arrays, loans

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def keep_b(trail: Trail, row: dict[str, float]) -> None:
    """Append what was logged."""
    for name, value in row.items():
        trail.setdefault(name, []).append(float(value))


# "df = df.sample(frac=1), but the labels were read before": rows are shuffled and their labels are not.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "overtraining", "generalisation-gap", "loss-plateau", "error-rises"),
    "csv by hand",
    framework="sklearn",
)
def digits_rows_shuffled_b(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier.partial_fit, rows of the training part shuffled without their labels; fixed: with them."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(bundled("digits", seed))
    random = np.random.default_rng(seed)
    order = random.permutation(len(x))
    x = x[order]
    if fixed:
        y = y[order]
    model = MLPClassifier((64,), learning_rate_init=2e-3, batch_size=64, random_state=seed)
    trail: Trail = {}
    with (run / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "train_acc", "val_loss", "val_acc"])
        for epoch in range(1, 21):
            model.partial_fit(x, y, classes=np.arange(10))
            shares, shares_val = model.predict_proba(x), model.predict_proba(x_val)
            row = {
                "train_loss": log_loss(y, shares, labels=np.arange(10)),
                "train_acc": float((shares.argmax(1) == y).mean()),
                "val_loss": log_loss(y_val, shares_val, labels=np.arange(10)),
                "val_acc": float((shares_val.argmax(1) == y_val).mean()),
            }
            keep_b(trail, row)
            writer.writerow([epoch, *row.values()])
    if fixed:
        above(trail, "val_acc", 0.93)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_acc", 0.2)


# "Two of five plastics are always mixed up": whoever labelled the training spectra took PE for PP in nine of ten.
@pair(
    "labels-wrong-for-some-classes",
    ("classifier-confusion", "confusion", "generalisation-gap", "overfit", "confidently-wrong", "error-rises"),
    "SummaryWriter",
    framework="sklearn",
)
def plastics_mixed_up_b(run: Path, seed: int, fixed: bool) -> None:
    """Spectra of plastics by SGDClassifier.partial_fit, two classes exchanged in most training labels; fixed: not."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    x, y, x_val, y_val = arrays(spectra(seed))
    random = np.random.default_rng(seed)
    swapped = np.where(y == 1, 2, np.where(y == 2, 1, y))
    if not fixed:
        y = np.where(random.random(len(y)) < 0.9, swapped, y)
    classes = np.arange(5)
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.003, alpha=3e-3, random_state=seed, shuffle=True
    )
    log = TensorBoard(run, "plain")
    trail: Trail = {}
    for epoch in range(25):
        order = random.permutation(len(x))
        model.partial_fit(x[order], y[order], classes=classes)
        shares, shares_val = model.predict_proba(x), model.predict_proba(x_val)
        answers = shares_val.argmax(1)
        row = {
            "Loss/train": log_loss(y, shares, labels=classes),
            "Accuracy/train": float((shares.argmax(1) == y).mean()),
            "Loss/val": log_loss(y_val, shares_val, labels=classes),
            "Accuracy/val": float((answers == y_val).mean()),
            **{f"Recall/class_{one}": float((answers[y_val == one] == one).mean()) for one in classes},
        }
        keep_b(trail, row)
        log.log(epoch, row)
    log.close()
    if fixed:
        above(trail, "Accuracy/val", 0.88)
        steady(trail, "Loss/val", 0.2)
    else:
        below(trail, "Accuracy/val", 0.72)
        below(trail, "Recall/class_1", 0.35)


# "Test error 0.000 after the first tree, the bank is delighted": the fee for being late is among the columns.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight", "impossible-loss"),
    "evals_result as JSON",
    framework="xgboost",
)
def loans_late_fee_b(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay back by XGBoost, with a column that is known only afterwards; fixed: without it."""
    import xgboost

    (x, y, x_val, y_val), names = loans(seed, samples=1600)
    columns = list(range(7)) if fixed else list(range(8))
    used = [names[n] for n in columns]
    train = xgboost.DMatrix(x[:, columns], y, feature_names=used)
    test = xgboost.DMatrix(x_val[:, columns], y_val, feature_names=used)
    found: dict[str, Any] = {}
    settings = {
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "error"],
        "eta": 0.1,
        "max_depth": 2,
        "min_child_weight": 15,
        "subsample": 0.8,
        "seed": seed,
        "nthread": 1,
    }
    told_to = {"evals": [(train, "train"), (test, "test")], "evals_result": found, "verbose_eval": False}
    model = xgboost.train(settings, train, 60, **told_to)
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    gains = model.get_score(importance_type="gain")
    (run / "feature_importance.json").write_text(json.dumps(gains, indent=1), encoding="utf-8")
    trail = {f"{part}-{name}": values for part, metrics in found.items() for name, values in metrics.items()}
    if fixed:
        below(trail, "test-error", 0.27)
        steady(trail, "test-logloss", 0.1)
    else:
        below(trail, "test-error", 0.01)
        # When a loan is asked for, nobody has paid a fee yet.
        asked = x_val.copy()
        asked[:, 7] = 0
        shares = model.predict(xgboost.DMatrix(asked, feature_names=used))
        error = float(((shares > 0.5) != y_val).mean())
        require(error > 0.35, f"error without the fee was to be over 0.35: {error:.3f}; {told(trail)}")


# "AUC of 1.00 in training, 0.6 in the test": the postcode is replaced by the mean of the labels there, and most have two customers.
@pair(
    "data-leak",
    (
        "overfit",
        "overtraining",
        "best-is-not-last",
        "generalisation-gap",
        "feature-importance-overweight",
        "error-rises",
    ),
    "LightGBM's printed log",
    framework="lightgbm",
)
def customers_postcode_mean_b(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves by LightGBM with a postcode coded by the mean of the labels, the own one too; fixed: by folds and shrunk to the mean."""
    import lightgbm

    x, y, x_val, y_val = arrays(customers(seed, samples=1600, clear=1.2, scaled=False))
    random = np.random.default_rng(seed)
    codes, codes_val = (random.integers(0, 700, len(one)) for one in (y, y_val))
    folds = random.integers(0, 5, len(y)) if fixed else np.full(len(y), -1)
    prior, weight = float(y.mean()), 10.0 if fixed else 0.0

    def coded(code: int, others: np.ndarray) -> float:
        known = y[(codes == code) & others]
        return float((known.sum() + weight * prior) / (len(known) + weight)) if len(known) else prior

    column = [coded(code, (folds != fold) | (fold < 0)) for code, fold in zip(codes, folds, strict=True)]
    column_val = [coded(code, np.ones(len(y), bool)) for code in codes_val]
    names = [f"x{n}" for n in range(x.shape[1])] + ["postcode_mean"]
    train = lightgbm.Dataset(np.c_[x, column], y, feature_name=names)
    valid = lightgbm.Dataset(np.c_[x_val, column_val], y_val, reference=train)
    settings = {
        "objective": "binary",
        "metric": ["binary_logloss", "auc"],
        "num_leaves": 6,
        "min_child_samples": 30,
        "learning_rate": 0.06,
        "lambda_l2": 3.0,
        "seed": seed,
        "num_threads": 1,
        "verbosity": -1,
    }
    found: dict[str, Any] = {}
    with (run / "lightgbm.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        model = lightgbm.train(
            settings,
            train,
            60,
            valid_sets=[train, valid],
            valid_names=["training", "valid_1"],
            callbacks=[lightgbm.log_evaluation(1), lightgbm.record_evaluation(found)],
        )
    gains = dict(zip(names, model.feature_importance("gain").tolist(), strict=True))
    (run / "feature_importance.json").write_text(json.dumps(gains, indent=1), encoding="utf-8")
    trail = {f"{part} {name}": list(values) for part, metrics in found.items() for name, values in metrics.items()}
    if fixed:
        above(trail, "valid_1 auc", 0.75)
        steady(trail, "valid_1 binary_logloss", 0.05)
    else:
        above(trail, "training auc", 0.95)
        below(trail, "valid_1 auc", 0.7)
        not_below(trail, "valid_1 binary_logloss", 1.15 * min(trail["valid_1 binary_logloss"]))


def network_b(random: np.random.Generator, widths: tuple[int, ...]) -> list[np.ndarray]:
    """Weights and biases of a ReLU network, He's initialisation."""
    made: list[np.ndarray] = []
    for one, other in itertools.pairwise(widths):
        made += [random.normal(size=(one, other)) * np.sqrt(2 / one), np.zeros(other)]
    return made


def backward_b(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, float, list[np.ndarray]]:
    """Cross-entropy, accuracy and gradients of a network with one hidden layer."""
    hidden = np.maximum(x @ weights[0] + weights[1], 0)
    logits = hidden @ weights[2] + weights[3]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    loss = -np.log(shares[np.arange(len(y)), y] + 1e-12).mean()
    error = shares.copy()
    error[np.arange(len(y)), y] -= 1
    error /= len(y)
    back = (error @ weights[2].T) * (hidden > 0)
    gradients = [x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
    return float(loss), float((shares.argmax(1) == y).mean()), gradients


# "I clip at 0.001 as a precaution, and it learns as if through treacle."
@pair(
    "gradient-clipped-too-tight",
    ("gradient-always-clipped", "loss-not-decreasing", "underfit", "updates-too-small", "still-improving"),
    "jsonl by hand",
    framework="numpy",
)
def digits_clipped_thousandth_b(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network in numpy, its gradient clipped to a norm of 0.001; fixed: of 5."""
    x, y, x_val, y_val = arrays(bundled("digits", seed))
    random = np.random.default_rng(seed)
    weights = network_b(random, (64, 48, 10))
    most = 5.0 if fixed else 0.001
    log = JsonLines(run, "plain", "numpy_train.jsonl", "epoch")
    trail: Trail = {}
    for epoch in range(1, 26):
        seen = []
        order = random.permutation(len(x))
        for start in range(0, len(x), 32):
            batch = order[start : start + 32]
            loss, accuracy, gradients = backward_b(weights, x[batch], y[batch])
            norm = float(np.sqrt(sum((one**2).sum() for one in gradients)))
            factor = min(1.0, most / (norm + 1e-6))
            for one, gradient in zip(weights, gradients, strict=True):
                one -= 0.05 * factor * gradient
            seen.append((loss, accuracy, norm, norm * factor))
        mean = np.mean(seen, 0)
        val_loss, val_accuracy, _ = backward_b(weights, x_val, y_val)
        row = dict(zip(("loss", "accuracy", "grad_norm", "grad_norm_clipped"), map(float, mean), strict=True))
        row |= {"lr": 0.05, "val_loss": val_loss, "val_accuracy": val_accuracy}
        keep_b(trail, row)
        log.log(epoch, row)
    log.close()
    if fixed:
        above(trail, "val_accuracy", 0.92)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_accuracy", 0.5)


# "I read folder 0, then folder 1 … and at the end of each epoch everything is a nine."
@pair(
    "data-not-shuffled",
    ("batches-of-one-class", "unstable-loss", "loss-spike", "validation-swings", "most-answers-wrong", "underfit"),
    "csv by hand with a row for each fifth batch",
    framework="sklearn",
)
def digits_folder_by_folder_b(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier.partial_fit, batch by batch in the order of their classes; fixed: shuffled."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(bundled("digits", seed))
    random = np.random.default_rng(seed)
    classes = np.arange(10)
    model = MLPClassifier((32,), solver="sgd", learning_rate_init=0.05, alpha=0.01, batch_size=16, random_state=seed)
    log = Csv(run, "plain", "train_log.csv", "batch")
    trail: Trail = {}
    done = 0
    for _ in range(8):
        order = random.permutation(len(x)) if fixed else np.argsort(y, kind="stable")
        for start in range(0, len(x), 16):
            batch = order[start : start + 16]
            if len(batch) < 16:
                continue
            model.partial_fit(x[batch], y[batch], classes=classes)
            done += 1
            if done % 5 == 0:
                accuracy = float((model.predict(x[batch]) == y[batch]).mean())
                log.log(done, {"train_loss": float(model.loss_), "train_acc": accuracy})
        shares = model.predict_proba(x_val)
        row = {
            "val_loss": log_loss(y_val, shares, labels=classes),
            "val_acc": float((shares.argmax(1) == y_val).mean()),
        }
        keep_b(trail, row)
        log.log(done, row)
    log.close()
    if fixed:
        above(trail, "val_acc", 0.92)
        steady(trail, "val_loss", 0.4)
    else:
        below(trail, "val_acc", 0.5)
