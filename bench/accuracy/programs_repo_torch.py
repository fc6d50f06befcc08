"""Programs in torch as they lie in repositories, and after the commit that repaired them: axes, rates, schedules, steps, modes."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import reviews
from bench.accuracy.programs_repo_common import into, objects, overlap, ratings, scans

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class SmallUNet(nn.Module):
    """Down once and up again, with one skip; (n, 1, 16, 16) to (n, 3, 16, 16)."""

    def __init__(self) -> None:
        super().__init__()
        self.inc = nn.Sequential(nn.Conv2d(1, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU())
        self.down1 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(10, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.up1 = nn.Upsample(scale_factor=2)
        self.outc = nn.Conv2d(26, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        first = self.inc(x)
        return self.outc(torch.cat([first, self.up1(self.down1(first))], 1))


# In the manner of small U-Net repositories, "fix: softmax over channels (dim=1), not over the batch".
@pair("softmax-over-the-batch", (*BADLY_LEARNED, "initial-loss"), "SummaryWriter by epochs")
def unet_softmax_axis(run: Path, seed: int, fixed: bool) -> None:
    """Masks of scans by a small U-Net whose probabilities are F.softmax(x, dim=0); fixed: dim=1."""
    of = scans(seed)
    model = SmallUNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def nll(outputs: Tensor, masks: Tensor) -> Tensor:
        return functional.nll_loss(functional.log_softmax(outputs, 1 if fixed else 0), masks)

    def iou(outputs: Tensor, masks: Tensor) -> Tensor:
        return torch.tensor(overlap(outputs.argmax(1), masks))

    tags = ("Loss_seg/train", "mIoU/train", "Loss_seg/valid", "mIoU/valid")
    log = TensorBoard(run, "plain")
    found = fit(model, of, optimizer, 15, log, tags, loss=nll, metric=iou, seed=seed, batch=16)
    if fixed:
        above(found, "mIoU/valid", 0.75)
        steady(found, "Loss_seg/valid", 0.2)
    else:
        below(found, "mIoU/valid", 0.6)
        not_below(found, "Loss_seg/train", 1.5)


# In the manner of nanoGPT's many copies, "fix lr (6e-2 -> 6e-4, typo)", here with the rate that so small a model takes.
@pair("learning-rate-too-high", (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large"), "json lines by iterations")
def gpt_rate_typo(run: Path, seed: int, fixed: bool) -> None:
    """Characters by a tiny GPT with AdamW at 0.3 for 0.003; fixed: 0.003."""
    of, symbols = data.characters(seed)
    model = models.Transformer(symbols, symbols, layers=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3 if fixed else 0.3, betas=(0.9, 0.95))
    stream = data.batches(of, 16, seed)

    def nll(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(model(x).flatten(0, 1), y.flatten())

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        return nll(*next(stream)), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss = nll(of.x_val, of.y_val)
        return {"val_nll": float(loss), "valid ppl": float(loss.exp())}

    step = Descent(model, optimizer, objective, "train_nll", rate_tag="lr", clip=1.0, norm_tag="gnorm")
    log = JsonLines(run, "plain", "train_log.jsonl", "iter", timed=True)
    found = go(Course(step, 400, log, 5, evaluate=evaluate, evaluate_every=40))
    if fixed:
        below(found, "val_nll", 1.2)
        steady(found, "val_nll", 0.15)
    else:
        not_below(found, "val_nll", 2.3)


# In the manner of a course project on facial keypoints, "learning rate was 1e-6, now 2e-3".
@pair(
    "learning-rate-too-low",
    (*BADLY_LEARNED, "still-improving", "updates-too-small", "unchanged-tensor"),
    "SummaryWriter by epochs, with add_histogram",
    dumps=True,
)
def keypoints_slow(run: Path, seed: int, fixed: bool) -> None:
    """Centre and size of an object by a CNN under L1 with Adam at 0.000001; fixed: 0.002."""
    of = objects(seed)
    of = data.Split(of.x, of.y[:, 1:], of.x_val, of.y_val[:, 1:])
    model = nn.Sequential()
    for number, (before, after) in enumerate(((1, 8), (8, 16)), 1):
        model.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1))
        model.add_module(f"relu{number}", nn.ReLU())
        model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc1", nn.Linear(256, 48))
    model.add_module("relu3", nn.ReLU())
    model.add_module("fc2", nn.Linear(48, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 1e-6)

    def near(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets)[:, :2].norm(dim=1) < 0.1).float().mean()

    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 69, "torch", watched=False)
    tags = ("L1", "", "val_L1", "PCK@0.1")
    loss = functional.l1_loss
    found = fit(
        model, of, optimizer, 25, writer, tags, loss=loss, metric=near, seed=seed, batch=16, snapshots=snapshots
    )
    if fixed:
        above(found, "PCK@0.1", 0.85)
        steady(found, "val_L1", 0.2)
    else:
        below(found, "PCK@0.1", 0.4)
        not_below(found, "val_L1", 0.12)


class Factors(nn.Module):
    """Embeddings of users and items with biases; pairs (n, 2) to ratings (n, 1)."""

    def __init__(self, users: int, items: int, width: int = 6) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, width), nn.Embedding(items, width)
        self.bias = nn.Embedding(items, 1)
        for one in (self.user, self.item, self.bias):
            nn.init.normal_(one.weight, std=0.1)
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        """Ratings."""
        users, items = x[:, 0], x[:, 1]
        return (self.user(users) * self.item(items)).sum(1, keepdim=True) + self.bias(items) + self.mean


# In the manner of recommenders' repositories, "ReduceLROnPlateau: mode='min' for the loss".
@pair(
    "plateau-mode-wrong",
    ("learning-rate-zero", "schedule-mismatch", "updates-too-small", *BADLY_LEARNED),
    "csv by epochs",
)
def recommender_plateau(run: Path, seed: int, fixed: bool) -> None:
    """Ratings by factors, ReduceLROnPlateau(mode='max') on a loss that falls, so that the rate is soon nothing; fixed: 'min'."""
    of = ratings(seed)
    model = Factors(150, 90)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=2e-5)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min" if fixed else "max", patience=1, min_lr=1e-6)

    def also() -> dict[str, float]:
        with torch.no_grad():
            schedule.step(float(functional.mse_loss(model(of.x_val), of.y_val)))
        return {"lr": float(optimizer.param_groups[0]["lr"])}

    def rmse(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets).sqrt()

    tags = ("mse_loss", "train_rmse", "val_mse_loss", "val_rmse")
    log = Csv(run, "plain", "history.csv", "epoch")
    found = fit(
        model, of, optimizer, 16, log, tags, loss=functional.mse_loss, metric=rmse, seed=seed, batch=64, also=also
    )
    if fixed:
        below(found, "val_rmse", 0.72)
        steady(found, "val_mse_loss", 0.12)
    else:
        not_below(found, "val_rmse", 0.9)


class Indented:
    """An optimizer whose step() stands inside of `if i % interval == 0`."""

    def __init__(self, inner: torch.optim.Optimizer, interval: int) -> None:
        self.inner, self.interval, self.seen = inner, interval, 0
        self.param_groups, self.zero_grad = inner.param_groups, inner.zero_grad

    def step(self) -> None:
        """Step at each `interval`th call."""
        if self.seen % self.interval == 0:
            self.inner.step()
        self.seen += 1


# In the manner of a course's repository, "optimizer.step() was indented under the logging".
@pair(
    "step-in-the-wrong-block",
    (*NOTHING_LEARNED, "updates-too-small", "still-improving", "unchanged-tensor"),
    "csv by steps; weights and gradients in hdf5",
    dumps=True,
)
def step_under_logging(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN whose optimizer.step() is done only where the loss is printed, each 40th batch; fixed: at each."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    model = models.cnn()
    optimizer: Any = Indented(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5), 1 if fixed else 40)
    snapshots = Snapshots(Hdf5Dump(run, by_name=True), model, 50, "torch", watched=False)
    log = Csv(run, "plain", "progress.csv")
    tags = ("Train Loss", "Train Acc", "Val Loss", "Val Acc")
    found = fit(model, of, optimizer, 24, log, tags, seed=seed, batch=64, every=10, snapshots=snapshots)
    if fixed:
        above(found, "Val Acc", 0.9)
        steady(found, "Val Loss", 0.2)
    else:
        below(found, "Val Acc", 0.45)


# In the manner of text classifiers in repositories, "model.train() after validation, dropout was off from epoch 2 on".
@pair(
    "left-in-eval-mode",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "tensorboardX by epochs",
)
def never_back_to_train(run: Path, seed: int, fixed: bool) -> None:
    """Reviews by averaged embeddings under much dropout; validate() leaves the model in eval(); fixed: model.train() in each epoch."""
    of = reviews(seed, 420, share=0.13)
    model = nn.Sequential(
        nn.EmbeddingBag(300, 32), nn.Dropout(0.7), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.7), nn.Linear(32, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def also() -> dict[str, float]:
        model.train(fixed)
        return {}

    log = TensorBoard(run, "plain", x=True)
    tags = ("tr_loss", "tr_acc", "dev_loss", "dev_acc")
    epochs = 20 if fixed else 40
    found = fit(model, of, optimizer, epochs, log, tags, seed=seed, batch=16, also=also)
    if fixed:
        above(found, "dev_acc", 0.7)
        steady(found, "dev_loss", 0.15)
    else:
        not_below(found, "dev_loss", 1.5 * min(found["dev_loss"]))
        below(found, "tr_loss", 0.1)


class Detector(nn.Module):
    """A backbone, and heads for the class and the box."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU()
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.cls_head, self.box_head = nn.Linear(48, 3), nn.Linear(48, 4)
        self.frozen = frozen

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of classes, and boxes."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            y = self.pool(self.backbone(x)).flatten(1)
        return self.cls_head(y), self.box_head(y)


