"""The week's programs in PyTorch: gradients, activations, initialisation and numbers; and their repaired versions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import explained
from bench.accuracy.programs_week_common import into
from bench.accuracy.programs_week_torch_common import Printed, bearings, cells, concrete, digits, f1, tickets

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "nan in the second epoch": nn.RNN(nonlinearity="relu") over 60 steps at lr=0.05, nothing clipped.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "loss-divergence", "loss-spike", "non-finite", "learning-rate-too-high", "exploding-tensor"),
    "SummaryWriter with Loss/train each 5 steps; tensors.h5 by step",
    dumps=True,
)
def torch_adding_exploding_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The sum of the two marked numbers by a ReLU RNN under SGD, nothing clipped; fixed: a GRU's gates, clipped at 1, with Adam."""
    of = data.adding(seed, samples=900, length=30)
    model = models.Recurrent("gru" if fixed else "rnn", 2, 24, 1)
    if not fixed:
        model.rnn = nn.RNN(2, 24, batch_first=True, nonlinearity="relu")
        nn.init.normal_(model.rnn.weight_hh_l0, 0.0, 0.4)
    parameters = model.parameters()
    found = fit(
        model,
        of,
        torch.optim.Adam(parameters, lr=0.015) if fixed else torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
        24,
        TensorBoard(run, "plain"),
        ("Loss/train", "", "Loss/test", "R2/test"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="Gradients/norm",
        clip=1.0 if fixed else None,
        snapshots=Snapshots(Hdf5Dump(run), model, 40, watched=False),
    )
    if fixed:
        above(found, "R2/test", 0.75)
        steady(found, "Loss/test", 0.5)
    else:
        not_above(found, "R2/test", 0.1)
        norms = found["Gradients/norm"]
        require(not max(norms) < 30 or not np.isfinite(norms).all(), f"nothing exploded: {told(found)}")


# "Deeper must be better, but 8 layers learn nothing": nn.Sigmoid after each of the layers, as in the lecture.
@pair(
    "vanishing-gradient",
    (
        "vanishing-gradient",
        "metric-at-chance",
        "loss-plateau",
        "loss-not-decreasing",
        "updates-too-small",
        "task-not-learned",
    ),
    "SummaryWriter with loss and val_loss; histograms of weights and gradients each epoch",
    dumps=True,
)
def torch_digits_eight_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by eight dense layers with sigmoids; fixed: with ReLU."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, *[48] * 7, 10), "relu" if fixed else "sigmoid")
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        12,
        writer,
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        batch=48,
        snapshots=Snapshots(HistogramDump(writer), model, 29, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.88)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.35)


