"""Data for the autumn programs of author A, and a loop that says how the answers of each class fare."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data


def _cut(x: np.ndarray, y: np.ndarray, seed: int) -> data.Split:
    """Split arrays of any shape as they are."""
    flat = data.split(x.reshape(len(x), -1), y, seed, scaled=False)
    return replace(flat, x=flat.x.reshape(-1, *x.shape[1:]), x_val=flat.x_val.reshape(-1, *x.shape[1:]))


def sounds(seed: int, samples: int = 640, length: int = 64, noise: float = 0.6) -> data.Split:
    """Sounds under water (n, 1, length): a chirp up, a chirp down, two clicks, a hum with a beat; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    t = np.arange(length) / length
    x = np.zeros((samples, 1, length))
    for row, kind in zip(x, y, strict=True):
        phase, at = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.5)
        clicks = np.exp(-(((t - at) / 0.03) ** 2)) + np.exp(-(((t - at - 0.35) / 0.03) ** 2))
        row[0] = (
            np.sin(phase + 2 * np.pi * (2 * t + 7 * t**2)),
            np.sin(phase + 2 * np.pi * (16 * t - 7 * t**2)),
            3 * clicks,
            np.sin(phase + 16 * np.pi * t) * (1 + np.sin(6 * np.pi * t + phase)),
        )[kind]
    return _cut(x + noise * random.normal(size=x.shape), y, seed)


def bikes(seed: int, samples: int = 900, scaled: bool = True, relative: bool = True) -> data.Split:
    """Hour, temperature, humidity, wind, pressure, month, holiday; hires in an hour (n, 1), standardised when `relative`."""
    random = np.random.default_rng(seed)
    hour, month = random.uniform(0, 24, samples), random.uniform(1, 13, samples)
    warm = 11 - 9 * np.cos(2 * np.pi * month / 12) + 4 * random.normal(size=samples)
    damp, wind = random.uniform(30, 100, samples), random.gamma(3, 4, samples)
    air, holiday = 1013 + 8 * random.normal(size=samples), (random.random(samples) < 0.3).astype(float)
    rush = 0.7 * np.exp(-(((hour - 8) / 4) ** 2)) * (1 - holiday) + np.exp(-(((hour - 18) / 5) ** 2))
    hires = (40 + 380 * rush) * (0.4 + 0.03 * warm.clip(0, 30)) * (1.3 - damp / 150) * np.exp(-wind / 60)
    hires = (hires + 12 * random.normal(size=samples)).clip(0)
    x = np.stack([hour, warm, damp, wind, air, month, holiday], -1)
    y = (hires - hires.mean()) / hires.std() if relative else hires
    return data.split(x, y[:, None], seed, scaled=scaled)


def tickets(seed: int, samples: int = 700, length: int = 20, words: int = 160, told: float = 0.25) -> data.Split:
    """Tickets of a help desk as tokens (n, length) of 1 to words - 1; a share `told` belongs to one of 5 teams; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    own = 1 + 16 * y[:, None] + random.integers(0, 16, (samples, length))
    common = random.integers(81, words, (samples, length))
    x = np.where(random.random((samples, length)) < told, own, common)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def leaves(seed: int, samples: int = 600, noise: float = 20.0) -> data.Split:
    """Pictures of leaves (n, 3, 14, 14) of 0 to 255: round, long, lobed, forked, holed or half; 6 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 6, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    images = np.zeros((samples, 3, 14, 14))
    for image, kind in zip(images, y, strict=True):
        down, right = rows - random.uniform(5.5, 7.5), columns - random.uniform(5.5, 7.5)
        reach, angle = np.hypot(down, right), np.arctan2(down, right)
        turn = random.uniform(0, 2 * np.pi)
        shape = (
            reach < 4.5,
            (down / 5.5) ** 2 + (right / 2) ** 2 < 1,
            reach < 4 + 1.8 * np.cos(5 * angle + turn),
            (np.abs(down - right) < 1.5) | (np.abs(down + right) < 1.5),
            (reach < 5) & (reach > 2.5),
            (reach < 5.5) & (down > 0),
        )[kind]
        ground, ink = random.uniform(120, 210, 3), np.array([50, 110, 40]) + random.uniform(-25, 25, 3)
        image[:] = np.where(shape, ink[:, None, None], ground[:, None, None])
    return _cut((images + noise * random.normal(size=images.shape)).clip(0, 255), y, seed)


def cells(seed: int, samples: int = 240, side: int = 16, noise: float = 0.5) -> data.Split:
    """Pictures of cells (n, 1, side, side) and masks of the same shape, where about a sixth is cell."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, 1, side, side))
    for mask in masks:
        for _ in range(random.integers(1, 4)):
            row, column, radius = *random.uniform(2, side - 2, 2), random.uniform(1.8, 3.2)
            mask[0] = np.maximum(mask[0], (rows - row) ** 2 + (columns - column) ** 2 < radius**2)
    x = masks + noise * random.normal(size=masks.shape)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def loans(seed: int, samples: int = 1400, share: float = 0.3, clear: float = 2.0) -> data.Split:
    """Eleven columns on loans, standardised, and whether they fail, which this share does; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 11))
    risk = clear * (x[:, 0] - 0.8 * x[:, 3] + 0.7 * x[:, 5] * x[:, 6] + 0.5 * x[:, 8]) + random.logistic(size=samples)
    return data.split(x, (risk > np.quantile(risk, 1 - share)).astype(np.int64), seed)


