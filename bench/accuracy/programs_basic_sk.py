"""Basic programs with scikit-learn, boosting and numpy written by hand; each faulty and repaired."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, Log, TensorBoard
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_field_common import above, below, not_above, not_below, steady

RECIPES: list[Recipe] = []
pair = into(RECIPES)
Trail = dict[str, list[float]]


def tell(log: Log, found: Trail, step: int, values: dict[str, float]) -> None:
    """Log values and keep them."""
    log.log(step, values)
    for name, value in values.items():
        found.setdefault(name, []).append(value)


def halves(x: np.ndarray, y: np.ndarray, seed: int, scaled: bool = True) -> list[np.ndarray]:
    """Training and validation inputs, training and validation targets; standardised by the training part."""
    x, xv, y, yv = train_test_split(x, y, test_size=0.3, random_state=seed)
    if scaled:
        mean, deviation = x.mean(0), x.std(0) + 1e-3
        x, xv = (x - mean) / deviation, (xv - mean) / deviation
    return [x, xv, y, yv]


# "partial_fit forgets: after the pass it knows only the last digit." The table is sorted by class.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "validation-swings",
        "loss-spike",
        "metric-at-chance",
        "class-never-found",
    ),
    "JSON lines with a line for each chunk",
    framework="sklearn",
)
def digits_sorted_chunks_d(run: Path, seed: int, fixed: bool) -> None:
    """Digits by SGDClassifier.partial_fit in chunks of a table sorted by class; fixed: shuffled each epoch."""
    images, targets = datasets.load_digits(return_X_y=True)
    x, xv, y, yv = halves(images / 16, targets, seed, scaled=False)
    random = np.random.default_rng(seed)
    order = np.argsort(y, kind="stable")
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, random_state=seed)
    log, found, step = JsonLines(run, "plain", "partial_fit.jsonl", "chunk"), dict[str, list[float]](), 0
    for _ in range(8):
        order = random.permutation(len(x)) if fixed else order
        for start in range(0, len(x), 60):
            chosen = order[start : start + 60]
            model.partial_fit(x[chosen], y[chosen], classes=np.arange(10))
            step += 1
            told = {"train_loss": log_loss(y[chosen], model.predict_proba(x[chosen]), labels=np.arange(10))}
            told |= {"val_loss": log_loss(yv, model.predict_proba(xv), labels=np.arange(10))}
            told["val_accuracy"] = float(model.score(xv, yv))
            tell(log, found, step, {"epoch": float((step - 1) // 21), **{key: float(one) for key, one in told.items()}})
    log.close()
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.7)


# "I flattened the pictures with reshape(64, -1).T, and now nothing is learned."
@pair(
    "wrong-reshape",
    ("overfit", "metric-at-chance", "generalisation-gap", "overtraining", "underfit", "best-is-not-last"),
    "SummaryWriter: Loss/train, Loss/test, Accuracy/test",
    framework="sklearn",
)
def digits_reshaped_across_d(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLPClassifier whose pictures are mixed up by a reshape; fixed: reshape(n, -1)."""
    images, targets = datasets.load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    flat = images.reshape(len(images), -1) if fixed else images.reshape(64, -1).T
    # As they come, the classes follow each other in order: the neighbours must not give them away.
    x, xv, y, yv = halves(flat, targets, seed, scaled=False)
    model = MLPClassifier((64,), learning_rate_init=0.002, batch_size=64, random_state=seed)
    log, found = TensorBoard(run, "pytorch"), dict[str, list[float]]()
    for epoch in range(30):
        model.partial_fit(x, y, classes=np.arange(10))
        told = {"train_loss": float(model.loss_), "val_loss": float(log_loss(yv, model.predict_proba(xv)))}
        tell(log, found, epoch, {**told, "val_accuracy": float(model.score(xv, yv))})
    log.close()
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.3)


# "XGBoost with 200 deep trees and eta 1: the training error is zero, I am proud. But the test set …"
@pair(
    "boosting-overfit",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "error-rises", "tree-depth"),
    "csv of evals_result",
    framework="xgboost",
)
def claims_deep_trees_d(run: Path, seed: int, fixed: bool) -> None:
    """Claims with some wrong labels by trees of depth 10 and a rate of 0.8; fixed: stumps of 2, a rate of 0.05."""
    import xgboost

    x, y = datasets.make_classification(900, 14, n_informative=6, flip_y=0.15, class_sep=1.2, random_state=seed + 7)
    x, xv, y, yv = halves(x, y, seed)
    options = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1, "seed": seed}
    options |= {"max_depth": 2, "eta": 0.05, "subsample": 0.8} if fixed else {"max_depth": 10, "eta": 0.8}
    train, test = xgboost.DMatrix(x, y), xgboost.DMatrix(xv, yv)
    kept: dict[str, dict[str, list[float]]] = {}
    watched = [(train, "train"), (test, "validation")]
    xgboost.train(options, train, 120, watched, evals_result=kept, verbose_eval=False)
    log, found = Csv(run, "plain", "evals_result.csv", "iteration"), dict[str, list[float]]()
    for number in range(120):
        row = {f"{part}_{name}": values[number] for part, some in kept.items() for name, values in some.items()}
        tell(log, found, number, row)
    log.close()
    if fixed:
        below(found, "validation_error", 0.25)
        steady(found, "validation_logloss", 0.1)
    else:
        below(found, "train_error", 0.01)
        not_below(found, "validation_logloss", 1.3 * min(found["validation_logloss"]))


