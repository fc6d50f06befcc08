"""Healthy programs of groups that look odd: negative losses, restarts, dropped trees, a world that changes, a task that is nearly noise."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_desk_common import flats
from bench.accuracy.programs_field_common import above, below, last, steady, told
from bench.accuracy.programs_group_common import odd_into
from bench.accuracy.programs_group_keras_common import arrays
from bench.accuracy.programs_group_others_common import greedy

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Why is our negative log-likelihood below zero?" Densities of small spreads are above one; all is well.
@odd("csv with the density of a mixture", framework="sklearn")
def density_below_zero(run: Path, seed: int) -> None:
    """A mixture of Gaussians fitted round by round to places in metres of a tight cluster: the loss is negative and falls."""
    from sklearn.mixture import GaussianMixture

    random = np.random.default_rng(seed)
    centres = np.random.default_rng(5).uniform(-1, 1, (4, 2))
    places = centres[random.integers(0, 4, 1600)] + 0.07 * random.normal(size=(1600, 2))
    fit, held = places[:1200], places[1200:]
    model = GaussianMixture(4, warm_start=True, max_iter=1, random_state=seed, init_params="random_from_data", tol=0)
    model.means_init = centres + 0.25 * random.normal(size=centres.shape)
    found: dict[str, list[float]] = {"nats": [], "nats_heldout": []}
    lines = ["em_round,neg_loglik_per_fix,neg_loglik_per_fix_heldout"]
    model.precisions_init = np.stack([4.0 * np.eye(2)] * 4)
    for turn in range(25):
        model.fit(fit)
        found["nats"].append(-float(model.score(fit)))
        found["nats_heldout"].append(-float(model.score(held)))
        lines.append(f"{turn},{found['nats'][-1]:.6f},{found['nats_heldout'][-1]:.6f}")
    (run / "em_trace.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    require(last(found, "nats_heldout") < min(0.0, found["nats_heldout"][0] - 0.1), told(found))
    steady(found, "nats_heldout", 0.02)


# "The loss climbs every ten epochs": a cosine with warm restarts, as the paper has it.
@odd("dict of lists in YAML-like JSON", framework="sklearn")
def rents_warm_restarts(run: Path, seed: int) -> None:
    """Rents by MLPRegressor under a rate that restarts each ten epochs; ends at its best."""
    from sklearn.neural_network import MLPRegressor

    x, y, x_val, y_val = arrays(flats(seed, 900))
    mean, spread = y.mean(), y.std()
    y, y_val = (y[:, 0] - mean) / spread, (y_val[:, 0] - mean) / spread
    model = MLPRegressor(
        hidden_layer_sizes=(24,), solver="sgd", momentum=0.9, alpha=0.01, batch_size=32, random_state=seed
    )
    found: dict[str, list[float]] = {"eta": [], "half_mse": [], "half_mse_lab": [], "r2_lab": []}
    for epoch in range(40):
        rate = 0.0005 + 0.5 * (0.06 - 0.0005) * (1 + math.cos(math.pi * (epoch % 10) / 9))
        if epoch:
            model._optimizer.learning_rate = model._optimizer.learning_rate_init = rate
        else:
            model.learning_rate_init = rate
        model.partial_fit(x, y)
        found["eta"].append(rate)
        found["half_mse"].append(float(model.loss_))
        found["half_mse_lab"].append(0.5 * float(np.square(model.predict(x_val) - y_val).mean()))
        found["r2_lab"].append(float(model.score(x_val, y_val)))
    (run / "sgdr_curves.json").write_text(json.dumps({"schema": 2, "curves": found}), encoding="utf-8")
    above(found, "r2_lab", 0.85)
    steady(found, "half_mse_lab", 0.1)


# "With DART the metric goes up and down from round to round": trees are dropped and rescaled; the last rounds are good.
@odd("LightGBM's record_evaluation, one line a round", framework="lightgbm")
def solubility_dart(run: Path, seed: int) -> None:
    """Solubilities by LightGBM with dropped trees: the curve is bumpy, and ends well."""
    import lightgbm

    x, y, x_val, y_val = arrays(data.regression(seed, 5000, 5, 0.2))
    train = lightgbm.Dataset(x, y[:, 0])
    held = lightgbm.Dataset(x_val, y_val[:, 0], reference=train)
    settings: dict[str, Any] = {
        "objective": "l2",
        "boosting": "dart",
        "drop_rate": 0.15,
        "learning_rate": 0.15,
        "num_leaves": 6,
        "min_data_in_leaf": 20,
        "seed": seed,
        "num_threads": 1,
        "verbose": -1,
    }
    result: dict[str, Any] = {}
    watch = [lightgbm.record_evaluation(result)]
    lightgbm.train(settings, train, 120, [train, held], ["assay", "assay_blind"], callbacks=watch)
    curves = result["assay"]["l2"], result["assay_blind"]["l2"]
    with (run / "dart.log").open("w", encoding="utf-8") as file:
        for turn, (one, other) in enumerate(zip(*curves, strict=True), 1):
            file.write(f"[LightGBM] [Info] [{turn}]\tassay's l2: {one:.6f}\tassay_blind's l2: {other:.6f}\n")
    found = {"blind": list(curves[1])}
    below(found, "blind", 0.5 * float(y_val.var()))
    steady(found, "blind", 0.1)


# "The return fell in the middle!" Yes: there the goal was moved on purpose, and it found it again.
@odd("one JSON object an episode batch, with negative returns", framework="numpy")
def rover_goal_moves(run: Path, seed: int) -> None:
    """A rover in a line of rooms that pays one a step: returns are negative, and fall once when the goal is moved."""
    random = np.random.default_rng(seed)
    table = np.zeros((2, 12, 2))
    found: dict[str, list[float]] = {"return": [], "eps": []}
    with (run / "rover_missions.ndjson").open("w", encoding="utf-8") as file:
        for phase in range(40):
            late = int(phase >= 20)
            goal, epsilon = (11, 0)[late], max(0.05, 0.6 * 0.8 ** (phase % 20))
            totals = []
            for _ in range(10):
                room, total = 5, 0.0
                for _ in range(60):
                    values = table[late, room]
                    action = int(random.integers(2)) if random.random() < epsilon else greedy(values)
                    after = min(max(room + 2 * action - 1, 0), 11)
                    ended = after == goal
                    aim = -1.0 + (0.0 if ended else 0.98 * table[late, after].max())
                    table[late, room, action] += 0.3 * (aim - values[action])
                    room, total = after, total - 1.0
                    if ended:
                        break
                totals.append(total)
            found["return"].append(float(np.mean(totals)))
            found["eps"].append(epsilon)
            told_ = {"mission_batch": phase, "meanReturn": found["return"][-1], "eps": epsilon, "goalRoom": goal}
            file.write(json.dumps(told_) + "\n")
    require(last(found, "return") > -9 and last({"r": found["return"][:20]}, "r") > -9, told(found))


# "An AUC of 0.6, is it broken?" No: returns of the next day tell no more, and the made-up market says how much they could.
@odd("print with pipes and the time", framework="sklearn")
def market_nearly_noise(run: Path, seed: int) -> None:
    """Whether a share rises tomorrow, by logistic regression in sweeps; near the best that anyone could reach."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss, roc_auc_score

    random = np.random.default_rng(seed)
    x = random.normal(size=(12000, 6))
    pull = x @ np.array([0.35, -0.25, 0.2, 0.0, 0.1, 0.0])
    y = (pull + random.logistic(size=len(x)) > 0).astype(np.int64)
    fit, held = slice(0, 8000), slice(8000, None)
    best = float(roc_auc_score(y[held], pull[held]))
    model = SGDClassifier(loss="log_loss", learning_rate="invscaling", eta0=0.004, power_t=0.3, random_state=seed)
    found: dict[str, list[float]] = {"ll": [], "auc": []}
    with (run / "alpha_model.txt").open("w", encoding="utf-8") as file:
        file.write("time | pass | LL in-sample | LL out-of-sample | AUC out-of-sample\n")
        for turn in range(1, 21):
            model.partial_fit(x[fit], y[fit], classes=[0, 1])
            shares = model.predict_proba(x)[:, 1]
            inner, outer = log_loss(y[fit], shares[fit]), log_loss(y[held], shares[held])
            area = float(roc_auc_score(y[held], shares[held]))
            found["ll"].append(float(outer))
            found["auc"].append(area)
            clock = time.strftime("%H:%M:%S")
            file.write(f"{clock} | {turn} | {inner:.5f} | {outer:.5f} | {area:.4f}\n")
    above(found, "auc", max(0.58, best - 0.01))
    steady(found, "ll", 0.01)
