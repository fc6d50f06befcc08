"""Data of the everyday programs in PyTorch: tables, series, pictures, texts and graphs, all made here and seeded."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data


def cut(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> data.Split:
    """The first part to train on and the rest to validate, as they are."""
    at = int(len(x) * share)
    xs = torch.tensor(x, dtype=torch.int64 if np.issubdtype(x.dtype, np.integer) else torch.float32)
    ys = torch.tensor(y, dtype=torch.int64 if np.issubdtype(y.dtype, np.integer) else torch.float32)
    return data.Split(xs[:at], ys[:at], xs[at:], ys[at:])


def vibrations(seed: int, samples: int = 640, length: int = 64, noise: float = 0.6) -> data.Split:
    """Vibrations (n, length) of a motor: sound, out of balance, a worn inner or outer ring of its bearing; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    t = np.arange(length)
    phase = random.uniform(0, 16, (samples, 1))
    turn = np.sin(2 * np.pi * (t + phase) / 16)
    ring = [np.exp(-((t + phase) % period) / 1.5) * np.cos(1.9 * ((t + phase) % period)) for period in (7.0, 11.0)]
    kinds = np.stack([turn, 2.2 * turn, turn + 2.4 * ring[0], turn + 2.4 * ring[1]], 1)
    x = kinds[np.arange(samples), y] * random.uniform(0.85, 1.15, (samples, 1))
    return cut(x + noise * random.normal(size=x.shape), y)


def powers(of: data.Split) -> data.Split:
    """The same as standardised logarithms of the spectrum's powers."""
    x, x_val = ((torch.fft.rfft(one).abs().square() + 1e-3).log() for one in (of.x, of.x_val))
    mean, spread = x.mean(0), x.std(0)
    return replace(of, x=(x - mean) / spread, x_val=(x_val - mean) / spread)


def leaves(seed: int, samples: int = 640, noise: float = 0.25, side: int = 16) -> data.Split:
    """Pictures (n, 1, side, side) of leaves with none or two to five lobes, turned at random; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:side, 0:side] - (side - 1) / 2
    angle, radius = np.arctan2(rows, columns), np.hypot(rows, columns)
    lobes = np.array([0, 2, 3, 4, 5])[y][:, None, None]
    turned = lobes * (angle + random.uniform(0, 2 * np.pi, (samples, 1, 1)))
    depth = np.where(lobes == 0, 0.0, 0.42)
    edge = random.uniform(4.6, 5.8, (samples, 1, 1)) * (1 + depth * np.cos(turned))
    x = 1 / (1 + np.exp(-2 * (edge - radius)))
    return cut((x + noise * random.normal(size=x.shape))[:, None], y)


def cells(seed: int, samples: int = 320, side: int = 16, noise: float = 0.3) -> data.Split:
    """Pictures (n, 1, side, side) of one to three cells with a bright rim on an uneven ground, and masks of the same shape."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    images, masks = np.zeros((samples, side, side)), np.zeros((samples, side, side))
    for image, mask in zip(images, masks, strict=True):
        image[:] = random.normal(0, 0.3) + random.normal(0, 0.03) * (rows - 8) + random.normal(0, 0.03) * (columns - 8)
        for _ in range(random.integers(1, 4)):
            row, column, radius = *random.uniform(3, side - 3, 2), random.uniform(2.0, 3.6)
            distance = np.hypot(rows - row, (columns - column) * random.uniform(0.8, 1.2))
            mask[distance <= radius] = 1
            image += 1.2 * (distance <= radius) + 0.5 * (np.abs(distance - radius) < 0.7)
    x = images + noise * random.normal(size=images.shape)
    return cut(x[:, None], masks[:, None])


