"""What the basic Keras programs share: tables, a training that returns its history, writers, and dumps of weights and gradients."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from bench.accuracy.loggers import Dump

Trail = dict[str, list[float]]


class Table(NamedTuple):
    """Inputs and targets to train on and to validate with."""

    x: np.ndarray
    y: np.ndarray
    xv: np.ndarray
    yv: np.ndarray


def parted(x: np.ndarray, y: np.ndarray, seed: int, share: float = 0.25, scaled: bool = False) -> Table:
    """A split at random, classes evenly; inputs standardised by the training part if `scaled`."""
    whole = np.issubdtype(y.dtype, np.integer)
    x, xv, y, yv = train_test_split(x, y, test_size=share, random_state=seed, stratify=y if whole else None)
    if scaled:
        mean, deviation = x.mean(0), x.std(0) + 1e-6
        x, xv = (x - mean) / deviation, (xv - mean) / deviation
    kind = np.int64 if whole else np.float32
    return Table(x.astype(np.float32), y.astype(kind), xv.astype(np.float32), yv.astype(kind))


def digits(seed: int, share: float = 0.3) -> Table:
    """Digits (n, 8, 8, 1) from 0 to 1."""
    x, y = datasets.load_digits(return_X_y=True)
    return parted(x.reshape(-1, 8, 8, 1) / 16, y, seed, share)


def shapes(seed: int, samples: int = 600, noise: float = 20.0) -> Table:
    """Pictures (n, 14, 14, 1) of 0 to 255 of a ring, a bar, a corner, two dots or a check; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    x = np.zeros((samples, 14, 14))
    for image, kind in zip(x, y, strict=True):
        row, column = random.integers(4, 10, 2)
        down, right = rows - row, columns - column
        far = down**2 + right**2
        forms = (
            (far >= 5) & (far <= 11),
            (np.abs(down) <= 4) & (right == 0),
            ((down == 0) & (right >= 0) & (right <= 4)) | ((right == 0) & (down >= 0) & (down <= 4)),
            (far <= 1) | ((down - 3) ** 2 + right**2 <= 1),
            ((rows + columns) % 2 == 0) & (np.abs(down) <= 2) & (np.abs(right) <= 2),
        )
        image[:] = np.where(forms[kind], random.uniform(150, 240), random.uniform(20, 90))
    x = (x + noise * random.normal(size=x.shape)).clip(0, 255)
    return parted(x[..., None], y, seed)


def gases(seed: int, samples: int = 700, scaled: bool = True, noise: float = 0.6) -> Table:
    """Sixteen readings of an electronic nose of one of six gases; 6 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 6, samples)
    answers = np.random.default_rng(5).normal(size=(6, 16))
    dose = random.uniform(0.6, 1.8, (samples, 1))
    x = np.tanh(dose * answers[y]) + noise * random.normal(size=(samples, 16))
    return parted(x * 400 + 1200, y, seed, scaled=scaled)


def words(seed: int, samples: int = 700, length: int = 20) -> Table:
    """Tokens (n, length) of 1 to 249 of tickets on one of four matters; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    own = 1 + 25 * y[:, None] + random.integers(0, 25, (samples, length))
    told = random.random((samples, length)) < 0.25
    x = np.where(told, own, random.integers(1, 250, (samples, length)))
    return parted(x, y, seed)


def series(seed: int, samples: int = 460, length: int = 20) -> Table:
    """Windows (n, length, 1) of a river's level in centimetres, 100 to 500, and the next level (n, 1); later ones validate."""
    random = np.random.default_rng(seed)
    hour = np.arange(samples + length)
    level = 280 + 90 * np.sin(2 * np.pi * hour / 25) + 35 * np.sin(2 * np.pi * hour / 61 + seed)
    level = level + 6 * random.normal(size=hour.size)
    x = np.lib.stride_tricks.sliding_window_view(level[:-1], length)[:, :, None].astype(np.float32)
    y = level[length:, None].astype(np.float32)
    cut = samples * 3 // 4
    return Table(x[:cut], y[:cut], x[cut:], y[cut:])


def fresh(seed: int) -> None:
    """Names of layers from the start, and Keras' generators at this seed."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def learn(model: Any, of: Table, epochs: int, callbacks: Sequence[Any], batch: int = 32, **more: Any) -> Trail:
    """model.fit, silent; its history."""
    kept = model.fit(
        of.x,
        of.y,
        batch_size=batch,
        epochs=epochs,
        verbose=0,
        validation_data=(of.xv, of.yv),
        callbacks=[*callbacks],
        **more,
    )
    return {name: [float(one) for one in values] for name, values in kept.history.items()}


def table_of(run: Path, found: Trail, name: str = "history.csv") -> None:
    """What `pd.DataFrame(history.history).to_csv` writes: an unnamed index, then the columns."""
    with (run / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["", *found])
        writer.writerows([[row, *values] for row, values in enumerate(zip(*found.values(), strict=True))])


class Lines(keras.callbacks.Callback):  # type: ignore[misc]
    """One JSON object an epoch, as a LambdaCallback of the handbook writes it."""

    def __init__(self, path: Path, first: int = 0) -> None:
        super().__init__()
        self.path, self.first = path, first

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"epoch": epoch + self.first, **{name: float(value) for name, value in (logs or {}).items()}}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Printed(keras.callbacks.Callback):  # type: ignore[misc]
    """What model.fit(verbose=2) prints, sent to a file."""

    def __init__(self, path: Path, epochs: int) -> None:
        super().__init__()
        self.path, self.epochs = path, epochs

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        told = " - ".join(f"{name}: {float(value):.4f}" for name, value in (logs or {}).items())
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"Epoch {epoch + 1}/{self.epochs}\n20/20 - 0s - 5ms/step - {told}\n")


class Tensors(keras.callbacks.Callback):  # type: ignore[misc]
    """Weights, gradients of a fixed batch, and outputs of some layers, before each so many epochs."""

    def __init__(self, dump: Dump, of: Table, every: int = 2, layers: Sequence[str] = (), batch: int = 64) -> None:
        super().__init__()
        self.dump, self.every, self.layers = dump, every, layers
        self.x, self.y = of.x[:batch], of.y[:batch]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if epoch % self.every:
            return
        self.model.zero_grad()
        outputs = self.model(self.x, training=False)
        self.model.compute_loss(self.x, keras.ops.convert_to_tensor(self.y), outputs).backward()
        made = {}
        for one in self.model.weights:
            name = one.path.split("/", 1)[1]
            made[f"weights/{name}"] = np.array(keras.ops.convert_to_numpy(one))
            if one.trainable and one.value.grad is not None:
                made[f"gradients/{name}"] = one.value.grad.numpy().copy()
        self.model.zero_grad()
        if self.layers:
            probe = keras.Model(self.model.inputs, [self.model.get_layer(name).output for name in self.layers])
            found = probe(self.x, training=False)
            for name, value in zip(self.layers, found if isinstance(found, list) else [found], strict=True):
                made[f"activations/{name}"] = np.array(keras.ops.convert_to_numpy(value))
        self.dump.dump(epoch, made)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        self.dump.close()
