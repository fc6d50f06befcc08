"""Autumn programs in PyTorch, sixth part: healthy ones that look odd."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.programs_autumn_a_common import (
    cells,
    dice,
    leaf_net,
    leaves,
    loans,
    rivers,
    sound_net,
    sounds,
    tickets,
    tunes,
)
from bench.accuracy.programs_autumn_common import odd_into
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, steady
from bench.accuracy.programs_post_common import CartPole, over, returns, rollout

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Why is validation better than training?": half of the inputs and of the features are dropped while training.
@odd("SummaryWriter with scalars an epoch and histograms each fourth", dumps=True)
def leaves_half_dropped(run: Path, seed: int) -> None:
    """Kinds of leaves by a CNN with dropout of 0.2 on pixels and 0.5 on features."""
    of, model = over(leaves(seed), 255.0), leaf_net()
    layers = list(model.children())
    model = nn.Sequential(nn.Dropout(0.2), *layers[:-1], nn.Dropout(0.5), layers[-1])
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        30,
        writer,
        ("Loss/train", "Acc/train", "Loss/val", "Acc/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 60, "torch"),
    )
    above(found, "Acc/val", 0.85)
    steady(found, "Loss/val", 0.3)
    require(found["Acc/train"][-1] < found["Acc/val"][-1], "training is to be lower")


# "The loss stays at 0.9, is that bad?": label smoothing of 0.2 over five classes.
@odd("Hugging Face trainer_state.json")
def tickets_smoothed(run: Path, seed: int) -> None:
    """Teams for tickets by a transformer with label smoothing and a linear rate after a warm-up."""
    of = tickets(seed, told=0.35)
    model = models.Transformer(5, vocabulary=160, width=24, layers=1, length=20, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 20, 1 - step / 205))

    def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=0.2)

    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, 17, 204, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        loss=smoothed,
        seed=seed,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
    )
    above(found, "val_accuracy", 0.8)
    steady(found, "val_loss", 0.2)


# "The loss goes in waves": CyclicLR, triangular, of 1e-3 to 1e-1.
@odd("Lightning-like metrics.csv with the rate")
def sonar_cyclic(run: Path, seed: int) -> None:
    """Sounds under water by a 1-D CNN under SGD and a cyclic rate."""
    of, model = sounds(seed), sound_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-3, 0.08, step_size_up=45, cycle_momentum=False)
    found = fit(
        model,
        of,
        optimizer,
        24,
        Csv(run, "plain", "metrics.csv", "step"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=5,
        rate_tag="lr-SGD",
        schedule=schedule,
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.5)


# "Most of the weights never move": a backbone that was trained before is frozen, and only the head is trained.
@odd("JSON lines; HDF5 with weights and gradients each third epoch", dumps=True)
def leaves_frozen_and_good(run: Path, seed: int) -> None:
    """Leaves of another camera by a head on a CNN trained on earlier leaves."""
    before, model = over(leaves(seed + 100), 255.0), leaf_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    stream = data.batches(before, 32, seed)
    for _ in range(15 * 18):
        x, y = next(stream)
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(x), y))
        optimizer.step()
    of = over(leaves(seed, noise=28.0), 255.0)
    model.zero_grad()
    model.requires_grad_(False)
    model.fc = nn.Linear(96, 6)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.fc.parameters(), lr=5e-3),
        15,
        JsonLines(run, "plain", "finetune.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 45, watched=False),
    )
    above(found, "val_acc", 0.8)
    steady(found, "val_loss", 0.2)


# "Stops after some epochs of sixty planned": 240 loans and early stopping.
@odd("wandb history as JSON lines")
def loans_few_and_stopped(run: Path, seed: int) -> None:
    """Loans by a network on 180 rows, stopped when the validation has not fallen for three epochs."""
    of, model = loans(seed, samples=240, share=0.45), models.mlp((11, 24, 2), "relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-2),
        60,
        JsonLines(run, "plain", "wandb-history.jsonl", "_step", timed=True),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        batch=10,
        seed=seed,
        stop=lambda trail: len(trail["val/loss"]) - int(np.argmin(trail["val/loss"])) > 3,
    )
    above(found, "val/acc", 0.66)
    steady(found, "val/loss", 0.25)
    require(len(found["val/loss"]) < 60, "was to stop early")


# "The returns jump between 20 and 200": REINFORCE on the pole, where that is what returns do.
@odd("SummaryWriter, an episode each")
def pole_noisy(run: Path, seed: int) -> None:
    """The pole on the cart by REINFORCE."""
    policy = models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    pole, log, lengths = CartPole(seed, 150), TensorBoard(run, "plain"), []
    for episode in range(320):
        states, actions, rewards = rollout(policy, pole)
        gains = returns(rewards, 0.98)
        shares = policy(states).log_softmax(-1)
        entropy = float(-(shares.exp() * shares).sum(-1).mean().detach())
        loss = -(shares[torch.arange(len(actions)), actions] * (gains - gains.mean()) / (gains.std() + 1e-6)).mean()
        loss.backward()
        if episode % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
        lengths.append(float(rewards.sum()))
        told = {"charts/episodic_return": lengths[-1], "losses/policy_loss": float(loss.detach())}
        log.log(episode, told | {"losses/entropy": entropy})
    log.close()
    begin, end = float(np.mean(lengths[:20])), float(np.mean(lengths[-30:]))
    require(end > 2 * begin and end > 60, f"returns {begin:.3g} … {end:.3g}")


# "A negative loss cannot be right": the likelihood of a density may be above one.
@odd("csv like an MLflow export")
def rivers_negative_nll(run: Path, seed: int) -> None:
    """The change of a river's level in metres, with its doubt, by a GRU and GaussianNLLLoss."""
    of = rivers(seed)
    of = replace(of, y=of.y / 20, y_val=of.y_val / 20)
    model = models.Recurrent("gru", 2, 16, 2)

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-4)

    def error(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs[:, :1] - targets).abs().mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        20,
        Csv(run, "plain", "mlflow_metrics.csv", "step"),
        ("train_nll", "", "val_nll", "val_mae"),
        loss=likelihood,
        metric=error,
        seed=seed,
    )
    below(found, "val_nll", -1.0)
    below(found, "val_mae", 0.03)
    steady(found, "val_nll", 0.15)


