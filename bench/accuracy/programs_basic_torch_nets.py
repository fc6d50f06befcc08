"""Everyday programs in plain PyTorch whose networks carry no signals or gradients, or train in part; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_basic_common import into
from bench.accuracy.programs_desk_common import flats, reminders, spectra
from bench.accuracy.programs_field_common import (
    Snapshots,
    above,
    below,
    fit,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Deeper should be better, but twelve layers learn nothing": a stack of sigmoids, as in the old textbook.
@pair(
    "vanishing-gradient-depth",
    (
        "vanishing-gradient",
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "constant-answer",
        "updates-too-small",
    ),
    "SummaryWriter with add_histogram for weights and gradients",
    dumps=True,
)
def sigmoids_stacked_c(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra, twelve hidden layers of sigmoids; fixed: ReLU with batch norm."""
    of = spectra(seed)
    model = models.mlp((60, *[32] * 12, 5), "relu" if fixed else "sigmoid", norm=fixed)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        writer,
        ("epoch/train_loss", "epoch/train_acc", "epoch/val_loss", "epoch/val_acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 56, "collections", watched=False),
    )
    if fixed:
        above(found, "epoch/val_acc", 0.85)
        steady(found, "epoch/val_loss", 0.4)
    else:
        below(found, "epoch/val_acc", 0.4)


class Biased(nn.Module):
    """Two hidden layers, `hidden1` and `hidden2`, whose biases begin where they are told."""

    def __init__(self, inputs: int, bias: float) -> None:
        super().__init__()
        self.hidden1, self.relu1 = nn.Linear(inputs, 64), nn.ReLU()
        self.hidden2, self.relu2 = nn.Linear(64, 32), nn.ReLU()
        self.out = nn.Linear(32, 1)
        nn.init.constant_(self.hidden1.bias, bias)
        nn.init.constant_(self.hidden2.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.relu2(self.hidden2(self.relu1(self.hidden1(x)))))
        return found


# "Predicts the mean rent for everyone": the biases were meant to begin at 0.1 but begin at -3, where no unit speaks.
@pair(
    "dead-relu",
    ("dead-relu", "constant-answer", "gradient-all-zero", "loss-not-decreasing", "loss-plateau", "poor-initialization"),
    "csv by hand, and HDF5 with weights, gradients and activations",
    dumps=True,
)
def rents_dead_c(run: Path, seed: int, fixed: bool) -> None:
    """Rents by an MLP with biases that begin at -3; fixed: at 0.1."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)
    model = Biased(9, 0.1 if fixed else -3.0)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        18,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 30, "collections"),
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_r2", 0.3)


# "I initialised like in the notebook of a friend": torch.randn weights without the division by the width.
@pair(
    "weights-begin-too-large",
    ("poor-initialization", "saturated-tanh", "initial-loss", "underfit", "vanishing-gradient", "loss-plateau"),
    "Parquet with weights, gradients and activations; jsonl by hand",
    dumps=True,
)
def digits_loud_c(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a tanh network whose weights begin normal with a deviation of 1; fixed: Xavier."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, *[64] * 6, 10), "tanh")
    for one in model:
        if isinstance(one, nn.Linear):
            if fixed:
                nn.init.xavier_uniform_(one.weight)
            else:
                nn.init.normal_(one.weight)
            nn.init.zeros_(one.bias)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        10,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("train/loss", "train/accuracy", "val/loss", "val/accuracy"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 70, "torch"),
    )
    if fixed:
        above(found, "val/accuracy", 0.93)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/accuracy", 0.82)


class Encoded(nn.Module):
    """A recurrent `encoder` and a `classifier`; `cut` ends the graph between them."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(2, 20, batch_first=True)
        self.classifier = nn.Linear(20, 3)
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x)
        state = state[-1].detach() if self.cut else state[-1]
        found: Tensor = self.classifier(state)
        return found


# "The GRU remembers nothing": `.detach()` was left behind after debugging, so the encoder never receives a gradient.
@pair(
    "detached-graph",
    (
        "unchanged-tensor",
        "gradient-all-zero",
        "loss-not-decreasing",
        "metric-at-chance",
        "task-not-learned",
        "underfit",
    ),
    "SummaryWriter with add_histogram for weights",
    dumps=True,
)
def memory_detached_c(run: Path, seed: int, fixed: bool) -> None:
    """A class told at the beginning of a series, by a GRU whose state is detached; fixed: it is not."""
    of = reminders(seed)
    of = replace(of, x=of.x[:, :10], x_val=of.x_val[:, :10])
    model = Encoded(cut=not fixed)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=6e-3),
        20,
        writer,
        ("Train/Loss", "Train/Acc", "Test/Loss", "Test/Acc"),
        seed=seed,
        clip=1.0,
        snapshots=Snapshots(HistogramDump(writer), model, 30, "scopes", watched=False),
    )
    if fixed:
        above(found, "Test/Acc", 0.9)
        steady(found, "Test/Loss", 0.5)
    else:
        below(found, "Test/Acc", 0.65)


class Blocks(nn.Module):
    """Convolutions over digits, in a plain list (whose parameters nobody sees) or in a ModuleList."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        blocks = [nn.Conv2d(12, 12, 3, padding=1) for _ in range(4)]
        self.blocks = nn.ModuleList(blocks) if listed else blocks
        self.head = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = torch.relu(block(x))
        found: Tensor = self.head(x.amax((2, 3)))
        return found


# "It learns a bit, but far less than it should": the blocks stand in a Python list, so model.parameters() does not hold them.
@pair(
    "parameters-not-in-optimizer",
    ("underfit", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "most-answers-wrong", "still-improving"),
    "trainer_state.json",
)
def blocks_in_list_c(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN whose blocks are in a plain list; fixed: in a ModuleList."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = replace(of, x=of.x / 16, x_val=of.x_val / 16)
    model = Blocks(listed=fixed)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        10,
        TrainerState(run, per_epoch, 10 * per_epoch, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.6)


class Plain(nn.Module):
    """A recurrence of ReLU without bounds, over (n, length, 1), to one number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, 32, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(32, 1)
        with torch.no_grad():
            nn.init.eye_(self.rnn.get_parameter("weight_hh_l0")).mul_(scale)
            self.rnn.get_parameter("weight_ih_l0").mul_(0.5)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        found: Tensor = self.fc(states[:, -1])
        return found


# "It begins with a loss of a million": orthogonal_ with the gain of ReLU, right for dense layers, on the recurrent weights.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "exploding-tensor", "initial-loss", "poor-initialization", "unstable-loss", "loss-spike"),
    "csv with a row each ten batches, with the gradient norm",
)
def adding_explodes_c(run: Path, seed: int, fixed: bool) -> None:
    """The adding problem over 20 moments by a ReLU recurrence that begins as 1.41 times the identity; fixed: as the identity."""
    of = data.adding(seed, samples=1200, length=20)
    model = Plain(1.0 if fixed else nn.init.calculate_gain("relu"))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        28,
        Csv(run, "plain", "progress.csv", "iter"),
        ("mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=10,
        norm_tag="grad_norm",
        clip=1.0,
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_mse", 0.5)
    else:
        not_above(found, "val_r2", 0.2)
