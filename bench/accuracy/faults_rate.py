"""Planted faults of the learning rate, its schedule, the optimizer and clipping."""

from dataclasses import replace
from pathlib import Path

import torch

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    NOT_LEARNING,
    SEEN,
    TOO_FAST,
    at_chance,
    broken,
    mse,
    planted,
    scheduled,
    settings,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import (
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    KerasDirectories,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import Plan, fit


def rate_diverges_mlp(run: Path, seed: int) -> None:
    """A regression with momentum and a rate a hundred times too high: the error grows by orders of magnitude."""
    torch.manual_seed(seed)
    model = models.mlp((8, 32, 32, 1), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 3.0), momentum=0.9)
    plan = Plan(
        model, data.regression(seed), optimizer, 500, loss=mse, metrics={}, seed=seed, log_every=5, dump_every=25
    )
    broken(fit(plan, TensorBoard(run), Hdf5Dump(run)), 1.0)


def rate_diverges_cnn(run: Path, seed: int) -> None:
    """A CNN that predicts which number a digit is, with SGD at 0.6 and momentum: the error grows without bound, or is NaN."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed).as_images()
    numbers = replace(of, y=of.y[:, None] / 4.5 - 1, y_val=of.y_val[:, None] / 4.5 - 1)
    model = models.cnn(1, activation="gelu")
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.6), momentum=0.9)
    plan = Plan(model, numbers, optimizer, 600, loss=mse, metrics={}, seed=seed, log_every=10)
    plan.dump_every = 30
    broken(fit(plan, TrainerState(run, data.steps_per_epoch(of, 32), 600), Hdf5Dump(run)), 0.5)


def rate_at_chance_mlp(run: Path, seed: int) -> None:
    """Adam at 0.6 on digits: the first steps throw all units out of reach, and the loss stays at chance or above."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 48, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.6))
    plan = Plan(model, data.bundled("digits", seed), optimizer, 900, seed=seed, log_every=10)
    settings(run, lr=optimizer.param_groups[0]["lr"], batch_size=32, num_classes=10)
    at_chance(fit(plan, Csv(run)), 10, 2.0)


def rate_at_chance_gru(run: Path, seed: int) -> None:
    """Adam at 1.0 on a GRU that counts parity over eight bits: gates saturate, and the accuracy stays at a half."""
    torch.manual_seed(seed)
    model = models.Recurrent("gru", 1, 24, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1.0))
    plan = Plan(model, data.parity(seed), optimizer, 600, batch=64, seed=seed, dump_every=30)
    at_chance(fit(plan, TensorBoard(run, "lower"), ParquetDump(run)), 2, 1.2)


def rate_too_low_mlp(run: Path, seed: int) -> None:
    """SGD at 1e-6: 1,000 steps move the loss by less than its noise."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 1e-6))
    plan = Plan(model, data.bundled("digits", seed), optimizer, 1000, seed=seed, log_every=10)
    at_chance(fit(plan, TensorBoard(run, "huggingface")), 10, 2.2)


def rate_too_low_cnn(run: Path, seed: int) -> None:
    """Adam at 1e-8 (an exponent mistyped): each weight may move by 1e-8 a step."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-8))
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 600, seed=seed, dump_every=30)
    at_chance(fit(plan, Csv(run, "plain", axis="step"), Hdf5Dump(run, by_name=True)), 10, 2.2)


