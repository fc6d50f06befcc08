"""What the programs that are watched with hooks share: pairs of a faulty and a repaired version, the hooks, and their data.

Each is in the manner of an engineer who logs more than the loss: histograms of weights and gradients, norms and shares of zeros by layer,
outputs of layers, and dumps of batches. Both versions log the same under the same names. Expected rules are chosen by what their names
say, not by how mlcheck judges.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.harness import Pairs
from bench.accuracy.loggers import Dump, Log, watch

_AUTHOR = Pairs("hooks", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into

STYLES = {
    "wandb": ("parameters/{}", "gradients/{}", "activations/{}"),
    "suffix": ("{}", "{}/grad", "{}/activation"),
    "torch": ("{}", "{}.grad", "{}.output"),
    "short": ("weights/{}", "grads/{}", "acts/{}"),
    "capital": ("Weights/{}", "Gradients/{}", "Activations/{}"),
}
"""How weights, gradients and outputs of activation layers are called."""
KINDS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.LeakyReLU, nn.SiLU)


@dataclass
class Hooks:
    """Watches a model between backward() and step(), at the first step and each `every` after it: dumps tensors, logs scalars by layer."""

    model: nn.Module
    every: int
    dump: Dump | None = None
    style: str = "wandb"
    log: Log | None = None
    scalars: tuple[str, ...] = ()
    """`grad_norm`, `grad_2.0_norm`, `weight_norm`, `update_ratio` by weight; `activation_mean`, `activation_std`, `fraction_zero`."""
    optimizer: torch.optim.Optimizer | None = None
    """Needed for `update_ratio`."""
    per_epoch: int = 0
    """When given, the axis is that of epochs from 0."""
    kinds: tuple[type[nn.Module], ...] = KINDS
    """Layers whose outputs are watched."""
    only: str = ""
    """What the names of parameters end in; empty for all."""
    buffers: bool = False
    batch: tuple[str, ...] = ()
    """Names for the model's inputs, its outputs, and (with `seeing`) the targets, where these are dumped."""
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    kept: dict[str, list[float]] = field(default_factory=dict)
    """All scalars logged here."""

    def __post_init__(self) -> None:
        self.outputs = watch(self.model, self.kinds)
        self.before: dict[str, Tensor] = {}
        self.last = 0
        self.targets = torch.zeros(0)
        self.around: tuple[Tensor, Tensor] = (torch.zeros(0), torch.zeros(0))
        if "update_ratio" in self.scalars and self.optimizer:
            self.optimizer.register_step_post_hook(lambda *_: self._stepped())
        if self.batch:
            self.model.register_forward_hook(self._passed)

    @property
    def to(self) -> "Hooks":
        """What `go` closes."""
        return self

    def close(self) -> None:
        """Close the dump."""
        if self.dump:
            self.dump.close()

    def seeing(self, loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss, whose targets are kept for the dump."""

        def watched(outputs: Tensor, targets: Tensor) -> Tensor:
            if outputs.requires_grad:
                self.targets = targets.detach()
            return loss(outputs, targets)

        return watched

    def take(self, step: int) -> None:
        """Dump and log, if it is time."""
        if (step - 1) % self.every:
            return
        at = (step - 1) // self.per_epoch if self.per_epoch else step
        self.last = at
        if self.dump:
            self.dump.dump(at, self._tensors())
        values = self._scalars()
        if values:
            self._tell(at, values)
        if "update_ratio" in self.scalars:
            self.before = {name: one.detach().clone() for name, one in self._parameters()}

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, one) for name, one in self.model.named_parameters() if name.endswith(self.only)]

    def _tensors(self) -> dict[str, np.ndarray]:
        weight, gradient, output = STYLES[self.style]
        made: dict[str, np.ndarray] = {}
        for name, one in self._parameters():
            made[weight.format(name)] = one.detach().numpy().copy()
            if one.grad is not None:
                made[gradient.format(name)] = (one.grad.to_dense() if one.grad.is_sparse else one.grad).numpy().copy()
        if self.buffers:
            made |= {weight.format(name): one.numpy().copy() for name, one in self.model.named_buffers() if one.ndim}
        made |= {output.format(name): value.numpy().copy() for name, value in self.outputs.items()}
        tensors = (*self.around, self.targets)
        made |= {name: one.numpy().copy() for name, one in zip(self.batch, tensors, strict=False)}
        return made | self.extra

    def _scalars(self) -> dict[str, float]:
        made: dict[str, float] = {}
        for name, one in self._parameters():
            norm = 0.0 if one.grad is None else float(one.grad.norm())
            norms = {"grad_norm": norm, "grad_2.0_norm": norm, "weight_norm": float(one.detach().norm())}
            made |= {f"{what}/{name}": norms[what] for what in self.scalars if what in norms}
        for name, value in self.outputs.items():
            about = {
                "activation_mean": float(value.mean()),
                "activation_std": float(value.std()),
                "fraction_zero": float((value == 0).float().mean()),
            }
            made |= {f"{what}/{name}": about[what] for what in self.scalars if what in about}
        return made

    def _stepped(self) -> None:
        """Log how far the weights went, against their size."""
        if self.before:
            far = {name: (one.detach() - self.before[name]).norm() for name, one in self._parameters()}
            ratios = {
                f"update_ratio/{name}": float(far[name] / (one.norm() + 1e-12)) for name, one in self.before.items()
            }
            self.before = {}
            self._tell(self.last, ratios)

    def _passed(self, model: nn.Module, inputs: Any, outputs: Tensor) -> None:
        if model.training:
            self.around = (inputs[0].detach(), outputs.detach())

    def _tell(self, at: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.kept.setdefault(name, []).append(value)
        if self.log:
            self.log.log(at, values)


def pumps(seed: int, samples: int = 2400, scaled: bool = True) -> data.Split:
    """Twelve readings of a pump in their own units (pressure near 4e5, a temperature near 330, shares …) and its state; 4 classes."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 12))
    first, second = z[:, 0] * z[:, 1] + 0.5 * z[:, 2], z[:, 3] + 0.8 * np.sin(2 * z[:, 4])
    y = 2 * (first > 0).astype(np.int64) + (second > 0)
    size = np.array([4e4, 25, 0.2, 300, 8, 1.5, 60, 0.05, 900, 12, 3, 700])
    mean = np.array([4e5, 330, 0.5, 1450, 50, 9, 230, 0.2, 5e3, 60, 11, 2e3])
    return data.split(z * size + mean, y, seed, scaled=scaled)


def stamps(seed: int, samples: int = 640, side: int = 10, noise: float = 0.3) -> data.Split:
    """Pictures (n, 1, side, side) of a bar, a pillar, a stair, a ring or a corner somewhere; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:side, 0:side]
    images = noise * random.normal(size=(samples, 1, side, side))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(3, side - 3, 2)
        down, right = rows - row, columns - column
        near = np.maximum(np.abs(down), np.abs(right)) <= 3
        shapes = (
            (np.abs(down) <= 1),
            (np.abs(right) <= 1),
            (np.abs(down - right) <= 1),
            np.maximum(np.abs(down), np.abs(right)) == 2,
            ((down == 2) | (right == -2)) & (down <= 2) & (right >= -2),
        )
        image[0] += shapes[kind] & near
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, 1, side, side), of.y, of.x_val.reshape(-1, 1, side, side), of.y_val)


def incidents(seed: int, samples: int = 1400, length: int = 20, words: int = 160) -> data.Split:
    """Lines of logs as tokens (n, length), 2 to words - 1, of four kinds of incidents; a fifth of the words tells the kind."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    common = random.integers(82, words, (samples, length))
    telling = 2 + 20 * y[:, None] + random.integers(0, 20, (samples, length))
    other = 2 + random.integers(0, 80, (samples, length))
    kind = random.random((samples, length))
    x = np.where(kind < 0.2, telling, np.where(kind < 0.3, other, common))
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def molecules(seed: int, samples: int = 500, nodes: int = 14) -> data.Split:
    """Graphs (n, nodes, 4 + nodes): features of each node, then its row of the adjacency; y (n, 1) depends on neighbours."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(samples, nodes, 4))
    linked = np.triu(random.random((samples, nodes, nodes)) < 0.35, 1)
    adjacency = (linked | linked.transpose(0, 2, 1)).astype(float)
    around = adjacency @ features[:, :, :1] / (adjacency.sum(-1, keepdims=True) + 1)
    y = (2.5 * np.maximum(around, 0) + 0.5 * features[:, :, 1:2]).mean(1)
    y = (y - y.mean()) / y.std() + 0.05 * random.normal(size=(samples, 1))
    x = np.concatenate([features, adjacency], -1)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def beats(seed: int, samples: int = 500, length: int = 32) -> data.Split:
    """Signals (n, length, 1) of a regular, a racing or an uneven beat, with noise; 3 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = 0.25 * random.normal(size=(samples, length))
    for signal, kind in zip(x, y, strict=True):
        moment, long = random.integers(0, 4), False
        while moment < length:
            signal[moment] += 1.5
            long = not long
            moment += (7, 4, 9 if long else 5)[kind]
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x[:, :, None], dtype=torch.float32), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def energy(seed: int, samples: int = 600, inputs: int = 9) -> data.Split:
    """Nine measures of a building, standardised, and what its heating takes (n, 1), standardised."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, inputs))
    y = 1.2 * x[:, 0] * (x[:, 1] > 0) + np.abs(x[:, 2]) + 0.7 * np.sin(2 * x[:, 3]) + 0.4 * x[:, 4]
    y = (y - y.mean()) / y.std() + 0.1 * random.normal(size=samples)
    return data.split(x, y[:, None], seed)


def tunes(seed: int, samples: int = 500, length: int = 24, notes: int = 9) -> data.Split:
    """Tunes as tokens (n, length) and the notes that follow (n, length): the two last notes tell which one comes in four of five cases."""
    random = np.random.default_rng(seed)
    follow = random.integers(0, notes, (notes, notes))
    tokens = random.integers(0, notes, (samples, length + 1))
    for place in range(2, length + 1):
        known = random.random(samples) < 0.8
        tokens[known, place] = follow[tokens[known, place - 2], tokens[known, place - 1]]
    made = torch.tensor(tokens)
    cut = samples * 4 // 5
    return data.Split(made[:cut, :-1], made[:cut, 1:], made[cut:, :-1], made[cut:, 1:])
