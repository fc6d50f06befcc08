"""Planted faults of the initialisation: zeros, a constant, far too large, far too small."""

from pathlib import Path

import torch
from torch import nn

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    NOT_LEARNING,
    SEEN,
    at_chance,
    digits,
    initialised,
    mse,
    planted,
    settings,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.loop import Plan, fit


def zeros_mlp(run: Path, seed: int) -> None:
    """All weights and biases begin at zero: only the last bias has a gradient."""
    torch.manual_seed(seed)
    model = initialised(models.mlp((64, 48, 48, 10)), 0.0, constant=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    at_chance(fit(digits(model, optimizer, seed), TensorBoard(run, "huggingface"), HistogramDump(run)), 10, 2)


def zeros_lstm(run: Path, seed: int) -> None:
    """An LSTM whose weights all begin at zero, on the adding problem: it predicts the mean."""
    torch.manual_seed(seed)
    model = initialised(models.Recurrent("lstm", 2, 32, 1), 0.0, constant=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    found = fit(Plan(model, data.adding(seed), optimizer, 500, loss=mse, metrics={}, seed=seed), Csv(run, "lightning"))
    require(found["val_loss"] > 0.12, f"it learned: {found}")


def constant_mlp(run: Path, seed: int) -> None:
    """All weights begin at 0.05: all units of a layer are one unit, so that ten classes hang on one number."""
    torch.manual_seed(seed)
    model = initialised(models.mlp((64, 48, 48, 10), "tanh"), 0.05, constant=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    settings(run, num_classes=10, lr=optimizer.param_groups[0]["lr"])
    found = fit(digits(model, optimizer, seed, 800, dumps=False), TensorBoard(run, "pytorch"))
    require(found["val_accuracy"] < 0.35, f"it learned: {found}")


def constant_gru(run: Path, seed: int) -> None:
    """The same in a GRU of characters, dumped: its 48 units stay one unit, which tells little of what comes next."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Recurrent("gru", 16, 48, vocabulary, vocabulary=vocabulary, every_step=True)
    initialised(model, 0.05, constant=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = Plan(model, of, optimizer, 400, seed=seed, dump_every=20)
    found = fit(plan, TensorBoard(run, "camel"), Hdf5Dump(run, by_name=True))
    require(found["val_loss"] > 2, f"it learned: {found}")


def too_large_mlp(run: Path, seed: int) -> None:
    """Weights with a standard deviation of 1.5 instead of 0.15: the first loss is in the thousands, and most of the run is spent on it."""
    torch.manual_seed(seed)
    model = initialised(models.mlp((64, 48, 48, 48, 10)), 1.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3))
    settings(run, num_classes=10, learning_rate=optimizer.param_groups[0]["lr"])
    found = fit(digits(model, optimizer, seed, 600, dumps=False), TensorBoard(run, "slash"))
    require(found["first_val_loss"] > 23, f"the first loss is usual: {found}")


def too_large_characters(run: Path, seed: int) -> None:
    """A transformer whose matrices begin with a standard deviation of 2: the first loss is fifty times ln of the vocabulary."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Transformer(vocabulary, vocabulary)
    for name, parameter in model.named_parameters():
        if "ln" not in name and parameter.dim() > 1:
            nn.init.normal_(parameter, std=2.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 1e-3))
    settings(run, vocab_size=vocabulary, learning_rate=optimizer.param_groups[0]["lr"])
    found = fit(Plan(model, of, optimizer, 300, seed=seed, dump_every=15), TensorBoard(run, "lower"), ParquetDump(run))
    require(found["first_val_loss"] > 12, f"the first loss is usual: {found}")


def too_small_mlp(run: Path, seed: int) -> None:
    """Six layers with weights of 1e-3: signals and gradients shrink to nothing, and the loss stays at ln 10."""
    torch.manual_seed(seed)
    model = initialised(models.mlp((64, *[32] * 5, 10), "tanh"), 1e-3)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05), momentum=0.9)
    at_chance(fit(digits(model, optimizer, seed, 700, dumps=False), JsonLines(run, "lower")), 10, 2)


def too_small_cnn(run: Path, seed: int) -> None:
    """A CNN of five layers with weights of 1e-3, dumped as histograms beside the scalars."""
    torch.manual_seed(seed)
    model = initialised(models.cnn(channels=(8, 8, 8)), 1e-3)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05), momentum=0.9)
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 400, seed=seed, dump_every=20)
    log = TensorBoard(run, "capital")
    at_chance(fit(plan, log, HistogramDump(log)), 10, 2)


_INIT = ("poor-initialization", "initial-loss", "vanishing-gradient", "gradient-all-zero", *NOT_LEARNING)

_ZEROS = ("all-zero", *_INIT)

RECIPES = (
    planted(
        "zeros-mlp", "initialised-with-zeros", DEVELOPMENT, zeros_mlp, _ZEROS, "tensorboard, histograms", dumps=True
    ),
    planted("zeros-lstm", "initialised-with-zeros", SEEN, zeros_lstm, _ZEROS, "csv"),
    planted("constant-mlp", "initialised-with-a-constant", DEVELOPMENT, constant_mlp, _INIT, "tensorboard"),
    planted("constant-gru", "initialised-with-a-constant", SEEN, constant_gru, _INIT, "tensorboard, hdf5", dumps=True),
    planted("too-large-mlp", "initialised-too-large", DEVELOPMENT, too_large_mlp, _INIT, "tensorboard"),
    planted(
        "too-large-characters",
        "initialised-too-large",
        SEEN,
        too_large_characters,
        _INIT,
        "tensorboard, parquet",
        dumps=True,
    ),
    planted("too-small-mlp", "initialised-too-small", DEVELOPMENT, too_small_mlp, _INIT, "jsonl"),
    planted(
        "too-small-cnn", "initialised-too-small", SEEN, too_small_cnn, _INIT, "tensorboard, histograms", dumps=True
    ),
)
