"""Everyday programs in PyTorch that look odd and are healthy."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_daily_common import odd_into
from bench.accuracy.programs_daily_torch_common import cars, flags, leaves, stars, vibrations
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, steady, told
from bench.accuracy.programs_post_common import CartPole, explained, over, returns, rollout

Odd = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Odd], Odd]] = odd_into(RECIPES)


# "Is it a bug that validation is better than training?": no, dropout of 0.6 before each dense layer.
@odd("csv by hand, a row an epoch; tensors in Parquet", dumps=True)
def motors_dropout_strong(run: Path, seed: int) -> None:
    """Faults of a motor by a 1-D CNN with dropout of 0.6."""
    of = vibrations(seed, 1000, noise=0.45)
    of = data.Split(of.x[:, None], of.y, of.x_val[:, None], of.y_val)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 9, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 24, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.6),
        nn.Linear(288, 48),
        nn.ReLU(),
        nn.Dropout(0.6),
        nn.Linear(48, 4),
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        23,
        Csv(run, "plain", "progress.csv", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 72, "torch", watched=False),
    )
    above(found, "test_acc", 0.8)
    better = np.mean(np.array(found["test_loss"]) < np.array(found["train_loss"]))
    require(bool(better > 0.7), f"validation was to be better: {told(found)}")
    steady(found, "test_loss", 0.3)


# "The loss jumps every six epochs": CosineAnnealingWarmRestarts, as is meant.
@odd("SummaryWriter with scalars an epoch")
def flags_warm_restarts(run: Path, seed: int) -> None:
    """Flags by a CNN under SGD with warm restarts."""
    raw = flags(seed, 1000, noise=150.0)
    of = over(raw, 255.0)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(216, 6),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=2e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 6 * per_epoch)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
        schedule=schedule,
    )
    above(found, "val_acc", 0.8)
    steady(found, "val_loss", 0.4)


# "Half of the histograms never move": the convolutions are frozen, only the head is fine-tuned.
@odd("SummaryWriter with scalars an epoch and add_histogram", dumps=True)
def leaves_frozen_body(run: Path, seed: int) -> None:
    """A CNN that was trained on other leaves, with a new head over frozen convolutions."""
    earlier, of = leaves(seed + 100, 1000), leaves(seed, 360)
    body = nn.Sequential()
    body.add_module("conv1", nn.Conv2d(1, 12, 3, padding=1))
    body.add_module("relu1", nn.ReLU())
    body.add_module("pool1", nn.MaxPool2d(2))
    body.add_module("conv2", nn.Conv2d(12, 24, 3, padding=1))
    body.add_module("relu2", nn.ReLU())
    body.add_module("pool2", nn.MaxPool2d(2))
    body.add_module("flatten", nn.Flatten())
    body.add_module("fc", nn.Linear(384, 32))
    body.add_module("relu3", nn.ReLU())
    whole = nn.Sequential(body, nn.Linear(32, 5))
    optimizer = torch.optim.Adam(whole.parameters(), lr=2e-3)
    stream = data.batches(earlier, 32, seed)
    for _ in range(220):
        x, y = next(stream)
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(whole(x), y))
        optimizer.step()
    for one in body.parameters():
        one.requires_grad_(False)
        one.grad = None
    model = nn.Sequential()
    model.add_module("backbone", body)
    head = nn.Linear(32, 5)
    model.add_module("head", head)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(head.parameters(), lr=5e-3),
        16,
        writer,
        ("Train/loss", "Train/acc", "Valid/loss", "Valid/acc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 18, "torch", watched=False),
    )
    above(found, "Valid/acc", 0.75)
    steady(found, "Valid/loss", 0.25)


# "A negative loss cannot be right": it can, a density of more than one has a negative logarithm with a minus before it.
@odd("json lines, a row an epoch; tensors in HDF5", dumps=True)
def cars_negative_likelihood(run: Path, seed: int) -> None:
    """Prices of used cars and how sure they are, by GaussianNLLLoss."""
    model = models.mlp((9, 48, 48, 2), "silu")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-3)

    found = fit(
        model,
        cars(seed, 1600),
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02),
        24,
        JsonLines(run, "plain", "log.jsonl", "epoch"),
        ("nll", "", "val_nll", "val_r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 152, watched=False),
    )
    above(found, "val_r2", 0.9)
    below(found, "val_nll", -0.3)
    steady(found, "val_nll", 0.35)


# "The return is all over the place": REINFORCE on a pole, one episode an update.
@odd("console log, a line an episode")
def pole_one_episode_an_update(run: Path, seed: int) -> None:
    """A pole on a cart by REINFORCE; returns are noisy and rise."""
    policy, pole = models.mlp((4, 32, 2), "tanh"), CartPole(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=4e-3)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        states, actions, rewards = rollout(policy, pole)
        gained = returns(rewards)
        gained = (gained - gained.mean()) / (gained.std() + 1e-6) if len(gained) > 1 else gained
        shares = functional.log_softmax(policy(states), -1)
        loss = -(shares.gather(1, actions[:, None])[:, 0] * gained).mean()
        entropy = -(shares.exp() * shares).sum(-1).mean()
        return loss, {"episode_return": float(rewards.sum()), "entropy": float(entropy.detach())}

    step = Descent(policy, optimizer, objective, "policy_loss")
    found = go(Course(step, 320, Console(run, "plain", "reinforce.log", "episode"), every=1))
    late, early = np.mean(found["episode_return"][-40:]), np.mean(found["episode_return"][:30])
    require(bool(late > 80 and late > 2.5 * early), f"the return was to rise: {early:.1f}, {late:.1f}")


# "Every other weight has no gradient": embeddings with sparse=True under SparseAdam, of which a batch touches a few.
@odd("SummaryWriter each tenth step")
def stars_sparse_embeddings(run: Path, seed: int) -> None:
    """Ratings of films by factors of users and films in sparse embeddings."""
    of = stars(seed)

    class Factors(nn.Module):
        """A product of factors, and a bias for each film."""

        def __init__(self) -> None:
            super().__init__()
            self.user, self.film = nn.Embedding(80, 3, sparse=True), nn.Embedding(60, 3, sparse=True)
            self.bias = nn.Embedding(60, 1, sparse=True)
            for one in (self.user, self.film, self.bias):
                nn.init.normal_(one.weight, std=0.3)

        def forward(self, x: Tensor) -> Tensor:
            product = self.user(x[:, 0]) * self.film(x[:, 1])
            rating: Tensor = product.sum(1, keepdim=True) + self.bias(x[:, 1])
            return rating

    model = Factors()
    found = fit(
        model,
        of,
        torch.optim.SparseAdam(list(model.parameters()), lr=4e-3),
        14,
        TensorBoard(run, "plain"),
        ("train/mse", "", "test/mse", "test/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        batch=32,
        every=10,
    )
    above(found, "test/r2", 0.6)
    steady(found, "test/mse", 0.25)


# "The loss will not go below one": label smoothing of 0.1 over some twenty characters; four batches are one step of the optimizer.
@odd("csv, each fifth step of the optimizer")
def proverbs_smoothed_accumulated(run: Path, seed: int) -> None:
    """The next character of made sentences by a transformer with label smoothing, warm-up, and four batches a step."""
    of, vocabulary = data.characters(seed, sentences=600)
    model = models.Transformer(vocabulary, vocabulary, width=32, layers=2, dropout=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    steps, warm = 220, 20
    schedule: Any = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda at: (at + 1) / warm if at < warm else 0.5 * (1 + math.cos(math.pi * (at - warm) / (steps - warm))),
    )
    stream = data.batches(of, 16, seed)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), label_smoothing=0.1)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        parts = [loss(model(x), y) for x, y in (next(stream) for _ in range(4))]
        return torch.stack(parts).mean(), {}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x_val)
        model.train()
        return {
            "val_loss": float(loss(outputs, of.y_val)),
            "val_acc": float((outputs.argmax(-1) == of.y_val).float().mean()),
        }

    step = Descent(model, optimizer, objective, "train_loss", "lr", schedule=schedule)
    log = Csv(run, "plain", "metrics.csv", "step")
    found = go(Course(step, steps, log, every=5, averaged=True, evaluate=evaluate, evaluate_every=20))
    above(found, "val_acc", 0.6)
    steady(found, "val_loss", 0.1)
