"""Healthy programs of teams whose logs look odd: losses below zero, jumps that are meant, floors, rewards below zero, no loss at all."""

import csv
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import Trail, above, below, last, steady, told
from bench.accuracy.programs_team_common import odd_into
from bench.accuracy.programs_team_keras_common import arrays, each_epoch, keras_at, rate_of, trail_of
from bench.accuracy.programs_team_others_common import keep

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Is a loss of -1.6 a mistake?" No: it is -log of a density, and the rain of a day is told to some hundredths.
@odd("csv of iterations", framework="numpy")
def rain_density(run: Path, seed: int) -> None:
    """A Gaussian with a mean and a width that both depend on the weather, by Adam in numpy."""
    random = np.random.default_rng(seed)
    x = np.concatenate([random.normal(size=(900, 5)), np.ones((900, 1))], 1)
    slope = np.array([0.2, -0.1, 0.15, 0.0, 0.05, 0.4])
    y = x @ slope + 0.05 * np.exp(0.5 * x[:, 3]) * random.normal(size=900)
    weights, first, second = np.zeros((6, 2)), np.zeros((6, 2)), np.zeros((6, 2))
    found: Trail = {}

    def nll(rows: slice) -> float:
        mean, width = (x[rows] @ weights).T
        return float((width + 0.5 * ((y[rows] - mean) / np.exp(width)) ** 2 + 0.5 * np.log(2 * np.pi)).mean())

    with (run / "density_fit.csv").open("w", encoding="utf-8") as file:
        file.write("iteration,neg_log_density,neg_log_density_cv\n")
        for step in range(1, 401):
            rows = random.integers(0, 600, 64)
            mean, width = (x[rows] @ weights).T
            off = (y[rows] - mean) / np.exp(width)
            slopes = x[rows].T @ np.stack([-off / np.exp(width), 1 - off**2], 1) / 64
            first, second = 0.9 * first + 0.1 * slopes, 0.999 * second + 0.001 * slopes**2
            pace = 0.02 if step <= 280 else 0.005
            weights = weights - pace * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            if step % 10 == 0:
                row = keep(
                    found,
                    {"neg_log_density": nll(slice(0, 600)), "neg_log_density_cv": nll(slice(600, 900))},
                )
                file.write(f"{step},{row['neg_log_density']:.5f},{row['neg_log_density_cv']:.5f}\n")
    below(found, "neg_log_density_cv", -1.2)
    steady(found, "neg_log_density_cv", 0.1)


# "Every few weeks of its life it falls off the cliff": SARSA with epsilon = 0.1; all that it earns is below zero.
@odd("jsonl, a line for twenty episodes", framework="numpy")
def cliff_courier(run: Path, seed: int) -> None:
    """The cliff of Sutton and Barto: -1 a step, -100 for a fall, from returns of -1000 to about -25."""
    random = np.random.default_rng(seed)
    table = np.zeros((4, 12, 4))
    found: Trail = {}

    def choose(at: tuple[int, int]) -> int:
        return int(random.integers(4)) if random.random() < 0.1 else int(table[at].argmax())

    earned: list[float] = []
    with (run / "courier.jsonl").open("w", encoding="utf-8") as file:
        for episode in range(1, 801):
            at, total, steps = (3, 0), 0.0, 0
            move = choose(at)
            while at != (3, 11) and steps < 400:
                down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[move]
                after = (min(3, max(0, at[0] + down)), min(11, max(0, at[1] + right)))
                reward = -1.0
                if after[0] == 3 and 0 < after[1] < 11:
                    after, reward = (3, 0), -100.0
                further = choose(after)
                table[at][move] += 0.3 * (reward + table[after][further] * (after != (3, 11)) - table[at][move])
                at, move, total, steps = after, further, total + reward, steps + 1
            earned.append(total)
            if episode % 20 == 0:
                row = keep(found, {"ep_return": float(np.mean(earned[-20:])), "eps_greedy": 0.1})
                file.write(json.dumps({"episodes": episode, **row}) + "\n")
    require(last(found, "ep_return", 10) > -45 and found["ep_return"][0] < -90, told(found))


