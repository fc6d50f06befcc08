"""Data as question-and-answer programs have them: small made-up images, reviews, series, prices, ratings."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.accuracy.data import Split, generator, split


def cut(x: Tensor, y: Tensor, share: float = 0.25) -> Split:
    """The last rows, this share of them, for validation."""
    at = round(len(x) * (1 - share))
    return Split(x[:at], y[:at], x[at:], y[at:])


def scaled(of: Split, mean: float, deviation: float) -> Split:
    """All inputs minus a mean, over a deviation."""
    return replace(of, x=(of.x - mean) / deviation, x_val=(of.x_val - mean) / deviation)


def shapes(seed: int, samples: int = 800, side: int = 12, noise: float = 0.35) -> Split:
    """Grey images (n, 1, side, side) with values 0 to 255: an upright bar, a lying bar, a ring or a cross; 4 classes."""
    random = np.random.default_rng(seed)
    images = np.zeros((samples, side, side))
    kinds = random.integers(0, 4, samples)
    for image, kind in zip(images, kinds, strict=True):
        row, column = random.integers(3, side - 3, 2)
        if kind in (0, 3):
            image[row - 3 : row + 3, column] = 1
        if kind in (1, 3):
            image[row, column - 3 : column + 3] = 1
        if kind == 2:
            image[row - 2 : row + 3, column - 2 : column + 3] = 1
            image[row - 1 : row + 2, column - 1 : column + 2] = 0
    images = np.clip(images + noise * random.normal(size=images.shape), 0, 1) * 255
    return cut(torch.tensor(images[:, None], dtype=torch.float32).round(), torch.tensor(kinds))


def reviews(seed: int, samples: int = 800, length: int = 24, words: int = 200) -> Split:
    """Tokens (n, length) of 1 to words - 1, at the end of which 0 pads; the class says whether good words (below 30) outnumber bad ones
    (30 to 59).
    """
    random = np.random.default_rng(seed)
    x = random.integers(60, words, (samples, length))
    y = random.integers(0, 2, samples)
    telling = random.random(x.shape) < 0.25
    sides = np.where(random.random(x.shape) < 0.85, y[:, None], 1 - y[:, None])
    x = np.where(telling, random.integers(1, 30, x.shape) + 30 * (1 - sides), x)
    x[np.arange(length) >= random.integers(length * 2 // 3, length + 1, samples)[:, None]] = 0
    return cut(torch.tensor(x), torch.tensor(y))


def waves(seed: int, samples: int = 700, length: int = 24, noise: float = 0.08) -> Split:
    """Windows (n, length, 1) of a noisy wave, and its next value (n, 1)."""
    random = np.random.default_rng(seed)
    time = np.arange(samples + length + 1)
    series = np.sin(time * 0.25 + seed) + 0.5 * np.sin(time * 0.61) + noise * random.normal(size=time.shape)
    windows = np.lib.stride_tricks.sliding_window_view(series, length + 1)
    both = torch.tensor(windows.copy(), dtype=torch.float32)
    return cut(both[:, :-1, None], both[:, -1:])


def prices(seed: int, samples: int = 700) -> Split:
    """Houses: ten standardised measures, and prices in dollars (n, 1), 50,000 to 600,000."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10))
    y = np.exp(
        12.3 + 0.35 * np.tanh(x @ random.normal(size=10) / 2) + 0.2 * x[:, 0] + 0.08 * random.normal(size=samples)
    )
    return split(x, y[:, None], seed)


def circles(seed: int, samples: int = 600, noise: float = 0.12) -> Split:
    """A ring around a disc, two classes, which no line parts."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    angle = random.uniform(0, 2 * np.pi, samples)
    radius = 0.5 + 0.5 * y
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1) + noise * random.normal(size=(samples, 2))
    return split(x, y, seed)


def boxes(seed: int, samples: int = 700, side: int = 12) -> Split:
    """Images (n, 1, side, side) with one bright rectangle, and its corners (n, 4) in pixels."""
    random = np.random.default_rng(seed)
    images = 0.2 * random.random((samples, side, side))
    low = random.integers(0, side - 5, (samples, 2))
    high = low + random.integers(3, 6, (samples, 2))
    for image, start, end in zip(images, low, high, strict=True):
        image[start[0] : end[0], start[1] : end[1]] += 0.8
    x = torch.tensor(images[:, None], dtype=torch.float32)
    return cut(x, torch.tensor(np.concatenate([low, high], 1), dtype=torch.float32))


def masks(seed: int, samples: int = 400, side: int = 16) -> Split:
    """Images (n, 1, side, side) with a small spot, and the mask of the spot, about 4 % of the pixels, of the same shape."""
    random = np.random.default_rng(seed)
    y = np.zeros((samples, 1, side, side), dtype=np.float32)
    for mask, (row, column) in zip(y[:, 0], random.integers(0, side - 3, (samples, 2)), strict=True):
        mask[row : row + 3, column : column + 3] = 1
    x = 0.8 * y + 0.25 * random.normal(size=y.shape)
    return cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y))


def ratings(seed: int, users: int = 60, items: int = 40, samples: int = 2400) -> Split:
    """Pairs (n, 2) of user and item, and ratings (n, 1) of about 1 to 5."""
    random = np.random.default_rng(seed)
    tastes, traits = random.normal(size=(users, 3)), random.normal(size=(items, 3))
    chosen = np.stack([random.integers(0, users, samples), random.integers(0, items, samples)], -1)
    liking = (tastes[chosen[:, 0]] * traits[chosen[:, 1]]).sum(-1) / np.sqrt(3) + 0.6 * tastes[chosen[:, 0], 0]
    stars = np.clip(3.2 + 0.8 * liking + 0.2 * random.normal(size=samples), 1, 5)
    return cut(torch.tensor(chosen), torch.tensor(stars[:, None], dtype=torch.float32), 0.2)


def tagged(seed: int, samples: int = 900, inputs: int = 20, tags: int = 6) -> Split:
    """Several independent labels (n, tags) of 0 and 1 for each example."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, inputs))
    y = (x @ random.normal(size=(inputs, tags)) / np.sqrt(inputs) > 0.6).astype(np.float32)
    return cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y))


def shuffled_labels(of: Split, seed: int) -> Split:
    """The training labels in another order than their inputs, and the validation labels likewise."""
    order = torch.randperm(len(of.y), generator=generator(seed))
    order_val = torch.randperm(len(of.y_val), generator=generator(seed + 1))
    return replace(of, y=of.y[order], y_val=of.y_val[order_val])
