"""Quarter programs, part a: what happens to gradients and weights in depth and time, mostly with dumps."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import flats, spectra
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained
from bench.accuracy.programs_quarter_a_common import POOR, Lightning, sensors
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "More layers should be better, but ten layers learn nothing at all": nn.Sigmoid after each of them.
@pair(
    "vanishing-gradient",
    (*NOTHING_LEARNED, "vanishing-gradient", "saturated-sigmoid", "constant-answer", "updates-too-small"),
    "SummaryWriter, weights, gradients and activations in Parquet",
    dumps=True,
)
def a_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by ten layers with sigmoids; fixed: ten layers with ReLU and batch norm."""
    of = spectra(seed)
    model = models.mlp((60, *[32] * 9, 5), "relu" if fixed else "sigmoid", norm=fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("train/loss", "train/accuracy", "val/loss", "val/accuracy"),
        seed=seed,
        batch=30,
        norm_tag="train/grad_norm",
        snapshots=Snapshots(ParquetDump(run), model, 70, "collections"),
    )
    if fixed:
        above(found, "val/accuracy", 0.8)
        steady(found, "val/loss", 0.5)
    else:
        below(found, "val/accuracy", 0.4)


# "Every flat has the same rent": SGD with momentum on rents in euros; after the first steps no ReLU lets anything through.
@pair(
    "dead-relu",
    (
        "dead-relu",
        *POOR,
        "metric-at-chance",
        "constant-answer",
        "gradient-all-zero",
        "loss-spike",
        "learning-rate-too-high",
    ),
    "SummaryWriter with histograms of activations",
    dumps=True,
)
def a_rents_of_dead_units(run: Path, seed: int, fixed: bool) -> None:
    """Rents by an MLP on targets in hundreds of euros under SGD(0.05, momentum 0.9); fixed: 0.0005."""
    of = flats(seed)
    of = data.Split(of.x, of.y / 100, of.x_val, of.y_val / 100)
    model = models.mlp((9, 32, 16, 1))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=1e-3 if fixed else 0.05, momentum=0.9),
        30,
        writer,
        ("Loss/train", "", "Loss/validation", "R2/validation"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 45, "collections"),
    )
    if fixed:
        above(found, "R2/validation", 0.75)
        steady(found, "Loss/validation", 0.4)
    else:
        not_above(found, "R2/validation", 0.05)


# "I initialise the weights with zeros, as in my logistic regression": so all units of the hidden layers get no gradient.
@pair(
    "zero-initialisation",
    (
        *NOTHING_LEARNED,
        "poor-initialization",
        "poor-weight-initialization",
        "all-zero",
        "gradient-all-zero",
        "constant-answer",
    ),
    "JSON lines, weights and gradients in HDF5",
    dumps=True,
)
def a_weights_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """States of a machine by an MLP whose weights and biases are nn.init.zeros_; fixed: Xavier."""
    of = sensors(seed, spread=0.9)
    model = models.mlp((16, 32, 32, 5))
    for name, one in model.named_parameters():
        if fixed and "weight" in name:
            nn.init.xavier_uniform_(one)
        else:
            nn.init.zeros_(one)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        22,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 60, "collections", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.4)


# "nan before the first epoch is over": nn.RNN(nonlinearity='relu') with normal weights and no clipping.
@pair(
    "exploding-rnn",
    (*BLOWN_UP, "loss-goes-missing", "loss-not-decreasing", "constant-answer"),
    "SummaryWriter, gradients in histograms",
    dumps=True,
)
def a_sums_by_loud_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The adding problem by an RNN with ReLU and hidden weights of N(0, 0.5); fixed: an orthogonal start, clipped at 1."""
    of = data.adding(seed, 1200, 12)
    model = models.Recurrent("rnn", 2, 32, 1)
    model.rnn.nonlinearity, model.rnn.mode = "relu", "RNN_RELU"
    with torch.no_grad():
        if fixed:
            nn.init.orthogonal_(model.rnn.weight_hh_l0, 0.95)
        else:
            nn.init.normal_(model.rnn.weight_hh_l0, std=0.5)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        25,
        writer,
        ("train_loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        norm_tag="grad_norm",
        clip=1.0 if fixed else None,
        snapshots=Snapshots(HistogramDump(writer), model, 120, "torch", watched=False),
    )
    if fixed:
        above(found, "val_r2", 0.7)
        steady(found, "val_loss", 0.5)
    else:
        not_above(found, "val_r2", 0.1)


# "Someone told me to clip": clip_grad_norm_(model.parameters(), 1e-3) before SGD.
@pair(
    "clipped-too-tight",
    (*POOR, "gradient-always-clipped", "still-improving", "updates-too-small", "weight-update-ratio"),
    "console log with the gradient norm",
)
def a_clipped_to_a_whisper(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by an MLP under SGD(0.02), gradients clipped at a norm of 0.001; fixed: at 5."""
    of = spectra(seed)
    model = models.mlp((60, 48, 24, 5))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        15,
        Console(run, "plain", "out.log", "step"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        every=7,
        clip=5.0 if fixed else 1e-3,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_acc", 0.55)


# "I read that weight decay helps against overfitting": Adam(weight_decay=0.5).
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "weights-vanish", "constant-answer", "vanishing-gradient", "task-not-learned"),
    "Lightning's metrics.csv, weights in Parquet",
    dumps=True,
)
def a_decayed_to_nothing(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN under Adam with a weight decay of 0.5; fixed: 1e-4."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (6, 12))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4 if fixed else 0.5),
        14,
        Lightning(run, data.steps_per_epoch(of, 64)),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=64,
        every=11,
        snapshots=Snapshots(ParquetDump(run), model, 44, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.4)
