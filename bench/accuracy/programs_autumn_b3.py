"""Autumn programs without a framework of tensors: numpy by hand and scikit-learn; and their repaired versions."""

import itertools
import warnings
from pathlib import Path

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Dump, Hdf5Dump, JsonLines, Log, ParquetDump, TensorBoard
from bench.accuracy.programs_autumn_b_common import (
    Table,
    concrete,
    glyphs,
    loans,
    scaled,
    scaled_targets,
    tides,
    vineyards,
)
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Trail,
    above,
    below,
    not_above,
    not_below,
    steady,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Net:
    """Dense layers by hand with tanh between them; classes by softmax, or one number."""

    def __init__(self, sizes: tuple[int, ...], seed: int, scale: float = 0.0) -> None:
        random = np.random.default_rng(seed)
        shapes = list(itertools.pairwise(sizes))
        self.w = [random.normal(size=one) * (scale or 1 / np.sqrt(one[0])) for one in shapes]
        self.b = [np.zeros(one[1]) for one in shapes]
        self.dw, self.db, self.a = list(self.w), list(self.b), list(self.b)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Outputs; activations are kept."""
        self.a = [x]
        for w, b in zip(self.w[:-1], self.b[:-1], strict=True):
            self.a.append(np.tanh(self.a[-1] @ w + b))
        return np.asarray(self.a[-1] @ self.w[-1] + self.b[-1])

    def backward(self, delta: np.ndarray) -> None:
        """Gradients, from that of the outputs."""
        for at in range(len(self.w) - 1, -1, -1):
            self.dw[at], self.db[at] = self.a[at].T @ delta, delta.sum(0)
            delta = delta @ self.w[at].T * (1 - self.a[at] ** 2)

    def step(self, rate: float) -> None:
        """Gradient descent."""
        for at in range(len(self.w)):
            self.w[at] = self.w[at] - rate * self.dw[at]
            self.b[at] = self.b[at] - rate * self.db[at]

    def tensors(self) -> dict[str, np.ndarray]:
        """All by name."""
        made = {f"weights/W{at}": one for at, one in enumerate(self.w, 1)}
        made |= {f"gradients/W{at}": one for at, one in enumerate(self.dw, 1)}
        return made | {f"activations/tanh{at}": one for at, one in enumerate(self.a[1:], 1)}


def shares(z: np.ndarray, safe: bool = True) -> np.ndarray:
    """Softmax; without `safe` as in the formula."""
    e = np.exp(z - z.max(1, keepdims=True) if safe else z)
    return np.asarray(e / e.sum(1, keepdims=True))


def classify(
    net: Net,
    of: Table,
    epochs: int,
    rate: float,
    log: Log,
    seed: int,
    safe: bool = True,
    dump: Dump | None = None,
    every: int = 1,
) -> Trail:
    """Minibatches of 32 and cross-entropy; once an epoch, `train_loss`, `val_loss`, `val_acc`."""
    random, trail, count, dtype = np.random.default_rng(seed), Trail(), 0, np.float64 if safe else np.float32
    for epoch in range(epochs):
        losses = []
        order = random.permutation(len(of.x))
        for begin in range(0, len(order), 32):
            chosen = order[begin : begin + 32]
            y = of.y[chosen]
            p = shares(net.forward(of.x[chosen]).astype(dtype), safe)
            rows = np.arange(len(y))
            losses.append(float(-np.log(p[rows, y] + 1e-12).mean()))
            p[rows, y] -= 1
            net.backward(p / len(y))
            if dump and count % every == 0:
                dump.dump(count, net.tensors())
            net.step(rate)
            count += 1
        p = shares(net.forward(of.xv).astype(dtype), safe)
        row = {
            "train_loss": float(np.mean(losses)),
            "val_loss": float(-np.log(p[np.arange(len(of.yv)), of.yv] + 1e-12).mean()),
            "val_acc": float((p.argmax(1) == of.yv).mean()),
        }
        log.log(epoch, row)
        for name, value in row.items():
            trail.setdefault(name, []).append(value)
    log.close()
    if dump:
        dump.close()
    return trail


def told(trail: Trail, log: Log, step: int, row: dict[str, float]) -> None:
    """Log a row and keep it."""
    log.log(step, row)
    for name, value in row.items():
        trail.setdefault(name, []).append(value)


# "My network from scratch stays at 60 %": np.random.randn(n, m) without any factor, and tanh.
@pair(
    "initialisation-too-large",
    (
        "saturated-tanh",
        "saturated-activation",
        "poor-initialization",
        "poor-weight-initialization",
        "initial-loss",
        "underfit",
        "loss-plateau",
        "vanishing-gradient",
    ),
    "csv by hand, tensors in hdf5",
    framework="numpy",
    dumps=True,
)
def glyphs_randn(run: Path, seed: int, fixed: bool) -> None:
    """Glyphs by a network in numpy whose weights begin at randn times 1; fixed: over the root of the inputs."""
    of = glyphs(seed, samples=800, noise=25)
    of = scaled(of._replace(x=of.x.reshape(len(of.x), -1), xv=of.xv.reshape(len(of.xv), -1)))
    net = Net((100, 48, 48, 48, 5), seed, 0.0 if fixed else 1.0)
    log = Csv(run, "plain", "scratch.csv", "epoch")
    found = classify(net, of, 30, 0.05, log, seed, dump=Hdf5Dump(run), every=80)
    if fixed:
        above(found, "val_acc", 0.65)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 1.4)


# "RuntimeWarning: overflow encountered in exp": softmax as in the formula, in float32, and inputs of 0 to 255.
@pair(
    "nan-from-overflow",
    (*BLOWN_UP, "loss-goes-missing", "metric-at-chance", "masked-non-finite", "constant-answer"),
    "jsonl by hand",
    framework="numpy",
)
def glyphs_softmax_formula(run: Path, seed: int, fixed: bool) -> None:
    """Glyphs by one softmax layer in numpy on features of large size, exp without taking off the maximum; fixed:
    with it.
    """
    warnings.simplefilter("ignore")
    of = vineyards(seed, spread=0.8)
    of = of._replace(x=of.x * 6, xv=of.xv * 6)
    net = Net((12, 5), seed, 1.0 if fixed else 2.0)
    found = classify(net, of, 20, 0.05, JsonLines(run, "plain", "metrics.jsonl", "epoch"), seed, safe=fixed)
    if fixed:
        above(found, "val_acc", 0.7)
        steady(found, "val_loss", 0.6)
    else:
        not_above(found, "val_acc", 0.5)


# "My cost goes up": W = W + rate * dW in the network of the course.
@pair(
    "wrong-sign",
    (*BLOWN_UP, "loss-not-decreasing", "metric-at-chance", "most-answers-wrong", "error-rises", "confidently-wrong"),
    "SummaryWriter with one scalar an epoch",
    framework="numpy",
)
def vineyard_uphill(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine by a network in numpy that adds the gradient; fixed: it takes it off."""
    found = classify(
        Net((12, 24, 5), seed),
        vineyards(seed, spread=0.8),
        15,
        0.05 if fixed else -0.05,
        TensorBoard(run, "pytorch"),
        seed,
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.3)


