"""Faulty runs: generalisation, and the run itself (steps, time, machine, files)."""

import numpy as np

from tests.curves.curve import Collection, Curve, Points
from tests.curves.shapes import Clock, cosine, grid, relax, tagged

RUNS = Collection()
Rng = np.random.Generator
THREE = ("hf", "torch", "lightning")


@RUNS(
    "best at epoch 12 of 60: from there the loss more than doubles and the accuracy falls by 8 points",
    "GEN001",
    severity="error",
)
def overfit_and_metric_falls(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(60, 1, 0)
    after = (epochs - 12).clip(0)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.9, 0.01, 9) + np.abs(rng.normal(0, 0.004, 60))),
            acc=clock.points(epochs, relax(epochs, 0.35, 0.998, 9) + rng.normal(0, 0.0006, 60)),
            val_loss=clock.points(epochs, relax(epochs, 1.8, 0.88, 4) + 0.027 * after + rng.normal(0, 0.012, 60)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.74, 4) - 0.0017 * after + rng.normal(0, 0.003, 60)),
        )
    )


@RUNS("no metric: validation loss doubles from 25 % of the run on while the training loss goes to nothing", "GEN001")
def overfit_without_metric(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.2, 100)
    steps, checks = grid(400, 10), grid(40, 100)
    val_loss = relax(checks, 2.2, 0.95, 300) + 1.1 * ((checks - 1_000) / 3_000).clip(0) + rng.normal(0, 0.01, 40)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 2.3, 0.02, 700) * rng.lognormal(0, 0.1, 400)),
            val_loss=clock.points(checks, val_loss, True),
            lr=clock.points(steps, np.full(400, 3e-4)),
        )
    )


@RUNS("fourteen epochs, the fourth is the best, ten more make it half as bad again", "GEN001")
def overfit_in_fourteen_epochs(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(14, 1, 0)
    after = (epochs - 3).clip(0)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.2, 0.03, 3.5) + rng.normal(0, 0.003, 14)),
            val_loss=clock.points(epochs, relax(epochs, 1.0, 0.58, 1.2) + 0.04 * after + rng.normal(0, 0.006, 14)),
        )
    )


@RUNS(
    "the class priors are learned and nothing else: from a bad start to ln 10 within a tenth of the run, there it stays",
    "GEN002",
)
def ends_at_chance(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 30.0), grid(80, 1, 0)
    return Curve(
        tagged(
            ("torch", "lightning", "keras")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 3.6, np.log(10), 2) + rng.normal(0, 0.003, 80)),
            acc=clock.points(epochs, 0.1 + rng.normal(0, 0.002, 80)),
            val_loss=clock.points(epochs, relax(epochs, 3.4, np.log(10), 2) + rng.normal(0, 0.003, 80)),
            val_acc=clock.points(epochs, 0.1 + rng.normal(0, 0.003, 80)),
        ),
        {"num_classes": 10.0},
    )


@RUNS("a regression that has learned the mean: the share of variance it explains in training is 1 %", "GEN002")
def explains_nothing(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 10.0), grid(80, 1, 0)
    loss = relax(epochs, 2.4, 0.99, 2) + rng.normal(0, 0.004, 80)
    val_loss = relax(epochs, 2.4, 1.00, 2) + rng.normal(0, 0.006, 80)
    names = (("train_loss", "val_loss", "train_r2", "val_r2"), ("Loss/train", "Loss/val", "R2/train", "R2/val"))[
        seed % 2
    ]
    values = (loss, val_loss, 1 - loss, 1 - val_loss)
    return Curve({name: clock.points(epochs, one) for name, one in zip(names, values, strict=True)})


