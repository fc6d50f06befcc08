"""Quarter programs, part a: classifiers and regressions in plain loops with the slips of every question-and-answer site."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
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
from bench.accuracy.programs_post_common import explained, houses, over, pictures
from bench.accuracy.programs_quarter_a_common import POOR, convnet
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It learns for one epoch and then it only gets worse": the call to optimizer.zero_grad() went missing in a refactoring.
@pair(
    "zero-grad-missing",
    (*BLOWN_UP, "validation-swings", "loss-not-decreasing"),
    "SummaryWriter with Loss/train and add_histogram",
    dumps=True,
)
def a_shapes_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on pictures by a CNN under SGD with momentum, gradients never cleared; fixed: cleared."""
    of = over(pictures(seed), 255.0)
    model = convnet(12, 4)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        20,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        zero=fixed,
        snapshots=Snapshots(HistogramDump(writer), model, 26, "torch", watched=False),
    )
    if fixed:
        above(found, "Accuracy/val", 0.85)
        steady(found, "Loss/val", 0.4)
    else:
        not_above(found, "Accuracy/val", 0.65)


# "Loss is stuck at 1.5 though accuracy is not so bad": nn.Softmax as the last layer, nn.CrossEntropyLoss as the loss.
@pair("softmax-twice", ("softmax-twice", *POOR, "still-improving", "vanishing-gradient"), "SummaryWriter, train/loss")
def a_digits_softmax_layer(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP that ends in a softmax before the cross-entropy; fixed: without."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 32, 10))
    if not fixed:
        model.add_module("softmax", nn.Softmax(dim=1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05),
        20,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val/acc", 0.93)
        steady(found, "val/loss", 0.2)
    else:
        below(found, "val/acc", 0.75)


# "My network for house prices answers 1.0 for every house": the last layer is a sigmoid, as in the classifier it was copied from.
@pair("wrong-output-activation", (*POOR, "constant-answer", "saturated-sigmoid", "metric-at-chance"), "csv by hand")
def a_prices_sigmoid_head(run: Path, seed: int, fixed: bool) -> None:
    """Prices in thousands by an MLP whose output passes a sigmoid; fixed: a linear output."""
    of = houses(seed)
    model = models.mlp((10, 48, 24, 1))
    if not fixed:
        model.add_module("sigmoid", nn.Sigmoid())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        40,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_mse", 0.3)
    else:
        not_above(found, "val_r2", 0.0)


# "The loss is 1.386 from the first epoch to the last": pictures as cv2.imread gives them, 0 to 255, straight into the network.
@pair(
    "inputs-not-normalised",
    (
        *NOTHING_LEARNED,
        *BLOWN_UP,
        "data-not-normalized",
        "check-input-images",
        "initial-loss",
        "dead-relu",
        "constant-answer",
    ),
    "SummaryWriter with histograms of weights, gradients and activations",
    dumps=True,
)
def a_photos_of_bytes(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on pictures of 0 to 255 by a CNN; fixed: divided by 255."""
    of = pictures(seed)
    of = over(of, 255.0) if fixed else of
    model = convnet(12, 4, (3, 16, 16))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        18,
        writer,
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
        snapshots=Snapshots(HistogramDump(writer), model, 39, "collections"),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        not_above(found, "val_acc", 0.45)


# "My small GPT writes nothing but blanks": Adam(lr=0.1), because 0.1 had been the rate for SGD.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "validation-swings", "constant-answer"),
    "trainer_state.json",
)
def a_letters_at_a_tenth(run: Path, seed: int, fixed: bool) -> None:
    """The next character of a text by a small transformer under Adam(0.1); fixed: 0.003."""
    of, words = data.characters(seed, 24, 300)
    model = models.Transformer(words, vocabulary=words, width=32, length=24, layers=2)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3 if fixed else 0.1),
        16,
        TrainerState(run, per_epoch, 16 * per_epoch, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_accuracy", 0.55)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.35)


# "After 30 epochs the model is as good as on the first day": lr=1e-6 where 1e-2 was meant.
@pair(
    "learning-rate-too-low",
    (
        *NOTHING_LEARNED,
        "still-improving",
        "updates-too-small",
        "weight-update-ratio",
        "task-not-learned",
        "low-variance",
    ),
    "JSON lines, weights and gradients in HDF5",
    dumps=True,
)
def a_digits_at_a_millionth(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under SGD with momentum at 1e-6; fixed: 1e-2."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 48, 10), "tanh")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=1e-2 if fixed else 1e-6, momentum=0.9),
        30,
        JsonLines(run, "plain", "log.jsonl", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
        batch=64,
        snapshots=Snapshots(Hdf5Dump(run), model, 88, "collections", watched=False),
    )
    if fixed:
        above(found, "test_acc", 0.93)
        steady(found, "test_loss", 0.2)
    else:
        below(found, "test_acc", 0.3)
