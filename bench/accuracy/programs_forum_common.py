"""What the programs of the forum share: pairs of a faulty and a fixed version, an ordinary loop, how their authors write logs, and proofs.

A program is a function `(run, seed, faulty)`, written as somebody would have posted it; `faulty` chooses between the line that was asked
about and the line that was the answer.
"""

import csv
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy.data import Split, generator
from bench.accuracy.harness import HALVES, Recipe, require

Program = Callable[[Path, int, bool], None]
SEEN = HALVES[1]
NOT_LEARNING = ("loss-not-decreasing", "metric-at-chance", "underfit")
"""Nothing is learned from the training data."""
STUCK = ("loss-plateau", *NOT_LEARNING)
"""The loss stands where a constant answer has it; it may have fallen to there first."""
TOO_FAST = ("learning-rate-too-high", "loss-divergence", "exploding-gradient", "updates-too-large")
"""Steps so long that the loss is driven up."""


def into(found: list[Recipe]) -> Callable[..., Callable[[Program], Program]]:
    """A decorator that appends both versions of a program, named after the function: `forum-…-faulty` and `forum-…-fixed`."""

    def program(
        kind: str, expects: tuple[str, ...], logger: str, *, dumps: bool = False, framework: str = "torch", **more: Any
    ) -> Callable[[Program], Program]:
        def keep(build: Program) -> Program:
            name = f"forum-{build.__name__.replace('_', '-')}"
            about = {"scalars_only": not dumps, "framework": framework, "logger": logger}
            found.append(Recipe(f"{name}-faulty", kind, SEEN, _version(build, True), expects, **about, **more))
            found.append(Recipe(f"{name}-fixed", "healthy", SEEN, _version(build, False), **about))
            return build

        return keep

    return program


def _version(build: Program, faulty: bool) -> Callable[[Path, int], None]:
    """One version; it belongs to the module of the program, as the harness asks."""

    @functools.wraps(build)
    def one(run: Path, seed: int) -> None:
        build(run, seed, faulty)

    return one


def proved(faulty: bool, score: float, at_least: float, below: float, what: str = "validation accuracy") -> None:
    """Require `at_least` of the fixed version, and less than `below` (or NaN) of the faulty one."""
    if faulty:
        require(not score >= below, f"{what} {score:.4g} of the faulty version, less than {below:g} was planned")
    else:
        require(score >= at_least, f"{what} {score:.4g} of the fixed version, {at_least:g} was planned")


def ends_well(faulty: bool, losses: Sequence[float], share: float = 0.1) -> None:
    """Require of the fixed version that the last of the validation losses is within a share of the best, and below the first."""
    if faulty:
        return
    first, best, last = losses[0], min(losses), losses[-1]
    require(last < first, f"validation loss {first:.4g} at first, {last:.4g} at the end")
    near = best + share * abs(best) + 0.02 * (first - best)
    require(last <= near, f"validation loss {last:.4g} at the end, {best:.4g} at best")


def explained(outputs: Tensor, targets: Tensor) -> float:
    """R²: the share of the variance that is explained."""
    left = float(((outputs.reshape(-1) - targets.reshape(-1)) ** 2).mean())
    return 1 - left / float(targets.reshape(-1).var(unbiased=False))


def hits(outputs: Tensor, targets: Tensor) -> float:
    """Share of right classes: the largest of several outputs, or the sign of one logit."""
    if outputs.shape[-1] == 1:
        return float(((outputs.reshape(-1) > 0) == (targets.reshape(-1) > 0.5)).float().mean())
    return float((outputs.argmax(-1) == targets).float().mean())


@dataclass
class Job:
    """What is trained, and the lines of a loop that people get wrong."""

    model: nn.Module
    data: Split
    optimizer: torch.optim.Optimizer
    epochs: int
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy
    score: Callable[[Tensor, Tensor], float] = hits
    batch: int = 32
    seed: int = 0
    shuffle: bool = True
    zero_grad: bool = True
    clip: float | None = None
    before_step: Callable[[int], None] | None = None
    """Called with the number of the step between backward() and step()."""
    alter: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    """What becomes of the batch of a step before the model sees it."""


@dataclass
class Now:
    """Where a training is after one step."""

    epoch: int
    """From 1."""
    step: int
    """Since the start, from 1."""
    loss: float
    score: float
    grad_norm: float
    """Before any clipping."""
    last: bool
    """Whether this step ends its epoch."""
    losses: list[float] = field(default_factory=list)
    """Of this epoch so far."""
    scores: list[float] = field(default_factory=list)

    @property
    def mean_loss(self) -> float:
        """Mean over the epoch so far: the usual running loss."""
        return sum(self.losses) / len(self.losses)

    @property
    def mean_score(self) -> float:
        """Mean over the epoch so far."""
        return sum(self.scores) / len(self.scores)


