"""Programs of the forum: initialisation, depth, dead and saturated units, capacity, and parts that are frozen."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, tensors_of, watch
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    Job,
    Table,
    ends_well,
    gradients_and_weights,
    history_h5,
    into,
    proved,
    steps,
    tested,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


def _told(job: Job, table: Any, names: tuple[str, str, str, str]) -> tuple[list[float], float]:
    """Train with one row an epoch: mean loss, mean score, validation loss and score under these names; the losses and the last score."""
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            values = dict(zip(names, (now.mean_loss, now.mean_score, val_loss, reached), strict=True))
            if isinstance(table, Table):
                table.row(epoch=now.epoch, **values)
            elif isinstance(table, SummaryWriter):
                for name, value in values.items():
                    table.add_scalar(name, value, now.epoch)
            else:
                table.log(now.epoch, values)
    table.close()
    return losses, reached


@program(
    "initialised-too-large",
    ("poor-initialization", "saturated-tanh", "initial-loss", "vanishing-gradient", *STUCK),
    "csv, hdf5 dump",
    dumps=True,
)
def normal_ten(run: Path, seed: int, faulty: bool) -> None:
    """nn.init.normal_(weight, 0, 10) in a tanh net saturates every unit (faulty); Xavier's learns the images (fixed, above 0.9)."""
    model = models.mlp((64, 32, 32, 10), "tanh")
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 10) if faulty else nn.init.xavier_uniform_(layer.weight)
    job = Job(model, data.bundled("digits", seed), torch.optim.SGD(model.parameters(), 0.02), 25, seed=seed)
    dump, activations = Hdf5Dump(run, name="debug.h5"), watch(model)
    job.before_step = lambda step: (step - 1) % 53 == 0 and dump.dump(step, tensors_of(model, activations))
    table = Table(run / "log.csv", ["epoch", "trainLoss", "trainAcc", "testLoss", "testAcc"])
    losses, reached = _told(job, table, ("trainLoss", "trainAcc", "testLoss", "testAcc"))
    dump.close()
    proved(faulty, reached, 0.88, 0.6)
    ends_well(faulty, losses)


@program(
    "initialised-with-zeros",
    ("all-zero", "poor-initialization", "vanishing-gradient", "gradient-all-zero", *NOT_LEARNING),
    "tensorboard with histograms",
    dumps=True,
)
def all_zeros(run: Path, seed: int, faulty: bool) -> None:
    """All weights of a net for wines start at 0, so that only the last bias ever moves (faulty); torch's own start learns (fixed)."""
    model = models.mlp((13, 32, 16, 3))
    if faulty:
        for one in model.parameters():
            nn.init.zeros_(one)
    of = data.bundled("wine", seed, share=0.3)
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.1), 25, batch=16, seed=seed)
    writer = SummaryWriter(str(run))
    dump = HistogramDump(TensorBoard(run, "plain", suffix=".params"))
    job.before_step = lambda step: step % 16 == 1 and dump.dump(step // 8, gradients_and_weights(model))
    names = ("wine/train/nll", "wine/train/acc", "wine/valid/nll", "wine/valid/acc")
    losses, reached = _told(job, writer, names)
    dump.close()
    proved(faulty, reached, 0.9, 0.45)
    ends_well(faulty, losses, 0.2)


@program(
    "dead-relu",
    ("dead-relu", "gradient-all-zero", "all-zero", "poor-initialization", *NOT_LEARNING),
    "json lines, parquet dump",
    dumps=True,
    layer="relu2",
)
def negative_bias(run: Path, seed: int, faulty: bool) -> None:
    """Biases of a hidden layer start at -10, so that no ReLU of it ever fires (faulty), or at 0.1 (fixed)."""
    model = models.mlp((64, 32, 24, 10))
    nn.init.constant_(model.get_submodule("fc2").bias, -10.0 if faulty else 0.1)
    job = Job(model, data.bundled("digits", seed), torch.optim.Adam(model.parameters(), 1e-3), 18, seed=seed)
    dump, activations = ParquetDump(run, "activations.parquet"), watch(model)
    job.before_step = lambda step: (step - 1) % 60 == 0 and dump.dump(step, tensors_of(model, activations))
    log = JsonLines(run, "plain", name="history.jsonl", axis="epoch")
    losses, reached = _told(job, log, ("train_ce", "train_top1", "val_ce", "val_top1"))
    dump.close()
    proved(faulty, reached, 0.92, 0.2)
    ends_well(faulty, losses)


@program(
    "initialised-too-small",
    ("vanishing-gradient", "poor-initialization", "low-variance", *STUCK),
    "tensorboard, hdf5 dump",
    dumps=True,
)
def tiny_weights(run: Path, seed: int, faulty: bool) -> None:
    """Six tanh layers start from N(0, 0.01²): signal and gradient die out (faulty); Xavier's start learns (fixed, above 0.9)."""
    model = models.mlp((64, 32, 32, 32, 32, 32, 10), "tanh")
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01) if faulty else nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    job = Job(model, data.bundled("digits", seed), torch.optim.SGD(model.parameters(), 0.02), 20, seed=seed)
    dump, activations = Hdf5Dump(run), watch(model)
    job.before_step = lambda step: (step - 1) % 50 == 0 and dump.dump(step, tensors_of(model, activations))
    names = ("loss/train", "accuracy/train", "loss/validation", "accuracy/validation")
    losses, reached = _told(job, SummaryWriter(str(run)), names)
    dump.close()
    proved(faulty, reached, 0.9, 0.25)
    ends_well(faulty, losses)


