"""Programs of boosting, with their bugs and their repairs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, ParquetDump, TensorBoard
from bench.accuracy.programs_decade_b_common import arrays, library
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    Trail,
    above,
    below,
    steady,
    told,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)
metrics = library("sklearn.metrics")
log_loss, roc_auc_score = metrics.log_loss, metrics.roc_auc_score


def keep(trail: Trail, values: Mapping[str, float]) -> Mapping[str, float]:
    """Append values to what was logged."""
    for name, value in values.items():
        trail.setdefault(name, []).append(float(value))
    return values


# "60 trees and it is hardly better than the mean": learning_rate=0.001 in LightGBM.
@pair(
    "boosting-too-slow",
    ("boosting-too-slow", "still-improving", "underfit", "loss-not-decreasing", "updates-too-small"),
    "LightGBM record_evaluation as json and csv",
    framework="lightgbm",
)
def boosted_by_thousandths(run: Path, seed: int, fixed: bool) -> None:
    """Rents by 60 trees at a learning rate of 0.001; fixed: 0.1."""
    lgb = library("lightgbm")

    x, y, x_val, y_val = arrays(flats(seed, scaled=False))
    train = lgb.Dataset(x, y[:, 0])
    valid = lgb.Dataset(x_val, y_val[:, 0], reference=train)
    kept: dict[str, Any] = {}
    rate = 0.08 if fixed else 0.001
    lgb.train(
        {
            "objective": "regression",
            "metric": "rmse",
            "learning_rate": rate,
            "num_leaves": 8,
            "verbose": -1,
            "seed": seed,
        },
        train,
        60,
        valid_sets=[train, valid],
        valid_names=["training", "valid_1"],
        callbacks=[lgb.record_evaluation(kept)],
    )
    (run / "evals_result.json").write_text(json.dumps(kept))
    log = Csv(run, "plain", "rmse.csv", "iteration")
    trail: Trail = {"share": [one / float(y_val.std()) for one in kept["valid_1"]["rmse"]]}
    for number, both in enumerate(zip(kept["training"]["rmse"], kept["valid_1"]["rmse"], strict=True)):
        log.log(number, {"training_rmse": both[0], "valid_1_rmse": both[1]})
    log.close()
    if fixed:
        below(trail, "share", 0.6)
        steady(trail, "share", 0.1)
    else:
        above(trail, "share", 0.9)


# "xgboost: train-logloss 0.001, validation rises from the 15th round": max_depth=12 and eta=0.3 on noisy rows.
@pair(
    "overfit",
    (
        "overfit",
        "overtraining",
        "tree-depth",
        "generalisation-gap",
        "best-is-not-last",
        "confidently-wrong",
        "error-rises",
    ),
    "XGBoost evals_result in TensorBoard",
    framework="xgboost",
)
def deep_trees_on_noise(run: Path, seed: int, fixed: bool) -> None:
    """Customers by 150 trees of depth 12; fixed: depth 2, subsampling and a small rate."""
    xgboost = library("xgboost")

    x, y, x_val, y_val = arrays(customers(seed, clear=1.2))
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    kept: dict[str, Any] = {}
    form = {"max_depth": 2, "eta": 0.05, "subsample": 0.7, "lambda": 5} if fixed else {"max_depth": 12, "eta": 0.3}
    common = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "seed": seed, "nthread": 1}
    xgboost.train(
        form | common,
        train,
        150,
        evals=[(train, "train"), (valid, "validation")],
        evals_result=kept,
        verbose_eval=False,
    )
    log = TensorBoard(run, "plain")
    for number in range(150):
        log.log(number, {f"{part}/{name}": kept[part][name][number] for part in kept for name in kept[part]})
    log.close()
    trail: Trail = kept["validation"]
    if fixed:
        below(trail, "error", 0.36)
        steady(trail, "logloss", 0.05)
    else:
        above({"rise": [trail["logloss"][-1] / min(trail["logloss"])]}, "rise", 1.3)


# "AUC 1.0 after three trees, and in production it is a coin": a column that is filled in only after the customer has left.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "csv with a row for each round, importances in Parquet",
    dumps=True,
    framework="lightgbm",
)
def column_from_the_future(run: Path, seed: int, fixed: bool) -> None:
    """Customers who leave, with the day of leaving among the columns; fixed: without it."""
    lgb = library("lightgbm")

    x, y, x_val, y_val = arrays(customers(seed, clear=1.5))
    random = np.random.default_rng(seed)
    told_later = [
        one * random.uniform(20, 300, len(one)) if not fixed else random.normal(size=len(one)) for one in (y, y_val)
    ]
    x, x_val = np.column_stack([x, told_later[0]]), np.column_stack([x_val, told_later[1]])
    names = [*(f"column_{one}" for one in range(12)), "cancel_day"]
    model = lgb.Booster(
        {"objective": "binary", "learning_rate": 0.06, "num_leaves": 6, "verbose": -1, "seed": seed, "num_threads": 1},
        lgb.Dataset(x, y, feature_name=names),
    )
    log, dump, trail = Csv(run, "plain", "rounds.csv", "round"), ParquetDump(run, "importance.parquet"), Trail()
    for number in range(40):
        model.update()
        shares, train = model.predict(x_val), model.predict(x)
        values = {
            "train_auc": roc_auc_score(y, train),
            "valid_auc": roc_auc_score(y_val, shares),
            "train_logloss": log_loss(y, train),
            "valid_logloss": log_loss(y_val, shares),
        }
        log.log(number, keep(trail, values))
        if number % 8 == 7:
            dump.dump(number, {"feature_importance": model.feature_importance("gain")})
    log.close()
    dump.close()
    if fixed:
        above(trail, "valid_auc", 0.68)
        below(trail, "valid_auc", 0.95)
        steady(trail, "valid_logloss", 0.05)
    else:
        above(trail, "valid_auc", 0.995)
        later = x_val.copy()
        later[:, -1] = 0
        require(roc_auc_score(y_val, model.predict(later)) < 0.62, f"useless without the column: {told(trail)}")
