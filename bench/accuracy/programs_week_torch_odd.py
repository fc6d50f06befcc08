"""The week's healthy programs in PyTorch that look odd: supervised ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, last, steady, told
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_week_common import odd_into
from bench.accuracy.programs_week_torch_common import Printed, bearings, concrete, digits, moons, tickets, tides

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Validation is better than training, is there a leak?": no, dropout of 0.5 after each layer.
@odd("SummaryWriter with Loss/train; weights and activations in tensors.h5 each three epochs", dumps=True)
def torch_digits_strong_dropout(run: Path, seed: int) -> None:
    """Digits by an MLP with a dropout of 0.5."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 64, 10), "relu", dropout=0.5)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        21,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        seed=seed,
        batch=48,
        snapshots=Snapshots(Hdf5Dump(run), model, 87),
    )
    above(found, "Accuracy/val", 0.94)
    steady(found, "Loss/val", 0.2)
    require(last(found, "Loss/val") < last(found, "Loss/train"), told(found))


# "The loss does not go below 0.5, is that bad?": label_smoothing=0.1.
@odd("csv by hand with a row an epoch")
def torch_pictures_smoothed_labels(run: Path, seed: int) -> None:
    """Four kinds of pictures by a CNN with labels smoothed by 0.1."""
    of = over(pictures(seed), 255)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.BatchNorm2d(12),
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
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        18,
        Csv(run, "plain", "training.csv", "epoch"),
        ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
        loss=lambda outputs, targets: functional.cross_entropy(outputs, targets, label_smoothing=0.1),
        seed=seed,
        rate_tag="lr",
    )
    above(found, "valid_accuracy", 0.9)
    steady(found, "valid_loss", 0.1)


# "My loss breathes": CyclicLR between 0.005 and 0.08, three cycles.
@odd("SummaryWriter with train/loss each 5 steps; histograms of weights and gradients", dumps=True)
def torch_bearings_cyclic(run: Path, seed: int) -> None:
    """What is wrong with a bearing by a 1-D CNN under CyclicLR, ended at the low rate."""
    raw = bearings(seed)
    of = data.Split(raw.x.transpose(1, 2), raw.y, raw.x_val.transpose(1, 2), raw.y_val)
    pooled = (nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(32, 4))
    model = nn.Sequential(nn.Conv1d(1, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    half = data.steps_per_epoch(of, 16) * 4
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        24,
        writer,
        ("train/loss", "", "val/loss", "val/acc"),
        seed=seed,
        batch=16,
        every=5,
        rate_tag="train/lr",
        schedule=torch.optim.lr_scheduler.CyclicLR(optimizer, 0.005, 0.06, half, cycle_momentum=False),
        snapshots=Snapshots(HistogramDump(writer), model, 50, "torch", watched=False),
    )
    above(found, "val/acc", 0.88)
    steady(found, "val/loss", 0.35)


# "The rate jumps up every 8 epochs": CosineAnnealingWarmRestarts, as meant.
@odd("trainer_state.json of Hugging Face")
def torch_text_warm_restarts(run: Path, seed: int) -> None:
    """The next character by a GRU under warm restarts."""
    of, size = data.characters(seed, sentences=420)
    model = models.Recurrent("gru", 16, 40, size, vocabulary=size, every_step=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.012)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, per_epoch, 12 * per_epoch, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4 * per_epoch),
    )
    above(found, "val_accuracy", 0.7)
    steady(found, "val_loss", 0.15)


# "Half of the tensors never change": the convolutions come from another task and are frozen on purpose.
@odd("csv of Lightning's shape; weights and gradients in tensors.parquet each two epochs", dumps=True)
def torch_digits_frozen_base(run: Path, seed: int) -> None:
    """Digits above 4 by a head on convolutions that learned the digits up to 4 before, unlogged."""
    of = digits(seed)
    model = models.cnn(10, (8, 16), activation="relu")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    low, low_val = of.y < 5, of.y_val < 5
    stream = data.batches(data.Split(of.x[low], of.y[low], of.x_val, of.y_val), 32, seed)
    for _ in range(120):
        x, y = next(stream)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for name, one in model.named_parameters():
        one.requires_grad_(name.startswith("fc"))
        one.grad = None
    model.get_submodule("fc").reset_parameters()  # type: ignore[operator]
    high = data.Split(of.x[~low], of.y[~low] - 5, of.x_val[~low_val], of.y_val[~low_val] - 5)
    found = fit(
        model,
        high,
        torch.optim.Adam((one for one in model.parameters() if one.requires_grad), lr=2e-3),
        16,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 42, watched=False),
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.2)


