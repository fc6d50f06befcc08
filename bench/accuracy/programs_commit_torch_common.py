"""What the programs of bug-fix commits in PyTorch share: their data, and writers of logs that people write by hand."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, ParquetDump

DUMPS: dict[str, Any] = {"hdf5": Hdf5Dump, "parquet": ParquetDump, "histograms": HistogramDump}
"""Dump classes by a short name."""


class Printed:
    """What a script prints, sent to a file: `Epoch 3/20 - loss: 0.4312 - val_loss: 0.51` or `[Epoch 3] loss=0.4312, val_loss=0.51`."""

    def __init__(self, run: Path, epochs: int = 0, name: str = "train.log") -> None:
        self.file = (run / name).open("a", encoding="utf-8")
        self.epochs = epochs

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Print a line."""
        if self.epochs:
            told = " - ".join(f"{name}: {value:.4f}" for name, value in values.items())
            self.file.write(f"Epoch {step}/{self.epochs} - {told}\n")
        else:
            told = ", ".join(f"{name}={value:.5g}" for name, value in values.items())
            self.file.write(f"[Epoch {step}] {told}\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class HistoryJson:
    """history.json: one list for each name, with one value an epoch, as `json.dump(history, f)` writes it."""

    def __init__(self, run: Path, name: str = "history.json") -> None:
        self.path = run / name
        self.columns: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append to each list."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def close(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(self.columns), encoding="utf-8")


class MlRuns:
    """MLflow's file store: mlruns/0/ID/metrics/NAME with lines `time value step`."""

    def __init__(self, run: Path, seed: int, params: Mapping[str, object]) -> None:
        named = f"{0x5EED0000 + seed:032x}"
        self.folder = run / "mlruns" / "0" / named
        (self.folder / "metrics").mkdir(parents=True)
        (self.folder / "params").mkdir()
        for name, value in params.items():
            (self.folder / "params" / name).write_text(str(value), encoding="utf-8")
        meta = f"experiment_id: '0'\nrun_id: {named}\nrun_name: run-{seed}\nstatus: 3\nlifecycle_stage: active\n"
        (self.folder / "meta.yaml").write_text(meta, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A line in the file of each metric."""
        for name, value in values.items():
            with (self.folder / "metrics" / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {float(value)} {step}\n")

    def close(self) -> None:
        """Nothing is open."""


class EachEpoch:
    """A schedule of torch that moves on after so many steps only, that is, once an epoch."""

    def __init__(self, schedule: Any, steps: int) -> None:
        self.schedule, self.steps, self.done = schedule, steps, 0

    def step(self) -> None:
        """Count, and move on when an epoch is over."""
        self.done += 1
        if self.done % self.steps == 0:
            self.schedule.step()


def pumps(seed: int, samples: int = 640, length: int = 16, noise: float = 0.35) -> data.Split:
    """Readings (n, length, 4) of pumps; in the first half one of four sensors jumps for three moments: the class; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    x = noise * random.normal(size=(samples, length, 4))
    begin = random.integers(1, length // 2 - 2, samples)
    for moment in range(3):
        x[np.arange(samples), begin + moment, y] += 1.6
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, length, 4), x_val=of.x_val.reshape(-1, length, 4))


def tickets(seed: int, samples: int = 720, length: int = 20, words: int = 160, keys: int = 4) -> data.Split:
    """Tickets as tokens (n, length), of which `keys` belong to one of five topics and one to another; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    x = random.integers(60, words, (samples, length))
    for row, topic in zip(x, y, strict=True):
        places = random.permutation(length)[: keys + 1]
        row[places[:keys]] = 12 * topic + random.integers(0, 12, keys)
        row[places[keys]] = random.integers(0, 60)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def rentals(seed: int, samples: int = 720) -> data.Split:
    """Eight measures of an hour (standardised) and how many bicycles are rented (n,), standardised; one axis only."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 8))
    hour = np.sin(1.5 * z[:, 0]) + 0.5 * np.cos(2 * z[:, 1])
    count = (
        120 + 60 * hour + 35 * z[:, 2] - 20 * np.maximum(z[:, 3], 0) + 12 * z[:, 4] + 8 * random.normal(size=samples)
    )
    of = data.split(z, count, seed)
    mean, spread = of.y.mean(), of.y.std()
    return replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)