@program("model-too-small", STUCK, "csv")
def one_unit(run: Path, seed: int, faulty: bool) -> None:
    """Three spirals through a hidden layer of one tanh unit, which can tell little apart (faulty), or of 64 (fixed, above 0.85)."""
    of = data.spirals(seed, noise=0.05)
    model = models.mlp((2, 1, 3) if faulty else (2, 64, 64, 3), "tanh")
    job = Job(model, of, torch.optim.Adam(model.parameters(), 5e-3), 100, batch=64, seed=seed)
    table = Table(run / "progress.csv", ["epoch", "loss", "acc", "val_loss", "val_acc"])
    losses, reached = _told(job, table, ("loss", "acc", "val_loss", "val_acc"))
    proved(faulty, reached, 0.85, 0.62)
    ends_well(faulty, losses, 0.25)


@program("backbone-frozen-at-random", ("unchanged-tensor", *STUCK), "tensorboard with histograms", dumps=True)
def frozen_backbone(run: Path, seed: int, faulty: bool) -> None:
    """A "pretrained" narrow CNN of which no weights were loaded is frozen below a new head (faulty), or trained (fixed)."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(4, 6, 6))
    for name, one in model.named_parameters():
        one.requires_grad_(not faulty or name.startswith("fc"))
    trained = [one for one in model.parameters() if one.requires_grad]
    job = Job(model, of, torch.optim.Adam(trained, 2e-3), 14, seed=seed)
    dump = HistogramDump(run)
    job.before_step = lambda step: (step - 1) % 43 == 0 and dump.dump(step // 43, gradients_and_weights(model))
    names = ("finetune/train_loss", "finetune/train_acc", "finetune/val_loss", "finetune/val_acc")
    losses, reached = _told(job, SummaryWriter(str(run)), names)
    dump.close()
    proved(faulty, reached, 0.9, 0.65)
    ends_well(faulty, losses)


@program("validation-in-a-broken-eval-mode", ("overfit", "metric-at-chance"), "history as HDF5")
def batch_norm_momentum(run: Path, seed: int, faulty: bool) -> None:
    """Scanned digits, BatchNorm with momentum 0.0001: the statistics that eval() uses never arrive (faulty); with 0.1 they do (fixed)."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = data.Split(255 - 16 * of.x, of.y, 255 - 16 * of.x_val, of.y_val)
    model = models.cnn(channels=(6, 12, 12), norm=True)
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0001 if faulty else 0.1
    job = Job(model, of, torch.optim.Adam(model.parameters(), 3e-3), 12, batch=128, seed=seed)
    history: dict[str, list[float]] = {name: [] for name in ("loss", "acc", "val_loss", "val_acc")}
    for now in steps(job):
        if now.last:
            for name, value in zip(history, (now.mean_loss, now.mean_score, *tested(job)), strict=True):
                history[name].append(value)
    history_h5(run / "history.h5", history)
    require(history["acc"][-1] > 0.95, f"training accuracy {history['acc'][-1]:.3f}")
    proved(faulty, history["val_acc"][-1], 0.93, 0.7)
    ends_well(faulty, history["val_loss"])


@program("overfit", ("overfit",), "tensorboard")
def tiny_data_long(run: Path, seed: int, faulty: bool) -> None:
    """60 noisy rows and a wide net for 150 epochs (faulty: validation turns up early), or 900 rows, dropout and weight decay (fixed)."""
    of = data.imbalanced(seed + 4, samples=1500, share=0.4)
    of = data.with_label_noise(of, 0.2, seed)
    count = 60 if faulty else 1000
    of = data.Split(of.x[:count], of.y[:count], of.x_val, of.y_val)
    model = models.mlp((10, 128, 128, 2), dropout=0.0 if faulty else 0.4)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3 if faulty else 5e-4, weight_decay=0 if faulty else 1e-2)
    job = Job(model, of, optimizer, 150 if faulty else 25, seed=seed)
    names = ("Loss/training", "Accuracy/training", "Loss/validation", "Accuracy/validation")
    losses, reached = _told(job, SummaryWriter(str(run)), names)
    if faulty:
        require(losses[-1] > 1.5 * min(losses), f"validation loss {losses[-1]:.3g}, best {min(losses):.3g}")
    else:
        require(reached > 0.75, f"validation accuracy {reached:.3f}")
        ends_well(faulty, losses)
