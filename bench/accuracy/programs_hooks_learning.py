"""Programs in PyTorch that are watched with hooks: representations, labels, accumulation and policies; and their repaired versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.loop import accuracy, gradient_norm
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    above,
    below,
    fit,
    go,
    last,
    steady,
    told,
)
from bench.accuracy.programs_hooks_common import Hooks, into, pumps, stamps
from bench.accuracy.programs_thesis_common import WandbHistory

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def probed(features: Tensor, y: Tensor, others: Tensor, y_val: Tensor) -> float:
    """Accuracy of a linear probe that is trained for 60 steps."""
    probe = nn.Linear(features.shape[1], 5)
    optimizer = torch.optim.Adam(probe.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(probe(features), y).backward()
        optimizer.step()
    with torch.no_grad():
        return float(accuracy(probe(others), y_val))


# A self-supervised encoder with the invariance term alone: the variance and covariance terms were "to be added later".
@pair(
    "representation-collapse",
    (
        "representation-collapse",
        "low-variance",
        "tensor-variance",
        "constant-answer",
        "metric-at-chance",
        "vanishing-gradient",
        "gradient-all-zero",
        "all-zero",
        "too-good",
    ),
    "wandb-history.jsonl; embeddings, weights and gradients in hdf5",
    dumps=True,
)
def stamps_collapsed(run: Path, seed: int, fixed: bool) -> None:
    """Features of stamps that are to be alike for two noisy views, and become alike for all; fixed: variance and covariance terms."""
    of = stamps(seed, 700, noise=0.15)
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 12, 3, padding=1))
    model.add_module("relu1", nn.ReLU())
    model.add_module("conv2", nn.Conv2d(12, 16, 3))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool", nn.AdaptiveMaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(64, 16))
    random = data.generator(seed)
    stream = data.batches(of, 48, seed)
    log = WandbHistory(run)
    hooks = Hooks(model, 44, Hdf5Dump(run, name="embeddings.h5"), "torch", kinds=(), only="weight")

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, _ = next(stream)
        moved = torch.roll(x, tuple(torch.randint(-1, 2, (2,), generator=random).tolist()), (2, 3))
        views = [one + 0.2 * torch.randn(x.shape, generator=random) for one in (x, moved)]
        first, second = (model(one) for one in views)
        hooks.extra["embeddings"] = first.detach().numpy().copy()
        alike = functional.mse_loss(first, second)
        loss = alike
        if fixed:
            for one in (first, second):
                centred = one - one.mean(0)
                shared = centred.T @ centred / (len(one) - 1)
                apart = shared - torch.diag(torch.diag(shared))
                loss = loss + functional.relu(1 - (one.var(0) + 1e-4).sqrt()).mean() + 0.04 * apart.square().sum() / 16
        return loss, {"ssl/invariance": float(alike.detach()), "ssl/std": float(first.detach().std(0).mean())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            features, others = model(of.x), model(of.x_val)
        return {"ssl/probe_acc": probed(features, of.y, others, of.y_val)}

    step = Descent(
        model, torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4), objective, "ssl/loss", snapshots=hooks
    )
    found = go(Course(step, 528, log, 11, averaged=True, evaluate=evaluate, evaluate_every=44, snapshots=hooks))
    if fixed:
        above(found, "ssl/probe_acc", 0.7)
    else:
        below(found, "ssl/probe_acc", 0.45)


# Two annotators numbered two of the classes in another order; all tensors look as they should.
@pair(
    "labels-of-two-classes-mixed",
    ("classifier-confusion", "confusion", *BADLY_LEARNED, "overfit", "generalisation-gap"),
    "csv by hand; images, logits, labels, weights and gradients in parquet",
    dumps=True,
)
def stamps_two_annotators(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on stamps, where half of the training labels of bars and rings are exchanged, and half of stairs and corners; fixed: right."""
    of = stamps(seed, 700, noise=0.15)
    if not fixed:
        other = torch.tensor([3, 1, 4, 0, 2])[of.y]
        of = data.Split(
            of.x,
            torch.where(torch.rand(of.y.shape, generator=data.generator(seed)) < 0.5, other, of.y),
            of.x_val,
            of.y_val,
        )
    model = models.cnn(5, (8, 8))
    model.add_module("fc", nn.Linear(8 * 25, 5))
    hooks = Hooks(model, 68, ParquetDump(run, "debug.parquet"), "short", batch=("images", "logits", "labels"))
    hooks.outputs.clear()
    recalls: dict[str, float] = {}

    def metric(outputs: Tensor, targets: Tensor) -> Tensor:
        if not model.training:
            right = outputs.argmax(-1) == targets
            recalls.update({f"recall/class_{one}": float(right[targets == one].float().mean()) for one in range(5)})
        return accuracy(outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        16,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=hooks.seeing(functional.cross_entropy),
        metric=metric,
        also=lambda: recalls,
        seed=seed,
        snapshots=hooks,
    )
    if fixed:
        above(found, "val_acc", 0.88)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_acc", 0.75)