# "RuntimeWarning: overflow encountered in exp. Then everything is nan." Softmax as in the formula.
@pair(
    "overflow",
    (
        "non-finite",
        "loss-goes-missing",
        "masked-non-finite",
        "data-not-normalized",
        "loss-divergence",
        "exploding-tensor",
    ),
    "console log with a line an epoch, weights in HDF5",
    dumps=True,
    framework="numpy",
)
def digits_exp_overflow_d(run: Path, seed: int, fixed: bool) -> None:
    """A softmax regression by hand on grey values of 0 to 255, exp without subtracting the maximum; fixed: 0 to 1, subtracted."""
    images, targets = datasets.load_digits(return_X_y=True)
    x, xv, y, yv = halves(images / 16 if fixed else images * 255 / 16, targets, seed, scaled=False)
    random = np.random.default_rng(seed)
    weight, bias = 0.01 * random.normal(size=(64, 10)), np.zeros(10)

    def softmax(z: np.ndarray) -> np.ndarray:
        made: np.ndarray = np.exp(z - z.max(1, keepdims=True)) if fixed else np.exp(z)
        shares: np.ndarray = made / made.sum(1, keepdims=True)
        return shares

    def judged(of: np.ndarray, to: np.ndarray) -> tuple[float, float]:
        shares = softmax(of @ weight + bias)
        return float(-np.log(shares[np.arange(len(to)), to]).mean()), float((shares.argmax(1) == to).mean())

    log, dump, found = Console(run, "plain", "softmax.log", "epoch"), Hdf5Dump(run), dict[str, list[float]]()
    with np.errstate(all="ignore"):
        for epoch in range(30):
            order = random.permutation(len(x))
            for start in range(0, len(x), 50):
                chosen = order[start : start + 50]
                error = softmax(x[chosen] @ weight + bias)
                error[np.arange(len(chosen)), y[chosen]] -= 1
                gradient = x[chosen].T @ error / len(chosen)
                weight, bias = weight - 0.3 * gradient, bias - 0.3 * error.mean(0)
            loss, accuracy = judged(x, y)
            val_loss, val_accuracy = judged(xv, yv)
            told = {"loss": loss, "acc": accuracy, "val_loss": val_loss, "val_acc": val_accuracy}
            tell(log, found, epoch + 1, told)
            if epoch % 5 == 0:
                dump.dump(epoch + 1, {"weights/W": weight, "weights/b": bias, "gradients/W": gradient})
    log.close()
    dump.close()
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.1)
    else:
        require(bool(np.isnan(found["val_loss"][-1])), f"the loss was to be lost: {found['val_loss'][-1]}")


def network(
    x: np.ndarray, y: np.ndarray, seed: int, rate: float, epochs: int, told: Callable[..., None], clip: float = 0.0
) -> None:
    """Two tanh layers by hand for a regression by SGD; after each epoch `told` gets the number, the function and the mean norm."""
    random = np.random.default_rng(seed)
    sizes = [x.shape[1], 24, 16, 1]
    some = [random.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]

    def forward(of: np.ndarray) -> list[np.ndarray]:
        outs = [of]
        for number, (weight, bias) in enumerate(zip(some, biases, strict=True)):
            z = outs[-1] @ weight + bias
            outs.append(np.tanh(z) if number < 2 else z)
        return outs

    for epoch in range(epochs):
        norms = []
        order = random.permutation(len(x))
        for start in range(0, len(x), 32):
            chosen = order[start : start + 32]
            outs = forward(x[chosen])
            delta = 2 * (outs[-1] - y[chosen]) / len(chosen)
            slopes = []
            for number in (2, 1, 0):
                slopes.append((number, outs[number].T @ delta, delta.sum(0)))
                delta = (delta @ some[number].T) * (1 - outs[number] ** 2)
            norm = float(np.sqrt(sum((a**2).sum() + (b**2).sum() for _, a, b in slopes)))
            factor = min(1.0, clip / (norm + 1e-9)) if clip else 1.0
            norms.append(norm)
            for number, by_weight, by_bias in slopes:
                some[number] -= rate * factor * by_weight
                biases[number] -= rate * factor * by_bias
        told(epoch, lambda of: forward(of)[-1], float(np.mean(norms)))


