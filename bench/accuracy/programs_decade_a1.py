"""Programs in PyTorch whose learning rate, schedule or optimizer is wrong; and their repaired versions."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_decade_a_common import beats
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import mails
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, not_above, steady, told
from bench.accuracy.programs_post_common import explained, houses, reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Loss is nan after the second epoch, why?": SGD(lr=0.05) with momentum 0.9 on a regression whose targets are in thousands.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "loss-divergence",
        "non-finite",
        "exploding-gradient",
        "loss-goes-missing",
        "loss-spike",
    ),
    "csv by hand with a row for each epoch",
)
def house_prices_diverge(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by an MLP under SGD(0.05, momentum=0.9); fixed: 0.0005."""
    of = houses(seed)
    model = models.mlp((10, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=5e-4 if fixed else 0.05, momentum=0.9),
        30,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_mse", 0.3)
    else:
        not_above(found, "val_r2", 0.3)


# "It trains without an error but eval_accuracy stays at 0.5": learning_rate=1e-6, a typo for 1e-3 in the launch script.
@pair(
    "learning-rate-too-low",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "updates-too-small", "task-not-learned"),
    "trainer_state.json of a Hugging Face trainer",
)
def sentiment_rate_typo(run: Path, seed: int, fixed: bool) -> None:
    """Sentiment of reviews by a small transformer under AdamW(1e-6); fixed: 1e-3."""
    of = reviews(seed, 480, share=0.3)
    model = models.Transformer(2, 300, width=24, layers=1, length=30, causal=False, pooled=True)
    rate, planned = (1e-3 if fixed else 1e-6), 12 * data.steps_per_epoch(of, 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    warm = planned // 10
    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, data.steps_per_epoch(of, 16), planned),
        ("train_loss", "", "val_loss", "val_accuracy"),
        batch=16,
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, max(0.02, (planned - step) / (planned - warm)))
        ),
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_accuracy", 0.65)


