"""What the notebooks in PyTorch share: data that they make themselves, ways to write a log, and an epoch of training."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.loggers import Log

Loss = Callable[[Tensor, Tensor], Tensor]


def sketches(seed: int, samples: int = 640, scale: float = 1.0, noise: float = 0.15) -> data.Split:
    """Pictures (n, 1, 12, 12) of 0 to `scale` of a ring, a square, a cross or a bar drawn by hand; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    images = np.zeros((samples, 12, 12))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(4, 8, 2)
        size = random.integers(2, 4)
        down, right = np.abs(rows - row), np.abs(columns - column)
        ring = np.abs(np.hypot(down, right) - size) < 0.6
        square = np.maximum(down, right) == size
        cross = ((down == 0) | (right == 0)) & (np.maximum(down, right) <= size)
        bar = (down <= 1) & (right <= size)
        image[:] = (ring, square, cross, bar)[kind] * random.uniform(0.5, 0.9)
    images = (0.1 + images + noise * random.normal(size=images.shape)).clip(0, 1) * scale
    made = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(made.x.reshape(-1, 1, 12, 12), made.y, made.x_val.reshape(-1, 1, 12, 12), made.y_val)


def houses(seed: int, samples: int = 600, spread: float = 1.0, middle: float = 0.0) -> data.Split:
    """Ten standardised measures of houses and their prices (n, 1), about `middle` with a deviation of about `spread`."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 10))
    price = 0.7 * z[:, 0] + 0.4 * z[:, 1] - 0.3 * z[:, 2] + 0.3 * np.tanh(2 * z[:, 3]) + 0.25 * z[:, 0] * z[:, 4]
    price = price + 0.2 * random.normal(size=samples)
    return data.split(z, (middle + spread * price)[:, None], seed)


def movements(seed: int, samples: int = 600, length: int = 30, noise: float = 0.4) -> data.Split:
    """Accelerations of a phone (n, length, 3) of a person who walks, runs, climbs or sits; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    moment = np.arange(length) + random.uniform(0, 10, (samples, 1))
    period = np.array([10, 5, 14, 30])[y][:, None] * random.uniform(0.9, 1.1, (samples, 1))
    height = np.array([1, 1.2, 0.8, 0.05])[y][:, None]
    swing = height * np.sin(2 * np.pi * moment / period)
    lift = height * np.where(y == 2, 1.0, 0.3)[:, None] * np.cos(2 * np.pi * moment / period)
    x = np.stack([swing, lift, 0.5 * swing * lift], -1) + noise * random.normal(size=(samples, length, 3))
    made = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(made.x.reshape(-1, length, 3), made.y, made.x_val.reshape(-1, length, 3), made.y_val)


