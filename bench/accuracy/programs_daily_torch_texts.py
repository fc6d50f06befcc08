"""Everyday programs in PyTorch: texts, sequences and rankings, in a faulty and a repaired version."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_daily_common import into
from bench.accuracy.programs_daily_torch_common import brackets, orders, searches, stars, tickets, tongues
from bench.accuracy.programs_field_common import (
    Snapshots,
    above,
    below,
    fit,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Loss is stuck at 2.9 although accuracy is not nothing": nn.Softmax at the end of the model, then nn.CrossEntropyLoss.
@pair(
    "double-softmax",
    ("task-not-learned", "loss-plateau", "underfit", "loss-not-decreasing", "still-improving"),
    "console log, a line an epoch",
)
def tongues_softmax_twice(run: Path, seed: int, fixed: bool) -> None:
    """Which of twenty languages a string is in, by a 1-D CNN that ends in a softmax; fixed: in logits."""

    class Reader(nn.Module):
        """Embedding, a convolution over pairs of letters, the mean, and a dense layer."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(26, 16)
            self.conv = nn.Conv1d(16, 48, 2)
            self.fc = nn.Linear(48, 20)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.fc(functional.relu(self.conv(self.embed(x).transpose(1, 2))).mean(-1))
            return outputs if fixed else outputs.softmax(-1)

    model = Reader()
    found = fit(
        model,
        tongues(seed),
        torch.optim.Adam(model.parameters(), lr=3e-3),
        26,
        Console(run, "plain", "train.log", "epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "valid_acc", 0.8)
        steady(found, "valid_loss", 0.3)
    else:
        below(found, "valid_acc", 0.6)


# "Only the head learns": the encoder was put under torch.no_grad() to save memory while debugging, and it stayed there.
@pair(
    "detached-graph",
    ("unchanged-tensor", "gradient-all-zero", "underfit", "loss-plateau", "loss-not-decreasing", "metric-at-chance"),
    "SummaryWriter with scalars an epoch, tensors in HDF5",
    dumps=True,
)
def orders_encoder_in_no_grad(run: Path, seed: int, fixed: bool) -> None:
    """Which page was seen first, by a GRU under torch.no_grad() and a head; fixed: the GRU learns too."""

    class Visitor(nn.Module):
        """Embedding and GRU as the encoder, and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(12, 8)
            self.encoder = nn.GRU(8, 16, batch_first=True)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            with torch.set_grad_enabled(fixed and torch.is_grad_enabled()):
                state = self.encoder(self.embedding(x))[1][0]
            outputs: Tensor = self.head(state)
            return outputs

    model = Visitor()
    found = fit(
        model,
        orders(seed),
        torch.optim.Adam(model.parameters(), lr=1e-2),
        14,
        TensorBoard(run, "plain"),
        ("loss/train", "acc/train", "loss/valid", "acc/valid"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 58),
    )
    if fixed:
        above(found, "acc/valid", 0.9)
        steady(found, "loss/valid", 0.4)
    else:
        below(found, "acc/valid", 0.72)


# "NaN after a while, but only with the new tickets": the loss is typed from the paper with torch.log(p), and one long ticket gives p = 1.
@pair(
    "nan-from-log-of-zero",
    ("non-finite", "loss-goes-missing", "metric-at-chance", "nothing-found"),
    "json lines, a row an epoch",
)
def tickets_own_cross_entropy(run: Path, seed: int, fixed: bool) -> None:
    """Topics of tickets, several at once, with the logarithms by hand; fixed: binary_cross_entropy_with_logits."""
    model = models.mlp((120, 32, 6))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        p = torch.sigmoid(outputs)
        return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)).mean()

    def f1(outputs: Tensor, targets: Tensor) -> Tensor:
        said = (outputs > 0).float()
        return 2 * (said * targets).sum() / (said.sum() + targets.sum()).clamp(min=1)

    found = fit(
        model,
        tickets(seed),
        torch.optim.Adam(model.parameters(), lr=2e-3),
        14,
        JsonLines(run, "plain", "training_log.jsonl", "epoch"),
        ("train_loss", "train_f1", "dev_loss", "dev_f1"),
        loss=loss,
        metric=f1,
        seed=seed,
    )
    if fixed:
        above(found, "dev_f1", 0.8)
        steady(found, "dev_loss", 0.3)
    else:
        not_above(found, "dev_f1", 0.2)


# "Perplexity 7 for 7 tokens": weight_decay=0.1 was copied from a recipe for AdamW into torch.optim.Adam.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "task-not-learned"),
    "SummaryWriter with scalars an epoch and add_histogram",
    dumps=True,
)
def brackets_adam_decay(run: Path, seed: int, fixed: bool) -> None:
    """The next bracket by an LSTM under Adam(weight_decay=0.1); fixed: 1e-5."""
    model, writer = models.Recurrent("lstm", 12, 32, 7, vocabulary=7, every_step=True), TensorBoard(run, "plain")
    found = fit(
        model,
        brackets(seed),
        torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5 if fixed else 0.1),
        18,
        writer,
        ("train_loss", "", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        snapshots=Snapshots(HistogramDump(writer), model, 48, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.44)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_acc", 0.3)


# "Adam ranks fine, SGD does nothing at any rate I try": clip_grad_norm_(…, 1e-3) in the base class of the trainer.
@pair(
    "clipped-too-tight",
    (
        "gradient-always-clipped",
        "loss-not-decreasing",
        "loss-plateau",
        "updates-too-small",
        "underfit",
        "still-improving",
    ),
    "csv, each fifth step",
)
def searches_clipped(run: Path, seed: int, fixed: bool) -> None:
    """Which offer of a search is bought, by a listwise loss under SGD clipped at 0.001; fixed: at 5."""
    scorer = models.mlp((10, 24, 24, 1))

    class Ranker(nn.Module):
        """A score for each offer."""

        def __init__(self) -> None:
            super().__init__()
            self.scorer = scorer

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.scorer(x)[..., 0]
            return scores

    def reciprocal(outputs: Tensor, targets: Tensor) -> Tensor:
        bought = outputs.gather(1, targets[:, None])
        return (1 / (outputs >= bought).sum(1)).mean()

    model = Ranker()
    found = fit(
        model,
        searches(seed, 1200),
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        9,
        Csv(run, "plain", "ranking.csv", "step"),
        ("loss", "", "val_loss", "val_mrr"),
        metric=reciprocal,
        seed=seed,
        batch=20,
        every=5,
        norm_tag="grad_norm",
        clip=5.0 if fixed else 1e-3,
    )
    if fixed:
        above(found, "val_mrr", 0.65)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_mrr", 0.5)


# "UserWarning: using a target size that is different": outputs of shape (n,) and targets of shape (n, 1) make n times n differences.
@pair(
    "wrong-reshape",
    ("task-not-learned", "loss-plateau", "loss-not-decreasing", "underfit", "constant-answer", "metric-at-chance"),
    "SummaryWriter each tenth step, validation an epoch",
)
def stars_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Ratings of films by factors, with a loss that broadcasts; fixed: unsqueeze(1)."""
    of = stars(seed)

    class Factors(nn.Module):
        """A product of factors, and a bias for each film."""

        def __init__(self) -> None:
            super().__init__()
            self.user, self.film, self.bias = nn.Embedding(80, 4), nn.Embedding(60, 4), nn.Embedding(60, 1)

        def forward(self, x: Tensor) -> Tensor:
            product: Tensor = (0.4 * self.user(x[:, 0]) * self.film(x[:, 1])).sum(1, keepdim=True) + self.bias(x[:, 1])
            return product if fixed else product[:, 0]

    model = Factors()
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-2),
        18,
        TensorBoard(run, "plain"),
        ("train/mse_loss", "", "test/mse_loss", "test/r2"),
        loss=lambda outputs, targets: (outputs - targets).square().mean(),
        metric=lambda outputs, targets: explained(outputs.reshape(-1, 1), targets),
        seed=seed,
        every=10,
    )
    if fixed:
        above(found, "test/r2", 0.6)
        steady(found, "test/mse_loss", 0.3)
    else:
        not_above(found, "test/r2", 0.2)
