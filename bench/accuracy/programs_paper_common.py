"""What the programs in the manner of papers share: pairs of a faulty and a fixed version, odd healthy ones, and their data.

The papers are those on faulty training programs: ordinary models on ordinary data with one injected fault each. Both versions of a program
log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from dataclasses import replace

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("paper", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


def moons(seed: int, samples: int = 520, noise: float = 0.2) -> data.Split:
    """Two half circles, one class each."""
    x, y = datasets.make_moons(samples, noise=noise, random_state=seed)
    return data.split(x, y, seed)


def circles(seed: int, samples: int = 560, noise: float = 0.1) -> data.Split:
    """A ring within a ring, one class each."""
    x, y = datasets.make_circles(samples, noise=noise, factor=0.45, random_state=seed)
    return data.split(x, y, seed)


def sine(seed: int, samples: int = 400, noise: float = 0.1) -> data.Split:
    """A noisy sine over a little more than one period; inputs and targets of shape (n, 1)."""
    random = np.random.default_rng(seed)
    x = random.uniform(-3.5, 3.5, (samples, 1))
    return data.split(x, np.sin(x) + noise * random.normal(size=x.shape), seed, scaled=False)


def arrows(seed: int, samples: int = 560, noise: float = 0.3) -> data.Split:
    """Images (n, 1, 8, 8) of an arrow that points up, left, down or right; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    images = np.zeros((samples, 8, 8))
    for image, turns in zip(images, y, strict=True):
        row, column = random.integers(0, 3), random.integers(2, 6)
        image[row : row + 6, column] = 1
        image[row + 1, column - 1 : column + 2] = 1
        image[row + 2, column - 2 : column + 3 : 4] = 1
        image[:] = np.rot90(image, turns)
    images = (images + noise * random.normal(size=images.shape)).clip(0, 1.5)
    of = data.split(images.reshape(samples, 64), y, seed, scaled=False)
    return of.as_images()


def topics(seed: int, samples: int = 640, length: int = 24, words: int = 150) -> data.Split:
    """Texts as tokens (n, length) of 1 to words - 1; one of three topics, by words of its own among many common ones."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    own = 1 + 20 * y[:, None] + random.integers(0, 20, (samples, length))
    common = random.integers(61, words, (samples, length))
    other = random.integers(1, 61, (samples, length))
    kind = random.random((samples, length))
    x = np.where(kind < 0.2, own, np.where(kind < 0.3, other, common))
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def mixed_labels(of: data.Split, seed: int) -> data.Split:
    """The training labels in another order than their inputs."""
    return replace(of, y=of.y[torch.randperm(len(of.y), generator=data.generator(seed))])


def of_two(outputs: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of logits (n, 1) with classes (n,)."""
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())


def hits(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the classes 0 and 1 that the signs of outputs (n, 1) tell."""
    return ((outputs[:, 0] > 0).long() == targets).float().mean()


def explained(outputs: Tensor, targets: Tensor) -> Tensor:
    """R², the share of the variance of the targets that is explained."""
    return 1 - (outputs - targets).square().mean() / targets.var(unbiased=False)
