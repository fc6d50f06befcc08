"""Healthy programs in PyTorch that look odd."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import Plan
from bench.accuracy.loop import fit as run_plan
from bench.accuracy.programs_decade_a_common import beats, freezers, parcels
from bench.accuracy.programs_decade_common import odd_into
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import Snapshots, Trail, above, below, fit, last, steady, told
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Why is validation better than training?": a dropout of 0.6.
@odd("SummaryWriter with Loss/train and histograms", dumps=True)
def dropout_of_six_tenths(run: Path, seed: int) -> None:
    """Kinds of plastic by an MLP with a dropout of 0.6: validation is better than training all along."""
    of = spectra(seed)
    model = models.mlp((60, 96, 64, 5), dropout=0.6)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 42, "torch"),
    )
    above(found, "Accuracy/val", 0.85)
    steady(found, "Loss/val", 0.3)


# "The loss never goes below 0.6": label smoothing of 0.1.
@odd("trainer_state.json of a Hugging Face trainer")
def smoothed_labels(run: Path, seed: int) -> None:
    """Heart beats with a label smoothing of 0.1 in training and validation: the loss has a floor of 0.35."""
    of = beats(seed, 700)
    layers = (nn.Conv1d(1, 12, 7, stride=2), nn.ReLU(), nn.Conv1d(12, 16, 5, stride=2), nn.ReLU(), nn.Flatten())
    model = nn.Sequential(*layers, nn.Linear(208, 4))
    per_epoch = data.steps_per_epoch(of, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    found = fit(
        model,
        of,
        optimizer,
        15,
        TrainerState(run, per_epoch, 15 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        loss=lambda outputs, targets: functional.cross_entropy(outputs, targets, label_smoothing=0.1),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, 15 * per_epoch),
    )
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.2)


# "The rate jumps up every few epochs": CosineAnnealingWarmRestarts.
@odd("Lightning's metrics.csv with lr-SGD")
def warm_restarts(run: Path, seed: int) -> None:
    """Twelve kinds of parcels under SGD with warm restarts each 8 epochs."""
    of = parcels(seed)
    model = models.mlp((16, 48, 12), norm=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        24,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr-SGD",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8 * per_epoch, eta_min=1e-4),
    )
    above(found, "val_acc", 0.75)
    steady(found, "val_loss", 0.2)


# "Most tensors never change": a backbone that was trained before and is frozen, with a new head.
@odd("SummaryWriter with train/loss, and tensors in HDF5", dumps=True)
def frozen_backbone_new_head(run: Path, seed: int) -> None:
    """Digits 5 to 9 by a head upon a net that learned digits 0 to 4 and is frozen."""
    whole = data.bundled("digits", seed)

    def part(low: int, high: int) -> data.Split:
        a, b = (whole.y >= low) & (whole.y < high), (whole.y_val >= low) & (whole.y_val < high)
        return data.Split(whole.x[a], whole.y[a] - low, whole.x_val[b], whole.y_val[b] - low)

    old, new = part(0, 5), part(5, 10)
    backbone = models.mlp((64, 96, 48), "relu")
    model = nn.Sequential()
    model.add_module("backbone", backbone)
    model.add_module("head", nn.Linear(48, 5))
    before = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(old, 32, seed)
    for _ in range(120):
        x, y = next(stream)
        before.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        before.step()
    backbone.requires_grad_(False)
    model.get_submodule("head").apply(lambda one: one.reset_parameters() if isinstance(one, nn.Linear) else None)
    found = fit(
        model,
        new,
        torch.optim.Adam(model.get_submodule("head").parameters(), lr=0.02),
        15,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 42, watched=False),
    )
    above(found, "val/acc", 0.85)
    steady(found, "val/loss", 0.25)


# "It stopped after 20 of 200 epochs": early stopping with a patience of 5 on 178 wines.
@odd("csv by hand")
def wines_stopped_early(run: Path, seed: int) -> None:
    """Wines by a small MLP with early stopping."""
    of = data.bundled("wine", seed)
    model = models.mlp((13, 16, 3), "tanh")

    def stop(trail: Trail) -> bool:
        values = trail["val_loss"]
        return len(values) - 1 - int(np.argmin([round(one, 3) for one in values])) >= 4

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-3),
        60,
        Csv(run, "plain", "wine.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
        stop=stop,
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.4)


# "Is a negative loss a bug?": Gaussian NLL with a learned variance.
@odd("JSON lines by hand")
def negative_likelihood(run: Path, seed: int) -> None:
    """Temperatures of cold stores and how sure they are: the likelihood loss goes below zero."""
    of = freezers(seed, 900)
    model = models.mlp((7, 24, 24, 2), "tanh")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-3)

    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    found = fit(
        model,
        of,
        optimizer,
        25,
        JsonLines(run, "plain", "nll.jsonl", "epoch"),
        ("train_nll", "", "val_nll", "val_r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25 * data.steps_per_epoch(of, 32)),
    )
    below(found, "val_nll", -0.8)
    above(found, "val_r2", 0.8)
    require(last(found, "val_nll") < min(found["val_nll"]) + 0.15, told(found))


# "The reward is all over the place": REINFORCE with few episodes for each step.
@odd("SummaryWriter with rollout/ep_rew_mean and train/entropy")
def noisy_returns(run: Path, seed: int) -> None:
    """A bandit with contexts and noisy rewards by a policy gradient: returns swing and rise."""
    random = torch.Generator().manual_seed(seed)
    best = torch.randn(6, 4, generator=torch.Generator().manual_seed(9))
    policy = models.mlp((6, 24, 4), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    writer = TensorBoard(run, "plain")
    returns: list[float] = []
    baseline = 0.0
    for step in range(1, 601):
        state = torch.randn(16, 6, generator=random)
        logits = policy(state).log_softmax(-1)
        action = torch.multinomial(logits.detach().exp(), 1, generator=random)
        reward = (state @ best).gather(1, action)[:, 0] + torch.randn(16, generator=random)
        loss = -((reward - baseline) * logits.gather(1, action)[:, 0]).mean()
        entropy = -(logits.exp() * logits).sum(1).mean()
        optimizer.zero_grad()
        (loss - 0.01 * entropy).backward()
        optimizer.step()
        baseline += 0.05 * (float(reward.mean()) - baseline)
        returns.append(float(reward.mean()))
        if step % 10 == 0:
            told_now = {"rollout/ep_rew_mean": float(np.mean(returns[-3:])), "train/policy_loss": float(loss.detach())}
            writer.log(step, told_now | {"train/entropy": float(entropy.detach())})
    writer.close()
    first, end = float(np.mean(returns[:60])), float(np.mean(returns[-60:]))
    require(end > first + 1 and not math.isnan(end), f"returns {first:.3g} to {end:.3g}")


# "Only a quarter of the steps are there": gradients of four batches are gathered for each step.
@odd("SummaryWriter with train/loss, val/loss, and gradients' norms")
def four_batches_a_step(run: Path, seed: int) -> None:
    """Gestures by a GRU with gradient accumulation over four small batches: training losses are noisy."""
    model = models.Recurrent("gru", 3, 24, 5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    plan = Plan(
        model,
        gestures(seed),
        optimizer,
        300,
        batch=4,
        seed=seed,
        accumulate=4,
        clip=1.0,
        log_every=5,
        evaluate_every=30,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300),
    )
    found = run_plan(plan, TensorBoard(run, "slash"))
    require(found["val_accuracy"] > 0.85 and found["val_loss"] < 1.4 * found["best_val_loss"] + 0.05, str(found))
