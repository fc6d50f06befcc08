"""Usual programs in PyTorch: rates, clipping, decay, frozen parts and resumed runs; and their repaired versions."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

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
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, last, not_above, steady
from bench.accuracy.programs_field_common import told as figures
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_torch_common import river, towns

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My CNN says the same digit for every picture, the loss hangs at 2.3": Adam(lr=0.1), the rate that was right for SGD.
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "loss-plateau", "metric-at-chance", "updates-too-large", "loss-spike", "underfit"),
    "SummaryWriter with one scalar an epoch",
)
def t_digits_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Handwritten digits by a small CNN with Adam(lr=0.1); fixed: 1e-3."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (8, 16, 32, 32))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 0.1),
        15,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        batch=64,
        seed=seed,
    )
    if fixed:
        above(found, "Accuracy/val", 0.93)
        steady(found, "Loss/val", 0.2)
    else:
        below(found, "Accuracy/val", 0.8)


# "Trainer runs, eval_accuracy does not move": learning_rate=1e-6 instead of 1e-3 in the arguments.
@pair(
    "learning-rate-too-low",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "updates-too-small", "still-improving"),
    "Hugging Face trainer_state.json",
)
def t_towns_trainer_typo(run: Path, seed: int, fixed: bool) -> None:
    """The region of a town by its name with a small transformer and AdamW(lr=1e-6), falling linearly; fixed: 2e-3."""
    of = towns(seed)
    epochs, per_epoch = 10, data.steps_per_epoch(of, 32)
    model = models.Transformer(4, vocabulary=27, width=32, layers=2, length=10, causal=False, pooled=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3 if fixed else 1e-6)
    total = epochs * per_epoch
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, total, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: max(0.0, 1 - done / total)),
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)


# "It gets worse the longer I train": the line optimizer.zero_grad() was lost when the loop was cleaned up.
@pair(
    "zero-grad-missing",
    ("loss-not-decreasing", "unstable-loss", "validation-swings", "loss-divergence", "exploding-gradient", "underfit"),
    "csv by hand with a row for each epoch",
)
def t_pictures_never_zeroed(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in coloured pictures by a CNN under SGD whose gradients add up over the steps; fixed: they are cleared."""
    of = over(pictures(seed), 255.0)
    pooled = (nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 4))
    model = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(), *pooled)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        12,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
        zero=fixed,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        not_above(found, "val_acc", 0.6)


