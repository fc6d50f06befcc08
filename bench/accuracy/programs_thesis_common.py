"""What the programs of theses share: pairs of a faulty and a repaired version, their measurements, and writers that students have.

Each is in the manner of a student's or an engineer's training script: longer than a textbook's, shorter than a repository. Both versions
log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("thesis", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into


class WandbHistory:
    """wandb-history.jsonl, as an offline run leaves it: `_step`, `_runtime` and `_timestamp` beside the values."""

    def __init__(self, run: Path, name: str = "wandb-history.jsonl") -> None:
        self.path, self.started = run / name, time.time()
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row."""
        now = time.time()
        about = {"_step": step, "_runtime": now - self.started, "_timestamp": now}
        self.rows.append({**{name: float(value) for name, value in values.items()}, **about})

    def close(self) -> None:
        """Write all rows."""
        self.path.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")


class MlflowStore:
    """mlruns/0/RUN/metrics/NAME with lines `timestamp value step`, as MLflow's file store keeps them."""

    def __init__(self, run: Path, identity: str = "5d1f0c7ab3e84e0f9a6c2b7d4e8f1a30") -> None:
        self.folder = run / "mlruns" / "0" / identity
        (self.folder / "metrics").mkdir(parents=True)
        about = {
            "artifact_uri": f"mlruns/0/{identity}/artifacts",
            "experiment_id": "'0'",
            "run_id": identity,
            "status": 3,
        }
        told = "".join(f"{name}: {value}\n" for name, value in about.items())
        (self.folder / "meta.yaml").write_text(told, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line to the file of each."""
        for name, value in values.items():
            with (self.folder / "metrics" / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {float(value)} {step}\n")

    def close(self) -> None:
        """Nothing is left to write."""


def concrete(seed: int, samples: int = 600, scaled: bool = True) -> data.Split:
    """Mixtures of concrete in kilograms and their age in days, 8 columns, and strengths (n, 1) in MPa, 5 to 80."""
    random = np.random.default_rng(seed)
    low = np.array([100, 0, 0, 120, 0, 800, 600, 1])
    high = np.array([540, 360, 200, 250, 30, 1150, 990, 360])
    x = random.uniform(low, high, (samples, 8))
    binder = x[:, 0] + 0.6 * x[:, 1] + 0.4 * x[:, 2]
    strength = 0.09 * binder * np.log1p(x[:, 7]) / 4 - 0.12 * (x[:, 3] - 180) + 0.3 * x[:, 4] + 8
    strength = np.clip(strength + random.normal(0, 2.5, samples), 3, 90)
    return data.split(x, strength[:, None], seed, scaled=scaled)


def vibrations(seed: int, samples: int = 480, length: int = 64, noise: float = 0.7) -> data.Split:
    """Signals (n, length, 1) of a bearing that is sound, unbalanced, cracked (short pulses) or loose (half tones); 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    moment = np.arange(length)
    phase = random.uniform(0, 2 * np.pi, (samples, 1))
    turning = np.sin(2 * np.pi * moment / 16 + phase)
    pulses = 3.0 * (((moment + np.round(phase * 5)) % 21) < 2)
    loose = 1.2 * np.sin(2 * np.pi * moment / 32 + 2 * phase)
    kinds = np.stack([0.6 * turning, 1.8 * turning, 0.6 * turning + pulses, 0.6 * turning + loose], 1)
    signals = kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length))
    of = data.split(signals, y, seed, scaled=False)
    return replace(of, x=of.x.float()[:, :, None], x_val=of.x_val.float()[:, :, None])


def genes(seed: int, samples: int = 200, columns: int = 400) -> data.Split:
    """Expressions of many genes, of which eight have to do with the disease, and whether it is there; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, columns))
    y = (x[:, :8].sum(1) + 0.6 * random.normal(size=samples) > 0).astype(np.int64)
    return data.split(x, y, seed)


def tickets(seed: int, samples: int = 700, length: int = 36, words: int = 240) -> data.Split:
    """Letters to a help desk as tokens (n, length); the first third greets, and words of the rest tell which of 3 teams is meant."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = random.integers(100, words, (samples, length))
    telling = (random.random(x.shape) < 0.25) & (np.arange(length) >= 12)
    x = np.where(telling, 1 + 30 * y[:, None] + random.integers(0, 30, x.shape), x)
    xs, ys = torch.tensor(x), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def weather(seed: int, days: int = 700) -> data.Split:
    """Of a day six measures at noon, standardised, and the highest temperature of the next (n, 1) in degrees; later days validate."""
    random = np.random.default_rng(seed)
    day = np.arange(days + 1)
    front = np.zeros(days + 1)
    for one in range(1, days + 1):
        front[one] = 0.8 * front[one - 1] + 0.6 * random.normal()
    warm = 14 - 9 * np.cos(2 * np.pi * day / 365) + 3 * front
    x = np.stack([warm, front, np.sin(2 * np.pi * day / 365), np.cos(2 * np.pi * day / 365), front**2, day % 7], 1)
    x = x + 0.1 * random.normal(size=x.shape)
    cut = days * 3 // 4
    x = (x - x[:cut].mean(0)) / x[:cut].std(0)
    xs, ys = torch.tensor(x[:-1], dtype=torch.float32), torch.tensor(warm[1:, None], dtype=torch.float32)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])
