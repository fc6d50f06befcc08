"""Letters about programs in PyTorch whose tensors are dumped: memory, rates and outputs; and their repaired versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, JsonLines, ParquetDump, ParquetLong, TensorBoard
from bench.accuracy.programs_desk_common import gestures, into, reminders
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Reader(nn.Module):
    """An nn.RNN over (n, length, 2), of which the last state is taken, or the mean of all."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.rnn, self.fc, self.mean = nn.RNN(2, 24, batch_first=True), nn.Linear(24, 3), mean

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        return self.fc(states.mean(1) if self.mean else states[:, -1])


# "It forgets what the operator said at the beginning": the last state of nn.RNN after 50 moments, the first three of which matter.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", *NOTHING_LEARNED, "overfit", "generalisation-gap", "overtraining", "saturated-tanh"),
    "SummaryWriter with add_histogram",
    dumps=True,
)
def series_forgotten(run: Path, seed: int, fixed: bool) -> None:
    """A class told by the first three of 50 moments, by the last state of nn.RNN; fixed: by the mean of all states."""
    of = reminders(seed, length=50)
    model = Reader(fixed)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        writer,
        ("loss_train", "acc_train", "loss_test", "acc_test"),
        seed=seed,
        batch=16,
        clip=1.0,
        snapshots=Snapshots(HistogramDump(writer), model, 87, "torch"),
    )
    if fixed:
        above(found, "acc_test", 0.9)
        steady(found, "loss_test", 0.5)
    else:
        below(found, "acc_test", 0.6)


# "The autoencoder draws only half of each curve": nn.Sigmoid() at the end, as for pictures, and signals that go from -3 to 3.
@pair(
    "wrong-output-activation",
    (*BADLY_LEARNED, "saturated-sigmoid", "saturated-activation"),
    "scalars.parquet; outputs and weights in parquet",
    dumps=True,
)
def curves_by_sigmoid(run: Path, seed: int, fixed: bool) -> None:
    """Accelerations of a hand through a code of 16 numbers with a sigmoid at the end; fixed: without it."""
    of = gestures(seed, noise=0.2)
    x, x_val = 1.5 * of.x.flatten(1), 1.5 * of.x_val.flatten(1)
    of = data.Split(x, x, x_val, x_val)
    model = models.Autoencoder((96, 48, 16), "tanh")
    if not fixed:
        model.decoder.add_module("sigmoid_out", nn.Sigmoid())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        40,
        ParquetLong(run, "plain", "reconstruction.parquet"),
        ("mse/train", "", "mse/holdout", "r2/holdout"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 120),
    )
    if fixed:
        above(found, "r2/holdout", 0.7)
        steady(found, "mse/holdout", 0.2)
    else:
        below(found, "r2/holdout", 0.45)


# "Attention is all I need, and it says 1.61 for hours": Adam(lr=0.05) for a transformer.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "weight-update-ratio", "attention-collapse", "constant-answer"),
    "jsonl by hand for each fifth step; weights and gradients in hdf5",
    dumps=True,
)
def gestures_attended(run: Path, seed: int, fixed: bool) -> None:
    """Gestures of a hand by a small transformer under Adam(0.05); fixed: 0.002."""
    of = gestures(seed, noise=0.3)
    model = models.Transformer(5, inputs=3, width=16, layers=2, causal=False, pooled=True, post_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 0.05)
    found = fit(
        model,
        of,
        optimizer,
        14,
        JsonLines(run, "plain", "attention.jsonl", "global_step"),
        ("tr/loss", "tr/acc", "va/loss", "va/acc"),
        seed=seed,
        batch=16,
        every=5,
        rate_tag="lr",
        norm_tag="gradnorm",
        snapshots=Snapshots(Hdf5Dump(run), model, 120, "scopes"),
    )
    if fixed:
        above(found, "va/acc", 0.85)
        steady(found, "va/loss", 0.4)
    else:
        below(found, "va/acc", 0.45)
