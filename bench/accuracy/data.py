"""Data to train on: small sets that scikit-learn brings along, generated tasks, and a text made here. All are seeded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Training and validation data as tensors; samples on axis 0."""

    x: Tensor
    """Training inputs: float32, or int64 for tokens."""
    y: Tensor
    """Training targets: int64 classes of shape (n,), or float32."""
    x_val: Tensor
    """Validation inputs."""
    y_val: Tensor
    """Validation targets."""

    @property
    def classes(self) -> int:
        """Number of classes, where the targets are classes."""
        return int(torch.cat([self.y.reshape(-1), self.y_val.reshape(-1)]).max()) + 1

    @property
    def majority(self) -> float:
        """Share of the most frequent class among the validation targets: the accuracy of one who always says it."""
        return float(torch.bincount(self.y_val.reshape(-1)).max()) / self.y_val.numel()

    def as_images(self) -> "Split":
        """Digits as images of shape (n, 1, 8, 8)."""
        return replace(self, x=self.x.reshape(-1, 1, 8, 8), x_val=self.x_val.reshape(-1, 1, 8, 8))


def generator(seed: int) -> torch.Generator:
    """A generator of torch at this seed."""
    return torch.Generator().manual_seed(seed)


def split(x: np.ndarray, y: np.ndarray, seed: int, share: float = 0.25, scaled: bool = True) -> Split:
    """Split arrays at random (classes evenly) and, if `scaled`, standardise inputs by the training part."""
    whole = np.issubdtype(y.dtype, np.integer)
    parts = train_test_split(x, y, test_size=share, random_state=seed, stratify=y if whole else None)
    x_train, x_val, y_train, y_val = parts
    if scaled:
        mean, deviation = x_train.mean(0), x_train.std(0) + 1e-6
        # Pixels that are nearly always blank would otherwise become outliers of a hundred deviations.
        deviation = np.maximum(deviation, 0.05 * deviation.max()) if x.shape[1] > 32 else deviation
        x_train, x_val = (x_train - mean) / deviation, (x_val - mean) / deviation
    kind = torch.int64 if whole else torch.float32
    return Split(
        torch.tensor(x_train, dtype=torch.float32),
        torch.tensor(y_train, dtype=kind),
        torch.tensor(x_val, dtype=torch.float32),
        torch.tensor(y_val, dtype=kind),
    )


def bundled(name: str, seed: int, share: float = 0.25, scaled: bool = True) -> Split:
    """`digits` (1,797 × 64, 10 classes), `iris` (150 × 4, 3), `breast_cancer` (569 × 30, 2), `wine` (178 × 13, 3), or `diabetes` (442 × 10,
    targets 25 to 346).
    """
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return split(x, y if name != "diabetes" else y.astype(np.float64), seed, share, scaled)


def spirals(seed: int, arms: int = 3, points: int = 250, noise: float = 0.08) -> Split:
    """Arms of a spiral in the plane, one class each."""
    random = np.random.default_rng(seed)
    radius = np.sqrt(random.uniform(0.01, 1, (arms, points)))
    angle = 4.5 * radius + 2 * np.pi * np.arange(arms)[:, None] / arms
    x = (
        np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
        + noise * random.normal(size=(arms, points, 2)) * 0.5
    )
    return split(x.reshape(-1, 2), np.repeat(np.arange(arms), points), seed)


