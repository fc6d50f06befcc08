"""Programs of the field on images: classification, segmentation, boxes, keypoints, fine-tuning."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.data import Split
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, ParquetDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Snapshots,
    above,
    below,
    fit,
    into,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_field_logs import AddScalars, Detectron, Table

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def parted(x: np.ndarray, y: np.ndarray, share: float = 0.25) -> Split:
    """Arrays whose samples are independent as a split, the last share for validation."""
    cut = int(len(x) * (1 - share))
    whole = np.issubdtype(y.dtype, np.integer)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64 if whole else torch.float32)
    return Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def gratings(seed: int, samples: int = 800, classes: int = 5, noise: float = 0.7) -> Split:
    """Stripes of 12 × 12 pixels (n, 1, 12, 12); the class is their direction."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, samples)
    angle = np.pi * y / classes + random.normal(0, 0.06, samples)
    row, column = np.mgrid[0:12, 0:12]
    along = np.cos(angle)[:, None, None] * column + np.sin(angle)[:, None, None] * row
    x = np.sin(
        along * random.uniform(1.0, 1.4, samples)[:, None, None] + random.uniform(0, 6.3, samples)[:, None, None]
    )
    return parted((x + noise * random.normal(size=x.shape))[:, None], y)


def cells(seed: int, samples: int = 200, side: int = 16) -> Split:
    """Bright discs on noise (n, 1, side, side), and their masks of the same shape, which are about a tenth of the pixels."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[0:side, 0:side]
    mask = np.zeros((samples, side, side))
    for _ in range(2):
        centre, radius = random.uniform(2, side - 2, (samples, 2, 1, 1)), random.uniform(1.3, 2.6, (samples, 1, 1))
        mask = np.maximum(mask, (row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2 < radius**2)
    x = 1.1 * mask + 0.75 * random.normal(size=mask.shape)
    return parted(x[:, None], mask[:, None].astype(np.float32))


def blobs(seed: int, samples: int = 700, side: int = 16) -> Split:
    """One soft blob with a tail to the right on noise (n, 1, side, side), and where its middle is (n, 2), x and y from 0 to 1."""
    random = np.random.default_rng(seed)
    middle = random.uniform(0.12, 0.88, (samples, 2))
    row, column = np.mgrid[0:side, 0:side] / (side - 1)
    across, down = column - middle[:, 0, None, None], row - middle[:, 1, None, None]
    x = np.exp(-(across**2 + down**2) / 0.012) + 0.15 * random.normal(size=across.shape)
    return parted(x[:, None], middle.astype(np.float32))


class Residual(nn.Module):
    """A stack of 3 × 3 convolutions, with shortcuts or without."""

    def __init__(self, depth: int, width: int, classes: int, shortcut: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.fc = nn.Linear(width, classes)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        for layer, act in zip(self.layers, self.acts, strict=True):
            made = act(layer(y))
            y = y + 0.4 * made if self.shortcut else made
        return self.fc(y.mean((2, 3)))


class UNet(nn.Module):
    """Two levels with a skip, from images to logits of the same size."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.merge, self.out = nn.Conv2d(2 * width, width, 3, padding=1), nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = functional.relu(self.down1(x))
        two = functional.relu(self.down2(functional.max_pool2d(one, 2)))
        return self.out(functional.relu(self.merge(torch.cat([one, self.up(two)], 1))))


def small_cnn(outputs: int, width: int = 8, norm: float | None = None, side: int = 12) -> nn.Sequential:
    """Two convolutions and two dense layers; with batch norm of this momentum."""
    inner = [] if norm is None else [nn.BatchNorm2d(width, momentum=norm)]
    flat = 2 * width * (side // 4) ** 2
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        *inner,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(flat, 32),
        nn.ReLU(),
        nn.Linear(32, outputs),
    )


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Overlap of what is over one half with the mask: twice what both have over the sum of what each has."""
    said = (logits > 0).float()
    return 2 * (said * mask).sum() / (said.sum() + mask.sum() + 1e-6)


@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "updates-too-small", "gradient-all-zero", *NOTHING_LEARNED),
    "tensorboardX; tensors in hdf5",
    dumps=True,
)
def plain_deep_convolutions(run: Path, seed: int, fixed: bool) -> None:
    """A stack of 24 convolutions whose shortcuts were lost in a refactoring, through which no gradient comes; fixed: with shortcuts."""
    model = Residual(24, 8, 5, fixed)
    log = TensorBoard(run, "plain", x=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    tags = ("train/loss_step", "train/acc_step", "val/loss", "val/acc")
    kept = Snapshots(Hdf5Dump(run), model, 48, "torch", watched=False)
    of = gratings(seed, 500)
    trail = fit(model, of, optimizer, 20, log, tags, seed=seed, every=5, snapshots=kept, norm_tag="train/grad_norm")
    if fixed:
        above(trail, "val/acc", 0.6)
        steady(trail, "val/loss")
    else:
        not_above(trail, "val/acc", 0.33)
        not_below(trail, "train/loss_step", 1.55)


@pair(
    "class-imbalance",
    ("class-imbalance", "classifier-confusion", "metric-at-chance", "underfit"),
    "CSV of timm",
    dumps=True,
)
def masks_of_few_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Cells in noise by a U-Net under a plain mean over pixels, most of which are background, with a weight for it of one by mistake
    (pos_weight upside down): it says background everywhere; fixed: the weight for the cells.
    """
    of = cells(seed)
    share = float(of.y.mean())
    weight = torch.tensor((1 - share) / share / 2 if fixed else share / 4)
    model = UNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    kept = Snapshots(Hdf5Dump(run), model, 40, watched=False)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        if logits.requires_grad:
            kept.extra.update({"labels/mask": mask[:8].numpy(), "predictions/mask": (logits[:8] > 0).float().numpy()})
        return functional.binary_cross_entropy_with_logits(logits, mask, pos_weight=weight)

    tags = ("train_loss", "train_dice", "eval_loss", "eval_dice")
    log = Table(run / "summary.csv")
    trail = fit(
        model, of, optimizer, 18, log, tags, loss=loss, metric=dice, batch=10, seed=seed, snapshots=kept, rate_tag="lr"
    )
    if fixed:
        above(trail, "eval_dice", 0.5)
        steady(trail, "eval_loss")
    else:
        not_above(trail, "eval_dice", 0.2)


