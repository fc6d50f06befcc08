"""Data of the season programs of part a: spoken words, headlines, rents of bikes, ratings, a graph of papers, payments."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data


def spoken(seed: int, samples: int = 560, length: int = 40, noise: float = 0.6, clear: float = 1.5) -> data.Split:
    """Mel-like features (n, length, 12) of six spoken words: two formants that move, begun at any moment; 6 classes."""
    random = np.random.default_rng(seed)
    words = np.random.default_rng(5).uniform(1, 10, (6, 2, 3))
    y = random.integers(0, 6, samples)
    bands, moment = np.arange(12), np.arange(length)
    x = noise * random.normal(size=(samples, length, 12))
    for one, word in zip(x, y, strict=True):
        start, lasts = random.integers(2, 10), random.integers(22, 28)
        inside = np.clip((moment - start) / lasts, 0, 1)
        voiced = (moment >= start) & (moment < start + lasts)
        for formant in words[word]:
            at = np.interp(inside, [0, 0.5, 1], formant) + 0.3 * random.normal()
            one += clear * voiced[:, None] * np.exp(-(((bands - at[:, None]) / 1.0) ** 2))
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, length, 12), of.y, of.x_val.reshape(-1, length, 12), of.y_val)


def headlines(seed: int, samples: int = 900, length: int = 14, told: float = 0.25, classes: int = 5) -> data.Split:
    """Headlines as tokens (n, length) of 1 to 259; a share of the words belongs to one of the desks of a paper."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, samples)
    x = random.integers(10 + 30 * classes, 260, (samples, length))
    x = np.where(random.random(x.shape) < told, 1 + 30 * y[:, None] + random.integers(0, 30, x.shape), x)
    other = random.integers(0, classes, x.shape)
    x = np.where(random.random(x.shape) < 0.06, 1 + 30 * other + random.integers(0, 30, x.shape), x)
    xs, ys, cut = torch.tensor(x), torch.tensor(y), samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def bikes(seed: int, samples: int = 800, scaled: bool = True) -> data.Split:
    """Hour, weekday, temperature, humidity, wind, rain, pressure; bikes lent in that hour (n, 1), standardised."""
    random = np.random.default_rng(seed)
    hour, day = random.integers(0, 24, samples), random.integers(0, 7, samples)
    warm, wet = random.normal(14, 8, samples), random.uniform(20, 100, samples)
    wind, rain = random.gamma(2, 6, samples), np.maximum(random.normal(-2, 3, samples), 0)
    pressure = random.normal(1013, 8, samples)
    rush = np.exp(-(((hour - 8) / 2) ** 2)) + np.exp(-(((hour - 17.5) / 2.5) ** 2))
    lent = 300 * rush * (day < 5) + 180 * np.exp(-(((hour - 14) / 4) ** 2)) * (day >= 5) + 6 * warm - 0.8 * wet
    lent = lent - 20 * rain - wind + 20 * random.normal(size=samples)
    circle = 2 * np.pi * hour / 24
    columns = [hour, np.sin(circle), np.cos(circle), day >= 5, warm, wet, wind, rain, pressure]
    return data.split(np.stack(columns, 1), ((lent - lent.mean()) / lent.std())[:, None], seed, scaled=scaled)


def ratings(seed: int, users: int = 60, items: int = 50, samples: int = 2200) -> data.Split:
    """Pairs of a user and an item (n, 2), and stars (n, 1) of 1 to 5 by taste of two dimensions."""
    random = np.random.default_rng(seed)
    u, i = random.integers(0, users, samples), random.integers(0, items, samples)
    of_user, of_item = random.normal(size=(users, 2)), random.normal(size=(items, 2))
    liked, strict = 0.6 * random.normal(size=items), 0.4 * random.normal(size=users)
    stars = 3.2 + 0.7 * (of_user[u] * of_item[i]).sum(1) + liked[i] + strict[u] + 0.3 * random.normal(size=samples)
    x, y = torch.tensor(np.stack([u, i], 1)), torch.tensor(np.clip(stars, 1, 5)[:, None], dtype=torch.float32)
    cut = samples * 4 // 5
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


