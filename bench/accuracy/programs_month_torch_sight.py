"""Month programs in torch on pictures: labels, losses, preprocessing, heads, schedules and initialisation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, not_above, not_below, steady
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_torch_common import Only, cells, dials, fruit, pixels

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def small_cnn(channels: int, classes: int, width: int = 12, pool: int = 2) -> nn.Sequential:
    """Two convolutions, pooled, and a dense layer."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(pool),
        nn.Conv2d(width, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Linear(144, classes),
    )


# "99 % in training, 8 % in validation, and it is not overfitting": ImageFolder sorts 1, 10, 11, 12, 2 …, my own test set counts.
@pair(
    "labels-wrong",
    (
        "classifier-confusion",
        "most-answers-wrong",
        "confidently-wrong",
        "generalisation-gap",
        "error-rises",
        "metric-at-chance",
    ),
    "Lightning's metrics.csv",
)
def torch_dials_by_folder(run: Path, seed: int, fixed: bool) -> None:
    """Hours on dials by a CNN, classes of training in the order of folder names; fixed: in the order of numbers."""
    of = dials(seed)
    if not fixed:
        order = sorted(str(one) for one in range(1, 13))
        of = replace(of, y=torch.tensor([order.index(str(one + 1)) for one in range(12)])[of.y])
    model = small_cnn(1, 12, 16)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        14,
        Csv(run, "plain", axis="epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    above(found, "train_acc", 0.8)
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.3)


# "My U-Net marks everything": the network ends in a sigmoid, and the loss is BCEWithLogitsLoss.
@pair(
    "sigmoid-twice",
    ("softmax-twice", "loss-plateau", "underfit", "loss-not-decreasing", "task-not-learned", "metric-at-chance"),
    "SummaryWriter with Loss/train and IoU/val",
)
def torch_cells_sigmoid_twice(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small convolutional net with a sigmoid before a loss that has one; fixed: without."""
    of = cells(seed)
    layers: list[nn.Module] = [nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 10, 3, padding=1), nn.ReLU()]
    layers.append(nn.Conv2d(10, 1, 3, padding=1))
    model = nn.Sequential(*layers, *([] if fixed else [nn.Sigmoid()]))

    def overlap(outputs: Tensor, targets: Tensor) -> Tensor:
        said = torch.sigmoid(outputs) > 0.5
        return (said & (targets > 0)).sum() / (said | (targets > 0)).sum().clamp(min=1)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        18,
        TensorBoard(run, "plain"),
        ("Loss/train", "IoU/train", "Loss/val", "IoU/val"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=overlap,
        batch=16,
        seed=seed,
        rate_tag="LR",
    )
    if fixed:
        above(found, "IoU/val", 0.7)
        steady(found, "Loss/val", 0.2)
    else:
        below(found, "IoU/val", 0.4)
        not_below(found, "Loss/val", 0.5)


# "The new head does not move": the optimizer was made from the trainable parameters, and model.fc replaced after that.
@pair(
    "parameters-not-in-optimizer",
    ("unchanged-tensor", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "updates-too-small", "underfit"),
    "csv by hand and HDF5 of weights and gradients",
    dumps=True,
    layer="fc",
)
def torch_stamps_new_head(run: Path, seed: int, fixed: bool) -> None:
    """Digits 5 to 9 by a net trained on 0 to 4, frozen, whose new head came after the optimizer; fixed: before it."""
    of = pixels(seed).as_images()
    old, new = of.y < 5, of.y >= 5
    model = models.cnn(5, (12, 16))
    first = torch.optim.Adam(model.parameters(), lr=5e-3)
    for start in range(0, int(old.sum()) * 4, 32):
        chosen = (torch.arange(start, start + 32) * 7) % int(old.sum())
        first.zero_grad()
        functional.cross_entropy(model(of.x[old][chosen]), of.y[old][chosen]).backward()
        first.step()
    for one in model.parameters():
        one.requires_grad_(False)
        one.grad = None
    head = nn.Linear(model.get_submodule("fc").in_features, 5)  # type: ignore[arg-type]
    model.get_submodule("fc").requires_grad_(True)
    if fixed:
        model.fc = head
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=2e-3)
    model.fc = head
    new_val = of.y_val >= 5
    of = data.Split(of.x[new], of.y[new] - 5, of.x_val[new_val], of.y_val[new_val] - 5)
    dump = Only(Hdf5Dump(run), lambda name: "activations" not in name)
    found = fit(
        model,
        of,
        optimizer,
        20,
        Csv(run, "plain", "finetune.csv", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
        snapshots=Snapshots(dump, model, 44, watched=False),
    )
    if fixed:
        above(found, "test_acc", 0.85)
        steady(found, "test_loss", 0.2)
    else:
        below(found, "test_acc", 0.55)


# "It learns for one epoch and then sleeps": scheduler.step() slipped into the loop over batches, StepLR(step_size=10, gamma=0.1).
@pair(
    "learning-rate-zero-too-early",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "loss-plateau", "underfit", "stalled-training"),
    "SummaryWriter with loss/train, lr",
)
def torch_tiles_scheduler_in_batches(run: Path, seed: int, fixed: bool) -> None:
    """Hours on dials by a CNN whose StepLR counts batches; fixed: epochs."""
    of = dials(seed, noise=0.2)
    model = small_cnn(1, 12)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    epoch = data.steps_per_epoch(of, 32) if fixed else 1
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("loss/train", "", "loss/val", "acc/val"),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.StepLR(optimizer, 10 * epoch, 0.1),
    )
    if fixed:
        above(found, "acc/val", 0.85)
        steady(found, "loss/val", 0.2)
    else:
        below(found, "acc/val", 0.5)


# "Good on my laptop's loader, bad in the evaluation": the training set was read by PIL (RGB), the validation set by cv2 (BGR).
@pair(
    "preprocessing-differs",
    (
        "generalisation-gap",
        "classifier-confusion",
        "confidently-wrong",
        "error-rises",
        "overfit",
        "most-answers-wrong",
    ),
    "printed log with a line for each epoch",
)
def torch_fruit_in_bgr(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of fruit by a CNN, validation pictures with channels the other way round; fixed: the same way."""
    of = fruit(seed)
    of = of if fixed else replace(of, x_val=of.x_val.flip(1))
    model = small_cnn(3, 4)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        20,
        Console(run, "plain", "run.log", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.55)


# "The deeper the net, the flatter the curve": ten layers of sigmoids, as in the lecture of 1998.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "constant-answer"),
    "jsonl, and Parquet of gradients only",
    dumps=True,
)
def torch_digits_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by ten layers of sigmoids under SGD; fixed: ReLU with Kaiming's start."""
    of = pixels(seed)
    model = models.mlp((64, *[48] * 9, 10), "relu" if fixed else "sigmoid")
    for one in model.modules():
        if fixed and isinstance(one, nn.Linear):
            nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
            nn.init.zeros_(one.bias)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        24,
        JsonLines(run, "plain", "history.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        batch=48,
        seed=seed,
        snapshots=Snapshots(Only(ParquetDump(run), lambda name: "gradients" in name), model, 42, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.87)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.3)