@RUNS(
    "nothing gets better after a quarter of the run, neither training nor validation, at the full rate",
    "GEN003",
    severity="info",
)
def trained_on_for_nothing(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 300.0), grid(100, 1, 0)
    return Curve(
        tagged(
            ("torch", "lightning", "keras")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.8, 0.42, 5) + rng.normal(0, 0.001, 100)),
            val_loss=clock.points(epochs, relax(epochs, 1.7, 0.55, 4) + rng.normal(0, 0.0015, 100)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.81, 4) + rng.normal(0, 0.001, 100)),
            lr=clock.points(epochs, np.full(100, 1e-3)),
        )
    )


@RUNS("four classes, an accuracy of a quarter at every evaluation, a loss of ln 4", "GEN005", severity="error")
def metric_at_chance(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 150)
    steps, checks = grid(300, 10), grid(20, 150)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, np.log(4) + rng.normal(0, 0.012, 300)),
            val_loss=clock.points(checks, np.log(4) + rng.normal(0, 0.0008, 20), True),
            val_acc=clock.points(checks, 0.25 + rng.normal(0, 0.004, 20), True),
            lr=clock.points(steps, np.full(300, 1e-3)),
        ),
        {"num_classes": 4.0},
    )


@RUNS("Keras with metrics=['accuracy'] on a regression: 0.0 in every epoch", "GEN005", severity="info")
def metric_without_meaning(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 6.0), grid(40, 1, 0)
    return Curve(
        tagged(
            "keras",
            loss=clock.points(epochs, relax(epochs, 2.4, 0.31, 6) + rng.normal(0, 0.01, 40)),
            acc=clock.points(epochs, np.zeros(40)),
            val_loss=clock.points(epochs, relax(epochs, 2.3, 0.36, 6) + rng.normal(0, 0.012, 40)),
            val_acc=clock.points(epochs, np.zeros(40)),
        )
    )


@RUNS("accuracy 0.90 at half of the run and 0.72 at its end", "GEN006")
def best_long_ago(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(60, 1, 0)
    fallen = ((epochs - 30) / 29).clip(0)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.8, 0.2, 9) + rng.normal(0, 0.006, 60)),
            val_loss=clock.points(epochs, relax(epochs, 1.6, 0.35, 7) + 0.6 * fallen + rng.normal(0, 0.008, 60)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.905, 7) - 0.18 * fallen + rng.normal(0, 0.004, 60)),
        )
    )


@RUNS("an accuracy of 0.998 at the first of forty evaluations: the labels are in the inputs", "GEN007", severity="info")
def too_good_at_once(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 100)
    steps, checks = grid(400, 10), grid(40, 100)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 0.7, 0.004, 30) * rng.lognormal(0, 0.2, 400)),
            val_loss=clock.points(checks, relax(checks, 0.02, 0.006, 300) + np.abs(rng.normal(0, 0.0004, 40)), True),
            val_acc=clock.points(checks, (0.998 + rng.normal(0, 0.0004, 40)).clip(0, 1), True),
            lr=clock.points(steps, np.full(400, 1e-3)),
        )
    )


@RUNS(
    "validation accuracy 0.998 from the first epoch on, training accuracy 0.6 to 0.85: validation tests something else",
    "GEN007",
)
def far_better_than_training(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(40, 1, 0)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.2, 0.42, 8) + rng.normal(0, 0.008, 40)),
            acc=clock.points(epochs, relax(epochs, 0.60, 0.85, 8) + rng.normal(0, 0.003, 40)),
            val_loss=clock.points(epochs, 0.012 + np.abs(rng.normal(0, 0.0005, 40))),
            val_acc=clock.points(epochs, (0.998 + rng.normal(0, 0.0004, 40)).clip(0, 1)),
        )
    )