def rate_zero_steplr(run: Path, seed: int) -> None:
    """StepLR(step_size=10, gamma=0.1), meant for epochs, stepped after each batch: after 100 steps the rate is 1e-12."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02), momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.1)
    plan = Plan(
        model, data.bundled("digits", seed), optimizer, 800, seed=seed, schedule=schedule, log_every=5, batch=32
    )
    plan.dump_every = 40
    found = fit(plan, JsonLines(run, "plain"), Hdf5Dump(run))
    require(found["val_accuracy"] < 0.85, f"it learned all the same: {found}")


def rate_zero_linear(run: Path, seed: int) -> None:
    """A linear decay computed for one epoch of three devices: zero after a sixth of the run."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed)
    model = models.Recurrent("lstm", 16, 48, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 2e-3))
    schedule = scheduled(optimizer, lambda step: max(0.0, 1 - step / 100))
    plan = Plan(model, of, optimizer, 600, seed=seed, schedule=schedule, dump_every=30)
    found = fit(plan, TensorBoard(run, "slash"), HistogramDump(run))
    require(found["val_loss"] > 1.2, f"it learned all the same: {found}")


def no_warm_up_symbols(run: Path, seed: int) -> None:
    """A post-norm transformer of 6 layers, at 0.025 without warm-up: it stays at ln 8 (after 100 steps of warm-up it would learn)."""
    torch.manual_seed(seed)
    of = data.copying(seed, length=10, symbols=8)
    model = models.Transformer(8, 8, layers=6, length=10, causal=False, post_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.025, 0.1))
    plan = Plan(model, of, optimizer, 250, seed=seed, log_every=5, evaluate_every=25, dump_every=25)
    at_chance(fit(plan, TensorBoard(run, "huggingface"), Hdf5Dump(run)), 8, 1.4)


def no_warm_up_reversal(run: Path, seed: int) -> None:
    """The same with six symbols, at ln 6; only lines of JSON are kept, with the time."""
    torch.manual_seed(seed)
    model = models.Transformer(6, 6, heads=4, layers=6, length=8, causal=False, post_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.025, 0.1))
    plan = Plan(model, data.copying(seed), optimizer, 300, seed=seed, log_every=10)
    at_chance(fit(plan, JsonLines(run, "huggingface", timed=True)), 6, 1.4)


def warm_up_never_ends_mlp(run: Path, seed: int) -> None:
    """Warm-up over 2,000 steps in a run of 800: the rate rises to the end."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 1e-3))
    schedule = scheduled(optimizer, lambda step: min(1.0, (step + 1) / 2000))
    plan = Plan(model, data.bundled("digits", seed), optimizer, 800, seed=seed, schedule=schedule)
    plan.dump_every = 40
    fit(plan, TensorBoard(run, "pytorch"), Hdf5Dump(run, by_name=True))
    rate = optimizer.param_groups[0]["lr"]
    require(rate < 0.5 * varied(seed, 1e-3), f"the warm-up ended, at {rate}")


def warm_up_never_ends_transformer(run: Path, seed: int) -> None:
    """Warm-up over 400 epochs' worth of steps, stepped once in a while: the rate ends at a tenth of what was meant, still rising."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Transformer(vocabulary, vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 2e-3))
    schedule = scheduled(optimizer, lambda step: min(1.0, (step + 1) / 4000))
    plan = Plan(model, of, optimizer, 400, seed=seed, schedule=schedule)
    fit(plan, TrainerState(run, data.steps_per_epoch(of, 32), 400))
    rate = optimizer.param_groups[0]["lr"]
    require(rate < 0.2 * varied(seed, 2e-3), f"the warm-up ended, at {rate}")


def maximised_regression(run: Path, seed: int) -> None:
    """SGD(maximize=True), left over from a policy gradient: the squared error is driven up."""
    torch.manual_seed(seed)
    model = models.mlp((8, 32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.002), maximize=True)
    plan = Plan(model, data.regression(seed), optimizer, 400, loss=mse, metrics={}, seed=seed, log_every=10)
    plan.dump_every = 20
    broken(fit(plan, TensorBoard(run, "capital"), ParquetDump(run)), 1.0)


def maximised_cnn(run: Path, seed: int) -> None:
    """Adam(maximize=True) on digits: the cross-entropy climbs from the first step."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3), maximize=True)
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 400, seed=seed, dump_every=20)
    broken(fit(plan, TensorBoard(run, "lower"), Hdf5Dump(run)), 2.3)


def _keeps_gradients(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Makes zero_grad() do nothing, as where it is not called."""
    optimizer.zero_grad = lambda set_to_none=True: None  # type: ignore[method-assign]
    return optimizer