# "The rate jumps up every ten epochs, on purpose": cosine with warm restarts.
@odd("SummaryWriter each tenth batch; Parquet with weights and gradients, eight times", dumps=True)
def cells_warm_restarts(run: Path, seed: int) -> None:
    """Masks of cells by a small CNN with CosineAnnealingWarmRestarts and accumulated batches."""
    of = cells(seed)
    model = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
    model.append(nn.Conv2d(12, 1, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("train/bce", "train/dice", "val/bce", "val/dice"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=dice,
        batch=12,
        seed=seed,
        every=10,
        rate_tag="train/lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 120),
        snapshots=Snapshots(ParquetDump(run), model, 45, "torch", watched=False),
    )
    above(found, "val/dice", 0.75)
    steady(found, "val/bce", 0.2)


# "45 % looks poor": four of ten notes are free, so that no more is to be had; and batches are accumulated.
@odd("printed log, a line every fourth update")
def tunes_accumulated(run: Path, seed: int) -> None:
    """Next notes of a noisy kind by a small GRU with Adagrad and four batches to an update."""
    of = tunes(seed)
    random = data.generator(seed)
    y = torch.where(
        torch.rand(of.y.shape, generator=random) < 0.4, torch.randint(0, 12, of.y.shape, generator=random), of.y
    )
    loud = torch.rand(of.y_val.shape, generator=random) < 0.4
    y_val = torch.where(loud, torch.randint(0, 12, of.y_val.shape, generator=random), of.y_val)
    of, model = replace(of, y=y, y_val=y_val), models.Recurrent("gru", 12, 32, 12, vocabulary=12, every_step=True)
    stream = data.batches(of, 10, seed)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        losses = []
        for _ in range(4):
            x, targets = next(stream)
            losses.append(functional.cross_entropy(model(x).flatten(0, 1), targets.flatten()))
        return torch.stack(losses).mean(), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val).flatten(0, 1)
        right = float((outputs.argmax(-1) == of.y_val.flatten()).float().mean())
        return {"valid_loss": float(functional.cross_entropy(outputs, of.y_val.flatten())), "valid_acc": right}

    step = Descent(model, torch.optim.Adagrad(model.parameters(), lr=0.08), objective, "loss", norm_tag="gnorm")
    found = go(Course(step, 160, Console(run, "plain", "train.log", "update"), 4, True, evaluate, 10))
    above(found, "valid_acc", 0.36)
    steady(found, "valid_loss", 0.1)
