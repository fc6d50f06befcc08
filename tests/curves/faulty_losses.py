"""Faulty runs: values that are not finite, losses, gradients, learning rates and schedules."""

import numpy as np

from tests.curves.curve import Collection, Curve, Points
from tests.curves.shapes import Clock, cosine, grid, linear, power_law, relax, tagged

LOSSES = Collection()
Rng = np.random.Generator
THREE = ("hf", "torch", "lightning")


def _learning(rng: Rng, count: int = 400, every: int = 10) -> tuple[Clock, np.ndarray, dict[str, np.ndarray]]:
    """A classifier of ten classes that learns as it should; a fault is then written over it."""
    clock, steps = Clock(rng, 0.3), grid(count, every)
    values = {
        "loss": relax(steps, 2.35, 0.5, 0.2 * steps[-1]) * rng.lognormal(0, 0.08, count),
        "grad_norm": relax(steps, 3.0, 0.9, 0.2 * steps[-1]) * rng.lognormal(0, 0.2, count),
        "lr": np.full(count, 1e-3),
    }
    return clock, steps, values


def _points(clock: Clock, steps: np.ndarray, values: dict[str, np.ndarray]) -> dict[str, Points]:
    return {name: clock.points(steps, one) for name, one in values.items()}


@LOSSES("the loss is NaN from 60 % on, and the gradients with it: every weight is lost", "NUM001", severity="error")
def nan_until_the_end(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["loss"][240:] = np.nan
    values["grad_norm"][240:] = np.nan
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES("the loss climbs over fifteen logged values, overflows and is NaN from then on", "NUM001", severity="error")
def climbs_into_nan(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["loss"][200:215] *= 1.6 ** np.arange(15)
    values["grad_norm"][200:215] *= 3.0 ** np.arange(15)
    values["loss"][215] = np.inf
    values["loss"][216:] = np.nan
    values["grad_norm"][215:] = np.nan
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES(
    "gradient norms are infinite from 70 % on, so every step is skipped; the loss stays finite and moves no more",
    "NUM001",
    severity="error",
)
def infinite_gradients_until_the_end(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["grad_norm"][280:] = np.inf
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES("one part of a detector's loss is NaN from epoch 12 on (a box of no size)", "NUM001", severity="error")
def one_part_becomes_nan(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(40, 1, 0)
    parts = {
        name: relax(epochs, 1.8, 0.8, 10) + rng.normal(0, 0.01, 40) for name in ("box_loss", "cls_loss", "dfl_loss")
    }
    parts[("box_loss", "dfl_loss")[seed % 2]][12:] = np.nan
    found = np.where(epochs < 12, relax(epochs, 0.1, 0.7, 6), 0.0)
    return Curve(
        {f"train/{name}": clock.points(epochs, one) for name, one in parts.items()}
        | {"metrics/mAP50(B)": clock.points(epochs, found)}
    )


@LOSSES("three NaN values in the middle that heal: a warning, since such a batch may come again", "NUM001")
def nan_that_heals(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    at = int(rng.integers(120, 260))
    values["loss"][at : at + 3] = np.nan
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES("the loss scaler halves itself from 65,536 to 1 in the middle of the run and stays there", "NUM003")
def loss_scale_reaches_one(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng, 600, 1)
    scale = np.full(600, 65_536.0)
    scale[300:] = np.maximum(65_536 / 2.0 ** np.arange(1, 301), 1)
    values["grad_norm"][300:] = np.inf
    values["loss"][300:] = values["loss"][299] * rng.lognormal(0, 0.08, 300)
    name = ("loss_scale", "train/loss_scale", "scaler/scale")[seed % 3]
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)) | {name: clock.points(steps, scale)})


def _scaled(clock: Clock, steps: np.ndarray, values: dict[str, np.ndarray], scale: np.ndarray, seed: int) -> Curve:
    points = _points(clock, steps, values)
    if seed % 2:
        return Curve(tagged("megatron", **points, loss_scale=clock.points(steps, scale)))
    return Curve(tagged("torch", **points) | {"amp_scale": clock.points(steps, scale)})


@LOSSES("the last twelve steps overflow one after the other: 65,536 is 16 when the job ends", "NUM003")
def loss_scale_halved_until_the_end(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng, 600, 1)
    scale = np.full(600, 65_536.0)
    scale[588:] = 65_536 / 2.0 ** np.arange(1, 13)
    values["grad_norm"][588:] = np.inf
    return _scaled(clock, steps, values, scale, seed)


@LOSSES("eight steps in a row overflow in the middle of the run, then the scale fits again", "NUM003", severity="info")
def loss_scale_halved_in_a_row(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng, 600, 1)
    at = int(rng.integers(250, 400))
    scale = np.full(600, 65_536.0)
    scale[at:] = 65_536 / 2.0 ** np.minimum(np.arange(1, 601 - at), 8)
    return _scaled(clock, steps, values, scale, seed)


@LOSSES(
    "Hugging Face's logging_nan_inf_filter: the loss reads 0.0, the gradient norm NaN, and so does the evaluation",
    "NUM004",
    severity="error",
)
def zero_instead_of_nan(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng, 200)
    at = int(rng.integers(60, 130))
    values["loss"][at:] = 0.0
    values["grad_norm"][at:] = np.nan if seed % 2 else 0.0
    values["lr"] = linear(steps, 2_000, 5e-5, 100)
    return Curve(tagged("hf", **_points(clock, steps, values)))


@LOSSES(
    "a training loop that skips NaN losses and logs the last good one instead: the same to the last bit from 55 % on",
    "NUM004",
    severity="error",
)
def same_value_for_ever(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["loss"][220:] = values["loss"][219]
    values["grad_norm"][220:] = np.nan
    if seed % 2:
        del values["grad_norm"]
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES(
    "uniform predictions over ten classes: ln 10 and an accuracy of a tenth from the first to the last step",
    "LOS001",
    severity="error",
)
def flat_at_chance(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 300)
    steps, checks = grid(300, 10), grid(10, 300)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, np.log(10) + rng.normal(0, 0.015, 300)),
            val_loss=clock.points(checks, np.log(10) + rng.normal(0, 0.0005, 10), True),
            val_acc=clock.points(checks, 0.1 + rng.normal(0, 0.003, 10), True),
            lr=clock.points(steps, np.full(300, 1e-3)),
        ),
        {"num_classes": 10.0} if seed % 2 else {},
    )


