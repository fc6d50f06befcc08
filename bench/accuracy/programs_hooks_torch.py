"""Programs in PyTorch whose engineers watch weights, gradients and outputs with hooks, and their repaired versions."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    above,
    below,
    fit,
    not_below,
    steady,
)
from bench.accuracy.programs_hooks_common import Hooks, energy, incidents, into, molecules, pumps, stamps, tunes
from bench.accuracy.programs_post_common import explained
from bench.accuracy.programs_thesis_common import WandbHistory

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A vision engineer's CNN with nn.init.constant_(bias, -4), "sparser features", and histograms by add_histogram(name + "/grad", …).
@pair(
    "dead-relu",
    (
        *NOTHING_LEARNED,
        "dead-relu",
        "gradient-all-zero",
        "all-zero",
        "vanishing-gradient",
        "poor-initialization",
        "poor-weight-initialization",
        "constant-answer",
        "unchanged-tensor",
        "updates-too-small",
        "weight-update-ratio",
        "low-variance",
        "tensor-variance",
    ),
    "SummaryWriter with add_histogram(name) and add_histogram(name/grad), fraction_zero/<layer>",
    dumps=True,
)
def stamps_dead(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on stamps by a CNN whose biases begin at -4, so that no ReLU ever fires; fixed: at 0."""
    of = stamps(seed)
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 12, 3, padding=1))
    model.add_module("relu1", nn.ReLU())
    model.add_module("pool1", nn.MaxPool2d(2))
    model.add_module("conv2", nn.Conv2d(12, 16, 3, padding=1))
    model.add_module("relu2", nn.ReLU())
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(400, 5))
    for layer in (model.conv1, model.conv2):
        nn.init.constant_(layer.bias, 0.0 if fixed else -4.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    writer = TensorBoard(run, "plain")
    hooks = Hooks(model, 15, HistogramDump(writer), "suffix", writer, ("fraction_zero",), only="weight", per_epoch=15)
    found = fit(
        model,
        of,
        optimizer,
        14,
        writer,
        ("Loss/train", "Acc/train", "Loss/valid", "Acc/valid"),
        seed=seed,
        snapshots=hooks,
    )
    if fixed:
        above(found, "Acc/valid", 0.85)
        steady(found, "Loss/valid", 0.25)
    else:
        below(found, "Acc/valid", 0.4)


# An engineer's own init_weights(): `nn.init.zeros_(m.weight)` for each nn.Linear, copied from a residual block's last layer.
@pair(
    "weights-all-zero",
    (
        *NOTHING_LEARNED,
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        "vanishing-gradient",
        "constant-answer",
        "unchanged-tensor",
        "dead-relu",
        "low-variance",
        "tensor-variance",
        "updates-too-small",
        "weight-update-ratio",
    ),
    "parameters/<layer> and gradients/<layer> as histograms, in the manner of wandb.watch",
    dumps=True,
)
def pumps_from_zero(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by a net all weights of which begin at zero; fixed: as PyTorch has them."""
    of = pumps(seed)
    model = models.mlp((12, 48, 24, 4))
    if not fixed:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2.5e-3),
        12,
        writer,
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
        every=10,
        snapshots=Hooks(model, 114, HistogramDump(writer), "wandb", kinds=()),
    )
    if fixed:
        above(found, "valid_acc", 0.78)
        steady(found, "valid_loss", 0.2)
    else:
        below(found, "valid_acc", 0.4)


class GraphNet(nn.Module):
    """Messages of neighbours are added, or divided by degrees (`normalised`); graphs (n, nodes, 4 + nodes) to (n, 1)."""

    def __init__(self, normalised: bool, layers: int = 4, width: int = 16) -> None:
        super().__init__()
        self.inward = nn.Linear(4, width)
        self.convs = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(layers))
        self.readout = nn.Linear(width, 1)
        self.normalised = normalised

    def forward(self, x: Tensor) -> Tensor:
        links = x[:, :, 4:] + torch.eye(x.shape[1])
        if self.normalised:
            degree = links.sum(-1)
            links = links / (degree[:, :, None] * degree[:, None, :]).sqrt()
        state = self.inward(x[:, :, :4])
        for conv, act in zip(self.convs, self.acts, strict=True):
            state = act(conv(links @ state)) + (state if self.normalised else 0)
        return self.readout(state.mean(1))


# A chemist's graph net that adds all neighbours (A @ H) four times over, watched by forward hooks: mean and deviation by layer.
@pair(
    "missing-normalisation",
    (*BLOWN_UP, *BADLY_LEARNED, "updates-too-large", "poor-initialization", "initial-loss"),
    "wandb-history.jsonl with activation_mean/<layer>, activation_std/<layer> and grad_norm/<layer>",
)
def molecules_by_sums(run: Path, seed: int, fixed: bool) -> None:
    """A property of molecules by a graph net whose adjacency is not normalised, under SGD; fixed: divided by degrees, with residuals."""
    of = molecules(seed)
    model = GraphNet(fixed)
    for conv in model.convs:
        nn.init.kaiming_normal_(conv.weight)
    log = WandbHistory(run)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    hooks = Hooks(
        model,
        6,
        None,
        log=log,
        scalars=("activation_mean", "activation_std", "grad_norm"),
        only="weight",
        kinds=(nn.ReLU,),
    )
    found = fit(
        model,
        of,
        optimizer,
        30,
        log,
        ("batch/mse", "", "val/mse", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=6,
        snapshots=hooks,
    )
    if fixed:
        above(found, "val/r2", 0.5)
        steady(found, "val/mse", 0.25)
    else:
        not_below(found, "val/mse", 0.85)


# A refactoring of a trainer: the optimizer is made in __init__, and setup() replaces self.model afterwards.
@pair(
    "weights-not-updated",
    (
        *NOTHING_LEARNED,
        "unchanged-tensor",
        "updates-too-small",
        "weight-update-ratio",
    ),
    "jsonl with update_ratio/<parameter> and grad_norm/<parameter>; weights in parquet",
    dumps=True,
)
def stale_optimizer(run: Path, seed: int, fixed: bool) -> None:
    """Incidents by averaged embeddings; the optimizer holds the parameters of a model that was replaced; fixed: of the one trained."""
    of = incidents(seed)

    class Bag(nn.Module):
        """Words averaged, and two dense layers."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(160, 16)
            self.hidden, self.act, self.out = nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.act(self.hidden(self.embed(x).mean(1))))

    former, model = Bag(), Bag()
    optimizer = torch.optim.Adam((model if fixed else former).parameters(), lr=6e-3)
    log = JsonLines(run, "plain", "train_log.jsonl", "iter")
    found = fit(
        model,
        of,
        optimizer,
        8,
        log,
        ("loss", "acc", "dev_loss", "dev_acc"),
        seed=seed,
        batch=24,
        every=11,
        snapshots=Hooks(
            model, 66, ParquetDump(run), "torch", log, ("update_ratio", "grad_norm"), optimizer, only="weight"
        ),
        rate_tag="lr",
    )
    if fixed:
        above(found, "dev_acc", 0.75)
        steady(found, "dev_loss", 0.25)
    else:
        below(found, "dev_acc", 0.42)


class Prototypes(nn.Module):
    """Inputs and their distances (n, inputs + k) to points that are learned; the root of a sum of squares."""

    def __init__(self, points: Tensor, epsilon: float) -> None:
        super().__init__()
        self.centres, self.epsilon = nn.Parameter(points.clone()), epsilon

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, ((x[:, None] - self.centres).square().sum(-1) + self.epsilon).sqrt()], 1)