def no_zero_grad_mlp(run: Path, seed: int) -> None:
    """zero_grad() is missing: each step goes along the sum of all gradients so far, so the loss swings wider and wider."""
    torch.manual_seed(seed)
    model = models.mlp((8, 32, 32, 1))
    optimizer = _keeps_gradients(torch.optim.SGD(model.parameters(), lr=varied(seed, 0.2)))
    plan = Plan(
        model, data.regression(seed), optimizer, 600, loss=mse, metrics={}, seed=seed, log_every=5, dump_every=30
    )
    broken(fit(plan, TensorBoard(run, "slash"), Hdf5Dump(run)), 1.0)


def no_zero_grad_cnn(run: Path, seed: int) -> None:
    """The same for a CNN on digits: it learns for an instant, then swings to chance."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = _keeps_gradients(torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05)))
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 600, seed=seed, log_every=5)
    found = fit(plan, Csv(run, "lightning"))
    require(not found["val_accuracy"] > 0.5, f"it learned: {found}")
    broken(found, 1.2)


def clip_too_tight_mlp(run: Path, seed: int) -> None:
    """max_grad_norm 1e-4 with SGD at 0.05: a step moves the weights by 5e-6 at most."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    settings(run, max_grad_norm=1e-4, learning_rate=optimizer.param_groups[0]["lr"], num_classes=10)
    plan = Plan(model, data.bundled("digits", seed), optimizer, 900, seed=seed, clip=1e-4)
    at_chance(fit(plan, TensorBoard(run, "slash")), 10, 2.2)