# "The loss goes down a little and then nothing": requires_grad = False for all but the head, in a model that has no pretrained weights.
@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", "underfit", "loss-plateau", "updates-too-small", "metric-left-behind"),
    "Lightning metrics.csv and tensors in HDF5",
    dumps=True,
)
def t_gestures_frozen_body(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a GRU, all of which but the head is frozen although it was never trained; fixed: nothing is frozen."""
    of = gestures(seed)
    model = models.Recurrent("gru", 3, 24, 5, layers=2)
    if not fixed:
        for one in model.rnn.parameters():
            one.requires_grad = False
    found = fit(
        model,
        of,
        torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=4e-3),
        16,
        Csv(run, "lightning", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 24, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.65)


# "After I continued from the checkpoint the loss jumped": only the weights were saved, neither the optimizer nor the scheduler.
@pair(
    "state-lost-on-resume",
    ("state-lost-on-resume", "loss-spike", "error-rises", "schedule-mismatch", "best-is-not-last"),
    "two SummaryWriters, one for each part of the run",
    since=14,
)
def t_river_resumed_bare(run: Path, seed: int, fixed: bool) -> None:
    """The level of a river by an LSTM, resumed at epoch 14 without Adam's and the scheduler's state; fixed: with them."""
    of = river(seed)
    total = 20 * data.steps_per_epoch(of, 32)

    def made() -> tuple[nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        model = models.Recurrent("lstm", 2, 24, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)

    def train(
        first: int, parts: tuple[nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]
    ) -> dict[str, list[float]]:
        model, optimizer, schedule = parts
        tags = ("train/loss", "", "val/loss", "val/r2")
        writer = TensorBoard(run, "plain", suffix=f".{first}")
        return fit(
            model,
            of,
            optimizer,
            14 if first == 0 else 6,
            writer,
            tags,
            loss=functional.mse_loss,
            metric=explained,
            seed=seed + first,
            first=first,
            rate_tag="lr",
            schedule=schedule,
        )

    parts = made()
    before = train(0, parts)
    again = made()
    again[0].load_state_dict(parts[0].state_dict())
    if fixed:
        again[1].load_state_dict(parts[1].state_dict())
        again[2].load_state_dict(parts[2].state_dict())
    after = train(14, again)
    told = f"before {figures(before)}; after {figures(after)}"
    jump = max(after["train/loss"][:4]) / (sum(before["train/loss"][-3:]) / 3)
    if fixed:
        above(after, "val/r2", 0.8)
        steady(after, "val/loss", 0.2)
        require(jump < 1.2, f"the loss was not to jump: {told}")
    else:
        require(jump > 1.5, f"the loss was to jump: {told}")


# "SGD creeps": clip_grad_norm_(..., 0.001), a nought too many.
@pair(
    "clipped-too-tight",
    ("gradient-always-clipped", "still-improving", "updates-too-small", "underfit", "loss-plateau"),
    "json lines each tenth step",
)
def t_spectra_clipped_tight(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra with SGD(0.05) and gradients clipped to a norm of 0.001; fixed: of 1."""
    of = spectra(seed, samples=1200)
    model = models.mlp((60, 48, 24, 5), "relu")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        9,
        JsonLines(run, "plain", "train_log.jsonl", "global_step"),
        ("train/loss", "train/acc", "valid/loss", "valid/acc"),
        seed=seed,
        every=10,
        rate_tag="train/lr",
        norm_tag="train/grad_norm",
        clip=1.0 if fixed else 0.001,
    )
    if fixed:
        above(found, "valid/acc", 0.9)
        steady(found, "valid/loss", 0.2)
    else:
        below(found, "valid/acc", 0.8)
        require(last(found, "valid/loss") > 1.0, figures(found))


# "weight_decay=0.5 against overfitting, as somebody said": everything shrinks to nothing.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "loss-plateau", "metric-at-chance", "all-zero", "loss-not-decreasing"),
    "printed log and tensors in Parquet",
    dumps=True,
)
def t_digits_decayed_away(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under SGD(weight_decay=0.5); fixed: 5e-4."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32, 32, 10), "relu")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4 if fixed else 0.5),
        10,
        Console(run, "plain", "train.log", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        batch=64,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 22),
    )
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.3)


# "Training accuracy is stuck, BERT-style model": post-norm transformer at full rate from the first step, no warm-up.
@pair(
    "no-warm-up",
    (
        "learning-rate-too-high",
        "loss-plateau",
        "loss-not-decreasing",
        "metric-at-chance",
        "underfit",
        "updates-too-large",
    ),
    "SummaryWriter with scalars each tenth batch and histograms",
    dumps=True,
)
def t_towns_no_warm_up(run: Path, seed: int, fixed: bool) -> None:
    """Regions of towns by a post-norm transformer of six layers at 0.01 at once; fixed: warm-up and then a lower rate."""
    of = towns(seed)
    epochs, per_epoch = 8, data.steps_per_epoch(of, 32)
    total = epochs * per_epoch
    model = models.Transformer(4, vocabulary=27, layers=6, length=10, causal=False, pooled=True, post_norm=True)
    top, warm = (1e-3, 50) if fixed else (1e-2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=top)
    rise = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min((at + 1) / warm, 1.0) * max(0.0, 1 - at / total))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        writer,
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        rate_tag="learning_rate",
        schedule=rise,
        snapshots=Snapshots(HistogramDump(writer), model, 66, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.72)