# "The rate jumps up three times, and the loss with it, a little": those are warm restarts, each of which ends lower.
@odd("SummaryWriter with the rate", framework="keras")
def polymer_restarts(run: Path, seed: int) -> None:
    """Plastics by SGD under CosineDecayRestarts of six epochs."""
    from torch.utils.tensorboard import SummaryWriter

    x, y, x_val, y_val = arrays(spectra(seed, 900, noise=0.4))
    keras = keras_at(seed)
    layers = keras.layers
    penalty = keras.regularizers.L2(3e-3)
    hidden = layers.Dense(24, activation="relu", kernel_regularizer=penalty)
    head = layers.Dense(5, activation="softmax", kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((60,)), hidden, layers.Dropout(0.2), head])
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.06, 6 * -(-len(x) // 32), t_mul=1.0, m_mul=1.0)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    writer = SummaryWriter(str(run))
    names = {"loss": "sgdr/loss", "accuracy": "sgdr/acc", "val_loss": "sgdr_eval/loss", "val_accuracy": "sgdr_eval/acc"}

    def tell(epoch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            writer.add_scalar(names[name], value, epoch)
        writer.add_scalar("sgdr/step_size", rate_of(keras, model), epoch)

    history = model.fit(x, y, 32, 24, verbose=0, validation_data=(x_val, y_val), callbacks=[each_epoch(keras, tell)])
    writer.close()
    found = trail_of(history)
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.15)


# "It is better on what it has not seen": noise and dropout of a half in training only, and labels that are smoothed.
@odd("csv by the csv module, camel case", framework="keras")
def crane_signals(run: Path, seed: int) -> None:
    """Signals of a crane driver's hand by a 1-D CNN under much noise, dropout and label smoothing, so that the loss stands at 0.5."""
    x, y, x_val, y_val = arrays(gestures(seed, 640))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.GaussianNoise(0.6),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Conv1D(24, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(4e-3), keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"]
    )
    goal, goal_val = np.eye(5, dtype=np.float32)[y], np.eye(5, dtype=np.float32)[y_val]
    found = trail_of(model.fit(x, goal, 32, 24, verbose=0, validation_data=(x_val, goal_val)))
    names = {
        "loss": "smoothedLoss",
        "accuracy": "hitShare",
        "val_loss": "smoothedLossVal",
        "val_accuracy": "hitShareVal",
    }
    with (run / "craneLog.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epochNumber", *names.values()])
        writer.writerows([epoch + 1, *(found[name][epoch] for name in names)] for epoch in range(24))
    above(found, "val_accuracy", 0.88)
    steady(found, "val_loss", 0.1)
    require(last(found, "accuracy") < last(found, "val_accuracy") - 0.03, told(found))


# "Accuracy has stood at 97 % from the first minute": there are 3 % of frauds; what counts is the average precision.
@odd("lines for people, of each pass", framework="sklearn")
def card_watch(run: Path, seed: int) -> None:
    """Frauds among payments by a logistic regression in small steps; the share of right answers hardly moves, their order does."""
    linear, metrics = import_module("sklearn.linear_model"), import_module("sklearn.metrics")

    random = np.random.default_rng(seed)
    z = random.normal(size=(6000, 8))
    x = z * [0.25, 0.5, 1, 2, 1, 1, 1, 1]
    y = (3 * z[:, :4].sum(1) + random.logistic(size=6000) > 11.5).astype(np.int64)
    model = linear.SGDClassifier(loss="log_loss", alpha=1e-4, learning_rate="constant", eta0=4e-3, random_state=seed)
    found: Trail = {}
    with (run / "card_watch.log").open("w", encoding="utf-8") as file:
        for number in range(1, 31):
            order = random.permutation(4000)
            model.partial_fit(x[order], y[order], classes=[0, 1])
            shares = model.predict_proba(x)
            row = {
                "ll": metrics.log_loss(y[:4000], shares[:4000]),
                "ll_oot": metrics.log_loss(y[4000:], shares[4000:]),
                "acc_oot": np.mean((shares[4000:, 1] > 0.5) == y[4000:]),
                "ap_oot": metrics.average_precision_score(y[4000:], shares[4000:, 1]),
            }
            row = keep(found, row)
            parts = ", ".join(f"{name}: {value:.4f}" for name, value in row.items())
            file.write(f"Pass {number}/30 | {parts}\n")
    above(found, "ap_oot", 0.6)
    require(last(found, "ap_oot") > max(found["ap_oot"][0] + 0.1, max(found["ap_oot"]) - 0.02), told(found))
    steady(found, "ll_oot", 0.03)
    require(last(found, "acc_oot") >= 1 - float(y[4000:].mean()), told(found))


