"""What the programs that people asked about share: pairs of a faulty and a fixed version, their data, and Keras' TensorBoard callback.

Each is rebuilt from a program in a thread or in a benchmark of such threads, as its comment says; the fixed version has the answer's
fix. Both versions log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("post", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


def patients(seed: int, samples: int = 700, scaled: bool = True) -> data.Split:
    """Eight measures of patients in their own units (glucose of 120, a share of 0.5, an age of 35); of two classes a third is sick."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 8))
    z[:, 5] += 0.4 * z[:, 1]
    risk = 1.4 * z[:, 1] + 0.9 * z[:, 5] + 0.6 * z[:, 7] + 0.5 * z[:, 6] - 1.0
    y = (risk + random.logistic(size=samples) > 0).astype(np.int64)
    x = z * [3.0, 30.0, 12.0, 9.0, 80.0, 7.0, 0.3, 10.0] + [4.0, 120.0, 70.0, 25.0, 120.0, 32.0, 0.6, 35.0]
    return data.split(x, y, seed, scaled=scaled)


def houses(seed: int, samples: int = 480) -> data.Split:
    """Ten measures of houses, standardised, and prices (n, 1) in thousands, 5 to 50."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10))
    price = 24 + 5 * x[:, 0] - 3 * x[:, 1] + 2.5 * np.maximum(x[:, 2], 0) * x[:, 0] + 2 * x[:, 3]
    price = np.clip(price + random.normal(size=samples), 5, 50)
    return data.split(x, price[:, None], seed)


def reviews(seed: int, samples: int = 600, length: int = 30, words: int = 300, share: float = 0.15) -> data.Split:
    """Texts as tokens (n, length) of 1 to words - 1, of two classes; this share of the words of each speaks for its class."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    polar = 1 + 40 * y[:, None] + random.integers(0, 40, (samples, length))
    wrong = 41 - 40 * y[:, None] + random.integers(0, 40, (samples, length))
    common = random.integers(81, words, (samples, length))
    kind = random.random((samples, length))
    x = np.where(kind < share, polar, np.where(kind < share + 0.05, wrong, common))
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def pictures(seed: int, samples: int = 520, noise: float = 25.0) -> data.Split:
    """Coloured pictures (n, 3, 12, 12) of 0 to 255 with a disc, a frame, a cross or stripes on a ground of any colour; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    images = np.zeros((samples, 3, 12, 12))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(4, 8, 2)
        down, right = np.abs(rows - row), np.abs(columns - column)
        shapes = (
            down**2 + right**2 <= 12,
            np.maximum(down, right) == 3,
            (np.minimum(down, right) == 0) & (np.maximum(down, right) <= 4),
            (rows + column) % 3 == 0,
        )
        ground, ink = random.uniform(40, 120, 3), random.uniform(130, 230, 3)
        image[:] = np.where(shapes[kind], ink[:, None, None], ground[:, None, None])
    images = (images + noise * random.normal(size=images.shape)).clip(0, 255)
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return replace(of, x=of.x.reshape(-1, 3, 12, 12), x_val=of.x_val.reshape(-1, 3, 12, 12))


def over(of: data.Split, divisor: float) -> data.Split:
    """The same with its inputs divided."""
    return replace(of, x=of.x / divisor, x_val=of.x_val / divisor)


def explained(outputs: Tensor, targets: Tensor) -> Tensor:
    """R², the share of the variance of the targets (n, 1) that is explained."""
    return 1 - (outputs - targets).square().mean() / targets.var(unbiased=False)


def hits(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the classes 0 and 1 that the signs of outputs (n, 1) tell."""
    return ((outputs[:, 0] > 0).long() == targets).float().mean()


def board(keras: Any, run: Path, *, weights: int = 0, batches: int = 0) -> Any:
    """Keras' TensorBoard callback, without TensorFlow: epoch_* in train/ and validation/, evaluation_*_vs_iterations, histograms of the
    weights each so many epochs (histogram_freq), and batch_* each so many batches (update_freq).
    """
    from torch.utils.tensorboard import SummaryWriter

    class Board(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.train = SummaryWriter(str(run / "train"))
            self.validation = SummaryWriter(str(run / "validation"))
            self.seen = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if batches and self.seen % batches == 0:
                for name, value in (logs or {}).items():
                    self.train.add_scalar(f"batch_{name}", float(value), self.seen)

        def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
            for name, value in (logs or {}).items():
                self.validation.add_scalar(f"evaluation_{name}_vs_iterations", float(value), self.seen)

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            for name, value in (logs or {}).items():
                writer = self.validation if name.startswith("val_") else self.train
                writer.add_scalar(f"epoch_{name.removeprefix('val_')}", float(value), epoch)
            rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            self.train.add_scalar("epoch_learning_rate", float(rate), epoch)
            for one in self.model.weights if weights and epoch % weights == 0 else ():
                self.train.add_histogram(f"{one.path}/histogram", np.array(keras.ops.convert_to_numpy(one)), epoch)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.train.close()
            self.validation.close()

    return Board()


class CartPole:
    """The pole on a cart of the usual benchmark: states of 4, two actions, a reward of 1 a step until it falls."""

    def __init__(self, seed: int, longest: int = 200) -> None:
        self.random, self.longest = np.random.default_rng(seed), longest
        self.state, self.steps = np.zeros(4), 0

    def reset(self) -> np.ndarray:
        """A start near the upright."""
        self.state, self.steps = self.random.uniform(-0.05, 0.05, 4), 0
        return self.state.copy()

    def step(self, action: int) -> tuple[np.ndarray, float, bool]:
        """The state after an action, the reward, and whether it is over. Equations of Barto, Sutton and Anderson (1983)."""
        _, speed, angle, turning = self.state
        force = 10.0 if action else -10.0
        sine, cosine = np.sin(angle), np.cos(angle)
        pushed = (force + 0.05 * turning**2 * sine) / 1.1
        spin = (9.8 * sine - cosine * pushed) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        pull = pushed - 0.05 * spin * cosine / 1.1
        self.state = self.state + 0.02 * np.array([speed, pull, turning, spin])
        self.steps += 1
        over = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095 or self.steps >= self.longest
        return self.state.copy(), 1.0, bool(over)


def rollout(policy: nn.Module, pole: CartPole) -> tuple[Tensor, Tensor, Tensor]:
    """One episode: states (n, 4), actions (n,), and rewards (n,)."""
    state, ended = pole.reset(), False
    states, actions, rewards = [], [], []
    while not ended:
        with torch.no_grad():
            shares = policy(torch.as_tensor(state, dtype=torch.float32)).softmax(-1).numpy()
        action = int(pole.random.random() < shares[1])
        states.append(state)
        actions.append(action)
        state, reward, ended = pole.step(action)
        rewards.append(reward)
    return torch.tensor(np.array(states), dtype=torch.float32), torch.tensor(actions), torch.tensor(rewards)


def returns(rewards: Tensor, discount: float = 0.99) -> Tensor:
    """Discounted sums of the rewards from each step on."""
    found, total = [], 0.0
    for reward in reversed(rewards.tolist()):
        total = reward + discount * total
        found.append(total)
    return torch.tensor(found[::-1])
