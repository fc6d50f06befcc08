"""Commits that mend programs of boosting, of scikit-learn, and by hand: the states before and after the commit."""

import json
from pathlib import Path

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_others_common import Grid, TwoLayers, bikes, loans, module, parted
from bench.accuracy.programs_field_common import NOTHING_LEARNED, Trail, above, below, not_below, steady
from bench.accuracy.programs_post_common import CartPole

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def _kept(trail: Trail, row: dict[str, float]) -> dict[str, float]:
    """The row, appended to the trail."""
    for tag, value in row.items():
        trail.setdefault(tag, []).append(value)
    return row


# "Kaggle says 0.7, my train says 1.0": max_depth=12, eta=0.5 and no subsampling on some hundred rows.
@pair(
    "overfitting-by-capacity",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "tree-depth", "confidently-wrong"),
    "evals_result.json of XGBoost",
    framework="xgboost",
)
def others_loans_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back by deep and fast XGBoost; fixed: shallow trees, slow and on parts of the data."""
    xgboost = module("xgboost")
    x, y, x_val, y_val = loans(seed)
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    kept = {"max_depth": 2, "eta": 0.08, "subsample": 0.7, "lambda": 2.0, "min_child_weight": 5}
    options = kept if fixed else {"max_depth": 12, "eta": 0.5, "min_child_weight": 0, "lambda": 0.0}
    common = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "seed": seed, "nthread": 1}
    found: dict[str, dict[str, list[float]]] = {}
    watched = [(train, "train"), (valid, "validation")]
    xgboost.train({**common, **options}, train, 120, evals=watched, evals_result=found, verbose_eval=False)
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    trail = {f"{part}-{name}": values for part, rows in found.items() for name, values in rows.items()}
    if fixed:
        below(trail, "validation-error", 0.22)
        steady(trail, "validation-logloss", 0.05)
    else:
        not_below(trail, "validation-logloss", 1.4 * min(trail["validation-logloss"]))
        below(trail, "train-logloss", 0.05)


# "R² of 0.1 after all its trees": learning_rate=0.001 came from the neural net's config.
@pair(
    "learning-rate-too-low",
    (
        "still-improving",
        "underfit",
        "loss-not-decreasing",
        "task-not-learned",
        "learning-rate-zero",
        "updates-too-small",
    ),
    "csv with a row for each iteration of LightGBM",
    framework="lightgbm",
)
def others_bikes_slow_boosting(run: Path, seed: int, fixed: bool) -> None:
    """Bikes lent in an hour by LightGBM with a rate of 0.001; fixed: 0.08."""
    lightgbm = module("lightgbm")
    x, y, x_val, y_val = bikes(seed)
    train = lightgbm.Dataset(x, y)
    valid = lightgbm.Dataset(x_val, y_val, reference=train)
    options = {"objective": "regression", "metric": ["l2", "l1"], "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    options |= {"learning_rate": 0.08 if fixed else 0.001, "seed": seed}
    found: dict[str, dict[str, list[float]]] = {}
    lightgbm.train(
        options,
        train,
        100,
        valid_sets=[train, valid],
        valid_names=["training", "valid_1"],
        callbacks=[lightgbm.record_evaluation(found)],
    )
    trail = {f"{part} {name}": values for part, rows in found.items() for name, values in rows.items()}
    log = Csv(run, "plain", "lgbm_evals.csv", "iteration")
    for at, values in enumerate(zip(*trail.values(), strict=True)):
        log.log(at, dict(zip(trail, values, strict=True)))
    log.close()
    spread = float(np.var(y_val))
    if fixed:
        below(trail, "valid_1 l2", 0.2 * spread)
        steady(trail, "valid_1 l2", 0.1)
    else:
        not_below(trail, "valid_1 l2", 0.75 * spread)


# "log_loss jumps between 3 and 12 with each partial_fit": the StandardScaler was fitted, and its output never used.
@pair(
    "input-not-normalised",
    (
        "data-not-normalized",
        "unstable-loss",
        "validation-swings",
        "loss-not-decreasing",
        "confidently-wrong",
        "underfit",
    ),
    "console log of scikit-learn",
    framework="sklearn",
)
def others_wine_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of wine by SGDClassifier.partial_fit on raw measures; fixed: on scaled ones."""
    linear, metrics = module("sklearn.linear_model"), module("sklearn.metrics")
    measures, kinds = module("sklearn.datasets").load_wine(return_X_y=True)
    x, y, x_val, y_val = parted(measures, kinds, seed)
    scaler = module("sklearn.preprocessing").StandardScaler().fit(x)
    if fixed:
        x, x_val = scaler.transform(x), scaler.transform(x_val)
    model = linear.SGDClassifier(loss="log_loss", alpha=1e-3, learning_rate="constant", eta0=0.01, random_state=seed)
    random, log, trail = np.random.default_rng(seed), Console(run, "plain", "partial_fit.log", "epoch"), Trail()
    for epoch in range(30):
        for part in np.array_split(random.permutation(len(x)), 6):
            model.partial_fit(x[part], y[part], classes=[0, 1, 2])
        row = {
            "train_log_loss": float(metrics.log_loss(y, model.predict_proba(x))),
            "val_log_loss": float(metrics.log_loss(y_val, model.predict_proba(x_val))),
            "val_accuracy": float(model.score(x_val, y_val)),
        }
        log.log(epoch, _kept(trail, row))
    log.close()
    if fixed:
        above(trail, "val_accuracy", 0.92)
        steady(trail, "val_log_loss", 0.2)
    else:
        not_below(trail, "val_log_loss", 1.5)
        below(trail, "val_accuracy", 0.8)


