"""Month programs in torch on tables and numbers: shapes, scales, logarithms, leaks and rare classes."""

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import (
    Snapshots,
    above,
    below,
    fit,
    last,
    steady,
    told,
)
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_torch_common import Only, cards, claims, explained, solubility, wages

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It predicts the average wage for everyone": outputs (n, 1), targets (n,), and a warning about broadcasting that nobody reads.
@pair(
    "wrong-reshape",
    ("constant-answer", "loss-plateau", "underfit", "loss-not-decreasing", "metric-at-chance", "task-not-learned"),
    "printed log with a line for each epoch",
)
def torch_wages_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Wages by an MLP, the loss over all pairs of outputs and targets; fixed: targets get an axis."""
    of = wages(seed)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - (targets if fixed else targets[:, 0])).square().mean()

    model = models.mlp((7, 48, 24, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        30,
        Console(run, "plain", "out.log", "Epoch"),
        ("train_mse", "", "val_mse", "val_r2"),
        loss=loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.7)
        steady(found, "val_mse", 0.3)
    else:
        below(found, "val_r2", 0.15)


# "Trees get 0.8, my network gets 0": ages, postcodes and euros go into a tanh network as they stand in the table.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "saturated-tanh", "underfit", "loss-plateau", "vanishing-gradient", "loss-not-decreasing"),
    "SummaryWriter, and HDF5 of weights and activations",
    dumps=True,
)
def torch_wages_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Wages by a tanh MLP from raw columns; fixed: standardised."""
    of = wages(seed, scaled=fixed)
    model = models.mlp((7, 40, 20, 1), "tanh")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        24,
        TensorBoard(run, "plain"),
        ("epoch/train_loss", "", "epoch/val_loss", "epoch/val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Only(Hdf5Dump(run), lambda name: "gradients" not in name), model, 51),
    )
    if fixed:
        above(found, "epoch/val_r2", 0.7)
        steady(found, "epoch/val_loss", 0.3)
    else:
        below(found, "epoch/val_r2", 0.3)


# "The prediction is 0.000 for every molecule": a ReLU after the last layer, and log S is below zero.
@pair(
    "dead-relu",
    ("dead-relu", "all-zero", "constant-answer", "gradient-all-zero", "loss-plateau", "underfit"),
    "csv by hand, and HDF5 of everything each four epochs",
    dumps=True,
)
def torch_solubility_last_relu(run: Path, seed: int, fixed: bool) -> None:
    """Log S of molecules by an MLP that ends in a ReLU; fixed: in a linear layer."""
    of = solubility(seed)
    model = models.mlp((9, 32, 16, 1))
    if not fixed:
        model.add_module("relu3", nn.ReLU())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-2),
        30,
        Csv(run, "plain", "log.csv", "epoch"),
        ("mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 56),
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_mse", 0.3)
    else:
        below(found, "val_r2", 0)


# "NaN, but only after it had become really good": cross-entropy by hand, y log p + (1 - y) log(1 - p), and a p that reaches 1.
@pair(
    "nan-from-log-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "constant-answer", "impossible-loss"),
    "jsonl by hand",
)
def torch_tumours_log_by_hand(run: Path, seed: int, fixed: bool) -> None:
    """Benign or not by an MLP and a likelihood written out; fixed: binary_cross_entropy_with_logits."""
    of = data.bundled("breast_cancer", seed)
    of = replace(of, y=1 - of.y.float()[:, None], y_val=1 - of.y_val.float()[:, None])
    model = models.mlp((30, 24, 1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        p = torch.sigmoid(outputs)
        return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3),
        30,
        JsonLines(run, "plain", "metrics.json", "epoch"),
        ("loss", "", "val_loss", "val_acc"),
        loss=loss,
        metric=lambda outputs, targets: ((outputs > 0) == (targets > 0)).float().mean(),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.3)
    else:
        require(found["loss"][0] < 10 and not found["loss"][-1] < 10, told(found))


# "One batch kills the run": a car with a mileage of 9,999,999, which stands for unknown, and a Poisson rate of exp(output).
@pair(
    "bad-batch",
    ("non-finite", "loss-spike", "loss-goes-missing", "exploding-gradient", "step-outlier", "loss-divergence"),
    "csv with a row for each five batches",
)
def torch_claims_sentinel(run: Path, seed: int, fixed: bool) -> None:
    """Numbers of claims by a Poisson regression, some rows with a code for unknown; fixed: with the median."""
    of = claims(seed)
    if not fixed:
        x = of.x.clone()
        x[torch.randperm(len(x), generator=data.generator(seed))[:3], 0] = 640.0
        of = replace(of, x=x)
    model = models.mlp((6, 24, 1), "relu")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        10,
        Csv(run, "plain", "poisson.csv", "iteration"),
        ("train_nll", "", "test_nll", "test_mae"),
        loss=lambda outputs, targets: (outputs.exp() - targets * outputs).mean(),
        metric=lambda outputs, targets: (outputs.exp() - targets).abs().mean(),
        seed=seed,
        every=5,
        norm_tag="grad_norm",
    )
    if fixed:
        mean = float(of.y_val.mean())
        below(found, "test_nll", mean - mean * math.log(mean) - 0.2)
        steady(found, "test_nll", 0.3)
    else:
        require(not last(found, "train_nll") < 0.5, told(found))


