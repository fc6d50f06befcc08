"""Bug-fix commits in PyTorch: what is left over from debugging."""

from pathlib import Path

import torch
from torch import nn

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console
from bench.accuracy.programs_commit_common import into
from bench.accuracy.programs_commit_torch_common import signs
from bench.accuracy.programs_field_common import above, below, fit, last, steady, told
from bench.accuracy.programs_post_common import over

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "remove debugging leftover": Subset(train_set, range(64)) was there to try out the loop, and stayed for the real training.
@pair(
    "too-little-data",
    ("overfit", "generalisation-gap", "overtraining"),
    "console log with a line an epoch",
)
def subset_left_over(run: Path, seed: int, fixed: bool) -> None:
    """Road signs by a CNN; faulty: trained on the first 64 pictures of 1,050 only."""
    of = over(signs(seed, samples=1400, noise=50.0), 255.0)
    if not fixed:
        of = data.Split(of.x[:64], of.y[:64], of.x_val, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(576, 64),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(64, 5),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40 * data.steps_per_epoch(of, 16))
    found = fit(
        model,
        of,
        optimizer,
        40,
        Console(run, "plain", "train.log", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        schedule=schedule,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_acc", 0.75)
        above(found, "train_acc", 0.95)
        require(last(found, "val_loss") > 5 * last(found, "train_loss"), f"it was to overfit: {told(found)}")