# "All the hidden units are the same": W1 = np.zeros(...), W2 = np.zeros(...), as the lecture's logistic regression had it.
@pair(
    "zero-initialisation",
    ("all-zero", "poor-initialization", "gradient-all-zero", *NOTHING_LEARNED[:3]),
    "jsonl by hand and a Parquet dump of W1, b1, W2, b2 and their gradients",
    dumps=True,
    framework="numpy",
)
def others_numpy_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a net of two layers in NumPy, begun at zero; fixed: at small random numbers."""
    pixels, targets = module("sklearn.datasets").load_digits(return_X_y=True)
    x, y, x_val, y_val = parted(pixels / 16.0, targets, seed)
    random = np.random.default_rng(seed)
    scale = 1.0 if fixed else 0.0
    net = TwoLayers(
        {
            "W1": scale * random.normal(size=(64, 32)) / 8,
            "b1": np.zeros(32),
            "W2": scale * random.normal(size=(32, 10)) / 6,
            "b2": np.zeros(10),
        }
    )
    log, dump, trail, step = JsonLines(run, "plain", "costs.jsonl", "epoch"), ParquetDump(run), Trail(), 0
    for epoch in range(25):
        for part in np.array_split(random.permutation(len(x)), 40):
            gradients = net.gradients(x[part], y[part])
            if step % 50 == 0:
                made = {f"weights/{name}": value.copy() for name, value in net.parameters.items()}
                dump.dump(step, made | {f"gradients/{name}": value for name, value in gradients.items()})
            for name, value in gradients.items():
                net.parameters[name] -= 0.3 * value
            step += 1
        (cost, accuracy), (dev_cost, dev_accuracy) = net.judged(x, y), net.judged(x_val, y_val)
        row = {"cost": cost, "train_acc": accuracy, "dev_cost": dev_cost, "dev_acc": dev_accuracy}
        log.log(epoch, _kept(trail, row))
    log.close()
    dump.close()
    if fixed:
        above(trail, "dev_acc", 0.92)
        steady(trail, "dev_cost", 0.15)
    else:
        below(trail, "dev_acc", 0.15)


# "It learns to fall over as fast as it can": theta -= rate * gradient of the return, where it climbs.
@pair(
    "wrong-sign",
    ("reward-flat", "reward-collapse", "entropy-collapse", "loss-not-decreasing", "task-not-learned"),
    "SummaryWriter with names as in Stable-Baselines",
    framework="numpy",
)
def others_cart_descends(run: Path, seed: int, fixed: bool) -> None:
    """A pole on a cart by REINFORCE with a linear policy in NumPy, going down the return; fixed: up."""
    pole, theta, log, trail = CartPole(seed, 150), np.zeros(4), TensorBoard(run, "plain"), Trail()
    scale, sign = np.array([1.0, 0.5, 5.0, 0.5]), 1.0 if fixed else -1.0
    for update in range(40):
        climbs, lengths, unsure = [], [], []
        for _ in range(10):
            state, over, scores, rewards = pole.reset() * scale, False, [], []
            while not over:
                right = 1 / (1 + np.exp(-state @ theta))
                action = int(pole.random.random() < right)
                scores.append((action - right) * state)
                unsure.append(-np.log(np.clip(right if action else 1 - right, 1e-9, 1)))
                after, reward, over = pole.step(action)
                state = after * scale
                rewards.append(reward)
            to_go = np.cumsum(rewards[::-1])[::-1]
            climbs.append((np.array(scores), to_go))
            lengths.append(len(rewards))
        baseline = np.mean(np.concatenate([to_go for _, to_go in climbs]))
        gradient = sum((scores * (to_go - baseline)[:, None]).sum(0) for scores, to_go in climbs) / sum(lengths)
        theta += sign * 0.3 * gradient / (np.linalg.norm(gradient) + 1e-8)
        row = {
            "rollout/ep_rew_mean": float(np.mean(lengths)),
            "train/entropy": float(np.mean(unsure)),
            "train/theta_norm": float(np.linalg.norm(theta)),
        }
        log.log(update, _kept(trail, row))
    log.close()
    if fixed:
        above(trail, "rollout/ep_rew_mean", 100)
    else:
        below(trail, "rollout/ep_rew_mean", 14)


# "The agent runs into the wall for ever": the decay of epsilon had slipped into the loop over steps, 0.95 for each move.
@pair(
    "no-exploration",
    ("reward-flat", "reward-collapse", "entropy-collapse", "task-not-learned"),
    "csv with a row for each twenty episodes",
    framework="numpy",
)
def others_grid_without_exploring(run: Path, seed: int, fixed: bool) -> None:
    """Ways through a room with pits by tabular Q-learning, epsilon times 0.95 after each move; fixed: after each twenty episodes."""
    random, grid, values = np.random.default_rng(seed), Grid(5, cost=0.0, pits=(7, 18)), np.zeros((25, 4))
    log, trail, epsilon = Csv(run, "plain", "progress.csv", "episode"), Trail(), 1.0
    rewards: list[float] = []
    errors: list[float] = []
    for episode in range(1, 1001):
        state, total = grid.reset(), 0.0
        for _ in range(60):
            best = int(values[state].argmax())
            action = int(random.integers(4)) if random.random() < epsilon else best
            after, reward, over = grid.step(action)
            error = reward + (0.0 if over else 0.95 * values[after].max()) - values[state, action]
            values[state, action] += 0.2 * error
            errors.append(abs(error))
            state, total = after, total + reward
            epsilon = epsilon if fixed else max(epsilon * 0.95, 1e-3)
            if over:
                break
        rewards.append(total)
        if episode % 20 == 0:
            row = {"mean_reward": float(np.mean(rewards[-20:])), "epsilon": epsilon, "td_error": float(np.mean(errors))}
            log.log(episode, _kept(trail, row))
            errors = []
            epsilon = max(epsilon * 0.93, 0.01) if fixed else epsilon
    log.close()
    if fixed:
        above(trail, "mean_reward", 0.8)
    else:
        below(trail, "mean_reward", 0.05)
    require(len(trail["mean_reward"]) == 50, "fifty rows were to be logged")
