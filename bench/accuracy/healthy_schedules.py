"""Healthy runs whose learning rate, optimiser or loop is less ordinary: cycles, restarts, decays, accumulation, resumed runs."""

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, learned, varied
from bench.accuracy.loop import Plan, cross_entropy, evaluate, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)
Scheduler = torch.optim.lr_scheduler


@healthy("development", "tensorboard, every 10 steps")
def cyclic_rate(run: Path, seed: int) -> None:
    """A triangular cyclic rate: the loss rises a little in each half cycle and wins it back; above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    schedule = Scheduler.CyclicLR(optimizer, 0.002, varied(seed, 0.06), step_size_up=86)
    plan = Plan(model, split, optimizer, 172 * 5, seed=seed, schedule=schedule, evaluate_every=43)
    learned(fit(plan, loggers.TensorBoard(run)), 0.93)


@healthy("seen", "tensorboard, every 5 steps; histograms", dumps=True)
def warm_restarts(run: Path, seed: int) -> None:
    """Cosine decay with warm restarts: the loss jumps at each restart and falls below what it was; above 0.93 on digits."""
    split = data.bundled("digits", seed).as_images()
    model = models.cnn()
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.1), momentum=0.9)
    schedule = Scheduler.CosineAnnealingWarmRestarts(optimizer, 100, 2, eta_min=1e-4)
    plan = Plan(model, split, optimizer, 700, seed=seed, schedule=schedule, clip=1.0, log_every=5, dump_every=50)
    log = loggers.TensorBoard(run, "pytorch")
    learned(fit(plan, log, loggers.HistogramDump(log)), 0.93)


@healthy("development", "csv of Lightning, every 10 steps")
def one_cycle(run: Path, seed: int) -> None:
    """One cycle: a long rise of the rate to a high peak, then down to nothing at the end of the run, as planned; above 0.93."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 32, 10), norm=True)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    schedule = Scheduler.OneCycleLR(optimizer, varied(seed, 0.01), total_steps=602, pct_start=0.3)
    plan = Plan(model, split, optimizer, 602, seed=seed, schedule=schedule, evaluate_every=43)
    plan.also = frozenset({"lr", "epoch"})
    learned(fit(plan, loggers.Csv(run)), 0.93)


@healthy("seen", "jsonl, per epoch")
def exponential_decay(run: Path, seed: int) -> None:
    """A rate that decays exponentially by five orders of magnitude: in the last third the curve is flat, since the schedule says so;
    above 0.9.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10), "silu")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 4e-3))
    schedule = Scheduler.ExponentialLR(optimizer, 10 ** (-5 / (43 * 30)))
    plan = Plan(model, split, optimizer, 43 * 30, seed=seed, schedule=schedule, by_epoch=True)
    learned(fit(plan, loggers.JsonLines(run, "plain", axis="epoch")), 0.9)


@healthy("development", "tensorboard, per epoch, names in camel case")
def reduce_on_plateau(run: Path, seed: int) -> None:
    """The rate is divided by five whenever the validation loss stands still: a few drops late in the run; above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 40, 10))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.15), weight_decay=2e-3)
    schedule = Scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=3)

    def after(found: dict[str, float]) -> bool:
        schedule.step(found["val_loss"])
        return False

    plan = Plan(model, split, optimizer, 43 * 35, seed=seed, by_epoch=True, stop=after, also=frozenset({"lr"}))
    learned(fit(plan, loggers.TensorBoard(run, "camel")), 0.93)


