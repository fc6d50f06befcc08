"""Programs of groups without torch or Keras: scikit-learn, boosting, plain numpy, and learning from rewards made by hand."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_field_common import above, below, not_above, not_below, steady, told
from bench.accuracy.programs_group_common import into
from bench.accuracy.programs_group_keras_common import arrays
from bench.accuracy.programs_group_others_common import Lake, applicants, greedy
from bench.accuracy.programs_post_common import patients

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The log loss jumps from 3 to 12 and back": SGDClassifier.partial_fit on glucose of 120 and insulin of 300, the StandardScaler is missing.
@pair(
    "unnormalised-input",
    (
        "unstable-loss",
        "validation-swings",
        "data-not-normalized",
        "learning-rate-too-high",
        "underfit",
        "loss-not-decreasing",
    ),
    "print with square brackets",
    framework="sklearn",
)
def clinic_sgd_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Whether a patient is sick by SGDClassifier sweep after sweep, on measures in their units; fixed: standardised."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    x, y, x_val, y_val = arrays(patients(seed, 900, scaled=fixed))
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.003, random_state=seed)
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    with (run / "clinic_sgd.out").open("w", encoding="utf-8") as file:
        for sweep in range(1, 31):
            order = random.permutation(len(x))
            model.partial_fit(x[order], y[order], classes=[0, 1])
            values = {
                "logloss(fit)": log_loss(y, model.predict_proba(x)),
                "logloss(hold-out)": log_loss(y_val, model.predict_proba(x_val)),
                "hit rate(hold-out)": float(model.score(x_val, y_val)),
            }
            for name, value in values.items():
                found.setdefault(name, []).append(float(value))
            print(
                f"[sweep {sweep:02d}/30] " + "  ".join(f"{name}={value:.4f}" for name, value in values.items()),
                file=file,
            )
    if fixed:
        below(found, "logloss(hold-out)", 0.55)
        steady(found, "logloss(hold-out)", 0.1)
    else:
        require(min(found["logloss(fit)"]) > 1.0, told(found))


# "AUC of 1.0 on the book we have, worthless on new applicants": max_depth=10, eta=0.5, min_child_weight=0, from a contest's notebook.
@pair(
    "overfit-by-capacity",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "tree-depth", "confidently-wrong"),
    "evals_result of XGBoost as JSON, and the model",
    framework="xgboost",
)
def loans_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Whether a loan fails, by deep trees under a high rate; fixed: stumps of depth 2 under a small one."""
    import xgboost

    x, y, x_val, y_val = applicants(seed)
    train, book = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    deep = {"max_depth": 10, "eta": 0.5, "min_child_weight": 0, "lambda": 0}
    flat = {"max_depth": 2, "eta": 0.08, "min_child_weight": 8, "lambda": 5, "subsample": 0.7}
    settings: dict[str, Any] = {
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "auc"],
        "seed": seed,
        "nthread": 1,
    }
    result: dict[str, Any] = {}
    watched = [(train, "book2023"), (book, "book2024")]
    model = xgboost.train(
        settings | (flat if fixed else deep), train, 60, evals=watched, evals_result=result, verbose_eval=False
    )
    (run / "evals_result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    model.save_model(run / "loans.model.json")
    found = {"logloss": result["book2024"]["logloss"], "auc": result["book2024"]["auc"]}
    if fixed:
        above(found, "auc", 0.72)
        steady(found, "logloss", 0.03)
    else:
        not_below(found, "logloss", 1.3 * min(found["logloss"]))
        below({"train": result["book2023"]["logloss"]}, "train", 0.05)


# "My own network in numpy goes wild where the tutorial's does not": dW = A.T @ dZ, and the division by m forgotten.
@pair(
    "gradient-summed",
    (
        "learning-rate-too-high",
        "loss-divergence",
        "non-finite",
        "loss-goes-missing",
        "loss-not-decreasing",
        "metric-at-chance",
    ),
    "tab-separated columns",
    framework="numpy",
)
def cells_numpy_without_m(run: Path, seed: int, fixed: bool) -> None:
    """Digits on labels of samples by a network in plain numpy whose gradients are sums; fixed: means over the m samples."""
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    random = np.random.default_rng(seed)
    sizes = (64, 32, 10)
    weights = [random.normal(size=(a, b)) * np.sqrt(2 / a) for a, b in itertools.pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]

    def forward(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.maximum(inputs @ weights[0] + biases[0], 0)
        logits = hidden @ weights[1] + biases[1]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return hidden, shares / shares.sum(1, keepdims=True)

    def judge(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
        shares = forward(inputs)[1]
        cost = -np.log(shares[np.arange(len(targets)), targets] + 1e-12).mean()
        return float(cost), float((shares.argmax(1) != targets).mean())

    found: dict[str, list[float]] = {}
    with (run / "nn_costs.tsv").open("w", encoding="utf-8") as file:
        file.write("iter\tJ\tJ_dev\terr\terr_dev\n")
        for step in range(300):
            if step % 10 == 0:
                (cost, error), (cost_dev, error_dev) = judge(x, y), judge(x_val, y_val)
                file.write(f"{step}\t{cost:.5f}\t{cost_dev:.5f}\t{error:.4f}\t{error_dev:.4f}\n")
                for name, value in (("J", cost), ("J_dev", cost_dev), ("err_dev", error_dev)):
                    found.setdefault(name, []).append(value)
            hidden, slope = forward(x)
            slope[np.arange(len(y)), y] -= 1
            slope /= len(y) if fixed else 1
            below_it = (slope @ weights[1].T) * (hidden > 0)
            for one, (inputs, change) in enumerate(((x, below_it), (hidden, slope))):
                weights[one] -= 0.3 * inputs.T @ change
                biases[one] -= 0.3 * change.sum(0)
    if fixed:
        below(found, "err_dev", 0.08)
        steady(found, "J_dev", 0.2)
    else:
        not_below(found, "err_dev", 0.5)


# "It walks into the wall for 3,000 episodes": epsilon = 0 from the start, over a table of zeros.
@pair(
    "no-exploration",
    ("reward-flat", "entropy-collapse", "metric-at-chance", "constant-answer", "task-not-learned"),
    "csv with the columns of RLlib",
    framework="numpy",
)
def lake_without_exploration(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on a lake with holes, greedy from the first step; fixed: epsilon falls from 1 to 0.02."""
    lake, random = Lake(seed), np.random.default_rng(seed)
    table = np.zeros((lake.cells, 4))
    rows: list[dict[str, float]] = []
    for iteration in range(40):
        epsilon = max(0.02, 1 - iteration / 20) if fixed else 0.0
        rewards, lengths, errors, actions = [], [], [], np.zeros(4)
        for _ in range(50):
            state, total, ended, steps = lake.reset(), 0.0, False, 0
            while not ended:
                action = int(random.integers(4)) if random.random() < epsilon else greedy(table[state])
                after, reward, ended = lake.step(action)
                error = reward + (0.0 if ended else 0.95 * table[after].max()) - table[state, action]
                table[state, action] += 0.2 * error
                state, total, steps = after, total + reward, steps + 1
                actions[action] += 1
                errors.append(error**2)
            rewards.append(total)
            lengths.append(steps)
        shares = actions[actions > 0] / actions.sum()
        rows.append(
            {
                "training_iteration": iteration + 1,
                "episodes_total": 50 * (iteration + 1),
                "episode_reward_mean": float(np.mean(rewards)),
                "episode_len_mean": float(np.mean(lengths)),
                "action_entropy": float(-(shares * np.log(shares)).sum()),
                "td_error_sq": float(np.mean(errors)),
                "cur_epsilon": epsilon,
            }
        )
    with (run / "progress.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = {name: [row[name] for row in rows] for name in rows[0]}
    if fixed:
        above(found, "episode_reward_mean", 0.7)
    else:
        not_above(found, "episode_reward_mean", 0.02)
