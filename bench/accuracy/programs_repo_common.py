"""What the programs of repositories share: pairs of a faulty version and that of a later commit, and their data.

Each is in the manner of a program in a repository, a course, a thesis or a notebook, whose fault went with a commit that its comment
names in a few words. Both versions log the same under the same names. Expected rules are chosen by what their names say, not by how
mlcheck judges.
"""

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("repo", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


def scans(seed: int, samples: int = 240, noise: float = 0.35) -> data.Split:
    """Scans (n, 1, 16, 16) with a bright disc and a dim square, and their masks (n, 16, 16) of 3 classes."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16]
    masks = np.zeros((samples, 16, 16), np.int64)
    for mask in masks:
        row, column = random.integers(3, 13, 2)
        mask[np.maximum(abs(rows - row), abs(columns - column)) <= random.integers(2, 4)] = 2
        row, column = random.integers(3, 13, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(6, 14)] = 1
    levels = np.array([-0.5, 1.2, 0.4])[masks]
    images = levels + noise * random.normal(size=masks.shape)
    cut = samples * 3 // 4
    x, y = torch.tensor(images[:, None], dtype=torch.float32), torch.tensor(masks)
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def objects(seed: int, samples: int = 480) -> data.Split:
    """Pictures (n, 1, 16, 16) with one of three shapes; targets (n, 5): class, centre, and half width and height, all of these 0 to 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16]
    images = 0.25 * random.normal(size=(samples, 1, 16, 16))
    targets = np.zeros((samples, 5))
    for image, target in zip(images, targets, strict=True):
        kind, high, wide = random.integers(3), random.integers(2, 5), random.integers(2, 5)
        row, column = random.integers(4, 12, 2)
        down, right = abs(rows - row) / high, abs(columns - column) / wide
        shape = (np.maximum(down, right) <= 1, down + right <= 1, (np.minimum(down, right) == 0) & (down + right <= 1))
        image[0][shape[kind]] += 1
        target[:] = kind, column / 16, row / 16, wide / 16, high / 16
    cut = samples * 3 // 4
    x, y = (torch.tensor(one, dtype=torch.float32) for one in (images, targets))
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def ratings(seed: int, users: int = 150, items: int = 90, each: int = 36) -> data.Split:
    """Pairs (n, 2) of a user and an item, and ratings (n, 1) of 1 to 5 in halves."""
    random = np.random.default_rng(seed)
    tastes, traits = random.normal(size=(users, 3)), random.normal(size=(items, 3))
    liked = 3 + 0.75 * (tastes @ traits.T) + 0.4 * random.normal(size=items)
    liked = np.clip(np.round(2 * (liked + 0.3 * random.normal(size=liked.shape))) / 2, 1, 5)
    pairs = np.array([(user, item) for user in range(users) for item in random.permutation(items)[:each]])
    pairs = random.permutation(pairs)
    x, y = torch.tensor(pairs), torch.tensor(liked[pairs[:, 0], pairs[:, 1]], dtype=torch.float32)[:, None]
    cut = len(x) * 4 // 5
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def loads(seed: int, hours: int = 900, window: int = 24) -> data.Split:
    """Windows (n, window, 1) of a load of electricity, standardised, and that of the following hour (n, 1); the later ones validate."""
    random = np.random.default_rng(seed)
    hour = np.arange(hours)
    drift = np.cumsum(random.normal(0, 0.03, hours))
    load = np.sin(hour * np.pi / 12) + 0.5 * np.sin(hour * np.pi / 6 + 1) + 0.4 * np.sin(hour * np.pi / 84)
    load = load + 0.5 * (drift - np.linspace(0, drift[-1], hours)) + 0.1 * random.normal(size=hours)
    cut = hours * 3 // 4
    load = (load - load[:cut].mean()) / load[:cut].std()
    windows = torch.tensor(np.lib.stride_tricks.sliding_window_view(load, window + 1).copy(), dtype=torch.float32)
    x, y = windows[:, :-1, None], windows[:, -1:]
    return data.Split(x[: cut - window], y[: cut - window], x[cut:], y[cut:])


def overlap(masks: Tensor, targets: Tensor, classes: int = 3) -> float:
    """The mean intersection over union of classes."""
    shares = []
    for kind in range(classes):
        one, other = masks == kind, targets == kind
        shares.append(float((one & other).sum()) / max(1.0, float((one | other).sum())))
    return float(np.mean(shares))


class Catch:
    """A ball falls seven rows in one of five columns and a paddle moves under it, or not: 1 or -1 at the end. Several games at once."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.row, self.ball, self.paddle = 0, np.zeros(1, int), np.zeros(1, int)

    def reset(self, games: int) -> np.ndarray:
        """States (games, 17): row, column of the ball, and of the paddle, as ones among zeros."""
        self.row, self.ball, self.paddle = 0, self.random.integers(0, 5, games), self.random.integers(0, 5, games)
        return self._state()

    def _state(self) -> np.ndarray:
        rows = np.eye(7)[np.full(len(self.ball), self.row)]
        return np.concatenate([rows, np.eye(5)[self.ball], np.eye(5)[self.paddle]], 1)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        """States after actions of 0 (left) to 2 (right), rewards (games,), and whether it is over."""
        self.row, self.paddle = self.row + 1, np.clip(self.paddle + actions - 1, 0, 4)
        over = self.row == 6
        return self._state(), np.where(self.ball == self.paddle, 1.0, -1.0) * over, over
