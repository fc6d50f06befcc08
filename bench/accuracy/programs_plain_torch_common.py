"""Data of the everyday programs in PyTorch: cells to segment, ratings of films, points of four clouds."""

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data


def cells(seed: int, samples: int = 160, side: int = 16, noise: float = 0.5) -> data.Split:
    """Grey pictures (n, 1, side, side) with one to three bright cells, and their masks of the same shape, 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, side, side))
    for mask in masks:
        for _ in range(random.integers(1, 4)):
            row, column = random.integers(2, side - 2, 2)
            mask[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(3, 10)] = 1
    light = random.uniform(1.0, 3.0, (samples, 1, 1))
    x = light * masks + noise * random.normal(size=masks.shape)
    xs, ys = (torch.tensor(one[:, None], dtype=torch.float32) for one in (x, masks))
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def overlap(outputs: Tensor, masks: Tensor) -> Tensor:
    """Intersection over union of the pixels with a positive logit and the mask."""
    found, real = outputs > 0, masks > 0.5
    return (found & real).sum() / (found | real).sum().clamp(min=1)


def ratings(seed: int, users: int = 80, films: int = 60, seen: int = 2600) -> data.Split:
    """Pairs of a user and a film (n, 2) and a rating (n, 1) about zero with a spread near one, of two hidden tastes."""
    random = np.random.default_rng(seed)
    taste, style = random.normal(size=(users, 2)), random.normal(size=(films, 2))
    chosen = random.permutation(users * films)[:seen]
    pairs = np.stack([chosen // films, chosen % films], 1)
    stars = (taste[pairs[:, 0]] * style[pairs[:, 1]]).sum(1) / 1.5 + 0.2 * random.normal(size=seen)
    xs, ys = torch.tensor(pairs), torch.tensor(stars[:, None], dtype=torch.float32)
    cut = seen * 4 // 5
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def clouds(random: torch.Generator, count: int) -> Tensor:
    """Points (n, 2) of four clouds at the corners of a square."""
    corners = 2.0 * torch.randint(0, 2, (count, 2), generator=random) - 1
    return corners + 0.15 * torch.randn(count, 2, generator=random)
