"""Programs of the month in the manner of the Hugging Face trainer and of Lightning; and healthy ones of many kinds that look odd."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import customers, flats, mails
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    Trail,
    above,
    below,
    fit,
    go,
    steady,
)
from bench.accuracy.programs_month_common import into, odd_into
from bench.accuracy.programs_month_others_first import tell

RECIPES: list[Recipe] = []
pair, odd = into(RECIPES), odd_into(RECIPES)


# "create_optimizer ran before I gave the model its new head": the body is frozen, and the head that is trained is one that is gone.
@pair(
    "parameters-not-in-optimizer",
    [
        "unchanged-tensor",
        "loss-not-decreasing",
        "metric-at-chance",
        "updates-too-small",
        "loss-plateau",
        "task-not-learned",
    ],
    "Hugging Face trainer_state.json, weights and gradients in HDF5",
    dumps=True,
)
def others_head_after_optimizer(run: Path, seed: int, fixed: bool) -> None:
    """Mails by a frozen body and a new head, which the optimizer does not know; fixed: head first."""
    of = mails(seed)
    model = models.Transformer(4, vocabulary=200, width=24, layers=1, length=24, causal=False, pooled=True)
    earlier = torch.optim.Adam(model.parameters(), lr=3e-3)
    for x, y in (next(stream) for stream in [data.batches(of, 32, seed + 10)] for _ in range(110)):
        earlier.zero_grad()
        functional.cross_entropy(model(x), 3 - y).backward()
        earlier.step()
    for one in model.parameters():
        one.requires_grad_(False)
    if fixed:
        model.head = nn.Linear(24, 4)
        optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.01)
    else:
        optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.01)
        model.head = nn.Linear(24, 4)
    per_epoch = data.steps_per_epoch(of, 32)
    steps = 8 * per_epoch
    stream, snapshots = data.batches(of, 32, seed), Snapshots(Hdf5Dump(run), model, 30)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        model.zero_grad()
        x, y = next(stream)
        return functional.cross_entropy(model(x), y), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
            loss = float(functional.cross_entropy(outputs, of.y_val))
            return {"val_loss": loss, "val_accuracy": float(accuracy(outputs, of.y_val))}

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(1 - step / steps, 0.0))
    step = Descent(model, optimizer, objective, "train_loss", "lr", "grad_norm", 1.0, schedule, snapshots=snapshots)
    log = TrainerState(run, per_epoch, steps, 5)
    found = go(Course(step, steps, log, 5, True, evaluate, per_epoch, snapshots=snapshots))
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.55)


# "After the restart it was worse than before and stayed so": the checkpoint had the model's state_dict() only.
@pair(
    "resume-without-optimizer-and-schedule",
    ["state-lost-on-resume", "loss-spike", "schedule-mismatch", "best-is-not-last", "validation-swings"],
    "Lightning metrics.csv with lr-SGD",
)
def others_resumed_at_full_rate(run: Path, seed: int, fixed: bool) -> None:
    """Digits under noise by a CNN; broken off at epoch 12 and gone on with at its first rate; fixed: all is loaded."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(8, 12))
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)
    trail: Trail = {}
    saved: tuple[Any, Any] | None = None
    random = data.generator(seed)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        outputs = model(x + 1.0 * torch.randn(x.shape, generator=random))
        return functional.cross_entropy(outputs, y), {"train_acc": float(accuracy(outputs.detach(), y))}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
            loss = float(functional.cross_entropy(outputs, of.y_val))
            return {"val_loss": loss, "val_acc": float(accuracy(outputs, of.y_val))}

    def cosine(step: int) -> float:
        return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(step / (12 * per_epoch), 1))))

    for begin, epochs in ((0, 12), (12, 5)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine)
        if saved is not None and fixed:
            optimizer.load_state_dict(saved[0])
            schedule.load_state_dict(saved[1])
        step = Descent(model, optimizer, objective, "train_loss", "lr-SGD", schedule=schedule)
        log = Csv(run, "plain", "metrics.csv", "epoch")
        part = go(Course(step, epochs * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch, first=begin))
        saved = optimizer.state_dict(), schedule.state_dict()
        for name, values in part.items():
            trail.setdefault(name, []).extend(values)
    if fixed:
        above(trail, "val_acc", 0.9)
        steady(trail, "val_loss", 0.3)
    else:
        before, after = trail["train_loss"][11], max(trail["train_loss"][12:15])
        require(after > 1.4 * before, f"the loss was to jump: {trail['train_loss']}")
        require(trail["val_loss"][-1] > 1.15 * min(trail["val_loss"]), f"it was to end worse: {trail['val_loss']}")


