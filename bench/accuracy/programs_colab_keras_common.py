"""What the Keras programs of notebooks and those of other libraries share: data as arrays, `fit`, and what users keep of a history."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from bench.accuracy.loggers import Dump, KerasDirectories

History = dict[str, list[float]]
"""As `model.fit(...).history` has it."""


class Arrays(NamedTuple):
    """Training and validation data."""

    x: np.ndarray
    """Training inputs."""
    y: np.ndarray
    """Training targets."""
    x_val: np.ndarray
    """Validation inputs."""
    y_val: np.ndarray
    """Validation targets."""


def parted(x: np.ndarray, y: np.ndarray, seed: int, share: float = 0.25, scaled: bool = False) -> Arrays:
    """`train_test_split`, and `StandardScaler` for the inputs if asked for."""
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=share, random_state=seed)
    if scaled:
        mean, deviation = x_train.mean(0), x_train.std(0) + 1e-6
        x_train, x_val = (x_train - mean) / deviation, (x_val - mean) / deviation
    return Arrays(x_train.astype(np.float32), y_train, x_val.astype(np.float32), y_val)


def tumours(seed: int, scaled: bool = True) -> Arrays:
    """Breast cancer of scikit-learn: 30 measures, 2 classes."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return parted(x, y, seed, scaled=scaled)


def digits(seed: int, samples: int = 1797) -> Arrays:
    """Digits (n, 64) of 0 to 1; 10 classes."""
    x, y = datasets.load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(y))[:samples]
    return parted(x[chosen] / 16, y[chosen], seed)


def signs(seed: int, samples: int = 700, noise: float = 20.0) -> Arrays:
    """Photos (n, 14, 14, 1) of 0 to 255 of road signs: disc, ring, triangle, square, cross; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    rows, columns = np.mgrid[0:14, 0:14]
    x = np.zeros((samples, 14, 14))
    for image, kind in zip(x, y, strict=True):
        down, right, size = rows - random.uniform(5, 8), columns - random.uniform(5, 8), random.uniform(3.2, 4.8)
        far = np.hypot(down, right)
        box = np.maximum(np.abs(down), np.abs(right))
        shapes = (
            far < size,
            (far < size) & (far > size - 1.6),
            (down < size * 0.8) & (down > 2 * np.abs(right) - size),
            (box < size) & (box > size - 1.6),
            (np.minimum(np.abs(down), np.abs(right)) < 1) & (box < size),
        )
        image[:] = random.uniform(40, 110) + shapes[kind] * random.uniform(60, 130)
    x = (x + noise * random.normal(size=x.shape)).clip(0, 255)
    return parted(x[..., None], y, seed)


def houses(seed: int, samples: int = 800) -> Arrays:
    """Ten standardised features of houses, and prices (n, 1) of 50,000 to 900,000 dollars."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 10))
    price = 260_000 * np.exp(0.3 * z[:, 0] + 0.15 * z[:, 1] - 0.1 * z[:, 2] + 0.08 * z[:, 3] * z[:, 0])
    price += 20_000 * z[:, 4] + 12_000 * random.normal(size=samples)
    return parted(z, price[:, None].clip(50_000, 900_000).astype(np.float32), seed, scaled=True)


def reviews(seed: int, samples: int = 500, length: int = 40, words: int = 600, told: float = 0.12) -> Arrays:
    """Film reviews as tokens (n, length); some words are of one opinion; 2 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    x = random.integers(80, words, (samples, length))
    opinion = np.where(random.random(x.shape) < 0.8, y[:, None], 1 - y[:, None])
    x = np.where(random.random(x.shape) < told, 1 + 30 * opinion + random.integers(0, 30, x.shape), x)
    # Some give their stars by mistake.
    y = np.where(random.random(samples) < 0.12, 1 - y, y)
    return Arrays(*(part.astype(np.int64) for part in parted(x, y, seed)))


def movements(seed: int, samples: int = 600, length: int = 32, noise: float = 0.7) -> Arrays:
    """Readings of a phone (n, length, 3) while one walks, runs, climbs, sits or cycles; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    at = np.arange(length)
    start, pace = random.uniform(0, 2 * np.pi, (samples, 1)), random.uniform(0.85, 1.15, (samples, 1))
    slow, fast = np.sin(0.4 * pace * at + start), np.sin(0.9 * pace * at + start)
    none, lag = np.zeros_like(slow), np.cos(0.4 * pace * at + start)
    kinds = np.stack(
        [
            np.stack([slow, lag, none], -1),
            np.stack([fast, none, fast], -1),
            np.stack([slow, none, lag], -1),
            np.stack([none, none, none], -1),
            np.stack([none, fast, slow], -1),
        ],
        1,
    )
    return parted(kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length, 3)), y, seed)