# A radial net whose centres begin at samples: the root's gradient at a distance of 0 is infinite, and 0 · inf is NaN.
@pair(
    "nan-from-root",
    ("non-finite", "loss-goes-missing", "loss-divergence", *NOTHING_LEARNED, "constant-answer"),
    "csv by hand; weights, gradients and batches of each step in hdf5",
    dumps=True,
    layer="rbf",
)
def heating_by_distance(run: Path, seed: int, fixed: bool) -> None:
    """What heating takes from distances to centres that are themselves samples, by a bare root; fixed: with 1e-6 under the root."""
    of = energy(seed, 1400)
    model = nn.Sequential()
    model.add_module("embed", nn.Identity())
    model.add_module("rbf", Prototypes(of.x[:64], 1e-6 if fixed else 0.0))
    model.add_module("fc1", nn.Linear(73, 32))
    model.add_module("act1", nn.ReLU())
    model.add_module("fc2", nn.Linear(32, 1))
    log = Csv(run, "plain", "log.csv", "step")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        24,
        log,
        ("train_mse", "", "test_mse", "test_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=6,
        batch=25,
        snapshots=Hooks(model, 42, Hdf5Dump(run, name="debug.h5"), "short", batch=("inputs", "predictions")),
    )
    if fixed:
        above(found, "test_r2", 0.5)
        steady(found, "test_mse", 0.3)
    else:
        require(not math.isfinite(found["test_mse"][-1]), "stayed finite")


