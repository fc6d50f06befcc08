"""What the hobby programs in plain PyTorch share: writers as people make them, and some data."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.accuracy.data import Split, split
from bench.accuracy.loggers import Log


class Printed:
    """The redirected output of a script: each call is a line of a form of one's own."""

    def __init__(self, run: Path, form: Callable[[int, Mapping[str, float]], str], name: str = "log.txt") -> None:
        self.file = (run / name).open("w", encoding="utf-8")
        self.form = form

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the line."""
        self.file.write(self.form(step, values) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class MlflowFiles:
    """A folder as MLflow's file store has it: mlruns/0/<id>/metrics/<name> with `time value step` in each line."""

    def __init__(self, run: Path, seed: int) -> None:
        self.folder = run / "mlruns" / "0" / f"{seed:x}".rjust(4, "a").ljust(32, "c")
        (self.folder / "metrics").mkdir(parents=True)
        (self.folder / "params").mkdir()
        about = ("artifact_uri: ./artifacts", "end_time: null", "experiment_id: '0'", "lifecycle_stage: active")
        lines = (*about, f"run_id: {self.folder.name}", "run_name: test", "status: 1", "user_id: me")
        (self.folder / "meta.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def param(self, name: str, value: object) -> None:
        """Keep a hyperparameter."""
        (self.folder / "params" / name).write_text(str(value), encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line to the file of each metric."""
        for name, value in values.items():
            with (self.folder / "metrics" / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {value} {step}\n")

    def close(self) -> None:
        """Nothing is left open."""


class WandbHistory:
    """The history of a run as people export it from W&B: JSON lines with _step, _runtime and _timestamp."""

    def __init__(self, run: Path, name: str = "wandb-history.jsonl") -> None:
        self.file = (run / name).open("w", encoding="utf-8")
        self.begun = time.time()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a row."""
        now = time.time()
        row = {**values, "_step": step, "_runtime": now - self.begun, "_timestamp": now}
        self.file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class HistoryJson:
    """One JSON object with a list for each name, dumped at the end of the script."""

    def __init__(self, run: Path, name: str = "history.json") -> None:
        self.path = run / name
        self.lists: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append to the lists."""
        for name, value in values.items():
            self.lists.setdefault(name, []).append(float(value))

    def close(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(self.lists), encoding="utf-8")


class Renamed:
    """Another writer, under other names."""

    def __init__(self, log: Log, names: Mapping[str, str]) -> None:
        self.to, self.names = log, names

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Rename and hand on."""
        self.to.log(step, {self.names.get(name, name): value for name, value in values.items()})

    def close(self) -> None:
        """Close the other."""
        self.to.close()


def shaped(of: Split, *shape: int) -> Split:
    """The same with each input in this shape."""
    return Split(of.x.reshape(-1, *shape), of.y, of.x_val.reshape(-1, *shape), of.y_val)


def keywords(seed: int, samples: int = 560, length: int = 128, noise: float = 0.6) -> Split:
    """Short waves (n, 1, length) of five 'words', each a chirp of two tones, spoken at any loudness and moment; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    at = np.arange(length)
    tones = np.array([[4, 9], [9, 4], [6, 6], [12, 7], [7, 14]]) / length
    start = random.integers(0, 40, (samples, 1))
    inside = (at >= start) & (at < start + 80)
    first = at < start + 40
    pace = np.where(first, tones[y][:, :1], tones[y][:, 1:]) * random.uniform(0.95, 1.05, (samples, 1))
    wave = np.sin(2 * np.pi * pace * (at - start) * 2) * inside * random.uniform(0.7, 1.3, (samples, 1))
    return shaped(split(wave + noise * random.normal(size=wave.shape), y, seed, scaled=False), 1, length)


def cells(seed: int, samples: int = 160, side: int = 16) -> tuple[Tensor, Tensor]:
    """Microscope pictures (n, 1, side, side) with round cells, and their masks of 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    masks = np.zeros((samples, side, side), bool)
    for mask in masks:
        for _ in range(random.integers(1, 4)):
            row, column, radius = *random.uniform(2, side - 2, 2), random.uniform(1.5, 3.2)
            mask |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    light = random.uniform(-0.3, 0.3, (samples, 1, 1)) + 0.02 * rows
    images = masks * random.uniform(0.8, 1.4, (samples, 1, 1)) + light + 0.35 * random.normal(size=masks.shape)
    return torch.tensor(images[:, None], dtype=torch.float32), torch.tensor(masks[:, None], dtype=torch.float32)


def citations(seed: int, nodes: int = 240, classes: int = 4, words: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """A graph of papers: features (n, words), the normalised adjacency with loops (n, n), and classes (n,)."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, nodes)
    same = y[:, None] == y
    edges = random.random((nodes, nodes)) < np.where(same, 0.06, 0.006)
    edges = np.triu(edges, 1)
    full = edges + edges.T + np.eye(nodes)
    root = full.sum(1) ** -0.5
    topic = np.random.default_rng(5).random((classes, words)) < 0.25
    x = random.random((nodes, words)) < np.where(topic[y], 0.2, 0.07)
    told = torch.tensor(root[:, None] * full * root, dtype=torch.float32)
    return torch.tensor(x, dtype=torch.float32), told, torch.tensor(y)


def glyphs(seed: int, samples: int = 600, side: int = 8) -> Tensor:
    """Pictures (n, side * side) of 0 to 1 of a bar of any place, width and direction."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    place, width = random.uniform(1, side - 2, (samples, 1, 1)), random.uniform(0.7, 1.6, (samples, 1, 1))
    upright = random.random((samples, 1, 1)) < 0.5
    images = 1 / (1 + np.exp(6 * (np.abs(np.where(upright, columns, rows) - place) - width)))
    return torch.tensor(images.reshape(samples, -1), dtype=torch.float32).clamp(0, 1)
