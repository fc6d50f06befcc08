"""Bug-fix commits in PyTorch: what goes into the model and how the model begins; and two that are no plain classifiers."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, TensorBoard
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_torch_common import Deliveries, HistoryJson, Printed, pumps, signs
from bench.accuracy.programs_desk_common import gestures
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    steady,
    told,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class LastState(nn.Module):
    """An LSTM over readings (n, length, 4) and a layer on its last state."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 24, batch_first=batch_first)
        self.fc = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        scores: Tensor = self.fc(states[:, -1])
        return scores


# "batch_first=True was missing": the LSTM ran along the batch and saw the last moment of each recording only.
@pair(
    "axes-mixed-up",
    (*NOTHING_LEARNED, "constant-answer", "task-not-learned"),
    "printed log `[Epoch 3] train loss=…`",
)
def lstm_along_the_batch(run: Path, seed: int, fixed: bool) -> None:
    """Which sensor of a pump jumped, by an LSTM; faulty: without batch_first=True."""
    of = pumps(seed, samples=1200)
    model = LastState(fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        14,
        Printed(run, name="stdout.log"),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        first=1,
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.4)


# "use the same transform for the test set": its pictures, which ToTensor() had scaled, were divided by 255 again and not normalised.
@pair(
    "preprocessing-differs",
    (
        "generalisation-gap",
        "metric-at-chance",
        "overfit",
        "data-not-normalized",
        "most-answers-wrong",
        "metric-left-behind",
    ),
    "CSV with a row an epoch",
)
def test_set_scaled_twice(run: Path, seed: int, fixed: bool) -> None:
    """Road signs by a CNN; faulty: the training pictures are normalised, the test pictures divided by 255 twice."""
    raw = signs(seed)
    mean, spread = raw.x.mean((0, 2, 3), keepdim=True), raw.x.std((0, 2, 3), keepdim=True)
    x_val = (raw.x_val - mean) / spread if fixed else raw.x_val / 255 / 255
    of = data.Split((raw.x - mean) / spread, raw.y, x_val, raw.y_val)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(96, 5),
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4),
        18,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
        first=1,
    )
    if fixed:
        above(found, "test_acc", 0.85)
        steady(found, "test_loss", 0.25)
    else:
        above(found, "train_acc", 0.85)
        below(found, "test_acc", 0.65)


# "use xavier init": all weights were drawn by nn.init.normal_(p), whose standard deviation is 1 unless one says otherwise.
@pair(
    "weights-too-large-at-start",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "saturated-tanh",
        "saturated-activation",
        "initial-loss",
        "generalisation-gap",
    ),
    "SummaryWriter with scalars each tenth batch, tensors in HDF5 by name",
    dumps=True,
)
def normal_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a tanh MLP; faulty: weights begin at a standard deviation of 1; fixed: as Xavier has it."""
    of = gestures(seed, samples=2400, noise=0.35)
    of = data.Split(of.x.flatten(1), of.y, of.x_val.flatten(1), of.y_val)
    model = models.mlp((96, 64, 48, 32, 5), "tanh")
    for one in model.parameters():
        if one.dim() > 1:
            (nn.init.xavier_normal_ if fixed else nn.init.normal_)(one)
        else:
            nn.init.zeros_(one)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=2e-3),
        10,
        TensorBoard(run, "plain"),
        ("Loss/train", "Acc/train", "Loss/val", "Acc/val"),
        seed=seed,
        every=10,
        rate_tag="lr",
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 42, "collections"),
    )
    if fixed:
        above(found, "Acc/val", 0.85)
        steady(found, "Loss/val", 0.1)
    else:
        below(found, "Acc/val", 0.62)


# "fake must not be detached in the generator's step": one line, copied from the discriminator's step.
@pair(
    "graph-detached",
    ("discriminator-wins", "adversarial-divergence", "gradient-all-zero", "loss-divergence", "unchanged-tensor"),
    "SummaryWriter with scalars each tenth batch",
)
def generator_detached(run: Path, seed: int, fixed: bool) -> None:
    """Points of a ring by a GAN; faulty: the generator's loss is taken of detached points, so that it stays as it began."""
    random = data.generator(seed)
    generator, discriminator = models.gan_pair(2, 8, 32)
    of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))

    def real(count: int) -> Tensor:
        angle = 2 * math.pi * torch.rand(count, generator=random)
        radius = 2 + 0.3 * torch.randn(count, generator=random)
        return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

    def step(number: int) -> Mapping[str, float]:
        truth = real(128)
        fake = generator(torch.randn(128, 8, generator=random))
        of_discriminator.zero_grad()
        on_real, on_fake = discriminator(truth), discriminator(fake.detach())
        loss_d = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        torch.autograd.backward(loss_d)
        of_discriminator.step()
        of_generator.zero_grad()
        loss_g = functional.softplus(-discriminator(fake if fixed else fake.detach())).mean()
        torch.autograd.backward(loss_g)
        of_generator.step()
        return {
            "Loss_D": float(loss_d.detach()),
            "Loss_G": float(loss_g.detach()),
            "D(x)": float(on_real.detach().sigmoid().mean()),
            "D(G(z))": float(on_fake.detach().sigmoid().mean()),
        }

    found = go(Course(step, 1500, TensorBoard(run, "plain"), every=10, averaged=True))
    with torch.no_grad():
        made = generator(torch.randn(500, 8, generator=random))
    radii = made.norm(dim=1)
    quarters = torch.bincount((made[:, 0] > 0).long() * 2 + (made[:, 1] > 0).long(), minlength=4) / 500
    figures = f"radius {radii.mean():.2f} ± {radii.std():.2f}, quarters {quarters.tolist()}; {told(found)}"
    good = abs(float(radii.mean()) - 2) < 0.3 and float(radii.std()) < 0.7 and float(quarters.min()) > 0.1
    require(good == fixed and (0.8 < last(found, "Loss_D") < 1.6) == fixed, figures)


# "gradient ascent, not descent": the minus in front of log_prob * advantage got lost when the loss was vectorised.
@pair(
    "loss-of-wrong-sign",
    ("reward-collapse", "reward-flat", "entropy-collapse", "task-not-learned"),
    "history.json with a value each tenth update",
)
def reward_descended(run: Path, seed: int, fixed: bool) -> None:
    """Robots that walk to a door by REINFORCE with a baseline; faulty: the policy's loss has the wrong sign."""
    room = Deliveries(seed, count=32)
    policy = models.mlp((4, 48, 4), "tanh")
    baseline = torch.zeros(room.longest)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        chances, entropies, rewards, alive = room.play(policy)
        ahead = rewards.flip(0).cumsum(0).flip(0)
        advantage = ahead - baseline[:, None]
        baseline.lerp_(ahead.mean(1), 0.1)
        entropy = (entropies * alive).sum() / alive.sum()
        policy_loss = (-1 if fixed else 1) * (chances * advantage * alive).sum() / alive.sum()
        values = {
            "policy_loss": float(policy_loss.detach()),
            "entropy": float(entropy.detach()),
            "mean_reward": float(rewards.sum(0).mean()),
            "episode_length": float(alive.sum(0).mean()),
        }
        return policy_loss - 0.02 * entropy, values

    step = Descent(policy, torch.optim.Adam(policy.parameters(), lr=5e-3), objective, "loss")
    found = go(Course(step, 600, HistoryJson(run, "progress.json"), every=10, averaged=True))
    if fixed:
        above(found, "mean_reward", 0.75)
    else:
        below(found, "mean_reward", 0.0)
