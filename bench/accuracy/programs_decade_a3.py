"""Programs in PyTorch whose inputs, initialisation or depth is wrong; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_decade_a_common import beats, freezers, genres, parcels, tags_right
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import inspections, loads, mails, spectra, standard
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, not_above, steady
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Do I really have to divide by 255?": pictures as they come from cv2.imread into a net with tanh.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "saturated-tanh", "saturated-activation", "check-input-images", "loss-plateau", "underfit"),
    "SummaryWriter with Loss/train and histograms of weights, gradients and activations",
    dumps=True,
)
def grey_values_into_tanh(run: Path, seed: int, fixed: bool) -> None:
    """Faults of surfaces in pictures of 0 to 255 by an MLP with tanh; fixed: standardised."""
    of = inspections(seed, 640, noise=8.0)
    of = replace(of, x=of.x.flatten(1), x_val=of.x_val.flatten(1))
    if fixed:
        mean, spread = of.x.mean(), of.x.std()
        of = replace(of, x=(of.x - mean) / spread, x_val=(of.x_val - mean) / spread)
    model = models.mlp((144, 64, 32, 4), "tanh")
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        14,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 30),
    )
    if fixed:
        above(found, "Accuracy/val", 0.6)
        steady(found, "Loss/val", 0.2)
    else:
        below(found, "Accuracy/val", 0.42)


# "nan in epoch 1 with long sequences, fine with short ones": an RNN with relu over 48 steps and no clipping.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "loss-spike", "non-finite", "loss-divergence", "unstable-loss", "loss-goes-missing"),
    "csv by hand with the norm of the gradients, each 5 batches",
)
def long_series_relu_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid from the last 48 hours by an RNN with relu under SGD without clipping; fixed: gradients clipped at 1."""
    of = standard(loads(seed, 700, 48))
    of = replace(of, x=of.x[:, :, None], x_val=of.x_val[:, :, None])

    class Net(nn.Module):
        """A recurrent layer and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(1, 32, batch_first=True, nonlinearity="relu")
            nn.init.eye_(self.rnn.get_parameter("weight_hh_l0"))
            self.head = nn.Linear(32, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.rnn(x)[0][:, -1])

    model = Net()
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        30,
        Csv(run, "plain", "loss.csv", "batch"),
        ("loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="grad_norm",
        clip=1.0 if fixed else None,
    )
    if fixed:
        above(found, "val_r2", 0.7)
        steady(found, "val_loss", 0.5)
    else:
        not_above(found, "val_r2", 0.1)


# "Deeper must be better": 16 dense layers with tanh and small initial weights; the first ones do not move.
@pair(
    "vanishing-gradient-through-depth",
    ("vanishing-gradient", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "updates-too-small", "underfit"),
    "SummaryWriter with epoch/loss; gradients only in HDF5",
    dumps=True,
)
def sixteen_layers_deep(run: Path, seed: int, fixed: bool) -> None:
    """Twelve kinds of parcels by 16 layers initialised with N(0, 0.05); fixed: Xavier and batch norm."""
    of = parcels(seed, 700)
    model = models.mlp((16, *[32] * 14, 12), "tanh", norm=fixed)
    for one in model:
        if isinstance(one, nn.Linear):
            if fixed:
                nn.init.xavier_uniform_(one.weight)
            else:
                nn.init.normal_(one.weight, std=0.05)
            nn.init.zeros_(one.bias)
    dump = Hdf5Dump(run)

    class Gradients(Snapshots):
        """Gradients only."""

        def take(self, step: int) -> None:
            """Dump at the first step and each `every` after it."""
            if (step - 1) % self.every == 0:
                named = self.model.named_parameters()
                self.to.dump(
                    step, {f"gradients/{name}": one.grad.numpy().copy() for name, one in named if one.grad is not None}
                )

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        TensorBoard(run, "plain"),
        ("epoch/loss", "epoch/acc", "epoch/val_loss", "epoch/val_acc"),
        seed=seed,
        snapshots=Gradients(dump, model, 17, watched=False),
    )
    if fixed:
        above(found, "epoch/val_acc", 0.6)
        steady(found, "epoch/val_loss", 0.25)
    else:
        below(found, "epoch/val_acc", 0.3)


# "It predicts 0.0 for each row": nn.ReLU() after the last layer, and temperatures below zero.
@pair(
    "dead-relu",
    ("dead-relu", "gradient-all-zero", "constant-answer", "loss-plateau", "loss-not-decreasing", "all-zero"),
    "csv by hand and tensors in Parquet",
    dumps=True,
)
def relu_on_temperatures(run: Path, seed: int, fixed: bool) -> None:
    """Temperatures of cold stores, all below zero, by an MLP that ends in ReLU; fixed: in a dense layer."""
    of = freezers(seed)
    model = models.mlp((7, 24, 24, 1))
    if not fixed:
        model.add_module("relu3", nn.ReLU())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_mse", "", "test_mse", "test_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 60),
    )
    if fixed:
        above(found, "test_r2", 0.8)
        steady(found, "test_mse", 0.4)
    else:
        not_above(found, "test_r2", 0.05)


# "init_weights sets everything to zero so that runs are reproducible".
@pair(
    "bad-initialisation-zero",
    ("poor-initialization", "gradient-all-zero", "all-zero", "unchanged-tensor", "loss-plateau", "metric-at-chance"),
    "SummaryWriter with histograms of weights and gradients each 2 epochs",
    dumps=True,
)
def all_weights_zero(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic by an MLP whose weights all start at zero; fixed: at torch's own values."""
    of = spectra(seed)
    model = models.mlp((60, 32, 16, 5))
    if not fixed:
        for one in model.parameters():
            nn.init.zeros_(one)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        16,
        writer,
        ("train/loss", "train/accuracy", "valid/loss", "valid/accuracy"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 30, "torch", watched=False),
    )
    if fixed:
        above(found, "valid/accuracy", 0.85)
        steady(found, "valid/loss", 0.3)
    else:
        below(found, "valid/accuracy", 0.35)


