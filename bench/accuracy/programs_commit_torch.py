"""Bug-fix commits in PyTorch: what the loop, the optimizer and its schedule do."""

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_torch_common import EachEpoch, MlRuns, tickets
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    steady,
)
from bench.accuracy.programs_post_common import over, pictures, reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "fix: unfrozen backbone was not in the optimizer". Adam(filter(requires_grad)) was made while the backbone was still frozen.
@pair(
    "frozen-layers",
    ("unchanged-tensor", "underfit", "loss-plateau", "updates-too-small", "loss-not-decreasing", "weight-update-ratio"),
    "SummaryWriter with one scalar an epoch, tensors in HDF5",
    dumps=True,
)
def thaw_backbone(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a backbone that is thawed after two epochs; faulty: the optimizer has the head's parameters only."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = over(of, 16.0)
    model = nn.Sequential()
    backbone = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )
    model.add_module("backbone", backbone)
    model.add_module("head", nn.Linear(64, 10))
    backbone.requires_grad_(False)
    chosen = model.parameters() if fixed else filter(lambda one: one.requires_grad, model.parameters())
    optimizer = torch.optim.Adam(list(chosen), lr=2e-3)
    per_epoch = data.steps_per_epoch(of, 32)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step == 2 * per_epoch + 1:
            backbone.requires_grad_(True)
        return x, y

    found = fit(
        model,
        of,
        optimizer,
        16,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/valid", "Accuracy/valid"),
        seed=seed,
        alter=alter,
        snapshots=Snapshots(Hdf5Dump(run), model, 30, "collections"),
    )
    if fixed:
        above(found, "Accuracy/valid", 0.93)
        steady(found, "Loss/valid", 0.15)
    else:
        below(found, "Accuracy/valid", 0.8)


# "move zero_grad inside the batch loop": it stood one indentation too far to the left.
@pair(
    "zero-grad-missing",
    (
        "learning-rate-too-high",
        "loss-divergence",
        "exploding-gradient",
        "unstable-loss",
        "metric-at-chance",
        "underfit",
    ),
    "JSON lines",
)
def zero_grad_indented(run: Path, seed: int, fixed: bool) -> None:
    """The mood of reviews by a GRU; faulty: gradients are cleared at the beginning of each epoch only."""
    of = reviews(seed, samples=1200, share=0.4)
    model = models.Recurrent("gru", 16, 16, 2, vocabulary=300)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    per_epoch = data.steps_per_epoch(of, 16)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if (step - 1) % per_epoch == 0:
            optimizer.zero_grad()
        return x, y

    found = fit(
        model,
        of,
        optimizer,
        10,
        JsonLines(run, "plain", "metrics.json", "epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
        batch=16,
        zero=fixed,
        alter=alter,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "valid_acc", 0.85)
        steady(found, "valid_loss", 0.2)
    else:
        below(found, "valid_acc", 0.72)


# "scheduler.step() should be called once per epoch": ExponentialLR(gamma=0.9) was stepped after each batch.
@pair(
    "schedule-per-batch",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", *BADLY_LEARNED),
    "CSV with a row an epoch and the learning rate",
)
def exponential_per_batch(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in pictures by a CNN whose rate falls by a tenth each epoch; faulty: each batch."""
    of = over(pictures(seed, samples=640), 255.0)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(216, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    found = fit(
        model,
        of,
        optimizer,
        25,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
        schedule=EachEpoch(schedule, data.steps_per_epoch(of, 32) if fixed else 1),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_acc", 0.6)


# "warmup_steps 10000 -> 100": the config came from the large corpus, this fine-tuning has some hundred steps.
@pair(
    "warmup-too-long",
    (
        "schedule-mismatch",
        "still-improving",
        "updates-too-small",
        "loss-not-decreasing",
        "underfit",
        "metric-at-chance",
    ),
    "trainer_state.json of Hugging Face",
)
def warmup_of_the_big_run(run: Path, seed: int, fixed: bool) -> None:
    """Topics of tickets by a small transformer with a linear warm-up to 1e-3; faulty: over 10,000 steps of which 360 are done."""
    of = tickets(seed, samples=1500)
    model = models.Transformer(5, vocabulary=160, width=32, layers=1, length=20, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    warm = 60 if fixed else 10_000
    per_epoch = data.steps_per_epoch(of, 32)
    steps = 10 * per_epoch

    def share(step: int) -> float:
        return (step + 1) / warm if step < warm else max(0.0, (steps - step) / max(1, steps - warm))

    found = fit(
        model,
        of,
        optimizer,
        10,
        TrainerState(run, per_epoch, steps),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, share),
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)


# "lr 0.1 is for SGD, we use Adam": the optimizer was changed in the commit before and the rate was not.
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", *NOTHING_LEARNED, "constant-answer"),
    "files of an MLflow store",
)
def adam_with_rate_of_sgd(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN under Adam(lr=0.1); fixed: 1e-3."""
    of = over(data.bundled("digits", seed, scaled=False).as_images(), 16.0)
    model = models.cnn(10, (8, 16, 32))
    rate = 1e-3 if fixed else 0.1
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=rate),
        15,
        MlRuns(run, seed, {"lr": rate, "batch_size": 32, "optimizer": "Adam"}),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.95)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.4)


# "weight_decay=0.1 is for AdamW": a number out of a paper on language models was given to Adam, where it is added to the gradient.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "low-variance", "vanishing-gradient"),
    "CSV of Lightning, tensors in Parquet",
    dumps=True,
)
def decay_of_a_paper(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra with an MLP under Adam(weight_decay=0.1); fixed: 1e-4."""
    of = spectra(seed, samples=1200)
    model = models.mlp((60, 48, 48, 24, 5), "relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4 if fixed else 0.1),
        12,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 29, "collections"),
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_acc", 0.6)
