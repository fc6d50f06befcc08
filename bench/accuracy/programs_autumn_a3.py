"""Autumn programs in PyTorch, third part: depth, activations, initialisation, what is frozen or cut off."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import (
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    KerasDirectories,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.programs_autumn_a_common import bikes, cells, dice, leaf_net, leaves, loans, machines, tickets
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "More layers should be better": ten sigmoid layers, one after the other.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", *NOTHING_LEARNED, "constant-answer", "poor-weight-initialization", "updates-too-small"),
    "SummaryWriter with one scalar an epoch and add_histogram every third epoch",
    dumps=True,
)
def wine_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of wine by ten sigmoid layers; fixed: ReLU between the same widths, and a start made for it."""
    of = data.bundled("wine", seed)
    model = models.mlp((13, *[24] * 10, 3), "relu" if fixed else "sigmoid")
    for layer in model if fixed else ():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        18,
        writer,
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        batch=16,
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 27),
    )
    if fixed:
        above(found, "test_acc", 0.85)
        steady(found, "test_loss", 0.4)
    else:
        below(found, "test_acc", 0.55)


# "Half of my predictions are exactly 0": the block with ReLU at its end was used for the output as well.
@pair(
    "dead-relu",
    ("dead-relu", *BADLY_LEARNED, "constant-answer", "gradient-all-zero", "vanishing-gradient"),
    "csv; HDF5 with weights, gradients and activations each third epoch",
    dumps=True,
)
def bikes_relu_at_the_end(run: Path, seed: int, fixed: bool) -> None:
    """Standardised hires by an MLP that ends in a ReLU, so nothing below the mean can be said; fixed: it ends in a linear layer."""
    of, model = bikes(seed), models.mlp((7, 40, 40, 1), "relu")
    if not fixed:
        model.add_module("relu3", nn.ReLU())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        30,
        Csv(run, "plain", "log.csv", "epoch"),
        ("mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 66),
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_mse", 0.3)
    else:
        not_above(found, "val_r2", 0.63)


# "tanh is always -1 or 1 here": nn.init.normal_ with its default std of 1 on layers 128 wide.
@pair(
    "saturated-tanh",
    ("saturated-tanh", "saturated-activation", *BADLY_LEARNED, "poor-initialization", "overfit", "initial-loss"),
    "SummaryWriter; Parquet with activations and weights, six times",
    dumps=True,
)
def digits_tanh_normal_init(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a wide tanh network with weights of N(0, 1); fixed: Xavier's."""
    of, model = data.bundled("digits", seed), models.mlp((64, 128, 128, 128, 10), "tanh")
    for layer in model:
        if isinstance(layer, nn.Linear):
            if fixed:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.normal_(layer.weight)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-4),
        10,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        every=7,
        snapshots=Snapshots(ParquetDump(run), model, 75),
    )
    if fixed:
        above(found, "Accuracy/val", 0.94)
        steady(found, "Loss/val", 0.4)
    else:
        below(found, "Accuracy/val", 0.85)


