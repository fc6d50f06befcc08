"""What the quarter programs of part a share: small networks, a log in Lightning's manner, and targets made standard."""

import csv
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data

POOR = ("loss-not-decreasing", "loss-plateau", "underfit", "task-not-learned")
"""The loss stands at a poor level."""


class Lightning:
    """Lightning's metrics.csv: rows of training values and rows of validation values, with epoch and step."""

    def __init__(self, run: Path, per_epoch: int) -> None:
        self.path, self.per_epoch = run / "metrics.csv", per_epoch
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row; steps count from 0 there."""
        self.rows.append({"epoch": (step - 1) // self.per_epoch, "step": step - 1, **values})

    def close(self) -> None:
        """Write the table."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def convnet(
    side: int, classes: int, channels: Sequence[int] = (3, 12, 24), norm: bool = False, average: bool = False
) -> nn.Sequential:
    """Convolutions with ReLU and pooling, and a dense layer on what is left, or on its average."""
    model = nn.Sequential()
    for number, (inputs, outputs) in enumerate(itertools.pairwise(channels), start=1):
        model.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, 3, padding=1))
        if norm:
            model.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        model.add_module(f"relu{number}", nn.ReLU())
        model.add_module(f"pool{number}", nn.MaxPool2d(2))
        side //= 2
    if average:
        model.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
        side = 1
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(channels[-1] * side * side, classes))
    return model


class Tagger(nn.Module):
    """A class of a text by an embedding, an LSTM or GRU, and the mean of its states."""

    def __init__(self, words: int, classes: int, width: int = 16, hidden: int = 24, kind: str = "LSTM") -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.rnn = getattr(nn, kind)(width, hidden, batch_first=True)
        self.out = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(x))
        made: Tensor = self.out(states.mean(1))
        return made


def standard_targets(of: data.Split) -> data.Split:
    """The same with targets standardised by the training part."""
    mean, spread = of.y.mean(), of.y.std()
    return replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)


def yields(seed: int, samples: int = 640) -> data.Split:
    """Seven measures of fields (rain, warmth, nitrogen …), standardised, and harvests (n, 1) in quintals, about 60."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 7))
    y = 60 + 9 * np.tanh(x[:, 0]) + 6 * x[:, 1] - 4 * x[:, 2] ** 2 + 4 * x[:, 3] * x[:, 0] + 3 * x[:, 4]
    return data.split(x, (y + 1.5 * random.normal(size=samples))[:, None], seed)


def sensors(seed: int, samples: int = 640, inputs: int = 16, classes: int = 5, spread: float = 1.1) -> data.Split:
    """States of a machine from sensors; each of 5 states lies in two clouds; standardised."""
    random = np.random.default_rng(seed)
    centres = 1.6 * np.random.default_rng(5).normal(size=(classes, 2, inputs)) / 1.2
    y = random.integers(0, classes, samples)
    x = centres[y, random.integers(0, 2, samples)] + spread * random.normal(size=(samples, inputs))
    return data.split(x, y, seed)


def by_class(of: data.Split, train: bool = True, val: bool = False) -> data.Split:
    """The same with samples in the order of their classes, as folders are read."""
    if train:
        order = of.y.argsort(stable=True)
        of = replace(of, x=of.x[order], y=of.y[order])
    if val:
        order = of.y_val.argsort(stable=True)
        of = replace(of, x_val=of.x_val[order], y_val=of.y_val[order])
    return of


def f_one(outputs: Tensor, targets: Tensor) -> Tensor:
    """F1 of the second class, by the signs of outputs (n, 1)."""
    said, true = outputs[:, 0] > 0, targets[:, 0] > 0.5
    both = (said & true).sum()
    return 2 * both / torch.clamp(said.sum() + true.sum(), min=1)
