"""Autumn programs in PyTorch, second part: labels, order of the data, inputs, what is lost on the way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_autumn_a_common import (
    as_sorted,
    bikes,
    leaf_net,
    leaves,
    loans,
    machines,
    recalls,
    rivers,
    sound_net,
    sounds,
)
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
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


# "Two kinds of leaves are never found": the folder of one species was downloaded under the name of another.
@pair(
    "labels-wrong-for-some-classes",
    ("class-never-found", "classifier-confusion", "confusion", "generalisation-gap", "overfit", "confidently-wrong"),
    "SummaryWriter with the recall of each class",
)
def leaves_in_wrong_folders(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of leaves; in training the classes 1 and 4 are labelled 2 and 5; fixed: as they are."""
    of, model = over(leaves(seed), 255.0), leaf_net()
    if not fixed:
        of = replace(of, y=torch.where((of.y == 1) | (of.y == 4), of.y + 1, of.y))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        22,
        writer,
        ("loss/train", "accuracy/train", "loss/val", "accuracy/val"),
        seed=seed,
        also=recalls(model, of, "recall/class_{}"),
    )
    if fixed:
        above(found, "accuracy/val", 0.88)
        steady(found, "loss/val", 0.4)
    else:
        below(found, "accuracy/val", 0.75)


# "Chance on validation, whatever I try": files from os.listdir() and labels from a sorted csv, so no label belongs to its file.
@pair(
    "shuffled-labels",
    (*NOTHING_LEARNED, *VALIDATION_LOST, "generalisation-gap", "error-rises"),
    "wandb history as JSON lines",
)
def sonar_listdir_order(run: Path, seed: int, fixed: bool) -> None:
    """Sounds under water whose labels lie in another order than the sounds; fixed: in the same."""
    of, model = sounds(seed), sound_net(width=16)
    if not fixed:
        order = torch.randperm(len(of.y), generator=data.generator(seed + 50))
        of = replace(of, y=of.y[order])
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        25,
        JsonLines(run, "plain", "wandb-history.jsonl", "_step", timed=True),
        ("train/loss", "train/acc", "valid/loss", "valid/acc"),
        batch=24,
        seed=seed,
    )
    if fixed:
        above(found, "valid/acc", 0.9)
        steady(found, "valid/loss", 0.4)
    else:
        below(found, "valid/acc", 0.4)


