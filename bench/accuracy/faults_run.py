"""Planted faults of the job: resumed without its state, stalled or slow at loading data, stopped too early.

The training is real; where a fault is one of time, so that it does not hang on what else the machine does, the log's clock is
planted: seconds for each step, as larger models take them, with some noise.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    SEEN,
    Disturbed,
    Told,
    digits,
    planted,
    scheduled,
    settings,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import Csv, JsonLines, Log, TensorBoard, TrainerState, spelled
from bench.accuracy.loop import Plan, fit


class Clock:
    """A planted clock: about 3 seconds a step times a factor that a function gives, and stalls before some steps."""

    def __init__(
        self, seed: int, stalls: Mapping[int, float] | None = None, slower: Callable[[int], float] | None = None
    ) -> None:
        self.noise = random.Random(seed)
        self.now, self.step = 1.7e9 + 1000 * seed, 0
        self.stalls, self.slower = stalls or {}, slower or (lambda step: 1.0)

    def at(self, step: int) -> float:
        """The time at which a step was done, in seconds since the epoch; steps are asked for in order."""
        while self.step < step:
            self.step += 1
            self.now += 3 * self.slower(self.step) * self.noise.lognormvariate(0, 0.1) + self.stalls.get(self.step, 0.0)
        return self.now


class ClockedTensorBoard(TensorBoard):
    """Event files with the time of a planted clock."""

    def __init__(self, run: Path, clock: Clock, convention: str = "slash") -> None:
        super().__init__(run, convention)
        self.clock = clock

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar event each."""
        for name, value in spelled(self.convention, values).items():
            self.writer.add_scalar(name, value, step, walltime=self.clock.at(step))


class ClockedJsonLines(JsonLines):
    """Lines of JSON with the time of a planted clock."""

    def __init__(self, run: Path, clock: Clock, convention: str = "plain") -> None:
        super().__init__(run, convention)
        self.clock = clock

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line."""
        row = {"step": step, "time": round(self.clock.at(step), 3), **spelled(self.convention, values)}
        self.file.write(json.dumps(row) + "\n")


class Also:
    """A log that adds what it is told of at the time."""

    def __init__(self, log: Log, more: Callable[[], Mapping[str, float]]) -> None:
        self.inner, self.more = log, more

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The values and the others; rows that hold an evaluation only stay as they are."""
        self.inner.log(step, {**values, **self.more()} if "train_loss" in values else values)

    def close(self) -> None:
        """Finish the file."""
        self.inner.close()


def resumed_without_state_digits(run: Path, seed: int) -> None:
    """Resumed from the weights alone: Adam's moments are empty, and the decayed rate is at its start again, so that the loss jumps."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 48, 10))
    of = data.with_label_noise(data.bundled("digits", seed), 0.1, seed)
    rate = varied(seed, 0.02)
    before = _continued(model, of, rate, seed, 0, TensorBoard(run))
    after = _continued(model, of, rate, seed + 1, 600, TensorBoard(run, suffix=".resumed"))
    require(after > 1.5 * before, f"training loss {before} before, {after} just after")


def _continued(model: nn.Module, of: data.Split, rate: float, seed: int, first: int, log: Log) -> float:
    """600 steps with a new Adam and a new linear decay; the training loss of the last tenth, or of the first where it resumes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    plan = Plan(model, of, optimizer, 600, seed=seed, first_step=first)
    plan.schedule = scheduled(optimizer, lambda step: max(0.01, 1 - step / 600))
    told = Told(log)
    found = fit(plan, told)
    losses = [values["train_loss"] for values in told.rows if "train_loss" in values]
    return sum(losses[:6]) / 6 if first else found["train_loss"]


def resumed_without_state_characters(run: Path, seed: int) -> None:
    """The rate had been decayed to a tenth; the job resumed with a default of 0.1 and empty moments."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Recurrent("gru", 16, 48, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.015))
    schedule = scheduled(optimizer, lambda step: 0.1 ** (step / 250))
    plan = Plan(model, of, optimizer, 250, seed=seed, schedule=schedule, log_every=5)
    before = fit(plan, Csv(run, "lightning"))["train_loss"]
    plan.optimizer, plan.schedule = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.1, 0.1)), None
    plan.seed, plan.first_step, plan.steps = seed + 1, 250, 150
    told = Told(Csv(run, "lightning"))
    fit(plan, told)
    after = max(values["train_loss"] for values in told.rows[:6])
    require(after > 1.5 * before, f"training loss {before} before, {after} just after")


def stalled_once_digits(run: Path, seed: int) -> None:
    """The loader hangs once before step 400, for an hour and a half of a run of two hours; an evaluation comes right after."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    fit(digits(model, optimizer, seed, 800, dumps=False), ClockedTensorBoard(run, Clock(seed, {400: 5400.0})))


