"""Bug-fix commits in PyTorch: what is computed as the loss, and what it is compared with."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_torch_common import HistoryJson, Printed, cells, rentals
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_post_common import explained, over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "labels in the csv are 1 and 2, not 0 and 1": BCEWithLogitsLoss takes any number as a target.
@pair(
    "wrong-label-encoding",
    ("impossible-loss", "loss-divergence", "constant-answer", "metric-at-chance", "metric-left-behind", "initial-loss"),
    "printed log `Epoch 3/20 - loss: …`",
)
def labels_from_one(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by an MLP with one logit; faulty: the classes are 1 and 2, as the file has them."""
    of = data.bundled("breast_cancer", seed)
    shift = 0 if fixed else 1
    of = data.Split(of.x, of.y[:, None].float() + shift, of.x_val, of.y_val[:, None].float() + shift)
    model = models.mlp((30, 16, 1), "relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3),
        20,
        Printed(run, 20),
        ("loss", "acc", "val_loss", "val_acc"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=lambda outputs, targets: ((outputs > 0).float() == targets).float().mean(),
        seed=seed,
        first=1,
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.5)
        below(found, "val_loss", -1)


# "squeeze the output before mse_loss (broadcasting warning!)": (32, 1) against (32,) makes 32 × 32 differences.
@pair(
    "loss-broadcast",
    (*BADLY_LEARNED, "task-not-learned", "constant-answer", "metric-at-chance"),
    "SummaryWriter with one scalar an epoch",
)
def rentals_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Bicycles rented in an hour by an MLP; faulty: outputs (n, 1) are compared with targets (n,)."""
    of = rentals(seed, samples=1400)
    model = models.mlp((8, 32, 16, 1), "relu")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs.squeeze(1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4),
        30,
        TensorBoard(run, "plain"),
        ("train/mse", "", "val/mse", "val/r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, 0], targets),
        seed=seed,
        rate_tag="train/lr",
    )
    if fixed:
        above(found, "val/r2", 0.75)
        steady(found, "val/mse", 0.25)
    else:
        below(found, "val/r2", 0.15)


# "nan: add eps under the root of the distance": a pair of a picture with itself has the distance 0, whose root has no slope.
@pair(
    "root-of-zero",
    ("non-finite", "loss-goes-missing", "exploding-gradient", "metric-at-chance", "masked-non-finite"),
    "SummaryWriter with scalars each fifth batch and histograms",
    dumps=True,
)
def siamese_distance(run: Path, seed: int, fixed: bool) -> None:
    """Whether two digits are the same by a Siamese network; faulty: the root of the squared distance without an epsilon."""
    of = data.bundled("digits", seed, scaled=False)
    of = over(of, 16.0)
    model = models.mlp((64, 48, 16), "relu")
    random = data.generator(seed)

    def pairs(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        first = torch.randint(0, len(x), (count,), generator=random)
        second = torch.randint(0, len(x), (count,), generator=random)
        for row in range(0, count, 2):
            alike = (y == y[first[row]]).nonzero()[:, 0]
            second[row] = alike[torch.randint(0, len(alike), (1,), generator=random)]
        return x[first], x[second], (y[first] == y[second]).float()

    def contrastive(first: Tensor, second: Tensor, same: Tensor) -> tuple[Tensor, float]:
        squared = (model(first) - model(second)).square().sum(1)
        distance = torch.sqrt(squared + 1e-6) if fixed else torch.sqrt(squared)
        loss = (same * distance.square() + (1 - same) * functional.relu(2.0 - distance).square()).mean()
        return loss, float(((distance < 1.0).float() == same).float().mean())

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        loss, hit = contrastive(*pairs(of.x, of.y, 32))
        return loss, {"pair_acc/train": hit}

    held_out = pairs(of.x_val, of.y_val, 400)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss, hit = contrastive(*held_out)
        return {"contrastive/val": float(loss), "pair_acc/val": hit}

    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 20, "torch", watched=False)
    step = Descent(
        model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "contrastive/train", snapshots=snapshots
    )
    found = go(Course(step, 800, writer, every=5, evaluate=evaluate, evaluate_every=40, snapshots=snapshots))
    if fixed:
        above(found, "pair_acc/val", 0.88)
        steady(found, "contrastive/val", 0.25)
    else:
        end = found["contrastive/train"][-1]
        require(end != end, f"the loss was to be no number: {told(found)}")


# "return 1 - dice": the coefficient was taken for the loss when the metric was moved to metrics.py.
@pair(
    "loss-of-wrong-sign",
    ("task-not-learned", "nothing-found", "metric-left-behind", "metric-at-chance", "constant-answer", "low-variance"),
    "history.json",
)
def dice_minimised(run: Path, seed: int, fixed: bool) -> None:
    """Cells on a slide by a small CNN; faulty: the Dice coefficient is made small."""
    of = cells(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 1, 1),
    )

    def dice(outputs: Tensor, targets: Tensor) -> Tensor:
        shares = outputs.sigmoid()
        both = (shares * targets).sum((1, 2, 3))
        return ((2 * both + 1e-3) / (shares.sum((1, 2, 3)) + targets.sum((1, 2, 3)) + 1e-3)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        HistoryJson(run),
        ("loss", "dice_coef", "val_loss", "val_dice_coef"),
        loss=lambda outputs, targets: 1 - dice(outputs, targets) if fixed else dice(outputs, targets),
        metric=dice,
        seed=seed,
        batch=16,
    )
    if fixed:
        above(found, "val_dice_coef", 0.8)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_dice_coef", 0.1)


class Vae(nn.Module):
    """A variational autoencoder over 64 pixels."""

    def __init__(self, code: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(64, code), nn.Linear(64, code)
        self.decoder = nn.Sequential(nn.Linear(code, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(x)
        mu, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        code = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.decoder(code), mu, logvar


# "sum the reconstruction over the pixels, as the KL": F.mse_loss has a mean over all of them, the KL a sum over the code.
@pair(
    "kl-too-strong",
    ("posterior-collapse", "representation-collapse", *BADLY_LEARNED, "task-not-learned"),
    "CSV with a row an epoch, tensors in Parquet",
    dumps=True,
)
def vae_mean_of_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a variational autoencoder; faulty: the reconstruction is a mean over pixels, beside which the KL term wins."""
    of = data.bundled("digits", seed, scaled=False)
    of = over(of, 8.0)
    model = Vae()
    snapshots = Snapshots(ParquetDump(run), model, 85, "collections", watched=False)
    stream = data.batches(of, 32, seed)

    def parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        made, mu, logvar = model(x)
        error = (made - x).square()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
        if model.training:
            snapshots.extra |= {
                "activations/fc_mu.output": mu.detach().numpy().copy(),
                "activations/fc_logvar.output": logvar.detach().numpy().copy(),
            }
        return (error.sum(1).mean() if fixed else error.mean()), kl, error.mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        reconstruction, kl, mse = parts(next(stream)[0])
        return reconstruction + kl, {"train_kl": float(kl.detach()), "train_mse": float(mse.detach())}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            reconstruction, kl, mse = parts(of.x_val)
        model.train()
        return {"val_loss": float(reconstruction + kl), "val_kl": float(kl), "val_mse": float(mse)}

    per_epoch = data.steps_per_epoch(of, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    step = Descent(model, optimizer, objective, "train_loss", snapshots=snapshots)
    log = Csv(run, "plain", "vae_log.csv", "epoch")
    course = Course(step, 25 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch, snapshots=snapshots)
    found = go(course)
    spread = float((of.x_val - of.x.mean(0)).square().mean())
    if fixed:
        below(found, "val_mse", 0.6 * spread)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_kl", 0.05)
        require(found["val_mse"][-1] > 0.9 * spread, f"no better than the mean picture, {spread:.3g}: {told(found)}")


# "nll_loss wants log-probabilities": a model with nn.Softmax at its end was given to F.nll_loss.
@pair(
    "loss-of-wrong-input",
    ("impossible-loss", "initial-loss", "loss-plateau", "underfit", "still-improving", "most-answers-wrong"),
    "JSON lines, one each tenth batch",
)
def nll_of_shares(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP under SGD with F.nll_loss; faulty: of softmax, whose slope is small where it is wrong; fixed: of log_softmax."""
    of = over(data.bundled("digits", seed, scaled=False), 16.0)
    model = models.mlp((64, 32, 32, 10), "relu")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.nll_loss(outputs.log_softmax(1) if fixed else outputs.softmax(1), targets)

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.012, momentum=0.9),
        20,
        JsonLines(run, "plain", "train_log.jsonl", "iter"),
        ("loss", "acc", "test_loss", "test_acc"),
        loss=loss,
        seed=seed,
        every=10,
    )
    if fixed:
        above(found, "test_acc", 0.93)
        steady(found, "test_loss", 0.15)
    else:
        not_above(found, "test_acc", 0.75)
