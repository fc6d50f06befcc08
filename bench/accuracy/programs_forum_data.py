"""Programs of the forum: what is wrong with the data."""

import json
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    TOO_FAST,
    Job,
    Table,
    ends_well,
    explained,
    into,
    proved,
    steps,
    tested,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


@program("labels-shuffled-against-inputs", ("overfit", *NOT_LEARNING), "tensorboard")
def generator_shuffles(run: Path, seed: int, faulty: bool) -> None:
    """A generator draws one permutation for images and another for labels (faulty), or one for both (fixed): chance, or above 0.9."""
    of = data.bundled("digits", seed).as_images()
    random = data.generator(seed + 1)
    model = models.cnn(channels=(6, 12))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for epoch in range(15):
        first = torch.randperm(len(of.x), generator=random)
        second = torch.randperm(len(of.x), generator=random) if faulty else first
        model.train()
        running = 0.0
        for one, other in zip(first.split(64), second.split(64), strict=True):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(of.x[one]), of.y[other])
            loss.backward()
            optimizer.step()
            running += loss.item() * len(one)
        with torch.no_grad():
            outputs = model.eval()(of.x_val)
        losses.append(float(functional.cross_entropy(outputs, of.y_val)))
        reached = float((outputs.argmax(-1) == of.y_val).float().mean())
        writer.add_scalar("Train/Loss", running / len(of.x), epoch)
        writer.add_scalar("Valid/Loss", losses[-1], epoch)
        writer.add_scalar("Valid/Acc", 100 * reached, epoch)
    writer.close()
    proved(faulty, reached, 0.9, 0.2)
    ends_well(faulty, losses)