def loans(seed: int, samples: int = 900, scaled: bool = True) -> data.Split:
    """Income, debt, age and so on of borrowers, in euros, years and shares, and whether the loan fails (about 40 %); 2 classes."""
    random = np.random.default_rng(seed)
    income = random.lognormal(10.6, 0.45, samples)
    debt = random.lognormal(9.3, 0.7, samples)
    age, months = random.uniform(20, 70, samples), random.integers(12, 85, samples)
    late, share = random.poisson(0.8, samples), random.beta(2, 3, samples)
    saved, spare = random.lognormal(8.5, 1.0, samples), random.normal(size=samples)
    risk = 2.2 * np.log(debt / income) + 0.9 * late + 2.5 * share - 0.5 * np.log(saved) - 0.02 * age + 0.01 * months
    y = (1.6 * (risk - np.quantile(risk, 0.6)) + random.logistic(size=samples) > 0).astype(np.int64)
    x = np.stack([income, debt, age, months, late, share, saved, spare], 1)
    return data.split(x, y, seed, scaled=scaled)


def river(seed: int, samples: int = 640, length: int = 60) -> data.Split:
    """Rain by the hour (n, length, 1) and how far the river has risen at the end (n, 1), standardised."""
    random = np.random.default_rng(seed)
    rain = random.gamma(0.5, 1.0, (samples, length)) * (random.random((samples, length)) < 0.4)
    kernel = np.exp(-np.arange(length)[::-1] / 25.0)
    level = rain @ kernel + 0.05 * random.normal(size=samples)
    y = (level - level.mean()) / level.std()
    return cut(rain[:, :, None], y[:, None])


def tongues(seed: int, samples: int = 1400, tongues: int = 20, length: int = 24, letters: int = 26) -> data.Split:
    """Strings (n, length) of letters of made-up languages, each with its own frequent pairs of letters; 20 classes."""
    pairs = np.random.default_rng(5).dirichlet(np.full(letters, 0.12), (tongues, letters))
    sums = pairs.cumsum(-1)
    random = np.random.default_rng(seed)
    y = random.integers(0, tongues, samples)
    x = np.zeros((samples, length), dtype=np.int64)
    x[:, 0] = random.integers(0, letters, samples)
    for at in range(1, length):
        x[:, at] = (sums[y, x[:, at - 1]] < random.random((samples, 1))).sum(1).clip(0, letters - 1)
    return cut(x, y)


def tickets(seed: int, samples: int = 900, words: int = 120) -> data.Split:
    """Counts of words (n, words) in tickets that are mostly short and sometimes very long, and which of 6 topics they have (n, 6)."""
    random = np.random.default_rng(seed)
    y = (random.random((samples, 6)) < 0.3).astype(np.float64)
    rates = np.full((samples, words), 0.12)
    for topic in range(6):
        rates[:, topic * 12 : topic * 12 + 12] += 0.6 * y[:, topic : topic + 1]
    long = np.where(random.random((samples, 1)) < 0.04, random.uniform(8, 20, (samples, 1)), 1.0)
    return cut(random.poisson(rates * long).astype(np.float64), y)


def flags(seed: int, samples: int = 480, noise: float = 28.0) -> data.Split:
    """Pictures (n, 3, 14, 14) of 0 to 255 of flags: stripes across or down, a cross, a disc, a saltire, quarters; 6 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 6, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    images = np.zeros((samples, 3, 14, 14))
    for image, kind in zip(images, y, strict=True):
        down, right = rows - random.integers(5, 9), columns - random.integers(5, 9)
        shapes = (
            (rows + random.integers(0, 4)) // 4 % 2 == 0,
            (columns + random.integers(0, 4)) // 4 % 2 == 0,
            (np.abs(down) <= 1) | (np.abs(right) <= 1),
            down**2 + right**2 <= 14,
            (np.abs(rows - columns) <= 1) | (np.abs(rows + columns - 13) <= 1),
            (down > 0) == (right > 0),
        )
        one, other = random.uniform(20, 110, 3), random.uniform(140, 235, 3)
        image[:] = np.where(shapes[kind], other[:, None, None], one[:, None, None])
    return cut((images + noise * random.normal(size=images.shape)).clip(0, 255), y)


def strokes(seed: int, samples: int = 700, side: int = 12) -> data.Split:
    """Pictures (n, side²) of 0 to 1 of a stroke at any place and angle; the target is the picture."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    angle = random.uniform(0, np.pi, (samples, 1, 1))
    row, column = random.uniform(4, 8, (2, samples, 1, 1))
    along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
    across = (columns - column) * np.sin(angle) - (rows - row) * np.cos(angle)
    x = 1 / (1 + np.exp(4 * (np.abs(across) - 1.1))) / (1 + np.exp(4 * (np.abs(along) - 4.5)))
    x = x.reshape(samples, -1)
    return cut(x, x)


