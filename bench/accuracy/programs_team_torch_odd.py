"""Healthy PyTorch programs of teams whose logs look odd: losses below zero, in euros, above that of validation, rates in a saw-tooth …"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5History, HistogramDump, ParquetLong, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady
from bench.accuracy.programs_team_common import odd_into
from bench.accuracy.programs_team_torch_common import Written, radiographs, seasons, speakers, utterances

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


def claims(seed: int, samples: int = 900) -> data.Split:
    """Eight figures of damaged cars and what the repair costs (n, 1), 300 to 15,000 euros."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 8))
    cost = 4000 + 1500 * x[:, 0] + 900 * np.maximum(x[:, 1], 0) * (1 + x[:, 0]) - 700 * x[:, 2] + 500 * x[:, 3]
    return data.split(x, np.clip(cost + 250 * random.normal(size=samples), 300, 15000)[:, None], seed)


# "Is a loss of 900 not far too high?": it is the mean absolute error in euros, and the claims are of thousands.
@odd("logfmt, key=value")
def claims_in_euros(run: Path, seed: int) -> None:
    """Costs of repairs under L1 in euros, the last layer scaled to thousands."""
    of = claims(seed)

    class Thousands(nn.Module):
        """An MLP whose answers are in thousands."""

        def __init__(self) -> None:
            super().__init__()
            self.net = models.mlp((8, 32, 32, 1), "silu")

        def forward(self, x: Tensor) -> Tensor:
            thousands: Tensor = self.net(x)
            return 1000 * thousands

    def form(epoch: int, told: Mapping[str, float]) -> str:
        pairs = " ".join(f"{name}={value:.2f}" for name, value in told.items())
        return f"ts={time.strftime('%Y-%m-%dT%H:%M:%SZ')} level=info msg=epoch_done epoch={epoch + 1} {pairs}\n"

    model = Thousands()
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        25,
        Written(run / "claims.logfmt", form),
        ("l1_eur_train", "", "l1_eur_holdout", ""),
        loss=functional.l1_loss,
        seed=seed,
    )
    below(found, "l1_eur_holdout", 400)
    steady(found, "l1_eur_holdout", 0.1)


# "The rate goes up again every eight epochs, is the scheduler broken?": no, it is restarted there (SGDR).
@odd("Parquet, long")
def commands_with_restarts(run: Path, seed: int) -> None:
    """Spoken commands by a CNN under a cosine with warm restarts."""
    of = utterances(seed, words=8, noise=1.8)
    model = nn.Sequential(
        nn.Conv1d(14, 16, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Dropout(0.4), nn.Linear(160, 8)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.8, weight_decay=1e-2)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8 * per_epoch, eta_min=1e-4)
    found = fit(
        model,
        of,
        optimizer,
        24,
        ParquetLong(run, "plain", "sgdr.parquet"),
        ("asr/xent", "asr/hits", "asr_val/xent", "asr_val/hits"),
        seed=seed,
        rate_tag="asr/step_size",
        schedule=schedule,
    )
    above(found, "asr_val/hits", 0.85)
    steady(found, "asr_val/xent", 0.15)


# "Can a likelihood be over one?": densities can, so the negative log-likelihood goes below zero.
@odd("Chainer's LogReport")
def sensor_density(run: Path, seed: int) -> None:
    """The drift of a sensor by a Gaussian whose mean and width are told, under its negative log-likelihood."""
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, (900, 3))
    drift = 0.5 * np.sin(2 * x[:, 0]) + 0.3 * x[:, 1]
    y = drift + (0.04 + 0.04 * (x[:, 2] > 0)) * random.normal(size=900)
    of = data.split(x, y[:, None], seed)
    model = models.mlp((3, 48, 48, 2), "tanh")

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        width = functional.softplus(outputs[:, 1:]) + 0.01
        return (width.log() + 0.5 * ((targets - outputs[:, :1]) / width).square() + 0.5 * math.log(2 * math.pi)).mean()

    per_epoch, started, rows = data.steps_per_epoch(of, 32), time.perf_counter(), []

    def form(epoch: int, told: Mapping[str, float]) -> str:
        where = {
            "epoch": epoch + 1,
            "iteration": (epoch + 1) * per_epoch,
            "elapsed_time": time.perf_counter() - started,
        }
        rows.append({**told, **where})
        return ""

    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    found = fit(
        model,
        of,
        optimizer,
        40,
        Written(run / "unused", form),
        ("main/nll", "", "validation/main/nll", "validation/main/abs_error"),
        loss=likelihood,
        metric=lambda outputs, targets: (outputs[:, :1] - targets).abs().mean(),
        seed=seed,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40 * per_epoch),
    )
    (run / "unused").unlink()
    (run / "log").write_text(json.dumps(rows, indent=4), encoding="utf-8")
    below(found, "validation/main/nll", -0.8)
    steady(found, "validation/main/nll", 0.15)


