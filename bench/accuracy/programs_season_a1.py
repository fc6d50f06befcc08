"""Season programs of part a: rates, losses, labels and what is fed; and their repaired versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_desk_common import customers
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_season_a_common import Taste, bikes, headlines, ratings, spoken
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It was SGD before, I only changed the optimizer to Adam": lr=0.1 stayed.
@pair(
    "learning-rate-too-high",
    (
        "learning-rate-too-high",
        "loss-not-decreasing",
        "loss-plateau",
        "metric-at-chance",
        "loss-spike",
        "updates-too-large",
    ),
    "Lightning's metrics.csv",
)
def a_shapes_hot_adam(run: Path, seed: int, fixed: bool) -> None:
    """Coloured shapes by a CNN under Adam(0.1); fixed: 2e-3."""
    of = over(pictures(seed), 255)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 4),
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 0.1),
        16,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        rate_tag="lr-Adam",
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.5)


# "The trainer ran overnight and the model knows nothing": learning_rate=4e-6 for a model from scratch.
@pair(
    "learning-rate-too-low",
    (*NOTHING_LEARNED, "still-improving", "updates-too-small"),
    "Hugging Face's trainer_state.json",
)
def a_headlines_rate_typo(run: Path, seed: int, fixed: bool) -> None:
    """The desk of a headline by a small transformer under AdamW(4e-6); fixed: 4e-3."""
    of = headlines(seed, told=0.35)
    model = models.Transformer(5, 260, width=24, layers=1, length=14, causal=False, pooled=True, dropout=0.2)
    rate, steps = 4e-3 if fixed else 4e-6, 14 * 22
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    found = fit(
        model,
        of,
        optimizer,
        14,
        TrainerState(run, 22, steps),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=11,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps),
    )
    if fixed:
        above(found, "val_accuracy", 0.7)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.35)


# "After the first epoch it just stops learning": scheduler.step() slipped into the loop over the batches.
@pair(
    "learning-rate-zero-too-early",
    ("learning-rate-zero", "rate-falls-too-soon", "schedule-mismatch", "loss-plateau", "updates-too-small", "underfit"),
    "SummaryWriter with one scalar an epoch and add_histogram",
    dumps=True,
)
def a_leavers_steplr_in_batch_loop(run: Path, seed: int, fixed: bool) -> None:
    """Customers who leave by an MLP under StepLR(10, 0.3) stepped with each batch; fixed: with each epoch."""
    of = customers(seed, clear=3.0)
    model = models.mlp((12, 24, 12, 2))
    writer = TensorBoard(run, "plain")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    found = fit(
        model,
        of,
        optimizer,
        30,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        rate_tag="Learning rate",
        schedule=torch.optim.lr_scheduler.StepLR(optimizer, 10 * 19 if fixed else 10, 0.3),
        snapshots=Snapshots(HistogramDump(writer), model, 57, "torch", watched=False),
    )
    if fixed:
        above(found, "Accuracy/val", 0.78)
        steady(found, "Loss/val", 0.15)
    else:
        not_below(found, "Loss/val", 0.56)


# "Papers say transformers are better, mine says yes to everything": eight post-norm blocks at 0.01 from the first step.
@pair(
    "no-warm-up",
    (*NOTHING_LEARNED, "learning-rate-too-high", "loss-spike", "attention-collapse"),
    "SummaryWriter each 20 batches",
)
def a_commands_without_warmup(run: Path, seed: int, fixed: bool) -> None:
    """Spoken commands by a transformer with post-norm, Adam(0.01) at once; fixed: warm-up to 1e-3."""
    of = spoken(seed, samples=480)
    of = data.Split(of.x[:, ::2], of.y, of.x_val[:, ::2], of.y_val)
    model = models.Transformer(
        6, inputs=12, width=32, heads=4, layers=8, length=20, causal=False, pooled=True, post_norm=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 1e-2)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 60) if fixed else 1.0)
    found = fit(
        model,
        of,
        optimizer,
        12,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "valid/loss", "valid/acc"),
        seed=seed,
        every=5,
        rate_tag="train/lr",
        norm_tag="train/grad_norm",
        schedule=warm,
    )
    if fixed:
        above(found, "valid/acc", 0.8)
        steady(found, "valid/loss", 0.4)
    else:
        below(found, "valid/acc", 0.45)


# "My loss is negative and goes to minus a million, is that good?": nn.NLLLoss on the outputs of the last Linear.
@pair(
    "wrong-loss",
    (
        "impossible-loss",
        "loss-divergence",
        "exploding-tensor",
        "initial-loss",
        "task-not-learned",
        "metric-left-behind",
    ),
    "jsonl by hand",
)
def a_wine_nll_of_logits(run: Path, seed: int, fixed: bool) -> None:
    """Wines by an MLP with nll_loss of the bare outputs; fixed: log_softmax before it."""
    of = data.bundled("wine", seed)
    model = models.mlp((13, 24, 3))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.nll_loss(functional.log_softmax(outputs, -1) if fixed else outputs, targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        25,
        JsonLines(run, "plain", "history.jsonl", "epoch"),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        loss=loss,
        seed=seed,
        batch=16,
    )
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.5)
    else:
        not_above(found, "val_loss", -20)


# "Why does the loss never get below 1.46?": the model ends in Softmax and the criterion is CrossEntropyLoss.
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "metric-left-behind", "class-never-found", "confidently-wrong", "underfit"),
    "SummaryWriter with one scalar an epoch",
)
def a_digits_softmax_in_forward(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN with a softmax at its end under CrossEntropyLoss; fixed: without it."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (6, 12))
    if not fixed:
        model.add_module("softmax", nn.Softmax(dim=1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        12,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/test", "Accuracy/test"),
        seed=seed,
        batch=64,
    )
    if fixed:
        above(found, "Accuracy/test", 0.94)
        steady(found, "Loss/test", 0.3)
    else:
        not_below(found, "Loss/test", 1.45)


# "I shuffled the features first, to be safe": X is permuted, y is not.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "task-not-learned", "generalisation-gap", "loss-not-decreasing", "error-rises"),
    "csv by hand",
)
def a_bikes_features_shuffled_alone(run: Path, seed: int, fixed: bool) -> None:
    """Bikes lent in an hour by an MLP from rows that lost their targets; fixed: permuted together."""
    of = bikes(seed)
    if not fixed:
        of = data.Split(of.x[torch.randperm(len(of.x), generator=data.generator(seed))], of.y, of.x_val, of.y_val)
    model = models.mlp((9, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        40,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_mse", "train_r2", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_mse", 0.2)
    else:
        below(found, "val_r2", 0.05)


# "All users get 3.2 stars": outputs of (n,) against targets of (n, 1), which are broadcast to (n, n).
@pair(
    "wrong-reshape",
    ("constant-answer", "low-variance", "underfit", "loss-plateau", "loss-not-decreasing", "task-not-learned"),
    "history.csv in the school of fastai",
)
def a_stars_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Stars of films by a matrix factorisation whose outputs lack an axis; fixed: they have it."""
    of = ratings(seed)
    model = Taste(column=fixed)

    def r2(outputs: Tensor, targets: Tensor) -> Tensor:
        return explained(outputs.reshape(-1, 1), targets)

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1),
        20,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_loss", "", "valid_loss", "r2_score"),
        loss=functional.mse_loss,
        metric=r2,
        batch=64,
        seed=seed,
    )
    if fixed:
        above(found, "r2_score", 0.45)
        steady(found, "valid_loss", 0.2)
    else:
        below(found, "r2_score", 0.15)


# "The loss goes down and up again and ends as nan": optimizer.zero_grad() was lost when the loop was cleaned up.
@pair(
    "zero-grad-missing",
    (*BLOWN_UP, *BADLY_LEARNED, "validation-swings", "updates-too-large"),
    "SummaryWriter with one scalar an epoch",
)
def a_commands_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """Spoken commands by a GRU whose gradients are never cleared; fixed: they are."""
    of = spoken(seed)
    model = models.Recurrent("gru", 12, 24, 6)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        16,
        TensorBoard(run, "plain"),
        ("loss/train", "", "loss/val", "accuracy/val"),
        seed=seed,
        zero=fixed,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "accuracy/val", 0.8)
        steady(found, "loss/val", 0.3)
    else:
        below(found, "accuracy/val", 0.65)