@healthy("seen", "tensorboard, every 10 steps; hdf5 by step", dumps=True)
def adagrad_sparse_embeddings(run: Path, seed: int) -> None:
    """A bag of words with sparse gradients and Adagrad: most rows of the embedding are not touched in a step, words that never occur are
    never touched, and the gradients of most rows are zero, because their words are not in the batch. Above 0.9 (chance 0.25).
    """
    random = data.generator(seed)
    samples, words, length = 1600, 400, 12
    y = torch.randint(0, 4, (samples,), generator=random)
    common = torch.randint(0, 200, (samples, length), generator=random)
    telling = 200 + 25 * y[:, None] + torch.randint(0, 25, (samples, length), generator=random)
    x = torch.where(torch.rand(samples, length, generator=random) < 0.3, telling, common)
    split = data.Split(x[:1200], y[:1200], x[1200:], y[1200:])
    model = nn.Sequential()
    model.add_module("embedding", nn.EmbeddingBag(words, 16, sparse=True))
    model.add_module("fc", nn.Linear(16, 4))
    optimizer = torch.optim.Adagrad(model.parameters(), varied(seed, 0.1))
    plan = Plan(model, split, optimizer, 400, seed=seed, also=frozenset({"lr"}), dump_every=25)
    learned(fit(plan, loggers.TensorBoard(run, "lower"), loggers.Hdf5Dump(run)), 0.85)


@healthy("development", "jsonl, each step of the optimizer")
def lbfgs(run: Path, seed: int) -> None:
    """L-BFGS on the whole data with a line search: twenty-five steps, each of many evaluations, to a low loss; above 0.93 on breast
    cancer.
    """
    split = data.bundled("breast_cancer", seed)
    model = models.mlp((30, 2))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
    log = loggers.JsonLines(run, "slash")
    penalty = varied(seed, 0.02)
    first = evaluate(Plan(model, split, optimizer, 0))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        weights = sum((one**2).sum() for one in model.parameters())
        loss = cross_entropy(model(split.x), split.y) + penalty * weights
        loss.backward()
        return loss

    found, best = first, first["val_loss"]
    for step in range(1, 26):
        loss = optimizer.step(closure)
        found = evaluate(Plan(model, split, optimizer, 0))
        best = min(best, found["val_loss"])
        log.log(step, {"train_loss": loss.item(), **found})
    log.close()
    learned({**found, "first_val_loss": first["val_loss"], "best_val_loss": best}, 0.93)


@healthy("seen", "tensorboard, every 10 steps")
def clipped_often(run: Path, seed: int) -> None:
    """A GRU over characters with the norm clipped at 0.5 in most steps early on, as is usual for recurrent networks: the validation loss
    falls well below that of letter frequencies.
    """
    split, vocabulary = data.characters(seed)
    model = models.Recurrent("gru", 24, 48, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 6e-3))
    (run / "config.json").write_text('{"max_grad_norm": 0.5, "batch_size": 32}')
    plan = Plan(model, split, optimizer, 350, seed=seed, clip=0.5, metrics={}, evaluate_every=35)
    found = fit(plan, loggers.TensorBoard(run))
    require(found["val_loss"] < 1.2, f"validation loss {found['val_loss']:.3f}")
    generalises(found)