# "Only every 4th batch changes anything": gradient accumulation, warm-up over a third, and a line each 25 steps.
@odd("Hugging Face trainer_state.json with few rows")
def others_accumulated(run: Path, seed: int) -> None:
    """Mails by a small transformer with micro-batches of 8, of which four make a step, warm-up and a cosine to zero."""
    of = mails(seed)
    model = models.Transformer(4, vocabulary=200, width=24, layers=1, length=24, causal=False, pooled=True, dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    per_epoch = data.steps_per_epoch(of, 32)
    steps = 7 * per_epoch
    trail: Trail = {}
    stream, log = data.batches(of, 8, seed), TrainerState(run, per_epoch, steps, 25)
    kept: list[float] = []
    for step in range(1, steps + 1):
        share = min(step / (steps / 3), 0.5 * (1 + np.cos(np.pi * max(step - steps / 3, 0) / (steps * 2 / 3))))
        optimizer.param_groups[0]["lr"] = 4e-3 * float(share)
        optimizer.zero_grad()
        for x, y in (next(stream) for _ in range(4)):
            loss = functional.cross_entropy(model(x), y) / 4
            loss.backward()
            kept.append(4 * float(loss.detach()))
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        optimizer.step()
        if step % 25 == 0:
            row = {"train_loss": float(np.mean(kept)), "lr": 4e-3 * float(share), "grad_norm": norm}
            tell(trail, log, step, row)
            kept = []
        if step % per_epoch == 0:
            model.eval()
            with torch.no_grad():
                outputs = model(of.x_val)
            model.train()
            right = float(accuracy(outputs, of.y_val))
            tell(
                trail,
                log,
                step,
                {"val_loss": float(functional.cross_entropy(outputs, of.y_val)), "val_accuracy": right},
            )
    log.close()
    above(trail, "val_accuracy", 0.8)
    steady(trail, "val_loss", 0.25)


# "Most rows of the embedding have no gradient": a vocabulary of 2,000 words, of which a batch has few; sparse gradients.
@odd("Lightning metrics.csv and histograms in TensorBoard", dumps=True)
def others_sparse_words(run: Path, seed: int) -> None:
    """Mails by a mean of embeddings of which most words never occur, under Adam."""
    of = mails(seed)
    model = nn.Sequential(nn.EmbeddingBag(2000, 16), nn.Linear(16, 4))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4),
        14,
        Csv(run, "lightning", "metrics.csv", "step"),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        every=15,
        snapshots=Snapshots(HistogramDump(run), model, 60, "torch", watched=False),
    )
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.3)


# "Most of its gradients are exactly zero, and the objective jitters": Pegasos, a support vector machine on hinge loss.
@odd("jsonl by hand and arrays in Parquet", dumps=True, framework="numpy")
def others_pegasos(run: Path, seed: int) -> None:
    """Tumours by a linear support vector machine on single rows with the step 1 / (lambda t)."""
    of = data.bundled("breast_cancer", seed)
    x, y, x_val, y_val = of.x.numpy(), 2 * of.y.numpy() - 1, of.x_val.numpy(), 2 * of.y_val.numpy() - 1
    random, weights, strength = np.random.default_rng(seed), np.zeros(30), 0.01
    trail: Trail = {}
    log, dump = JsonLines(run, "plain", "pegasos.jsonl", "epoch"), ParquetDump(run)
    step = 0
    for epoch in range(25):
        for row in random.permutation(len(y)):
            step += 1
            wrong = y[row] * (x[row] @ weights) < 1
            gradient = strength * weights - (y[row] * x[row] if wrong else 0.0)
            weights = weights - gradient / (strength * (step + 200))
            if step % 1000 == 1:
                hinge = -(y[row] * x[row]) if wrong else np.zeros(30)
                dump.dump(step, {"weights/w": weights.copy(), "gradients/hinge": hinge})
        told = {}
        for name, inputs, targets in (("train", x, y), ("val", x_val, y_val)):
            told[f"{name}_hinge"] = float(np.maximum(1 - targets * (inputs @ weights), 0).mean())
            told[f"{name}_accuracy"] = float((np.sign(inputs @ weights) == targets).mean())
        tell(trail, log, epoch, told)
    log.close()
    dump.close()
    above(trail, "val_accuracy", 0.92)
    steady(trail, "val_hinge", 0.5)


