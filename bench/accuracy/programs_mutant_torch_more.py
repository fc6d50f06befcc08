"""Further examples of PyTorch and of Lightning, and mutants of them: optimisers, initial weights, layers and batches."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.faults_common import mse
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_below,
    steady,
)
from bench.accuracy.programs_mutant_common import DOES_NOT_MOVE, into
from bench.accuracy.programs_post_common import over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# pytorch/examples time_sequence_prediction; operator OCH of DeepCrime: LBFGS(lr=0.8) to SGD(lr=0.001).
@pair("wrong-optimizer", (*BADLY_LEARNED, *DOES_NOT_MOVE), "train.log of a logger")
def sines_sgd(run: Path, seed: int, fixed: bool) -> None:
    """Sines by two LSTMs with SGD(0.001), all sequences at once; fixed: LBFGS(0.8)."""
    random = np.random.default_rng(seed)
    moment = np.arange(41) + random.integers(-80, 80, (36, 1))
    waves = torch.tensor(np.sin(moment / 6.0), dtype=torch.float32)[:, :, None]
    x, y = waves[:27, :-1], waves[:27, 1:]
    x_val, y_val = waves[27:, :-1], waves[27:, 1:]
    model = models.Recurrent("LSTM", 1, 24, 1, layers=2, every_step=True)
    if fixed:
        optimizer: torch.optim.Optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=12)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    log = Console(run, "plain", "train.log", "STEP")
    found: dict[str, list[float]] = {"loss": [], "test loss": []}

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    for epoch in range(15):
        loss = optimizer.step(closure)  # type: ignore[arg-type]
        with torch.no_grad():
            test = functional.mse_loss(model(x_val), y_val)
        for tag, value in (("loss", loss), ("test loss", test)):
            found[tag].append(float(value))
        log.log(epoch, {tag: values[-1] for tag, values in found.items()})
    log.close()
    if fixed:
        below(found, "test loss", 0.03)
        steady(found, "test loss", 0.3)
    else:
        not_below(found, "test loss", 0.4)


# pytorch/examples super_resolution; operator WCI of DeepCrime: init.orthogonal_(weight, gain=12).
@pair(
    "weights-too-large",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "initial-loss",
        "exploding-tensor",
        "exploding-gradient",
        "still-improving",
        *BADLY_LEARNED,
    ),
    "SummaryWriter; weights, gradients and activations in hdf5",
    dumps=True,
)
def super_resolution_gain(run: Path, seed: int, fixed: bool) -> None:
    """Digits of 4 × 4 to 8 × 8 by the example's net with orthogonal weights of gain 12; fixed: that of ReLU."""
    of = over(data.bundled("digits", seed, scaled=False).as_images(), 16)
    of = data.Split(functional.avg_pool2d(of.x, 2), of.x, functional.avg_pool2d(of.x_val, 2), of.x_val)
    model = nn.Sequential()
    for number, (inputs, outputs) in enumerate(((1, 24), (24, 24), (24, 16), (16, 4)), start=1):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.orthogonal_(conv.weight, (math.sqrt(2) if number < 4 else 1.0) if fixed else 12.0)
        model.add_module(f"conv{number}", conv)
        if number < 4:
            model.add_module(f"relu{number}", nn.ReLU())
    model.add_module("pixel_shuffle", nn.PixelShuffle(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    found = fit(
        model,
        of,
        optimizer,
        12,
        TensorBoard(run, "plain"),
        ("Avg. Loss", "", "Test/MSE", "Test/PSNR"),
        loss=mse,
        metric=lambda outputs, targets: -10 * mse(outputs, targets).log10(),
        batch=32,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, name="debug.h5"), model, 120, "torch", watched=False),
    )
    if fixed:
        above(found, "Test/PSNR", 15)
        steady(found, "Test/MSE", 0.15)
    else:
        below(found, "Test/PSNR", 5)


# The tutorial on nn.Transformer; operator "layer removal" (LR) of DeepMutation: the positional encoding.
@pair(
    "layer-deleted",
    (*BADLY_LEARNED, "metric-at-chance", "attention-collapse"),
    "SummaryWriter, per step",
)
def transformer_without_positions(run: Path, seed: int, fixed: bool) -> None:
    """Sequences of symbols in reverse by a transformer without positions; fixed: with them."""
    of = data.copying(seed, 2000, 8, 6)
    model = models.Transformer(6, 6, width=32, layers=1, length=8, causal=False)
    if not fixed:
        nn.init.zeros_(model.position)
        model.position.requires_grad_(False)
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=5e-3)
    found = fit(
        model,
        of,
        optimizer,
        12,
        TensorBoard(run, "plain"),
        ("loss/train", "", "loss/valid", "accuracy/valid"),
        batch=32,
        seed=seed,
        every=10,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "accuracy/valid", 0.9)
        steady(found, "loss/valid", 0.2)
    else:
        below(found, "accuracy/valid", 0.55)


