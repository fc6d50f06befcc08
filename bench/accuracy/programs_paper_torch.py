"""Programs in torch with one fault of the kinds that papers inject, and without it: losses, numbers, depth, missing steps."""

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_paper_common import circles, explained, hits, into, sine

RECIPES: list[Recipe] = []
pair = into(RECIPES)


@pair("cross-entropy-of-softmax", (*BADLY_LEARNED, "metric-at-chance", "still-improving"), "SummaryWriter by epochs")
def double_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a CNN that ends in a softmax, under a cross-entropy that takes another, with SGD; fixed: logits."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(8, 16))
    if not fixed:
        model.add_module("softmax", nn.Softmax(-1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    tags = ("Loss/train", "Accuracy/train", "Loss/valid", "Accuracy/valid")
    found = fit(model, of, optimizer, 8, TensorBoard(run, "plain"), tags, seed=seed)
    if fixed:
        above(found, "Accuracy/valid", 0.9)
        steady(found, "Loss/valid")
    else:
        below(found, "Accuracy/valid", 0.7)
        not_below(found, "Loss/train", 1.8)


@pair("hinge-with-zero-and-one", NOTHING_LEARNED, "jsonl by epochs")
def hinge_zero_one(run: Path, seed: int, fixed: bool) -> None:
    """A ring within a ring by the hinge loss with labels 0 and 1, for which class 0 has no gradient; fixed: -1 and 1."""
    of = circles(seed)
    model = models.mlp((2, 24, 24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def hinge(outputs: Tensor, targets: Tensor) -> Tensor:
        sides = targets * 2 - 1 if fixed else targets
        return (1 - outputs[:, 0] * sides).relu().mean()

    tags = ("train_hinge_loss", "train_acc", "test_hinge_loss", "test_acc")
    log = JsonLines(run, "plain", "metrics.jsonl", axis="epoch")
    found = fit(model, of, optimizer, 25, log, tags, loss=hinge, metric=hits, seed=seed)
    if fixed:
        above(found, "test_acc", 0.9)
        steady(found, "test_hinge_loss", 0.15)
    else:
        below(found, "test_acc", 0.6)
        not_below(found, "train_hinge_loss", 0.45)


@pair("log-of-zero", ("non-finite", "loss-divergence"), "SummaryWriter by steps")
def log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """A cross-entropy by hand, -y log p - (1 - y) log(1 - p), in which p reaches one after some epochs; fixed: p is kept off 0 and 1."""
    of = data.bundled("breast_cancer", seed)
    model = models.mlp((30, 16, 1))
    model.add_module("sigmoid", nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2, weight_decay=1e-3)

    def entropy(outputs: Tensor, targets: Tensor) -> Tensor:
        p = outputs[:, 0].clamp(1e-6, 1 - 1e-6) if fixed else outputs[:, 0]
        return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()

    def right(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs[:, 0] > 0.5).long() == targets).float().mean()

    tags = ("batch/loss", "batch/accuracy", "validation/loss", "validation/accuracy")
    found = fit(
        model, of, optimizer, 16, TensorBoard(run, "plain"), tags, loss=entropy, metric=right, seed=seed, every=4
    )
    if fixed:
        above(found, "validation/accuracy", 0.93)
        below(found, "batch/loss", 0.15)
        steady(found, "validation/loss", 0.15)
    else:
        require(not math.isfinite(found["batch/loss"][-1]), f"all is finite: {told(found)}")


@pair("root-at-zero", ("non-finite",), "csv by iterations; weights and gradients in hdf5", dumps=True)
def root_at_zero(run: Path, seed: int, fixed: bool) -> None:
    """Pairs of digits under a contrastive loss, whose distance has no derivative once a digit meets itself; fixed: a small number under
    the root.
    """
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    random = data.generator(seed)

    def contrastive(x: Tensor, y: Tensor, one: Tensor, other: Tensor) -> Tensor:
        squares = (model(x[one]) - model(x[other])).square().sum(-1)
        distance = (squares + 1e-6).sqrt() if fixed else squares.sqrt()
        same = y[one] == y[other]
        return torch.where(same, distance.square(), (1.5 - distance).relu().square()).mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        # Half of the pairs are of one class, as a sampler of pairs makes them.
        one = torch.randint(0, len(of.x), (16,), generator=random)
        other = torch.randint(0, len(of.x), (16,), generator=random)
        for place in range(8):
            alike = (of.y == of.y[one[place]]).nonzero()[:, 0]
            other[place] = alike[torch.randint(0, len(alike), (1,), generator=random)]
        return contrastive(of.x, of.y, one, other), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            half = len(of.x_val) // 2
            return {
                "valid_pair_loss": float(
                    contrastive(of.x_val, of.y_val, torch.arange(half), torch.arange(half, 2 * half))
                )
            }

    snapshots = Snapshots(Hdf5Dump(run, name="debug.h5"), model, 40, "torch")
    step = Descent(model, optimizer, objective, "pair_loss", norm_tag="grad_norm", snapshots=snapshots)
    log = Csv(run, "plain", "siamese_log.csv", axis="iter")
    found = go(Course(step, 600, log, 5, True, evaluate, 50, snapshots=snapshots))
    if fixed:
        require(last(found, "pair_loss", 20) < 0.5 * last({"first": found["pair_loss"][:20]}, "first", 20), told(found))
        steady(found, "valid_pair_loss", 0.2)
    else:
        require(not math.isfinite(found["pair_loss"][-1]), f"all is finite: {told(found)}")


@pair(
    "batch-norm-missing-at-depth",
    ("vanishing-gradient", *NOTHING_LEARNED, "updates-too-small", "low-variance"),
    "SummaryWriter by epochs, with histograms",
    dumps=True,
)
def deep_without_norm(run: Path, seed: int, fixed: bool) -> None:
    """Digits by nine layers without normalisation, whose first ones get no gradient; fixed: batch norm after each."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, *[64] * 8, 10), norm=fixed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    log = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(log), model, 150, "torch")
    tags = ("train/loss", "train/acc", "test/loss", "test/acc")
    found = fit(model, of, optimizer, 14, log, tags, batch=50, seed=seed, snapshots=snapshots)
    if fixed:
        above(found, "test/acc", 0.85)
        steady(found, "test/loss")
    else:
        below(found, "test/acc", 0.2)


@pair("step-missing", (*NOTHING_LEARNED, "unchanged-tensor", "updates-too-small"), "console by epochs")
def step_missing(run: Path, seed: int, fixed: bool) -> None:
    """Three spirals in a loop that calls backward() and scheduler.step(), but never optimizer.step(); fixed: it does."""
    of = data.spirals(seed)
    model = models.mlp((2, 32, 32, 3), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    if not fixed:
        optimizer.step = lambda *_, **__: None  # type: ignore[method-assign]
    tags = ("train_loss", "train_acc", "val_loss", "val_acc")
    found = fit(model, of, optimizer, 30, Console(run, "plain", axis="epoch"), tags, seed=seed)
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss")
    else:
        below(found, "val_acc", 0.55)
        require(found["val_loss"][0] == found["val_loss"][-1], f"something changed: {told(found)}")


@pair(
    "recurrent-explosion",
    (*BLOWN_UP, "initial-loss", "poor-initialization"),
    "jsonl by steps, with gradient norms",
)
def recurrent_wide(run: Path, seed: int, fixed: bool) -> None:
    """The adding problem by an RNN of ReLUs whose recurrent weights are drawn from N(0, 0.8), so that states grow; fixed: the identity."""
    of = data.adding(seed, 1200, 16)
    model = models.Recurrent("rnn", 2, 32, 1)
    model.rnn = nn.RNN(2, 32, nonlinearity="relu", batch_first=True)
    recurrent = model.rnn.weight_hh_l0
    with torch.no_grad():
        if fixed:
            nn.init.eye_(recurrent)
            nn.init.normal_(model.rnn.weight_ih_l0, std=0.1)
            model.rnn.bias_hh_l0.zero_()
            model.rnn.bias_ih_l0.zero_()
        else:
            nn.init.normal_(recurrent, std=0.8)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = JsonLines(run, "plain", "train_log.jsonl")
    tags = ("mse", "", "val_mse", "")
    found = fit(
        model,
        of,
        optimizer,
        28,
        log,
        tags,
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="grad_norm",
    )
    if fixed:
        below(found, "val_mse", 0.06)
        steady(found, "val_mse", 0.3)
    else:
        not_below(found, "val_mse", 2.0)


@pair(
    "dead-relu-by-biases",
    ("dead-relu", "poor-initialization", "all-zero", "gradient-all-zero", *BADLY_LEARNED),
    "SummaryWriter by epochs, with histograms",
    dumps=True,
)
def biases_negative(run: Path, seed: int, fixed: bool) -> None:
    """A sine by two hidden layers whose biases start at -4, below anything the inputs bring; fixed: as torch draws them."""
    of = sine(seed)
    model = models.mlp((1, 32, 32, 1))
    if not fixed:
        nn.init.constant_(model.fc1.bias, -4.0)
        nn.init.constant_(model.fc2.bias, -4.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    log = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(log), model, 30, "scopes")
    tags = ("mse/train", "", "mse/val", "r2/val")
    found = fit(
        model,
        of,
        optimizer,
        30,
        log,
        tags,
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "r2/val", 0.9)
        steady(found, "mse/val", 0.2)
    else:
        below(found, "r2/val", 0.1)


@pair("relu-on-regression-output", BADLY_LEARNED, "csv by epochs")
def autoencoder_relu_output(run: Path, seed: int, fixed: bool) -> None:
    """An autoencoder of standardised digits whose decoder ends in ReLU and so never says less than zero; fixed: it ends linearly."""
    of = data.bundled("digits", seed)
    of = replace(of, y=of.x, y_val=of.x_val)
    model = models.Autoencoder((64, 48, 24))
    if not fixed:
        model.decoder.add_module("relu_out", nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = Csv(run, "plain", "losses.csv", axis="epoch")
    tags = ("train_recon_loss", "", "val_recon_loss", "")
    found = fit(model, of, optimizer, 25, log, tags, loss=functional.mse_loss, metric=explained, seed=seed, batch=64)
    if fixed:
        below(found, "val_recon_loss", 0.3)
        steady(found, "val_recon_loss")
    else:
        not_below(found, "val_recon_loss", 0.42)
