"""What the mutated examples share: pairs of an example of some framework and of a mutant of it, and the data that they are shrunk onto.

Each is in the manner of an example or tutorial of a framework; the faulty version is a mutant of it by an operator of the papers on
mutation testing and on faults of deep learning (DeepCrime, DeepMutation, MuNN, Humbatova's taxonomy), the fixed one is the original.
Both log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("mutant", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into

DOES_NOT_MOVE = ("updates-too-small", "weight-update-ratio", "unchanged-tensor", "still-improving")
"""The steps are so short that the weights hardly change."""


def newswires(seed: int, samples: int = 1200, words: int = 300, topics: int = 12) -> data.Split:
    """Wires as words that occur or not (n, words), and their topic, some far more frequent than others."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(2, topics + 2)
    y = random.choice(topics, samples, p=shares / shares.sum())
    usual = random.beta(0.6, 6, words)
    topical = random.random((topics, words)) < 0.06
    chances = np.where(topical[y], np.maximum(usual, 0.32), usual)
    x = (random.random((samples, words)) < chances).astype(float)
    return data.split(x, y, seed, scaled=False)


def cars(seed: int, samples: int = 398) -> data.Split:
    """Measures of cars as of the seventies (9 columns, standardised, three of them the origin), and miles a gallon (n, 1), 9 to 47."""
    random = np.random.default_rng(seed)
    size = random.normal(size=samples)
    origin = random.choice(3, samples, p=[0.6, 0.18, 0.22])
    size = size - 0.7 * (origin > 0)
    cylinders = np.clip(np.round(5.4 + 1.6 * size), 3, 8)
    displacement = 190 + 95 * size + 15 * random.normal(size=samples)
    power = 104 + 35 * size + 12 * random.normal(size=samples)
    weight = 2970 + 780 * size + 150 * random.normal(size=samples)
    acceleration = 15.5 - 1.5 * size + 2 * random.normal(size=samples)
    year = random.integers(70, 83, samples)
    economy = 23.5 - 6 * size + 1.6 * size**2 + 0.75 * (year - 76) + 1.3 * (origin == 2)
    economy = np.clip(economy + 1.8 * random.normal(size=samples), 9, 47)
    x = np.stack([cylinders, displacement, power, weight, acceleration, year, *np.eye(3)[origin].T], 1)
    return data.split(x, economy[:, None], seed)


def climate(seed: int, hours: int = 1100, window: int = 18, ahead: int = 6) -> data.Split:
    """Windows (n, window, 4) of pressure, temperature, humidity and wind, standardised, and the temperature (n, 1) `ahead` later."""
    random = np.random.default_rng(seed)
    hour = np.arange(hours)
    front = np.zeros(hours)
    for one in range(1, hours):
        front[one] = 0.985 * front[one - 1] + 0.17 * random.normal()
    warm = 8 * np.sin(2 * np.pi * (hour - 8) / 24) + 5 * front
    pressure = 989 - 4 * np.roll(front, -5) + 0.5 * random.normal(size=hours)
    humid = 75 - 1.5 * warm + 3 * random.normal(size=hours)
    wind = np.abs(2 + random.normal(size=hours))
    x = np.stack([pressure, warm + 0.4 * random.normal(size=hours), humid, wind], 1)
    cut = hours * 3 // 4
    x = (x - x[:cut].mean(0)) / x[:cut].std(0)
    windows = np.lib.stride_tricks.sliding_window_view(x, window, 0)[:-ahead].transpose(0, 2, 1).copy()
    xs, ys = (torch.tensor(one, dtype=torch.float32) for one in (windows, x[window - 1 + ahead :, 1:2]))
    part = len(xs) * 3 // 4
    return data.Split(xs[:part], ys[:part], xs[part:], ys[part:])
