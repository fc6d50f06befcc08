"""What the programs of changed Keras and scikit-learn scripts share: their data, and what writes and dumps for Keras."""

import contextlib
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.loggers import Dump, Log
from bench.accuracy.programs_field_common import Trail


def keras_at(seed: int) -> Any:
    """Keras, with its generators at this seed."""
    keras = importlib.import_module("keras")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def library(name: str) -> Any:
    """A module without types, such as xgboost or sklearn.linear_model."""
    return importlib.import_module(name)


def arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and targets, validation inputs and targets."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def shown(tensor: Any) -> np.ndarray:
    """A copy of a tensor or variable of Keras as an array."""
    return np.array(importlib.import_module("keras").ops.convert_to_numpy(tensor))


def trained(
    model: Any, x: Any, y: Any, validation: tuple[Any, Any], epochs: int, callbacks: Sequence[Any] = (), **more: Any
) -> Trail:
    """What `model.fit` tells, by name."""
    told = model.fit(x, y, validation_data=validation, epochs=epochs, callbacks=list(callbacks), verbose=0, **more)
    return {name: [float(one) for one in values] for name, values in told.history.items()}


def printed(
    run: Path, name: str, model: Any, x: Any, y: Any, validation: tuple[Any, Any], epochs: int, **more: Any
) -> Trail:
    """The same with verbose=2, and what Keras prints goes to a file."""
    with (run / name).open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        told = model.fit(x, y, validation_data=validation, epochs=epochs, verbose=2, **more)
    return {name: [float(one) for one in values] for name, values in told.history.items()}


def save_history(run: Path, trail: Trail, name: str = "history.json") -> None:
    """history.history as JSON, as `json.dump(history.history, f)` writes it."""
    (run / name).write_text(json.dumps(trail), encoding="utf-8")


def dumping(keras: Any, to: Dump, every: int, probe: np.ndarray | None = None, outputs: Sequence[str] = ()) -> Any:
    """A callback that dumps weights and gradients each so many batches, and outputs of the layers named for a probe."""

    class Dumping(keras.callbacks.Callback):  # type: ignore[misc]
        """Dumps as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.seen = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every == 0:
                to.dump(self.seen, {**variables(self.model), **self.layers()})

        def layers(self) -> dict[str, np.ndarray]:
            """Outputs by layer."""
            if probe is None:
                return {}
            wanted = [self.model.get_layer(name).output for name in outputs]
            with torch.no_grad():
                found = keras.Model(self.model.inputs, wanted)(probe, training=False)
            found = found if isinstance(found, list) else [found]
            return {f"activations/{name}": shown(one) for name, one in zip(outputs, found, strict=True)}

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return Dumping()


def variables(model: Any) -> dict[str, np.ndarray]:
    """Weights by the paths that Keras gives them, and the gradients that the last batch left."""
    made = {}
    for one in model.weights:
        if "seed" in one.path:
            continue
        made[f"weights/{one.path}"] = shown(one)
        if one.value.grad is not None:
            made[f"gradients/{one.path}"] = one.value.grad.numpy().copy()
    return made


def nuclei(seed: int, samples: int = 320, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures (n, side, side, 1), about 0 to 1, of bright discs on an uneven ground, and masks (n, side, side, 1) of 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    images, masks = np.zeros((samples, side, side, 1)), np.zeros((samples, side, side, 1))
    for image, mask in zip(images, masks, strict=True):
        for _ in range(random.integers(1, 4)):
            row, column = random.integers(2, side - 2, 2)
            mask[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(3, 11), 0] = 1
        ground = 0.25 + 0.1 * random.normal() * (rows - side / 2) / side
        image[:, :, 0] = ground + 0.45 * mask[:, :, 0] + 0.12 * random.normal(size=(side, side))
    return images.clip(0, 1).astype(np.float32), masks.astype(np.float32)


def noted(seed: int, samples: int = 640, length: int = 20, words: int = 250, share: float = 0.3) -> data.Split:
    """Ratings as tokens (n, length) of 1 to words - 1, good or bad; this share of the words speaks for it; 2 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    x = random.integers(81, words, (samples, length))
    kind = random.random(x.shape)
    x = np.where(kind < share, 1 + 40 * y[:, None] + random.integers(0, 40, x.shape), x)
    x = np.where(kind > 0.92, 41 - 40 * y[:, None] + random.integers(0, 40, x.shape), x)
    cut = samples * 3 // 4
    return data.Split(torch.tensor(x[:cut]), torch.tensor(y[:cut]), torch.tensor(x[cut:]), torch.tensor(y[cut:]))