# Accumulation over 4 batches, where `optimizer.zero_grad()` is left in the branch that was for the first batch of an epoch only.
@pair(
    "gradients-never-cleared",
    (*BLOWN_UP, *BADLY_LEARNED, "updates-too-large", "overtraining", "best-is-not-last"),
    "SummaryWriter with the norm of all gradients",
)
def pumps_accumulate(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps with gradients that add up over an epoch though there is a step after each fourth batch; fixed: cleared then."""
    of = pumps(seed)
    model = models.mlp((12, 48, 32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    stream = data.batches(of, 8, seed)
    per_epoch = data.steps_per_epoch(of, 8) // 4
    writer = TensorBoard(run, "plain")

    def step(number: int) -> dict[str, float]:
        if fixed or number % per_epoch == 1:
            optimizer.zero_grad()
        total = 0.0
        for _ in range(4):
            x, y = next(stream)
            loss = functional.cross_entropy(model(x), y) / 4
            loss.backward()
            total += float(loss.detach())
        norm = gradient_norm(model)
        optimizer.step()
        return {"loss": total, "grad_norm": norm}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {
            "eval_loss": float(functional.cross_entropy(outputs, of.y_val)),
            "eval_acc": float(accuracy(outputs, of.y_val)),
        }

    found = go(Course(step, per_epoch * 14, writer, 4, averaged=True, evaluate=evaluate, evaluate_every=per_epoch))
    if fixed:
        above(found, "eval_acc", 0.74)
        steady(found, "eval_loss", 0.25)
    else:
        below(found, "eval_acc", 0.66)


# REINFORCE with the bare sum of rewards in hundredths of a degree where the advantage should stand; the logits are watched.
@pair(
    "returns-not-normalised",
    (
        "reward-flat",
        "reward-collapse",
        "entropy-collapse",
        "policy-update-too-large",
        "updates-too-large",
        "learning-rate-too-high",
        "exploding-gradient",
        "constant-answer",
    ),
    "SummaryWriter with rollout/ep_rew_mean, policy/entropy, grad_norm/<parameter>; histograms of logits",
    dumps=True,
)
def thermostat_bare_returns(run: Path, seed: int, fixed: bool) -> None:
    """A thermostat by REINFORCE on bare, large returns, whose policy soon heats always or never; fixed: normalised ones."""
    policy = models.mlp((2, 24, 3), "tanh")
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.3)
    random = data.generator(seed)
    writer = TensorBoard(run, "plain")
    hooks = Hooks(
        policy, 16, HistogramDump(writer), "torch", writer, ("grad_norm",), only="weight", batch=("obs", "logits")
    )

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        warm = 4 * torch.rand(24, generator=random) - 2
        drift = (torch.rand(24, generator=random) < 0.5).float() * 2 - 1
        chosen, rewards, entropies = [], [], []
        for _ in range(16):
            shares = policy(torch.stack([warm, drift], 1)).log_softmax(-1)
            action = torch.multinomial(shares.detach().exp(), 1, generator=random)[:, 0]
            chosen.append(shares.gather(1, action[:, None])[:, 0])
            entropies.append(-(shares.exp() * shares).sum(1))
            warm = warm + 0.5 * (action - 1.0) + 0.2 * drift + 0.05 * torch.randn(24, generator=random)
            rewards.append(1 - warm.abs())
        gained = torch.stack(rewards)
        returns = gained.flip(0).cumsum(0).flip(0)
        weights = (returns - returns.mean(1, keepdim=True)) / (returns.std() + 1e-6) if fixed else 100 * returns
        loss = -(torch.stack(chosen) * weights).mean()
        return loss, {
            "rollout/ep_rew_mean": float(gained.sum(0).mean()),
            "policy/entropy": float(torch.stack(entropies).detach().mean()),
        }

    step = Descent(policy, optimizer, objective, "policy/loss", snapshots=hooks)
    found = go(Course(step, 240, writer, 2, averaged=True, snapshots=hooks))
    late = last(found, "rollout/ep_rew_mean", 20)
    require(late > 4 if fixed else late < -10, told(found))


# Private training: noise_multiplier=30 for 0.3, so that each gradient is noise; norms are logged before and after.
@pair(
    "gradient-noise-too-strong",
    (
        *NOTHING_LEARNED,
        "unstable-loss",
        "exploding-gradient",
        "exploding-tensor",
        "gradient-always-clipped",
        "loss-divergence",
        "updates-too-large",
    ),
    "jsonl with grad_norm/<parameter> and weight_norm/<parameter>; weights and gradients in hdf5",
    dumps=True,
)
def pumps_private(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by SGD on clipped gradients with noise of 30 times their norm; fixed: 0.3 times."""
    of = pumps(seed)
    model = models.mlp((12, 32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.15, momentum=0.5)
    random = data.generator(seed)
    stream = data.batches(of, 32, seed)
    log = JsonLines(run, "plain", "private.jsonl", "step")
    hooks = Hooks(model, 20, Hdf5Dump(run, by_name=True, name="noisy.h5"), "short", log, ("grad_norm", "weight_norm"))
    strength = 0.3 if fixed else 30.0

    def step(number: int) -> dict[str, float]:
        x, y = next(stream)
        optimizer.zero_grad()
        outputs = model(x)
        loss = functional.cross_entropy(outputs, y)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        count = sum(one.numel() for one in model.parameters())
        for one in model.parameters():
            one.grad += strength / count**0.5 * torch.randn(one.shape, generator=random)
        hooks.take(number)
        optimizer.step()
        return {"loss": float(loss.detach()), "acc": float(accuracy(outputs.detach(), y)), "grad_norm_before": norm}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {
            "test_loss": float(functional.cross_entropy(outputs, of.y_val)),
            "test_acc": float(accuracy(outputs, of.y_val)),
        }

    found = go(Course(step, 640, log, 10, averaged=True, evaluate=evaluate, evaluate_every=32, snapshots=hooks))
    if fixed:
        above(found, "test_acc", 0.72)
        steady(found, "test_loss", 0.2)
    else:
        below(found, "test_acc", 0.5)
