"""Month programs in torch with roots of zero: in a distance, and in a norm under GradScaler."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    go,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_torch_common import Only, pixels

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "NaN in a random epoch, other seeds later": a distance by torch.sqrt, and the same photograph uploaded twice.
@pair(
    "nan-in-gradient",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "constant-answer"),
    "jsonl, and Parquet of weights and gradients",
    dumps=True,
)
def torch_siamese_root_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Same digit or not by a Siamese net with a root of the squared distance; fixed: with an epsilon under the root."""
    of = pixels(seed)
    x = of.x[:480].clone()
    y = of.y[:480]
    for one in range(0, 16, 2):
        x[one], y[one] = x[one + 1], y[one + 1]
    model = models.mlp((64, 32, 8))
    random = data.generator(seed)

    def pairs(of_x: Tensor, of_y: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        first = torch.randint(0, len(of_x), (count,), generator=random)
        order = torch.randperm(len(of_x), generator=random)
        second = order[torch.randint(0, len(of_x), (count,), generator=random)]
        for row in range(0, count, 2):
            same = (of_y == of_y[first[row]]).nonzero()[:, 0]
            same = same[same != first[row]]
            second[row] = same[torch.randint(0, len(same), (1,), generator=random)]
        second = torch.where(second == first, (second + 1) % len(of_x), second)
        return of_x[first], of_x[second], (of_y[first] == of_y[second]).float()

    def loss(a: Tensor, b: Tensor, same: Tensor) -> tuple[Tensor, dict[str, float]]:
        distance = ((model(a) - model(b)).square().sum(1) + (1e-6 if fixed else 0)).sqrt()
        value = (same * distance.square() + (1 - same) * (1 - distance).clamp(min=0).square()).mean()
        return value, {"pair_acc": float(((distance < 0.5) == (same > 0)).float().mean())}

    held = pairs(of.x_val, of.y_val, 200)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            value, more = loss(*held)
        return {"val_loss": float(value), "val_pair_acc": more["pair_acc"]}

    take = Only(ParquetDump(run), lambda name: "activations" not in name)
    snapshots = Snapshots(take, model, 60, watched=False)
    step = Descent(
        model,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        lambda _: loss(*pairs(x, y, 32)),
        snapshots=snapshots,
    )
    log = JsonLines(run, "plain", "siamese.jsonl", "epoch", timed=True)
    found = go(Course(step, 30 * 15, log, evaluate=evaluate, per_epoch=15, snapshots=snapshots))
    if fixed:
        above(found, "val_pair_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        require(not found["val_loss"][-1] < 5, told(found))


# "AMP made it slower and it learns nothing": each batch has an empty row, whose norm of zero has no gradient.
@pair(
    "loss-scale-collapse",
    ("loss-scale-collapse", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "stalled-training"),
    "SummaryWriter with amp/scale",
)
def torch_digits_scale_collapse(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP on rows of unit norm, with GradScaler and some blank rows; fixed: functional.normalize."""
    of = pixels(seed)
    x = of.x.clone()
    x[::12] = 0
    of = replace(of, x=x)
    body, head = nn.Linear(64, 48, bias=False), nn.Linear(48, 10)
    model = nn.Sequential(body, nn.Tanh(), head)
    scaler: Any = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(of, 32, seed)

    def outputs(x: Tensor) -> Tensor:
        h = torch.tanh(body(x))
        if fixed:
            return head(10 * functional.normalize(h, dim=1))
        return head(10 * h / h.square().sum(1, keepdim=True).sqrt().clamp(min=1e-6))

    def step(_: int) -> dict[str, float]:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = functional.cross_entropy(outputs(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return {"train/loss": float(loss.detach()), "amp/scale": float(scaler.get_scale())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = outputs(of.x_val)
        loss = float(functional.cross_entropy(said, of.y_val))
        return {"val/loss": loss, "val/acc": float((said.argmax(1) == of.y_val).float().mean())}

    course = Course(step, 12 * 43, TensorBoard(run, "plain"), every=10, evaluate=evaluate, evaluate_every=43)
    found = go(course)
    if fixed:
        above(found, "val/acc", 0.9)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/acc", 0.5)
        not_above(found, "amp/scale", 1e-3)
        not_below(found, "val/loss", 1.5)
