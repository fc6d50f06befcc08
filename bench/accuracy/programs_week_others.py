"""The week's programs in numpy, scikit-learn and boosting, and in loops like Hugging Face's and Lightning's; and repaired."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import Plan
from bench.accuracy.loop import fit as fit_plan
from bench.accuracy.programs_desk_common import gestures, mails
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Snapshots,
    Trail,
    above,
    below,
    fit,
    last,
    steady,
    told,
)
from bench.accuracy.programs_week_common import into
from bench.accuracy.programs_week_others_common import Frontend, Net, churn, library

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I wrote the network myself as in the course, and all hidden units are the same": np.zeros for W1 and W2.
@pair(
    "zero-initialisation",
    (*NOTHING_LEARNED, "poor-initialization", "poor-weight-initialization", "gradient-all-zero", "all-zero"),
    "CSV by hand, HDF5 with weights and gradients each third epoch",
    framework="numpy",
    dumps=True,
)
def others_numpy_zeros(run: Path, seed: int, fixed: bool) -> None:
    """Wines by a network in numpy whose weights start as zeros; fixed: drawn with 1 / sqrt(inputs)."""
    of = data.bundled("wine", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(13, 16)) / np.sqrt(13), random.normal(size=(16, 3)) / 4
    if not fixed:
        first, second = np.zeros((13, 16)), np.zeros((16, 3))
    net = Net({"W1": first, "b1": np.zeros(16), "W2": second, "b2": np.zeros(3)})
    log, dump = Csv(run, "plain", "training_log.csv", "epoch"), Hdf5Dump(run)
    found: Trail = {}
    for epoch in range(30):
        losses = []
        order = random.permutation(len(x))
        for start in range(0, len(x), 16):
            rows = order[start : start + 16]
            losses.append(net.backward(x[rows], y[rows]))
            if start == 0 and epoch % 3 == 0:
                made = {f"weights/{name}": one.copy() for name, one in net.weights.items()}
                dump.dump(epoch, made | {f"gradients/{name}": one.copy() for name, one in net.gradients.items()})
            for name, one in net.gradients.items():
                net.weights[name] -= 0.05 * one
        (_, accuracy), (val_loss, val_accuracy) = net.score(x, y), net.score(x_val, y_val)
        row = {"loss": float(np.mean(losses)), "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy}
        log.log(epoch, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    dump.close()
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)


# "partial_fit forgets": chunks of a file that is sorted by digit go into an MLPClassifier one after the other.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "validation-swings",
        "metric-at-chance",
        "loss-not-decreasing",
        "most-answers-wrong",
        "loss-spike",
    ),
    "JSON lines with a line for each chunk",
    framework="sklearn",
)
def others_sorted_chunks(run: Path, seed: int, fixed: bool) -> None:
    """Digits by scikit-learn's MLPClassifier with partial_fit over a file sorted by digit; fixed: shuffled."""
    of = data.bundled("digits", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    log_loss = library("sklearn.metrics").log_loss
    model = library("sklearn.neural_network").MLPClassifier(
        (32,), solver="sgd", learning_rate_init=0.05, batch_size=16, random_state=seed
    )
    random = np.random.default_rng(seed)
    log = JsonLines(run, "plain", "partial_fit.jsonl", "chunk")
    found: Trail = {}
    chunk = 0
    for _ in range(4):
        order = random.permutation(len(x)) if fixed else np.argsort(y, kind="stable")
        for start in range(0, len(x), 64):
            rows = order[start : start + 64]
            if chunk:
                shares = model.predict_proba(x[rows])
                train_loss = log_loss(y[rows], np.clip(shares, 1e-7, 1), labels=np.arange(10))
            else:
                train_loss = float(np.log(10))
            model.partial_fit(x[rows], y[rows], classes=np.arange(10))
            chunk += 1
            row = {
                "train_loss": float(train_loss),
                "val_loss": float(log_loss(y_val, np.clip(model.predict_proba(x_val), 1e-7, 1))),
                "val_accuracy": float(model.score(x_val, y_val)),
            }
            log.log(chunk, row)
            for tag, value in row.items():
                found.setdefault(tag, []).append(value)
    log.close()
    if fixed:
        above(found, "val_accuracy", 0.88)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.6)


