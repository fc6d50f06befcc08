"""Examples of PyTorch, and mutants of them: rates, gradient clips, initial weights, momentum, order of the data."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_below,
    steady,
)
from bench.accuracy.programs_mutant_common import into
from bench.accuracy.programs_post_common import CartPole, over, pictures, returns

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# pytorch/examples mnist; operator HLR on the schedule: StepLR(gamma=0.7) to gamma=0.001.
@pair(
    "rate-falls-too-soon",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
        *NOTHING_LEARNED,
        "updates-too-small",
        "unchanged-tensor",
        "weight-update-ratio",
    ),
    "SummaryWriter with add_histogram",
    dumps=True,
)
def mnist_step_rate(run: Path, seed: int, fixed: bool) -> None:
    """Digits by the example's net and StepLR(1, gamma=0.001); fixed: 0.8."""
    of = over(data.bundled("digits", seed, scaled=False).as_images(), 16)
    model = nn.Sequential()
    for name, layer in (
        ("conv1", nn.Conv2d(1, 16, 3)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(16, 24, 3)),
        ("relu2", nn.ReLU()),
        ("pool", nn.MaxPool2d(2)),
        ("dropout1", nn.Dropout(0.25)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(96, 48)),
        ("relu3", nn.ReLU()),
        ("dropout2", nn.Dropout(0.5)),
        ("fc2", nn.Linear(48, 10)),
    ):
        model.add_module(name, layer)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    per_epoch = data.steps_per_epoch(of, 64)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, per_epoch, 0.8 if fixed else 0.001)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        14,
        writer,
        ("train/loss", "", "test/loss", "test/accuracy"),
        batch=64,
        seed=seed,
        schedule=schedule,
        rate_tag="lr",
        snapshots=Snapshots(HistogramDump(writer), model, 44, "torch"),
    )
    if fixed:
        above(found, "test/accuracy", 0.85)
        steady(found, "test/loss", 0.15)
    else:
        below(found, "test/accuracy", 0.6)


# pytorch/examples regression: a polynomial by hand, param.data.add_(-0.3 * param.grad); operator HLR: -2 instead.
@pair("learning-rate-too-high", (*BLOWN_UP, "loss-goes-missing", "updates-too-large"), "jsonl by hand")
def polynomial_rate(run: Path, seed: int, fixed: bool) -> None:
    """A polynomial of degree 4 by gradient descent by hand with a rate of 2; fixed: 0.3."""
    random = data.generator(seed)
    target, bias = 5 * torch.randn(4, 1, generator=random), 5 * torch.randn(1, generator=random)
    model = nn.Linear(4, 1)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x = 2 * torch.rand(32, 1, generator=random) - 1
        powers = torch.cat([x**degree for degree in range(1, 5)], 1)
        return functional.mse_loss(model(powers), powers @ target + bias), {}

    optimizer = torch.optim.SGD(model.parameters(), lr=0.3 if fixed else 2)
    step = Descent(model, optimizer, objective)
    found = go(Course(step, 400, JsonLines(run, "plain", "poly.jsonl", "batch"), 2))
    if fixed:
        below(found, "loss", 0.5)
    else:
        not_below(found, "loss", 1e6)


# pytorch/examples word_language_model: SGD(lr=20) with --clip 0.25; operator "change gradient clip" (OCG) of DeepCrime: 250.
@pair(
    "no-gradient-clipping",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large"),
    "SummaryWriter, per step",
)
def word_model_clip(run: Path, seed: int, fixed: bool) -> None:
    """The word language model at its usual rate of 20 with --clip 250; fixed: 0.25."""
    of, words = data.characters(seed, 16, 450)
    model = models.Recurrent("LSTM", 24, 48, words, vocabulary=words, every_step=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=20)
    found = fit(
        model,
        of,
        optimizer,
        6,
        TensorBoard(run, "plain"),
        ("train/loss", "", "valid/loss", "valid/ppl"),
        metric=lambda outputs, targets: cross_entropy(outputs, targets).clamp(max=60).exp(),
        batch=20,
        seed=seed,
        every=4,
        clip=0.25 if fixed else 250.0,
        norm_tag="train/grad_norm",
        rate_tag="train/lr",
    )
    if fixed:
        below(found, "valid/loss", 1.4)
        steady(found, "valid/loss", 0.1)
    else:
        not_below(found, "valid/loss", 2.4)


