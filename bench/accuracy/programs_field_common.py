"""What the programs of the field share: pairs of a faulty and a fixed version, a loop around any kind of training step, and proofs.

These are programs as they lie in repositories and laboratories. Each is written once, with `fixed` saying whether the fault is repaired.
Both versions log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy.data import Split, batches, steps_per_epoch
from bench.accuracy.harness import Pairs, require
from bench.accuracy.loggers import Dump, Log, watch
from bench.accuracy.loop import Loss, accuracy, cross_entropy, gradient_norm

NOTHING_LEARNED = ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit")
"""The model learns nothing, or next to nothing, from its training data."""
BADLY_LEARNED = ("loss-not-decreasing", "loss-plateau", "underfit")
"""The loss stands at a poor level."""
BLOWN_UP = (
    "learning-rate-too-high",
    "loss-divergence",
    "loss-spike",
    "unstable-loss",
    "non-finite",
    "exploding-gradient",
    "exploding-tensor",
)
"""The loss, the gradients or the weights run away."""
VALIDATION_LOST = ("overfit", "metric-at-chance", "overtraining", "best-is-not-last")
"""The training data are learned, and nothing that holds of others."""

Trail = dict[str, list[float]]
"""What was logged, by tag, in order."""

_AUTHOR = Pairs("field", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


@dataclass
class Snapshots:
    """Dumps of a model between backward() and step(), under names of one style."""

    to: Dump
    model: nn.Module
    every: int
    style: str = "collections"
    """`collections` (weights/fc1.weight), `torch` (fc1.weight, fc1.weight.grad, relu1.output), or `scopes` (params/fc1/weight, grads/…)."""
    watched: bool = True
    """Whether outputs of activation layers are dumped too."""
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    """What else to dump, by its full name: the program keeps it up to date."""
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.watched:
            self.outputs = watch(self.model)

    def take(self, step: int) -> None:
        """Dump at the first step and each `every` after it."""
        if (step - 1) % self.every:
            return
        form = {
            "collections": ("weights/{}", "gradients/{}", "activations/{}"),
            "torch": ("{}", "{}.grad", "{}.output"),
            "scopes": ("params/{}", "grads/{}", "acts/{}"),
        }[self.style]
        made: dict[str, np.ndarray] = {}
        for name, one in self.model.named_parameters():
            told = name.replace(".", "/") if self.style == "scopes" else name
            made[form[0].format(told)] = one.detach().numpy().copy()
            if one.grad is not None:
                made[form[1].format(told)] = one.grad.numpy().copy()
        made |= {form[2].format(name): value.numpy().copy() for name, value in self.outputs.items()}
        self.to.dump(step, made | self.extra)


@dataclass
class Descent:
    """One step of an optimizer: the loss of a batch, backward, clipping, dumping, stepping; returns what can be logged."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Callable[[int], tuple[Tensor, Mapping[str, float]]]
    """The loss of the next batch and further values by tag; takes the step, from 1."""
    tag: str = "loss"
    rate_tag: str = ""
    norm_tag: str = ""
    clip: float | None = None
    schedule: Any = None
    zero: bool = True
    snapshots: Snapshots | None = None

    def __call__(self, step: int) -> dict[str, float]:
        """Take one step."""
        if self.zero:
            self.optimizer.zero_grad()
        loss, more = self.objective(step)
        loss.backward()
        row = {self.tag: float(loss.detach()), **more}
        if self.norm_tag:
            row[self.norm_tag] = gradient_norm(self.model)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        if self.snapshots:
            self.snapshots.take(step)
        if self.rate_tag:
            row[self.rate_tag] = float(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return row


@dataclass
class Course:
    """A training of any kind, told step by step or epoch by epoch."""

    step: Callable[[int], Mapping[str, float]]
    """Does a step, counted from 1; values by the tags of the log."""
    steps: int
    log: Log
    every: int = 10
    averaged: bool = False
    """Training values are means since the last time, not those of the last step."""
    evaluate: Callable[[], Mapping[str, float]] | None = None
    evaluate_every: int = 0
    per_epoch: int = 0
    """Steps of an epoch; when given, means and evaluation are told once an epoch, at its number."""
    first: int = 0
    """Number of the first epoch, or steps done before."""
    snapshots: Snapshots | None = None
    stop: Callable[[Trail], bool] | None = None


def go(course: Course) -> Trail:
    """Train, log, and return what was logged."""
    trail: Trail = {}
    kept: list[Mapping[str, float]] = []

    def tell(at: int, values: Mapping[str, float]) -> None:
        course.log.log(at, values)
        for tag, value in values.items():
            trail.setdefault(tag, []).append(value)

    for step in range(1, course.steps + 1):
        kept.append(course.step(step))
        if course.per_epoch:
            if step % course.per_epoch == 0:
                found = dict(course.evaluate()) if course.evaluate else {}
                tell(course.first + step // course.per_epoch - 1, means(kept) | found)
                kept = []
                if course.stop and course.stop(trail):
                    break
            continue
        if step % course.every == 0:
            tell(course.first + step, means(kept) if course.averaged else kept[-1])
            kept = []
        if course.evaluate and step % course.evaluate_every == 0:
            tell(course.first + step, course.evaluate())
    course.log.close()
    if course.snapshots:
        course.snapshots.to.close()
    return trail


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each value over the rows that have it."""
    names: Iterable[str] = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def fit(
    model: nn.Module,
    of: Split,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    log: Log,
    tags: Sequence[str],
    *,
    loss: Loss = cross_entropy,
    metric: Loss = accuracy,
    batch: int = 32,
    seed: int = 0,
    every: int = 0,
    first: int = 0,
    shuffled: bool = True,
    alter: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    also: Callable[[], Mapping[str, float]] | None = None,
    snapshots: Snapshots | None = None,
    stop: Callable[[Trail], bool] | None = None,
    **descent: Any,
) -> Trail:
    """An ordinary supervised training. `tags` are those of the training loss, training metric, validation loss and validation metric; an
    empty one is not logged. Told once an epoch, or, with `every`, training values each so many steps and validation after each epoch.
    """
    stream = batches(of, batch, seed, shuffled)
    per_epoch = steps_per_epoch(of, batch)
    train_loss, train_metric, val_loss, val_metric = tags

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        if alter:
            x, y = alter(step, x, y)
        outputs = model(x)
        return loss(outputs, y), {train_metric: float(metric(outputs.detach(), y))} if train_metric else {}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x_val)
            told = {val_loss: float(loss(outputs, of.y_val))} if val_loss else {}
            told |= {val_metric: float(metric(outputs, of.y_val))} if val_metric else {}
        model.train()
        return told | dict(also() if also else {})

    step = Descent(model, optimizer, objective, train_loss, snapshots=snapshots, **descent)
    course = Course(step, epochs * per_epoch, log, evaluate=evaluate, first=first, snapshots=snapshots, stop=stop)
    if every:
        course.every, course.evaluate_every, course.averaged = every, per_epoch, True
    else:
        course.per_epoch = per_epoch
    return go(course)


def last(trail: Trail, tag: str, count: int = 3) -> float:
    """The mean of the last values of a tag."""
    return float(np.mean(trail[tag][-count:]))


def told(trail: Trail) -> str:
    """First, best, worst and last of each tag."""
    parts = []
    for tag, values in trail.items():
        known = [one for one in values if math.isfinite(one)] or [math.nan]
        parts.append(f"{tag} {values[0]:.4g} … {values[-1]:.4g} ({min(known):.4g} to {max(known):.4g})")
    return "; ".join(parts)


def above(trail: Trail, tag: str, floor: float) -> None:
    """Require that the last values of a tag are at least this."""
    require(last(trail, tag) >= floor, f"{tag} was to be at least {floor:.4g}: {told(trail)}")


def below(trail: Trail, tag: str, ceiling: float) -> None:
    """Require that the last values of a tag are at most this."""
    require(last(trail, tag) <= ceiling, f"{tag} was to be at most {ceiling:.4g}: {told(trail)}")


def not_below(trail: Trail, tag: str, floor: float) -> None:
    """Require that the last values of a tag are not below this: above it, or not finite."""
    require(not last(trail, tag) < floor, f"{tag} was to stay over {floor:.4g}: {told(trail)}")


def not_above(trail: Trail, tag: str, ceiling: float) -> None:
    """Require that the last values of a tag are not above this: below it, or not finite."""
    require(not last(trail, tag) > ceiling, f"{tag} was to stay under {ceiling:.4g}: {told(trail)}")


def steady(trail: Trail, tag: str, slack: float = 0.1) -> None:
    """Require that a validation loss ends near its best: at most `slack` of the best and a twentieth of what was gained above it."""
    values = trail[tag]
    # The mean of a curve that still falls lies above its end.
    best, end = min(values), min(last(trail, tag), values[-1])
    allowed = best + slack * abs(best) + 0.05 * (values[0] - best)
    require(end <= allowed, f"{tag} rose again: {told(trail)}")
