"""Data and a writer of the week's programs in PyTorch. All are seeded."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data


class Printed:
    """What a script prints, kept with `tee`: `Epoch [3/20] train_loss: 0.4312 val_loss: 0.5121`."""

    def __init__(self, run: Path, epochs: int, name: str = "stdout.log") -> None:
        self.file = (run / name).open("a", encoding="utf-8")
        self.epochs = epochs

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Print a line."""
        told = " ".join(f"{name}: {value:.5g}" for name, value in values.items())
        self.file.write(f"Epoch [{step + 1}/{self.epochs}] {told}\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def bearings(seed: int, samples: int = 520, length: int = 40, noise: float = 0.4) -> data.Split:
    """Vibrations (n, length, 1) of bearings that are sound, worn outside, worn inside or loose; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    moment, phase = np.arange(length), random.uniform(0, 2 * np.pi, (samples, 1))
    turn = np.sin(2 * np.pi * moment / 16 + phase)
    ticks = 1.8 * (np.sin(2 * np.pi * moment / 10 + phase) > 0.9)
    rubbing = np.sin(2 * np.pi * moment / 16 + phase) * np.sin(2 * np.pi * moment / 4)
    loose = np.where(turn > 0.3, 2.2 * turn, 0.3 * turn)
    kinds = np.stack([turn, turn * 0.6 + ticks, turn + 1.2 * rubbing, loose], 1)
    x = kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length))
    of = data.split(x, y, seed, scaled=False)
    return replace(of, x=of.x[:, :, None], x_val=of.x_val[:, :, None])


def tickets(seed: int, samples: int = 800, length: int = 20, words: int = 160, told: float = 0.3) -> data.Split:
    """Tickets as tokens (n, length) of which a share belongs to one of 5 topics; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    x = random.integers(100, words, (samples, length))
    x = np.where(random.random(x.shape) < told, 20 * y[:, None] + random.integers(0, 20, x.shape), x)
    x = np.where(random.random(x.shape) < 0.08, random.integers(0, 100, x.shape), x)
    xs, ys, cut = torch.tensor(x), torch.tensor(y), samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def concrete(seed: int, samples: int = 640, scaled: bool = True) -> data.Split:
    """Seven amounts in kilograms and an age in days, and the strength of concrete (n, 1), standardised."""
    random = np.random.default_rng(seed)
    z = random.uniform(-1.7, 1.7, (samples, 8))
    strength = 1.2 * z[:, 0] - 0.9 * z[:, 3] + 0.8 * np.tanh(1.5 * z[:, 7]) + 0.6 * z[:, 0] * z[:, 7] + 0.4 * z[:, 1]
    strength = (strength - strength.mean()) / strength.std() + 0.15 * random.normal(size=samples)
    x = z * [100, 60, 50, 20, 6, 80, 80, 60] + [280, 75, 55, 180, 6, 970, 770, 110]
    return data.split(x, strength[:, None], seed, scaled=scaled)


def tides(seed: int, hours: int = 800, window: int = 24, noise: float = 0.12) -> data.Split:
    """Levels of the sea in the last hours (n, window, 1) and in the next (n, 1), standardised; later hours validate."""
    random = np.random.default_rng(seed)
    hour, first = np.arange(hours + window), random.uniform(0, 6)
    level = np.sin(2 * np.pi * hour / 12.4 + first) + 0.5 * np.sin(2 * np.pi * hour / 24.8 + 2 * first)
    level = level + noise * random.normal(size=hour.size)
    x = np.lib.stride_tricks.sliding_window_view(level[:-1], window).copy()
    xs = torch.tensor(x, dtype=torch.float32)[:, :, None]
    ys = torch.tensor(level[window:, None], dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def cells(seed: int, samples: int = 320, side: int = 16, noise: float = 0.35) -> data.Split:
    """Pictures (n, 1, side, side) of round cells on a ground, and their masks of 0 and 1 (n, 1, side, side)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, side, side))
    for mask in masks:
        for _ in range(random.integers(1, 4)):
            row, column = random.integers(3, side - 3, 2)
            mask[:] = np.maximum(mask, (rows - row) ** 2 + (columns - column) ** 2 <= random.uniform(3, 9))
    images = masks * random.uniform(0.7, 1.3, (samples, 1, 1)) + noise * random.normal(size=masks.shape)
    xs, ys = (torch.tensor(one[:, None], dtype=torch.float32) for one in (images, masks))
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def moons(seed: int, samples: int = 800, noise: float = 0.2) -> data.Split:
    """Two half moons in the plane; 2 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    angle = np.pi * random.random(samples)
    x = np.stack([np.cos(angle) + y, np.sin(angle)], 1) * np.where(y, -1, 1)[:, None] + y[:, None] * [2.0, 0.5]
    return data.split(x + noise * random.normal(size=x.shape), y, seed)


def genres(seed: int, samples: int = 700, tags: int = 6) -> data.Split:
    """Features of songs (n, 20) and which tags hold of them (n, tags), as 0 and 1, each of about a third."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 20))
    pull = x[:, :tags] + x[:, tags : 2 * tags] * 0.8 - 0.6
    y = (pull + 0.3 * random.normal(size=pull.shape) > 0).astype(np.float64)
    return data.split(x, y, seed)


def digits(seed: int, raw: bool = False) -> data.Split:
    """Digits as pictures (n, 1, 8, 8) of 0 to 1, or, `raw`, of 0 to 255."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    factor = 255 / 16 if raw else 1 / 16
    return replace(of, x=of.x * factor, x_val=of.x_val * factor)


def f1(outputs: Tensor, targets: Tensor) -> Tensor:
    """F1 of logits (n, …) against 0 and 1."""
    said, true = outputs > 0, targets > 0.5
    return 2 * (said & true).sum() / (said.sum() + true.sum()).clamp_min(1)
