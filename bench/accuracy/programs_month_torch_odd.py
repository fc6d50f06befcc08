"""Month programs in torch that look odd and are healthy: curves of the usual kinds that mislead."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    KerasDirectories,
    ParquetDump,
    TensorBoard,
)
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_month_common import odd_into
from bench.accuracy.programs_month_torch_common import dials, explained, pixels, tunes, wages

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Validation is better than training by far": dropout of 0.6 in every layer.
@odd("SummaryWriter with Loss/train and histograms", dumps=True)
def torch_digits_much_dropout(run: Path, seed: int) -> None:
    """Digits by an MLP with strong dropout."""
    model = models.mlp((64, 128, 128, 10), dropout=0.6)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        pixels(seed),
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        writer,
        ("Loss/train", "Acc/train", "Loss/val", "Acc/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 172, "torch"),
    )
    require(last(found, "Loss/val") < 0.7 * last(found, "Loss/train"), told(found))
    above(found, "Acc/val", 0.93)


# "The loss does not get below 0.8": label_smoothing=0.2 over twelve classes.
@odd("Lightning's metrics.csv")
def torch_dials_label_smoothing(run: Path, seed: int) -> None:
    """Hours on dials with smoothed labels."""
    of = dials(seed, noise=0.2)
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(432, 12))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05),
        15,
        Csv(run, "plain", axis="epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=lambda outputs, y: functional.cross_entropy(outputs, y, label_smoothing=0.2),
        seed=seed,
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.1)


# "Loss and rate saw up and down": CosineAnnealingWarmRestarts.
@odd("SummaryWriter with lr, loss/train")
def torch_tunes_warm_restarts(run: Path, seed: int) -> None:
    """The next note by a GRU with three warm restarts, the last of which ends the run."""
    of = tunes(seed, 500, sure=0.9)
    model = models.Recurrent("gru", 24, 24, 16, vocabulary=16, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4 * data.steps_per_epoch(of, 16))
    found = fit(
        model,
        of,
        optimizer,
        16,
        TensorBoard(run, "plain"),
        ("loss/train", "", "loss/val", "acc/val"),
        batch=16,
        seed=seed,
        rate_tag="lr",
        schedule=schedule,
    )
    above(found, "acc/val", 0.7)
    steady(found, "loss/val", 0.1)


# "The loss is negative": the likelihood of a normal law with a learned width.
@odd("jsonl by hand")
def torch_wages_negative_nll(run: Path, seed: int) -> None:
    """Wages and their spread by an MLP; the loss falls below zero."""
    of = wages(seed)
    of = replace(of, y=of.y / 2, y_val=of.y_val / 2)
    model = models.mlp((7, 48, 24, 2), "silu")

    def likelihood(outputs: Tensor, y: Tensor) -> Tensor:
        log_width = outputs[:, 1:].clamp(-3, 3)
        return (log_width + 0.5 * ((y - outputs[:, :1]) * (-log_width).exp()).square()).mean()

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1),
        25,
        JsonLines(run, "plain", "nll.jsonl", "epoch"),
        ("train_nll", "", "val_nll", "val_r2"),
        loss=likelihood,
        metric=lambda outputs, y: explained(outputs[:, :1], y),
        seed=seed,
    )
    above(found, "val_r2", 0.7)
    below(found, "val_nll", -0.1)
    steady(found, "val_nll", 0.3)


# "Most weights never change": a head on frozen convolutions, as in every tutorial on fine-tuning.
@odd("csv by hand, and HDF5 of weights and gradients", dumps=True)
def torch_stamps_frozen_body(run: Path, seed: int) -> None:
    """Digits 5 to 9 by a new head on a frozen net trained on 0 to 4."""
    of = pixels(seed).as_images()
    old, new, new_val = of.y < 5, of.y >= 5, of.y_val >= 5
    model = models.cnn(5, (12, 16))
    first = torch.optim.Adam(model.parameters(), lr=5e-3)
    for start in range(0, 120 * 32, 32):
        chosen = (torch.arange(start, start + 32) * 7) % int(old.sum())
        first.zero_grad()
        functional.cross_entropy(model(of.x[old][chosen]), of.y[old][chosen]).backward()
        first.step()
    for one in model.parameters():
        one.requires_grad_(False)
        one.grad = None
    model.fc = nn.Linear(model.get_submodule("fc").in_features, 5)  # type: ignore[arg-type]
    found = fit(
        model,
        data.Split(of.x[new], of.y[new] - 5, of.x_val[new_val], of.y_val[new_val] - 5),
        torch.optim.Adam(model.get_submodule("fc").parameters(), lr=3e-3),
        20,
        Csv(run, "plain", "head.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 66, watched=False),
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.2)


# "The norm is above the limit at every step": clip_grad_norm_(…, 0.25), from PyTorch's own word-language example, where it always bites.
@odd("SummaryWriter with grad_norm and histograms", dumps=True)
def torch_tunes_always_clipped(run: Path, seed: int) -> None:
    """The next note by an LSTM with a sane limit that nearly always clips."""
    of = tunes(seed, 500, sure=0.9)
    model = models.Recurrent("lstm", 24, 32, 16, vocabulary=16, every_step=True)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=4.0),
        20,
        writer,
        ("train/loss", "", "val/loss", "val/acc"),
        batch=16,
        seed=seed,
        clip=0.25,
        norm_tag="train/grad_norm",
        snapshots=Snapshots(HistogramDump(writer), model, 100, watched=False),
    )
    above(found, "val/acc", 0.7)
    steady(found, "val/loss", 0.15)


# "Nearly all gradients of the embedding are zero": rare words, each batch has few of them.
@odd("jsonl, and Parquet of gradients and weights", dumps=True)
def torch_shops_sparse_embedding(run: Path, seed: int) -> None:
    """Ratings by the embeddings of 150 shops and 100 customers, of which a batch has a few."""
    random = data.generator(seed)
    taste = torch.randn(100, 3, generator=random), torch.randn(150, 3, generator=random)
    who, what = torch.randint(0, 100, (5200,), generator=random), torch.randint(0, 150, (5200,), generator=random)
    y = (taste[0][who] * taste[1][what]).sum(1, keepdim=True) + 0.3 * torch.randn(5200, 1, generator=random)
    x = torch.stack([who, what], 1)
    model = nn.ModuleDict({"customer": nn.Embedding(100, 6), "shop": nn.Embedding(150, 6, sparse=False)})
    for one in model.parameters():
        nn.init.normal_(one, std=0.3)
    of = data.Split(x[:4400], y[:4400], x[4400:], y[4400:])
    stream = data.batches(of, 16, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    snapshots = Snapshots(ParquetDump(run), model, 500, watched=False)

    def rated(x: Tensor) -> Tensor:
        return (model["customer"](x[:, 0]) * model["shop"](x[:, 1])).sum(1, keepdim=True)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return functional.mse_loss(rated(x), y), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = rated(of.x_val)
        return {"val_mse": float(functional.mse_loss(said, of.y_val)), "val_r2": float(explained(said, of.y_val))}

    step = Descent(model, optimizer, objective, "train_mse", snapshots=snapshots)
    log = JsonLines(run, "plain", "ratings.jsonl", "epoch")
    found = go(Course(step, 275 * 10, log, evaluate=evaluate, per_epoch=275, snapshots=snapshots))
    above(found, "val_r2", 0.6)
    steady(found, "val_mse", 0.3)


# "The biases of the convolutions stay at zero": a batch norm follows each, so that they have no effect and no gradient.
@odd("HDF5 of everything six times, and Keras-like directories", dumps=True)
def torch_digits_biases_before_norm(run: Path, seed: int) -> None:
    """Digits by a CNN with batch norm, whose convolutions' biases start at zero."""
    model = models.cnn(10, (8, 16), norm=True)
    for name, one in model.named_parameters():
        if name.startswith("conv") and name.endswith("bias"):
            nn.init.zeros_(one)
    found = fit(
        model,
        pixels(seed).as_images(),
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        10,
        KerasDirectories(run),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 72),
    )
    above(found, "val_accuracy", 0.93)
    steady(found, "val_loss", 0.3)
