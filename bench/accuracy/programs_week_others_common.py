"""What the week's programs without a framework's own trainer share: a network in numpy, and data."""

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn


@dataclass
class Net:
    """A dense network of two layers with a softmax, as courses have it: W1, b1, W2, b2."""

    weights: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    hidden: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Shares of the classes."""
        w = self.weights
        self.hidden = np.tanh(x @ w["W1"] + w["b1"])
        scores = self.hidden @ w["W2"] + w["b2"]
        shares = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True))

    def backward(self, x: np.ndarray, y: np.ndarray) -> float:
        """The loss of a batch; the gradients are kept."""
        shares = self.forward(x)
        loss = -np.log(shares[np.arange(len(y)), y] + 1e-12).mean()
        wrong = shares.copy()
        wrong[np.arange(len(y)), y] -= 1
        wrong /= len(y)
        back = wrong @ self.weights["W2"].T * (1 - self.hidden**2)
        self.gradients = {
            "W1": x.T @ back,
            "b1": back.sum(0),
            "W2": self.hidden.T @ wrong,
            "b2": wrong.sum(0),
        }
        return float(loss)

    def score(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Loss and accuracy."""
        shares = self.forward(x)
        loss = -np.log(shares[np.arange(len(y)), y] + 1e-12).mean()
        return float(loss), float((shares.argmax(1) == y).mean())


class Frontend(nn.Module):
    """A 1-D CNN and a head; the features may be detached on their way."""

    def __init__(self, detached: bool) -> None:
        super().__init__()
        self.detached = detached
        self.encoder = nn.Sequential(nn.Conv1d(3, 4, 7), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 5), nn.ReLU())
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x).amax(-1)
        scores: Tensor = self.head(features.detach() if self.detached else features)
        return scores


def library(name: str) -> Any:
    """A library that is imported where it is used only."""
    return importlib.import_module(name)


def churn(seed: int, samples: int = 900, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ten columns on contracts and whether they were ended; a tenth of the answers is noise, more with more; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10))
    pull = 1.5 * x[:, 0] - 1.2 * x[:, 1] * (x[:, 2] > 0) + 0.8 * x[:, 3]
    return x, (pull + noise * random.logistic(size=samples) > 0).astype(np.int64)
