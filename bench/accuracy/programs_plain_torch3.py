"""Everyday PyTorch programs on graphs, resuming, initialisation and reinforcement, each with its fault and repaired."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import ExponentialLR

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import gestures
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    steady,
)
from bench.accuracy.programs_plain_common import into
from bench.accuracy.programs_post_common import CartPole, explained, returns

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Adder(nn.Module):
    """A GRU that reads numbers with marks, and a head; `frozen`: the reading is not recorded for backward()."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(2, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
        self.frozen = frozen

    def forward(self, x: Tensor) -> Tensor:
        if self.frozen:
            with torch.no_grad():
                _, state = self.encoder(x)
        else:
            _, state = self.encoder(x)
        total: Tensor = self.head(state[0])
        return total


# "with torch.no_grad() around the encoder was still there from when it was a pretrained one."
@pair(
    "graph-detached",
    (*BADLY_LEARNED, "unchanged-tensor", "updates-too-small", "task-not-learned"),
    "SummaryWriter with train/mse each 10 steps, tensors in HDF5 by name",
    dumps=True,
)
def adding_without_graph(run: Path, seed: int, fixed: bool) -> None:
    """The sum of two marked numbers by a GRU that runs under no_grad; fixed: it is recorded."""
    of = data.adding(seed, 2000, 10)
    model = Adder(frozen=not fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        18,
        TensorBoard(run, "plain"),
        ("train/mse", "", "valid/mse", "valid/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=10,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 150, watched=False),
    )
    if fixed:
        above(found, "valid/r2", 0.85)
        steady(found, "valid/mse", 0.6)
    else:
        below(found, "valid/r2", 0.6)


# "The job was preempted, it loaded the checkpoint": the model's state_dict only, so optimizer and scheduler begin anew.
@pair(
    "resume-without-optimizer-state",
    ("state-lost-on-resume", "loss-spike", "schedule-mismatch", "best-is-not-last"),
    "jsonl by hand, resumed",
    since=18,
)
def surface_resumed_bare(run: Path, seed: int, fixed: bool) -> None:
    """A smooth function, resumed after 18 of 23 epochs with a new Adam and a new ExponentialLR; fixed: with theirs."""
    of = data.regression(seed, 2400, 6, 0.05)
    model = models.mlp((6, 48, 48, 1), "tanh")
    per_epoch = data.steps_per_epoch(of, 32)

    def fresh() -> tuple[torch.optim.Optimizer, ExponentialLR]:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        return optimizer, ExponentialLR(optimizer, 0.8 ** (1 / per_epoch))

    optimizer, schedule = fresh()
    told: dict[str, list[float]] = {}
    for first, epochs in ((0, 18), (18, 5)):
        if first and fixed:
            kept: tuple[Any, Any] = optimizer.state_dict(), schedule.state_dict()
            optimizer, schedule = fresh()
            optimizer.load_state_dict(kept[0])
            schedule.load_state_dict(kept[1])
        elif first:
            optimizer, schedule = fresh()
        part = fit(
            model,
            of,
            optimizer,
            epochs,
            JsonLines(run, "plain", "metrics.jsonl", "epoch"),
            ("train_loss", "", "val_loss", "val_r2"),
            loss=functional.mse_loss,
            metric=explained,
            seed=seed + first,
            first=first,
            rate_tag="lr",
            schedule=schedule,
        )
        for tag, values in part.items():
            told.setdefault(tag, []).extend(values)
    before, after = told["train_loss"][17], told["train_loss"][18]
    if fixed:
        above(told, "val_r2", 0.9)
        steady(told, "val_loss", 0.1)
        below({"rise": [after / before]}, "rise", 1.1)
    else:
        above({"rise": [after / before]}, "rise", 2.0)
        above({"end": [told["val_loss"][-1] / min(told["val_loss"][:18])]}, "end", 1.1)


# "The agent plays the same move forever": actions by argmax of the policy while it trains.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "task-not-learned"),
    "SummaryWriter with episode_reward each episode",
)
def cartpole_by_argmax(run: Path, seed: int, fixed: bool) -> None:
    """REINFORCE on the cart with a pole, actions by argmax; fixed: drawn from the policy."""
    policy = models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=4e-3)
    pole = CartPole(seed)

    def episode(step: int) -> Mapping[str, float]:
        state, ended = pole.reset(), False
        states, actions, rewards = [], [], []
        while not ended:
            with torch.no_grad():
                shares = policy(torch.as_tensor(state, dtype=torch.float32)).softmax(-1).numpy()
            action = int(pole.random.random() < shares[1]) if fixed else int(shares.argmax())
            states.append(state)
            actions.append(action)
            state, reward, ended = pole.step(action)
            rewards.append(reward)
        gains = returns(torch.tensor(rewards))
        gains = (gains - gains.mean()) / (gains.std() + 1e-6)
        logs = policy(torch.tensor(np.array(states), dtype=torch.float32)).log_softmax(-1)
        loss = -(logs[torch.arange(len(actions)), torch.tensor(actions)] * gains).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        return {
            "episode_reward": float(sum(rewards)),
            "policy_loss": float(loss.detach()),
            "entropy": float(-(logs.exp() * logs).sum(1).mean().detach()),
        }

    found = go(Course(episode, 400, TensorBoard(run, "plain"), every=1))
    late = {"late": found["episode_reward"][-60:]}
    if fixed:
        above({"late": [float(np.mean(late["late"]))]}, "late", 140)
    else:
        below({"late": [float(np.mean(late["late"]))]}, "late", 25)


# "I set all weights to zero, so that the seed does not matter."
@pair(
    "zero-initialisation",
    ("poor-initialization", "all-zero", "gradient-all-zero", *NOTHING_LEARNED[:3]),
    "jsonl by hand, tensors in HDF5 by step",
    dumps=True,
)
def gestures_from_zero(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by an MLP with all weights zero; fixed: Kaiming's."""
    of = gestures(seed, 800)
    of = data.Split(of.x.flatten(1), of.y, of.x_val.flatten(1), of.y_val)
    model = models.mlp((96, 64, 32, 5), dropout=0.3)
    for layer in model:
        if isinstance(layer, nn.Linear):
            if fixed:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        26,
        JsonLines(run, "plain", "results.jsonl", "epoch"),
        ("train/loss", "train/accuracy", "valid/loss", "valid/accuracy"),
        seed=seed,
        norm_tag="train/grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 95),
    )
    if fixed:
        above(found, "valid/accuracy", 0.6)
        steady(found, "valid/loss", 0.15)
    else:
        below(found, "valid/accuracy", 0.35)


# "Two of the classes are always mixed up": the CSVs of two annotators numbered their classes differently.
@pair(
    "labels-wrong-for-some-classes",
    ("confusion", "classifier-confusion", "metric-left-behind", "underfit", *VALIDATION_LOST[:1], "loss-plateau"),
    "csv of both accuracies, one row an epoch",
)
def numerals_two_annotators(run: Path, seed: int, fixed: bool) -> None:
    """Digits of which half the training labels are shifted by one class, as a second annotator counted from 1; fixed: mended."""
    of = data.bundled("digits", seed)
    second = torch.rand(len(of.y), generator=data.generator(seed)) < 0.5
    labels = of.y if fixed else torch.where(second, (of.y + 1) % 10, of.y)
    of = data.Split(of.x, labels, of.x_val, of.y_val)
    model = models.mlp((64, 48, 10), dropout=0.2)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        Csv(run, "plain", "epochs.csv", "epoch"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "test_acc", 0.93)
        steady(found, "test_loss", 0.15)
    else:
        not_above(found, "test_acc", 0.75)