# "The first loss is 60 and it takes for ever": nn.init.normal_(p) for all parameters, so with a deviation of 1.
@pair(
    "bad-initialisation-too-large",
    ("poor-initialization", "poor-weight-initialization", "initial-loss", "underfit", "generalisation-gap", "overfit"),
    "Lightning's metrics.csv and tensors in HDF5, five times over the run",
    dumps=True,
)
def normal_of_deviation_one(run: Path, seed: int, fixed: bool) -> None:
    """Tags of films by an MLP with all parameters from N(0, 1); fixed: torch's own."""
    of = genres(seed)
    model = models.mlp((20, 96, 96, 6))
    if not fixed:
        for one in model.parameters():
            nn.init.normal_(one)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        16,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_f1", "val_loss", "val_f1"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=tags_right,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, per_epoch * 16 // 4 - 1, watched=False),
    )
    if fixed:
        above(found, "val_f1", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_f1", 0.68)


# "I froze the encoder as in the tutorial": requires_grad = False, but the line that loads its weights was commented out.
@pair(
    "part-frozen-by-mistake",
    ("unchanged-tensor", "updates-too-small", "underfit", "loss-plateau", "loss-not-decreasing"),
    "JSON lines by hand and tensors in Parquet",
    dumps=True,
)
def frozen_and_never_loaded(run: Path, seed: int, fixed: bool) -> None:
    """Heart beats by a CNN whose convolutions are random and frozen; fixed: they train."""
    of = beats(seed)
    layers = (nn.Conv1d(1, 4, 7, stride=2), nn.ReLU(), nn.Conv1d(4, 6, 5, stride=2), nn.ReLU())
    model = nn.Sequential()
    model.add_module("encoder", nn.Sequential(*layers, nn.AdaptiveAvgPool1d(3), nn.Flatten()))
    model.add_module("classifier", nn.Linear(18, 4))
    if not fixed:
        model.get_submodule("encoder").requires_grad_(False)
    found = fit(
        model,
        of,
        torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=5e-3),
        25,
        JsonLines(run, "plain", "history.jsonl", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 56, watched=False),
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.75)


# "The embedding is the same at the end as at the start": `with torch.no_grad()` around the encoder, left from debugging.
@pair(
    "detached-graph",
    ("unchanged-tensor", "gradient-all-zero", "underfit", "loss-plateau", "loss-not-decreasing"),
    "SummaryWriter with loss/train and histograms of weights each epoch",
    dumps=True,
)
def encoder_under_no_grad(run: Path, seed: int, fixed: bool) -> None:
    """Departments of mails by an LSTM encoder under torch.no_grad() and a head; fixed: without no_grad."""
    of = mails(seed, 1000, told=0.35)

    class Net(nn.Module):
        """An encoder of words and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(200, 12)
            self.encoder = nn.LSTM(12, 24, batch_first=True)
            self.head = nn.Linear(24, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.set_grad_enabled(fixed and torch.is_grad_enabled()):
                states, _ = self.encoder(self.embedding(x))
            return self.head(states.mean(1))

    model = Net()
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        12,
        writer,
        ("loss/train", "acc/train", "loss/val", "acc/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, data.steps_per_epoch(of, 32), "torch", watched=False),
    )
    if fixed:
        above(found, "acc/val", 0.8)
        steady(found, "loss/val", 0.35)
    else:
        below(found, "acc/val", 0.6)
