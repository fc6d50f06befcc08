"""What the programs of a help desk share: pairs of a faulty and a repaired version, and their data.

Each is in the manner of a letter to the help desk for trainings of a company or a faculty: "my model does not …". Both versions log the
same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from dataclasses import replace

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("desk", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


def inspections(seed: int, samples: int = 560, noise: float = 18.0) -> data.Split:
    """Grey pictures (n, 1, 12, 12) of 0 to 255 of a surface that is sound, scratched, spotted or chipped at an edge; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    images = np.zeros((samples, 12, 12))
    for image, kind in zip(images, y, strict=True):
        image[:] = random.uniform(110, 170) + 2 * random.normal() * (rows - 6)
        row, column = random.integers(2, 10, 2)
        slope = random.uniform(-1, 1)
        scratch = np.abs(rows - row - slope * (columns - column)) < 0.7
        spot = (rows - row) ** 2 + (columns - column) ** 2 <= 4
        corner = random.integers(0, 4)
        down, right = (rows, rows[::-1])[corner % 2], (columns, columns[:, ::-1])[corner // 2]
        image[(np.zeros_like(spot), scratch, spot, down + right < 4)[kind]] -= random.uniform(50, 90)
    images = (images + noise * random.normal(size=images.shape)).clip(0, 255)
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 1, 12, 12), x_val=of.x_val.reshape(-1, 1, 12, 12))


def flats(seed: int, samples: int = 640, scaled: bool = True) -> data.Split:
    """Nine measures of flats (square metres, rooms, years …) and rents (n, 1) in euros, 250 to 3,000."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 9))
    area = 72 + 24 * z[:, 0]
    per_metre = 11 + 2.2 * z[:, 1] + 1.2 * np.tanh(z[:, 2]) - 0.8 * z[:, 3] + 0.8 * z[:, 1] * (z[:, 4] > 0)
    rent = np.clip(area * per_metre + 60 * z[:, 5] + 40 * random.normal(size=samples), 250, 3000)
    x = z * [24, 1, 20, 6, 1, 30, 2, 5, 100] + [72, 3, 1975, 8, 2, 60, 4, 20, 300]
    return data.split(x, rent[:, None], seed, scaled=scaled)


def spectra(seed: int, samples: int = 600, channels: int = 60, noise: float = 0.25) -> data.Split:
    """Infrared spectra (n, channels) of five plastics: peaks of their own on a slope; standardised; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    at = np.linspace(0, 1, channels)
    places = np.random.default_rng(11).uniform(0.1, 0.9, (5, 3))
    height = random.uniform(0.6, 1.4, (samples, 3, 1))
    peaks = np.exp(-(((at - places[y][:, :, None] - 0.01 * random.normal(size=(samples, 3, 1))) / 0.04) ** 2))
    slope = random.normal(size=(samples, 1)) * at + random.normal(size=(samples, 1))
    x = (height * peaks).sum(1) + 0.5 * slope + noise * random.normal(size=(samples, channels))
    return data.split(x, y, seed)


def mails(seed: int, samples: int = 800, length: int = 24, words: int = 200, told: float = 0.3) -> data.Split:
    """Mails as tokens (n, length) of 1 to words - 1; a share `told` of the words belongs to one of 4 departments; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    x = random.integers(100, words, (samples, length))
    x = np.where(random.random(x.shape) < told, 1 + 25 * y[:, None] + random.integers(0, 25, x.shape), x)
    # Some mails speak of another department too.
    other = random.integers(0, 4, (samples, 1))
    x = np.where(random.random(x.shape) < 0.06, 1 + 25 * other + random.integers(0, 25, x.shape), x)
    xs, ys = torch.tensor(x), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def customers(seed: int, samples: int = 800, clear: float = 2.0, scaled: bool = True) -> data.Split:
    """Twelve columns on customers (months, euros, calls …) and whether they leave; the clearer, the better it can be told; 2 classes."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 12))
    pull = z[:, 0] - 0.8 * z[:, 1] + 0.7 * z[:, 2] * z[:, 3] + 0.5 * z[:, 4]
    y = (clear * pull + random.logistic(size=samples) > 0).astype(np.int64)
    x = z * [12, 15, 2, 1, 3, 200, 1, 0.2, 8, 30, 5, 1] + [30, 49, 4, 2, 5, 900, 3, 0.5, 40, 120, 20, 2]
    return data.split(x, y, seed, scaled=scaled)


