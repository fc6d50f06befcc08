"""Everyday programs in plain PyTorch whose data or labels are wrong, or learned by heart; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_desk_common import customers, inspections
from bench.accuracy.programs_field_common import (
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, hits

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "99 % in training, but three classes are never right in validation": the folders of both parts are numbered in different orders.
@pair(
    "labels-wrong-for-classes",
    (
        "generalisation-gap",
        "overfit",
        "class-never-found",
        "most-answers-wrong",
        "classifier-confusion",
        "confidently-wrong",
    ),
    "Lightning's metrics.csv",
)
def folders_misnumbered_c(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN; in validation classes 2 to 6 are numbered one further; fixed: as in training."""
    of = data.bundled("digits", seed).as_images()
    if not fixed:
        moved = torch.tensor([0, 1, 3, 4, 5, 6, 2, 7, 8, 9])
        of = replace(of, y_val=moved[of.y_val])
    model = models.cnn(channels=(8, 16))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3),
        10,
        Csv(run, "plain", "metrics.csv", "step"),
        ("train_loss_epoch", "train_acc_epoch", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.6)
        above(found, "train_acc_epoch", 0.93)


# "The model cannot beat the class prior": df.sample(frac=1) was applied to the features and forgotten for the labels.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "generalisation-gap", "loss-not-decreasing", "underfit", "best-is-not-last"),
    "console log by the logging module",
)
def churn_shuffled_c(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by an MLP, with rows of labels in another order than those of features; fixed: in the same."""
    of = customers(seed, clear=3.0)
    if not fixed:
        orders = [torch.randperm(len(one), generator=data.generator(seed + 7)) for one in (of.y, of.y_val)]
        of = replace(of, y=of.y[orders[0]], y_val=of.y_val[orders[1]])
    model = models.mlp((12, 32, 16, 1), dropout=0.1)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        14,
        Console(run, "plain", "churn.log", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        loss=loss,
        metric=hits,
        seed=seed,
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.6)


# "The error on the training patients is next to nothing": 600 units a layer, no decay, and nobody stopped it.
@pair(
    "overfit",
    ("overfit", "generalisation-gap", "overtraining", "best-is-not-last", "metric-left-behind"),
    "SummaryWriter with train/ and val/ tags",
)
def patients_by_heart_c(run: Path, seed: int, fixed: bool) -> None:
    """The course of diabetes by an MLP of two layers of 300; fixed: one of 12 with decay."""
    of = data.bundled("diabetes", seed)
    mean, spread = of.y.mean(), of.y.std()
    of = replace(of, y=(of.y[:, None] - mean) / spread, y_val=(of.y_val[:, None] - mean) / spread)
    model = models.mlp((10, 12, 1)) if fixed else models.mlp((10, 300, 300, 1))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1 if fixed else 0.0),
        40,
        TensorBoard(run, "plain"),
        ("train/mse", "train/r2", "val/mse", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        batch=16,
    )
    if fixed:
        above(found, "val/r2", 0.3)
        steady(found, "val/mse", 0.1)
    else:
        below(found, "train/mse", 0.15)
        not_below(found, "val/mse", 1.5 * min(found["val/mse"]))


# "Accuracy is 98 % in training and a coin's throw in validation": ToTensor divides by 255 in one transform only.
@pair(
    "preprocessing-differs",
    ("generalisation-gap", "overfit", "confidently-wrong", "constant-answer", "metric-at-chance", "most-answers-wrong"),
    "SummaryWriter, loss and val_loss",
)
def surfaces_unscaled_c(run: Path, seed: int, fixed: bool) -> None:
    """Faults of surfaces by a CNN, trained on standardised pictures and validated on pictures of 0 to 1; fixed: both standardised."""
    of = inspections(seed, noise=10.0)
    mean, spread = of.x.mean(), of.x.std()
    of = replace(of, x=(of.x - mean) / spread, x_val=(of.x_val - mean) / spread if fixed else of.x_val / 255)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 4),
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        16,
        TensorBoard(run, "plain"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        above(found, "acc", 0.85)
        below(found, "val_acc", 0.5)


# "The language model does not get below 2.9": logits come as (length, batch, words), and .view(-1, words) pairs them with other targets.
@pair(
    "wrong-reshape",
    ("underfit", "loss-not-decreasing", "loss-plateau", "task-not-learned", "metric-at-chance", "most-answers-wrong"),
    "trainer_state.json",
)
def logits_reshaped_c(run: Path, seed: int, fixed: bool) -> None:
    """Characters of a text by an LSTM whose logits are flattened length first, the targets batch first; fixed: both batch first."""
    of, words = data.characters(seed, sentences=350)
    model = models.Recurrent("lstm", 16, 48, words, vocabulary=words, every_step=True)
    per_epoch = data.steps_per_epoch(of, 16)

    def flat(outputs: Tensor) -> Tensor:
        return (outputs if fixed else outputs.transpose(0, 1)).reshape(-1, words)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(flat(outputs), targets.reshape(-1))

    def metric(outputs: Tensor, targets: Tensor) -> Tensor:
        return (flat(outputs).argmax(-1) == targets.reshape(-1)).float().mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        10,
        TrainerState(run, per_epoch, 10 * per_epoch, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        loss=loss,
        metric=metric,
        batch=16,
        seed=seed,
        every=10,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_accuracy", 0.4)


# "After some hours the loss jumps to millions": a sensor reports 65535 when it is unplugged, and nobody filters that.
@pair(
    "bad-batch",
    ("non-finite", "loss-spike", "loss-divergence", "exploding-gradient", "exploding-tensor", "loss-goes-missing"),
    "jsonl with a row for each batch",
)
def sensor_unplugged_c(run: Path, seed: int, fixed: bool) -> None:
    """A smooth function of eight sensors by an MLP; from the third epoch a batch has values of 65,535; fixed: set to the mean."""
    of = data.regression(seed, samples=800)
    at = 60 + int(np.random.default_rng(seed).integers(0, 10))
    model = models.mlp((8, 48, 24, 1), "relu")

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step in (at, at + 90, at + 200):
            x = x.clone()
            x[:3, 2] = 0.0 if fixed else 65535.0
        return x, y

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        20,
        JsonLines(run, "plain", "train.jsonl", "global_step"),
        ("train_loss", "", "valid_loss", "valid_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=1,
        alter=alter,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "valid_r2", 0.8)
        steady(found, "valid_loss", 0.4)
    else:
        not_above(found, "valid_r2", 0.2)


# "Loss is nan from epoch 4 on": cross-entropy written by hand with torch.log of a sigmoid that reaches 0.
@pair(
    "nan-log-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "metric-at-chance", "constant-answer", "exploding-tensor"),
    "csv by hand",
)
def tumours_log_zero_c(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by a logistic MLP with -(y log p + (1 - y) log(1 - p)) by hand; fixed: p clamped to 1e-6."""
    of = data.bundled("breast_cancer", seed)
    model = models.mlp((30, 32, 1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        shares = torch.sigmoid(outputs[:, 0])
        shares = shares.clamp(1e-6, 1 - 1e-6) if fixed else shares
        truth = targets.float()
        return -(truth * torch.log(shares) + (1 - truth) * torch.log(1 - shares)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        20,
        Csv(run, "plain", "history.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        loss=loss,
        metric=hits,
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.4)
    else:
        not_below(found, "val_loss", 1e9)
        not_above(found, "val_acc", 0.8)