def steps(job: Job) -> Iterator[Now]:
    """Train, and stop after each step for what its author does there."""
    random, count, done = generator(job.seed), len(job.data.x), 0
    for epoch in range(1, job.epochs + 1):
        job.model.train()
        order = torch.randperm(count, generator=random) if job.shuffle else torch.arange(count)
        now = Now(epoch, done, 0.0, 0.0, 0.0, False)
        for start in range(0, count, job.batch):
            chosen = order[start : start + job.batch]
            done += 1
            loss, score, norm = _step(job, done, job.data.x[chosen], job.data.y[chosen])
            now = Now(epoch, done, loss, score, norm, start + job.batch >= count, now.losses, now.scores)
            now.losses.append(loss)
            now.scores.append(score)
            yield now


def _step(job: Job, number: int, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """One step: loss, score and gradient norm."""
    if job.alter:
        x, y = job.alter(number, x, y)
    if job.zero_grad:
        job.optimizer.zero_grad()
    outputs = job.model(x)
    loss = job.loss(outputs, y)
    loss.backward()
    gradients = [one.grad for one in job.model.parameters() if one.grad is not None]
    norm = float(nn.utils.get_total_norm(gradients)) if gradients else 0.0
    if job.clip is not None:
        nn.utils.clip_grad_norm_(job.model.parameters(), job.clip)
    if job.before_step:
        job.before_step(number)
    job.optimizer.step()
    return float(loss.detach()), job.score(outputs.detach(), y), norm


def tested(job: Job, evaluation: bool = True) -> tuple[float, float]:
    """Loss and score on the validation data; without `evaluation` somebody forgot model.eval()."""
    job.model.train(not evaluation)
    with torch.no_grad():
        outputs = job.model(job.data.x_val)
        found = float(job.loss(outputs, job.data.y_val)), job.score(outputs, job.data.y_val)
    job.model.train()
    return found


class Table:
    """A CSV file that grows by a row at a time, with a fixed header."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.file = path.open("w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, columns)
        self.writer.writeheader()

    def row(self, **values: Any) -> None:
        """Write one row; columns that are not given stay empty."""
        self.writer.writerow(values)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def write_json(path: Path, what: Any) -> None:
    """One JSON document, numbers as floats."""
    path.write_text(json.dumps(what, default=float), encoding="utf-8")


def gradients_and_weights(model: nn.Module) -> dict[str, np.ndarray]:
    """`fc1.weight` and `fc1.weight.grad`, under torch's own names."""
    made = {name: parameter.detach().numpy().copy() for name, parameter in model.named_parameters()}
    grads = {f"{name}.grad": one.grad.numpy().copy() for name, one in model.named_parameters() if one.grad is not None}
    return made | grads


# Keras


def keras_module(seed: int) -> Any:
    """Keras on torch, seeded, with names of layers that begin anew as in a fresh process."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and targets for training, then for validation."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def each_epoch(told: Callable[[Any, int, Mapping[str, float]], None]) -> Any:
    """A callback of Keras that is given the model, the epoch (from 0) and its logs."""
    import keras

    class Each(keras.callbacks.Callback):
        """After each epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """Pass it on."""
            told(self.model, epoch, {name: float(value) for name, value in (logs or {}).items()})

    return Each()


def keras_board(run: Path, histograms: bool = False) -> Any:
    """What Keras' TensorBoard callback leaves: train/ and validation/ with epoch_*, and with `histograms` one of each weight."""
    from torch.utils.tensorboard import SummaryWriter

    train, val = SummaryWriter(str(run / "train")), SummaryWriter(str(run / "validation"))

    def told(model: Any, epoch: int, logs: Mapping[str, float]) -> None:
        for name, value in logs.items():
            (val if name.startswith("val_") else train).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        train.add_scalar("epoch_learning_rate", float(model.optimizer.learning_rate), epoch)
        if histograms:
            for one in model.trainable_variables:
                values = one.value.detach().numpy()
                if np.isfinite(values).all():
                    train.add_histogram(f"{one.path}/histogram", values, epoch)
        train.flush()
        val.flush()

    return each_epoch(told)


def history_h5(path: Path, history: Mapping[str, Sequence[float]]) -> None:
    """A data set for each key of `History.history`."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in history.items():
            file[name] = np.asarray(values)


def history_parquet(path: Path, history: Mapping[str, Sequence[float]]) -> None:
    """A column for each key of `History.history`, beside the epoch, as pandas.DataFrame(history).to_parquet would."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(next(iter(history.values())))
    columns = {name: [float(one) for one in values] for name, values in history.items()}
    pq.write_table(pa.table({"epoch": list(range(count)), **columns}), path)