# "It always predicts the average": (pred - y) with pred of shape (n, 1) and y of shape (n,), which numpy makes (n, n).
@pair(
    "labels-of-wrong-shape",
    (*NOTHING_LEARNED, "constant-answer", "low-variance"),
    "console log by hand",
    framework="numpy",
)
def concrete_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by a network in numpy whose error is broadcast to (n, n); fixed: y is a column."""
    of = scaled_targets(scaled(concrete(seed)))
    net, random, trail = Net((8, 24, 1), seed), np.random.default_rng(seed), Trail()
    log = Console(run, "plain", "run.log", "epoch")
    shape = (-1, 1) if fixed else (-1,)
    for epoch in range(30):
        losses, order = [], random.permutation(len(of.x))
        for begin in range(0, len(order), 32):
            chosen = order[begin : begin + 32]
            error = net.forward(of.x[chosen]) - of.y[chosen].reshape(shape)
            losses.append(float((error**2).mean()))
            net.backward(2 * error.mean(1, keepdims=True) / len(chosen))
            net.step(0.05)
        out = net.forward(of.xv)
        r2 = 1 - float(((out[:, 0] - of.yv) ** 2).mean() / of.yv.var())
        val = float(((out - of.yv.reshape(shape)) ** 2).mean())
        told(trail, log, epoch, {"train_mse": float(np.mean(losses)), "val_mse": val, "val_r2": r2})
    log.close()
    if fixed:
        above(trail, "val_r2", 0.7)
        steady(trail, "val_mse", 0.3)
    else:
        not_above(trail, "val_r2", 0.3)


# "coef_ is 1e12": SGDRegressor on columns of kilograms, the usual rate, no scaler in the pipeline.
@pair(
    "inputs-not-scaled",
    (*BLOWN_UP, "data-not-normalized", "loss-not-decreasing", "updates-too-large"),
    "csv by hand",
    framework="sklearn",
)
def concrete_sgd_regressor(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by SGDRegressor.partial_fit from raw columns; fixed: standardised."""
    from sklearn.linear_model import SGDRegressor

    of = concrete(seed)
    of = scaled(of) if fixed else of
    model, trail = SGDRegressor(random_state=seed, eta0=0.01), Trail()
    log = Csv(run, "plain", "sgd.csv", "epoch")
    order = np.random.default_rng(seed)
    for epoch in range(25):
        chosen = order.permutation(len(of.x))
        model.partial_fit(of.x[chosen].astype(np.float64), of.y[chosen].astype(np.float64))
        parts = {"train": (of.x, of.y), "val": (of.xv, of.yv)}
        row = {
            f"{name}_mse": float(((model.predict(x.astype(np.float64)) - y) ** 2).mean())
            for name, (x, y) in parts.items()
        }
        told(trail, log, epoch, row)
    log.close()
    if fixed:
        below(trail, "val_mse", 0.5 * float(of.yv.var()))
        steady(trail, "val_mse", 0.2)
    else:
        not_below(trail, "val_mse", 1e4)


