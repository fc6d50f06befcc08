"""The week's programs in PyTorch: rates, steps of the optimizer and what it is given; and their repaired versions."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.loop import gradient_norm
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, not_above, not_below, steady
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_week_common import into
from bench.accuracy.programs_week_torch_common import Printed, bearings, concrete, digits, genres, tickets, tides

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It says 1.386 from the second epoch on": Adam(lr=0.1), since 0.1 is what the SGD script had.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "updates-too-large",
        "dead-relu",
        "loss-plateau",
        "loss-not-decreasing",
        "metric-at-chance",
    ),
    "SummaryWriter with Loss/train and add_histogram each epoch",
    dumps=True,
)
def torch_pictures_hot_adam(run: Path, seed: int, fixed: bool) -> None:
    """Four kinds of pictures by a CNN under Adam(0.1); fixed: Adam(0.002)."""
    of = over(pictures(seed, noise=40), 255)
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(3, 12, 3))
    model.add_module("relu1", nn.ReLU())
    model.add_module("conv2", nn.Conv2d(12, 16, 3))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool", nn.MaxPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(256, 4))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.002 if fixed else 0.1),
        20,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        batch=16,
        rate_tag="LR",
        snapshots=Snapshots(HistogramDump(writer), model, 25, "torch"),
    )
    if fixed:
        above(found, "Accuracy/val", 0.88)
        steady(found, "Loss/val", 0.3)
    else:
        below(found, "Accuracy/val", 0.5)


# "Ten classes, and it guesses": lr=1e-6 instead of 1e-3 in the config.
@pair(
    "learning-rate-too-low",
    ("loss-not-decreasing", "metric-at-chance", "underfit", "still-improving", "loss-plateau", "task-not-learned"),
    "csv by hand with a row an epoch",
)
def torch_digits_typed_rate(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a small CNN under Adam(1e-6); fixed: 1e-3."""
    of = digits(seed)
    model = models.cnn(10, (8, 16))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 1e-6),
        20,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr",
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.4)


# "It stops learning after the first epoch": scheduler.step() stands in the loop over batches, with StepLR(step_size=3) meant for epochs.
@pair(
    "rate-falls-too-soon",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "loss-plateau",
        "underfit",
        "schedule-mismatch",
        "loss-not-decreasing",
    ),
    "trainer_state.json of Hugging Face",
)
def torch_tickets_stepped_each_batch(run: Path, seed: int, fixed: bool) -> None:
    """The topic of a ticket by a mean of embeddings; StepLR(3, 0.5) stepped each batch; fixed: each epoch."""
    of = tickets(seed)
    model = nn.Sequential(nn.EmbeddingBag(160, 24), nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3 * per_epoch if fixed else 3, 0.5)
    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, per_epoch, 12 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.6)


# "The transformer of the paper does not train on my machine": post-norm, the full rate from the first step, no scheduler with a warm-up.
@pair(
    "no-warm-up",
    (
        "learning-rate-too-high",
        "loss-plateau",
        "loss-not-decreasing",
        "metric-at-chance",
        "underfit",
        "unstable-loss",
    ),
    "SummaryWriter with train/loss each 10 steps",
)
def torch_digits_without_warmup(run: Path, seed: int, fixed: bool) -> None:
    """Digits row by row by a post-norm transformer at 0.01 throughout; fixed: up to it over 60 steps, then down."""
    flat = data.bundled("digits", seed)
    of = data.Split(flat.x.reshape(-1, 8, 8), flat.y, flat.x_val.reshape(-1, 8, 8), flat.y_val)
    kinds: dict[str, Any] = {"width": 32, "layers": 5, "length": 8, "causal": False, "pooled": True, "post_norm": True}
    model = models.Transformer(10, inputs=8, **kinds)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def share(step: int) -> float:
        fall = max(0.02, 1 - step / (12 * 22))
        return min((step + 1) / 60, fall) if fixed else 1.0

    found = fit(
        model,
        of,
        optimizer,
        12,
        TensorBoard(run, "plain"),
        ("train/loss", "", "eval/loss", "eval/accuracy"),
        seed=seed,
        batch=64,
        every=10,
        rate_tag="train/lr",
        norm_tag="train/grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, share),
    )
    if fixed:
        above(found, "eval/accuracy", 0.84)
        steady(found, "eval/loss", 0.3)
    else:
        below(found, "eval/accuracy", 0.65)


