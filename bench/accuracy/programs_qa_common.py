"""What the programs of the kind that people ask about share: pairs of a faulty program and its fixed version, a plain loop, and proofs.

A program is written once, with `fixed` saying whether the accepted answer is in it: both versions log the same under the same names.
Which rules a fault expects is written from what the rules say that they find, not from what mlcheck printed.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy.data import Split, generator
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Dump, Log, watch
from bench.accuracy.loop import Loss, accuracy, cross_entropy, gradient_norm

NOT_LEARNING = ("loss-not-decreasing", "metric-at-chance", "underfit")
"""The model learns nothing from its training data."""
STANDS = ("loss-not-decreasing", "loss-plateau", "underfit")
"""The loss goes down to a poor level, if at all, and stands there."""
TOO_FAST = ("learning-rate-too-high", "loss-divergence", "exploding-gradient", "updates-too-large")
"""Steps so long that the loss is driven up."""
VALIDATION_LOST = ("overfit", "metric-at-chance")
"""The training goes well, and the validation shows nothing of it."""

Program = Callable[[Path, int, bool], None]
"""Trains into a run directory with a seed; True: with the accepted answer."""
Row = Mapping[str, float]


def into(found: list[Recipe]) -> Callable[..., Callable[[Program], Program]]:
    """A decorator that appends two recipes named after the program: `qa-…-faulty` and `qa-…-fixed`."""

    def pair(
        fault: str, expects: Sequence[str], logger: str, *, dumps: bool = False, framework: str = "torch", **where: Any
    ) -> Callable[[Program], Program]:
        def keep(program: Program) -> Program:
            name = f"qa-{program.__name__.replace('_', '-')}"
            about: dict[str, Any] = {"scalars_only": not dumps, "framework": framework, "logger": logger}
            found.append(
                Recipe(
                    f"{name}-faulty", fault, "development", _version(program, False), tuple(expects), **where, **about
                )
            )
            found.append(Recipe(f"{name}-fixed", "healthy", "development", _version(program, True), **about))
            return program

        return keep

    return pair


def _version(program: Program, fixed: bool) -> Callable[[Path, int], None]:
    @functools.wraps(program)
    def build(run: Path, seed: int) -> None:
        program(run, seed, fixed)

    return build


def odd_into(found: list[Recipe]) -> Callable[..., Callable[[Callable[[Path, int], None]], None]]:
    """A decorator that appends one healthy recipe, which looks odd: `qa-odd-…`."""

    def odd(logger: str, *, dumps: bool = False, framework: str = "torch") -> Any:
        def keep(build: Callable[[Path, int], None]) -> Callable[[Path, int], None]:
            name = f"qa-odd-{build.__name__.replace('_', '-')}"
            found.append(
                Recipe(
                    name, "healthy", "development", build, scalars_only=not dumps, framework=framework, logger=logger
                )
            )
            return build

        return keep

    return odd


@dataclass
class Curves:
    """What a training went through, one value an epoch."""

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)
    val_metric: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        told = ((name, getattr(self, name)) for name in ("loss", "val_loss", "metric", "val_metric"))
        return ", ".join(
            f"{name} {values[0]:.4g} to {values[-1]:.4g} ({min(values):.4g} to {max(values):.4g})"
            for name, values in told
            if values
        )


def learned(found: Curves, metric: float | None = None, share_left: float = 0.7, late_rise: float = 0.1) -> None:
    """Require that a fixed program learned: this validation metric at the end (higher is better), at most this share of the first training
    loss left, and a validation loss that ends near its best.
    """
    require(found.loss[-1] <= share_left * found.loss[0], f"too little learned: {found}")
    if metric is not None:
        require(found.val_metric[-1] >= metric, f"asked for {metric:g}: {found}")
    if found.val_loss:
        first, best, last = found.val_loss[0], min(found.val_loss), found.val_loss[-1]
        require(last <= best * (1 + late_rise) + 0.02 * (first - best), f"the validation loss rose again: {found}")


def stuck(found: Curves, share_left: float = 0.93) -> None:
    """Require that the training loss kept this share of its first level, or is not finite."""
    end = float(np.mean(found.loss[-3:]))
    require(not end < share_left * found.loss[0], f"the loss fell all the same: {found}")


def no_better(found: Curves, ceiling: float) -> None:
    """Require that the validation metric (higher is better) ended below a ceiling."""
    require(not float(np.mean(found.val_metric[-3:])) >= ceiling, f"it learned, {ceiling:g} was the ceiling: {found}")


def not_finite(found: Curves) -> None:
    """Require that the training loss ended as NaN or infinite."""
    require(not math.isfinite(found.loss[-1]), f"all is finite: {found}")


def driven_up(found: Curves, times: float = 1.5) -> None:
    """Require that the training loss ended at so many times its first value, or not finite."""
    require(not found.loss[-1] <= times * found.loss[0], f"the loss was not driven up: {found}")


def binary_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of logits (n, 1) with classes (n,)."""
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())


