"""Letters about a recurrent network and Q-learning in numpy; their repaired versions; and healthy trainings that look odd."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.linear_model import SGDClassifier

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, ParquetLong, TensorBoard
from bench.accuracy.programs_desk_common import customers, flats, standard
from bench.accuracy.programs_field_common import BLOWN_UP, above, below, not_below, steady
from bench.accuracy.programs_hobby_common import into, odd_into
from bench.accuracy.programs_hobby_keras_common import arrays

RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd = odd_into(RECIPES)


# "RuntimeWarning: overflow encountered in matmul, then nan": BPTT typed from a blog, whose line with np.clip was thought to be cosmetic.
@pair(
    "exploding-recurrent-gradient",
    (*BLOWN_UP, "loss-goes-missing", "loss-not-decreasing", "masked-non-finite"),
    "csv with a row each 20 iterations, the norm of the gradient too",
    framework="numpy",
)
def numpy_rnn_unclipped(run: Path, seed: int, fixed: bool) -> None:
    """The sum of thirty numbers by a recurrent network of relu in numpy; fixed: the gradient is clipped to a norm of 1."""
    random = np.random.default_rng(seed)
    hidden, length = 24, 30
    w = {
        "Wxh": random.normal(size=(1, hidden)) * 0.3,
        "Whh": np.eye(hidden) + 0.02 * random.normal(size=(hidden, hidden)),
        "Why": random.normal(size=(hidden, 1)) * 0.2,
        "bh": np.zeros(hidden),
        "by": np.zeros(1),
    }

    def batch(size: int) -> tuple[np.ndarray, np.ndarray]:
        x = random.normal(size=(size, length)) * 0.5 + 0.1
        return x, x.sum(1, keepdims=True) / 3

    def forward(x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        states = [np.zeros((len(x), hidden))]
        for at in range(length):
            states.append(np.maximum(x[:, at : at + 1] @ w["Wxh"] + states[-1] @ w["Whh"] + w["bh"], 0))
        return states, states[-1] @ w["Why"] + w["by"]

    x_val, y_val = batch(200)
    log = Csv(run, "plain", "rnn_log.csv", "iter")
    found: dict[str, list[float]] = {}
    kept: list[tuple[float, float]] = []
    np.seterr(all="ignore")
    for step in range(1, 801):
        x, y = batch(32)
        states, made = forward(x)
        slope = 2 * (made - y) / len(x)
        grads = {name: np.zeros_like(one) for name, one in w.items()}
        grads["Why"], grads["by"] = states[-1].T @ slope, slope.sum(0)
        back = slope @ w["Why"].T
        for at in range(length - 1, -1, -1):
            back = back * (states[at + 1] > 0)
            grads["Wxh"] += x[:, at : at + 1].T @ back
            grads["Whh"] += states[at].T @ back
            grads["bh"] += back.sum(0)
            back = back @ w["Whh"].T
        norm = float(np.sqrt(sum((one**2).sum() for one in grads.values())))
        kept.append((float(np.mean((made - y) ** 2)), norm))
        scale = min(1.0, 1.0 / (norm + 1e-6)) if fixed else 1.0
        for name in w:
            w[name] = w[name] - 0.01 * scale * grads[name]
        if step % 20 == 0:
            row = dict(zip(("loss", "grad_norm"), np.mean(kept, axis=0).tolist(), strict=True))
            row["val_loss"] = float(np.mean((forward(x_val)[1] - y_val) ** 2))
            log.log(step, row)
            kept = []
            for tag, value in row.items():
                found.setdefault(tag, []).append(value)
    log.close()
    np.seterr(all="warn")
    spread = float(y_val.var())
    if fixed:
        below(found, "val_loss", 0.4 * spread)
        steady(found, "val_loss", 0.5)
    else:
        not_below(found, "val_loss", 0.9 * spread)


# "My Q table stays all zeros on the frozen lake": `epsilon *= 0.9` stands in the loop over steps, not in that over episodes.
@pair(
    "no-exploration",
    ("reward-flat", "entropy-collapse", "loss-plateau", "metric-at-chance"),
    "SummaryWriter each 20 episodes",
    framework="numpy",
)
def frozen_lake_without_exploring(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on the 4 × 4 lake, epsilon spoilt within an episode or two; fixed: it falls slowly, by episode."""
    random = np.random.default_rng(seed)
    lake = "SFFFFHFHFFFHHFFG"
    table, epsilon = np.zeros((16, 4)), 1.0
    writer = TensorBoard(run, "plain")
    found: dict[str, list[float]] = {}
    kept: list[tuple[float, int]] = []
    taken = np.zeros(4)
    for episode in range(1, 1801):
        state, reward, steps = 0, 0.0, 0
        while lake[state] in "SF" and steps < 60:
            explores = random.random() < epsilon
            action = int(random.integers(4)) if explores else int(table[state].argmax())
            row_, column = divmod(state, 4)
            row_ = min(max(row_ + (0, 1, 0, -1)[action], 0), 3)
            column = min(max(column + (-1, 0, 1, 0)[action], 0), 3)
            after = row_ * 4 + column
            reward = float(lake[after] == "G")
            table[state, action] += 0.2 * (reward + 0.95 * table[after].max() - table[state, action])
            state, steps = after, steps + 1
            taken[action] += 1
            if not fixed:
                epsilon *= 0.9
        if fixed:
            epsilon = max(0.02, 1 - episode / 1200)
        kept.append((reward, steps))
        if episode % 20 == 0:
            shares = taken / taken.sum()
            row = {
                "reward/mean": float(np.mean([one for one, _ in kept])),
                "episode/length": float(np.mean([one for _, one in kept])),
                "epsilon": epsilon,
                "policy/entropy": float(-(shares * np.log(shares + 1e-12)).sum()),
                "q/max": float(table.max()),
            }
            writer.log(episode, row)
            kept, taken = [], np.zeros(4)
            for tag, value in row.items():
                found.setdefault(tag, []).append(value)
    writer.close()
    if fixed:
        above(found, "reward/mean", 0.75)
    else:
        below(found, "reward/mean", 0.05)


