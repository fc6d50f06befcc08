"""Everyday programs in plain PyTorch that look odd and are healthy: rates, losses, regularisation, and trainings in parts."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import accuracy, cross_entropy, gradient_norm
from bench.accuracy.programs_basic_common import odd_into
from bench.accuracy.programs_desk_common import arrows, flats, gestures, mails
from bench.accuracy.programs_field_common import Course, Snapshots, Trail, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import explained, over, pictures, reviews

Odd = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Odd], Odd]] = odd_into(RECIPES)


# "Validation is better than training, is there a leak?": no, half of the units are dropped in training only.
@odd("SummaryWriter, Loss/train per epoch")
def strong_dropout_c(run: Path, seed: int) -> None:
    """Digits by an MLP with dropout of 0.5: the training loss stays over that of validation."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 64, 10), dropout=0.5)
    tags = ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    found = fit(model, of, optimizer, 20, TensorBoard(run, "plain"), tags, seed=seed)
    above(found, "Accuracy/val", 0.95)
    steady(found, "Loss/val", 0.3)
    require(last(found, "Loss/train") > 1.2 * last(found, "Loss/val"), told(found))


# "The loss does not get below 0.6 though all are right": label smoothing of 0.1 has a floor of 0.5.
@odd("Lightning's metrics.csv")
def smoothed_labels_c(run: Path, seed: int) -> None:
    """Arrows by a CNN with label_smoothing=0.1."""
    of = arrows(seed, noise=0.25)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 4),
    )

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=0.1)

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        14,
        Csv(run, "plain"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=loss,
        seed=seed,
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.1)
    above(found, "train_loss", 0.3)


# "The rate goes up and down like a saw": CyclicLR, triangular2, as wanted.
@odd("jsonl with the rate each ten steps")
def saw_of_rates_c(run: Path, seed: int) -> None:
    """Gestures by a 1-D CNN under CyclicLR."""
    of = gestures(seed)
    of = replace(of, x=of.x.transpose(1, 2), x_val=of.x_val.transpose(1, 2))
    pooled = (nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.Linear(32, 5))
    model = nn.Sequential(nn.Conv1d(3, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-3)
    found = fit(
        model,
        of,
        optimizer,
        20,
        JsonLines(run, "plain", "log.jsonl", "step"),
        ("train/loss", "", "val/loss", "val/acc"),
        seed=seed,
        every=10,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-3, 4e-2, step_size_up=36, mode="triangular2"),
    )
    above(found, "val/acc", 0.9)
    steady(found, "val/loss", 0.5)


# "Each ten epochs the loss jumps": cosine annealing with warm restarts, which is the idea of it.
@odd("SummaryWriter with the rate, tags loss/train and loss/val")
def restarts_c(run: Path, seed: int) -> None:
    """Spirals by an MLP under CosineAnnealingWarmRestarts, ended at the end of a cycle."""
    of = data.spirals(seed, noise=0.12)
    model = models.mlp((2, 48, 48, 3), "silu")
    per_epoch = data.steps_per_epoch(of, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = fit(
        model,
        of,
        optimizer,
        30,
        TensorBoard(run, "plain"),
        ("loss/train", "", "loss/val", "acc/val"),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10 * per_epoch),
    )
    above(found, "acc/val", 0.85)
    steady(found, "loss/val", 0.3)


class Backbone(nn.Module):
    """A `backbone` of convolutions and a `head`."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Linear(216, outputs)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.backbone(x))
        return found


# "The backbone does not change at all": it was trained before, is frozen, and only the head learns.
@odd("SummaryWriter with add_histogram for the weights", dumps=True)
def frozen_backbone_c(run: Path, seed: int) -> None:
    """Shapes in pictures: a backbone trained on other pictures of them, frozen, and a new head."""
    earlier = over(pictures(seed + 50, samples=800), 255.0)
    model = Backbone(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        stream = data.batches(earlier, 32, seed + epoch)
        for _ in range(data.steps_per_epoch(earlier, 32)):
            x, y = next(stream)
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(model(x), y))
            optimizer.step()
    of = over(pictures(seed), 255.0)
    model.backbone.requires_grad_(False)
    model.head = nn.Linear(216, 4)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.head.parameters(), lr=2e-3),
        12,
        writer,
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 24, "torch", watched=False),
    )
    above(found, "valid_acc", 0.85)
    steady(found, "valid_loss", 0.2)


# "It stopped after a third of the epochs": 178 wines, patience of 4, and the best is kept.
@odd("csv by hand with a row an epoch")
def few_wines_c(run: Path, seed: int) -> None:
    """Wines by a small MLP with early stopping long before the 100 epochs that were allowed."""
    of = data.bundled("wine", seed)
    model = models.mlp((13, 16, 3), "tanh")

    def stop(trail: Trail) -> bool:
        losses = trail["val_loss"]
        return len(losses) > 4 and min(losses[-4:]) > min(losses[:-4]) - 0.004

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        100,
        Csv(run, "plain", "training.csv", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        batch=16,
        stop=stop,
    )
    above(found, "val_accuracy", 0.9)
    require(len(found["val_loss"]) < 80, told(found))
    require(last(found, "val_loss") < 0.25, told(found))


# "The loss is below zero!": a Gaussian's negative log-likelihood may be, when the spread is small.
@odd("printed log, a line each epoch")
def likelihood_below_zero_c(run: Path, seed: int) -> None:
    """Rents and their spread by an MLP under GaussianNLLLoss; the targets are scaled to a small range."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = replace(of, y=(of.y - mean) / (4 * spread), y_val=(of.y_val - mean) / (4 * spread))
    model = models.mlp((9, 32, 2), "tanh")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-3)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        24,
        Console(run, "plain", "out.log", "epoch"),
        ("nll", "", "val_nll", "val_r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
    )
    above(found, "val_r2", 0.7)
    below(found, "val_nll", -0.8)
    steady(found, "val_nll", 0.2)