# "All six classes get a sixth": a clean start with nn.init.zeros_ for every parameter.
@pair(
    "initialised-with-zeros",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        "unchanged-tensor",
        *NOTHING_LEARNED,
        "constant-answer",
    ),
    "JSON lines; TensorBoard histograms of weights and gradients each third epoch",
    dumps=True,
)
def leaves_zero_start(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of leaves by a CNN whose parameters all begin at zero; fixed: torch's own start."""
    of, model = over(leaves(seed), 255.0), leaf_net()
    if not fixed:
        for one in model.parameters():
            nn.init.zeros_(one)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        18,
        JsonLines(run, "plain", "train_log.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(run / "tb"), model, 45, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.3)


# "The first loss was 900": torch.randn for the weights of a network that I wrote by hand.
@pair(
    "initialisation-too-large",
    (
        "initial-loss",
        "poor-initialization",
        "poor-weight-initialization",
        "overfit",
        "loss-spike",
        "underfit",
        "unstable-loss",
    ),
    "Hugging Face trainer_state.json",
)
def tickets_randn_weights(run: Path, seed: int, fixed: bool) -> None:
    """Teams for tickets by a mean of embeddings and ReLU layers of torch.randn weights; fixed: scaled by the root of the width."""
    of = tickets(seed, told=0.4)
    model = nn.Sequential(nn.EmbeddingBag(160, 64), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
    model.append(nn.Linear(128, 5))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5 if fixed else 1.0)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3),
        10,
        TrainerState(run, 17, 170, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.85)
        above(found, "val_loss", 5.0)


# "The backbone was to be frozen for transfer": requires_grad = False was kept, but nothing was loaded any more.
@pair(
    "frozen-by-mistake",
    ("unchanged-tensor", "underfit", "loss-plateau", "loss-not-decreasing", "gradient-all-zero"),
    "Keras-like directories train/ and validation/; HDF5 by step, eight times",
    dumps=True,
)
def leaves_frozen_backbone(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of leaves with convolutions that stay random; fixed: all is trained."""
    of, model = over(leaves(seed), 255.0), leaf_net()
    for name, one in model.named_parameters():
        one.requires_grad_(fixed or name.startswith("fc"))
    found = fit(
        model,
        of,
        torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=3e-3),
        15,
        KerasDirectories(run),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 38, watched=False),
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.8)
        above(found, "val_loss", 1.2)


class Tagger(nn.Module):
    """A GRU and a head, with a cut between them when `cut`."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(4, 24, batch_first=True)
        self.fc = nn.Linear(24, 16)
        self.head = nn.Linear(16, 5)
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 5)."""
        states, _ = self.encoder(x)
        summary = torch.relu(self.fc(states[:, -1]))
        logits: Tensor = self.head(summary.detach() if self.cut else summary)
        return logits


# "The encoder's weights are the same after 20 epochs": a .detach() left from looking at the features.
@pair(
    "detached-graph",
    ("unchanged-tensor", "underfit", "loss-plateau", "gradient-all-zero", "loss-not-decreasing"),
    "csv by hand; Parquet with weights and gradients each fourth epoch",
    dumps=True,
)
def machines_detached_summary(run: Path, seed: int, fixed: bool) -> None:
    """States of machines by a GRU whose summary is detached; fixed: it is not."""
    of, model = machines(seed), Tagger(not fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=6e-3),
        20,
        Csv(run, "plain", "history.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 56, "scopes", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.6)
    else:
        below(found, "val_acc", 0.75)


# "clip_grad_norm_(…, 1e-3), I thought smaller is safer": the gradients are a hundred times as long.
@pair(
    "clipped-too-tight",
    ("gradient-always-clipped", *NOTHING_LEARNED, "still-improving", "updates-too-small", "weight-update-ratio"),
    "SummaryWriter with loss, grad norm and rate every ten batches",
)
def cells_clipped_to_a_thousandth(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small CNN under SGD and a clip of 1e-3; fixed: of 1."""
    of = cells(seed)
    model = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
    model.append(nn.Conv2d(12, 1, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        20,
        TensorBoard(run, "plain"),
        ("train/bce", "train/dice", "val/bce", "val/dice"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=dice,
        batch=12,
        seed=seed,
        every=10,
        norm_tag="train/grad_norm",
        rate_tag="train/lr",
        clip=1.0 if fixed else 1e-3,
    )
    if fixed:
        above(found, "val/dice", 0.75)
        steady(found, "val/bce", 0.2)
    else:
        not_above(found, "val/dice", 0.4)


# "Weights go to zero": weight_decay=0.3 in Adam, which I took for a rate of dropout.
@pair(
    "weight-decay-too-strong",
    (
        "weights-vanish",
        "underfit",
        "metric-at-chance",
        "loss-plateau",
        "constant-answer",
        "loss-not-decreasing",
        "all-zero",
    ),
    "csv like an MLflow export; HDF5 of weights only, each fifth epoch",
    dumps=True,
)
def loans_heavy_decay(run: Path, seed: int, fixed: bool) -> None:
    """Loans by an MLP with Adam(weight_decay=0.3); fixed: 1e-4."""
    of, model = loans(seed, share=0.45), models.mlp((11, 32, 16, 2), "relu", dropout=0.1)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4 if fixed else 0.3),
        20,
        Csv(run, "plain", "mlflow_metrics.csv", "step"),
        ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 165, "scopes", watched=False),
    )
    if fixed:
        above(found, "validation_accuracy", 0.75)
        steady(found, "validation_loss", 0.2)
    else:
        below(found, "validation_accuracy", 0.62)
