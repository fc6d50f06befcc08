"""Data and writers of the teams that train with PyTorch. All data are generated from a seed, none is read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.accuracy import data

Form = Callable[[int, Mapping[str, float]], str]


class Written:
    """A file written by hand: `form` makes the text of a step from its values."""

    def __init__(self, path: Path, form: Form, header: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("w", encoding="utf-8")
        self.file.write(header)
        self.form = form

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the text of one step."""
        self.file.write(self.form(step, values))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def r_squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the variance of the targets that is explained."""
    return 1 - (outputs - targets).square().mean() / targets.var(unbiased=False)


def utterances(seed: int, samples: int = 900, words: int = 12, noise: float = 0.8) -> data.Split:
    """Log-mel frames (n, 14 bands, 24 frames) of short commands: three phones each, spoken at any pace; `words` classes."""
    random = np.random.default_rng(seed)
    phones = np.random.default_rng(5).normal(size=(words, 3, 14))
    y = random.integers(0, words, samples)
    pace, start = random.uniform(4.5, 7, (samples, 1)), random.uniform(0, 3, (samples, 1))
    place = np.floor((np.arange(24) - start) / pace).astype(int)
    x = np.where(
        ((place >= 0) & (place < 3))[:, :, None], phones[y[:, None], place.clip(0, 2)], -0.5
    ) + noise * random.normal(size=(samples, 24, 14))
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(
        of.x.reshape(-1, 24, 14).transpose(1, 2), of.y, of.x_val.reshape(-1, 24, 14).transpose(1, 2), of.y_val
    )


def heartbeats(seed: int, samples: int = 800, noise: float = 0.25) -> data.Split:
    """Beats of an ECG (n, 64), normal or premature (broad complex, early, no P wave); targets (n, 1) of 0 and 1."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    at, early = np.arange(64)[None], y[:, None]

    def wave(centre: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
        return np.asarray(height * np.exp(-(((at - centre) / width) ** 2)))

    jitter = random.normal(size=(samples, 1))
    x = wave(30 - 4 * early + 2 * jitter, 2 + 2.0 * early, random.uniform(0.8, 1.3, (samples, 1)))
    x += wave(16 + 2 * jitter, np.full((samples, 1), 3.0), 0.25 * (1 - early))
    x += wave(46 + 2 * jitter, np.full((samples, 1), 5.0), 0.3 * (1 - 1.6 * early))
    x += noise * random.normal(size=x.shape)
    of = data.split(x, y, seed)
    return data.Split(of.x, of.y.float()[:, None], of.x_val, of.y_val.float()[:, None])


def ratings(seed: int, samples: int = 4200, users: int = 90, films: int = 60, noise: float = 0.4) -> data.Split:
    """Pairs of a user and a film (n, 2) and ratings (n, 1), less their mean, by three hidden tastes."""
    random = np.random.default_rng(seed)
    tastes, traits = random.normal(size=(users, 3)), random.normal(size=(films, 3))
    x = np.stack([random.integers(0, users, samples), random.integers(0, films, samples)], 1)
    y = 0.6 * (tastes[x[:, 0]] * traits[x[:, 1]]).sum(1) + noise * random.normal(size=samples)
    xs, ys = torch.tensor(x), torch.tensor(y[:, None] - y.mean(), dtype=torch.float32)
    cut = samples * 4 // 5
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def arm(seed: int, samples: int = 900) -> data.Split:
    """States of an arm with two joints (n, 6: angles, speeds, where to go) and torques of an operator (n, 2) of up to 9 Nm."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 6))
    pull = 3.2 * (z[:, 4:] - z[:, :2]) - 1.2 * z[:, 2:4]
    weight = np.stack([1.5 * np.cos(z[:, 0]) + 0.8 * np.cos(z[:, 0] + z[:, 1]), 0.8 * np.cos(z[:, 0] + z[:, 1])], 1)
    return data.split(z, np.clip(pull + weight + 0.2 * random.normal(size=pull.shape), -9, 9), seed)


def tiles(seed: int, samples: int = 240, side: int = 12, noise: float = 0.5) -> data.Split:
    """Satellite tiles (n, 4 bands, side, side) of water, forest and fields, and their masks (n, side, side)."""
    random = np.random.default_rng(seed)
    colours = np.array([[0.1, 0.2, 0.6, -0.8], [-0.4, 0.4, -0.5, 1.0], [0.8, 0.5, 0.0, 0.3]]) * 1.6
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.full((samples, side, side), 2)
    for mask in masks:
        angle, shift = random.uniform(0, 2 * np.pi), random.uniform(-2, 4)
        mask[np.cos(angle) * (rows - side / 2) + np.sin(angle) * (columns - side / 2) > shift] = 1
        row, column = random.integers(1, side - 1, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(6, 20)] = 0
    x = np.moveaxis(colours[masks], -1, 1) + noise * random.normal(size=(samples, 4, side, side))
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(masks)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def withdrawals(seed: int, days: int = 800, window: int = 14) -> data.Split:
    """Cash taken from a machine on the last days (n, window), standardised, and on the next (n, 1), in euros (about 40,000)."""
    random = np.random.default_rng(seed)
    day = np.arange(days + window)
    week = np.array([0.9, 0.85, 0.9, 1.0, 1.35, 1.5, 0.5])[day % 7]
    drift = np.zeros(day.size)
    for one in range(1, day.size):
        drift[one] = 0.9 * drift[one - 1] + 0.04 * random.normal()
    cash = 40000 * week * np.exp(drift) * np.exp(0.05 * random.normal(size=day.size))
    x = np.lib.stride_tricks.sliding_window_view(cash[:-1], window)
    x = (x - cash.mean()) / cash.std()
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(cash[window:, None], dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def molecules(seed: int, samples: int = 800, bits: int = 48) -> data.Split:
    """Fingerprints (n, bits) of 0 and 1 and the logarithm of the solubility (n,), about -3."""
    random = np.random.default_rng(seed)
    x = (random.random((samples, bits)) < 0.3).astype(float)
    effect = np.random.default_rng(8).normal(size=bits) * (np.arange(bits) < 20)
    y = 0.55 * (x - 0.3) @ effect - 0.8 * x[:, 0] * x[:, 1] + 0.6 * x[:, 2] * x[:, 3]
    return data.split(x, y - 3.0 + 0.2 * random.normal(size=samples), seed, scaled=False)


def radiographs(seed: int, samples: int = 640, noise: float = 16.0) -> data.Split:
    """Grey pictures (n, 1, 12, 12) of 0 to 255: clear, a nodule, or a line of fluid at the bottom; 3 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    x = np.zeros((samples, 12, 12))
    for image, kind in zip(x, y, strict=True):
        image[:] = random.uniform(80, 130) + 25 * (np.abs(columns - 5.5) < 1.2)
        row, column = random.integers(2, 9, 2)
        if kind == 1:
            image[(rows - row) ** 2 + (columns - column) ** 2 <= 3] += random.uniform(45, 80)
        if kind == 2:
            image[rows >= random.integers(8, 11)] += random.uniform(40, 80)
    x = (x + noise * random.normal(size=x.shape)).clip(0, 255)
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, 1, 12, 12), of.y, of.x_val.reshape(-1, 1, 12, 12), of.y_val)