# "Every chunk of the file makes it forget the last one": partial_fit on chunks of a file that is sorted by class.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "loss-spike",
        "validation-swings",
        "most-answers-wrong",
        *NOTHING_LEARNED,
    ),
    "jsonl by hand, a line for each chunk",
    framework="sklearn",
)
def vineyard_chunks(run: Path, seed: int, fixed: bool) -> None:
    """The vineyard of a wine by MLPClassifier.partial_fit on chunks of 30 rows in the order of the file; fixed: of
    shuffled rows.
    """
    from sklearn.neural_network import MLPClassifier

    of = vineyards(seed, spread=1.1)
    order = np.random.default_rng(seed)
    model, trail = MLPClassifier((24,), solver="sgd", learning_rate_init=0.05, batch_size=5, random_state=seed), Trail()
    log, step = JsonLines(run, "plain", "chunks.jsonl", "chunk"), 0
    for _ in range(4):
        chosen = order.permutation(len(of.x)) if fixed else of.y.argsort(kind="stable")
        for begin in range(0, len(chosen), 30):
            part = chosen[begin : begin + 30]
            model.partial_fit(of.x[part], of.y[part], classes=np.arange(5))
            step += 1
            told(trail, log, step, {"loss": float(model.loss_), "val_acc": float(model.score(of.xv, of.yv))})
    log.close()
    if fixed:
        above({"mean": [float(np.mean(trail["val_acc"][-15:]))]}, "mean", 0.72)
    else:
        below({"mean": [float(np.mean(trail["val_acc"][-15:]))]}, "mean", 0.62)


# "Training loss 0.001, but on anything else it is bad": begin = 0 stands inside the loop, so each batch is the first
# one.
@pair(
    "same-batch-again",
    (*VALIDATION_LOST, "generalisation-gap", "confidently-wrong", "error-rises"),
    "SummaryWriter, weights and gradients in parquet",
    framework="numpy",
    dumps=True,
)
def loans_first_batch(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan by a network in numpy that is given the first 16 rows each time; fixed: all in turn."""
    of, random, trail = loans(seed, steep=3.0), np.random.default_rng(seed), Trail()
    net, log, dump = Net((10, 24, 2), seed), TensorBoard(run, "slash"), ParquetDump(run)
    for epoch in range(40):
        losses, hits, order = [], [], random.permutation(len(of.x)) if fixed else np.arange(len(of.x))
        for begin in range(0, len(order), 16):
            chosen = order[begin : begin + 16] if fixed else order[:16]
            y, p = of.y[chosen], shares(net.forward(of.x[chosen]))
            rows = np.arange(len(y))
            losses.append(float(-np.log(p[rows, y] + 1e-12).mean()))
            hits.append(float((p.argmax(1) == y).mean()))
            p[rows, y] -= 1
            net.backward(p / len(y))
            net.step(0.04)
        if epoch % 5 == 0:
            dump.dump(epoch, net.tensors())
        p = shares(net.forward(of.xv))
        row = {"train_loss": float(np.mean(losses)), "train_accuracy": float(np.mean(hits))}
        row |= {"val_loss": float(-np.log(p[np.arange(len(of.yv)), of.yv] + 1e-12).mean())}
        told(trail, log, epoch, row | {"val_accuracy": float((p.argmax(1) == of.yv).mean())})
    log.close()
    dump.close()
    if fixed:
        above(trail, "val_accuracy", 0.78)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_accuracy", 0.785)
        not_below(trail, "val_loss", 0.6)


# "theta becomes inf in my linear regression from the lecture": alpha = 0.1 with the sum of the gradients instead of
# their mean.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, "loss-goes-missing", "loss-not-decreasing", "updates-too-large"),
    "console log by hand",
    framework="numpy",
)
def tides_normal_descent(run: Path, seed: int, fixed: bool) -> None:
    """The level of the sea from the last hours by linear descent whose gradient is a sum over all rows; fixed: a
    mean.
    """
    warnings.simplefilter("ignore")
    of, trail = tides(seed), Trail()
    x, xv = of.x[:, :, 0].astype(np.float64), of.xv[:, :, 0].astype(np.float64)
    theta = np.zeros(x.shape[1])
    log = Console(run, "plain", "descent.log", "iteration")
    for step in range(120):
        error = x @ theta - of.y
        theta = theta - 0.1 * x.T @ error / (len(x) if fixed else 1)
        if step % 3 == 0:
            told(
                trail,
                log,
                step,
                {"cost": float((error**2).mean()), "test_cost": float(((xv @ theta - of.yv) ** 2).mean())},
            )
    log.close()
    if fixed:
        below(trail, "test_cost", 0.2)
        steady(trail, "test_cost", 0.2)
    else:
        not_below(trail, "test_cost", 100)
