"""Letters about programs in plain PyTorch: loops, rates, losses and what is done to the data; and their repaired versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import arrows, flats, gestures, into, loads, mails, standard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
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

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My forecast of the grid swings like a pendulum": the loop was typed from a slide, without optimizer.zero_grad().
@pair(
    "zero-grad-missing",
    (*BLOWN_UP, *BADLY_LEARNED, "updates-too-large", "validation-swings", "best-is-not-last"),
    "SummaryWriter with one scalar an epoch and add_histogram",
    dumps=True,
)
def grid_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid in an hour by a GRU whose gradients are never cleared; fixed: they are."""
    of = standard(loads(seed))
    of = data.Split(of.x[:, :, None], of.y, of.x_val[:, :, None], of.y_val)
    model = models.Recurrent("gru", 1, 16, 1)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        12,
        writer,
        ("epoch_loss/train", "", "epoch_loss/valid", "r2/valid"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        zero=fixed,
        snapshots=Snapshots(HistogramDump(writer), model, 44, "torch", watched=False),
    )
    if fixed:
        above(found, "r2/valid", 0.8)
        steady(found, "epoch_loss/valid", 0.3)
    else:
        not_above(found, "r2/valid", 0.5)


# "The loss does go down, look at the fourth digit": SGD(lr=1e-4) without momentum, kept from a script for Adam.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small", "weight-update-ratio"),
    "console log with a line for each tenth batch",
)
def mails_by_snail(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a mean of embeddings under SGD(1e-4); fixed: 0.5 and a momentum of 0.9."""
    of = mails(seed)
    model = nn.Sequential(nn.EmbeddingBag(200, 24), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))
    rate, momentum = (0.1, 0.9) if fixed else (1e-4, 0.0)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum),
        25,
        Console(run, "plain", "mails.log", "iteration"),
        ("loss", "acc", "dev_loss", "dev_acc"),
        seed=seed,
        every=10,
        rate_tag="lr",
    )
    if fixed:
        above(found, "dev_acc", 0.8)
        steady(found, "dev_loss", 0.4)
    else:
        below(found, "dev_acc", 0.45)


# "nan after some epochs, always": uncertainty is told too, and the variance, 1 + output, may fall below zero before torch.sqrt.
@pair(
    "root-of-negative",
    ("non-finite", "loss-goes-missing", "exploding-gradient", "loss-spike", "loss-divergence", "impossible-loss"),
    "jsonl by hand",
)
def rents_with_doubt(run: Path, seed: int, fixed: bool) -> None:
    """Rents and how sure they are by a Gaussian likelihood with the variance 1 + output; fixed: softplus."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    model = models.mlp((9, 32, 16, 2), "tanh")

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        variance = functional.softplus(outputs[:, 1:]) + 0.02 if fixed else 1 + outputs[:, 1:]
        sigma = torch.sqrt(variance)
        return (torch.log(sigma) + 0.5 * ((targets - outputs[:, :1]) / sigma).square()).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        25,
        JsonLines(run, "plain", "rent_nll.json", "epoch"),
        ("nll", "", "nll_test", "r2_test"),
        loss=likelihood,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
    )
    if fixed:
        above(found, "r2_test", 0.7)
        steady(found, "nll_test", 0.3)
    else:
        not_above(found, "r2_test", 0.1)


# "Left and right are mixed up": RandomHorizontalFlip and RandomVerticalFlip, which are in every tutorial, on pictures of arrows.
@pair(
    "augmentation-breaks-labels",
    (*BADLY_LEARNED, "classifier-confusion", "confusion"),
    "SummaryWriter with one scalar an epoch",
)
def arrows_flipped(run: Path, seed: int, fixed: bool) -> None:
    """Where an arrow points, of four, with pictures flipped at random both ways while training; fixed: shifted by a pixel instead."""
    of = arrows(seed, noise=0.35)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 4),
    )
    random = data.generator(seed)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        for axis in (2, 3):
            hit = (torch.rand(len(x), generator=random) < 0.5)[:, None, None, None]
            x = torch.where(hit, x.roll(1, axis) if fixed else x.flip(axis), x)
        return x, y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        22,
        TensorBoard(run, "plain"),
        ("Loss/training", "Accuracy/training", "Loss/validation", "Accuracy/validation"),
        seed=seed,
        batch=16,
        alter=alter,
    )
    if fixed:
        above(found, "Accuracy/validation", 0.85)
        steady(found, "Loss/validation", 0.25)
    else:
        below(found, "Accuracy/validation", 0.68)


# "The loss jumps up whenever a new gesture begins": DataLoader(shuffle=False) over recordings that lie one gesture after the other.
@pair(
    "data-not-shuffled",
    (
        *NOTHING_LEARNED,
        "batches-of-one-class",
        "unstable-loss",
        "loss-spike",
        "validation-swings",
        "generalisation-gap",
        "constant-answer",
        "most-answers-wrong",
    ),
    "csv with a row for each batch",
)
def gestures_in_order(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand by a 1-D CNN, batches of one gesture after the other; fixed: shuffled."""
    of = gestures(seed)
    order = of.y.argsort()
    of = data.Split(of.x[order].transpose(1, 2), of.y[order], of.x_val.transpose(1, 2), of.y_val)
    pooled = (nn.AdaptiveMaxPool1d(2), nn.Flatten())
    model = nn.Sequential(nn.Conv1d(3, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled, nn.Linear(32, 5))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        12,
        Csv(run, "plain", "batches.csv", "batch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
        batch=16,
        every=1,
        shuffled=fixed,
    )
    if fixed:
        above(found, "valid_acc", 0.85)
        steady(found, "valid_loss", 0.4)
    else:
        below(found, "valid_acc", 0.45)