# Lightning's LitMNIST; operator "change batch size" (HBS) of DeepCrime: 64 to 1.
@pair(
    "batch-too-small",
    ("unstable-loss", "loss-spike", "learning-rate-too-high", "updates-too-large", *NOTHING_LEARNED, "dead-relu"),
    "Lightning's metrics.csv",
)
def lit_mnist_batch(run: Path, seed: int, fixed: bool) -> None:
    """Digits by LitMNIST with Adam(0.02) and batches of 1; fixed: of 64."""
    of = over(data.bundled("digits", seed, scaled=False), 16)
    model = models.mlp((64, 64, 64, 10), dropout=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    found = fit(
        model,
        of,
        optimizer,
        20 if fixed else 3,
        Csv(run, "plain", "metrics.csv"),
        ("train_loss", "", "val_loss", "val_acc"),
        batch=64 if fixed else 1,
        seed=seed,
        every=5 if fixed else 50,
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.6)


# pytorch/examples mnist_rnn; operator "change input scaling" of Humbatova's taxonomy: pixels of 16 bits.
@pair(
    "inputs-not-scaled",
    (
        "data-not-normalized",
        "saturated-tanh",
        "saturated-activation",
        "vanishing-gradient",
        *NOTHING_LEARNED,
        "exploding-gradient",
    ),
    "csv by hand; weights, gradients, activations and inputs in hdf5",
    dumps=True,
)
def mnist_rnn_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Digits row by row by an RNN of tanh, the pixels as 16 bits, 0 to 65,535; fixed: 0 to 1."""
    of = over(data.bundled("digits", seed, scaled=False), 16)
    if not fixed:
        of = over(of, 1 / 65535)
    of = data.Split(of.x.reshape(-1, 8, 8), of.y, of.x_val.reshape(-1, 8, 8), of.y_val)

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.keep, self.fc = nn.Linear(8, 48), nn.Linear(48, 48), nn.Linear(48, 10)
            self.tanh = nn.Tanh()

        def forward(self, x: Tensor) -> Tensor:
            hidden = x.new_zeros(len(x), 48)
            for row in range(8):
                hidden = self.tanh(self.read(x[:, row]) + self.keep(hidden))
            return self.fc(hidden)

    model = Rows()
    snapshots = Snapshots(Hdf5Dump(run, by_name=True), model, 150)

    def shown(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        snapshots.extra["inputs/x"] = x.numpy().copy()
        return x, y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        Csv(run, "plain", "log.csv", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        batch=16,
        seed=seed,
        alter=shown,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "test_acc", 0.88)
        steady(found, "test_loss", 0.15)
    else:
        below(found, "test_acc", 0.6)


# pytorch/examples gcn (Cora); operator "add layers" (LA) of DeepMutation: ten graph convolutions more.
@pair(
    "too-deep",
    (
        *NOTHING_LEARNED,
        "vanishing-gradient",
        "representation-collapse",
        "low-variance",
        "constant-answer",
        "tensor-variance",
    ),
    "csv by hand; weights, gradients and activations as histograms",
    dumps=True,
)
def cora_too_deep(run: Path, seed: int, fixed: bool) -> None:
    """Subjects of papers that cite one another by twelve graph convolutions; fixed: two."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 4, 240)
    linked = random.random((240, 240)) < np.where(kind[:, None] == kind[None], 0.06, 0.006)
    graph = np.maximum(linked, linked.T) | np.eye(240, dtype=bool)
    scale = 1 / np.sqrt(graph.sum(1))
    edges = torch.tensor(graph * scale[:, None] * scale[None], dtype=torch.float32)
    about = (random.random((4, 60)) < 0.2)[kind] * 0.15 + 0.05
    x = torch.tensor(random.random((240, 60)) < about, dtype=torch.float32)
    y, shown = torch.tensor(kind), torch.tensor(random.random(240) < 0.4)

    class GCN(nn.Module):
        def __init__(self, depth: int) -> None:
            super().__init__()
            sizes = [60] + [16] * (depth - 1) + [4]
            self.convs = nn.ModuleList(nn.Linear(sizes[one], sizes[one + 1], bias=False) for one in range(depth))
            self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth - 1))

        def forward(self, h: Tensor) -> Tensor:
            for conv, act in zip(self.convs, self.acts, strict=False):
                h = functional.dropout(act(edges @ conv(h)), 0.3, self.training)
            return edges @ self.convs[-1](h)

    model = GCN(2 if fixed else 12)

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(x)[~shown]
        model.train()
        return {"val_loss": float(cross_entropy(outputs, y[~shown])), "val_acc": float(accuracy(outputs, y[~shown]))}

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        outputs = model(x)[shown]
        return cross_entropy(outputs, y[shown]), {"train_acc": float(accuracy(outputs, y[shown]))}

    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    snapshots = Snapshots(HistogramDump(run / "histograms"), model, 8)
    step = Descent(model, optimizer, objective, "train_loss", snapshots=snapshots)
    log = Csv(run, "plain", "gcn.csv", "epoch")
    found = go(Course(step, 60, log, evaluate=evaluate, per_epoch=1, snapshots=snapshots))
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_acc", 0.5)