def cells(seed: int, samples: int = 320, side: int = 16, noise: float = 0.25) -> data.Split:
    """Pictures (n, 1, side, side) of cells on a slide, and their masks of the same shape, 0 and 1; about an eighth is cell."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, side, side))
    for mask in masks:
        for _ in range(random.integers(1, 4)):
            row, column = random.uniform(2, side - 2, 2)
            tall, wide = random.uniform(1.5, 3.2, 2)
            mask[((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 <= 1] = 1
    stain = random.uniform(0.5, 1.0, (samples, 1, 1))
    shade = 0.2 * random.normal(size=(samples, 1, 1)) * (rows - side / 2) / side
    x = masks * stain + shade + noise * random.normal(size=masks.shape)
    xs = torch.tensor(x, dtype=torch.float32)[:, None]
    ys = torch.tensor(masks, dtype=torch.float32)[:, None]
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def signs(seed: int, samples: int = 600, noise: float = 22.0) -> data.Split:
    """Photographs (n, 3, 14, 14) of road signs, 0 to 255: a triangle, a disc, a square, a bar or an x in any colour; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    images = np.zeros((samples, 3, 14, 14))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(5, 9, 2)
        down, right = rows - row, columns - column
        shapes = (
            (np.abs(right) <= (down + 4) / 2) & (np.abs(down) <= 4),
            down**2 + right**2 <= 16,
            np.maximum(np.abs(down), np.abs(right)) <= 3,
            (np.abs(down) <= 1) & (np.abs(right) <= 5),
            (np.abs(np.abs(down) - np.abs(right)) <= 1) & (np.abs(down) <= 4),
        )
        ground, ink = random.uniform(30, 110, 3), random.uniform(130, 235, 3)
        image[:] = np.where(shapes[kind], ink[:, None, None], ground[:, None, None])
    images = (images + noise * random.normal(size=images.shape)).clip(0, 255)
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 3, 14, 14), x_val=of.x_val.reshape(-1, 3, 14, 14))


def payments(seed: int, samples: int = 3000) -> data.Split:
    """Ten standardised measures of payments, of which one in sixteen is a fraud; 2 classes."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 10))
    pull = 1.6 * z[:, 0] + 1.4 * z[:, 1] - 1.2 * z[:, 2] * (z[:, 3] > 0) + z[:, 4]
    score = 2.2 * pull + random.logistic(size=samples)
    y = (score > np.quantile(score, 15 / 16)).astype(np.int64)
    return data.split(z, y, seed)


class Deliveries:
    """Many small grids at once, in each of which a robot has to reach a door: four moves, at most `longest` of them.

    Reward: `prize` at the door and `-cost` for each move.
    """

    def __init__(self, seed: int, count: int = 32, side: int = 5, longest: int = 12) -> None:
        self.random = data.generator(seed)
        self.count, self.side, self.longest = count, side, longest
        self.moves = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])

    def play(self, policy: Any, prize: float = 1.0, cost: float = 0.02) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Play one episode in each grid: logarithms of chances (moves, count), entropies, rewards, and who was still under way."""
        at = torch.randint(0, self.side, (self.count, 2), generator=self.random)
        door = torch.randint(0, self.side, (self.count, 2), generator=self.random)
        under_way = (at != door).any(1)
        chances, entropies, rewards, alive = [], [], [], []
        for _ in range(self.longest):
            seen = torch.cat([at, door], 1).float() / (self.side - 1) * 2 - 1
            shares = policy(seen).log_softmax(-1)
            action = torch.multinomial(shares.detach().exp(), 1, generator=self.random)[:, 0]
            at = torch.where(under_way[:, None], (at + self.moves[action]).clamp(0, self.side - 1), at)
            there = (at == door).all(1)
            chances.append(shares.gather(1, action[:, None])[:, 0])
            entropies.append(-(shares.exp() * shares).sum(-1))
            rewards.append(torch.where(under_way, there * prize - cost, 0.0))
            alive.append(under_way)
            under_way = under_way & ~there
        return torch.stack(chances), torch.stack(entropies), torch.stack(rewards), torch.stack(alive).float()
