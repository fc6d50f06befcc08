"""Everyday programs in PyTorch: graphs, tables, pictures that are made, and a game, in a faulty and a repaired version."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, ParquetDump, TensorBoard
from bench.accuracy.programs_daily_common import into
from bench.accuracy.programs_daily_torch_common import cars, papers, strokes
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My GCN is as good as a single random layer": the optimizer was made for model.head.parameters() when fine-tuning, now we train anew.
@pair(
    "parameters-not-in-optimizer",
    ("unchanged-tensor", "underfit", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "task-not-learned"),
    "csv an epoch, tensors in Parquet",
    dumps=True,
)
def papers_only_head_in_optimizer(run: Path, seed: int, fixed: bool) -> None:
    """The field of a paper by a graph convolution of which only the head is given to Adam; fixed: all of it."""
    x, linked, y, known = papers(seed)

    class Graph(nn.Module):
        """Two graph convolutions and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.gc1, self.gc2 = nn.Linear(60, 12), nn.Linear(12, 8)
            self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
            self.head = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu1(linked @ self.gc1(x))
            outputs: Tensor = self.head(self.relu2(linked @ self.gc2(x)))
            return outputs

    model = Graph()
    told = model.parameters() if fixed else model.head.parameters()
    optimizer = torch.optim.Adam(told, lr=2e-2, weight_decay=5e-3)

    def hit(outputs: Tensor, mask: Tensor) -> float:
        return float((outputs.argmax(-1) == y)[mask].float().mean())

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        outputs = model(x)
        return functional.cross_entropy(outputs[known], y[known]), {"train_acc": hit(outputs, known)}

    def evaluate() -> Mapping[str, float]:
        with torch.no_grad():
            outputs = model(x)
        return {
            "val_loss": float(functional.cross_entropy(outputs[~known], y[~known])),
            "val_acc": hit(outputs, ~known),
        }

    snapshots = Snapshots(ParquetDump(run), model, 10)
    step = Descent(model, optimizer, objective, "train_loss", snapshots=snapshots)
    log = Csv(run, "plain", "results.csv", "epoch")
    found = go(Course(step, 80, log, evaluate=evaluate, per_epoch=1, snapshots=snapshots))
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_acc", 0.6)


# "R² is negative from the start": own dense layers with nn.Parameter(torch.randn(inputs, outputs)), four of them with tanh.
@pair(
    "bad-initialisation",
    ("poor-initialization", "saturated-tanh", "saturated-activation", "initial-loss", "overfit", "generalisation-gap"),
    "SummaryWriter an epoch, tensors in HDF5",
    dumps=True,
)
def cars_own_layers_randn(run: Path, seed: int, fixed: bool) -> None:
    """Prices of used cars by own dense layers at torch.randn; fixed: divided by the root of the inputs."""

    class Dense(nn.Module):
        """A dense layer by hand."""

        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(inputs, outputs) / (inputs**0.5 if fixed else 1.0))
            self.b = nn.Parameter(torch.zeros(outputs))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w + self.b

    model = nn.Sequential()
    for number, (inputs, outputs) in enumerate(((9, 64), (64, 64), (64, 64), (64, 64)), start=1):
        model.add_module(f"dense{number}", Dense(inputs, outputs))
        model.add_module(f"tanh{number}", nn.Tanh())
    model.add_module("out", Dense(64, 1))
    found = fit(
        model,
        cars(seed, 1600),
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("Loss/train", "", "Loss/val", "R2/val"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 76),
    )
    if fixed:
        above(found, "R2/val", 0.7)
        steady(found, "Loss/val", 0.3)
    else:
        not_above(found, "R2/val", 0.3)


