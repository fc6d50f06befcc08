"""Everyday programs in plain PyTorch whose rates, schedules, clipping or losses are wrong; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_desk_common import gestures, loads, mails, standard
from bench.accuracy.programs_field_common import (
    Snapshots,
    above,
    below,
    fit,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, over, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My CNN says the same shape for every picture": Adam(lr=0.1), since 0.1 was in the tutorial for SGD.
@pair(
    "learning-rate-too-high",
    (
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "learning-rate-too-high",
        "updates-too-large",
        "constant-answer",
    ),
    "SummaryWriter, Loss/train per epoch",
)
def shapes_adam_c(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in coloured pictures by a small CNN under Adam(0.1); fixed: Adam(0.0015)."""
    of = over(pictures(seed), 255.0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(216, 32),
        nn.ReLU(),
        nn.Linear(32, 4),
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1.5e-3 if fixed else 0.1),
        20,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
    )
    if fixed:
        above(found, "Accuracy/val", 0.85)
        steady(found, "Loss/val", 0.3)
    else:
        below(found, "Accuracy/val", 0.4)


# "The loss stops after two epochs and never moves again": scheduler.step() stands in the loop over batches, made for epochs.
@pair(
    "rate-zero-too-early",
    (
        "loss-not-decreasing",
        "loss-plateau",
        "underfit",
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
    ),
    "jsonl by hand with the rate",
)
def decay_each_batch_c(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a GRU under ExponentialLR(0.92) stepped each batch; fixed: each epoch."""
    of = gestures(seed)
    model = models.Recurrent("gru", 3, 24, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    per_epoch = data.steps_per_epoch(of, 32)

    def rate(step: int) -> float:
        return 0.92 ** (step // per_epoch if fixed else step)

    found = fit(
        model,
        of,
        optimizer,
        25,
        JsonLines(run, "plain", "history.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, rate),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.6)


# "BERT-like model stays at the base rate of the classes": a post-norm transformer from scratch at 3e-3 without warm-up.
@pair(
    "no-warm-up",
    (
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "learning-rate-too-high",
        "task-not-learned",
        "underfit",
    ),
    "trainer_state.json",
)
def encoder_cold_c(run: Path, seed: int, fixed: bool) -> None:
    """Departments of tickets by a post-norm transformer of twelve layers, full rate from the first step; fixed: warm-up over 150 steps."""
    of = mails(seed, length=12, told=0.45)
    model = models.Transformer(4, 200, layers=12, length=12, causal=False, pooled=True, post_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    epochs, per_epoch = 6, data.steps_per_epoch(of, 16)
    total = epochs * per_epoch
    warm = 150 if fixed else 0

    def rate(step: int) -> float:
        return (step + 1) / warm if step < warm else max(0.0, (total - step) / (total - warm))

    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, total, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        batch=16,
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        clip=1.0,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, rate),
    )
    if fixed:
        above(found, "val_accuracy", 0.72)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "Clipping was recommended, so I clip at 0.001": SGD then moves by a millionth each step.
@pair(
    "clipped-too-tight",
    (
        "gradient-always-clipped",
        "updates-too-small",
        "weight-update-ratio",
        "still-improving",
        "underfit",
        "loss-not-decreasing",
    ),
    "csv by hand with the gradient norm",
)
def load_clipped_c(run: Path, seed: int, fixed: bool) -> None:
    """The next load of a grid by an LSTM, gradients clipped to a norm of 0.001 under SGD; fixed: to 1."""
    of = standard(loads(seed))
    of = replace(of, x=of.x[:, :, None], x_val=of.x_val[:, :, None])
    model = models.Recurrent("lstm", 1, 20, 1)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        15,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_mse", "", "test_mse", "test_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        clip=1.0 if fixed else 1e-3,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "test_r2", 0.75)
        steady(found, "test_mse", 0.3)
    else:
        below(found, "test_r2", 0.35)


# "Regularise more, they said": weight_decay=0.5 in Adam, where 1e-4 was meant.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "constant-answer", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "all-zero"),
    "SummaryWriter with add_histogram each 40 steps",
    dumps=True,
)
def digits_decayed_c(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under Adam(weight_decay=0.5); fixed: 1e-4."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 32, 10))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4 if fixed else 0.5),
        14,
        writer,
        ("train/loss", "train/acc", "valid/loss", "valid/acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 40, "torch", watched=False),
    )
    if fixed:
        above(found, "valid/acc", 0.93)
        steady(found, "valid/loss", 0.3)
    else:
        below(found, "valid/acc", 0.5)


# "My loss is minus forty thousand, is that good?": nn.NLLLoss on the raw outputs, log_softmax was forgotten.
@pair(
    "wrong-loss",
    (
        "impossible-loss",
        "loss-divergence",
        "exploding-tensor",
        "metric-left-behind",
        "confidently-wrong",
        "exploding-gradient",
    ),
    "printed log file with a line an epoch",
)
def mails_raw_nll_c(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a bag of words under NLLLoss without log_softmax; fixed: with it."""
    of = mails(seed, told=0.25)
    model = nn.Sequential(nn.EmbeddingBag(200, 24), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.nll_loss(functional.log_softmax(outputs, -1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        10,
        Console(run, "plain", "train.log", "Epoch"),
        ("train loss", "train acc", "val loss", "val acc"),
        loss=loss,
        seed=seed,
    )
    if fixed:
        above(found, "val acc", 0.85)
        steady(found, "val loss", 0.3)
    else:
        below(found, "val loss", -20)
        below(found, "val acc", 0.7)


# "Training is fine up to the resume, then it jumps": the checkpoint holds the model only, the scheduler begins anew at the full rate.
@pair(
    "resume-without-state",
    (
        "state-lost-on-resume",
        "schedule-mismatch",
        "best-is-not-last",
        "loss-spike",
        "validation-swings",
        "learning-rate-too-high",
    ),
    "SummaryWriter into the same directory before and after",
)
def resumed_bare_c(run: Path, seed: int, fixed: bool) -> None:
    """Characters of a text by a GRU, resumed at epoch 15 with neither Adam's nor the scheduler's state; fixed: with both."""
    of, words = data.characters(seed, sentences=300)
    model = models.Recurrent("gru", 16, 48, words, vocabulary=words, every_step=True)
    per_epoch = data.steps_per_epoch(of, 16)
    total = 20 * per_epoch
    rest: dict[str, list[float]] = {}

    def rate(step: int) -> float:
        return max(0.0, 1 - step / total) ** 2

    def stage(epochs: int, first: int, states: tuple[dict[str, object], dict[str, object]] | None) -> torch.optim.Adam:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.08)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        if states:
            optimizer.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
        log = TensorBoard(run, "plain", suffix=f".{first}")
        trail = fit(
            model,
            of,
            optimizer,
            epochs,
            log,
            ("loss/train", "", "loss/val", "acc/val"),
            batch=16,
            seed=seed + first,
            first=first,
            schedule=schedule,
            rate_tag="lr",
        )
        for tag, values in trail.items():
            rest.setdefault(tag, []).extend(values)
        kept.append((optimizer.state_dict(), schedule.state_dict()))
        return optimizer

    kept: list[tuple[dict[str, object], dict[str, object]]] = []
    stage(15, 0, None)
    stage(5, 15, kept[0] if fixed else None)
    before = min(rest["loss/val"][:15])
    if fixed:
        steady(rest, "loss/val", 0.1)
        below(rest, "loss/val", 1.0)
    else:
        not_below(rest, "loss/val", before * 1.06)
        require(max(rest["loss/val"][15:]) > 1.15 * before, f"no jump: {rest['loss/val']}")
