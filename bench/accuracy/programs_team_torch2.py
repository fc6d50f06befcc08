"""PyTorch programs of teams in remote sensing, finance, chemistry and games; and their repaired versions."""

import csv
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.programs_field_common import above, below, fit, not_above, not_below, steady
from bench.accuracy.programs_team_common import into
from bench.accuracy.programs_team_torch_common import (
    Written,
    molecules,
    r_squared,
    radiographs,
    tiles,
    withdrawals,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def mean_iou(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over classes of intersection over union; classes are axis 1."""
    said = outputs.argmax(1)
    shares = []
    for kind in range(outputs.shape[1]):
        both, one = ((said == kind) & (targets == kind)).sum(), ((said == kind) | (targets == kind)).sum()
        shares.append(both / one.clamp(min=1))
    return torch.stack(shares).mean()


# "The masks look like a torn carpet": logits of (N, C, H, W) flattened by .view(-1, C) for the loss, without permute.
@pair(
    "wrong-reshape",
    ("loss-plateau", "loss-not-decreasing", "underfit", "metric-at-chance", "task-not-learned", "nothing-found"),
    "csv with spaces and capitals in its names",
)
def land_cover(run: Path, seed: int, fixed: bool) -> None:
    """Water, forest and fields by a small FCN, logits flattened across the wrong axes; fixed: permuted first."""
    of = tiles(seed)
    model = nn.Sequential(
        nn.Conv2d(4, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 3, 1)
    )

    def error(outputs: Tensor, targets: Tensor) -> Tensor:
        moved = outputs.permute(0, 2, 3, 1) if fixed else outputs
        return functional.cross_entropy(moved.reshape(-1, 3), targets.reshape(-1))

    names = ("Train Loss", "Val Loss", "Val mIoU")

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return f"{epoch + 1}," + ",".join(f"{told[name]:.5f}" for name in names) + "\n"

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        20,
        Written(run / "segmentation_results.csv", form, f"Epoch,{','.join(names)}\n"),
        ("Train Loss", "", "Val Loss", "Val mIoU"),
        loss=error,
        metric=mean_iou,
        batch=16,
        seed=seed,
    )
    if fixed:
        above(found, "Val mIoU", 0.8)
        steady(found, "Val Loss", 0.2)
    else:
        below(found, "Val mIoU", 0.45)


class History:
    """One JSON file at the end, with the settings and a list for each name."""

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        self.path, self.settings = path, settings
        self.lists: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append to each list."""
        for name, value in values.items():
            self.lists.setdefault(name, []).append(value)

    def close(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps({"settings": self.settings, "curves": self.lists}, indent=2), encoding="utf-8")


# "The forecast is 3 euros for a machine that gives out 40,000": the inputs went through a StandardScaler, the target did not.
@pair(
    "target-not-normalised",
    (
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
        "still-improving",
        "data-not-normalized",
        "initial-loss",
        "metric-at-chance",
    ),
    "one JSON file with lists",
)
def cash_demand(run: Path, seed: int, fixed: bool) -> None:
    """Tomorrow's withdrawals by a GRU under MSE in euros; fixed: the target standardised."""
    of = withdrawals(seed)
    mean, spread = (of.y.mean(), of.y.std()) if fixed else (torch.tensor(0.0), torch.tensor(1.0))
    of = data.Split(of.x[:, :, None], (of.y - mean) / spread, of.x_val[:, :, None], (of.y_val - mean) / spread)
    model = models.Recurrent("gru", 1, 24, 1)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        24,
        History(run / "atm_history.json", {"hidden": 24, "lr": 3e-3, "window": 14}),
        ("mse_in_sample", "", "mse_out_of_sample", "r2_out_of_sample"),
        loss=functional.mse_loss,
        metric=r_squared,
        seed=seed,
    )
    if fixed:
        above(found, "r2_out_of_sample", 0.7)
        steady(found, "mse_out_of_sample", 0.2)
    else:
        below(found, "r2_out_of_sample", -0.5)


class Rows:
    """A metrics.csv as Lightning has it: a row for the training, another for the validation of the same epoch."""

    def __init__(self, path: Path, per_epoch: int) -> None:
        self.path, self.per_epoch = path, per_epoch
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep two rows."""
        where = {"epoch": step, "step": (step + 1) * self.per_epoch - 1}
        for part in ("val_", "train_"):
            self.rows.append({**where, **{name: one for name, one in values.items() if name.startswith(part)}})

    def close(self) -> None:
        """Write all rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="", encoding="utf-8") as file:
            names = list(dict.fromkeys(name for row in self.rows for name in row))
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)


