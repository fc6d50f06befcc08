"""Programs of notebooks in scikit-learn, XGBoost and LightGBM."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn import datasets

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import JsonLines
from bench.accuracy.programs_colab_common import into, odd_into
from bench.accuracy.programs_colab_keras_common import (
    customers,
    digits,
    parted,
    tail,
)

RECIPES: list[Recipe] = []
pair, odd = into(RECIPES), odd_into(RECIPES)


def _table(path: Path, columns: Mapping[str, Sequence[float]], axis: str = "epoch") -> None:
    """`pandas.DataFrame(columns).to_csv(path)`, with the number of the row as `axis`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([axis, *columns])
        writer.writerows([row, *values] for row, values in enumerate(zip(*columns.values(), strict=True)))


# "MLPClassifier on the wine data: accuracy of 40 %, loss_curve_ is flat from the tenth iteration on."
@pair(
    "inputs-unscaled",
    [
        "data-not-normalized",
        "loss-plateau",
        "loss-not-decreasing",
        "task-not-learned",
        "metric-at-chance",
        "constant-answer",
    ],
    "csv of loss_curve_ and validation_scores_",
    framework="sklearn",
)
def wine_raw(run: Path, seed: int, fixed: bool) -> None:
    """`MLPClassifier(solver="sgd")` on raw columns, of which one is of 300 to 1,700; standardised in the fixed version."""
    from sklearn.neural_network import MLPClassifier

    x, y = datasets.load_wine(return_X_y=True)
    of = parted(x, y, seed, scaled=fixed)
    model = MLPClassifier(
        (32, 16), solver="sgd", learning_rate_init=0.01, max_iter=60, random_state=seed, batch_size=16
    )
    curves: dict[str, list[float]] = {"loss": [], "train_score": [], "test_score": []}
    for _ in range(60):
        model.partial_fit(of.x, of.y, classes=[0, 1, 2])
        curves["train_score"].append(float(model.score(of.x, of.y)))
        curves["test_score"].append(float(model.score(of.x_val, of.y_val)))
    curves["loss"] = [float(value) for value in model.loss_curve_]
    _table(run / "loss_curve.csv", curves, "iteration")
    reached = tail(curves["test_score"])
    holds = reached > 0.9 if fixed else reached < 0.5
    require(holds, f"test score {reached:.3f}, loss {curves['loss'][-1]:.3f}")