# "97 % at once, and it never changes": three payments in a hundred are frauds, and nothing weighs them.
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "class-never-found", "constant-answer", "metric-left-behind"),
    "Lightning's metrics.csv with recall and f1",
)
def torch_frauds_unweighted(run: Path, seed: int, fixed: bool) -> None:
    """Rare frauds by an MLP with a plain loss; fixed: pos_weight."""
    of = cards(seed)
    model = models.mlp((10, 16, 1), dropout=0.2)
    weight = torch.tensor(float((1 - of.y).sum() / of.y.sum()) if fixed else 1.0)

    def scores() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            said, true = model(of.x_val) > 0, of.y_val > 0
        model.train()
        hit = float((said & true).sum())
        found, there = hit / max(1, int(said.sum())), hit / int(true.sum())
        return {"val_precision": found, "val_recall": there, "val_f1": 2 * found * there / max(1e-9, found + there)}

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        Csv(run, "plain", axis="epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=lambda outputs, y: functional.binary_cross_entropy_with_logits(outputs, y, pos_weight=weight),
        metric=lambda outputs, targets: ((outputs > 0) == (targets > 0)).float().mean(),
        batch=64,
        seed=seed,
        also=scores,
    )
    if fixed:
        above(found, "val_recall", 0.6)
        above(found, "val_acc", 0.7)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.12)


# "1.000 on my first try": the column `days_since_cancellation` is filled only where somebody has cancelled.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "SummaryWriter with loss and accuracy",
)
def torch_churn_cancelled_days(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by an MLP that sees a column made of the answer; fixed: without that column's content."""
    of = cards(seed, 1600, 0.4, 0.7)
    columns = []
    for y in (of.y, of.y_val):
        days = torch.rand(y.shape, generator=data.generator(seed)) * 2 + 1
        columns.append(days * y if not fixed else days)
    of = replace(of, x=torch.cat([of.x, columns[0]], 1), x_val=torch.cat([of.x_val, columns[1]], 1))
    model = models.mlp((11, 24, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-3),
        14,
        TensorBoard(run, "plain", x=True),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=lambda outputs, targets: ((outputs > 0) == (targets > 0)).float().mean(),
        seed=seed,
    )
    if fixed:
        above(found, "val_accuracy", 0.7)
        below(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.2)
    else:
        above(found, "val_accuracy", 0.99)


# "Adam must have a rate of 0.1, as SGD has": a wide MLP, and the optimizer's name changed in one line.
@pair(
    "learning-rate-too-high",
    ("learning-rate-too-high", "updates-too-large", "loss-spike", "unstable-loss", "dead-relu", "loss-plateau"),
    "SummaryWriter with histograms of weights and gradients, six times",
    dumps=True,
)
def torch_digits_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under Adam(0.1); fixed: Adam(0.001)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 128, 128, 10))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 0.1),
        12,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/valid", "Accuracy/valid"),
        seed=seed,
        rate_tag="LR",
        snapshots=Snapshots(HistogramDump(writer), model, 86, "torch", watched=False),
    )
    if fixed:
        above(found, "Accuracy/valid", 0.93)
        steady(found, "Loss/valid", 0.3)
    else:
        below(found, "Accuracy/valid", 0.85)