@LOSSES(
    "an optimizer without the model's parameters: a mean squared error of 1 for ever, in training and validation",
    "LOS001",
    severity="error",
)
def flat_regression(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 8.0), grid(120, 1, 0)
    return Curve(
        tagged(
            ("torch", "lightning", "keras")[seed % 3],
            loss=clock.points(epochs, 1.0 + rng.normal(0, 0.006, 120)),
            val_loss=clock.points(epochs, np.full(120, 1.0137)),
            lr=clock.points(epochs, np.full(120, 1e-3)),
        )
    )


@LOSSES("twelve epochs of a binary classifier at ln 2 and one half", "LOS001")
def flat_for_twelve_epochs(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(12, 1, 0)
    return Curve(
        tagged(
            ("keras", "lightning", "torch")[seed % 3],
            loss=clock.points(epochs, np.log(2) + np.abs(rng.normal(0, 0.0012, 12))),
            acc=clock.points(epochs, 0.5 + rng.normal(0, 0.004, 12)),
            val_loss=clock.points(epochs, np.log(2) + np.abs(rng.normal(0, 0.0008, 12))),
            val_acc=clock.points(epochs, 0.5 + rng.normal(0, 0.006, 12)),
        )
    )


@LOSSES(
    "a language model whose loss leaps by 2.5 with a gradient norm 20 times the usual, over 20 logged values", "LOS002"
)
def spike_with_gradients(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.9), grid(600, 20)
    loss = power_law(steps, 10.8, 2.6, 120, 0.7) + rng.normal(0, 0.03, 600)
    norm = 0.5 * rng.lognormal(0, 0.15, 600)
    at = int(rng.integers(250, 450))
    loss[at : at + 30] += 2.5 * np.exp(-np.arange(30) / 6)
    norm[at : at + 5] *= 20
    return Curve(
        tagged(
            ("megatron", "nanogpt", "hf")[seed % 3],
            loss=clock.points(steps, loss),
            grad_norm=clock.points(steps, norm),
            lr=clock.points(steps, cosine(steps, 12_000, 6e-4, 300, 6e-5)),
        )
    )


@LOSSES("the loss leaps from 0.6 to 2.6 and takes a quarter of the run to come back", "LOS002")
def spike_slow_to_recover(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng, 600)
    at = int(rng.integers(250, 330))
    values["loss"][at:] += 2.0 * np.exp(-np.arange(600 - at) / 45)
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES("learns well, then at 70 % climbs within 30 values to where it began, and stays", "LOS003", severity="error")
def diverges_late(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    away = 1 - np.exp(-(np.arange(400) - 280).clip(0) / 12)
    values["loss"] += 2.0 * away * rng.lognormal(0, 0.1, 400)
    values["grad_norm"] *= 1 + 4 * away
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES("rises steadily from half of the run on, until four fifths of the gain are lost", "LOS003", severity="error")
def loses_what_it_gained(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.2, 300)
    steps, checks = grid(300, 20), grid(20, 300)

    def level(at: np.ndarray) -> np.ndarray:
        return np.asarray(relax(at, 1.9, 0.45, 700) + 1.15 * ((at - 3_000) / 3_000).clip(0))

    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, level(steps) + rng.normal(0, 0.05, 300)),
            val_loss=clock.points(checks, level(checks) + 0.05 + rng.normal(0, 0.01, 20), True),
            lr=clock.points(steps, np.full(300, 3e-4)),
        )
    )