# "Thirty samples of wine, and it stops after some epochs": early stopping with a patience of 3.
@odd("printed lines kept by tee")
def torch_wine_stopped_early(run: Path, seed: int) -> None:
    """Wines of 30 samples by a small MLP until the validation loss has not fallen by 0.003 for three epochs."""
    whole = data.bundled("wine", seed)
    of = data.Split(whole.x[:30], whole.y[:30], whole.x_val, whole.y_val)
    model = models.mlp((13, 16, 3))

    def stop(trail: dict[str, list[float]]) -> bool:
        losses = trail["val_loss"]
        return len(losses) > 3 and min(losses[-3:]) > min(losses[:-3]) - 0.003

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.02),
        60,
        Printed(run, 60),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=10,
        stop=stop,
    )
    above(found, "val_acc", 0.88)
    steady(found, "val_loss", 0.35)


# "Four small batches for each step, and the log counts batches": gradient accumulation.
@odd("jsonl with each tenth batch")
def torch_concrete_accumulated(run: Path, seed: int) -> None:
    """The strength of concrete by an MLP, gradients of four batches of 8 for each step."""
    of = concrete(seed)
    model = models.mlp((8, 48, 24, 1), "gelu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    count = {"batches": 0}

    class Every4(torch.optim.Optimizer):
        """Steps each fourth time that it is asked to, and clears then."""

        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 4e-3})

        def step(self, closure: Any = None) -> Any:
            count["batches"] += 1
            if count["batches"] % 4 == 0:
                for one in model.parameters():
                    if one.grad is not None:
                        one.grad.div_(4)
                optimizer.step()
                optimizer.zero_grad()

    found = fit(
        model,
        of,
        Every4(model.parameters()),
        24,
        JsonLines(run, "plain", "steps.jsonl", "step"),
        ("train/loss", "", "val/loss", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        batch=8,
        every=10,
        zero=False,
    )
    above(found, "val/r2", 0.88)
    steady(found, "val/loss", 0.25)


# "Most rows of the embedding have no gradient": 2,000 words, of which each batch has some, and many never occur.
@odd("SummaryWriter with loss and val_loss; weights and gradients in tensors.h5 by name", dumps=True)
def torch_tickets_sparse_rows(run: Path, seed: int) -> None:
    """The topic of a ticket with an embedding of far more words than occur."""
    of = tickets(seed)
    model = nn.Sequential()
    model.add_module("embedding", nn.EmbeddingBag(1200, 16, mode="mean"))
    model.add_module("fc1", nn.Linear(16, 24))
    model.add_module("relu1", nn.ReLU())
    model.add_module("fc2", nn.Linear(24, 5))
    found = fit(
        model,
        of,
        torch.optim.Adagrad(model.parameters(), lr=0.08),
        14,
        TensorBoard(run, "plain"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 38, "torch", watched=False),
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.25)


# "The job was preempted and went on": with the states of model, Adam and scheduler; some epochs stand twice in the table.
@odd("csv by hand with a row an epoch, gone on after a restart")
def torch_moons_resumed(run: Path, seed: int) -> None:
    """Two moons by an MLP in two jobs, all states kept."""
    of = moons(seed)
    model = models.mlp((2, 32, 32, 2), "silu")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.015)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20 * 19)
    tags: Sequence[str] = ("loss/train", "acc/train", "loss/val", "acc/val")
    found: dict[str, list[float]] = {}
    for first, count in ((0, 9), (9, 11)):
        log = Csv(run, "plain", "log.csv", "epoch")
        kinds: dict[str, Any] = {"rate_tag": "lr", "schedule": schedule, "first": first}
        found = fit(model, of, optimizer, count, log, tags, seed=seed + first, **kinds)
    above(found, "acc/val", 0.92)
    steady(found, "loss/val", 0.2)


# "The loss is below zero, is it a bug?": a Gaussian likelihood of densities above 1.
@odd("SummaryWriter with nll/train; histograms of weights and gradients four times", dumps=True)
def torch_tides_likelihood(run: Path, seed: int) -> None:
    """The next level of the sea and its deviation by a GRU, as a negative log-likelihood that falls below 0."""
    of = tides(seed)
    model = models.Recurrent("gru", 1, 20, 2)
    writer = TensorBoard(run, "plain")

    def nll(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-3)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        24,
        writer,
        ("nll/train", "", "nll/val", "r2/val"),
        loss=nll,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 120, watched=False),
    )
    above(found, "r2/val", 0.9)
    below(found, "nll/val", -0.5)