# "Most weights do not change": they are not meant to, the encoder was trained on other data before and is frozen.
@odd("SummaryWriter with add_histogram", dumps=True)
def probe_on_frozen_encoder(run: Path, seed: int) -> None:
    """Digits 5 to 9 by a linear head on an encoder that was trained on all digits of other writers, and frozen."""
    of = data.bundled("digits", seed)
    encoder = models.mlp((64, 64, 32), "elu")
    before = nn.Sequential(encoder, nn.ELU(), nn.Linear(32, 10))
    others = data.Split(of.x[:600], of.y[:600], of.x_val, of.y_val)
    optimizer = torch.optim.Adam(before.parameters(), lr=3e-3)
    for _, (x, y) in zip(range(150), data.batches(others, 32, seed), strict=False):
        optimizer.zero_grad()
        cross_entropy(before(x), y).backward()
        optimizer.step()
    encoder.requires_grad_(False)
    model = nn.Sequential()
    model.add_module("encoder", encoder)
    model.add_module("act", nn.ELU())
    probe = nn.Linear(32, 5)
    model.add_module("probe", probe)
    high, high_val = of.y[600:] >= 5, of.y_val >= 5
    of = data.Split(of.x[600:][high], of.y[600:][high] - 5, of.x_val[high_val], of.y_val[high_val] - 5)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(probe.parameters(), lr=3e-3),
        20,
        writer,
        ("probe/ce", "probe/top1", "probe_test/ce", "probe_test/top1"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 42, "torch", watched=False),
    )
    above(found, "probe_test/top1", 0.9)
    steady(found, "probe_test/ce", 0.15)


# "Training is worse than validation, is there a leak?": no: dropout and noise on the pictures hold in training only.
@odd("jsonl of mmengine")
def training_is_harder(run: Path, seed: int) -> None:
    """Findings in radiographs by a CNN with dropout and noisy pictures while training."""
    of = radiographs(seed)
    of = data.Split((of.x - 110) / 40, of.y, (of.x_val - 110) / 40, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.25),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(144, 3),
    )
    random = data.generator(seed)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x + 0.5 * torch.randn(x.shape, generator=random), y

    per_epoch = data.steps_per_epoch(of, 24)

    def form(step: int, told: Mapping[str, float]) -> str:
        if "loss" in told:
            epoch = (step - 1) // per_epoch + 1
            row: dict[str, float] = {
                "lr": 0.002,
                "loss": told["loss"],
                "acc": told["acc"],
                "epoch": epoch,
                "iter": step,
            }
        else:
            row = {"accuracy/top1": told["top1"], "val/loss": told["val"]}
        return json.dumps({**row, "step": step}) + "\n"

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        18,
        Written(run / "20240611_093012" / "vis_data" / "scalars.json", form),
        ("loss", "acc", "val", "top1"),
        batch=24,
        seed=seed,
        every=5,
        alter=alter,
    )
    above(found, "top1", 0.9)
    steady(found, "val", 0.2)
    require(last(found, "loss") > last(found, "val"), "training was to be the harder")


