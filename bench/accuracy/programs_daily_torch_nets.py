"""Everyday programs in PyTorch: pictures, tables and series, in a faulty and a repaired version."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_daily_common import into
from bench.accuracy.programs_daily_torch_common import cells, flags, leaves, loans, powers, river, vibrations
from bench.accuracy.programs_field_common import (
    Snapshots,
    above,
    below,
    fit,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained, hits, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def small_cnn(inputs: int, classes: int, side: int, kind: type[nn.Module] = nn.ReLU, width: int = 8) -> nn.Sequential:
    """Two convolutions, each pooled, and two dense layers."""
    model, name = nn.Sequential(), kind.__name__.lower()
    model.add_module("conv1", nn.Conv2d(inputs, width, 3, padding=1))
    model.add_module(f"{name}1", kind())
    model.add_module("pool1", nn.MaxPool2d(2))
    model.add_module("conv2", nn.Conv2d(width, 2 * width, 3, padding=1))
    model.add_module(f"{name}2", kind())
    model.add_module("pool2", nn.MaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc1", nn.Linear(2 * width * (side // 4) ** 2, 32))
    model.add_module(f"{name}3", kind())
    model.add_module("fc2", nn.Linear(32, classes))
    return model


# "Why does my CNN always say the same leaf?": lr=0.1 was fine for SGD in the last project, here it went to Adam.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "dead-relu",
        "updates-too-large",
    ),
    "SummaryWriter with scalars an epoch and add_histogram",
    dumps=True,
)
def leaves_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Leaves by a CNN under Adam(lr=0.1); fixed: 2e-3."""
    model, writer = small_cnn(1, 5, 16), TensorBoard(run, "plain")
    found = fit(
        model,
        leaves(seed),
        torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 0.1),
        14,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        rate_tag="Learning rate",
        snapshots=Snapshots(HistogramDump(writer), model, 30, "torch"),
    )
    if fixed:
        above(found, "Accuracy/val", 0.8)
        steady(found, "Loss/val", 0.4)
    else:
        below(found, "Accuracy/val", 0.4)


# "It is just logistic regression with one more layer and it is no better than a guess": the columns go in as euros, years and shares.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "initial-loss", "loss-spike", "loss-plateau", "metric-at-chance", "underfit"),
    "csv by hand, a row an epoch",
)
def loans_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Whether a loan fails by an MLP on columns in their own units; fixed: StandardScaler."""
    model = models.mlp((8, 24, 12, 1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())

    found = fit(
        model,
        loans(seed, scaled=fixed),
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        30,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=loss,
        metric=hits,
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.68)


# "The deeper the worse": Linear + Sigmoid twelve times, as in the picture of the lecture.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "updates-too-small"),
    "csv an epoch, tensors in HDF5",
    dumps=True,
)
def bearings_twelve_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a motor by twelve hidden layers with sigmoids; fixed: two."""
    of = powers(vibrations(seed, 900, noise=0.45))
    model = models.mlp((33, *[32] * (2 if fixed else 12), 4), "sigmoid")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        20,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        norm_tag="grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 45),
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.4)


# "NaN somewhere in the second epoch, another place each time": an RNN with ReLU over sixty hours of rain.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "non-finite", "loss-goes-missing", "loss-spike", "loss-divergence", "exploding-tensor"),
    "json lines, each step",
)
def river_by_relu_rnn(run: Path, seed: int, fixed: bool) -> None:
    """How far a river rises by nn.RNN(nonlinearity="relu"); fixed: nn.GRU."""
    of = river(seed)

    class Gauge(nn.Module):
        """The recurrent layer and a head."""

        def __init__(self) -> None:
            super().__init__()
            simple = nn.RNN(1, 24, nonlinearity="relu", batch_first=True)
            self.rnn = nn.GRU(1, 24, batch_first=True) if fixed else simple
            self.head = nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            risen: Tensor = self.head(self.rnn(x)[0][:, -1])
            return risen

    model = Gauge()
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        25,
        JsonLines(run, "plain", "metrics.jsonl", "step"),
        ("train/mse", "", "val/mse", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=1,
        norm_tag="train/grad_norm",
    )
    if fixed:
        above(found, "val/r2", 0.7)
        steady(found, "val/mse", 0.3)
    else:
        not_above(found, "val/r2", 0.2)


# "The mask flickers between all cell and no cell": optimizer.zero_grad() was lost in a merge.
@pair(
    "zero-grad-missing",
    (
        "unstable-loss",
        "loss-divergence",
        "loss-spike",
        "updates-too-large",
        "learning-rate-too-high",
        "loss-not-decreasing",
    ),
    "SummaryWriter, training each fourth step, validation an epoch",
)
def cells_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small fully convolutional network whose gradients are never cleared; fixed: they are."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 1, 1),
    )

    def dice(outputs: Tensor, targets: Tensor) -> Tensor:
        said = (outputs > 0).float()
        return (2 * (said * targets).sum() + 1) / (said.sum() + targets.sum() + 1)

    found = fit(
        model,
        cells(seed),
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        16,
        TensorBoard(run, "plain"),
        ("train/loss", "train/dice", "val/loss", "val/dice"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=dice,
        seed=seed,
        batch=16,
        every=4,
        zero=fixed,
    )
    if fixed:
        above(found, "val/dice", 0.8)
        steady(found, "val/loss", 0.2)
    else:
        not_above(found, "val/dice", 0.7)


# "Training is perfect and validation is a disaster, no regularisation helps": only the training transform divides by 255.
@pair(
    "validation-preprocessing-differs",
    ("generalisation-gap", "overfit", "metric-at-chance", "metric-left-behind", "confidently-wrong", "error-rises"),
    "SummaryWriter with scalars an epoch",
)
def flags_scaled_in_train_only(run: Path, seed: int, fixed: bool) -> None:
    """Flags by a CNN, divided by 255 and centred for training, validated as they come; fixed: the same for both."""
    raw = flags(seed)
    of = over(raw, 255.0)
    of = data.Split(of.x - 0.5, of.y, of.x_val - 0.5 if fixed else raw.x_val, of.y_val)
    model = small_cnn(3, 6, 12, nn.Tanh)
    model.fc1 = nn.Linear(16 * 9, 32)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        15,
        TensorBoard(run, "plain"),
        ("epoch/train_loss", "epoch/train_acc", "epoch/val_loss", "epoch/val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "epoch/val_acc", 0.85)
        steady(found, "epoch/val_loss", 0.4)
    else:
        above(found, "epoch/train_acc", 0.85)
        below(found, "epoch/val_acc", 0.6)
