"""Programs of the month without a framework for networks: scikit-learn, numpy by hand, boosting; and their repaired versions."""

import json
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Both, Console, Csv, Hdf5Dump, JsonLines, Log, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import customers
from bench.accuracy.programs_field_common import Trail, above, below, not_above, not_below, steady
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_post_common import patients

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def tell(trail: Trail, log: Log, at: int, values: dict[str, float]) -> None:
    """To a log and to what is judged at the end."""
    log.log(at, values)
    for name, value in values.items():
        trail.setdefault(name, []).append(float(value))


# "log_loss of 10 and more, and another one each epoch": SGDClassifier.partial_fit on the table as it is (area of 1,000, smoothness of 0.1).
@pair(
    "inputs-not-scaled",
    ["unstable-loss", "validation-swings", "data-not-normalized", "loss-spike", "loss-not-decreasing", "initial-loss"],
    "csv by hand",
    framework="sklearn",
)
def others_sgd_on_raw_table(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by SGDClassifier, an epoch of partial_fit after the other, on raw columns; fixed: StandardScaler."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    of = data.bundled("breast_cancer", seed, scaled=fixed)
    x, y, x_val, y_val = of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()
    model = SGDClassifier(loss="log_loss", alpha=1e-3, random_state=seed)
    trail: Trail = {}
    random, log = np.random.default_rng(seed), Csv(run, "plain", "sgd_log.csv", "epoch")
    for epoch in range(30):
        order = random.permutation(len(y))
        model.partial_fit(x[order], y[order], classes=[0, 1])
        row = {
            "train_log_loss": log_loss(y, model.predict_proba(x)),
            "train_accuracy": model.score(x, y),
            "valid_log_loss": log_loss(y_val, model.predict_proba(x_val)),
            "valid_accuracy": model.score(x_val, y_val),
        }
        tell(trail, log, epoch, row)
    log.close()
    if fixed:
        above(trail, "valid_accuracy", 0.93)
        steady(trail, "valid_log_loss", 0.6)
    else:
        not_below(trail, "valid_log_loss", 1.0)


# "It forgets what it has learned from the files before": fit() for each chunk of the month, and MLPClassifier begins anew each time.
@pair(
    "model-begun-anew-each-round",
    ["loss-not-decreasing", "validation-swings", "loss-plateau", "underfit", "unstable-loss"],
    "jsonl by hand, a line a round",
    framework="sklearn",
)
def others_fit_for_partial_fit(run: Path, seed: int, fixed: bool) -> None:
    """Digits in chunks of 60 by MLPClassifier.fit, which starts from nothing; fixed: partial_fit."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed)
    x, y, x_val, y_val = of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()
    model = MLPClassifier((32,), learning_rate_init=3e-3, max_iter=4, random_state=seed)
    trail: Trail = {}
    random = np.random.default_rng(seed)
    log = JsonLines(run, "plain", "chunks.jsonl", "round")
    for turn in range(40):
        chosen = random.choice(len(y), 60, replace=False)
        chosen[:10] = [random.choice(np.flatnonzero(y == digit)) for digit in range(10)]
        if fixed:
            for _ in range(4):
                model.partial_fit(x[chosen], y[chosen], classes=np.arange(10))
        else:
            model.fit(x[chosen], y[chosen])
        row = {
            "loss": model.loss_,
            "val_loss": log_loss(y_val, model.predict_proba(x_val), labels=np.arange(10)),
            "val_acc": model.score(x_val, y_val),
        }
        tell(trail, log, turn, row)
    log.close()
    if fixed:
        above(trail, "val_acc", 0.88)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_acc", 0.5)


# "My own network from the lecture stays at 10 %": W1 = np.zeros(…), W2 = np.zeros(…).
@pair(
    "zero-initialisation",
    [
        "all-zero",
        "poor-initialization",
        "metric-at-chance",
        "gradient-all-zero",
        "loss-not-decreasing",
        "unchanged-tensor",
    ],
    "SummaryWriter and arrays in Parquet",
    framework="numpy",
    dumps=True,
)
def others_numpy_from_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network of numpy with one hidden layer of ReLU, whose matrices start as zeros; fixed: He's."""
    of = data.bundled("digits", seed)
    x, y, x_val, y_val = of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()
    random = np.random.default_rng(seed)
    scale = 1.0 if fixed else 0.0
    p = {
        "W1": scale * random.normal(size=(64, 40)) * np.sqrt(2 / 64),
        "b1": np.zeros(40),
        "W2": scale * random.normal(size=(40, 10)) * np.sqrt(2 / 40),
        "b2": np.zeros(10),
    }

    def forward(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.maximum(inputs @ p["W1"] + p["b1"], 0)
        scores = hidden @ p["W2"] + p["b2"]
        shares = np.exp(scores - scores.max(1, keepdims=True))
        return hidden, shares / shares.sum(1, keepdims=True)

    def judge(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
        shares = forward(inputs)[1]
        right = float((shares.argmax(1) == targets).mean())
        return float(-np.log(shares[np.arange(len(targets)), targets] + 1e-12).mean()), right

    trail: Trail = {}
    log, dump = TensorBoard(run, "plain"), ParquetDump(run)
    step = 0
    for epoch in range(20):
        order = random.permutation(len(y))
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            hidden, shares = forward(x[rows])
            back = (shares - np.eye(10)[y[rows]]) / len(rows)
            into_hidden = (back @ p["W2"].T) * (hidden > 0)
            g = {"W1": x[rows].T @ into_hidden, "b1": into_hidden.sum(0), "W2": hidden.T @ back, "b2": back.sum(0)}
            if step % 40 == 0:
                made = {f"weights/{name}": one.copy() for name, one in p.items()}
                dump.dump(step, made | {f"gradients/{name}": one for name, one in g.items()})
            for name in p:
                p[name] = p[name] - 0.2 * g[name]
            step += 1
        (loss, right), (loss_val, right_val) = judge(x, y), judge(x_val, y_val)
        row = {"Loss/train": loss, "Accuracy/train": right, "Loss/test": loss_val, "Accuracy/test": right_val}
        tell(trail, log, epoch, row)
    log.close()
    dump.close()
    if fixed:
        above(trail, "Accuracy/test", 0.93)
        steady(trail, "Loss/test", 0.3)
    else:
        below(trail, "Accuracy/test", 0.2)


# "RuntimeWarning: divide by zero encountered in log, then nan": the cost of the course's logistic regression on raw measures.
@pair(
    "log-of-zero",
    ["loss-goes-missing", "non-finite", "impossible-loss", "learning-rate-too-high", "data-not-normalized"],
    "printed log",
    framework="numpy",
)
def others_cost_is_nan(run: Path, seed: int, fixed: bool) -> None:
    """Who of the patients is sick by logistic regression of numpy on measures of a hundred; fixed: scaled, and clipped in the logarithm."""
    of = patients(seed, scaled=fixed)
    x, y, x_val, y_val = (one.numpy().astype(np.float64) for one in (of.x, of.y, of.x_val, of.y_val))
    trail: Trail = {}
    weights, bias = np.zeros(8), 0.0
    log = Console(run, "plain", "gradient_descent.log", "iteration")

    def cost(inputs: np.ndarray, targets: np.ndarray) -> float:
        shares = 1 / (1 + np.exp(-(inputs @ weights + bias)))
        if fixed:
            shares = shares.clip(1e-9, 1 - 1e-9)
        return float(-(targets * np.log(shares) + (1 - targets) * np.log(1 - shares)).mean())

    with np.errstate(all="ignore"):
        for turn in range(600):
            gap = 1 / (1 + np.exp(-(x @ weights + bias))) - y
            weights = weights - 0.1 * x.T @ gap / len(y)
            bias -= 0.1 * gap.mean()
            if (turn + 1) % 15 == 0:
                right = float((((x_val @ weights + bias) > 0) == (y_val > 0.5)).mean())
                row = {"cost": cost(x, y), "test_cost": cost(x_val, y_val), "test_accuracy": right}
                tell(trail, log, turn + 1, row)
    log.close()
    if fixed:
        above(trail, "test_accuracy", 0.74)
        steady(trail, "test_cost", 0.1)
    else:
        missing = float(np.mean(~np.isfinite(trail["cost"])))
        require(missing > 0.5, f"the cost was to go missing: {trail['cost'][:10]}")


# "logloss of the validation turns round after twenty trees": eta=0.5, max_depth=12 and 100 rounds on a few hundred noisy rows.
@pair(
    "overfit",
    ["overfit", "overtraining", "generalisation-gap", "best-is-not-last", "tree-depth", "error-rises"],
    "evals_result of xgboost as JSON lines",
    framework="xgboost",
)
def others_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave by xgboost with deep and eager trees; fixed: shallow ones, slowly, with subsampling."""
    import xgboost

    of = customers(seed, samples=700, clear=1.0)
    train_set = xgboost.DMatrix(of.x.numpy(), of.y.numpy())
    valid_set = xgboost.DMatrix(of.x_val.numpy(), of.y_val.numpy())
    settings: dict[str, object] = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1}
    settings |= (
        {"eta": 0.04, "max_depth": 2, "subsample": 0.7, "lambda": 4.0} if fixed else {"eta": 0.5, "max_depth": 12}
    )
    kept: dict[str, dict[str, list[float]]] = {}
    sets = [(train_set, "train"), (valid_set, "valid")]
    xgboost.train(settings | {"seed": seed}, train_set, 100, sets, evals_result=kept, verbose_eval=False)
    trail: Trail = {}
    log = JsonLines(run, "plain", "evals_result.jsonl", "iteration")
    for turn in range(100):
        tell(trail, log, turn, {f"{part}-{name}": kept[part][name][turn] for part in kept for name in kept[part]})
    log.close()
    (run / "params.json").write_text(json.dumps(settings), encoding="utf-8")
    if fixed:
        below(trail, "valid-error", 0.38)
        steady(trail, "valid-logloss", 0.05)
    else:
        best, end = min(trail["valid-logloss"]), trail["valid-logloss"][-1]
        require(end > 1.3 * best, f"it was to overfit: {best:.3f} … {end:.3f}")
        below(trail, "train-logloss", 0.1)


# "AUC of 1.000, is the model really that good?": the reason for leaving, filled in afterwards, stayed among the columns.
@pair(
    "data-leak",
    ["too-good", "feature-importance-overweight"],
    "LightGBM's record_evaluation, written as csv",
    framework="lightgbm",
)
def others_column_tells_all(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave by LightGBM with a column that is only known afterwards; fixed: without it."""
    import lightgbm

    of = customers(seed, samples=1000)
    random = np.random.default_rng(seed)

    def columns(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        reason = np.where(y == 1, random.integers(1, 6, len(y)), 0)
        return np.column_stack([x, random.integers(0, 6, len(y)) if fixed else reason])

    sets = [
        (columns(of.x.numpy(), of.y.numpy()), of.y.numpy()),
        (columns(of.x_val.numpy(), of.y_val.numpy()), of.y_val.numpy()),
    ]
    made = [lightgbm.Dataset(x, y) for x, y in sets]
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.05, "num_leaves": 6}
    settings |= {"verbose": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 20, "feature_fraction": 0.8}
    kept: dict[str, dict[str, list[float]]] = {}
    model = lightgbm.train(
        settings,
        made[0],
        60,
        valid_sets=made,
        valid_names=["training", "valid_0"],
        callbacks=[lightgbm.record_evaluation(kept)],
    )
    trail: Trail = {}
    log = Csv(run, "plain", "lgbm_eval.csv", "iteration")
    for turn in range(60):
        row = {f"{part} {name}": kept[part][name][turn] for part in kept for name in kept[part]}
        tell(trail, log, turn, row)
    log.close()
    if fixed:
        above(trail, "valid_0 auc", 0.78)
        not_above(trail, "valid_0 auc", 0.97)
        steady(trail, "valid_0 binary_logloss", 0.1)
        return
    above(trail, "valid_0 auc", 0.999)
    # When the answer is asked for nobody has left yet, and the column is empty.
    honest = sets[1][0].copy()
    honest[:, -1] = 0
    right = float(((np.asarray(model.predict(honest)) > 0.5) == (sets[1][1] == 1)).mean())
    require(right < 0.7, f"the model was to be of no use without its leak: {right:.3f}")


# "The agent walks against the wall for ever": np.argmax over a table of zeros, and the epsilon was never passed on.
@pair(
    "never-explores",
    ["reward-flat", "all-zero", "unchanged-tensor", "metric-at-chance", "entropy-collapse"],
    "SummaryWriter and jsonl, the table in HDF5",
    framework="numpy",
    dumps=True,
)
def others_table_without_exploring(run: Path, seed: int, fixed: bool) -> None:
    """A walk over a field of 5 by 5 with two holes by a Q table that always takes the best action; fixed: epsilon-greedy."""
    trail: Trail = {}
    random = np.random.default_rng(seed)
    table = np.zeros((25, 4))
    log, dump = Both(TensorBoard(run, "plain"), JsonLines(run, "plain", "episodes.jsonl", "episode")), Hdf5Dump(run)
    moves, kept = ((-1, 0), (0, -1), (1, 0), (0, 1)), []
    for episode in range(600):
        row, column, total = 0, 0, 0.0
        epsilon = max(0.02, 1 - episode / 300)
        for _ in range(40):
            state = 5 * row + column
            best = np.flatnonzero(table[state] == table[state].max())
            action = int(random.choice(best)) if fixed else int(table[state].argmax())
            if fixed and random.random() < epsilon:
                action = int(random.integers(0, 4))
            # Now and then the ground is slippery.
            slid = int(random.integers(0, 4)) if random.random() < 0.05 else action
            row, column = min(max(row + moves[slid][0], 0), 4), min(max(column + moves[slid][1], 0), 4)
            reward = float((row, column) == (4, 4))
            fallen = (row, column) in ((1, 3), (3, 1))
            ahead = 0.0 if reward or fallen else 0.95 * table[5 * row + column].max()
            table[state, action] += 0.2 * (reward + ahead - table[state, action])
            total += reward
            if reward or fallen:
                break
        kept.append(total)
        if (episode + 1) % 15 == 0:
            values = {"rollout/ep_rew_mean": float(np.mean(kept[-15:])), "q/max": table.max(), "q/mean": table.mean()}
            tell(trail, log, episode + 1, values)
        if (episode + 1) % 60 == 0:
            dump.dump(episode + 1, {"weights/q_table": table.copy()})
    log.close()
    dump.close()
    if fixed:
        above(trail, "rollout/ep_rew_mean", 0.7)
    else:
        below(trail, "rollout/ep_rew_mean", 0.05)
