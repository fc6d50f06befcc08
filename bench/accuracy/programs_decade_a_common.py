"""Data for the programs of author A of the decade set, and small helpers."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.accuracy import data


def beats(seed: int, samples: int = 560, length: int = 64, noise: float = 0.35) -> data.Split:
    """Heart beats (n, 1, length): normal, early, broad or missing; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    at = np.arange(length)
    first = random.uniform(10, 20, (samples, 1))
    gap = np.where(y == 1, 15, 28)[:, None] + random.normal(size=(samples, 1))
    width = np.where(y == 2, 4.5, 1.5)[:, None]
    second = np.where(y == 3, 0.0, 1.0)[:, None]
    x = 2 * np.exp(-(((at - first) / width) ** 2)) + 2 * second * np.exp(-(((at - first - gap) / width) ** 2))
    x = x + 0.3 * np.sin(at / 9 + random.uniform(0, 6, (samples, 1))) + noise * random.normal(size=x.shape)
    of = data.split(x, y, seed, scaled=False)
    return replace(of, x=of.x[:, None], x_val=of.x_val[:, None])


def cells(seed: int, samples: int = 320, noise: float = 0.3) -> data.Split:
    """Pictures (n, 1, 16, 16) with one to three cells, and their masks (n, 1, 16, 16) of 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16]
    x, y = np.zeros((samples, 16, 16)), np.zeros((samples, 16, 16))
    for image, mask in zip(x, y, strict=True):
        for _ in range(random.integers(1, 4)):
            row, column = random.integers(2, 14, 2)
            inside = (rows - row) ** 2 + (columns - column) ** 2 <= random.uniform(3, 9)
            mask[inside] = 1
        image[:] = mask * random.uniform(0.7, 1.3) + 0.4 * np.sin(rows / 3 + random.uniform(0, 6))
    x += noise * random.normal(size=x.shape)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x[:, None], dtype=torch.float32), torch.tensor(y[:, None], dtype=torch.float32)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def freezers(seed: int, samples: int = 600) -> data.Split:
    """Seven measures of a cold store, standardised, and its temperature (n, 1) in tens of degrees, -3 to -0.5."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 7))
    y = -1.8 + 0.35 * x[:, 0] + 0.25 * np.tanh(2 * x[:, 1]) - 0.2 * x[:, 2] * (x[:, 3] > 0)
    y = np.clip(y + 0.05 * random.normal(size=samples), -3, -0.5)
    return data.split(x, y[:, None], seed)


def genres(seed: int, samples: int = 640, tags: int = 6) -> data.Split:
    """Twenty features of films and which of six tags they have (n, 6) as 0.0 and 1.0; each tag in about 30 %."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 20))
    pull = x @ np.random.default_rng(5).normal(size=(20, tags)) / 2 - 1.2
    y = (pull + 0.3 * random.normal(size=pull.shape) > 0).astype(np.float64)
    return data.split(x, y, seed)


def parcels(seed: int, samples: int = 900, kinds: int = 12) -> data.Split:
    """Sixteen features of parcels of twelve kinds, numbered 0 to 11; 12 classes."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(3).normal(size=(kinds, 16)) * 0.95
    y = random.integers(0, kinds, samples)
    return data.split(centres[y] + random.normal(size=(samples, 16)), y, seed)


def binary(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits (n, 1) and classes 0 and 1."""
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())


def tags_right(outputs: Tensor, targets: Tensor) -> Tensor:
    """F1 over all tags, of logits."""
    said = (outputs > 0).float()
    return 2 * (said * targets).sum() / (said.sum() + targets.sum()).clamp(min=1)