# "Using a target size (32) that is different to the input size (32, 1)": a warning that scrolled by; every molecule gets the mean.
@pair(
    "wrong-shape-broadcast",
    ("loss-plateau", "loss-not-decreasing", "underfit", "metric-at-chance", "constant-answer", "task-not-learned"),
    "Lightning's metrics.csv",
)
def solubility(run: Path, seed: int, fixed: bool) -> None:
    """The solubility of molecules by an MLP, outputs (n, 1) against targets (n,) in mse_loss; fixed: squeezed."""
    of = molecules(seed)
    model = models.mlp((48, 24, 12, 1), "silu", dropout=0.1)

    def error(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs.squeeze(-1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05),
        26,
        Rows(run / "lightning_logs" / "version_0" / "metrics.csv", data.steps_per_epoch(of, 32)),
        ("train_loss_epoch", "", "val_mse", "val_r2"),
        loss=error,
        metric=lambda outputs, targets: r_squared(outputs.squeeze(-1), targets),
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.7)
        steady(found, "val_mse", 0.2)
    else:
        below(found, "val_r2", 0.1)


class Catch:
    """Many games at once: a ball falls six rows over seven columns and is to be caught by a paddle that moves by one."""

    def __init__(self, seed: int, games: int = 64) -> None:
        self.random, self.games = data.generator(seed), games

    def play(self, policy: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the actions (6, games), entropies (6, games), and rewards (games,) of 1 or -1."""
        ball = torch.randint(0, 7, (self.games,), generator=self.random)
        paddle = torch.randint(0, 7, (self.games,), generator=self.random)
        chances, doubts = [], []
        for row in range(6):
            state = torch.cat([functional.one_hot(ball, 7), functional.one_hot(paddle, 7)], 1).float()
            logs = policy(
                torch.cat([state, torch.stack([ball - paddle, torch.full_like(ball, row)], 1) / 6], 1)
            ).log_softmax(-1)
            action = torch.multinomial(logs.detach().exp(), 1, generator=self.random)
            chances.append(logs.gather(1, action)[:, 0])
            doubts.append(-(logs.exp() * logs).sum(1))
            paddle = (paddle + action[:, 0] - 1).clamp(0, 6)
        return torch.stack(chances), torch.stack(doubts), 2.0 * (paddle == ball) - 1


# "The longer it trains, the more surely it misses": the policy gradient was minimised with the sign of a gain.
@pair(
    "wrong-sign-of-loss",
    ("reward-collapse", "reward-flat", "entropy-collapse", "task-not-learned"),
    "progress.csv of an RL library",
)
def catch_the_ball(run: Path, seed: int, fixed: bool) -> None:
    """A game of catch by REINFORCE with the sign of the loss forgotten; fixed: minus."""
    game, policy = Catch(seed, 128), models.mlp((16, 64, 3), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.005)
    names = ["time/total_episodes", "rollout/ep_rew_mean", "train/policy_loss", "train/entropy", "train/n_updates"]
    trail: dict[str, list[float]] = {}
    with (run / "progress.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for update in range(1, 401):
            chances, doubts, rewards = game.play(policy)
            gain = (chances * (rewards - rewards.mean())).mean()
            loss = (-gain if fixed else gain) - 0.01 * doubts.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            told = (update * 128, float(rewards.mean()), float(loss.detach()), float(doubts.detach().mean()), update)
            for name, value in zip(names, told, strict=True):
                trail.setdefault(name, []).append(value)
            if update % 8 == 0:
                mean = {name: sum(trail[name][-8:]) / 8 for name in names[1:4]}
                writer.writerow({names[0]: update * 128, **mean, names[4]: update})
    tail = {"rollout/ep_rew_mean": [sum(trail["rollout/ep_rew_mean"][-40:]) / 40]}
    if fixed:
        above(tail, "rollout/ep_rew_mean", 0.75)
    else:
        below(tail, "rollout/ep_rew_mean", -0.8)


# "Fine on the training set, coin tossing on validation": ToTensor() and Normalize() in one Dataset, neither in the other.
@pair(
    "validation-preprocessed-differently",
    (
        "generalisation-gap",
        "overfit",
        "metric-at-chance",
        "validation-swings",
        "confidently-wrong",
        "best-is-not-last",
        "most-answers-wrong",
        "constant-answer",
    ),
    "log file of the logging module",
)
def chest_pictures(run: Path, seed: int, fixed: bool) -> None:
    """Three findings in radiographs by a CNN, validated on pictures of 0 to 255; fixed: scaled as well."""
    of = radiographs(seed)
    ready = (of.x_val / 255 - 0.45) / 0.2 if fixed else of.x_val
    of = data.Split((of.x / 255 - 0.45) / 0.2, of.y, ready, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)
    )

    def form(epoch: int, told: Mapping[str, float]) -> str:
        name = logging.getLevelName(logging.INFO)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        return (
            f"{stamp},{int(time.time() * 1000) % 1000:03d} - cxr.trainer - {name} - [Epoch {epoch + 1}/20] "
            f"train: loss={told['tr_loss']:.4f} acc={told['tr_acc']:.4f} | valid: loss={told['va_loss']:.4f} acc={told['va_acc']:.4f}\n"
        )

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        Written(run / "cxr_trainer.log", form),
        ("tr_loss", "tr_acc", "va_loss", "va_acc"),
        seed=seed,
    )
    above(found, "tr_acc", 0.9)
    if fixed:
        above(found, "va_acc", 0.9)
        steady(found, "va_loss", 0.3)
    else:
        not_above(found, "va_acc", 0.65)
        not_below(found, "va_loss", 2.0)