def stalled_thrice_characters(run: Path, seed: int) -> None:
    """Three stalls of about an hour each, in a run of letters that keeps the time in its lines."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=400)
    model = models.Recurrent("gru", 16, 24, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 5e-3))
    plan = Plan(model, of, optimizer, 400, batch=16, seed=seed, log_every=2)
    fit(plan, ClockedJsonLines(run, Clock(seed, {121: 3000.0, 207: 4000.0, 333: 3600.0})))


def slows_down_digits(run: Path, seed: int) -> None:
    """The loader searches a list of all batches so far: each takes longer than the one before. Throughput is logged."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    clock = Clock(seed, slower=lambda step: 1 + step / 400)
    last = (0, clock.now)

    def speed() -> dict[str, float]:
        nonlocal last
        before, last = last, (clock.step + 10, clock.at(clock.step + 10))
        return {"samples_per_second": 32 * 10 / (last[1] - before[1])}

    fit(digits(model, optimizer, seed, 800, dumps=False), Also(ClockedTensorBoard(run, clock, "huggingface"), speed))


def slows_down_images(run: Path, seed: int) -> None:
    """The same in a CNN, with nothing but the time of each line to tell it."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 600, seed=seed, log_every=5)
    fit(plan, ClockedJsonLines(run, Clock(seed, slower=lambda step: 1 + step / 300)))


class _Times:
    """Mean time of loading and of a whole step since it was last asked, under two names."""

    def __init__(self, names: tuple[str, str], steps: int) -> None:
        self.names, self.steps = names, steps
        self.loading, self.last = 0.0, time.perf_counter()

    def load(self, step: int, x: Tensor) -> Tensor:
        """A loader that reads over the network: 5 ms and more for a batch."""
        began = time.perf_counter()
        time.sleep(0.005)
        self.loading += time.perf_counter() - began
        return x

    def __call__(self) -> dict[str, float]:
        now = time.perf_counter()
        waited, whole = self.loading / self.steps, (now - self.last) / self.steps
        self.loading, self.last = 0.0, now
        return {self.names[0]: waited, self.names[1]: whole}


def waits_for_data_digits(run: Path, seed: int) -> None:
    """Loading takes most of each step, and both times are logged."""
    torch.manual_seed(seed)
    model: nn.Module = models.mlp((64, 48, 10))
    times = _Times(("train/data_time", "train/step_time"), 10)
    Disturbed(model, times.load)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    fit(digits(model, optimizer, seed, 600, dumps=False), Also(TensorBoard(run), times))


def waits_for_data_spirals(run: Path, seed: int) -> None:
    """The same on spirals, under other names, in a table."""
    torch.manual_seed(seed)
    model: nn.Module = models.mlp((2, 32, 32, 3))
    times = _Times(("data_time", "batch_time"), 10)
    Disturbed(model, times.load)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 5e-3))
    fit(Plan(model, data.spirals(seed), optimizer, 600, seed=seed), Also(Csv(run, "plain"), times))


def stopped_early_digits(run: Path, seed: int) -> None:
    """Planned for 2,000 steps, out of time after 300, when the loss was still going down."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 5e-3))
    settings(run, max_steps=2000, learning_rate=optimizer.param_groups[0]["lr"])
    found = fit(digits(model, optimizer, seed, 300, dumps=False), TensorBoard(run, "lower"))
    require(found["val_loss"] > 0.4, f"it was done: {found}")


def stopped_early_characters(run: Path, seed: int) -> None:
    """A trainer state that plans 1,500 steps and ends at 200, with the linear decay of the rate hardly begun."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed)
    model = models.Transformer(vocabulary, vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 1e-3))
    schedule = scheduled(optimizer, lambda step: 1 - step / 1500)
    log = TrainerState(run, data.steps_per_epoch(of, 32), 1500)
    found = fit(Plan(model, of, optimizer, 200, seed=seed, schedule=schedule), log)
    require(found["val_loss"] > 0.6, f"it was done: {found}")


_RESUMED = ("state-lost-on-resume", "loss-spike")
_STALLED = ("stalled-training",)
_SLOW = ("throughput-drop",)
_WAITS = ("input-bound",)
_STOPPED = ("ended-early", "still-improving")

RECIPES = (
    planted(
        "resumed-without-state-digits",
        "resume-without-state",
        DEVELOPMENT,
        resumed_without_state_digits,
        _RESUMED,
        "tensorboard",
        since=600,
    ),
    planted(
        "resumed-without-state-characters",
        "resume-without-state",
        SEEN,
        resumed_without_state_characters,
        _RESUMED,
        "csv",
        since=250,
    ),
    planted(
        "stalled-once-digits", "stalled-loader", DEVELOPMENT, stalled_once_digits, _STALLED, "tensorboard", since=400
    ),
    planted(
        "stalled-thrice-characters", "stalled-loader", SEEN, stalled_thrice_characters, _STALLED, "jsonl", since=121
    ),
    planted("slows-down-digits", "slowing-loader", DEVELOPMENT, slows_down_digits, _SLOW, "tensorboard"),
    planted("slows-down-images", "slowing-loader", SEEN, slows_down_images, _SLOW, "jsonl"),
    planted("waits-for-data-digits", "waiting-for-data", DEVELOPMENT, waits_for_data_digits, _WAITS, "tensorboard"),
    planted("waits-for-data-spirals", "waiting-for-data", SEEN, waits_for_data_spirals, _WAITS, "csv"),
    planted("stopped-early-digits", "stopped-early", DEVELOPMENT, stopped_early_digits, _STOPPED, "tensorboard"),
    planted(
        "stopped-early-characters", "stopped-early", SEEN, stopped_early_characters, _STOPPED, "trainer_state.json"
    ),
)
