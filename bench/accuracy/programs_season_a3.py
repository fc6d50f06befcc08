"""Season programs of part a: data, generalisation, resuming, graphs, autoencoders and rewards; and their repaired versions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, KerasDirectories, TensorBoard
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import inspections
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
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
from bench.accuracy.programs_post_common import explained
from bench.accuracy.programs_season_a_common import Gcn, f1, genes, papers, payments, spoken, weather
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I clip at 1e-3 because 1.0 was said to be large": the norm is 2, so SGD takes steps of nothing.
@pair(
    "gradients-clipped-too-tight",
    (*BADLY_LEARNED, "gradient-always-clipped", "updates-too-small", "still-improving"),
    "console log with a line for each tenth batch",
)
def a_text_clipped_to_nothing(run: Path, seed: int, fixed: bool) -> None:
    """The next character by a GRU under SGD(1.0) with gradients clipped at 0.005; fixed: at 1."""
    of, size = data.characters(seed, 24, 320)
    model = models.Recurrent("gru", 16, 40, size, vocabulary=size, every_step=True)

    def hit(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(-1) == targets).float().mean()

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=1.0),
        14,
        Console(run, "plain", "train.log", "step"),
        ("loss", "", "val_loss", "val_acc"),
        metric=hit,
        seed=seed,
        every=10,
        norm_tag="grad_norm",
        clip=1.0 if fixed else 0.005,
    )
    if fixed:
        above(found, "val_acc", 0.5)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.35)


# "99 % on the training patients": 360 of them, 120 genes, a wide MLP and no end.
@pair(
    "overfit",
    (*VALIDATION_LOST, "generalisation-gap", "error-rises", "confidently-wrong"),
    "SummaryWriter in train/ and validation/ as of Keras",
)
def a_genes_learned_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """Whether a drug works from 120 genes by a wide MLP; fixed: a small one with dropout and decay."""
    of = genes(seed, samples=600)
    model = models.mlp((120, 8, 2) if fixed else (120, 128, 64, 2), dropout=0.5 if fixed else 0.0)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.5 if fixed else 0.0),
        40,
        KerasDirectories(run),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        batch=32,
    )
    if fixed:
        above(found, "val_accuracy", 0.68)
        steady(found, "val_loss", 0.1)
    else:
        require(found["val_loss"][-1] > 1.4 * min(found["val_loss"]), told(found))


# "95 % from the first epoch on, and not one fraud is found": plain cross-entropy on 5 % of frauds.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "nothing-found",
        "class-never-found",
        "constant-answer",
        "metric-left-behind",
        "metric-at-chance",
    ),
    "jsonl by hand",
)
def a_payments_no_fraud_found(run: Path, seed: int, fixed: bool) -> None:
    """Frauds among payments by an MLP without weights for the classes; fixed: with a weight of 8."""
    of = payments(seed, clear=0.85)
    model = models.mlp((10, 12, 2))
    weight = torch.tensor([1.0, 8.0 if fixed else 1.0])

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, weight)

    def share() -> Mapping[str, float]:
        with torch.no_grad():
            return {"val_accuracy": float(accuracy(model(of.x_val), of.y_val))}

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01),
        14,
        JsonLines(run, "plain", "fraud.jsonl", "epoch"),
        ("train_loss", "train_f1", "val_loss", "val_f1"),
        loss=loss,
        metric=f1,
        seed=seed,
        batch=64,
        also=share,
    )
    if fixed:
        above(found, "val_f1", 0.25)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_f1", 0.18)


# "Some step is always at a loss of a million": the station writes -999 when it does not know, and nobody filtered it.
@pair(
    "bad-batch",
    ("loss-spike", "unstable-loss", "step-outlier", "exploding-gradient", "data-not-normalized", "validation-swings"),
    "SummaryWriter each 5 batches and gradients in HDF5",
    dumps=True,
)
def a_weather_missing_is_999(run: Path, seed: int, fixed: bool) -> None:
    """The temperature in three hours by a dense net, of data in which -999 stands for unknown; fixed: 0."""
    of = weather(seed)
    x, y = of.x.clone(), of.y.clone()
    for hour in torch.randperm(len(x) - 30, generator=data.generator(seed))[:6].tolist():
        x[hour, :, 1] = 0.0 if fixed else -999.0
        y[hour] = y[hour] if fixed else -999.0
    of = replace(of, x=x.flatten(1), y=y, x_val=of.x_val.flatten(1))
    model = models.mlp((72, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=5e-3, momentum=0.9),
        16,
        TensorBoard(run, "plain"),
        ("train/mse", "", "val/mse", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="train/grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 26),
    )
    if fixed:
        above(found, "val/r2", 0.8)
        steady(found, "val/mse", 0.3)
    else:
        not_above(found, "val/r2", 0.5)


# "Training is perfect, validation is like dice": ToTensor() divides by 255 in training; the validation loader reads the bytes itself.
@pair(
    "preprocessing-differs",
    (*VALIDATION_LOST, "generalisation-gap", "data-not-normalized", "confidently-wrong", "initial-loss"),
    "Lightning's metrics.csv",
)
def a_surfaces_validated_in_bytes(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN, trained on 0 to 1 and validated on 0 to 255; fixed: both on 0 to 1."""
    of = inspections(seed)
    scale = 255.0 if fixed else 1.0
    x, x_val = (of.x / 255 - 0.5) * 4, (of.x_val / scale - 0.5) * 4
    of = replace(of, x=x, x_val=x_val)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 3), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 4),
    )  # fmt: skip
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        20,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss_epoch", "train_acc_epoch", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.55)


