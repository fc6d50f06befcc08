"""Quarter programs, part a: order of data, numbers that are none, parts cut off, rare classes, rates that fall too soon."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
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
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import over, pictures
from bench.accuracy.programs_quarter_a_common import POOR, by_class, convnet, f_one
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The accuracy of a batch is 1.0 for minutes, then 0.0": ImageFolder read in order, DataLoader without shuffle=True.
@pair(
    "data-not-shuffled",
    (
        "batches-of-one-class",
        *NOTHING_LEARNED,
        "unstable-loss",
        "loss-spike",
        "validation-swings",
        "generalisation-gap",
    ),
    "SummaryWriter, each fourth batch",
)
def a_folder_after_folder(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN, all noughts first, then all ones; fixed: shuffled."""
    of = by_class(data.bundled("digits", seed)).as_images()
    model = models.cnn(10, (8, 16))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        10,
        TensorBoard(run, "plain"),
        ("loss/train", "accuracy/train", "loss/val", "accuracy/val"),
        seed=seed,
        every=4,
        shuffled=fixed,
    )
    if fixed:
        above(found, "accuracy/val", 0.92)
        steady(found, "loss/val", 0.4)
    else:
        below(found, "accuracy/val", 0.5)


# "It runs for minutes or for an hour, and then everything is nan": a distance of torch.sqrt over pairs that may be the same picture twice.
@pair(
    "nan-from-root-of-zero",
    ("non-finite", "loss-goes-missing", "metric-at-chance", "constant-answer"),
    "JSON lines per ten steps",
)
def a_twins_at_no_distance(run: Path, seed: int, fixed: bool) -> None:
    """A Siamese MLP of digits by a contrastive loss of torch.sqrt(d²); fixed: torch.sqrt(d² + 1e-9)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 8))
    random = data.generator(seed)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return torch.sqrt((model(a) - model(b)).square().sum(1) + (1e-9 if fixed else 0.0))

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        i = torch.randint(len(of.x), (32,), generator=random)
        j = torch.randint(len(of.x), (32,), generator=random)
        # Half of the pairs are of one class, drawn with replacement.
        for place in range(0, 32, 2):
            alike = (of.y == of.y[i[place]]).nonzero()[:, 0]
            j[place] = alike[torch.randint(len(alike), (1,), generator=random)]
        d, same = distance(of.x[i], of.x[j]), of.y[i] == of.y[j]
        return torch.where(same, d.square(), functional.relu(2.0 - d).square()).mean(), {}

    def evaluate() -> Mapping[str, float]:
        with torch.no_grad():
            d = torch.cdist(model(of.x_val), model(of.x))
            hit = of.y[d.argmin(1)] == of.y_val
            half = len(of.x_val) // 2
            a, b = of.x_val[:half], of.x_val[half : 2 * half]
            far, same = distance(a, b), of.y_val[:half] == of.y_val[half : 2 * half]
            loss = torch.where(same, far.square(), functional.relu(2.0 - far).square()).mean()
        return {"val_loss": float(loss), "val_1nn_accuracy": float(hit.float().mean())}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective)
    log = JsonLines(run, "plain", "log.json", "step")
    found = go(Course(step, 900, log, every=10, averaged=True, evaluate=evaluate, evaluate_every=50))
    if fixed:
        above(found, "val_1nn_accuracy", 0.85)
        steady(found, "val_loss", 0.5)
    else:
        require(not math.isfinite(last(found, "loss")), f"loss was to be lost: {told(found)}")


class Cut(nn.Module):
    """An autoencoder whose code is detached, or is not."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.encoder = models.mlp((64, 32, 6))
        self.decoder = models.mlp((6, 32, 64))
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        made: Tensor = self.decoder(code.detach() if self.cut else code)
        return made


