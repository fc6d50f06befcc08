"""Programs of the field in scikit-learn, trained pass by pass with partial_fit, or by fit() with the loss curve saved."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets, linear_model, neural_network
from sklearn.metrics import log_loss, mean_squared_error

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_field_common import BLOWN_UP, into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


@pair(
    "features-not-normalised",
    (*BLOWN_UP, "data-not-normalized", "initial-loss", "underfit"),
    "csv by epochs",
    framework="sklearn",
)
def houses_in_square_feet(run: Path, seed: int, fixed: bool) -> None:
    """A linear model by SGD on areas in square feet and years as they are, which runs away; fixed: columns standardised."""
    random = np.random.default_rng(seed)
    x = np.stack([random.normal(1500, 400, 800), random.integers(1950, 2020, 800), random.integers(1, 6, 800)], 1)
    y = x[:, 0] / 400 + (x[:, 1] - 1985) / 20 + 0.3 * x[:, 2] + 0.4 * random.normal(size=800)
    of = data.split(x, y - y.mean(), seed, scaled=fixed)
    parts = {"train": (of.x.numpy(), of.y.numpy()), "test": (of.x_val.numpy(), of.y_val.numpy())}
    model = linear_model.SGDRegressor(eta0=0.002, learning_rate="constant", random_state=seed)
    rows = []
    for epoch in range(1, 26):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.partial_fit(*parts["train"])
            found = {f"mse_{name}": mean_squared_error(y, model.predict(x)) for name, (x, y) in parts.items()}
        rows.append({"epoch": epoch, **found})
    with (run / "losses.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    end = rows[-1]["mse_test"]
    if fixed:
        require(end < 0.4 and end < 1.1 * min(row["mse_test"] for row in rows), f"{rows[0]} … {rows[-1]}")
    else:
        require(not end < 1e6, f"{rows[0]} … {rows[-1]}")


@pair("overfit", ("overfit", "overtraining", "best-is-not-last"), "metrics.json by epochs", framework="sklearn")
def passes_without_end(run: Path, seed: int, fixed: bool) -> None:
    """An MLPClassifier with partial_fit for 160 passes over 150 rows, a sixth of whose labels are wrong; fixed: a penalty and 25 passes."""
    x, y = datasets.make_classification(
        550, 15, n_informative=5, n_redundant=0, flip_y=0.3, class_sep=1.3, random_state=seed
    )
    x, x_val, y, y_val = x[:150], x[150:], y[:150], y[150:]
    width, penalty, rate = ((8,), 1.0, 4e-3) if fixed else ((64, 32), 0.0, 4e-3)
    model = neural_network.MLPClassifier(
        width, alpha=penalty, learning_rate_init=rate, batch_size=30, random_state=seed
    )
    curves: dict[str, list[float]] = {"log_loss_train": [], "log_loss_valid": [], "score_valid": []}
    for _ in range(25 if fixed else 160):
        model.partial_fit(x, y, classes=[0, 1])
        curves["log_loss_train"].append(float(log_loss(y, model.predict_proba(x))))
        curves["log_loss_valid"].append(float(log_loss(y_val, model.predict_proba(x_val))))
        curves["score_valid"].append(float(model.score(x_val, y_val)))
    (run / "metrics.json").write_text(json.dumps(curves), encoding="utf-8")
    valid, told = curves["log_loss_valid"], f"{curves['log_loss_valid'][::10]}, {curves['score_valid'][-1]}"
    if fixed:
        require(valid[-1] < 1.05 * min(valid) and curves["score_valid"][-1] > 0.6, told)
    else:
        require(valid[-1] > 1.5 * min(valid) and curves["log_loss_train"][-1] < 0.1, told)
