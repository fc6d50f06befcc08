"""Quarter programs, part a: labels, shapes, modes and losses that do not fit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, ParquetDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_desk_common import reminders
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_quarter_a_common import (
    POOR,
    Lightning,
    by_class,
    convnet,
    sensors,
    standard_targets,
    yields,
)
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "99 % on training and 5 % on validation": a LabelEncoder fitted on the training names, another on the validation names.
@pair(
    "labels-encoded-apart",
    (*VALIDATION_LOST, "generalisation-gap", "most-answers-wrong", "confidently-wrong", "error-rises"),
    "Lightning's metrics.csv",
)
def a_encoders_fitted_twice(run: Path, seed: int, fixed: bool) -> None:
    """States of a machine whose validation classes are numbered in another order; fixed: in the same."""
    of = sensors(seed, spread=0.7)
    if not fixed:
        of = replace(of, y_val=torch.tensor([3, 0, 4, 1, 2])[of.y_val])
    model = models.mlp((16, 48, 5), "relu", 0.1)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        Lightning(run, data.steps_per_epoch(of, 32)),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=5,
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.25)


class Last(nn.Module):
    """A class by the last state of an LSTM, with batch_first or without."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 24, batch_first=first)
        self.linear = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        made: Tensor = self.linear(states[:, -1])
        return made


# "The LSTM learns nothing, and no error is raised": batch_first=True was forgotten; batches are (n, time, features).
@pair("wrong-reshape", (*NOTHING_LEARNED, "task-not-learned", "constant-answer"), "SummaryWriter, loss and val_loss")
def a_batch_first_forgotten(run: Path, seed: int, fixed: bool) -> None:
    """Series that begin at one of three levels by an LSTM that takes samples for time; fixed: batch_first=True."""
    of = reminders(seed, length=14)
    model = Last(fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        TensorBoard(run, "plain"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        norm_tag="grad_norm",
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "Validation is far worse than training on the very same pictures": model.eval() is never called, and the folders are read in order.
@pair(
    "eval-mode-missing",
    ("generalisation-gap", "validation-swings", "overfit", "underfit", "metric-left-behind", "best-is-not-last"),
    "SummaryWriter, epoch/val_acc",
)
def a_folders_without_eval(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with batch norm, validated in training mode on batches of one class; fixed: model.eval()."""
    of = by_class(data.bundled("digits", seed), train=False, val=True)
    model = models.mlp((64, 64, 32, 10), norm=True, dropout=0.25)
    stream = data.batches(of, 32, seed)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        x, y = next(stream)
        outputs = model(x)
        return cross_entropy(outputs, y), {"epoch/train_acc": float(accuracy(outputs.detach(), y))}

    def evaluate() -> Mapping[str, float]:
        if fixed:
            model.eval()
        with torch.no_grad():
            parts = [(model(x), y) for x, y in zip(of.x_val.chunk(29), of.y_val.chunk(29), strict=True)]
        outputs, y = torch.cat([one[0] for one in parts]), torch.cat([one[1] for one in parts])
        model.train()
        return {"epoch/val_loss": float(cross_entropy(outputs, y)), "epoch/val_acc": float(accuracy(outputs, y))}

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    step = Descent(model, optimizer, objective, "epoch/train_loss")
    found = go(Course(step, 20 * per_epoch, TensorBoard(run, "plain"), evaluate=evaluate, per_epoch=per_epoch))
    above(found, "epoch/train_acc", 0.85)
    if fixed:
        above(found, "epoch/val_acc", 0.85)
        steady(found, "epoch/val_loss", 0.4)
    else:
        below(found, "epoch/val_acc", 0.65)


# "Transfer learning that does not transfer": requires_grad = False on all but the last layer, on a network that had never been trained.
@pair(
    "frozen-by-mistake",
    (*POOR, "unchanged-tensor", "updates-too-small", "gradient-all-zero"),
    "SummaryWriter, weights and gradients in Parquet",
    dumps=True,
)
def a_frozen_but_untrained(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a CNN with a pooled average, all but its last layer frozen at random weights; fixed: nothing is frozen."""
    of = over(pictures(seed), 255.0)
    model = convnet(12, 4, (3, 12, 12), average=True)
    if not fixed:
        for name, one in model.named_parameters():
            one.requires_grad_(name.startswith("fc"))
    found = fit(
        model,
        of,
        torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=5e-3),
        25,
        TensorBoard(run, "plain"),
        ("Train/Loss", "Train/Accuracy", "Valid/Loss", "Valid/Accuracy"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 60, "collections", watched=False),
    )
    if fixed:
        above(found, "Valid/Accuracy", 0.8)
        steady(found, "Valid/Loss", 0.4)
    else:
        below(found, "Valid/Accuracy", 0.6)


# "Is a loss of -3000 good?": NLLLoss on the raw outputs of the last Linear; log_softmax is missing.
@pair(
    "unfitting-loss",
    (
        "impossible-loss",
        "loss-divergence",
        "exploding-tensor",
        "exploding-gradient",
        "metric-left-behind",
        "still-improving",
    ),
    "console log",
)
def a_nll_of_raw_outputs(run: Path, seed: int, fixed: bool) -> None:
    """States of a machine by an MLP under NLLLoss without log_softmax; fixed: with it."""
    of = sensors(seed, spread=0.8)
    model = models.mlp((16, 32, 32, 5))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        Console(run, "plain", "train.log", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        loss=lambda outputs, y: functional.nll_loss(outputs.log_softmax(-1) if fixed else outputs, y),
        seed=seed,
        batch=16,
    )
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_loss", -20)


# "UserWarning: Using a target size (torch.Size([32])) that is different to the input size (torch.Size([32, 1]))": and it was not read.
@pair(
    "targets-broadcast",
    (*POOR, "constant-answer", "metric-at-chance"),
    "csv, gradients and weights in HDF5",
    dumps=True,
)
def a_targets_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Harvests by an MLP under MSELoss of outputs (n, 1) and targets (n,); fixed: targets (n, 1)."""
    of = standard_targets(yields(seed))
    model = models.mlp((7, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        25,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_loss", "", "valid_loss", "valid_r2"),
        loss=lambda outputs, y: (outputs - (y if fixed else y[:, 0])).square().mean(),
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 75, "torch", watched=False),
    )
    if fixed:
        above(found, "valid_r2", 0.75)
        steady(found, "valid_loss", 0.4)
    else:
        not_above(found, "valid_r2", 0.1)