# "Half of my activations are zero, then all": columns in kilograms go in as they are, at lr=0.01, and the ReLUs die.
@pair(
    "dead-relu",
    (
        "dead-relu",
        "data-not-normalized",
        "gradient-all-zero",
        "loss-plateau",
        "loss-not-decreasing",
        "updates-too-large",
    ),
    "csv of Lightning's shape; activations and weights in tensors.parquet",
    dumps=True,
)
def torch_concrete_dead_relu(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by a ReLU MLP on raw kilograms; fixed: standardised columns."""
    of = concrete(seed, scaled=fixed)
    model = models.mlp((8, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        30,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "", "val_loss", "val_r2"),
        loss=functional.huber_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 45),
    )
    if fixed:
        above(found, "val_r2", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2", 0.1)


# "nn.init.normal_(p) for all parameters, to be sure": a deviation of 1, and every tanh stands at -1 or 1.
@pair(
    "initialisation-too-large",
    ("saturated-tanh", "poor-initialization", "initial-loss", "saturated-activation", "overfit", "generalisation-gap"),
    "jsonl with an epoch a line; histograms of activations and weights in a directory of their own",
    dumps=True,
)
def torch_digits_normal_init(run: Path, seed: int, fixed: bool) -> None:
    """Digits by four tanh layers, all parameters drawn from N(0, 1); fixed: Xavier."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 64, 64, 10), "tanh")
    for one in model.parameters():
        if not fixed:
            nn.init.normal_(one)
        elif one.dim() > 1:
            nn.init.xavier_normal_(one)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        14,
        JsonLines(run, "plain", "train_log.jsonl", "epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
        batch=48,
        snapshots=Snapshots(HistogramDump(run / "histograms"), model, 58, "torch"),
    )
    if fixed:
        above(found, "valid_acc", 0.93)
        steady(found, "valid_loss", 0.25)
    else:
        below(found, "valid_acc", 0.86)


# "ln(10), always ln(10)": init_weights() ends with m.weight.data.zero_() for Linear and Conv2d alike.
@pair(
    "initialisation-zero",
    (
        "poor-initialization",
        "gradient-all-zero",
        "all-zero",
        "metric-at-chance",
        "loss-not-decreasing",
        "unchanged-tensor",
    ),
    "SummaryWriter with Loss/train; weights and gradients in tensors.h5, five times",
    dumps=True,
)
def torch_digits_zero_init(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN with all weights zero; fixed: Kaiming."""
    of = digits(seed)
    model = models.cnn(10, (8, 16))
    for one in model.modules():
        if isinstance(one, nn.Conv2d | nn.Linear):
            if fixed:
                nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
            else:
                nn.init.zeros_(one.weight)
            nn.init.zeros_(one.get_parameter("bias"))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9),
        10,
        TensorBoard(run, "plain", x=True),
        ("Loss/train", "Accuracy/train", "Loss/test", "Accuracy/test"),
        seed=seed,
        batch=64,
        snapshots=Snapshots(Hdf5Dump(run), model, 50, watched=False),
    )
    if fixed:
        above(found, "Accuracy/test", 0.93)
        steady(found, "Loss/test", 0.3)
    else:
        below(found, "Accuracy/test", 0.2)


class Reader(nn.Module):
    """Embeddings and a GRU, whose last state goes to a head; `cut` detaches it."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(160, 16)
        self.gru = nn.GRU(16, 20, batch_first=True)
        self.classifier = nn.Linear(20, 5)
        self.cut = cut

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.gru(self.embedding(tokens))[0].mean(1)
        scores: Tensor = self.classifier(features.detach() if self.cut else features)
        return scores


# "Only the last layer has gradients": features.detach() stayed in forward() from the day I plotted them.
@pair(
    "detached-graph",
    ("unchanged-tensor", "gradient-all-zero", "updates-too-small", "underfit", "loss-plateau", "stalled-training"),
    "printed lines kept by tee; weights and gradients in tensors.parquet",
    dumps=True,
)
def torch_tickets_detached(run: Path, seed: int, fixed: bool) -> None:
    """The topic of a ticket by a GRU whose features are detached before the head; fixed: they are not."""
    of = tickets(seed, told=0.36)
    model = Reader(cut=not fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        11,
        Printed(run, 11, "train.out"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=24,
        snapshots=Snapshots(ParquetDump(run), model, 40, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.75)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_acc", 0.55)


# "Segmentation goes nan at some step": the cross-entropy was written as -y*log(p) - (1-y)*log(1-p) with p of a sigmoid.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "exploding-gradient", "nothing-found"),
    "SummaryWriter with train/loss each 4 steps",
)
def torch_cells_log_zero(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small fully convolutional net, log of a probability that rounds to 0; fixed: with logits."""
    of = cells(seed)
    width = nn.Conv2d(1, 12, 5, padding=2), nn.Conv2d(12, 12, 3, padding=1), nn.Conv2d(12, 1, 1)
    model = nn.Sequential(width[0], nn.ReLU(), width[1], nn.ReLU(), width[2])

    def by_hand(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        share = torch.sigmoid(outputs)
        return -(targets * torch.log(share) + (1 - targets) * torch.log(1 - share)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        20,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/f1"),
        loss=by_hand,
        metric=f1,
        seed=seed,
        batch=16,
        every=4,
    )
    if fixed:
        above(found, "val/f1", 0.75)
        steady(found, "val/loss", 0.25)
    else:
        not_above(found, "val/f1", 0.3)
        require(not np.isfinite(found["train/loss"][-1]), f"train/loss was to be lost: {told(found)}")


# "scaler.get_scale() says 1e-30": a Charbonnier loss with eps=1e-8 under autocast, where 1e-8 is 0 and the root has no slope.
@pair(
    "loss-scale-collapse",
    ("loss-scale-collapse", "loss-plateau", "loss-not-decreasing", "underfit", "non-finite", "loss-goes-missing"),
    "csv of Lightning's shape with loss_scale each 8 steps",
)
def torch_bearings_half_precision(run: Path, seed: int, fixed: bool) -> None:
    """An autoencoder of vibrations with a GradScaler, its robust error in float16; fixed: in float32."""
    of = bearings(seed, noise=0.15)
    x, x_val = of.x[:, :, 0], of.x_val[:, :, 0]
    model = models.Autoencoder((40, 24, 10), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=80)
    stream = data.batches(data.Split(x, x, x_val, x_val), 32, seed)

    def error(given: Tensor) -> Tensor:
        gap = model(given) - given
        gap = gap if fixed else gap.half()
        return torch.sqrt(gap.square() + 1e-8).float().mean()

    def step(number: int) -> dict[str, float]:
        optimizer.zero_grad()
        loss = error(next(stream)[0])
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        return {"train_loss": float(loss.detach()), "loss_scale": float(scaler.get_scale())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            rest = (model(x_val) - x_val).square().mean() / x_val.square().mean()
            return {"val_loss": float(error(x_val)), "val_unexplained": float(rest)}

    log = Csv(run, "plain", "metrics.csv", "step")
    found = go(Course(step, 400, log, every=8, evaluate=evaluate, evaluate_every=16))
    if fixed:
        below(found, "val_unexplained", 0.17)
        steady(found, "val_loss", 0.2)
    else:
        not_below(found, "val_unexplained", 0.25)
        below(found, "loss_scale", 1e-3)


class Rows(nn.Module):
    """An LSTM over the rows of a picture (n, 8, 8), which wants (rows, n, pixels); `order` lays them out so."""

    def __init__(self, order: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 32)
        self.fc = nn.Linear(32, 10)
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.lstm(self.order(x))[0][-1])
        return scores


# "An LSTM should do MNIST easily": x.reshape(8, n, 8) where x.transpose(0, 1) was meant mixes the rows of different pictures.
@pair(
    "wrong-reshape",
    ("underfit", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "most-answers-wrong", "task-not-learned"),
    "csv by hand with a row an epoch",
)
def torch_digits_rows_reshaped(run: Path, seed: int, fixed: bool) -> None:
    """Digits row by row by an LSTM whose sequences mix pictures; fixed: transposed."""
    flat = data.bundled("digits", seed)
    of = data.Split(flat.x.reshape(-1, 8, 8), flat.y, flat.x_val.reshape(-1, 8, 8), flat.y_val)
    model = Rows((lambda x: x.transpose(0, 1)) if fixed else (lambda x: x.reshape(8, len(x), 8)))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        15,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        batch=64,
    )
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.3)