@healthy("development", "tensorboard, names of Hugging Face")
def gradient_accumulation(run: Path, seed: int) -> None:
    """Eight batches of eight for each step of the optimizer: fewer steps than batches; above 0.92 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10), "gelu")
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 3e-3))
    schedule = Scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 20, (320 - step) / 300))
    plan = Plan(model, split, optimizer, 315, batch=8, accumulate=8, seed=seed, schedule=schedule, evaluate_every=21)
    plan.log_every, plan.also = 5, frozenset({"lr", "grad_norm", "epoch"})
    learned(fit(plan, loggers.TensorBoard(run, "huggingface")), 0.92)


@healthy("seen", "tensorboard; parquet", dumps=True)
def weights_to_zero(run: Path, seed: int) -> None:
    """An L1 penalty by soft thresholds: 20 of 30 inputs are noise, and their weights become exactly zero and stay there, as they should;
    the model explains more than 0.75 of the variance.
    """
    random = data.generator(seed)
    x = torch.randn(900, 30, generator=random)
    y = x[:, :10] @ torch.randn(10, 1, generator=random) / 3 + 0.3 * torch.randn(900, 1, generator=random)
    split = data.Split(x[:700], y[:700], x[700:], y[700:])
    model = models.mlp((30, 16, 1))
    weight = model[0].weight

    class Thresholded(torch.optim.SGD):
        """Takes a little off the size of each weight of the first layer after each step."""

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            """One step and one threshold."""
            super().step(closure)
            weight.copy_(weight.sign() * (weight.abs() - 0.03 * self.param_groups[0]["lr"]).clamp_min(0))

    optimizer = Thresholded(model.parameters(), varied(seed, 0.05), momentum=0.8)
    plan = Plan(model, split, optimizer, 700, nn.functional.mse_loss, {}, batch=100, seed=seed, dump_every=35)
    found = fit(plan, loggers.TensorBoard(run, "slash"), loggers.ParquetDump(run))
    zero = (weight == 0).float().mean(0)
    require(float(zero[10:].mean()) > 0.4, f"{float(zero[10:].mean()):.2f} of the weights of noise are zero")
    require(found["val_loss"] < 0.25 * float(split.y_val.var()), f"validation loss {found['val_loss']:.3f}")
    generalises(found)


def _resumed(run: Path, seed: int, log: Any, stop: int, back: int, total: int) -> dict[str, float]:
    """Train to `stop`, save at `stop - back`, and go on from there with everything restored; `log(part)` opens the writer of a part."""
    split = data.bundled("digits", seed).as_images()
    model = models.cnn()
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    schedule = Scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / total)))
    plan = Plan(model, split, optimizer, stop - back, seed=seed, schedule=schedule, log_every=10, evaluate_every=50)
    first_part = log(0)
    first = fit(plan, loggers.Both(first_part) if not back else _Open(first_part))
    saved = [copy.deepcopy(one.state_dict()) for one in (model, optimizer, schedule)]
    if back:
        plan.steps, plan.first_step, plan.seed = back, stop - back, seed + 50
        fit(plan, first_part)
        for one, state in zip((model, optimizer, schedule), saved, strict=True):
            one.load_state_dict(state)
    plan.steps, plan.first_step, plan.seed = total - (stop - back), stop - back, seed + 100
    found = fit(plan, log(1))
    return {**found, "first_val_loss": first["first_val_loss"]}


class _Open:
    """A writer that the end of a part does not close."""

    def __init__(self, log: loggers.Log) -> None:
        self.log = log.log

    def close(self) -> None:
        """Stay open."""


@healthy("development", "tensorboard, two event files")
def resumed_events(run: Path, seed: int) -> None:
    """Killed at step 330 and resumed from the checkpoint of step 300 with model, optimizer and schedule: steps 301 to 330 are there
    twice, in two event files, and the curve goes on where it was. Above 0.93 on digits.
    """
    found = _resumed(run, seed, lambda part: loggers.TensorBoard(run, "slash", suffix=f".{part}"), 330, 30, 700)
    learned(found, 0.93)


@healthy("seen", "csv, continued")
def resumed_table(run: Path, seed: int) -> None:
    """Stopped at step 400 and resumed there with model, optimizer and schedule; the table goes on. Above 0.93 on digits."""
    found = _resumed(run, seed, lambda _: loggers.Csv(run, "slash", "progress.csv"), 400, 0, 700)
    learned(found, 0.93)


@healthy("development", "tensorboard, each step, long")
def long_and_dense(run: Path, seed: int) -> None:
    """Three thousand steps logged one by one with batches of eight: very noisy curves around a falling level; above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.01), momentum=0.5, weight_decay=5e-4)
    plan = Plan(model, split, optimizer, 2700, batch=8, seed=seed, log_every=1, evaluate_every=169)
    plan.train_metrics = False
    learned(fit(plan, loggers.TensorBoard(run, "pytorch", x=True)), 0.93)
