"""Data and helpers of the month programs in torch: pictures, tables, series and tunes made by formula."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data
from bench.accuracy.loggers import Dump, Tensors


class Only:
    """A dump that keeps some tensors: those whose name a test holds for."""

    def __init__(self, to: Dump, keep: Callable[[str], bool]) -> None:
        self.to, self.keep = to, keep

    def dump(self, step: int, tensors: Tensors) -> None:
        """Pass on what is kept."""
        self.to.dump(step, {name: value for name, value in tensors.items() if self.keep(name)})

    def close(self) -> None:
        """Close the file."""
        self.to.close()


def dials(seed: int, samples: int = 700, noise: float = 0.25) -> data.Split:
    """Pictures (n, 1, 14, 14) of a dial whose hand points to one of 12 hours, about 0 to 1; 12 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 12, samples)
    rows, columns = np.mgrid[0:14, 0:14] - 6.5
    angle = 2 * np.pi * (y + random.uniform(-0.25, 0.25, samples)) / 12
    along = rows * -np.cos(angle)[:, None, None] + columns * np.sin(angle)[:, None, None]
    across = rows * np.sin(angle)[:, None, None] + columns * np.cos(angle)[:, None, None]
    hand = (along > 0) & (along < 5.5) & (np.abs(across) < 0.9)
    x = hand + 0.3 * (np.hypot(rows, columns) > 6) + noise * random.normal(size=hand.shape)
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 1, 14, 14), x_val=of.x_val.reshape(-1, 1, 14, 14))


def cells(seed: int, samples: int = 320, noise: float = 0.35) -> data.Split:
    """Pictures (n, 1, 16, 16) with two or three bright cells, and masks (n, 1, 16, 16) of them as 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16]
    masks = np.zeros((samples, 16, 16), dtype=bool)
    for mask in masks:
        for _ in range(random.integers(2, 4)):
            row, column, radius = random.uniform(2, 14), random.uniform(2, 14), random.uniform(1.5, 3)
            mask |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    x = torch.tensor(masks + noise * random.normal(size=masks.shape), dtype=torch.float32)[:, None]
    y = torch.tensor(masks, dtype=torch.float32)[:, None]
    cut = samples * 3 // 4
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def fruit(seed: int, samples: int = 520, noise: float = 0.15) -> data.Split:
    """Pictures (n, 3, 10, 10) in RGB of red, orange, green and blue fruit on a grey ground, about -1 to 1; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    inks = np.array([[0.85, 0.15, 0.2], [0.9, 0.55, 0.1], [0.2, 0.7, 0.25], [0.2, 0.25, 0.8]])
    rows, columns = np.mgrid[0:10, 0:10]
    images = np.zeros((samples, 3, 10, 10))
    for image, kind in zip(images, y, strict=True):
        row, column, radius = random.uniform(3, 7), random.uniform(3, 7), random.uniform(1.5, 3)
        inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        ink = inks[kind] * random.uniform(0.6, 1.2) + 0.08 * random.normal(size=3)
        image[:] = np.where(inside, ink[:, None, None], random.uniform(0.3, 0.6))
    images = (images + noise * random.normal(size=images.shape)) * 2 - 1
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 3, 10, 10), x_val=of.x_val.reshape(-1, 3, 10, 10))


def wages(seed: int, samples: int = 700, scaled: bool = True) -> data.Split:
    """Seven columns of employees in their own units (age, postcode, hours a year, euros of the last job …) and wages (n, 1), standard."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 7))
    wage = 0.9 * z[:, 0] + 0.8 * np.tanh(z[:, 1]) + 0.7 * z[:, 2] * (z[:, 3] > 0) + 0.6 * z[:, 4]
    wage = (wage - wage.mean()) / wage.std() + 0.2 * random.normal(size=samples)
    x = z * [11, 9000, 5, 400, 3, 2, 25000] + [41, 50000, 9, 1600, 8, 3, 38000]
    return data.split(x, wage[:, None], seed, scaled=scaled)


def solubility(seed: int, samples: int = 560) -> data.Split:
    """Nine descriptors of molecules, standardised, and log S (n, 1) of about -9 to -1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 9))
    y = -4.6 - 1.2 * x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2] * x[:, 3] + 0.3 * random.normal(size=samples)
    return data.split(x, np.minimum(y, -0.5)[:, None], seed)


def first_words(seed: int, samples: int = 700, length: int = 18) -> data.Split:
    """Series (n, length, 3) whose first four moments tell one of 4 classes; noise thereafter."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    x = 0.6 * random.normal(size=(samples, length, 3))
    x[:, :4, 0] += 1.6 * np.where(y % 2, 1, -1)[:, None]
    x[:, :4, 1] += 1.6 * np.where(y // 2, 1, -1)[:, None]
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, length, 3), x_val=of.x_val.reshape(-1, length, 3))


def tunes(seed: int, samples: int = 500, length: int = 24, notes: int = 16, sure: float = 0.85) -> data.Split:
    """Tunes as notes (n, length) and the notes that follow: a rule of the last note and its step, broken now and then."""
    random = np.random.default_rng(seed)
    rule = np.random.default_rng(5).integers(0, notes, (notes, 2))
    x = np.zeros((samples, length + 1), dtype=np.int64)
    x[:, 0] = random.integers(0, notes, samples)
    for at in range(1, length + 1):
        before = x[:, at - 2] if at > 1 else x[:, 0]
        planned = rule[x[:, at - 1], before % 2]
        x[:, at] = np.where(random.random(samples) < sure, planned, random.integers(0, notes, samples))
    made, cut = torch.tensor(x), samples * 4 // 5
    return data.Split(made[:cut, :-1], made[:cut, 1:], made[cut:, :-1], made[cut:, 1:])


def cards(seed: int, samples: int = 3000, share: float = 0.03, apart: float = 1.1) -> data.Split:
    """Ten columns of payments and whether they are frauds (n, 1) as 0 and 1: few are, and they overlap with the honest."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.int64)
    x = random.normal(size=(samples, 10))
    x[:, :4] += apart * y[:, None]
    of = data.split(x, y, seed, share=0.4)
    return replace(of, y=of.y.float()[:, None], y_val=of.y_val.float()[:, None])


def claims(seed: int, samples: int = 900) -> data.Split:
    """Six columns of cars, standardised, and numbers of claims (n, 1), from a Poisson law."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 6))
    rate = np.exp(0.7 + 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3])
    return data.split(x, random.poisson(rate).astype(np.float64)[:, None], seed)


def ring(count: int, random: torch.Generator, modes: int = 8) -> Tensor:
    """Points (count, 2) about the corners of an octagon of radius 2."""
    angle = 2 * torch.pi * torch.randint(0, modes, (count,), generator=random) / modes
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(count, 2, generator=random)


def explained(outputs: Tensor, targets: Tensor) -> Tensor:
    """R², the share of the variance of the targets (n, 1) that is explained."""
    return 1 - (outputs - targets).square().mean() / targets.var(unbiased=False)


def pixels(seed: int) -> data.Split:
    """Digits (n, 64) with grey values of 0 to 1; 10 classes."""
    of = data.bundled("digits", seed, scaled=False)
    return replace(of, x=of.x / 16, x_val=of.x_val / 16)