# "500 trees of depth 12 have no training error, surely they are good": xgboost on answers of which many are noise.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "tree-depth", "confidently-wrong"),
    "CSV of evals_result",
    framework="xgboost",
)
def others_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Which contracts are ended, by xgboost with depth 12 and eta 0.3; fixed: depth 2 and eta 0.05 with subsampling."""
    xgboost = library("xgboost")
    x, y = churn(seed, noise=1.5)
    train, valid = xgboost.DMatrix(x[:600], y[:600]), xgboost.DMatrix(x[600:], y[600:])
    told_by: dict[str, Any] = {}
    shape = {"max_depth": 2, "eta": 0.03, "subsample": 0.7} if fixed else {"max_depth": 12, "eta": 0.3}
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "seed": seed, "nthread": 1, **shape},
        train,
        200,
        evals=[(train, "train"), (valid, "valid")],
        evals_result=told_by,
        verbose_eval=False,
    )
    found: Trail = {f"{part}-{name}": one for part, of in told_by.items() for name, one in of.items()}
    with (run / "evals_result.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", *found])
        writer.writerows([number, *row] for number, row in enumerate(zip(*found.values(), strict=True)))
    if fixed:
        steady(found, "valid-logloss", 0.05)
        below(found, "valid-error", 0.36)
    else:
        require(last(found, "valid-logloss") > 1.2 * min(found["valid-logloss"]), told(found))


# "AUC 1.0, we are done": the column `days_since_cancellation` was left among the features.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "what LightGBM prints with log_evaluation, and the importance of features each tenth round in Parquet",
    framework="lightgbm",
    dumps=True,
)
def others_leaked_column(run: Path, seed: int, fixed: bool) -> None:
    """Which contracts are ended, by LightGBM with a column that is only known afterwards; fixed: without its knowledge."""
    lightgbm = library("lightgbm")
    x, y = churn(seed)
    random = np.random.default_rng(seed + 50)
    known = random.integers(1, 60, len(y)).astype(float)
    last_column = known * y if not fixed else random.permutation(known * y)
    x = np.column_stack([x, last_column])
    names = [f"column_{number}" for number in range(10)] + ["days_since_cancellation"]
    train = lightgbm.Dataset(x[:600], y[:600], feature_name=names)
    valid = lightgbm.Dataset(x[600:], y[600:], reference=train)
    dump = ParquetDump(run, "importance.parquet")
    lines: list[str] = []
    found: Trail = {}

    def tell(env: Any) -> None:
        """The line that log_evaluation prints, and the importance of features."""
        parts = []
        for part, name, value, _ in env.evaluation_result_list:
            parts.append(f"{part}'s {name}: {value:g}")
            found.setdefault(f"{part} {name}", []).append(value)
        lines.append(f"[LightGBM] [Info] [{env.iteration + 1}]\t" + "\t".join(parts))
        if env.iteration % 10 == 0:
            gain = env.model.feature_importance("gain")
            dump.dump(env.iteration, {"feature_importance/gain": np.asarray(gain, dtype=float)})

    lightgbm.train(
        {
            "objective": "binary",
            "metric": ["binary_logloss", "auc"],
            "learning_rate": 0.05,
            "num_leaves": 5,
            "verbose": -1,
            "seed": seed,
            "num_threads": 1,
        },
        train,
        60,
        valid_sets=[train, valid],
        valid_names=["training", "valid_0"],
        callbacks=[tell],
    )
    (run / "lightgbm.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dump.close()
    if fixed:
        steady(found, "valid_0 binary_logloss", 0.05)
        below(found, "valid_0 auc", 0.95)
        above(found, "valid_0 auc", 0.75)
    else:
        above(found, "valid_0 auc", 0.999)


# "Fine-tuning does nothing": learning_rate=5e-7 in the TrainingArguments, where 5e-4 was meant.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small", "weight-update-ratio"),
    "trainer_state.json",
)
def others_trainer_tiny_rate(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a small transformer under AdamW(5e-7); fixed: 2e-3."""
    of = mails(seed)
    model = models.Transformer(4, vocabulary=200, width=24, heads=2, layers=1, length=24, causal=False, pooled=True)
    per_epoch, steps = data.steps_per_epoch(of, 16), 8 * data.steps_per_epoch(of, 16)
    rate = torch.optim.AdamW(model.parameters(), lr=2e-3 if fixed else 5e-7, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        rate, lambda step: min(1.0, (step + 1) / 20) * max(0.0, 1 - step / steps)
    )
    plan = Plan(
        model,
        of,
        rate,
        steps,
        batch=16,
        seed=seed,
        schedule=schedule,
        averaged=True,
        evaluate_every=per_epoch,
        train_metrics=False,
    )
    found = fit_plan(plan, TrainerState(run, per_epoch, steps))
    if fixed:
        require(found["val_accuracy"] > 0.8, str(found))
        require(found["val_loss"] < 1.25 * found["best_val_loss"] + 0.03, str(found))
    else:
        require(found["val_accuracy"] < 0.45 and found["val_loss"] > 1.3, str(found))