def seasons(seed: int, samples: int = 480, length: int = 40, noise: float = 0.15) -> data.Split:
    """Series (n, length, 2) of greenness and moisture over a season for one of 4 crops."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    at = np.arange(length)[None]
    peak = np.array([14, 20, 26, 18])[y][:, None] + 1.5 * random.normal(size=(samples, 1))
    width = np.array([5, 8, 5, 12])[y][:, None]
    green = np.exp(-(((at - peak) / width) ** 2))
    wet = 0.5 * np.sin(2 * np.pi * (at - 3 * y[:, None]) / length)
    x = np.stack([green, wet], -1) + noise * random.normal(size=(samples, length, 2))
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def matches(seed: int, samples: int = 900) -> data.Split:
    """Twelve figures of a player's matches and his style of play; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    centres = 1.3 * np.random.default_rng(3).normal(size=(4, 12))
    return data.split(centres[y] + random.normal(size=(samples, 12)), y, seed)


def questions(seed: int, samples: int = 900, length: int = 16, words: int = 160) -> data.Split:
    """Questions to a bank's assistant as tokens (n, length); a third of the words tells one of 5 intents."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    x = np.where(
        random.random((samples, length)) < 0.3,
        20 * y[:, None] + random.integers(0, 20, (samples, length)),
        random.integers(100, words, (samples, length)),
    )
    xs, ys = torch.tensor(x), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def cohort(seed: int, samples: int = 420, markers: int = 40, pull: float = 1.6) -> data.Split:
    """Markers in the blood (n, markers), six of which tell whether a patient responds; a third of the patients trains; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, markers))
    risk = pull * (x[:, 0] - x[:, 1] + 0.8 * x[:, 2] + 0.6 * x[:, 3] - 0.6 * x[:, 4] + 0.5 * x[:, 5])
    y = (risk + random.logistic(size=samples) > 0).astype(np.int64)
    return data.split(x, y, seed, share=0.66)


def speakers(seed: int, samples: int = 640, voices: int = 16, noise: float = 0.7) -> data.Split:
    """Measures of voices (n, 20), bent by a mixing, of 16 speakers; classes are the speakers."""
    random = np.random.default_rng(seed)
    y = random.integers(0, voices, samples)
    inner = np.random.default_rng(21).normal(size=(voices, 6))[y] + 0.35 * random.normal(size=(samples, 6))
    mixing = np.random.default_rng(22).normal(size=(6, 20)) / 2
    return data.split(np.tanh(inner @ mixing) * 2 + noise * random.normal(size=(samples, 20)), y, seed)