# A tabular net under torch.optim.SGD(weight_decay=0.5), "regularise more", with the norms of all weights logged.
@pair(
    "weight-decay-too-strong",
    (
        *NOTHING_LEARNED,
        "all-zero",
        "vanishing-gradient",
        "constant-answer",
        "low-variance",
        "tensor-variance",
        "gradient-all-zero",
        "unchanged-tensor",
    ),
    "SummaryWriter with weight_norm/<layer> and histograms of weights and gradients",
    dumps=True,
)
def pumps_decayed(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps under SGD at 0.05 with a weight decay of 0.4, which takes all weights; fixed: 0.0004."""
    of = pumps(seed)
    model = models.mlp((12, 40, 40, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8, weight_decay=4e-4 if fixed else 0.4)
    writer = TensorBoard(run, "plain", x=True)
    found = fit(
        model,
        of,
        optimizer,
        14,
        writer,
        ("train/ce", "train/acc", "test/ce", "test/acc"),
        seed=seed,
        snapshots=Hooks(
            model,
            114,
            HistogramDump(writer),
            "capital",
            writer,
            ("weight_norm",),
            kinds=(),
            only="weight",
            per_epoch=57,
        ),
    )
    if fixed:
        above(found, "test/acc", 0.75)
        steady(found, "test/ce", 0.15)
    else:
        below(found, "test/acc", 0.4)


# A model from scratch that kept the fine-tuning's parameter groups: {"params": encoder, "lr": 1e-8}, {"params": head, "lr": 1e-3}.
@pair(
    "learning-rate-too-low-in-a-group",
    (*BADLY_LEARNED, "updates-too-small", "weight-update-ratio", "unchanged-tensor", "still-improving"),
    "csv with lr/<group>, update_ratio/<parameter>, grad_norm/<parameter>; weights as histograms",
    dumps=True,
    layer="rnn",
)
def tunes_groups(run: Path, seed: int, fixed: bool) -> None:
    """The next note by a GRU that is new, with 1e-8 for embedding and GRU, 3e-3 for the head; fixed: 1e-2 for all of it."""
    of = tunes(seed)
    model = models.Recurrent("gru", 8, 32, 9, vocabulary=9, every_step=True)
    body = [one for name, one in model.named_parameters() if not name.startswith("head")]
    groups = [
        {"params": body, "lr": 1e-2 if fixed else 1e-8},
        {"params": model.head.parameters(), "lr": 1e-2 if fixed else 3e-3},
    ]
    optimizer = torch.optim.Adam(groups)
    log = Csv(run, "plain", "metrics.csv", "step")
    hooks = Hooks(
        model, 25, HistogramDump(run), "wandb", log, ("update_ratio", "grad_norm"), optimizer, kinds=(), only="0"
    )
    found = fit(
        model,
        of,
        optimizer,
        10,
        log,
        ("train_nll", "", "dev_nll", "dev_top1"),
        seed=seed,
        batch=16,
        every=13,
        also=lambda: {"lr/body": groups[0]["lr"], "lr/head": groups[1]["lr"]},
        snapshots=hooks,
    )
    if fixed:
        above(found, "dev_top1", 0.65)
        steady(found, "dev_nll", 0.15)
    else:
        below(found, "dev_top1", 0.45)
