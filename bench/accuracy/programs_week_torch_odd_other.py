"""The week's healthy programs in PyTorch that look odd: games, generators, hard tasks, and very short or long runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import Course, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import CartPole, returns, rollout
from bench.accuracy.programs_week_common import odd_into
from bench.accuracy.programs_week_torch_common import cells, f1

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "The return jumps between 20 and 200": REINFORCE without a critic on the pole, and yet it rises.
@odd("SummaryWriter with charts/episodic_return each episode, as CleanRL has it")
def torch_pole_noisy(run: Path, seed: int) -> None:
    """A pole on a cart by REINFORCE."""
    pole, policy = CartPole(seed), models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=8e-3)
    usual = {"mean": 10.0}

    def episode(number: int) -> dict[str, float]:
        states, actions, rewards = rollout(policy, pole)
        worth = returns(rewards)
        usual["mean"] = 0.95 * usual["mean"] + 0.05 * float(worth.mean())
        worth = (worth - usual["mean"]) / 15
        logs = policy(states).log_softmax(-1)
        entropy = -(logs.exp() * logs).sum(1).mean()
        loss = -(logs.gather(1, actions[:, None])[:, 0] * worth).mean() - 0.005 * entropy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {
            "charts/episodic_return": float(rewards.sum()),
            "losses/policy_loss": float(loss.detach()),
            "losses/entropy": float(entropy.detach()),
        }

    found = go(Course(episode, 300, TensorBoard(run, "plain"), every=1))
    late = last(found, "charts/episodic_return", 30)
    require(late > 2.5 * float(np.mean(found["charts/episodic_return"][:20])), told(found))


# "Neither loss falls": a GAN whose two nets keep each other in balance while its points get onto the ring.
@odd("csv by hand each 20 steps; weights and gradients of both nets in tensors.h5 eight times", dumps=True)
def torch_ring_gan_balanced(run: Path, seed: int) -> None:
    """Points of a ring by a GAN."""
    generator, discriminator = models.gan_pair(2, 4, 40)
    both = nn.ModuleDict({"generator": generator, "discriminator": discriminator})
    to_make = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    to_tell = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    snapshots = Snapshots(Hdf5Dump(run), both, 300, watched=False)
    entropy = functional.binary_cross_entropy_with_logits

    def real() -> torch.Tensor:
        angle = 2 * np.pi * torch.rand(64)
        return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(64, 2)

    def step(number: int) -> dict[str, float]:
        made = generator(torch.randn(64, 4))
        true, false = discriminator(real()), discriminator(made.detach())
        loss_d = entropy(true, torch.full_like(true, 0.9)) + entropy(false, torch.zeros_like(false))
        to_tell.zero_grad()
        loss_d.backward()  # type: ignore[no-untyped-call]
        to_tell.step()
        told_by = discriminator(made)
        loss_g = entropy(told_by, torch.ones_like(told_by))
        to_make.zero_grad()
        loss_g.backward()  # type: ignore[no-untyped-call]
        snapshots.take(number)
        to_make.step()
        with torch.no_grad():
            points = generator(torch.randn(256, 4))
        sector = ((torch.atan2(points[:, 1], points[:, 0]) / np.pi + 1) * 4).long().clamp(0, 7)
        on_ring = (points.norm(dim=1) - 1).abs() < 0.25
        return {
            "d_loss": float(loss_d.detach()),
            "g_loss": float(loss_g.detach()),
            "on_ring": float(on_ring.float().mean()),
            "sectors": float((torch.bincount(sector[on_ring], minlength=8) > 4).sum()),
        }

    log = Csv(run, "plain", "gan.csv", "iteration")
    found = go(Course(step, 2400, log, every=20, averaged=True, snapshots=snapshots))
    above(found, "on_ring", 0.6)
    above(found, "sectors", 6.5)


# "Accuracy of 30 % after 30 epochs": 40 classes that overlap, of which a guess would hit 2.5 %.
@odd("jsonl with an epoch a line")
def torch_forty_classes_hard(run: Path, seed: int) -> None:
    """Forty classes of overlapping clouds by an MLP: far from good, and still getting better."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 40, 3000)
    x = np.random.default_rng(5).normal(size=(40, 24))[y] * 0.36 + random.normal(size=(3000, 24))
    of = data.split(x, y, seed)
    model = models.mlp((24, 64, 40), "relu", dropout=0.2)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.006, momentum=0.9),
        24,
        JsonLines(run, "plain", "log.jsonl", "epoch"),
        ("train_loss", "train_top1", "test_loss", "test_top1"),
        seed=seed,
        batch=64,
        rate_tag="lr",
    )
    above(found, "test_top1", 0.15)
    below(found, "test_top1", 0.5)
    steady(found, "test_loss", 0.05)


# "Only three epochs?": the pictures are easy, and the budget was three epochs.
@odd("SummaryWriter with Loss/train each 2 steps")
def torch_cells_three_epochs(run: Path, seed: int) -> None:
    """Masks of cells by a small fully convolutional net in three epochs."""
    of = cells(seed, samples=480, noise=0.25)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 1, 1),
    )
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=0.02),
        3,
        TensorBoard(run, "plain"),
        ("Loss/train", "", "Loss/val", "F1/val"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=f1,
        seed=seed,
        batch=8,
        every=2,
    )
    above(found, "F1/val", 0.6)
    steady(found, "Loss/val", 0.3)


# "200 epochs, and nothing happens in the last 100": a small linear model that is simply done, kept on by the script.
@odd("csv by hand with a row an epoch")
def torch_tumours_long(run: Path, seed: int) -> None:
    """Tumours by logistic regression over 200 epochs with a weight decay."""
    of = data.bundled("breast_cancer", seed)
    model = nn.Linear(30, 2)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=5e-3),
        200,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=64,
    )
    above(found, "val_acc", 0.93)
    steady(found, "val_loss", 0.15)