# "Most rows of the embedding have a gradient of zero": 3,000 words, of which a batch holds a few.
@odd("HDF5 of weights and gradients; jsonl by hand", dumps=True)
def rare_words_c(run: Path, seed: int) -> None:
    """Whether reviews are good, by a mean of embeddings, most rows of which no batch touches."""
    of = reviews(seed, samples=900, words=300, share=0.2)
    model = nn.Sequential(nn.EmbeddingBag(3000, 8), nn.Dropout(0.3), nn.Linear(8, 2))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=8e-3),
        8,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("loss", "acc", "dev_loss", "dev_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 42, "collections", watched=False),
    )
    above(found, "dev_acc", 0.8)
    steady(found, "dev_loss", 0.2)


# "Only 40 % right after all these epochs": a text of characters; it rises still, and chance is 4 %.
@odd("trainer_state.json with gradient accumulation")
def accumulated_c(run: Path, seed: int) -> None:
    """Characters of a text by a small transformer, two batches a step of the optimizer by accumulation, with warm-up."""
    of, words = data.characters(seed, length=24, sentences=220)
    model = models.Transformer(words, words, width=32, heads=2, layers=2, length=24)
    per_epoch = data.steps_per_epoch(of, 16)
    total = 8 * per_epoch
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / total))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    stream = data.batches(of, 8, seed)

    def step(_: int) -> dict[str, float]:
        optimizer.zero_grad()
        total_loss = 0.0
        for _ in range(2):
            x, y = next(stream)
            loss = cross_entropy(model(x), y) / 2
            torch.autograd.backward(loss)
            total_loss += float(loss.detach())
        row = {"train_loss": total_loss, "grad_norm": gradient_norm(model), "lr": optimizer.param_groups[0]["lr"]}
        optimizer.step()
        schedule.step()
        return row

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {
            "val_loss": float(cross_entropy(outputs, of.y_val)),
            "val_accuracy": float(accuracy(outputs, of.y_val)),
        }

    log = TrainerState(run, per_epoch, total, 10)
    found = go(Course(step, total, log, evaluate=evaluate, evaluate_every=per_epoch))
    above(found, "val_accuracy", 0.4)
    steady(found, "val_loss", 0.05)


# "The log has a gap of a day in the middle": the job was ended by the cluster and resumed with all of its state.
@odd("SummaryWriter, two event files")
def resumed_whole_c(run: Path, seed: int) -> None:
    """Departments of mails by a GRU, resumed at the sixth epoch with the states of the optimizer and the schedule."""
    of = mails(seed, length=14, told=0.4)
    model = models.Recurrent("gru", 16, 24, 4, vocabulary=200)
    per_epoch = data.steps_per_epoch(of, 32)
    trail: Trail = {}
    states: list[dict[str, object]] = []
    for first, epochs in ((0, 6), (6, 6)):
        optimizer = torch.optim.Adam(model.parameters(), lr=6e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4 * per_epoch, 0.4)
        if states:
            optimizer.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
        part = fit(
            model,
            of,
            optimizer,
            epochs,
            TensorBoard(run, "plain", suffix=f".{first}"),
            ("train/loss", "train/accuracy", "eval/loss", "eval/accuracy"),
            seed=seed + first,
            first=first,
            rate_tag="train/lr",
            schedule=schedule,
        )
        states = [optimizer.state_dict(), schedule.state_dict()]
        for tag, values in part.items():
            trail.setdefault(tag, []).extend(values)
    above(trail, "eval/accuracy", 0.8)
    steady(trail, "eval/loss", 0.3)