@LOSSES(
    "gains next to nothing, then at 30 % rises to one and a half times its start for good", "LOS003", severity="error"
)
def ends_above_its_start(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.2), grid(300, 10)
    level = 2.3 - 0.1 * (1 - np.exp(-np.arange(300) / 30)) + 1.3 * (1 - np.exp(-(np.arange(300) - 90).clip(0) / 15))
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, level * rng.lognormal(0, 0.02, 300)),
            lr=clock.points(steps, linear(steps, 10_000, 1e-2, 200)),
        )
    )


@LOSSES("fifteen epochs, of which the last six climb far above the first", "LOS003")
def diverges_in_fifteen_epochs(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(15, 1, 0)
    level = np.array([2.1, 1.5, 1.15, 0.95, 0.82, 0.74, 0.70, 0.67, 0.66, 1.3, 2.2, 3.1, 3.6, 3.9, 4.1])
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, level + rng.normal(0, 0.015, 15)),
            val_loss=clock.points(epochs, 1.05 * level + rng.normal(0, 0.03, 15)),
        )
    )


@LOSSES(
    "ten classes: 1.75 after a quarter of the run and 1.75 at its end, an accuracy of 0.36, a constant rate",
    "LOS004",
    severity="info",
)
def plateau_far_from_done(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 200)
    steps, checks = grid(400, 10), grid(20, 200)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 2.33, 1.75, 220) + rng.normal(0, 0.03, 400)),
            val_loss=clock.points(checks, relax(checks, 2.30, 1.77, 220) + rng.normal(0, 0.004, 20), True),
            val_acc=clock.points(checks, relax(checks, 0.12, 0.36, 220) + rng.normal(0, 0.004, 20), True),
            lr=clock.points(steps, np.full(400, 1e-2)),
        ),
        {"num_classes": 10.0},
    )