def customers(seed: int, samples: int = 700, clear: float = 2.0, rare: float = 0.0, scaled: bool = True) -> Arrays:
    """Twelve columns on customers in months, dollars, calls …, and whether they leave; the higher `rare`, the fewer do; 2 classes."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 12))
    pull = z[:, 0] - 0.9 * z[:, 1] + 0.6 * z[:, 2] * z[:, 3] + 0.6 * z[:, 4] - 0.4 * z[:, 5] ** 2
    y = (clear * (pull - rare) + random.logistic(size=samples) > 0).astype(np.int64)
    x = z * [14, 22, 2, 1, 3, 900, 1, 0.2, 8, 30, 5, 1] + [32, 64, 4, 2, 5, 2300, 3, 0.5, 40, 120, 20, 2]
    return parted(x, y, seed, scaled=scaled)


def keras_at(seed: int) -> Any:
    """Keras, with all its generators at this seed."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


def fit(model: Any, of: Arrays, epochs: int, callbacks: Sequence[Any] = (), batch: int = 32, **more: Any) -> History:
    """`model.fit` with validation data, quietly; its history."""
    told = model.fit(
        of.x,
        of.y,
        batch_size=batch,
        epochs=epochs,
        validation_data=(of.x_val, of.y_val),
        verbose=0,
        callbacks=list(callbacks),
        **more,
    ).history
    return {name: [float(value) for value in values] for name, values in told.items()}


def steady(history: Mapping[str, Sequence[float]], name: str = "val_loss", slack: float = 0.2) -> bool:
    """Whether the validation loss ends near its best."""
    best = min(history[name])
    return history[name][-1] <= best + slack * abs(best) + 0.01


def tail(values: Sequence[float], count: int = 3) -> float:
    """The mean of the last few."""
    return float(np.mean(values[-count:]))


def as_json(run: Path, history: History, name: str = "history.json") -> None:
    """`json.dump(history.history, file)`."""
    (run / name).write_text(json.dumps(history), encoding="utf-8")


def as_events(run: Path, history: History) -> None:
    """train/ and validation/ with epoch_loss and the rest, as the TensorBoard callback leaves them."""
    log = KerasDirectories(run)
    for epoch in range(len(history["loss"])):
        log.log(
            epoch,
            {
                key if key.startswith(("val_", "learning")) else f"train_{key}": values[epoch]
                for key, values in history.items()
            },
        )
    log.close()


def as_printed(run: Path, history: History, steps: int, name: str = "train_output.log") -> None:
    """What `verbose=2` prints, as it is piped to a file."""
    lines: list[str] = []
    count = len(history["loss"])
    for epoch in range(count):
        told = " - ".join(f"{key}: {values[epoch]:.4f}" for key, values in history.items())
        lines += [f"Epoch {epoch + 1}/{count}", f"{steps}/{steps} - 0s - 5ms/step - {told}"]
    (run / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def dumping(keras: Any, dump: Dump, shown: np.ndarray | None = None) -> Any:
    """A callback that dumps weights by their paths, the gradients of the last batch, and what the layers make of `shown`."""

    class Dumping(keras.callbacks.Callback):
        """After each epoch, and the end."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """One set of tensors."""
            convert = keras.ops.convert_to_numpy
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights:
                if "seed" in one.path:
                    continue
                made[f"weights/{one.path}"] = np.array(convert(one))
                if getattr(one.value, "grad", None) is not None:
                    made[f"gradients/{one.path}"] = one.value.grad.numpy().copy()
            if shown is not None:
                whole = keras.Model(self.model.inputs, [layer.output for layer in self.model.layers])
                for layer, output in zip(self.model.layers, whole(shown), strict=True):
                    made[f"activations/{layer.name}"] = np.array(convert(output))
            dump.dump(epoch, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            """Close the file."""
            dump.close()

    return Dumping()
