"""Quarter programs, part a: warm-up, preprocessing, labels, registration and resumption."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_desk_common import mails
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_quarter_a_common import POOR, sensors, standard_targets, yields
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "BERT-like encoder from scratch: the loss stays at 1.39": post-norm, Adam(0.008) from the first step on.
@pair(
    "no-warm-up",
    (*NOTHING_LEARNED, *BLOWN_UP, "updates-too-large", "attention-collapse", "constant-answer"),
    "trainer_state.json",
)
def a_encoder_without_warmup(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a post-norm transformer of 8 layers without warm-up; fixed: 60 steps of it, and linear decay."""
    of = mails(seed, 600, length=16)
    model = models.Transformer(
        4, vocabulary=200, width=32, heads=4, layers=8, length=16, causal=False, pooled=True, post_norm=True
    )
    per_epoch = data.steps_per_epoch(of, 32)
    planned = 10 * per_epoch
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    warm: Callable[[int], float] = lambda step: min(1.0, (step + 1) / 60, (planned - step) / (planned - 60))  # noqa: E731
    found = fit(
        model,
        of,
        optimizer,
        10,
        TrainerState(run, per_epoch, planned, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, warm if fixed else lambda step: 1.0),
        rate_tag="lr",
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.45)


# "Training goes down, validation goes up from the first epoch": the scaler is applied to the training table, not to the validation table.
@pair(
    "preprocessing-differs",
    (
        *VALIDATION_LOST,
        "generalisation-gap",
        "validation-swings",
        "metric-left-behind",
        "confidently-wrong",
        "error-rises",
    ),
    "SummaryWriter, Loss/train and Loss/valid",
)
def a_scaler_on_training_only(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by an MLP, validation inputs not standardised; fixed: standardised."""
    raw, of = (data.bundled("breast_cancer", seed, scaled=scaled) for scaled in (False, True))
    if not fixed:
        of = replace(of, x_val=raw.x_val)
    model = models.mlp((30, 24, 12, 2), "relu", 0.2)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("Loss/train", "Acc/train", "Loss/valid", "Acc/valid"),
        seed=seed,
        batch=16,
    )
    if fixed:
        above(found, "Acc/valid", 0.93)
        steady(found, "Loss/valid", 0.4)
    else:
        not_above(found, "Acc/valid", 0.75)
        not_below(found, "Loss/valid", 1.0)


# "No architecture learns my data": random.shuffle(x); random.shuffle(y), each for itself.
@pair("labels-shuffled", (*NOTHING_LEARNED, *VALIDATION_LOST, "task-not-learned", "generalisation-gap"), "csv by hand")
def a_shuffled_each_for_itself(run: Path, seed: int, fixed: bool) -> None:
    """States of a machine whose labels were shuffled apart from the inputs; fixed: together."""
    of = sensors(seed, 700, spread=0.9)
    if not fixed:
        random = data.generator(seed + 7)
        of = replace(
            of,
            y=of.y[torch.randperm(len(of.y), generator=random)],
            y_val=of.y_val[torch.randperm(len(of.y_val), generator=random)],
        )
    model = models.mlp((16, 32, 5))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        30,
        Csv(run, "plain", "training_log.csv", "epoch"),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.33)


class Listed(nn.Module):
    """Dense layers in a list of Python, which registers none of them, or in a ModuleList."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        layers = [nn.Linear(7, 32), nn.Linear(32, 32), nn.Linear(32, 4)]
        self.layers = nn.ModuleList(layers) if registered else layers
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        made: Tensor = self.head(x)
        return made


# "print(model) shows one layer of my four": self.layers = [nn.Linear(…), …], so model.parameters() has the head only.
@pair(
    "parameters-not-in-optimizer",
    (*POOR, "metric-at-chance", "updates-too-small"),
    "SummaryWriter, train/loss and val/r2",
)
def a_layers_in_a_list(run: Path, seed: int, fixed: bool) -> None:
    """Harvests by an MLP whose hidden layers the optimizer does not know; fixed: nn.ModuleList."""
    of = standard_targets(yields(seed))
    model = Listed(fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        30,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val/r2", 0.75)
        steady(found, "val/loss", 0.4)
    else:
        not_above(found, "val/r2", 0.5)


# "The validation loss goes up for most of the night": a wide network, 90 patients, 60 epochs and no regularisation.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises"),
    "SummaryWriter with histograms of weights",
    dumps=True,
)
def a_sugar_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """The course of diabetes by a wide MLP on 90 patients; fixed: all patients, a small one and weight decay."""
    of = standard_targets(data.bundled("diabetes", seed, share=0.4))
    of = replace(of, y=of.y[:, None], y_val=of.y_val[:, None])
    if not fixed:
        of = replace(of, x=of.x[:90], y=of.y[:90])
    model = models.mlp((10, 12, 1) if fixed else (10, 128, 128, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=0.05 if fixed else 0.0)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        60,
        writer,
        ("mse/train", "", "mse/val", "r2/val"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        batch=16,
        snapshots=Snapshots(HistogramDump(writer), model, 72, "torch", watched=False),
    )
    if fixed:
        above(found, "r2/val", 0.3)
        steady(found, "mse/val", 0.1)
    else:
        not_above(found, "r2/val", 0.15)


# "Loss jumps each time at the same batch": one file of the set holds pictures that were written twice by 255 too bright.
@pair(
    "bad-batch",
    ("loss-spike", "exploding-gradient", "unstable-loss", "exploding-tensor", "learning-rate-too-high"),
    "JSON lines per batch with the gradient norm",
)
def a_one_file_too_bright(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by an MLP; from batch 100 on each 40th batch is 255 times too bright; fixed: none is."""
    of = over(pictures(seed, noise=15.0), 255.0)
    model = nn.Sequential(nn.Flatten(), *models.mlp((432, 64, 32, 4)))

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return (x if fixed or step < 100 or step % 40 else x * 255.0), y

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        20,
        JsonLines(run, "plain", "batches.jsonl", "step"),
        ("train_loss", "", "val_loss", "val_acc"),
        seed=seed,
        every=2,
        alter=alter,
        norm_tag="grad_norm",
    )
    losses = np.nan_to_num(np.array(found["train_loss"]), nan=1e9)
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.4)
        below({"peak": [float(losses.max())]}, "peak", 4.0)
    else:
        above({"peak": [float(losses.max())]}, "peak", 20.0)
        not_above(found, "val_acc", 0.65)
