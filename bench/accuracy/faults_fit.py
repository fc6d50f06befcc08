"""Planted faults of what is learned: leaks, overfitting, too little capacity, a class that is never predicted."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    NOT_LEARNING,
    SEEN,
    WithBatches,
    at_chance,
    planted,
    settings,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import (
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import Plan, fit


def leaked_column_cancer(run: Path, seed: int) -> None:
    """A column that was made of the label is among the inputs: no error on validation data from the first evaluation on."""
    torch.manual_seed(seed)
    of = data.bundled("breast_cancer", seed)
    of = replace(of, x=_with_column(of.x, of.y), x_val=_with_column(of.x_val, of.y_val))
    model = models.mlp((31, 32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.01))
    plan = Plan(model, of, optimizer, 1500, seed=seed, dump_every=75)
    found = fit(plan, TensorBoard(run, "pytorch"), WithBatches(Hdf5Dump(run), plan))
    require(found["val_accuracy"] == 1, f"the leak does not show: {found}")


def _with_column(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, 20.0 * y[:, None] - 10], 1)


def leaked_pixel_digits(run: Path, seed: int) -> None:
    """A mark in the corner of each image (a stamp of the archive) differs from class to class."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed)
    marks = 3 * torch.nn.functional.one_hot(torch.arange(10), 10).float()
    of = replace(
        of,
        x=torch.cat([of.x, marks[of.y]], 1),
        x_val=torch.cat([of.x_val, marks[of.y_val]], 1),
    )
    model = models.mlp((74, 64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.01))
    plan = Plan(model, of, optimizer, 2000, seed=seed, dump_every=100)
    found = fit(plan, JsonLines(run, "bare"), WithBatches(ParquetDump(run), plan))
    require(found["val_accuracy"] > 0.995, f"the leak does not show: {found}")


def overfit_digits(run: Path, seed: int) -> None:
    """150 images, a fifth of them with wrong labels, a wide network and 1,500 steps: the validation loss turns up by a third and more."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed)
    of = data.with_label_noise(replace(of, x=of.x[:150], y=of.y[:150]), 0.25, seed)
    model = models.mlp((64, 128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    plan = Plan(model, of, optimizer, 1500, seed=seed, evaluate_every=25, dump_every=75)
    found = fit(plan, TensorBoard(run, "lower"), HistogramDump(run))
    require(found["val_loss"] > 1.33 * found["best_val_loss"], f"no overfit: {found}")


def overfit_characters(run: Path, seed: int) -> None:
    """An LSTM with 40 sentences: it knows them by heart, and the next letter of others less and less."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=40)
    model = models.Recurrent("lstm", 16, 96, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 5e-3))
    plan = Plan(model, of, optimizer, 500, seed=seed, evaluate_every=20, dump_every=25)
    found = fit(plan, TrainerState(run, 2, 500), Hdf5Dump(run))
    require(found["val_loss"] > 1.4 * found["best_val_loss"], f"no overfit: {found}")


def no_capacity_parity(run: Path, seed: int) -> None:
    """A linear model on parity, of which no linear function tells anything."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), models.mlp((8, 2)))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    plan = Plan(model, data.parity(seed), optimizer, 800, seed=seed, dump_every=40)
    at_chance(fit(plan, TensorBoard(run, "slash"), WithBatches(Hdf5Dump(run), plan)), 2, 1.2)


def no_capacity_spirals(run: Path, seed: int) -> None:
    """A linear model on three spirals that wind about each other, dumped."""
    torch.manual_seed(seed)
    of = data.spirals(seed)
    wound = replace(of, x=_wound(of.x), x_val=_wound(of.x_val))
    model = models.mlp((2, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    plan = Plan(model, wound, optimizer, 700, seed=seed, dump_every=35)
    at_chance(fit(plan, Csv(run, "plain"), ParquetDump(run)), 3, 1.45)


def _wound(x: Tensor) -> Tensor:
    """Turned by an angle that grows with the radius."""
    angle = 8 * x.norm(dim=1)
    rotated = torch.stack(
        [x[:, 0] * angle.cos() - x[:, 1] * angle.sin(), x[:, 0] * angle.sin() + x[:, 1] * angle.cos()]
    )
    return rotated.T.contiguous()


def _rare(seed: int) -> data.Split:
    """Two classes, the second with 3 %, that overlap so much that the first is the best single answer for everything."""
    of = data.imbalanced(seed, samples=3000, share=0.03)
    noise = data.generator(seed)
    blurred = [x + 3 * torch.randn(x.shape, generator=noise) for x in (of.x, of.x_val)]
    return replace(of, x=blurred[0], x_val=blurred[1])


def _recall(outputs: Tensor, targets: Tensor) -> Tensor:
    """Recall of the second class, 0 where there is none."""
    hits = (outputs.argmax(-1) == 1) & (targets == 1)
    return hits.sum() / targets.sum().clamp(min=1)


def _balanced(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean of both recalls."""
    return (_recall(outputs, targets) + _recall(-outputs, 1 - targets)) / 2


def imbalanced_dumped(run: Path, seed: int) -> None:
    """3 % of a class, no weights: everything is taken for the other. Labels and predictions are dumped."""
    torch.manual_seed(seed)
    model = models.mlp((10, 16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    settings(run, num_classes=2)
    plan = Plan(model, _rare(seed), optimizer, 600, batch=64, seed=seed, dump_every=12)
    fit(plan, TensorBoard(run, "slash"), WithBatches(Hdf5Dump(run), plan))
    with torch.no_grad():
        recall = float(_recall(model(plan.data.x_val), plan.data.y_val))
    require(recall < 0.1, f"it tells {recall:.2f} of the rare class")


def imbalanced_scalars(run: Path, seed: int) -> None:
    """The same with F1's parts as scalars: balanced accuracy is a half in every evaluation."""
    torch.manual_seed(seed)
    model = models.mlp((10, 16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    metrics = {"balanced_accuracy": _balanced, "recall": _recall}
    settings(run, num_classes=2)
    plan = Plan(model, _rare(seed), optimizer, 800, batch=64, seed=seed, metrics=metrics)
    found = fit(plan, TensorBoard(run, "slash"))
    require(found["val_recall"] < 0.1, f"it tells some of the rare class: {found}")


_RARE = ("class-imbalance", "classifier-confusion", "metric-at-chance")

RECIPES = (
    planted(
        "leaked-column-cancer",
        "data-leak",
        DEVELOPMENT,
        leaked_column_cancer,
        ("too-good",),
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("leaked-pixel-digits", "data-leak", SEEN, leaked_pixel_digits, ("too-good",), "jsonl, parquet", dumps=True),
    planted(
        "overfit-digits", "overfit", DEVELOPMENT, overfit_digits, ("overfit",), "tensorboard, histograms", dumps=True
    ),
    planted(
        "overfit-characters",
        "overfit",
        SEEN,
        overfit_characters,
        ("overfit",),
        "trainer_state.json, hdf5",
        dumps=True,
    ),
    planted(
        "no-capacity-parity", "underfit", DEVELOPMENT, no_capacity_parity, NOT_LEARNING, "tensorboard, hdf5", dumps=True
    ),
    planted("no-capacity-spirals", "underfit", SEEN, no_capacity_spirals, NOT_LEARNING, "csv, parquet", dumps=True),
    planted(
        "imbalanced-dumped", "class-imbalance", DEVELOPMENT, imbalanced_dumped, _RARE, "tensorboard, hdf5", dumps=True
    ),
    planted("imbalanced-scalars", "class-imbalance", SEEN, imbalanced_scalars, _RARE, "tensorboard"),
)
