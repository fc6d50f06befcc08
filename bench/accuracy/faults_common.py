"""What recipes with a planted fault share.

Which rules a fault expects was written down from what the rules say that they find, not from what mlcheck printed: the rule that names
the fault itself, and, where logs cannot show that, the rules for the effect by which the fault is defined (labels that tell nothing:
the loss does not go down, the accuracy stays at chance).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.harness import HALVES, Recipe, require
from bench.accuracy.loggers import Dump, Log
from bench.accuracy.loop import Loss, Plan

DEVELOPMENT, SEEN, HELD_OUT = HALVES
NOT_LEARNING = ("loss-not-decreasing", "metric-at-chance", "underfit")
"""The model learns nothing from its training data."""
TOO_FAST = ("learning-rate-too-high", "loss-divergence", "exploding-gradient", "updates-too-large")
"""Steps so long that the loss is driven up."""

Found = dict[str, float]
"""What `loop.fit` returns: the last evaluation, `train_loss` of the last tenth, `steps`."""


def planted(
    name: str,
    kind: str,
    half: str,
    build: Callable[[Path, int], None],
    expects: tuple[str, ...],
    logger: str,
    *,
    dumps: bool = False,
    since: int | None = None,
    layer: str | None = None,
    framework: str = "torch",
) -> Recipe:
    """A recipe with a fault; `dumps` says that tensors are dumped beside the scalars."""
    return Recipe(name, kind, half, build, expects, since, layer, not dumps, framework, logger)


def varied(seed: int, value: float, share: float = 0.2) -> float:
    """A hyperparameter that differs a little from seed to seed: less, as given, more."""
    return value * (1 + share * (seed % 3 - 1))


def settings(run: Path, **values: Any) -> None:
    """hparams.yaml beside the log, as many trainers leave one."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in values.items()]
    (run / "hparams.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def at_chance(found: Found, classes: int, tolerance: float = 1.6) -> None:
    """Require that the validation accuracy is that of guessing."""
    accuracy = found["val_accuracy"]
    require(
        accuracy < tolerance / classes, f"validation accuracy {accuracy:.3f} with {classes} classes is above chance"
    )


def broken(found: Found, start: float) -> None:
    """Require that the training loss ended at least at twice its usual start, or not finite."""
    loss = found["train_loss"]
    require(not loss <= 2 * start, f"training loss {loss:.4g} at the end, {start:.4g} is usual at the start")


def not_finite(found: Found) -> None:
    """Require that the training loss ended as NaN or infinite."""
    loss = found["train_loss"]
    require(loss != loss or abs(loss) == float("inf"), f"training loss {loss:.4g} at the end is finite")


def initialised(model: nn.Module, weight: float, *, constant: bool = False, bias: float = 0.0) -> nn.Module:
    """All matrices at this value, or normal with it as standard deviation; all biases at theirs."""
    for name, parameter in model.named_parameters():
        if "bias" in name:
            nn.init.constant_(parameter, bias)
        elif constant:
            nn.init.constant_(parameter, weight)
        else:
            nn.init.normal_(parameter, std=weight)
    return model


def digits(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int, steps: int = 700, dumps: bool = True) -> Plan:
    """A plan for the 8 × 8 digits as vectors, with about 20 dumps."""
    return Plan(
        model, data.bundled("digits", seed), optimizer, steps, seed=seed, dump_every=steps // 20 if dumps else 0
    )


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error."""
    return nn.functional.mse_loss(outputs, targets)


def scheduled(optimizer: torch.optim.Optimizer, factor: Callable[[int], float]) -> Any:
    """A scheduler that multiplies the rate by a function of the step."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@dataclass
class Disturbed:
    """Alters what goes into a model at some training steps, as bad data do: a forward hook that counts training steps from 1."""

    model: nn.Module
    alter: Callable[[int, Tensor], Tensor]
    step: int = 0

    def __post_init__(self) -> None:
        self.model.register_forward_pre_hook(self._hook)

    def _hook(self, model: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not model.training:
            return None
        self.step += 1
        return (self.alter(self.step, given[0]), *given[1:])


class WithBatches:
    """A dump that also holds the batch: inputs/x, labels/y and predictions/y (classes) of the training step."""

    def __init__(self, dump: Dump, plan: Plan) -> None:
        self.inner, self.seen = dump, dict[str, np.ndarray]()
        self.loss: Loss = plan.loss
        plan.loss = self._loss
        plan.model.register_forward_pre_hook(self._hook)

    def _hook(self, model: nn.Module, given: tuple[Tensor, ...]) -> None:
        if model.training:
            self.seen["inputs/x"] = given[0].numpy().copy()

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.requires_grad:
            self.seen["labels/y"] = targets.numpy().copy()
            self.seen["predictions/y"] = outputs.detach().argmax(-1).numpy().copy()
        return self.loss(outputs, targets)

    def dump(self, step: int, tensors: Mapping[str, np.ndarray]) -> None:
        """The tensors of a step, and its batch."""
        self.inner.dump(step, {**tensors, **self.seen})

    def close(self) -> None:
        """Finish the file."""
        self.inner.close()


class Told:
    """A log that remembers what it was told."""

    def __init__(self, log: Log) -> None:
        self.inner, self.rows = log, list[Mapping[str, float]]()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Pass it on."""
        self.rows.append(values)
        self.inner.log(step, values)

    def close(self) -> None:
        """Finish the file."""
        self.inner.close()