def clip_too_tight_gru(run: Path, seed: int) -> None:
    """Clipped to 1e-3 with SGD on the adding problem (variance 1/6): the error stays where it starts to predict the mean."""
    torch.manual_seed(seed)
    model = models.Recurrent("gru", 2, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    settings(run, gradient_clip_val=1e-3, learning_rate=optimizer.param_groups[0]["lr"])
    plan = Plan(
        model,
        data.adding(seed),
        optimizer,
        500,
        loss=mse,
        metrics={},
        seed=seed,
        clip=1e-3,
        dump_every=25,
    )
    found = fit(plan, TensorBoard(run, "camel"), ParquetDump(run))
    require(found["val_loss"] > 0.1, f"it learned: {found}")


def weight_decay_mlp(run: Path, seed: int) -> None:
    """SGD with weight decay 2 (0.02 was meant): all weights shrink to nothing, and the loss goes to ln 10."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05), weight_decay=2.0)
    settings(run, weight_decay=2.0, num_classes=10)
    plan = Plan(model, data.bundled("digits", seed), optimizer, 700, seed=seed, dump_every=35)
    at_chance(fit(plan, TensorBoard(run, "pytorch"), Hdf5Dump(run)), 10, 2.2)


def weight_decay_cnn(run: Path, seed: int) -> None:
    """AdamW with weight decay 30 in a CNN: the same, on the axis of epochs in Keras' directories."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 3e-3), weight_decay=60.0)
    of = data.bundled("digits", seed).as_images()
    plan = Plan(model, of, optimizer, 30 * data.steps_per_epoch(of, 64), batch=64, seed=seed, by_epoch=True)
    found = fit(plan, KerasDirectories(run))
    at_chance(found, 10, 2.5)


_RATE = ("learning-rate-too-high", *TOO_FAST[1:])
_CHANCE = ("learning-rate-too-high", "updates-too-large", "loss-divergence", *NOT_LEARNING)
_LOW = ("updates-too-small", *NOT_LEARNING)
_DECAY = ("all-zero", "low-variance", *NOT_LEARNING)
_CLIP = ("gradient-always-clipped", "updates-too-small", *NOT_LEARNING)
_WARM_UP = ("learning-rate-too-high", "updates-too-large", "loss-divergence", "loss-spike", *NOT_LEARNING)
_ZERO = ("learning-rate-zero", "schedule-mismatch")

RECIPES = (
    planted(
        "rate-diverges-mlp",
        "learning-rate-too-high",
        DEVELOPMENT,
        rate_diverges_mlp,
        _RATE,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "rate-diverges-cnn",
        "learning-rate-too-high",
        SEEN,
        rate_diverges_cnn,
        _RATE,
        "trainer_state.json, hdf5",
        dumps=True,
    ),
    planted("rate-at-chance-mlp", "learning-rate-stays-at-chance", DEVELOPMENT, rate_at_chance_mlp, _CHANCE, "csv"),
    planted(
        "rate-at-chance-gru",
        "learning-rate-stays-at-chance",
        SEEN,
        rate_at_chance_gru,
        _CHANCE,
        "tensorboard, parquet",
        dumps=True,
    ),
    planted("rate-too-low-mlp", "learning-rate-too-low", DEVELOPMENT, rate_too_low_mlp, _LOW, "tensorboard"),
    planted("rate-too-low-cnn", "learning-rate-too-low", SEEN, rate_too_low_cnn, _LOW, "csv, hdf5", dumps=True),
    planted(
        "rate-zero-steplr",
        "learning-rate-zero-early",
        DEVELOPMENT,
        rate_zero_steplr,
        _ZERO,
        "jsonl, hdf5",
        dumps=True,
        since=60,
    ),
    planted(
        "rate-zero-linear",
        "learning-rate-zero-early",
        SEEN,
        rate_zero_linear,
        _ZERO,
        "tensorboard, histograms",
        dumps=True,
        since=100,
    ),
    planted(
        "no-warm-up-symbols", "no-warm-up", DEVELOPMENT, no_warm_up_symbols, _WARM_UP, "tensorboard, hdf5", dumps=True
    ),
    planted("no-warm-up-reversal", "no-warm-up", SEEN, no_warm_up_reversal, _WARM_UP, "jsonl"),
    planted(
        "warm-up-never-ends-mlp",
        "warm-up-never-ends",
        DEVELOPMENT,
        warm_up_never_ends_mlp,
        ("schedule-mismatch",),
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "warm-up-never-ends-transformer",
        "warm-up-never-ends",
        SEEN,
        warm_up_never_ends_transformer,
        ("schedule-mismatch",),
        "trainer_state.json",
    ),
    planted(
        "maximised-regression",
        "wrong-loss-sign",
        DEVELOPMENT,
        maximised_regression,
        _RATE,
        "tensorboard, parquet",
        dumps=True,
    ),
    planted("maximised-cnn", "wrong-loss-sign", SEEN, maximised_cnn, _RATE, "tensorboard, hdf5", dumps=True),
    planted(
        "no-zero-grad-mlp", "missing-zero-grad", DEVELOPMENT, no_zero_grad_mlp, _RATE, "tensorboard, hdf5", dumps=True
    ),
    planted("no-zero-grad-cnn", "missing-zero-grad", SEEN, no_zero_grad_cnn, _RATE, "csv"),
    planted("clip-too-tight-mlp", "clip-too-tight", DEVELOPMENT, clip_too_tight_mlp, _CLIP, "tensorboard"),
    planted(
        "clip-too-tight-gru", "clip-too-tight", SEEN, clip_too_tight_gru, _CLIP, "tensorboard, parquet", dumps=True
    ),
    planted(
        "weight-decay-mlp",
        "weight-decay-too-strong",
        DEVELOPMENT,
        weight_decay_mlp,
        _DECAY,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("weight-decay-cnn", "weight-decay-too-strong", SEEN, weight_decay_cnn, _DECAY, "keras directories"),
)
