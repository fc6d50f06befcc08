"""Autumn programs in PyTorch, first part: rates, schedules, losses."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, HistogramDump, TensorBoard, TrainerState
from bench.accuracy.programs_autumn_a_common import bikes, leaf_net, leaves, sound_net, sounds, symptoms, tickets
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I took 0.1 as in the SGD example and only changed the optimizer's name": Adam(lr=0.1) on a small CNN.
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "updates-too-large", *NOTHING_LEARNED, "loss-spike", "dead-relu"),
    "SummaryWriter with one scalar an epoch and add_histogram",
    dumps=True,
)
def sonar_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Sounds under water by a 1-D CNN with Adam(0.1); fixed: 0.003."""
    of, model = sounds(seed), sound_net()
    model.fc = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.003 if fixed else 0.1),
        16,
        writer,
        ("Loss/train", "Acc/train", "Loss/valid", "Acc/valid"),
        batch=16,
        seed=seed,
        rate_tag="lr",
        snapshots=Snapshots(HistogramDump(writer), model, 60),
    )
    if fixed:
        above(found, "Acc/valid", 0.9)
        steady(found, "Loss/valid", 0.4)
    else:
        below(found, "Acc/valid", 0.75)


# "Runs for an hour and R2 is still negative": lr: 1e-6 in the config, where 1e-3 was meant.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small"),
    "Lightning's metrics.csv",
)
def bikes_rate_typo(run: Path, seed: int, fixed: bool) -> None:
    """Hires of bikes by an MLP with AdamW(1e-6); fixed: 3e-3."""
    of, model = bikes(seed), models.mlp((7, 48, 48, 1), "silu")
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3 if fixed else 1e-6),
        40,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        batch=16,
        seed=seed,
        rate_tag="lr-AdamW",
    )
    if fixed:
        above(found, "val_r2", 0.7)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2", 0.1)


# "After the first epoch nothing moves any more": num_training_steps was given the number of epochs.
@pair(
    "learning-rate-zero-too-early",
    ("learning-rate-zero", "rate-falls-too-soon", "schedule-mismatch", *NOTHING_LEARNED, "updates-too-small"),
    "Hugging Face trainer_state.json",
)
def tickets_schedule_in_epochs(run: Path, seed: int, fixed: bool) -> None:
    """Teams for tickets by a transformer whose linear schedule ends after 12 steps; fixed: after all."""
    of = tickets(seed, told=0.35)
    model = models.Transformer(5, vocabulary=160, width=24, layers=1, length=20, causal=False, pooled=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    total = 12 * 17 if fixed else 12
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total))
    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, 17, 12 * 17, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_accuracy", 0.55)


# "Every patient has exactly one or none of the illnesses, says the model": CrossEntropyLoss for several labels at once.
@pair(
    "wrong-loss",
    ("metric-left-behind", "most-answers-wrong", "loss-plateau", "loss-not-decreasing", "underfit", "metric-at-chance"),
    "csv by hand",
)
def illnesses_as_one_class(run: Path, seed: int, fixed: bool) -> None:
    """Which illnesses are there, with CrossEntropyLoss over targets of several ones; fixed: BCEWithLogitsLoss."""
    of, model = symptoms(seed), models.mlp((16, 48, 6), "relu")

    def all_right(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs > 0) == (targets > 0.5)).all(-1).float().mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        16,
        Csv(run, "plain", "history.csv", "epoch"),
        ("loss", "exact_match", "val_loss", "val_exact_match"),
        loss=functional.binary_cross_entropy_with_logits if fixed else functional.cross_entropy,
        metric=all_right,
        seed=seed,
    )
    if fixed:
        above(found, "val_exact_match", 0.6)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_exact_match", 0.42)


# "Six kinds of leaves, loss 1.2, never lower": nn.Softmax as the last layer and CrossEntropyLoss after it.
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "underfit", "metric-left-behind", "loss-not-decreasing"),
    "SummaryWriter with one scalar an epoch",
)
def leaves_softmax_twice(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of leaves by a CNN that ends in a softmax; fixed: it ends in logits."""
    of, model = over(leaves(seed), 255.0), leaf_net()
    if not fixed:
        model.add_module("softmax", nn.Softmax(dim=-1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        25,
        TensorBoard(run, "plain"),
        ("Train/Loss", "Train/Accuracy", "Val/Loss", "Val/Accuracy"),
        seed=seed,
    )
    if fixed:
        above(found, "Val/Accuracy", 0.85)
        steady(found, "Val/Loss", 0.4)
    else:
        not_below(found, "Val/Loss", 1.04)


# "R2 of -0.8 and it jumps about": SGD(lr=0.5, momentum=0.9), kept from a toy, for a regression.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *BADLY_LEARNED, "loss-goes-missing", "updates-too-large"),
    "printed log, a line every fifth batch",
)
def bikes_sgd_half(run: Path, seed: int, fixed: bool) -> None:
    """Hires of bikes by an MLP with SGD(0.5) and momentum; fixed: 0.02."""
    of, model = bikes(seed), models.mlp((7, 64, 64, 1), "relu")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02 if fixed else 0.5, momentum=0.9),
        25,
        Console(run, "plain", "train.log", "iter"),
        ("loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        not_above(found, "val_r2", 0.3)