@pair("loss-sign", ("metric-at-chance", "underfit", "best-is-not-last", "loss-plateau"), "results.csv of YOLO")
def overlap_made_small(run: Path, seed: int, fixed: bool) -> None:
    """A soft Dice loss whose `1 -` was forgotten, so that the overlap is made small and the loss goes down to 0; fixed: with it."""

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        said = logits.sigmoid()
        overlap = (2 * (said * mask).sum() + 1) / (said.sum() + mask.sum() + 1)
        return 1 - overlap if fixed else overlap

    model = UNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    tags = ("train/seg_loss", "", "val/seg_loss", "metrics/mIoU")
    log = Table(run / "results.csv", padded=True)
    trail = fit(
        model, cells(seed), optimizer, 20, log, tags, loss=loss, metric=dice, batch=10, seed=seed, rate_tag="x/lr0"
    )
    if fixed:
        above(trail, "metrics/mIoU", 0.5)
        steady(trail, "val/seg_loss")
    else:
        not_above(trail, "metrics/mIoU", 0.05)


@pair(
    "targets-not-scaled",
    ("initial-loss", "data-not-normalized", "underfit", "still-improving", "metric-at-chance"),
    "results.csv of YOLO",
)
def boxes_in_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Boxes given in pixels of the original photograph (thousands) to a network with a small rate; fixed: as shares of the picture."""
    of = blobs(seed, 500)
    size = torch.full((len(of.y), 2), 0.2)
    boxes, boxes_val = torch.cat([of.y, size], 1), torch.cat([of.y_val, size[: len(of.y_val)]], 1)
    scale = 1.0 if fixed else 4000.0
    of = Split(of.x, boxes * scale, of.x_val, boxes_val * scale)

    def near(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets)[:, :2].abs().amax(1) < 0.1 * scale).float().mean()

    model = small_cnn(4, side=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tags = ("train/box_loss", "", "val/box_loss", "metrics/mAP50(B)")
    log = Table(run / "results.csv", padded=True, clock="time")
    trail = fit(
        model,
        of,
        optimizer,
        30,
        log,
        tags,
        loss=functional.smooth_l1_loss,
        metric=near,
        seed=seed,
        rate_tag="lr/pg0",
    )
    if fixed:
        above(trail, "metrics/mAP50(B)", 0.7)
        steady(trail, "val/box_loss", 0.3)
    else:
        not_above(trail, "metrics/mAP50(B)", 0.2)


@pair("wrong-labels", (*BADLY_LEARNED, "metric-at-chance"), "metrics.json of detectron2")
def flipped_without_keypoints(run: Path, seed: int, fixed: bool) -> None:
    """Pictures are flipped or turned at random and their keypoints are not, so that the labels are wrong for most; fixed: both are."""

    def augment(_: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        for axis, part in ((3, 0), (2, 1)):
            hit = torch.rand(len(x)) < 0.5
            x = torch.where(hit[:, None, None, None], x.flip(axis), x)
            if fixed:
                y = y.clone()
                y[:, part] = torch.where(hit, 1 - y[:, part], y[:, part])
        return x, y

    of = blobs(seed)
    model = small_cnn(2, side=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = Detectron(run, 17 * 30)
    tags = ("loss_keypoint", "", "validation_loss", "keypoint/PCK")

    def hits(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets).square().sum(1).sqrt() < 0.12).float().mean()

    trail = fit(
        model, of, optimizer, 30, log, tags, loss=functional.l1_loss, metric=hits, alter=augment, seed=seed, every=10,
        rate_tag="lr",
    )  # fmt: skip
    if fixed:
        above(trail, "keypoint/PCK", 0.7)
        steady(trail, "validation_loss", 0.3)
    else:
        not_above(trail, "keypoint/PCK", 0.35)
        not_below(trail, "loss_keypoint", 0.15)


@pair("train-eval-mismatch", (*VALIDATION_LOST, "loss-divergence"), "tensorboard by add_scalars")
def stale_running_statistics(run: Path, seed: int, fixed: bool) -> None:
    """Batch norm whose momentum was taken over from Keras (0.99 meant as 0.01), here 1e-5: at evaluation it scales by its initial
    statistics, though the pictures lie far from zero; fixed: 0.1.
    """
    of = gratings(seed)
    of = Split(of.x * 40 + 110, of.y, of.x_val * 40 + 110, of.y_val)
    model = nn.Sequential(nn.BatchNorm2d(1, momentum=0.1 if fixed else 1e-5), small_cnn(5, norm=0.1 if fixed else 1e-5))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    tags = ("Loss|train", "Accuracy|train", "Loss|val", "Accuracy|val")
    trail = fit(model, of, optimizer, 15, AddScalars(run), tags, seed=seed)
    if fixed:
        above(trail, "Accuracy|val", 0.8)
        steady(trail, "Loss|val", 0.25)
    else:
        above(trail, "Accuracy|train", 0.85)
        not_above(trail, "Accuracy|val", 0.5)


@pair(
    "moving-average-never-updated",
    ("unchanged-tensor", *VALIDATION_LOST, "loss-not-decreasing", "loss-plateau"),
    "CSV of timm; weights in parquet",
    dumps=True,
)
def average_left_behind(run: Path, seed: int, fixed: bool) -> None:
    """The model that is evaluated is a moving average that nobody updates, so it stays as it was made; fixed: updated each step."""
    of = gratings(seed)
    model, average = small_cnn(5), small_cnn(5)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    kept = Snapshots(ParquetDump(run), model, 95, "torch", watched=False)

    def also() -> dict[str, float]:
        kept.extra.update({f"ema.{name}": one.numpy().copy() for name, one in average.state_dict().items()})
        with torch.no_grad():
            outputs = average(of.x_val)
        return {
            "eval_loss": float(cross_entropy(outputs, of.y_val)),
            "eval_top1": 100 * float(accuracy(outputs, of.y_val)),
        }

    def alter(_: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if fixed:
            for slow, one in zip(average.parameters(), model.parameters(), strict=True):
                slow.data.lerp_(one.data, 0.05)
        return x, y

    log = Table(run / "summary.csv")
    tags = ("train_loss", "", "", "")
    also()
    trail = fit(model, of, optimizer, 20, log, tags, alter=alter, also=also, seed=seed, snapshots=kept, rate_tag="lr")
    below(trail, "train_loss", 0.5)
    if fixed:
        above(trail, "eval_top1", 80)
        steady(trail, "eval_loss", 0.2)
    else:
        not_above(trail, "eval_top1", 40)


@pair("fine-tuning-too-fast", (*BLOWN_UP, "updates-too-large", *NOTHING_LEARNED), "history.csv of fastai")
def forgotten_pretraining(run: Path, seed: int, fixed: bool) -> None:
    """A network trained on the one half of the classes of digits is tuned on all with the rate for SGD under Adam, which wipes out what it
    knew; fixed: a small one.
    """
    of = data.bundled("digits", seed).as_images()
    first = of.y < 5
    model = small_cnn(10, side=8)
    known = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        known.zero_grad()
        chosen = torch.randperm(int(first.sum()))[:64]
        cross_entropy(model(of.x[first][chosen]), of.y[first][chosen]).backward()
        known.step()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 0.3)
    tags = ("train_loss", "", "valid_loss", "accuracy")
    trail = fit(model, of, optimizer, 15, Table(run / "history.csv", clock="time"), tags, seed=seed)
    if fixed:
        above(trail, "accuracy", 0.93)
        steady(trail, "valid_loss")
    else:
        not_above(trail, "accuracy", 0.3)
        require(not trail["valid_loss"][-1] < 2, told(trail))


@pair("wrong-validation-labels", VALIDATION_LOST, "metrics.csv of Lightning")
def folders_sorted_otherwise(run: Path, seed: int, fixed: bool) -> None:
    """The folders of the classes of the validation are listed in another order than those of the training, so that its labels mean
    other classes; fixed: one list for both."""
    of = gratings(seed)
    if not fixed:
        of = Split(of.x, of.y, of.x_val, (of.y_val * 2 + 1) % 5)
    model = small_cnn(5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
    tags = ("train_loss", "train_acc", "val_loss", "val_acc")
    (run / "lightning_logs" / "version_0").mkdir(parents=True)
    log = Csv(run / "lightning_logs" / "version_0", "plain")
    trail = fit(model, of, optimizer, 14, log, tags, seed=seed, every=7)
    above(trail, "train_acc", 0.85)
    if fixed:
        above(trail, "val_acc", 0.8)
        steady(trail, "val_loss", 0.25)
    else:
        require(last(trail, "val_acc") < 0.4, told(trail))
