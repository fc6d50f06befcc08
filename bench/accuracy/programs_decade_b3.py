"""Programs without a framework for networks: numpy by hand, scikit-learn, boosting, tables of values; their bugs and their repairs."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_decade_b_common import arrays, library
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Trail,
    above,
    below,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import houses

RECIPES: list[Recipe] = []
pair = into(RECIPES)
Weights = dict[str, np.ndarray]
log_loss = library("sklearn.metrics").log_loss


def keep(trail: Trail, values: Mapping[str, float]) -> Mapping[str, float]:
    """Append values to what was logged."""
    for name, value in values.items():
        trail.setdefault(name, []).append(float(value))
    return values


def two_layers(seed: int, inputs: int, width: int, outputs: int) -> Weights:
    """Weights and biases by hand."""
    random = np.random.default_rng(seed)
    return {
        "W1": random.normal(size=(inputs, width)) * np.sqrt(2 / inputs),
        "b1": np.zeros(width),
        "W2": random.normal(size=(width, outputs)) * np.sqrt(1 / width),
        "b2": np.zeros(outputs),
    }


def backward(weights: Weights, x: np.ndarray, error: np.ndarray) -> Weights:
    """Gradients of two layers with ReLU from the error at the output."""
    hidden = np.maximum(x @ weights["W1"] + weights["b1"], 0)
    below_it = (error @ weights["W2"].T) * (hidden > 0)
    return {"W1": x.T @ below_it, "b1": below_it.sum(0), "W2": hidden.T @ error, "b2": error.sum(0)}


def forward(weights: Weights, x: np.ndarray) -> np.ndarray:
    """Outputs of two layers with ReLU."""
    return np.asarray(np.maximum(x @ weights["W1"] + weights["b1"], 0) @ weights["W2"] + weights["b2"])


# "My network from scratch predicts the mean for everything": y of shape (n,) is subtracted from outputs of shape (n, 1).
@pair(
    "wrong-shape",
    (*NOTHING_LEARNED, "constant-answer", "worse-than-baseline"),
    "SummaryWriter with histograms of weights and gradients",
    dumps=True,
    framework="sklearn",
)
def scratch_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """House prices by a network in numpy whose errors broadcast to (n, n); fixed: y[:, None]."""
    x, y, x_val, y_val = (one.astype(np.float64) for one in arrays(houses(seed)))
    y, y_val = (y[:, 0] - 24) / 8, (y_val[:, 0] - 24) / 8
    weights = two_layers(seed, 10, 24, 1)
    writer = TensorBoard(run, "plain")
    dump, trail, random = HistogramDump(writer), Trail(), np.random.default_rng(seed)

    def difference(part: np.ndarray, truth: np.ndarray) -> np.ndarray:
        return np.asarray(forward(weights, part) - (truth[:, None] if fixed else truth))

    for epoch in range(30):
        losses = []
        for rows in np.array_split(random.permutation(len(x)), len(x) // 16):
            apart = difference(x[rows], y[rows])
            losses.append(np.mean(apart**2))
            gradients = backward(weights, x[rows], 2 * apart.mean(1, keepdims=True) / len(rows))
            for name in weights:
                weights[name] -= 0.02 * gradients[name]
        tensors = {f"{name}/weights": one for name, one in weights.items()}
        dump.dump(epoch, tensors | {f"{name}/gradients": one for name, one in gradients.items()})
        truth = y_val[:, None] - forward(weights, x_val)
        values = {
            "mse/train": float(np.mean(losses)),
            "mse/val": float(np.mean(difference(x_val, y_val) ** 2)),
            "r2/val": float(1 - np.mean(truth**2) / y_val.var()),
        }
        writer.log(epoch, keep(trail, values))
    dump.close()
    if fixed:
        above(trail, "r2/val", 0.7)
        steady(trail, "mse/val", 0.3)
    else:
        below(trail, "r2/val", 0.15)


# "RuntimeWarning: overflow encountered in exp": softmax as in the formula, over inputs of 0 to 255.
@pair(
    "overflow",
    ("non-finite", "loss-goes-missing", "metric-at-chance", "exploding-tensor", "loss-divergence", "masked-non-finite"),
    "jsonl by hand, HDF5 with weights and gradients",
    dumps=True,
    framework="sklearn",
)
def scratch_softmax_overflow(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network in numpy with np.exp(z) of great z; fixed: the greatest is subtracted first and inputs are scaled."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    x, x_val = (x / 16.0, x_val / 16.0) if fixed else (x * 16.0, x_val * 16.0)
    weights = two_layers(seed, 64, 32, 10)
    log, dump, trail = JsonLines(run, "plain", "train.jsonl", "epoch"), Hdf5Dump(run), Trail()
    random = np.random.default_rng(seed)

    def softmax(z: np.ndarray) -> np.ndarray:
        grown = np.exp(z - z.max(1, keepdims=True) if fixed else z)
        return np.asarray(grown / grown.sum(1, keepdims=True))

    with np.errstate(all="ignore"):
        for epoch in range(15):
            losses = []
            for rows in np.array_split(random.permutation(len(x)), len(x) // 32):
                shares = softmax(forward(weights, x[rows]))
                losses.append(-np.log(shares[np.arange(len(rows)), y[rows]]).mean())
                gradients = backward(weights, x[rows], (shares - np.eye(10)[y[rows]]) / len(rows))
                for name in weights:
                    weights[name] -= 0.2 * gradients[name]
            if epoch % 3 == 0:
                tensors = {f"weights/{name}": one for name, one in weights.items()}
                dump.dump(epoch, tensors | {f"gradients/{name}": one for name, one in gradients.items()})
            shares = softmax(forward(weights, x_val))
            cost = -np.log(shares[np.arange(len(y_val)), y_val]).mean()
            hit = float((shares.argmax(1) == y_val).mean())
            log.log(epoch, keep(trail, {"loss": float(np.mean(losses)), "val_loss": float(cost), "val_acc": hit}))
    log.close()
    dump.close()
    if fixed:
        above(trail, "val_acc", 0.9)
        steady(trail, "val_loss", 0.2)
    else:
        below(trail, "val_acc", 0.2)


# "The loss only goes up": params = params + lr * grads, in a tree of parameters as JAX has them.
@pair(
    "sign-of-the-update",
    (*BLOWN_UP, "loss-not-decreasing", "metric-at-chance", "initial-loss"),
    "csv by hand",
    framework="sklearn",
)
def tree_map_ascends(run: Path, seed: int, fixed: bool) -> None:
    """Customers who leave by a logistic network with updates uphill; fixed: downhill."""
    x, y, x_val, y_val = arrays(customers(seed))
    params = two_layers(seed, 12, 16, 1)
    random, trail = np.random.default_rng(seed), Trail()

    def cost(part: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
        z = forward(params, part)[:, 0].astype(np.float64)
        loss = np.mean(np.logaddexp(0, z) - truth * z)
        return float(loss), (1 / (1 + np.exp(-np.clip(z, -60, 60))) - truth)

    with (run / "training_curve.csv").open("w", newline="", encoding="utf-8") as file, np.errstate(all="ignore"):
        table = csv.writer(file)
        table.writerow(["epoch", "train_loss", "valid_loss", "valid_acc"])
        for epoch in range(1, 26):
            losses = []
            for rows in np.array_split(random.permutation(len(x)), len(x) // 32):
                loss, error = cost(x[rows], y[rows])
                losses.append(loss)
                grads = backward(params, x[rows], error[:, None] / len(rows))
                sign = -1 if fixed else 1
                params = {name: params[name] + sign * 0.05 * grads[name] for name in params}
            loss, error = cost(x_val, y_val)
            hit = float((np.abs(error) < 0.5).mean())
            values = {"train_loss": float(np.mean(losses)), "valid_loss": loss, "valid_acc": hit}
            table.writerow([epoch, *(f"{one:.5g}" for one in keep(trail, values).values())])
    if fixed:
        above(trail, "valid_acc", 0.68)
        steady(trail, "valid_loss", 0.15)
    else:
        not_above(trail, "valid_acc", 0.58)


# "SGDClassifier jumps from 0.4 to 0.7 and back": columns with their units in a linear model that is fitted in parts.
@pair(
    "inputs-not-normalised",
    ("unstable-loss", "validation-swings", "loss-not-decreasing", "loss-spike", "data-not-normalized", "underfit"),
    "csv by hand with a row for each pass",
    framework="sklearn",
)
def sgd_classifier_raw(run: Path, seed: int, fixed: bool) -> None:
    """Breast cancer by partial_fit of SGDClassifier on raw columns; fixed: StandardScaler."""
    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed, scaled=fixed))
    linear = library("sklearn.linear_model")
    model = linear.SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01, random_state=seed)
    log, trail, random = Csv(run, "plain", "sgd.csv", "pass"), Trail(), np.random.default_rng(seed)
    for number in range(30):
        for rows in np.array_split(random.permutation(len(x)), 14):
            model.partial_fit(x[rows], y[rows], classes=[0, 1])
        values = {
            "train_log_loss": log_loss(y, model.predict_proba(x), labels=[0, 1]),
            "val_log_loss": log_loss(y_val, model.predict_proba(x_val), labels=[0, 1]),
            "val_accuracy": float(model.score(x_val, y_val)),
        }
        log.log(number, keep(trail, values))
    log.close()
    if fixed:
        above(trail, "val_accuracy", 0.93)
        below(trail, "val_log_loss", 0.3)
    else:
        above({"mean": [float(np.mean(trail["val_log_loss"]))]}, "mean", 1.5)


# "The regressor is worse than the mean": rents in euros as targets, and a rate for standardised ones.
@pair(
    "targets-not-scaled",
    (*BADLY_LEARNED, "still-improving", "metric-at-chance", "worse-than-baseline", "initial-loss"),
    "console log",
    framework="sklearn",
)
def rents_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Rents by partial_fit of an MLPRegressor on euros; fixed: on standardised rents. Errors are logged in euros."""
    x, y, x_val, y_val = arrays(flats(seed))
    y, y_val = y[:, 0], y_val[:, 0]
    shift, scale = (y.mean(), y.std()) if fixed else (0.0, 1.0)
    network = library("sklearn.neural_network")
    model = network.MLPRegressor(hidden_layer_sizes=(32, 16), learning_rate_init=1e-3, random_state=seed, batch_size=32)
    log, trail = Console(run, "plain", "fit.log", "epoch"), Trail()
    for epoch in range(1, 31):
        model.partial_fit(x, (y - shift) / scale)
        train, val = (model.predict(part) * scale + shift for part in (x, x_val))
        values = {
            "train_rmse": float(np.sqrt(np.mean((train - y) ** 2))),
            "val_rmse": float(np.sqrt(np.mean((val - y_val) ** 2))),
            "val_r2": float(1 - np.mean((val - y_val) ** 2) / y_val.var()),
        }
        log.log(epoch, keep(trail, values))
    log.close()
    if fixed:
        above(trail, "val_r2", 0.6)
        steady(trail, "val_rmse", 0.2)
    else:
        below(trail, "val_r2", 0.2)
