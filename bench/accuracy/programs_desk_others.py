"""Letters about programs of Lightning, Hugging Face, scikit-learn and XGBoost, and their repaired versions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, TrainerState
from bench.accuracy.programs_desk_common import customers, flats, into, mails
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    fit,
    last,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Lightning prints val_R2Score=-0.0": SGD(lr=1, momentum=0.9) in configure_optimizers of a regression.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "constant-answer"),
    "Lightning's metrics.csv with columns by step and by epoch",
)
def rents_by_leaps(run: Path, seed: int, fixed: bool) -> None:
    """Rents, standardised, under SGD(1) with a momentum of 0.9; fixed: 0.01."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    model = models.mlp((9, 32, 16, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01 if fixed else 1.0, momentum=0.9),
        20,
        Csv(run, "lightning", "metrics.csv"),
        ("train_loss_step", "", "val_loss", "val_R2Score"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
    )
    if fixed:
        above(found, "val_R2Score", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_R2Score", 0.2)


# "Trainer learns nothing on our small table": warmup_steps=20000 from a large run, of which 460 are ever taken.
@pair(
    "warm-up-too-long",
    (*NOTHING_LEARNED, "schedule-mismatch", "still-improving", "updates-too-small"),
    "trainer_state.json",
)
def mails_always_warming(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a small encoder whose rate still warms up when all is over; fixed: a warm-up of 40 steps."""
    of = mails(seed, told=0.25)
    model = models.Transformer(4, 200, width=24, layers=1, causal=False, pooled=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    epochs, per_epoch = 12, data.steps_per_epoch(of, 16)
    planned, warm = epochs * per_epoch, 40 if fixed else 20000

    def share(step: int) -> float:
        return (step + 1) / warm if step < warm else max(0.0, (planned - step) / (planned - warm))

    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, planned, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        batch=16,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, share),
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.5)


# "ConvergenceWarning, but it came to an end": MLPClassifier(max_iter=5), so that the exercise ran faster.
@pair(
    "too-few-epochs",
    (
        "ended-early",
        "still-improving",
        "underfit",
    ),
    "json of loss_curve_ and of scores",
    framework="sklearn",
)
def digits_five_rounds(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier with SGD and max_iter=5; fixed: 60."""
    from sklearn import metrics
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    model = MLPClassifier((32,), solver="sgd", learning_rate_init=0.004, random_state=seed)
    found: dict[str, list[float]] = {"loss_curve_": [], "valid_loss": [], "train_score": [], "valid_score": []}
    for _ in range(60 if fixed else 5):
        model.partial_fit(x, y, classes=np.arange(10))
        found["loss_curve_"].append(float(model.loss_))
        guessed = np.clip(model.predict_proba(x_val), 1e-7, 1)
        found["valid_loss"].append(float(metrics.log_loss(y_val, guessed)))
        found["train_score"].append(float(model.score(x, y)))
        found["valid_score"].append(float(model.score(x_val, y_val)))
    (run / "mlp.json").write_text(json.dumps(found), encoding="utf-8")
    if fixed:
        above(found, "valid_score", 0.92)
        steady(found, "valid_loss", 0.15)
    else:
        below(found, "valid_score", 0.6)


# "XGBoost says the same for every customer": reg_lambda=1e6, as more regularisation was to help against overfitting.
@pair(
    "regularisation-too-strong",
    ("loss-not-decreasing", "loss-plateau", "underfit", "metric-at-chance", "constant-answer"),
    "evals_result of XGBoost as json",
    framework="xgboost",
)
def churn_held_down(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave by XGBoost with reg_lambda=1e6, which keeps all leaves at zero; fixed: 2."""
    import xgboost

    of = customers(seed, clear=3.0)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    settings: dict[str, Any] = {
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "error"],
        "max_depth": 3,
        "eta": 0.1,
        "reg_lambda": 2 if fixed else 1e6,
        "nthread": 1,
        "seed": seed,
    }
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    results: dict[str, Any] = {}
    xgboost.train(
        settings, train, 50, evals=[(train, "train"), (valid, "eval")], evals_result=results, verbose_eval=False
    )
    (run / "evals_result.json").write_text(json.dumps(results), encoding="utf-8")
    seen = results["eval"]
    if fixed:
        below(seen, "error", 0.25)
        steady(seen, "logloss")
    else:
        require(last(seen, "logloss") > 0.68, told(seen))