def binary_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the classes that logits (n, 1) tell."""
    return ((outputs[:, 0] > 0).long() == targets).float().mean()


def explained(outputs: Tensor, targets: Tensor) -> Tensor:
    """R²: the share of the variance of the targets that is explained."""
    targets = targets.reshape(len(targets), -1)
    return 1 - (outputs.reshape(targets.shape) - targets).square().mean() / targets.var(0, unbiased=False).mean()


@dataclass
class Job:
    """A training in a loop as people write it."""

    model: nn.Module
    of: Split
    optimizer: torch.optim.Optimizer
    epochs: int
    log: Log
    tags: Mapping[str, str]
    """Name in the log of what is told after each epoch: loss, metric, val_loss, val_metric, lr, grad_norm, epoch."""
    step_tags: Mapping[str, str] = field(default_factory=dict)
    """The same of what is told every `every` steps: loss, metric, lr, grad_norm, epoch."""
    every: int = 1
    on_steps: bool = False
    """Epochs are told at the number of steps so far, and not at their own number."""
    first_epoch: int = 0
    loss: Loss = cross_entropy
    metric: Loss | None = accuracy
    batch: int = 32
    seed: int = 0
    schedule: Any = None
    """A scheduler of torch, stepped after each epoch, or after each step with `schedule_steps`."""
    schedule_steps: bool = False
    clip: float | None = None
    shuffled: bool = True
    zero_grad: bool = True
    evaluating: bool = True
    """Whether the model is told that it is evaluated."""
    dump: Dump | None = None
    dump_every: int = 0
    named: Callable[[nn.Module, Mapping[str, Tensor]], dict[str, np.ndarray]] | None = None
    """What is dumped of the model and its activations."""
    alter: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    """What becomes of a training batch at a step, counted from 1."""
    backward: Callable[[Tensor], None] = Tensor.backward
    stop: Callable[[Curves], bool] | None = None
    batch_seen: dict[str, np.ndarray] = field(default_factory=dict)
    """The last training batch: inputs, labels, outputs."""


def train(job: Job) -> Curves:
    """Train by epochs, log and dump; what it went through."""
    found, order = Curves(), generator(job.seed)
    activations = watch(job.model) if job.dump else {}
    step = 0
    for epoch in range(job.first_epoch, job.first_epoch + job.epochs):
        job.model.train()
        rows: list[Row] = []
        count = len(job.of.x)
        rank = torch.randperm(count, generator=order) if job.shuffled else torch.arange(count)
        for start in range(0, count, job.batch):
            step += 1
            row = {**_step(job, rank[start : start + job.batch], step, activations), "epoch": float(epoch)}
            rows.append(row)
            if job.step_tags and step % job.every == 0:
                job.log.log(step, {tag: row[name] for name, tag in job.step_tags.items() if name in row})
        told = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} | _evaluated(job)
        told |= {"epoch": float(epoch), "lr": rows[-1]["lr"]}
        for name in ("loss", "val_loss", "metric", "val_metric"):
            getattr(found, name).extend([told[name]] if name in told else [])
        job.log.log(
            step if job.on_steps else epoch, {tag: told[name] for name, tag in job.tags.items() if name in told}
        )
        if job.schedule is not None and not job.schedule_steps:
            job.schedule.step()
        if job.stop and job.stop(found):
            break
    job.log.close()
    if job.dump:
        job.dump.close()
    return found


def _step(job: Job, chosen: Tensor, step: int, activations: Mapping[str, Tensor]) -> dict[str, float]:
    x, y = job.of.x[chosen], job.of.y[chosen]
    if job.alter:
        x, y = job.alter(step, x, y)
    if job.zero_grad:
        job.optimizer.zero_grad()
    outputs = job.model(x)
    loss = job.loss(outputs, y)
    job.backward(loss)
    row = {"loss": float(loss.detach()), "lr": float(job.optimizer.param_groups[0]["lr"])}
    if any(one.grad is not None for one in job.model.parameters()):
        row["grad_norm"] = gradient_norm(job.model)
    if job.metric:
        row["metric"] = float(job.metric(outputs.detach(), y))
    if job.clip is not None:
        nn.utils.clip_grad_norm_(job.model.parameters(), job.clip)
    if job.dump and (step - 1) % job.dump_every == 0:
        job.batch_seen.update(inputs=x.numpy().copy(), labels=y.numpy().copy(), outputs=outputs.detach().numpy().copy())
        job.dump.dump(step, (job.named or as_parameters)(job.model, activations))
    job.optimizer.step()
    if job.schedule is not None and job.schedule_steps:
        job.schedule.step()
    return row


def _evaluated(job: Job) -> dict[str, float]:
    job.model.train(not job.evaluating)
    with torch.no_grad():
        outputs = job.model(job.of.x_val)
        told = {"val_loss": float(job.loss(outputs, job.of.y_val))}
        if job.metric:
            told["val_metric"] = float(job.metric(outputs, job.of.y_val))
    return told


def as_parameters(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors under the names that torch gives: fc1.weight, fc1.weight.grad; activations as relu1.output."""
    made = {}
    for name, one in model.named_parameters():
        made[name] = one.detach().numpy().copy()
        if one.grad is not None:
            made[f"{name}.grad"] = one.grad.numpy().copy()
    return made | {f"{name}.output": value.numpy().copy() for name, value in activations.items()}


def as_scopes(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors under the names that histograms are given: fc1/weight, grad/fc1/weight; activations as act/relu1."""
    made = {}
    for name, one in model.named_parameters():
        made[name.replace(".", "/")] = one.detach().numpy().copy()
        if one.grad is not None:
            made[f"grad/{name.replace('.', '/')}"] = one.grad.numpy().copy()
    return made | {f"act/{name}": value.numpy().copy() for name, value in activations.items()}
