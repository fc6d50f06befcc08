"""Faulty runs: learning rates, schedules, resumption, reinforcement learning and RLHF."""

import numpy as np

from tests.curves.curve import Collection, Curve
from tests.curves.shapes import Clock, cosine, grid, linear, power_law, relax, tagged, wander

SCHEDULES = Collection()
Rng = np.random.Generator
THREE = ("hf", "torch", "lightning")


def _with_rate(rng: Rng, seed: int, rate: np.ndarray, facts: dict[str, str | float | bool] | None = None) -> Curve:
    """A model that learns what it can while the rate is what it is."""
    clock, steps = Clock(rng, 0.3), grid(len(rate), 10)
    learned = np.cumsum(rate) / rate.max()
    loss = (0.5 + 1.85 * np.exp(-learned / 60)) * rng.lognormal(0, 0.06, len(rate))
    series = tagged(THREE[seed % 3], loss=clock.points(steps, loss), lr=clock.points(steps, rate))
    return Curve(series, facts or {})


@SCHEDULES("the rate is 0 from 60 % on, and the job runs on", "OPT001", severity="error")
def rate_zero_from_the_middle(rng: Rng, seed: int) -> Curve:
    return _with_rate(rng, seed, np.where(np.arange(400) < 240, 1e-3, 0))


@SCHEDULES("a cosine that was told half of the steps: nothing is learned in the other half", "OPT001", severity="error")
def schedule_half_as_long(rng: Rng, seed: int) -> Curve:
    return _with_rate(rng, seed, cosine(grid(400, 10), 2_000, 3e-4, 100))


@SCHEDULES(
    "no warm-up and far too high a rate: five times the first loss within 3 % of the run, and there it stays",
    "OPT002",
    severity="error",
)
def blows_up_at_the_start(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.3), grid(300, 10)
    level = 2.35 + 9.5 * (1 - np.exp(-np.arange(300) / 4))
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, level * rng.lognormal(0, 0.1, 300)),
            lr=clock.points(steps, np.full(300, 0.5)),
            grad_norm=clock.points(steps, 40 * rng.lognormal(0, 0.5, 300)),
        )
    )


@SCHEDULES("NaN at 3 % of the run, at the full rate and without a warm-up", "OPT002", severity="error")
def nan_at_the_full_rate(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.3), grid(300, 10)
    loss = 2.35 * rng.lognormal(0, 0.05, 300) * np.where(np.arange(300) < 3, 1, 1.9 ** (np.arange(300) - 2).clip(0, 8))
    loss[9:] = np.nan
    return Curve(
        tagged(THREE[seed % 3], loss=clock.points(steps, loss), lr=clock.points(steps, linear(steps, 30_000, 0.1)))
    )


@SCHEDULES("the rate still rises at the end: the warm-up was as long as the run", "OPT003")
def warmup_never_ends(rng: Rng, seed: int) -> Curve:
    return _with_rate(rng, seed, 5e-4 * np.arange(1, 401) / 400)


@SCHEDULES("half of the run is warm-up", "OPT003")
def warmup_of_half_the_run(rng: Rng, seed: int) -> Curve:
    return _with_rate(rng, seed, linear(grid(400, 10), 4_000, 5e-4, 2_000))


@SCHEDULES("a cosine is configured, and the rate is the same from the first to the last step", "OPT003")
def schedule_never_stepped(rng: Rng, seed: int) -> Curve:
    key = ("lr_scheduler_type", "lr_scheduler", "scheduler")[seed % 3]
    return _with_rate(rng, seed, np.full(400, 5e-4), {key: "cosine", "max_steps": 4000.0})


@SCHEDULES(
    "a cosine over 4,000 steps that is stepped once an epoch, 20 times in all: the rate has hardly moved", "OPT003"
)
def stepped_per_epoch(rng: Rng, seed: int) -> Curve:
    stepped = np.floor(np.arange(400) / 20)
    rate = 2.5e-4 * (1 + np.cos(np.pi * stepped / 4_000))
    return _with_rate(rng, seed, rate, {"lr_scheduler_type": "cosine", "max_steps": 4000.0})


def _resumed(rng: Rng, seed: int, peak_again: bool, jump: float) -> Curve:
    files = []
    for number, steps in enumerate((grid(300, 10), grid(300, 10, 3_010))):
        clock = Clock(rng, 0.5, first=7_200.0 * number)
        rate = cosine(steps - 3_000 * (number and peak_again), 6_000, 3e-4, 100)
        loss = power_law(steps, 6, 1.2, 150, 0.8) + rng.normal(0, 0.03, 300)
        loss += number * jump * np.exp(-np.arange(300) / 80)
        series = {"loss": loss, "lr": rate, "grad_norm": rng.lognormal(0, 0.2, 300) * (1 + number * jump)}
        writer = ("hf", "torch", "megatron")[seed % 3]
        files.append(tagged(writer, **{name: clock.points(steps, one) for name, one in series.items()}))
    return Curve(files[0], later=files[1])


@SCHEDULES("resumed at half of the run with the schedule from its start: warm-up and peak come again", "OPT004")
def schedule_begins_again_on_resume(rng: Rng, seed: int) -> Curve:
    return _resumed(rng, seed, peak_again=True, jump=0.0)


