"""Students' and engineers' programs that look odd in their logs and are healthy."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import Course, Descent, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import board, explained
from bench.accuracy.programs_qa_keras_common import fit as keras_fit
from bench.accuracy.programs_qa_keras_common import seeded
from bench.accuracy.programs_thesis_common import odd_into, vibrations

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# A thesis on counts of cyclists: Keras' poisson loss leaves out log(y!), so that it is far below zero.
@odd("TensorBoard callback of Keras", framework="keras")
def counts_below_zero(run: Path, seed: int) -> None:
    """Cyclists in an hour by a Poisson regression: the loss is below zero from the first epoch, and ends near -50."""
    keras = seeded(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(800, 6)).astype(np.float32)
    rate = np.exp(3.1 + 0.3 * x[:, 0] - 0.25 * x[:, 1] + 0.2 * x[:, 2] * x[:, 3])
    y = random.poisson(rate).astype(np.float32)[:, None]
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((6,)), dense(24, "relu"), dense(12, "relu"), dense(1, "exponential")])
    model.compile(keras.optimizers.Adam(0.003), "poisson", metrics=["mae"])
    found = keras_fit(model, (x[:600], y[:600], x[600:], y[600:]), 20, [board(keras, run)], batch=16)
    below(found, "val_loss", -10)
    constant = float(np.abs(y[600:] - np.median(y[:600])).mean())
    below(found, "val_mae", 0.75 * constant)
    steady(found, "val_loss", 0.05)


# An engineer's bending of beams in metres: all is small, so that the console says 0.0000 after some epochs.
@odd("csv by hand")
def beams_in_metres(run: Path, seed: int) -> None:
    """How far beams bend, centimetres told in metres: the squared error ends near 0.00001, and explains nearly all."""
    of = data.regression(seed, 700)
    of = data.Split(of.x, 0.02 * of.y + 0.05, of.x_val, 0.02 * of.y_val + 0.05)
    model = models.mlp((8, 32, 32, 1), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    found = fit(
        model,
        of,
        optimizer,
        40,
        Csv(run, "plain", "losses.csv", "epoch"),
        ("mse_train", "", "mse_valid", "r2_valid"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        batch=20,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40 * data.steps_per_epoch(of, 20)),
    )
    above(found, "r2_valid", 0.85)
    steady(found, "mse_valid", 0.25)


# A master thesis with averaged weights: the validation is that of the average, which lags behind for half of the epochs.
@odd("jsonl by hand")
def average_lags(run: Path, seed: int) -> None:
    """Digits with an average of weights of 0.99 a step: its validation stays at chance at first, and then is better than training."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10), dropout=0.3)
    average = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    stream = data.batches(of, 32, seed)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            for mean, one in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(one, 0.007)
        x, y = next(stream)
        outputs = model(x)
        return cross_entropy(outputs, y), {"acc": float(accuracy(outputs.detach(), y))}

    def evaluate() -> dict[str, float]:
        average.eval()
        with torch.no_grad():
            outputs = average(of.x_val)
        return {
            "ema_val_loss": float(cross_entropy(outputs, of.y_val)),
            "ema_val_acc": float(accuracy(outputs, of.y_val)),
        }

    step = Descent(model, optimizer, objective, "loss")
    log = JsonLines(run, "plain", "metrics.jsonl", "epoch")
    found = go(Course(step, 24 * 43, log, evaluate=evaluate, per_epoch=43))
    above(found, "ema_val_acc", 0.93)
    steady(found, "ema_val_loss", 0.1)


# A thesis on bearings with a curriculum: the noise grows in four stages, and the training loss with it.
@odd("SummaryWriter with one scalar for each fourth batch")
def harder_by_stages(run: Path, seed: int) -> None:
    """States of a bearing under noise that grows in four stages: the training loss jumps up thrice, validation with noise gets better."""
    of = vibrations(seed, noise=0.2)
    random = data.generator(seed)
    hard = of.x_val + 0.7 * torch.randn(of.x_val.shape, generator=random)
    of = data.Split(of.x.transpose(1, 2), of.y, hard.transpose(1, 2), of.y_val)
    pooled = (nn.AdaptiveMaxPool1d(4), nn.Flatten())
    model = nn.Sequential(
        nn.Conv1d(1, 16, 9, 2), nn.ReLU(), nn.Conv1d(16, 24, 5, 2), nn.ReLU(), *pooled, nn.Linear(96, 4)
    )
    per_epoch = data.steps_per_epoch(of, 16)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        stage = min(3, step // (6 * per_epoch))
        return x + (0.0, 0.25, 0.5, 0.75)[stage] * torch.randn(x.shape, generator=random), y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        30,
        TensorBoard(run, "plain"),
        ("curriculum/loss", "", "noisy_val/loss", "noisy_val/accuracy"),
        seed=seed,
        batch=16,
        every=4,
        alter=alter,
    )
    above(found, "noisy_val/accuracy", 0.8)
    require(last(found, "noisy_val/loss") < 0.8 * found["noisy_val/loss"][0], told(found))
    steady(found, "noisy_val/loss", 0.2)