def cells(seed: int, samples: int = 240, side: int = 16, noise: float = 0.2) -> data.Split:
    """Pictures of a microscope (n, 1, side, side) and masks (n, 1, side, side) of the round cells in them."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, 1, side, side))
    for mask in masks:
        for _ in range(random.integers(1, 3)):
            row, column = random.uniform(3, side - 3, 2)
            mask[0] = np.maximum(mask[0], np.hypot(rows - row, columns - column) < random.uniform(1.8, 3.2))
    light = random.uniform(0.2, 0.4, (samples, 1, 1, 1))
    images = light + 0.5 * masks + noise * random.normal(size=masks.shape)
    x, y = torch.tensor(images, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)
    cut = samples * 3 // 4
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def frauds(seed: int, samples: int = 2000, share: float = 0.04, apart: float = 1.0) -> data.Split:
    """Twelve measures of payments, standardised, and whether (n, 1) they are frauds, of which there are few and unclear ones."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.float64)
    z = random.normal(size=(samples, 12))
    z[:, :5] += apart * y[:, None] * np.array([1.0, -0.8, 0.7, 0.6, -0.5])
    cut = samples * 3 // 4
    xs, ys = torch.tensor(z, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def sales(seed: int, days: int = 700, window: int = 30) -> data.Split:
    """Sales of some days (n, window, 1) and of the day after each (n, window, 1), standardised; later days validate."""
    random = np.random.default_rng(seed)
    day = np.arange(days + window)
    level = np.sin(2 * np.pi * day / 30) + 0.6 * np.sin(2 * np.pi * day / 7 + random.uniform(0, 6))
    level = (level + 0.2 * random.normal(size=day.size)) / 0.9
    x = np.lib.stride_tricks.sliding_window_view(level, window + 1).copy()[:, :, None]
    xs, ys = (torch.tensor(part, dtype=torch.float32) for part in (x[:, :-1], x[:, 1:]))
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def tickets(seed: int, samples: int = 900, length: int = 16, topics: int = 6, told: float = 0.35) -> data.Split:
    """Tickets of a help desk as tokens (n, length) of 0 to 219; a share of the words belongs to one of the topics."""
    random = np.random.default_rng(seed)
    y = random.integers(0, topics, samples)
    x = random.integers(100, 220, (samples, length))
    x = np.where(random.random(x.shape) < told, 15 * y[:, None] + random.integers(0, 15, x.shape), x)
    other = 15 * random.integers(0, topics, (samples, 1)) + random.integers(0, 15, x.shape)
    x = np.where(random.random(x.shape) < 0.08, other, x)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


class Poles:
    """Several cart-poles at once, as in the gym: four numbers each, pushed left (0) or right (1), 1 point for each step."""

    def __init__(self, count: int, seed: int, longest: int = 100) -> None:
        self.random, self.longest = np.random.default_rng(seed), longest
        self.count = count

    def reset(self) -> Tensor:
        """Put all of them upright."""
        self.state = self.random.uniform(-0.05, 0.05, (self.count, 4))
        self.steps = 0
        return torch.tensor(self.state, dtype=torch.float32)

    def step(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """Push each; where they are, and which have fallen or are at the end."""
        x, speed, angle, turn = self.state.T
        force = np.where(action.numpy() == 1, 10.0, -10.0)
        push = (force + 0.05 * turn**2 * np.sin(angle)) / 1.1
        faster = 9.8 * np.sin(angle) - np.cos(angle) * push
        faster = faster / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        push = push - 0.05 * faster * np.cos(angle) / 1.1
        self.state = np.stack([x + 0.02 * speed, speed + 0.02 * push, angle + 0.02 * turn, turn + 0.02 * faster], 1)
        self.steps += 1
        fallen = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.2095) | (self.steps >= self.longest)
        return torch.tensor(self.state, dtype=torch.float32), torch.tensor(fallen)


class Track:
    """Passes on what is logged, and keeps it to judge the training by."""

    def __init__(self, *logs: Log) -> None:
        self.logs = logs
        self.columns: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """To each log."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))
        for one in self.logs:
            one.log(step, values)

    def close(self) -> None:
        """Each log."""
        for one in self.logs:
            one.close()

    def last(self, name: str, count: int = 3) -> float:
        """The mean of the last few values of a name."""
        return sum(self.columns[name][-count:]) / count

    def near_best(self, name: str, factor: float = 1.15, slack: float = 0.02) -> bool:
        """Whether the last values of a loss are about the best that it had."""
        return max(self.columns[name][-1], self.last(name)) <= factor * min(self.columns[name]) + slack


class Printed:
    """What a notebook prints, piped into a file: `Epoch 3/20 - loss: 0.4312 - val_loss: 0.5100`."""

    def __init__(self, run: Path, epochs: int, name: str = "output.log", form: str = "Epoch {}/{}", joint: str = " - "):
        self.file = (run / name).open("w", encoding="utf-8")
        self.epochs, self.form, self.joint = epochs, form, joint

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Print a line; epochs count from 1."""
        told = [f"{name}: {value:.4f}" for name, value in values.items()]
        self.file.write(self.joint.join([self.form.format(step, self.epochs), *told]) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class HistoryJson:
    """history.json: lists by name, as `json.dump(history, f)` writes them."""

    def __init__(self, run: Path, name: str = "history.json") -> None:
        self.path = run / name
        self.columns: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append to each list."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def close(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(self.columns), encoding="utf-8")


class Mlflow:
    """metrics/NAME with lines of `time value step`, as MLflow's file store keeps them."""

    def __init__(self, run: Path) -> None:
        self.path = run / "metrics"
        self.path.mkdir()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A line in the file of each name."""
        for name, value in values.items():
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {float(value)} {step}\n")

    def close(self) -> None:
        """Nothing is open."""


def shuffled(x: Tensor, y: Tensor, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of batches in a random order, without what is left over."""
    order = torch.randperm(len(x))
    for start in range(0, len(x) - batch + 1, batch):
        chosen = order[start : start + batch]
        yield x[chosen], y[chosen]


def hits(outputs: Tensor, targets: Tensor) -> float:
    """The share of classes that are right; 0 where the targets are no classes."""
    return float((outputs.argmax(-1) == targets).float().mean()) if targets.dtype == torch.int64 else 0.0


def one_epoch(
    model: nn.Module, of: data.Split, optimizer: torch.optim.Optimizer, loss_fn: Loss, batch: int = 32
) -> tuple[float, float]:
    """Train for an epoch; mean loss and accuracy."""
    model.train()
    told = []
    for x, y in shuffled(of.x, of.y, batch):
        optimizer.zero_grad()
        outputs = model(x)
        loss = loss_fn(outputs, y)
        torch.autograd.backward(loss)
        optimizer.step()
        told.append((loss.item(), hits(outputs, y)))
    return sum(one[0] for one in told) / len(told), sum(one[1] for one in told) / len(told)


def validate(model: nn.Module, of: data.Split, loss_fn: Loss) -> tuple[float, float]:
    """Loss and accuracy on the validation data, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        outputs = model(of.x_val)
        return loss_fn(outputs, of.y_val).item(), hits(outputs, of.y_val)