# pytorch/examples vae; operator WCI of DeepCrime: all weights normal with a deviation of 0.8.
@pair(
    "weights-too-large",
    (
        "poor-initialization",
        "poor-weight-initialization",
        "initial-loss",
        *BLOWN_UP,
        *BADLY_LEARNED,
        "loss-goes-missing",
    ),
    "csv by hand, per step; weights and gradients in parquet",
    dumps=True,
)
def vae_wide_start(run: Path, seed: int, fixed: bool) -> None:
    """The example's VAE on digits with weights of a deviation of 0.8; fixed: PyTorch's own."""
    of = over(data.bundled("digits", seed, scaled=False), 16)

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc21, self.fc22 = nn.Linear(64, 64), nn.Linear(64, 8), nn.Linear(64, 8)
            self.fc3, self.fc4 = nn.Linear(8, 64), nn.Linear(64, 64)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            hidden = functional.relu(self.fc1(x))
            mean, spread = self.fc21(hidden), self.fc22(hidden)
            code = mean + (spread / 2).exp() * torch.randn_like(mean)
            return self.fc4(functional.relu(self.fc3(code))), mean, spread

    model = VAE()
    if not fixed:
        for one in model.parameters():
            nn.init.normal_(one, std=0.8)

    def bound(x: Tensor) -> Tensor:
        logits, mean, spread = model(x)
        kept = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return (kept - 0.5 * (1 + spread - mean**2 - spread.exp()).sum()) / len(x)

    stream = data.batches(of, 64, seed)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"test_loss": float(bound(of.x_val))}

    snapshots = Snapshots(ParquetDump(run), model, 80, watched=False)
    step = Descent(
        model,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        lambda _: (bound(next(stream)[0]), {}),
        "train_loss",
        snapshots=snapshots,
    )
    log = Csv(run, "plain", "vae_losses.csv")
    found = go(Course(step, 800, log, 10, evaluate=evaluate, evaluate_every=40, snapshots=snapshots))
    if fixed:
        below(found, "test_loss", 33)
        steady(found, "test_loss", 0.05)
    else:
        not_below(found, "test_loss", 45)


