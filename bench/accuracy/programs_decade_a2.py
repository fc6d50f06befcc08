"""Programs in PyTorch whose loss, labels, order of data or loop is wrong; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_decade_a_common import beats, cells, parcels
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, flats, gestures, spectra
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, not_above, steady, told
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Accuracy is fine-ish but the loss never gets below 1.5": nn.Softmax at the end of the model, and nn.CrossEntropyLoss.
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "loss-not-decreasing", "underfit", "most-answers-wrong"),
    "SummaryWriter with train/loss and histograms of weights and gradients",
    dumps=True,
)
def softmax_then_cross_entropy(run: Path, seed: int, fixed: bool) -> None:
    """Twelve kinds of parcels by an MLP that ends in softmax; fixed: in logits."""
    of = parcels(seed)
    model = models.mlp((16, 48, 48, 12))
    if not fixed:
        model.add_module("softmax", nn.Softmax(dim=-1))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        writer,
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 44, "torch", watched=False),
    )
    if fixed:
        above(found, "val/acc", 0.75)
        steady(found, "val/loss", 0.2)
    else:
        require(found["val/loss"][-1] > 1.6, f"loss was to stay high: {told(found)}")


# "My loss is at minus 50,000, is that good?": nn.NLLLoss on the bare outputs of the last layer, without log_softmax.
@pair(
    "wrong-loss-for-the-task",
    ("impossible-loss", "loss-divergence", "exploding-tensor", "exploding-gradient", "task-not-learned"),
    "csv by hand with a row for each epoch",
)
def nll_on_bare_outputs(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic by their spectra with NLLLoss on outputs without log_softmax; fixed: with it."""
    of = spectra(seed)
    model = models.mlp((60, 32, 5))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.nll_loss(functional.log_softmax(outputs, -1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        15,
        Csv(run, "plain", "train_log.csv", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        loss=loss,
        seed=seed,
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        require(found["val_loss"][-1] < -10, told(found))


# "UserWarning: Using a target size (32) that is different to the input size (32, 1)", which was ignored.
@pair(
    "wrong-reshape",
    ("loss-not-decreasing", "loss-plateau", "underfit", "constant-answer", "task-not-learned", "worse-than-baseline"),
    "printed log with a line for each epoch",
)
def rents_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Rents of flats by an MLP whose MSELoss compares (n, 1) with (n,); fixed: with (n, 1)."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)
    model = models.mlp((9, 32, 16, 1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets if fixed else targets[:, 0])

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        25,
        Console(run, "plain", "train.log", "epoch"),
        ("train_loss", "", "val_loss", "val_r2"),
        loss=loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        not_above(found, "val_r2", 0.15)


# "Validation is random although training reaches 100 %": df.sample(frac=1) on the features, not on the column of the labels.
@pair(
    "shuffled-labels",
    ("overfit", "metric-at-chance", "generalisation-gap", "overtraining", "best-is-not-last", "error-rises"),
    "SummaryWriter with Loss/train, Accuracy/test",
)
def labels_out_of_step(run: Path, seed: int, fixed: bool) -> None:
    """Five gestures by a GRU, with labels of other rows; fixed: of their own."""
    of = gestures(seed, 420)
    order = torch.randperm(len(of.y), generator=data.generator(seed))
    of = replace(of, x=of.x[order], y=of.y[order] if fixed else of.y)
    model = models.Recurrent("gru", 3, 32, 5)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        30,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/test", "Accuracy/test"),
        seed=seed,
    )
    if fixed:
        above(found, "Accuracy/test", 0.85)
        steady(found, "Loss/test", 0.35)
    else:
        below(found, "Accuracy/test", 0.35)


# "Classes 2 to 11 are always wrong on the test set": the folders were sorted as text, so '10' and '11' come before '2'.
@pair(
    "labels-wrong-for-some-classes",
    (
        "generalisation-gap",
        "most-answers-wrong",
        "class-never-found",
        "overfit",
        "confidently-wrong",
        "metric-at-chance",
    ),
    "trainer_state.json of a Hugging Face trainer",
)
def folders_sorted_as_text(run: Path, seed: int, fixed: bool) -> None:
    """Twelve kinds of parcels, numbered in training as text is sorted; fixed: as numbers are."""
    of = parcels(seed)
    if not fixed:
        ranks = {int(name): rank for rank, name in enumerate(sorted(str(one) for one in range(12)))}
        of = replace(of, y=torch.tensor([ranks[int(one)] for one in of.y]))
    model = models.mlp((16, 48, 12), "gelu", dropout=0.1)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        12,
        TrainerState(run, per_epoch, 12 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.3)


# "Loss goes up and down in waves": DataLoader(shuffle=False) on recordings that lie patient by patient, class by class.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "loss-spike",
        "validation-swings",
        "loss-not-decreasing",
        "metric-at-chance",
    ),
    "SummaryWriter with loss each 2 batches",
)
def beats_class_by_class(run: Path, seed: int, fixed: bool) -> None:
    """Heart beats by a 1-D CNN in the order of their classes; fixed: shuffled."""
    of = beats(seed, 480)
    order = of.y.argsort()
    of = replace(of, x=of.x[order], y=of.y[order])
    layers = (nn.Conv1d(1, 12, 7, stride=2), nn.ReLU(), nn.Conv1d(12, 16, 5, stride=2), nn.ReLU(), nn.Flatten())
    model = nn.Sequential(*layers, nn.Linear(208, 4))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        20,
        TensorBoard(run, "plain"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        every=2,
        shuffled=fixed,
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.6)


# "The segmentation net was fine for some batches, then the Dice is 0": optimizer.zero_grad() went lost in a refactoring.
@pair(
    "missing-zero-grad",
    (
        "exploding-gradient",
        "loss-spike",
        "unstable-loss",
        "updates-too-large",
        "loss-not-decreasing",
        "validation-swings",
    ),
    "Lightning's metrics.csv and tensors in HDF5",
    dumps=True,
)
def cells_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small convolutional net whose gradients add up for ever; fixed: they are cleared."""
    of = cells(seed)
    model = nn.Sequential()
    for number, (before, after) in enumerate(((1, 8), (8, 8), (8, 1)), start=1):
        model.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1))
        if number < 3:
            model.add_module(f"relu{number}", nn.ReLU())

    def dice(outputs: Tensor, targets: Tensor) -> Tensor:
        said = (outputs > 0).float()
        return 2 * (said * targets).sum() / (said.sum() + targets.sum()).clamp(min=1)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        15,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_dice", "val_loss", "val_dice"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=dice,
        batch=16,
        seed=seed,
        zero=fixed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 30, watched=False),
    )
    if fixed:
        above(found, "val_dice", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_dice", 0.7)


# "In production everybody stays": the scaler is fitted in train.py, and evaluate.py feeds the columns as they are.
@pair(
    "train-validation-preprocessing-differs",
    ("generalisation-gap", "overfit", "metric-at-chance", "most-answers-wrong", "confidently-wrong", "constant-answer"),
    "JSON lines by hand",
)
def customers_scaled_in_training_only(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, with validation data that are not standardised; fixed: as in training."""
    of = customers(seed, clear=3.0)
    if not fixed:
        of = replace(of, x_val=customers(seed, clear=3.0, scaled=False).x_val)
    model = models.mlp((12, 24, 2))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        JsonLines(run, "plain", "log.jsonl", "epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "valid_acc", 0.8)
        steady(found, "valid_loss", 0.15)
    else:
        require(found["valid_loss"][-1] > 3, told(found))
        below(found, "valid_acc", 0.75)
