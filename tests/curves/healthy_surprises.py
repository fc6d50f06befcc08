"""Healthy runs in which something looks like a fault for a moment: zeros, infinities, jumps that belong to the method."""

import numpy as np

from tests.curves.curve import Collection, Curve
from tests.curves.shapes import Clock, cosine, grid, linear, relax, tagged

SURPRISES = Collection()
Rng = np.random.Generator
THREE = ("hf", "torch", "lightning")


@SURPRISES(
    "a catapult: a large rate throws the loss to four times its start, whence it converges (Lewkowycz et al. 2020)"
)
def catapult(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.2, 200)
    steps, checks = grid(500, 10), grid(25, 200)
    x = np.arange(500)
    thrown = 7.5 * np.exp(-(((x - 9) / 5.0) ** 2))
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, (relax(steps, 2.4, 0.35, 900) + thrown) * rng.lognormal(0, 0.08, 500)),
            val_loss=clock.points(checks, relax(checks, 2.4, 0.45, 900) + rng.normal(0, 0.01, 25), True),
            lr=clock.points(steps, np.full(500, 0.3)),
            grad_norm=clock.points(steps, (1.5 + 4 * thrown) * rng.lognormal(0, 0.2, 500)),
        )
    )


@SURPRISES("gradual pruning to 90 % of the weights: the loss gives back a part of what it gained (Zhu and Gupta 2017)")
def gradual_pruning(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 45.0), grid(80, 1, 0)
    pruned = 1 - (1 - ((epochs - 35) / 30).clip(0, 1)) ** 3
    lost = 0.32 * pruned**4 * np.where(epochs > 65, 0.75 + 0.25 * np.exp(-(epochs - 65) / 4), 1)
    return Curve(
        tagged(
            ("torch", "lightning", "keras")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 2.0, 0.10, 8) + lost + rng.normal(0, 0.008, 80)),
            acc=clock.points(epochs, relax(epochs, 0.35, 0.97, 8) - 0.2 * lost + rng.normal(0, 0.002, 80)),
            val_loss=clock.points(epochs, relax(epochs, 1.8, 0.36, 7) + 0.5 * lost + rng.normal(0, 0.01, 80)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.918, 7) - 0.05 * lost + rng.normal(0, 0.003, 80)),
            lr=clock.points(epochs, cosine(epochs, 79, 0.1, 3)),
        )
    )


@SURPRISES(
    "a margin loss: batch after batch meets all margins, and then loss and gradient are exactly 0 (Schroff et al. 2015)"
)
def margins_are_met(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.15, 250)
    steps, checks = grid(500, 10), grid(20, 250)
    loss = relax(steps, 0.21, -0.004, 900) + rng.normal(0, 0.004, 500)
    loss = np.where(loss > 0, loss, 0)
    names = (("train/triplet_loss", "val/recall@1"), ("triplet_loss", "val_recall"))[seed % 2]
    return Curve(
        {
            names[0]: clock.points(steps, loss),
            "train/grad_norm": clock.points(steps, np.where(loss > 0, 8 * loss * rng.lognormal(0, 0.3, 500), 0)),
            "lr": clock.points(steps, np.full(500, 1e-4)),
            names[1]: clock.points(checks, relax(checks, 0.35, 0.93, 900) + rng.normal(0, 0.006, 20), True),
        }
    )


@SURPRISES("the perplexity overflows float32 at the first evaluations, where the loss is the sum over an utterance")
def perplexity_overflows(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.6, 300, 40)
    steps, checks = grid(300, 20), grid(20, 300)
    level = relax(checks, 260, 18, 900) + rng.normal(0, 0.3, 20)
    with np.errstate(over="ignore"):
        perplexity = np.exp(level)
    name = ("eval/perplexity", "Perplexity/val", "val_ppl")[seed % 3]
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 300, 17, 900) * rng.lognormal(0, 0.05, 300)),
            val_loss=clock.points(checks, level, True),
            lr=clock.points(steps, linear(steps, 6_000, 3e-4, 300)),
        )
        | {name: clock.points(checks, perplexity, True)}
    )


@SURPRISES("the schedule was told 3 % fewer steps than there were: a handful of values at 0 at the very end")
def rate_zero_in_the_last_steps(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.4, 500)
    steps, checks = grid(400, 10), grid(8, 500)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 2.2, 0.7, 900) * rng.lognormal(0, 0.06, 400)),
            val_loss=clock.points(checks, relax(checks, 2.1, 0.75, 900) + rng.normal(0, 0.006, 8), True),
            lr=clock.points(steps, linear(steps, 3_880, 5e-5, 200)),
            grad_norm=clock.points(steps, rng.lognormal(0.3, 0.2, 400)),
        )
    )


@SURPRISES(
    "residual branches that begin at zero: gradients are tiny at first and 200 times that later (Bachlechner et al. 2021)"
)
def zero_initialised_branches(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.4, 500)
    steps, checks = grid(500, 10), grid(10, 500)
    opened = 1 / (1 + np.exp(-(steps - 350) / 60))
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(
                steps, (4.6 - 3.2 * (1 - np.exp(-(steps - 250).clip(0) / 900))) * rng.lognormal(0, 0.03, 500)
            ),
            val_loss=clock.points(
                checks, 4.6 - 3.1 * (1 - np.exp(-(checks - 250).clip(0) / 900)) + rng.normal(0, 0.01, 10), True
            ),
            lr=clock.points(steps, cosine(steps, 5_000, 1e-3, 250)),
            grad_norm=clock.points(steps, (0.006 + 1.2 * opened) * rng.lognormal(0, 0.2, 500)),
        )
    )


@SURPRISES("a run of 15 logged values from 15 to 1,500 steps, no validation: half of all logs are as short")
def fifteen_values(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.8), grid(15, 100)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 1.4, 0.62, 350) + rng.normal(0, 0.05, 15)),
            lr=clock.points(steps, linear(steps, 1_500, 5e-5)),
            grad_norm=clock.points(steps, 3 * rng.lognormal(0, 0.35, 15)),
        )
    )


@SURPRISES(
    "the labels' order in a data set sorted by source: the loss goes up and down once an epoch, and falls over epochs"
)
def ordered_data(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 500)
    steps, checks = grid(500, 10), grid(10, 500)
    wave = 0.28 * np.sin(2 * np.pi * steps / 500)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 2.4, 0.8, 1_500) + wave + rng.normal(0, 0.05, 500)),
            val_loss=clock.points(checks, relax(checks, 2.2, 0.9, 1_500) + rng.normal(0, 0.01, 10), True),
            lr=clock.points(steps, np.full(500, 2e-4)),
            epoch=clock.points(steps, steps / 500),
        )
    )