class Taste(nn.Module):
    """A matrix factorisation with biases; stars of shape (n,), or (n, 1) with `column`."""

    def __init__(self, users: int = 60, items: int = 50, width: int = 4, column: bool = True) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, width), nn.Embedding(items, width)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        self.mean = nn.Parameter(torch.tensor(3.0))
        self.column = column
        for one, scale in ((self.user, 0.3), (self.item, 0.3), (self.user_bias, 0.05), (self.item_bias, 0.05)):
            nn.init.normal_(one.weight, std=scale)

    def forward(self, x: Tensor) -> Tensor:
        """Stars of pairs."""
        u, i = x[:, 0], x[:, 1]
        found = (self.user(u) * self.item(i)).sum(1) + self.user_bias(u)[:, 0] + self.item_bias(i)[:, 0] + self.mean
        told: Tensor = found[:, None] if self.column else found
        return told


@dataclass(frozen=True)
class Graph:
    """Papers and who cites whom."""

    x: Tensor
    """Words of the papers (n, words)."""
    y: Tensor
    """Fields (n,)."""
    a: Tensor
    """Normalised adjacency with loops (n, n)."""
    train: Tensor
    """Numbers of the labelled papers."""
    val: Tensor
    """Numbers of the others."""


def papers(seed: int, count: int = 240, classes: int = 4, words: int = 40) -> Graph:
    """Papers of four fields which mostly cite their own; weak words."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, count)
    same = y[:, None] == y[None]
    linked = np.triu(random.random((count, count)) < np.where(same, 0.06, 0.006), 1)
    a = (linked | linked.T) + np.eye(count)
    root = 1 / np.sqrt(a.sum(1))
    x = random.random((count, words)) < 0.1
    own = (np.arange(words)[None] // (words // classes)) == y[:, None]
    x = x | (own & (random.random(x.shape) < 0.12))
    order = torch.tensor(random.permutation(count))
    tensor = torch.tensor(root[:, None] * a * root[None], dtype=torch.float32)
    cut = count // 3
    return Graph(torch.tensor(x, dtype=torch.float32), torch.tensor(y), tensor, order[:cut], order[cut:])


class Gcn(nn.Module):
    """Graph convolutions `conv0`, `conv1` … and a head."""

    def __init__(
        self, words: int, width: int, classes: int, layers: int, activation: type[nn.Module] = nn.ReLU
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Linear(words if not one else width, width) for one in range(layers))
        self.acts = nn.ModuleList(activation() for _ in range(layers))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        """Fields of all papers."""
        for conv, act in zip(self.convs, self.acts, strict=True):
            x = act(a @ conv(self.dropout(x)))
        found: Tensor = self.head(x)
        return found


def payments(seed: int, samples: int = 2400, share: float = 0.05, clear: float = 0.7) -> data.Split:
    """Ten columns on payments and whether they are fraud, which a small share is; 2 classes."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.int64)
    x = random.normal(size=(samples, 10))
    x[:, :4] += clear * y[:, None] * np.array([1.0, 1.0, -1.0, 1.0])
    return data.split(x, y, seed)


def genes(seed: int, samples: int = 160, columns: int = 120, clear: float = 1.0) -> data.Split:
    """Many columns on few patients, of which six tell whether a drug works; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, columns))
    y = (clear * x[:, :6].sum(1) + random.logistic(size=samples) > 0).astype(np.int64)
    return data.split(x, y, seed, share=0.4)


def weather(seed: int, hours: int = 1100, window: int = 24) -> data.Split:
    """Temperature, pressure and wind of the last hours (n, window, 3), and the temperature in three hours (n, 1), standardised."""
    random = np.random.default_rng(seed)
    count = hours + window + 3
    drift, pressure = np.zeros(count), np.zeros(count)
    for one in range(1, count):
        pressure[one] = 0.97 * pressure[one - 1] + random.normal()
        drift[one] = 0.97 * drift[one - 1] + 0.3 * random.normal() + 0.05 * pressure[one - 1]
    warm = 5 * np.sin(2 * np.pi * np.arange(count) / 24) + drift
    wind = np.abs(3 + random.normal(size=count) - 0.5 * pressure)
    series = np.stack([warm, pressure, wind], 1)
    series = (series - series.mean(0)) / series.std(0)
    x = np.lib.stride_tricks.sliding_window_view(series, window, 0)[:hours].transpose(0, 2, 1)
    y = series[window + 2 : window + 2 + hours, :1]
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(y.copy(), dtype=torch.float32)
    cut = hours * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def f1(outputs: Tensor, targets: Tensor) -> Tensor:
    """F1 of class 1."""
    said, true = outputs.argmax(-1) == 1, targets == 1
    both = (said & true).sum()
    return 2 * both / (said.sum() + true.sum()).clamp(min=1)
