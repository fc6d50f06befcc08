"""What the generators share: the clock of a run, tag names of writers, curves and schedules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.curves.curve import Floats, Ints, Points

START = 1.7e9

WRITERS: Mapping[str, Mapping[str, str]] = {
    "hf": {
        "loss": "train/loss",
        "val_loss": "eval/loss",
        "val_acc": "eval/accuracy",
        "lr": "train/learning_rate",
        "grad_norm": "train/grad_norm",
        "epoch": "train/epoch",
    },
    "lightning": {
        "loss": "train_loss",
        "acc": "train_acc",
        "val_loss": "val_loss",
        "val_acc": "val_acc",
        "lr": "lr-AdamW",
        "grad_norm": "grad_2.0_norm_total",
        "epoch": "epoch",
    },
    "torch": {
        "loss": "Loss/train",
        "acc": "Accuracy/train",
        "val_loss": "Loss/val",
        "val_acc": "Accuracy/val",
        "lr": "lr",
        "grad_norm": "grad_norm",
    },
    "keras": {
        "loss": "train:epoch_loss",
        "acc": "train:epoch_accuracy",
        "val_loss": "validation:epoch_loss",
        "val_acc": "validation:epoch_accuracy",
        "lr": "train:epoch_learning_rate",
    },
    "megatron": {
        "loss": "lm loss",
        "val_loss": "lm loss validation",
        "lr": "learning-rate",
        "grad_norm": "grad-norm",
        "loss_scale": "loss-scale",
    },
    "nanogpt": {"loss": "train/loss", "val_loss": "val/loss", "lr": "lr", "grad_norm": "train/grad_norm"},
    "fairseq": {
        "loss": "train_inner:loss",
        "val_loss": "valid:loss",
        "lr": "train_inner:lr",
        "grad_norm": "train_inner:gnorm",
        "loss_scale": "train_inner:loss_scale",
    },
    "mmengine": {"loss": "loss", "lr": "lr", "grad_norm": "grad_norm", "val_acc": "accuracy/top1"},
    "cleanrl": {
        "reward": "charts/episodic_return",
        "length": "charts/episodic_length",
        "speed": "charts/SPS",
        "lr": "charts/learning_rate",
        "value_loss": "losses/value_loss",
        "policy_loss": "losses/policy_loss",
        "entropy": "losses/entropy",
        "kl": "losses/approx_kl",
        "clip": "losses/clipfrac",
        "explained": "losses/explained_variance",
    },
    "sb3": {
        "reward": "rollout/ep_rew_mean",
        "length": "rollout/ep_len_mean",
        "speed": "time/fps",
        "lr": "train/learning_rate",
        "loss": "train/loss",
        "value_loss": "train/value_loss",
        "policy_loss": "train/policy_gradient_loss",
        "negative_entropy": "train/entropy_loss",
        "kl": "train/approx_kl",
        "clip": "train/clip_fraction",
        "explained": "train/explained_variance",
    },
    "rsl_rl": {
        "reward": "Train/mean_reward",
        "length": "Train/mean_episode_length",
        "speed": "Perf/total_fps",
        "lr": "Loss/learning_rate",
        "value_loss": "Loss/value_function",
        "policy_loss": "Loss/surrogate",
        "std": "Policy/mean_noise_std",
    },
}
"""Quantity to tag, by writer. What a writer does not log by default is left out."""


def tagged(writer: str, **quantities: Points) -> dict[str, Points]:
    """The quantities under the writer's tags; those that it does not log are left out."""
    tags = WRITERS[writer]
    return {tags[name]: points for name, points in quantities.items() if name in tags}


@dataclass(frozen=True)
class Clock:
    """When steps are logged: so many seconds a step, a pause for every evaluation, and some jitter."""

    rng: np.random.Generator
    seconds: float = 0.4
    """Seconds a step."""
    evaluate_every: int = 0
    """Steps from one evaluation to the next; 0: there are none, or they take no time."""
    pause: float = 20.0
    """Seconds that an evaluation takes."""
    first: float = 0.0
    """Seconds after START at which step 0 is logged."""

    def points(self, steps: Ints, values: Floats, evaluation: bool = False) -> Points:
        """The points of a tag: an evaluation is logged at its end, a training step before the evaluation begins."""
        steps = np.asarray(steps, dtype=np.int64)
        done = np.zeros(len(steps))
        if self.evaluate_every:
            done = np.floor((steps - (0 if evaluation else 1)) / self.evaluate_every).clip(0)
        jitter = self.rng.uniform(0.0, 0.3, len(steps)) * self.seconds
        wall = START + self.first + self.seconds * steps + self.pause * done + jitter
        return Points(steps, single(values), np.asarray(wall, dtype=np.float64))


def single(values: Floats) -> Floats:
    """As float32 holds them, in float64."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32).astype(np.float64)


def grid(count: int, every: int = 1, first: int | None = None) -> Ints:
    """Logged steps: `count` of them, `every` steps apart, the first one at `every` where it is not given."""
    return (every if first is None else first) + every * np.arange(count, dtype=np.int64)


def relax(x: Floats | Ints, start: float, end: float, scale: float) -> Floats:
    """From `start` to `end` exponentially, 63 % of it after `scale`: small models and fine-tuning."""
    return np.asarray(end + (start - end) * np.exp(-np.asarray(x, dtype=np.float64) / scale))


def power_law(x: Floats | Ints, start: float, floor: float, half: float, exponent: float = 0.5) -> Floats:
    """From `start` towards `floor` as a power of the step (Kaplan et al. 2020): language models from scratch."""
    return np.asarray(floor + (start - floor) * (1 + np.asarray(x, dtype=np.float64) / half) ** -exponent)


def wander(rng: np.random.Generator, count: int, sigma: float, memory: int) -> Floats:
    """Noise of standard deviation `sigma` that remembers about `memory` points, as a logged mean over episodes does."""
    white = rng.normal(0, 1, count + 5 * memory)
    kernel = np.exp(-np.arange(5 * memory) / memory)
    return np.asarray(sigma * np.convolve(white, kernel / np.sqrt((kernel**2).sum()), mode="valid")[:count])


def cosine(steps: Ints, total: int, peak: float, warmup: int = 0, end: float = 0.0) -> Floats:
    """Linear warm-up and cosine decay to `end` at step `total`; constant from there on."""
    steps = np.asarray(steps, dtype=np.float64)
    along = ((steps - warmup) / (total - warmup)).clip(0, 1)
    decayed = end + 0.5 * (peak - end) * (1 + np.cos(np.pi * along))
    return np.asarray(np.where(steps < warmup, peak * steps / max(warmup, 1), decayed))


def linear(steps: Ints, total: int, peak: float, warmup: int = 0) -> Floats:
    """Linear warm-up and linear decay to 0 at step `total`, as Hugging Face's default is."""
    steps = np.asarray(steps, dtype=np.float64)
    falling = peak * ((total - steps) / (total - warmup)).clip(0, None)
    return np.asarray(np.where(steps < warmup, peak * steps / max(warmup, 1), falling))