# "The strength of concrete goes up and down": I wrote the loop from memory and forgot optimizer.zero_grad().
@pair(
    "zero-grad-missing",
    (
        "unstable-loss",
        "validation-swings",
        "exploding-gradient",
        "loss-divergence",
        "loss-not-decreasing",
        "updates-too-large",
    ),
    "jsonl with an epoch a line; tensors.h5 by step",
    dumps=True,
)
def torch_concrete_no_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by an MLP under SGD with momentum, gradients never cleared; fixed: cleared."""
    of = concrete(seed)
    model = models.mlp((8, 32, 16, 1), "tanh")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        25,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("train_mse", "", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        zero=fixed,
        norm_tag="grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 60, watched=False),
    )
    if fixed:
        above(found, "val_r2", 0.85)
        steady(found, "val_mse", 0.25)
    else:
        not_above(found, "val_r2", 0.4)


# "Clipping made it stable, and stuck": clip_grad_norm_(…, 0.001) with SGD, copied from where it was 1.0.
@pair(
    "clipped-too-tight",
    (
        "gradient-always-clipped",
        "updates-too-small",
        "loss-not-decreasing",
        "underfit",
        "still-improving",
        "weight-update-ratio",
    ),
    "SummaryWriter with loss/train, gradients only in tensors.parquet",
    dumps=True,
)
def torch_bearings_tight_clip(run: Path, seed: int, fixed: bool) -> None:
    """What is wrong with a bearing by a GRU under SGD, gradients clipped to 0.001; fixed: to 1."""
    of = bearings(seed)
    model = models.Recurrent("gru", 1, 24, 4)
    clip = 1.0 if fixed else 0.001

    def clipped() -> dict[str, float]:
        return {"grad/clipped_norm": min(clip, gradient_norm(model))}

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        22,
        TensorBoard(run, "plain"),
        ("loss/train", "acc/train", "loss/valid", "acc/valid"),
        seed=seed,
        batch=16,
        norm_tag="grad/norm",
        clip=clip,
        also=clipped,
        snapshots=Snapshots(ParquetDump(run), model, 100, watched=False),
    )
    if fixed:
        above(found, "acc/valid", 0.85)
        steady(found, "loss/valid", 0.35)
    else:
        below(found, "acc/valid", 0.55)


# "All tags come out the same": weight_decay=0.5 in AdamW's place of SGD, where it is added to the gradient.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "loss-plateau", "loss-not-decreasing", "constant-answer", "nothing-found"),
    "SummaryWriter with train_loss; histograms of weights and gradients five times",
    dumps=True,
)
def torch_genres_decayed(run: Path, seed: int, fixed: bool) -> None:
    """Six tags of songs by an MLP under SGD(weight_decay=0.5); fixed: 1e-4."""
    of = genres(seed)
    model = models.mlp((20, 48, 24, 6))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9, weight_decay=1e-4 if fixed else 0.5),
        15,
        writer,
        ("train_loss", "", "val_loss", "val_acc"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=lambda outputs, targets: ((outputs > 0) == (targets > 0.5)).float().mean(),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 51, "scopes", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.86)
        steady(found, "val_loss", 0.12)
    else:
        below(found, "val_acc", 0.74)


# "Where is the decay after the restart?": the job resumes from weights only; neither Adam's state nor the scheduler's is loaded.
@pair(
    "resume-without-state",
    ("state-lost-on-resume", "loss-spike", "schedule-mismatch", "learning-rate-too-high", "loss-divergence"),
    "csv by hand with a row an epoch, gone on after a restart",
)
def torch_tides_resumed(run: Path, seed: int, fixed: bool) -> None:
    """The next level of the sea by an LSTM in two jobs, the second with the rate 0.03 anew; fixed: with all states."""
    of = tides(seed, noise=0.04)
    model = models.Recurrent("lstm", 1, 20, 1)
    trail: dict[str, list[float]] = {}
    state: tuple[dict[str, object], dict[str, object]] | None = None
    for first in (0, 14):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.985)
        if state and fixed:
            optimizer.load_state_dict(state[0])
            schedule.load_state_dict(state[1])
        found = fit(
            model,
            of,
            optimizer,
            14 if first == 0 else 4,
            Csv(run, "plain", "progress.csv", "epoch"),
            ("loss", "", "val_loss", "val_r2"),
            loss=functional.mse_loss,
            metric=explained,
            seed=seed + first,
            first=first,
            rate_tag="lr",
            schedule=schedule,
        )
        state = optimizer.state_dict(), schedule.state_dict()
        for tag, values in found.items():
            trail.setdefault(tag, []).extend(values)
    if fixed:
        above(trail, "val_r2", 0.93)
        steady(trail, "val_loss", 0.2)
    else:
        trail["jump"] = [trail["loss"][14] / trail["loss"][13]]
        above(trail, "jump", 3.0)


# "The encoder looks like noise": Adam was given model.head.parameters(), left from the probe of last week.
@pair(
    "parameters-not-in-optimizer",
    ("unchanged-tensor", "updates-too-small", "underfit", "stalled-training", "loss-plateau", "weight-update-ratio"),
    "printed lines kept by tee; tensors.h5 by name",
    dumps=True,
)
def torch_bearings_head_only(run: Path, seed: int, fixed: bool) -> None:
    """What is wrong with a bearing by a 1-D CNN of which only the head is in the optimizer; fixed: all is."""
    raw = bearings(seed + 30)
    of = data.Split(raw.x.transpose(1, 2), raw.y, raw.x_val.transpose(1, 2), raw.y_val)
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv1d(1, 12, 5))
    model.add_module("relu1", nn.ReLU())
    model.add_module("conv2", nn.Conv1d(12, 12, 5))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool", nn.AdaptiveAvgPool1d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(12, 4))
    parameters = model.parameters() if fixed else model.get_submodule("head").parameters()
    found = fit(
        model,
        of,
        torch.optim.Adam(parameters, lr=4e-3),
        18,
        Printed(run, 18),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        batch=20,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 50, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        not_below(found, "val_loss", 0.75)