def _training(rng: Rng, count: int, every: int = 10) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    steps = grid(count, every)
    scale = 0.2 * steps[-1]
    return steps, {
        "loss": relax(steps, 2.3, 0.5, scale) * rng.lognormal(0, 0.06, count),
        "lr": cosine(steps, int(steps[-1]), 1e-3, int(steps[-1]) // 20),
    }


def _plain(rng: Rng, seed: int, clock: Clock, steps: np.ndarray, values: dict[str, np.ndarray]) -> dict[str, Points]:
    return tagged(THREE[seed % 3], **{name: clock.points(steps, one) for name, one in values.items()})


@RUNS("resumed 50 logged values before where the first process ended", "RUN001", severity="info")
def resumed_behind_its_end(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    files = []
    for chosen, first in ((slice(0, 250), 0.0), (slice(200, 400), 4_000.0)):
        part = {name: one[chosen] for name, one in values.items()}
        files.append(_plain(rng, seed, Clock(rng, 0.3, first=first), steps[chosen], part))
    return Curve(files[0], later=files[1])


@RUNS("a loop that never passes its step: 60 values at step 0", "RUN001", severity="info")
def step_never_advances(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 60)
    series = _plain(rng, seed, Clock(rng, 3.0), steps, {"loss": values["loss"]})
    return Curve({tag: one._replace(steps=np.zeros(60, dtype=np.int64)) for tag, one in series.items()})


@RUNS("two losses under one tag: each step holds one value near 2 and another near 0.3", "RUN001", severity="info")
def two_losses_under_one_tag(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.3), np.repeat(grid(200, 10), 2)
    both = np.stack([relax(grid(200), 2.6, 1.6, 60), relax(grid(200), 0.6, 0.2, 60)], axis=1).reshape(-1)
    points = clock.points(steps, both * rng.lognormal(0, 0.05, 400))
    return Curve({("loss", "train_loss", "Loss/train")[seed % 3]: points._replace(wall=np.sort(points.wall))})


@RUNS("three hours without a record in the middle of one process, where three seconds are usual", "RUN002")
def stalled(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    at = int(rng.integers(120, 300))
    series = _plain(rng, seed, Clock(rng, 0.3), steps, values)
    late = 10_800.0 * (np.arange(400) >= at)
    return Curve({tag: one._replace(wall=one.wall + late) for tag, one in series.items()})


def _timed(rng: Rng, seed: int, took: np.ndarray, names: tuple[str, ...]) -> Curve:
    """A run of one value a step that logs how long each took; the clock goes as it says."""
    steps, values = _training(rng, len(took), 1)
    series = _plain(rng, seed, Clock(rng, 1.0), steps, values)
    name = names[seed % len(names)]
    series[name] = Points(steps, took.astype(np.float32).astype(np.float64), next(iter(series.values())).wall)
    wall = 1.7e9 + np.cumsum(took)
    return Curve({tag: one._replace(wall=wall) for tag, one in series.items()})


@RUNS("one step in 25 takes two to five times as long, with no pattern", "RUN003", severity="info")
def some_steps_are_slow(rng: Rng, seed: int) -> Curve:
    took = 0.5 * rng.lognormal(0, 0.03, 1_500)
    took[rng.choice(np.arange(120, 1_500), 60, replace=False)] *= rng.uniform(2, 5, 60)
    return _timed(rng, seed, took, ("time", "train/step_time", "iteration-time"))


@RUNS("each 25th step takes four times as long: something is done on it", "RUN003", severity="info")
def each_25th_step_is_slow(rng: Rng, seed: int) -> Curve:
    took = 0.5 * rng.lognormal(0, 0.03, 1_500)
    took[24::25] *= 4
    return _timed(rng, seed, took, ("time", "train/step_time", "iteration-time"))


@RUNS("12,000 tokens a second at the start, 7,000 at the end, and steadily less in between", "RUN004")
def throughput_falls(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    speed = (12_000 - 5_000 * np.arange(400) / 400) * rng.lognormal(0, 0.03, 400)
    series = _plain(rng, seed, Clock(rng, 0.4), steps, values)
    name = ("train/tokens_per_second", "tokens_per_sec", "throughput")[seed % 3]
    wall = 1.7e9 + np.cumsum(6_000_000 / speed / 100)
    series[name] = Points(steps, speed, wall)
    return Curve({tag: one._replace(wall=wall) for tag, one in series.items()})


@RUNS("steps take 0.5 s at the start and 0.95 s at the end: something grows with every step", "RUN004")
def steps_take_longer(rng: Rng, seed: int) -> Curve:
    took = (0.5 + 0.45 * np.arange(1_000) / 1_000) * rng.lognormal(0, 0.03, 1_000)
    return _timed(rng, seed, took, ("time", "train/step_time", "iteration-time"))


def _machine(rng: Rng, seed: int, name: str, values: np.ndarray) -> Curve:
    steps, training = _training(rng, len(values), 5)
    clock = Clock(rng, 0.3)
    return Curve(_plain(rng, seed, clock, steps, training) | {name: clock.points(steps, values)})


@RUNS("the GPU is 30 % busy from the beginning to the end", "RUN005")
def gpu_hardly_used(rng: Rng, seed: int) -> Curve:
    name = ("system.gpu.0.gpu", "gpu_util", "gpu_0/utilization")[seed % 3]
    return _machine(rng, seed, name, rng.normal(30, 8, 2_000).clip(0, 100))


@RUNS("the GPU works for two fifths of the time and waits for the rest", "RUN005")
def gpu_waits(rng: Rng, seed: int) -> Curve:
    busy = np.where(rng.random(2_000) < 0.4, rng.uniform(85, 99, 2_000), rng.uniform(0, 4, 2_000))
    return _machine(rng, seed, ("system.gpu.0.gpu", "gpu_util", "gpu_0/utilization")[seed % 3], busy)


@RUNS("half a kilobyte in the middle of the event file is not readable", "RUN006")
def records_lost(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    for name in values:
        values[name] = np.delete(values[name], slice(200, 207))
    series = _plain(rng, seed, Clock(rng, 0.3), np.delete(steps, slice(200, 207)), values)
    return Curve(
        series,
        source={
            "status": "partial",
            "lost_bytes": 512 + seed,
            "offset": 20_480,
            "reason": "corrupt record",
            "bytes": 40_960,
        },
    )


@RUNS("device memory grows from 40 % to 88 % without a pause: something keeps the graphs of old steps", "RUN007")
def memory_leak(rng: Rng, seed: int) -> Curve:
    taken = 40 + 48 * np.arange(2_000) / 2_000 + rng.normal(0, 0.2, 2_000)
    return _machine(rng, seed, ("system.gpu.0.memoryAllocated", "gpu_memory_percent", "gpu_mem")[seed % 3], taken)


@RUNS("10,000 steps were planned, the last one is 3,700", "RUN008")
def ended_before_its_plan(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 370)
    values["lr"] = np.full(370, 3e-4)
    facts: dict[str, str | float | bool] = {("max_steps", "total_steps", "max_iters")[seed % 3]: 10_000.0}
    return Curve(_plain(rng, seed, Clock(rng, 0.3), steps, values), facts)


@RUNS("a cosine schedule that breaks off at 65 % of its peak", "RUN008")
def ended_at_a_high_rate(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    values["lr"] = cosine(steps, 9_800, 6e-4, 300)
    return Curve(_plain(rng, seed, Clock(rng, 0.3), steps, values))


@RUNS("0.45 s of each step of 0.7 s are spent waiting for data", "RUN010")
def waits_for_data(rng: Rng, seed: int) -> Curve:
    steps, values = _training(rng, 400)
    clock = Clock(rng, 0.7)
    waited, worked = 0.45 * rng.lognormal(0, 0.15, 400), 0.25 * rng.lognormal(0, 0.04, 400)
    names = (("data_time", "time"), ("train/data_time", "train/step_time"))[seed % 2]
    return Curve(
        _plain(rng, seed, clock, steps, values)
        | {names[0]: clock.points(steps, waited), names[1]: clock.points(steps, waited + worked)}
    )