# "It is done after three sweeps, and then the error stands still": alternating least squares solve each half exactly.
@odd("json of two lists", framework="numpy")
def film_factors(run: Path, seed: int) -> None:
    """Marks for films by alternating least squares with a penalty, against the mean of all marks."""
    random = np.random.default_rng(seed)
    people, films = random.normal(size=(120, 3)), random.normal(size=(90, 3))
    marks = 3.5 + 0.5 * people @ films.T + 0.4 * random.normal(size=(120, 90))
    draw = random.random(marks.shape)
    known, held = draw < 0.35, draw > 0.88
    mean = marks[known].mean()
    left, right = 0.1 * random.normal(size=(120, 3)), 0.1 * random.normal(size=(90, 3))

    def solve(others: np.ndarray, seen: np.ndarray, values: np.ndarray) -> np.ndarray:
        rows = []
        for mask, row in zip(seen, values, strict=True):
            inner = others[mask]
            rows.append(np.linalg.solve(inner.T @ inner + 2 * np.eye(3), inner.T @ (row[mask] - mean)))
        return np.array(rows)

    found: Trail = {}
    for _ in range(20):
        left = solve(right, known, marks)
        right = solve(left, known.T, marks.T)
        wrong = (mean + left @ right.T - marks) ** 2
        keep(found, {"rmse_observed": np.sqrt(wrong[known].mean()), "rmse_heldout": np.sqrt(wrong[held].mean())})
    (run / "als_rmse.json").write_text(json.dumps({"sweep": list(range(1, 21)), **found}), encoding="utf-8")
    blind = float(np.sqrt(((marks[held] - mean) ** 2).mean()))
    require(last(found, "rmse_heldout") < 0.7 * blind, f"{told(found)}; the mean has {blind:.3f}")
    steady(found, "rmse_heldout", 0.03)


# "There is no loss in the log": LambdaMART tells NDCG only, which rises.
@odd("tab-separated table of rounds", framework="lightgbm")
def shop_ranking(run: Path, seed: int) -> None:
    """The order of goods in a shop's search by LambdaMART."""
    lightgbm = import_module("lightgbm")

    random = np.random.default_rng(seed)
    x = random.normal(size=(240, 12, 10))
    score = x[..., 0] + 0.8 * x[..., 1] * (x[..., 2] > 0) - 0.6 * x[..., 3] + 0.5 * random.normal(size=(240, 12))
    y = np.digitize(score, [0.8, 1.6, 2.4])
    known = lightgbm.Dataset(x[:160].reshape(-1, 10), y[:160].reshape(-1), group=[12] * 160)
    held = lightgbm.Dataset(x[160:].reshape(-1, 10), y[160:].reshape(-1), group=[12] * 80, reference=known)
    results: dict[str, Any] = {}
    settings = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [5], "learning_rate": 0.06, "num_leaves": 6}
    settings |= {"min_data_in_leaf": 40, "lambda_l2": 8.0, "num_threads": 1, "seed": seed, "verbosity": -1}
    lightgbm.train(
        settings,
        known,
        60,
        valid_sets=[known, held],
        valid_names=["shop", "shop_later"],
        callbacks=[lightgbm.record_evaluation(results)],
    )
    found: Trail = {f"{part}_ndcg_at_5": list(one["ndcg@5"]) for part, one in results.items()}
    rows = zip(*found.values(), strict=True)
    lines = ["\t".join(["boosting_round", *found]), *(f"{one}\t{a:.5f}\t{b:.5f}" for one, (a, b) in enumerate(rows, 1))]
    (run / "ranking.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    above(found, "shop_later_ndcg_at_5", 0.8)
    require(last(found, "shop_later_ndcg_at_5") > max(found["shop_later_ndcg_at_5"]) - 0.02, told(found))