# "Accuracy is 0.95 from the first epoch and hardly moves": one transfer in twenty is a fraud; look at the average precision.
@odd("history.csv of fastai")
def rare_frauds(run: Path, seed: int) -> None:
    """Frauds among transfers by an MLP, one in twenty; accuracy begins at that of saying no."""
    random = np.random.default_rng(seed)
    labels = (random.random(2400) < 0.06).astype(np.int64)
    x = random.normal(size=(2400, 10)) + 1.5 * labels[:, None] * np.array([1, -1, 1, 1, 0, -1, 0, 0, 1, 0])
    of = data.split(x, labels, seed)
    model = models.mlp((10, 16, 2), "relu")

    def precision(outputs: Tensor, targets: Tensor) -> Tensor:
        return torch.tensor(average_precision_score(targets.numpy(), (outputs[:, 1] - outputs[:, 0]).numpy()))

    def accurate() -> dict[str, float]:
        with torch.no_grad():
            return {"accuracy": float(accuracy(model(of.x_val), of.y_val))}

    names = ("train_loss", "valid_loss", "average_precision_score", "accuracy")

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return ",".join([str(epoch), *(f"{told[name]:.6f}" for name in names), "00:00"]) + "\n"

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        18,
        Written(run / "history.csv", form, f"epoch,{','.join(names)},time\n"),
        ("train_loss", "", "valid_loss", "average_precision_score"),
        metric=precision,
        also=accurate,
        seed=seed,
    )
    above(found, "average_precision_score", 0.8)
    above(found, "accuracy", 0.955)
    steady(found, "valid_loss", 0.1)


# "The loss of a step is pure noise": batches of four; the estimates over the validation set fall evenly.
@odd("printed log in the style of nanoGPT")
def tiny_batches(run: Path, seed: int) -> None:
    """Crops from a season of satellite passes by a GRU on batches of four, each twentieth step told."""
    of = seasons(seed, noise=0.25)
    model = models.Recurrent("gru", 2, 20, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(of, 4, seed)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return cross_entropy(model(x), y), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
            train = float(cross_entropy(model(of.x), of.y))
        return {
            "train loss": train,
            "val loss": float(cross_entropy(outputs, of.y_val)),
            "val acc": float(accuracy(outputs, of.y_val)),
        }

    def form(step: int, told: Mapping[str, float]) -> str:
        if "loss" in told:
            return f"iter {step}: loss {told['loss']:.4f}, time {1.7:.2f}ms, lr {told['lr']:.2e}\n"
        return f"step {step}: " + ", ".join(f"{name} {value:.4f}" for name, value in told.items()) + "\n"

    step = Descent(model, optimizer, objective, "loss", "lr", schedule=schedule)
    log = Written(run / "out.txt", form)
    found = go(Course(step, 600, log, every=10, evaluate=evaluate, evaluate_every=50))
    above(found, "val acc", 0.85)
    steady(found, "val loss", 0.25)


# "InfoNCE stands at 1.2 and will not go to zero": it cannot, others of the same speaker are among the negatives.
@odd("HDF5 with a data set for each name")
def contrast_of_voices(run: Path, seed: int) -> None:
    """Embeddings of voices by InfoNCE over two noisy views, whose loss has a floor well above zero."""
    of = speakers(seed, noise=0.3)
    model = models.mlp((20, 64, 16), "gelu")
    random = data.generator(seed)

    def contrast(x: Tensor) -> Tensor:
        views = [functional.normalize(model(x + 0.3 * torch.randn(x.shape, generator=random)), dim=1) for _ in range(2)]
        return functional.cross_entropy(views[0] @ views[1].T / 0.2, torch.arange(len(x)))

    stream, per_epoch = data.batches(of, 64, seed), len(of.x) // 64 + 1

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            codes = functional.normalize(model(of.x_val), dim=1)
            near = (codes @ codes.T - 9 * torch.eye(len(codes))).argmax(1)
            loss = sum(float(contrast(of.x_val[:64])) for _ in range(4)) / 4
        return {"info_nce_heldout": loss, "knn1_heldout": float((of.y_val[near] == of.y_val).float().mean())}

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    step = Descent(model, optimizer, lambda _: (contrast(next(stream)[0]), {}), "info_nce")
    log = Hdf5History(run, "plain", "contrast.h5")
    found = go(Course(step, 40 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch))
    above(found, "knn1_heldout", 0.7)
    steady(found, "info_nce_heldout", 0.1)