def machines(seed: int, samples: int = 560, length: int = 30, noise: float = 0.4) -> data.Split:
    """Vibrations of machines (n, length, 4): running well, unbalanced, loose, a worn bearing, stopping; 5 classes; known early on."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    t = np.arange(length)[None, :, None]
    lag = random.uniform(0, 2 * np.pi, (samples, 1, 1)) + np.arange(4) * 0.7
    pace = np.array([0.4, 0.9, 0.4, 1.6, 0.4])[y][:, None, None]
    x = np.sin(pace * t + lag)
    x = np.where((y == 2)[:, None, None] & (np.arange(4) % 2 == 0), 2 * np.sign(x), x)
    x = np.where((y == 4)[:, None, None], x * np.exp(-t / 8), x)
    return _cut(x + noise * random.normal(size=x.shape), y, seed)


def rivers(seed: int, days: int = 900, window: int = 14) -> data.Split:
    """Levels of a river and rain in the last days (n, window, 2) and the level of the next (n, 1), about standard; later days validate."""
    random = np.random.default_rng(seed)
    rain = random.gamma(0.5, 2.0, days + window)
    level = np.zeros(days + window)
    for day in range(1, days + window):
        level[day] = 0.85 * level[day - 1] + 0.3 * rain[day - 1] * (1 + 0.5 * np.sin(day / 58)) + 0.1 * random.normal()
    series = np.stack([(level - level.mean()) / level.std(), (rain - rain.mean()) / rain.std()], -1)
    x = np.stack([series[day : day + window] for day in range(days)])
    y = series[window : window + days, :1]
    cut = days * 3 // 4
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def tunes(seed: int, samples: int = 500, length: int = 24, notes: int = 12) -> data.Split:
    """Tunes as tokens (n, length) and their next notes (n, length): each note follows from the last two, with one in ten at random."""
    random = np.random.default_rng(seed)
    after = np.random.default_rng(5).integers(0, notes, (notes, notes))
    x = random.integers(0, notes, (samples, length + 1))
    for at in range(2, length + 1):
        free = random.random(samples) < 0.1
        x[:, at] = np.where(free, x[:, at], after[x[:, at - 2], x[:, at - 1]])
    made, cut = torch.tensor(x), samples * 4 // 5
    return data.Split(made[:cut, :-1], made[:cut, 1:], made[cut:, :-1], made[cut:, 1:])


def symptoms(seed: int, samples: int = 800, inputs: int = 16, labels: int = 6) -> data.Split:
    """Findings (n, inputs) and which of six illnesses are there (n, labels), of which several may be."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, inputs))
    weights = np.random.default_rng(3).normal(size=(inputs, labels)) / np.sqrt(inputs)
    y = ((3 * x @ weights + 0.5 * random.normal(size=(samples, labels))) > 0.6).astype(np.float64)
    return data.split(x, y, seed)


def as_sorted(of: data.Split) -> data.Split:
    """The same with the training part in the order of its classes."""
    order = of.y.argsort()
    return replace(of, x=of.x[order], y=of.y[order])


def dice(outputs: Tensor, targets: Tensor) -> Tensor:
    """Dice of logits and masks."""
    found = (outputs > 0).float()
    return (2 * (found * targets).sum() + 1) / (found.sum() + targets.sum() + 1)


def recalls(model: nn.Module, of: data.Split, form: str) -> Callable[[], Mapping[str, float]]:
    """A function that tells the recall of each class in the validation data, under names of this form."""

    def tell() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            said = model(of.x_val).argmax(-1)
        model.train()
        return {form.format(one): float((said[of.y_val == one] == one).float().mean()) for one in range(of.classes)}

    return tell


def sound_net(classes: int = 4, width: int = 12) -> nn.Sequential:
    """A small 1-D CNN with named layers."""
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv1d(1, width, 7, padding=3))
    model.add_module("relu1", nn.ReLU())
    model.add_module("pool1", nn.MaxPool1d(2))
    model.add_module("conv2", nn.Conv1d(width, width, 5, padding=2))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool2", nn.AdaptiveMaxPool1d(4))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(4 * width, classes))
    return model


def leaf_net(classes: int = 6, norm: bool = False) -> nn.Sequential:
    """A small CNN over coloured pictures with named layers."""
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(3, 12, 3))
    if norm:
        model.add_module("bn1", nn.BatchNorm2d(12))
    model.add_module("relu1", nn.ReLU())
    model.add_module("pool1", nn.MaxPool2d(2))
    model.add_module("conv2", nn.Conv2d(12, 24, 3))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool2", nn.MaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(96, classes))
    return model
