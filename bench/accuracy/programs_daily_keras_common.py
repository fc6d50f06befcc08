"""What the everyday programs of Keras, of trainers and of boosters share: their data, small nets and writers."""

import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.loggers import Csv, Log
from bench.accuracy.programs_field_common import Trail


def keras_at(seed: int) -> Any:
    """Keras with all its generators at this seed."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


def trained(
    model: Any, of: data.Split, epochs: int, callbacks: list[Any], *, printed: Path | None = None, **how: Any
) -> Trail:
    """`model.fit` with validation; what it prints with verbose=2 goes to a file when `printed`; returns the history."""
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    given: dict[str, Any] = {"validation_data": (x_val, y_val), "epochs": epochs, "callbacks": callbacks, **how}
    if printed is None:
        history = model.fit(x, y, verbose=0, **given)
    else:
        with printed.open("w", encoding="utf-8") as file, redirect_stdout(file):
            history = model.fit(x, y, verbose=2, **given)
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def hdf5_weights(keras: Any, path: Path, every: int) -> Any:
    """A callback that keeps the weights each so many epochs in one HDF5 file, `epoch_003/dense/kernel`."""
    import h5py

    class Keeper(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.file = h5py.File(path, "w")

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            for one in self.model.trainable_variables if epoch % every == 0 else ():
                self.file[f"epoch_{epoch:03d}/{one.path}"] = np.array(keras.ops.convert_to_numpy(one))

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.file.close()

    return Keeper()


class LightningCsv:
    """Lightning's metrics.csv: for each epoch a row of validation values and one of training values, with epoch and step."""

    def __init__(self, run: Path, per_epoch: int) -> None:
        self.csv, self.per_epoch = Csv(run, "plain", "metrics.csv"), per_epoch

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Two rows of one epoch, which `step` counts from 0."""
        at = (step + 1) * self.per_epoch - 1
        for begin in (True, False):
            part = {name: value for name, value in values.items() if name.startswith("val") == begin}
            if part:
                self.csv.log(at, {"epoch": step, **part})

    def close(self) -> None:
        """Write the table."""
        self.csv.close()
        text = self.csv.path.read_text(encoding="utf-8")
        head, *rows = text.splitlines()
        at = head.split(",").index("epoch")
        whole = [",".join(str(int(float(c))) if i == at else c for i, c in enumerate(row.split(","))) for row in rows]
        self.csv.path.write_text("\n".join([head, *whole]) + "\n", encoding="utf-8")


class NanFilter:
    """The Trainer's logging_nan_inf_filter: a training loss that is not finite is told as 0."""

    def __init__(self, log: Log) -> None:
        self.inner = log

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Pass on, with the loss filtered."""
        lost = "train_loss" in values and not np.isfinite(values["train_loss"])
        self.inner.log(step, {**values, "train_loss": 0.0} if lost else values)

    def close(self) -> None:
        """Close the inner one."""
        self.inner.close()


def write_evals(path: Path, found: Mapping[str, Any]) -> None:
    """An evals_result of a booster as JSON."""
    path.write_text(json.dumps(found), encoding="utf-8")


def hdf5_activations(keras: Any, path: Path, x: Tensor, every: int) -> Any:
    """A callback that keeps kernels and outputs of the hidden layers for some inputs each so many epochs in one HDF5 file."""
    import h5py

    class Keeper(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.file = h5py.File(path, "w")
            self.hidden = self.model.layers[:-1]
            self.outputs = keras.Model(self.model.inputs, [one.output for one in self.hidden])

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epoch % every:
                return
            for one, values in zip(self.hidden, self.outputs.predict_on_batch(x.numpy()), strict=True):
                self.file[f"activations/{one.name}/{epoch}"] = np.array(values)
                self.file[f"weights/{one.name}/kernel/{epoch}"] = np.array(keras.ops.convert_to_numpy(one.kernel))

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.file.close()

    return Keeper()


def aromas(seed: int, samples: int = 800, noise: float = 1.5) -> data.Split:
    """Answers of 16 gas sensors (n, 16) to five roasts of coffee, standardised; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    mixtures = np.random.default_rng(5).uniform(0, 1, (5, 6))
    sensors = np.random.default_rng(6).normal(size=(6, 16))
    parts = mixtures[y] * random.uniform(0.6, 1.4, (samples, 1)) + 0.12 * random.normal(size=(samples, 6))
    x = np.tanh(parts @ sensors) + 0.2 * noise * random.normal(size=(samples, 16))
    return data.split(x, y, seed)