@program(
    "inputs-with-huge-columns",
    ("non-finite", "data-not-normalized", *TOO_FAST),
    "csv by step, parquet dump",
    dumps=True,
)
def income_in_dollars(run: Path, seed: int, faulty: bool) -> None:
    """A credit score from income in dollars and a share of debt by SGD: infinite within steps (faulty); standardised it fits (fixed)."""
    random = np.random.default_rng(seed)
    income, debt, age = random.lognormal(10.8, 0.5, 600), random.beta(2, 5, 600), random.uniform(20, 70, 600)
    x = np.stack([income, debt, age], 1)
    y = np.tanh((income - 50_000) / 40_000) - 1.5 * debt + 0.01 * age + random.normal(0, 0.15, 600)
    of = data.split(x, ((y - y.mean()) / y.std())[:, None], seed, scaled=not faulty)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.02), 25, functional.mse_loss, explained, seed=seed)
    dump = ParquetDump(run, "batches.parquet")
    table = Table(run / "loss.csv", ["step", "loss", "grad_norm", "val_loss"])

    def kept(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step % 18 == 1 or step < 4:
            dump.dump(
                step,
                {
                    "inputs/features": x.numpy(),
                    **{f"weights/{k}": v.detach().numpy().copy() for k, v in model.named_parameters()},
                },
            )
        return x, y

    job.alter = kept
    losses, reached = list[float](), 0.0
    for now in steps(job):
        more = {}
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            more = {"val_loss": val_loss}
        table.row(step=now.step, loss=now.loss, grad_norm=now.grad_norm, **more)
    table.close()
    dump.close()
    proved(faulty, reached, 0.6, 0.0, "R²")
    ends_well(faulty, losses, 0.15)


@program("inputs-divided-to-nothing", ("data-not-normalized", *STUCK), "json, hdf5 dump", dumps=True)
def divided_twice(run: Path, seed: int, faulty: bool) -> None:
    """Images are divided by 255 by the loader and again in the model, so that all look black (faulty), or once (fixed)."""
    of = data.bundled("digits", seed, scaled=False)
    factor = 1 / 16 / 255 if faulty else 1 / 16
    of = data.Split(factor * of.x, of.y, factor * of.x_val, of.y_val)
    model = nn.Sequential()
    for name, layer in (("dense", nn.Linear(64, 32)), ("relu", nn.ReLU()), ("dense_1", nn.Linear(32, 10))):
        model.add_module(name, layer)
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.2), 20, seed=seed)
    dump = Hdf5Dump(run, name="tensors.hdf5")

    def kept(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step % 40 == 1:
            kernels = {f"weights/{name}": one.detach().numpy().copy() for name, one in model.named_parameters()}
            dump.dump(step, {"inputs/input_1": x.numpy(), "labels/y_true": y.numpy(), **kernels})
        return x, y

    job.alter = kept
    rows, losses, reached = [], list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            rows.append(
                {
                    "epoch": now.epoch,
                    "step": now.step,
                    "train_loss": now.mean_loss,
                    "valid_loss": val_loss,
                    "top1": reached,
                }
            )
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    dump.close()
    proved(faulty, reached, 0.92, 0.35)
    ends_well(faulty, losses)


@program("nan-in-a-row", ("non-finite", "masked-non-finite"), "tensorboard by step")
def missing_values(run: Path, seed: int, faulty: bool) -> None:
    """A table of passengers with empty ages: NaN goes in, and everything is NaN after that batch (faulty); filled with the mean (fixed)."""
    random = np.random.default_rng(seed)
    x, y = datasets.make_classification(800, 7, n_informative=5, class_sep=1.2, random_state=seed)
    gaps = random.permutation(600)[:3] if faulty else np.array([], dtype=int)
    of = data.split(x, y, seed)
    of.x[torch.tensor(gaps), 2] = float("nan")
    model = models.mlp((7, 32, 16, 1))

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), targets.float())

    job = Job(model, of, torch.optim.Adam(model.parameters(), 3e-3), 20, criterion, batch=16, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        writer.add_scalar("titanic/batch_loss", now.loss, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("titanic/val_loss", val_loss, now.step)
            writer.add_scalar("titanic/val_acc", reached, now.step)
    writer.close()
    if faulty:
        require(losses[-1] != losses[-1], f"validation loss {losses[-1]:.3g}")
    else:
        proved(faulty, reached, 0.8, 0.6)
        ends_well(faulty, losses, 0.2)


@program(
    "class-imbalance",
    ("class-imbalance", "classifier-confusion", "metric-at-chance"),
    "csv, predictions as parquet",
    dumps=True,
)
def fraud(run: Path, seed: int, faulty: bool) -> None:
    """Fraud is 3 % of the rows: a net that always says no, accuracy 0.97 and F1 0 (faulty); weighted 12 to 1 it finds most (fixed)."""
    x, y = datasets.make_classification(
        5000,
        12,
        n_informative=6,
        weights=[0.97],
        class_sep=0.8,
        flip_y=0.0,
        n_clusters_per_class=1,
        random_state=seed + 5,
    )
    of = data.split(x, y, seed)
    model = models.mlp((12, 16, 1), "tanh")
    weight = torch.tensor(1.0 if faulty else 12.0)

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), targets.float(), pos_weight=weight)

    def f1(outputs: Tensor, targets: Tensor) -> float:
        told = outputs.squeeze(1) > 0
        both = float((told & (targets == 1)).sum())
        return 2 * both / max(1.0, float(told.sum() + targets.sum()))

    optimizer = torch.optim.SGD(model.parameters(), 0.003 if faulty else 0.02)
    job = Job(model, of, optimizer, 20, criterion, f1, batch=64, seed=seed)
    dump = Hdf5Dump(run, name="batches.h5")

    def kept(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step % 9 == 0:
            with torch.no_grad():
                told = (model(x).squeeze(1) > 0).long()
            dump.dump(step, {"labels/fraud": y.numpy(), "predictions/fraud": told.numpy()})
        return x, y

    job.alter = kept
    table = Table(run / "epochs.csv", ["epoch", "train_loss", "val_loss", "val_acc", "val_f1"])
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            with torch.no_grad():
                right = float(((model(of.x_val).squeeze(1) > 0) == (of.y_val > 0)).float().mean())
            table.row(epoch=now.epoch, train_loss=now.mean_loss, val_loss=val_loss, val_acc=right, val_f1=reached)
    table.close()
    dump.close()
    proved(faulty, reached, 0.3, 0.1, "F1")
    ends_well(faulty, losses)


@program(
    "sorted-by-class",
    ("epoch-steps", "loss-spike", "unstable-loss", "classifier-confusion", "metric-at-chance"),
    "tensorboard by step",
)
def sorted_by_class(run: Path, seed: int, faulty: bool) -> None:
    """Images are read class after class with shuffle=False: it knows what came last (faulty); shuffled it learns (fixed)."""
    of = data.bundled("digits", seed).as_images()
    order = of.y.argsort(stable=True)
    of = data.Split(of.x[order], of.y[order], of.x_val, of.y_val)
    model = models.cnn(channels=(8, 16))
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    job = Job(model, of, optimizer, 10, seed=seed, shuffle=not faulty)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.step % 2 == 0:
            writer.add_scalar("training loss", now.loss, now.step)
            writer.add_scalar("epoch", now.epoch, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("validation loss", val_loss, now.step)
            writer.add_scalar("validation accuracy", reached, now.step)
    writer.close()
    proved(faulty, reached, 0.93, 0.5)
    ends_well(faulty, losses, 0.2)


@program("bad-batch", ("loss-spike", "exploding-gradient"), "tensorboard by step", since=300)
def broken_file(run: Path, seed: int, faulty: bool) -> None:
    """Two batches at step 300 hold pixels 500 times too bright under wrong labels (faulty: the loss leaps), or are skipped (fixed)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 24, 10))

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return (500 * x, y.roll(1)) if faulty and step in (300, 301) else (x, y)

    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.5)
    job = Job(model, of, optimizer, 15, seed=seed, alter=alter, clip=5.0)
    writer, losses, told, reached = SummaryWriter(str(run)), list[float](), list[float](), 0.0
    for now in steps(job):
        told.append(now.loss)
        writer.add_scalar("loss", now.loss, now.step)
        writer.add_scalar("gnorm", now.grad_norm, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("val_loss", val_loss, now.step)
    writer.close()
    if faulty:
        usual = float(np.median(told[200:299]))
        require(max(told[299:303]) > 50 * usual, f"loss {usual:.3g} before, {max(told[299:303]):.3g} at the batch")
    else:
        proved(faulty, reached, 0.92, 0.9)
        ends_well(faulty, losses)