# "After epoch 3 nothing moves any more": get_linear_schedule(num_training_steps=...) was given for a tenth of the epochs.
@pair(
    "learning-rate-zero-too-early",
    ("learning-rate-zero", "rate-falls-too-soon", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"),
    "JSON lines by hand with lr",
)
def linear_decay_ends_early(run: Path, seed: int, fixed: bool) -> None:
    """Heart beats by a 1-D CNN whose linear decay reaches zero after three of 25 epochs; fixed: after all."""
    of = beats(seed)
    model = nn.Sequential(
        nn.Conv1d(1, 12, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(12, 16, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(208, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    planned = data.steps_per_epoch(of, 32) * (25 if fixed else 3)
    found = fit(
        model,
        of,
        optimizer,
        25,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / planned)),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.78)


# "StepLR makes my net stop learning": scheduler.step() stands in the batch loop, so the rate falls tenfold each five batches.
@pair(
    "learning-rate-zero-too-early",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"),
    "Lightning's metrics.csv with lr-SGD and tensors in HDF5",
    dumps=True,
)
def step_in_batch_loop(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP with StepLR(8, 0.3) stepped for each batch; fixed: for each epoch."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    size = 8 * (data.steps_per_epoch(of, 32) if fixed else 1)
    found = fit(
        model,
        of,
        optimizer,
        20,
        Csv(run, "lightning", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr-SGD",
        schedule=torch.optim.lr_scheduler.StepLR(optimizer, size, 0.3),
        snapshots=Snapshots(Hdf5Dump(run), model, 42, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.8)


# "The transformer from the paper does not learn": post-norm, Adam at full rate from the first step, the warm-up left out.
@pair(
    "no-warm-up",
    (
        "learning-rate-too-high",
        "loss-not-decreasing",
        "loss-plateau",
        "unstable-loss",
        "loss-spike",
        "schedule-mismatch",
    ),
    "SummaryWriter with train/loss each 10 steps",
)
def post_norm_without_warm_up(run: Path, seed: int, fixed: bool) -> None:
    """A text by a post-norm transformer of five layers at 0.02 from the first step; fixed: a warm-up of 80 steps to 0.01."""
    of, size = data.characters(seed, 24, 240)
    model = models.Transformer(size, size, width=32, layers=5, length=24, post_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    total = 10 * data.steps_per_epoch(of, 8)

    def factor(step: int) -> float:
        fall = max(0.02, 0.5 * (1 + math.cos(math.pi * step / total)))
        return fall * (min(1.0, (step + 1) / 80) * 0.5 if fixed else 1.0)

    found = fit(
        model,
        of,
        optimizer,
        10,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/token_acc"),
        batch=8,
        seed=seed,
        every=10,
        rate_tag="train/lr",
        norm_tag="train/grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
    )
    if fixed:
        above(found, "val/token_acc", 0.6)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/token_acc", 0.5)


# "After --resume the curve jumps": the checkpoint holds the model only; optimizer and scheduler begin anew.
@pair(
    "resume-without-state",
    ("state-lost-on-resume", "schedule-mismatch", "loss-spike", "best-is-not-last", "learning-rate-too-high"),
    "SummaryWriter, two event files, with lr",
)
def resumed_from_weights_only(run: Path, seed: int, fixed: bool) -> None:
    """Departments of mails by an embedding net, stopped after 12 of 20 epochs and resumed at the first, high rate; fixed: state kept."""
    of = mails(seed, 800)
    model = nn.Sequential(nn.EmbeddingBag(200, 16), nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    per_epoch = data.steps_per_epoch(of, 32)

    def optimiser() -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        one = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=3e-3)
        return one, torch.optim.lr_scheduler.OneCycleLR(one, 0.5, total_steps=20 * per_epoch + 1, pct_start=0.1)

    optimizer, schedule = optimiser()
    tags = ("loss", "acc", "val_loss", "val_acc")
    before = fit(model, of, optimizer, 14, TensorBoard(run, "plain"), tags, seed=seed, rate_tag="lr", schedule=schedule)
    if not fixed:
        optimizer, schedule = optimiser()
    after = fit(
        model,
        of,
        optimizer,
        6,
        TensorBoard(run, "plain", suffix=".resumed"),
        tags,
        first=14,
        seed=seed + 100,
        rate_tag="lr",
        schedule=schedule,
    )
    if fixed:
        above(after, "val_acc", 0.8)
        require(after["val_loss"][-1] <= 1.3 * min(before["val_loss"] + after["val_loss"]), told(after))
    else:
        require(max(after["loss"]) > 1.8 * before["loss"][-1], f"{told(before)}; then {told(after)}")


# "Clipping should make it stable, now it is very stable": clip_grad_norm_(…, 0.001), meant as 1.0.
@pair(
    "gradients-clipped-too-tight",
    (
        "gradient-always-clipped",
        "loss-not-decreasing",
        "loss-plateau",
        "updates-too-small",
        "underfit",
        "still-improving",
    ),
    "csv by hand with the norm of the gradients",
)
def clipped_to_a_thousandth(run: Path, seed: int, fixed: bool) -> None:
    """Characters of a text by a GRU under SGD(0.5) with gradients clipped at 0.001; fixed: at 1."""
    of, size = data.characters(seed, 24, 240)
    model = models.Recurrent("gru", 16, 48, size, vocabulary=size, every_step=True)

    def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(-1) == targets).float().mean()

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9),
        10,
        Csv(run, "plain", "log.csv", "iter"),
        ("train_loss", "", "valid_loss", "valid_acc"),
        metric=accuracy,
        batch=8,
        seed=seed,
        every=10,
        clip=1.0 if fixed else 0.001,
        norm_tag="grad_norm",
    )
    if fixed:
        below(found, "valid_loss", 1.1)
        steady(found, "valid_loss", 0.2)
    else:
        not_above({"x": [-one for one in found["valid_loss"]]}, "x", -2.2)