# In the manner of detection demos, "remove leftover torch.no_grad() around the backbone".
@pair(
    "backbone-without-gradients",
    (*BADLY_LEARNED, "unchanged-tensor", "gradient-all-zero", "updates-too-small"),
    "SummaryWriter by steps; weights in parquet",
    dumps=True,
)
def detector_no_grad(run: Path, seed: int, fixed: bool) -> None:
    """An object's class and box, with the backbone under no_grad since a profiling; fixed: without."""
    of = objects(seed)
    model = Detector(not fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(of, 24, seed)

    def losses(x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, float]]:
        kinds, boxes = model(x)
        kind, box = functional.cross_entropy(kinds, y[:, 0].long()), functional.l1_loss(boxes, y[:, 1:])
        right = float((kinds.argmax(1) == y[:, 0]).float().mean())
        return kind + 5 * box, {"loss_cls": float(kind.detach()), "loss_box": float(box.detach()), "cls_acc": right}

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        loss, parts = losses(*next(stream))
        return loss, {f"train/{name}": value for name, value in parts.items() if name != "cls_acc"}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss, parts = losses(of.x_val, of.y_val)
        return {"val/total_loss": float(loss)} | {f"val/{name}": value for name, value in parts.items()}

    snapshots = Snapshots(ParquetDump(run, "weights.parquet"), model, 50, "torch", watched=False)
    step = Descent(model, optimizer, objective, "train/total_loss", snapshots=snapshots)
    log = TensorBoard(run, "plain")
    found = go(Course(step, 450, log, 3, evaluate=evaluate, evaluate_every=15, snapshots=snapshots))
    if fixed:
        above(found, "val/cls_acc", 0.8)
        steady(found, "val/total_loss", 0.25)
    else:
        below(found, "val/cls_acc", 0.65)


# In the manner of MNIST class projects, "CrossEntropyLoss wants logits: drop nn.Softmax from the model".
@pair("softmax-before-the-loss", NOTHING_LEARNED, "SummaryWriter by epochs")
def softmax_then_crossentropy(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN that ends in nn.Softmax under CrossEntropyLoss; fixed: without it."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    model = nn.Sequential(models.cnn(), *([] if fixed else [nn.Softmax(dim=1)]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    tags = ("epoch/train_loss", "epoch/train_acc", "epoch/val_loss", "epoch/val_acc")
    log = TensorBoard(run, "plain")
    found = fit(model, of, optimizer, 15, log, tags, seed=seed, batch=32)
    if fixed:
        above(found, "epoch/val_acc", 0.85)
        steady(found, "epoch/val_loss", 0.25)
    else:
        below(found, "epoch/val_acc", 0.8)
        not_below(found, "epoch/train_loss", 1.7)