# "400 trees and the score still creeps": learning_rate=0.03, staged_predict over GradientBoostingRegressor with subsample.
@odd("csv by hand, a row for each ten trees", framework="sklearn")
def others_slow_boosting(run: Path, seed: int) -> None:
    """Rents by very many small trees of scikit-learn, each of which adds little; a loss in euros squared."""
    from sklearn.ensemble import GradientBoostingRegressor

    of = flats(seed, scaled=False)
    x, y, x_val, y_val = of.x.numpy(), of.y.numpy()[:, 0], of.x_val.numpy(), of.y_val.numpy()[:, 0]
    model = GradientBoostingRegressor(
        learning_rate=0.03, n_estimators=400, max_depth=2, subsample=0.6, random_state=seed
    )
    model.fit(x, y)
    trail: Trail = {}
    log = Csv(run, "plain", "boosting.csv", "n_estimators")
    stages = zip(model.staged_predict(x), model.staged_predict(x_val), strict=True)
    for number, (inner, outer) in enumerate(stages, start=1):
        if number % 10 == 0:
            row = {"train_mse": float(np.square(inner - y).mean()), "test_mse": float(np.square(outer - y_val).mean())}
            tell(trail, log, number, row)
    log.close()
    below(trail, "test_mse", 0.3 * float(y_val.var()))
    steady(trail, "test_mse", 0.1)


# "Rewards are all over the place": ten adverts clicked by one in ten at best, Thompson sampling, a mean over 50 shown.
@odd("SummaryWriter", framework="numpy")
def others_clicks_are_noisy(run: Path, seed: int) -> None:
    """A bandit of ten arms that pay seldom by Thompson sampling: noisy rewards that rise slowly."""
    random = np.random.default_rng(seed)
    pays = np.array([0.05, 0.08, 0.1, 0.12, 0.04, 0.06, 0.3, 0.09, 0.15, 0.07])[random.permutation(10)]
    won, lost, kept, regret = np.ones(10), np.ones(10), [], 0.0
    trail: Trail = {}
    log = TensorBoard(run, "plain")
    for step in range(1, 4001):
        arm = int(random.beta(won, lost).argmax())
        click = float(random.random() < pays[arm])
        won[arm] += click
        lost[arm] += 1 - click
        regret += pays.max() - pays[arm]
        kept.append(click)
        if step % 50 == 0:
            row = {"bandit/reward": float(np.mean(kept[-50:])), "bandit/regret": regret}
            tell(trail, log, step, row)
    log.close()
    rewards = trail["bandit/reward"]
    require(float(np.mean(rewards[-20:])) > 0.22, f"the best arm was to be found: {rewards}")


# "Log loss 0.6 and AUC 0.7, but that is what there is": lightgbm on a hard table, trained until early_stopping(15).
@odd("LightGBM's record_evaluation as JSON lines", framework="lightgbm")
def others_hard_table(run: Path, seed: int) -> None:
    """Whether customers leave, which can hardly be told, by LightGBM, stopped early after some dozens of trees."""
    import lightgbm

    of = customers(seed, samples=1600, clear=0.6)
    made = [lightgbm.Dataset(one.numpy(), label.numpy()) for one, label in ((of.x, of.y), (of.x_val, of.y_val))]
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.04, "num_leaves": 4}
    settings |= {"verbose": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 40, "lambda_l2": 5.0}
    kept: dict[str, dict[str, list[float]]] = {}
    calls: list[Any] = [
        lightgbm.record_evaluation(kept),
        lightgbm.early_stopping(10, first_metric_only=True, verbose=False),
    ]
    lightgbm.train(settings, made[0], 120, valid_sets=made, valid_names=["train", "valid"], callbacks=calls)
    trail: Trail = {}
    log = JsonLines(run, "plain", "lgbm.jsonl", "iteration")
    for turn in range(len(kept["valid"]["auc"])):
        tell(trail, log, turn, {f"{part}/{name}": kept[part][name][turn] for part in kept for name in kept[part]})
    log.close()
    (run / "params.json").write_text(json.dumps(settings), encoding="utf-8")
    above(trail, "valid/auc", 0.6)
    steady(trail, "valid/binary_logloss", 0.02)