# "All samples of the VAE look like the mean": the reconstruction is a mean over pixels, the KL a sum.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "constant-answer", "representation-collapse", "underfit", "low-variance"),
    "SummaryWriter and add_histogram of activations with weights",
    dumps=True,
)
def a_digits_vae_collapses(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose KL weighs more than what it has to rebuild; fixed: both are sums."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12))
    decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    seen: dict[str, np.ndarray] = {}

    def parts(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, spread = model["encoder"](pixels).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (spread / 2).exp()
        seen["activations/mu"] = mu.detach().numpy().copy()
        kl = -0.5 * (1 + spread - mu.square() - spread.exp()).sum(1).mean()
        rebuilt = (model["decoder"](z) - pixels).square()
        return (25 * rebuilt.sum(1).mean() / 2 if fixed else rebuilt.mean()) + kl, rebuilt.mean(), kl

    stream = data.batches(data.Split(x, x, x_val, x_val), 64, seed)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 63, extra=seen, watched=False)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        loss, rebuilt, kl = parts(next(stream)[0])
        return loss, {"train/recon_loss": float(rebuilt), "train/kl_loss": float(kl)}

    def evaluate() -> Mapping[str, float]:
        with torch.no_grad():
            loss, rebuilt, kl = parts(x_val)
        return {"val/loss": float(loss), "val/recon_loss": float(rebuilt), "val/kl_loss": float(kl)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train/loss", snapshots=snapshots)
    found = go(Course(step, 25 * 21, writer, evaluate=evaluate, per_epoch=21, snapshots=snapshots))
    variance = float(x_val.var(0).mean())
    if fixed:
        require(last(found, "val/recon_loss") < 0.6 * variance, f"{variance} {told(found)}")
        steady(found, "val/loss", 0.1)
    else:
        require(last(found, "val/kl_loss") < 0.05, told(found))
        not_below(found, "val/recon_loss", 0.9 * variance)


# "More hops see more of the graph": fourteen graph convolutions, and all papers look alike.
@pair(
    "vanishing-gradient-through-depth",
    (*NOTHING_LEARNED, "representation-collapse", "vanishing-gradient", "constant-answer", "low-variance"),
    "SummaryWriter and all tensors in HDF5",
    dumps=True,
)
def a_papers_fourteen_hops(run: Path, seed: int, fixed: bool) -> None:
    """Fields of papers by fourteen graph convolutions; fixed: by two."""
    of = papers(seed)
    model = Gcn(of.x.shape[1], 16, 4, 2 if fixed else 14)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(Hdf5Dump(run), model, 8)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        outputs = model(of.x, of.a)[of.train]
        hit = float(accuracy(outputs.detach(), of.y[of.train]))
        return functional.cross_entropy(outputs, of.y[of.train]), {"train/acc": hit}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x, of.a)[of.val]
        model.train()
        loss = functional.cross_entropy(outputs, of.y[of.val])
        return {"val/loss": float(loss), "val/acc": float(accuracy(outputs, of.y[of.val]))}

    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    step = Descent(model, optimizer, objective, "train/loss", snapshots=snapshots)
    found = go(Course(step, 60, writer, evaluate=evaluate, per_epoch=1, snapshots=snapshots))
    if fixed:
        above(found, "val/acc", 0.75)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/acc", 0.5)


# "The job was preempted at epoch 12, and after --resume it is bad": the checkpoint had the model, but not the scheduler and the optimizer.
@pair(
    "resume-without-state",
    (
        "state-lost-on-resume",
        "loss-spike",
        "step-went-back",
        "schedule-mismatch",
        "learning-rate-too-high",
        "best-is-not-last",
    ),
    "csv by hand, appended to",
)
def a_words_resumed_at_full_rate(run: Path, seed: int, fixed: bool) -> None:
    """Spoken words by a CNN under a falling rate, resumed with a new optimizer and scheduler; fixed: with the old ones."""
    of = spoken(seed, noise=1.3)
    of = replace(of, x=of.x.transpose(1, 2), x_val=of.x_val.transpose(1, 2))
    pooled = (nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.Dropout(0.2))
    model = nn.Sequential(nn.Conv1d(12, 16, 5), nn.ReLU(), nn.Conv1d(16, 16, 5), nn.ReLU(), *pooled, nn.Linear(32, 6))
    per_epoch = -(-len(of.x) // 32)
    log = Csv(run, "plain", "progress.csv", "epoch")

    def part(optimizer: torch.optim.Optimizer, schedule: object, epochs: int, first: int) -> dict[str, list[float]]:
        return fit(
            model,
            of,
            optimizer,
            epochs,
            log,
            ("train_loss", "train_acc", "val_loss", "val_acc"),
            seed=seed + first,
            first=first,
            rate_tag="lr",
            schedule=schedule,
        )

    def fresh() -> tuple[torch.optim.Optimizer, object]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 5 * per_epoch, 0.2)

    optimizer, schedule = fresh()
    before = part(optimizer, schedule, 12, 0)
    log.rows.clear()
    if not fixed:
        optimizer, schedule = fresh()
    found = part(optimizer, schedule, 5, 12)
    if fixed:
        above(found, "val_acc", 0.7)
        steady(found, "val_loss", 0.2)
    else:
        require(not last(found, "val_loss") < 1.2 * min(before["val_loss"]), told(before) + told(found))


# "AUC of 1.0, we can ship it": the column `recovery_fee` is filled in after somebody was found to be a fraud.
@pair(
    "data-leak",
    ("too-good", "generalisation-gap", "metric-left-behind", "overfit", "error-rises"),
    "SummaryWriter with one scalar an epoch",
)
def a_payments_fee_tells(run: Path, seed: int, fixed: bool) -> None:
    """Disputed payments by an MLP with a column that follows from the label; fixed: without it. Both log a later month too."""
    of, later = payments(seed, share=0.4, clear=0.6), payments(seed + 50, share=0.4, clear=0.6)
    random = data.generator(seed)

    def fee(y: Tensor, known: bool) -> Tensor:
        noise = 0.1 * torch.randn(len(y), 1, generator=random)
        return noise + (2.0 * y[:, None] - 1 if known and not fixed else 0.0)

    of = replace(of, x=torch.cat([of.x, fee(of.y, True)], 1), x_val=torch.cat([of.x_val, fee(of.y_val, True)], 1))
    x_later = torch.cat([later.x, fee(later.y, False)], 1)
    model = models.mlp((11, 16, 2))

    def month() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(x_later)
        model.train()
        loss = float(functional.cross_entropy(outputs, later.y))
        return {"Loss/next_month": loss, "Accuracy/next_month": float(accuracy(outputs, later.y))}

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        12,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        batch=64,
        also=month,
    )
    if fixed:
        above(found, "Accuracy/next_month", 0.68)
        steady(found, "Loss/val", 0.2)
    else:
        above(found, "Accuracy/val", 0.99)
        below(found, "Accuracy/next_month", 0.77)