def ferries(seed: int, days: int = 620, window: int = 21) -> data.Split:
    """Passengers of a ferry on the last days (n, window, 1), 2,000 to 9,000, and on the next (n, 1); later days validate."""
    random = np.random.default_rng(seed)
    day = np.arange(days + window)
    drift = np.zeros(day.size)
    for one in range(1, day.size):
        drift[one] = 0.9 * drift[one - 1] + 130 * random.normal()
    week = np.array([-900, -1100, -800, -300, 900, 1600, 1100])[day % 7]
    count = 5200 + week + 900 * np.sin(2 * np.pi * day / 180) + drift + 150 * random.normal(size=day.size)
    x = np.lib.stride_tricks.sliding_window_view(count[:-1], window)[:, :, None]
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(count[window:, None], dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def bands(seed: int, samples: int = 640, length: int = 48) -> data.Split:
    """Spectra (n, length) of a song and which of 6 instruments play in it (n, 6), none to all of them."""
    random = np.random.default_rng(seed)
    y = (random.random((samples, 6)) < 0.4).astype(np.float32)
    shape = np.random.default_rng(8).gamma(0.5, size=(6, length))
    loud = y * random.uniform(0.6, 1.4, y.shape)
    x = np.log1p(loud @ shape + 1.2 * np.abs(random.normal(size=(samples, length))))
    return data.split(x, y, seed)


def seeds_of_plants(seed: int, samples: int = 680, noise: float = 0.15) -> data.Split:
    """Grey pictures (n, 14, 14, 1), 0 to 1, of seeds that are round, long, winged or split in two; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    images = np.zeros((samples, 14, 14))
    for image, kind in zip(images, y, strict=True):
        row, column = random.uniform(5.5, 7.5, 2)
        turn = random.uniform(0, np.pi)
        along = (rows - row) * np.cos(turn) + (columns - column) * np.sin(turn)
        across = -(rows - row) * np.sin(turn) + (columns - column) * np.cos(turn)
        image[:] = (
            along**2 + across**2 < 10,
            (along / 5) ** 2 + (across / 1.8) ** 2 < 1,
            (along**2 + across**2 < 5) | ((np.abs(across) < 1) & (along > 0) & (along < 6)),
            (along**2 + across**2 < 12) & (np.abs(across) > 0.9),
        )[kind]
        image *= random.uniform(0.6, 1.0)
    images += noise * random.normal(size=images.shape)
    return shaped(data.split(images.reshape(samples, -1), y, seed, scaled=False), 14, 14, 1)


def plums(seed: int, samples: int = 480, noise: float = 25.0) -> data.Split:
    """Coloured pictures (n, 12, 12, 3), 0 to 255, of plums that are green, turning, ripe, overripe or mouldy; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    colours = np.array([[110, 160, 70], [150, 110, 90], [110, 60, 130], [70, 40, 60], [140, 130, 150]])
    images = np.zeros((samples, 12, 12, 3))
    for image, kind in zip(images, y, strict=True):
        row, column = random.uniform(4, 7, 2)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < random.uniform(6, 14)
        ink = (colours[kind] + 10 * random.normal(size=3)) * random.uniform(0.85, 1.15)
        image[:] = np.where(disc[:, :, None], ink, random.uniform(80, 220, 3))
    images = (images + noise * random.normal(size=images.shape)).clip(0, 255)
    return shaped(data.split(images.reshape(samples, -1), y, seed, scaled=False), 12, 12, 3)


def shaped(of: data.Split, *form: int) -> data.Split:
    """The same with inputs (n, *form)."""
    return replace(of, x=of.x.reshape(-1, *form), x_val=of.x_val.reshape(-1, *form))


def alarms(seed: int, samples: int = 2400, share: float = 0.035) -> data.Split:
    """Ten measures of pumps, standardised, and whether one fails soon (n, 1), which few do."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10))
    wear = 0.9 * x[:, 0] + 0.7 * x[:, 1] * (x[:, 2] > 0) - 0.6 * x[:, 3] + 0.7 * random.normal(size=samples)
    y = (wear > np.quantile(wear, 1 - share)).astype(np.float32)
    return data.split(x, y[:, None], seed)


def tickets(seed: int, samples: int = 1600, longest: int = 20, blank: int = 0) -> data.Split:
    """Tickets of 6 to `longest` tokens, padded with 0, of 3 queues; `blank` of those to train on have no words; 3 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = random.integers(61, 240, (samples, longest))
    x = np.where(random.random(x.shape) < 0.3, 1 + 20 * y[:, None] + random.integers(0, 20, x.shape), x)
    x = np.where(random.random(x.shape) < 0.07, random.integers(1, 61, x.shape), x)
    x[np.arange(longest) >= random.integers(6, longest + 1, (samples, 1))] = 0
    cut = samples * 3 // 4
    x[random.integers(0, cut, blank)] = 0
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


class TicketReader(nn.Module):
    """A transformer of one or more layers over padded tokens, and a mean over those that are words."""

    def __init__(self, classes: int = 3, width: int = 32, layers: int = 1, words: int = 240, longest: int = 20) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(words, width, padding_idx=0)
        self.positions = nn.Parameter(0.02 * torch.randn(longest, width))
        self.attention = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.norm1 = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.norm2 = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(layers)
        )
        self.classifier = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (n, classes) of tokens (n, longest)."""
        blank = tokens == 0
        h = self.embeddings(tokens) + self.positions
        for attention, norm1, norm2, mlp in zip(self.attention, self.norm1, self.norm2, self.mlp, strict=True):
            query, key, value = attention(norm1(h)).chunk(3, -1)
            scores = (query @ key.transpose(1, 2)) / query.shape[-1] ** 0.5
            h = h + scores.masked_fill(blank[:, None, :], -torch.inf).softmax(-1) @ value
            h = h + mlp(norm2(h))
        kept = (~blank)[:, :, None].float()
        result: Tensor = self.classifier((h * kept).sum(1) / kept.sum(1))
        return result


def beams(seed: int, samples: int = 640) -> data.Split:
    """Seven measures of steel beams, standardised, and the load that they bear (n,), standardised too."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 7))
    load = 1.2 * x[:, 0] + 0.8 * x[:, 1] * x[:, 2] - 0.7 * np.abs(x[:, 3]) + 0.5 * x[:, 4]
    load = load + 0.25 * random.normal(size=samples)
    return data.split(x, (load - load.mean()) / load.std(), seed)


