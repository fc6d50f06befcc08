"""Data of the usual programs in PyTorch: sensors, masks, walks, bicycles, and names of towns."""

import numpy as np
import torch

from bench.accuracy import data


def river(seed: int, days: int = 900, window: int = 14) -> data.Split:
    """Levels of a river on the last days (n, window, 2: level, rain) and on the next (n, 1), about standard; later days validate."""
    random = np.random.default_rng(seed)
    rain = random.gamma(0.5, 2.0, days + window) * (random.random(days + window) < 0.5)
    level = np.zeros(days + window)
    for day in range(1, days + window):
        level[day] = 0.85 * level[day - 1] + 0.6 * rain[day - 1] + 0.15 * random.normal()
    series = np.stack([(level - level.mean()) / level.std(), (rain - rain.mean()) / rain.std()], -1)
    x = np.lib.stride_tricks.sliding_window_view(series[:-1], window, axis=0).transpose(0, 2, 1)
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(series[window:, :1], dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def cells(seed: int, samples: int = 320, side: int = 16, noise: float = 0.12) -> data.Split:
    """Pictures (n, 1, side, side) of bright cells on a dark ground, and their masks of 0 and 1 in the same shape."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    images, masks = np.zeros((samples, 1, side, side)), np.zeros((samples, 1, side, side))
    for image, mask in zip(images, masks, strict=True):
        for _ in range(random.integers(1, 4)):
            row, column, radius = random.uniform(3, side - 3), random.uniform(3, side - 3), random.uniform(2.0, 3.5)
            mask[0][(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
        image[:] = 0.15 + 0.7 * mask + noise * random.normal(size=mask.shape)
    x, y = torch.tensor(images, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)
    cut = samples * 3 // 4
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def walks(seed: int, samples: int = 500, length: int = 12) -> data.Split:
    """Walks of people (n, length, 2), padded with zeros at the end, and the same walks without the noise of the camera, padded too."""
    random = np.random.default_rng(seed)
    moment = np.arange(length)[:, None]
    x, y = np.zeros((samples, length, 2)), np.zeros((samples, length, 2))
    for one, clean in zip(x, y, strict=True):
        seen = random.integers(6, length + 1)
        bend = random.normal(size=2) * 0.02 * moment**2
        path = random.normal(size=2) + random.normal(size=2) * 0.2 * moment + bend
        clean[:seen] = path[:seen]
        one[:seen] = path[:seen] + 0.3 * random.normal(size=(seen, 2))
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    cut = samples * 4 // 5
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def bicycles(seed: int, samples: int = 800) -> data.Split:
    """Hour, temperature, wind, holiday and month of a station (n, 6), standardised, and the number of bicycles lent (n, 1)."""
    random = np.random.default_rng(seed)
    hour, month = random.uniform(0, 24, samples), random.integers(1, 13, samples)
    heat = 10 + 9 * np.sin((month - 4) / 12 * 2 * np.pi) + 3 * random.normal(size=samples)
    wind, holiday = random.gamma(2, 2, samples), (random.random(samples) < 0.2).astype(float)
    rush = np.exp(-((hour - 8) ** 2) / 6) + 1.2 * np.exp(-((hour - 17.5) ** 2) / 8)
    rate = np.exp(1.2 + 1.4 * rush * (1 - 0.6 * holiday) + 0.05 * heat - 0.06 * wind)
    x = np.stack([hour, heat, wind, holiday, month, np.abs(hour - 13)], -1)
    return data.split(x, random.poisson(rate).astype(np.float64)[:, None], seed)


def towns(seed: int, samples: int = 1400, length: int = 10) -> data.Split:
    """Made-up names of towns as letters (n, length) of 1 to 26, 0 after the end, from 4 regions with endings of their own; 4 classes."""
    random = np.random.default_rng(seed)
    endings = (("burg", "dorf", "heim"), ("ville", "court", "mont"), ("ton", "ham", "ford"), ("ino", "ano", "etta"))
    x, y = np.zeros((samples, length), dtype=np.int64), random.integers(0, 4, samples)
    for one, region in zip(x, y, strict=True):
        start = "".join(random.choice(list("bdfgklmnprst")) + random.choice(list("aeiou")) for _ in range(3))
        name = (start[: random.integers(3, 6)] + str(random.choice(endings[region])))[:length]
        one[: len(name)] = [ord(letter) - 96 for letter in name]
    xs, ys = torch.tensor(x), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])
