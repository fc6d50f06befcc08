"""Students' and engineers' programs of Hugging Face, scikit-learn and LightGBM, and their repaired versions."""

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
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    fit,
    last,
    steady,
    told,
)
from bench.accuracy.programs_thesis_common import into, tickets

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# An engineer's fine-tuning of an encoder for a help desk: max_length=10 left from a test of speed, so that only the greeting is seen.
@pair("inputs-truncated", (*VALIDATION_LOST, *NOTHING_LEARNED, "generalisation-gap"), "trainer_state.json")
def tickets_truncated(run: Path, seed: int, fixed: bool) -> None:
    """Letters to a help desk cut to their first 10 words, which are a greeting; fixed: 32."""
    of = tickets(seed)
    kept = 32 if fixed else 10
    of = data.Split(of.x[:, :kept], of.y, of.x_val[:, :kept], of.y_val)
    model = models.Transformer(3, 240, width=24, layers=1, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2.5e-3, weight_decay=0.01)
    epochs, per_epoch = 12, data.steps_per_epoch(of, 16)
    planned = epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 20, 1 - step / planned))
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, planned, 5),
        ("train_loss", "", "val_loss", "val_f1_micro"),
        seed=seed,
        batch=16,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
        clip=1.0,
    )
    if fixed:
        above(found, "val_f1_micro", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_f1_micro", 0.45)


# A student's comparison of classifiers: hidden_layer_sizes=(1), read as "one hidden layer".
@pair(
    "model-too-small",
    BADLY_LEARNED,
    "csv by hand from partial_fit",
    framework="sklearn",
)
def one_hidden_unit(run: Path, seed: int, fixed: bool) -> None:
    """Digits by MLPClassifier(hidden_layer_sizes=(1)), a single unit; fixed: (100,)."""
    from sklearn import metrics
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    model = MLPClassifier((100,) if fixed else (1,), learning_rate_init=0.005, random_state=seed)
    rows: list[dict[str, float]] = []
    for epoch in range(25):
        model.partial_fit(x, y, classes=np.arange(10))
        guessed = np.clip(model.predict_proba(x_val), 1e-7, 1)
        row = {"loss_train": float(model.loss_), "loss_test": float(metrics.log_loss(y_val, guessed))}
        rows.append({"iter": epoch, **row, "score_train": model.score(x, y), "score_test": model.score(x_val, y_val)})
    with (run / "mlp_scores.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = {name: [row[name] for row in rows] for name in rows[0]}
    if fixed:
        above(found, "score_test", 0.92)
        steady(found, "loss_test", 0.15)
    else:
        below(found, "score_test", 0.5)


# An engineer's copy of settings for a large table: min_child_samples=1000 with 600 rows, so that no tree ever splits.
@pair(
    "no-splits",
    ("loss-not-decreasing", "loss-plateau", "underfit", "metric-at-chance", "constant-answer", "tree-depth"),
    "record_evaluation of LightGBM as json",
    framework="lightgbm",
)
def leaves_too_full(run: Path, seed: int, fixed: bool) -> None:
    """Two classes by LightGBM with min_child_samples=1000 on 600 rows; fixed: 20."""
    import lightgbm

    of = data.imbalanced(seed, 800, 0.4)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    settings: dict[str, Any] = {
        "objective": "binary",
        "metric": ["binary_logloss", "auc"],
        "min_child_samples": 20 if fixed else 1000,
        "num_leaves": 5,
        "learning_rate": 0.05,
        "lambda_l2": 2.0,
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
    }
    train, valid = lightgbm.Dataset(x, y), lightgbm.Dataset(x_val, y_val)
    results: dict[str, Any] = {}
    record = lightgbm.record_evaluation(results)
    lightgbm.train(
        settings, train, 60, valid_sets=[train, valid], valid_names=["training", "valid_1"], callbacks=[record]
    )
    (run / "lgb_evals.json").write_text(json.dumps(results), encoding="utf-8")
    seen = results["valid_1"]
    if fixed:
        require(last(seen, "auc") > 0.85, told(seen))
        steady(seen, "binary_logloss")
    else:
        require(last(seen, "auc") < 0.55, told(seen))
