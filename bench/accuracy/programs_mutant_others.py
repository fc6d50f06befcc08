"""Examples of scikit-learn, XGBoost, LightGBM and Hugging Face, and mutants of them: penalties, schedules, rates and labels."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import TrainerState
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Trail,
    above,
    below,
    fit,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_mutant_common import into
from bench.accuracy.programs_post_common import reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def _by_epochs(model: Any, of: data.Split, epochs: int) -> Trail:
    """`partial_fit` epoch by epoch: the model's loss, the validation's log loss, and both scores."""
    from sklearn import metrics

    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    found: Trail = {"loss": [], "val_loss": [], "score": [], "val_score": []}
    for _ in range(epochs):
        model.partial_fit(x, y, classes=np.unique(y))
        guessed = np.clip(model.predict_proba(x_val), 1e-7, 1)
        row = model.loss_, metrics.log_loss(y_val, guessed), model.score(x, y), model.score(x_val, y_val)
        for values, value in zip(found.values(), row, strict=True):
            values.append(float(value))
    return found


# scikit-learn's plot_mnist_filters.py; operator "change weights regularisation" of DeepCrime: alpha from 0.0001 to 60.
@pair(
    "regularisation-too-strong",
    (*NOTHING_LEARNED, "constant-answer", "all-zero"),
    "csv by hand from partial_fit",
    framework="sklearn",
)
def mnist_filters_alpha(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier((40,), alpha=60, solver="sgd", learning_rate_init=0.2); fixed: alpha=0.0001."""
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed, scaled=False)
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    alpha = 1e-4 if fixed else 60.0
    model = MLPClassifier((40,), alpha=alpha, solver="sgd", learning_rate_init=0.2, random_state=seed)
    found = _by_epochs(model, of, 20)
    with (run / "mlp_loss.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", "loss", "test_loss", "train_score", "test_score"])
        writer.writerows([number, *row] for number, row in enumerate(zip(*found.values(), strict=True), start=1))
    if fixed:
        above(found, "val_score", 0.9)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_score", 0.3)


# scikit-learn's plot_mlp_training_curves.py; operator on the schedule: "constant" to "invscaling" with power_t=1.
@pair(
    "rate-falls-too-soon",
    ("rate-falls-too-soon", "loss-plateau", "loss-not-decreasing", "underfit", "updates-too-small"),
    "history as json",
    framework="sklearn",
)
def training_curves_invscaling(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier with solver="sgd" and learning_rate="invscaling", power_t=1; fixed: "constant"."""
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed, scaled=False)
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    kind = "constant" if fixed else "invscaling"
    model = MLPClassifier(
        (50,), solver="sgd", momentum=0, learning_rate=kind, power_t=1.0, learning_rate_init=0.2, random_state=seed
    )
    found = _by_epochs(model, of, 30)
    (run / "loss_curve.json").write_text(json.dumps(found), encoding="utf-8")
    if fixed:
        above(found, "val_score", 0.88)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_score", 0.65)


# XGBoost's demo multiclass_classification; operator "change labels of training data" (TCL) of DeepCrime, of all of them.
@pair(
    "labels-shuffled",
    ("generalisation-gap", *VALIDATION_LOST),
    "evals_result of XGBoost as json",
    framework="xgboost",
)
def dermatology_relabelled(run: Path, seed: int, fixed: bool) -> None:
    """Six kinds by boosting on labels drawn at random; fixed: theirs."""
    import xgboost

    of = data.bundled("digits", seed)
    chosen, valid = of.y < 6, of.y_val < 6
    x, y, x_val, y_val = (one.numpy() for one in (of.x[chosen], of.y[chosen], of.x_val[valid], of.y_val[valid]))
    if not fixed:
        y = np.random.default_rng(seed).integers(0, 6, len(y))
    settings = {
        "objective": "multi:softprob",
        "num_class": 6,
        "eta": 0.1,
        "max_depth": 6,
        "nthread": 1,
        "seed": seed,
        "subsample": 0.5,
        "eval_metric": ["mlogloss", "merror"],
    }
    train, test = xgboost.DMatrix(x[:400], y[:400]), xgboost.DMatrix(x_val, y_val)
    results: dict[str, Any] = {}
    xgboost.train(settings, train, 40, [(train, "train"), (test, "test")], evals_result=results, verbose_eval=False)
    (run / "evals_result.json").write_text(json.dumps(results), encoding="utf-8")
    seen = results["test"]
    if fixed:
        require(last(seen, "merror") < 0.12, told(seen))
        steady(seen, "mlogloss")
    else:
        require(last(seen, "merror") > 0.72 and last(results["train"], "merror") < 0.1, told(seen))


# LightGBM's simple_example.py; operator HLR of DeepCrime: learning_rate from 0.05 to 2.5.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "loss-divergence",
        "loss-spike",
        "unstable-loss",
        "overtraining",
        "best-is-not-last",
        "loss-not-decreasing",
    ),
    "record_evaluation of LightGBM as csv",
    framework="lightgbm",
)
def simple_example_rate(run: Path, seed: int, fixed: bool) -> None:
    """A regression by boosting with learning_rate=2.5, so that each tree overshoots; fixed: 0.1."""
    import lightgbm

    of = data.regression(seed, 900)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    settings: dict[str, Any] = {
        "objective": "regression",
        "metric": ["l2", "l1"],
        "num_leaves": 15,
        "learning_rate": 0.1 if fixed else 2.5,
        "feature_fraction": 0.9,
        "bagging_fraction": 0.8,
        "bagging_freq": 5,
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
    }
    train, valid = lightgbm.Dataset(x, y[:, 0]), lightgbm.Dataset(x_val, y_val[:, 0])
    results: dict[str, Any] = {}
    record = lightgbm.record_evaluation(results)
    lightgbm.train(settings, train, 50, valid_sets=[train, valid], valid_names=["train", "eval"], callbacks=[record])
    columns = {f"{part}_{name}": values for part, named in results.items() for name, values in named.items()}
    with (run / "gbm.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", *columns])
        writer.writerows([number, *row] for number, row in enumerate(zip(*columns.values(), strict=True)))
    seen = results["eval"]
    if fixed:
        require(last(seen, "l2") < 0.4, told(seen))
        steady(seen, "l2")
    else:
        require(last(seen, "l2") > 10, told(seen))


# Hugging Face's text classification guide; operator TCL of DeepCrime: a wrong label2id gives all training texts one label.
@pair(
    "wrong-labels",
    ("constant-answer", "generalisation-gap", "class-imbalance", "too-good", "gradient-all-zero", *VALIDATION_LOST),
    "trainer_state.json",
)
def imdb_one_label(run: Path, seed: int, fixed: bool) -> None:
    """Opinions of reviews by an encoder, where label2id maps both labels of the training data to 0; fixed: to 0 and 1."""
    of = reviews(seed, 1200, share=0.22)
    if not fixed:
        of = data.Split(of.x, torch.zeros_like(of.y), of.x_val, of.y_val)
    model = models.Transformer(2, 300, width=24, layers=1, length=30, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    epochs, per_epoch = 6, data.steps_per_epoch(of, 16)
    planned = epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / planned)
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, planned, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        batch=16,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.56)
        not_below(found, "val_loss", 2)
