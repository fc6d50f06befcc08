"""Programs of small repositories in plain PyTorch, second part: tables, signals, faces, diffusion, adversaries and series."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import (
    arrows,
    flats,
    gestures,
    inspections,
    spectra,
)
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_hobby_common import into
from bench.accuracy.programs_hobby_torch_common import HistoryJson, MlflowFiles, Printed, WandbHistory
from bench.accuracy.programs_post_common import explained, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "MSE of 70000000000, is this normal?": the prices are in euros, and nobody scaled them.
@pair(
    "target-not-normalised",
    ("underfit", "loss-not-decreasing", "loss-plateau", "still-improving", "updates-too-small", "task-not-learned"),
    "JSON lines, one an epoch",
)
def flat_prices_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Prices of flats (300 rents) by an MLP under Adam(1e-3) with targets of 240,000; fixed: standardised."""
    of = flats(seed)
    of = replace(of, y=of.y * 300, y_val=of.y_val * 300)
    if fixed:
        mean, spread = of.y.mean(), of.y.std()
        of = replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)
    model = models.mlp((9, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        40,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("train_mse", "", "test_mse", "test_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "test_r2", 0.8)
        steady(found, "test_mse", 0.3)
    else:
        not_above(found, "test_r2", 0.3)


# "Loss stops moving after the first epoch": StepLR(optimizer, 10, 0.5), with scheduler.step() inside the loop over batches.
@pair(
    "scheduler-stepped-per-batch",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", *BADLY_LEARNED),
    "Lightning's metrics.csv",
)
def gesture_lstm(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by an LSTM whose rate is halved after ten batches instead of ten epochs; fixed: epochs."""
    of = gestures(seed, noise=0.4)
    model = models.Recurrent("lstm", 3, 32, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        30,
        Csv(run, "lightning", "metrics.csv"),
        ("train_loss", "", "val_loss", "val_acc"),
        seed=seed,
        every=per_epoch,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.StepLR(optimizer, 10 * per_epoch if fixed else 10, 0.5),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.6)


# "Why does my deep net stay at 20 %?": ten layers, each with nn.Sigmoid(), as in the lecture on the perceptron.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", *NOTHING_LEARNED, "constant-answer", "updates-too-small", "gradient-all-zero"),
    "jsonl by hand, and a Parquet file of weights, gradients and activations",
    dumps=True,
)
def plastics_mlp(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra by an MLP of ten sigmoid layers; fixed: ReLU after batch normalisation."""
    of = spectra(seed)
    model = models.mlp((60, *[32] * 10, 5), "relu" if fixed else "sigmoid", norm=fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        24,
        JsonLines(run, "plain", "log.jsonl", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        batch=32,
        seed=seed,
        norm_tag="grad_norm",
        snapshots=Snapshots(ParquetDump(run), model, 28, "collections"),
    )
    if fixed:
        above(found, "val_accuracy", 0.6)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# "Fine-tuning does nothing": the optimizer was made of model.parameters() before model.fc was replaced; the backbone is frozen.
@pair(
    "parameters-not-in-optimizer",
    ("unchanged-tensor", "updates-too-small", "weight-update-ratio", *NOTHING_LEARNED),
    "SummaryWriter with loss/train, and add_histogram of torch's names",
    dumps=True,
)
def shapes_transfer(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a new head on a backbone that was trained on others, and an optimizer that holds the old head; fixed: the new one."""
    old = pictures(seed + 50)
    of = pictures(seed)
    model = nn.Sequential()
    for number, (before, after) in enumerate(((3, 12), (12, 24)), start=1):
        model.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1))
        model.add_module(f"relu{number}", nn.ReLU())
        model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(216, 4))
    before_that = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(old, 32, seed)
    for _ in range(150):
        x, y = next(stream)
        before_that.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(x / 128 - 1), y))
        before_that.step()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    model.add_module("fc", nn.Linear(216, 4))
    if fixed:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for name, one in model.named_parameters():
        one.requires_grad = name.startswith("fc")
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        replace(of, x=of.x / 128 - 1, x_val=of.x_val / 128 - 1),
        optimizer,
        15,
        writer,
        ("loss/train", "acc/train", "loss/val", "acc/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 13, "torch", watched=False),
        rate_tag="lr",
    )
    if fixed:
        above(found, "acc/val", 0.8)
        steady(found, "loss/val", 0.3)
    else:
        below(found, "acc/val", 0.45)


# "Triplet loss is stuck at exactly the margin": batch-hard mining from the first step on, on embeddings that mean nothing yet.
@pair(
    "embedding-collapse",
    ("loss-at-margin", "representation-collapse", *NOTHING_LEARNED),
    "MLflow's folder of files",
)
def triplet_shapes(run: Path, seed: int, fixed: bool) -> None:
    """Embeddings of arrows by a triplet loss with the hardest triplets of a batch; fixed: with all triplets."""
    of = arrows(seed, noise=0.3)
    model = nn.Sequential(
        *(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 3), nn.ReLU(), nn.Flatten()),
        nn.Linear(144, 8),
    )
    stream = data.batches(of, 40, seed)

    def triplet(z: Tensor, y: Tensor) -> Tensor:
        far = (z[:, None] - z).square().sum(-1).add(1e-9).sqrt()
        same = y[:, None] == y
        if not fixed:
            return (far.masked_fill(~same, 0).amax(1) - far.masked_fill(same, 1e9).amin(1) + 0.5).relu().mean()
        valid = same[:, :, None] & ~same[:, None] & ~torch.eye(len(y), dtype=torch.bool)[:, :, None]
        return (far[:, :, None] - far[:, None] + 0.5).relu()[valid].mean()

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            z = model(of.x_val)
            near = (torch.cdist(z, z) + 1e9 * torch.eye(len(z))).argmin(1)
            hit = float((of.y_val[near] == of.y_val).float().mean())
            return {"val_triplet_loss": float(triplet(z[:40], of.y_val[:40])), "val_recall_at_1": hit}

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return triplet(model(x), y), {}

    log = MlflowFiles(run, seed)
    log.param("margin", 0.5)
    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "triplet_loss")
    found = go(Course(step, 30 * 9, log, evaluate=evaluate, per_epoch=9))
    if fixed:
        above(found, "val_recall_at_1", 0.8)
        steady(found, "val_triplet_loss", 0.3)
    else:
        below(found, "val_recall_at_1", 0.55)
        require(last(found, "triplet_loss") > 0.45, told(found))


# "DDPM loss sits at 1.0": q_sample draws its own noise, and the loss compares with another draw of torch.randn_like.
@pair(
    "wrong-target",
    ("noise-not-predicted", "loss-plateau", "loss-not-decreasing", "underfit", "task-not-learned"),
    "W&B history as JSON lines",
)
def moons_ddpm(run: Path, seed: int, fixed: bool) -> None:
    """A diffusion model of points on two arcs that is to predict other noise than was added; fixed: the noise that was."""
    random = np.random.default_rng(seed)
    turn = random.uniform(0, np.pi, 1200)
    side = random.integers(0, 2, 1200)
    x = np.stack([np.cos(turn) * (1 - 2 * side) + side - 0.5, np.sin(turn) * (1 - 2 * side) + 0.5 * side - 0.25], 1)
    points = torch.tensor(x * 1.5 + 0.05 * random.normal(size=x.shape), dtype=torch.float32)
    of = data.Split(points[:1000], points[:1000], points[1000:], points[1000:])
    alphas = torch.cumprod(1 - torch.linspace(1e-3, 0.12, 50), 0)
    model = models.mlp((4, 64, 64, 2), "silu")
    stream = data.batches(of, 50, seed)

    def q_sample(x: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        return level.sqrt() * x + (1 - level).sqrt() * noise

    def mistaken(x: Tensor) -> Tensor:
        t = torch.randint(0, 50, (len(x), 1))
        level, noise = alphas[t], torch.randn_like(x)
        seen = q_sample(x, level, noise if fixed else torch.randn_like(x))
        return functional.mse_loss(model(torch.cat([seen, t / 25 - 1, level], 1)), noise)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val/loss": float(torch.stack([mistaken(of.x_val) for _ in range(8)]).mean())}

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    step = Descent(model, optimizer, lambda _: (mistaken(next(stream)[0]), {}), "train/loss", norm_tag="grad_norm")
    found = go(Course(step, 900, WandbHistory(run), every=20, averaged=True, evaluate=evaluate, evaluate_every=60))
    if fixed:
        below(found, "val/loss", 0.5)
        steady(found, "val/loss", 0.15)
    else:
        require(last(found, "val/loss") > 0.93, told(found))


# "Loss_D goes to 0 and Loss_G to 10": output = netD(fake.detach()) was copied from D's step to G's.
@pair(
    "detached-graph",
    ("discriminator-wins", "adversarial-divergence", "gradient-all-zero", "unchanged-tensor", "loss-divergence"),
    "lines of PyTorch's DCGAN example",
)
def dcgan_of_clouds(run: Path, seed: int, fixed: bool) -> None:
    """A GAN of points in a cloud whose generator gets no gradient from what was detached; fixed: not detached."""
    random = np.random.default_rng(seed)
    cloud = random.normal(size=(2000, 2)) @ [[0.6, 0.3], [0.0, 0.4]] + [1.5, -1.5]
    points = torch.tensor(cloud, dtype=torch.float32)
    stream = data.batches(data.Split(points, points, points, points), 64, seed)
    net_g, net_d = models.gan_pair(2, 8, 48)
    opt_g = torch.optim.Adam(net_g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(net_d.parameters(), lr=1e-3, betas=(0.5, 0.999))
    bce = functional.binary_cross_entropy_with_logits

    def line(step: int, values: Mapping[str, float]) -> str:
        epoch, at = divmod(step - 1, 32)
        return (
            f"[{epoch}/40][{at}/32]\tLoss_D: {values['Loss_D']:.4f}\tLoss_G: {values['Loss_G']:.4f}"
            f"\tD(x): {values['D(x)']:.4f}\tD(G(z)): {values['D(G(z))']:.4f}"
        )

    def step(number: int) -> dict[str, float]:
        real = next(stream)[0]
        fake = net_g(torch.randn(len(real), 8))
        opt_d.zero_grad()
        on_real, on_fake = net_d(real), net_d(fake.detach())
        loss_d = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
        torch.autograd.backward(loss_d)
        opt_d.step()
        opt_g.zero_grad()
        judged = net_d(fake if fixed else fake.detach())
        loss_g = bce(judged, torch.ones_like(judged))
        torch.autograd.backward(loss_g)
        opt_g.step()
        return {
            "Loss_D": float(loss_d.detach()),
            "Loss_G": float(loss_g.detach()),
            "D(x)": float(on_real.detach().sigmoid().mean()),
            "D(G(z))": float(judged.detach().sigmoid().mean()),
        }

    found = go(Course(step, 40 * 32, Printed(run, line, "nohup.out"), every=16, averaged=False))
    with torch.no_grad():
        made = net_g(torch.randn(1000, 8))
    off = float((made.mean(0) - points.mean(0)).norm() + (made.std(0) - points.std(0)).norm())
    if fixed:
        require(off < 0.7 and last(found, "Loss_D", 8) > 0.9, f"off by {off:.3f}; {told(found)}")
    else:
        require(off > 1.5 and last(found, "Loss_D") < 0.2, f"off by {off:.3f}; {told(found)}")


# "Train accuracy 98 %, test accuracy 25 %, and no dropout helps": transforms.Normalize stands in the train transform only.
@pair(
    "preprocessing-differs",
    ("overfit", "generalisation-gap", "metric-at-chance", "constant-answer", "confidently-wrong", "most-answers-wrong"),
    "history.json of lists",
)
def surfaces_unequal(run: Path, seed: int, fixed: bool) -> None:
    """Faults of surfaces by a CNN that is trained on pictures about 0 and tested on those of 0 to 255; fixed: both about 0."""
    of = inspections(seed, noise=12.0)
    of = replace(of, x=of.x / 128 - 1, x_val=of.x_val / 128 - 1 if fixed else of.x_val)
    model = nn.Sequential()
    for number, (before, after) in enumerate(((1, 12), (12, 20)), start=1):
        model.add_module(f"conv{number}", nn.Conv2d(before, after, 3))
        model.add_module(f"bn{number}", nn.BatchNorm2d(after))
        model.add_module(f"relu{number}", nn.ReLU())
    model.add_module("pool", nn.AdaptiveMaxPool2d(2))
    model.add_module("dropout", nn.Dropout(0.2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(80, 4))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        18,
        HistoryJson(run),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "test_acc", 0.8)
        steady(found, "test_loss", 0.5)
    else:
        below(found, "test_acc", 0.5)
        above(found, "train_acc", 0.8)