def loans(seed: int, samples: int = 900, clear: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Ten columns on loans in their own units (euros, months, shares …) and whether they were not paid back, about a third."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 10))
    risk = z[:, 0] - 0.8 * z[:, 1] + 0.7 * (z[:, 2] > 0) * z[:, 3] - 0.6 - 0.5 * z[:, 4]
    y = (clear * risk + random.logistic(size=samples) > 0).astype(np.int64)
    x = z * [9000, 12, 0.2, 600, 5, 1, 3, 150, 0.5, 2] + [22000, 40, 0.5, 2100, 7, 3, 9, 420, 1, 4]
    return x, y


def swells(seed: int, samples: int = 520, length: int = 40) -> data.Split:
    """Heights of a sea in the last moments (n, length, 1) and in the next (n, 1), standardised; later moments validate."""
    random = np.random.default_rng(seed)
    moment = np.arange(samples + length)
    height = np.sin(2 * np.pi * moment / 17 + random.uniform(0, 6)) + 0.7 * np.sin(2 * np.pi * moment / 7.3)
    height = (height + 0.2 * random.normal(size=height.size)) / 0.9
    x = np.lib.stride_tricks.sliding_window_view(height[:-1], length)[:, :, None]
    xs, ys = torch.tensor(x.copy(), dtype=torch.float32), torch.tensor(height[length:, None], dtype=torch.float32)
    cut = len(ys) * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def fruits(seed: int, samples: int = 400, side: int = 10) -> data.Split:
    """Coloured pictures (n, side, side, 3), 0 to 1, in the order red, green, blue: a strawberry, plum, lime, or lemon; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:side, 0:side]
    colours = np.array([[0.8, 0.2, 0.25], [0.3, 0.2, 0.75], [0.35, 0.75, 0.25], [0.85, 0.75, 0.2]])
    images = np.zeros((samples, side, side, 3))
    for image, kind in zip(images, y, strict=True):
        row, column = random.integers(3, side - 3, 2)
        inside = (rows - row) ** 2 + (columns - column) ** 2 <= random.integers(4, 10)
        ink = colours[kind] + 0.1 * random.normal(size=3)
        image[:] = np.where(inside[:, :, None], ink, random.uniform(0.3, 0.8, 3))
    images = (images + 0.07 * random.normal(size=images.shape)).clip(0, 1)
    of = data.split(images.reshape(samples, -1), y, seed, scaled=False)
    shape = (-1, side, side, 3)
    return data.Split(of.x.reshape(shape), of.y, of.x_val.reshape(shape), of.y_val)


def keep(found: Trail, log: Log, step: int, row: dict[str, float]) -> None:
    """Log a row and remember it."""
    log.log(step, row)
    for name, value in row.items():
        found.setdefault(name, []).append(float(value))


def tagged(seed: int, samples: int = 700) -> data.Split:
    """Twenty measures of songs and eight tags (n, 8) of 0 and 1, some three of which hold at once."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 20))
    weights = np.random.default_rng(5).normal(size=(20, 8))
    y = (x @ weights / np.sqrt(20) * 3 + 0.5 * random.normal(size=(samples, 8)) > 0.8).astype(np.float64)
    return data.split(x, y, seed)


class Lake:
    """A frozen lake of 6 × 6 that is not slippery: 0 is the start, 35 the goal (a reward of 1), holes end an episode without one."""

    holes = frozenset((9, 25))

    def step(self, state: int, action: int) -> tuple[int, float, bool]:
        """The state after going left, down, right or up, the reward, and whether it is over."""
        down, right = ((0, -1), (1, 0), (0, 1), (-1, 0))[action]
        row, column = min(max(state // 6 + down, 0), 5), min(max(state % 6 + right, 0), 5)
        after = 6 * row + column
        return after, float(after == 35), after == 35 or after in self.holes