# "Out-of-core learning: each chunk of my CSV makes MLPClassifier forget the classes before."
@pair(
    "data-sorted-by-class",
    [
        "batches-of-one-class",
        "validation-swings",
        "unstable-loss",
        "loss-spike",
        "constant-answer",
        "confidently-wrong",
    ],
    "jsonl, by chunk",
    framework="sklearn",
)
def chunks_sorted(run: Path, seed: int, fixed: bool) -> None:
    """`MLPClassifier.partial_fit` over chunks of a file that is sorted by class; shuffled in the fixed version."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    of = digits(seed, 1500)
    order = np.argsort(of.y, kind="stable")
    random = np.random.default_rng(seed)
    model = MLPClassifier((48,), learning_rate_init=0.005, batch_size=16, alpha=0.05, random_state=seed)
    log = JsonLines(run, name="partial_fit.jsonl", axis="chunk")
    scores: list[float] = []
    for one in range(80):
        if fixed and one % 10 == 0:
            order = random.permutation(len(of.y))
        chosen = np.array_split(order, 10)[one % 10]
        before = {}
        if one:
            told = np.clip(model.predict_proba(of.x[chosen]), 1e-7, 1)
            before = {"chunk_loss": log_loss(of.y[chosen], told, labels=list(range(10)))}
        for _ in range(3):
            model.partial_fit(of.x[chosen], of.y[chosen], classes=list(range(10)))
        scores.append(float(model.score(of.x_val, of.y_val)))
        told = np.clip(model.predict_proba(of.x_val), 1e-7, 1)
        log.log(one, {**before, "test_loss": log_loss(of.y_val, told, labels=list(range(10))), "test_acc": scores[-1]})
    log.close()
    reached = float(np.mean(scores[-20:]))
    require(reached > 0.88 if fixed else reached < 0.6, f"test accuracy {reached:.3f} over the last 20 chunks")


# "SGDRegressor: the mean squared error is 1e+27 after some calls of partial_fit."
@pair(
    "inputs-unscaled",
    [
        "loss-divergence",
        "data-not-normalized",
        "exploding-tensor",
        "loss-not-decreasing",
        "learning-rate-too-high",
        "non-finite",
    ],
    "printed log",
    framework="sklearn",
)
def spending_diverges(run: Path, seed: int, fixed: bool) -> None:
    """`SGDRegressor.partial_fit` on columns of months, dollars and calls as they are; scaled in the fixed version."""
    from sklearn.linear_model import SGDRegressor

    of = customers(seed, scaled=fixed)
    standard = of if fixed else customers(seed)
    weights = np.linspace(1.5, -1.0, 12)
    random = np.random.default_rng(seed)
    y, y_val = (part @ weights + 0.5 * random.normal(size=len(part)) for part in (standard.x, standard.x_val))
    model = SGDRegressor(eta0=0.01, learning_rate="invscaling", random_state=seed)
    lines: list[str] = []
    errors: list[float] = []
    for epoch in range(1, 31):
        for chosen in np.array_split(random.permutation(len(y)), 8):
            model.partial_fit(of.x[chosen], y[chosen])
        train = float(np.mean((model.predict(of.x) - y) ** 2))
        errors.append(float(np.mean((model.predict(of.x_val) - y_val) ** 2)))
        lines.append(f"epoch {epoch}: train_mse={train:.6g} test_mse={errors[-1]:.6g}")
    (run / "fit.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    share = errors[-1] / float(np.var(y_val))
    holds = share < 0.2 and errors[-1] <= 1.1 * min(errors) if fixed else not share < 1e6
    require(holds, f"error of {share:.3g} of the variance")


# "XGBoost: train-logloss is 0.002, test-logloss rises from the tenth round on, I let it go for 200 rounds."
@pair(
    "overfitting",
    ["overfit", "overtraining", "generalisation-gap", "best-is-not-last", "tree-depth", "confidently-wrong"],
    "json of evals_result",
    framework="xgboost",
)
def churn_boosted(run: Path, seed: int, fixed: bool) -> None:
    """Trees of depth 12 at a rate of 0.3 on few noisy rows; shallow, slow and regularised in the fixed version."""
    import xgboost

    of = customers(seed, 600, clear=1.0)
    train, test = xgboost.DMatrix(of.x, of.y), xgboost.DMatrix(of.x_val, of.y_val)
    deep = {"max_depth": 12, "eta": 0.3, "min_child_weight": 0.1}
    shallow = {"max_depth": 2, "eta": 0.04, "min_child_weight": 8, "lambda": 6, "subsample": 0.7}
    settings = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "seed": seed, "nthread": 1}
    told: dict[str, dict[str, list[float]]] = {}
    evals = [(train, "train"), (test, "test")]
    parameters = settings | (shallow if fixed else deep)
    xgboost.train(parameters, train, 200, evals=evals, evals_result=told, verbose_eval=False)
    (run / "evals_result.json").write_text(json.dumps(told), encoding="utf-8")
    loss, area = told["test"]["logloss"], told["test"]["auc"][-1]
    ratio = loss[-1] / min(loss)
    holds = ratio < 1.06 and area > 0.7 if fixed else ratio > 1.2 and told["train"]["logloss"][-1] < 0.05
    require(holds, f"test loss ends at {ratio:.2f} of its best {min(loss):.3f}, area {area:.3f}")


# "LightGBM: 'No further splits with positive gain', and the metric is the same in each iteration."
@pair(
    "leaves-too-large",
    ["loss-not-decreasing", "loss-plateau", "constant-answer", "metric-at-chance", "task-not-learned", "underfit"],
    "csv of record_evaluation",
    framework="lightgbm",
)
def small_table_leaves(run: Path, seed: int, fixed: bool) -> None:
    """`min_child_samples=200` of a blog for large tables, on 300 rows: no tree can split."""
    import lightgbm

    of = customers(seed, 400)
    model = lightgbm.LGBMClassifier(
        n_estimators=60,
        learning_rate=0.06,
        num_leaves=7,
        min_child_samples=20 if fixed else 200,
        reg_lambda=5.0,
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )
    told: dict[str, dict[str, list[float]]] = {}
    model.fit(
        of.x,
        of.y,
        eval_set=[(of.x, of.y), (of.x_val, of.y_val)],
        eval_names=["training", "valid_1"],
        eval_metric=["binary_logloss", "auc"],
        callbacks=[lightgbm.record_evaluation(told)],
    )
    columns = {f"{name}_{metric}": values for name, metrics in told.items() for metric, values in metrics.items()}
    _table(run / "lgbm_eval.csv", columns, "iteration")
    loss, area = told["valid_1"]["binary_logloss"], told["valid_1"]["auc"][-1]
    holds = area > 0.75 and loss[-1] < 1.08 * min(loss) if fixed else abs(area - 0.5) < 0.03
    require(holds, f"area {area:.3f}, loss {loss[0]:.3f} to {loss[-1]:.3f}")


# "AUC of the test set stops at round 30 while the train AUC goes to 1" - the gap is there, but the test loss stays at its best.
@odd("json of evals_result", framework="xgboost")
def boosted_gap(run: Path, seed: int) -> None:
    """Clear data: training loss far below the test loss, which ends near its best."""
    import xgboost

    x, y = datasets.load_digits(return_X_y=True)
    of = parted(x, y, seed)
    train, test = xgboost.DMatrix(of.x, of.y), xgboost.DMatrix(of.x_val, of.y_val)
    settings = {
        "objective": "multi:softprob",
        "num_class": 10,
        "eval_metric": ["mlogloss", "merror"],
        "max_depth": 4,
        "eta": 0.3,
        "subsample": 0.8,
        "seed": seed,
        "nthread": 1,
    }
    told: dict[str, dict[str, list[float]]] = {}
    evals = [(train, "train"), (test, "eval")]
    xgboost.train(settings, train, 60, evals=evals, evals_result=told, verbose_eval=False)
    (run / "evals_result.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    loss, error = told["eval"]["mlogloss"], told["eval"]["merror"][-1]
    require(error < 0.06 and loss[-1] < 1.05 * min(loss), f"error {error:.3f}, loss {loss[-1]:.3f} of {min(loss):.3f}")