@SCHEDULES("resumed without the optimizer's moments: the loss is up by twenty times its noise for 200 values", "OPT004")
def optimizer_state_lost(rng: Rng, seed: int) -> Curve:
    return _resumed(rng, seed, peak_again=False, jump=0.8)


def _agent(rng: Rng, count: int) -> dict[str, np.ndarray]:
    x = np.arange(count)
    learned = 1 - np.exp(-x / (0.25 * count))
    entropy = relax(x, 1.38, 0.6, 0.5 * count) + rng.normal(0, 0.01, count)
    return {
        "reward": 20 + 400 * learned + wander(rng, count, 10, 5),
        "length": 20 + 400 * learned + wander(rng, count, 10, 5),
        "value_loss": 30 * (0.3 + learned) * rng.lognormal(0, 0.5, count),
        "policy_loss": rng.normal(-0.008, 0.004, count),
        "entropy": entropy,
        "kl": np.abs(rng.normal(0.008, 0.003, count)),
        "clip": rng.beta(6, 60, count),
        "speed": rng.normal(1_100, 25, count),
    }


def _logged(rng: Rng, writer: str, values: dict[str, np.ndarray]) -> Curve:
    clock, steps = Clock(rng, 0.001), grid(len(values["reward"]), 2_048)
    values = {**values, "negative_entropy": -values["entropy"]}
    return Curve(tagged(writer, **{name: clock.points(steps, one) for name, one in values.items()}))


@SCHEDULES("the return climbs to 400 and falls back to 60 at 70 % for good", "RLL001", severity="error")
def reward_collapses(rng: Rng, seed: int) -> Curve:
    values = _agent(rng, 240)
    fallen = 1 - np.exp(-(np.arange(240) - 168).clip(0) / 8)
    values["reward"] = values["reward"] * (1 - fallen) + (60 + wander(rng, 240, 6, 5)) * fallen
    return _logged(rng, ("sb3", "cleanrl", "rsl_rl")[seed % 3], values)


@SCHEDULES("the return of a random policy from the first update to the last", "RLL002")
def reward_never_moves(rng: Rng, seed: int) -> Curve:
    values = _agent(rng, 240)
    noise = rng.normal(0, 2.5, 240)
    # Whatever slope the noise has by chance is taken out: what is planted is none.
    values["reward"] = 22 + noise - np.polyval(np.polyfit(np.arange(240), noise, 1), np.arange(240))
    values["length"] = values["reward"]
    return _logged(rng, ("sb3", "cleanrl", "rsl_rl")[seed % 3], values)


@SCHEDULES("GRPO: in 93 % and more of the groups all answers get the same reward, so there is no advantage", "RLL002")
def rewards_without_spread(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 14.0), grid(150, 10)
    values = {
        "train/loss": rng.normal(0, 0.0005, 150),
        "train/grad_norm": 0.02 * rng.lognormal(0, 0.4, 150),
        "train/learning_rate": linear(steps, 1_500, 1e-6),
        "train/reward": rng.beta(2, 120, 150),
        "train/reward_std": rng.beta(2, 120, 150),
        "train/rewards/accuracy_reward/mean": rng.beta(2, 120, 150),
        "train/frac_reward_zero_std": rng.uniform(0.93, 1.0, 150),
        "train/completions/mean_length": rng.normal(200, 8, 150),
        "train/kl": np.abs(rng.normal(0, 0.0005, 150)),
    }
    return Curve({tag: clock.points(steps, one) for tag, one in values.items()})


@SCHEDULES(
    "CartPole: after a tenth of the run the policy always pushes to one side, which gives 9.4 an episode", "RLL003"
)
def entropy_collapses(rng: Rng, seed: int) -> Curve:
    values = _agent(rng, 240)
    x = np.arange(240)
    values["entropy"] = relax(x, 0.69, 0.006, 8) * rng.lognormal(0, 0.1, 240)
    values["reward"] = relax(x, 22, 9.4, 8) + rng.normal(0, 0.15, 240)
    values["length"] = values["reward"]
    return _logged(rng, ("sb3", "cleanrl")[seed % 2], values)


@SCHEDULES("too many epochs over one rollout: approx_kl is 0.12 to 0.4 in half of the updates", "RLL004")
def divergence_of_updates(rng: Rng, seed: int) -> Curve:
    values = _agent(rng, 240)
    values["kl"] = np.where(rng.random(240) < 0.5, rng.uniform(0.13, 0.4, 240), rng.uniform(0.01, 0.05, 240))
    values["reward"] = relax(np.arange(240), 20, 160, 40) + wander(rng, 240, 25, 3)
    return _logged(rng, ("sb3", "cleanrl")[seed % 2], values)


@SCHEDULES("half to two thirds of the policy ratios are clipped in the last 60 % of the updates", "RLL004")
def ratios_clipped(rng: Rng, seed: int) -> Curve:
    values = _agent(rng, 240)
    values["clip"] = np.where(np.arange(240) > 96, rng.uniform(0.5, 0.68, 240), values["clip"])
    return _logged(rng, ("sb3", "cleanrl")[seed % 2], values)