# "The loss is a saw, and validation a coin with six sides": ImageFolder lists kind after kind, and the DataLoader has no shuffle.
@pair(
    "data-not-shuffled",
    ("batches-of-one-class", "unstable-loss", "loss-spike", "validation-swings", *NOTHING_LEARNED, "constant-answer"),
    "csv with a row for each second batch",
)
def leaves_kind_by_kind(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of leaves by a CNN with batch norm, in the order of the kinds; fixed: shuffled."""
    of, model = as_sorted(over(leaves(seed), 255.0)), leaf_net(norm=True)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        14,
        Csv(run, "plain", "training_log.csv", "step"),
        ("loss", "acc", "eval_loss", "eval_acc"),
        seed=seed,
        batch=16,
        every=2,
        shuffled=fixed,
    )
    if fixed:
        above(found, "eval_acc", 0.85)
        steady(found, "eval_loss", 0.6)
    else:
        below(found, "eval_acc", 0.5)


# "Every epoch makes it worse": opt.zero_grad() fell out when the loop was split into functions.
@pair(
    "zero-grad-missing",
    (*BLOWN_UP, *BADLY_LEARNED, "updates-too-large", "validation-swings", "best-is-not-last"),
    "csv by hand; Parquet with weights and gradients each second epoch",
    dumps=True,
)
def rivers_never_zeroed(run: Path, seed: int, fixed: bool) -> None:
    """The level of a river tomorrow by an LSTM with SGD whose gradients pile up; fixed: cleared."""
    of, model = rivers(seed), models.Recurrent("lstm", 2, 16, 1)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        14,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_mse", "", "valid_mse", "valid_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        zero=fixed,
        norm_tag="grad_norm",
        snapshots=Snapshots(ParquetDump(run), model, 44, "torch", watched=False),
    )
    if fixed:
        above(found, "valid_r2", 0.7)
        steady(found, "valid_mse", 0.4)
    else:
        not_above(found, "valid_r2", 0.3)


# "It always predicts the mean": the pressure stands at 1013 and the holiday at 0 or 1, and no StandardScaler was used.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "outside-learned-limits", *NOTHING_LEARNED, "saturated-tanh", "saturated-activation"),
    "HDF5 with weights, gradients and activations, six times; JSON lines",
    dumps=True,
)
def bikes_raw_columns(run: Path, seed: int, fixed: bool) -> None:
    """Hires of bikes by a tanh network over columns in their own units; fixed: standardised."""
    of, model = bikes(seed, scaled=fixed), models.mlp((7, 32, 32, 1), "tanh")
    snapshots = Snapshots(Hdf5Dump(run), model, 110)
    stream_extra = snapshots.extra

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        stream_extra["inputs/x"] = x.numpy().copy()
        return x, y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        30,
        JsonLines(run, "plain", "metrics.json", "epoch"),
        ("loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        alter=alter,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2", 0.5)


# "99 in training, 37 in validation": scaler.fit_transform(X_train), and X_val goes into the model as it is.
@pair(
    "preprocessing-differs",
    (
        *VALIDATION_LOST,
        "generalisation-gap",
        "validation-swings",
        "constant-answer",
        "confidently-wrong",
        "error-rises",
    ),
    "SummaryWriter with one scalar an epoch",
)
def cancer_scaler_forgotten(run: Path, seed: int, fixed: bool) -> None:
    """Tumours, standardised for training and in their own units for validation; fixed: both standardised."""
    of = data.bundled("breast_cancer", seed)
    if not fixed:
        of = replace(of, x_val=data.bundled("breast_cancer", seed, scaled=False).x_val)
    model = models.mlp((30, 32, 16, 2), "relu", dropout=0.2)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("Loss/training", "Accuracy/training", "Loss/validation", "Accuracy/validation"),
        seed=seed,
    )
    if fixed:
        above(found, "Accuracy/validation", 0.93)
        steady(found, "Loss/validation", 0.5)
    else:
        below(found, "Accuracy/validation", 0.75)


# "LSTM no better than the last reading": the sequences lie batch first, and nn.LSTM was made without batch_first=True.
@pair(
    "wrong-reshape",
    (*BADLY_LEARNED, "metric-at-chance", "overfit", "generalisation-gap", "most-answers-wrong"),
    "Lightning-like metrics.csv",
)
def machines_batch_second(run: Path, seed: int, fixed: bool) -> None:
    """States of machines by a GRU that runs over the batch instead of the time; fixed: over the time."""
    of, model = machines(seed), models.Recurrent("gru", 4, 24, 5)
    model.rnn.batch_first = fixed
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=6e-3),
        16,
        Csv(run, "plain", "metrics.csv", "step"),
        ("train_loss_step", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        every=10,
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_acc", 0.65)


# "Accuracy 1.00 on training, a coin on validation": the bank's branch was encoded by the mean of its own target, a branch a row or two.
@pair(
    "data-leak",
    (*VALIDATION_LOST, "too-good", "generalisation-gap", "error-rises", "confidently-wrong"),
    "printed log",
)
def loans_target_encoded(run: Path, seed: int, fixed: bool) -> None:
    """Loans with a column that tells the target in training and nothing later; fixed: that column is noise everywhere."""
    of = loans(seed)
    random = np.random.default_rng(seed)
    column = torch.tensor(random.normal(size=(len(of.x), 1)), dtype=torch.float32)
    column_val = torch.tensor(random.normal(size=(len(of.x_val), 1)), dtype=torch.float32)
    encoded = 3.0 * (of.y[:, None].float() - 0.3) + 0.2 * column
    of = replace(of, x=torch.cat([of.x, column if fixed else encoded], 1), x_val=torch.cat([of.x_val, column_val], 1))
    model = models.mlp((12, 24, 2), "relu", dropout=0.2)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        18,
        Console(run, "plain", "output.log", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "test_acc", 0.8)
        steady(found, "test_loss", 0.2)
    else:
        below(found, "test_acc", 0.7)


# "It went well for 14 epochs and then all was lost in one batch": a file of one day holds -9999 where the barometer was off.
@pair(
    "bad-batch",
    ("loss-spike", "exploding-gradient", "loss-divergence", "non-finite", "loss-goes-missing", "best-is-not-last"),
    "SummaryWriter each third batch, add_histogram each 60th",
    dumps=True,
    since=602,
)
def bikes_barometer_off(run: Path, seed: int, fixed: bool) -> None:
    """Hires of bikes where one late batch holds -9999 in a column; fixed: such values are put to the mean."""
    of, model = bikes(seed), models.mlp((7, 48, 48, 1), "relu")
    writer = TensorBoard(run, "plain")

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step == 602:
            x = x.clone()
            x[:6, 4] = 0.0 if fixed else (-9999.0 - 1013.0) / 8.0
        return x, y

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        25,
        writer,
        ("train/loss", "", "val/loss", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        batch=16,
        seed=seed,
        every=3,
        norm_tag="train/grad_norm",
        alter=alter,
        snapshots=Snapshots(HistogramDump(writer), model, 60),
    )
    if fixed:
        above(found, "val/r2", 0.75)
        steady(found, "val/loss", 0.3)
    else:
        require(max(found["train/loss"]) > 20, f"no spike: {max(found['train/loss']):.3g}")
        not_above(found, "val/r2", 0.3)
