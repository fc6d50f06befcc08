"""Planted faults of the data: wrong labels, no shuffling, no scaling, a bad batch."""

import statistics
from dataclasses import replace
from pathlib import Path

import torch

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    NOT_LEARNING,
    SEEN,
    Disturbed,
    Told,
    WithBatches,
    at_chance,
    digits,
    planted,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    Hdf5History,
    JsonLines,
    KerasDirectories,
    ParquetDump,
    TensorBoard,
)
from bench.accuracy.loop import Plan, fit


def labels_shifted_digits(run: Path, seed: int) -> None:
    """Labels are read one row late, so that each belongs to another image: nothing about the images tells them."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed)
    of = replace(of, y=of.y.roll(1), y_val=of.y_val.roll(1))
    model = models.mlp((64, 16, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    plan = Plan(model, of, optimizer, 600, seed=seed, dump_every=30)
    at_chance(fit(plan, TensorBoard(run, "huggingface"), WithBatches(Hdf5Dump(run), plan)), 10, 2)


def labels_sorted_spirals(run: Path, seed: int) -> None:
    """Labels were sorted while the inputs were not."""
    torch.manual_seed(seed)
    of = data.spirals(seed)
    of = replace(of, y=of.y.sort().values, y_val=of.y_val.sort().values)
    model = models.mlp((2, 24, 3), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    plan = Plan(model, of, optimizer, 800, seed=seed, dump_every=40)
    at_chance(fit(plan, Csv(run, "lightning"), Hdf5Dump(run)), 3, 1.4)


def labels_shuffled_digits(run: Path, seed: int) -> None:
    """400 images with labels at random: the model learns them by heart, and the validation loss climbs from the start."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed)
    shuffled = torch.randint(0, 10, (400,), generator=data.generator(seed))
    of = replace(of, x=of.x[:400], y=shuffled)
    model = models.mlp((64, 128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = Plan(model, of, optimizer, 1000, seed=seed, dump_every=50)
    found = fit(plan, TensorBoard(run, "slash"), ParquetDump(run))
    require(found["train_loss"] < 0.5, f"it did not learn them by heart: {found}")
    at_chance(found, 10, 2)


def labels_shuffled_images(run: Path, seed: int) -> None:
    """The same in a CNN, by epochs, dumped."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed).as_images()
    shuffled = torch.randint(0, 10, (300,), generator=data.generator(seed))
    of = replace(of, x=of.x[:300], y=shuffled)
    model = models.cnn(channels=(16, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = Plan(model, of, optimizer, 60 * 10, seed=seed, by_epoch=True, dump_every=30)
    found = fit(plan, KerasDirectories(run), Hdf5Dump(run))
    require(found["train_loss"] < 0.7, f"it did not learn them by heart: {found}")
    at_chance(found, 10, 2)


def _in_order(of: data.Split) -> data.Split:
    order = of.y.argsort(stable=True)
    return replace(of, x=of.x[order], y=of.y[order])


def not_shuffled_images(run: Path, seed: int) -> None:
    """Sorted by class and never shuffled: a CNN learns one digit after another, and forgets the others (shuffled it reaches 0.98)."""
    torch.manual_seed(seed)
    of = _in_order(data.bundled("digits", seed).as_images())
    model = models.cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.25))
    plan = Plan(model, of, optimizer, 420, seed=seed, shuffled=False, log_every=1, evaluate_every=42)
    plan.also = frozenset({"lr", "grad_norm", "epoch"})
    found = fit(plan, TensorBoard(run, "huggingface"))
    require(found["val_accuracy"] < 0.7, f"it learned all the same: {found}")


def not_shuffled_deep(run: Path, seed: int) -> None:
    """The same in three convolutions with some momentum, with labels and predictions dumped."""
    torch.manual_seed(seed)
    model = models.cnn(channels=(8, 16, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.1), momentum=0.5)
    of = _in_order(data.bundled("digits", seed).as_images())
    plan = Plan(model, of, optimizer, 420, seed=seed, shuffled=False, log_every=2, dump_every=14)
    plan.also = frozenset({"lr", "epoch"})
    found = fit(plan, TensorBoard(run, "slash"), WithBatches(ParquetDump(run), plan))
    require(found["val_accuracy"] < 0.7, f"it learned all the same: {found}")


def raw_inputs_wine(run: Path, seed: int) -> None:
    """Wine with its columns as measured, from 0.1 to 1,700: the first steps kill the units, and the loss stands at the classes' shares."""
    torch.manual_seed(seed)
    of = data.bundled("wine", seed, scaled=False)
    model = models.mlp((13, 32, 32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    plan = Plan(model, of, optimizer, 600, batch=16, seed=seed, dump_every=20)
    found = fit(plan, TensorBoard(run, "lower"), WithBatches(Hdf5Dump(run), plan))
    require(found["val_accuracy"] <= of.majority + 0.05, f"it learned: {found}")


def raw_inputs_cancer(run: Path, seed: int) -> None:
    """Measures of cells from 0.001 to 4,000, not scaled: SGD learns nothing but the classes' shares."""
    torch.manual_seed(seed)
    of = data.bundled("breast_cancer", seed, scaled=False)
    model = models.mlp((30, 32, 32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    found = fit(Plan(model, of, optimizer, 800, seed=seed), JsonLines(run, "camel"))
    require(found["val_accuracy"] <= of.majority + 0.05, f"it learned: {found}")


def bad_batch_digits(run: Path, seed: int) -> None:
    """Three batches of noise from a broken shard at step 500: the loss jumps, and the weights take some steps to come back."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.01), momentum=0.9)
    Disturbed(model, lambda step, x: 30 * torch.randn_like(x) if 500 <= step < 503 else x)
    plan = digits(model, optimizer, seed, 900, dumps=False)
    plan.log_every = 1
    told = Told(TensorBoard(run, "huggingface"))
    fit(plan, told)
    _jumped(told, 500, 503)


def _jumped(told: Told, first: int, last: int) -> None:
    """Require that the training loss at the bad steps was ten times that of the 100 steps before, and that it was no better just after."""
    losses = [values["train_loss"] for values in told.rows if "train_loss" in values]
    before, bad, after = (
        statistics.mean(losses[a - 1 : b - 1]) for a, b in ((first - 100, first), (first, last), (last, last + 5))
    )
    require(bad > 10 * before and after > before, f"training loss {before:.3g} before, {bad:.3g}, {after:.3g} after")


def bad_batch_images(run: Path, seed: int) -> None:
    """Two batches of noise with a deviation of 60 at step 260, in a CNN."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.01), momentum=0.9)
    Disturbed(model, lambda step, x: 30 * torch.randn_like(x) if 260 <= step < 262 else x)
    of = data.bundled("digits", seed).as_images()
    plan = Plan(model, of, optimizer, 500, seed=seed, log_every=1, dump_every=20)
    told = Told(Csv(run, "lightning"))
    fit(plan, told, Hdf5Dump(run))
    _jumped(told, 260, 262)


def labels_shuffled_iris(run: Path, seed: int) -> None:
    """Ordered labels once more, in a run of 12 epochs that keeps its history only: iris with labels of other flowers."""
    torch.manual_seed(seed)
    of = data.bundled("iris", seed)
    order = torch.randperm(len(of.y), generator=data.generator(seed))
    of = replace(of, y=of.y[order])
    model = models.mlp((4, 16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    plan = Plan(model, of, optimizer, 12 * 7, batch=16, seed=seed, by_epoch=True, also=frozenset({"lr"}))
    found = fit(plan, Hdf5History(run))
    require(found["train_loss"] > 0.98, f"it learned: {found}")


def labels_shuffled_spirals(run: Path, seed: int) -> None:
    """Spirals with labels at random in a plain log of the job: loss and accuracy stand."""
    torch.manual_seed(seed)
    of = data.spirals(seed)
    of = replace(of, y=of.y[torch.randperm(len(of.y), generator=data.generator(seed))])
    model = models.mlp((2, 16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3))
    at_chance(fit(Plan(model, of, optimizer, 800, seed=seed), Console(run)), 3, 1.4)


_ORDER = ("epoch-steps", "loss-spike", "unstable-loss", "classifier-confusion", "metric-at-chance")
_SCALE = ("data-not-normalized", "initial-loss", "dead-relu", *NOT_LEARNING)
_BY_HEART = ("overfit", "metric-at-chance")
_BATCH = ("loss-spike", "exploding-gradient", "exploding-tensor")
_CONFUSED = ("classifier-confusion", *NOT_LEARNING)

RECIPES = (
    planted(
        "labels-shifted-digits",
        "wrong-labels",
        DEVELOPMENT,
        labels_shifted_digits,
        _CONFUSED,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "labels-sorted-spirals", "wrong-labels", SEEN, labels_sorted_spirals, NOT_LEARNING, "csv, hdf5", dumps=True
    ),
    planted("labels-shuffled-iris", "wrong-labels", SEEN, labels_shuffled_iris, NOT_LEARNING, "hdf5"),
    planted("labels-shuffled-spirals", "wrong-labels", DEVELOPMENT, labels_shuffled_spirals, NOT_LEARNING, "console"),
    planted(
        "labels-shuffled-digits",
        "shuffled-labels",
        DEVELOPMENT,
        labels_shuffled_digits,
        _BY_HEART,
        "tensorboard, parquet",
        dumps=True,
    ),
    planted(
        "labels-shuffled-images",
        "shuffled-labels",
        SEEN,
        labels_shuffled_images,
        _BY_HEART,
        "keras directories, hdf5",
        dumps=True,
    ),
    planted("not-shuffled-images", "no-shuffling", DEVELOPMENT, not_shuffled_images, _ORDER, "tensorboard"),
    planted("not-shuffled-deep", "no-shuffling", SEEN, not_shuffled_deep, _ORDER, "tensorboard, parquet", dumps=True),
    planted(
        "raw-inputs-wine",
        "missing-normalisation",
        DEVELOPMENT,
        raw_inputs_wine,
        _SCALE,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("raw-inputs-cancer", "missing-normalisation", SEEN, raw_inputs_cancer, _SCALE, "jsonl"),
    planted("bad-batch-digits", "bad-batch", DEVELOPMENT, bad_batch_digits, _BATCH, "tensorboard", since=500),
    planted("bad-batch-images", "bad-batch", SEEN, bad_batch_images, _BATCH, "csv, hdf5", dumps=True, since=260),
)