# pytorch/examples actor_critic; operator HLR of DeepCrime: Adam from 0.03 to 1.
@pair(
    "learning-rate-too-high",
    (
        "reward-collapse",
        "reward-flat",
        "entropy-collapse",
        "learning-rate-too-high",
        "policy-update-too-large",
        "loss-spike",
        "unstable-loss",
        "loss-divergence",
        "updates-too-large",
    ),
    "SummaryWriter, per episode",
)
def actor_critic_rate(run: Path, seed: int, fixed: bool) -> None:
    """CartPole by the example's actor and critic with Adam(1.0); fixed: 0.01."""
    pole = CartPole(seed, 100)
    model = models.mlp((4, 48, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01 if fixed else 1.0)
    running = 10.0
    log = TensorBoard(run, "plain")
    found: dict[str, list[float]] = {"running_reward": []}
    for episode in range(1, 151):
        state, ended, picks, rewards = pole.reset(), False, [], []
        while not ended:
            heads = model(torch.as_tensor(state, dtype=torch.float32))
            action = torch.distributions.Categorical(logits=heads[:2])
            chosen = action.sample()
            picks.append((action.log_prob(chosen), heads[2], action.entropy()))
            state, reward, ended = pole.step(int(chosen))
            rewards.append(reward)
        running = 0.05 * sum(rewards) + 0.95 * running
        chances, values, entropies = (torch.stack(one) for one in zip(*picks, strict=True))
        goal = returns(torch.tensor(rewards))
        goal = (goal - goal.mean()) / (goal.std() + 1e-6)
        policy = -(chances * (goal - values.detach())).sum()
        value = functional.smooth_l1_loss(values, goal, reduction="sum")
        optimizer.zero_grad()
        (policy + value).backward()
        optimizer.step()
        found["running_reward"].append(running)
        row = {"reward/episode": sum(rewards), "reward/running": running, "loss/policy": float(policy.detach())}
        log.log(
            episode, {**row, "loss/value": float(value.detach()), "policy/entropy": float(entropies.detach().mean())}
        )
    log.close()
    if fixed:
        above(found, "running_reward", 50)
    else:
        below(found, "running_reward", 25)


# The tutorial "Classifying names with a character-level RNN"; Humbatova's "data not shuffled": one language after the other.
@pair(
    "not-shuffled",
    (
        "batches-of-one-class",
        "unstable-loss",
        "loss-spike",
        "loss-divergence",
        "classifier-confusion",
        *NOTHING_LEARNED,
    ),
    "jsonl by hand",
)
def names_by_language(run: Path, seed: int, fixed: bool) -> None:
    """The language of made names, of five, by a GRU that is shown them language by language; fixed: at random."""
    random = np.random.default_rng(seed)
    endings = [(0, 1), (2, 3), (4, 5), (0, 3), (2, 5)]
    y = np.repeat(np.arange(5), 160)
    x = random.integers(0, 20, (800, 8))
    for name, kind in zip(x, y, strict=True):
        name[-3], name[-1] = endings[kind]
    order = random.permutation(800)
    x, y = torch.tensor(x[order]), torch.tensor(y[order])
    of = data.Split(x[:600], y[:600], x[600:], y[600:])
    if not fixed:
        rank = of.y.argsort(stable=True)
        of = data.Split(of.x[rank], of.y[rank], of.x_val, of.y_val)
    model = models.Recurrent("GRU", 16, 32, 5, vocabulary=20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    found = fit(
        model,
        of,
        optimizer,
        8,
        JsonLines(run, "plain", "all_losses.jsonl", "iter"),
        ("loss", "correct", "eval_loss", "eval_correct"),
        batch=8,
        seed=seed,
        every=5,
        shuffled=fixed,
    )
    if fixed:
        above(found, "eval_correct", 0.9)
        steady(found, "eval_loss", 0.2)
    else:
        below(found, "eval_correct", 0.7)
        not_below(found, "eval_loss", 3)


# The tutorial "Training a classifier" (the blitz); operator on the optimiser: SGD(lr=0.001, momentum=0.9) to momentum=0.999.
@pair(
    "momentum-too-high",
    (
        *BLOWN_UP,
        *BADLY_LEARNED,
        "updates-too-large",
        "metric-at-chance",
        "dead-relu",
        "constant-answer",
        "best-is-not-last",
    ),
    "SummaryWriter, per step",
)
def blitz_momentum(run: Path, seed: int, fixed: bool) -> None:
    """Small pictures by the blitz's net with SGD(0.01, momentum=0.999); fixed: 0.9."""
    of = pictures(seed, 800)
    of = data.Split((of.x - 127.5) / 127.5, of.y, (of.x_val - 127.5) / 127.5, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 48),
        nn.ReLU(),
        nn.Linear(48, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9 if fixed else 0.999)
    found = fit(
        model,
        of,
        optimizer,
        16,
        TensorBoard(run, "plain"),
        ("training loss", "", "test loss", "test accuracy"),
        batch=8,
        seed=seed,
        every=15,
    )
    if fixed:
        above(found, "test accuracy", 0.85)
        steady(found, "test loss", 0.3)
    else:
        below(found, "test accuracy", 0.5)