# "Lightning says 300 parameters are trainable, yet only the head moves": features.detach() was left from plotting them.
@pair(
    "detached-graph",
    (*BADLY_LEARNED, "unchanged-tensor", "gradient-all-zero", "metric-at-chance", "most-answers-wrong"),
    "Lightning metrics.csv, add_histogram of weights and gradients each 48 steps",
    dumps=True,
)
def others_lightning_detached(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand by a 1-D CNN whose features are detached before the head; fixed: they are not."""
    of = gestures(seed)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    model = Frontend(not fixed)
    snapshots = Snapshots(HistogramDump(TensorBoard(run)), model, 48, "torch", watched=False)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-2),
        24,
        Csv(run, "plain", "metrics.csv", "step"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=12,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.66)


# "The recommender shows the same banner for ever": epsilon=0, so the first banner that was ever clicked stays the best known.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "task-not-learned", "constant-answer", "loss-plateau", "metric-at-chance"),
    "CSV by hand with mean reward, regret and entropy each 50 shows",
    framework="numpy",
)
def others_banners_greedy(run: Path, seed: int, fixed: bool) -> None:
    """A bandit of ten banners with epsilon = 0; fixed: an epsilon of 1 that decays to 0.02."""
    random = np.random.default_rng(seed)
    chances = np.array([0.25, 0.2, 0.4, 0.15, 0.3, 0.75, 0.35, 0.1, 0.45, 0.2]) + 0.03 * random.normal(size=10)
    values, shows = np.zeros(10), np.zeros(10)
    log = Csv(run, "plain", "bandit.csv", "step")
    found: Trail = {}
    rewards: list[float] = []
    chosen: list[int] = []
    for step in range(1, 3001):
        epsilon = max(0.02, 0.9985**step) if fixed else 0.0
        arm = int(random.integers(10)) if random.random() < epsilon else int(values.argmax())
        reward = float(random.random() < chances[arm])
        shows[arm] += 1
        values[arm] += (reward - values[arm]) / shows[arm]
        rewards.append(reward)
        chosen.append(arm)
        if step % 50 == 0:
            shares = np.bincount(chosen[-50:], minlength=10) / 50
            known = shares[shares > 0]
            row = {
                "mean_reward": float(np.mean(rewards[-50:])),
                "regret": float(chances.max() - chances[chosen[-50:]].mean()),
                "entropy": abs(float(-(known * np.log(known)).sum())),
                "epsilon": epsilon,
            }
            log.log(step, row)
            for tag, value in row.items():
                found.setdefault(tag, []).append(value)
    log.close()
    if fixed:
        require(last(found, "mean_reward", 10) > 0.62, told(found))
    else:
        require(last(found, "mean_reward", 10) < 0.5, told(found))


# "We continued from the checkpoint and it was all gone": only the weights were saved, and the warm, high rate began anew.
@pair(
    "resume-without-state",
    (
        "state-lost-on-resume",
        "loss-spike",
        "schedule-mismatch",
        "learning-rate-too-high",
        "unstable-loss",
        "best-is-not-last",
    ),
    "console log with a line for each tenth step",
    since=300,
)
def others_resume_forgets(run: Path, seed: int, fixed: bool) -> None:
    """Sentences letter by letter by a GRU, resumed halfway with a fresh Adam at the first rate; fixed: with both states."""
    of, size = data.characters(seed, sentences=400)
    model = models.Recurrent("gru", 16, 48, size, vocabulary=size, every_step=True)
    steps, half = 360, 300

    def made() -> tuple[torch.optim.Optimizer, Any]:
        """The optimizer and its schedule as the script begins."""
        optimizer = torch.optim.Adam(model.parameters(), lr=0.07)
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    optimizer, schedule = made()
    log = Console(run, "plain", "train.log")
    options = {"batch": 32, "log_every": 10, "averaged": True, "evaluate_every": 20, "also": frozenset({"lr"})}
    before = fit_plan(Plan(model, of, optimizer, half, seed=seed, schedule=schedule, **options), log)  # type: ignore[arg-type]
    if not fixed:
        optimizer, schedule = made()
    log = Console(run, "plain", "train.log")
    plan = Plan(model, of, optimizer, steps - half, seed=seed + 1, schedule=schedule, first_step=half, **options)  # type: ignore[arg-type]
    after = fit_plan(plan, log)
    if fixed:
        require(
            after["val_loss"] < before["val_loss"] + 0.01 and after["val_loss"] < 1.1 * after["best_val_loss"],
            f"{before}\n{after}",
        )
    else:
        require(
            after["train_loss"] > 1.12 * before["train_loss"] and after["val_loss"] > 1.03 * before["val_loss"],
            f"{before}\n{after}",
        )
