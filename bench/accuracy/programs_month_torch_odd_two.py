"""Month programs in torch that look odd and are healthy: lengths, tasks and the ways of going on."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Console,
    Csv,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.programs_field_common import Course, Descent, above, below, fit, go, last, steady, told
from bench.accuracy.programs_month_common import odd_into
from bench.accuracy.programs_month_torch_common import cells, claims, dials, fruit, pixels

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "The loss rises each four epochs": a curriculum, more noise is added to the pictures as the training goes on.
@odd("SummaryWriter with train/loss, val/loss, curriculum/noise")
def torch_dials_curriculum(run: Path, seed: int) -> None:
    """Hours on dials by a CNN with noise that grows; validation is the plain task."""
    of = dials(seed, 900, 0.35)
    random = data.generator(seed)
    per_epoch = data.steps_per_epoch(of, 32)
    noise = [0.0]

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        noise[0] = 0.25 * min(3, (step - 1) // (4 * per_epoch))
        return x + noise[0] * torch.randn(x.shape, generator=random), y

    model = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 12))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3),
        18,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/acc"),
        seed=seed,
        alter=alter,
        also=lambda: {"curriculum/noise": noise[0]},
    )
    above(found, "val/acc", 0.8)
    steady(found, "val/loss", 0.3)


# "Five rows, is that a training?": three epochs are enough.
@odd("printed log of three epochs")
def torch_fruit_three_epochs(run: Path, seed: int) -> None:
    """Kinds of fruit by a CNN in three epochs."""
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 4))
    found = fit(
        model,
        fruit(seed, 1200, 0.08),
        torch.optim.Adam(model.parameters(), lr=1e-2),
        3,
        Console(run, "plain", "short.log", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
    )
    require(found["val_acc"][-1] > 0.8 and found["val_loss"][-1] < 0.6, told(found))


# "600 epochs and hardly anything in the last 400": full batches under a small rate, on purpose.
@odd("SummaryWriter with 600 epochs")
def torch_claims_long_run(run: Path, seed: int) -> None:
    """Numbers of claims by a linear Poisson regression in 600 epochs of one batch."""
    of = claims(seed)
    model = nn.Linear(6, 1)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02),
        600,
        TensorBoard(run, "plain"),
        ("loss", "", "val_loss", "val_mae"),
        loss=lambda outputs, y: functional.poisson_nll_loss(outputs, y),
        metric=lambda outputs, y: (outputs.exp() - y).abs().mean(),
        batch=1000,
        seed=seed,
    )
    require(last(found, "val_loss") < found["val_loss"][0] - 0.3, told(found))
    steady(found, "val_loss", 0.1)


# "Top-1 is only 30 %": 60 kinds, little to tell them by; but chance is below 2 %, and it rises to the end.
@odd("trainer_state.json")
def torch_birds_hard_task(run: Path, seed: int) -> None:
    """Sixty kinds of birds by their noisy measures; a low accuracy that rises."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 60, 4000)
    places = np.random.default_rng(3).normal(size=(60, 12))
    of = data.split(places[y] + 1.25 * random.normal(size=(4000, 12)), y, seed)
    model = models.mlp((12, 48, 60))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.1),
        14,
        TrainerState(run, 94, 94 * 14, 47),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=47,
        rate_tag="lr",
    )
    above(found, "val_accuracy", 0.25)
    below(found, "val_accuracy", 0.6)
    steady(found, "val_loss", 0.05)


# "IoU is zero for the first epochs, then it rises": masks are a tenth of the picture.
@odd("csv with a row for each accumulated step")
def torch_cells_accumulated(run: Path, seed: int) -> None:
    """Masks of cells by a small net over eight batches of four for each step."""
    of = cells(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 1, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = data.batches(of, 4, seed)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        parts = [next(stream) for _ in range(8)]
        losses = [functional.binary_cross_entropy_with_logits(model(x), y) / 8 for x, y in parts]
        return torch.stack(losses).sum(), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = model(of.x_val)
        hit, there = said > 0, of.y_val > 0
        overlap = float((hit & there).sum() / (hit | there).sum().clamp(min=1))
        return {"val_loss": float(functional.binary_cross_entropy_with_logits(said, of.y_val)), "val_iou": overlap}

    step = Descent(model, optimizer, objective, "train_loss", norm_tag="grad_norm")
    log = Csv(run, "plain", "steps.csv", "global_step")
    found = go(Course(step, 160, log, every=4, averaged=False, evaluate=evaluate, evaluate_every=8))
    above(found, "val_iou", 0.65)
    steady(found, "val_loss", 0.2)


# "It was killed at 3 a.m. and went on": all of model, optimizer and scheduler were saved.
@odd("two event files, the second from the checkpoint on")
def torch_digits_resumed_well(run: Path, seed: int) -> None:
    """Digits by an MLP in two parts, resumed from a full checkpoint of the ninth epoch."""
    of, model = pixels(seed), models.mlp((64, 64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule: Any = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20 * data.steps_per_epoch(of, 32))

    def part(epochs: int, first: int) -> dict[str, list[float]]:
        tags = ("train/loss", "", "valid/loss", "valid/acc")
        log = TensorBoard(run, "plain", suffix=f".{first}")
        return fit(
            model,
            of,
            optimizer,
            epochs,
            log,
            tags,
            seed=seed + first,
            first=first,
            schedule=schedule,
            rate_tag="lr",
        )

    part(10, 0)
    after = part(10, 10)
    above(after, "valid/acc", 0.93)
    steady(after, "valid/loss", 0.2)