def gestures(seed: int, samples: int = 500, length: int = 32, noise: float = 0.5) -> data.Split:
    """Accelerations (n, length, 3) of five gestures of a hand, begun at any moment; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    moment = np.arange(length)
    start, pace = random.uniform(0, 6, (samples, 1)), random.uniform(0.8, 1.2, (samples, 1))
    swing = np.sin(2 * np.pi * (moment - start) * pace / 12)
    twice = np.sin(2 * np.pi * (moment - start) * pace / 6)
    turned = np.cos(2 * np.pi * (moment - start) * pace / 12)
    push = 2 * np.exp(-(((moment - 12 - start) / 3) ** 2))
    none = np.zeros_like(swing)
    kinds = np.stack(
        [
            np.stack([swing, none, none], -1),
            np.stack([none, swing, none], -1),
            np.stack([swing, turned, none], -1),
            np.stack([none, twice, twice], -1),
            np.stack([none, none, push], -1),
        ],
        1,
    )
    x = kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length, 3))
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, length, 3), x_val=of.x_val.reshape(-1, length, 3))


def loads(seed: int, hours: int = 900, window: int = 24) -> data.Split:
    """Loads of a grid in the last hours (n, window) and in the next (n, 1), in megawatts of 150 to 450; later hours validate."""
    random = np.random.default_rng(seed)
    hour = np.arange(hours + window)
    drift = np.zeros(hours + window)
    for one in range(1, hours + window):
        drift[one] = 0.95 * drift[one - 1] + 6 * random.normal()
    weekend = (hour // 24) % 7 >= 5
    load = 300 + 70 * np.sin(2 * np.pi * (hour - 8) / 24) - 45 * weekend + drift + 5 * random.normal(size=hour.size)
    x = np.lib.stride_tricks.sliding_window_view(load[:-1], window)
    y = load[window:, None]
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def standard(of: data.Split) -> data.Split:
    """The same with inputs and targets standardised by the training part, as one number each."""
    mean, spread = of.y.mean(), of.y.std()
    inputs = of.x.mean(), of.x.std()
    x, x_val = ((one - inputs[0]) / inputs[1] for one in (of.x, of.x_val))
    return data.Split(x, (of.y - mean) / spread, x_val, (of.y_val - mean) / spread)


def arrows(seed: int, samples: int = 480, noise: float = 0.5) -> data.Split:
    """Pictures (n, 1, 12, 12) of arrows that point left, right, up or down, about 0 to 1; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    images = np.zeros((samples, 12, 12))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(4, 8), random.integers(2, 5)
        head = (np.abs(rows - row) == columns - column) & (columns - column <= 3)
        shaft = (rows == row) & (columns >= column) & (columns <= column + 6)
        image[:] = np.rot90((head | shaft) * random.uniform(0.7, 1.3), kind)
    images += noise * random.normal(size=images.shape)
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 1, 12, 12), x_val=of.x_val.reshape(-1, 1, 12, 12))


def reminders(seed: int, samples: int = 600, length: int = 40) -> data.Split:
    """Series (n, length, 2) whose first three moments tell one of 3 classes by a level, and noise thereafter; 3 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = 0.5 * random.normal(size=(samples, length, 2))
    x[:, :3, 0] += 2.0 * (y[:, None] - 1)
    x[:, :3, 1] += 2.0
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, length, 2), x_val=of.x_val.reshape(-1, length, 2))