@LOSSES("stopped while the loss falls as fast as ever at a constant rate", "LOS006", severity="info")
def stopped_while_improving(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 300)
    steps, checks = grid(300, 10), grid(10, 300)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, 3.5 - 2.0 * (steps / 3_000) ** 0.8 + rng.normal(0, 0.03, 300)),
            val_loss=clock.points(checks, 3.6 - 1.95 * (checks / 3_000) ** 0.8 + rng.normal(0, 0.006, 10), True),
            lr=clock.points(steps, np.full(300, 3e-4)),
        )
    )


@LOSSES(
    "a thousand classes from scratch: 14 instead of ln 1000 = 6.9 at the start, and slowly down from there", "LOS007"
)
def initial_loss_too_high(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.5), grid(300, 10)
    return Curve(
        tagged(
            THREE[seed % 3],
            loss=clock.points(steps, relax(steps, 14.2, 3.4, 700) + rng.normal(0, 0.08, 300)),
            lr=clock.points(steps, cosine(steps, 3_000, 1e-3)),
        ),
        {"num_classes": 1000.0},
    )


@LOSSES("losses of eight micro-batches are added instead of averaged: eight times ln 32,000 at the start", "LOS007")
def loss_times_accumulation(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 2.0, 500, 30)
    steps, checks = grid(300, 10), grid(6, 500)
    return Curve(
        tagged(
            ("hf", "nanogpt")[seed % 2],
            loss=clock.points(steps, 8 * (power_law(steps, 10.5, 3.2, 120, 0.9) + rng.normal(0, 0.03, 300))),
            val_loss=clock.points(checks, power_law(checks, 10.5, 3.25, 120, 0.9) + rng.normal(0, 0.006, 6), True),
            lr=clock.points(steps, cosine(steps, 3_000, 6e-4, 100)),
        ),
        {"vocab_size": 32_000.0, "gradient_accumulation_steps": 8.0},
    )


@LOSSES(
    "gradient norms grow a ten-thousandfold within 30 values, and the loss diverges in the middle of them",
    "GRD002",
    severity="error",
)
def gradients_explode(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    grown = (np.arange(400) - 260).clip(0, 30) / 30
    values["grad_norm"] *= 10 ** (4 * grown)
    values["loss"] += 6.0 * (np.arange(400) - 266).clip(0, 15) / 15 * rng.lognormal(0, 0.1, 400)
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES(
    "gradient norms rise steadily to 3,000 times the usual until the job ends; the loss, clipped, does not notice",
    "GRD002",
)
def gradients_rise_until_the_end(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["grad_norm"] *= 10 ** (3.5 * (np.arange(400) - 360).clip(0) / 40)
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES(
    "a burst: gradient norms rise to 800 times the usual over 15 values and fall again, the loss does not notice",
    "GRD002",
    severity="info",
)
def gradient_burst(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    at = int(rng.integers(150, 300))
    values["grad_norm"][at : at + 30] *= 800 ** np.concatenate([np.arange(1, 16) / 15, np.arange(15, 0, -1) / 15])
    return Curve(tagged(THREE[seed % 3], **_points(clock, steps, values)))


@LOSSES(
    "clipped at 1 while the norm is 2.5 to 6 in every single step: the clip is the step size", "GRD003", severity="info"
)
def always_clipped(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["grad_norm"] = relax(steps, 6, 3.2, 800) * rng.uniform(0.8, 1.25, 400)
    return Curve(
        tagged(THREE[seed % 3], **_points(clock, steps, values)),
        {("max_grad_norm", "gradient_clip_val")[seed % 2]: 1.0},
    )


@LOSSES("clipped at 0.5 while the norm is around 30: sixty times the clip value", "GRD003")
def clipped_far_below(rng: Rng, seed: int) -> Curve:
    clock, steps, values = _learning(rng)
    values["grad_norm"] = 30 * rng.lognormal(0, 0.2, 400)
    return Curve(
        tagged(THREE[seed % 3], **_points(clock, steps, values)),
        {("max_grad_norm", "gradient_clip_val")[seed % 2]: 0.5},
    )
