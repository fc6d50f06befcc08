"""What the commits of programs without a framework share: tables, a grid world, an MLP by hand and a pole on a cart for linear policies."""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np


def module(name: str) -> Any:
    """A library by its name: xgboost, lightgbm, or a part of scikit-learn."""
    return importlib.import_module(name)


Table = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Training inputs and targets, validation inputs and targets."""


def parted(x: np.ndarray, y: np.ndarray, seed: int, share: float = 0.3) -> Table:
    """Split at random."""
    x_train, x_val, y_train, y_val = module("sklearn.model_selection").train_test_split(
        x, y, test_size=share, random_state=seed
    )
    return x_train, y_train, x_val, y_val


def loans(seed: int, samples: int = 900, doubt: float = 0.12) -> Table:
    """Sixteen columns on loans and whether they are paid back; a share `doubt` of the answers is wrong."""
    x, y = module("sklearn.datasets").make_classification(
        samples, 16, n_informative=5, n_redundant=3, class_sep=1.0, flip_y=doubt, random_state=seed
    )
    return parted(x, y, seed)


def bikes(seed: int, samples: int = 900) -> Table:
    """Hour, temperature, wind, rain and weekday, and how many bikes are lent in that hour, about 20 to 400."""
    random = np.random.default_rng(seed)
    hour, day = random.integers(0, 24, samples), random.integers(0, 7, samples)
    warm, wind, rain = random.normal(14, 7, samples), random.gamma(2, 2, samples), random.random(samples) < 0.2
    rush = np.exp(-(((hour - 8) / 1.5) ** 2)) + np.exp(-(((hour - 17.5) / 2) ** 2))
    lent = 40 + 180 * rush * (day < 5) + 90 * np.exp(-(((hour - 14) / 4) ** 2)) + 4 * warm
    lent = np.maximum(lent * np.where(rain, 0.55, 1.0) - 3 * wind + 15 * random.normal(size=samples), 0)
    return parted(np.stack([hour, warm, wind, rain, day], 1).astype(np.float64), lent, seed)


class Grid:
    """A room of side × side: from one corner to the other, each move -0.01 (or `cost`), pits of -1, the goal 1, or `goal`."""

    def __init__(
        self, side: int = 5, cost: float = -0.01, goal: float = 1.0, pits: tuple[int, ...] = (7, 11, 18)
    ) -> None:
        self.side, self.cost, self.goal, self.pits = side, cost, goal, pits
        self.place = 0

    def reset(self) -> int:
        """To the start."""
        self.place = 0
        return 0

    def step(self, action: int) -> tuple[int, float, bool]:
        """A move up, right, down or left; walls hold."""
        row, column = divmod(self.place, self.side)
        row = min(max(row + (-1, 0, 1, 0)[action], 0), self.side - 1)
        column = min(max(column + (0, 1, 0, -1)[action], 0), self.side - 1)
        self.place = row * self.side + column
        if self.place in self.pits:
            return self.place, -1.0, True
        if self.place == self.side**2 - 1:
            return self.place, self.goal, True
        return self.place, self.cost, False


def softmax(scores: np.ndarray) -> np.ndarray:
    """Shares along the last axis."""
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(-1, keepdims=True)
    return shares


@dataclass
class TwoLayers:
    """A net by hand as in a lecture's notes: tanh, then softmax; parameters W1, b1, W2, b2."""

    parameters: dict[str, np.ndarray]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hidden outputs and shares of the classes."""
        of = self.parameters
        hidden: np.ndarray = np.tanh(x @ of["W1"] + of["b1"])
        return hidden, softmax(hidden @ of["W2"] + of["b2"])

    def gradients(self, x: np.ndarray, y: np.ndarray, smoothing: float = 0.0) -> dict[str, np.ndarray]:
        """Of the mean cross-entropy."""
        hidden, shares = self.forward(x)
        target = np.eye(shares.shape[1])[y] * (1 - smoothing) + smoothing / shares.shape[1]
        down = (shares - target) / len(x)
        back = (down @ self.parameters["W2"].T) * (1 - hidden**2)
        return {"W1": x.T @ back, "b1": back.sum(0), "W2": hidden.T @ down, "b2": down.sum(0)}

    def judged(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Cross-entropy and accuracy."""
        shares = self.forward(x)[1]
        loss = -np.log(shares[np.arange(len(y)), y] + 1e-12).mean()
        return float(loss), float((shares.argmax(1) == y).mean())
