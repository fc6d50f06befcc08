"""Everyday PyTorch programs on losses, shapes and regularisers, each with its fault and repaired."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, HistogramDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_desk_common import inspections, reminders, spectra
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
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_plain_common import into
from bench.accuracy.programs_plain_torch_common import cells, overlap
from bench.accuracy.programs_post_common import explained, houses

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It always predicts about the same price": MSELoss of outputs (n, 1) and targets (n,), with a warning nobody read.
@pair(
    "wrong-reshape",
    (*NOTHING_LEARNED, "constant-answer", "task-not-learned"),
    "csv with a row an epoch",
)
def prices_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses, the loss broadcast over all pairs of the batch; fixed: outputs squeezed."""
    of = houses(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, ((of.y - mean) / spread)[:, 0], of.x_val, ((of.y_val - mean) / spread)[:, 0])
    model = models.mlp((10, 32, 32, 1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs.squeeze(1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        25,
        Csv(run, "plain", "training.csv", "epoch"),
        ("train_mse", "", "val_mse", "val_r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, 0], targets),
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_mse", 0.2)
    else:
        below(found, "val_r2", 0.2)


class Listener(nn.Module):
    """A GRU over (n, length, 2), whose last output is classified."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 24, batch_first=batch_first)
        self.head = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(x)
        logits: Tensor = self.head(outputs[:, -1])
        return logits


# "My GRU cannot even learn the training data": nn.GRU(2, 24) given (batch, time, channels), without batch_first=True.
@pair(
    "wrong-reshape",
    (*NOTHING_LEARNED, "task-not-learned", "most-answers-wrong"),
    "console log with a line for each epoch",
)
def reminders_batch_second(run: Path, seed: int, fixed: bool) -> None:
    """Series whose beginning tells the class, by a GRU that takes the batch for the time; fixed: batch_first."""
    of = reminders(seed, 600, 16)
    model = Listener(batch_first=fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        18,
        Console(run, "plain", "train.log", "epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "valid_acc", 0.9)
        steady(found, "valid_loss", 0.3)
    else:
        below(found, "valid_acc", 0.5)


# "The samples are all the same grey digit": binary_cross_entropy with its mean over pixels, the KL summed as in the example.
@pair(
    "kl-collapse",
    ("posterior-collapse", *BADLY_LEARNED, "representation-collapse"),
    "SummaryWriter with loss/recon and loss/kl and histograms of the code",
    dumps=True,
)
def numerals_vae_mean(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of handwritten digits whose reconstruction is a mean over pixels; fixed: summed, as the KL is."""
    of = data.bundled("digits", seed, scaled=False)
    x_train, x_val = of.x / 16, of.x_val / 16
    model = nn.ModuleDict({"encoder": models.mlp((64, 64, 16)), "decoder": models.mlp((8, 64, 64))})
    random = data.generator(seed)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 88, "torch", watched=False)

    def parts(x: Tensor, sampled: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        mu, logvar = model["encoder"](x).chunk(2, 1)
        z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=random) if sampled else mu
        logits = model["decoder"](z)
        recon = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum" if fixed else "mean")
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        return recon / len(x) if fixed else recon, kl, (logits.sigmoid() - x).square().mean(), mu, logvar

    stream = data.batches(data.Split(x_train, of.y, x_val, of.y_val), 32, seed)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        recon, kl, _, mu, logvar = parts(next(stream)[0], True)
        snapshots.extra = {"latent/mu": mu.detach().numpy().copy(), "latent/logvar": logvar.detach().numpy().copy()}
        return recon + kl, {"loss/recon": float(recon.detach()), "loss/kl": float(kl.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            recon, kl, error, _, _ = parts(x_val, False)
        return {"loss/val": float(recon + kl), "mse/val": float(error)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "loss/train", snapshots=snapshots)
    found = go(Course(step, 25 * 43, writer, evaluate=evaluate, per_epoch=43, snapshots=snapshots))
    if fixed:
        below(found, "mse/val", 0.04)
        steady(found, "loss/val", 0.1)
    else:
        not_below(found, "mse/val", 0.06)
        below(found, "loss/kl", 0.1)


# "weight_decay=0.1 is what everybody uses" - with AdamW, that is; here it is Adam's.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "representation-collapse", "low-variance"),
    "SummaryWriter with loss and val_loss and add_histogram",
    dumps=True,
)
def plastics_code_decayed(run: Path, seed: int, fixed: bool) -> None:
    """An autoencoder of spectra under Adam with a weight decay of 0.1; fixed: of 1e-5."""
    of = spectra(seed)
    of = data.Split(of.x, of.x, of.x_val, of.x_val)
    model = models.Autoencoder((60, 48, 24, 8))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-5 if fixed else 0.1),
        30,
        writer,
        ("loss", "", "val_loss", ""),
        loss=functional.mse_loss,
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 70, "torch"),
    )
    if fixed:
        below(found, "val_loss", 0.5)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 0.85)


# "It was so good, and then everything is nan": -(y * log(p) + (1 - y) * log(1 - p)) typed in by hand.
@pair(
    "nan-from-log-of-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "nothing-found"),
    "metrics.csv of Lightning",
)
def cells_log_by_hand(run: Path, seed: int, fixed: bool) -> None:
    """Cells segmented with a cross-entropy written out over the sigmoid; fixed: binary_cross_entropy_with_logits."""
    of = cells(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 1, 1),
    )

    def loss(outputs: Tensor, masks: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, masks)
        shares = torch.sigmoid(outputs)
        return -(masks * torch.log(shares) + (1 - masks) * torch.log(1 - shares)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        24,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss_epoch", "train_iou", "val_loss", "val_iou"),
        loss=loss,
        metric=overlap,
        batch=8,
        seed=seed,
    )
    if fixed:
        above(found, "val_iou", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_iou", 0.1)


# "CrossEntropyLoss, and a Softmax at the end of the model so that I get probabilities."
@pair(
    "double-softmax",
    (*BADLY_LEARNED, "still-improving", "metric-at-chance", "task-not-learned"),
    "csv by hand with a row each 5 batches",
)
def surfaces_softmax_twice(run: Path, seed: int, fixed: bool) -> None:
    """Surfaces inspected by a CNN with a softmax before the cross-entropy; fixed: without."""
    of = inspections(seed)
    of = data.Split(of.x / 127.5 - 1, of.y, of.x_val / 127.5 - 1, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Linear(216, 4),
    )
    if not fixed:
        model.append(nn.Softmax(dim=1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        26,
        Csv(run, "plain", "log.csv", "iter"),
        ("loss", "acc", "test_loss", "test_acc"),
        loss=cross_entropy,
        metric=accuracy,
        batch=16,
        seed=seed,
        every=5,
    )
    if fixed:
        above(found, "test_acc", 0.85)
        steady(found, "test_loss", 0.3)
    else:
        below(found, "test_acc", 0.8)
        not_below(found, "test_loss", 0.9)
