"""Usual programs in PyTorch: what goes wrong with the data and with the way they are fed; and their repaired versions."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_desk_common import arrows, mails
from bench.accuracy.programs_field_common import Course, Descent, above, below, fit, go, last, steady
from bench.accuracy.programs_field_common import told as figures
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_torch_common import river

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "99 % in training, but the validation loss only rises": a wide net, few noisy mails, no regularisation, and nobody stops it.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises", "confidently-wrong"),
    "SummaryWriter with one scalar an epoch",
)
def t_mails_learned_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by an embedding and a wide MLP on 160 mails; fixed: narrow, with dropout and weight decay, on all 900."""
    of = mails(seed, samples=1200, told=0.17)
    if not fixed:
        of = replace(of, x=of.x[:160], y=of.y[:160])
    width, dropout, decay = (16, 0.5, 0.1) if fixed else (256, 0.0, 0.0)
    head = (nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 4))
    model = nn.Sequential(nn.EmbeddingBag(200, width), *head)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=decay),
        24,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/valid", "Accuracy/valid"),
        seed=seed,
    )
    if fixed:
        above(found, "Accuracy/valid", 0.7)
        steady(found, "Loss/valid", 0.08)
    else:
        above(found, "Accuracy/train", 0.98)
        require(last(found, "Loss/valid") > 1.2 * min(found["Loss/valid"]), f"was to overfit: {figures(found)}")


# "One spike, and then it never comes back": a file of the gauge in which missing levels are marked by -999.
@pair(
    "bad-batch",
    ("loss-spike", "exploding-gradient", "unstable-loss", "loss-divergence", "error-rises", "best-is-not-last"),
    "SummaryWriter with scalars for each fifth batch",
    since=130,
)
def t_river_missing_marks(run: Path, seed: int, fixed: bool) -> None:
    """The level of a river by a GRU under SGD, batch 130 of which holds -999 for missing levels; fixed: those rows are left out."""
    of = river(seed)
    model = models.Recurrent("gru", 2, 24, 1)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step != 130:
            return x, y
        bad = torch.arange(len(x)) % 4 == 0
        if fixed:
            return x[~bad], y[~bad]
        return x, torch.where(bad[:, None], -999.0, y)

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        12,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        alter=alter,
        norm_tag="train/grad_norm",
    )
    if fixed:
        above(found, "val/r2", 0.8)
        steady(found, "val/loss", 0.2)
    else:
        peak, before = max(found["train/loss"][25:]), found["train/loss"][24]
        require(peak > 100 * before, f"a spike was to come: {figures(found)}")
        below(found, "val/r2", 0.5)


# "The first epoch takes seconds, the tenth a minute": the loader keeps all pictures it has given out, to standardise by all of them.
@pair(
    "input-slows-down",
    ("throughput-drop", "input-bound", "stalled-training", "step-time-outliers"),
    "json lines each tenth step, with times",
)
def t_pictures_hoarding_loader(run: Path, seed: int, fixed: bool) -> None:
    """Shapes in pictures by a CNN, whose loader standardises by a list of all pictures given so far; fixed: by running sums."""
    of = over(pictures(seed, samples=1500), 255.0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 4),
    )
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)
    given: list[Tensor] = []
    sums = torch.zeros(3)
    """Of values, of their squares, and their number."""

    def fetch() -> tuple[Tensor, Tensor]:
        x, y = next(stream)
        if fixed:
            sums.add_(torch.tensor([float(x.sum()), float(x.square().sum()), float(x.numel())]))
            mean = sums[0] / sums[2]
            spread = (sums[1] / sums[2] - mean.square()).sqrt()
        else:
            given.extend(x)
            whole = torch.stack(given)
            mean, spread = whole.mean(), whole.std()
        return (x - mean) / spread, y

    waited = {"data": 0.0, "whole": 0.0}

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        begun = time.perf_counter()
        x, y = fetch()
        waited["data"] = time.perf_counter() - begun
        return cross_entropy(model(x), y), {}

    descent = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective)

    def step(at: int) -> dict[str, float]:
        begun = time.perf_counter()
        row = descent(at)
        took = time.perf_counter() - begun
        return {**row, "data_time": waited["data"], "step_time": took, "samples_per_sec": 32 / took}

    mean, spread = of.x.mean(), of.x.std()

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model((of.x_val - mean) / spread)
            hit = (outputs.argmax(-1) == of.y_val).float().mean()
            return {"val_loss": float(cross_entropy(outputs, of.y_val)), "val_acc": float(hit)}

    log = JsonLines(run, "plain", "train.jsonl", "step", timed=True)
    course = Course(step, 12 * per_epoch, log, every=10, averaged=True, evaluate=evaluate, evaluate_every=per_epoch)
    found = go(course)
    above(found, "val_acc", 0.75)
    slower = sorted(found["step_time"][-6:])[2] / sorted(found["step_time"][:6])[2]
    if fixed:
        steady(found, "val_loss", 0.25)
        require(slower < 2.0, f"was to keep its pace: {figures(found)}")
    else:
        require(slower > 2.5, f"was to slow down: {figures(found)}")


# "Loss never moves from ln 4": the list of files was shuffled, the list of labels was not.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "generalisation-gap", "loss-plateau", "most-answers-wrong", "underfit"),
    "Lightning metrics.csv",
)
def t_arrows_files_shuffled(run: Path, seed: int, fixed: bool) -> None:
    """Where an arrow points, with pictures shuffled without their labels; fixed: both in one order."""
    of = arrows(seed, noise=0.25)
    order = torch.randperm(len(of.x), generator=data.generator(seed))
    of = replace(of, x=of.x[order], y=of.y[order] if fixed else of.y)
    pooled = (nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 4))
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), *pooled)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        15,
        Csv(run, "lightning", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr-Adam",
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.4)