# "With dart the error goes up at times, is my early stopping right?" No harm: trees are dropped and weighted anew.
@odd("Parquet, long", framework="lightgbm")
def dart_goes_up_and_down(run: Path, seed: int) -> None:
    """Rents of flats by LightGBM with boosting=dart: an error that falls with small steps up."""
    import lightgbm

    x, y, x_val, y_val = arrays(standard(flats(seed)))
    train = lightgbm.Dataset(x, y[:, 0])
    test = lightgbm.Dataset(x_val, y_val[:, 0], reference=train)
    told: dict[str, Any] = {"objective": "regression", "boosting": "dart", "metric": "rmse", "drop_rate": 0.1}
    told |= {"learning_rate": 0.15, "num_leaves": 8, "verbose": -1, "num_threads": 1, "seed": seed, "drop_seed": seed}
    log = ParquetLong(run, "plain")
    found: dict[str, list[float]] = {}

    def tell(env: lightgbm.callback.CallbackEnv) -> None:
        row = {f"{one[0]}_{one[1]}": float(one[2]) for one in env.evaluation_result_list or []}
        log.log(env.iteration, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)

    lightgbm.train(told, train, 100, [train, test], ["train", "eval"], callbacks=[tell])
    log.close()
    below(found, "eval_rmse", 0.6 * float(y_val.std()))
    steady(found, "eval_rmse", 0.1)


# "Four of five of my weights are exactly 0.0": it is a lasso, and they should be.
@odd("csv, and HDF5 of the weights by step", framework="numpy", dumps=True)
def lasso_mostly_zero(run: Path, seed: int) -> None:
    """Six of sixty genes tell a measure: proximal gradient descent on 3 measures with an L1 that makes the other weights zero."""
    random = np.random.default_rng(seed)
    real = np.zeros((60, 3))
    for column in range(3):
        real[random.choice(60, 6, replace=False), column] = random.choice([-1, 1], 6) * random.uniform(0.6, 1.5, 6)
    x = random.normal(size=(400, 60))
    y = x @ real + 0.4 * random.normal(size=(400, 3))
    x, y, x_val, y_val = x[:300], y[:300], x[300:], y[300:]
    weights = np.zeros((60, 3))
    log, dump = Csv(run, "plain", "lasso.csv", "iteration"), Hdf5Dump(run)
    found: dict[str, list[float]] = {}
    for step in range(1, 101):
        gradient = x.T @ (x @ weights - y) / len(x)
        if step % 10 == 1:
            dump.dump(step, {"weights/coef": weights.copy(), "gradients/coef": gradient})
        moved = weights - 0.1 * gradient
        weights = np.sign(moved) * np.maximum(np.abs(moved) - 0.1 * 0.1, 0)
        if step % 2 == 0:
            row = {
                "train_mse": float(np.mean((x @ weights - y) ** 2)),
                "valid_mse": float(np.mean((x_val @ weights - y_val) ** 2)),
                "nonzero": float((weights != 0).sum()),
            }
            log.log(step, row)
            for tag, value in row.items():
                found.setdefault(tag, []).append(value)
    log.close()
    dump.close()
    below(found, "valid_mse", 0.12 * float(y_val.var()))
    below(found, "nonzero", 70)
    steady(found, "valid_mse", 0.1)


# "The loss is a hedgehog": it is that of one single customer, in an online learner; the figure over the held out ones is smooth.
@odd("jsonl by hand", framework="sklearn")
def one_customer_at_a_time(run: Path, seed: int) -> None:
    """Who leaves, by SGDClassifier.partial_fit on one row at a time, with the loss of that row each fifth, and test loss each fiftieth."""
    x, y, x_val, y_val = arrays(customers(seed))
    model = SGDClassifier(loss="log_loss", eta0=0.02, learning_rate="constant", alpha=1e-3, random_state=seed)
    model.partial_fit(x[:1], y[:1], classes=[0, 1])
    log = JsonLines(run, "plain", "online.jsonl", "seen")
    found: dict[str, list[float]] = {}
    order = np.random.default_rng(seed).permutation(np.tile(np.arange(len(x)), 3))
    for seen, one in enumerate(order, 1):
        row = {}
        if seen % 5 == 0:
            row["loss"] = float(
                metrics.log_loss(y[one : one + 1], model.predict_proba(x[one : one + 1]), labels=[0, 1])
            )
        if seen % 50 == 0:
            shares = model.predict_proba(x_val)
            row["test_loss"] = float(metrics.log_loss(y_val, shares))
            row["test_acc"] = float(metrics.accuracy_score(y_val, shares.argmax(1)))
        model.partial_fit(x[one : one + 1], y[one : one + 1])
        if row:
            log.log(seen, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    above(found, "test_acc", 0.65)
    steady(found, "test_loss", 0.1)