# "Loss 900 at the start, is that bad?": every weight from torch.nn.init.normal_, whose standard deviation is 1.
@pair(
    "initialisation-too-large",
    ("initial-loss", "poor-initialization", "exploding-gradient", "exploding-tensor", "confidently-wrong"),
    "SummaryWriter with histograms of weights and gradients",
    dumps=True,
)
def torch_digits_normal_init(run: Path, seed: int, fixed: bool) -> None:
    """Digits by four dense layers from N(0, 1); fixed: Kaiming's."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 96, 96, 10))
    for one in model.modules():
        if isinstance(one, nn.Linear):
            start: Any = nn.init.kaiming_normal_ if fixed else nn.init.normal_
            start(one.weight)
            nn.init.zeros_(one.bias)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        10,
        writer,
        ("train/loss", "train/acc", "valid/loss", "valid/acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 43, "torch", watched=False),
    )
    if fixed:
        above(found, "valid/acc", 0.93)
        steady(found, "valid/loss", 0.3)
    else:
        not_below(found, "valid/loss", 5)


# "GPT uses 0.1, so I do": weight_decay=0.1 in Adam, which adds it to the gradient, and not in AdamW.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "constant-answer"),
    "csv by hand, and HDF5 of weights six times a run",
    dumps=True,
)
def torch_digits_adam_decay(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN under Adam with an L2 term of 0.1; fixed: AdamW."""
    of = pixels(seed).as_images()
    model = models.cnn(10, (10, 16, 16))
    kind: Any = torch.optim.AdamW if fixed else torch.optim.Adam
    found = fit(
        model,
        of,
        kind(model.parameters(), lr=2e-3, weight_decay=0.1),
        15,
        Csv(run, "plain", "training.csv", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Only(Hdf5Dump(run, by_name=True), lambda n: "weights" in n), model, 108, watched=False),
    )
    if fixed:
        above(found, "val_accuracy", 0.93)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.6)


# "The first batches of each epoch are fine": optimizer.zero_grad() stands above the loop over batches.
@pair(
    "zero-grad-missing",
    ("learning-rate-too-high", "unstable-loss", "loss-divergence", "exploding-gradient", "loss-not-decreasing"),
    "SummaryWriter with one value for each ten batches and the gradient norm",
)
def torch_fruit_zero_grad_above(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of fruit by a CNN whose gradients are cleared once an epoch; fixed: at each batch."""
    of = fruit(seed, 800, noise=0.25)
    model = small_cnn(3, 4)
    per_epoch = data.steps_per_epoch(of, 16)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if (step - 1) % per_epoch == 0:
            optimizer.zero_grad()
        return x, y

    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    found = fit(
        model,
        of,
        optimizer,
        10,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/acc"),
        batch=16,
        seed=seed,
        every=10,
        zero=fixed,
        alter=alter,
        norm_tag="train/grad_norm",
    )
    if fixed:
        above(found, "val/acc", 0.85)
        steady(found, "val/loss", 0.3)
    else:
        not_above(found, "val/acc", 0.6)


# "It predicts the same hour for all": trained with the softmax in forward() and CrossEntropyLoss on top, under SGD.
@pair(
    "softmax-twice",
    ("softmax-twice", "loss-plateau", "underfit", "loss-not-decreasing", "still-improving"),
    "Keras-like directories train and validation",
)
def torch_dials_softmax_twice(run: Path, seed: int, fixed: bool) -> None:
    """Hours on dials by a CNN that ends in a softmax before cross-entropy; fixed: without."""
    from bench.accuracy.loggers import KerasDirectories

    of = dials(seed)
    model = small_cnn(1, 12)
    model = model if fixed else model.append(nn.Softmax(-1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        16,
        KerasDirectories(run),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        metric=accuracy,
        seed=seed,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        not_below(found, "val_loss", 1.9)
