"""An ordinary training loop in torch, for recipes that need nothing odd of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy.data import Split, batches, steps_per_epoch
from bench.accuracy.loggers import Dump, Log, tensors_of, watch

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over the last axis, for any number of axes before it."""
    return functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of targets that are hit."""
    return (outputs.argmax(-1) == targets).float().mean()


@dataclass
class Plan:
    """What to train, and how often to say what."""

    model: nn.Module
    data: Split
    optimizer: torch.optim.Optimizer
    steps: int
    loss: Loss = cross_entropy
    metrics: Mapping[str, Loss] = field(default_factory=lambda: {"accuracy": accuracy})
    """Logged as `train_NAME` (on the batch) and `val_NAME`."""
    batch: int = 32
    seed: int = 0
    """Of the order of the data."""
    schedule: Any = None
    """A scheduler of torch, stepped after each step."""
    clip: float | None = None
    accumulate: int = 1
    """Batches for each step of the optimizer; a step is a step of the optimizer."""
    log_every: int = 10
    """Steps between training scalars: the loss is the last batch's, or with `averaged` the mean since the last time."""
    averaged: bool = False
    evaluate_every: int = 50
    by_epoch: bool = False
    """Log once an epoch only: the mean training loss and the validation, on the axis of epochs from 0."""
    also: frozenset[str] = frozenset({"lr", "grad_norm"})
    """What is logged beside loss and metrics: `lr`, `grad_norm`, `epoch`."""
    train_metrics: bool = True
    dump_every: int = 0
    """Steps between dumps; 0: none."""
    first_step: int = 0
    """Where the counting begins: a resumed run goes on."""
    stop: Callable[[dict[str, float]], bool] | None = None
    """Asked after each evaluation with its values; true ends the training."""
    shuffled: bool = True


def evaluate(plan: Plan) -> dict[str, float]:
    """Loss and metrics over the validation data, as `val_NAME`."""
    plan.model.eval()
    with torch.no_grad():
        outputs = plan.model(plan.data.x_val)
        found = {"val_loss": float(plan.loss(outputs, plan.data.y_val))}
        found |= {f"val_{name}": float(metric(outputs, plan.data.y_val)) for name, metric in plan.metrics.items()}
    plan.model.train()
    return found


def gradient_norm(model: nn.Module) -> float:
    """The norm over all gradients."""
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    return float(torch.nn.utils.get_total_norm([one.to_dense() if one.is_sparse else one for one in gradients]))


def fit(plan: Plan, log: Log, dump: Dump | None = None) -> dict[str, float]:
    """Train, log and dump; the last evaluation, with `first_val_loss`, `best_val_loss`, `train_loss` (mean of the last tenth of the steps)
    and `steps`.
    """
    activations = watch(plan.model) if dump else None
    stream = batches(plan.data, plan.batch, plan.seed, plan.shuffled)
    per_epoch = max(1, steps_per_epoch(plan.data, plan.batch) // plan.accumulate)
    evaluate_every = per_epoch if plan.by_epoch else plan.evaluate_every
    log_every = per_epoch if plan.by_epoch else plan.log_every
    losses: list[float] = []
    kept: list[dict[str, float]] = []
    found = evaluate(plan)
    evaluated = [found["val_loss"]]
    done = 0
    for done in range(1, plan.steps + 1):
        row = _step(plan, stream, dump, activations, done)
        losses.append(row["train_loss"])
        kept.append(row)
        values: dict[str, float] = {}
        if done % log_every == 0:
            values = _told(plan, kept, done / per_epoch)
            kept = []
        if done % evaluate_every == 0:
            found = evaluate(plan)
            evaluated.append(found["val_loss"])
            values |= found
        if values:
            log.log(plan.first_step + (done // per_epoch - 1 if plan.by_epoch else done), values)
        if done % evaluate_every == 0 and plan.stop and plan.stop(found):
            break
    log.close()
    if dump:
        dump.close()
    tail = losses[-max(1, len(losses) // 10) :]
    return {
        **found,
        "first_val_loss": evaluated[0],
        "best_val_loss": min(evaluated),
        "train_loss": sum(tail) / len(tail),
        "steps": float(done),
    }


def _step(plan: Plan, stream: Any, dump: Dump | None, activations: Any, done: int) -> dict[str, float]:
    """One step of the optimizer; what can be logged of it."""
    plan.optimizer.zero_grad()
    row = {"train_loss": 0.0, **{f"train_{name}": 0.0 for name in plan.metrics}}
    for _ in range(plan.accumulate):
        x, y = next(stream)
        outputs = plan.model(x)
        loss = plan.loss(outputs, y) / plan.accumulate
        loss.backward()
        row["train_loss"] += float(loss.detach())
        for name, metric in plan.metrics.items():
            row[f"train_{name}"] += float(metric(outputs.detach(), y)) / plan.accumulate
    row["grad_norm"] = gradient_norm(plan.model)
    if plan.clip is not None:
        torch.nn.utils.clip_grad_norm_(plan.model.parameters(), plan.clip)
    if dump and plan.dump_every and (done - 1) % plan.dump_every == 0:
        dump.dump(plan.first_step + done, tensors_of(plan.model, activations))
    row["lr"] = plan.optimizer.param_groups[0]["lr"]
    plan.optimizer.step()
    if plan.schedule is not None:
        plan.schedule.step()
    return row


def _told(plan: Plan, kept: list[dict[str, float]], epoch: float) -> dict[str, float]:
    """What to log of the rows since the last time."""
    names = ["train_loss", *(f"train_{name}" for name in plan.metrics if plan.train_metrics)]
    if plan.by_epoch or plan.averaged:
        values = {name: sum(row[name] for row in kept) / len(kept) for name in names}
    else:
        values = {name: kept[-1][name] for name in names}
    values |= {name: kept[-1][name] for name in ("lr", "grad_norm") if name in plan.also}
    if "epoch" in plan.also:
        values["epoch"] = epoch
    return values