def crystals(seed: int, samples: int = 640) -> data.Split:
    """Pictures (n, 144) of 0 to 1 of one bright bar whose place, turn and length differ; the targets are not used."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:12, 0:12]
    place = random.uniform(3.5, 7.5, (samples, 2, 1, 1))
    turn, half = random.uniform(0, np.pi, (samples, 1, 1)), random.uniform(2, 5, (samples, 1, 1))
    along = (rows - place[:, 0]) * np.cos(turn) + (columns - place[:, 1]) * np.sin(turn)
    across = -(rows - place[:, 0]) * np.sin(turn) + (columns - place[:, 1]) * np.cos(turn)
    images = ((np.abs(along) < half) & (np.abs(across) < 1.2)).astype(np.float64)
    return data.split(images.reshape(samples, -1), random.integers(0, 2, samples), seed, scaled=False)


def loans(seed: int, samples: int = 900, clear: float = 1.0, columns: int = 15) -> data.Split:
    """Columns on loans and whether one is paid back, which can be told in part; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, columns))
    pull = x[:, 0] + 0.8 * x[:, 1] * (x[:, 2] > 0) - 0.7 * x[:, 3] + 0.5 * np.abs(x[:, 4]) - 0.4
    y = (clear * pull + random.logistic(size=samples) > 0).astype(np.int64)
    return data.split(x, y, seed, scaled=False)


def soils(seed: int, samples: int = 800, noise: float = 0.9) -> data.Split:
    """Fourteen measures of soils, standardised, of four kinds; each kind has two clouds; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    clouds = 1.1 * np.random.default_rng(4).normal(size=(4, 2, 14))
    x = clouds[y, random.integers(0, 2, samples)] + noise * random.normal(size=(samples, 14))
    return data.split(x, y, seed)