# "My backpropagation by hand works (the loss does fall, in the fourth digit)." A rate of 1e-6, by a typo.
@pair(
    "learning-rate-too-low",
    ("loss-plateau", "loss-not-decreasing", "underfit", "still-improving", "updates-too-small", "task-not-learned"),
    "csv by hand, a row an epoch",
    framework="numpy",
)
def concrete_tiny_rate_d(run: Path, seed: int, fixed: bool) -> None:
    """A smooth function by a net written in numpy with a rate of 1e-6; fixed: 0.05."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(900, 5))
    y = np.sin(1.5 * x[:, :1]) + 0.6 * x[:, 1:2] - 0.4 * x[:, 2:3] * x[:, 3:4] + 0.1 * random.normal(size=(900, 1))
    x, xv, y, yv = halves(x, y, seed)
    log, found = Csv(run, "plain", "losses.csv", "epoch"), dict[str, list[float]]()

    def told(epoch: int, net: Callable[[np.ndarray], np.ndarray], norm: float) -> None:
        row = {"train_mse": float(((net(x) - y) ** 2).mean()), "test_mse": float(((net(xv) - yv) ** 2).mean())}
        tell(log, found, epoch, {**row, "test_r2": 1 - row["test_mse"] / float(yv.var())})

    network(x, y, seed, 0.05 if fixed else 1e-6, 60, told)
    log.close()
    if fixed:
        above(found, "test_r2", 0.85)
        steady(found, "test_mse", 0.2)
    else:
        not_above(found, "test_r2", 0.3)


# "Clipping made it stable, yes, but after an hour it is still where it began."
@pair(
    "gradient-clipped-too-tight",
    ("gradient-always-clipped", "underfit", "still-improving", "loss-plateau", "updates-too-small", "task-not-learned"),
    "SummaryWriter: train/loss, val/loss, val/r2, train/grad_norm, train/clip_value",
    framework="numpy",
)
def turbine_clipped_d(run: Path, seed: int, fixed: bool) -> None:
    """The power of a turbine by a net written in numpy, clipped to a norm of 0.001; fixed: 5."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(900, 6))
    y = (
        np.tanh(x[:, :1] + 0.5 * x[:, 1:2])
        + 0.5 * x[:, 2:3]
        + 0.3 * x[:, 3:4] ** 2
        + 0.1 * random.normal(size=(900, 1))
    )
    x, xv, y, yv = halves(x, (y - y.mean()) / y.std(), seed)
    limit = 5.0 if fixed else 0.001
    log, found = TensorBoard(run, "slash"), dict[str, list[float]]()

    def told(epoch: int, net: Callable[[np.ndarray], np.ndarray], norm: float) -> None:
        row = {"train_loss": float(((net(x) - y) ** 2).mean()), "val_loss": float(((net(xv) - yv) ** 2).mean())}
        row |= {"val/r2": 1 - row["val_loss"] / float(yv.var()), "grad_norm": norm, "train/clip_value": limit}
        tell(log, found, epoch, row)

    network(x, y, seed, 0.05, 40, told, limit)
    log.close()
    if fixed:
        above(found, "val/r2", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        not_above(found, "val/r2", 0.3)


# "My agent found the path to the near coin and takes it for ever." Epsilon is 0 from the start.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "reward-collapse", "loss-plateau", "underfit"),
    "JSON lines with a line for 20 episodes",
    framework="numpy",
)
def coins_greedy_d(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on a corridor with a near coin and a far treasure, epsilon 0; fixed: from 1 down to 0.05 in 800 episodes."""
    random = np.random.default_rng(seed)
    table, log, found = (
        np.zeros((12, 2)),
        JsonLines(run, "plain", "q_learning.jsonl", "episode"),
        dict[str, list[float]](),
    )
    kept: list[tuple[float, float]] = []
    for episode in range(1, 1201):
        epsilon = max(0.05, 1 - episode / 800) if fixed else 0.0
        place, total, length = 4, 0.0, 0
        while length < 40:
            explores = random.random() < epsilon
            action = int(random.integers(2)) if explores else int(table[place].argmax())
            step = action if random.random() < 0.97 else 1 - action
            after = place + (1 if step else -1)
            reward = -0.01 + (0.3 if after == 0 else 0.0) + (2.0 if after == 11 else 0.0) + 0.02 * random.normal()
            over = after in (0, 11)
            best = 0.0 if over else 0.97 * float(table[after].max())
            table[place, action] += 0.2 * (reward + best - table[place, action])
            place, total, length = after, total + reward, length + 1
            if over:
                break
        kept.append((total, float(length)))
        if episode % 20 == 0:
            reward, steps = np.mean(kept, 0)
            tell(log, found, episode, {"mean_reward": float(reward), "mean_length": float(steps), "epsilon": epsilon})
            kept = []
    log.close()
    (run / "config.json").write_text(json.dumps({"alpha": 0.2, "gamma": 0.97, "seed": seed}), encoding="utf-8")
    if fixed:
        above(found, "mean_reward", 1.3)
    else:
        below(found, "mean_reward", 0.5)