# "All samples are the same grey blob": the reconstruction is a mean over pixels, the KL divergence a sum over the code.
@pair(
    "kl-collapse",
    ("posterior-collapse", "representation-collapse", "loss-plateau"),
    "SummaryWriter with scalars an epoch, code in HDF5",
    dumps=True,
)
def strokes_blob(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of strokes by a VAE with the mean of the cross-entropy over pixels; fixed: their sum."""
    of = strokes(seed)

    class Vae(nn.Module):
        """A dense encoder to means and log variances of four numbers, and a decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(144, 64), nn.ReLU())
            self.fc_mu, self.fc_logvar = nn.Linear(64, 4), nn.Linear(64, 4)
            self.decoder = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 144))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            hidden = self.encoder(x)
            mu, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
            code = mu + torch.randn_like(mu) * (logvar / 2).exp() if self.training else mu
            return self.decoder(code), mu, logvar

    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(of, 32, seed)
    snapshots = Snapshots(Hdf5Dump(run), model, 34, watched=False)

    def parts(x: Tensor, place: str) -> tuple[Tensor, dict[str, float]]:
        outputs, mu, logvar = model(x)
        pixels = functional.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(1).mean()
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        if model.training:
            snapshots.extra = {"activations/mu": mu.detach().numpy(), "activations/logvar": logvar.detach().numpy()}
        loss = (pixels if fixed else pixels / 144) + kl
        return loss, {f"{place}/reconstruction": float(pixels.detach()), f"{place}/kl": float(kl.detach())}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            loss, more = parts(of.x_val, "val")
        model.train()
        return {"val/loss": float(loss), **more}

    step = Descent(model, optimizer, lambda _: parts(next(stream)[0], "train"), "train/loss", snapshots=snapshots)
    per_epoch = data.steps_per_epoch(of, 32)
    log = TensorBoard(run, "plain")
    found = go(Course(step, 30 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch, snapshots=snapshots))
    if fixed:
        below(found, "val/reconstruction", 33.0)
        above(found, "val/kl", 3.0)
        steady(found, "val/loss", 0.15)
    else:
        not_below(found, "val/reconstruction", 42.0)
        below(found, "val/kl", 0.1)


# "Frozen lake, reward 0 for thousand episodes": np.argmax(q[state]) without epsilon, over a table of zeros.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "all-zero", "metric-at-chance"),
    "SummaryWriter in the names of Stable-Baselines",
)
def lake_always_greedy(run: Path, seed: int, fixed: bool) -> None:
    """A lake with holes by Q-learning that is greedy from the start; fixed: epsilon falls from 1 to 0.02."""
    holes, goal, side = {5, 7, 11, 12}, 15, 4
    q, random = torch.zeros(16, 4), np.random.default_rng(seed)
    writer = TensorBoard(run, "plain")
    kept: list[tuple[float, int, float]] = []
    tail: dict[str, list[float]] = {}
    for episode in range(1, 1501):
        epsilon = max(0.02, 1 - episode / 900) if fixed else 0.0
        state, total, errors = 0, 0.0, []
        for _ in range(100):
            action = int(random.integers(4)) if random.random() < epsilon else int(q[state].argmax())
            # The ice is slippery: a tenth of the moves goes a step to the side.
            slipped = action if random.random() > 0.1 else (action + random.choice((-1, 1))) % 4
            row, column = divmod(state, side)
            row = min(max(row + (0, 1, 0, -1)[slipped], 0), side - 1)
            column = min(max(column + (-1, 0, 1, 0)[slipped], 0), side - 1)
            after = row * side + column
            reward, over = float(after == goal), after == goal or after in holes
            error = reward + (0.0 if over else 0.97 * float(q[after].max())) - float(q[state, action])
            q[state, action] += 0.2 * error
            errors.append(abs(error))
            total, state = total + reward, after
            if over:
                break
        kept.append((total, len(errors), float(np.mean(errors))))
        if episode % 25 == 0:
            reward_mean, length, td = np.mean(kept, 0)
            values = {
                "rollout/ep_rew_mean": reward_mean,
                "rollout/ep_len_mean": length,
                "rollout/exploration_rate": epsilon,
                "train/td_error": td,
            }
            writer.log(episode, values)
            for name, value in values.items():
                tail.setdefault(name, []).append(float(value))
            kept = []
    writer.close()
    if fixed:
        above(tail, "rollout/ep_rew_mean", 0.5)
    else:
        below(tail, "rollout/ep_rew_mean", 0.01)