def brackets(seed: int, samples: int = 500, length: int = 30) -> data.Split:
    """Strings of nested brackets of three kinds as tokens (n, length), 0 to 6 (6: blank), and the following tokens (n, length)."""
    random = np.random.default_rng(seed)
    made = np.zeros((samples, length + 1), dtype=np.int64)
    for row in made:
        open_: list[int] = []
        for at in range(length + 1):
            if open_ and (len(open_) >= 4 or random.random() < 0.5):
                row[at] = open_.pop() + 3
            elif random.random() < 0.1:
                row[at] = 6
            else:
                open_.append(int(random.integers(0, 3)))
                row[at] = open_[-1]
    return cut(made[:, :-1], made[:, 1:])


def orders(seed: int, samples: int = 1200, length: int = 14, kinds: int = 12) -> data.Split:
    """Clicks (n, length) of visitors of a shop; the class says whether the basket (0) was seen before the help page (1)."""
    random = np.random.default_rng(seed)
    x = random.integers(2, kinds, (samples, length))
    places = random.permuted(np.tile(np.arange(length), (samples, 1)), axis=1)[:, :2]
    x[np.arange(samples), places[:, 0]] = 0
    x[np.arange(samples), places[:, 1]] = 1
    return cut(x, (places[:, 0] < places[:, 1]).astype(np.int64))


def searches(seed: int, queries: int = 400, offers: int = 8, inputs: int = 10) -> data.Split:
    """Offers to a search (n, offers, inputs) and the index of the one that was bought (n,)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(queries, offers, inputs))
    worth = 1.5 * x[..., 0] - 1.2 * x[..., 1] + 1.2 * x[..., 2] * (x[..., 3] > 0) + 0.8 * np.abs(x[..., 4])
    return cut(x, (1.5 * worth + random.gumbel(size=worth.shape)).argmax(1))


def cars(seed: int, samples: int = 700) -> data.Split:
    """Nine measures of used cars and prices (n, 1), both standardised; the dearer by its age, the less sure the price."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 9))
    price = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3] + 0.5 * np.tanh(2 * x[:, 4])
    y = price + (0.05 + 0.08 * (x[:, 1] > 0)) * random.normal(size=samples)
    return cut(x, (y / 1.35)[:, None])


def papers(seed: int, nodes: int = 400, inputs: int = 60) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A graph of papers of 4 fields: features (n, inputs), the normalised adjacency (n, n), fields (n,), and who is to train."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, nodes)
    x = 1.4 * random.normal(size=(nodes, inputs))
    x[np.arange(nodes), y] += 1.6
    linked = random.random((nodes, nodes)) < np.where(y[:, None] == y, 0.05, 0.008)
    linked = np.triu(linked, 1)
    whole = linked | linked.T | np.eye(nodes, dtype=bool)
    root = whole.sum(1) ** -0.5
    return (
        torch.tensor(x, dtype=torch.float32),
        torch.tensor(whole * root[:, None] * root, dtype=torch.float32),
        torch.tensor(y),
        torch.tensor(random.random(nodes) < 0.6),
    )


def stars(seed: int, users: int = 80, films: int = 60, samples: int = 4000) -> data.Split:
    """Who rates which film (n, 2) and the rating (n, 1) less 3, of two tastes; many users rate little."""
    random = np.random.default_rng(seed)
    likes, has = random.normal(size=(users, 2)), random.normal(size=(films, 2))
    who = (users * random.random(samples) ** 1.6).astype(np.int64)
    what = random.integers(0, films, samples)
    rating = (likes[who] * has[what]).sum(1) + 0.3 * random.normal(size=films)[what] + 0.3 * random.normal(size=samples)
    return cut(np.stack([who, what], 1), np.clip(rating, -2, 2)[:, None])