def regression(seed: int, samples: int = 800, inputs: int = 8, noise: float = 0.1) -> Split:
    """A smooth function of some inputs with Gaussian noise; targets of shape (n, 1), about standard."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, inputs))
    weights = random.normal(size=(inputs, 3)) / np.sqrt(inputs)
    y = np.sin(x @ weights[:, 0] * 1.5) + (x @ weights[:, 1]) * 0.7 + 0.3 * (x @ weights[:, 2]) ** 2
    y = (y - y.mean()) / y.std() + noise * random.normal(size=samples)
    return split(x, y[:, None], seed)


def imbalanced(seed: int, samples: int = 1200, share: float = 0.2, inputs: int = 10) -> Split:
    """Two overlapping classes, the second of which has this share."""
    x, y = datasets.make_classification(
        samples,
        inputs,
        n_informative=5,
        n_redundant=2,
        weights=[1 - share],
        class_sep=1.2,
        flip_y=0.01,
        random_state=seed,
    )
    return split(x, y, seed)


def with_label_noise(of: Split, share: float, seed: int) -> Split:
    """The same with a share of the training classes replaced by random ones."""
    random = generator(seed)
    hit = torch.rand(of.y.shape, generator=random) < share
    return replace(of, y=torch.where(hit, torch.randint(0, of.classes, of.y.shape, generator=random), of.y))


def copying(seed: int, samples: int = 1500, length: int = 8, symbols: int = 6) -> Split:
    """Sequences of symbols (n, length); the target is the sequence reversed."""
    x = torch.randint(0, symbols, (samples, length), generator=generator(seed))
    y = x.flip(1)
    cut = samples * 4 // 5
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])


def parity(seed: int, samples: int = 2000, length: int = 8) -> Split:
    """Bits (n, length, 1) as -1 and 1; the class is the parity of their ones. Chance is a half."""
    bits = torch.randint(0, 2, (samples, length), generator=generator(seed))
    cut = samples * 4 // 5
    x, y = (2.0 * bits - 1).unsqueeze(-1), bits.sum(1) % 2
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])


def adding(seed: int, samples: int = 2000, length: int = 20) -> Split:
    """The adding problem: numbers and a mark (n, length, 2); the target (n, 1) is the sum of the two marked ones (variance 1/6)."""
    random = generator(seed)
    numbers = torch.rand(samples, length, generator=random)
    marks = torch.zeros(samples, length)
    half = length // 2
    rows = torch.arange(samples)
    marks[rows, torch.randint(0, half, (samples,), generator=random)] = 1
    marks[rows, torch.randint(half, length, (samples,), generator=random)] = 1
    y = (numbers * marks).sum(1, keepdim=True)
    x = torch.stack([numbers, marks], -1)
    cut = samples * 4 // 5
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])


_WHO = [
    "the cat",
    "a dog",
    "the old man",
    "my sister",
    "the king",
    "a bird",
    "the child",
    "our teacher",
    "the cook",
    "a sailor",
]
_DOES = ["sees", "likes", "finds", "follows", "draws", "hears", "forgets", "feeds", "calls", "carries"]
_WHAT = [
    "the red ball",
    "a small house",
    "the sea",
    "an apple",
    "the moon",
    "a long story",
    "the garden",
    "some bread",
    "the train",
    "a quiet song",
]
_WHEN = [
    "today",
    "at night",
    "in the morning",
    "again",
    "in spring",
    "on sunday",
    "after school",
    "slowly",
    "with care",
    "once more",
]


def text(seed: int, sentences: int = 900) -> str:
    """A text of simple made-up sentences, lower case with spaces and full stops."""
    random = np.random.default_rng(seed)
    parts = [
        " ".join(words[random.integers(len(words))] for words in (_WHO, _DOES, _WHAT, _WHEN)) for _ in range(sentences)
    ]
    return ". ".join(parts) + "."


def characters(seed: int, length: int = 32, sentences: int = 900) -> tuple[Split, int]:
    """Windows of a text as tokens (n, length) with the following characters as targets (n, length); and the size of the vocabulary."""
    made = text(seed, sentences)
    vocabulary = sorted(set(made))
    codes = torch.tensor([vocabulary.index(one) for one in made])
    count = (len(codes) - 1) // length
    x = codes[: count * length].reshape(count, length)
    y = codes[1 : count * length + 1].reshape(count, length)
    cut = count * 9 // 10
    return Split(x[:cut], y[:cut], x[cut:], y[cut:]), len(vocabulary)


def batches(of: Split, size: int, seed: int, shuffled: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
    """Training batches without end, epoch after epoch; the last of an epoch may be smaller."""
    random = generator(seed)
    count = len(of.x)
    while True:
        order = torch.randperm(count, generator=random) if shuffled else torch.arange(count)
        for start in range(0, count, size):
            chosen = order[start : start + size]
            yield of.x[chosen], of.y[chosen]


def steps_per_epoch(of: Split, size: int) -> int:
    """How many batches `batches` makes of one epoch."""
    return -(-len(of.x) // size)
