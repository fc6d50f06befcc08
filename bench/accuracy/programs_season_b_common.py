"""What the programs of author B share: ways to log a Keras training, to save its tensors, and data."""

import contextlib
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.loggers import Dump
from bench.accuracy.programs_field_common import Trail
from bench.accuracy.programs_post_common import board

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""x, y, x_val and y_val."""


def fresh(seed: int) -> Any:
    """Keras with its generators at a seed and its counters of names at zero."""
    keras: Any = importlib.import_module("keras")

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: data.Split) -> Arrays:
    """A split as arrays; pictures with their channels last."""
    x, x_val = of.x.numpy(), of.x_val.numpy()
    if x.ndim == 4:
        x, x_val = x.transpose(0, 2, 3, 1), x_val.transpose(0, 2, 3, 1)
    return x, of.y.numpy(), x_val, of.y_val.numpy()


def saver(keras: Any, dump: Dump, every: int, parts: str = "wg", probe: np.ndarray | None = None) -> Any:
    """A callback that saves weights (w), gradients (g) and outputs of layers for a probe (a) each so many batches."""

    class Saver(keras.callbacks.Callback):  # type: ignore[misc]
        """Saves after the batch, while the gradients are still there."""

        seen = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every:
                return
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights:
                if "w" in parts:
                    made[f"weights/{one.path}"] = one.value.detach().numpy().copy()
                if "g" in parts and one.value.grad is not None:
                    made[f"gradients/{one.path}"] = one.value.grad.numpy().copy()
            if probe is not None:
                value: Any = keras.ops.convert_to_tensor(probe)
                for layer in self.model.layers:
                    value = layer(value, training=False) if "dropout" in layer.name else layer(value)
                    made[f"activations/{layer.name}"] = value.detach().numpy().copy()
            dump.dump(self.seen, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    return Saver()


def learn(
    keras: Any,
    run: Path,
    model: Any,
    of: Arrays,
    epochs: int,
    how: str,
    *,
    name: str = "training.csv",
    batch: int = 32,
    callbacks: Sequence[Any] = (),
    append: bool = False,
    histograms: int = 0,
    **more: Any,
) -> Trail:
    """fit() logged by the CSVLogger (csv), the TensorBoard callback (board), what it prints (print) or its history (json)."""
    x, y, x_val, y_val = of
    with_log = list(callbacks)
    if how == "csv":
        with_log.append(keras.callbacks.CSVLogger(str(run / name), append=append))
    if how == "board":
        with_log.append(board(keras, run, weights=histograms))
    verbose = 2 if how == "print" else 0
    with (
        (run / name).open("a", encoding="utf-8") if verbose else contextlib.nullcontext() as file,
        contextlib.redirect_stdout(file) if file else contextlib.nullcontext(),
    ):
        kept = model.fit(
            x,
            y,
            validation_data=(x_val, y_val),
            epochs=epochs,
            batch_size=batch,
            callbacks=with_log,
            verbose=verbose,
            **more,
        )
    trail: Trail = {key: [float(one) for one in values] for key, values in kept.history.items()}
    if how == "json":
        (run / name).write_text(json.dumps(trail, indent=1), encoding="utf-8")
    return trail


def cut(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> Arrays:
    """The first share of samples trains, the rest validates."""
    at = int(len(x) * share)
    return x[:at], y[:at], x[at:], y[at:]


def payments(seed: int, samples: int = 1600, share: float = 0.04, clear: float = 1.6) -> Arrays:
    """Twelve standardised columns on card payments, of which this share is fraud (1)."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.float32)
    x = random.normal(size=(samples, 12)).astype(np.float32)
    x[:, :4] += clear * y[:, None] * np.array([1.0, -0.8, 0.7, 0.6], dtype=np.float32)
    return cut(x, y[:, None])


def meters(seed: int, samples: int = 700, noise: float = 0.4) -> Arrays:
    """Eight standardised columns on buildings and the standardised heat that they need (n, 1)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 8)).astype(np.float32)
    y = 1.5 * x[:, 0] - x[:, 1] + 0.8 * x[:, 2] * x[:, 3] + np.sin(2 * x[:, 4]) + noise * random.normal(size=samples)
    y = (y - y.mean()) / y.std()
    return cut(x, y[:, None].astype(np.float32))


def walks(seed: int, samples: int = 500, length: int = 60) -> Arrays:
    """Steps of up and down (n, length, 1) and whether the later half rises more than the earlier one; 2 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    x = random.normal(size=(samples, length, 1))
    x[:, length // 2 :, 0] += 0.35 * (2 * y[:, None] - 1)
    return cut(x.astype(np.float32), y)


def loans(seed: int, samples: int = 900, noise: float = 1.0) -> Arrays:
    """Ten columns on loans and whether they were paid back; 2 classes with some doubt."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10)).astype(np.float32)
    risk = 1.6 * x[:, 0] - 1.2 * x[:, 1] + x[:, 2] * x[:, 3] + 0.8 * np.abs(x[:, 4]) - 0.6
    y = (risk + noise * random.logistic(size=samples) > 0).astype(np.int64)
    return cut(x, y)
