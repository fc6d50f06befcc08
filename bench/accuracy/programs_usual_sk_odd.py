"""Healthy programs with scikit-learn, XGBoost and numpy that look odd: streams, boosting to the end, a very long run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import bundled
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_field_common import Trail, above, steady, told
from bench.accuracy.programs_usual_common import odd_into
from bench.accuracy.programs_usual_keras_common import arrays

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "The training loss of the boosting is nearly zero, is that overfitting?": the validation loss is still at its best.
@odd("csv by hand with a row for each tree", framework="xgboost")
def boosted_to_the_end_b(run: Path, seed: int) -> None:
    """Plastics by XGBoost; training loss far below validation's, which only gets better."""
    import xgboost

    x, y, x_val, y_val = arrays(spectra(seed, samples=1200))
    train, test = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    found: dict[str, Any] = {}
    settings = {
        "objective": "multi:softprob",
        "num_class": 5,
        "eval_metric": ["mlogloss", "merror"],
        "eta": 0.1,
        "max_depth": 3,
        "subsample": 0.8,
        "seed": seed,
        "nthread": 1,
    }
    told_to = {"evals": [(train, "train"), (test, "eval")], "evals_result": found, "verbose_eval": False}
    xgboost.train(settings, train, 80, **told_to)
    log = Csv(run, "plain", "xgb_history.csv", "iteration")
    trail: Trail = {f"{part}-{name}": values for part, one in found.items() for name, values in one.items()}
    for n in range(80):
        log.log(n, {name: values[n] for name, values in trail.items()})
    log.close()
    require(trail["eval-merror"][-1] < 0.12, f"the error was to be low: {told(trail)}")
    steady(trail, "eval-mlogloss", 0.05)


# "The loss of the stream jumps about": one small batch of new measurements at a time, and they are noisy.
@odd("SummaryWriter", framework="sklearn")
def noisy_stream_b(run: Path, seed: int) -> None:
    """A line through noisy measurements as they come by SGDRegressor.partial_fit, told batch by batch."""
    from sklearn.linear_model import SGDRegressor

    random = np.random.default_rng(seed)
    slope = random.normal(size=6)
    x_val = random.normal(size=(400, 6))
    y_val = x_val @ slope + 0.6 * random.normal(size=400)
    model = SGDRegressor(learning_rate="invscaling", eta0=0.004, random_state=seed)
    log = TensorBoard(run, "plain")
    trail: Trail = {}
    for step in range(1, 301):
        x = random.normal(size=(16, 6))
        y = x @ slope + 0.6 * random.normal(size=16)
        model.partial_fit(x, y)
        row = {"stream/mse": float(((model.predict(x) - y) ** 2).mean())}
        if step % 10 == 0:
            error = float(((model.predict(x_val) - y_val) ** 2).mean())
            row |= {"holdout/mse": error, "holdout/r2": 1 - error / float(y_val.var())}
        for name, value in row.items():
            trail.setdefault(name, []).append(value)
        log.log(step, row)
    log.close()
    above(trail, "holdout/r2", 0.6)
    steady(trail, "holdout/mse", 0.1)


# "I let it run over the weekend": eight hundred epochs of logistic regression, and it still finds a digit after the comma.
@odd("jsonl by hand", framework="numpy")
def weekend_regression_b(run: Path, seed: int) -> None:
    """Digits by logistic regression in numpy with L2 and full batches for eight hundred epochs."""
    x, y, x_val, y_val = arrays(bundled("digits", seed))
    weights = np.zeros((65, 10))
    x, x_val = (np.hstack([one, np.ones((len(one), 1))]) for one in (x, x_val))

    def judged(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float, np.ndarray]:
        logits = inputs @ weights
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        right = shares[np.arange(len(targets)), targets]
        return -float(np.log(right).mean()), float((shares.argmax(1) == targets).mean()), shares

    log = JsonLines(run, "plain", "logreg.jsonl", "epoch")
    trail: Trail = {}
    for epoch in range(800):
        loss, accuracy, error = judged(x, y)
        error[np.arange(len(y)), y] -= 1
        gradient = x.T @ error / len(x) + 3e-3 * weights
        weights -= 0.2 * gradient
        val_loss, val_accuracy, _ = judged(x_val, y_val)
        row = {"loss": loss, "acc": accuracy, "val_loss": val_loss, "val_acc": val_accuracy}
        row["grad_norm"] = float(np.linalg.norm(gradient))
        for name, value in row.items():
            trail.setdefault(name, []).append(value)
        log.log(epoch, row)
    log.close()
    above(trail, "val_acc", 0.93)
    steady(trail, "val_loss", 0.1)