# "The reconstruction stays a blur": z = self.encoder(x).detach(), left from a plot of the codes.
@pair(
    "detached-graph",
    ("unchanged-tensor", "gradient-all-zero", "updates-too-small", *POOR),
    "SummaryWriter, weights and gradients in HDF5",
    dumps=True,
)
def a_codes_detached(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an autoencoder with a code of six that is detached; fixed: attached."""
    of = over(data.bundled("digits", seed, scaled=False), 16.0)
    of = replace(of, y=of.x, y_val=of.x_val)
    model = Cut(not fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        TensorBoard(run, "plain"),
        ("recon_loss/train", "", "recon_loss/val", ""),
        loss=functional.mse_loss,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 86, "torch", watched=False),
    )
    if fixed:
        below(found, "recon_loss/val", 0.032)
        steady(found, "recon_loss/val", 0.2)
    else:
        not_below(found, "recon_loss/val", 0.038)


# "My VAE draws the same grey digit again and again": the reconstruction is a mean over pixels, the KL term a sum.
@pair(
    "posterior-collapse",
    ("posterior-collapse", *POOR, "representation-collapse"),
    "SummaryWriter, histograms of mu, logvar and weights",
    dumps=True,
)
def a_vae_of_mean_and_sum(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose reconstruction is averaged over pixels; fixed: summed, as the KL term is."""
    of = over(data.bundled("digits", seed, scaled=False), 16.0)
    encoder, decoder = models.mlp((64, 48, 12)), models.mlp((6, 48, 64))
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    stream, writer = data.batches(of, 64, seed), TensorBoard(run, "plain")
    dumped: dict[str, np.ndarray] = {}

    def terms(x: Tensor, sampled: bool) -> tuple[Tensor, Tensor]:
        mu, logvar = encoder(x).chunk(2, 1)
        dumped.update({"mu": mu.detach().numpy().copy(), "logvar": logvar.detach().numpy().copy()})
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if sampled else mu
        pixels = functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="none")
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        return pixels.sum(1).mean() if fixed else pixels.mean(), kl

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        recon, kl = terms(next(stream)[0], True)
        return recon + kl, {"train/recon": float(recon.detach()), "train/kl": float(kl.detach())}

    def evaluate() -> Mapping[str, float]:
        with torch.no_grad():
            recon, kl = terms(of.x_val, True)
        return {"val/loss": float(recon + kl), "val/recon": float(recon), "val/kl": float(kl)}

    per_epoch = data.steps_per_epoch(of, 64)
    snapshots = Snapshots(HistogramDump(writer), model, per_epoch * 8, "torch", watched=False, extra=dumped)
    step = Descent(model, torch.optim.Adam(model.parameters(), lr=4e-3), objective, "train/loss", snapshots=snapshots)
    found = go(Course(step, 60 * per_epoch, writer, evaluate=evaluate, per_epoch=per_epoch))
    if fixed:
        require(found["val/recon"][-1] < 0.85 * found["val/recon"][0], told(found))
        above(found, "val/kl", 2.4)
        steady(found, "val/loss", 0.1)
    else:
        below(found, "val/kl", 0.05)


# "98 % accuracy, and not one fraud is found": three of a hundred are frauds, and the loss does not know it.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "nothing-found",
        "class-never-found",
        "constant-answer",
        "metric-at-chance",
        "metric-left-behind",
    ),
    "csv by hand, F1 beside accuracy",
)
def a_frauds_not_found(run: Path, seed: int, fixed: bool) -> None:
    """Frauds among payments by an MLP under a plain BCE; fixed: pos_weight."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(1600, 8))
    risk = x[:, 0] + 0.8 * x[:, 1] - 0.7 * x[:, 2] + 0.7 * random.logistic(size=1600)
    y = (risk > np.quantile(risk, 0.95)).astype(np.float64)
    cut = 1200
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y[:, None], dtype=torch.float32)
    of = data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])
    model = models.mlp((8, 16, 1))
    weight = torch.tensor([6.0]) if fixed else None
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-2),
        25,
        Csv(run, "plain", "train_history.csv", "epoch"),
        ("loss", "f1", "val_loss", "val_f1"),
        loss=lambda outputs, t: functional.binary_cross_entropy_with_logits(outputs, t, pos_weight=weight),
        metric=f_one,
        also=lambda: {"val_acc": float(((model(of.x_val) > 0) == (of.y_val > 0.5)).float().mean())},
        seed=seed,
    )
    if fixed:
        above(found, "val_f1", 0.25)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_f1", 0.05)


# "It stops learning in the second epoch": scheduler.step() stands in the loop over batches, ExponentialLR(gamma=0.9) was meant per epoch.
@pair(
    "rate-falls-too-soon",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", *POOR, "updates-too-small"),
    "SummaryWriter, Learning Rate per epoch",
)
def a_scheduler_per_batch(run: Path, seed: int, fixed: bool) -> None:
    """Shapes by a CNN under a rate that falls by a tenth each batch; fixed: each epoch."""
    of = over(pictures(seed), 255.0)
    model = convnet(12, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    share = (lambda step: 0.9 ** (step // per_epoch)) if fixed else (lambda step: 0.9**step)
    found = fit(
        model,
        of,
        optimizer,
        25,
        TensorBoard(run, "plain"),
        ("Training Loss", "Training Accuracy", "Validation Loss", "Validation Accuracy"),
        metric=accuracy,
        loss=cross_entropy,
        seed=seed,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, share),
        rate_tag="Learning Rate",
    )
    if fixed:
        above(found, "Validation Accuracy", 0.8)
        steady(found, "Validation Loss", 0.4)
    else:
        not_above(found, "Validation Accuracy", 0.65)
