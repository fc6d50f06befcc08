"""Everyday PyTorch programs on rates, schedules and depth, each with its fault and repaired."""

from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_field_common import NOTHING_LEARNED, Snapshots, above, below, fit, steady
from bench.accuracy.programs_plain_common import into
from bench.accuracy.programs_post_common import pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I took lr=0.1 from the SGD tutorial and only changed the optimizer to Adam."
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "updates-too-large", "dead-relu", *NOTHING_LEARNED[:3]),
    "SummaryWriter with Loss/train and add_histogram",
    dumps=True,
)
def numerals_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Handwritten digits by a CNN under Adam with a rate of 0.1; fixed: 0.001."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (8, 16, 16))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 0.1),
        14,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        rate_tag="LR",
        snapshots=Snapshots(HistogramDump(writer), model, 86, "torch"),
    )
    if fixed:
        above(found, "Accuracy/val", 0.93)
        steady(found, "Loss/val", 0.2)
    else:
        below(found, "Accuracy/val", 0.7)


# "Nothing happens after the first minute": scheduler.step() with StepLR(8, 0.1) slipped into the loop over batches.
@pair(
    "learning-rate-zero-too-early",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
    ),
    "SummaryWriter with train/loss and train/lr",
)
def shapes_step_each_batch(run: Path, seed: int, fixed: bool) -> None:
    """Coloured shapes by a CNN under SGD and StepLR(8, 0.1) stepped after each batch; fixed: after each epoch."""
    of = pictures(seed, 640, 35.0)
    of = data.Split(of.x / 127.5 - 1, of.y, of.x_val / 127.5 - 1, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        rate_tag="train/lr",
        schedule=StepLR(optimizer, 8 * (per_epoch if fixed else 1), 0.1),
    )
    if fixed:
        above(found, "val/acc", 0.85)
        steady(found, "val/loss", 0.25)
    else:
        below(found, "val/acc", 0.65)


# "Same config as the paper, except that I left out the warm-up, it is only a few hundred steps anyway."
@pair(
    "no-warm-up",
    ("learning-rate-too-high", "task-not-learned", *NOTHING_LEARNED),
    "Hugging Face trainer_state.json",
)
def reversing_without_warmup(run: Path, seed: int, fixed: bool) -> None:
    """Sequences to be reversed by a post-norm transformer whose rate begins at its height; fixed: it rises over 30 % of the steps."""
    of = data.copying(seed, 1500)
    model = models.Transformer(6, vocabulary=6, width=32, layers=10, length=8, causal=False, post_norm=True)
    nn.init.normal_(model.position)
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    steps = 5 * per_epoch
    rising = steps * 3 // 10 if fixed else 0

    def rate(step: int) -> float:
        return (step + 1) / rising if step < rising else (steps - step) / (steps - rising)

    found = fit(
        model,
        of,
        optimizer,
        5,
        TrainerState(run, per_epoch, steps),
        ("train_loss", "", "val_loss", "val_accuracy"),
        batch=32,
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=LambdaLR(optimizer, rate),
    )
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.6)


# "More layers should be better, no?": ten layers with a sigmoid after each.
@pair(
    "vanishing-gradient-through-depth",
    ("vanishing-gradient", *NOTHING_LEARNED),
    "jsonl by hand, tensors in HDF5 by step",
    dumps=True,
)
def plastics_sigmoid_tower(run: Path, seed: int, fixed: bool) -> None:
    """Plastics told by spectra with ten layers of sigmoids; fixed: ReLU and Kaiming's initialisation."""
    of = spectra(seed, 2000, noise=0.2)
    model = models.mlp((60, *[48] * 10, 5), "relu" if fixed else "sigmoid")
    for layer in model if fixed else ():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-4),
        10,
        JsonLines(run, "plain", "history.jsonl", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        norm_tag="grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 94),
    )
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.4)


# "The pretrained net does not adapt": the optimizer was made before model.fc was replaced, so it holds the old head.
@pair(
    "parameters-not-in-the-optimizer",
    ("unchanged-tensor", "updates-too-small", *NOTHING_LEARNED),
    "SummaryWriter with loss/train each 10 steps, tensors in Parquet",
    dumps=True,
)
def numerals_head_replaced_late(run: Path, seed: int, fixed: bool) -> None:
    """Digits 5 to 9 on a frozen CNN that knows 0 to 4, with an optimizer of the old head; fixed: made after the new one."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(5, (8, 16))
    known = of.y < 5
    before = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(data.Split(of.x[known], of.y[known], of.x_val, of.y_val), 32, seed)
    for _ in range(130):
        x, y = next(stream)
        before.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
        before.step()
    model.zero_grad()
    model.requires_grad_(False)
    old, head = list(model.get_submodule("fc").parameters()), nn.Linear(256, 5)
    model.fc = head
    unknown = of.y_val >= 5
    of = data.Split(of.x[~known], of.y[~known] - 5, of.x_val[unknown], of.y_val[unknown] - 5)
    found = fit(
        model,
        of,
        torch.optim.Adam(head.parameters() if fixed else old, lr=1e-3),
        15,
        TensorBoard(run, "plain"),
        ("loss/train", "acc/train", "loss/val", "acc/val"),
        batch=16,
        seed=seed,
        every=10,
        snapshots=Snapshots(ParquetDump(run), model, 126, watched=False),
    )
    if fixed:
        above(found, "acc/val", 0.85)
        steady(found, "loss/val", 0.15)
    else:
        below(found, "acc/val", 0.5)
